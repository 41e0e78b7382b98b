//! A simulated upstream of a scenario: scripted by the test, and asked afterwards what it really did.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use interline_sandbox::{Adapter, Config, Fault, FaultKind, Journal, JournalOrder, JournalRefill, Sandbox};
use serde_json::Value;

use crate::http::runtime;

/// A running simulated upstream. Its orders stay Pending until a script says otherwise; it ends when it is dropped.
pub struct Upstream {
    id: String,
    adapter: Adapter,
    key: String,
    balance: String,
    sandbox: Sandbox,
}

impl Upstream {
    /// Starts one on a free port.
    pub(crate) fn start(id: &str, config: Config) -> Result<Self> {
        let (adapter, key, balance) = (config.adapter, config.key.clone(), config.balance.clone());
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sandbox = runtime()?.block_on(Sandbox::start(config, listen)).context("cannot start an upstream")?;
        sandbox.pause_life(true);
        Ok(Self { id: id.to_owned(), adapter, key, balance, sandbox })
    }

    /// Its id in the catalogue.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key that it wants.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The address of its API.
    pub fn url(&self) -> String {
        self.sandbox.url()
    }

    /// What was in its balance at the start.
    pub fn balance_at_start(&self) -> &str {
        &self.balance
    }

    /// What it really did.
    pub fn journal(&self) -> Journal {
        self.sandbox.journal()
    }

    /// The orders that it really took.
    pub fn orders(&self) -> Vec<JournalOrder> {
        self.journal().orders
    }

    /// The order that it took for `link`.
    pub fn order(&self, link: &str) -> Result<JournalOrder> {
        let orders = self.orders().into_iter();
        let found = orders.rev().find(|order| target(&order.link) == target(link));
        found.with_context(|| format!("{} has no order for {link}", self.id))
    }

    /// The refills that it really took of the order for `link`.
    pub fn refills(&self, link: &str) -> Result<Vec<JournalRefill>> {
        let order = self.order(link)?.id;
        Ok(self.journal().refills.into_iter().filter(|refill| refill.order == order).collect())
    }

    /// The latest refill that it took of the order for `link`.
    pub fn refill(&self, link: &str) -> Result<JournalRefill> {
        self.refills(link)?.pop().with_context(|| format!("{} has no refill for {link}", self.id))
    }

    /// How many calls of `action` arrived.
    pub fn calls(&self, action: &str) -> usize {
        self.journal().calls.iter().filter(|call| call.action == action).count()
    }

    /// Makes the next `count` submissions meet a fault; 0: all until [`Self::heal`].
    pub fn fail(&self, kind: FaultKind, count: u32) {
        self.meet("add", kind, count, 0);
    }

    /// Makes the next `count` calls of `action` meet a fault; 0: all until [`Self::heal`].
    pub fn meet(&self, action: &str, kind: FaultKind, count: u32, delay_ms: u64) {
        self.sandbox.add_fault(Fault { action: action.to_owned(), kind, count, delay_ms });
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.sandbox.clear_faults();
    }

    /// Makes the order for `link` report a status word, and how much remains.
    pub fn say(&self, link: &str, status: &str, remains: Option<i64>) -> Result<()> {
        self.sandbox.progress(&self.order(link)?.id, status, remains);
        Ok(())
    }

    /// Makes the order of that number report a status word, and how much remains.
    pub fn move_on(&self, order: &str, status: &str, remains: Option<i64>) {
        self.sandbox.progress(order, status, remains);
    }

    /// Makes the order for `link` report a charge, which moves the balance.
    pub fn charge(&self, link: &str, charge: &str) -> Result<()> {
        self.sandbox.set_charge(&self.order(link)?.id, charge);
        Ok(())
    }

    /// Makes the latest refill of the order for `link` report a status word.
    pub fn say_of_refill(&self, link: &str, status: &str) -> Result<()> {
        self.sandbox.refill_progress(&self.refill(link)?.id, status);
        Ok(())
    }

    /// Takes `amount` for the latest refill of the order for `link`, which raises what that order reports as charge.
    pub fn charge_refill(&self, link: &str, amount: &str) -> Result<()> {
        self.sandbox.charge_refill(&self.refill(link)?.id, amount);
        Ok(())
    }

    /// Changes the price per 1000, which is the same for every quantity.
    pub fn set_rate(&self, rate: &str) {
        self.sandbox.set_rate(self.adapter.first_service(), rate);
    }

    /// Makes every answer about the order for `link` say `value` in `field`, whatever is true.
    pub fn tell(&self, link: &str, field: &str, value: Value) -> Result<()> {
        self.sandbox.tell(&self.order(link)?.id, field, value);
        Ok(())
    }

    /// How many sockets of its push feed have subscribed (Streamrise).
    pub fn feed_sockets(&self) -> usize {
        self.sandbox.feed_sockets()
    }

    /// Makes its push feed meet a fault: a socket that has subscribed at once, else the next that does.
    pub fn disturb_feed(&self, kind: FaultKind, count: u32) {
        self.meet("feed", kind, count, 0);
    }

    /// Sends a text, as it is, to every socket of its push feed that has subscribed.
    pub fn push(&self, frame: &str) {
        self.sandbox.push(frame);
    }
}

/// A target as orders are compared: a channel is the same, whether it was named by its address or by its name alone.
pub(crate) fn target(link: &str) -> &str {
    let plain = link.strip_prefix("https://").unwrap_or(link);
    let plain = plain.strip_prefix("www.").unwrap_or(plain);
    ["twitch.tv/", "kick.com/"].into_iter().find_map(|site| plain.strip_prefix(site)).unwrap_or(link)
}
