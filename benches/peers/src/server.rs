//! The web servers that take the requests: nginx, and one of our own that counts records.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A server that discards what it gets: nginx where there is one, else ours.
pub(crate) enum Server {
    Nginx(Nginx),
    Counting(Counting),
}

impl Server {
    pub(crate) fn start(scratch: &Path) -> Self {
        match Nginx::start(scratch) {
            Ok(nginx) => Self::Nginx(nginx),
            Err(error) => {
                eprintln!("nginx: {error}; the server is the harness's own");
                Self::Counting(Counting::start())
            }
        }
    }

    pub(crate) fn about(&self) -> String {
        match self {
            Self::Nginx(nginx) => nginx.version.clone(),
            Self::Counting(_) => "the harness's own server".to_owned(),
        }
    }

    pub(crate) fn base(&self) -> String {
        match self {
            Self::Nginx(nginx) => format!("http://{}", nginx.address),
            Self::Counting(counting) => counting.base(),
        }
    }

    /// Requests since it was started.
    pub(crate) fn requests(&self) -> u64 {
        match self {
            Self::Nginx(nginx) => nginx.requests(),
            Self::Counting(counting) => counting.counts().requests,
        }
    }
}

/// nginx with a configuration of its own.
pub(crate) struct Nginx {
    address: String,
    version: String,
    process: Child,
    directory: PathBuf,
    /// Requests of our own, for the count itself.
    asked: AtomicU64,
}

impl Nginx {
    fn start(scratch: &Path) -> io::Result<Self> {
        let program = program().ok_or_else(|| io::Error::other("not installed (apt-get install nginx-light)"))?;
        let version = Command::new(&program).arg("-v").output()?;
        let version = String::from_utf8_lossy(&version.stderr).replace("nginx version: ", "").trim().to_owned();
        let directory = scratch.join("nginx");
        fs::create_dir_all(directory.join("root"))?;
        for file in ["log", "ok"] {
            fs::write(directory.join("root").join(file), "")?;
        }
        // Free a moment ago. Nobody else takes it, in all likelihood.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let configuration =
            CONFIGURATION.replace("ADDRESS", &address).replace("DIRECTORY", &directory.to_string_lossy());
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command.arg("-p").arg(&directory).arg("-c").arg(&file).args(["-e", "stderr"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut nginx = Self { address, version, process, directory, asked: AtomicU64::new(0) };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(&nginx.address).is_err() {
            if nginx.process.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(io::Error::other("it does not start"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }

    fn requests(&self) -> u64 {
        let mut stream = TcpStream::connect(&self.address).expect("nginx runs");
        stream.write_all(b"GET /status HTTP/1.0\r\n\r\n").expect("nginx runs");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("nginx runs");
        // "server accepts handled requests", then the three numbers; this one is among them.
        let numbers = answer.lines().skip_while(|line| !line.contains("handled")).nth(1);
        let all: u64 = numbers.and_then(|line| line.split_whitespace().nth(2)?.parse().ok()).expect("stub_status");
        all - 1 - self.asked.fetch_add(1, Ordering::SeqCst)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A kill would leave the worker process behind.
        let pid = fs::read_to_string(self.directory.join("pid")).unwrap_or_else(|_| self.process.id().to_string());
        let _ = Command::new("kill").args(["-QUIT", pid.trim()]).status();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    places.into_iter().map(|place| place.join("nginx")).find(|file| file.exists())
}

/// `return 204` alone would answer before the body has been read. A mirror makes nginx read it, and a POST to a file is
/// refused only after that.
const CONFIGURATION: &str = "
daemon off;
worker_processes 1;
pid DIRECTORY/pid;
error_log stderr crit;
events { worker_connections 512; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_max_body_size 16m;
    client_body_buffer_size 4m;
    client_body_temp_path DIRECTORY/body;
    proxy_temp_path DIRECTORY/proxy;
    fastcgi_temp_path DIRECTORY/fastcgi;
    uwsgi_temp_path DIRECTORY/uwsgi;
    scgi_temp_path DIRECTORY/scgi;
    open_file_cache max=16;
    root DIRECTORY/root;
    server {
        listen ADDRESS;
        location = /status { stub_status; }
        location = /sink { internal; return 204; }
        location @no_content { return 204; }
        location @ok { return 200; }
        location /ok { mirror /sink; try_files /ok =500; error_page 405 =200 @ok; }
        location / { mirror /sink; try_files /log =500; error_page 405 =204 @no_content; }
    }
}
";

/// What a [`Counting`] server has seen.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    /// How often `MARK` was in the bodies.
    pub(crate) marks: u64,
}

/// In the message of each record, once, and the same in every encoding.
const MARK: &[u8] = b"10.0.0.1";

/// A server that looks into the bodies: too slow to measure against, but exact.
pub(crate) struct Counting {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    requests: AtomicU64,
    bytes: AtomicU64,
    marks: AtomicU64,
}

impl Counting {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.serve(stream));
            }
        });
        Self { address, state }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counts { requests: get(&self.state.requests), bytes: get(&self.state.bytes), marks: get(&self.state.marks) }
    }
}

impl State {
    /// Answers until the client closes.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut answers = stream.try_clone()?;
        let mut requests = BufReader::with_capacity(1 << 16, stream);
        let mut line = String::new();
        let mut body = Vec::new();
        loop {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let ok = line.contains(" /ok");
            let (mut length, mut snappy) = (0, false);
            loop {
                line.clear();
                requests.read_line(&mut line)?;
                let header = line.trim_end().to_ascii_lowercase();
                if header.is_empty() {
                    break;
                }
                match header.split_once(':') {
                    Some(("content-length", value)) => length = value.trim().parse().map_err(io::Error::other)?,
                    Some(("content-encoding", value)) => snappy = value.trim() == "snappy",
                    _ => {}
                }
            }
            body.resize(length, 0);
            requests.read_exact(&mut body)?;
            if snappy {
                body = snap::raw::Decoder::new().decompress_vec(&body).map_err(io::Error::other)?;
            }
            self.requests.fetch_add(1, Ordering::SeqCst);
            self.bytes.fetch_add(length as u64, Ordering::SeqCst);
            self.marks.fetch_add(count_marks(&body), Ordering::SeqCst);
            answers.write_all(if ok { OK } else { NO_CONTENT })?;
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

fn count_marks(body: &[u8]) -> u64 {
    body.windows(MARK.len()).filter(|window| *window == MARK).count() as u64
}
