//! The serializer of `application/x-www-form-urlencoded`, for bodies of thousands of records.
//!
//! `form_urlencoded` is the authority on what the bytes are: the tests below compare with it every byte, every character
//! and random strings. This is the same by a table, several times faster.

use crate::fields::Fields;

/// Appends `fields` as a form.
pub(super) fn append(fields: &Fields, body: &mut Vec<u8>) {
    let mut separator = None;
    for (key, value) in fields.iter() {
        body.extend(separator);
        separator = Some(b'&');
        append_text(key, body);
        body.push(b'=');
        append_text(value.as_str().unwrap_or_default(), body);
    }
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
    while !rest.is_empty() {
        let run = rest.iter().position(|&byte| !is_plain(byte)).unwrap_or(rest.len());
        let (plain, other) = rest.split_at(run);
        body.extend_from_slice(plain);
        rest = other;
        while let [byte, others @ ..] = rest
            && !is_plain(*byte)
        {
            let Encoded { bytes, length } = ENCODED[usize::from(*byte)];
            body.extend_from_slice(&bytes[..usize::from(length)]);
            rest = others;
        }
    }
}

fn is_plain(byte: u8) -> bool {
    ENCODED[usize::from(byte)].bytes[0] == byte && byte != b'%'
}

#[cfg(test)]
mod tests {
    use super::*;
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
