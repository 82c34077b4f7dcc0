//! A queue that somebody else has made, with books of ours around it.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::any::{Dequeue, DequeueError, Enqueue, EnqueueError};
use super::control::Control;
use crate::ledger::{DropReason, Ledger, Outcome};
use crate::record::LogRecord;
use crate::sync::{Condvar, Mutex, lock};

/// The way in.
pub(super) struct ForeignQueue {
    queue: Arc<dyn Enqueue>,
    control: Arc<Control>,
    /// Whether these are the books of who takes the records out.
    shared: bool,
}

impl ForeignQueue {
    pub(super) fn new(queue: impl Enqueue + 'static) -> Self {
        Self { queue: Arc::new(queue), control: Arc::new(Control::new(0)), shared: false }
    }

    /// The same queue, with the books of who takes the records out.
    pub(super) fn listened_to_by(&self, control: Arc<Control>) -> Self {
        Self { queue: Arc::clone(&self.queue), control, shared: true }
    }

    pub(super) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Hands the record on, or drops and counts it.
    pub(super) fn put(&self, mut record: LogRecord) {
        let ledger = self.control.ledger();
        if self.shared {
            let accepted = Accepted { ledger, number: ledger.take_in() };
            record.set_sequence(accepted.number);
            accepted.conclude(self.queue.enqueue(record));
        } else {
            // Whoever takes it out gives it a number.
            record.set_sequence(0);
            match self.queue.enqueue(record) {
                Ok(()) => ledger.hand_on(),
                Err(EnqueueError::Full(_)) => ledger.drop_at_door(DropReason::Full),
                Err(EnqueueError::Closed(_)) => ledger.drop_at_door(DropReason::Closed),
            }
        }
    }

    /// Waits until what was put in has its outcome, or is out of the process; says how many records have not at the
    /// deadline.
    pub(super) fn wait(&self, deadline: Instant) -> u64 {
        if self.shared {
            return self.control.wait(deadline);
        }
        self.queue.flush(deadline.saturating_duration_since(Instant::now())) as u64
    }
}

/// A record that is in the books, and about to be put in. They are put right if `enqueue` panics.
struct Accepted<'a> {
    ledger: &'a Ledger,
    number: u64,
}

impl Accepted<'_> {
    #[expect(clippy::needless_pass_by_value, reason = "a record that was given back ends here")]
    fn conclude(self, taken: Result<(), EnqueueError>) {
        match taken {
            Ok(()) => {}
            Err(EnqueueError::Full(_)) => self.ledger.settle(Outcome::DroppedFull, [self.number].into_iter()),
            Err(EnqueueError::Closed(_)) => return,
        }
        std::mem::forget(self);
    }
}

impl Drop for Accepted<'_> {
    fn drop(&mut self) {
        self.ledger.settle(Outcome::DroppedClosed, [self.number].into_iter());
    }
}

/// How long to wait in a queue that nobody can be woken out of: how late a flush or a stop may be noticed.
const SLICE: Duration = Duration::from_millis(50);
/// How long to wait for more records of a batch before looking again: such a queue does not say when there are enough.
const LINGER_STEP: Duration = Duration::from_millis(10);

/// The way out, for a listener.
pub(super) struct Inlet {
    queue: Box<dyn Dequeue>,
    control: Arc<Control>,
    marks: Arc<Marks>,
    /// A record that ended a wait.
    held: Option<LogRecord>,
    /// Whether the queue was found empty when it was last looked into.
    empty: bool,
    closed: bool,
    /// A mark that was asked for, and how many records are to come before it.
    approaching: Option<(u64, usize)>,
}

impl Inlet {
    pub(super) fn new(queue: Box<dyn Dequeue>, control: Arc<Control>, marks: Arc<Marks>) -> Self {
        Self { queue, control, marks, held: None, empty: false, closed: false, approaching: None }
    }

    pub(super) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Moves at most `max` records, oldest first, to the end of `batch`.
    pub(super) fn take(&mut self, max: usize, batch: &mut Vec<LogRecord>) {
        let mut left = max;
        while left > 0 {
            let asked = self.marks.asked();
            self.note(asked);
            let Some(record) = self.held.take().or_else(|| self.get(Duration::ZERO)) else {
                // All that was in it when the mark was asked for is out, and in the books.
                self.approaching = None;
                return self.marks.pass(asked);
            };
            self.came(record, batch);
            left -= 1;
        }
    }

    /// Puts a record into the books, if it is not there yet, and into the batch.
    fn came(&mut self, mut record: LogRecord, batch: &mut Vec<LogRecord>) {
        if record.sequence().is_none() {
            record.set_sequence(self.control.ledger().take_in());
        }
        batch.push(record);
        if let Some((mark, before)) = &mut self.approaching {
            *before = before.saturating_sub(1);
            if *before == 0 {
                self.marks.pass(*mark);
                self.approaching = None;
            }
        }
    }

    /// Counts the records that are to come before a mark, where the queue can tell.
    fn note(&mut self, asked: u64) {
        if asked > self.marks.passed() && self.approaching.is_none() {
            let waiting = self.queue.waiting().map(|waiting| waiting + usize::from(self.held.is_some()));
            match waiting {
                Some(0) => self.marks.pass(asked),
                Some(before) => self.approaching = Some((asked, before)),
                None => {}
            }
        }
    }

    fn get(&mut self, at_most: Duration) -> Option<LogRecord> {
        match self.queue.dequeue(at_most) {
            Ok(record) => {
                self.empty = false;
                Some(record)
            }
            Err(error) => {
                self.empty = true;
                self.closed = error == DequeueError::Closed;
                None
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty && self.held.is_none()
    }

    /// Whether there is nothing in it, and nothing will come.
    pub(super) fn has_ended(&self) -> bool {
        self.closed && self.is_empty()
    }

    /// Waits a little for more records, or for a flush or a stop.
    pub(super) fn linger(&self, at_most: Duration) {
        self.control.nap(0, at_most.min(LINGER_STEP));
    }

    /// Waits for a record, or until it is time to see what is asked of the listener.
    pub(super) fn sleep(&mut self) {
        if self.held.is_none() && self.marks.asked() == self.marks.passed() {
            self.held = self.get(SLICE);
        }
    }
}

/// Points in time at which somebody wants to know that all is out that was in the queue.
#[derive(Debug, Default)]
pub(super) struct Marks {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    asked: u64,
    passed: u64,
}

impl Marks {
    /// Asks for a mark.
    pub(super) fn ask(&self) -> u64 {
        let mut state = lock(&self.state);
        state.asked += 1;
        state.asked
    }

    /// Waits until the records are out that were in the queue when the mark was asked for; says whether they are.
    pub(super) fn wait(&self, mark: u64, deadline: Instant, given_up: impl Fn() -> bool) -> bool {
        let mut state = lock(&self.state);
        while state.passed < mark {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || given_up() {
                return false;
            }
            state = self.changed.wait_timeout(state, left.min(SLICE)).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn asked(&self) -> u64 {
        lock(&self.state).asked
    }

    fn passed(&self) -> u64 {
        lock(&self.state).passed
    }

    fn pass(&self, mark: u64) {
        let mut state = lock(&self.state);
        if mark > state.passed {
            state.passed = mark;
            drop(state);
            self.changed.notify_all();
        }
    }
}
