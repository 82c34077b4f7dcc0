//! Dictionaries as `application/x-www-form-urlencoded`.

use crate::fields::Fields;

/// The media type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Appends `fields` to `body` as the URL Standard's serializer writes them: a space as `+`, everything but
/// `A-Z a-z 0-9 * - . _` as `%XX` of its UTF-8.
pub(super) fn append_form(fields: &Fields, body: &mut String) {
    let start = body.len();
    let mut form = form_urlencoded::Serializer::for_suffix(body, start);
    for (key, value) in fields.iter() {
        form.append_pair(key, value.as_str().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(fields: &Fields) -> String {
        let mut body = String::new();
        append_form(fields, &mut body);
        body
    }

    #[test]
    fn bytes_on_the_wire() {
        let fields: Fields = [("a b", "+&=%"), ("", ""), ("ü", "\0\r\n")].into_iter().collect();
        assert_eq!(encoded(&fields), "a+b=%2B%26%3D%25&=&%C3%BC=%00%0D%0A");
    }

    proptest! {
        #[test]
        fn any_list_of_pairs_survives(pairs in prop::collection::vec((".*", ".*"), 0..20)) {
            let fields: Fields = pairs.iter().map(|(key, value)| (key, value.as_str())).collect();
            let decoded: Vec<_> = form_urlencoded::parse(encoded(&fields).as_bytes()).into_owned().collect();
            prop_assert_eq!(decoded, pairs);
        }
    }
}
