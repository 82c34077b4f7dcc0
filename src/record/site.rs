//! Where a record was logged, as far as that is known when the program is compiled.
//!
//! A record refers to its site by one pointer, so that those waiting in a queue stay small. Sites are never freed: a
//! program has only as many as it has modules that log.

use std::cell::Cell;
use std::collections::HashMap;
use std::ptr;

use once_cell::sync::Lazy;

use crate::form::Known;
use crate::sync::{Mutex, lock};

/// A source file and a module path.
#[derive(Debug)]
pub(crate) struct Site {
    key: Key,
    pub(crate) file: Option<Known>,
    /// The last component of the file, on whichever system it was compiled.
    pub(crate) file_name: Option<Known>,
    pub(crate) module_path: Option<Known>,
}

/// What tells one site from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    file: Option<&'static str>,
    module_path: Option<&'static str>,
}

/// Sites that a thread remembers, so that it need not ask the others.
const REMEMBERED: usize = 16;

impl Site {
    /// The one site with this file and this module path.
    pub(super) fn of(file: Option<&'static str>, module_path: Option<&'static str>) -> &'static Self {
        thread_local!(static RECENT: [Cell<Option<&'static Site>>; REMEMBERED] = const { [const { Cell::new(None) }; REMEMBERED] });
        let key = Key { file, module_path };
        let place = file.map_or(0, |file| file.as_ptr().addr() / align_of::<usize>()) % REMEMBERED;
        RECENT.with(|recent| {
            recent[place].get().filter(|found| found.key.is_same(key)).unwrap_or_else(|| {
                let found = Self::intern(key);
                recent[place].set(Some(found));
                found
            })
        })
    }

    fn intern(key: Key) -> &'static Self {
        static ALL: Lazy<Mutex<HashMap<Key, &'static Site>>> = Lazy::new(Mutex::default);
        lock(&ALL).entry(key).or_insert_with(|| Box::leak(Box::new(Self::new(key))))
    }

    fn new(key: Key) -> Self {
        Self {
            key,
            file: key.file.map(Known::new),
            file_name: key.file.map(|file| Known::new(file_name(file))),
            module_path: key.module_path.map(Known::new),
        }
    }

    pub(super) fn static_file(&self) -> Option<&'static str> {
        self.key.file
    }

    pub(super) fn static_module_path(&self) -> Option<&'static str> {
        self.key.module_path
    }
}

impl Key {
    /// Whether these are the very same strings, which is told faster than whether they are equal.
    fn is_same(self, other: Self) -> bool {
        let same = |a: Option<&'static str>, b: Option<&'static str>| match (a, b) {
            (Some(a), Some(b)) => ptr::eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same(self.file, other.file) && same(self.module_path, other.module_path)
    }
}

/// The last component, on whichever system the file was compiled.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sites_are_one() {
        let leaked: &'static str = Box::leak("src/a.rs".to_owned().into_boxed_str());
        let (first, second) = (Site::of(Some("src/a.rs"), Some("a")), Site::of(Some(leaked), Some("a")));
        assert!(ptr::eq(first, second));
        assert_eq!((first.static_file(), first.static_module_path()), (Some("src/a.rs"), Some("a")));
    }

    #[test]
    fn different_sites_are_told_apart_however_many_there_are() {
        let names: Vec<&'static str> = (0..100).map(|n| &*Box::leak(format!("{n}").into_boxed_str())).collect();
        for _ in 0..2 {
            for file in &names {
                assert_eq!(Site::of(Some(file), None).static_file(), Some(*file));
                assert_eq!(Site::of(None, Some(file)).static_module_path(), Some(*file));
            }
        }
        assert_eq!(Site::of(None, None).key, Key { file: None, module_path: None });
    }

    #[test]
    fn what_it_knows_beforehand() {
        let site = Site::of(Some("src\\net/a b.rs"), Some("app::net"));
        let known = [&site.file, &site.file_name, &site.module_path].map(|known| known.as_ref().unwrap());
        assert_eq!(known.map(|known| &*known.text), ["src\\net/a b.rs", "a b.rs", "app::net"]);
        let forms = known.map(|known| known.form.as_deref().unwrap());
        assert_eq!(forms, ["src%5Cnet%2Fa+b.rs", "a+b.rs", "app%3A%3Anet"]);
    }
}
