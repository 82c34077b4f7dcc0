//! The settings of what is sent for a record.

use std::sync::Arc;

use super::body::KEPT;
use super::builder::HttpHandlerBuilder;
use crate::error::Error;
use crate::fields::{CORE_KEYS, Fields, Selection, extra_key, is_safe_name, map_core, map_key_values};
use crate::record::LogRecord;
use crate::value::Value;

impl HttpHandlerBuilder {
    /// Adds a field to every record, the same for each: in the default dictionary before the record's key-values, with a
    /// mapper of your own behind what it has pushed. Defaults to none.
    ///
    /// In the default dictionary a key that is the dictionary's own goes out as `extra_<key>`.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log")
    ///     .field("service", "checkout")
    ///     .field("version", env!("CARGO_PKG_VERSION"))
    ///     .field("host", &logpost::host_name())
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "LoggerAdapter")]
    #[doc(alias = "extra")]
    #[doc(alias = "label")]
    pub fn field<'v>(mut self, key: &str, value: impl Into<Value<'v>>) -> Self {
        self.mapping.static_fields.push(key, value);
        self
    }

    /// Sends the field `from` of the default dictionary, or the key-value of that name, as `to`. Defaults to the names of
    /// [`map_log_record`](crate::map_log_record).
    ///
    /// A key-value is meant by its own key, and by the `extra_<key>` that it may go out as. One that has the name `to`
    /// already goes out as `extra_<to>`, so that nothing is mistaken for another thing.
    /// Two fields that would have one name are an error of [`build`](Self::build), and so is a renamed key that is not
    /// sent, or that is a [`field`](Self::field) of yours.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log")
    ///     .only(["created", "levelname", "msg"])
    ///     .rename("created", "timestamp")
    ///     .rename("levelname", "level")
    ///     .rename("msg", "message")
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "rename_fields")]
    pub fn rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.mapping.selection.rename(from.into(), to.into());
        self
    }

    /// Of the default dictionary and the key-values, sends only what has one of these keys. Called again, it adds to them.
    /// Defaults to all. Fields that [`field`](Self::field) has set are always sent. That a message was cut is told by a field
    /// `truncated`, which is one of these too.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log").only(["name", "levelname", "msg"]).build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "include")]
    pub fn only<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.mapping.selection.only(keys.into_iter().map(Into::into));
        self
    }

    /// Of the default dictionary and the key-values, sends nothing that has one of these keys. Called again, it adds to
    /// them. Defaults to none.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// // Neither where the program was compiled, nor what a caller may have logged.
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log").without(["pathname", "password"]).build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "exclude")]
    pub fn without<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.mapping.selection.without(keys.into_iter().map(Into::into));
        self
    }

    /// Replaces the dictionary: `mapper` pushes what is to be sent. Defaults to
    /// [`map_log_record`](crate::map_log_record), which it may call to add to it. It can't be had together with
    /// [`rename`](Self::rename), [`only`](Self::only) and [`without`](Self::without).
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// HttpHandler::builder("http://127.0.0.1:9020/notify").map_log_record(|record, fields| {
    ///     let urgent = record.level() == log::Level::Error;
    ///     fields.push("text", record.message()).push("priority", if urgent { 1 } else { 0 });
    /// });
    /// ```
    #[doc(alias = "mapLogRecord")]
    pub fn map_log_record(mut self, mapper: impl Fn(&LogRecord, &mut Fields) + Send + Sync + 'static) -> Self {
        self.mapping.mapper = Some(Arc::new(mapper));
        self
    }
}

/// Names and values that servers read alike.
impl HttpHandlerBuilder {
    /// Reduces the names of all fields to letters, digits and `_`, with no digit at the beginning: for PHP, which
    /// renames what has a dot or a space and drops what has a bracket out of place, and for Rack, which makes a tree of
    /// brackets. Defaults to false.
    ///
    /// Each other character becomes a `_`. A name that is taken already, by a field of the dictionary, one of
    /// [`field`](Self::field) or another key-value, gets a number behind it, from 2: `user_id`, `user_id_2`. So does a
    /// key that is given twice. One that would become the name of a field of the default dictionary, sent or not, goes
    /// out as `extra_<name>`. The keys of [`rename`](Self::rename) and the like are those before. A new name of
    /// `rename` that is not safe is an error of [`build`](Self::build), and so is `safe_names` with a preset that has
    /// such names, `@timestamp` say.
    ///
    /// ```
    /// use logpost::HttpHandler;
    ///
    /// let handler = HttpHandler::builder("http://127.0.0.1:9020/log.php")
    ///     .field("service.name", "checkout") // $_POST["service_name"]
    ///     .safe_names(true)
    ///     .build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[doc(alias = "sanitize")]
    pub fn safe_names(mut self, safe: bool) -> Self {
        self.mapping.safe_names = safe;
        self
    }

    /// Has JSON write whole numbers beyond 2^53 as strings: for readers that take every number for a double, as
    /// JavaScript's does, and would read another one. Defaults to false: they are numbers, with all their digits. A
    /// float that is such a whole number is one of them. Forms know text only, and are the same either way.
    ///
    /// ```
    /// use logpost::{HttpHandler, Json};
    ///
    /// let builder = HttpHandler::builder("http://127.0.0.1:9020/log").encoding(Json);
    /// let handler = builder.large_integers_as_text(true).build()?;
    /// # Ok::<(), logpost::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn large_integers_as_text(mut self, text: bool) -> Self {
        self.mapping.large_integers_as_text = text;
        self
    }
}

/// A mapper of the user's.
type Mapper = Arc<dyn Fn(&LogRecord, &mut Fields) + Send + Sync>;

/// From a record to its dictionary: the default or the user's, with the static fields.
#[derive(Clone, Default)]
pub(super) struct Mapping {
    mapper: Option<Mapper>,
    pub(super) selection: Selection,
    pub(super) static_fields: Fields,
    pub(super) safe_names: bool,
    #[cfg(feature = "json")]
    pub(super) large_integers_as_text: bool,
    /// Called on what every record has: what is to be sent as `created`.
    #[cfg(feature = "json")]
    pub(super) created: Option<fn(&LogRecord) -> String>,
    /// Names that have to be sent, and the setting that wants it.
    #[cfg(feature = "json")]
    pub(super) wanted: Option<(&'static str, Vec<String>)>,
    /// What every record has, before the selection.
    all: Fields,
}

impl Mapping {
    pub(super) fn validate(&self) -> Result<(), Error> {
        if let Some(setting) = self.selection.setting().filter(|_| self.mapper.is_some()) {
            return Err(Error::invalid(setting, "is for the default dictionary, but `map_log_record` replaces it"));
        }
        if self.static_fields.keys().contains(&"") {
            return Err(Error::invalid("field", "the key must not be empty"));
        }
        if let Some(name) = self.selection.new_names().find(|name| self.safe_names && !is_safe_name(name)) {
            return Err(Error::invalid("rename", format!("{name:?} is no safe name, but `safe_names` is set")));
        }
        let is_made_safe = |name: &&str| self.safe_names && self.mapper.is_none() && !is_safe_name(name);
        if let Some(name) = self.selection.preset_names().find(is_made_safe) {
            let problem = format!("{name:?} is what the server knows a field by, and no safe name");
            return Err(Error::invalid("safe_names", problem));
        }
        let fixed: Vec<_> = self.static_fields.keys().into_iter().map(extra_key).collect();
        let problem = self.selection.problem(&fixed, &CORE_KEYS);
        if let Some((setting, problem)) = problem {
            return Err(Error::invalid(setting, problem));
        }
        #[cfg(feature = "json")]
        self.look_for_wanted(&fixed)?;
        Ok(())
    }

    /// Of a mapper of the user's nobody knows what it will push.
    #[cfg(feature = "json")]
    fn look_for_wanted(&self, fixed: &[std::borrow::Cow<'_, str>]) -> Result<(), Error> {
        let Some((setting, names)) = self.wanted.as_ref().filter(|_| self.mapper.is_none()) else { return Ok(()) };
        let is_sent =
            |name: &String| self.selection.names(&CORE_KEYS).any(|core| core == name) || fixed.contains(&name.into());
        match names.iter().find(|name| !is_sent(name)) {
            None => Ok(()),
            Some(name) => {
                let problem = format!("{name:?} is neither sent of every record nor set by `field`");
                Err(Error::invalid(setting, problem))
            }
        }
    }

    pub(super) fn map(&mut self, record: &LogRecord, fields: &mut Fields) {
        fields.clear();
        if let Some(mapper) = &self.mapper {
            mapper(record, fields);
            for (key, value) in self.static_fields.iter() {
                fields.push(key, value);
            }
        } else if self.selection.selects() {
            self.all.clear();
            self.all.shrink_to(KEPT);
            map_core(record, &mut self.all);
            let created = self.created(record);
            self.selection.apply(&self.all, created.as_deref().map(Value::from), fields);
            self.add_static_fields(fields);
            for (key, value) in record.key_values() {
                self.selection.push_extra(fields, key, value);
            }
        } else {
            map_core(record, fields);
            self.add_static_fields(fields);
            map_key_values(record, fields);
        }
        if self.safe_names {
            fields.make_names_safe();
        }
        #[cfg(feature = "json")]
        if self.large_integers_as_text {
            fields.make_large_integers_text();
        }
    }

    fn add_static_fields(&self, fields: &mut Fields) {
        for (key, value) in self.static_fields.iter() {
            fields.push_extra(key, value);
        }
    }

    #[cfg(feature = "json")]
    fn created(&self, record: &LogRecord) -> Option<String> {
        self.created.map(|text_of| text_of(record))
    }

    #[cfg(not(feature = "json"))]
    #[expect(clippy::unused_self, reason = "the feature json has a use for it")]
    fn created(&self, _: &LogRecord) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpHandler;

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        let builder = || HttpHandler::builder("http://127.0.0.1:1/").field("service", "shop");
        let setting = |builder: HttpHandlerBuilder| builder.build().unwrap_err().setting();
        assert_eq!(setting(builder().rename("msg", "name")), Some("rename"));
        assert_eq!(setting(builder().rename("msg", "service")), Some("rename"));
        assert_eq!(setting(builder().without(["service"])), Some("without"));
        assert_eq!(setting(builder().field("", "x")), Some("field"));
        assert_eq!(setting(builder().rename("msg", "")), Some("rename"));
        assert_eq!(setting(builder().only(Vec::<String>::new())), Some("only"));
        for with_a_mapper in [builder().rename("a", "b"), builder().only(["a"]), builder().without(["a"])] {
            assert!(setting(with_a_mapper.map_log_record(|_, _| {})).is_some());
        }
        builder().only(["msg", "order"]).rename("msg", "name").build().unwrap();
    }

    #[test]
    fn what_is_sent_under_which_name() {
        let pairs: &[_] = &[("order", "7"), ("text", "t"), ("msg", "evil"), ("password", "secret")];
        let record = log::Record::builder().args(format_args!("m")).target("shop").key_values(&pairs).build();
        let keys = |builder: HttpHandlerBuilder| {
            let mut mapping = builder.mapping;
            mapping.validate().unwrap();
            let mut fields = Fields::new();
            mapping.map(&LogRecord::from(&record), &mut fields);
            fields.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        let builder = || HttpHandler::builder("http://127.0.0.1:1/").field("msg", "mine");
        let some = || builder().only(["name", "msg", "order", "text"]);
        assert_eq!(keys(some()), "name=shop msg=m extra_msg=mine order=7 text=t extra_msg=evil");
        assert_eq!(
            keys(some().rename("msg", "text").rename("order", "id")),
            "name=shop text=m extra_msg=mine id=7 extra_text=t extra_msg=evil"
        );
        let without = keys(builder().without(CORE_KEYS).without(["password"]));
        assert_eq!(without, "extra_msg=mine order=7 text=t");
    }

    #[test]
    fn safe_names_are_told_apart_from_all_others() {
        let pairs: &[_] =
            &[("user.id", "1"), ("user id", "2"), ("log-level", "3"), ("exc-info", "4"), ("msg", "5"), ("9", "6")];
        let record = log::Record::builder().args(format_args!("m")).key_values(&pairs).build();
        let builder = HttpHandler::builder("http://127.0.0.1:1/").only([
            "msg",
            "user.id",
            "user id",
            "log-level",
            "exc-info",
            "9",
        ]);
        let builder = builder.rename("msg", "log_level").field("user_id", "0").field("user-id", "00").safe_names(true);
        let mut mapping = builder.mapping;
        mapping.validate().unwrap();
        let mut fields = Fields::new();
        mapping.map(&LogRecord::from(&record), &mut fields);
        let sent: Vec<_> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            sent.join(" "),
            "log_level=m user_id=0 user_id_2=00 user_id_3=1 user_id_4=2 log_level_2=3 extra_exc_info=4 extra_msg=5 _9=6"
        );
    }

    #[test]
    fn names_that_are_not_safe_are_an_error_where_they_were_to_be() {
        let builder = HttpHandler::builder("http://127.0.0.1:1/").rename("msg", "log.message");
        let error = builder.clone().safe_names(true).build().unwrap_err();
        assert_eq!(error.setting(), Some("rename"));
        assert_eq!(error.to_string(), r#"rename: "log.message" is no safe name, but `safe_names` is set"#);
        builder.build().unwrap();
        #[cfg(feature = "json")]
        {
            use crate::http::presets::{elasticsearch_bulk, vector};
            let error = elasticsearch_bulk("http://127.0.0.1:1", "logs").safe_names(true).build().unwrap_err();
            assert_eq!(error.setting(), Some("safe_names"));
            assert!(error.to_string().contains("@timestamp"), "{error}");
            vector("http://127.0.0.1:1").safe_names(true).build().unwrap();
        }
    }
}
