//! Whatever a server does, nothing that was accepted is lost, and every record is accounted for.

mod accept;
mod answers;
mod deadlines;
mod limits;
mod network;
mod refusals;
mod stats;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use log::info;
use logpost::{Action, ErrorClass, Guard, HttpHandler, HttpHandlerBuilder, Logger, Pipeline, Retry, Stats};
use logpost_test_support::{Answer, LONG, Plan, Request, Server};

/// A call time-out, for tests that wait for it to strike.
const CUT: Duration = Duration::from_secs(1);

/// A logger in front of a server that misbehaves, and all that it was given.
struct Sender {
    logger: Logger,
    guard: Guard,
    told: Mutex<Receiver<Told>>,
    logged: Mutex<Vec<String>>,
}

/// What `on_error` was told.
#[derive(Debug)]
struct Told {
    text: String,
    class: ErrorClass,
    action: Action,
    messages: Vec<String>,
}

impl Told {
    /// The delay before the next attempt.
    fn delay(&self) -> Duration {
        let Action::Retry(delay) = self.action else { panic!("{self:?}") };
        delay
    }
}

/// A failed attempt is made again within milliseconds.
fn quick() -> Retry {
    Retry::default().first_delay(Duration::from_millis(1)).max_delay(Duration::from_millis(5))
}

impl Sender {
    /// One with all the defaults, but quick.
    fn to(url: impl Into<String>) -> Self {
        Self::with(HttpHandler::builder(url), |pipeline| pipeline)
    }

    /// One that is quick unless `settings` says something else.
    fn with(handler: HttpHandlerBuilder, settings: impl FnOnce(Pipeline) -> Pipeline) -> Self {
        let (tell, told) = mpsc::channel();
        let (logger, guard) = logpost::builder()
            .handler(settings(Pipeline::new(handler.build().unwrap()).retry(quick())))
            .on_error(move |failure| {
                let messages = failure.records().iter().map(|record| record.message().to_owned()).collect();
                let class = failure.error().class();
                // The test may be over.
                let _ = tell.send(Told { text: failure.to_string(), class, action: failure.action(), messages });
            })
            .flush_timeout(Duration::ZERO)
            .build()
            .unwrap();
        Self { logger, guard, told: Mutex::new(told), logged: Mutex::default() }
    }

    fn logged(&self) -> MutexGuard<'_, Vec<String>> {
        self.logged.lock().unwrap()
    }

    fn log(&self, message: &str) {
        // Locked first: with several threads the order has to be the queue's.
        let mut logged = self.logged();
        info!(logger: self.logger, "{message}");
        logged.push(message.to_owned());
    }

    /// Logs so many records, no two of one sender the same.
    fn log_many(&self, count: usize) {
        let first = self.logged().len();
        for number in first..first + count {
            self.log(&format!("record {number}"));
        }
    }

    /// Waits for the next failure.
    fn failure(&self) -> Told {
        self.told.lock().unwrap().recv_timeout(LONG).expect("on_error should have been told of a failure")
    }

    /// All failures that nobody has looked at yet.
    fn failures(&self) -> Vec<Told> {
        self.told.lock().unwrap().try_iter().collect()
    }

    /// The stats, whose books have to balance at every moment.
    fn stats(&self) -> Stats {
        let stats = self.guard.stats();
        assert_eq!(stats.accepted, stats.delivered + stats.rejected + stats.abandoned + stats.pending, "{stats}");
        stats
    }

    /// Waits until every record has its outcome, with an eye on the books meanwhile.
    fn flush(&self) {
        thread::scope(|scope| {
            let flush = scope.spawn(|| self.guard.flush(LONG));
            while !flush.is_finished() {
                self.stats();
                thread::park_timeout(Duration::from_micros(100));
            }
            flush.join().unwrap().expect("all records should have an outcome");
        });
    }

    /// Flushes, and makes sure that the server took everything.
    fn assert_all_delivered(&self, server: &Server) {
        self.flush();
        self.assert_delivered_but(server, &[]);
    }

    /// The books are closed; the server took every record but those `lost`, in order; each has a key of its own; and none
    /// came again once the client had been told that it was taken.
    fn assert_delivered_but(&self, server: &Server, lost: &[String]) {
        let (stats, logged, requests) = (self.stats(), self.logged(), server.requests());
        assert_eq!((stats.pending, stats.accepted), (0, logged.len() as u64), "{stats}");
        assert_eq!((stats.rejected + stats.abandoned, stats.panics), (lost.len() as u64, 0), "{stats}");

        let mut firsts: HashMap<&str, &Request> = HashMap::new();
        let mut taken = Vec::new();
        for request in &requests {
            let (key, msg) = (key(request), request.msg());
            let first = *firsts.entry(key).or_insert(request);
            assert!(first.body == request.body, "{key}: for {} and for {msg}", first.msg());
            assert!(!taken.contains(&msg), "{msg} came again after it had been taken");
            if request.answered.is_some_and(|status| status < 300) {
                taken.push(msg);
            }
        }
        let messages = requests.iter().map(Request::msg).collect::<HashSet<_>>();
        assert_eq!(firsts.len(), messages.len(), "a record keeps its key");
        let expected: Vec<_> = logged.iter().filter(|message| !lost.contains(message)).cloned().collect();
        assert!(taken == expected, "taken {taken:?}, but logged {expected:?}");
    }
}

/// The request's `Idempotency-Key`.
fn key(request: &Request) -> &str {
    match request.header("idempotency-key")[..] {
        [key] => key,
        ref keys => panic!("{keys:?}"),
    }
}

fn answer(status: u16) -> Plan {
    Plan::Answer(Answer::status(status))
}

fn raw(bytes: impl Into<Vec<u8>>) -> Plan {
    Plan::Answer(Answer::raw(bytes))
}

fn raw_then_close(bytes: impl Into<Vec<u8>>) -> Plan {
    Plan::Answer(Answer::raw(bytes).then_close())
}

/// A script: 200, but for the requests with these numbers, of those whose head arrived.
fn during(fault: Range<usize>, plan: Plan) -> impl Fn(&Request) -> Plan + Send + Sync {
    let seen = AtomicUsize::new(0);
    move |_| if fault.contains(&seen.fetch_add(1, Ordering::SeqCst)) { plan.clone() } else { answer(200) }
}

/// A server that does this for as long as the switch is on.
fn broken(plan: Plan) -> (Server, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&switch);
    let script = move |_: &Request| if is_broken.load(Ordering::SeqCst) { plan.clone() } else { answer(200) };
    (Server::scripted(script), switch)
}

/// A server that does this three times, when all has gone well for a while, loses nothing: what it was sent is kept, and
/// sent again. Returns what was told of it.
fn outlasts(plan: Plan) -> Vec<Told> {
    outlasts_times(3, plan, |handler| handler)
}

/// The same for what ends with the call's time-out.
fn outlasts_until_cut(plan: Plan) {
    let told = outlasts_times(1, plan, |handler| handler.timeout(CUT));
    assert!(told.len() == 1 && told[0].class == ErrorClass::Transient, "{told:?}");
    assert!(told[0].text.contains("timeout: global"), "{told:?}");
}

fn outlasts_times(
    times: usize,
    plan: Plan,
    settings: impl FnOnce(HttpHandlerBuilder) -> HttpHandlerBuilder,
) -> Vec<Told> {
    const COUNT: usize = 10;
    let server = Server::scripted(during(2..2 + times, plan));
    let sender = Sender::with(settings(HttpHandler::builder(server.url())), |pipeline| pipeline);
    sender.log_many(COUNT);
    sender.assert_all_delivered(&server);
    let stats = sender.stats();
    assert_eq!((stats.attempts, stats.retries), ((COUNT + times) as u64, times as u64), "{stats}");
    let told = sender.failures();
    for failure in &told {
        assert!(matches!(failure.action, Action::Retry(_)), "{failure:?}");
        assert_eq!(failure.messages, ["record 2"]);
    }
    told
}

/// As `outlasts`, for what somebody has to mend, or for what mends itself.
fn outlasts_as(class: ErrorClass, plan: Plan) {
    let told = outlasts(plan);
    assert!(told.len() == 3 && told.iter().all(|failure| failure.class == class), "{told:?}");
}
