//! A destination that says of each record what became of it.

use super::{Carrier, Load, Offer, REFUSALS_AT_FULL_SPEED};
use crate::handler::{EmitError, ErrorClass};
use crate::ledger::Outcome;
use crate::listener::{Action, Delivery};
use crate::record::LogRecord;

/// What is to be done with a record. In this order they are settled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Delivered,
    Rejected,
    Abandoned,
    Kept,
}

impl Carrier {
    /// Settles those of the records at hand that have their outcome by this error. The others stay at hand, in their
    /// order: what is to be done with them is what the error says that is returned, or an offer's end.
    pub(super) fn sort_out(&mut self, error: EmitError, load: &mut Load<'_>) -> Result<EmitError, Offer> {
        let outcomes = match error.into_outcomes() {
            Ok(outcomes) => outcomes,
            Err(about_all) => return Ok(about_all),
        };
        let part = self.parts.last().cloned().unwrap_or_default();
        if outcomes.len() != part.len() {
            let text = format!("there are {} outcomes of {} records", outcomes.len(), part.len());
            return Ok(EmitError::transient(text));
        }
        let is_refused =
            |outcome: &Result<(), EmitError>| outcome.as_ref().is_err_and(|error| error.class() == ErrorClass::Payload);
        let refused = outcomes.iter().filter(|outcome| is_refused(outcome)).count();
        let refusals = self.refusals.saturating_add(u32::try_from(refused).unwrap_or(u32::MAX));
        // As long as nothing is taken, nobody can tell records that are wrong from a destination that is.
        let is_suspicious = outcomes.iter().all(Result::is_err) && refusals > REFUSALS_AT_FULL_SPEED;
        let some_delivered = outcomes.iter().any(Result::is_ok);
        if some_delivered {
            self.refusals = 0;
            self.backoff.reset();
        } else if !is_suspicious {
            self.refusals = refusals;
        }
        let once_only = self.policy.delivery == Delivery::AtMostOnce;
        let fate = |outcome: &Result<(), EmitError>| match outcome {
            Ok(()) => Fate::Delivered,
            Err(_) if is_refused(outcome) && !is_suspicious => Fate::Rejected,
            Err(error) if !is_refused(outcome) && once_only && !error.cannot_have_arrived() => Fate::Abandoned,
            Err(_) => Fate::Kept,
        };
        let records: Vec<LogRecord> = self.records.drain(part.clone()).collect();
        let mut sorted: Vec<_> = records
            .into_iter()
            .zip(outcomes)
            .map(|(record, outcome)| (fate(&outcome), record, outcome.err()))
            .collect();
        sorted.sort_by_key(|(fate, ..)| *fate);
        let start_of = |fate| part.start + sorted.partition_point(|(other, ..)| *other < fate);
        let [rejected, abandoned, kept] = [Fate::Rejected, Fate::Abandoned, Fate::Kept].map(start_of);
        let (records, mut errors): (Vec<_>, Vec<_>) =
            sorted.into_iter().map(|(_, record, error)| (record, error)).unzip();
        self.records.splice(part.start..part.start, records);

        for at in rejected..abandoned {
            if let Some(error) = &errors[at - part.start] {
                self.report(error, at..at + 1, Action::Reject, load);
            }
        }
        if let Some(Some(error)) = errors.get(abandoned - part.start).filter(|_| abandoned < kept) {
            self.report(error, abandoned..kept, Action::Abandon, load);
        }
        load.settle(&self.records[part.start..rejected], Outcome::Delivered);
        load.settle(&self.records[rejected..abandoned], Outcome::Rejected);
        load.settle(&self.records[abandoned..kept], Outcome::Abandoned);
        if let Some(left) = self.parts.last_mut() {
            left.start = kept;
        }
        let errors: Vec<_> = errors.drain(kept - part.start..).flatten().collect();
        if is_suspicious && errors.len() > 1 {
            return Err(Offer::Split);
        }
        // As long as some are offered again, delivery fails: else each attempt would be told of as two changes.
        if some_delivered && errors.is_empty() {
            self.succeeded(load);
        }
        let place = errors.iter().position(|error| error.class() != ErrorClass::Payload).unwrap_or_default();
        // They are offered together, when all of them may be.
        let delay = errors.iter().filter_map(EmitError::delay).max();
        let first = errors.into_iter().nth(place).map(|error| match delay {
            Some(delay) => error.retry_after(delay),
            None => error,
        });
        // Where none is left, the offer ends with none to settle.
        first.ok_or(Offer::Settled(Outcome::Delivered))
    }
}
