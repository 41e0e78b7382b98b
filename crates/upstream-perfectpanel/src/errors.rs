//! The errors that panels are known to answer, by what they mean. Whatever is not listed here means nothing.
//!
//! Panels translate their texts and reword them, so a text counts only if it is listed: a refusal lets the next
//! upstream be tried, and a text that merely sounds like one would risk a second delivery.

use interline_upstream::Refusal;

/// What a listed error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// The call was certainly not done.
    Refused(Refusal),
    /// Certainly not done: another order on the same target is active.
    ActiveTarget,
    /// Certainly not done: too fast.
    Slow,
    /// About the order that was asked for, not about the call.
    Order(String),
}

/// Makes a refusal of the upstream's words.
type Means = fn(String) -> Refusal;

/// Refusals of `protocol.md` §3, as [`normal`] writes them.
static REFUSALS: [(Means, &[&str]); 6] = [
    (
        Refusal::Key,
        &[
            "invalid api key",
            "incorrect api key",
            "incorrect request or api key",
            "access denied",
            "api is disable for this user or user not found, contact the support",
            "api key is required",
            "missing key",
        ],
    ),
    (
        Refusal::Funds,
        &[
            "not enough funds on balance",
            "not enough funds on the balance",
            "insufficient balance",
            "error.not_enough_funds",
            "error.insufficient_balance",
        ],
    ),
    (
        Refusal::Service,
        &[
            "incorrect service id",
            "invalid service id",
            "service id does not exists",
            "disabled service id",
            "error.incorrect_service_id",
            "error.invalid_service",
            "error.service_inactive",
            "error.service_not_found",
        ],
    ),
    (
        Refusal::Target,
        &[
            "link is invalid",
            "invalid link",
            "bad link",
            "incorrect link",
            "error.link",
            "error.invalid_link",
            "error.link_not_found",
        ],
    ),
    (
        Refusal::Quantity,
        &[
            "incorrect quantity",
            "quantity less than minimal #",
            "quantity less than maximum #",
            "quantity more than maximum #",
            "quantity must to be greater than or equal to minimum amount #",
            "quantity must to be less than or equal to maximum amount #",
            "error.min_quantity",
            "error.max_quantity",
            "error.not_enough_quantity",
        ],
    ),
    (
        Refusal::Parameters,
        &[
            "incorrect request",
            "invalid action",
            "incorrect action",
            "this action is invalid",
            "the action field is required",
            "the request not found",
            "comments field is required",
            "incorrect comments",
            "incorrect runs",
            "incorrect interval",
            "incorrect runs/interval",
            "this services does not support dripfeed feature",
            "error.comment",
        ],
    ),
];

/// "You have an order there already": wait, or evidence that an earlier submission was taken.
const ACTIVE_TARGET: &[&str] = &[
    "you have active order with this link",
    "you have active order with this link. please wait until order being completed",
    "error.link_duplicate",
    "error.duplicate_order",
    "error.too_many_orders",
];

/// "Slow down".
const SLOW: &[&str] = &["rate limit exceeded", "too many requests", "too many requests. limit #/minute"];

/// Answers about one order. To a submission they mean nothing.
const ORDER: &[&str] = &[
    "incorrect order id",
    "invalid order id",
    "error.incorrect_order_id",
    "the selected order id is invalid",
    "missing order parameter",
    "service doesn't support cancel",
    "this service doesn't support cancellation",
    "cannot cancel",
    "order not eligible for refill",
    "you are not eligible to send refill request",
    "refill not found",
    "refill request not found",
    "incorrect refill id",
    "this service does not support refill",
];

/// What `text` means, if it is listed.
pub(crate) fn listed(text: &str) -> Option<Listed> {
    let words = normal(text);
    let among = |texts: &[&str]| texts.contains(&words.as_str());
    if among(ACTIVE_TARGET) {
        return Some(Listed::ActiveTarget);
    }
    if among(SLOW) {
        return Some(Listed::Slow);
    }
    if among(ORDER) {
        return Some(Listed::Order(text.to_owned()));
    }
    let (refusal, _) = REFUSALS.iter().find(|(_, texts)| among(texts))?;
    Some(Listed::Refused(refusal(text.to_owned())))
}

/// `text` as the lists write it: lower case, single blanks, no full stop at the end, `#` for any number, and codes
/// without the name of the form that they belong to.
fn normal(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let lower = words.join(" ").to_lowercase().replace('\u{2019}', "'");
    let bare = lower.trim_end_matches(['.', '!', ' ']);
    numberless(bare.strip_prefix("neworder.").unwrap_or(bare))
}

/// `text` with `#` in place of each number; `1,000` and `0.5` are one number each.
fn numberless(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let joins = matches!(c, '.' | ',') && chars.peek().is_some_and(char::is_ascii_digit);
        let goes_on = plain.ends_with('#') && (c.is_ascii_digit() || joins);
        if !goes_on {
            plain.push(if c.is_ascii_digit() { '#' } else { c });
        }
    }
    plain
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
