//! Who reads a server's answers, where their status alone does not say what became of the records.

use std::sync::Arc;

use super::builder::HttpHandlerBuilder;
use super::encoding::{Judge, Verdict};
use crate::handler::EmitError;

impl HttpHandlerBuilder {
    /// Has `accept` read every answer of the server, its status and its body, and say what became of the records.
    /// Defaults to what the [encoding](crate::Encode::judge) says, and where that says nothing, to the status.
    ///
    /// - `Some(Ok(()))`: they are delivered.
    /// - `Some(Err(error))`: what the [class](crate::ErrorClass) of the error says; by
    ///   [`EmitError::each`] of each record by itself. A `Retry-After` of the answer is added to it.
    /// - `None`: what the answer means by default.
    ///
    /// Of an error's text the beginning is told, in one line and without the secrets that are in the request: it may be
    /// as long as the answer.
    ///
    /// It is shown all of an answer or nothing: where the body is longer than 1 MiB, 1 KiB for each record and four times
    /// the request's body before compression, breaks off or does not end within the request's time-out, an answer of 2xx is taken as
    /// [transient](crate::ErrorClass::Transient), since nobody knows what it says, and any other as its status has it.
    ///
    /// Such requests have `Accept-Encoding: identity`, unless a [`header`](Self::header) of yours says otherwise: an answer
    /// is shown as it comes.
    ///
    /// ```
    /// use logpost::{EmitError, HttpHandler};
    ///
    /// // It answers 200 to everything.
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/notify")
    ///     .accept(|status, body| {
    ///         let refused = status == 200 && body.starts_with(br#"{"ok":false"#);
    ///         refused.then(|| Err(EmitError::endpoint(String::from_utf8_lossy(body).into_owned())))
    ///     })
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    pub fn accept(
        mut self,
        accept: impl Fn(u16, &[u8]) -> Option<Result<(), EmitError>> + Send + Sync + 'static,
    ) -> Self {
        self.accept = Some(Arc::new(accept));
        self
    }
}

/// A function of the user's.
pub(super) type Accept = Arc<dyn Fn(u16, &[u8]) -> Verdict + Send + Sync>;

/// Who is asked, in this order.
#[derive(Clone, Default)]
pub(super) struct Judges {
    accept: Option<Accept>,
    encoding: Option<Judge>,
}

impl Judges {
    pub(super) fn new(accept: Option<Accept>, encoding: Option<Judge>) -> Self {
        Self { accept, encoding }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accept.is_none() && self.encoding.is_none()
    }

    pub(super) fn judge(&self, status: u16, body: &[u8]) -> Verdict {
        let verdict = self.accept.as_ref().and_then(|accept| accept(status, body));
        verdict.or_else(|| self.encoding.and_then(|judge| judge(status, body)))
    }
}
