//! `interline ledger`

use anyhow::{anyhow, bail};
use interline_domain::Micros;
use interline_orders::Gateway;
use serde_json::{Value, json};

use crate::{
    cli::{LedgerCommand, ListArgs, SpanArgs},
    config::Config,
    output::{self, span, time},
    wiring,
};

/// Runs one of the commands.
pub(crate) async fn run(config: &Config, command: LedgerCommand, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    match command {
        LedgerCommand::Verify => verify(&gateway, as_json).await,
        LedgerCommand::TrialBalance(span) => trial_balance(&gateway, &span, as_json).await,
        LedgerCommand::Statement { account, span } => statement(&gateway, &account, &span, as_json).await,
        LedgerCommand::Journal { span, page } => journal(&gateway, &span, &page, as_json).await,
    }
}

async fn verify(gateway: &Gateway, as_json: bool) -> anyhow::Result<()> {
    let verified = gateway.store().verify().await?;
    if as_json {
        let invariant = |c: &interline_store::Checked| json!({"number": c.number, "name": c.name, "ok": c.violations == 0, "violations": c.violations, "examples": c.examples});
        output::json(
            &json!({"ok": verified.is_ok(), "invariants": verified.checked.iter().map(invariant).collect::<Vec<_>>()}),
        )?;
    } else {
        for checked in &verified.checked {
            let outcome = if checked.violations == 0 {
                "ok".to_owned()
            } else {
                format!("BROKEN {} times: {}", checked.violations, checked.examples.join(", "))
            };
            output::line(&format!("{:>2} {:<24} {outcome}", checked.number, checked.name))?;
        }
    }
    if verified.is_ok() { Ok(()) } else { bail!("the books are not sound") }
}

async fn trial_balance(gateway: &Gateway, args: &SpanArgs, as_json: bool) -> anyhow::Result<()> {
    let (from, to) = span(args.from.as_deref(), args.to.as_deref())?;
    let row = |line: interline_store::BalanceLine| {
        json!({
            "account": line.account, "currency": line.currency, "debit": line.debit.to_string(),
            "credit": line.credit.to_string(), "balance": (line.debit - line.credit).to_string(),
        })
    };
    let rows = gateway.store().trial_balance(from, to).await?.into_iter().map(row).collect();
    output::list(rows, &["account", "currency", "debit", "credit", "balance"], as_json)
}

async fn statement(gateway: &Gateway, account: &str, args: &SpanArgs, as_json: bool) -> anyhow::Result<()> {
    let (from, to) = span(args.from.as_deref(), args.to.as_deref())?;
    let (name, sign) = ledger_account(gateway, account).await?;
    let found = gateway.store().statement(&name, from, to).await?;
    let currency = name.rsplit(':').next().unwrap_or_default().to_owned();
    let opening = found.as_ref().map_or(Micros::ZERO, |s| sign(s.opening));
    let mut balance = opening;
    let mut lines: Vec<Value> = Vec::new();
    for line in found.iter().flat_map(|s| &s.lines) {
        let amount = sign(line.amount);
        balance = balance + amount;
        lines.push(
            json!({"at": time(line.at), "key": line.key, "amount": amount.to_string(), "balance": balance.to_string()}),
        );
    }
    if as_json {
        return output::json(&json!({
            "account": name, "currency": currency, "opening": opening.to_string(), "closing": balance.to_string(), "lines": lines,
        }));
    }
    output::line(&format!("{name}: opening {opening} {currency}"))?;
    output::table(&lines, &["at", "key", "amount", "balance"])?;
    output::line(&format!("closing {balance} {currency}"))
}

/// A ledger account is read debit positive; a customer reads a wallet from the customer's side.
async fn ledger_account(gateway: &Gateway, account: &str) -> anyhow::Result<(String, fn(Micros) -> Micros)> {
    if account.contains(':') {
        let account: interline_ledger::LedgerAccount = account.parse().map_err(|e| anyhow!("{e}"))?;
        return Ok((account.to_string(), |amount| amount));
    }
    let customer = super::account::find(gateway, account).await?;
    Ok((format!("liabilities:wallet:{}:{}", customer.id, customer.currency), |amount| -amount))
}

async fn journal(gateway: &Gateway, args: &SpanArgs, page: &ListArgs, as_json: bool) -> anyhow::Result<()> {
    let (from, to) = span(args.from.as_deref(), args.to.as_deref())?;
    let mut after = match &page.after {
        Some(key) => {
            let place = gateway.store().journal_place(key).await?;
            // One from before --from leaves nothing out.
            Some(place.ok_or_else(|| anyhow!("there is no posting {key}"))?).filter(|(at, _)| *at >= from)
        }
        None => None,
    };
    let mut left = page.limit.unwrap_or(usize::MAX);
    let mut first = true;
    if as_json {
        output::line("[")?;
    }
    while left > 0 {
        let (postings, next) = gateway.store().journal_page(from, to, after, left).await?;
        left = left.saturating_sub(postings.len());
        for posting in &postings {
            let shown = super::order::posting(posting);
            if as_json {
                output::line(&format!("{}{shown}", if first { "" } else { "," }))?;
                first = false;
                continue;
            }
            output::line(&format!("{} {}", time(posting.at), posting.key))?;
            for line in &posting.lines {
                output::line(&format!("  {:<44} {:>18} {}", line.account, line.amount.to_string(), line.currency))?;
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    if as_json { output::line("]") } else { Ok(()) }
}
