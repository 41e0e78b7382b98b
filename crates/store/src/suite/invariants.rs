//! `verify` sees what is wrong in the books, and says which rule is broken and no other.

use interline_domain::{AttemptState, Micros, Money};
use interline_ledger::customers;

use super::{
    Site, assert_sound, broken, customer, execute, money, on_both,
    operations::{Book, End, attempt, deposit, place, topup},
    usd, wallet,
};
use crate::{Lane, Store};

/// What is done to sound books, what undoes it, and the invariants that do not hold in between.
const DAMAGES: [(&str, &str, &[u8]); 17] = [
    (
        "UPDATE balances SET currency = 'EUR' WHERE account LIKE 'liabilities:wallet:%'",
        "UPDATE balances SET currency = 'USD' WHERE account LIKE 'liabilities:wallet:%'",
        &[3],
    ),
    (
        "UPDATE balances SET balance = balance + 1 WHERE account LIKE 'liabilities:wallet:%'",
        "UPDATE balances SET balance = balance - 1 WHERE account LIKE 'liabilities:wallet:%'",
        &[4],
    ),
    ("UPDATE balances SET version = version + 1", "UPDATE balances SET version = version - 1", &[5]),
    (
        "UPDATE orders SET charge = charge + 1 WHERE ended_at IS NULL",
        "UPDATE orders SET charge = charge - 1 WHERE ended_at IS NULL",
        &[7],
    ),
    (
        "UPDATE orders SET status = 'Completed' WHERE ended_at IS NULL",
        "UPDATE orders SET status = 'Pending' WHERE ended_at IS NULL",
        &[7],
    ),
    (
        "UPDATE orders SET refund = refund + 1 WHERE ended_at IS NOT NULL",
        "UPDATE orders SET refund = refund - 1 WHERE ended_at IS NOT NULL",
        &[7, 8],
    ),
    (
        "UPDATE orders SET remains = remains - 1 WHERE ended_at IS NOT NULL",
        "UPDATE orders SET remains = remains + 1 WHERE ended_at IS NOT NULL",
        &[8],
    ),
    (
        "UPDATE attempts SET state = 'queued' WHERE state = 'released'",
        "UPDATE attempts SET state = 'released' WHERE state = 'queued'",
        &[9],
    ),
    (
        "UPDATE attempts SET reserve = reserve + 1 WHERE state = 'sending'",
        "UPDATE attempts SET reserve = reserve - 1 WHERE state = 'sending'",
        &[10],
    ),
    (
        "UPDATE attempts SET wip = 1 WHERE state = 'sending'",
        "UPDATE attempts SET wip = 0 WHERE state = 'sending'",
        &[10],
    ),
    (
        "UPDATE attempts SET upstream_order = '77' WHERE state IN ('sending', 'unknown')",
        "UPDATE attempts SET upstream_order = NULL",
        &[11],
    ),
    (
        "UPDATE attempts SET owner = NULL WHERE state = 'sending'",
        "UPDATE attempts SET owner = 'boot-1' WHERE state = 'sending'",
        &[12],
    ),
    (
        "UPDATE attempts SET reserve = 1 WHERE state = 'released'",
        "UPDATE attempts SET reserve = 0 WHERE state = 'released'",
        &[12],
    ),
    // Its lease ended at `NOW`: a heartbeat a minute later is not too late, a millisecond after that it is.
    ("INSERT INTO boots (boot, started_at, last_seen) VALUES ('boot-2', 0, 1790000060000)", "DELETE FROM boots", &[]),
    ("INSERT INTO boots (boot, started_at, last_seen) VALUES ('boot-2', 0, 1790000060001)", "DELETE FROM boots", &[12]),
    (
        "UPDATE attempts SET state = 'settled' WHERE state = 'released'",
        "UPDATE attempts SET state = 'released' WHERE state = 'settled'",
        &[15],
    ),
    ("UPDATE cases SET resolved_at = 1", "UPDATE cases SET resolved_at = NULL", &[15]),
];

/// Postings behind the store's back, one upon the other: the invariants that do not hold from then on. A line that is
/// missing, a line of nothing, a line that nothing balances.
const FORGERIES: [(&str, &[u8]); 3] = [
    ("INSERT INTO transactions (id, key, posted_at, effective_at) VALUES (-1, 'forged', 0, 0)", &[1]),
    (
        "INSERT INTO entries (id, transaction_id, account, currency, amount) VALUES
            (-1, -1, 'assets:bank:USD', 'USD', 5), (-2, -1, 'equity:opening:USD', 'USD', -5),
            (-3, -1, 'assets:bank:USD', 'USD', 0)",
        &[3],
    ),
    (
        "INSERT INTO entries (id, transaction_id, account, currency, amount)
         VALUES (-4, -1, 'assets:bank:USD', 'USD', 1)",
        &[1, 2, 3],
    ),
];

/// Broken: `ledger verify` calls books sound that are not, or names a rule that was kept.
#[tokio::test]
async fn every_damage_breaks_its_own_rule() {
    on_both(async |site: &Site| {
        let store = books(site).await;
        // These keep two of the damages out; `verify` does not lean on them.
        for index in ["attempts_live", "attempts_upstream_order"] {
            execute(&store, &format!("DROP INDEX {index}")).await.unwrap();
        }
        for (damage, repair, rules) in DAMAGES {
            assert!(execute(&store, damage).await.unwrap() > 0, "{damage}");
            assert_eq!(broken(&store).await, rules, "{damage}");
            execute(&store, repair).await.unwrap();
            assert_sound(&store).await;
        }
        for (forgery, rules) in FORGERIES {
            execute(&store, forgery).await.unwrap();
            assert_eq!(broken(&store).await, rules, "{forgery}");
        }
    })
    .await;
}

/// Broken: an operation that forgets the floor overdraws a wallet and nobody sees it; or a charge back, which may do
/// so, is reported as a fault.
#[tokio::test]
async fn a_wallet_below_its_floor_is_found() {
    on_both(async |site: &Site| {
        let store = books(site).await;
        let taken = Money::new(-money("1000"), usd());
        let back = customers::adjustment(&customer(), taken, "bank-1", "chargeback");
        assert!(store.writer().run(Lane::Customer, Book::new(back)).await.unwrap());
        assert!(wallet(&store).await < Micros::ZERO);
        assert_sound(&store).await;
        let other = customers::adjustment(&customer(), Money::new(-Micros::ONE, usd()), "bank-2", "a mistake");
        assert!(store.writer().run(Lane::Customer, Book::new(other)).await.unwrap());
        assert_eq!(broken(&store).await, [6_u8]);
    })
    .await;
}

/// Sound books with an order that is being sent after a first try was refused, an order nobody knows of, and one that
/// ended.
async fn books(site: &Site) -> Store {
    let store = site.stocked().await;
    let writer = store.writer();
    assert!(writer.run(Lane::Customer, deposit("100", "r")).await.unwrap());
    assert!(writer.run(Lane::Customer, topup("500", "r")).await.unwrap());
    let (refused, sent) = (attempt("alpha", AttemptState::Released), attempt("alpha", AttemptState::Sending));
    writer.run(Lane::Customer, place("2.5").with(refused).with(sent.reserving("0.9"))).await.unwrap();
    let lost = attempt("alpha", AttemptState::Unknown).reserving("0.4");
    writer.run(Lane::Customer, place("2.5").with(lost)).await.unwrap();
    let order = writer.run(Lane::Customer, place("2.5")).await.unwrap().new_order().unwrap();
    assert!(writer.run(Lane::Customer, End { order, remains: 157 }).await.unwrap());
    assert_eq!(wallet(&store).await, money("92.8925"));
    assert_sound(&store).await;
    store
}
