//! Placing: validate, price, plan, then one commit of order, charge, duplicate window, first attempt and reserve.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use interline_domain::{
    AccountId, AttemptId, Fields, Micros, Money, OrderId, OrderKind, OrderStatus, ServiceId, Style, Terms, Timestamp,
    kind::FieldError, price, target,
};
use interline_egress::{Permit, SendDeadline};
use interline_ledger::{Account, LedgerAccount, customers};
use interline_routing::{Plan, Reason, Wanted};
use interline_store::{AccountRecord, Lane, Needs, Operation, OrderRow, ServiceRecord, StoreError, Work, order_tags};
use serde_json::json;
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    dispatch::{LEASE_BEYOND_TIMEOUT_MS, SEND_WITHIN, SendJob},
    gateway::Gateway,
    moves::{Sender, affordable, candidate_accounts, queue},
    trace::Traceparent,
    verdicts::Verdict,
};

/// Why an order was not placed. Nothing was kept and nothing charged.
#[derive(Debug, thiserror::Error)]
pub enum PlaceRefusal {
    /// The service does not exist or is not sold to this account.
    #[error("there is no such service")]
    Service,
    /// A parameter is missing, malformed or out of bounds; the text names it.
    #[error("{0}")]
    Field(String),
    /// The wallet is too small.
    #[error("not enough funds")]
    Funds,
    /// No upstream can take it, or all refused it.
    #[error("no upstream can take it")]
    NoUpstream,
    /// Too busy, or the database is away.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An order that was checked and priced, with its route.
struct Checked {
    operation: Place,
    permit: Option<Permit>,
    deadline: SendDeadline,
}

impl Gateway {
    /// Places an order and waits for the upstream's verdict as long as the settings say. The id that is returned is of an
    /// order that stands: accepted, or still open. `style` is how the caller's face reads the parameters, `caller` the trace
    /// that the caller asks in, if it told one.
    pub async fn place(
        self: &Arc<Self>,
        account: &AccountRecord,
        service: &str,
        fields: &Fields,
        style: Style,
        caller: Option<&Traceparent>,
    ) -> Result<OrderId, PlaceRefusal> {
        let span = tracing::info_span!("place", account = %account.id, service = Empty, order = Empty);
        self.place_here(account, service, fields, style, caller).instrument(span).await
    }

    /// Places an order in the trace that goes on here.
    async fn place_here(
        self: &Arc<Self>,
        account: &AccountRecord,
        service: &str,
        fields: &Fields,
        style: Style,
        caller: Option<&Traceparent>,
    ) -> Result<OrderId, PlaceRefusal> {
        let Checked { operation, permit, deadline } = self.check(account, service, fields, style, caller)?;
        // On a task of its own: a client that hangs up must not part the commit from the hand-over.
        let gateway = Arc::clone(self);
        let committed = async move { gateway.commit(operation, permit, deadline).await };
        let placed = self.under_way.spawn(committed.in_current_span());
        let order = match placed.await.map_err(|_| StoreError::Uncertain)?? {
            Placed::Again(order) => return Ok(order),
            Placed::NoFunds => return Err(PlaceRefusal::Funds),
            Placed::NoUpstream => return Err(PlaceRefusal::NoUpstream),
            Placed::Order(order, _) => order,
        };
        let wait = Duration::from_millis(self.settings().dispatch_wait_ms);
        let verdict = tokio::select! {
            verdict = self.verdicts.wait(order, wait) => verdict,
            () = self.closing.cancelled() => None,
        };
        match verdict {
            Some(Verdict::Refused) => Err(PlaceRefusal::NoUpstream),
            Some(Verdict::Stands) | None => Ok(order),
        }
    }

    /// Commits an order and hands its first attempt over.
    async fn commit(
        self: &Arc<Self>,
        operation: Place,
        permit: Option<Permit>,
        deadline: SendDeadline,
    ) -> Result<Placed, StoreError> {
        let placed = self.store.writer().run(Lane::Customer, operation).await?;
        let Placed::Order(order, job) = placed else { return Ok(placed) };
        Span::current().record("order", order.0);
        tracing::debug!(order = order.0, "an order was placed");
        match (job, permit) {
            (Some(job), Some(permit)) => self.send_in_background(*job, permit, deadline),
            _ => self.queued.notify_one(),
        }
        Ok(Placed::Order(order, None))
    }

    fn check(
        &self,
        account: &AccountRecord,
        service: &str,
        fields: &Fields,
        style: Style,
        caller: Option<&Traceparent>,
    ) -> Result<Checked, PlaceRefusal> {
        let (catalogue, settings, span) = (self.catalogue(), self.settings(), Span::current());
        let id: ServiceId = service.parse().map_err(|_| PlaceRefusal::Service)?;
        span.record("service", id.0);
        let record = catalogue.service(id).ok_or(PlaceRefusal::Service)?;
        let rate = catalogue.priced(record, account).ok_or(PlaceRefusal::Service)?.rate;
        let kind = parse(record, fields, style)?;
        let target_key = target::normalise(kind.target());
        if settings.deny_targets.is_match(target_key.to_lowercase()) {
            let text = format!("`{}` is a target that is not accepted here", kind.target_field());
            return Err(PlaceRefusal::Field(text));
        }
        let too_large = |_| PlaceRefusal::Field("`quantity` is too large for this service's rate".to_owned());
        let charge = price::price(rate.to_decimal(), kind.quantity(), kind.basis()).map_err(too_large)?;
        let worth = catalogue.worth(account.currency).ok_or(PlaceRefusal::Service)?;
        let charge_base = charge.convert(worth).map_err(too_large)?;
        let plan = self.route(&catalogue, record, &wanted(&kind, charge_base), Some(&kind), &[]);
        let first = plan.takers().next().ok_or_else(|| nobody(&plan))?;
        let upstream = catalogue.upstream(&first.upstream).ok_or(PlaceRefusal::NoUpstream)?;
        // Sent at once only if nothing stands in the way; what waits for its target or its turn is queued.
        let permit = if upstream.record.settings.parallel_targets { upstream.lane.try_permit() } else { None };
        let deadline = SendDeadline::after(SEND_WITHIN);
        let lease_ms =
            i64::try_from(upstream.record.settings.timeout_ms).unwrap_or(i64::MAX / 2) + LEASE_BEYOND_TIMEOUT_MS;
        let sender = permit.is_some().then(|| Sender { boot: self.boot.clone(), lease_ms });
        let window_ms = settings.duplicate_window_ms;
        let fingerprint = (window_ms > 0).then(|| format!("{id}|{}|{target_key}", kind.quantity()));
        let operation = Place {
            account: account.id.clone(),
            charge: Money::new(charge, account.currency),
            service: id,
            kind,
            target_key,
            rate,
            plan,
            window: fingerprint.map(|f| (f, window_ms)),
            sender,
            trace: self.traceparent(&span).or_else(|| caller.cloned()),
            now: self.now(),
        };
        Ok(Checked { operation, permit, deadline })
    }
}

/// The order that the parameters make for a service, within its bounds. The bounds hold for all units together, in every
/// run and on every post.
fn parse(service: &ServiceRecord, fields: &Fields, style: Style) -> Result<OrderKind, PlaceRefusal> {
    let terms = Terms {
        service_type: service.service_type,
        package_quantity: if service.min == service.max { service.min } else { 0 },
        dripfeed: service.dripfeed,
        style,
    };
    let kind = OrderKind::parse(&terms, fields).map_err(|e| PlaceRefusal::Field(e.to_string()))?;
    if !(service.min..=service.max).contains(&kind.quantity()) {
        let text = format!("{} must be from {} to {}", kind.quantity_words(), service.min, service.max);
        return Err(PlaceRefusal::Field(text));
    }
    Ok(kind)
}

/// An order as far as a route depends on it.
pub(crate) fn wanted(kind: &OrderKind, charge_base: Micros) -> Wanted {
    Wanted {
        service_type: kind.service_type(),
        quantity: kind.quantity(),
        basis: kind.basis(),
        dripfeed: kind.drip().is_some(),
        fields: kind.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        charge_base,
    }
}

/// Why nobody takes the order. That none of its upstreams ever does drip-feed, or has words for it, is a fault of the
/// order: asking again later does not help.
fn nobody(plan: &Plan) -> PlaceRefusal {
    let reasons = || plan.candidates.iter().filter_map(|candidate| candidate.passed.as_ref());
    let lasting = |reason: &Reason| {
        matches!(
            reason,
            Reason::Disabled | Reason::NotListed | Reason::Type | Reason::Dripfeed | Reason::Protocol { .. }
        )
    };
    let fault = reasons().find_map(|reason| match reason {
        Reason::Protocol { allowed } => Some(allowed.clone()),
        Reason::Dripfeed => Some(FieldError::NotOffered("runs").to_string()),
        _ => None,
    });
    match fault {
        Some(text) if reasons().all(lasting) => PlaceRefusal::Field(text),
        _ => PlaceRefusal::NoUpstream,
    }
}

/// The commit that places an order.
#[derive(Debug)]
struct Place {
    account: AccountId,
    service: ServiceId,
    kind: OrderKind,
    target_key: String,
    rate: Micros,
    charge: Money,
    plan: Plan,
    /// Fingerprint and length of the duplicate window.
    window: Option<(String, i64)>,
    /// Who sends the first candidate's attempt at once.
    sender: Option<Sender>,
    /// The trace that it is placed in.
    trace: Option<Traceparent>,
    now: Timestamp,
}

enum Placed {
    /// Placed; with the work of sending it, if that was taken along.
    Order(OrderId, Option<Box<SendJob>>),
    /// The same order within its duplicate window.
    Again(OrderId),
    NoFunds,
    NoUpstream,
}

impl Operation for Place {
    type Reply = Placed;

    fn needs(&self, needs: &mut Needs) {
        needs.new_orders += 1;
        if let Some((fingerprint, _)) = &self.window {
            needs.recent.insert((self.account.clone(), fingerprint.clone()));
        }
    }

    fn accounts(&self, _: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        accounts
            .insert(LedgerAccount { account: Account::Wallet(self.account.clone()), currency: self.charge.currency });
        candidate_accounts(self.plan.takers(), accounts);
    }

    fn decide(&self, work: &mut Work) -> Placed {
        if let Some((fingerprint, _)) = &self.window
            && let Some(first) = work.recent(&self.account, fingerprint, self.now)
        {
            return Placed::Again(first);
        }
        if work.would_pass_floor(&self.account, self.charge.currency, self.charge.amount) {
            return Placed::NoFunds;
        }
        let Some(candidate) = affordable(work, self.plan.takers()).cloned() else { return Placed::NoUpstream };
        let id = work.next_order_id();
        let order = self.row(id);
        let tags = order_tags(&order);
        work.post(&customers::order_charge(id, &self.account, self.charge), &tags, self.now);
        let text = format!("placed: {} of service {} for {}", order.quantity, order.service, self.charge);
        work.event(&tags, self.now, "placed", text, None);
        work.add_order(order);
        // The permit was taken at the first candidate; whoever else takes the order has to wait for its turn.
        let sender = self.sender.as_ref().filter(|_| candidate.rank == Some(1));
        let attempt = queue(work, id, self.service, &candidate, sender, self.now);
        if let Some((fingerprint, length_ms)) = &self.window {
            work.remember(&self.account, fingerprint, id, self.now.plus_ms(*length_ms));
        }
        Placed::Order(id, sender.map(|_| Box::new(self.job(id, attempt, &candidate))))
    }
}

impl Place {
    fn row(&self, id: OrderId) -> OrderRow {
        OrderRow {
            id,
            account: self.account.clone(),
            service: self.service,
            kind: self.kind.clone(),
            target: self.kind.target().to_owned(),
            target_key: self.target_key.clone(),
            quantity: self.kind.quantity(),
            currency: self.charge.currency,
            rate: self.rate,
            charge: self.charge.amount,
            refund: Micros::ZERO,
            status: OrderStatus::Pending,
            start_count: None,
            remains: None,
            vague_partials: 0,
            cancel_requested_at: None,
            plan: json!(self.plan),
            created_at: self.now,
            ended_at: None,
            trace: self.trace.as_ref().map(|trace| trace.as_str().to_owned()),
        }
    }

    fn job(&self, order: OrderId, attempt: AttemptId, candidate: &interline_routing::Candidate) -> SendJob {
        SendJob {
            order,
            attempt,
            upstream: candidate.upstream.clone(),
            service: candidate.service.clone(),
            params: candidate.params.clone(),
            kind: self.kind.clone(),
            target_key: self.target_key.clone(),
            queued_at: self.now,
            trace: self.trace.clone(),
            send_number: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use interline_routing::Candidate;

    use super::*;

    fn refused(reasons: Vec<Reason>) -> String {
        let candidate = |reason| Candidate {
            rank: None,
            upstream: "alpha".parse().unwrap(),
            service: "1".to_owned(),
            params: [].into(),
            cost: None,
            currency: "USD".parse().unwrap(),
            cost_base: None,
            margin_percent: None,
            passed: Some(reason),
        };
        nobody(&Plan { candidates: reasons.into_iter().map(candidate).collect() }).to_string()
    }

    #[test]
    fn what_nobody_could_ever_take_is_the_orders_fault_and_all_else_may_pass() {
        let counted = "`quantity` must be the number of lines in `comments`";
        let protocol = || Reason::Protocol { allowed: counted.to_owned() };
        let none = PlaceRefusal::NoUpstream.to_string();
        let passing = none.as_str();
        for (reasons, text) in [
            (vec![protocol()], counted),
            (vec![Reason::Disabled, protocol(), Reason::Type], counted),
            (vec![protocol(), Reason::Balance], passing),
            (vec![Reason::NotListed, Reason::Dripfeed], "`runs` is not offered by this service"),
            (vec![Reason::Dripfeed, Reason::StalePrice], passing),
            (vec![Reason::Disabled], passing),
            (Vec::new(), passing),
        ] {
            assert_eq!(refused(reasons.clone()), text, "{reasons:?}");
        }
    }
}
