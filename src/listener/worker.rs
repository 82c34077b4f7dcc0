//! The listener's thread, from inside.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::carrier::{Carrier, Load, quietly};
use super::idle::Idle;
use super::tally::Tally;
use crate::clock::after;
use crate::ledger::Outcome;
use crate::queue::{Signals, Source, mark_listener_thread};
use crate::record::LogRecord;
use crate::sync::lock;
use crate::wall_clock;

/// Between looks at a queue that is being closed.
const CLOSING_NAP: Duration = Duration::from_millis(1);
/// After a panic that no record can be blamed for, of a queue of the user's say: it may come again at once.
const AFTER_PANIC: Duration = Duration::from_millis(100);

/// A function of the user's that each record goes through: it may change it, or drop it.
pub(super) type Prepare = Box<dyn FnMut(LogRecord) -> Option<LogRecord> + Send>;

/// One of a queue's listeners.
pub(super) struct Worker {
    source: Source,
    carriers: Vec<Carrier>,
    pub(super) respects_levels: bool,
    pub(super) prepare: Option<Prepare>,
    /// The signals that have had their effect: a flush after these wants an attempt at once.
    seen: Signals,
    pub(super) shared: Arc<Shared>,
    /// What has been taken out of the queue, and given to no handler yet.
    records: Vec<LogRecord>,
    tally: Tally,
    /// Which handler is being called.
    at: Option<usize>,
}

impl Worker {
    pub(super) fn new(source: Source, shared: Arc<Shared>) -> Self {
        Self {
            seen: source.signals(),
            source,
            carriers: Vec::new(),
            respects_levels: false,
            prepare: None,
            shared,
            records: Vec::new(),
            tally: Tally::new(0),
            at: None,
        }
    }

    pub(super) fn add(&mut self, carrier: Carrier) {
        self.carriers.push(carrier);
        self.tally.add_handler();
    }

    pub(super) fn carriers(&mut self) -> &mut [Carrier] {
        &mut self.carriers
    }

    /// Until the queue is closed and every record has its outcome, or until it is told to end where it is.
    pub(super) fn run(mut self) -> Self {
        mark_listener_thread();
        self.source.attach();
        let mut idle = Idle::default();
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn(&mut idle))) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return self,
                Err(panic) => self.survive(panic),
            }
        }
    }

    /// Delivers what there is, as far as that takes no waiting; returns how many records have no outcome yet.
    pub(super) fn pump(&mut self) -> usize {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn_at_once())) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return self.unsettled(),
                Err(panic) => self.survive(panic),
            }
        }
    }

    /// Puts a record behind those at hand.
    pub(super) fn hand(&mut self, mut record: LogRecord) {
        record.set_sequence(self.source.control().ledger().take_in());
        let before = self.records.len();
        self.records.push(record);
        self.prepare_from(before);
    }

    /// Takes a batch and delivers it, or waits for one.
    fn turn(&mut self, idle: &mut Idle) -> ControlFlow<()> {
        // There are some if the last turn ended in a panic, or the last run in between.
        self.deliver()?;
        let signals = self.source.signals();
        if signals.recess {
            return ControlFlow::Break(());
        }
        let came = self.take();
        if !self.records.is_empty() {
            idle.reset();
            self.linger();
            self.deliver()?;
            // Not before the first delivery, which the whole of a short program may be waiting for.
            wall_clock::calibrate();
            self.tell_losses()?;
        } else if came > 0 {
            idle.reset();
        } else if signals.give_up_at.is_none() {
            // What was flushed has been taken, by this listener or another.
            self.seen = signals;
            self.tell_losses()?;
            if self.source.has_ended() {
                return ControlFlow::Break(());
            }
            idle.wait(&mut self.source);
        } else if self.source.control().ledger().is_settled() {
            return ControlFlow::Break(());
        } else {
            // A caller has a number for its record, and is about to put it into the queue; or another listener is not
            // yet done with its own.
            self.source.nap(CLOSING_NAP);
        }
        ControlFlow::Continue(())
    }

    /// The same for who waits for nothing.
    fn turn_at_once(&mut self) -> ControlFlow<()> {
        if self.carry().is_some() || self.take() == 0 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// What panicked is code of the user's (an error's `Drop`, say), or a mistake of ours. What was at hand is lost, and
    /// the listener goes on.
    fn survive(&mut self, panic: Box<dyn Any + Send>) {
        // Its own `Drop` may panic.
        std::mem::forget(panic);
        self.source.control().ledger().panicked();
        match self.at.take() {
            Some(at) => self.with_load(at, Carrier::drop_part),
            None => self.source.nap(AFTER_PANIC),
        }
    }

    /// Takes what there is, up to a full batch; returns how many records that were.
    fn take(&mut self) -> usize {
        let before = self.records.len();
        let room = self.most_records().saturating_sub(before);
        self.source.take(room, &mut self.records);
        let came = self.records.len() - before;
        self.prepare_from(before);
        came
    }

    /// Has the user's function look at the records from `start` on.
    fn prepare_from(&mut self, start: usize) {
        let Some(prepare) = &mut self.prepare else { return };
        let ledger = self.source.control().ledger();
        for record in self.records.split_off(start) {
            let sequence = record.identity().unwrap_or_default();
            let outcome = match quietly(|| prepare(record)) {
                Some(Some(mut prepared)) => {
                    prepared.set_sequence(sequence);
                    self.records.push(prepared);
                    continue;
                }
                Some(None) => Outcome::Delivered,
                None => {
                    ledger.panicked();
                    Outcome::Rejected
                }
            };
            ledger.settle(outcome, [sequence].into_iter());
        }
    }

    /// The largest batch that a handler takes. The others get it in portions.
    fn most_records(&self) -> usize {
        self.carriers.iter().map(|carrier| carrier.batch().records()).max().unwrap_or(1)
    }

    /// Gives a batch that is not full some time to become so, unless a flush or a stop asks for what there is.
    fn linger(&mut self) {
        // The handler that can wait the least decides.
        let linger = self.carriers.iter().map(|carrier| carrier.batch().lingers()).min().unwrap_or_default();
        let until = after(linger);
        let full = self.most_records();
        while self.records.len() < full && self.source.signals() == self.seen {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.source.nap_until_there_are(full - self.records.len(), left);
            self.take();
        }
        // What a flush was called for may have come after the last look.
        self.take();
    }

    /// Delivers the batch, and waits as long as that takes; breaks off if it is told to end before.
    fn deliver(&mut self) -> ControlFlow<()> {
        loop {
            let signals = self.source.signals();
            let Some(until) = self.carry() else { return ControlFlow::Continue(()) };
            if self.source.signals().recess {
                return ControlFlow::Break(());
            }
            let until = signals.give_up_at.map_or(until, |give_up_at| give_up_at.min(until));
            self.source.pause(until, signals);
        }
    }

    /// Has each handler deliver as far as it can; returns when the first of those wants to go on that have to wait.
    fn carry(&mut self) -> Option<Instant> {
        self.hand_out();
        let mut next: Option<Instant> = None;
        for at in 0..self.carriers.len() {
            self.at = Some(at);
            let until = self.with_load(at, Carrier::carry);
            next = [next, until].into_iter().flatten().min();
        }
        self.at = None;
        if let (None, Some(last)) = (next, self.carriers.last_mut()) {
            self.records = last.take_storage();
        }
        next
    }

    /// Gives each handler what has come.
    fn hand_out(&mut self) {
        if self.records.is_empty() {
            return;
        }
        self.tally.begin(&self.records);
        let (respects_levels, last) = (self.respects_levels, self.carriers.len() - 1);
        for at in 0..=last {
            let records = if at == last { std::mem::take(&mut self.records) } else { self.records.clone() };
            self.with_load(at, |carrier, load| carrier.begin(records, respects_levels, load));
        }
    }

    fn with_load<T>(&mut self, at: usize, work: impl FnOnce(&mut Carrier, &mut Load<'_>) -> T) -> T {
        let mut others = self.carriers.iter().enumerate();
        let others_fail = others.any(|(place, other)| place != at && other.is_failing());
        let load =
            &mut Load { tally: &mut self.tally, control: self.source.control(), shared: &self.shared, others_fail };
        work(&mut self.carriers[at], load)
    }

    /// Tells the destination, and the user, of records that found the queue full, now that there is room again.
    fn tell_losses(&mut self) -> ControlFlow<()> {
        let ledger = self.source.control().ledger();
        let notice = lock(&self.shared.losses).notice(ledger.found_no_room(), self.source.is_empty());
        let Some((count, notice)) = notice else { return ControlFlow::Continue(()) };
        if self.shared.on_error.is_none() {
            lock(self.shared.reporter(0)).dropped(count, ledger.mean_attempt());
        }
        self.records.push(notice);
        self.deliver()
    }

    /// How many records at hand have no outcome yet.
    pub(super) fn unsettled(&self) -> usize {
        if let [only] = &*self.carriers { only.open() } else { self.tally.open() }
    }
}

/// What has no outcome never gets one.
impl Drop for Worker {
    fn drop(&mut self) {
        self.hand_out();
        for at in 0..self.carriers.len() {
            self.with_load(at, Carrier::abandon);
        }
    }
}
