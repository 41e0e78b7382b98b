//! The commit that books what a balance reading proves: the opening, claims that were paid back, and what nothing explains.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{AttemptId, Currency, Micros, Money, Timestamp, UpstreamId};
use interline_ledger::{
    Account, Extremes, LedgerAccount, Verdict,
    band::{judge, oldest_first, proved_claims, unexplained, unread_slack},
    upstreams,
};
use interline_store::{Needs, Operation, Tags, UpstreamBooks, Work};
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
        let first = books.reading.is_none() && self.versions.is_empty() && books.moves.is_empty();
        let next = UpstreamBooks {
            reading: Some((self.amount, self.asked_at)),
            reading_at: Some(self.now),
            excess: None,
            ..books.clone()
        };
        if first {
            self.open(work);
            work.add_reading(&self.upstream, self.asked_at, self.now, self.amount, (self.amount, self.amount));
            work.set_upstream(&self.upstream, next, None);
            return;
        }
        let extremes = self.extremes(work, &books);
        let slack = unread_slack(books.running_reserves, self.charge_factor_max);
        let verdict = judge(self.amount, &extremes, self.drift_allowance, slack);
        let lower = extremes.upstream_min - self.drift_allowance - slack;
        work.add_reading(&self.upstream, self.asked_at, self.now, self.amount, (lower, extremes.total_max));
        let open = self.show_claims(work, &books, &extremes);
        let odd = match verdict {
            Verdict::Below { by } => -by,
            Verdict::InBand | Verdict::Above { .. } => unexplained(self.amount, &extremes, open),
        };
        let excess = self.judge_excess(work, &books, odd);
        work.set_upstream(&self.upstream, UpstreamBooks { excess, ..next }, None);
    }
}

/// The stored balances of an upstream.
const KINDS: [fn(UpstreamId) -> Account; 4] =
    [Account::Upstream, Account::Committed, Account::Claims, Account::Disputed];

impl Reading {
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
        if posting.is_empty() {
            return;
        }
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

    /// The smallest and largest the books were between the question and now, found by walking back from now.
    fn extremes(&self, work: &Work, books: &UpstreamBooks) -> Extremes {
        let [mut upstream, mut committed, mut claims, mut disputed] =
            KINDS.map(|kind| work.balance(&self.account(kind)));
        let mut extremes = Extremes {
            upstream_min: upstream,
            total_max: upstream + committed + claims + disputed,
            unclaimed_max: upstream + committed + disputed,
        };
        let mut moves = books.moves.iter().rev().peekable();
        while let Some((transaction, account, amount)) = moves.next() {
            match account.account {
                Account::Upstream(_) => upstream = upstream - *amount,
                Account::Committed(_) => committed = committed - *amount,
                Account::Claims(_) => claims = claims - *amount,
                Account::Disputed(_) => disputed = disputed - *amount,
                _ => {}
            }
            // Only between transactions did the books ever stand like this.
            if moves.peek().is_none_or(|(next, ..)| next != transaction) {
                extremes.upstream_min = extremes.upstream_min.min(upstream);
                extremes.total_max = extremes.total_max.max(upstream + committed + claims + disputed);
                extremes.unclaimed_max = extremes.unclaimed_max.max(upstream + committed + disputed);
            }
        }
        extremes
    }

    /// Books the claims that the reading proves, oldest first; returns what was claimed before.
    fn show_claims(&self, work: &mut Work, books: &UpstreamBooks, extremes: &Extremes) -> Micros {
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
        amounts.into_iter().sum()
    }

    /// What lies outside the band is noted, and booked or asked about once it stands in two readings far enough apart.
    fn judge_excess(&self, work: &mut Work, books: &UpstreamBooks, odd: Micros) -> Option<(Micros, Timestamp)> {
        if odd.is_zero() {
            return None;
        }
        let before = books.excess.filter(|(was, _)| was.is_negative() == odd.is_negative());
        let Some((was, since)) = before else {
            let side = if odd.is_negative() { "below" } else { "above" };
            let text =
                format!("a balance of {} {} lies {odd} outside what the books explain", self.amount, self.currency);
            let key = format!("balance:{}:{side}:{}", self.upstream, self.asked_at.millis());
            work.finding(key, "balance", &self.tags(), self.now, text);
            return Some((odd, self.asked_at));
        };
        if self.asked_at.since(since) < self.quiet_ms {
            return Some((odd, since));
        }
        if odd.is_negative() {
            self.ask_about_shortfall(work, books, odd);
            return Some((odd, since));
        }
        let proved = odd.min(was);
        // Numbered by the time of the reading: there is one reading of an upstream at a time.
        let number = u32::try_from(self.asked_at.millis() / 1_000).unwrap_or(u32::MAX);
        work.post(&upstreams::suspense_excess(&self.upstream, self.money(proved), number), &self.tags(), self.now);
        let suggested = "book what was paid in: upstream topup";
        let evidence = json!({"reading": self.amount.to_string(), "unexplained": proved.to_string()});
        work.open_case("suspense-excess", &self.tags(), Some((proved, self.currency)), self.now, suggested, evidence);
        None
    }

    /// A shortfall that stands is a question to a person, asked once.
    fn ask_about_shortfall(&self, work: &mut Work, books: &UpstreamBooks, odd: Micros) {
        if books.shortfall_asked {
            return;
        }
        let suggested = "find what was spent there beside us, then: review resolve CASE --write-off";
        let evidence = json!({"reading": self.amount.to_string(), "missing": (-odd).to_string()});
        work.open_case("shortfall", &self.tags(), Some((-odd, self.currency)), self.now, suggested, evidence);
    }
}
