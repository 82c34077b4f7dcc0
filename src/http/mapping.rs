//! From a record to its dictionary, by the user's settings.

use std::sync::Arc;

use crate::fields::{Fields, map_core, map_key_values};
use crate::record::LogRecord;

/// A mapper of the user's.
pub(super) type Mapper = Arc<dyn Fn(&LogRecord, &mut Fields) + Send + Sync>;

/// The default dictionary or the user's, with the static fields.
#[derive(Clone)]
pub(super) struct Mapping {
    pub(super) mapper: Option<Mapper>,
    pub(super) static_fields: Fields,
}

impl Mapping {
    pub(super) fn map(&self, record: &LogRecord, fields: &mut Fields) {
        fields.clear();
        if let Some(mapper) = &self.mapper {
            mapper(record, fields);
            for (key, value) in self.static_fields.iter() {
                fields.push(key, value);
            }
        } else {
            map_core(record, fields);
            for (key, value) in self.static_fields.iter() {
                fields.push_extra(key, value);
            }
            map_key_values(record, fields);
        }
    }
}
