//! Four threads log for a while, to a server that fails in all the ways it knows, as a seed says; in the end nothing is
//! missing.
//!
//! `cargo test --release --test soak -- 60 SEED`: seconds and seed. Without them, 5 seconds and a seed of its own.
//!
//! The server is not that of the other tests: it must go away and come back for as long as one likes, and so must not
//! keep what it gets, but only what tells whether all of it came.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::env;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use log::info;
use logpost::{Action, Guard, HttpHandler, Overflow, Pipeline, Retry, Stats};
use logpost_test_support::LONG;

const NAME: &str = "soak";
const THREADS: usize = 4;
/// Short, so that in a minute there is time for many faults that have to be waited out.
const TIMEOUT: Duration = Duration::from_millis(300);
/// One request in so many is a fault.
const REQUESTS_PER_FAULT: u32 = 8;
/// The same for connections.
const CONNECTIONS_PER_FAULT: u32 = 12;
/// From so many unread bytes on, a connection that closes again and again is taken for a refusal of the record, which is
/// not what is tested here.
const LARGEST_PADDING: usize = 40_000;

/// libtest's.
const OPTIONS_WITH_VALUES: [&str; 3] = ["--format", "--test-threads", "--color"];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    let is_value = |place: usize| place > 0 && OPTIONS_WITH_VALUES.contains(&arguments[place - 1].as_str());
    let plain = arguments.iter().enumerate().filter(|(place, text)| !text.starts_with('-') && !is_value(*place));
    let (numbers, filters): (Vec<_>, Vec<_>) =
        plain.map(|(_, text)| text).partition(|text| text.parse::<u64>().is_ok());
    let wanted = !given("--ignored") && (filters.is_empty() || filters.iter().any(|filter| NAME.contains(*filter)));
    if given("--list") {
        if wanted {
            println!("{NAME}: test");
        }
        return ExitCode::SUCCESS;
    }
    let number = |place: usize| numbers.get(place).and_then(|number| number.parse::<u64>().ok());
    let seconds = number(0).unwrap_or(5);
    let seed = number(1).unwrap_or_else(|| fastrand::u64(1_000_000..1_000_000_000));
    println!("\nrunning {} test", u8::from(wanted));
    let began = Instant::now();
    let failed = wanted && catch_unwind(AssertUnwindSafe(|| soak(seconds, seed))).is_err();
    let (verdict, passed) = if failed { ("FAILED", 0) } else { ("ok", u8::from(wanted)) };
    if wanted {
        println!("test {NAME} ... {verdict}");
    }
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        u8::from(failed),
        u8::from(!wanted),
        began.elapsed().as_secs_f64(),
    );
    ExitCode::from(u8::from(failed))
}

fn soak(seconds: u64, seed: u64) {
    println!("seed {seed}, {seconds} s");
    let mut rng = Rng::with_seed(seed);
    let (server, listener) = Server::new(rng.fork());
    let handler = HttpHandler::builder(format!("http://{}/log", server.address))
        .timeout(TIMEOUT)
        .connect_timeout(TIMEOUT)
        .build()
        .unwrap();
    let retry = Retry::default().first_delay(Duration::from_millis(2)).max_delay(Duration::from_millis(20));
    let pipeline = Pipeline::new(handler).capacity(1000).overflow(Overflow::Block(LONG)).retry(retry);
    let book = Arc::clone(&server);
    let (logger, guard) = logpost::builder()
        .handler(pipeline)
        .on_error(move |failure| {
            let mut book = book.book();
            if !matches!(failure.action(), Action::Retry(_)) {
                book.violation(format!("{failure}"));
            }
            if failure.error().to_string().contains("timeout") {
                book.timed_out = name_of(failure.records()[0].message());
            }
        })
        .build()
        .unwrap();
    let logger = Arc::new(logger);
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let up = server.come_up(listener);
    let loggers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (logger, stop, mut rng) = (Arc::clone(&logger), Arc::clone(&stop), rng.fork());
            thread::spawn(move || {
                let padding = "x".repeat(LARGEST_PADDING);
                for number in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        return number;
                    }
                    let longest = if rng.u32(..50) == 0 { LARGEST_PADDING } else { 200 };
                    info!(logger: logger, "{thread} {number} {}", &padding[..rng.usize(..longest)]);
                }
                unreachable!()
            })
        })
        .collect();
    let end = began + Duration::from_secs(seconds);
    let (samples, up) = thread::scope(|scope| {
        let mut up = up;
        let sampler = scope.spawn(|| sample(&guard, &server, &stop));
        let mut pause = |milliseconds| {
            let pause = Duration::from_millis(rng.u64(milliseconds));
            thread::sleep(pause.min(end.saturating_duration_since(Instant::now())));
        };
        while Instant::now() < end {
            pause(50..600);
            up.go_away();
            pause(1..60);
            up = server.come_up(listen_again(server.address));
            // Now and then somebody flushes, in the middle of whatever it is that is going on.
            let _ = guard.flush(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        server.calm.store(true, Ordering::SeqCst);
        (sampler.join().unwrap(), up)
    });
    let totals: Vec<_> = loggers.into_iter().map(|thread| thread.join().unwrap()).collect();
    let at_rest = Instant::now();
    let flushed = guard.flush(LONG);
    let stats = guard.stats();
    print!("{}", table(&server.book(), &stats, samples, began.elapsed(), at_rest.elapsed()));
    flushed.unwrap();
    check(&server.book(), &stats, &totals);
    up.go_away();
}

/// All that must hold in the end.
fn check(book: &Book, stats: &Stats, logged: &[u64]) {
    assert!(book.violations.is_empty(), "{:#?}", book.violations);
    assert_eq!(book.reasons.get(WITHOUT_REASON), None, "duplicates though the answer was there in time");
    let arrived: Vec<_> = book.arrived.iter().map(|keys| keys.len() as u64).collect();
    assert_eq!(arrived, logged, "each thread's records that arrived, and those that it logged");
    let all = logged.iter().sum::<u64>();
    assert_eq!((stats.accepted, stats.delivered, stats.pending), (all, all, 0), "{stats}");
    assert_eq!((stats.rejected, stats.abandoned, stats.panics), (0, 0, 0), "{stats}");
    assert_eq!(stats.dropped.total(), 0, "{stats}");
    assert_eq!(stats.attempts, all + stats.retries, "{stats}");
}

/// Looks at the books again and again while everything is in motion.
fn sample(guard: &Guard, server: &Server, stop: &AtomicBool) -> u64 {
    let mut before = guard.stats();
    let mut samples = 0;
    while !stop.load(Ordering::Relaxed) {
        let stats = guard.stats();
        let mut book = server.book();
        if stats.accepted != stats.delivered + stats.rejected + stats.abandoned + stats.pending {
            book.violation(format!("the books do not balance: {stats}"));
        }
        if stats.accepted < before.accepted || stats.delivered < before.delivered {
            book.violation(format!("the books go backwards: {before}; {stats}"));
        }
        // Taken after the stats, so there may be more of these by now, but never fewer.
        let arrived = book.keys.len() as u64;
        if stats.delivered > arrived {
            book.violation(format!("{arrived} arrived: {stats}"));
        }
        drop(book);
        before = stats;
        samples += 1;
        // Looking takes the locks that those who are watched need too.
        thread::sleep(Duration::from_micros(200));
    }
    samples
}

fn table(book: &Book, stats: &Stats, samples: u64, took: Duration, settled: Duration) -> String {
    let mut table = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        writeln!(table, "{name:<42}{value:>10}").unwrap();
    };
    line("seconds", &format_args!("{:.1}", took.as_secs_f64()));
    line("  of these after the faults had stopped", &format_args!("{:.3}", settled.as_secs_f64()));
    line("records accepted", &stats.accepted);
    line("records delivered", &stats.delivered);
    line("records lost", &(stats.accepted - book.keys.len() as u64));
    line("requests that reached the server", &book.requests);
    line("retries", &stats.retries);
    line("duplicates", &book.duplicates);
    for (reason, count) in &book.reasons {
        line(&format!("  {reason}"), count);
    }
    line("moments at which the books were balanced", &samples);
    line("faults", &book.faults.values().sum::<u64>());
    for (name, count) in &book.faults {
        line(&format!("  {name}"), count);
    }
    table
}

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Resets the connection, with the body unread.
    ResetInBody,
    ResetAfterBody,
    CloseAfterBody,
    /// Answers 200, keeps the connection to all appearances, and closes it.
    CloseWhenIdle,
    /// Never answers.
    Stall,
    /// Reads nothing more, and never answers.
    NeverRead,
    /// Answers too slowly to come to an end in time.
    Trickle,
    Garbage,
    CutHead,
    HugeHead,
    ShortBody,
    CutChunk,
    /// Refuses without having read the body.
    Early,
    ServerError,
    /// Like a proxy whose server has taken the request: 502, 504.
    GatewayError,
    NotImplemented,
    TooManyRequests,
    /// 429, and asks for a whole second.
    RetryAfterOne,
    Redirect,
    /// From now on and for a while, nobody is let in.
    Unauthorized,
    /// 100 before the 200. No fault, in truth.
    Continue,
}

/// How often each comes, and its name in the table. What has to be waited out comes seldom.
const FAULTS: [(Fault, u32, &str); 21] = [
    (Fault::ResetInBody, 30, "reset in the body"),
    (Fault::ResetAfterBody, 30, "reset after the body"),
    (Fault::CloseAfterBody, 30, "closed after the body"),
    (Fault::CloseWhenIdle, 60, "closed when idle"),
    (Fault::Stall, 2, "no answer"),
    (Fault::NeverRead, 2, "never read"),
    (Fault::Trickle, 2, "answer that trickles"),
    (Fault::Garbage, 20, "garbage for an answer"),
    (Fault::CutHead, 20, "answer cut in its head"),
    (Fault::HugeHead, 10, "100 KB of headers"),
    (Fault::ShortBody, 20, "answer shorter than its length"),
    (Fault::CutChunk, 20, "answer cut in a chunk"),
    (Fault::Early, 30, "refused before the body was read"),
    (Fault::ServerError, 30, "500, 503, 507"),
    (Fault::GatewayError, 20, "502, 504, though it was taken"),
    (Fault::NotImplemented, 10, "501, 505"),
    (Fault::TooManyRequests, 20, "408, 425, 429"),
    (Fault::RetryAfterOne, 1, "429, Retry-After: 1"),
    (Fault::Redirect, 20, "redirect"),
    (Fault::Unauthorized, 2, "401, 403, 404 for a while"),
    (Fault::Continue, 10, "100 that nobody asked for"),
];

impl Fault {
    fn draw(rng: &mut Rng) -> Option<(Self, &'static str)> {
        if rng.u32(..REQUESTS_PER_FAULT) > 0 {
            return None;
        }
        let mut place = rng.u32(..FAULTS.iter().map(|(_, weight, _)| weight).sum::<u32>());
        for (fault, weight, name) in FAULTS {
            if place < weight {
                return Some((fault, name));
            }
            place -= weight;
        }
        None
    }

    /// Whether the records are taken, and if so, whether the client can't learn of it.
    fn taken(self) -> Option<Lost> {
        match self {
            Self::CloseWhenIdle | Self::ShortBody | Self::CutChunk | Self::Continue => Some(Lost(false)),
            Self::ResetAfterBody
            | Self::CloseAfterBody
            | Self::Stall
            | Self::Trickle
            | Self::Garbage
            | Self::CutHead
            | Self::HugeHead
            | Self::GatewayError => Some(Lost(true)),
            _ => None,
        }
    }
}

/// Whether the answer does not tell that the records were taken.
#[derive(Clone, Copy, Debug)]
struct Lost(bool);

const WITHOUT_REASON: &str = "no reason at all";
const AWAY: &str = "server away";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A connection that is closed with something unread is reset, so the body must stay where it is: in the socket.
const SMALL: usize = 64;

fn refusal(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} Because\r\n{headers}Content-Length: 2\r\n\r\nno")
}

/// A server that comes and goes, at one address.
struct Server {
    address: SocketAddr,
    rng: Mutex<Rng>,
    book: Mutex<Book>,
    /// No more faults.
    calm: AtomicBool,
    /// Until when nobody is let in, in milliseconds since `began`.
    locked_until: AtomicU64,
    began: Instant,
    connections: AtomicU64,
    open: Mutex<HashMap<u64, TcpStream>>,
}

/// What has arrived.
#[derive(Default)]
struct Book {
    /// For each thread, its records' keys in the order of their first arrival.
    arrived: [Vec<u64>; THREADS],
    keys: HashSet<u64>,
    instance: Option<String>,
    /// What came last.
    last: Option<Arrival>,
    /// The record whose attempt was the last to run into a time-out.
    timed_out: Option<(usize, usize)>,
    requests: u64,
    duplicates: u64,
    /// By the reason that the client had to send them again.
    reasons: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
    violations: Vec<String>,
}

/// The thread and the number in a record's message.
fn name_of(message: &str) -> Option<(usize, usize)> {
    let mut words = message.split(' ').map(str::parse);
    Some((words.next()?.ok()?, words.next()?.ok()?))
}

/// One that took a record.
struct Arrival {
    key: u64,
    lost: bool,
    /// Whether the server that it was has gone by now.
    gone: Arc<AtomicBool>,
}

impl Book {
    fn violation(&mut self, what: String) {
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    fn take(&mut self, key: &str, body: &[u8], Lost(lost): Lost, gone: &Arc<AtomicBool>) {
        let message = form_urlencoded::parse(body).find(|(field, _)| field == "msg");
        let name = message.and_then(|(_, message)| name_of(&message));
        let Some((thread @ 0..THREADS, number)) = name else {
            return self.violation(format!("not one of our records: {}", String::from_utf8_lossy(body)));
        };
        let Some((instance, Ok(key))) = key.rsplit_once('-').map(|(instance, key)| (instance, key.parse::<u64>()))
        else {
            return self.violation(format!("not a key: {key}"));
        };
        if self.instance.get_or_insert_with(|| instance.to_owned()) != instance {
            self.violation(format!("a key of another instance: {instance}"));
        }
        let came = self.arrived[thread].len();
        if number == came {
            self.arrived[thread].push(key);
            if !self.keys.insert(key) {
                self.violation(format!("record {thread} {number} has the key {key} of another"));
            }
        } else if number > came {
            self.violation(format!("thread {thread}: record {number} came, and record {came} has not come yet"));
        } else if self.arrived[thread][number] == key {
            self.duplicates += 1;
            let reason = match &self.last {
                Some(before) if before.key == key && before.lost => "no answer told of it",
                Some(before) if before.key == key && before.gone.load(Ordering::SeqCst) => "the server went away",
                // Sent to a server that has gone, and read there only now.
                _ if gone.load(Ordering::SeqCst) => "the server went away",
                _ if self.timed_out == name => "it came too late",
                _ => WITHOUT_REASON,
            };
            *self.reasons.entry(reason).or_default() += 1;
        } else {
            let first = self.arrived[thread][number];
            self.violation(format!("record {thread} {number} came with the key {first}, and again with {key}"));
        }
        self.last = Some(Arrival { key, lost, gone: Arc::clone(gone) });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The port was ours a moment ago.
fn listen_again(address: SocketAddr) -> TcpListener {
    let since = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(since.elapsed() < LONG, "{address}: {error}"),
        }
        thread::yield_now();
    }
}

/// A server that is there.
struct Up {
    server: Arc<Server>,
    ended: Arc<AtomicBool>,
    acceptor: JoinHandle<()>,
}

impl Up {
    /// Nobody listens, and all connections are closed, whatever was going on there.
    fn go_away(self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the acceptor, if nobody else does.
        let _ = TcpStream::connect(self.server.address);
        self.acceptor.join().unwrap();
        self.server.book().fault(AWAY);
        for (_, stream) in lock(&self.server.open).drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Server {
    fn new(mut rng: Rng) -> (Arc<Self>, TcpListener) {
        // An address that nobody's sockets are given by chance, where the system has such: a client that finds its server
        // away may else take the port, and connect to itself.
        let host = if cfg!(target_os = "linux") { [127, 9, rng.u8(..), rng.u8(1..255)] } else { [127, 0, 0, 1] };
        let listener = TcpListener::bind(SocketAddr::from((host, 0))).unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            rng: Mutex::new(rng),
            book: Mutex::default(),
            calm: AtomicBool::new(false),
            locked_until: AtomicU64::new(0),
            began: Instant::now(),
            connections: AtomicU64::new(0),
            open: Mutex::default(),
        };
        (Arc::new(server), listener)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    fn come_up(self: &Arc<Self>, listener: TcpListener) -> Up {
        let ended = Arc::new(AtomicBool::new(false));
        let acceptor = thread::spawn({
            let (server, ended) = (Arc::clone(self), Arc::clone(&ended));
            move || server.accept(&listener, &ended)
        });
        Up { server: Arc::clone(self), ended, acceptor }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener, ended: &Arc<AtomicBool>) {
        for stream in listener.incoming() {
            if ended.load(Ordering::SeqCst) {
                return;
            }
            let stream = stream.unwrap();
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            lock(&self.open).insert(number, stream.try_clone().unwrap());
            let (server, ended) = (Arc::clone(self), Arc::clone(ended));
            thread::spawn(move || {
                // A connection that breaks is the other side's business, which is to cope with it.
                let serve = AssertUnwindSafe(|| server.serve(stream, &ended));
                match catch_unwind(serve) {
                    Ok(Ok(End::KeptOpen)) => {}
                    Ok(_) => drop(lock(&server.open).remove(&number)),
                    Err(_) => process::abort(),
                }
            });
        }
    }

    fn serve(&self, stream: TcpStream, gone: &Arc<AtomicBool>) -> io::Result<End> {
        if !self.calm.load(Ordering::SeqCst) && lock(&self.rng).u32(..CONNECTIONS_PER_FAULT) == 0 {
            if lock(&self.rng).u32(..30) == 0 {
                self.book().fault("connection never read");
                return Ok(End::KeptOpen);
            }
            self.book().fault("connection reset at once");
            stream.peek(&mut [0])?;
            return Ok(End::Closed);
        }
        stream.set_nodelay(true)?;
        let mut reader = BufReader::with_capacity(SMALL, stream);
        while let Some((key, length)) = self.read_head(&mut reader)? {
            let fault = self.fault();
            let answer = match fault {
                Some(Fault::ResetInBody) => return Ok(End::Closed),
                Some(Fault::NeverRead) => return Ok(End::KeptOpen),
                Some(Fault::Early) => {
                    let status = lock(&self.rng).choice([503, 401, 302]).unwrap_or(503);
                    reader.get_mut().write_all(refusal(status, "").as_bytes())?;
                    return Ok(End::Closed);
                }
                fault => fault.map_or_else(|| OK.to_owned(), |fault| self.answer(fault)),
            };
            let unread = usize::from(fault == Some(Fault::ResetAfterBody));
            let mut body = vec![0; length - unread];
            reader.read_exact(&mut body)?;
            if unread > 0 {
                reader.get_ref().peek(&mut [0])?;
            }
            if let Some(lost) = fault.map_or(Some(Lost(false)), Fault::taken) {
                self.book().take(&key, &body, lost, gone);
            }
            let stream = reader.get_mut();
            match fault {
                Some(Fault::CloseAfterBody | Fault::ResetAfterBody) => return Ok(End::Closed),
                Some(Fault::Stall) => return Ok(End::KeptOpen),
                Some(Fault::Trickle) => {
                    for byte in answer.bytes() {
                        stream.write_all(&[byte])?;
                        thread::sleep(TIMEOUT / 10);
                    }
                }
                _ => stream.write_all(answer.as_bytes())?,
            }
            let closes = [Fault::CloseWhenIdle, Fault::CutHead, Fault::ShortBody, Fault::CutChunk];
            if fault.is_some_and(|fault| closes.contains(&fault)) {
                return Ok(End::Closed);
            }
        }
        Ok(End::Closed)
    }

    /// The key and the length of the body.
    fn read_head(&self, reader: &mut BufReader<TcpStream>) -> io::Result<Option<(String, usize)>> {
        let (mut key, mut length) = (None, None);
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line != "POST /log HTTP/1.1\r\n" {
            self.book().violation(format!("not our request: {line}"));
        }
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "idempotency-key" => key = Some(value.to_owned()),
                "content-length" => length = value.parse().ok(),
                _ => {}
            }
        }
        let mut book = self.book();
        book.requests += 1;
        if key.is_none() || length.is_none() {
            book.violation("a request without its key or its length".to_owned());
        }
        Ok(key.zip(length))
    }

    fn fault(&self) -> Option<Fault> {
        if self.calm.load(Ordering::SeqCst) {
            return None;
        }
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        if now < self.locked_until.load(Ordering::SeqCst) {
            self.book().fault("401, 403, 404 for a while");
            return Some(Fault::Unauthorized);
        }
        let (fault, name) = Fault::draw(&mut lock(&self.rng))?;
        if fault == Fault::Unauthorized {
            self.locked_until.store(now + lock(&self.rng).u64(5..100), Ordering::SeqCst);
        }
        self.book().fault(name);
        Some(fault)
    }

    /// What is answered once the body has been read.
    fn answer(&self, fault: Fault) -> String {
        let mut rng = lock(&self.rng);
        let mut one_of = |statuses: &[u16]| statuses[rng.usize(..statuses.len())];
        match fault {
            Fault::Garbage => "\x01\x02 what is this\r\n\r\n".to_owned(),
            Fault::CutHead => OK[..20].to_owned(),
            Fault::HugeHead => format!("HTTP/1.1 200 OK\r\nX-Huge: {}\r\n\r\n", "x".repeat(100_000)),
            Fault::ShortBody => OK.replace("Length: 2", "Length: 200"),
            Fault::CutChunk => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe".to_owned(),
            Fault::Continue => format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"),
            Fault::ServerError => refusal(one_of(&[500, 503, 507]), ""),
            Fault::GatewayError => refusal(one_of(&[502, 504]), ""),
            Fault::NotImplemented => refusal(one_of(&[501, 505]), ""),
            Fault::TooManyRequests => {
                let asks = ["0", "soon", "Sun, 06 Nov 1994 08:49:37 GMT"][usize::from(one_of(&[0, 1, 2]))];
                refusal(one_of(&[408, 425, 429]), &format!("Retry-After: {asks}\r\n"))
            }
            Fault::RetryAfterOne => refusal(429, "Retry-After: 1\r\n"),
            Fault::Redirect => refusal(one_of(&[301, 302, 303, 307, 308]), "Location: /elsewhere\r\n"),
            Fault::Unauthorized => refusal(one_of(&[401, 403, 404]), ""),
            _ => OK.to_owned(),
        }
    }
}

/// What became of a connection when its thread was done with it.
enum End {
    Closed,
    /// Until the server goes away.
    KeptOpen,
}
