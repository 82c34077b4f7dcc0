//! Where a listener takes its records from: the built-in queue, or another one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::any::Dequeue;
use super::bounded::Queue;
use super::control::{Control, Signals};
use super::foreign::{Inlet, Marks};
use crate::record::LogRecord;

/// The way out of a queue, for one listener.
pub(crate) struct Source {
    queue: Kind,
    seat: usize,
}

enum Kind {
    BuiltIn(Arc<Queue>),
    Foreign(Inlet),
}

/// The same queue, for whoever looks after its listener.
#[derive(Clone)]
pub(crate) struct Overseer {
    control: Arc<Control>,
    /// Where the queue has records that are in no books.
    marks: Option<Arc<Marks>>,
    built_in: Option<Arc<Queue>>,
}

impl Source {
    /// One of several seats at the built-in queue.
    pub(crate) fn seat(queue: Arc<Queue>, seat: usize) -> Self {
        Self { queue: Kind::BuiltIn(queue), seat }
    }

    /// The only seat, at whichever queue.
    pub(crate) fn of(queue: impl Dequeue + 'static) -> (Self, Overseer) {
        if let Some(built_in) = queue.built_in() {
            let queue = built_in.0;
            let control = Arc::clone(queue.control());
            let overseer = Overseer { control, marks: None, built_in: Some(Arc::clone(&queue)) };
            return (Self::seat(queue, 0), overseer);
        }
        let (control, marks) = (Arc::new(Control::new(1)), Arc::<Marks>::default());
        let inlet = Inlet::new(Box::new(queue), Arc::clone(&control), Arc::clone(&marks));
        (Self { queue: Kind::Foreign(inlet), seat: 0 }, Overseer { control, marks: Some(marks), built_in: None })
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        match &self.queue {
            Kind::BuiltIn(queue) => queue.control(),
            Kind::Foreign(inlet) => inlet.control(),
        }
    }

    /// Has the calling thread be the one that is woken.
    pub(crate) fn attach(&self) {
        self.control().attach(self.seat);
    }

    /// Moves at most `max` records, oldest first, to the end of `batch`.
    pub(crate) fn take(&mut self, max: usize, batch: &mut Vec<LogRecord>) {
        match &mut self.queue {
            Kind::BuiltIn(queue) => queue.take(max, batch),
            Kind::Foreign(inlet) => inlet.take(max, batch),
        }
    }

    /// Whether no record waits, as far as is known.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.queue {
            Kind::BuiltIn(queue) => queue.is_empty(),
            Kind::Foreign(inlet) => inlet.is_empty(),
        }
    }

    /// Whether there is no record, and none will come any more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(&self.queue, Kind::Foreign(inlet) if inlet.has_ended())
    }

    /// Waits a while for records, or for a flush or a stop.
    pub(crate) fn nap(&self, at_most: Duration) {
        self.control().nap(self.seat, at_most);
    }

    /// Waits until there are so many records, or for a flush or a stop; but no longer than `at_most`, or even less.
    pub(crate) fn nap_until_there_are(&self, records: usize, at_most: Duration) {
        match &self.queue {
            Kind::BuiltIn(queue) => queue.nap_until_there_are(records, self.seat, at_most),
            Kind::Foreign(inlet) => inlet.linger(at_most),
        }
    }

    /// Waits for a record, a flush or a stop; or less.
    pub(crate) fn sleep(&mut self) {
        match &mut self.queue {
            Kind::BuiltIn(queue) => queue.sleep(self.seat),
            Kind::Foreign(inlet) => inlet.sleep(),
        }
    }

    /// Waits until `deadline`, but no longer than until something is asked after `seen`.
    pub(crate) fn pause(&self, deadline: Instant, seen: Signals) {
        self.control().pause(deadline, seen);
    }

    /// What has been asked of the listener so far.
    pub(crate) fn signals(&self) -> Signals {
        self.control().signals()
    }
}

impl Overseer {
    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Whether all records in the queue are in the books.
    pub(crate) fn knows_all(&self) -> bool {
        self.marks.is_none()
    }

    /// Makes the queue somebody's alone who listens, or fails where it is somebody's.
    pub(crate) fn claim(&self) -> bool {
        self.built_in.as_ref().is_none_or(|queue| queue.claim())
    }

    /// Gives the queue back.
    pub(crate) fn release(&self) {
        if let Some(queue) = &self.built_in {
            queue.release_claim();
        }
    }

    /// Waits until every record put in before this call has its outcome, unless the listener ends before; says how many
    /// have none, as far as is known.
    pub(crate) fn flush(&self, deadline: Instant, has_ended: impl Fn() -> bool) -> Result<(), u64> {
        let mark = self.marks.as_ref().map(|marks| (marks, marks.ask()));
        self.control.begin_flush();
        let all_out = mark.is_none_or(|(marks, mark)| marks.wait(mark, deadline, has_ended));
        match self.control.wait(deadline) {
            0 if all_out => Ok(()),
            pending => Err(pending),
        }
    }
}
