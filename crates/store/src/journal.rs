//! The books as people read them: trial balance, statements, postings.

use interline_domain::{Micros, OrderId, Timestamp};

use crate::{
    Store,
    db::{Row, q},
    error::StoreError,
    rows::time,
};

/// Postings read at a time; a whole journal is never in memory twice.
const PAGE_ROWS: i64 = 50_000;

/// A line of a trial balance; `balance` is debit less credit.
#[derive(Debug, Clone)]
pub struct BalanceLine {
    /// The account.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// The sum of its debits.
    pub debit: Micros,
    /// The sum of its credits, as a positive amount.
    pub credit: Micros,
}

/// A posting.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Its business key.
    pub key: String,
    /// When it was posted.
    pub at: Timestamp,
    /// Why, where a person gave a reason.
    pub reason: Option<String>,
    /// Its entries.
    pub lines: Vec<JournalLine>,
}

/// An entry of a posting; debit positive.
#[derive(Debug, Clone)]
pub struct JournalLine {
    /// The account.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// How much.
    pub amount: Micros,
}

/// The movements of an account.
#[derive(Debug, Clone)]
pub struct StatementOf {
    /// The account.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// Its balance before the first movement.
    pub opening: Micros,
    /// The movements in the order of posting.
    pub lines: Vec<StatementLine>,
}

/// One movement.
#[derive(Debug, Clone)]
pub struct StatementLine {
    /// When it was posted.
    pub at: Timestamp,
    /// The posting's key.
    pub key: String,
    /// How much, debit positive.
    pub amount: Micros,
}

impl Store {
    /// Debits and credits of every account, of the postings from `from` up to, not including, `to`.
    pub async fn trial_balance(&self, from: Timestamp, to: Timestamp) -> Result<Vec<BalanceLine>, StoreError> {
        let text = "SELECT e.account, e.currency,
                    CAST(COALESCE(SUM(e.amount) FILTER (WHERE e.amount > 0), 0) AS BIGINT) AS debit,
                    CAST(COALESCE(SUM(-e.amount) FILTER (WHERE e.amount < 0), 0) AS BIGINT) AS credit
                    FROM entries e JOIN transactions t ON t.id = e.transaction_id
                    WHERE t.posted_at >= $1 AND t.posted_at < $2 GROUP BY e.account, e.currency ORDER BY e.account";
        let rows = q(text).bind(from.millis()).bind(to.millis()).all(&*self.db).await?;
        let read = |row: &Row| {
            Ok(BalanceLine {
                account: row.get("account")?,
                currency: row.get("currency")?,
                debit: Micros::new(row.get("debit")?),
                credit: Micros::new(row.get("credit")?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// The movements of one account from `from` up to, not including, `to`; `None` if it has no entry at all.
    pub async fn statement(
        &self,
        account: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<StatementOf>, StoreError> {
        let text = "SELECT currency FROM entries WHERE account = $1 LIMIT 1";
        let Some(row) = q(text).bind(account).opt(&*self.db).await? else { return Ok(None) };
        let text = "SELECT CAST(COALESCE(SUM(e.amount), 0) AS BIGINT) AS opening
                    FROM entries e JOIN transactions t ON t.id = e.transaction_id WHERE e.account = $1 AND t.posted_at < $2";
        let opening = q(text).bind(account).bind(from.millis()).one(&*self.db).await?.get("opening")?;
        let text = "SELECT t.posted_at, t.key, e.amount FROM entries e JOIN transactions t ON t.id = e.transaction_id
                    WHERE e.account = $1 AND t.posted_at >= $2 AND t.posted_at < $3 ORDER BY e.account_version, t.posted_at, e.id";
        let rows = q(text).bind(account).bind(from.millis()).bind(to.millis()).all(&*self.db).await?;
        let read = |row: &Row| {
            Ok(StatementLine {
                at: time(row, "posted_at")?,
                key: row.get("key")?,
                amount: Micros::new(row.get("amount")?),
            })
        };
        let lines = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        Ok(Some(StatementOf {
            account: account.to_owned(),
            currency: row.get("currency")?,
            opening: Micros::new(opening),
            lines,
        }))
    }

    /// The postings of an order, in their order.
    pub async fn postings_of(&self, order: OrderId) -> Result<Vec<JournalEntry>, StoreError> {
        let text = "SELECT t.id, t.key, t.posted_at, t.reason, e.account, e.currency, e.amount
                    FROM transactions t JOIN entries e ON e.transaction_id = t.id
                    WHERE t.id IN (SELECT transaction_id FROM entries WHERE order_id = $1) ORDER BY t.posted_at, t.id, e.id";
        gathered(&q(text).bind(order.0).all(&*self.db).await?)
    }

    /// Where the posting of that key stands in the journal, as [`Self::journal_page`] takes it.
    pub async fn journal_place(&self, key: &str) -> Result<Option<(Timestamp, i64)>, StoreError> {
        let row = q("SELECT id, posted_at FROM transactions WHERE key = $1").bind(key).opt(&*self.db).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((time(&row, "posted_at")?, row.get("id")?)))
    }

    /// The postings from `from` up to, not including, `to`, in the order of posting; of many only the first, and never
    /// more than `most`. `after` is what the page before returned (`None` at first), and the second value is the next one,
    /// or `None` at the end. Ids alone do not tell the order, for processes take them in blocks.
    pub async fn journal_page(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: Option<(Timestamp, i64)>,
        most: usize,
    ) -> Result<(Vec<JournalEntry>, Option<(Timestamp, i64)>), StoreError> {
        let rows = i64::try_from(most).map_or(PAGE_ROWS, |most| most.min(PAGE_ROWS));
        let (at, id) = after.map_or((from.millis(), 0), |(at, id)| (at.millis(), id));
        let text = "SELECT id, posted_at FROM transactions
                    WHERE posted_at < $1 AND (posted_at > $2 OR (posted_at = $2 AND id > $3)) ORDER BY posted_at, id LIMIT $4";
        let heads = q(text).bind(to.millis()).bind(at).bind(id).bind(rows).all(&*self.db).await?;
        let Some(last) = heads.last() else { return Ok((Vec::new(), None)) };
        let (last_id, last_at) = (last.get::<i64>("id")?, time(last, "posted_at")?);
        let text = "SELECT t.id, t.key, t.posted_at, t.reason, e.account, e.currency, e.amount
                    FROM transactions t JOIN entries e ON e.transaction_id = t.id
                    WHERE (t.posted_at > $1 OR (t.posted_at = $1 AND t.id > $2))
                    AND (t.posted_at < $3 OR (t.posted_at = $3 AND t.id <= $4)) ORDER BY t.posted_at, t.id, e.id";
        let rows = q(text).bind(at).bind(id).bind(last_at.millis()).bind(last_id).all(&*self.db).await?;
        Ok((gathered(&rows)?, Some((last_at, last_id))))
    }
}

/// Rows of entries, in the order of their postings, gathered into them.
fn gathered(rows: &[Row]) -> Result<Vec<JournalEntry>, StoreError> {
    let mut postings: Vec<(i64, JournalEntry)> = Vec::new();
    for row in rows {
        let id: i64 = row.get("id")?;
        let line = JournalLine {
            account: row.get("account")?,
            currency: row.get("currency")?,
            amount: Micros::new(row.get("amount")?),
        };
        if let Some((_, posting)) = postings.last_mut().filter(|(last, _)| *last == id) {
            posting.lines.push(line);
        } else {
            let (key, at, reason) = (row.get("key")?, time(row, "posted_at")?, row.get("reason")?);
            postings.push((id, JournalEntry { key, at, reason, lines: vec![line] }));
        }
    }
    Ok(postings.into_iter().map(|(_, posting)| posting).collect())
}
