//! Customers' software beside a server that may die at any moment: what it asks for is noted before it is sent, and what
//! it was told right after.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use acceptance::{Reply, SERVICE, call};
use anyhow::{Context, Result, bail, ensure};

use super::dice::Dice;
use crate::support::text;

/// The service that `beta` alone sells, so that what it refuses is refunded.
pub(crate) const OTHER_SERVICE: &str = "102";

/// Orders that can be asked for in one call.
pub(crate) const IDS_MAX: usize = 100;

/// Statuses that never change again.
const ENDS: [&str; 3] = ["Completed", "Partial", "Canceled"];

/// A customer.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: &'static str,
    pub(crate) key: String,
    pub(crate) deposit: &'static str,
}

/// What became of an order that was asked for, as far as its client knows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// None came: it may have been placed or not.
    Lost,
    /// It was placed under this number.
    Order(i64),
    /// It was not placed, or was given back whole.
    Refused,
}

/// An order that was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) account: usize,
    pub(crate) quantity: u32,
    pub(crate) answer: Answer,
}

/// An order's number, and whose it is.
pub(crate) type Known = (usize, i64);

/// What one client did while one server lived.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    asked: Vec<(String, Asked)>,
    ended: Vec<(i64, String)>,
}

/// What all of them remember of the whole run.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Every order that was ever asked for, by its link, which no other has.
    pub(crate) asked: BTreeMap<String, Asked>,
    /// Those that were acknowledged: their links.
    pub(crate) acknowledged: BTreeMap<i64, String>,
    /// The final statuses that anybody was told.
    pub(crate) ended: BTreeMap<i64, String>,
}

impl Memory {
    /// Adds what a client did; the orders that it was told the numbers of.
    pub(crate) fn keep(&mut self, notes: Notes) -> Result<Vec<Known>> {
        let mut fresh = Vec::new();
        for (link, asked) in notes.asked {
            if let Answer::Order(id) = asked.answer {
                fresh.push((asked.account, id));
                let earlier = self.acknowledged.insert(id, link.clone());
                ensure!(earlier.is_none(), "order {id} is that of {link} and of {earlier:?}");
            }
            self.asked.insert(link, asked);
        }
        for (id, status) in notes.ended {
            let first = self.ended.entry(id).or_insert_with(|| status.clone());
            ensure!(*first == status, "order {id} was {first} for good, and then {status}");
        }
        Ok(fresh)
    }

    /// Some of the acknowledged orders.
    pub(crate) fn some(&self, count: u32, dice: &mut Dice) -> Vec<Known> {
        let all: Vec<(&i64, &String)> = self.acknowledged.iter().collect();
        let picked = (0..count).filter_map(|_| {
            let (id, link) = dice.pick(&all)?;
            Some((self.asked.get(*link)?.account, **id))
        });
        picked.collect()
    }

    /// How many orders were asked for without an answer.
    pub(crate) fn lost(&self) -> usize {
        self.asked.values().filter(|asked| matches!(asked.answer, Answer::Lost)).count()
    }
}

/// One client: orders for several customers, asks how they stand and regrets some, one call after the other.
pub(crate) struct Client {
    pub(crate) accounts: Arc<[Account]>,
    pub(crate) address: String,
    /// What its links begin with; no other client's do, in no cycle.
    pub(crate) name: String,
    pub(crate) dice: Dice,
    /// Orders that it asks about.
    pub(crate) known: Vec<Known>,
    pub(crate) notes: Notes,
}

impl Client {
    /// Works until the server is `killed`, which is said before it is done: an answer that is lost before that is a failure.
    pub(crate) fn work(mut self, killed: &AtomicBool) -> Result<Notes> {
        while !killed.load(Ordering::SeqCst) {
            match self.dice.number(0, 9) {
                0..=6 => self.order(killed)?,
                7 | 8 => self.ask(killed)?,
                _ => self.regret(killed)?,
            }
            thread::sleep(Duration::from_millis(self.dice.number(0, 5).into()));
        }
        Ok(self.notes)
    }

    fn order(&mut self, killed: &AtomicBool) -> Result<()> {
        let account = self.account();
        let quantity = self.dice.number(10, 1_000);
        let service = if self.dice.chance(70) { SERVICE } else { OTHER_SERVICE };
        let link = format!("https://example.com/{}/{}", self.name, self.notes.asked.len());
        self.notes.asked.push((link.clone(), Asked { account, quantity, answer: Answer::Lost }));
        let quantity = quantity.to_string();
        let pairs = [("action", "add"), ("service", service), ("link", link.as_str()), ("quantity", quantity.as_str())];
        let Some(reply) = self.call(account, &pairs, killed)? else { return Ok(()) };
        let answer = match reply.status {
            200 => Answer::Order(reply.json()?["order"].as_i64().with_context(|| format!("no number in {reply:?}"))?),
            402 | 429 | 502 | 503 => Answer::Refused,
            _ => bail!("an order was answered by {reply:?}"),
        };
        if let Answer::Order(id) = answer {
            self.known.push((account, id));
        }
        if let Some((_, asked)) = self.notes.asked.last_mut() {
            asked.answer = answer;
        }
        Ok(())
    }

    fn ask(&mut self, killed: &AtomicBool) -> Result<()> {
        let account = self.account();
        let own = self.known.iter().rev().filter(|(of, _)| *of == account).map(|(_, id)| *id);
        let ids: Vec<i64> = own.take(IDS_MAX).collect();
        let Some(statuses) = statuses(&ids, |pairs| self.call(account, pairs, killed))? else { return Ok(()) };
        self.notes.ended.extend(statuses.into_iter().filter(|(_, status)| ENDS.contains(&status.as_str())));
        Ok(())
    }

    fn regret(&mut self, killed: &AtomicBool) -> Result<()> {
        let Some((account, id)) = self.dice.pick(&self.known).copied() else { return Ok(()) };
        let Some(reply) = self.call(account, &[("action", "cancel"), ("order", &id.to_string())], killed)? else {
            return Ok(());
        };
        // 400: it has ended, or its upstream does not cancel. Anything else, such as "no such order", must not be.
        ensure!(matches!(reply.status, 200 | 400 | 429 | 503), "a cancel of order {id} was answered by {reply:?}");
        Ok(())
    }

    fn account(&mut self) -> usize {
        let last = u32::try_from(self.accounts.len().saturating_sub(1)).unwrap_or(0);
        usize::try_from(self.dice.number(0, last)).unwrap_or(0)
    }

    /// The answer, or none if the server was killed meanwhile.
    fn call(&self, account: usize, pairs: &[(&str, &str)], killed: &AtomicBool) -> Result<Option<Reply>> {
        match call(&self.address, &self.accounts[account].key, pairs) {
            Ok(reply) => Ok(Some(reply)),
            Err(_) if killed.load(Ordering::SeqCst) => Ok(None),
            Err(error) => Err(error.context("an answer was lost while the server lived")),
        }
    }
}

/// Asks how these orders stand, which must be known; none if there was no answer, or nothing to ask.
pub(crate) fn statuses(
    ids: &[i64],
    ask: impl FnOnce(&[(&str, &str)]) -> Result<Option<Reply>>,
) -> Result<Option<Vec<(i64, String)>>> {
    if ids.is_empty() {
        return Ok(None);
    }
    let list = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let Some(reply) = ask(&[("action", "status"), ("orders", list.as_str())])? else { return Ok(None) };
    if matches!(reply.status, 429 | 503) {
        return Ok(None);
    }
    ensure!(reply.status == 200, "statuses were answered by {reply:?}");
    let told = reply.json()?;
    let status = |id: &i64| {
        let status = text(&told[id.to_string()], "status");
        ensure!(!status.is_empty(), "order {id} was acknowledged, and now: {}", told[id.to_string()]);
        Ok((*id, status.to_owned()))
    };
    ids.iter().map(status).collect::<Result<_>>().map(Some)
}
