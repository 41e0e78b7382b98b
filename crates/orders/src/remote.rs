//! Calling an upstream: its key, its dialect, its lane.

use std::sync::Arc;

use interline_egress::Permit;
use interline_store::UpstreamKey;
use interline_upstream::{Answer, Call, Dialect, Endpoint, Evidence, Fault, Response};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{catalogue::Upstream, gateway::Gateway};

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

    /// Makes a call that may be repeated, when its lane allows it.
    pub(crate) async fn ask(&self, upstream: &Upstream, call: &Call) -> Result<Answer, String> {
        let _permit: Option<Permit> = upstream.lane.permit().await;
        let (dialect, endpoint) = self.endpoint(upstream)?;
        let request = dialect.encode(&endpoint, call);
        let mut response = self.egress.call(&upstream.lane, &request).await.map_err(|e| e.to_string())?;
        remove_key(&mut response, &endpoint.key);
        Ok(dialect.decode(call, &response))
    }
}

/// Takes our key out of an answer, before anybody reads, keeps or shows a part of it.
pub(crate) fn remove_key(response: &mut Response, key: &SecretString) {
    let key = key.expose_secret().as_bytes();
    if key.len() < KEY_BYTES_MIN {
        return;
    }
    let mut from = 0;
    while let Some(found) = response.body[from..].windows(key.len()).position(|window| window == key) {
        let start = from + found;
        response.body.splice(start..start + key.len(), REMOVED.iter().copied());
        from = start + REMOVED.len();
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
    }
}
