//! One start of a listener, and what becomes of it: its end, and its being cut short.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::Policy;
use super::carrier::{Carrier, quietly};
use super::report::OnError;
use super::worker::Worker;
use crate::error::Error;
use crate::handler::Cancel;
use crate::queue::Overseer;
use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// One start of a listener: what a stop or a flush is about. The next one may follow before they have noticed its end.
pub(super) type Run = NonZeroU64;

/// The runs of a listener, of which there is one at a time.
pub(super) struct Runs {
    overseer: Overseer,
    /// Which run is under way, from 1; 0 if none. Written under the lock of `state`; read also where that may not be taken.
    current: AtomicU64,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// The worker, while it is not at work.
    pub(super) worker: Option<Worker>,
    is_running: bool,
    runs: u64,
    cancels: Vec<Cancel>,
    /// Whether the handlers have been cut short: each has to be replaced before it works again.
    cut_short: bool,
}

impl State {
    /// Has the handlers ready for another run, if none is under way.
    pub(super) fn make_ready(&mut self, policy: Policy, on_error: Option<OnError>) -> Result<(), Error> {
        let Some(worker) = &mut self.worker else { return Err(Error::already_started()) };
        if self.is_running {
            return Err(Error::already_started());
        }
        if worker.carriers().is_empty() {
            return Err(Error::invalid("handler", "a listener needs at least one"));
        }
        for carrier in worker.carriers() {
            carrier.batch().validate()?;
            if self.cut_short && !carrier.renew() {
                let problem = "was cut short by a stop, and can't make another of itself";
                return Err(Error::invalid("handler", problem));
            }
            carrier.start_over(policy);
        }
        self.cut_short = false;
        let handlers = worker.carriers().len();
        if let Some(shared) = Arc::get_mut(&mut worker.shared) {
            shared.start_over(on_error, handlers);
        }
        self.cancels = worker.carriers().iter().filter_map(Carrier::cancel).collect();
        Ok(())
    }
}

impl Runs {
    pub(super) fn new(worker: Worker, overseer: Overseer) -> Self {
        let state = State { worker: Some(worker), ..State::default() };
        Self { overseer, current: AtomicU64::new(0), state: Mutex::new(state), ended: Condvar::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The one that is under way.
    pub(super) fn current(&self) -> Option<Run> {
        NonZeroU64::new(self.current.load(Ordering::SeqCst))
    }

    pub(super) fn is_over(&self, run: Run) -> bool {
        self.current() != Some(run)
    }

    pub(super) fn begin(&self, state: &mut State) {
        state.is_running = true;
        state.runs += 1;
        self.current.store(state.runs, Ordering::SeqCst);
    }

    /// The run is over.
    pub(super) fn give_back(&self, worker: Worker) {
        let mut state = self.state();
        state.worker = Some(worker);
        state.is_running = false;
        self.overseer.release();
        self.current.store(0, Ordering::SeqCst);
        drop(state);
        self.ended.notify_all();
        self.overseer.control().ledger().look_again();
    }

    /// Has the run end where it is; does nothing if another one has begun.
    pub(super) fn end(&self, run: Run) {
        let _state = self.state();
        if !self.is_over(run) {
            self.overseer.control().set_recess(true);
        }
    }

    pub(super) fn has_ended_by(&self, run: Run, deadline: Instant) -> bool {
        let mut state = self.state();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.is_over(run) || left.is_zero() {
                return self.is_over(run);
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends a call of a handler that is under way.
    pub(super) fn cut_short(&self, run: Run) {
        let cancels = {
            let mut state = self.state();
            if self.is_over(run) {
                return;
            }
            state.cut_short = true;
            std::mem::take(&mut state.cancels)
        };
        for cancel in cancels {
            if quietly(cancel).is_none() {
                self.overseer.control().ledger().panicked();
            }
        }
    }
}
