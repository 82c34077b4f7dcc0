//! An hour of a shop, for pictures: the same records at each run, but for when it is.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::Running;

/// When the hour begins: 2026-11-23, 09:00 UTC.
const BEGIN: f64 = 1_795_424_400.0;

/// Numbers that look random, and are the same each time.
struct Dice(fastrand::Rng);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0.u32(..limit)
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.usize(..choices.len())]
    }
}

/// Sends the hour to the collector. Returns how many records it has, as the page writes it.
pub(crate) fn set(collector: &Running) -> String {
    let mut dice = Dice(fastrand::Rng::with_seed(4711));
    let mut seconds = 0.0;
    let mut count = 0;
    while seconds < 3600.0 {
        let mut body = String::new();
        for _ in 0..500 {
            // Busier towards the end; for the last four minutes a bank does not answer.
            let rush = 1.0 + 2.5 * (-((seconds - 3200.0) / 1100.0_f64).powi(2)).exp();
            seconds += (0.05 + f64::from(dice.below(2600)) / 1000.0) / rush;
            if seconds >= 3600.0 {
                break;
            }
            count += 1;
            let bank_is_down = seconds > 3360.0;
            writeln!(body, "{}", record(&mut dice, BEGIN + seconds, bank_is_down)).unwrap();
        }
        if !body.is_empty() {
            assert_eq!(collector.post_as("application/x-ndjson", &body).0, 204);
        }
    }
    format!("{},{:03}", count / 1000, count % 1000)
}

fn record(dice: &mut Dice, created: f64, bank_is_down: bool) -> Value {
    let order = 4000 + dice.below(1000);
    let kind = if bank_is_down && dice.below(3) > 0 { 90 } else { dice.below(90) };
    match kind {
        0..=34 => {
            let path = dice.pick(&["/", "/search?q=tea", "/basket", "/orders", "/account", "/assets/app.css"]);
            let (status, took) = (dice.pick(&[200, 200, 200, 200, 304]), 1 + dice.below(90));
            let message = format!("GET {path} {status} in {took} ms");
            of(
                created,
                20,
                "shop::http",
                &message,
                &json!({ "method": "GET", "path": path, "status": status, "took_ms": took }),
            )
        }
        35..=49 => of(
            created,
            20,
            "shop::orders",
            &format!("order {order} accepted"),
            &json!({ "order": order, "items": 1 + dice.below(5), "total": 19.9 }),
        ),
        50..=61 => of(
            created,
            20,
            "shop::payments",
            &format!("order {order} paid"),
            &json!({ "order": order, "gateway": "bank-1" }),
        ),
        62..=76 => {
            let message = format!("SELECT * FROM items WHERE order_id = {order}");
            of(
                created,
                10,
                "shop::db",
                &message,
                &json!({ "rows": 1 + dice.below(5), "took_us": 80 + dice.below(2500) }),
            )
        }
        77..=83 => of(created, 5, "shop::http", "connection kept", &json!({ "peer": "203.0.113.7:50312" })),
        84..=86 => {
            of(created, 30, "shop::stock", "stock is low", &json!({ "item": "tea, 250 g", "left": 1 + dice.below(4) }))
        }
        87 => of(
            created,
            30,
            "shop::http",
            "a link leads nowhere",
            &json!({ "path": "/old", "referrer": "<script>alert('you')</script>" }),
        ),
        _ if dice.below(3) > 0 => {
            let fields = json!({ "order": order, "attempt": 1 + dice.below(3), "gateway": "bank-2" });
            of(created, 30, "shop::payments", "no answer after 1.5 s, trying again", &fields)
        }
        _ => {
            let message = format!(
                "payment of order {order} failed: no answer from the bank\n  caused by: connection reset by peer (os error 104)"
            );
            of(created, 40, "shop::payments", &message, &json!({ "order": order, "attempt": 3, "gateway": "bank-2" }))
        }
    }
}

fn of(created: f64, level: u32, target: &str, message: &str, own: &Value) -> Value {
    let name = match level {
        40 => "ERROR",
        30 => "WARNING",
        20 => "INFO",
        10 => "DEBUG",
        _ => "TRACE",
    };
    let file = format!("src/{}.rs", target.trim_start_matches("shop::"));
    let mut record = json!({
        "name": target, "msg": message, "levelname": name, "levelno": level, "pathname": file, "module": target,
        "lineno": 40 + message.len() % 60, "created": created, "thread": 3, "threadName": "worker-2",
        "processName": "shop", "process": 4205,
    });
    record.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    record
}
