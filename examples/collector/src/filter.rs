//! Which records the page wants to see.

use serde::Deserialize;

use crate::record::Field;

/// What stands in the page's three inputs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Query {
    target: String,
    text: String,
    fields: String,
}

/// What a record has to be: all of it, and upper and lower case are the same but in fields that are compared by `=`.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    target: Option<Needle>,
    /// Somewhere in the message or in a value.
    text: Option<Needle>,
    fields: Vec<Term>,
}

/// `key`, `key=value`, `key!=value` or `key~part`.
#[derive(Debug, PartialEq)]
struct Term {
    key: String,
    value: Wanted,
}

#[derive(Debug, PartialEq)]
enum Wanted {
    Any,
    Equal(String),
    /// There, and another.
    Other(String),
    Part(Needle),
}

impl Filter {
    /// # Errors
    ///
    /// If the fields are not terms; says why.
    pub(crate) fn new(query: &Query) -> Result<Self, String> {
        Ok(Self {
            target: Needle::new(query.target.trim()),
            text: Needle::new(query.text.trim()),
            fields: terms(&query.fields)?,
        })
    }

    /// Whether every record matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.target.is_none() && self.text.is_none() && self.fields.is_empty()
    }

    /// `fields` are as [`Record`](crate::record::Record) has them, and are only looked at where the rest does not decide.
    pub(crate) fn matches(&self, target: &str, message: &str, fields: &str) -> bool {
        if self.target.as_ref().is_some_and(|needle| !needle.is_in(target)) {
            return false;
        }
        let text = self.text.as_ref().filter(|needle| !needle.is_in(message));
        if text.is_none() && self.fields.is_empty() {
            return true;
        }
        // Quicker to see than by decoding them.
        if text.is_some_and(|needle| needle.is_nowhere_in_json(fields))
            || self.fields.iter().any(|term| term.value.is_nowhere_in_json(fields))
        {
            return false;
        }
        let fields: Vec<Field<'_>> = serde_json::from_str(fields).unwrap_or_default();
        text.is_none_or(|needle| fields.iter().any(|(_, value)| needle.is_in(value.text())))
            && self.fields.iter().all(|term| term.matches(&fields))
    }
}

impl Term {
    fn matches(&self, fields: &[Field<'_>]) -> bool {
        let mut values = fields.iter().filter(|(key, _)| *key == self.key).map(|(_, value)| value);
        match &self.value {
            Wanted::Any => values.next().is_some(),
            Wanted::Equal(wanted) => values.any(|value| value.text() == wanted),
            Wanted::Other(unwanted) => values.any(|value| value.text() != unwanted),
            Wanted::Part(needle) => values.any(|value| needle.is_in(value.text())),
        }
    }
}

impl Wanted {
    fn is_nowhere_in_json(&self, json: &str) -> bool {
        match self {
            Self::Equal(value) => is_plain(value) && !json.contains(value),
            Self::Part(needle) => needle.is_nowhere_in_json(json),
            Self::Any | Self::Other(_) => false,
        }
    }
}

/// Whether a text stands in JSON as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

/// A text that is looked for, whatever its case.
#[derive(Debug, PartialEq)]
struct Needle {
    lower: String,
    plain: bool,
}

impl Needle {
    /// `None` of nothing.
    fn new(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let plain = is_plain(&lower);
        (!lower.is_empty()).then_some(Self { lower, plain })
    }

    fn is_in(&self, text: &str) -> bool {
        if text.is_ascii() { self.is_in_ascii(text) } else { text.to_lowercase().contains(&self.lower) }
    }

    fn is_in_ascii(&self, text: &str) -> bool {
        let (text, lower) = (text.as_bytes(), self.lower.as_bytes());
        text.windows(lower.len()).any(|window| window.eq_ignore_ascii_case(lower))
    }

    /// Whether it can't be in any value.
    fn is_nowhere_in_json(&self, json: &str) -> bool {
        self.plain && !self.is_in(json)
    }
}

/// Terms with spaces between them. A key or value that has a space or an operator in it stands between quotation marks, and in
/// there `\"` and `\\` are the two characters that would not stand for themselves.
fn terms(text: &str) -> Result<Vec<Term>, String> {
    let mut terms = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, behind) = word(rest, |c| c.is_whitespace() || matches!(c, '=' | '~' | '!'))?;
        if key.is_empty() {
            return Err(format!("no key before {behind}"));
        }
        let value = |operator| behind.strip_prefix(operator).map(|rest| word(rest, char::is_whitespace)).transpose();
        let (value, behind) = if let Some((value, behind)) = value("!=")? {
            (Wanted::Other(value), behind)
        } else if let Some((value, behind)) = value("=")? {
            (Wanted::Equal(value), behind)
        } else if let Some((value, behind)) = value("~")? {
            (Needle::new(&value).map_or(Wanted::Any, Wanted::Part), behind)
        } else {
            (Wanted::Any, behind)
        };
        if !behind.is_empty() && !behind.starts_with(char::is_whitespace) {
            return Err(format!("no space before {behind}"));
        }
        terms.push(Term { key, value });
        rest = behind.trim_start();
    }
    Ok(terms)
}

/// The word that `text` begins with, up to a character that `ends` it or between quotation marks; and what is behind it.
fn word(text: &str, ends: fn(char) -> bool) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
        return Ok((word.to_owned(), rest));
    };
    let mut word = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next() {
            Some('"') => return Ok((word, characters.as_str())),
            Some('\\') => word.extend(characters.next()),
            Some(other) => word.push(other),
            None => return Err(format!("no quotation mark at the end of {text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(target: &str, text: &str, fields: &str) -> Filter {
        let query = Query { target: target.to_owned(), text: text.to_owned(), fields: fields.to_owned() };
        Filter::new(&query).unwrap()
    }

    const FIELDS: &str =
        r#"[["order","17"],["path","C:\\new \"x\""],["n",5],["tag","a"],["tag","B"],["city","Zürich"]]"#;

    fn matches(target: &str, text: &str, fields: &str) -> bool {
        filter(target, text, fields).matches("shop::Bank", "Order accepted: Ärger", FIELDS)
    }

    #[test]
    fn target_and_text_in_any_case() {
        assert!(matches("", "", "") && filter(" ", "\t", " ").is_empty());
        assert!(matches("BANK", "", "") && !matches("bang", "", ""));
        assert!(matches("", "order ACC", "") && matches("", "ärg", "") && !matches("", "orders", ""));
    }

    #[test]
    fn text_is_looked_for_in_values_but_not_in_keys() {
        assert!(
            matches("", "17", "") && matches("", r#"new "X"#, "") && matches("", r"C:\new", "") && matches("", "5", "")
        );
        assert!(matches("", "ZÜRICH", ""));
        assert!(!matches("", "path", "") && !matches("", "],[", "") && !matches("", r"\\", ""));
    }

    #[test]
    fn fields_by_each_operator() {
        for holds in [
            "order",
            "order=17",
            "order~7",
            "n=5",
            "tag=a",
            "tag=B",
            "tag~b",
            "tag!=a",
            "n!=6",
            "order=17 n=5",
            r#"path="C:\\new \"x\"""#,
            r#""order"="17""#,
            "city~ZÜR",
            "order~",
            "order~\"\"",
        ] {
            assert!(matches("", "", holds), "{holds}");
        }
        for fails in ["nothing", "order=1", "tag=b", "n!=5", "nothing!=1", "order=17 n=6", "order=", "Order"] {
            assert!(!matches("", "", fails), "{fails}");
        }
    }

    #[test]
    fn fields_that_are_no_terms() {
        let error = |fields: &str| Filter::new(&Query { fields: fields.to_owned(), ..Query::default() }).unwrap_err();
        assert_eq!(error("a =b"), "no key before =b");
        assert_eq!(error("a=\"b c"), "no quotation mark at the end of \"b c");
        assert_eq!(error("a=\"b\"c"), "no space before c");
        assert_eq!(error("a!b"), "no space before !b");
    }

    #[test]
    fn all_that_is_wanted_has_to_hold() {
        assert!(matches("bank", "zürich", "order=17"));
        assert!(
            !matches("bank", "zürich", "order=18") && !matches("bank", "q", "order=17") && !matches("x", "", "order")
        );
    }
}
