//! The listener's thread, from inside.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::idle::Idle;
use super::losses::Losses;
use super::report::{Action, Failure, OnError, Reporter};
use super::retry::Backoff;
use super::{Delivery, Policy};
use crate::handler::{EmitError, ErrorClass, Handler};
use crate::queue::{Queue, Signals, mark_listener_thread};
use crate::record::LogRecord;
use crate::stats::Outcome;

/// After so many refusals of single records with nothing delivered between them, it is more likely that the destination
/// is broken than that all records are: each further refusal has to wait out the backoff.
const REFUSALS_AT_FULL_SPEED: u32 = 3;

pub(super) struct Worker {
    queue: Arc<Queue>,
    handler: Box<dyn Handler>,
    batch_size: usize,
    policy: Policy,
    backoff: Backoff,
    reporter: Reporter,
    losses: Losses,
    /// Single records refused since something was last delivered.
    refusals: u32,
    batch: Vec<LogRecord>,
}

/// What came of offering some records.
enum Offer {
    Settled(Outcome),
    /// Something among them is refused: offer each half by itself.
    Split,
}

impl Worker {
    pub(super) fn new(queue: Arc<Queue>, handler: Box<dyn Handler>, policy: Policy, on_error: Option<OnError>) -> Self {
        Self {
            queue,
            batch_size: handler.batch_size().max(1),
            handler,
            policy,
            backoff: Backoff::new(policy.retry),
            reporter: Reporter::new(on_error),
            losses: Losses::default(),
            refusals: 0,
            batch: Vec::new(),
        }
    }

    /// Until the queue is closed, and every record has its outcome.
    pub(super) fn run(mut self) {
        mark_listener_thread();
        self.queue.attach();
        let mut idle = Idle::default();
        loop {
            self.batch.clear();
            self.queue.take(self.batch_size, &mut self.batch);
            if !self.batch.is_empty() {
                idle.reset();
                self.deliver();
                self.tell_losses();
            } else if self.queue.signals().give_up_at.is_none() {
                idle.wait(&self.queue);
            } else if self.queue.ledger().is_settled() {
                return;
            } else {
                // A caller has a number for its record, and is about to put it into the queue.
                thread::yield_now();
            }
        }
    }

    /// Delivers the batch, in order and part by part where it is refused as a whole.
    fn deliver(&mut self) {
        let mut parts: Vec<_> = std::iter::once(0..self.batch.len()).collect();
        while let Some(part) = parts.pop() {
            match self.offer(part.clone()) {
                Offer::Settled(outcome) => {
                    let records = &self.batch[part];
                    self.queue.ledger().settle(outcome, records.iter().filter_map(LogRecord::sequence));
                }
                Offer::Split => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
            }
        }
    }

    /// Offers these records, again and again, until they have their outcome.
    fn offer(&mut self, part: Range<usize>) -> Offer {
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
                if once_only || self.policy.retry.is_exhausted(attempts, &self.batch[part.clone()]) {
                    return self.end(&error, part, Action::Abandon, Outcome::Abandoned);
                }
                if error.is_worth_a_retry_at_once() && !std::mem::replace(&mut retried_at_once, true) {
                    continue;
                }
                Instant::now() + self.backoff.next_delay(&error)
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
        let (handler, records) = (&mut self.handler, &self.batch[part]);
        // Whatever state a panic leaves the handler in is the handler's own; ours is not touched by it.
        let result = catch_unwind(AssertUnwindSafe(|| handler.emit(records))).unwrap_or_else(|panic| {
            ledger.panicked();
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(EmitError::payload(format!("the handler panicked: {text}")))
        });
        ledger.attempted(began.elapsed(), retry);
        if result.is_ok() {
            self.refusals = 0;
            self.backoff.reset();
            ledger.succeeded();
            self.reporter.delivered(|| ledger.snapshot());
        }
        result
    }

    /// A single record was refused: until when its rejection has to wait, if it has to.
    fn refused(&mut self, error: &EmitError, reject_at: &mut Option<Instant>) -> Option<Instant> {
        if self.refusals < REFUSALS_AT_FULL_SPEED {
            self.refusals += 1;
            return None;
        }
        let at = *reject_at.get_or_insert_with(|| Instant::now() + self.backoff.next_delay(error));
        (at > Instant::now()).then_some(at)
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

    fn report(&mut self, error: &EmitError, part: Range<usize>, action: Action) {
        let (ledger, reporter, records) = (self.queue.ledger(), &mut self.reporter, &self.batch[part]);
        // An error of the user's may panic when it is shown, and a function of the user's when it is called.
        let told = catch_unwind(AssertUnwindSafe(|| {
            ledger.failed(error.to_string());
            reporter.failed(&Failure::new(error, records, action, ledger.snapshot()));
        }));
        if told.is_err() {
            ledger.panicked();
        }
    }

    /// Tells the destination, and the user, of records that found the queue full, now that there is room again.
    fn tell_losses(&mut self) {
        let ledger = self.queue.ledger();
        if let Some(count) = self.losses.to_tell(ledger.dropped(), self.queue.is_empty()) {
            self.reporter.dropped(count, ledger.mean_attempt());
            self.batch.clear();
            self.batch.push(self.losses.tell(count));
            self.deliver();
        }
    }
}
