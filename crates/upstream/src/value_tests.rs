//! Single values, in every way that panels write them.

use serde_json::json;

use super::*;

#[test]
fn fields_are_found_in_any_case() {
    let Value::Object(object) = json!({"Charge": 1, "charge": 2, "STATUS": 3}) else { unreachable!() };
    assert_eq!(field(&object, "charge"), Some(&json!(2)));
    assert_eq!(field(&object, "status"), Some(&json!(3)));
    assert_eq!(field(&object, "remains"), None);
}

#[test]
fn an_order_id_is_a_positive_number_or_an_opaque_name() {
    for (value, id) in [
        (json!(23_501), "23501"),
        (json!("23501"), "23501"),
        (json!(" 23501 "), "23501"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!("ord_01HG5Z"), "ord_01HG5Z"),
        (json!("API100025"), "API100025"),
        (json!("QWERTY"), "QWERTY"),
        (json!("0b7e-11"), "0b7e-11"),
        (json!("9".repeat(64)), &*"9".repeat(64)),
    ] {
        assert_eq!(order_id(&value).as_deref(), Some(id), "{value}");
    }
}

#[test]
fn what_is_no_order_id() {
    for value in [
        json!(0),
        json!(-5),
        json!(1.5),
        json!(1e30),
        json!(""),
        json!("  "),
        json!("0"),
        json!("000"),
        json!("0.0"),
        json!("12.5"),
        json!("-5"),
        json!("null"),
        json!("False"),
        json!("error"),
        json!("1,2"),
        json!("Order placed"),
        json!("12\u{0}3"),
        json!("<b>1</b>"),
        json!("9".repeat(65)),
        json!(true),
        json!(null),
        json!([5]),
        json!({"id": 5}),
    ] {
        assert_eq!(order_id(&value), None, "{value}");
    }
}

#[test]
fn amounts_are_rounded_once_and_never_guessed() {
    for (value, micros) in [
        (json!("0.27819"), 278_190),
        (serde_json::from_str("0.08011655652").unwrap(), 80_117),
        (json!("0.08011655652"), 80_117),
        (json!("0.0000005"), 1),
        (json!("0.00000049"), 0),
        (json!(1e-5), 10),
        (json!("1E-5"), 10),
        (json!("1.5e3"), 1_500_000_000),
        (json!(0.1), 100_000),
        (json!(-2), -2_000_000),
        (json!(999_999_999.123_456), 999_999_999_123_456),
        (json!("-0.0"), 0),
    ] {
        assert_eq!(amount(&value), Some(Micros::new(micros)), "{value}");
    }
    for value in [
        json!("NaN"),
        json!("inf"),
        json!("1,5"),
        json!("1_000"),
        json!("$1"),
        json!(""),
        json!("e"),
        json!("1e"),
        json!("1e99999999999"),
        json!("1e-99"),
        json!("--1"),
        json!("٣"),
        json!("1000000001"),
        json!(1e300),
        json!("9".repeat(100)),
        json!(null),
        json!([1]),
    ] {
        assert_eq!(amount(&value), None, "{value}");
    }
}

#[test]
fn whole_numbers_may_carry_a_fraction_of_zeros() {
    for (value, number) in
        [(json!("157"), 157), (json!(157), 157), (json!("157.0"), 157), (json!(157.0), 157), (json!("-3"), -3)]
    {
        assert_eq!(whole(&value), Some(number), "{value}");
    }
    for value in [json!("157.5"), json!(0.1), json!(""), json!(null), json!("many"), json!("99999999999999999999")] {
        assert_eq!(whole(&value), None, "{value}");
    }
}

#[test]
fn flags_are_read_leniently() {
    for value in [json!(true), json!("true"), json!("TRUE"), json!(1), json!("1"), json!("yes")] {
        assert_eq!(flag(&value), Some(true), "{value}");
    }
    for value in [json!(false), json!("false"), json!(0), json!("0"), json!("No")] {
        assert_eq!(flag(&value), Some(false), "{value}");
    }
    for value in [json!(null), json!(2), json!("maybe"), json!([true])] {
        assert_eq!(flag(&value), None, "{value}");
    }
}

#[test]
fn texts_are_one_bounded_line() {
    assert_eq!(one_line("\u{0}a\tb\r\nc\u{7f}"), "a b  c");
    assert_eq!(one_line(&"é".repeat(600)).chars().count(), 512);
    let body = [b"\xFF\x00<".as_slice(), "é\n".repeat(5_000).as_bytes()].concat();
    let excerpt = excerpt(&body);
    assert!(excerpt.starts_with("\u{fffd} <é é") && excerpt.chars().count() <= 512);
    assert!(!excerpt.chars().any(char::is_control));
}

#[test]
fn a_currency_is_a_code() {
    let named = |value: Value| currency(&Map::from_iter([("Currency".to_owned(), value)]));
    assert_eq!(named(json!(" usd ")), "USD".parse().ok());
    for value in [json!("$"), json!("US Dollar"), json!(null), json!("")] {
        assert_eq!(named(value), None);
    }
}
