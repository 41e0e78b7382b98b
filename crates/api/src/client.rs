//! Who calls: the address of the connection, or the one that a trusted proxy tells.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// A caller as it is counted: an IPv4 address, or the /64 network of an IPv6 one, because whoever has one address of it
/// has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        })
    }
}

/// The proxies in front of the gateway whose word about a caller's address is taken. From anybody else it is ignored,
/// or every caller could name a new address with each call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and networks (`10.0.0.7`, `10.0.0.0/8`); the error names the one that is neither.
    pub fn read(texts: &[String]) -> Result<Self, String> {
        let wrong = |text: &str| format!("`{text}` is neither an IP address nor a network such as 10.0.0.0/8");
        texts.iter().map(|text| network(text).ok_or_else(|| wrong(text))).collect::<Result<_, _>>().map(Self)
    }

    /// The caller behind the connection from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        // A listener on `::` sees IPv4 callers in IPv6 clothes.
        let peer = peer.to_canonical();
        let told = [x_forwarded_for(headers), forwarded(headers)];
        let mut named = told.iter().filter(|hops| !hops.is_empty()).map(|hops| self.walk(peer, hops));
        let first = named.next().unwrap_or(peer);
        // A proxy writes one of the two headers and may pass the other on as the caller sent it. Which one that is
        // cannot be seen, so where they differ neither is believed.
        Client::of(if named.all(|other| other == first) { first } else { peer })
    }

    /// Goes back from the connection hop by hop, as long as the one that tells of the next is trusted: each proxy adds
    /// to the right, and what stands left of the first stranger was written by that stranger. A hop that is no address
    /// ends the way, at the proxy that told of it.
    fn walk(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut client = peer;
        for hop in hops.iter().rev() {
            match hop {
                Some(address) if self.trusts(client) => client = *address,
                _ => break,
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.to_canonical().into()))
}

/// The hops in `X-Forwarded-For`, the nearest last.
fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    elements(headers, "x-forwarded-for").map(|element| address(str::from_utf8(element).ok()?)).collect()
}

/// The hops in `Forwarded` (RFC 7239), the nearest last.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    elements(headers, "forwarded").map(forwarded_for).collect()
}

/// The elements of a list that may stand in several headers. They are told apart as bytes: one that is no text does not
/// spoil those that the proxies added behind it.
fn elements<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let lists = headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    lists
        .flat_map(|list| list.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// The address in one element of `Forwarded`; none for `unknown` and for hidden names.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(element).ok()?;
    // Inside quotes, a comma, a semicolon or an escape that came from the caller (in `host`, say) could pass for a hop
    // that no proxy wrote.
    if text.contains('\\') || text.split(';').any(|pair| pair.matches('"').count() % 2 == 1) {
        return None;
    }
    let value = text.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// An address as proxies write it: plain, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    Some(plain.or_else(with_port).or_else(|| in_brackets().map(IpAddr::V6))?.to_canonical())
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
