//! A port of one's own, with or without anybody behind it.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that refuses connections until somebody listens there, and that nobody else can take meanwhile.
#[derive(Debug)]
pub struct Port(Socket);

impl Port {
    /// Takes a free one.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn reserve() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        Self(socket)
    }

    /// Takes a free one for a program that is told where to listen: it shares the port with us, so nobody else can take
    /// it before, and it must say itself that it wants to (`SO_REUSEADDR`), as servers do.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn reserve_for_program() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        // Only now: a port that is taken alone can't be one that another test has reserved.
        socket.set_reuse_address(true).expect("an option that every socket has");
        Self(socket)
    }

    /// Where it is.
    ///
    /// # Panics
    ///
    /// If the system does not know.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket").as_socket().expect("an internet address")
    }

    /// A URL of it.
    pub fn url(&self) -> String {
        format!("http://{}/log", self.address())
    }

    /// Lets connections in, but no more than about `backlog` before somebody accepts them.
    ///
    /// # Panics
    ///
    /// If the system does not let it.
    pub fn listen(self, backlog: i32) -> TcpListener {
        self.0.listen(backlog).expect("a bound socket");
        self.0.into()
    }
}
