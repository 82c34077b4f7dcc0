//! The command line.

use std::ffi::OsString;

use lexopt::prelude::*;
use logpost_collector::{DEFAULT_DATABASE, MAX_KEEP, MAX_MAX_BODY_BYTES, Settings};

pub(crate) const HELP: &str = "\
Receives what logpost sends, keeps it in SQLite and shows it on a page.

usage: cargo run -p logpost-collector -- [OPTIONS]

      --listen ADDRESS    where to listen, port 0 for any [default: 127.0.0.1:9020]
      --database FILE     where records are kept [default: logpost-collector.sqlite; with --demo a temporary file]
      --keep COUNT        how many records are kept, the newest, 300000 at the most [default: 100000]
      --keep-bytes BYTES  how large the database may be: the oldest go, however few they are [default: 1073741824]
      --max-body BYTES    the largest body, decompressed too, 67108864 at the most [default: 4194304]
      --token TOKEN       who posts or reads has to have it: as a bearer token, or as the password of any user
                          [default: $LOGPOST_COLLECTOR_TOKEN, or none]
      --host-name NAME    a name by which the collector is reached, beside localhost and addresses; may be repeated
      --demo              log believable records into it, until it ends
  -h, --help              this text
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Run { settings: Settings, demo: bool },
    Help,
}

/// `arguments` without the program's name; `token` is the environment's.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    token: Option<String>,
) -> Result<Command, lexopt::Error> {
    let mut settings = Settings { token: token.filter(|token| !token.is_empty()), ..Settings::default() };
    let mut demo = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => settings.listen = setting("--listen", &parser.value()?.string()?)?,
            Long("database") => settings.database = Some(parser.value()?.into()),
            Long("keep") => settings.keep = limit("--keep", &parser.value()?.string()?, MAX_KEEP)?,
            Long("keep-bytes") => settings.keep_bytes = setting("--keep-bytes", &parser.value()?.string()?)?,
            Long("max-body") => {
                settings.max_body_bytes = limit("--max-body", &parser.value()?.string()?, MAX_MAX_BODY_BYTES)?;
            }
            Long("token") => {
                let token = parser.value()?.string()?;
                if token.is_empty() {
                    return Err("--token is empty".into());
                }
                settings.token = Some(token);
            }
            Long("host-name") => settings.host_names.push(parser.value()?.string()?),
            Long("demo") => demo = true,
            Short('h') | Long("help") => return Ok(Command::Help),
            _ => return Err(argument.unexpected()),
        }
    }
    if settings.database.is_none() && !demo {
        settings.database = Some(DEFAULT_DATABASE.into());
    }
    Ok(Command::Run { settings, demo })
}

fn setting<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, lexopt::Error> {
    value.parse().map_err(|error| format!("{name} {value}: {error}").into())
}

fn limit(name: &str, value: &str, most: u32) -> Result<u32, lexopt::Error> {
    let number = setting(name, value)?;
    if number == 0 || number > most {
        return Err(format!("{name} {value}: not from 1 to {most}").into());
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<(Settings, bool), String> {
        match parse(arguments.iter().map(OsString::from), Some("of-the-environment".to_owned())) {
            Ok(Command::Run { settings, demo }) => Ok((settings, demo)),
            Ok(Command::Help) => Err("help".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn settings_of_the_command_line() {
        let (settings, demo) = parsed(&[]).unwrap();
        assert_eq!((settings.listen.to_string().as_str(), demo), ("127.0.0.1:9020", false));
        assert_eq!(settings.database.unwrap().to_str(), Some(DEFAULT_DATABASE));
        assert_eq!(settings.token.as_deref(), Some("of-the-environment"));

        let line = "--listen [::1]:0 --database x.sqlite --keep 5 --keep-bytes 7 --max-body=10 --token t --host-name a --host-name b";
        let (settings, _) = parsed(&line.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!(settings.listen.to_string(), "[::1]:0");
        assert_eq!((settings.keep, settings.keep_bytes, settings.max_body_bytes), (5, 7, 10));
        assert_eq!(settings.token.as_deref(), Some("t"));
        assert_eq!(settings.host_names, ["a", "b"]);

        let (settings, demo) = parsed(&["--demo"]).unwrap();
        assert!(demo && settings.database.is_none());
        assert_eq!(parsed(&["-h"]).unwrap_err(), "help");
    }

    #[test]
    fn errors_name_the_setting_and_its_value() {
        for (arguments, error) in [
            (["--keep", "0"], "--keep 0: not from 1 to 300000"),
            (["--keep", "many"], "--keep many: invalid digit found in string"),
            (["--max-body", "99999999"], "--max-body 99999999: not from 1 to 67108864"),
            (["--listen", "9020"], "--listen 9020: invalid socket address syntax"),
            (["--token", ""], "--token is empty"),
        ] {
            assert_eq!(parsed(&arguments).unwrap_err(), error);
        }
        assert!(parsed(&["--colour"]).unwrap_err().contains("--colour"));
        assert!(parsed(&["stray"]).unwrap_err().contains("stray"));
    }

    #[test]
    fn help_has_the_limits_that_hold() {
        for number in [MAX_KEEP, MAX_MAX_BODY_BYTES, logpost_collector::DEFAULT_KEEP] {
            assert!(HELP.contains(&number.to_string()), "{number}");
        }
        assert!(HELP.contains(&logpost_collector::DEFAULT_KEEP_BYTES.to_string()));
        assert!(HELP.contains(&logpost_collector::DEFAULT_MAX_BODY_BYTES.to_string()));
        assert!(HELP.contains(DEFAULT_DATABASE) && HELP.contains(&logpost_collector::DEFAULT_LISTEN.to_string()));
    }
}
