//! Several processes, one listener, by the socket of examples/multiprocess.rs: children that are killed, parents that are
//! late, slow, or restart.
//!
//! This program runs itself again as the children, so it has no libtest around it.

#[cfg(all(unix, feature = "serde"))]
mod cases;

#[cfg(all(unix, feature = "serde"))]
#[path = "../examples/multiprocess/socket.rs"]
mod socket;

#[cfg(all(unix, feature = "serde"))]
mod processes {
    use std::collections::BTreeMap;
    use std::env;
    use std::fs;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};
    use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use log::info;
    use logpost::{
        BoundedQueue, CaptureHandler, EmitError, Guard, Handler, HttpHandler, LogRecord, QueueListener, Retry, Stats,
    };
    use logpost_test_support::{LONG, Server, wait_until};

    use crate::cases::{self, Case};
    use crate::socket::{Socket, SocketHandler};

    /// What a child is told by its environment: what to do, where the socket is, how many records its queue holds.
    const CHILD: &str = "LOGPOST_TEST_CHILD";

    pub(super) fn main() -> process::ExitCode {
        if let Ok(told) = env::var(CHILD) {
            let told: Vec<_> = told.split(' ').collect();
            child(told[0], told[1], told[2].parse().unwrap());
            return process::ExitCode::SUCCESS;
        }
        let all: [(&str, fn()); 6] = [
            ("the_dictionary_has_the_childs_process_thread_and_time", identities),
            ("a_child_killed_in_the_middle_of_a_record_spoils_no_other", killed),
            ("a_parent_that_is_late_gets_everything_and_nobody_waits_for_it", late),
            ("a_parent_that_restarts_loses_nothing", restart),
            ("a_parent_that_is_slow_costs_counted_records_and_no_time", slow),
            ("what_is_no_record_is_passed_over_and_counted", garbage),
        ];
        cases::run(
            all.into_iter().map(|(name, case)| (name.to_owned(), Box::new(case) as Box<_>)).collect::<Vec<Case>>(),
        )
    }

    /// A child does what it is told by lines, and answers each by one.
    fn child(role: &str, path: &str, capacity: usize) {
        // One that hangs shall fail its case, not outlive it.
        thread::spawn(|| {
            thread::park_timeout(LONG * 2);
            process::abort();
        });
        if role == "half" {
            return half_a_record(path);
        }
        let queue = BoundedQueue::builder().capacity(capacity).build().unwrap();
        let retry = Retry::default().first_delay(Duration::from_millis(10)).max_delay(Duration::from_millis(500));
        let to_parent = QueueListener::new(queue.clone()).handler(SocketHandler::new(path)).retry(retry);
        to_parent.start().unwrap();
        let guard = logpost::builder().queue(queue).init().unwrap();
        let mut logged = 0;
        for line in std::io::stdin().lines() {
            match line.unwrap().split_once(' ') {
                Some(("log", count)) => {
                    let count: usize = count.parse().unwrap();
                    let work = move || (logged..logged + count).for_each(|number| info!(number = number; "{number}"));
                    thread::Builder::new().name("worker".to_owned()).spawn(work).unwrap().join().unwrap();
                    logged += count;
                    answer(&guard.stats());
                }
                Some(("flush", _)) => {
                    guard.flush(LONG).unwrap();
                    answer(&guard.stats());
                }
                other => panic!("{other:?}"),
            }
        }
        drop::<Guard>(guard);
    }

    fn answer(stats: &Stats) {
        println!("{} {}", stats.accepted, stats.dropped.full);
    }

    /// Sends the beginning of a record, and waits to be killed.
    fn half_a_record(path: &str) {
        let text = serde_json::to_vec(&LogRecord::builder().message("half").build()).unwrap();
        let mut socket = UnixStream::connect(path).unwrap();
        socket.write_all(&u32::try_from(text.len()).unwrap().to_be_bytes()).unwrap();
        socket.write_all(&text[..text.len() / 2]).unwrap();
        println!("0 0");
        thread::park();
    }

    /// A process that does what it is told.
    struct Process {
        child: Child,
        input: Option<ChildStdin>,
        output: BufReader<ChildStdout>,
    }

    impl Process {
        fn start(program: &Path, role: &str, place: &Place, capacity: usize) -> Self {
            let told = format!("{role} {} {capacity}", place.socket().display());
            let mut command = Command::new(program);
            let mut child =
                command.env(CHILD, told).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
            let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
            Self { child, input, output }
        }

        fn logging(place: &Place) -> Self {
            Self::start(&env::current_exe().unwrap(), "log", place, 100_000)
        }

        /// Has it do something; returns how many records its queue has accepted and dropped so far.
        fn tell(&mut self, what: &str) -> (u64, u64) {
            writeln!(self.input.as_mut().unwrap(), "{what}").unwrap();
            self.answer()
        }

        fn answer(&mut self) -> (u64, u64) {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            let (accepted, dropped) = line.trim().split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            (accepted.parse().unwrap(), dropped.parse().unwrap())
        }

        fn end(mut self) {
            drop(self.input.take());
            assert!(self.child.wait().unwrap().success());
        }
    }

    impl Drop for Process {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// A directory of its own for each case.
    struct Place(PathBuf);

    impl Place {
        fn new(case: &str) -> Self {
            let path = env::temp_dir().join(format!("logpost-{case}-{}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("log.sock")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn parent(place: &Place, handler: impl Handler + 'static) -> (Socket, QueueListener) {
        let (socket, receiver) = Socket::listen(place.socket()).unwrap();
        let listener = QueueListener::new(receiver).handler(handler);
        listener.start().unwrap();
        (socket, listener)
    }

    fn numbers(records: &[LogRecord]) -> Vec<usize> {
        records.iter().map(|record| record.message().parse().unwrap()).collect()
    }

    fn identities() {
        const RECORDS: usize = 200;
        let place = Place::new("identities");
        let server = Server::start();
        let (socket, listener) = parent(&place, HttpHandler::new(server.url()).unwrap());
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let programs = ["child-a", "child-b", "child-c"].map(|name| {
            // Another name for this program, which is what its processes are called.
            let program = place.0.join(name);
            fs::hard_link(env::current_exe().unwrap(), &program)
                .or_else(|_| fs::copy(env::current_exe().unwrap(), &program).map(drop))
                .unwrap();
            program
        });
        let mut children: Vec<_> =
            programs.iter().map(|program| Process::start(program, "log", &place, 100_000)).collect();
        let mut expected = BTreeMap::new();
        for (child, program) in children.iter_mut().zip(&programs) {
            let name = program.file_name().unwrap().to_str().unwrap().to_owned();
            expected.insert(child.child.id().to_string(), name);
            child.tell(&format!("log {RECORDS}"));
        }
        let logged = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        for child in &mut children {
            assert_eq!(child.tell("flush now"), (RECORDS as u64, 0));
        }
        children.into_iter().for_each(Process::end);
        drop(socket);
        assert_eq!(listener.stop(LONG).delivered, 3 * RECORDS as u64);

        let mut next: BTreeMap<String, usize> = BTreeMap::new();
        for request in server.requests() {
            let field = |key: &str| request.field(key).unwrap();
            let process = field("process");
            assert_eq!(field("processName"), expected[&process]);
            assert_eq!(field("threadName"), "worker");
            let created: f64 = field("created").parse().unwrap();
            assert!((began - 0.002..logged + 0.002).contains(&created), "{began} {created} {logged}");
            let since_start: f64 = field("relativeCreated").parse().unwrap();
            assert!((0.0..LONG.as_secs_f64() * 2000.0).contains(&since_start));
            let next = next.entry(process).or_default();
            assert_eq!(field("msg"), next.to_string(), "each child's records are in their order");
            assert_eq!(field("number"), next.to_string());
            *next += 1;
        }
        assert_eq!(next.len(), 3);
        assert!(next.values().all(|&count| count == RECORDS));
    }

    fn killed() {
        let place = Place::new("killed");
        let capture = CaptureHandler::new();
        let (socket, listener) = parent(&place, capture.clone());
        let mut other = Process::logging(&place);
        other.tell("log 50");
        let mut child = Process::start(&env::current_exe().unwrap(), "half", &place, 1);
        child.answer();
        child.child.kill().unwrap();
        child.child.wait().unwrap();
        wait_until("the parent has noticed", || socket.broken() == 1);
        other.tell("log 50");
        other.tell("flush now");
        other.end();
        drop(socket);
        assert_eq!(listener.stop(LONG).delivered, 100);
        assert_eq!(numbers(&capture.records()), (0..100).collect::<Vec<_>>());
    }

    fn late() {
        let place = Place::new("late");
        let mut child = Process::logging(&place);
        // It has come back from all its calls before there is anybody who could take them.
        assert_eq!(child.tell("log 5000"), (5000, 0));
        let capture = CaptureHandler::new();
        let (socket, listener) = parent(&place, capture.clone());
        assert_eq!(child.tell("flush now"), (5000, 0));
        child.end();
        drop(socket);
        listener.stop(LONG);
        assert_eq!(numbers(&capture.records()), (0..5000).collect::<Vec<_>>());
    }

    fn restart() {
        let place = Place::new("restart");
        let capture = CaptureHandler::new();
        let mut child = Process::logging(&place);
        for round in 0..5 {
            let (socket, listener) = parent(&place, capture.clone());
            child.tell("log 1000");
            capture.wait_for(round * 1000 + 500, LONG).unwrap();
            drop(socket);
            // What has been answered is in this parent's hands.
            assert_eq!(listener.stop(LONG).pending, 0);
            child.tell("log 1000");
        }
        let (socket, listener) = parent(&place, capture.clone());
        assert_eq!(child.tell("flush now"), (10_000, 0));
        child.end();
        drop(socket);
        listener.stop(LONG);
        // Where an answer was lost, records came twice; none is missing, and the first time they came was in order.
        let mut first = numbers(&capture.records());
        let mut seen = vec![false; 10_000];
        first.retain(|&number| !std::mem::replace(&mut seen[number], true));
        assert_eq!(first, (0..10_000).collect::<Vec<_>>());
    }

    /// Takes nothing until the test lets it.
    struct Slow(Option<mpsc::Receiver<()>>, CaptureHandler);

    impl Handler for Slow {
        fn emit(&mut self, records: &[LogRecord]) -> Result<(), EmitError> {
            if let Some(released) = self.0.take() {
                let _ = released.recv();
            }
            self.1.emit(records)
        }
    }

    fn slow() {
        const CAPACITY: usize = 500;
        const LOGGED: u64 = 20_000;
        let place = Place::new("slow");
        let (release, released) = mpsc::channel();
        let capture = CaptureHandler::new();
        let (socket, listener) = parent(&place, Slow(Some(released), capture.clone()));
        let mut child = Process::start(&env::current_exe().unwrap(), "log", &place, CAPACITY);
        // It comes back while the parent takes nothing.
        let (accepted, dropped) = child.tell(&format!("log {LOGGED}"));
        assert_eq!(accepted + dropped, LOGGED);
        assert!(dropped > 0 && accepted >= CAPACITY as u64, "{accepted} accepted, {dropped} dropped");
        drop(release);
        child.tell("flush now");
        child.end();
        drop(socket);
        assert_eq!(listener.stop(LONG).delivered, capture.records().len() as u64);
        // The child has told of its drops.
        let (notices, own): (Vec<_>, Vec<_>) =
            capture.records().into_iter().partition(|record| record.target() == "logpost");
        assert!(!notices.is_empty());
        assert_eq!(own.len() as u64, accepted);
        assert!(numbers(&own).is_sorted_by(|a, b| a < b));
    }

    fn garbage() {
        let place = Place::new("garbage");
        let capture = CaptureHandler::new();
        let (socket, listener) = parent(&place, capture.clone());
        let mut connection = UnixStream::connect(place.socket()).unwrap();
        for text in ["no json", "{}", r#"{"version":99,"level":"INFO","message":"m","created":0}"#] {
            connection.write_all(&u32::try_from(text.len()).unwrap().to_be_bytes()).unwrap();
            connection.write_all(text.as_bytes()).unwrap();
        }
        wait_until("they are counted", || socket.broken() == 3);
        // A length beyond all bounds ends the connection, and takes no memory.
        connection.write_all(&u32::MAX.to_be_bytes()).unwrap();
        wait_until("it is counted", || socket.broken() == 4);
        let mut child = Process::logging(&place);
        child.tell("log 1");
        child.tell("flush now");
        child.end();
        drop(socket);
        assert_eq!(listener.stop(Duration::from_secs(60)).delivered, 1);
    }
}

#[cfg(all(unix, feature = "serde"))]
fn main() -> std::process::ExitCode {
    processes::main()
}

#[cfg(not(all(unix, feature = "serde")))]
fn main() {
    println!("multiprocess: skipped, it takes Unix and the feature serde");
}
