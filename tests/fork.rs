//! A process forked off one that logs: it has no listener, delivers nothing, and waits for nothing; its parent goes on.
//!
//! Forked on the main thread with nothing else running but the listener, so without libtest's own threads.

#[cfg(target_os = "linux")]
fn main() {
    linux::a_forked_child_waits_for_nothing_and_its_parent_delivers_everything();
    linux::children_of_a_busy_parent_come_back();
    linux::a_listener_of_one_s_own_does_nothing_in_a_child();
    println!("fork: ok");
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, abort, exit};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use fork::{Fork, fork, waitpid_nohang};
    use log::{Log, info};
    use logpost::{BoundedQueue, CaptureHandler, HttpHandler, QueueHandler, QueueListener, Stats};
    use logpost_test_support::{LONG, Server, wait_until};

    /// What a child ends with that found all as it should be.
    const GOOD: i32 = 7;

    /// Runs this in a child, which ends with `GOOD` if it returns true; that is what the raw wait status says.
    fn in_child(work: impl FnOnce() -> bool) {
        in_child_that_ends(|status| exit(status), work);
    }

    /// The end of a child whose parent was starting a thread, or ending one: `exit` takes a lock of the standard library's then
    /// that is never released there.
    fn by_exec(status: i32) -> ! {
        let error = Command::new("sh").arg("-c").arg(format!("exit {status}")).exec();
        eprintln!("sh: {error}");
        abort()
    }

    fn in_child_that_ends(end: impl FnOnce(i32), work: impl FnOnce() -> bool) {
        match fork().expect("a process") {
            Fork::Child => end(if work() { GOOD } else { 1 }),
            Fork::Parent(child) => {
                let mut status = None;
                wait_until("the child ends", || {
                    status = waitpid_nohang(child).expect("a child of ours");
                    status.is_some()
                });
                assert_eq!(status, Some(GOOD << 8), "the child's wait status");
            }
        }
    }

    pub(super) fn a_forked_child_waits_for_nothing_and_its_parent_delivers_everything() {
        let server = Server::start();
        let handler = HttpHandler::new(server.url()).unwrap();
        let guard = logpost::builder().handler(handler).flush_timeout(LONG).init().unwrap();
        info!("before");
        guard.flush(LONG).unwrap();
        let began = Instant::now();
        in_child(|| {
            info!("of the child");
            let error = guard.flush(LONG).unwrap_err();
            log::logger().flush();
            // Its end flushes too, and must not wait either.
            error.pending() == 0
                && error.to_string().contains("forked")
                && guard.stop(LONG) == Stats::default()
                && began.elapsed() < LONG / 2
        });
        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
        info!("after");
        guard.flush(LONG).unwrap();
        assert_eq!(server.messages(), ["before", "after"]);
        let stats = guard.stats();
        assert_eq!((stats.accepted, stats.delivered, stats.dropped.total()), (2, 2, 0), "{stats}");
    }

    /// Ends other threads, also where a test fails.
    struct Stops<'a>(&'a AtomicBool);

    impl Drop for Stops<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// A thread that does not exist in the child may have held any lock: a flush there must not touch one.
    pub(super) fn children_of_a_busy_parent_come_back() {
        let server = Server::start();
        let handler = HttpHandler::new(server.url()).unwrap();
        let (logger, guard) = logpost::builder().handler(handler).flush_timeout(LONG).build().unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        info!(logger: logger, "busy");
                    }
                });
            }
            let stops = Stops(&stop);
            for _ in 0..100 {
                in_child(|| {
                    logger.flush();
                    let flushed = guard.flush(Duration::MAX);
                    flushed.is_err() && guard.stop(Duration::MAX) == Stats::default()
                });
            }
            drop(stops);
        });
        guard.stop(Duration::ZERO);
    }

    /// The same for a listener that the parent starts and stops all the time, and that is dropped in the child.
    pub(super) fn a_listener_of_one_s_own_does_nothing_in_a_child() {
        let queue = BoundedQueue::new();
        let (logger, capture) = (QueueHandler::new(queue.clone()), CaptureHandler::new());
        let listener = Arc::new(QueueListener::new(queue).handler(capture.clone()));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let parent = Arc::clone(&listener);
            let logger = &logger;
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    parent.start().unwrap();
                    info!(logger: logger, "busy");
                    parent.stop(LONG);
                }
            });
            let stops = Stops(stop);
            for _ in 0..100 {
                in_child_that_ends(
                    |status| by_exec(status),
                    || {
                        let refused = [listener.start().map(drop), listener.drain().map(drop)];
                        refused
                            .iter()
                            .all(|refused| refused.as_ref().is_err_and(|error| format!("{error:?}").contains("forked")))
                            && listener.flush(Duration::MAX).is_err_and(|error| error.to_string().contains("fork"))
                            && logger.flush(Duration::MAX).is_err()
                            && listener.stop(Duration::MAX) == Stats::default()
                    },
                );
            }
            drop(stops);
        });
        let stats = listener.stop(LONG);
        assert_eq!((stats.delivered, stats.pending), (capture.messages().len() as u64, 0), "{stats}");
    }
}
