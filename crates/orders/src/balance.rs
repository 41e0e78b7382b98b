//! Reading upstream balances and holding them against the books.

use std::sync::Arc;

use interline_domain::{Micros, Timestamp};
use interline_ledger::LedgerAccount;
use interline_store::{DueKind, Lane, StoreError};
use interline_upstream::{Answer, Call, Stated};

use crate::{
    catalogue::Upstream,
    gateway::{Gateway, GatewayError},
    reading::{KINDS, Reading},
    remote::describe,
};

/// A balance that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceRead {
    /// What the upstream says, in its currency.
    pub reading: Micros,
    /// When it said so.
    pub at: Timestamp,
}

impl Gateway {
    pub(crate) async fn read_balance_when_due(self: &Arc<Self>, upstream: &Upstream) -> Result<(), StoreError> {
        for due in self.take_due(DueKind::Balance, upstream, 1).await? {
            self.keep_lack(upstream, DueKind::Balance).await?;
            match self.read_balance(upstream).await {
                Ok(_) => {}
                Err(GatewayError::Store(error)) => return Err(error),
                Err(error) => tracing::warn!(upstream = %due.subject, %error, "a balance could not be read"),
            }
            let interval_ms = self.settings().balance_ms;
            let next = self.now().plus_ms(interval_ms);
            self.store.reschedule(DueKind::Balance, &due.subject, next, interval_ms).await?;
        }
        Ok(())
    }

    /// Reads an upstream's balance and books what it proves; nothing where its protocol tells none.
    pub async fn read_balance(self: &Arc<Self>, upstream: &Upstream) -> Result<Option<BalanceRead>, GatewayError> {
        if !upstream.tells_balance() {
            return Ok(None);
        }
        let id = &upstream.record.id;
        self.endpoint(upstream).map_err(|text| GatewayError::Upstream { upstream: id.clone(), text })?;
        let asked_at = self.now();
        // Taken before the question: whatever moves from here on may or may not be in the answer.
        let currency = upstream.record.currency;
        let accounts = KINDS.map(|kind| LedgerAccount { account: kind(id.clone()), currency });
        let versions = self.store.balance_versions(&accounts).await?;
        let reading = match self.ask_balance(upstream).await {
            Ok(reading) => reading,
            Err(text) => {
                self.store.keep_fault(id, DueKind::Balance, &text).await?;
                return Err(GatewayError::Upstream { upstream: id.clone(), text });
            }
        };
        let settings = self.settings();
        let operation = Reading {
            upstream: id.clone(),
            currency: upstream.record.currency,
            amount: reading,
            asked_at,
            versions,
            drift_allowance: upstream.record.settings.drift_allowance,
            charge_factor_max: settings.charge_factor_max,
            quiet_ms: settings.quiet_ms,
            now: self.now(),
        };
        let at = operation.now;
        self.store.writer().run(Lane::Background, operation).await?;
        self.refresh_health().await?;
        Ok(Some(BalanceRead { reading, at }))
    }

    /// What an upstream says is in its balance, in its currency; nothing is booked.
    pub(crate) async fn ask_balance(&self, upstream: &Upstream) -> Result<Micros, String> {
        match self.ask(upstream, &Call::Balance).await? {
            Answer::Balance(stated) => expected(upstream, &stated),
            Answer::Fault(fault) => Err(describe(&fault)),
            _ => Err("the answer was no balance".to_owned()),
        }
    }
}

/// The amount, if it is in the currency that the operator entered.
fn expected(upstream: &Upstream, stated: &Stated) -> Result<Micros, String> {
    let ours = upstream.record.currency;
    match stated.currency {
        Some(theirs) if theirs != ours => Err(format!("its balance is in {theirs}, but the catalogue says {ours}")),
        _ => Ok(stated.amount),
    }
}
