//! One step of a record's way, so many times: for counting instructions, which is exact where time is noise.
//!
//! `benches/count-instructions` runs it under callgrind, twice for each step, and prints the difference for one record.

use std::hint::black_box;

use log::{Level, Log, Record};
use logpost::{EmitError, Encode, Fields, Form, Handler, LogRecord, Pipeline, map_log_record};

/// Never comes back, so that the listener's own work, which depends on its timing, is not counted.
struct Stuck;

impl Handler for Stuck {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        loop {
            std::thread::park();
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let step = arguments.next().unwrap_or_default();
    let count: u64 = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(1);
    let formatted = |id: u64, use_record: &mut dyn FnMut(&Record<'_>)| {
        let record = &mut Record::builder();
        let record = record.level(Level::Info).target("bench").module_path_static(Some(module_path!()));
        let record = record.file_static(Some(file!())).line(Some(line!()));
        use_record(&record.args(format_args!("request {id} took {} us from {}", id % 1000, "10.0.0.1")).build());
    };
    let mut captured = None;
    formatted(17, &mut |record| captured = Some(LogRecord::from(record)));
    let captured = captured.expect("captured above");
    let mut fields = Fields::new();
    map_log_record(&captured, &mut fields);
    let pipeline = Pipeline::new(Stuck).capacity(1 << 20).capacity_bytes(1 << 30);
    let (logger, guard) = logpost::builder().handler(pipeline).build().expect("good settings");
    let mut body = Vec::new();
    for id in 0..count {
        match step.as_str() {
            "format" => formatted(id, &mut |record| drop(black_box(record.args().to_string()))),
            "capture" => formatted(id, &mut |record| drop(black_box(LogRecord::from(record)))),
            "log" => formatted(id, &mut |record| logger.log(record)),
            "map" => {
                fields.clear();
                map_log_record(black_box(&captured), &mut fields);
            }
            "encode" => {
                body.clear();
                Form.append(black_box(&fields), &mut body);
            }
            "serializer" => {
                let mut form = form_urlencoded::Serializer::new(String::with_capacity(1024));
                for (key, value) in black_box(&fields).iter() {
                    form.append_pair(key, value.as_str().unwrap_or_default());
                }
                black_box(form.finish());
            }
            _ => {}
        }
    }
    // The listener would be told to give up what waits, and that is not what is counted.
    std::mem::forget((logger, guard));
}
