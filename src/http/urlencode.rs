//! The serializer of `application/x-www-form-urlencoded`, for bodies of thousands of records.
//!
//! `form_urlencoded` is the authority on what the bytes are: the tests below compare with it every byte, every character
//! and random strings. This is the same by a table, several times faster.

use crate::fields::{Fields, Plain};

/// Appends `fields` as a form.
///
/// The text of the fields is a form already where nothing has to be escaped, so that whole runs of it are copied.
pub(super) fn append(fields: &Fields, body: &mut Vec<u8>) {
    let (text, entries) = fields.layout();
    // Up to where it is done.
    let mut done = 0;
    for entry in entries {
        let (key, value) = (entry.key(), entry.value());
        match entry.plain {
            Plain::KeyAndValue => continue,
            Plain::Key => body.extend_from_slice(&text.as_bytes()[done..value.start]),
            Plain::Nothing => {
                body.extend_from_slice(&text.as_bytes()[done..key.start]);
                append_text(&text[key], body);
                body.push(b'=');
            }
        }
        append_text(&text[value.clone()], body);
        done = value.end;
    }
    body.extend_from_slice(&text.as_bytes()[done..]);
}

/// What becomes of each byte: itself, a plus, or three bytes.
static ENCODED: [Encoded; 256] = {
    let mut table = [Encoded { bytes: [b'%', 0, 0], length: 3 }; 256];
    let digits = b"0123456789ABCDEF";
    let mut byte = 0_u8;
    loop {
        let entry = &mut table[byte as usize];
        if matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_') {
            *entry = Encoded { bytes: [byte, 0, 0], length: 1 };
        } else {
            entry.bytes = [b'%', digits[(byte >> 4) as usize], digits[(byte & 15) as usize]];
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    table[b' ' as usize] = Encoded { bytes: [b'+', 0, 0], length: 1 };
    table
};

#[derive(Clone, Copy)]
struct Encoded {
    bytes: [u8; 3],
    length: u8,
}

fn append_text(text: &str, body: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(run) = rest.iter().position(|&byte| !PLAIN[usize::from(byte)]) {
        let (plain, other) = rest.split_at(run);
        body.extend_from_slice(plain);
        let Encoded { bytes, length } = ENCODED[usize::from(other[0])];
        body.extend_from_slice(&bytes[..usize::from(length)]);
        rest = &other[1..];
    }
    body.extend_from_slice(rest);
}

/// Which bytes stay as they are.
static PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = ENCODED[byte].length == 1 && byte != b' ' as usize;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::map_log_record;
    use crate::record::LogRecord;
    use proptest::prelude::*;

    fn encoded(text: &str) -> String {
        let mut body = Vec::new();
        append_text(text, &mut body);
        String::from_utf8(body).unwrap()
    }

    fn authority(text: &str) -> String {
        form_urlencoded::byte_serialize(text.as_bytes()).collect()
    }

    #[test]
    fn every_character_as_form_urlencoded_has_it() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(encoded(&text), authority(&text));
        }
    }

    #[test]
    fn every_byte_as_form_urlencoded_has_it() {
        // Bytes that are no character by themselves can't be in a text, but stand in the table.
        for byte in 0..=u8::MAX {
            let Encoded { bytes, length } = ENCODED[usize::from(byte)];
            let authority: String = form_urlencoded::byte_serialize(&[byte]).collect();
            assert_eq!(&bytes[..usize::from(length)], authority.as_bytes());
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
