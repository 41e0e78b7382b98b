//! `interline account`

use anyhow::bail;
use interline_domain::{AccountId, Currency, Micros, Money};
use interline_orders::{AccountRecord, Booking, Gateway};
use serde_json::{Value, json};

use crate::{
    cli::AccountCommand,
    config::Config,
    output::{self, Usage, check_reference, parse_amount, parse_id},
    wiring,
};

/// Runs one of the commands.
pub(crate) async fn run(config: &Config, command: AccountCommand, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    match command {
        AccountCommand::Create { id, currency } => {
            let id: AccountId = parse_id(&id)?;
            let currency: Currency = currency.map_or(Ok(gateway.settings().base_currency), |c| parse_id(&c))?;
            if gateway.catalogue().worth(currency).is_none() {
                tracing::warn!(%currency, "this currency has no rate yet, so nothing is sold in it: add a [[currency]] to the catalogue file");
            }
            let made = gateway.store().create_account(&id, currency, wiring::now()).await?;
            if as_json {
                return output::json(&shown(&gateway, &find(&gateway, id.as_str()).await?).await?);
            }
            output::line(&format!("account {id} ({currency}) {}", if made { "created" } else { "exists already" }))
        }
        AccountCommand::List(page) => {
            let mut rows = Vec::new();
            for account in gateway.store().accounts().await? {
                if page.after.as_deref().is_none_or(|after| account.id.as_str() > after) {
                    rows.push(shown(&gateway, &account).await?);
                }
            }
            rows.truncate(page.limit.unwrap_or(usize::MAX));
            output::list(rows, &["id", "currency", "balance", "enabled"], as_json)
        }
        AccountCommand::Show { id } => {
            let row = shown(&gateway, &find(&gateway, &id).await?).await?;
            if as_json { output::json(&row) } else { output::table(&[row], &["id", "currency", "balance", "enabled"]) }
        }
        AccountCommand::Deposit { id, amount, reference } => {
            let amount = parse_amount(&amount)?;
            let account = find(&gateway, &id).await?;
            let money = Money::new(amount, account.currency);
            let booking = gateway.deposit(&account.id, money, check_reference(&reference)?).await?;
            say(&gateway, &account, booking, &reference, money, as_json).await
        }
        AccountCommand::Adjust(args) => {
            let amount: Micros = parse_id(&args.amount)?;
            if amount.is_zero() || args.reason.trim().is_empty() {
                return Err(Usage("the amount must not be 0, and --reason must say something".to_owned()).into());
            }
            let account = find(&gateway, &args.id).await?;
            let money = Money::new(amount, account.currency);
            let booking = gateway.adjust(&account.id, money, check_reference(&args.reference)?, &args.reason).await?;
            say(&gateway, &account, booking, &args.reference, money, as_json).await
        }
    }
}

async fn say(
    gateway: &Gateway,
    account: &AccountRecord,
    booking: Booking,
    reference: &str,
    money: Money,
    as_json: bool,
) -> anyhow::Result<()> {
    let said = booked(booking, reference)?;
    if as_json {
        return output::json(&shown(gateway, account).await?);
    }
    output::line(&format!("{said}: {money} for {}", account.id))
}

/// What became of a booking, in words; another amount under the same reference is a failure.
pub(crate) fn booked(booking: Booking, reference: &str) -> anyhow::Result<&'static str> {
    match booking {
        Booking::Booked => Ok("booked"),
        Booking::AlreadyBooked => Ok("already booked"),
        Booking::NoFunds => bail!("the wallet does not hold that much"),
        Booking::OtherAmount => bail!("reference `{reference}` was booked before with another amount"),
    }
}

/// The account of that id.
pub(crate) async fn find(gateway: &Gateway, id: &str) -> anyhow::Result<AccountRecord> {
    let wanted: AccountId = parse_id(id)?;
    let found = gateway.store().accounts().await?.into_iter().find(|a| a.id == wanted);
    found.ok_or_else(|| anyhow::anyhow!("there is no account {id}"))
}

async fn shown(gateway: &Gateway, account: &AccountRecord) -> anyhow::Result<Value> {
    let balance = gateway.balance(account).await?;
    Ok(json!({
        "id": account.id, "currency": account.currency, "balance": balance.amount.to_string(), "enabled": account.enabled,
    }))
}
