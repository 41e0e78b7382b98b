//! What each command asks of the use-cases, and what their refusals are called.

use std::sync::Arc;

use interline_domain::{AccountId, OrderId, RefillId, RefillStatus, kind::Style};
use interline_orders::{
    AccountRecord, CancelRefusal, PlaceRefusal, Priced, RefillRefusal, StatusView, StoreError, Traceparent,
};
use interline_panel_protocol::{
    Command, Dialect, GivenId, GivenRefill, Refused, Reply, ServiceLine, StatusLine, encode_services,
};

use super::Panel;
use crate::often::Often;

/// What a client is told to wait when we are too busy, in seconds.
pub(super) const RETRY_AFTER_S: u64 = 1;

impl Panel {
    /// Carries out a command of an account; `trace` is the one that the caller asks in.
    pub(super) async fn run(
        &self,
        account: &AccountRecord,
        dialect: Dialect,
        command: Command,
        trace: Option<&Traceparent>,
    ) -> Result<Reply, Refused> {
        let id = &account.id;
        Ok(match command {
            Command::Services => Reply::Services(self.price_list(account, dialect)),
            Command::Balance => Reply::Balance(self.gateway.balance(account).await.map_err(later)?),
            Command::Add { service, fields } => {
                let placed = self.gateway.place(account, &service, &fields, style(dialect), trace).await;
                Reply::Added(placed.map_err(not_placed)?)
            }
            Command::Status(given) => {
                let line = self.statuses(id, &[given.id]).await?.pop().flatten();
                Reply::Status(line.ok_or(Refused::IncorrectOrder)?)
            }
            Command::StatusMany(given) => {
                let ids: Vec<Option<OrderId>> = given.iter().map(|one| one.id).collect();
                Reply::StatusMany(given.into_iter().zip(self.statuses(id, &ids).await?).collect())
            }
            Command::Refill(given) => Reply::Refilled(self.refill(id, &given).await?),
            Command::RefillMany(given) => {
                let mut answers = Vec::with_capacity(given.len());
                for one in given {
                    let outcome = self.refill(id, &one).await;
                    answers.push((one, outcome));
                }
                Reply::RefilledMany(answers)
            }
            Command::RefillStatus(given) => {
                let found = self.refill_statuses(id, vec![given]).await?;
                Reply::RefillStatus(only(found).ok_or(Refused::NoRefill)?)
            }
            Command::RefillStatusMany(given) => Reply::RefillStatusMany(self.refill_statuses(id, given).await?),
            Command::Cancel(given) => self.cancel(id, &given).await.map(|()| Reply::Canceled)?,
            Command::CancelMany(given) => {
                let mut answers = Vec::with_capacity(given.len());
                for one in given {
                    let outcome = self.cancel(id, &one).await;
                    answers.push((one, outcome));
                }
                Reply::CanceledMany(answers)
            }
        })
    }

    /// The account's price list, written once per version of the catalogue.
    fn price_list(&self, account: &AccountRecord, dialect: Dialect) -> Arc<[u8]> {
        let catalogue = self.gateway.catalogue();
        let discount = account.discount_percent.normalize().to_string();
        let key = (catalogue.version, account.currency, discount, dialect);
        let mut found = true;
        let list = self.price_lists.get_with(key, || {
            found = false;
            let lines: Vec<ServiceLine> = catalogue.price_list(account).into_iter().map(service_line).collect();
            encode_services(&lines, dialect).into()
        });
        self.meters.price_lists.count(found);
        list
    }

    /// How these orders stand, in the order of the question.
    async fn statuses(
        &self,
        account: &AccountId,
        orders: &[Option<OrderId>],
    ) -> Result<Vec<Option<StatusLine>>, Refused> {
        let found = self.gateway.statuses(account, orders).await.map_err(later)?;
        Ok(found.into_iter().map(|view| view.map(status_line)).collect())
    }

    async fn refill(&self, account: &AccountId, given: &GivenId) -> Result<RefillId, Refused> {
        let order = given.id.ok_or(Refused::IncorrectOrder)?;
        self.gateway.refill(account, order).await.map_err(|refusal| match refusal {
            RefillRefusal::Order => Refused::IncorrectOrder,
            RefillRefusal::NotEligible => Refused::NotRefillable,
            RefillRefusal::Store(error) => later(error),
        })
    }

    async fn refill_statuses(
        &self,
        account: &AccountId,
        given: Vec<GivenRefill>,
    ) -> Result<Vec<(GivenRefill, Option<RefillStatus>)>, Refused> {
        let ids: Vec<RefillId> = given.iter().filter_map(|one| one.id).collect();
        let found = self.gateway.refill_statuses(account, &ids).await.map_err(later)?;
        let with_status = |one: GivenRefill| {
            let status = one.id.and_then(|id| found.get(&id).copied());
            (one, status)
        };
        Ok(given.into_iter().map(with_status).collect())
    }

    async fn cancel(&self, account: &AccountId, given: &GivenId) -> Result<(), Refused> {
        let order = given.id.ok_or(Refused::IncorrectOrder)?;
        self.gateway.cancel(account, order).await.map_err(|refusal| match refusal {
            CancelRefusal::Order => Refused::IncorrectOrder,
            CancelRefusal::NotOffered => Refused::NoCancel,
            CancelRefusal::Store(error) => later(error),
        })
    }
}

/// A failure of ours that will pass; it is logged here, once, and the customer is told to come back.
#[expect(clippy::needless_pass_by_value, reason = "it is the last place that the error reaches")]
pub(super) fn later(error: StoreError) -> Refused {
    static SENT_AWAY: Often = Often::new();
    if !error.is_away() || matches!(error, StoreError::Uncertain) {
        tracing::error!(%error, "a call could not be answered");
    } else if let Some(calls) = SENT_AWAY.again() {
        tracing::warn!(calls, %error, "calls were sent away");
    }
    Refused::TryLater { retry_after_s: RETRY_AFTER_S }
}

/// Whose reading of an order's parameters counts.
const fn style(dialect: Dialect) -> Style {
    match dialect {
        Dialect::Seed | Dialect::Classic => Style::Panel,
        Dialect::Streamrise => Style::Streamrise,
    }
}

/// What was found for the one id of a list of one.
fn only<T, U>(found: Vec<(T, Option<U>)>) -> Option<U> {
    found.into_iter().next().and_then(|(_, found)| found)
}

fn service_line(priced: Priced<'_>) -> ServiceLine {
    ServiceLine {
        id: priced.service.id,
        name: priced.service.name.clone(),
        service_type: priced.service.service_type,
        category: priced.service.category.clone(),
        rate: priced.rate,
        min: priced.service.min,
        max: priced.service.max,
        refill: priced.service.refill,
        cancel: priced.service.cancel,
        dripfeed: priced.service.dripfeed,
        description: priced.service.description.clone(),
    }
}

fn status_line(view: StatusView) -> StatusLine {
    StatusLine {
        charge: view.charge,
        start_count: view.start_count,
        status: view.status,
        remains: view.remains,
        currency: view.currency,
    }
}

fn not_placed(refusal: PlaceRefusal) -> Refused {
    match refusal {
        PlaceRefusal::Service => Refused::IncorrectService,
        PlaceRefusal::Field(text) => Refused::BadRequest(text),
        PlaceRefusal::Funds => Refused::NotEnoughFunds,
        PlaceRefusal::NoUpstream => Refused::NoUpstream,
        PlaceRefusal::Store(error) => later(error),
    }
}
