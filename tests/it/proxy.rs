//! Proxies: tinyproxy, and some that misbehave.

use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use logpost::{Delivery, ErrorClass, HttpHandler};
use logpost_test_support::{Answer, LONG, Plan, Port, Server, have, wait_until};

use crate::told::{Told, check, log, logger};

/// A tinyproxy that runs until this is dropped.
struct Tinyproxy {
    child: Child,
    address: SocketAddr,
    config: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

impl Tinyproxy {
    /// `None` where there is no such program.
    fn start(settings: &str) -> Option<Self> {
        have("tinyproxy", "-v").then(|| {
            // Somebody else may be quicker to take the port.
            let attempt = |_| {
                let free = Port::reserve().address();
                Self::run(free, settings)
            };
            (0..10).find_map(attempt).expect("a port for tinyproxy")
        })
    }

    /// `None` if it ends instead of listening there.
    fn run(address: SocketAddr, settings: &str) -> Option<Self> {
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tinyproxy-{}.conf", address.port()));
        let lines =
            format!("Port {}\nListen 127.0.0.1\nAllow 127.0.0.1\nLogLevel Connect\n{settings}\n", address.port());
        fs::write(&config, lines).unwrap();
        let mut tinyproxy = Command::new("tinyproxy");
        tinyproxy.arg("-d").arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = tinyproxy.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stdout) = (Arc::clone(&log), BufReader::new(child.stdout.take().unwrap()));
        // This ends with the output.
        thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| lines.lock().unwrap().push(line)));
        let mut proxy = Self { child, address, config, log };
        let mut has_ended = false;
        wait_until("tinyproxy listens", || {
            has_ended = proxy.child.try_wait().unwrap().is_some();
            has_ended || TcpStream::connect(address).is_ok()
        });
        (!has_ended).then_some(proxy)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until it says that it was asked for a tunnel to there.
    fn wait_for_tunnel_to(&self, server: &str) {
        let line = format!("CONNECT {server} HTTP/1.1");
        wait_until("the proxy was asked", || self.log.lock().unwrap().iter().any(|logged| logged.contains(&line)));
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.config);
    }
}

#[test]
fn plain_http_goes_through_the_proxy_on_one_connection() {
    let Some(proxy) = Tinyproxy::start("") else { return };
    let server = Server::start();
    let handler = HttpHandler::builder(server.url()).proxy(proxy.url());
    let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 50);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 50);
    proxy.wait_for_tunnel_to(&server.address().to_string());
    assert_eq!((server.connections(), told.try_iter().count()), (1, 0));
    // What was the proxy's is not the server's.
    assert!(server.requests().iter().all(|request| request.target == "/log"));
}

#[test]
fn a_tunnel_that_the_server_closes_costs_nothing() {
    let Some(proxy) = Tinyproxy::start("") else { return };
    let server = Server::scripted(|request| {
        let answer = Answer::status(200);
        Plan::Answer(if request.position == 2 { answer.then_close() } else { answer })
    });
    let (logger, guard, _told) = logger(HttpHandler::builder(server.url()).proxy(proxy.url()), Delivery::AtLeastOnce);
    log(&logger, 30);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 30);
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls {
    use super::*;
    use crate::tls::{PROVIDERS, trusting};
    use logpost_test_support::Authority;

    #[test]
    fn https_goes_through_the_proxy_on_one_connection() {
        let Some(proxy) = Tinyproxy::start("") else { return };
        for &provider in PROVIDERS {
            let authority = Authority::new();
            let server = Server::builder().tls(authority.server()).start();
            let handler = trusting(provider, &authority, server.url()).proxy(proxy.url());
            let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
            log(&logger, 50);
            guard.flush(LONG).unwrap();
            check(&server, &guard, 50);
            proxy.wait_for_tunnel_to(&server.address().to_string());
            assert_eq!((server.connections(), told.try_iter().count()), (1, 0));
        }
    }

    /// It is one server here: what comes out of the tunnel goes to where it began.
    #[test]
    fn a_proxy_by_https_is_trusted_as_servers_are() {
        for &provider in PROVIDERS {
            let authority = Authority::new();
            let proxy = Server::builder().tls(authority.server()).script(|request| {
                let is_tunnel = request.method == "CONNECT";
                Plan::Answer(if is_tunnel { Answer::raw("HTTP/1.1 200 OK\r\n\r\n") } else { Answer::status(200) })
            });
            let proxy = proxy.start();
            let through = |authority: &Authority| {
                let url = format!("https://user:p%40ss@{}", proxy.address());
                let handler = trusting(provider, authority, "http://logs.invalid/log".to_owned());
                logger(handler.proxy(url), Delivery::AtMostOnce)
            };
            let (logger, guard, told) = through(&authority);
            log(&logger, 10);
            guard.flush(LONG).unwrap();
            assert_eq!((guard.stats().delivered, told.try_iter().count(), proxy.connections()), (10, 0, 1));
            let (tunnel, requests) = (proxy.requests().remove(0), proxy.requests().split_off(1));
            assert_eq!(
                (tunnel.target.as_str(), tunnel.header("user-agent")),
                ("logs.invalid:80", vec![logpost::DEFAULT_USER_AGENT])
            );
            assert_eq!(tunnel.header("proxy-authorization"), ["Basic dXNlcjpwQHNz"]);
            assert_eq!(requests.len(), 10);
            assert!(requests.iter().all(|request| request.header("proxy-authorization").is_empty()));

            let (logger, guard, told) = through(&Authority::new());
            log(&logger, 1);
            assert_eq!(Told::next(&told).class, ErrorClass::Endpoint);
            assert_eq!((guard.stats().pending, proxy.requests().len()), (1, 11));
        }
    }

    #[test]
    fn a_bad_certificate_behind_the_proxy_gets_nothing_and_costs_nothing() {
        let Some(proxy) = Tinyproxy::start("") else { return };
        for &provider in PROVIDERS {
            let (authority, other) = (Authority::new(), Authority::new());
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let server = Server::builder().tls(other.server()).start_on(listener.try_clone().unwrap());
            let handler = trusting(provider, &authority, server.url()).proxy(proxy.url());
            let (logger, guard, told) = logger(handler, Delivery::AtMostOnce);
            log(&logger, 10);
            for _ in 0..3 {
                let told = Told::next(&told);
                assert_eq!(told.class, ErrorClass::Endpoint, "{told:?}");
            }
            assert!(server.requests().is_empty());
            drop(server);
            let server = Server::builder().tls(authority.server()).start_on(listener);
            guard.flush(LONG).unwrap();
            check(&server, &guard, 10);
        }
    }
}

#[test]
fn a_proxy_wants_its_own_credentials() {
    let Some(proxy) = Tinyproxy::start("BasicAuth user s3cret") else { return };
    let server = Server::start();
    let with = |credentials: &str| {
        let url = format!("http://{credentials}{}", proxy.address);
        logger(HttpHandler::builder(server.url()).proxy(url), Delivery::AtMostOnce)
    };
    for credentials in ["", "user:s3cred@", "u:s3cret@"] {
        let (logger, guard, told) = with(credentials);
        log(&logger, 1);
        let told = Told::next(&told);
        assert_eq!(told.class, ErrorClass::Endpoint, "{told:?}");
        assert!(told.text.contains(&proxy.url()) && !told.text.contains("s3cre"), "{told:?}");
        assert_eq!(guard.stats().pending, 1);
    }
    assert!(server.requests().is_empty());
    let (logger, guard, told) = with("user:s3%63ret@");
    log(&logger, 10);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 10);
    assert_eq!(told.try_iter().count(), 0);
    assert!(server.requests().iter().all(|request| request.header("proxy-authorization").is_empty()));
}

#[test]
fn a_proxy_that_is_down_costs_nothing() {
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let (port, server) = (Port::reserve(), Server::start());
        let proxy = format!("http://{}", port.address());
        let (logger, guard, told) = logger(HttpHandler::builder(server.url()).proxy(&proxy), delivery);
        log(&logger, 10);
        for _ in 0..3 {
            let told = Told::next(&told);
            assert_eq!(told.class, ErrorClass::Transient, "{told:?}");
            // Or else one looks for what is wrong with the server.
            assert!(told.text.contains(&proxy), "{told:?}");
        }
        assert_eq!((guard.stats().pending, server.connections()), (10, 0));
        let address = port.address();
        drop(port);
        if have("tinyproxy", "-v") {
            let _proxy = Tinyproxy::run(address, "").expect("the port that was free a moment ago");
            guard.flush(LONG).unwrap();
            check(&server, &guard, 10);
        }
    }
}

#[test]
fn a_server_that_is_down_behind_the_proxy_costs_nothing() {
    let Some(proxy) = Tinyproxy::start("") else { return };
    for delivery in [Delivery::AtLeastOnce, Delivery::AtMostOnce] {
        let port = Port::reserve();
        let (logger, guard, told) = logger(HttpHandler::builder(port.url()).proxy(proxy.url()), delivery);
        log(&logger, 10);
        for _ in 0..3 {
            let told = Told::next(&told);
            assert_eq!(told.class, ErrorClass::Transient, "{told:?}");
        }
        let server = Server::builder().start_on(port.listen(16));
        guard.flush(LONG).unwrap();
        check(&server, &guard, 10);
    }
}

#[test]
fn a_proxy_that_does_not_allow_the_port_costs_nothing() {
    let Some(proxy) = Tinyproxy::start("ConnectPort 443") else { return };
    let server = Server::start();
    let (logger, guard, told) = logger(HttpHandler::builder(server.url()).proxy(proxy.url()), Delivery::AtMostOnce);
    log(&logger, 1);
    let told = Told::next(&told);
    assert_eq!(told.class, ErrorClass::Endpoint, "{told:?}");
    assert_eq!((guard.stats().pending, server.connections()), (1, 0));
}

/// A proxy that does `this` with each connection, in a thread for each.
fn scripted(this: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, this) = (listener.local_addr().unwrap(), Arc::new(this));
    // It ends with the process.
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let this = Arc::clone(&this);
            thread::spawn(move || this(stream));
        }
    });
    address
}

/// Passes on what comes, in both directions, until both have ended.
fn relay(client: &TcpStream, server: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let upwards = thread::spawn(move || {
        let copied = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
        copied
    });
    io::copy(&mut &server, &mut &*client)?;
    upwards.join().unwrap()?;
    Ok(())
}

#[test]
fn a_proxy_that_never_comes_to_the_end_of_its_answer_is_cut_by_the_connect_timeout() {
    let stalls: fn(TcpStream) -> io::Result<()> = |mut proxy| proxy.read_to_end(&mut Vec::new()).map(drop);
    let trickles: fn(TcpStream) -> io::Result<()> = |mut proxy| {
        proxy.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
        loop {
            proxy.write_all(b"y")?;
            thread::park_timeout(Duration::from_millis(10));
        }
    };
    for misbehave in [stalls, trickles] {
        let proxy = scripted(misbehave);
        let handler = HttpHandler::builder("http://logs.invalid/")
            .proxy(format!("http://{proxy}"))
            .connect_timeout(Duration::from_millis(200))
            .timeout(LONG * 2);
        let (logger, _guard, told) = logger(handler, Delivery::AtMostOnce);
        log(&logger, 1);
        for _ in 0..2 {
            let told = Told::next(&told);
            assert_eq!(told.class, ErrorClass::Transient, "{told:?}");
            assert!(told.text.contains("timeout"), "{told:?}");
        }
    }
}

#[test]
fn a_stop_cuts_the_way_to_the_proxy() {
    let (tell, cut) = std::sync::mpsc::channel();
    let (tell_asked, asked) = std::sync::mpsc::channel();
    let proxy = scripted(move |mut stream| {
        let mut head = BufReader::new(&stream).lines();
        tell_asked.send(head.next().unwrap()?).unwrap();
        tell.send(stream.read_to_end(&mut Vec::new()).is_ok()).unwrap();
        Ok(())
    });
    let handler = HttpHandler::builder("http://logs.invalid/")
        .proxy(format!("http://{proxy}"))
        .connect_timeout(LONG * 2)
        .timeout(LONG * 2);
    let (logger, guard, _told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 1);
    assert_eq!(asked.recv_timeout(LONG).unwrap(), "CONNECT logs.invalid:80 HTTP/1.1");
    assert_eq!(guard.stop(Duration::ZERO).abandoned, 1);
    cut.recv_timeout(LONG).unwrap();
}

#[test]
fn socks_goes_through_the_proxy() {
    let server = Server::start();
    let address = server.address();
    let (tell, asked) = std::sync::mpsc::channel();
    let proxy = scripted(move |mut client| {
        client.read_exact(&mut [0; 3])?; // version 5, one method: none
        client.write_all(&[5, 0])?;
        let mut head = [0; 5]; // version, connect, reserved, a name, its length
        client.read_exact(&mut head)?;
        let mut name_and_port = vec![0; usize::from(head[4]) + 2];
        client.read_exact(&mut name_and_port)?;
        let _ = tell.send((head[3], name_and_port));
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        relay(&client, address)
    });
    // The proxy looks the name up: nobody else could.
    let handler = HttpHandler::builder("http://logs.invalid/log").proxy(format!("socks5h://{proxy}"));
    let (logger, guard, told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 10);
    guard.flush(LONG).unwrap();
    check(&server, &guard, 10);
    assert_eq!(asked.recv().unwrap(), (3, b"logs.invalid\0P".to_vec()));
    assert_eq!((server.connections(), told.try_iter().count()), (1, 0));
}

/// What a child is told by its environment: where to log to.
const CHILD: &str = "LOGPOST_TEST_PROXY_CHILD";
const VARIABLES: [&str; 8] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"];

/// The environment belongs to the whole process, so each case has one of its own: this program again.
#[test]
fn the_environment_is_read_in_ureqs_order() {
    if let Ok(told) = env::var(CHILD) {
        return child(&told);
    }
    let Some(proxy) = Tinyproxy::start("") else { return };
    let (live, dead) = (proxy.url(), Port::reserve());
    let dead = format!("http://{}", dead.address());
    let has_tunnel = [
        vec![("ALL_PROXY", &*live), ("HTTPS_PROXY", &dead), ("HTTP_PROXY", &dead)],
        vec![("all_proxy", &live), ("HTTPS_PROXY", &dead)],
        // For a server that is http: not what others do.
        vec![("HTTPS_PROXY", &live), ("https_proxy", &dead), ("HTTP_PROXY", &dead)],
        vec![("https_proxy", &live), ("HTTP_PROXY", &dead)],
        vec![("HTTP_PROXY", &live), ("http_proxy", &dead)],
        vec![("http_proxy", &live)],
        vec![("ALL_PROXY", "ftp://passed.over"), ("HTTPS_PROXY", ""), ("HTTP_PROXY", &live)],
        vec![("HTTP_PROXY", &live), ("NO_PROXY", "127.0.0.1,.example.com"), ("no_proxy", "*")],
        // No spaces.
        vec![("HTTP_PROXY", &live), ("NO_PROXY", "example.com, 0.0.0.0")],
    ];
    for variables in has_tunnel {
        // An address of this machine that is not called loopback.
        let server = Server::start();
        let address = format!("0.0.0.0:{}", server.address().port());
        run_child(&format!("http://{address}/log"), &variables);
        assert_eq!(server.messages(), ["record 0"], "{variables:?}");
        proxy.wait_for_tunnel_to(&address);
    }
    let is_direct = [
        ("127.0.0.1", vec![("ALL_PROXY", &*dead), ("HTTP_PROXY", &dead)]),
        ("localhost", vec![("ALL_PROXY", &dead)]),
        ("0.0.0.0", vec![("HTTP_PROXY", &dead), ("NO_PROXY", "example.com,0.0.0.0")]),
        ("0.0.0.0", vec![("HTTP_PROXY", &dead), ("no_proxy", "*.0.0.0")]),
        ("0.0.0.0", vec![("HTTP_PROXY", &dead), ("NO_PROXY", "0.0.*")]),
        ("0.0.0.0", vec![("HTTP_PROXY", &dead), ("NO_PROXY", "*")]),
        ("0.0.0.0/no_proxy", vec![("HTTP_PROXY", &dead)]),
    ];
    for (host, variables) in is_direct {
        let server = Server::start();
        let (host, path) = host.split_once('/').unwrap_or((host, "log"));
        run_child(&format!("http://{host}:{}/{path}", server.address().port()), &variables);
        assert_eq!(server.messages(), ["record 0"], "{host} {variables:?}");
    }
}

fn run_child(url: &str, variables: &[(&str, &str)]) {
    let name = thread::current().name().unwrap().to_owned();
    let mut child = Command::new(env::current_exe().unwrap());
    for variable in VARIABLES {
        child.env_remove(variable);
    }
    let child = child.args(["--exact", &name]).env(CHILD, url).envs(variables.iter().copied());
    let output = child.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{url} {variables:?}: {stdout}{stderr}");
}

fn child(url: &str) {
    let handler = HttpHandler::builder(url);
    let handler = if url.ends_with("/no_proxy") { handler.proxy("http://127.0.0.1:1").no_proxy() } else { handler };
    let (logger, guard, _told) = logger(handler, Delivery::AtLeastOnce);
    log(&logger, 1);
    guard.flush(LONG / 2).unwrap();
}
