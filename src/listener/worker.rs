//! The listener's thread, from inside.

mod outcomes;

use std::any::Any;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::idle::Idle;
use super::losses::Losses;
use super::report::{Action, Failure, OnError, Reporter};
use super::retry::Backoff;
use super::{Delivery, Policy};
use crate::clock::after;
use crate::handler::{Batch, EmitError, ErrorClass, Handler};
use crate::ledger::Outcome;
use crate::queue::{Queue, Signals, mark_listener_thread};
use crate::record::LogRecord;
use crate::sync::{Mutex, lock};
use crate::wall_clock;

/// After so many refusals of single records with nothing delivered between them, it is more likely that the destination
/// is broken than that all records are: each further refusal has to wait out the backoff.
const REFUSALS_AT_FULL_SPEED: u32 = 3;

/// Between looks at a queue that is being closed.
const CLOSING_NAP: Duration = Duration::from_millis(1);

/// One of a queue's listeners.
pub(super) struct Worker {
    queue: Arc<Queue>,
    seat: usize,
    handler: Box<dyn Handler>,
    batch: Batch,
    policy: Policy,
    backoff: Backoff,
    /// Single records refused since something was last delivered.
    refusals: u32,
    /// The signals that have had their effect: a flush after these wants an attempt at once.
    seen: Signals,
    shared: Arc<Shared>,
    records: Vec<LogRecord>,
    /// Which of them have no outcome yet: the last range is what is at hand.
    parts: Vec<Range<usize>>,
}

/// What the listeners of one queue do together.
pub(super) struct Shared {
    reporter: Mutex<Reporter>,
    on_error: Option<OnError>,
    losses: Mutex<Losses>,
}

impl Shared {
    pub(super) fn new(on_error: Option<OnError>) -> Self {
        Self { reporter: Mutex::default(), on_error, losses: Mutex::default() }
    }
}

/// What came of offering some records.
enum Offer {
    Settled(Outcome),
    /// Something among them is refused: offer each half by itself.
    Split,
}

impl Worker {
    pub(super) fn new(
        queue: Arc<Queue>,
        seat: usize,
        handler: Box<dyn Handler>,
        policy: Policy,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            batch: handler.batch(),
            seen: queue.signals(),
            queue,
            seat,
            handler,
            policy,
            backoff: Backoff::new(policy.retry),
            refusals: 0,
            shared,
            records: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Until the queue is closed, and every record has its outcome.
    pub(super) fn run(mut self) {
        mark_listener_thread();
        self.queue.attach(self.seat);
        let mut idle = Idle::default();
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn(&mut idle))) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(panic) => self.survive(panic),
            }
        }
    }

    /// Takes a batch and delivers it, or waits for one.
    fn turn(&mut self, idle: &mut Idle) -> ControlFlow<()> {
        // There are some if the last turn ended in a panic.
        self.deliver();
        self.records.clear();
        let signals = self.queue.signals();
        self.take();
        if !self.records.is_empty() {
            idle.reset();
            self.linger();
            self.parts.push(0..self.records.len());
            self.deliver();
            // Not before the first delivery, which the whole of a short program may be waiting for.
            wall_clock::calibrate();
            self.tell_losses();
        } else if signals.give_up_at.is_none() {
            // What was flushed has been taken, by this listener or another.
            self.seen = signals;
            self.tell_losses();
            idle.wait(&self.queue, self.seat);
        } else if self.queue.ledger().is_settled() {
            return ControlFlow::Break(());
        } else {
            // A caller has a number for its record, and is about to put it into the queue; or another listener is not
            // yet done with its own.
            self.queue.nap(self.seat, CLOSING_NAP);
        }
        ControlFlow::Continue(())
    }

    /// What panicked is code of the user's (an error's `Drop`, say), or a mistake of ours. What was at hand is lost, and
    /// the listener goes on.
    fn survive(&mut self, panic: Box<dyn Any + Send>) {
        // Its own `Drop` may panic.
        std::mem::forget(panic);
        self.queue.ledger().panicked();
        if let Some(part) = self.parts.pop() {
            self.settle(part, Outcome::Rejected);
        }
    }

    /// Takes what there is, up to a full batch.
    fn take(&mut self) {
        let room = self.batch.records().saturating_sub(self.records.len());
        self.queue.take(room, &mut self.records);
    }

    /// Gives a batch that is not full some time to become so, unless a flush or a stop asks for what there is.
    fn linger(&mut self) {
        let until = after(self.batch.lingers());
        while self.records.len() < self.batch.records() && self.queue.signals() == self.seen {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let lacking = self.batch.records() - self.records.len();
            self.queue.nap_until_there_are(lacking, self.seat, left);
            self.take();
        }
        // What a flush was called for may have come after the last look.
        self.take();
    }

    /// Delivers the batch, in order: portion by portion as the handler takes them, and part by part where one is refused
    /// as a whole.
    fn deliver(&mut self) {
        while let Some(part) = self.parts.last().cloned() {
            let end = part.start + self.portion(part.clone());
            let portion = part.start..end;
            if end < part.end {
                self.divide(end);
            }
            let offer = self.offer(portion);
            // Less than was offered, where single records have been settled meanwhile.
            let left = self.parts.last().cloned().unwrap_or_default();
            match offer {
                Offer::Settled(outcome) => {
                    self.parts.pop();
                    self.settle(left, outcome);
                }
                Offer::Split => self.divide(left.start + left.len() / 2),
            }
        }
    }

    /// Divides the part at hand: what is before `at` comes first.
    fn divide(&mut self, at: usize) {
        if let Some(part) = self.parts.pop() {
            self.parts.push(at..part.end);
            self.parts.push(part.start..at);
        }
    }

    fn settle(&self, part: Range<usize>, outcome: Outcome) {
        let numbers = self.records[part].iter().filter_map(LogRecord::sequence);
        self.queue.ledger().settle(outcome, numbers);
    }

    /// How many of these records the handler takes at once. One that panics over them is offered the first alone, to
    /// find out which it is.
    fn portion(&mut self, part: Range<usize>) -> usize {
        let (handler, records) = (&mut self.handler, &self.records[part]);
        quietly(|| handler.portion(records)).unwrap_or(1).clamp(1, records.len())
    }

    /// Offers these records, again and again, until they have their outcome.
    fn offer(&mut self, mut part: Range<usize>) -> Offer {
        let mut attempts = 0;
        let mut retried_at_once = false;
        let mut reject_at = None;
        loop {
            // Before the attempt, so that a flush in the middle of it still gets one of its own.
            let signals = self.queue.signals();
            if signals.give_up_at.is_some_and(|at| at <= Instant::now()) {
                return Offer::Settled(Outcome::Abandoned);
            }
            let Err(error) = self.attempt(part.clone(), attempts > 0) else {
                return Offer::Settled(Outcome::Delivered);
            };
            attempts += 1;
            let error = match self.sort_out(error) {
                Ok(error) => error,
                Err(end) => return end,
            };
            part.start = self.parts.last().map_or(part.end, |left| left.start);
            if self.queue.signals().give_up_at.is_some_and(|at| at <= Instant::now()) {
                return self.end(&error, part, Action::Abandon, Outcome::Abandoned);
            }
            let wait_until = if error.class() == ErrorClass::Payload {
                if part.len() > 1 {
                    return Offer::Split;
                }
                match self.refused(&error, &mut reject_at) {
                    Some(reject_at) => reject_at,
                    None => return self.end(&error, part, Action::Reject, Outcome::Rejected),
                }
            } else {
                let once_only = self.policy.delivery == Delivery::AtMostOnce && !error.cannot_have_arrived();
                if once_only || self.policy.retry.is_exhausted(attempts, &self.records[part.clone()]) {
                    return self.end(&error, part, Action::Abandon, Outcome::Abandoned);
                }
                if error.is_worth_a_retry_at_once() && !std::mem::replace(&mut retried_at_once, true) {
                    continue;
                }
                after(self.backoff.next_delay(&error))
            };
            let delay = wait_until.saturating_duration_since(Instant::now());
            self.report(&error, part.clone(), Action::Retry(delay));
            self.pause(wait_until, signals);
        }
    }

    /// One attempt. Whatever happens in it, it comes back.
    fn attempt(&mut self, part: Range<usize>, retry: bool) -> Result<(), EmitError> {
        let ledger = self.queue.ledger();
        let began = Instant::now();
        let (handler, records) = (&mut self.handler, &self.records[part]);
        // Whatever state a panic leaves the handler in is the handler's own; ours is not touched by it.
        let result = catch_unwind(AssertUnwindSafe(|| handler.emit(records))).unwrap_or_else(|panic| {
            ledger.panicked();
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            // Its own `Drop` may panic.
            std::mem::forget(panic);
            Err(EmitError::payload(format!("the handler panicked: {text}")))
        });
        ledger.attempted(began.elapsed(), retry);
        if result.is_ok() {
            self.succeeded();
        }
        result
    }

    /// Something was delivered.
    fn succeeded(&mut self) {
        let ledger = self.queue.ledger();
        self.refusals = 0;
        self.backoff.reset();
        ledger.succeeded();
        lock(&self.shared.reporter).delivered(|| ledger.snapshot());
    }

    /// A single record was refused: until when its rejection has to wait, if it has to.
    fn refused(&mut self, error: &EmitError, reject_at: &mut Option<Instant>) -> Option<Instant> {
        if self.refusals < REFUSALS_AT_FULL_SPEED {
            self.refusals += 1;
            return None;
        }
        if let Some(at) = *reject_at {
            return (at > Instant::now()).then_some(at);
        }
        *reject_at = Some(after(self.backoff.next_delay(error)));
        *reject_at
    }

    fn end(&mut self, error: &EmitError, part: Range<usize>, action: Action, outcome: Outcome) -> Offer {
        self.report(error, part, action);
        Offer::Settled(outcome)
    }

    /// Waits until then, or until a flush or a stop asks for an attempt now.
    fn pause(&self, until: Instant, seen: Signals) {
        let until = seen.give_up_at.map_or(until, |give_up_at| give_up_at.min(until));
        self.queue.pause(until, seen);
    }

    fn report(&self, error: &EmitError, part: Range<usize>, action: Action) {
        let (ledger, shared) = (self.queue.ledger(), &self.shared);
        // An error of the user's may panic when it is shown, and a function of the user's when it is called.
        let text = quietly(|| error.to_string());
        let told = quietly(|| {
            ledger.failed(text.clone().unwrap_or_else(|| "an error that panics when it is shown".to_owned()));
            let failure = Failure::new(error, &self.records[part], action, ledger.snapshot());
            match &shared.on_error {
                Some(on_error) => on_error(&failure),
                None => lock(&shared.reporter).failed(&failure),
            }
        });
        if text.is_none() || told.is_none() {
            ledger.panicked();
        }
    }

    /// Tells the destination, and the user, of records that found the queue full, now that there is room again.
    fn tell_losses(&mut self) {
        let ledger = self.queue.ledger();
        let notice = lock(&self.shared.losses).notice(ledger.found_no_room(), self.queue.is_empty());
        if let Some((count, notice)) = notice {
            if self.shared.on_error.is_none() {
                lock(&self.shared.reporter).dropped(count, ledger.mean_attempt());
            }
            self.records.clear();
            self.records.push(notice);
            self.parts.push(0..1);
            self.deliver();
        }
    }
}

/// Runs code of the user's; `None` if it panics.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> Option<T> {
    // What a panic left behind may panic itself when it is dropped.
    catch_unwind(AssertUnwindSafe(run)).map_err(std::mem::forget).ok()
}
