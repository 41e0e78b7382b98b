//! Calling an upstream: its key, its dialect, its lane.

use std::{sync::Arc, time::Instant};

use interline_egress::{RESPONSE_BYTES_MAX, SHORT_RESPONSE_BYTES_MAX, SendDeadline, SubmitError};
use interline_store::{DueKind, StoreError, UpstreamKey};
use interline_upstream::{Answer, Call, Dialect, Endpoint, Evidence, Fault, Response};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{Instrument as _, Span};

use crate::{
    catalogue::Upstream,
    gateway::Gateway,
    trace::{Traceparent, call_answered, call_failed, call_span},
};

/// What stands where a key stood.
const REMOVED: &[u8] = b"[key removed]";
/// Keys shorter than this are not searched for: removing them would garble everything.
const KEY_BYTES_MIN: usize = 4;

impl Gateway {
    /// How an upstream is reached, or what is missing.
    pub(crate) fn endpoint(&self, upstream: &Upstream) -> Result<(Arc<dyn Dialect>, Endpoint), String> {
        let dialect = upstream
            .dialect
            .clone()
            .ok_or_else(|| format!("adapter `{}` is not known here", upstream.record.adapter))?;
        let key: SecretString = match &upstream.record.key {
            UpstreamKey::Plain(key) => key.clone(),
            UpstreamKey::Reference(reference) => (self.resolve_key)(reference)?,
            UpstreamKey::Missing => return Err("it has no key; set `key` in the catalogue file".to_owned()),
        };
        Ok((dialect, Endpoint { url: upstream.record.url.clone(), key }))
    }

    /// Keeps what the server lacks to call an upstream. What a command lacks, a variable of its shell say, stops nobody else:
    /// that it only says.
    pub(crate) async fn keep_lack(&self, upstream: &Upstream, kind: DueKind) -> Result<(), StoreError> {
        let Err(text) = self.endpoint(upstream) else { return Ok(()) };
        self.store.keep_fault(&upstream.record.id, kind, &format!("the server cannot call it: {text}")).await
    }

    /// Makes a call that may be repeated, when its lane allows it.
    pub(crate) async fn ask(&self, upstream: &Upstream, call: &Call) -> Result<Answer, String> {
        self.ask_traced(upstream, call).await.0
    }

    /// The same; with the span of the call, for those that follow from it.
    pub(crate) async fn ask_traced(&self, upstream: &Upstream, call: &Call) -> (Result<Answer, String>, Span) {
        let permit = upstream.lane.permit().await;
        let span = call_span(&upstream.record.id, call);
        let answer = self.exchange(upstream, call, &span, permit).instrument(span.clone()).await;
        (answer, span)
    }

    /// Makes a call that is never repeated, if that can begin before `deadline`; `order` is the trace that it belongs to.
    pub(crate) async fn hand_over(
        &self,
        upstream: &Upstream,
        call: &Call,
        deadline: SendDeadline,
        order: Option<&Traceparent>,
    ) -> Result<Answer, SubmitError> {
        let (dialect, endpoint) = self.endpoint(upstream).map_err(SubmitError::NotSent)?;
        let cannot_say = || SubmitError::NotSent("its protocol cannot say this".to_owned());
        let mut request = dialect.encode(&endpoint, call).ok_or_else(cannot_say)?;
        let span = call_span(&upstream.record.id, call);
        self.tell_upstream(&mut request, &span, order);
        let began = Instant::now();
        let answered = self.egress.submit(&upstream.lane, &request, deadline).instrument(span.clone()).await;
        let took = began.elapsed();
        let mut response = answered.inspect_err(|error| {
            upstream.meters.called(call, took, Err(error.into()));
            call_failed(&span, if matches!(error, SubmitError::NotSent(_)) { "not_sent" } else { "unknown" });
        })?;
        remove_key(&mut response, &endpoint.key);
        let answer = dialect.decode(call, &response);
        upstream.meters.called(call, took, Ok(&answer));
        call_answered(&span, response.status, &answer);
        Ok(answer)
    }
}

/// How much is read of the answer to a call that may be repeated.
pub(crate) const fn bytes_max(call: &Call) -> usize {
    match call {
        Call::Catalogue | Call::Orders { .. } => RESPONSE_BYTES_MAX,
        _ => SHORT_RESPONSE_BYTES_MAX,
    }
}

/// Takes our key out of an answer, before anybody reads, keeps or shows a part of it.
pub(crate) fn remove_key(response: &mut Response, key: &SecretString) {
    let key = key.expose_secret().as_bytes();
    if key.len() < KEY_BYTES_MIN {
        return;
    }
    // Built anew in one pass, for an answer may be made of keys alone.
    let (mut kept, mut rest) = (Vec::new(), response.body.as_slice());
    while let Some(found) = rest.windows(key.len()).position(|window| window == key) {
        kept.extend_from_slice(&rest[..found]);
        kept.extend_from_slice(REMOVED);
        rest = &rest[found + key.len()..];
    }
    if !kept.is_empty() {
        kept.extend_from_slice(rest);
        response.body = kept;
    }
}

/// A fault in words for the operator.
pub(crate) fn describe(fault: &Fault) -> String {
    match fault {
        Fault::Busy(Some(ms)) => format!("too many requests; again in {ms} ms"),
        Fault::Busy(None) => "too many requests".to_owned(),
        Fault::Refused(refusal) => format!("refused ({}): {}", refusal.name(), refusal.text()),
        Fault::Unreadable(Evidence { status, reason, .. }) => {
            let status = status.map_or_else(String::new, |s| format!(" (HTTP {s})"));
            format!("no readable answer{status}: {reason}")
        }
        Fault::Unsupported => "its protocol has no such call".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_answer_is_removed_wherever_it_stands() {
        let mut response = Response { status: 200, retry_after_ms: None, body: b"k3yk3y bad key k3yk3y, k3y".to_vec() };
        remove_key(&mut response, &"k3yk3y".to_owned().into());
        assert_eq!(response.body, b"[key removed] bad key [key removed], k3y");
        remove_key(&mut response, &"other".to_owned().into());
        assert_eq!(response.body, b"[key removed] bad key [key removed], k3y");
        response.body = b"k3yk3y".repeat(3);
        remove_key(&mut response, &"k3yk3y".to_owned().into());
        assert_eq!(response.body, b"[key removed]".repeat(3));
    }
}
