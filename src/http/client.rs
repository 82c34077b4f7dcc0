//! One request over ureq, and what came of it.

use std::fmt;
use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime};

use ureq::config::Config;
use ureq::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use ureq::{Agent, Body};

use super::accept::Judges;
use super::classes;
use super::encoding::Verdict;
use super::journey::{Journey, Stage, WatchingConnector, is_disconnect};
use super::proxy::Shown;
use super::reason::{self, Reason, Secrets};
use super::resolve::CachingResolver;
use super::retry_after;
use super::token::TokenSource;
use crate::handler::{Cancel, EmitError};

/// How much of an answer's body is read to keep the connection; a longer one closes it.
const MAX_BODY: usize = 64 * 1024;
/// How much of it is read where it says what became of the records: so much, and for each record and each byte of the
/// body, before compression, some more. A batch whose answer is always too long would be sent again and again.
const MAX_JUDGED: usize = 1024 * 1024;
const MAX_JUDGED_PER_RECORD: usize = 1024;
const MAX_JUDGED_PER_BYTE: usize = 4;
/// For how long it is read: a connection can be made anew in less.
const MAX_DRAIN: Duration = Duration::from_secs(1);

/// Requests to one server, over connections that are kept.
pub(super) struct Client {
    agent: Agent,
    resolver: CachingResolver,
    journey: Journey,
    token: Option<TokenSource>,
    judges: Judges,
    buffer: Box<[u8]>,
}

/// An answer's body, or its beginning.
struct Text {
    bytes: Vec<u8>,
    is_whole: bool,
}

/// One request. An attempt made again is the same one.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Option<&'a [u8]>,
    /// How many records it holds, and how many bytes these are before compression.
    pub(super) records: usize,
    pub(super) size: usize,
}

impl Client {
    pub(super) fn new(config: Config, token: Option<TokenSource>, judges: Judges) -> Self {
        Self::with_resolver(config, token, judges, CachingResolver::system())
    }

    fn with_resolver(config: Config, token: Option<TokenSource>, judges: Judges, resolver: CachingResolver) -> Self {
        let journey = Journey::default();
        Self {
            agent: Agent::with_parts(config, WatchingConnector::new(journey.clone()), resolver.clone()),
            resolver,
            journey,
            token,
            judges,
            buffer: vec![0; 4096].into(),
        }
    }

    /// Makes a request. An error's text says what happened, but not where to.
    pub(super) fn send(&mut self, call: Call<'_>) -> Result<(), EmitError> {
        // Where tokens are asked for, that is done first.
        let mut answer = self.run(call, self.token.is_none());
        if self.journey.wants_connection() {
            self.renew_token()?;
            answer = self.run(call, true);
        }
        let is_unauthorized = answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::UNAUTHORIZED);
        let outcome = self.conclude(answer, call);
        if is_unauthorized && outcome.is_err() && self.renew_token()? {
            let answer = self.run(call, true);
            return self.conclude(answer, call);
        }
        outcome
    }

    /// Asks for a token, and says whether there is another one now.
    fn renew_token(&mut self) -> Result<bool, EmitError> {
        self.token.as_mut().map_or(Ok(false), TokenSource::ask)
    }

    fn conclude(&mut self, answer: Result<Response<Body>, ureq::Error>, call: Call<'_>) -> Result<(), EmitError> {
        match answer {
            Ok(answer) => self.judge(answer, call),
            Err(error) => {
                self.resolver.forget();
                Err(self.describe(error, call.uri))
            }
        }
    }

    /// What a request that got no answer means, by what went wrong and by how far it came.
    fn describe(&self, error: ureq::Error, uri: &Uri) -> EmitError {
        let (class, disconnected) = (classes::of_error(&error), is_disconnect(&error));
        let is_refused = classes::is_refused_by_tls(&error);
        let stage = self.journey.stage();
        let error = match self.agent.config().proxy().filter(|proxy| !proxy.is_no_proxy(uri)) {
            // Else who reads "connection refused" looks at the server.
            Some(proxy) if stage == Stage::Connecting => {
                EmitError::new(class, format!("through the proxy {}: {error}", Shown(proxy)))
            }
            _ => EmitError::new(class, error),
        };
        match stage {
            Stage::Departing | Stage::Connecting => error.not_arrived(),
            // A server may close an idle connection at the very moment at which it is used again. Nothing is wrong then.
            Stage::OnKeptConnection if disconnected => error.retry_at_once(),
            // With TLS 1.3 a server looks at the client's certificate when the request is on its way, and at that only after.
            Stage::OnNewConnection if is_refused => error.not_arrived(),
            _ => error,
        }
    }

    /// Whether the server closed the connection before it had all of the last request, and said nothing.
    pub(super) fn was_left_unread(&self) -> bool {
        self.journey.was_left_unread() && self.journey.stage() != Stage::Answering
    }

    /// The same client, with another resolver.
    #[cfg(test)]
    pub(super) fn resolving(&self, resolver: CachingResolver) -> Self {
        let token = self.token.as_ref().map(TokenSource::another);
        Self::with_resolver(self.config().clone(), token, self.judges.clone(), resolver)
    }

    /// A client like this one, with connections of its own.
    pub(super) fn another(&self) -> Self {
        Self::new(self.config().clone(), self.token.as_ref().map(TokenSource::another), self.judges.clone())
    }

    pub(super) fn config(&self) -> &Config {
        self.agent.config()
    }

    /// Fails the request under way, and all that follow.
    pub(super) fn cancel(&self) -> Cancel {
        let agent = self.agent.clone();
        Box::new(move || agent.clone().shutdown())
    }

    fn run(&self, call: Call<'_>, may_connect: bool) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::new(());
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call.uri.clone();
        *request.headers_mut() = call.headers.clone();
        if let Some(token) = self.token.as_ref().and_then(TokenSource::current) {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        }
        self.journey.begin(call.body.is_some(), may_connect);
        match call.body {
            Some(body) => self.agent.run(request.map(|()| body)),
            None => self.agent.run(request),
        }
    }

    fn judge(&mut self, answer: Response<Body>, call: Call<'_>) -> Result<(), EmitError> {
        let (parts, mut body) = answer.into_parts();
        let status = parts.status;
        // Also where the verdict is clear: a connection whose answer is not read to its end can't be used again.
        let text = self.read(&mut body, call);
        let token = self.token.as_ref().and_then(TokenSource::current);
        let secrets = || Secrets::of(call.uri, call.headers.values().chain(token));
        let result = match self.verdict(status, &text) {
            Some(verdict) => verdict.map_err(|error| {
                let secrets = secrets();
                // Hidden first: of a secret that is cut, the beginning would be left.
                error.retold(&|words| reason::line(&secrets.hide(words.to_owned())))
            }),
            None => classes::of_status(status.as_u16()).map_err(|class| {
                let reason = Reason::of(&text.bytes, &secrets());
                let error = EmitError::new(class, format!("the server answered {status}{reason}"));
                if classes::is_refusal(status.as_u16()) { error.not_arrived() } else { error }
            }),
        };
        if self.journey.is_unfinished() && result.as_ref().err().is_none_or(EmitError::delivers_any) {
            let text = format!("the server answered {status} before it had read the request");
            return Err(EmitError::transient(text));
        }
        let Err(error) = result else { return Ok(()) };
        let asked_for = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Err(match asked_for.and_then(|value| retry_after::parse(value, SystemTime::now())) {
            Some(delay) if error.delay().is_none() => error.retry_after(delay),
            _ => error,
        })
    }

    /// What those say who read answers. They are shown all of one or nothing: a part may look like something else.
    fn verdict(&self, status: StatusCode, text: &Text) -> Verdict {
        if text.is_whole {
            self.judges.judge(status.as_u16(), &text.bytes)
        } else if self.judges.is_empty() || classes::of_status(status.as_u16()).is_err() {
            None
        } else {
            let text =
                format!("the server answered {status}, but what it says of the records breaks off or is too long");
            Some(Err(EmitError::transient(text)))
        }
    }

    /// Reads the answer to its end, unless that is too far away. What fails here changes nothing about the answer,
    /// unless somebody has to read it.
    fn read(&mut self, body: &mut Body, call: Call<'_>) -> Text {
        let (limit, kept, patience) = if self.judges.is_empty() {
            (MAX_BODY, Reason::MAX_BYTES, MAX_DRAIN)
        } else {
            let records = call.records.saturating_mul(MAX_JUDGED_PER_RECORD);
            let bytes = call.size.saturating_mul(MAX_JUDGED_PER_BYTE);
            let limit = MAX_JUDGED.saturating_add(records).saturating_add(bytes);
            // Who has to know what it says waits for it as long as for its head.
            (limit, limit, Duration::MAX)
        };
        let mut reader = body.as_reader();
        let mut text = Text { bytes: Vec::new(), is_whole: false };
        let (mut read, began) = (0, Instant::now());
        while let Ok(count) = reader.read(&mut self.buffer) {
            if count == 0 {
                text.is_whole = read <= kept;
                break;
            }
            let room = kept - text.bytes.len();
            text.bytes.extend_from_slice(&self.buffer[..count.min(room)]);
            read += count;
            if read > limit || began.elapsed() > patience {
                break;
            }
        }
        text
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ureq's own Debug would show a proxy's password.
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::thread;

    use crate::handler::Handler as _;
    use crate::http::{HttpHandler, Method};
    use crate::record::LogRecord;

    /// Reads a head, answers, and returns the head's first line.
    fn answer(stream: &TcpStream, answer: &str) -> String {
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let mut stream = stream;
        stream.write_all(answer.as_bytes()).unwrap();
        head[0].clone()
    }

    #[test]
    fn behind_a_proxy_its_name_alone_is_looked_up_and_only_once() {
        const CONNECTIONS: usize = 2;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = thread::spawn(move || {
            let tunnel = |_| {
                let (stream, _) = listener.accept().unwrap();
                let asked = answer(&stream, "HTTP/1.1 200 Connected\r\n\r\n");
                answer(&stream, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                asked
            };
            (0..CONNECTIONS).map(tunnel).collect::<Vec<_>>()
        });
        let (tell, asked) = mpsc::channel();
        let mut handler = HttpHandler::builder("http://server.invalid/log")
            .method(Method::Get)
            .proxy(format!("http://proxy.invalid:{}", address.port()))
            .build()
            .unwrap()
            .resolving(move |name| {
                tell.send(name.to_owned()).unwrap();
                Ok(vec![address])
            });
        let record = LogRecord::from(&log::Record::builder().build());
        for _ in 0..CONNECTIONS {
            handler.emit(std::slice::from_ref(&record)).unwrap();
        }
        assert_eq!(proxy.join().unwrap(), ["CONNECT server.invalid:80 HTTP/1.1"; CONNECTIONS]);
        assert_eq!(asked.try_iter().collect::<Vec<_>>(), [format!("proxy.invalid:{}", address.port())]);
    }
}
