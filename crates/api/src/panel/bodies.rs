//! Request bodies: how large one may be, how long it may take to arrive, and how much of all of them is held at a time.

use std::{error::Error, time::Duration};

use axum::body::Body;
use http_body_util::BodyExt as _;
use interline_panel_protocol::Refused;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::commands::RETRY_AFTER_S;

/// How long a body may take to arrive.
const WITHIN: Duration = Duration::from_secs(30);
/// So much of each body is held in any case. Nearly every call fits in, so that none of them waits for the large ones.
const SMALL_BYTES: usize = 16 << 10;
/// What is held beyond that, for all callers together.
const LARGE_BYTES_MAX: usize = 64 << 20;
/// What is read of a body that is too large and thrown away, as a multiple of what is allowed. A client that is cut off
/// while it sends does not read why.
const DISCARDED_FACTOR: usize = 4;

/// The room for bodies.
pub(super) struct Bodies(Semaphore);

/// A body that was read; its room is given back with it.
#[derive(Default)]
pub(super) struct Held<'a> {
    /// What came.
    pub(super) bytes: Vec<u8>,
    room: Option<SemaphorePermit<'a>>,
}

impl Bodies {
    pub(super) const fn new() -> Self {
        Self(Semaphore::const_new(LARGE_BYTES_MAX))
    }

    /// Reads a body of at most `bytes_max`, or says why there is none.
    pub(super) async fn read(&self, body: Body, bytes_max: usize) -> Result<Held<'_>, Refused> {
        self.read_within(WITHIN, body, bytes_max).await
    }

    async fn read_within(&self, within: Duration, body: Body, bytes_max: usize) -> Result<Held<'_>, Refused> {
        // What is asked for stands in the body, so that it is not known: the bare code hurts nobody.
        let later = || Refused::StatusUnavailable { retry_after_s: RETRY_AFTER_S };
        tokio::time::timeout(within, self.collect(body, bytes_max)).await.map_err(|_| later())??.ok_or_else(later)
    }

    /// The body; `None` if there was no room for it.
    async fn collect(&self, mut body: Body, bytes_max: usize) -> Result<Option<Held<'_>>, Refused> {
        let (mut held, mut seen, mut has_room) = (Held::default(), 0_usize, true);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| unreadable(&error))?.into_data() else { continue };
            seen = seen.saturating_add(data.len());
            has_room = has_room && (seen > bytes_max || self.make_room(&mut held, data.len()));
            if seen <= bytes_max && has_room {
                held.bytes.extend_from_slice(&data);
            } else {
                held = Held::default();
                if seen > bytes_max.saturating_mul(DISCARDED_FACTOR) {
                    break;
                }
            }
        }
        if seen > bytes_max {
            return Err(Refused::BadRequest(format!("the request body is larger than {bytes_max} bytes")));
        }
        Ok(has_room.then_some(held))
    }

    /// Takes room for so many bytes more; `false` if there is none.
    fn make_room<'a>(&'a self, held: &mut Held<'a>, more: usize) -> bool {
        let large = |bytes: usize| bytes.saturating_sub(SMALL_BYTES);
        let needed = large(held.bytes.len().saturating_add(more)) - large(held.bytes.len());
        if needed == 0 {
            return true;
        }
        let taken = u32::try_from(needed).ok().and_then(|needed| self.0.try_acquire_many(needed).ok());
        let Some(taken) = taken else { return false };
        match &mut held.room {
            Some(room) => room.merge(taken),
            None => held.room = Some(taken),
        }
        true
    }
}

/// The connection broke within the body, so most likely nobody reads this.
fn unreadable(error: &dyn Error) -> Refused {
    tracing::debug!(%error, "a request body could not be read");
    Refused::BadRequest("the request body could not be read".to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use axum::body::{Bytes, HttpBody};
    use hyper::body::Frame;

    use super::*;

    /// The largest body that a call may have, by default.
    const BYTES_MAX: usize = 4 << 20;
    const LATER: Refused = Refused::StatusUnavailable { retry_after_s: RETRY_AFTER_S };

    /// A body that never comes.
    struct Silence;

    impl HttpBody for Silence {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    async fn read(bodies: &Bodies, bytes: usize) -> Result<Held<'_>, Refused> {
        bodies.read(Body::from(vec![b'a'; bytes]), BYTES_MAX).await
    }

    #[tokio::test]
    async fn large_bodies_share_a_room_that_small_ones_do_not_need() {
        let bodies = Bodies::new();
        let mut held = Vec::new();
        for _ in 0..LARGE_BYTES_MAX / (BYTES_MAX - SMALL_BYTES) {
            held.push(read(&bodies, BYTES_MAX).await.unwrap());
        }
        assert_eq!(read(&bodies, BYTES_MAX).await.err(), Some(LATER));
        assert_eq!(read(&bodies, SMALL_BYTES).await.unwrap().bytes.len(), SMALL_BYTES);
        held.pop();
        assert_eq!(read(&bodies, BYTES_MAX).await.unwrap().bytes.len(), BYTES_MAX);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_keeps_no_room() {
        let bodies = Bodies::new();
        let refused = read(&bodies, BYTES_MAX + 1).await.err().unwrap();
        assert!(refused.to_string().contains("larger than 4194304 bytes"), "{refused}");
        assert_eq!(bodies.0.available_permits(), LARGE_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let bodies = Bodies::new();
        let late = bodies.read_within(Duration::from_millis(20), Body::new(Silence), BYTES_MAX).await;
        assert_eq!(late.err(), Some(LATER));
    }
}
