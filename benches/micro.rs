//! What each step of a record's way costs, beside the floor: `cargo bench --bench micro`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use log::{Level, Log, Record};
use logpost::{Batch, EmitError, Encode, Fields, Form, Handler, LogRecord, Pipeline, map_log_record};

/// The record that all of it is measured with: about 45 bytes of text.
fn with_record<T>(id: u64, use_record: impl FnOnce(&Record<'_>) -> T) -> T {
    use_record(
        &Record::builder()
            .args(format_args!("request {id} took {} us from {}", id % 1000, "10.0.0.1"))
            .level(Level::Info)
            .target("bench")
            .module_path_static(Some(module_path!()))
            .file_static(Some(file!()))
            .line(Some(line!()))
            .build(),
    )
}

fn captured() -> LogRecord {
    with_record(17, |record| LogRecord::from(record))
}

fn dictionary() -> Fields {
    let mut fields = Fields::new();
    map_log_record(&captured(), &mut fields);
    fields
}

/// Takes everything and does nothing.
struct Nowhere;

impl Handler for Nowhere {
    fn emit(&mut self, _: &[LogRecord]) -> Result<(), EmitError> {
        Ok(())
    }

    fn batch(&self) -> Batch {
        Batch::default().linger(Duration::ZERO)
    }
}

fn caller(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("caller");
    let mut id = 0;
    group.bench_function("format and drop (the floor)", |bencher| {
        bencher.iter(|| {
            id += 1;
            with_record(id, |record| black_box(record.args().to_string()))
        });
    });
    group.bench_function("capture", |bencher| {
        bencher.iter(|| {
            id += 1;
            with_record(id, |record| LogRecord::from(black_box(record)))
        });
    });
    let pipeline = Pipeline::new(Nowhere).capacity(1 << 20).capacity_bytes(1 << 30);
    let (logger, guard) = logpost::builder().handler(pipeline).build().expect("good settings");
    group.bench_function("log: capture and enqueue", |bencher| {
        bencher.iter(|| {
            id += 1;
            with_record(id, |record| logger.log(black_box(record)));
        });
    });
    group.finish();
    guard.stop(Duration::ZERO);
}

fn listener(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("listener");
    let (record, dictionary) = (captured(), dictionary());
    group.bench_function("map", |bencher| {
        let mut fields = Fields::new();
        bencher.iter(|| {
            fields.clear();
            map_log_record(black_box(&record), &mut fields);
        });
    });
    group.bench_function("encode", |bencher| {
        let mut body = Vec::new();
        bencher.iter(|| {
            body.clear();
            Form.append(black_box(&dictionary), &mut body);
        });
    });
    #[cfg(feature = "json")]
    {
        let lines: (&str, &dyn Encode) = ("encode, as JSON", &logpost::JsonLines);
        for (name, encoding) in [lines, ("encode, as JSON in a form's field", &logpost::FormField("json"))] {
            group.bench_function(name, |bencher| {
                let mut body = Vec::new();
                bencher.iter(|| {
                    body.clear();
                    encoding.append(black_box(&dictionary), &mut body);
                });
            });
        }
    }
    group.bench_function("encode, by form_urlencoded's Serializer", |bencher| {
        let pairs: Vec<_> = dictionary.iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect();
        let reused = || String::with_capacity(1024);
        bencher.iter_batched(
            reused,
            |body| form_urlencoded::Serializer::new(body).extend_pairs(black_box(&pairs)).finish(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("copy (the floor)", |bencher| {
        let mut body = String::new();
        let text = format!("{dictionary:?}");
        bencher.iter(|| {
            body.clear();
            let _ = body.write_str(black_box(&text));
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    caller(&mut criterion);
    listener(&mut criterion);
    criterion.final_summary();
}
