//! The postings table of the design, row by row and in its order: sell 2.50 per 1000, quantity 1000, upstream alpha at
//! 0.90, so the charge P is 2.50 and the reserve R is 0.90.

use interline_domain::{AccountId, AttemptId, Currency, Micros, Money, OrderId, UpstreamId, price::refund};
use rust_decimal::Decimal;

use crate::{
    attempts::{self, AttemptBook, Held},
    cost::{ChargeAfterPartial, End, reserved_price, target_cost},
    customers,
    posting::{BaseRate, Fx, Posting},
    upstreams::{self, AlreadySeen, Explanation},
};

const ORDER: OrderId = OrderId(101);

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn amount(text: &str) -> Micros {
    text.parse().unwrap()
}

fn usd(text: &str) -> Money {
    Money::new(amount(text), currency("USD"))
}

fn panel() -> AccountId {
    "panel-a".parse().unwrap()
}

fn alpha() -> UpstreamId {
    "alpha".parse().unwrap()
}

/// Books and upstream are both in USD.
fn same() -> BaseRate {
    BaseRate { base: currency("USD"), rate: Decimal::ONE }
}

/// The attempt of the table: R = 0.90, and `wip` as it stands.
fn book(wip: &str) -> AttemptBook {
    AttemptBook {
        attempt: AttemptId(7),
        upstream: alpha(),
        currency: currency("USD"),
        reserve: amount("0.90"),
        wip: amount(wip),
    }
}

/// Compares a posting with its row: the key, and a line "Dr account amount" or "Cr account amount" per entry.
#[track_caller]
fn row(posting: &Posting, key: &str, lines: &[&str]) {
    assert_eq!(posting.key, key);
    let written: Vec<String> = posting
        .entries
        .iter()
        .map(|entry| {
            let side = if entry.amount.is_negative() { "Cr" } else { "Dr" };
            let magnitude = entry.amount.max(-entry.amount);
            format!("{side} {} {magnitude}", entry.account)
        })
        .collect();
    assert_eq!(written, lines, "{key}");
}

#[test]
fn deposit_100() {
    row(
        &customers::deposit(&panel(), usd("100"), "inv-1"),
        "deposit:panel-a:inv-1",
        &["Dr assets:bank:USD 100", "Cr liabilities:wallet:panel-a:USD 100"],
    );
}

#[test]
fn upstream_topup_500() {
    row(
        &upstreams::topup(&alpha(), usd("500"), "wire-1", AlreadySeen::default()),
        "topup:alpha:wire-1",
        &["Dr assets:upstream:alpha:USD 500", "Cr assets:bank:USD 500"],
    );
}

#[test]
fn upstream_topup_of_what_was_already_seen() {
    // The opening part first, then the excess.
    row(
        &upstreams::topup(&alpha(), usd("500"), "wire-1", AlreadySeen { opening: amount("120"), excess: amount("30") }),
        "topup:alpha:wire-1",
        &[
            "Dr assets:upstream:alpha:USD 350",
            "Dr liabilities:suspense:opening:USD 120",
            "Dr liabilities:suspense:excess:USD 30",
            "Cr assets:bank:USD 500",
        ],
    );
    row(
        &upstreams::topup(&alpha(), usd("500"), "wire-2", AlreadySeen { opening: amount("480"), excess: amount("90") }),
        "topup:alpha:wire-2",
        &["Dr liabilities:suspense:opening:USD 480", "Dr liabilities:suspense:excess:USD 20", "Cr assets:bank:USD 500"],
    );
}

#[test]
fn first_balance_reading() {
    row(
        &upstreams::opening(&alpha(), usd("480")),
        "opening:alpha",
        &["Dr assets:upstream:alpha:USD 480", "Cr liabilities:suspense:opening:USD 480"],
    );
    let rest = upstreams::opening_settled(&alpha(), usd("80"), "balance of the old system");
    row(&rest, "opening:alpha:settle", &["Dr liabilities:suspense:opening:USD 80", "Cr equity:opening:USD 80"]);
    assert_eq!(rest.reason.as_deref(), Some("balance of the old system"));
}

#[test]
fn order_placed() {
    row(
        &customers::order_charge(ORDER, &panel(), usd("2.50")),
        "order:101:charge",
        &["Dr liabilities:wallet:panel-a:USD 2.5", "Cr liabilities:orders:USD 2.5"],
    );
}

#[test]
fn attempt_queued_or_sending() {
    row(
        &attempts::reserve(&book("0")),
        "attempt:7:reserve",
        &["Dr assets:committed:alpha:USD 0.9", "Cr assets:upstream:alpha:USD 0.9"],
    );
}

#[test]
fn rejected_or_proved_not_delivered() {
    row(
        &attempts::release(&book("0")),
        "attempt:7:release",
        &["Dr assets:upstream:alpha:USD 0.9", "Cr assets:committed:alpha:USD 0.9"],
    );
}

#[test]
fn accepted() {
    row(
        &attempts::accept(&book("0")),
        "attempt:7:accept",
        &["Dr assets:wip:alpha:USD 0.9", "Cr assets:committed:alpha:USD 0.9"],
    );
}

#[test]
fn reported_charge_while_running() {
    row(
        &attempts::running_charge(&book("0.90"), amount("0.94185"), 1),
        "attempt:7:charge:1",
        &["Dr assets:wip:alpha:USD 0.04185", "Cr assets:upstream:alpha:USD 0.04185"],
    );
    row(
        &attempts::running_charge(&book("0.94185"), amount("0.92"), 2),
        "attempt:7:charge:2",
        &["Dr assets:claims:alpha:USD 0.02185", "Cr assets:wip:alpha:USD 0.02185"],
    );
    assert!(attempts::running_charge(&book("0.92"), amount("0.92"), 3).is_empty());
}

#[test]
fn end_of_the_attempt() {
    // Completed, nothing drifted.
    row(
        &attempts::attempt_end(&book("0.90"), amount("0.90"), amount("0.90"), &same()),
        "attempt:7:end",
        &["Cr assets:wip:alpha:USD 0.9", "Dr expenses:cogs:alpha:USD 0.9"],
    );
    // Canceled.
    row(
        &attempts::attempt_end(&book("0.90"), Micros::ZERO, Micros::ZERO, &same()),
        "attempt:7:end",
        &["Dr assets:claims:alpha:USD 0.9", "Cr assets:wip:alpha:USD 0.9"],
    );
    // Completed at 0.95 by the reply that ended it: the rise goes through wip.
    row(
        &attempts::attempt_end(&book("0.90"), amount("0.95"), amount("0.90"), &same()),
        "attempt:7:end",
        &[
            "Dr assets:wip:alpha:USD 0.05",
            "Cr assets:upstream:alpha:USD 0.05",
            "Cr assets:wip:alpha:USD 0.95",
            "Dr expenses:cogs:alpha:USD 0.9",
            "Dr expenses:cogs_variance:alpha:USD 0.05",
        ],
    );
    // Completed at 0.88: the difference is a credit of the variance.
    row(
        &attempts::attempt_end(&book("0.90"), amount("0.88"), amount("0.90"), &same()),
        "attempt:7:end",
        &[
            "Dr assets:claims:alpha:USD 0.02",
            "Cr assets:wip:alpha:USD 0.02",
            "Cr assets:wip:alpha:USD 0.88",
            "Dr expenses:cogs:alpha:USD 0.9",
            "Cr expenses:cogs_variance:alpha:USD 0.02",
        ],
    );
    // Free, and canceled: nothing is posted.
    let free = AttemptBook { reserve: Micros::ZERO, ..book("0") };
    assert!(attempts::attempt_end(&free, Micros::ZERO, Micros::ZERO, &same()).is_empty());
}

#[test]
fn end_of_the_order() {
    let end = |back| customers::order_end(ORDER, &panel(), usd("2.50"), amount(back));
    row(&end("0"), "order:101:end", &["Dr liabilities:orders:USD 2.5", "Cr income:sales:USD 2.5"]);
    row(
        &end("0.3925"),
        "order:101:end",
        &["Dr liabilities:orders:USD 2.5", "Cr liabilities:wallet:panel-a:USD 0.3925", "Cr income:sales:USD 2.1075"],
    );
    row(&end("2.5"), "order:101:end", &["Dr liabilities:orders:USD 2.5", "Cr liabilities:wallet:panel-a:USD 2.5"]);
}

#[test]
#[should_panic(expected = "a refund of 2.500001 is no part of the charge 2.5 USD")]
fn a_refund_never_exceeds_the_charge() {
    customers::order_end(ORDER, &panel(), usd("2.50"), amount("2.500001"));
}

/// Partial, remains 157, drifted to 0.94185, gross: customer 2.50 = 0.3925 back + 2.1075 sales; upstream
/// 0.94185 = 0.14787 claims + 0.7587 cogs + 0.03528 variance.
#[test]
fn the_worked_example() {
    let (end, gross) = (End::Partial { remains: 157 }, ChargeAfterPartial::Gross);
    let target = target_cost(end, amount("0.94185"), None, gross, 1000);
    let price = reserved_price(amount("0.90"), 157, 1000);
    row(
        &attempts::attempt_end(&book("0.94185"), target, price, &same()),
        "attempt:7:end",
        &[
            "Dr assets:claims:alpha:USD 0.14787",
            "Cr assets:wip:alpha:USD 0.14787",
            "Cr assets:wip:alpha:USD 0.79398",
            "Dr expenses:cogs:alpha:USD 0.7587",
            "Dr expenses:cogs_variance:alpha:USD 0.03528",
        ],
    );
    row(
        &customers::order_end(ORDER, &panel(), usd("2.50"), refund(amount("2.50"), 157, 1000)),
        "order:101:end",
        &["Dr liabilities:orders:USD 2.5", "Cr liabilities:wallet:panel-a:USD 0.3925", "Cr income:sales:USD 2.1075"],
    );
    // Said only by the reply that ended it, the same charge costs the same.
    assert_eq!(target_cost(end, amount("0.90"), Some(amount("0.94185")), gross, 1000), target);
}

#[test]
fn claim_shown_by_a_balance_reading() {
    row(
        &upstreams::claim_shown(AttemptId(7), &alpha(), usd("0.1"), 1),
        "claim:7:1",
        &["Dr assets:upstream:alpha:USD 0.1", "Cr assets:claims:alpha:USD 0.1"],
    );
}

#[test]
fn claim_given_up() {
    let lost = upstreams::claim_lost(AttemptId(7), &alpha(), usd("0.04787"), &same(), "they deny it");
    row(&lost, "claim:7:lost", &["Dr expenses:loss:alpha:USD 0.04787", "Cr assets:claims:alpha:USD 0.04787"]);
    assert_eq!(lost.reason.as_deref(), Some("they deny it"));
}

#[test]
fn charge_moves_after_the_end() {
    let late = |from, to, n| attempts::late_charge(&book("0"), amount(from), amount(to), n, &same(), false);
    row(
        &late("0.90", "0.95", 1),
        "attempt:7:late:1",
        &["Dr expenses:cogs_variance:alpha:USD 0.05", "Cr assets:upstream:alpha:USD 0.05"],
    );
    row(
        &late("0.95", "0.89", 2),
        "attempt:7:late:2",
        &["Dr assets:claims:alpha:USD 0.06", "Cr expenses:cogs_variance:alpha:USD 0.06"],
    );
    assert!(late("0.89", "0.89", 3).is_empty());
}

#[test]
fn unknown_past_its_deadline() {
    row(
        &customers::order_end(ORDER, &panel(), usd("2.50"), amount("2.50")),
        "order:101:end",
        &["Dr liabilities:orders:USD 2.5", "Cr liabilities:wallet:panel-a:USD 2.5"],
    );
    row(
        &attempts::dispute(&book("0")),
        "attempt:7:dispute",
        &["Dr assets:disputed:alpha:USD 0.9", "Cr assets:committed:alpha:USD 0.9"],
    );
}

#[test]
fn then_found_taken() {
    row(
        &attempts::settle_taken(&book("0"), amount("0.94185"), &same()),
        "attempt:7:settle",
        &[
            "Dr expenses:loss:alpha:USD 0.9",
            "Cr assets:disputed:alpha:USD 0.9",
            "Dr expenses:loss:alpha:USD 0.04185",
            "Cr assets:upstream:alpha:USD 0.04185",
        ],
    );
    // Afterwards charge moves go to loss.
    row(
        &attempts::late_charge(&book("0"), amount("0.94185"), Micros::ZERO, 1, &same(), true),
        "attempt:7:late:1",
        &["Dr assets:claims:alpha:USD 0.94185", "Cr expenses:loss:alpha:USD 0.94185"],
    );
}

#[test]
fn then_found_not_taken() {
    row(
        &attempts::settle_not_taken(&book("0")),
        "attempt:7:settle",
        &["Dr assets:upstream:alpha:USD 0.9", "Cr assets:disputed:alpha:USD 0.9"],
    );
}

#[test]
fn case_written_off() {
    row(
        &attempts::write_off(&book("0"), Held::Committed, &same()),
        "attempt:7:settle",
        &["Dr expenses:loss:alpha:USD 0.9", "Cr assets:committed:alpha:USD 0.9"],
    );
    row(
        &attempts::write_off(&book("0"), Held::Disputed, &same()),
        "attempt:7:settle",
        &["Dr expenses:loss:alpha:USD 0.9", "Cr assets:disputed:alpha:USD 0.9"],
    );
}

#[test]
fn refill() {
    row(
        &upstreams::refill_charge(3, &alpha(), usd("0.2"), 1, &same()),
        "refill:3:charge:1",
        &["Dr expenses:cogs_refill:alpha:USD 0.2", "Cr assets:upstream:alpha:USD 0.2"],
    );
    assert!(upstreams::refill_charge(3, &alpha(), usd("0"), 1, &same()).is_empty());
}

#[test]
fn balance_higher_than_explained() {
    row(
        &upstreams::suspense_excess(&alpha(), usd("25"), 4),
        "suspense:alpha:4",
        &["Dr assets:upstream:alpha:USD 25", "Cr liabilities:suspense:excess:USD 25"],
    );
    for (explanation, credited) in [
        (Explanation::Bank, "Cr assets:bank:USD 25"),
        (Explanation::Loss, "Cr expenses:loss:alpha:USD 25"),
        (Explanation::Opening, "Cr equity:opening:USD 25"),
    ] {
        let settled = upstreams::excess_settled(&alpha(), usd("25"), 4, explanation, &same(), "bonus");
        row(&settled, "suspense:alpha:4:settle", &["Dr liabilities:suspense:excess:USD 25", credited]);
        assert_eq!(settled.reason.as_deref(), Some("bonus"));
    }
}

#[test]
fn balance_lower_than_explained() {
    let accepted = upstreams::shortfall(&alpha(), usd("1.5"), 2, &same(), "fees");
    row(&accepted, "shortfall:alpha:2", &["Dr expenses:loss:alpha:USD 1.5", "Cr assets:upstream:alpha:USD 1.5"]);
    assert_eq!(accepted.reason.as_deref(), Some("fees"));
}

#[test]
fn released_then_found_taken() {
    row(
        &attempts::contradiction(&book("0"), amount("0.94185"), &same()),
        "attempt:7:contradiction",
        &["Dr expenses:loss:alpha:USD 0.94185", "Cr assets:upstream:alpha:USD 0.94185"],
    );
}

#[test]
fn adjustment() {
    let given = customers::adjustment(&panel(), usd("5"), "t-1", "late delivery");
    row(&given, "adjust:panel-a:t-1", &["Dr expenses:goodwill:USD 5", "Cr liabilities:wallet:panel-a:USD 5"]);
    assert_eq!(given.reason.as_deref(), Some("late delivery"));
    row(
        &customers::adjustment(&panel(), usd("-5"), "t-2", "given twice"),
        "adjust:panel-a:t-2",
        &["Cr expenses:goodwill:USD 5", "Dr liabilities:wallet:panel-a:USD 5"],
    );
}

#[test]
fn cost_in_eur_books_in_usd() {
    let rate = BaseRate { base: currency("USD"), rate: "1.0837".parse().unwrap() };
    let euro = |wip| AttemptBook { currency: currency("EUR"), ..book(wip) };
    let ended = attempts::attempt_end(&euro("0.94185"), amount("0.79398"), amount("0.7587"), &rate);
    row(
        &ended,
        "attempt:7:end",
        &[
            "Dr assets:claims:alpha:EUR 0.14787",
            "Cr assets:wip:alpha:EUR 0.14787",
            "Cr assets:wip:alpha:EUR 0.79398",
            "Dr equity:fx:EUR 0.79398",
            "Cr equity:fx:USD 0.860436",
            "Dr expenses:cogs:alpha:USD 0.822203",
            "Dr expenses:cogs_variance:alpha:USD 0.038233",
        ],
    );
    assert_eq!(ended.fx, Some(Fx { from: currency("EUR"), to: currency("USD"), rate: rate.rate }));
    // What stays within the upstream's currency is not exchanged.
    assert_eq!(attempts::reserve(&euro("0")).fx, None);
    assert_eq!(attempts::attempt_end(&euro("0.9"), Micros::ZERO, Micros::ZERO, &rate).fx, None);
    row(
        &attempts::late_charge(&euro("0"), amount("0.90"), amount("0.80"), 1, &rate, false),
        "attempt:7:late:1",
        &[
            "Dr assets:claims:alpha:EUR 0.1",
            "Cr equity:fx:EUR 0.1",
            "Dr equity:fx:USD 0.10837",
            "Cr expenses:cogs_variance:alpha:USD 0.10837",
        ],
    );
}

#[test]
fn the_variance_takes_the_rounding() {
    // 0.000002 at 0.6 is worth 0.000001, and so is 0.000001: nothing is left for the variance.
    let rate = BaseRate { base: currency("USD"), rate: "0.6".parse().unwrap() };
    let tiny = AttemptBook { currency: currency("EUR"), ..book("0.000002") };
    row(
        &attempts::attempt_end(&tiny, amount("0.000002"), amount("0.000001"), &rate),
        "attempt:7:end",
        &[
            "Cr assets:wip:alpha:EUR 0.000002",
            "Dr equity:fx:EUR 0.000002",
            "Cr equity:fx:USD 0.000001",
            "Dr expenses:cogs:alpha:USD 0.000001",
        ],
    );
}
