//! Every listed error, as panels write it.

use std::collections::BTreeSet;

use super::*;

/// The strings of `protocol.md` §3 by their meaning.
const DOCUMENTED: [(&str, &[&str]); 10] = [
    (
        "key",
        &[
            "Invalid API key",
            "Invalid api key",
            "Incorrect API key",
            "Incorrect request or API key",
            "Access denied",
            "api is disable for this user or user not found, contact the support",
            "API key is required",
            "Missing key",
        ],
    ),
    ("parameters", &["Incorrect request", "Invalid action", "This action is invalid", "The Request Not Found"]),
    (
        "service",
        &[
            "Incorrect service ID",
            "error.incorrect_service_id",
            "neworder.error.incorrect_service_id",
            "Invalid Service Id",
            "Service ID does not exists",
            "Disabled service ID",
            "neworder.error.service_inactive",
            "neworder.error.service_not_found",
            "error.invalid_service",
        ],
    ),
    (
        "funds",
        &[
            "Not enough funds on balance",
            "neworder.error.not_enough_funds",
            "neworder.error.insufficient_balance",
            "Insufficient balance",
            "Not enough funds on the balance",
        ],
    ),
    ("target", &["Link is invalid", "Invalid link", "neworder.error.link", "Bad Link", "error.invalid_link"]),
    (
        "quantity",
        &[
            "neworder.error.min_quantity",
            "neworder.error.max_quantity",
            "Quantity less than minimal 200",
            "Quantity more than maximum 1,000",
            "Quantity less than maximum 50000",
            "Incorrect quantity",
            "Quantity must to be greater than or equal to minimum amount 10",
            "Quantity must to be less than or equal to maximum amount 5.000",
            "neworder.error.not_enough_quantity",
        ],
    ),
    (
        "parameters",
        &[
            "neworder.error.comment",
            "Comments field is required",
            "Incorrect comments",
            "Incorrect runs",
            "Incorrect interval",
            "Incorrect runs/interval",
            "This services does not support Dripfeed feature!",
        ],
    ),
    (
        "active target",
        &[
            "neworder.error.link_duplicate",
            "You have active order with this link. Please wait until order being completed.",
            "error.duplicate_order",
            "neworder.error.too_many_orders",
        ],
    ),
    ("slow", &["Rate limit exceeded", "Too many requests", "Too many requests. Limit 50/minute."]),
    (
        "order",
        &[
            "Incorrect order ID",
            "Invalid Order Id",
            "The selected order id is invalid.",
            "Service doesn't support cancel",
            "Service doesn\u{2019}t support cancel",
            "Cannot cancel",
        ],
    ),
];

fn name(text: &str) -> &'static str {
    match listed(text) {
        Some(Listed::Refused(refusal)) => {
            assert_eq!(refusal.text(), text, "the upstream's own words are kept");
            refusal.name()
        }
        Some(Listed::ActiveTarget) => "active target",
        Some(Listed::Slow) => "slow",
        Some(Listed::Order(_)) => "order",
        None => "nothing",
    }
}

#[test]
fn every_documented_string_means_what_it_says() {
    for (meaning, texts) in DOCUMENTED {
        for text in texts {
            assert_eq!(name(text), meaning, "{text}");
        }
    }
}

#[test]
fn what_is_not_listed_means_nothing() {
    for text in [
        "",
        "error",
        "Invalid",
        "link",
        "Invalid link format, maybe",
        "Your order was placed. Not enough funds on balance for another",
        "Kein Guthaben",
        "Недостаточно средств на балансе",
        "Quantity less than minimal",
        "404",
    ] {
        assert_eq!(name(text), "nothing", "{text}");
    }
}

#[test]
fn lists_are_written_in_the_form_that_is_compared_and_mean_one_thing() {
    let mut seen = BTreeSet::new();
    let refusals = REFUSALS.iter().flat_map(|(_, texts)| texts.iter());
    for text in refusals.chain(ACTIVE_TARGET).chain(SLOW).chain(ORDER) {
        assert_eq!(normal(text), *text);
        assert!(seen.insert(text), "`{text}` is listed twice");
    }
}

#[test]
fn numbers_do_not_count() {
    for (text, plain) in [("1", "#"), ("1,000,000.5 a2b", "# a#b"), ("5. 6", "#. #"), ("no.", "no."), ("", "")] {
        assert_eq!(numberless(text), plain);
    }
}
