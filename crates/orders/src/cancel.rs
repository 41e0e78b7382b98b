//! Cancelling: what is queued is given back at once; what may be at an upstream is asked for there, and money moves only
//! when the upstream's status says that it is canceled.

use std::{collections::BTreeSet, sync::Arc};

use interline_domain::{AccountId, AttemptId, AttemptState, OrderId, Timestamp};
use interline_ledger::LedgerAccount;
use interline_store::{AttemptRow, DueKind, DueRow, Lane, Needs, Operation, StoreError, Work, order_tags};
use interline_upstream::{Answer, Call, CancelAnswer};

use crate::{
    catalogue::Upstream,
    gateway::Gateway,
    moves::{self, order_accounts, tags_of},
    remote::describe,
    trace::Ended,
};

/// Why a cancellation was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum CancelRefusal {
    /// No such order of this account.
    #[error("there is no such order")]
    Order,
    /// The service, or the upstream that has the order, does not cancel; or the order has ended.
    #[error("it cannot be canceled")]
    NotOffered,
    /// Too busy, or the database is away.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Gateway {
    /// Records a cancellation. Its outcome shows in the order's status.
    pub async fn cancel(self: &Arc<Self>, account: &AccountId, order: OrderId) -> Result<(), CancelRefusal> {
        let row =
            self.read(self.store.order(order)).await?.filter(|o| o.account == *account).ok_or(CancelRefusal::Order)?;
        let catalogue = self.catalogue();
        if row.status.is_terminal() || !catalogue.service(row.service).is_some_and(|s| s.cancel) {
            return Err(CancelRefusal::NotOffered);
        }
        let live = self.read(self.store.attempts_of(&[order])).await?.into_iter().rfind(|a| a.state.is_live());
        let at_upstream = live.filter(|a| a.state != AttemptState::Queued);
        let refuses = at_upstream.is_some_and(|a| {
            let listing =
                catalogue.upstream(&a.upstream).and_then(|u| u.listing(&a.upstream_service).and_then(|l| l.cancel));
            listing == Some(false)
        });
        if refuses {
            return Err(CancelRefusal::NotOffered);
        }
        let first_ms = self.settings().status_first_ms;
        match self.store.writer().run(Lane::Customer, Cancel { order, first_ms, now: self.now() }).await? {
            Canceled::Recorded(end) => {
                if let Some(end) = end {
                    // In the trace that the order was placed in, not in that of the call which cancels it.
                    let span = tracing::info_span!(parent: None, "follow", order = order.0);
                    self.continue_order(&span, &row);
                    span.in_scope(|| end.note());
                }
                self.due.notify_one();
                Ok(())
            }
            Canceled::Ended => Err(CancelRefusal::NotOffered),
            Canceled::Gone => Err(CancelRefusal::Order),
        }
    }

    /// Asks an upstream for the cancellations that are due there. They may be repeated.
    pub(crate) async fn send_cancels(self: &Arc<Self>, upstream: &Upstream) -> Result<(), StoreError> {
        let Some(dialect) = &upstream.dialect else { return Ok(()) };
        let due = self.take_due(DueKind::Cancel, upstream, dialect.capabilities().cancel_batch_max).await?;
        let ids: Vec<AttemptId> = due.iter().filter_map(|d| d.subject.parse().ok()).collect();
        let attempts = self.store.attempts(&ids).await?;
        let orders: Vec<String> = attempts.iter().filter_map(|a| a.upstream_order.clone()).collect();
        if orders.is_empty() {
            return Ok(());
        }
        let mut told = match self.ask(upstream, &Call::Cancel(orders)).await {
            Ok(Answer::Cancel(told)) => told,
            Ok(Answer::Fault(fault)) => {
                tracing::warn!(upstream = %upstream.record.id, error = describe(&fault), "cancellations were not taken");
                return self.try_cancels_later(due, &attempts).await;
            }
            Ok(_) => return Ok(()),
            Err(error) => {
                tracing::warn!(upstream = %upstream.record.id, error, "cancellations were not sent");
                return self.try_cancels_later(due, &attempts).await;
            }
        };
        let mut again = Vec::new();
        let first_ms = self.settings().status_first_ms;
        for row in due {
            let attempt = attempts.iter().find(|a| a.id.to_string() == row.subject);
            match attempt.and_then(|a| a.upstream_order.as_ref()).and_then(|id| told.remove(id)).zip(attempt) {
                Some((answer, attempt)) => {
                    let answered = CancelAnswered { attempt: attempt.id, answer, first_ms, now: self.now() };
                    self.store.writer().run(Lane::Background, answered).await?;
                }
                None => again.push(self.later(row)),
            }
        }
        self.due.notify_one();
        self.store.put_off(DueKind::Cancel, &again).await
    }

    /// Asks again later for what still runs, or still costs us.
    async fn try_cancels_later(&self, due: Vec<DueRow>, attempts: &[AttemptRow]) -> Result<(), StoreError> {
        let mut again = Vec::new();
        for row in due {
            let attempt = attempts.iter().find(|a| a.id.to_string() == row.subject);
            if attempt.is_some_and(|a| a.state == AttemptState::Accepted || a.to_loss) {
                again.push(self.later(row));
            } else {
                self.store.drop_due(&row).await?;
            }
        }
        self.store.put_off(DueKind::Cancel, &again).await
    }
}

/// The commit that records a cancellation.
#[derive(Debug)]
struct Cancel {
    order: OrderId,
    first_ms: i64,
    now: Timestamp,
}

enum Canceled {
    /// With the order's end, if it could be ended at once.
    Recorded(Option<Ended>),
    Ended,
    Gone,
}

impl Operation for Cancel {
    type Reply = Canceled;

    fn needs(&self, needs: &mut Needs) {
        needs.orders.insert(self.order);
    }

    fn accounts(&self, work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        order_accounts(work, self.order, accounts);
    }

    fn decide(&self, work: &mut Work) -> Canceled {
        let Some(order) = work.order(self.order).cloned() else { return Canceled::Gone };
        if order.status.is_terminal() {
            return Canceled::Ended;
        }
        if order.cancel_requested_at.is_some() {
            return Canceled::Recorded(None);
        }
        if let Some(row) = work.order_mut(self.order) {
            row.cancel_requested_at = Some(self.now);
        }
        work.event(&order_tags(&order), self.now, "cancel_requested", "the customer asked to cancel it", None);
        let live = work.attempts_of(self.order).rfind(|a| a.state.is_live()).cloned();
        match live {
            Some(attempt) if attempt.state == AttemptState::Queued => {
                moves::release(work, attempt.id, "canceled while queued", self.now, None);
                moves::end_order(
                    work,
                    self.order,
                    moves::canceled(&order),
                    None,
                    "canceled before it was sent",
                    self.now,
                );
            }
            Some(attempt) if attempt.state == AttemptState::Accepted => {
                work.set_due(DueKind::Cancel, attempt.id.to_string(), &attempt.upstream, self.now, self.first_ms);
            }
            // What is being sent or unknown is canceled when it turns out to live.
            _ => {}
        }
        Canceled::Recorded(work.order(self.order).and_then(Ended::of))
    }
}

/// The commit that keeps what an upstream said to a cancellation.
#[derive(Debug)]
struct CancelAnswered {
    attempt: AttemptId,
    answer: CancelAnswer,
    first_ms: i64,
    now: Timestamp,
}

impl Operation for CancelAnswered {
    type Reply = ();

    fn needs(&self, needs: &mut Needs) {
        needs.attempts.insert(self.attempt);
    }

    fn accounts(&self, _: &Work, _: &mut BTreeSet<LedgerAccount>) {}

    fn decide(&self, work: &mut Work) {
        let Some(attempt) = work.attempt(self.attempt).cloned() else { return };
        let tags = tags_of(work, &attempt);
        work.clear_due(DueKind::Cancel, attempt.id.to_string());
        match &self.answer {
            CancelAnswer::Requested => {
                work.event(&tags, self.now, "cancel_sent", "the upstream takes the cancellation", None);
                if attempt.state == AttemptState::Accepted {
                    work.set_due(DueKind::Status, attempt.id.to_string(), &attempt.upstream, self.now, self.first_ms);
                }
            }
            CancelAnswer::Refused(text) => {
                let data = serde_json::json!({"text": text});
                work.event(&tags, self.now, "cancel_refused", "the upstream refuses the cancellation", Some(data));
            }
        }
    }
}
