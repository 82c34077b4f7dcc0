//! The connection to a proxy, inside of the one to the server.

use std::fmt;
use std::time::Instant;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, NextTimeout, Transport, time};
use ureq::{Error, Timeout};

use super::journey::{Journey, Stage};

/// A connection to a proxy, which has to have become one to the server by its deadline.
///
/// ureq allows as long as that for each step of the way, and for each byte of the proxy's answer.
pub(super) struct Tunnel {
    inner: Box<dyn Transport>,
    journey: Journey,
    deadline: Option<Instant>,
}

impl Tunnel {
    pub(super) fn new(inner: Box<dyn Transport>, journey: Journey, details: &ConnectionDetails<'_>) -> Self {
        let deadline = match details.now {
            time::Instant::Exact(began) => began.checked_add(*details.timeout.after),
            _ => None,
        };
        Self { inner, journey, deadline }
    }

    fn until_deadline(&self, mut timeout: NextTimeout) -> Result<NextTimeout, Error> {
        let Some(deadline) = self.deadline.filter(|_| self.journey.stage() == Stage::Connecting) else {
            return Ok(timeout);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout(Timeout::Connect));
        }
        timeout.after = timeout.after.min(left.into());
        Ok(timeout)
    }
}

impl Transport for Tunnel {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = self.until_deadline(timeout)?;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = self.until_deadline(timeout)?;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("inner", &self.inner).finish_non_exhaustive()
    }
}
