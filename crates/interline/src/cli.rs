//! The command line: every command, its arguments and an example in its help.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

/// The order gateway for panels: one key in, every upstream out, books that settle to the micro-unit.
#[derive(Debug, Parser)]
#[command(
    name = "interline",
    version,
    max_term_width = 110,
    after_help = "Examples:\n  interline demo\n  interline serve --config interline.toml\n\nExit codes: 0 done, 1 failed, 2 wrong usage."
)]
pub(crate) struct Cli {
    /// Configuration file [default: ./interline.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document on stdout and nothing else
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything on one machine with no set-up: three simulated upstreams, a catalogue, two funded accounts
    #[command(after_help = "Example:\n  interline demo --listen 127.0.0.1:8080 --traffic")]
    Demo(DemoArgs),
    /// The gateway: takes orders, sends and follows them; SIGTERM drains and exits 0, SIGHUP reads the configuration anew
    #[command(after_help = "Example:\n  interline serve --config interline.toml")]
    Serve,
    /// Make the database match a catalogue file; what it leaves out of a section is disabled
    #[command(after_help = "Example:\n  interline apply catalogue.toml")]
    Apply(ApplyArgs),
    /// Write the current state as a catalogue file; applying it back changes nothing
    #[command(
        after_help = "Examples:\n  interline export-catalogue --output catalogue.toml\n  interline export-catalogue --json\n\nReferences (env:, file:) are written, stored keys are left out."
    )]
    ExportCatalogue(ExportArgs),
    /// Upstreams: list, sync catalogues and balances, check what they can do, book what was paid in
    #[command(subcommand, after_help = "Example:\n  interline upstream list")]
    Upstream(UpstreamCommand),
    /// Our services: list, import from what an upstream lists
    #[command(subcommand, after_help = "Example:\n  interline service list")]
    Service(ServiceCommand),
    /// Customers: make, list, show, fund
    #[command(subcommand, after_help = "Example:\n  interline account create panel-a --currency USD")]
    Account(AccountCommand),
    /// API keys of customers
    #[command(subcommand, after_help = "Example:\n  interline key create panel-a --label website")]
    Key(KeyCommand),
    /// Orders: list, show with their whole timeline
    #[command(subcommand, after_help = "Example:\n  interline order show 17")]
    Order(OrderCommand),
    /// The cases that a machine must not decide
    #[command(subcommand, after_help = "Example:\n  interline review list")]
    Review(ReviewCommand),
    /// Why an order would go where
    #[command(subcommand, after_help = "Example:\n  interline route explain --service 101 --quantity 1000")]
    Route(RouteCommand),
    /// The books: verify, trial balance, statements, journal
    #[command(subcommand, after_help = "Example:\n  interline ledger verify")]
    Ledger(LedgerCommand),
    /// Check configuration, database, clock, upstreams, open cases and why orders are slow, and say what to do
    #[command(after_help = "Example:\n  interline doctor\n\nIt exits 1 if one of its findings is an error.")]
    Doctor,
    /// Completions for a shell, on stdout
    #[command(after_help = "Example:\n  interline completions bash > /etc/bash_completion.d/interline")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// One simulated upstream with scripted faults, for integrators
    #[command(after_help = crate::commands::sandbox::help())]
    Sandbox(SandboxArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Keep the database in this folder instead of a temporary one
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Place orders by itself, so that there is something to look at
    #[arg(long)]
    pub(crate) traffic: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The catalogue file (TOML)
    pub(crate) file: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Write this file, whole or not at all, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Every service, by id, with the rate that it has now in the base currency
    #[command(after_help = "Example:\n  interline service list --json")]
    List(ListArgs),
    /// Make a disabled service of everything that an upstream lists and that no service offers yet
    #[command(
        after_help = "Examples:\n  interline service import --upstream alpha --match followers --markup 40\n  interline service import --upstream gamma --match viewers --param duration=24\n\nTo enable what was imported: export-catalogue, set enabled = true, apply."
    )]
    Import(ImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The upstream, whose catalogue was read by `upstream sync` or by a server
    #[arg(long, value_name = "ID")]
    pub(crate) upstream: String,
    /// Only those with this text in their name or category, in any case [default: all]
    #[arg(long = "match", value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) matching: String,
    /// Their markup on the cheapest offer, in percent
    #[arg(long, value_name = "PERCENT", default_value = "30", allow_negative_numbers = true)]
    pub(crate) markup: String,
    /// A fixed parameter of every new offer, such as duration=24 where the price is by time; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UpstreamCommand {
    /// Every upstream with its money, and why it takes no orders if it does not
    #[command(after_help = "Example:\n  interline upstream list --json")]
    List(ListArgs),
    /// Read catalogues and balances now; tries all, exits 1 if one failed
    #[command(after_help = "Example:\n  interline upstream sync alpha")]
    Sync {
        /// Only this upstream
        id: Option<String>,
    },
    /// Read balances now
    #[command(after_help = "Example:\n  interline upstream balance alpha")]
    Balance {
        /// Only this upstream
        id: Option<String>,
    },
    /// Ask a live upstream what it can do, and change nothing there; exits 1 if it cannot be used
    #[command(
        after_help = "Example:\n  interline upstream check alpha\n\nFound: ok, odd (look at it), not offered, not tried (it would change something), unusable.\nIt asks with the real key for the catalogue, the balance, the status of an order that there is\nnot, an action that there is not, and the list of orders and the feed where the protocol has them."
    )]
    Check {
        /// The upstream
        id: String,
    },
    /// Book money that was paid in at an upstream, in its currency; a reference books once
    #[command(after_help = "Example:\n  interline upstream topup alpha 500 --reference invoice-77")]
    Topup {
        /// The upstream
        id: String,
        /// How much, such as 500 or 99.95
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// What makes it this payment and no other
        #[arg(long)]
        reference: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make a customer
    #[command(after_help = "Example:\n  interline account create panel-a --currency USD")]
    Create {
        /// Its id: a-z, 0-9, `.`, `_`, `-`
        id: String,
        /// The currency it is charged in [default: the base currency]
        #[arg(long)]
        currency: Option<String>,
    },
    /// Every customer with its balance
    #[command(after_help = "Example:\n  interline account list")]
    List(ListArgs),
    /// One customer
    #[command(after_help = "Example:\n  interline account show panel-a --json")]
    Show {
        /// The customer
        id: String,
    },
    /// Book money that came in for a customer; a reference books once
    #[command(after_help = "Example:\n  interline account deposit panel-a 100 --reference bank-2026-11-21-7")]
    Deposit {
        /// The customer
        id: String,
        /// How much, such as 100 or 99.95
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// What makes it this payment and no other
        #[arg(long)]
        reference: String,
    },
    /// Give money to a customer, or take it back, for a reason; a reference books once
    #[command(
        after_help = "Example:\n  interline account adjust panel-a 2.50 --reason \"late delivery\" --reference ticket-318"
    )]
    Adjust(AdjustArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AdjustArgs {
    /// The customer
    pub(crate) id: String,
    /// How much; negative takes back
    #[arg(allow_negative_numbers = true)]
    pub(crate) amount: String,
    /// Why, for the books
    #[arg(long)]
    pub(crate) reason: String,
    /// What makes it this adjustment and no other
    #[arg(long)]
    pub(crate) reference: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an API key; it is printed once and kept nowhere
    #[command(
        after_help = "Example:\n  interline key create panel-a --label website --dialect classic --expires 2027-01-01"
    )]
    Create {
        /// The customer
        account: String,
        /// Your name for it
        #[arg(long, default_value = "")]
        label: String,
        /// What it may do: everything, or only read (services, balance, statuses)
        #[arg(long, default_value = "all", value_parser = ["all", "read"])]
        scope: String,
        /// How its holder is answered at /api/v2 [default: as panel.dialect says]
        #[arg(long, value_parser = ["seed", "classic"])]
        dialect: Option<String>,
        /// From when on it is refused: YYYY-MM-DD (UTC) or RFC 3339
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// A customer's keys
    #[command(after_help = "Example:\n  interline key list panel-a")]
    List {
        /// The customer
        account: String,
        #[command(flatten)]
        page: ListArgs,
    },
    /// Refuse a key from now on
    #[command(after_help = "Example:\n  interline key revoke key_0123456789ab")]
    Revoke {
        /// The `id` that `key list` shows
        key_id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// At most so many [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Only what comes after this id
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// One order with its timeline: every attempt, answer and posting
    #[command(after_help = "Example:\n  interline order show 17")]
    Show {
        /// The order
        id: String,
    },
    /// Orders, oldest first
    #[command(after_help = "Example:\n  interline order list --status Partial --account panel-a")]
    List {
        /// Pending, "In progress", Partial, Completed or Canceled
        #[arg(long)]
        status: Option<String>,
        /// Only this customer's
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        page: ListArgs,
    },
    /// Ask the upstream for an order's status now instead of later
    #[command(after_help = "Example:\n  interline order retry-status 17")]
    RetryStatus {
        /// The order
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// Open cases, oldest first
    #[command(after_help = "Example:\n  interline review list")]
    List {
        /// Closed ones too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        page: ListArgs,
    },
    /// One case with its evidence
    #[command(after_help = "Example:\n  interline review show 65541")]
    Show {
        /// The case
        case: String,
    },
    /// Decide a case
    #[command(
        after_help = "Examples:\n  interline review resolve 65541 --delivered 880123\n  interline review resolve 65541 --not-delivered"
    )]
    Resolve {
        /// The case
        case: String,
        #[command(flatten)]
        how: ResolveArgs,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ResolveArgs {
    /// The upstream has the order, under this id
    #[arg(long, value_name = "UPSTREAM_ORDER_ID")]
    pub(crate) delivered: Option<String>,
    /// The upstream does not have it: the next upstream is tried, or the customer refunded
    #[arg(long)]
    pub(crate) not_delivered: bool,
    /// Give the money up: the customer is refunded, the upstream's cost is booked as lost
    #[arg(long)]
    pub(crate) write_off: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RouteCommand {
    /// The candidates with their costs, and why each was taken or passed over
    #[command(after_help = "Example:\n  interline route explain --service 101 --quantity 1000 --account panel-a")]
    Explain {
        /// Our service
        #[arg(long)]
        service: String,
        /// Units
        #[arg(long)]
        quantity: u64,
        /// At this customer's rate [default: the undiscounted rate in the base currency]
        #[arg(long)]
        account: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SpanArgs {
    /// From this time on: YYYY-MM-DD (UTC) or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Up to this time, not included
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check every invariant of the books; exits 1 if one is broken
    #[command(after_help = "Example:\n  interline ledger verify")]
    Verify,
    /// Debits, credits and balance of every account
    #[command(after_help = "Example:\n  interline ledger trial-balance --to 2026-12-01")]
    TrialBalance(SpanArgs),
    /// The movements of one account
    #[command(
        after_help = "Examples:\n  interline ledger statement panel-a --from 2026-11-01\n  interline ledger statement assets:upstream:alpha:USD"
    )]
    Statement {
        /// A ledger account (with `:`) or a customer
        account: String,
        #[command(flatten)]
        span: SpanArgs,
    },
    /// Every posting, in its order
    #[command(
        after_help = "Examples:\n  interline ledger journal --from 2026-11-21 --json\n  interline ledger journal --after order:17:charge --limit 100\n\nThe id of a posting is its key."
    )]
    Journal {
        #[command(flatten)]
        span: SpanArgs,
        #[command(flatten)]
        page: ListArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    /// The protocol it speaks
    #[arg(long, value_parser = ["perfectpanel", "streamrise", "streamskill"])]
    pub(crate) adapter: String,
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Faults to begin with (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// The key it accepts
    #[arg(long, default_value = "sandbox-key")]
    pub(crate) key: String,
    /// The currency of its prices and its balance
    #[arg(long, default_value = "USD", value_name = "CODE")]
    pub(crate) currency: String,
    /// What its balance holds at the start
    #[arg(long, default_value = "1000", value_name = "AMOUNT")]
    pub(crate) balance: String,
    /// What its first service costs per 1000 (at Streamskill for an hour), whatever the quantity [default: as it lists it]
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) rate: Option<String>,
}
