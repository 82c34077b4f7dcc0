//! A logger by what the environment says.

use std::ffi::OsString;
use std::time::Duration;

use crate::builder::Builder;
use crate::error::Error;
use crate::filter::Filter;
use crate::guard::Guard;
use crate::http::{HttpHandler, HttpHandlerBuilder};
use crate::pipeline::Pipeline;
use crate::queue::Overflow;

/// Sends what is logged to where the environment says: the process's logger from now on. Where it does not say, nothing
/// happens: `Ok(None)`.
///
/// | variable | | default |
/// |---|---|---|
/// | `LOGPOST_URL` | where to: an http or https URL | no logger |
/// | `LOGPOST_LEVEL` | `off`, `error`, `warn`, `info`, `debug` or `trace` | what `RUST_LOG` says |
/// | `RUST_LOG` (feature `env-filter`) | directives, as in `Builder::filter`; not looked at where `LOGPOST_LEVEL` is set | `info` |
/// | `LOGPOST_USER`, `LOGPOST_PASSWORD` | credentials, for `Authorization: Basic` | those in the URL, if any; an empty password |
/// | `LOGPOST_TOKEN` | for `Authorization: Bearer`; not together with a user | none |
/// | `LOGPOST_TIMEOUT` | a duration: how long a request may take | [`DEFAULT_TIMEOUT`](crate::DEFAULT_TIMEOUT) |
/// | `LOGPOST_CAPACITY` | how many records may wait | [`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY) |
/// | `LOGPOST_OVERFLOW` | `drop-newest`, `drop-oldest`, or `block=` and a duration | `drop-newest` |
///
/// A duration is a number of seconds, with a point if need be (`2.5`), or a number with its unit: `500ms`, `2.5s`, `5m`.
/// A variable that is empty counts as unset. [`Builder::from_env`] is for programs that have more to set.
///
/// # Errors
///
/// A variable whose value is wrong: [`Error::setting`] is its name. No error shows a password or a token. And as
/// [`Builder::init`].
///
/// ```
/// fn main() -> Result<(), logpost::Error> {
///     let _guard = logpost::init_from_env()?;
///     log::info!("sent to LOGPOST_URL, if that is set");
///     Ok(())
/// }
/// ```
#[doc(alias = "try_init_from_env")]
pub fn init_from_env() -> Result<Option<Guard>, Error> {
    Builder::from_env()?.map(Builder::init).transpose()
}

impl Builder {
    /// A builder by what the environment says, with one handler, so that more can be set; `None` without a
    /// `LOGPOST_URL`. [`init_from_env`] has the table of variables.
    ///
    /// # Errors
    ///
    /// A variable whose value is wrong: [`Error::setting`] is its name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use logpost::Builder;
    ///
    /// if let Some(builder) = Builder::from_env()? {
    ///     let guard = builder.flush_timeout(Duration::from_secs(2)).init()?;
    /// }
    /// # Ok::<(), logpost::Error>(())
    /// ```
    pub fn from_env() -> Result<Option<Self>, Error> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// A builder by what `variable` says.
    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let variables = Variables(variable);
        let Some(handler) = variables.handler()? else { return Ok(None) };
        let has_user = variables.text("LOGPOST_USER")?.is_some();
        let handler = handler.build().map_err(|error| match error.setting() {
            // Those in the URL.
            Some("credentials") if !has_user => error.by_another_name("LOGPOST_URL"),
            _ => by_variable(error),
        })?;
        let builder = Self::default().handler(variables.pipeline(handler)?);
        Ok(Some(match variables.filter()? {
            Some(filter) => builder.own_filter(filter),
            None => builder,
        }))
    }
}

/// The environment, or a test's.
struct Variables<F>(F);

impl<F: Fn(&str) -> Option<OsString>> Variables<F> {
    /// The value of a variable, unless it is unset or empty.
    fn text(&self, name: &'static str) -> Result<Option<String>, Error> {
        let value = (self.0)(name).filter(|value| !value.is_empty());
        // Whatever it is may be a secret.
        value.map(|value| value.into_string().map_err(|_| Error::invalid(name, "is not UTF-8"))).transpose()
    }

    /// The value of a variable that is no secret, by a function that says what it should be.
    fn parsed<T>(&self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Error> {
        let Some(value) = self.text(name)? else { return Ok(None) };
        parse(&value).map(Some).map_err(|problem| Error::invalid(name, problem))
    }

    /// The handler, if there is a URL for it.
    fn handler(&self) -> Result<Option<HttpHandlerBuilder>, Error> {
        let Some(url) = self.text("LOGPOST_URL")? else { return Ok(None) };
        let mut handler = HttpHandler::builder(url);
        let token = self.text("LOGPOST_TOKEN")?;
        match (self.text("LOGPOST_USER")?, self.text("LOGPOST_PASSWORD")?) {
            (Some(_), _) if token.is_some() => {
                return Err(Error::invalid("LOGPOST_TOKEN", "is set, but so is LOGPOST_USER"));
            }
            (Some(user), password) => handler = handler.credentials(user, password.unwrap_or_default()),
            (None, Some(_)) => return Err(Error::invalid("LOGPOST_PASSWORD", "is set, but LOGPOST_USER is not")),
            (None, None) => {}
        }
        if let Some(token) = token {
            handler = handler.bearer_token(token);
        }
        if let Some(timeout) = self.parsed("LOGPOST_TIMEOUT", duration)? {
            handler = handler.timeout(timeout);
        }
        Ok(Some(handler))
    }

    fn pipeline(&self, handler: HttpHandler) -> Result<Pipeline, Error> {
        let mut pipeline = Pipeline::new(handler);
        if let Some(capacity) = self.parsed("LOGPOST_CAPACITY", number)? {
            pipeline = pipeline.capacity(capacity);
        }
        if let Some(overflow) = self.parsed("LOGPOST_OVERFLOW", overflow)? {
            pipeline = pipeline.overflow(overflow);
        }
        pipeline.validate().map_err(by_variable)?;
        Ok(pipeline)
    }

    fn filter(&self) -> Result<Option<Filter>, Error> {
        let level = self.parsed("LOGPOST_LEVEL", level)?;
        #[cfg(feature = "env-filter")]
        if level.is_none() {
            return self.parsed("RUST_LOG", Filter::parse);
        }
        Ok(level)
    }
}

fn level(text: &str) -> Result<Filter, String> {
    let level: Result<log::LevelFilter, _> = text.parse();
    level.map(Filter::from).map_err(|_| format!("must be off, error, warn, info, debug or trace, but is {text:?}"))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("must be a number of records, but is {text:?}"))
}

fn overflow(text: &str) -> Result<Overflow, String> {
    match text {
        "drop-newest" => Ok(Overflow::DropNewest),
        "drop-oldest" => Ok(Overflow::DropOldest),
        _ => match text.strip_prefix("block=") {
            Some(time) => duration(time).map(Overflow::Block),
            None => Err(format!("must be drop-newest, drop-oldest or block=<duration>, but is {text:?}")),
        },
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
    let seconds_in_one = match unit {
        "" | "s" => Some(1.0),
        "ms" => Some(0.001),
        "m" => Some(60.0),
        _ => None,
    };
    let seconds = seconds_in_one.and_then(|one| Some(number.parse::<f64>().ok()? * one));
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("must be a duration, such as 2.5 (seconds), 500ms, 10s or 5m, but is {text:?}"))
}

/// The error about a setting, as that of the variable it was set by.
fn by_variable(error: Error) -> Error {
    let variable = match error.setting() {
        Some("url") => "LOGPOST_URL",
        Some("credentials") => "LOGPOST_USER",
        Some("header" | "bearer_token") => "LOGPOST_TOKEN",
        Some("timeout") => "LOGPOST_TIMEOUT",
        Some("capacity") => "LOGPOST_CAPACITY",
        _ => return error,
    };
    error.by_another_name(variable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::LevelFilter;

    const URL: (&str, &str) = ("LOGPOST_URL", "http://127.0.0.1:9020/log");

    fn built(variables: &[(&str, &str)]) -> Result<Option<Builder>, Error> {
        Builder::from_variables(|name| value_of(name, variables))
    }

    fn value_of(name: &str, variables: &[(&str, &str)]) -> Option<OsString> {
        variables.iter().find(|(of, _)| *of == name).map(|(_, value)| value.into())
    }

    /// What is wrong with these, besides a URL that is right.
    fn problem(variables: &[(&str, &str)]) -> Error {
        built(&[&[URL], variables].concat()).unwrap_err()
    }

    #[test]
    fn without_a_url_nothing_is_looked_at() {
        assert!(built(&[]).unwrap().is_none());
        assert!(built(&[("LOGPOST_URL", ""), ("LOGPOST_LEVEL", "loud")]).unwrap().is_none());
    }

    #[test]
    fn with_a_url_everything_else_has_its_default() {
        let by_env = built(&[URL]).unwrap().unwrap();
        let by_hand = Builder::default().handler(HttpHandler::new(URL.1).unwrap());
        assert_eq!(format!("{by_env:?}"), format!("{by_hand:?}"));
    }

    #[test]
    fn empty_is_as_unset() {
        let names = ["LEVEL", "USER", "PASSWORD", "TOKEN", "TIMEOUT", "CAPACITY", "OVERFLOW"];
        let names: Vec<_> = names.iter().map(|name| format!("LOGPOST_{name}")).chain(["RUST_LOG".to_owned()]).collect();
        let empty: Vec<_> = names.iter().map(|name| (name.as_str(), "")).chain([URL]).collect();
        assert_eq!(format!("{:?}", built(&empty).unwrap()), format!("{:?}", built(&[URL]).unwrap()));
    }

    #[test]
    fn each_variable_sets_what_it_is_named_after() {
        let builder =
            built(&[URL, ("LOGPOST_LEVEL", "debug"), ("LOGPOST_CAPACITY", "17"), ("LOGPOST_OVERFLOW", "block=1.5")]);
        let http = HttpHandler::new(URL.1).unwrap();
        let pipeline = Pipeline::new(http).capacity(17).overflow(Overflow::Block(Duration::from_millis(1500)));
        let by_hand = Builder::default().level(LevelFilter::Debug).handler(pipeline);
        assert_eq!(format!("{:?}", builder.unwrap().unwrap()), format!("{by_hand:?}"));

        let handler = Variables(|name: &str| value_of(name, &[URL, ("LOGPOST_TIMEOUT", "2m")])).handler();
        let by_hand = HttpHandler::builder(URL.1).timeout(Duration::from_secs(120));
        assert_eq!(format!("{:?}", handler.unwrap().unwrap()), format!("{by_hand:?}"));
    }

    #[test]
    fn durations() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in
            [("10", 10_000), ("2.5", 2500), (".5", 500), ("2.5s", 2500), ("500ms", 500), ("0.5m", 30_000), ("0", 0)]
        {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        for text in ["s", "-1", "1h", "1 s", "1e3", "nan", "inf", "1s500ms", "99999999999999999999", "five"] {
            assert!(duration(text).unwrap_err().ends_with(&format!("but is {text:?}")), "{text}");
        }
    }

    #[test]
    fn overflows() {
        assert_eq!(overflow("drop-newest"), Ok(Overflow::DropNewest));
        assert_eq!(overflow("drop-oldest"), Ok(Overflow::DropOldest));
        assert_eq!(overflow("block=250ms"), Ok(Overflow::Block(Duration::from_millis(250))));
        for text in ["block", "drop", "Drop-Newest", "block 5"] {
            assert!(overflow(text).unwrap_err().contains(text), "{text}");
        }
        assert!(overflow("block=ever").unwrap_err().contains("must be a duration"));
    }

    #[test]
    fn a_value_that_is_wrong_is_an_error_that_names_its_variable() {
        for (name, value) in [
            ("LOGPOST_LEVEL", "loud"),
            ("LOGPOST_TIMEOUT", "soon"),
            ("LOGPOST_CAPACITY", "many"),
            ("LOGPOST_CAPACITY", "-1"),
            ("LOGPOST_OVERFLOW", "explode"),
            #[cfg(feature = "env-filter")]
            ("RUST_LOG", "my_app=loud"),
        ] {
            let error = problem(&[(name, value)]);
            assert_eq!(error.setting(), Some(name), "{error}");
            assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
            assert!(error.to_string().contains(value), "{error}");
        }
        for (name, value) in [("LOGPOST_TIMEOUT", "0"), ("LOGPOST_CAPACITY", "0")] {
            assert_eq!(problem(&[(name, value)]).setting(), Some(name));
        }
        for url in ["ftp://127.0.0.1/", "http://a%3Ab:c@127.0.0.1/"] {
            assert_eq!(built(&[("LOGPOST_URL", url)]).unwrap_err().setting(), Some("LOGPOST_URL"));
        }
    }

    #[test]
    fn no_error_shows_a_secret() {
        let user = ("LOGPOST_USER", "us:er");
        for (variables, named) in [
            (vec![("LOGPOST_PASSWORD", "hunter2")], "LOGPOST_PASSWORD"),
            (vec![user, ("LOGPOST_PASSWORD", "hunter2")], "LOGPOST_USER"),
            (vec![("LOGPOST_TOKEN", "hunter2\n")], "LOGPOST_TOKEN"),
            (vec![("LOGPOST_USER", "user"), ("LOGPOST_TOKEN", "hunter2")], "LOGPOST_TOKEN"),
        ] {
            let error = problem(&variables);
            assert_eq!(error.setting(), Some(named), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        let good = built(&[URL, ("LOGPOST_USER", "user"), ("LOGPOST_PASSWORD", "hunter2")]).unwrap().unwrap();
        assert!(!format!("{good:?}").contains("hunter2"));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_an_error_that_does_not_show_it() {
        use std::os::unix::ffi::OsStringExt as _;
        for name in ["LOGPOST_URL", "LOGPOST_PASSWORD"] {
            let value = |asked: &str| match asked {
                _ if asked == name => Some(OsString::from_vec(vec![b'h', 0xff])),
                _ => value_of(asked, &[URL]),
            };
            let error = Builder::from_variables(value).unwrap_err();
            assert_eq!(error.to_string(), format!("{name}: is not UTF-8"));
        }
    }

    #[cfg(feature = "env-filter")]
    #[test]
    fn rust_log_is_for_want_of_a_level() {
        let rust_log = ("RUST_LOG", "warn,my_app=debug");
        let by_env = |variables: &[(&str, &str)]| format!("{:?}", built(variables).unwrap().unwrap());
        let by_hand = |configure: fn(Builder) -> Builder| {
            format!("{:?}", configure(Builder::default()).handler(HttpHandler::new(URL.1).unwrap()))
        };
        assert_eq!(by_env(&[URL, rust_log]), by_hand(|builder| builder.filter("warn,my_app=debug")));
        let level_wins = by_hand(|builder| builder.level(LevelFilter::Error));
        assert_eq!(by_env(&[URL, rust_log, ("LOGPOST_LEVEL", "error")]), level_wins);
        assert_eq!(by_env(&[URL, ("RUST_LOG", "my_app=loud"), ("LOGPOST_LEVEL", "error")]), level_wins);
    }
}
