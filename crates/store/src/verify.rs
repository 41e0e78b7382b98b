//! The invariants as queries, each of which must find nothing. Rules that multiply money are computed here and not in SQL.

use interline_domain::{Micros, price::refund};
use interline_ledger::INVARIANTS;

use crate::{Store, db::q, error::StoreError};

/// Examples given for an invariant that fails.
const EXAMPLES_MAX: usize = 10;
/// Orders read at a time.
const PAGE_ROWS: i64 = 20_000;

/// What the check of every invariant found.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Invariant by invariant.
    pub checked: Vec<Checked>,
}

impl Verified {
    /// Whether all hold.
    pub fn is_ok(&self) -> bool {
        self.checked.iter().all(|c| c.violations == 0)
    }
}

/// What the check of one invariant found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its number.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// How often it is broken.
    pub violations: usize,
    /// Where, a few times.
    pub examples: Vec<String>,
}

impl Store {
    /// Checks every invariant.
    pub async fn verify(&self) -> Result<Verified, StoreError> {
        let mut checked = Vec::new();
        for invariant in INVARIANTS {
            let found =
                if invariant.number == 8 { self.wrong_refunds().await? } else { self.broken(invariant.number).await? };
            let (violations, examples) = (found.len(), found.into_iter().take(EXAMPLES_MAX).collect());
            checked.push(Checked { number: invariant.number, name: invariant.name, violations, examples });
        }
        Ok(Verified { checked })
    }

    async fn broken(&self, number: u8) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for (_, text) in QUERIES.iter().filter(|(of, _)| *of == number) {
            for row in q(text).all(&*self.db).await? {
                found.push(row.get("example")?);
            }
        }
        Ok(found)
    }

    /// Ended orders whose refund is not the floor of the undelivered share of the charge.
    async fn wrong_refunds(&self) -> Result<Vec<String>, StoreError> {
        let (mut wrong, mut after) = (Vec::new(), 0);
        loop {
            let text = "SELECT id, charge, refund, remains, quantity FROM orders WHERE ended_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
            let rows = q(text).bind(after).bind(PAGE_ROWS).all(&*self.db).await?;
            let Some(last) = rows.last() else { return Ok(wrong) };
            after = last.get("id")?;
            for row in &rows {
                let (charge, given) = (Micros::new(row.get("charge")?), Micros::new(row.get("refund")?));
                let quantity = row.count("quantity")?;
                let remains = row.get::<Option<i64>>("remains")?.and_then(|n| u64::try_from(n).ok());
                let sound = remains.filter(|left| *left <= quantity && quantity > 0 && !charge.is_negative());
                if sound.is_none_or(|left| given != refund(charge, left, quantity)) {
                    wrong.push(format!("order {}", row.get::<i64>("id")?));
                }
            }
        }
    }
}

/// The number of an invariant, and a query whose column `example` names what breaks it.
const QUERIES: &[(u8, &str)] = &[
    (1, "SELECT t.key AS example FROM transactions t LEFT JOIN entries e ON e.transaction_id = t.id
         GROUP BY t.id, t.key HAVING COUNT(e.id) < 2"),
    (1, "SELECT t.key || ' in ' || e.currency AS example FROM transactions t JOIN entries e ON e.transaction_id = t.id
         GROUP BY t.id, t.key, e.currency HAVING SUM(e.amount) <> 0"),
    (2, "SELECT currency AS example FROM entries GROUP BY currency HAVING SUM(amount) <> 0"),
    (3, "SELECT account || ' entry ' || CAST(id AS TEXT) AS example FROM entries
         WHERE amount = 0 OR account NOT LIKE '%:' || currency"),
    (3, "SELECT account AS example FROM balances WHERE account NOT LIKE '%:' || currency"),
    (4, "SELECT b.account AS example FROM balances b
         LEFT JOIN (SELECT account, SUM(amount) AS total FROM entries GROUP BY account) s ON s.account = b.account
         WHERE b.balance <> COALESCE(s.total, 0)"),
    (4, "SELECT DISTINCT e.account AS example FROM entries e
         WHERE e.account_version IS NOT NULL AND NOT EXISTS (SELECT 1 FROM balances b WHERE b.account = e.account)"),
    (5, "SELECT account || ' version ' || CAST(account_version AS TEXT) AS example FROM (
             SELECT account, account_version, balance_after, amount,
                    LAG(balance_after) OVER (PARTITION BY account ORDER BY account_version) AS before,
                    ROW_NUMBER() OVER (PARTITION BY account ORDER BY account_version) AS place
             FROM entries WHERE account_version IS NOT NULL) moves
         WHERE account_version <> place OR balance_after <> COALESCE(before, 0) + amount"),
    (5, "SELECT b.account AS example FROM balances b WHERE b.version <>
             (SELECT COUNT(*) FROM entries e WHERE e.account = b.account AND e.account_version IS NOT NULL)"),
    (6, "SELECT t.key AS example FROM entries e JOIN transactions t ON t.id = e.transaction_id
         WHERE e.account LIKE 'liabilities:wallet:%' AND e.amount > 0 AND -e.balance_after < e.floor
         AND COALESCE(t.reason, '') <> 'chargeback'"),
    (7, "SELECT 'order ' || CAST(o.id AS TEXT) AS example FROM orders o JOIN (
             SELECT x.id,
                 COALESCE((SELECT SUM(e.amount) FROM entries e WHERE e.order_id = x.id AND e.account = 'liabilities:orders:' || x.currency), 0) AS held,
                 COALESCE((SELECT SUM(e.amount) FROM entries e WHERE e.order_id = x.id AND e.account = 'income:sales:' || x.currency), 0) AS earned,
                 COALESCE((SELECT SUM(e.amount) FROM entries e WHERE e.order_id = x.id AND e.account = 'liabilities:wallet:' || x.account || ':' || x.currency), 0) AS paid
             FROM orders x) b ON b.id = o.id
         WHERE (o.ended_at IS NULL AND (-b.held <> o.charge OR b.earned <> 0 OR b.paid <> o.charge OR o.refund <> 0))
            OR (o.ended_at IS NOT NULL AND (b.held <> 0 OR -b.earned <> o.charge - o.refund OR b.paid <> o.charge - o.refund))"),
    (7, "SELECT 'order ' || CAST(id AS TEXT) AS example FROM orders
         WHERE (ended_at IS NOT NULL) <> (status IN ('Partial', 'Completed', 'Canceled'))"),
    (9, "SELECT 'order ' || CAST(order_id AS TEXT) AS example FROM attempts
         WHERE state IN ('queued', 'sending', 'unknown', 'accepted') GROUP BY order_id HAVING COUNT(*) > 1"),
    (10, "SELECT b.account AS example FROM balances b WHERE b.account LIKE 'assets:committed:%' AND b.balance <>
             COALESCE((SELECT SUM(a.reserve) FROM attempts a WHERE a.state IN ('queued', 'sending', 'unknown')
              AND b.account = 'assets:committed:' || a.upstream || ':' || a.currency), 0)"),
    (10, "SELECT b.account AS example FROM balances b WHERE b.account LIKE 'assets:disputed:%' AND b.balance <>
             COALESCE((SELECT SUM(a.reserve) FROM attempts a WHERE a.state = 'disputed'
              AND b.account = 'assets:disputed:' || a.upstream || ':' || a.currency), 0)"),
    (10, "SELECT b.account AS example FROM balances b WHERE b.account LIKE 'assets:claims:%' AND b.balance <>
             COALESCE((SELECT SUM(a.claim) FROM attempts a WHERE b.account = 'assets:claims:' || a.upstream || ':' || a.currency), 0)"),
    (10, "SELECT 'attempt ' || CAST(a.id AS TEXT) AS example FROM attempts a WHERE a.claim <> 0 AND NOT EXISTS (
             SELECT 1 FROM balances b WHERE b.account = 'assets:claims:' || a.upstream || ':' || a.currency)"),
    (10, "SELECT 'attempt ' || CAST(a.id AS TEXT) AS example FROM attempts a LEFT JOIN (
             SELECT attempt_id, SUM(amount) AS held FROM entries WHERE account LIKE 'assets:wip:%' GROUP BY attempt_id) w
         ON w.attempt_id = a.id WHERE COALESCE(w.held, 0) <> a.wip OR (a.wip <> 0 AND a.state <> 'accepted')"),
    (11, "SELECT upstream || ' ' || upstream_order AS example FROM attempts WHERE upstream_order IS NOT NULL
         GROUP BY upstream, upstream_order HAVING COUNT(*) > 1"),
    (12, "SELECT 'attempt ' || CAST(id AS TEXT) AS example FROM attempts WHERE state = 'sending'
         AND lease_until + 60000 < (SELECT MAX(last_seen) FROM boots)"),
    (12, "SELECT 'attempt ' || CAST(a.id AS TEXT) AS example FROM attempts a
         WHERE (a.state IN ('sending', 'unknown', 'accepted', 'ended', 'disputed') AND (a.send_number = 0 OR a.owner IS NULL))
         OR (a.reserve <> 0 AND NOT EXISTS (SELECT 1 FROM transactions t WHERE t.key = 'attempt:' || CAST(a.id AS TEXT) || ':reserve'))"),
    (15, "SELECT 'order ' || CAST(o.id AS TEXT) AS example FROM orders o
         WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.order_id = o.id AND e.kind = 'placed')
         OR (o.ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM events e WHERE e.order_id = o.id AND e.kind = 'ended'))"),
    (15, "SELECT 'attempt ' || CAST(a.id AS TEXT) || ' ' || a.state AS example FROM attempts a
         WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.order_id = a.order_id AND e.attempt_id = a.id
             AND e.kind = a.state)"),
    (15, "SELECT 'attempt ' || CAST(a.id AS TEXT) || ' ' || a.state AS example FROM attempts a
         WHERE a.state IN ('unknown', 'disputed')
         AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.attempt_id = a.id AND c.resolved_at IS NULL)"),
    (
        15,
        "SELECT 'refill ' || CAST(r.id AS TEXT) AS example FROM refills r WHERE r.state = 'unknown' AND NOT EXISTS (
             SELECT 1 FROM cases c WHERE c.order_id = r.order_id AND c.kind = 'refill-unknown' AND c.resolved_at IS NULL)",
    ),
    (15, "SELECT COALESCE(e.upstream, '?') || ' ' || e.account AS example FROM entries e WHERE e.account LIKE 'liabilities:suspense:%'
         AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.upstream = e.upstream AND c.kind LIKE 'suspense%' AND c.resolved_at IS NULL)
         GROUP BY e.upstream, e.account HAVING SUM(e.amount) <> 0"),
];

#[cfg(test)]
pub(crate) fn queries() -> impl Iterator<Item = &'static str> {
    QUERIES.iter().map(|(_, text)| *text)
}
