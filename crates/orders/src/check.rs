//! Trying out a live upstream: what it can do, found by questions alone. Nothing is asked for here that could be carried
//! out, so it may be done to an upstream in use.

use std::{collections::BTreeMap, time::Instant};

use interline_domain::{
    Currency, ServiceType, Timestamp,
    price::{Basis, PriceModel},
};
use interline_egress::{FeedError, SHORT_RESPONSE_BYTES_MAX};
use interline_upstream::{
    Alteration, Answer, Call, Dialect, Endpoint, Fault, Listing, Next, Refusal, Reported, Request, Response, STEPS_MAX,
    Stated, value,
};
use jiff::fmt::rfc2822::DateTimeParser;

use crate::{
    catalogue::Upstream,
    gateway::Gateway,
    remote::{bytes_max, describe, remove_key},
};

/// The id of an order that nobody placed: large, and read by upstreams that keep ids in 32 bits.
const NOBODYS: &str = "2147483646";
/// How far back the list of orders is read.
const LISTED_MS: i64 = 24 * 3_600_000;
/// How far its clock may be from ours before the times that it tells of its orders mislead.
const CLOCKS_APART_MAX_MS: i64 = 60_000;
/// Characters that are shown of what cannot be read.
const EXCERPT_CHARS_MAX: usize = 120;

/// How a capability was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It works.
    Ok,
    /// Upstreams of this kind cannot do it, or this one does not say.
    NotOffered,
    /// It would change something there.
    NotTried,
    /// It works otherwise than it should: somebody should look at it.
    Odd,
    /// The upstream cannot be used like this.
    Unusable,
}

impl Found {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotOffered => "not offered",
            Self::NotTried => "not tried",
            Self::Odd => "odd",
            Self::Unusable => "unusable",
        }
    }
}

/// What was found about one thing that an upstream may be able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// What.
    pub name: &'static str,
    /// How it was found.
    pub found: Found,
    /// What it was like, in words that may be the upstream's own.
    pub text: String,
    /// How long the slowest of its answers took, in milliseconds, if it was asked for.
    pub latency_ms: Option<u64>,
}

impl Capability {
    fn new(name: &'static str, found: Found, text: impl Into<String>) -> Self {
        Self { name, found, text: text.into(), latency_ms: None }
    }

    fn after(self, latency_ms: Option<u64>) -> Self {
        Self { latency_ms, ..self }
    }
}

impl Gateway {
    /// Asks an upstream, with its real key, everything that changes nothing there; a row for each capability.
    pub async fn try_out(&self, upstream: &Upstream) -> Vec<Capability> {
        let mut found = vec![connection(&upstream.record.url)];
        let (dialect, endpoint) = match self.endpoint(upstream) {
            Ok(both) => both,
            Err(text) => {
                found.push(Capability::new("key", Found::Unusable, text));
                return found;
            }
        };
        let mut trial =
            Trial { gateway: self, upstream, dialect: dialect.as_ref(), endpoint: &endpoint, clock_ahead_ms: None };
        found.extend(catalogue(trial.ask(&Call::Catalogue).await));
        found.push(balance(upstream.record.currency, trial.ask(&Call::Balance).await));
        found.push(status(trial.ask(&Call::Status(vec![NOBODYS.to_owned()])).await));
        found.push(trial.refusal().await);
        let since = self.now().plus_ms(-LISTED_MS);
        found.push(orders(trial.ask(&Call::Orders { since }).await));
        found.push(trial.feed().await);
        found.extend(trial.untried());
        found.push(clock(trial.clock_ahead_ms));
        found
    }
}

/// The questions to one upstream.
struct Trial<'a> {
    gateway: &'a Gateway,
    upstream: &'a Upstream,
    dialect: &'a dyn Dialect,
    endpoint: &'a Endpoint,
    /// How far its clock is ahead of ours at least, by the answer that tells it best.
    clock_ahead_ms: Option<i64>,
}

/// What a question brought, and how long the slowest of its requests took.
struct Told {
    answer: Result<Answer, String>,
    latency_ms: Option<u64>,
}

impl Trial<'_> {
    async fn ask(&mut self, call: &Call) -> Told {
        let (mut heard, mut latency_ms): (Vec<Response>, Option<u64>) = (Vec::new(), None);
        let answer = loop {
            let request = match self.dialect.next(self.endpoint, call, &heard) {
                Next::Done(answer) => break Ok(answer),
                Next::Ask(_) if heard.len() >= STEPS_MAX => {
                    break Err(format!("it takes more than {STEPS_MAX} requests"));
                }
                Next::Ask(request) => request,
            };
            let bytes: usize = heard.iter().map(|response| response.body.len()).sum();
            match self.send(&request, bytes_max(call).saturating_sub(bytes)).await {
                Ok((response, took_ms)) => {
                    latency_ms = latency_ms.max(Some(took_ms));
                    heard.push(response);
                }
                Err(text) => break Err(text),
            }
        };
        Told { answer, latency_ms }
    }

    /// The answer to one request, without the key in it, and how long it took in milliseconds.
    async fn send(&mut self, request: &Request, bytes_max: usize) -> Result<(Response, u64), String> {
        let lane = &self.upstream.lane;
        let _permit = lane.permit().await;
        let (sent_at, began) = (self.gateway.now(), Instant::now());
        let answered = self.gateway.egress.call_dated(lane, request, bytes_max).await;
        let (took_ms, heard_at) = (milliseconds(began), self.gateway.now());
        let (mut response, date) = answered.map_err(|error| error.to_string())?;
        remove_key(&mut response, &self.endpoint.key);
        if let Some(ahead) = date.and_then(|date| clock_ahead_ms(&date, sent_at, heard_at))
            && self.clock_ahead_ms.is_none_or(|kept| ahead.abs() < kept.abs())
        {
            self.clock_ahead_ms = Some(ahead);
        }
        Ok((response, took_ms))
    }

    /// How it says no. What is listed as a refusal sends an order on to the next upstream; all else is unknown.
    async fn refusal(&mut self) -> Capability {
        let found = |found, text: String| Capability::new("errors", found, text);
        let Some(request) = self.dialect.unknown_action(self.endpoint) else {
            return found(Found::NotTried, "this adapter knows of no action that there certainly is not".to_owned());
        };
        let (response, took_ms) = match self.send(&request, SHORT_RESPONSE_BYTES_MAX).await {
            Ok(answered) => answered,
            Err(text) => return found(Found::Unusable, text),
        };
        let status = response.status;
        let answer = self.dialect.decode(&Call::Catalogue, &response);
        let row = match &answer {
            Answer::Fault(Fault::Refused(refusal)) => {
                let text = format!("an unknown action is refused (HTTP {status}): {}", refusal.text());
                found(Found::Ok, text)
            }
            Answer::Fault(Fault::Unreadable(_)) => {
                let said = excerpt(&value::excerpt(&response.body));
                let text = format!("an error like this one is no known refusal (HTTP {status}): {said}");
                found(Found::Odd, text)
            }
            Answer::Fault(fault) => found(Found::Odd, shown(fault)),
            _ => found(Found::Odd, format!("an unknown action is answered like a known one (HTTP {status})")),
        };
        row.after(Some(took_ms))
    }

    /// Whether its feed can be opened, which is closed again at once. Orders are followed without one, only later.
    async fn feed(&self) -> Capability {
        const NAME: &str = "feed";
        let Some(feed) = self.dialect.feed() else {
            return Capability::new(NAME, Found::NotOffered, "its protocol has none");
        };
        let began = Instant::now();
        let subscribed = async {
            let mut socket = self.gateway.egress.open_feed(&self.upstream.lane, feed, self.endpoint).await?;
            socket.next().await?;
            Ok::<_, FeedError>(socket.sockets_left())
        };
        let row = match subscribed.await {
            Ok(Some(left)) => Capability::new(NAME, Found::Ok, format!("subscribed; the key may open {left} more")),
            Ok(None) => Capability::new(NAME, Found::Ok, "subscribed"),
            Err(error) => Capability::new(NAME, Found::Odd, error.to_string()),
        };
        row.after(Some(milliseconds(began)))
    }

    /// What would change something there, by the protocol alone.
    fn untried(&self) -> Vec<Capability> {
        let order = || NOBODYS.to_owned();
        let altered = || Alteration { order: order(), quantity: Some(1), target: None, params: BTreeMap::new() };
        let calls = [
            ("cancel", Call::Cancel(vec![order()])),
            ("refill", Call::Refill(order())),
            ("pause", Call::Pause(order())),
            ("upgrade", Call::Upgrade(altered())),
            ("change", Call::Change(altered())),
            ("prolong", Call::Prolong { order: order(), count: 1 }),
        ];
        let row = |(name, call): (&'static str, Call)| match self.dialect.encode(self.endpoint, &call) {
            Some(_) => Capability::new(name, Found::NotTried, "its protocol has it; trying it could change something"),
            None => Capability::new(name, Found::NotOffered, describe(&Fault::Unsupported)),
        };
        calls.into_iter().map(row).collect()
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn connection(url: &str) -> Capability {
    let is_tls = url.get(.."https://".len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    if is_tls {
        Capability::new("connection", Found::Ok, "TLS")
    } else {
        Capability::new("connection", Found::Odd, "plain HTTP: whoever is on the way can read the key")
    }
}

/// How many services there are, of which types, and how they are priced.
fn catalogue(Told { answer, latency_ms }: Told) -> Vec<Capability> {
    const NAME: &str = "catalogue";
    let listings = match answer {
        Ok(Answer::Catalogue(listings)) if listings.is_empty() => {
            return vec![Capability::new(NAME, Found::Unusable, "it lists no service").after(latency_ms)];
        }
        Ok(Answer::Catalogue(listings)) => listings,
        other => return vec![useless(NAME, other).after(latency_ms)],
    };
    let (mut types, mut prices) = (BTreeMap::new(), BTreeMap::new());
    for listing in &listings {
        *types.entry(listing.service_type.map_or("not known here", ServiceType::label)).or_insert(0_usize) += 1;
        *prices.entry(priced(listing)).or_insert(0_usize) += 1;
    }
    vec![
        Capability::new(NAME, Found::Ok, format!("{} services", listings.len())).after(latency_ms),
        Capability::new("service types", Found::Ok, counted(types)),
        Capability::new("prices", Found::Ok, counted(prices)),
    ]
}

/// How a service is priced, in words.
fn priced(listing: &Listing) -> &'static str {
    let basis = listing.service_type.map_or(Basis::PerThousand, ServiceType::basis);
    match listing.price.clone().unwrap_or_else(|| PriceModel::of_rate(listing.rate, basis)) {
        PriceModel::PerThousand { .. } => "per thousand",
        PriceModel::Flat { .. } => "per order",
        PriceModel::Stepped { .. } => "by a table of steps",
        PriceModel::TimedUnits { .. } => "by quantity and time",
        PriceModel::TimedTiers { .. } => "by tier and time",
    }
}

fn counted(counts: BTreeMap<&str, usize>) -> String {
    let each: Vec<String> = counts.into_iter().map(|(name, count)| format!("{name}: {count}")).collect();
    each.join(", ")
}

fn balance(ours: Currency, Told { answer, latency_ms }: Told) -> Capability {
    const NAME: &str = "balance";
    let row = match answer {
        Ok(Answer::Balance(Stated { amount, currency: Some(theirs) })) if theirs != ours => {
            Capability::new(NAME, Found::Unusable, format!("{amount} {theirs}, but the catalogue file says {ours}"))
        }
        Ok(Answer::Balance(Stated { amount, currency })) => {
            let unnamed = if currency.is_none() { "; it names no currency" } else { "" };
            let found = if amount.is_negative() { Found::Odd } else { Found::Ok };
            Capability::new(NAME, found, format!("{amount} {ours}{unnamed}"))
        }
        other => useless(NAME, other),
    };
    row.after(latency_ms)
}

/// What it says of an order that there is not.
fn status(Told { answer, latency_ms }: Told) -> Capability {
    let row = |found, text: String| Capability::new("status", found, text).after(latency_ms);
    match answer {
        Ok(Answer::Status(said)) => match said.get(NOBODYS) {
            Some(Reported::Error(text)) => row(Found::Ok, format!("of an order that there is not: {text}")),
            Some(Reported::Known(_)) => {
                row(Found::Odd, format!("it tells how order {NOBODYS} stands, which is not ours"))
            }
            None => row(Found::Ok, "an order that there is not is left out".to_owned()),
        },
        Ok(Answer::Fault(fault @ (Fault::Refused(_) | Fault::Unreadable(_)))) if !is_about_key(&fault) => {
            row(Found::Odd, format!("an order that there is not spoils the whole answer: {}", shown(&fault)))
        }
        other => useless("status", other).after(latency_ms),
    }
}

fn orders(Told { answer, latency_ms }: Told) -> Capability {
    const NAME: &str = "list of orders";
    let row = match answer {
        Ok(Answer::Orders(orders)) => Capability::new(NAME, Found::Ok, format!("{} within a day", orders.len())),
        other => useless(NAME, other),
    };
    row.after(latency_ms)
}

/// A question that brought nothing of use.
fn useless(name: &'static str, answer: Result<Answer, String>) -> Capability {
    match answer {
        Ok(Answer::Fault(Fault::Unsupported)) => {
            Capability::new(name, Found::NotOffered, describe(&Fault::Unsupported))
        }
        Ok(Answer::Fault(fault @ Fault::Busy(_))) => Capability::new(name, Found::Odd, describe(&fault)),
        Ok(Answer::Fault(fault)) => Capability::new(name, Found::Unusable, shown(&fault)),
        Ok(_) => Capability::new(name, Found::Unusable, "the answer is to another question"),
        Err(text) => Capability::new(name, Found::Unusable, text),
    }
}

const fn is_about_key(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused(Refusal::Key(_)))
}

/// A fault with the beginning of what could not be read.
fn shown(fault: &Fault) -> String {
    match fault {
        Fault::Unreadable(evidence) if !evidence.excerpt.is_empty() => {
            format!("{}: {}", describe(fault), excerpt(&evidence.excerpt))
        }
        _ => describe(fault),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}

/// How far the clock that wrote `date` is ahead of ours at least, in milliseconds; negative if it is behind. It was read
/// between `sent_at` and `heard_at`, and it tells no parts of a second.
fn clock_ahead_ms(date: &str, sent_at: Timestamp, heard_at: Timestamp) -> Option<i64> {
    let first = DateTimeParser::new().parse_timestamp(date).ok()?.as_millisecond();
    let last = first + 999;
    Some((first - heard_at.millis()).max(0) + (last - sent_at.millis()).min(0))
}

fn clock(ahead_ms: Option<i64>) -> Capability {
    let Some(ahead_ms) = ahead_ms else {
        return Capability::new("clock", Found::NotOffered, "its answers tell no time");
    };
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let apart = ahead_ms.saturating_abs();
    if apart > CLOCKS_APART_MAX_MS {
        let text = format!("{} s {side} ours: the times that it tells of its orders mislead", apart / 1_000);
        return Capability::new("clock", Found::Odd, text);
    }
    Capability::new("clock", Found::Ok, format!("{apart} ms {side} ours, as far as can be told"))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
