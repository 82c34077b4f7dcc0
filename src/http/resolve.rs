//! Names to addresses: address literals at once, names from a cache, and never more than one helper thread.
//!
//! ureq resolves the name for every request, and with a time-out starts a thread for it each time: 20 µs at best, and a
//! thread left behind for every attempt while the resolver hangs.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::sync::{Mutex, lock};

/// How long an address is used before its name is looked up again.
const TIME_TO_LIVE: Duration = Duration::from_secs(30);

type Addresses = Vec<SocketAddr>;
type Lookup = dyn Fn(&str) -> io::Result<Addresses> + Send + Sync;

/// A resolver with a cache; its clones share it.
#[derive(Clone)]
pub(super) struct CachingResolver {
    lookup: Arc<Lookup>,
    names: Arc<Mutex<HashMap<String, Name>>>,
}

#[derive(Default)]
struct Name {
    known: Option<(Addresses, Instant)>,
    /// A lookup under way. One that hangs is waited for again by the next attempt, rather than started anew.
    pending: Option<Receiver<io::Result<Addresses>>>,
}

impl CachingResolver {
    /// One that asks the system.
    pub(super) fn system() -> Self {
        Self::new(|host_and_port| Ok(host_and_port.to_socket_addrs()?.collect()))
    }

    pub(super) fn new(lookup: impl Fn(&str) -> io::Result<Addresses> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), names: Arc::default() }
    }

    /// Has the next request look its name up again: the address may be why this one failed.
    pub(super) fn forget(&self) {
        lock(&self.names).values_mut().for_each(|name| name.known = None);
    }

    fn addresses(&self, host_and_port: &str, timeout: Duration) -> Result<Addresses, Failure> {
        // Held while a lookup is waited for. That keeps nobody waiting: each listener has a resolver of its own.
        let mut names = lock(&self.names);
        let name = names.entry(host_and_port.to_owned()).or_default();
        match &name.known {
            Some((addresses, since)) if since.elapsed() < TIME_TO_LIVE => {
                return Ok(addresses.clone());
            }
            _ => {}
        }
        let answer = match name.pending.take() {
            Some(answer) => answer,
            None => self.start(host_and_port.to_owned()).map_err(Failure::Lookup)?,
        };
        match answer.recv_timeout(timeout) {
            Ok(Ok(addresses)) => {
                name.known = Some((addresses.clone(), Instant::now()));
                Ok(addresses)
            }
            Ok(Err(error)) => Err(Failure::Lookup(error)),
            Err(RecvTimeoutError::Timeout) => {
                name.pending = Some(answer);
                Err(Failure::Timeout)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Lookup(io::Error::other("the lookup panicked"))),
        }
    }

    fn start(&self, host_and_port: String) -> io::Result<Receiver<io::Result<Addresses>>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let lookup = Arc::clone(&self.lookup);
        thread::Builder::new().name("logpost-resolve".to_owned()).spawn(move || {
            // Nobody is left to hear it if the handler has gone.
            let _ = sender.send(lookup(&host_and_port));
        })?;
        Ok(receiver)
    }
}

enum Failure {
    Timeout,
    Lookup(io::Error),
}

impl Resolver for CachingResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let bad_uri = || ureq::Error::BadUri(uri.to_string());
        let scheme = uri.scheme().ok_or_else(bad_uri)?;
        let authority = uri.authority().ok_or_else(bad_uri)?;
        let host_and_port = DefaultResolver::host_and_port(scheme, authority).ok_or_else(bad_uri)?;
        let found = match literal(&host_and_port) {
            Some(address) => vec![address],
            None => self.addresses(&host_and_port, *timeout.after).map_err(|failure| match failure {
                Failure::Timeout => ureq::Error::Timeout(timeout.reason),
                Failure::Lookup(error) => ureq::Error::Io(error),
            })?,
        };
        let mut resolved = self.empty();
        let family = config.ip_family();
        for address in family.keep_wanted(found.into_iter()).take(MAX_ADDRESSES) {
            resolved.push(address);
        }
        if resolved.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(resolved) }
    }
}

/// As many as ureq has room for.
const MAX_ADDRESSES: usize = 16;

fn literal(host_and_port: &str) -> Option<SocketAddr> {
    let (host, port) = host_and_port.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, port.parse().ok()?))
}

impl fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachingResolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(30);
    const NAME: &str = "logs.example:80";

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 80))
    }

    /// A resolver whose answer counts its lookups: the first is 127.0.0.1.
    fn counting() -> CachingResolver {
        let lookups = AtomicUsize::new(0);
        CachingResolver::new(move |_| {
            let count = lookups.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(vec![address(u8::try_from(count).unwrap())])
        })
    }

    fn ask(resolver: &CachingResolver) -> Addresses {
        resolver.addresses(NAME, LONG).ok().unwrap()
    }

    #[test]
    fn literals_need_no_lookup() {
        assert_eq!(literal("127.0.0.1:9020"), Some("127.0.0.1:9020".parse().unwrap()));
        assert_eq!(literal("[::1]:9020"), Some("[::1]:9020".parse().unwrap()));
        assert_eq!(literal("localhost:80"), None);
    }

    #[test]
    fn a_name_is_looked_up_once_until_forgotten() {
        let resolver = counting();
        assert_eq!(ask(&resolver), [address(1)]);
        assert_eq!(ask(&resolver), [address(1)]);
        resolver.forget();
        assert_eq!(ask(&resolver), [address(2)], "address change while running");
    }

    #[test]
    fn a_name_is_looked_up_again_after_its_time() {
        let resolver = counting();
        ask(&resolver);
        let Some(old) = Instant::now().checked_sub(TIME_TO_LIVE) else {
            return;
        };
        lock(&resolver.names).get_mut(NAME).unwrap().known.as_mut().unwrap().1 = old;
        assert_eq!(ask(&resolver), [address(2)]);
    }

    #[test]
    fn unknown_host_then_known() {
        let known = Arc::new(Mutex::new(false));
        let answer = Arc::clone(&known);
        let resolver =
            CachingResolver::new(
                move |_| {
                    if *lock(&answer) { Ok(vec![address(1)]) } else { Err(io::Error::other("unknown")) }
                },
            );
        assert!(matches!(resolver.addresses(NAME, LONG), Err(Failure::Lookup(_))));
        *lock(&known) = true;
        assert_eq!(ask(&resolver), [address(1)]);
    }

    #[test]
    fn a_resolver_that_hangs_has_one_helper_thread() {
        let lookups = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let (count, released) = (Arc::clone(&lookups), Mutex::new(released));
        let resolver = CachingResolver::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            lock(&released).recv().ok();
            Ok(vec![address(1)])
        });
        for _ in 0..50 {
            assert!(matches!(resolver.addresses(NAME, Duration::from_millis(1)), Err(Failure::Timeout)));
        }
        release.send(()).unwrap();
        assert_eq!(ask(&resolver), [address(1)]);
        assert_eq!(lookups.load(Ordering::SeqCst), 1);
    }
}
