//! Bearer tokens: one for good, or one that is asked for.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ureq::http::HeaderValue;

use super::HttpHandlerBuilder;
use super::agent::MAX_TOKEN;
use crate::error::Error;
use crate::handler::EmitError;

/// A function of the user's that knows the token of the moment.
pub(super) type Ask = dyn Fn() -> Result<String, Box<dyn StdError + Send + Sync>> + Send + Sync;

/// The setting.
#[derive(Clone)]
pub(super) enum BearerToken {
    Fixed(String),
    Asked(Arc<Ask>),
}

/// Tokens.
impl HttpHandlerBuilder {
    /// A token, sent with every request as `Authorization: Bearer` ([RFC 6750]). Defaults to none. It takes the place of
    /// one that was given before.
    ///
    /// It travels in the clear unless the URL is https. A token that is empty, longer than 8 KiB, or has a space, a
    /// newline or anything else outside of visible ASCII, is an error of [`build`](Self::build); so are credentials beside
    /// it.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log").bearer_token("mF_9.B5f-4.1JqM").build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    ///
    /// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
    #[doc(alias = "bearer_auth")]
    #[doc(alias = "Authorization")]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(BearerToken::Fixed(token.into()));
        self
    }

    /// Asks for the token of [`bearer_token`](Self::bearer_token), so that it can change while the program runs. Defaults
    /// to none.
    ///
    /// `ask` is called
    /// - before a connection is made: the first one, and each that replaces one which was closed or had been idle for 4 s.
    ///   All requests on a connection have its token;
    /// - when the server answers 401. If the token is then another one, the request is made again at once, and only what
    ///   comes of that counts; otherwise the 401 does.
    ///
    /// An `Err`, and a token that HTTP can't send, fail the attempt to deliver: the records are kept and offered again, as
    /// [`ErrorClass::Transient`](crate::ErrorClass::Transient), with its text for `on_error`. A panic does so as
    /// [`ErrorClass::Endpoint`](crate::ErrorClass::Endpoint).
    ///
    /// It runs on the listener's thread, and delivery waits for it; what is slow or dear should be cached there. Each of
    /// several workers asks for itself.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log")
    ///     .bearer_token_with(|| Ok(std::fs::read_to_string("/run/secrets/log-token")?.trim_end().to_owned()))
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "token_provider")]
    #[doc(alias = "rotate")]
    pub fn bearer_token_with(
        mut self,
        ask: impl Fn() -> Result<String, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.token = Some(BearerToken::Asked(Arc::new(ask)));
        self
    }
}

impl BearerToken {
    /// The setting's name.
    pub(super) fn setting(&self) -> &'static str {
        match self {
            Self::Fixed(_) => "bearer_token",
            Self::Asked(_) => "bearer_token_with",
        }
    }
}

/// The value of `Authorization`. The token is in no error.
pub(super) fn header_value(token: &str) -> Result<HeaderValue, &'static str> {
    if token.is_empty() {
        return Err("the token must not be empty");
    }
    if token.len() > MAX_TOKEN {
        return Err("the token is longer than 8 KiB");
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the token has a character that no token has, such as a space or a newline");
    }
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "the token is too long for a header")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Asks for tokens, and keeps the last one.
pub(super) struct TokenSource {
    ask: Arc<Ask>,
    current: Option<HeaderValue>,
}

impl TokenSource {
    pub(super) fn new(ask: Arc<Ask>) -> Self {
        Self { ask, current: None }
    }

    /// One that asks the same function, and has asked nothing yet.
    pub(super) fn another(&self) -> Self {
        Self::new(Arc::clone(&self.ask))
    }

    /// The value of `Authorization`.
    pub(super) fn current(&self) -> Option<&HeaderValue> {
        self.current.as_ref()
    }

    /// Asks, and says whether the answer is news.
    pub(super) fn ask(&mut self) -> Result<bool, EmitError> {
        const SETTING: &str = "bearer_token_with";
        // Whatever state a panic leaves the function's own things in is its business; here it leaves nothing.
        let token = catch_unwind(AssertUnwindSafe(|| (self.ask)())).map_err(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            // Its own `Drop` may panic.
            std::mem::forget(panic);
            EmitError::endpoint(format!("{SETTING}: panicked: {text}")).not_arrived()
        })?;
        let failed = |text: String| EmitError::transient(format!("{SETTING}: {text}")).not_arrived();
        let token = token.map_err(|error| failed(error.to_string()))?;
        let value = Some(header_value(&token).map_err(|problem| failed(problem.to_owned()))?);
        let is_new = self.current != value;
        self.current = value;
        Ok(is_new)
    }
}

/// A setting that can't be sent is an error of `build`.
pub(super) fn fixed(token: &str) -> Result<HeaderValue, Error> {
    header_value(token).map_err(|problem| Error::invalid("bearer_token", problem))
}
