//! What may be sent to and shared by threads: all that is public. It is proved by being compiled.

use logpost::*;

const fn send_and_sync<T: Send + Sync>() {}
const fn send<T: Send>() {}

const _: () = {
    send_and_sync::<Action>();
    send_and_sync::<Batch>();
    send_and_sync::<BoundedQueue>();
    send_and_sync::<BoundedQueueBuilder>();
    send_and_sync::<Cancel>();
    send_and_sync::<CaptureHandler>();
    send_and_sync::<Delivery>();
    send_and_sync::<DequeueError>();
    send_and_sync::<Drained>();
    send_and_sync::<Dropped>();
    send_and_sync::<EmitError>();
    send_and_sync::<EnqueueError>();
    send_and_sync::<Error>();
    send_and_sync::<ErrorClass>();
    send_and_sync::<Failure<'_>>();
    send_and_sync::<Fields>();
    send_and_sync::<FlushError>();
    send_and_sync::<Form>();
    send_and_sync::<FormLines>();
    send_and_sync::<Guard>();
    send_and_sync::<HttpHandler>();
    send_and_sync::<HttpHandlerBuilder>();
    send_and_sync::<Judge>();
    send_and_sync::<LastError>();
    send_and_sync::<Logger>();
    send_and_sync::<LogRecord>();
    send_and_sync::<LogRecordBuilder>();
    send_and_sync::<Method>();
    send_and_sync::<Overflow>();
    send_and_sync::<PipelineStats>();
    send_and_sync::<QueueHandler>();
    send_and_sync::<QueueListener>();
    send_and_sync::<Retry>();
    send_and_sync::<State>();
    send_and_sync::<Stats>();
    send_and_sync::<Value<'_>>();
    send_and_sync::<ValueKind>();
    send_and_sync::<Verdict>();
    send_and_sync::<Box<dyn Encode>>();
    send_and_sync::<Box<dyn Enqueue>>();
    // These own handlers, which one thread at a time uses: they need not be `Sync`.
    send::<Builder>();
    send::<Pipeline>();
    send::<Box<dyn Handler>>();
    send::<Box<dyn Dequeue>>();
};

const _: () = send_and_sync::<logpost::testing::WaitError>();
#[cfg(feature = "testing")]
const _: () = {
    send_and_sync::<logpost::testing::Answer>();
    send_and_sync::<logpost::testing::FormData>();
    send_and_sync::<logpost::testing::Request>();
    send_and_sync::<logpost::testing::Server>();
};
#[cfg(feature = "json")]
const _: () = {
    send_and_sync::<logpost::FormField>();
    send_and_sync::<logpost::Json>();
    send_and_sync::<logpost::JsonLines>();
};
#[cfg(any(feature = "rustls", feature = "native-tls"))]
const _: () = send_and_sync::<logpost::TlsProvider>();

/// Every public type is in the lists above.
#[test]
fn every_public_type_is_in_the_list() {
    let (source, list) = (include_str!("../../src/lib.rs"), include_str!("bounds.rs"));
    let exported = source.lines().skip_while(|line| !line.starts_with("pub use ")).take_while(|line| !line.is_empty());
    let exported: String = exported.collect();
    let words = exported.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let types: Vec<_> =
        words.filter(|word| word.starts_with(char::is_uppercase) && *word != word.to_uppercase()).collect();
    assert!(types.len() > 30, "{types:?}");
    for name in types {
        let listed = [format!("<{name}>"), format!("<{name}<"), format!("::{name}>"), format!("dyn {name}>")];
        assert!(listed.iter().any(|entry| list.contains(entry)), "{name}");
    }
}
