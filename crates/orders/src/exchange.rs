//! What goes to and fro for a call that may be repeated: request by request, until the dialect knows its answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use interline_egress::{CallError, Permit};
use interline_upstream::{Answer, Call, Dialect, Endpoint, Next, Response, STEPS_MAX};
use tracing::Span;

use crate::{
    catalogue::Upstream,
    gateway::Gateway,
    meters::CallFault,
    remote::{bytes_max, remove_key},
    trace::{call_answered, call_failed},
};

/// From so many bytes on answers are read on a thread of their own, so that nobody else waits for that.
const LARGE_BYTES: usize = 256 * 1024;
/// A call of more requests leaves half of the upstream's rate to others.
const BRIEF_REQUESTS: usize = 16;

impl Gateway {
    /// Makes the requests of a call one after the other, each under a permit of the lane and the first one under `permit`. All
    /// their answers together are held to what one call may bring. The time that is measured is that of the requests alone,
    /// without the waiting for their turn.
    pub(crate) async fn exchange(
        &self,
        upstream: &Upstream,
        call: &Call,
        span: &Span,
        permit: Option<Permit>,
    ) -> Result<Answer, String> {
        let (dialect, endpoint) = self.endpoint(upstream)?;
        let (mut first, mut heard, mut took) = (permit, Vec::new(), Duration::ZERO);
        let (bytes_max, mut bytes) = (bytes_max(call), 0);
        let useless = |took: Duration, text: String| {
            upstream.meters.called(call, took, Err(CallFault::Unreadable));
            call_failed(span, "unreadable");
            text
        };
        loop {
            let step = step(&dialect, &endpoint, call, heard, bytes).await;
            let (next, read) = step.map_err(|text| useless(took, text))?;
            heard = read;
            let mut request = match next {
                Next::Ask(request) => request,
                Next::Done(answer) => {
                    // Nothing was measured of what was not asked.
                    if let Some(last) = heard.last() {
                        upstream.meters.called(call, took, Ok(&answer));
                        call_answered(span, last.status, &answer);
                    }
                    return Ok(answer);
                }
            };
            if heard.len() >= STEPS_MAX {
                return Err(useless(took, format!("it takes more than {STEPS_MAX} requests")));
            }
            self.tell_upstream(&mut request, span, None);
            let turn = match first.take() {
                Some(permit) => Some(permit),
                None => another(upstream, heard.len()).await,
            };
            let began = Instant::now();
            let answered = self.egress.call(&upstream.lane, &request, bytes_max.saturating_sub(bytes)).await;
            took += began.elapsed();
            drop(turn);
            let mut response = answered.map_err(|error| {
                upstream.meters.called(call, took, Err((&error).into()));
                call_failed(span, "no_answer");
                match error {
                    CallError::TooLarge(_) if bytes > 0 => {
                        format!("its answers together are larger than {bytes_max} bytes")
                    }
                    error => error.to_string(),
                }
            })?;
            bytes += response.body.len();
            remove_key(&mut response, &endpoint.key);
            heard.push(response);
        }
    }
}

/// What comes next when so much was `heard`, which is given back; it is an error if that cannot even be read to its end.
async fn step(
    dialect: &Arc<dyn Dialect>,
    endpoint: &Endpoint,
    call: &Call,
    heard: Vec<Response>,
    bytes: usize,
) -> Result<(Next, Vec<Response>), String> {
    if bytes < LARGE_BYTES {
        return Ok((dialect.next(endpoint, call, &heard), heard));
    }
    let (dialect, endpoint, call) = (Arc::clone(dialect), endpoint.clone(), call.clone());
    let read = tokio::task::spawn_blocking(move || (dialect.next(&endpoint, &call, &heard), heard));
    read.await.map_err(|_| "its answer could not be read to the end".to_owned())
}

/// A permit for one more request of a call that made so many. Whoever waits for every permit takes them all, and a submission
/// only ever takes one that is there.
async fn another(upstream: &Upstream, made: usize) -> Option<Permit> {
    if made >= BRIEF_REQUESTS {
        let rate = upstream.lane.settings().requests_per_second.max(1);
        tokio::time::sleep(Duration::from_secs(2) / rate).await;
    }
    upstream.lane.permit().await
}
