//! Which fields of the default dictionary are sent, and under which names.

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use super::{Fields, Form};

/// What `rename`, `only` and `without` ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    renamed: Vec<(String, String)>,
    only: Option<Vec<String>>,
    without: Vec<String>,
}

impl Selection {
    pub(crate) fn rename(&mut self, from: String, to: String) {
        self.renamed.push((from, to));
    }

    pub(crate) fn only(&mut self, keys: impl Iterator<Item = String>) {
        self.only.get_or_insert_default().extend(keys);
    }

    pub(crate) fn without(&mut self, keys: impl Iterator<Item = String>) {
        self.without.extend(keys);
    }

    /// The setting that was made, if one was.
    pub(crate) fn setting(&self) -> Option<&'static str> {
        let settings = [
            ("rename", !self.renamed.is_empty()),
            ("only", self.only.is_some()),
            ("without", !self.without.is_empty()),
        ];
        settings.into_iter().find_map(|(name, made)| made.then_some(name))
    }

    /// What is wrong with it, and with which setting. `fixed` are the keys of the user's own fields as they are
    /// sent, `core` those of the dictionary.
    pub(crate) fn problem(&self, fixed: &[Cow<'_, str>], core: &[&str]) -> Option<(&'static str, String)> {
        let is_fixed = |key: &str| fixed.iter().any(|fixed| fixed == key);
        let is_own = |key: &str| format!("{key:?} is a field that is set by `field`");
        let renamed = self.renamed.iter().enumerate().find_map(|(place, (from, to))| {
            let earlier = &self.renamed[..place];
            let goes_out = |key: &str| !self.leaves_out(key) && !self.renamed.iter().any(|(from, _)| from == key);
            if is_fixed(from) {
                Some(is_own(from))
            } else if earlier.iter().any(|(earlier, _)| earlier == from) {
                Some(format!("{from:?} is renamed twice"))
            } else if earlier.iter().any(|(_, earlier)| earlier == to) {
                Some(format!("two keys are renamed to {to:?}"))
            } else if self.leaves_out(from) {
                Some(format!("{from:?} is renamed, but not sent"))
            } else if is_fixed(to) || core.contains(&to.as_str()) && goes_out(to) {
                Some(format!("{from:?} is renamed to {to:?}, which is sent already"))
            } else {
                None
            }
        });
        let without = self.without.iter().find(|key| is_fixed(key)).map(|key| is_own(key));
        renamed.map(|problem| ("rename", problem)).or(without.map(|problem| ("without", problem)))
    }

    /// Applies it to a dictionary, but for the user's own fields, which are at these places.
    pub(crate) fn apply(&self, fields: &mut Fields, fixed: &Range<usize>) {
        let all = mem::take(fields);
        for (place, entry) in all.entries.iter().enumerate() {
            let key = &all.text[entry.key()];
            let name = if fixed.contains(&place) { Some(key.into()) } else { self.name_of(key) };
            if let Some(name) = name {
                let form = if name == key { entry.form } else { Form::Unknown };
                fields.add(&[&name], entry.kind, form, |text| text.push_str(&all.text[entry.value()]));
            }
        }
    }

    fn leaves_out(&self, key: &str) -> bool {
        let contains = |keys: &[String]| keys.iter().any(|found| found == key);
        contains(&self.without) || self.only.as_ref().is_some_and(|only| !contains(only))
    }

    /// Under which name a field is sent, if it is.
    fn name_of<'k>(&'k self, key: &'k str) -> Option<Cow<'k, str>> {
        if self.leaves_out(key) {
            return None;
        }
        if let Some((_, to)) = self.renamed.iter().find(|(from, _)| from == key) {
            return Some(to.into());
        }
        // A key-value of the program's, which must not be taken for what was renamed.
        let is_taken = self.renamed.iter().any(|(_, to)| to == key);
        Some(if is_taken { format!("extra_{key}").into() } else { key.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(keys: &[&str]) -> impl Iterator<Item = String> {
        keys.iter().map(|key| (*key).to_owned())
    }

    fn selection(renamed: &[(&str, &str)], only: Option<&[&str]>, without: &[&str]) -> Selection {
        let mut selection = Selection::default();
        for (from, to) in renamed {
            selection.rename((*from).to_owned(), (*to).to_owned());
        }
        if let Some(only) = only {
            selection.only(strings(only));
        }
        selection.without(strings(without));
        selection
    }

    fn applied(selection: &Selection) -> String {
        let pairs = [("msg", "m&"), ("lineno", "1"), ("service", "shop"), ("order", "7"), ("text", "t")];
        let mut fields: Fields = pairs.into_iter().collect();
        selection.apply(&mut fields, &(2..3));
        format!("{fields:?}").replace('"', "")
    }

    #[test]
    fn what_is_left_and_what_it_is_called() {
        assert_eq!(applied(&selection(&[], None, &["lineno", "order"])), "{msg: m&, service: shop, text: t}");
        assert_eq!(applied(&selection(&[], Some(&["msg"]), &[])), "{msg: m&, service: shop}");
        assert_eq!(applied(&selection(&[], Some(&[]), &[])), "{service: shop}");
        let renamed = selection(&[("msg", "text"), ("order", "order_id")], None, &["lineno"]);
        assert_eq!(applied(&renamed), "{text: m&, service: shop, order_id: 7, extra_text: t}");
        assert_eq!(
            applied(&selection(&[("msg", "lineno")], None, &["lineno"])),
            "{lineno: m&, service: shop, order: 7, text: t}"
        );
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        let problem = |selection: &Selection| {
            selection.problem(&["service".into()], &["name", "msg"]).map(|(setting, _)| setting)
        };
        for bad in [
            selection(&[("msg", "a"), ("msg", "b")], None, &[]),
            selection(&[("msg", "a"), ("name", "a")], None, &[]),
            selection(&[("msg", "name")], None, &[]),
            selection(&[("msg", "service")], None, &[]),
            selection(&[("service", "app")], None, &[]),
            selection(&[("msg", "a")], None, &["msg"]),
            selection(&[("msg", "a")], Some(&["name"]), &[]),
        ] {
            assert_eq!(problem(&bad), Some("rename"), "{bad:?}");
        }
        assert_eq!(problem(&selection(&[], None, &["service"])), Some("without"));
        for good in [
            selection(&[("msg", "name"), ("name", "logger")], None, &[]),
            selection(&[("msg", "name")], None, &["name"]),
            selection(&[("msg", "name")], Some(&["msg"]), &[]),
            selection(&[], None, &[]),
        ] {
            assert_eq!(problem(&good), None, "{good:?}");
        }
    }
}
