//! The commit that books what a balance reading proves: the opening, claims that were paid back, and what nothing explains.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{AttemptId, Currency, Micros, Money, Timestamp, UpstreamId};
use interline_ledger::{
    Account, Extremes, LedgerAccount, Verdict,
    band::{judge, oldest_first, proved_claims, unexplained, unread_slack},
    upstreams,
};
use interline_store::{Move, Needs, Operation, Tags, UpstreamBooks, Work};
use rust_decimal::Decimal;
use serde_json::json;

use crate::moves::tags_of;

/// A balance reading.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) upstream: UpstreamId,
    pub(crate) currency: Currency,
    pub(crate) amount: Micros,
    pub(crate) asked_at: Timestamp,
    /// Versions of the stored balances when it was asked for.
    pub(crate) versions: BTreeMap<String, i64>,
    pub(crate) drift_allowance: Micros,
    pub(crate) charge_factor_max: Decimal,
    pub(crate) quiet_ms: i64,
    pub(crate) now: Timestamp,
}

impl Operation for Reading {
    type Reply = ();

    fn needs(&self, needs: &mut Needs) {
        needs.upstreams.insert(self.upstream.clone(), self.versions.clone());
        // A reading may settle many claims at once.
        needs.row_ids += ROW_IDS;
    }

    fn accounts(&self, _: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        for kind in KINDS {
            accounts.insert(self.account(kind));
        }
    }

    fn decide(&self, work: &mut Work) {
        let Some(books) = work.upstream(&self.upstream).cloned() else { return };
        if books.reading.is_some_and(|(_, asked_at)| asked_at >= self.asked_at) {
            return; // A later reading was booked before this one.
        }
        // Nothing was ever booked there, neither before the question nor since.
        let first = books.reading.is_none() && self.versions.values().all(|v| *v == 0) && books.moves.is_empty();
        let band = if first {
            self.open(work);
            (self.amount, self.amount)
        } else {
            self.hold_against_the_books(work, &books)
        };
        work.add_reading(&self.upstream, self.asked_at, self.now, self.amount, band);
    }
}

/// Ids that the claims of one reading may need.
const ROW_IDS: i64 = 1_024;

/// The stored balances of an upstream.
pub(crate) const KINDS: [fn(UpstreamId) -> Account; 4] =
    [Account::Upstream, Account::Committed, Account::Claims, Account::Disputed];

impl Reading {
    /// Books what the reading proves and notes what it contradicts; returns the band it was held against.
    fn hold_against_the_books(&self, work: &mut Work, books: &UpstreamBooks) -> (Micros, Micros) {
        let extremes = self.extremes(work, books);
        let slack = unread_slack(books.unread_reserves, self.charge_factor_max);
        let open = work.balance(&self.account(Account::Claims));
        self.show_claims(work, books, &extremes);
        let odd = match judge(self.amount, &extremes, self.drift_allowance, slack) {
            Verdict::Below { by } => -by,
            Verdict::InBand | Verdict::Above { .. } => unexplained(self.amount, &extremes, open),
        };
        if !odd.is_negative() {
            work.close_upstream_cases(&self.upstream, "shortfall", self.now, "explained meanwhile");
        }
        let excess = self.judge_excess(work, books, odd);
        let moved = books.moves.get(&self.account(Account::Upstream)).into_iter().flatten().map(|m| m.amount).sum();
        self.keep(work, excess, moved);
        (extremes.upstream_min - self.drift_allowance - slack, extremes.total_max)
    }

    /// Keeps the reading and the book beside which it stands, without what `moved` that book since the question; what this
    /// group moved meanwhile stays known to the operations that follow.
    fn keep(&self, work: &mut Work, excess: Option<(Micros, Timestamp)>, moved: Micros) {
        let reading_book = Some(work.balance(&self.account(Account::Upstream)) - moved);
        let books = work.upstream(&self.upstream).cloned().unwrap_or_default();
        let reading = Some((self.amount, self.asked_at));
        let books = UpstreamBooks { reading, reading_book, reading_at: Some(self.now), excess, ..books };
        work.set_upstream(&self.upstream, books, None);
    }

    fn account(&self, kind: fn(UpstreamId) -> Account) -> LedgerAccount {
        LedgerAccount { account: kind(self.upstream.clone()), currency: self.currency }
    }

    fn tags(&self) -> Tags {
        Tags { upstream: Some(self.upstream.clone()), ..Tags::default() }
    }

    fn money(&self, amount: Micros) -> Money {
        Money::new(amount, self.currency)
    }

    /// The first reading of an upstream for which no top-up was booked.
    fn open(&self, work: &mut Work) {
        let posting = upstreams::opening(&self.upstream, self.money(self.amount));
        if !posting.is_empty() {
            work.post(&posting, &self.tags(), self.now);
            let suggested = "book what was paid in: upstream topup; what is left is an opening balance: review resolve CASE --write-off";
            let evidence = json!({"reading": self.amount.to_string()});
            work.open_case(
                "suspense-opening",
                &self.tags(),
                Some((self.amount, self.currency)),
                self.now,
                suggested,
                evidence,
            );
        }
        self.keep(work, None, Micros::ZERO);
    }

    /// The smallest and largest the books were between the question and now, found by walking back from now.
    fn extremes(&self, work: &Work, books: &UpstreamBooks) -> Extremes {
        let mut balances = KINDS.map(|kind| work.balance(&self.account(kind)));
        let mut seen =
            Extremes { upstream_min: balances[0], total_max: total(balances), unclaimed_max: unclaimed(balances) };
        let mut moves: Vec<(usize, Vec<Move>)> = Vec::new();
        for (place, kind) in KINDS.into_iter().enumerate() {
            moves.extend(books.moves.get(&self.account(kind)).map(|list| (place, list.clone())));
        }
        while let Some(transaction) = latest(&moves) {
            for (place, list) in &mut moves {
                while let Some(moved) = list.pop_if(|m| m.transaction == transaction) {
                    balances[*place] = balances[*place] - moved.amount;
                }
            }
            // Only between transactions did the books ever stand like this.
            seen.upstream_min = seen.upstream_min.min(balances[0]);
            seen.total_max = seen.total_max.max(total(balances));
            seen.unclaimed_max = seen.unclaimed_max.max(unclaimed(balances));
        }
        seen
    }

    /// Books the claims that the reading proves, oldest first.
    fn show_claims(&self, work: &mut Work, books: &UpstreamBooks, extremes: &Extremes) {
        let claims: Vec<(AttemptId, Micros)> =
            books.claims.iter().filter_map(|id| work.attempt(*id).map(|a| (a.id, a.claim))).collect();
        let amounts: Vec<Micros> = claims.iter().map(|c| c.1).collect();
        let shown = oldest_first(proved_claims(self.amount, extremes.unclaimed_max), &amounts);
        for ((id, _), shown) in claims.iter().zip(shown).filter(|(_, shown)| !shown.is_zero()) {
            let Some(attempt) = work.attempt(*id).cloned() else { continue };
            let number = attempt.postings + 1;
            let tags = tags_of(work, &attempt);
            work.post(&upstreams::claim_shown(*id, &self.upstream, self.money(shown), number), &tags, self.now);
            if let Some(row) = work.attempt_mut(*id) {
                (row.claim, row.postings) = (attempt.claim - shown, number);
            }
            let text = format!("the upstream's balance shows {shown} {} of what it owed", self.currency);
            work.event(&tags, self.now, "claim_shown", text, None);
        }
    }

    /// What lies outside the band is noted, and booked or asked about once it has stood long enough. What is kept is the
    /// least that was outside all the while.
    fn judge_excess(&self, work: &mut Work, books: &UpstreamBooks, odd: Micros) -> Option<(Micros, Timestamp)> {
        if odd.is_zero() {
            return None;
        }
        let text = format!("a balance of {} {} lies {odd} outside what the books explain", self.amount, self.currency);
        let key = format!("balance:{}:{}", self.upstream, self.asked_at.millis());
        work.finding(key, "balance", &self.tags(), self.now, text);
        let before = books.excess.filter(|(was, _)| was.is_negative() == odd.is_negative());
        let Some((was, since)) = before else { return Some((odd, self.asked_at)) };
        let least = if odd.is_negative() { odd.max(was) } else { odd.min(was) };
        if self.asked_at.since(since) < self.quiet_ms {
            return Some((least, since));
        }
        if least.is_negative() {
            self.ask_about_shortfall(work, books, least);
            return Some((least, since));
        }
        // Numbered by the time of the reading: there is one reading of an upstream at a time.
        let number = u32::try_from(self.asked_at.millis() / 1_000).unwrap_or(u32::MAX);
        work.post(&upstreams::suspense_excess(&self.upstream, self.money(least), number), &self.tags(), self.now);
        let suggested = "book what was paid in: upstream topup; or accept it: review resolve CASE --write-off";
        let evidence = json!({"reading": self.amount.to_string(), "unexplained": least.to_string(), "number": number});
        work.open_case("suspense-excess", &self.tags(), Some((least, self.currency)), self.now, suggested, evidence);
        None
    }

    /// A shortfall that stands is a question to a person, asked once.
    fn ask_about_shortfall(&self, work: &mut Work, books: &UpstreamBooks, odd: Micros) {
        if books.shortfall_asked {
            work.revalue_upstream_cases(&self.upstream, "shortfall", -odd);
            return;
        }
        let suggested = "find what was spent there beside us, then: review resolve CASE --write-off";
        let evidence = json!({"reading": self.amount.to_string(), "missing": (-odd).to_string()});
        work.open_case("shortfall", &self.tags(), Some((-odd, self.currency)), self.now, suggested, evidence);
    }
}

/// Upstream, committed, claims and disputed together.
fn total(balances: [Micros; 4]) -> Micros {
    balances.into_iter().sum()
}

/// The total without the claims.
fn unclaimed([upstream, committed, _, disputed]: [Micros; 4]) -> Micros {
    upstream + committed + disputed
}

/// The latest transaction of all: the one that ends every list it stands in. Ids do not tell, for processes take them in
/// blocks.
fn latest(moves: &[(usize, Vec<Move>)]) -> Option<i64> {
    let ends = || moves.iter().filter_map(|(_, list)| list.last());
    let is_latest = |id: i64| {
        let holds = |list: &[Move]| list.iter().any(|m| m.transaction == id);
        moves.iter().all(|(_, list)| !holds(list) || list.last().is_some_and(|m| m.transaction == id))
    };
    ends().map(|m| m.transaction).find(|id| is_latest(*id)).or_else(|| ends().map(|m| m.transaction).max())
}
