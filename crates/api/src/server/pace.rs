//! How long a connection may keep the server waiting. Nothing in here waits, locks or sets a timer: it notes what a
//! connection is at, and whoever serves it looks at that now and then.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How long the head of a request may take to arrive; of the first one, from when the connection was made.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may be idle between two requests, or take nothing of an answer.
const IDLE_WITHIN: Duration = Duration::from_mins(1);
/// After so long at the latest a connection has to be looked at again.
pub(super) const LOOK_AGAIN: Duration = HEAD_WITHIN;

/// A head is on its way.
const HEAD: u64 = 0;
/// A request is being handled; how long its body may take is the handler's affair.
const REQUEST: u64 = 1;
/// Nothing is asked: the last answer is written, or the next head waited for.
const IDLE: u64 = 2;

/// What a connection is at, and since when.
pub(super) struct Pace {
    begun: Instant,
    /// Milliseconds after `begun`, times four, and one of the three above.
    state: AtomicU64,
}

impl Pace {
    /// A connection was made.
    pub(super) fn begin(now: Instant) -> Self {
        Self { begun: now, state: AtomicU64::new(HEAD) }
    }

    /// The head of a request has arrived.
    pub(super) fn request(&self, now: Instant) {
        self.is_at(REQUEST, now);
    }

    /// The handler has answered.
    pub(super) fn answered(&self, now: Instant) {
        self.is_at(IDLE, now);
    }

    /// How long the connection may go on before it is looked at again; `None` if it has kept us waiting for too long.
    pub(super) fn may_wait(&self, now: Instant) -> Option<Duration> {
        let state = self.state.load(Ordering::Relaxed);
        let waited = now.duration_since(self.begun).saturating_sub(Duration::from_millis(state >> 2));
        let within = match state & 3 {
            HEAD => HEAD_WITHIN,
            IDLE => IDLE_WITHIN,
            _ => return Some(LOOK_AGAIN),
        };
        within.checked_sub(waited).filter(|left| !left.is_zero()).map(|left| left.min(LOOK_AGAIN))
    }

    /// Bytes came: if nothing was asked before, it is the next head.
    fn came(&self, now: Instant) {
        if self.state.load(Ordering::Relaxed) & 3 == IDLE {
            self.is_at(HEAD, now);
        }
    }

    /// Bytes went: the client takes its answer.
    fn went(&self, now: Instant) {
        if self.state.load(Ordering::Relaxed) & 3 == IDLE {
            self.is_at(IDLE, now);
        }
    }

    fn is_at(&self, what: u64, now: Instant) {
        let millis = u64::try_from(now.duration_since(self.begun).as_millis()).unwrap_or(u64::MAX >> 2);
        self.state.store((millis << 2) | what, Ordering::Relaxed);
    }
}

/// A stream that notes when bytes come and go.
pub(super) struct Paced {
    stream: TcpStream,
    pace: Arc<Pace>,
}

impl Paced {
    pub(super) fn new(stream: TcpStream, pace: Arc<Pace>) -> Self {
        Self { stream, pace }
    }

    fn went(&self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        if written.as_ref().is_ok_and(|bytes| *bytes > 0) {
            self.pace.went(Instant::now());
        }
        Poll::Ready(written)
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.pace.came(Instant::now());
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        self.went(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        self.went(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a connection that has been at `what` for so many seconds may wait on.
    fn may_wait(what: u64, seconds: u64) -> Option<Duration> {
        let begun = Instant::now();
        Pace { begun, state: AtomicU64::new(what) }.may_wait(begun + Duration::from_secs(seconds))
    }

    #[test]
    fn who_keeps_us_waiting_is_given_up() {
        for (what, seconds, may) in
            [(HEAD, 9, true), (HEAD, 10, false), (IDLE, 59, true), (IDLE, 60, false), (REQUEST, 3_600, true)]
        {
            assert_eq!(may_wait(what, seconds).is_some(), may, "{what} for {seconds} s");
        }
        assert_eq!(may_wait(HEAD, 9), Some(Duration::from_secs(1)), "looked at when its time is over");
        assert_eq!(may_wait(IDLE, 5), Some(LOOK_AGAIN), "a head that begins after that is looked at in time");
        assert_eq!(may_wait(IDLE, 55), Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_a_connection_does_is_what_it_is_at() {
        let begun = Instant::now();
        let pace = Pace::begin(begun);
        let after = |seconds: u64| begun + Duration::from_secs(seconds);
        pace.came(after(8));
        pace.went(after(8));
        assert_eq!(pace.may_wait(after(11)), None, "a head that trickles in has no more time");
        pace.request(after(9));
        pace.came(after(100));
        assert_eq!(pace.may_wait(after(200)), Some(LOOK_AGAIN), "its body is the handler's affair");
        pace.answered(after(200));
        pace.went(after(250));
        assert_eq!(pace.may_wait(after(305)), Some(Duration::from_secs(5)), "its answer was taken on the way");
        pace.came(after(306));
        assert_eq!(pace.may_wait(after(315)), Some(Duration::from_secs(1)), "the next head");
        assert_eq!(pace.may_wait(after(316)), None);
    }
}
