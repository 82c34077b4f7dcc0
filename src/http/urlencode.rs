//! The serializer of `application/x-www-form-urlencoded`, for bodies of thousands of records.
//!
//! `form_urlencoded` is the authority on what the bytes are: the tests below compare with it every byte, every character
//! and random strings. This is the same by a table, several times faster.

use crate::fields::{Fields, Form};

/// Appends `fields` as a form.
///
/// The text of the fields is a form already where nothing has to be escaped, so that whole runs of it are copied.
pub(super) fn append(fields: &Fields, body: &mut Vec<u8>) {
    let (text, entries) = fields.layout();
    let text = text.as_bytes();
    if text.len() > LARGE {
        return append_large(fields, body);
    }
    let start = body.len();
    // The longest that it can become.
    body.resize(start + 3 * text.len() + 1, 0);
    let mut output = Output { room: &mut body[start..], end: 0 };
    // Up to where it is done.
    let mut done = 0;
    for entry in entries {
        let (key, value) = (entry.key(), entry.value());
        match entry.form {
            Form::Plain => continue,
            Form::PlainKey | Form::Known(_) => output.copy(&text[done..value.start]),
            Form::Unknown => {
                output.copy(&text[done..key.start]);
                output.escape(&text[key]);
                output.copy(b"=");
            }
        }
        match entry.form {
            Form::Known(form) => output.copy(form.as_bytes()),
            _ => output.escape(&text[value.clone()]),
        }
        done = value.end;
    }
    output.copy(&text[done..]);
    let end = output.end;
    body.truncate(start + end);
}

/// Above this, room for the longest that a form can become is a lot of memory.
const LARGE: usize = 64 * 1024;

/// Appends one text as it stands in a form.
#[cfg(feature = "json")]
pub(super) fn append_text(text: &[u8], body: &mut Vec<u8>) {
    for piece in text.chunks(LARGE) {
        let start = body.len();
        // One more, since three bytes are written where one counts.
        body.resize(start + 3 * piece.len() + 2, 0);
        let mut output = Output { room: &mut body[start..], end: 0 };
        output.escape(piece);
        let end = output.end;
        body.truncate(start + end);
    }
}

/// The same, more slowly, with room for what it does become.
fn append_large(fields: &Fields, body: &mut Vec<u8>) {
    let (text, entries) = fields.layout();
    let text = text.as_bytes();
    let escape = |text, body: &mut Vec<u8>| {
        for piece in form_urlencoded::byte_serialize(text) {
            body.extend_from_slice(piece.as_bytes());
        }
    };
    for (place, entry) in entries.iter().enumerate() {
        if place > 0 {
            body.push(b'&');
        }
        escape(&text[entry.key()], body);
        body.push(b'=');
        escape(&text[entry.value()], body);
    }
}

/// Where the form is written: there is room for all of it.
struct Output<'a> {
    room: &'a mut [u8],
    end: usize,
}

impl Output<'_> {
    fn copy(&mut self, text: &[u8]) {
        self.room[self.end..][..text.len()].copy_from_slice(text);
        self.end += text.len();
    }

    /// Without a branch for each byte, as no processor can guess which of them are to be escaped.
    fn escape(&mut self, text: &[u8]) {
        let mut end = self.end;
        for &byte in text {
            let escape = ESCAPES[usize::from(byte)];
            if let Some(room) = self.room[end..].first_chunk_mut() {
                *room = escape.to_le_bytes();
            }
            // `as`: 1 or 3.
            end += (escape >> 24) as usize;
        }
        self.end = end;
    }
}

/// What each byte becomes: up to three bytes, and above them how many those are. In one number, since that is one access
/// to memory.
static ESCAPES: [u32; 256] = {
    let mut table = [0; 256];
    let digits = b"0123456789ABCDEF";
    let mut byte = 0;
    while byte < 256 {
        table[byte] = u32::from_le_bytes([b'%', digits[byte >> 4], digits[byte & 15], 3]);
        byte += 1;
    }
    table[b' ' as usize] = u32::from_le_bytes([b'+', 0, 0, 1]);
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._";
    let mut place = 0;
    while place < plain.len() {
        table[plain[place] as usize] = u32::from_le_bytes([plain[place], 0, 0, 1]);
        place += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::map_log_record;
    use crate::record::LogRecord;
    use proptest::prelude::*;

    fn assert_as_form_urlencoded_has_it(text: &[u8]) {
        let mut room = vec![0; 3 * text.len() + 1];
        let mut output = Output { room: &mut room, end: 0 };
        output.escape(text);
        let body = output.room[..output.end].to_vec();
        let authority: String = form_urlencoded::byte_serialize(text).collect();
        assert_eq!(String::from_utf8(body).unwrap(), authority);
    }

    #[test]
    fn every_character_as_form_urlencoded_has_it() {
        for character in '\0'..=char::MAX {
            assert_as_form_urlencoded_has_it(character.to_string().as_bytes());
        }
    }

    #[test]
    fn every_byte_as_form_urlencoded_has_it() {
        for byte in 0..=u8::MAX {
            assert_as_form_urlencoded_has_it(&[byte]);
            assert_as_form_urlencoded_has_it(&[b'a', byte, b' ', byte, byte]);
            for place in 0..40 {
                let mut text = [b'x'; 40];
                text[place] = byte;
                assert_as_form_urlencoded_has_it(&text);
            }
        }
    }

    #[test]
    fn bytes_on_the_wire() {
        let fields: Fields = [("a b", "+&=%"), ("", ""), ("ü", "\0\r\n")].into_iter().collect();
        let mut body = Vec::new();
        append(&fields, &mut body);
        assert_eq!(body, b"a+b=%2B%26%3D%25&=&%C3%BC=%00%0D%0A");
    }

    #[test]
    fn the_default_dictionary_as_form_urlencoded_has_it() {
        let pairs: &[_] = &[("a b", "c&d"), ("msg", "x")];
        let record = log::Record::builder()
            .args(format_args!("100 % & more: Zoë can't pay"))
            .file(Some("src/a b.rs"))
            .module_path(Some("a::b"))
            .target("a::b")
            .line(Some(7))
            .key_values(&pairs)
            .build();
        let mut fields = Fields::new();
        map_log_record(&LogRecord::from(&record), &mut fields);
        let mut body = Vec::new();
        append(&fields, &mut body);
        let pairs = fields.iter().map(|(key, value)| (key, value.to_string()));
        let authority = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        assert_eq!(String::from_utf8(body).unwrap(), authority);
    }

    #[test]
    fn a_large_dictionary_as_form_urlencoded_has_it() {
        let large = "ü & more, ".repeat(LARGE / 10);
        let mut fields = Fields::new();
        map_log_record(&LogRecord::from(&log::Record::builder().args(format_args!("{large}")).build()), &mut fields);
        fields.push("a b", "c");
        let mut body = b"before".to_vec();
        append(&fields, &mut body);
        let pairs = fields.iter().map(|(key, value)| (key, value.to_string()));
        let authority = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        assert!(authority.len() > LARGE && body == format!("before{authority}").into_bytes());
    }

    proptest! {
        #[test]
        fn any_list_of_pairs_as_form_urlencoded_has_it(pairs in prop::collection::vec((".*", ".*"), 0..20)) {
            let fields: Fields = pairs.iter().map(|(key, value)| (key, value.as_str())).collect();
            let mut body = Vec::new();
            append(&fields, &mut body);
            let authority = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(String::from_utf8(body).unwrap(), authority);
            let mut body = Vec::new();
            append(&fields, &mut body);
            let decoded: Vec<_> = form_urlencoded::parse(&body).into_owned().collect();
            prop_assert_eq!(decoded, pairs);
        }
    }
}
