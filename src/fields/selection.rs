//! Which fields of the default dictionary are sent, and under which names.

use std::borrow::Cow;

use super::default::{CORE_KEYS, extra_key};
use super::{Fields, Form};
use crate::value::Value;

/// What `rename`, `only` and `without` ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    renamed: Vec<(String, String)>,
    /// What a preset renames, unless the user renames it.
    preset: &'static [(&'static str, &'static str)],
    /// A key that a preset can't do without.
    pinned: Option<&'static str>,
    only: Option<Vec<String>>,
    without: Vec<String>,
}

impl Selection {
    pub(crate) fn rename(&mut self, from: String, to: String) {
        self.renamed.push((from, to));
    }

    #[cfg(feature = "json")]
    pub(crate) fn preset(&mut self, renamed: &'static [(&'static str, &'static str)]) {
        self.preset = renamed;
    }

    #[cfg(feature = "json")]
    pub(crate) fn pin(&mut self, key: &'static str) {
        self.pinned = Some(key);
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

    /// Whether it changes anything.
    pub(crate) fn selects(&self) -> bool {
        self.setting().is_some() || !self.preset.is_empty()
    }

    /// The names that the user gives.
    pub(crate) fn new_names(&self) -> impl Iterator<Item = &str> {
        self.renamed.iter().map(|(_, to)| to.as_str())
    }

    /// Under which names the fields of these keys are sent, those that are.
    #[cfg(feature = "json")]
    pub(crate) fn names<'k>(&'k self, core: &'k [&'k str]) -> impl Iterator<Item = &'k str> {
        core.iter().filter_map(|key| self.name_of(key))
    }

    /// What is wrong with it, and with which setting. `fixed` are the keys of the user's own fields as they are
    /// sent, `core` those of the dictionary.
    pub(crate) fn problem(&self, fixed: &[Cow<'_, str>], core: &[&str]) -> Option<(&'static str, String)> {
        let is_fixed = |key: &str| fixed.iter().any(|fixed| fixed == key);
        let is_own = |key: &str| format!("{key:?} is a field that is set by `field`");
        let renamed = self.renamed.iter().enumerate().find_map(|(place, (from, to))| {
            let earlier = &self.renamed[..place];
            let goes_out = |key: &str| !self.leaves_out(key) && !self.renamed.iter().any(|(from, _)| from == key);
            if self.pinned == Some(from) {
                Some(format!("{from:?} has a place of its own in what this server is sent, and no name"))
            } else if to.is_empty() {
                Some(format!("{from:?} is renamed to nothing"))
            } else if is_fixed(from) {
                Some(is_own(from))
            } else if earlier.iter().any(|(earlier, _)| earlier == from) {
                Some(format!("{from:?} is renamed twice"))
            } else if earlier.iter().any(|(_, earlier)| earlier == to) {
                Some(format!("two keys are renamed to {to:?}"))
            } else if self.leaves_out(from) {
                Some(format!("{from:?} is renamed, but not sent"))
            } else if is_fixed(to)
                || core.contains(&to.as_str()) && goes_out(to)
                || self.preset_names().any(|name| name == to)
            {
                Some(format!("{from:?} is renamed to {to:?}, which is sent already"))
            } else {
                None
            }
        });
        let is_pinned = |key: &String| self.pinned.is_some_and(|pinned| pinned == key);
        let pinned = self.without.iter().find(|key| is_pinned(key));
        let pinned = pinned.map(|key| format!("{key:?} is what this server can't do without"));
        let without = self.without.iter().find(|key| is_fixed(key)).map(|key| is_own(key)).or(pinned);
        let only = self.only.as_ref().filter(|keys| keys.is_empty()).map(|_| "names no key".to_owned());
        let renamed = renamed.map(|problem| ("rename", problem));
        let field = self.preset_names().find(|name| is_fixed(name));
        let field = field.map(|name| ("field", format!("{name:?} is what the server knows another field by")));
        renamed.or(field).or(without.map(|problem| ("without", problem))).or(only.map(|problem| ("only", problem)))
    }

    /// Appends of what every record has what is to be sent, with another value of `created` if one is given.
    pub(crate) fn apply(&self, all: &Fields, created: Option<Value<'_>>, fields: &mut Fields) {
        for entry in &all.entries {
            let key = &all.text[entry.key()];
            let Some(name) = self.name_of(key) else { continue };
            if let Some(created) = created.filter(|_| key == "created") {
                fields.push(name, created);
                continue;
            }
            let form = if name == key { entry.form } else { Form::Unknown };
            fields.add(&[name], entry.kind, form, |text| text.push_str(&all.text[entry.value()]));
        }
    }

    /// Adds a key-value, if it is to be sent.
    pub(crate) fn push_extra(&self, fields: &mut Fields, key: &str, value: Value<'_>) {
        if let Some(name) = self.name_of_extra(key) {
            fields.push(&name, value);
        }
    }

    fn leaves_out(&self, key: &str) -> bool {
        let contains = |keys: &[String]| keys.iter().any(|found| found == key);
        contains(&self.without) || self.only.as_ref().is_some_and(|only| !contains(only))
    }

    /// Under which name a field that every record has is sent, if it is.
    fn name_of<'k>(&'k self, key: &'k str) -> Option<&'k str> {
        if self.leaves_out(key) && self.pinned != Some(key) {
            return None;
        }
        let renamed = self.renamed.iter().find(|(from, _)| from == key).map(|(_, to)| to.as_str());
        let preset = || self.preset.iter().find(|(from, _)| *from == key).map(|(_, to)| *to);
        Some(renamed.or_else(preset).unwrap_or(key))
    }

    /// The names that a preset gives to what is sent.
    pub(crate) fn preset_names(&self) -> impl Iterator<Item = &'static str> {
        self.preset.iter().filter(|(from, to)| self.name_of(from) == Some(to)).map(|(_, to)| *to)
    }

    /// Under which name a key-value is sent, if it is. It is meant by its own key, and by that which it goes out under; and
    /// it must not be taken for what was renamed.
    fn name_of_extra<'k>(&'k self, key: &'k str) -> Option<Cow<'k, str>> {
        let sent = extra_key(key);
        let contains = |keys: &[String]| keys.iter().any(|found| *found == key || *found == sent);
        if contains(&self.without) || self.only.as_ref().is_some_and(|only| !contains(only)) {
            return None;
        }
        let renames = |from: &String| *from == sent || *from == key && !CORE_KEYS.contains(&key);
        if let Some((_, to)) = self.renamed.iter().find(|(from, _)| renames(from)) {
            return Some(to.into());
        }
        let is_taken = self.renamed.iter().any(|(_, to)| *to == sent) || self.preset_names().any(|to| to == sent);
        Some(if is_taken { format!("extra_{sent}").into() } else { sent })
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

    /// What is sent of two fields that every record has, one that is set, and some key-values.
    fn applied(selection: &Selection) -> String {
        let all: Fields = [("msg", "m&"), ("lineno", "1")].into_iter().collect();
        let mut fields = Fields::new();
        selection.apply(&all, None, &mut fields);
        fields.push("service", "shop");
        for (key, value) in [("order", "7"), ("text", "t"), ("msg", "x"), ("args", "y")] {
            selection.push_extra(&mut fields, key, value.into());
        }
        format!("{fields:?}").replace(['"', '{', '}'], "")
    }

    #[test]
    fn what_is_left_and_what_it_is_called() {
        for (selection, expected) in [
            (
                selection(&[], None, &["lineno", "order"]),
                "msg: m&, service: shop, text: t, extra_msg: x, extra_args: y",
            ),
            (selection(&[], None, &["msg", "args"]), "lineno: 1, service: shop, order: 7, text: t"),
            (
                selection(&[], None, &["extra_msg", "extra_args"]),
                "msg: m&, lineno: 1, service: shop, order: 7, text: t",
            ),
            (selection(&[], Some(&["msg"]), &[]), "msg: m&, service: shop, extra_msg: x"),
            (selection(&[], Some(&["extra_args"]), &[]), "service: shop, extra_args: y"),
            (selection(&[], Some(&[]), &[]), "service: shop"),
            (
                selection(&[("msg", "text"), ("order", "id"), ("args", "arguments")], None, &["lineno"]),
                "text: m&, service: shop, id: 7, extra_text: t, extra_msg: x, arguments: y",
            ),
            (
                selection(&[("msg", "lineno"), ("extra_msg", "m")], None, &["lineno"]),
                "lineno: m&, service: shop, order: 7, text: t, m: x, extra_args: y",
            ),
        ] {
            assert_eq!(applied(&selection), expected, "{selection:?}");
        }
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
        assert_eq!(problem(&selection(&[], Some(&[]), &[])), Some("only"));
        assert_eq!(problem(&selection(&[("msg", "")], None, &[])), Some("rename"));
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
