//! One handler of a listener: what is offered to it, until each record has its outcome.

mod outcomes;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use log::LevelFilter;

use super::report::{Action, Failure};
use super::retry::Backoff;
use super::tally::Tally;
use super::{Delivery, Policy, Shared};
use crate::clock::after;
use crate::handler::{Batch, Cancel, EmitError, ErrorClass, Handler};
use crate::ledger::Outcome;
use crate::queue::{Control, Signals};
use crate::record::LogRecord;
use crate::sync::lock;

/// After so many refusals of single records with nothing delivered between them, it is more likely that the destination
/// is broken than that all records are: each further refusal has to wait out the backoff.
const REFUSALS_AT_FULL_SPEED: u32 = 3;

/// A handler, and what it is at.
pub(super) struct Carrier {
    handler: Box<dyn Handler>,
    /// What it gets, where the listener respects that.
    level: LevelFilter,
    batch: Batch,
    policy: Policy,
    backoff: Backoff,
    /// Single records refused since something was last delivered.
    refusals: u32,
    /// Whether the last attempt failed.
    failing: bool,
    records: Vec<LogRecord>,
    /// Which of them have no outcome here yet: the last range is what is at hand.
    parts: Vec<Range<usize>>,
    /// What has come of the range at hand so far.
    trial: Option<Trial>,
    /// Whose lines on stderr are about it.
    reporter: usize,
}

/// The attempts at some records.
#[derive(Default)]
struct Trial {
    attempts: u32,
    retried_at_once: bool,
    reject_at: Option<Instant>,
    /// When the next attempt is due, and what had been asked of the listener before the last one: anything new is a reason
    /// to make it at once.
    wait: Option<(Instant, Signals)>,
}

/// What the handlers of a listener have in common.
pub(super) struct Load<'a> {
    pub(super) tally: &'a mut Tally,
    pub(super) control: &'a Control,
    pub(super) shared: &'a Shared,
    /// Whether another handler of this listener fails at the moment.
    pub(super) others_fail: bool,
}

impl Load<'_> {
    fn settle(&mut self, records: &[LogRecord], outcome: Outcome) {
        self.tally.settle(records, outcome, self.control.ledger());
    }
}

/// What came of offering some records.
enum Offer {
    Settled(Outcome),
    /// Something among them is refused: offer each half by itself.
    Split,
    /// The next attempt is not due before then.
    Wait(Instant),
}

impl Carrier {
    pub(super) fn new(handler: Box<dyn Handler>, level: LevelFilter, reporter: usize) -> Self {
        let policy = Policy::default();
        Self {
            batch: handler.batch(),
            handler,
            level,
            policy,
            backoff: Backoff::new(policy.retry),
            refusals: 0,
            failing: false,
            records: Vec::new(),
            parts: Vec::new(),
            trial: None,
            reporter,
        }
    }

    pub(super) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.backoff = Backoff::new(policy.retry);
    }

    /// For another start: whoever asks for one does not want to wait for the rest of a backoff.
    pub(super) fn start_over(&mut self, policy: Policy) {
        self.set_policy(policy);
        if let Some(trial) = &mut self.trial {
            trial.wait = None;
        }
    }

    pub(super) fn batch(&self) -> Batch {
        self.batch
    }

    pub(super) fn cancel(&self) -> Option<Cancel> {
        self.handler.cancel()
    }

    /// How many records have no outcome here yet.
    pub(super) fn open(&self) -> usize {
        self.parts.iter().map(Range::len).sum()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    /// Puts another handler for the same destination in the place of one that was cut short; says whether it can.
    pub(super) fn renew(&mut self) -> bool {
        let another = if self.handler.cancel().is_some() { self.handler.another() } else { return true };
        another.map(|another| self.handler = another).is_some()
    }

    /// Has these records delivered too, behind what is at hand; with those that it does not want it is done.
    pub(super) fn begin(&mut self, mut records: Vec<LogRecord>, respects_level: bool, load: &mut Load<'_>) {
        if respects_level {
            let (wanted, others) = records.into_iter().partition(|record| record.level() <= self.level);
            records = wanted;
            load.settle(&others, Outcome::Delivered);
        }
        let begun = self.records.len();
        if begun == 0 {
            self.records = records;
        } else {
            self.records.append(&mut records);
        }
        if begun < self.records.len() {
            self.parts.insert(0, begun..self.records.len());
        }
    }

    /// The storage of a batch that is done with, for the next one.
    pub(super) fn take_storage(&mut self) -> Vec<LogRecord> {
        std::mem::take(&mut self.records)
    }

    /// Delivers the batch, in order: portion by portion as the handler takes them, and part by part where one is refused
    /// as a whole. Returns when to go on, if there is something to wait for.
    pub(super) fn carry(&mut self, load: &mut Load<'_>) -> Option<Instant> {
        while let Some(part) = self.parts.last().cloned() {
            // What has been tried is a portion already.
            let end = if self.trial.is_some() { part.end } else { part.start + self.portion(part.clone()) };
            let portion = part.start..end;
            if end < part.end {
                self.divide(end);
            }
            let offer = self.offer(portion, load);
            // Less than was offered, where single records have been settled meanwhile.
            let left = self.parts.last().cloned().unwrap_or_default();
            match offer {
                Offer::Settled(outcome) => {
                    self.parts.pop();
                    load.settle(&self.records[left], outcome);
                }
                Offer::Split => self.divide(left.start + left.len() / 2),
                Offer::Wait(until) => return Some(until),
            }
        }
        self.records.clear();
        None
    }

    /// Gives up the part at hand, which it has panicked over.
    pub(super) fn drop_part(&mut self, load: &mut Load<'_>) {
        self.trial = None;
        if let Some(part) = self.parts.pop() {
            load.settle(&self.records[part], Outcome::Rejected);
        }
    }

    /// Gives up all there is.
    pub(super) fn abandon(&mut self, load: &mut Load<'_>) {
        self.trial = None;
        for part in self.parts.drain(..) {
            load.settle(&self.records[part], Outcome::Abandoned);
        }
        self.records.clear();
    }

    /// Divides the part at hand: what is before `at` comes first.
    fn divide(&mut self, at: usize) {
        if let Some(part) = self.parts.pop() {
            self.parts.push(at..part.end);
            self.parts.push(part.start..at);
        }
    }

    /// How many of these records the handler takes at once. One that panics over them is offered the first alone, to
    /// find out which it is.
    fn portion(&mut self, part: Range<usize>) -> usize {
        let records = &self.records[part];
        let records = &records[..records.len().min(self.batch.records())];
        quietly(|| self.handler.portion(records)).unwrap_or(1).clamp(1, records.len())
    }

    /// Offers these records, again and again, until they have their outcome, or the next attempt is not due yet.
    fn offer(&mut self, mut part: Range<usize>, load: &mut Load<'_>) -> Offer {
        let mut trial = self.trial.take().unwrap_or_default();
        loop {
            // Before the attempt, so that a flush in the middle of it still gets one of its own.
            let signals = load.control.signals();
            if signals.give_up_at.is_some_and(|at| at <= Instant::now()) {
                return Offer::Settled(Outcome::Abandoned);
            }
            let left = trial.wait.filter(|&(until, _)| until > Instant::now());
            let due = left.filter(|&(_, seen)| seen == signals);
            if let Some(until) = due.map(|(until, _)| until).or(signals.recess.then(Instant::now)) {
                self.trial = Some(trial);
                return Offer::Wait(until);
            }
            let Err(error) = self.attempt(part.clone(), trial.attempts > 0, load) else {
                return Offer::Settled(Outcome::Delivered);
            };
            trial.attempts += 1;
            let error = match self.sort_out(error, load) {
                Ok(error) => error,
                Err(end) => return end,
            };
            part.start = self.parts.last().map_or(part.end, |left| left.start);
            if load.control.signals().give_up_at.is_some_and(|at| at <= Instant::now()) {
                return self.end(&error, part, Action::Abandon, Outcome::Abandoned, load);
            }
            let wait_until = if error.class() == ErrorClass::Payload {
                if part.len() > 1 {
                    return Offer::Split;
                }
                match self.refused(&error, &mut trial.reject_at, left.is_none()) {
                    Some(reject_at) => reject_at,
                    None => return self.end(&error, part, Action::Reject, Outcome::Rejected, load),
                }
            } else {
                let once_only = self.policy.delivery == Delivery::AtMostOnce && !error.cannot_have_arrived();
                if once_only || self.policy.retry.is_exhausted(trial.attempts, &self.records[part.clone()]) {
                    return self.end(&error, part, Action::Abandon, Outcome::Abandoned, load);
                }
                if error.is_worth_a_retry_at_once() && !std::mem::replace(&mut trial.retried_at_once, true) {
                    continue;
                }
                after(self.backoff.next_delay(&error))
            };
            let delay = wait_until.saturating_duration_since(Instant::now());
            self.report(&error, part.clone(), Action::Retry(delay), load);
            trial.wait = Some((wait_until, signals));
        }
    }

    /// One attempt. Whatever happens in it, it comes back.
    fn attempt(&mut self, part: Range<usize>, retry: bool, load: &Load<'_>) -> Result<(), EmitError> {
        let ledger = load.control.ledger();
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
        match &result {
            Ok(()) => self.succeeded(load),
            Err(_) => self.failing = true,
        }
        result
    }

    /// Something was delivered.
    fn succeeded(&mut self, load: &Load<'_>) {
        let ledger = load.control.ledger();
        self.failing = false;
        self.refusals = 0;
        self.backoff.reset();
        if !load.others_fail {
            ledger.succeeded();
        }
        lock(load.shared.reporter(self.reporter)).delivered(|| ledger.snapshot());
    }

    /// A single record was refused: until when its rejection has to wait, if it has to, and not `waited_out` already. (The
    /// clock is not asked again for that: of some virtual machines, it runs back a little from one processor to the next.)
    fn refused(&mut self, error: &EmitError, reject_at: &mut Option<Instant>, waited_out: bool) -> Option<Instant> {
        if self.refusals < REFUSALS_AT_FULL_SPEED {
            self.refusals += 1;
            return None;
        }
        if let Some(at) = *reject_at {
            return (!waited_out).then_some(at);
        }
        *reject_at = Some(after(self.backoff.next_delay(error)));
        *reject_at
    }

    fn end(
        &mut self,
        error: &EmitError,
        part: Range<usize>,
        action: Action,
        outcome: Outcome,
        load: &Load<'_>,
    ) -> Offer {
        self.report(error, part, action, load);
        Offer::Settled(outcome)
    }

    fn report(&self, error: &EmitError, part: Range<usize>, action: Action, load: &Load<'_>) {
        let (ledger, shared) = (load.control.ledger(), load.shared);
        // An error of the user's may panic when it is shown, and a function of the user's when it is called.
        let text = quietly(|| error.to_string());
        let told = quietly(|| {
            ledger.failed(text.clone().unwrap_or_else(|| "an error that panics when it is shown".to_owned()));
            let failure = Failure::new(error, &self.records[part], action, ledger.snapshot());
            match &shared.on_error {
                Some(on_error) => on_error(&failure),
                None => lock(shared.reporter(self.reporter)).failed(&failure),
            }
        });
        if text.is_none() || told.is_none() {
            ledger.panicked();
        }
    }
}

/// Runs code of the user's; `None` if it panics.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> Option<T> {
    // What a panic left behind may panic itself when it is dropped.
    catch_unwind(AssertUnwindSafe(run)).map_err(std::mem::forget).ok()
}
