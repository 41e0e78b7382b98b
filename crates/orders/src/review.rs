//! The cases that a machine must not decide, decided by a person.

use std::{collections::BTreeSet, sync::Arc};

use interline_domain::{AttemptState, CaseId, Micros, Money, OrderStatus, Progress, RefillId, Timestamp, UpstreamId};
use interline_ledger::{
    Account, BaseRate, ChargeAfterPartial, Explanation, LedgerAccount, cost::target_cost, upstreams,
};
use interline_store::{AttemptRow, CaseRow, Lane, Needs, Operation, StoreError, Tags, Work};

use crate::{
    decide::Decision,
    dispatch::LEASE_BEYOND_TIMEOUT_MS,
    gateway::Gateway,
    moves::{self, order_accounts},
    refill::RefillDecision,
    report::end_attempt,
};

/// What a person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The upstream has the order, under this id.
    Delivered(String),
    /// The upstream does not have it.
    NotDelivered,
    /// Nobody will ever know: the money is given up.
    WriteOff,
}

impl Resolution {
    const fn name(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::NotDelivered => "not delivered",
            Self::WriteOff => "written off",
        }
    }
}

/// Why a case was not resolved.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// No such case.
    #[error("there is no case {0}")]
    NoCase(CaseId),
    /// It is closed.
    #[error("case {0} is closed: {1}")]
    Closed(CaseId, String),
    /// A submission may still arrive; from that moment on it can be said.
    #[error("the submission may still be under way: \"not delivered\" can be said from {} on", .0.millis())]
    TooEarly(Timestamp),
    /// The resolution does not fit the case, or the state of its attempt.
    #[error("{0}")]
    DoesNotFit(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gateway {
    /// Resolves a case.
    pub async fn resolve(self: &Arc<Self>, id: CaseId, resolution: Resolution) -> Result<(), ReviewError> {
        let case = self.store.case(id).await?.ok_or(ReviewError::NoCase(id))?;
        if case.resolved_at.is_some() {
            return Err(ReviewError::Closed(id, case.resolution.unwrap_or_default()));
        }
        let attempt = match case.attempt_id {
            Some(attempt) => self.store.attempts(&[attempt]).await?.pop(),
            None => None,
        };
        match (case.kind.as_str(), attempt) {
            ("unknown", Some(attempt)) => self.resolve_unknown(&attempt, resolution).await,
            ("unclear-end", Some(attempt)) => self.resolve_end(&attempt, &resolution).await,
            ("refill-unknown", Some(_)) => self.resolve_refill(&case, resolution).await,
            ("contradiction", Some(_)) => self.close(case, resolution.name()).await,
            ("suspense-opening" | "suspense-excess" | "shortfall", None) if resolution == Resolution::WriteOff => {
                self.settle_money(case).await
            }
            (kind, _) => {
                Err(ReviewError::DoesNotFit(format!("case {id} ({kind}) cannot be resolved so; {}", case.suggested)))
            }
        }
    }

    async fn resolve_unknown(
        self: &Arc<Self>,
        attempt: &AttemptRow,
        resolution: Resolution,
    ) -> Result<(), ReviewError> {
        if let Resolution::Delivered(id) = &resolution {
            check_upstream_order(id)?;
        }
        let by = "a person said so".to_owned();
        let decision = match resolution {
            Resolution::Delivered(upstream_order) => {
                Decision::Taken { upstream_order, by: "found by a person,".to_owned() }
            }
            Resolution::NotDelivered => {
                self.not_too_early(attempt)?;
                Decision::NotTaken { by }
            }
            Resolution::WriteOff => Decision::WriteOff,
        };
        let wanted = decision.clone();
        let decided = self.decide_later(attempt, decision, Lane::Urgent).await?;
        let lost_again = matches!(wanted, Decision::Taken { .. }) && decided.state == Some(AttemptState::Unknown);
        if !decided.changed || lost_again {
            let text = match wanted {
                Decision::Taken { upstream_order, .. } => {
                    format!("order {upstream_order} of {} belongs to another attempt of ours", attempt.upstream)
                }
                _ => format!("the attempt is {} by now", attempt.state.name()),
            };
            return Err(ReviewError::DoesNotFit(text));
        }
        Ok(())
    }

    /// A submission under way may still arrive until its lease ends, and for as long as the upstream may take after that.
    fn not_too_early(&self, attempt: &AttemptRow) -> Result<(), ReviewError> {
        let sent = attempt.sent_at.unwrap_or(attempt.queued_at);
        let from = attempt
            .lease_until
            .unwrap_or_else(|| sent.plus_ms(LEASE_BEYOND_TIMEOUT_MS))
            .plus_ms(self.settings().quiet_ms);
        if self.now() < from { Err(ReviewError::TooEarly(from)) } else { Ok(()) }
    }

    async fn resolve_end(self: &Arc<Self>, attempt: &AttemptRow, resolution: &Resolution) -> Result<(), ReviewError> {
        if let Resolution::Delivered(id) = resolution
            && attempt.upstream_order.as_ref() != Some(id)
        {
            let ours = attempt.upstream_order.as_deref().unwrap_or_default();
            return Err(ReviewError::DoesNotFit(format!(
                "this attempt is order {ours} of {}, not {id}",
                attempt.upstream
            )));
        }
        let operation = EndByPerson {
            attempt: attempt.clone(),
            resolution: resolution.clone(),
            rate: self.catalogue().base_rate(attempt.currency),
            now: self.now(),
        };
        if self.store.writer().run(Lane::Urgent, operation).await? {
            Ok(())
        } else {
            Err(ReviewError::DoesNotFit("the order has ended by now".to_owned()))
        }
    }

    async fn resolve_refill(self: &Arc<Self>, case: &CaseRow, resolution: Resolution) -> Result<(), ReviewError> {
        let refill = case.evidence["refill"].as_i64().map(RefillId);
        let refill = refill.ok_or_else(|| ReviewError::DoesNotFit("the case names no refill".to_owned()))?;
        let row = self.store.refills(&[refill]).await?.pop().map(|(row, _)| row);
        let decision = match resolution {
            Resolution::Delivered(upstream_refill) => {
                check_upstream_order(&upstream_refill)?;
                RefillDecision::Accepted { upstream_refill }
            }
            // It may still arrive, and the customer could ask for a second one at once.
            Resolution::NotDelivered
                if let Some(from) = row.map(|r| r.lease_until.plus_ms(self.settings().quiet_ms))
                    && self.now() < from =>
            {
                return Err(ReviewError::TooEarly(from));
            }
            other => RefillDecision::Rejected { reason: format!("{}, says a person", other.name()) },
        };
        if self.decide_refill(refill, decision).await? {
            Ok(())
        } else {
            Err(ReviewError::DoesNotFit("the refill has been decided by now".to_owned()))
        }
    }

    async fn close(self: &Arc<Self>, case: CaseRow, resolution: &'static str) -> Result<(), ReviewError> {
        Ok(self.store.writer().run(Lane::Urgent, Close { case: case.id, resolution, now: self.now() }).await?)
    }

    async fn settle_money(self: &Arc<Self>, case: CaseRow) -> Result<(), ReviewError> {
        let (Some(upstream), Some(currency)) = (case.upstream.clone(), case.currency) else {
            return Err(ReviewError::DoesNotFit("the case names no money".to_owned()));
        };
        let rate = self.catalogue().base_rate(currency);
        Ok(self.store.writer().run(Lane::Urgent, Settle { case, upstream, rate, now: self.now() }).await?)
    }
}

/// An upstream's order id as it would have given it: one that could be asked for among others.
fn check_upstream_order(id: &str) -> Result<(), ReviewError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '#');
    if (1..=64).contains(&id.len()) && id.chars().all(plain) {
        return Ok(());
    }
    Err(ReviewError::DoesNotFit(format!(
        "`{id}` is not an upstream's order id: 1 to 64 letters, digits, `-`, `_`, `.`, `:` or `#`"
    )))
}

/// Ends an order whose upstream's words did not say how it ended.
#[derive(Debug)]
struct EndByPerson {
    attempt: AttemptRow,
    resolution: Resolution,
    rate: BaseRate,
    now: Timestamp,
}

impl Operation for EndByPerson {
    type Reply = bool;

    fn needs(&self, needs: &mut Needs) {
        needs.orders.insert(self.attempt.order_id);
    }

    fn accounts(&self, work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        order_accounts(work, self.attempt.order_id, accounts);
    }

    fn decide(&self, work: &mut Work) -> bool {
        let (Some(attempt), Some(order)) =
            (work.attempt(self.attempt.id).cloned(), work.order(self.attempt.order_id).cloned())
        else {
            return false;
        };
        if attempt.state != AttemptState::Accepted {
            return false;
        }
        let delivered = Progress { status: OrderStatus::Completed, remains: Some(0), ..order.progress() };
        let (progress, target) = match &self.resolution {
            Resolution::Delivered(_) => (delivered, attempt.wip),
            // Nothing was delivered, so the upstream owes all of it.
            Resolution::NotDelivered => {
                let end = interline_ledger::End::Canceled;
                (
                    moves::canceled(&order),
                    target_cost(end, attempt.wip, None, ChargeAfterPartial::Unknown, order.quantity),
                )
            }
            // The customer gets everything back, and so does nobody else.
            Resolution::WriteOff => (moves::canceled(&order), attempt.wip),
        };
        let why = format!("{}, says a person", self.resolution.name());
        end_attempt(work, &attempt, &order, progress, target, &self.rate, &why, self.now);
        true
    }
}

/// Closes a case that asks for nothing but to be seen.
#[derive(Debug)]
struct Close {
    case: CaseId,
    resolution: &'static str,
    now: Timestamp,
}

impl Operation for Close {
    type Reply = ();

    fn needs(&self, needs: &mut Needs) {
        needs.cases.insert(self.case);
    }

    fn accounts(&self, _: &Work, _: &mut BTreeSet<LedgerAccount>) {}

    fn decide(&self, work: &mut Work) {
        work.close_case(self.case, self.now, self.resolution);
    }
}

/// Turns what is left of an opening into equity, or accepts a shortfall as lost.
#[derive(Debug)]
struct Settle {
    case: CaseRow,
    upstream: UpstreamId,
    rate: BaseRate,
    now: Timestamp,
}

impl Operation for Settle {
    type Reply = ();

    fn needs(&self, needs: &mut Needs) {
        needs.cases.insert(self.case.id);
        needs.upstreams.entry(self.upstream.clone()).or_default();
    }

    fn accounts(&self, _: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        if let Some(currency) = self.case.currency {
            accounts.insert(LedgerAccount { account: Account::Upstream(self.upstream.clone()), currency });
        }
    }

    fn decide(&self, work: &mut Work) {
        let open = work.case(self.case.id).is_some_and(|case| case.resolved_at.is_none());
        let (Some(currency), true) = (self.case.currency, open) else { return };
        let tags = Tags { upstream: Some(self.upstream.clone()), ..Tags::default() };
        let reason = format!("case {}", self.case.id);
        let posting = if self.case.kind == "shortfall" {
            let missing = Money::new(self.case.amount.unwrap_or(Micros::ZERO), currency);
            let number = u32::try_from(self.case.id.0).unwrap_or(u32::MAX);
            upstreams::shortfall(&self.upstream, missing, number, &self.rate, &reason)
        } else {
            let (opening, excess) = work.upstream(&self.upstream).map_or_else(Default::default, |books| books.suspense);
            if self.case.kind == "suspense-opening" {
                upstreams::opening_settled(&self.upstream, Money::new(opening, currency), &reason)
            } else {
                let number = self.case.evidence["number"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                let left = Money::new(excess.min(self.case.amount.unwrap_or(excess)), currency);
                upstreams::excess_settled(&self.upstream, left, number, Explanation::Opening, &self.rate, &reason)
            }
        };
        work.post(&posting, &tags, self.now);
        work.close_case(self.case.id, self.now, "written off");
    }
}
