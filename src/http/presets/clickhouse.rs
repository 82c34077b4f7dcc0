//! ClickHouse, by its HTTP interface.

use super::{Judged, USUAL, escaped};
use crate::fields::Fields;
use crate::handler::{EmitError, ErrorClass};
use crate::http::builder::HttpHandlerBuilder;
use crate::http::encoding::{Encode, Form, Verdict};
use crate::http::json::JsonLines;

/// ClickHouse, by `INSERT INTO table FORMAT JSONEachRow`: each record is a row, and the fields are its columns.
///
/// `timestamp` is a number of seconds with microseconds, as `DateTime64(6)` takes it. Fields that the table has no
/// column for are passed by, as ClickHouse does unless its setting `input_format_skip_unknown_fields` says otherwise. A
/// user and a password are those of [`credentials`](HttpHandlerBuilder::credentials). An answer that has an exception
/// of ClickHouse's in it delivers nothing, whatever its status.
///
/// It is an error of `build` if `table` is not a name, or two with a point between: letters, digits and `_`.
///
/// ```
/// // CREATE TABLE logs (timestamp DateTime64(6), level LowCardinality(String), message String, name String)
/// //     ENGINE = MergeTree ORDER BY timestamp
/// let handler = logpost::presets::clickhouse("http://127.0.0.1:8123", "logs").credentials("app", "secret").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
pub fn clickhouse(url: impl AsRef<str>, table: impl AsRef<str>) -> HttpHandlerBuilder {
    insert(url.as_ref(), table.as_ref(), "JSONEachRow").encoding(Judged(JsonLines, judge))
}

/// ClickHouse, by `INSERT INTO table FORMAT Form`: one record a request. Else it is [`clickhouse`].
///
/// A space is `%20` here, since ClickHouse takes a `+` for what it is. It takes no form with a column that
/// comes twice (see [`safe_names`](HttpHandlerBuilder::safe_names)), and what is absent is the text `None`.
///
/// ```
/// let handler = logpost::presets::clickhouse_form("http://127.0.0.1:8123", "logs").build()?;
/// # Ok::<(), logpost::Error>(())
/// ```
pub fn clickhouse_form(url: impl AsRef<str>, table: impl AsRef<str>) -> HttpHandlerBuilder {
    insert(url.as_ref(), table.as_ref(), "Form").encoding(Judged(PercentForm, judge))
}

/// [`Form`], with a space as `%20`.
struct PercentForm;

impl Encode for PercentForm {
    fn content_type(&self) -> &'static str {
        Form.content_type()
    }

    fn max_records(&self) -> usize {
        Form.max_records()
    }

    fn append(&self, fields: &Fields, body: &mut Vec<u8>) {
        let mut form = Vec::new();
        Form.append(fields, &mut form);
        for (place, part) in form.split(|byte| *byte == b'+').enumerate() {
            body.extend_from_slice(if place == 0 { b"" } else { b"%20" });
            body.extend_from_slice(part);
        }
    }
}

fn insert(url: &str, table: &str, format: &str) -> HttpHandlerBuilder {
    let is_name = |name: &str| crate::fields::is_safe_name(name);
    let is_table = table.split('.').count() <= 2 && table.split('.').all(is_name);
    let query = escaped(&format!("INSERT INTO {table} FORMAT {format}"));
    HttpHandlerBuilder::to(url, &format!("/?query={query}"))
        .demand("table", is_table, || format!("must be a name, or two with a point between, but is {table:?}"))
        .named(USUAL)
}

/// Codes of exceptions that are about the rows: what can't be parsed, and what a column or a constraint does not take.
/// From ClickHouse's `src/Common/ErrorCodes.cpp`.
const OF_ROWS: [u32; 22] =
    [6, 25, 26, 27, 32, 33, 38, 41, 53, 69, 72, 117, 130, 131, 195, 321, 349, 376, 441, 469, 675, 691];
/// Those that somebody has to mend: columns, types, tables, databases, syntax, settings, users.
const OF_THE_TABLE: [u32; 12] = [16, 47, 60, 62, 73, 81, 115, 192, 193, 194, 497, 516];

fn judge(status: u16, body: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("Code: ").filter(|(_, rest)| rest.contains("DB::Exception"))?.1;
    let digits = code.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let class = match digits.parse::<u32>() {
        Ok(code) if OF_ROWS.contains(&code) => ErrorClass::Payload,
        Ok(code) if OF_THE_TABLE.contains(&code) => ErrorClass::Endpoint,
        _ if status != 200 => return None,
        _ => ErrorClass::Transient,
    };
    Some(Err(EmitError::new(class, format!("ClickHouse answered {status}: {text}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_is_no_plus() {
        let mut body = Vec::new();
        PercentForm.append(&Fields::from_iter([("a b", " c+d  e ")]), &mut body);
        assert_eq!(String::from_utf8(body).unwrap(), "a%20b=%20c%2Bd%20%20e%20");
    }

    #[test]
    fn the_code_of_the_exception_decides() {
        let class = |status, body: &str| {
            let verdict = judge(status, body.as_bytes())?;
            verdict.err().map(|error| error.class())
        };
        let unparsed =
            "Code: 27. DB::Exception: Cannot parse input: expected '\"'. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)";
        assert_eq!(class(400, unparsed), Some(ErrorClass::Payload));
        assert_eq!(class(500, unparsed), Some(ErrorClass::Payload));
        let table = "Code: 60. DB::Exception: Table default.logs does not exist. (UNKNOWN_TABLE)";
        assert_eq!(class(404, table), Some(ErrorClass::Endpoint));
        assert_eq!(class(400, "Code: 62. DB::Exception: Syntax error"), Some(ErrorClass::Endpoint));
        assert_eq!(class(200, "Code: 241. DB::Exception: Memory limit"), Some(ErrorClass::Transient));
        assert_eq!(class(500, "Code: 241. DB::Exception: Memory limit"), None, "as its status has it");
        assert_eq!(class(200, ""), None);
    }
}
