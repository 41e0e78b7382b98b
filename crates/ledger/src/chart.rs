//! The chart of accounts. An account's name is part of exports and reports, so its spelling is a contract.

use std::{fmt, str::FromStr};

use interline_domain::{AccountId, Currency, UpstreamId};

/// What a ledger account holds, whatever its currency. Debit is positive, credit negative.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Money outside.
    Bank,
    /// Prepaid at the upstream, the proven part.
    Upstream(UpstreamId),
    /// Reserved by attempts that are queued, being sent or unknown.
    Committed(UpstreamId),
    /// Cost booked for orders that run.
    Wip(UpstreamId),
    /// Refund that the upstream owes and has not shown in its balance.
    Claims(UpstreamId),
    /// Unknown past its deadline, the customer already refunded.
    Disputed(UpstreamId),
    /// Spendable money of a customer.
    Wallet(AccountId),
    /// Charged to customers for orders that have not ended.
    Orders,
    /// Unexplained differences and unidentified money.
    Suspense(Suspense),
    /// Opening balances.
    EquityOpening,
    /// Currency trading: what one currency gave and the other took.
    EquityFx,
    /// Earned from customers.
    Sales,
    /// Gains from exchange rates.
    IncomeFx,
    /// Cost of what was delivered, at the reserved price.
    Cogs(UpstreamId),
    /// What the upstream charged above or below the reserved price.
    CogsVariance(UpstreamId),
    /// What the upstream charged for refills.
    CogsRefill(UpstreamId),
    /// Money lost at the upstream.
    Loss(UpstreamId),
    /// Given to customers.
    Goodwill,
    /// Losses from exchange rates.
    ExpenseFx,
}

/// Why money is in suspense. The balance of one upstream is the sum of the entries that carry its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspense {
    /// The first balance reading, before a top-up was booked.
    Opening,
    /// A balance higher than explained.
    Excess,
}

impl Suspense {
    /// The kind as it stands in the account's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Excess => "excess",
        }
    }
}

/// An account in one currency, written `assets:upstream:alpha:USD`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerAccount {
    /// What it holds.
    pub account: Account,
    /// In which currency.
    pub currency: Currency,
}

/// A text that names no account of the chart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a ledger account such as assets:upstream:alpha:USD")]
pub struct ChartError(String);

impl LedgerAccount {
    /// Whether its balance is stored, versioned and locked when it is written; the others are sums of entries alone.
    pub fn has_stored_balance(&self) -> bool {
        matches!(
            self.account,
            Account::Upstream(_)
                | Account::Committed(_)
                | Account::Claims(_)
                | Account::Disputed(_)
                | Account::Wallet(_)
        )
    }
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Account::Bank => f.write_str("assets:bank"),
            Account::Upstream(id) => write!(f, "assets:upstream:{id}"),
            Account::Committed(id) => write!(f, "assets:committed:{id}"),
            Account::Wip(id) => write!(f, "assets:wip:{id}"),
            Account::Claims(id) => write!(f, "assets:claims:{id}"),
            Account::Disputed(id) => write!(f, "assets:disputed:{id}"),
            Account::Wallet(id) => write!(f, "liabilities:wallet:{id}"),
            Account::Orders => f.write_str("liabilities:orders"),
            Account::Suspense(kind) => write!(f, "liabilities:suspense:{}", kind.name()),
            Account::EquityOpening => f.write_str("equity:opening"),
            Account::EquityFx => f.write_str("equity:fx"),
            Account::Sales => f.write_str("income:sales"),
            Account::IncomeFx => f.write_str("income:fx"),
            Account::Cogs(id) => write!(f, "expenses:cogs:{id}"),
            Account::CogsVariance(id) => write!(f, "expenses:cogs_variance:{id}"),
            Account::CogsRefill(id) => write!(f, "expenses:cogs_refill:{id}"),
            Account::Loss(id) => write!(f, "expenses:loss:{id}"),
            Account::Goodwill => f.write_str("expenses:goodwill"),
            Account::ExpenseFx => f.write_str("expenses:fx"),
        }?;
        write!(f, ":{}", self.currency)
    }
}

impl FromStr for LedgerAccount {
    type Err = ChartError;

    fn from_str(text: &str) -> Result<Self, ChartError> {
        let wrong = || ChartError(text.chars().take(160).collect());
        let upstream = |id: &str| id.parse::<UpstreamId>().map_err(|_| wrong());
        let (name, currency) = text.rsplit_once(':').ok_or_else(wrong)?;
        let parts: Vec<&str> = name.split(':').collect();
        let account = match *parts.as_slice() {
            ["assets", "bank"] => Account::Bank,
            ["assets", "upstream", id] => Account::Upstream(upstream(id)?),
            ["assets", "committed", id] => Account::Committed(upstream(id)?),
            ["assets", "wip", id] => Account::Wip(upstream(id)?),
            ["assets", "claims", id] => Account::Claims(upstream(id)?),
            ["assets", "disputed", id] => Account::Disputed(upstream(id)?),
            ["liabilities", "wallet", id] => Account::Wallet(id.parse::<AccountId>().map_err(|_| wrong())?),
            ["liabilities", "orders"] => Account::Orders,
            ["liabilities", "suspense", "opening"] => Account::Suspense(Suspense::Opening),
            ["liabilities", "suspense", "excess"] => Account::Suspense(Suspense::Excess),
            ["equity", "opening"] => Account::EquityOpening,
            ["equity", "fx"] => Account::EquityFx,
            ["income", "sales"] => Account::Sales,
            ["income", "fx"] => Account::IncomeFx,
            ["expenses", "cogs", id] => Account::Cogs(upstream(id)?),
            ["expenses", "cogs_variance", id] => Account::CogsVariance(upstream(id)?),
            ["expenses", "cogs_refill", id] => Account::CogsRefill(upstream(id)?),
            ["expenses", "loss", id] => Account::Loss(upstream(id)?),
            ["expenses", "goodwill"] => Account::Goodwill,
            ["expenses", "fx"] => Account::ExpenseFx,
            _ => return Err(wrong()),
        };
        Ok(Self { account, currency: currency.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chart as the design lists it, and whether the balance is stored.
    const CHART: [(&str, bool); 20] = [
        ("assets:bank:USD", false),
        ("assets:upstream:alpha:USD", true),
        ("assets:committed:alpha:USD", true),
        ("assets:wip:alpha:USD", false),
        ("assets:claims:alpha:USD", true),
        ("assets:disputed:alpha:USD", true),
        ("liabilities:wallet:panel-a:USD", true),
        ("liabilities:orders:USD", false),
        ("liabilities:suspense:opening:USD", false),
        ("liabilities:suspense:excess:USD", false),
        ("equity:opening:USD", false),
        ("equity:fx:USD", false),
        ("income:sales:USD", false),
        ("income:fx:USD", false),
        ("expenses:cogs:alpha:USD", false),
        ("expenses:cogs_variance:alpha:USD", false),
        ("expenses:cogs_refill:alpha:USD", false),
        ("expenses:loss:alpha:USD", false),
        ("expenses:goodwill:USD", false),
        ("expenses:fx:USD", false),
    ];

    #[test]
    fn every_account_is_written_as_it_is_read() {
        for (name, stored) in CHART {
            let account: LedgerAccount = name.parse().unwrap();
            assert_eq!(account.to_string(), name);
            assert_eq!(account.has_stored_balance(), stored, "{name}");
        }
    }

    #[test]
    fn names_with_dots_and_dashes_and_long_currencies_survive() {
        for name in ["assets:upstream:a.b_c-1:USDT", "liabilities:wallet:bank:EUR", "expenses:loss:fx:BTC"] {
            assert_eq!(name.parse::<LedgerAccount>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_is_not_in_the_chart_is_refused() {
        for bad in [
            "",
            "USD",
            "assets:bank",
            "assets:bank:usd",
            "assets:upstream:USD",
            "assets:upstream:Alpha:USD",
            "assets:upstream:alpha:beta:USD",
            "liabilities:suspense:other:USD",
            "expenses:cogs:USD",
            " assets:bank:USD",
        ] {
            assert!(bad.parse::<LedgerAccount>().is_err(), "{bad}");
        }
    }
}
