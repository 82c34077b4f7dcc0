//! The value of a field: a text, or other JSON as it was sent.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// JSON that is no text is never taken apart: so a number keeps all its digits, and nothing is too deep.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Json(&'a RawValue),
}

impl Value<'_> {
    /// As it is read by people: a text without quotation marks.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Json(json) => json.get(),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Json(json) => json.serialize(serializer),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        let Some(text) = json.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
            return Ok(Self::Json(json));
        };
        if text.contains('\\') {
            return serde_json::from_str(json.get()).map(|text| Self::Text(Cow::Owned(text))).map_err(D::Error::custom);
        }
        Ok(Self::Text(Cow::Borrowed(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_stays_as_it_was() {
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for json in ["340282366920938463463374607431768211455", "1.50", "null", "{\"a\": [1]}", &nested] {
            let value: Value<'_> = serde_json::from_str(json).unwrap();
            assert_eq!((value.text(), serde_json::to_string(&value).unwrap().as_str()), (json, json));
        }
    }

    #[test]
    fn texts_are_without_quotation_marks_and_escapes() {
        for (json, text) in [(r#""""#, ""), (r#""ü""#, "ü"), (r#""a\"\n\u00fc""#, "a\"\nü"), (r#""12""#, "12")] {
            let value: Value<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(value.text(), text);
        }
        assert!(serde_json::from_str::<Value<'_>>(r#""\ud800""#).is_err());
    }
}
