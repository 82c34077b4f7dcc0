//! What collectors answer: JSON, and in it what became of the records.

use serde_json::Value;

use crate::handler::{EmitError, ErrorClass};
use crate::http::encoding::Verdict;

/// What `judge` makes of an answer of 200. Any other means what its status says.
pub(super) fn judge_200(status: u16, body: &[u8], judge: impl FnOnce(&Value) -> Result<(), EmitError>) -> Verdict {
    (status == 200).then(|| judge(&parse(body)?))
}

/// An answer that is JSON. One that is not is not the collector's: something between has taken the request.
pub(super) fn parse(body: &[u8]) -> Result<Value, EmitError> {
    serde_json::from_slice(body).map_err(|_| {
        let text = String::from_utf8_lossy(body);
        EmitError::transient(format!("the answer is not what this server answers: {text}"))
    })
}

/// An error of this class whose text is what the server says. Who reads the answer makes a line of it, without secrets.
pub(super) fn error(class: ErrorClass, says: &str) -> EmitError {
    EmitError::new(class, says)
}
