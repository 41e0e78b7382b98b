//! Gauges: how things stand now, for whoever watches. They are read every few seconds by a task of their own, so that no
//! scrape and no customer waits for the database.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use interline_domain::{Currency, Micros, OrderStatus};
use interline_ledger::Account;
use interline_store::{DueKind, StoreError};
use metrics::gauge;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use crate::{gateway::Gateway, streak::Streak};

/// The pause between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// What is summed over every order and every entry takes at most this part of the time; so with very many it is read less
/// often.
const SUMS_SHARE: u32 = 100;

/// What was shown of cases, so that a kind whose last case was closed is shown as none.
type Cases = BTreeMap<(String, Option<Currency>), (i64, Micros)>;

impl Gateway {
    /// Keeps the gauges, until the gateway stops.
    pub(crate) async fn observe(self: Arc<Self>) {
        let nothing = (0, Micros::ZERO);
        let mut cases = Cases::from([(("unknown".to_owned(), Some(self.settings().base_currency)), nothing)]);
        let mut sums_due = Instant::now();
        let mut streaks = [Streak::default(), Streak::default()];
        loop {
            self.show_memory();
            if let Some(error) = streaks[0].begins(&self.show_open(&mut cases).await) {
                tracing::warn!(%error, "gauges could not be read; it is tried until they can");
            }
            if Instant::now() >= sums_due {
                let began = Instant::now();
                if let Some(error) = streaks[1].begins(&self.show_sums().await) {
                    tracing::warn!(%error, "gauges of sums could not be read; it is tried until they can");
                }
                sums_due = Instant::now() + began.elapsed() * SUMS_SHARE;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What is known without the database.
    fn show_memory(&self) {
        for (lane, waiting) in self.store.writer().waiting() {
            gauge!("interline_writer_queue", "lane" => lane).set(float(waiting));
        }
        for upstream in self.catalogue().upstreams() {
            let (id, currency) = (&upstream.record.id, upstream.record.currency);
            let health = self.health(id);
            let money = |name: &'static str, amount: Micros| {
                let gauge = gauge!(name, "upstream" => id.to_string(), "currency" => currency.to_string());
                gauge.set(float(amount.to_decimal()));
            };
            money("interline_upstream_available", health.available);
            money("interline_upstream_committed", health.book.committed);
            if let Some(reading) = health.exposure.reading {
                money("interline_upstream_balance", reading);
            }
            gauge!("interline_upstream_unknown", "upstream" => id.to_string()).set(float(health.exposure.count));
        }
    }

    /// What has not ended: there is never very much of it.
    async fn show_open(&self, cases: &mut Cases) -> Result<(), StoreError> {
        for status in OrderStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            self.show_orders(status).await?;
        }
        let queued = self.store.queued().await?;
        for upstream in self.catalogue().upstreams() {
            let id = &upstream.record.id;
            let waiting = queued.get(id).map_or(0, |queued| queued.count);
            gauge!("interline_attempts_queued", "upstream" => id.to_string()).set(float(waiting));
        }
        let now = self.now();
        for kind in DueKind::ALL {
            let due = self.store.due(kind, now).await?;
            let late_ms = due.first.map_or(0, |first| now.since(first).max(0));
            gauge!("interline_due", "kind" => kind.name()).set(float(due.count));
            gauge!("interline_due_late_seconds", "kind" => kind.name()).set(float(Decimal::new(late_ms, 3)));
        }
        self.show_cases(cases).await
    }

    async fn show_cases(&self, shown: &mut Cases) -> Result<(), StoreError> {
        for kind in shown.values_mut() {
            *kind = (0, Micros::ZERO);
        }
        for open in self.store.open_cases().await? {
            shown.insert((open.kind, open.currency), (open.count, open.amount));
        }
        let mut counts: BTreeMap<&String, i64> = BTreeMap::new();
        for ((kind, currency), (count, amount)) in &*shown {
            *counts.entry(kind).or_default() += count;
            if let Some(currency) = currency {
                let labels = [("kind", kind.clone()), ("currency", currency.to_string())];
                gauge!("interline_cases_open_amount", &labels).set(float(amount.to_decimal()));
            }
        }
        for (kind, count) in counts {
            gauge!("interline_cases_open", "kind" => kind.clone()).set(float(count));
        }
        Ok(())
    }

    /// What is summed over everything that ever was.
    async fn show_sums(&self) -> Result<(), StoreError> {
        for status in OrderStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            self.show_orders(status).await?;
        }
        let base = self.settings().base_currency;
        let mut sums = BTreeMap::from([(("revenue", base), Micros::ZERO), (("cost", base), Micros::ZERO)]);
        for (account, amount) in self.store.earned().await? {
            let Some((name, amount)) = earned(&account.account, amount) else { continue };
            let sum = sums.entry((name, account.currency)).or_default();
            *sum = *sum + amount;
        }
        for ((name, currency), sum) in sums {
            let gauge = gauge!("interline_earned", "account" => name, "currency" => currency.to_string());
            gauge.set(float(sum.to_decimal()));
        }
        Ok(())
    }

    async fn show_orders(&self, status: OrderStatus) -> Result<(), StoreError> {
        let orders = self.store.count_orders(status).await?;
        gauge!("interline_orders", "status" => status.name()).set(float(orders));
        Ok(())
    }
}

/// Under which name an account of income or expenses is shown, and with which sign: income and cost are both positive.
fn earned(account: &Account, amount: Micros) -> Option<(&'static str, Micros)> {
    match account {
        Account::Sales => Some(("revenue", -amount)),
        Account::Cogs(_) | Account::CogsVariance(_) | Account::CogsRefill(_) => Some(("cost", amount)),
        Account::Loss(_) => Some(("loss", amount)),
        Account::Goodwill => Some(("goodwill", amount)),
        Account::IncomeFx => Some(("fx_gain", -amount)),
        Account::ExpenseFx => Some(("fx_loss", amount)),
        _ => None,
    }
}

/// A number as it is shown. Nothing is ever computed from it.
fn float(number: impl Into<Decimal>) -> f64 {
    number.into().to_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revenue_less_cost_is_what_was_earned() {
        let money = |text: &str| text.parse::<Micros>().unwrap();
        let alpha = || "alpha".parse().unwrap();
        assert_eq!(earned(&Account::Sales, money("-2.5")), Some(("revenue", money("2.5"))));
        assert_eq!(earned(&Account::Cogs(alpha()), money("0.9")), Some(("cost", money("0.9"))));
        assert_eq!(earned(&Account::CogsVariance(alpha()), money("-0.1")), Some(("cost", money("-0.1"))));
        assert_eq!(earned(&Account::Orders, money("1")), None);
        assert!((float(money("2.5").to_decimal()) - 2.5).abs() < f64::EPSILON);
    }
}
