//! Of several threads that call `init` at the same moment, one gets the process's logger.

mod threads;

use std::sync::Barrier;
use std::thread;

use log::{LevelFilter, info};
use logpost::{CaptureHandler, Guard};
use logpost_test_support::LONG;

use self::threads::{threads, wait_until_threads_are};

#[test]
fn of_several_inits_at_once_one_wins_and_the_others_leave_no_thread() {
    const CALLERS: usize = 8;
    let before = threads();
    let capture = CaptureHandler::new();
    let start = Barrier::new(CALLERS);
    let init = || {
        let builder = logpost::builder().handler(capture.clone());
        start.wait();
        builder.init()
    };
    let results: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(init)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    for error in losers.into_iter().map(Result::unwrap_err) {
        assert!(error.is_already_initialized(), "{error}");
    }
    let winners: Vec<Guard> = winners.into_iter().map(Result::unwrap).collect();
    let [guard] = &winners[..] else {
        panic!("{} inits succeeded", winners.len());
    };
    wait_until_threads_are(before, 1);
    assert_eq!(log::max_level(), LevelFilter::Info);
    info!("hello");
    guard.flush(LONG).unwrap();
    assert_eq!(capture.messages(), ["hello"]);
}
