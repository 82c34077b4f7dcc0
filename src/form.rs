//! What a text looks like in a form, remembered for those texts that come again and again.
//!
//! This and `http/urlencode.rs` are the places that know `form_urlencoded`.

use std::borrow::Cow;

/// A text, and what it looks like as `application/x-www-form-urlencoded`.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) text: Cow<'static, str>,
    /// `None` if that is the text itself.
    pub(crate) form: Option<Box<str>>,
}

impl Known {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        Self { form: (form != text).then(|| form.into()), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_different_is_remembered_twice() {
        assert_eq!(Known::new("main.rs").form, None);
        assert_eq!(Known::new("src/a b.rs").form.as_deref(), Some("src%2Fa+b.rs"));
    }
}
