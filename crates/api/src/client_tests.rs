//! Tables of what is told about a caller, and who it is taken to be.

use axum::http::{HeaderName, HeaderValue};

use super::*;

/// The client for a connection from `peer` with these headers, where `10.0.0.0/8` and `fd00::1` are trusted.
fn client(peer: &str, headers: &[(&str, &[u8])]) -> Client {
    let proxies = TrustedProxies::read(&["10.0.0.0/8".to_owned(), " fd00::1".to_owned()]).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    proxies.client(peer.parse().unwrap(), &map)
}

fn of(address: &str) -> Client {
    Client::of(address.parse().unwrap())
}

#[test]
fn a_list_is_believed_as_far_as_it_is_trusted() {
    for (peer, list, expected) in [
        // Strangers are not listened to.
        ("198.51.100.7", "203.0.113.5", "198.51.100.7"),
        ("fd00::2", "203.0.113.5", "fd00::2"),
        // A trusted proxy is, and so is one behind it.
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("fd00::1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, 10.9.9.9", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5,10.9.9.9,,10.8.8.8,", "203.0.113.5"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        // What the caller wrote itself stands further left.
        ("10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "10.3.3.3, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "nonsense, 203.0.113.5, 10.9.9.9", "203.0.113.5"),
        // What is no address ends the way at who told it.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, 999.1.1.1, 10.9.9.9", "10.9.9.9"),
        // Spellings.
        ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("10.0.0.1", "[2001:db8::5]", "2001:db8::5"),
        ("10.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
    ] {
        assert_eq!(client(peer, &[("x-forwarded-for", list.as_bytes())]), of(expected), "{peer}: {list}");
    }
}

#[test]
fn the_standard_header_is_read_alike() {
    for (list, expected) in [
        ("for=203.0.113.5", "203.0.113.5"),
        ("For=203.0.113.5;proto=https;by=10.0.0.1", "203.0.113.5"),
        ("proto=https; for=\"203.0.113.5:4711\"", "203.0.113.5"),
        ("for=\"[2001:db8::5]:4711\"", "2001:db8::5"),
        ("for=1.1.1.1, for=203.0.113.5, for=10.9.9.9", "203.0.113.5"),
        ("for=unknown", "10.0.0.1"),
        ("for=_hidden", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
        // Hops that stand inside a quoted text.
        ("for=203.0.113.5;host=\"a, for=6.6.6.6\"", "10.0.0.1"),
        ("for=203.0.113.5;host=\"a, for=6.6.6.6;b=\"", "10.0.0.1"),
        ("host=\"a;for=6.6.6.6;b\";for=203.0.113.5", "10.0.0.1"),
        ("for=203.0.113.5;host=\"a\\\", for=6.6.6.6;b=\\\"c\"", "10.0.0.1"),
    ] {
        assert_eq!(client("10.0.0.1", &[("forwarded", list.as_bytes())]), of(expected), "{list}");
        assert_eq!(client("198.51.100.7", &[("forwarded", list.as_bytes())]), of("198.51.100.7"), "{list}");
    }
}

#[test]
fn several_headers_are_one_list_and_two_that_differ_are_none() {
    let list = "x-forwarded-for";
    assert_eq!(client("10.0.0.1", &[]), of("10.0.0.1"));
    assert_eq!(client("10.0.0.1", &[(list, b"1.1.1.1"), (list, b"203.0.113.5")]), of("203.0.113.5"));
    assert_eq!(client("10.0.0.1", &[(list, b"\xe9, 203.0.113.5")]), of("203.0.113.5"));
    assert_eq!(client("10.0.0.1", &[(list, b"\xe9")]), of("10.0.0.1"));
    let agreed: [(&str, &[u8]); 2] = [(list, b"203.0.113.5"), ("forwarded", b"for=1.1.1.1, for=203.0.113.5")];
    assert_eq!(client("10.0.0.1", &agreed), of("203.0.113.5"));
    let contradicting: [(&str, &[u8]); 2] = [(list, b"203.0.113.5"), ("forwarded", b"for=6.6.6.6")];
    assert_eq!(client("10.0.0.1", &contradicting), of("10.0.0.1"));
}

#[test]
fn ipv6_callers_are_counted_by_network() {
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_ne!(of("198.51.100.1"), of("198.51.100.2"));
}

#[test]
fn what_is_no_address_is_named() {
    let error = TrustedProxies::read(&["10.0.0.1".to_owned(), "proxy.example".to_owned()]).unwrap_err();
    assert!(error.contains("`proxy.example`") && error.contains("10.0.0.0/8"), "{error}");
    assert!(TrustedProxies::read(&["10.0.0.0/33".to_owned()]).is_err());
}
