//! Where a record was logged, as far as that is known when the program is compiled.
//!
//! A record refers to its site by one pointer, so that those waiting in a queue stay small. Sites are never freed: a
//! program has only as many as it has modules that log.

use std::cell::Cell;
use std::collections::HashMap;
use std::ptr;

use once_cell::sync::Lazy;

use crate::sync::{Mutex, lock};

/// A source file and a module path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Site {
    pub(super) file: Option<&'static str>,
    pub(super) module_path: Option<&'static str>,
}

/// Sites that a thread remembers, so that it need not ask the others.
const REMEMBERED: usize = 16;

impl Site {
    /// The one site with this file and this module path.
    pub(super) fn of(file: Option<&'static str>, module_path: Option<&'static str>) -> &'static Self {
        thread_local!(static RECENT: [Cell<Option<&'static Site>>; REMEMBERED] = const { [const { Cell::new(None) }; REMEMBERED] });
        let site = Self { file, module_path };
        let place = file.map_or(0, |file| file.as_ptr().addr() / align_of::<usize>()) % REMEMBERED;
        let remembered = RECENT.try_with(|recent| {
            recent[place].get().filter(|found| found.is_same(&site)).unwrap_or_else(|| {
                let found = Self::intern(site);
                recent[place].set(Some(found));
                found
            })
        });
        remembered.unwrap_or_else(|_| Self::intern(site))
    }

    /// Whether these are the very same strings, which is told faster than whether they are equal.
    fn is_same(&self, other: &Self) -> bool {
        let same = |a: Option<&'static str>, b: Option<&'static str>| match (a, b) {
            (Some(a), Some(b)) => ptr::eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same(self.file, other.file) && same(self.module_path, other.module_path)
    }

    fn intern(site: Self) -> &'static Self {
        static ALL: Lazy<Mutex<HashMap<Site, &'static Site>>> = Lazy::new(Mutex::default);
        lock(&ALL).entry(site).or_insert_with(|| Box::leak(Box::new(site)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sites_are_one() {
        let leaked: &'static str = Box::leak("src/a.rs".to_owned().into_boxed_str());
        let (first, second) = (Site::of(Some("src/a.rs"), Some("a")), Site::of(Some(leaked), Some("a")));
        assert!(ptr::eq(first, second));
        assert_eq!((first.file, first.module_path), (Some("src/a.rs"), Some("a")));
    }

    #[test]
    fn different_sites_are_told_apart_however_many_there_are() {
        let names: Vec<&'static str> = (0..100).map(|n| &*Box::leak(format!("{n}").into_boxed_str())).collect();
        for _ in 0..2 {
            for file in &names {
                assert_eq!(Site::of(Some(file), None).file, Some(*file));
                assert_eq!(Site::of(None, Some(file)).module_path, Some(*file));
            }
        }
        assert_eq!(Site::of(None, None), &Site::default());
    }
}
