//! The listening port, which can really be closed: while it is, the port stays bound but does not listen, so that
//! connecting fails at once and nobody else can take the number.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
};

/// Connections that may wait to be accepted.
const BACKLOG_CONNECTIONS: u32 = 1_024;

/// The port. It opens and closes before the call that says so returns, from any thread.
pub(crate) struct Door {
    addr: SocketAddr,
    /// Listening again needs the runtime that accepts.
    runtime: Handle,
    leaf: Mutex<Leaf>,
}

struct Leaf {
    position: Position,
    /// Wakes whoever waits in [`Door::accept`]. A listener forgets its waiters when it is closed.
    waker: Option<Waker>,
}

enum Position {
    Open(TcpListener),
    /// Closed, with the socket that keeps the number if that could be bound.
    Closed(Option<TcpSocket>),
    /// Closed for good.
    Shut,
}

impl Door {
    /// An open door. Must be called within the runtime that will accept.
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let leaf = Leaf { position: Position::Open(listener), waker: None };
        Ok(Self { addr, runtime: Handle::current(), leaf: Mutex::new(leaf) })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The runtime that accepts.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The next connection; waits while the door is closed.
    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        poll_fn(|context| {
            let mut leaf = self.leaf();
            leaf.waker = Some(context.waker().clone());
            match &leaf.position {
                Position::Open(listener) => listener.poll_accept(context).map_ok(|(stream, _)| stream),
                Position::Closed(_) | Position::Shut => Poll::Pending,
            }
        })
        .await
    }

    /// Opens or closes the door; one that is shut stays so.
    pub(crate) fn set_open(&self, open: bool) {
        let mut leaf = self.leaf();
        leaf.position = match (std::mem::replace(&mut leaf.position, Position::Shut), open) {
            (Position::Open(listener), false) => {
                drop(listener);
                Position::Closed(self.hold())
            }
            (Position::Closed(held), true) => self.listen(held),
            (position, _) => position,
        };
        if let Some(waker) = leaf.waker.take() {
            waker.wake();
        }
    }

    /// Closes the door for good and gives the port back.
    pub(crate) fn shut(&self) {
        self.leaf().position = Position::Shut;
    }

    fn leaf(&self) -> MutexGuard<'_, Leaf> {
        self.leaf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self) -> Option<TcpSocket> {
        bind(self.addr)
            .inspect_err(|error| tracing::warn!(%error, addr = %self.addr, "the closed port could not be kept"))
            .ok()
    }

    fn listen(&self, held: Option<TcpSocket>) -> Position {
        let _within = self.runtime.enter();
        let socket = held.map_or_else(|| bind(self.addr), Ok);
        match socket.and_then(|socket| socket.listen(BACKLOG_CONNECTIONS)) {
            Ok(listener) => Position::Open(listener),
            Err(error) => {
                tracing::error!(%error, addr = %self.addr, "the port could not be opened again");
                Position::Closed(None)
            }
        }
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}
