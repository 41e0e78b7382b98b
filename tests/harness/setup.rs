//! What a scenario starts from: upstreams, a catalogue, a funded account, short intervals.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use interline_sandbox::{Adapter, ChargeAfterPartial, Config, NamedService, Service, Tarif};

use crate::upstream::Upstream;

/// The account that scenarios order with.
pub const ACCOUNT: &str = "panel-a";

/// The service that they order.
pub const SERVICE: &str = "101";

/// Everything that happens by itself happens within a blink, and nothing is slowed down by a limit.
const SETTINGS: [(&str, &str); 9] = [
    ("SERVER__LISTEN", "127.0.0.1:0"),
    ("SYNC__STATUS_FIRST_MS", "50"),
    ("SYNC__STATUS_MAX_MS", "200"),
    ("SYNC__CATALOGUE_MS", "500"),
    ("SYNC__BALANCE_MS", "200"),
    ("PANEL__DISPATCH_WAIT_MS", "2000"),
    ("DISPATCH__QUIET_S", "0"),
    ("LIMITS__IP_PER_MINUTE", "1000000"),
    ("LIMITS__KEY_PER_MINUTE", "1000000"),
];

/// A setup to be changed by its methods: service [`SERVICE`] at 2.50 per 1000, sold by every upstream of it.
pub struct Setup {
    upstreams: Vec<UpstreamSetup>,
    price: String,
    more: String,
    funds: String,
    settings: Vec<(String, String)>,
    sabotaged: bool,
}

impl Setup {
    /// Upstream `alpha` at 0.90 per 1000 and `beta` at 1.20.
    pub fn two() -> Self {
        Self::of([UpstreamSetup::new("alpha", "0.90"), UpstreamSetup::new("beta", "1.20")])
    }

    /// These upstreams, offered in this order.
    pub fn of(upstreams: impl IntoIterator<Item = UpstreamSetup>) -> Self {
        let setup = Self {
            upstreams: upstreams.into_iter().collect(),
            price: "rate = \"2.50\"".to_owned(),
            more: String::new(),
            funds: "100".to_owned(),
            settings: Vec::new(),
            sabotaged: false,
        };
        SETTINGS.into_iter().fold(setup, |setup, (key, value)| setup.setting(key, value))
    }

    /// One key of the configuration, written as `SECTION__KEY`; the last word on a key counts.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((format!("INTERLINE_{key}"), value.to_owned()));
        self
    }

    /// Leaves a key of the configuration out of the environment, so that a file may say it.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.settings.retain(|(name, _)| name.strip_prefix("INTERLINE_") != Some(key));
        self
    }

    /// The catalogue line that prices the service.
    #[must_use]
    pub fn price(mut self, line: &str) -> Self {
        line.clone_into(&mut self.price);
        self
    }

    /// Further entries of the catalogue file.
    #[must_use]
    pub fn more(mut self, text: &str) -> Self {
        self.more.push_str(text);
        self
    }

    /// What is deposited for [`ACCOUNT`].
    #[must_use]
    pub fn deposit(mut self, amount: &str) -> Self {
        amount.clone_into(&mut self.funds);
        self
    }

    /// Uses the binary that can be told to break the rules, and tells it to break this one.
    #[must_use]
    pub fn sabotage(mut self, rule: &str) -> Self {
        self.sabotaged = true;
        self.settings.push(("INTERLINE_SABOTAGE".to_owned(), rule.to_owned()));
        self
    }

    pub(crate) fn is_sabotaged(&self) -> bool {
        self.sabotaged
    }

    pub(crate) fn funds(&self) -> &str {
        &self.funds
    }

    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        self.settings.clone()
    }

    pub(crate) fn start_upstreams(&self) -> Result<Vec<Upstream>> {
        self.upstreams.iter().map(UpstreamSetup::start).collect()
    }

    /// The catalogue file.
    pub(crate) fn catalogue(&self, running: &[Upstream]) -> Result<String> {
        let (mut upstreams, mut offers) = (String::new(), String::new());
        for setup in &self.upstreams {
            let UpstreamSetup { id, adapter, currency, timeout_ms, limits: (per_second, burst), lines, .. } = setup;
            let upstream = running.iter().find(|upstream| upstream.id() == *id).context("it does not run")?;
            write!(
                upstreams,
                "[[upstream]]\nid = \"{id}\"\nadapter = \"{}\"\nurl = \"{}\"\nkey = \"plain:{}\"\n\
                 currency = \"{currency}\"\nallow_private_address = true\ntimeout_ms = {timeout_ms}\n\
                 requests_per_second = {per_second}\nburst = {burst}\n{lines}\n",
                adapter.name(),
                upstream.url(),
                upstream.key()
            )?;
            offers.push_str(&setup.offer());
        }
        let price = &self.price;
        let refill = if self.upstreams.iter().any(|upstream| upstream.refill) { "refill = true\n" } else { "" };
        Ok(format!(
            "{upstreams}\n[[service]]\nid = {SERVICE}\nname = \"Placement, standard\"\ncategory = \"Placements\"\n\
             {price}\nmin = 10\nmax = 10000\ncancel = true\n{refill}{offers}\n\
             [[account]]\nid = \"{ACCOUNT}\"\ncurrency = \"USD\"\n{}",
            self.more
        ))
    }
}

/// One upstream of a setup: 500 in its balance, quantities from 10 to 10000, three seconds for an answer.
pub struct UpstreamSetup {
    id: &'static str,
    adapter: Adapter,
    params: Option<String>,
    rate: String,
    currency: String,
    balance: String,
    timeout_ms: u32,
    max: u64,
    cancel: bool,
    refill: bool,
    charge_after_partial: ChargeAfterPartial,
    others: Vec<Service>,
    limits: (u32, u32),
    lines: String,
}

impl UpstreamSetup {
    /// An upstream that sells at `rate` per 1000, whatever the quantity.
    pub fn new(id: &'static str, rate: &str) -> Self {
        Self {
            id,
            adapter: Adapter::PerfectPanel,
            params: None,
            rate: rate.to_owned(),
            currency: "USD".to_owned(),
            balance: "500".to_owned(),
            timeout_ms: 3_000,
            max: 10_000,
            cancel: true,
            refill: false,
            charge_after_partial: ChargeAfterPartial::Net,
            others: Vec::new(),
            limits: (1_000, 1_000),
            lines: String::new(),
        }
    }

    /// The protocol that it speaks; else PerfectPanel. Streamskill sells by time, and its offer is for an hour.
    #[must_use]
    pub fn adapter(mut self, adapter: Adapter) -> Self {
        self.adapter = adapter;
        self
    }

    /// The parameters of its offer, as an inline table of the catalogue file such as `{ duration = 24, start = true }`.
    #[must_use]
    pub fn params(mut self, table: &str) -> Self {
        self.params = Some(table.to_owned());
        self
    }

    /// The currency of its prices and its balance.
    #[must_use]
    pub fn currency(mut self, code: &str) -> Self {
        code.clone_into(&mut self.currency);
        self
    }

    /// What is in its balance at the start, and booked as prepaid.
    #[must_use]
    pub fn balance(mut self, amount: &str) -> Self {
        amount.clone_into(&mut self.balance);
        self
    }

    /// How long its answers are waited for.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }

    /// The largest quantity that it takes.
    #[must_use]
    pub fn max(mut self, max: u64) -> Self {
        self.max = max;
        self
    }

    /// It cannot cancel, and its catalogue says so.
    #[must_use]
    pub fn uncancelable(mut self) -> Self {
        self.cancel = false;
        self
    }

    /// It refills, its catalogue says so, and so does our service.
    #[must_use]
    pub fn refill(mut self) -> Self {
        self.refill = true;
        self
    }

    /// What its `charge` says after a refund, and the catalogue knows it.
    #[must_use]
    pub fn charges(mut self, meaning: ChargeAfterPartial) -> Self {
        self.charge_after_partial = meaning;
        let word = match meaning {
            ChargeAfterPartial::Net => "net",
            ChargeAfterPartial::Gross => "gross",
        };
        self.line(&format!("charge_after_partial = \"{word}\""))
    }

    /// Another service that it sells; whoever orders it writes an entry of [`Setup::more`] for it.
    #[must_use]
    pub fn also(mut self, service: Service) -> Self {
        self.others.push(service);
        self
    }

    /// How often it may be called in a second, and at once; else that is no limit.
    #[must_use]
    pub fn limits(mut self, requests_per_second: u32, burst: u32) -> Self {
        self.limits = (requests_per_second, burst);
        self
    }

    /// One more line of its entry in the catalogue file.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    /// The entry of its offer in the catalogue file.
    fn offer(&self) -> String {
        let by_time = (self.adapter == Adapter::Streamskill).then_some("{ duration = 1, start = true }");
        let params = self.params.as_deref().or(by_time).map_or(String::new(), |table| format!("params = {table}\n"));
        let (id, service) = (self.id, self.adapter.first_service());
        format!("[[service.offer]]\nupstream = \"{id}\"\nservice = \"{service}\"\n{params}")
    }

    fn start(&self) -> Result<Upstream> {
        // At Streamrise a service of the PerfectPanel part, which shares its orders.
        let service = Service {
            id: "1".to_owned(),
            name: "Placement".to_owned(),
            category: "Placements".to_owned(),
            service_type: "Default".to_owned(),
            rate: self.rate.clone(),
            min: 10,
            max: self.max,
            refill: self.refill,
            cancel: self.cancel,
            dripfeed: false,
        };
        let named = NamedService { cancel: self.cancel, ..NamedService::even(&self.rate, 10, self.max) };
        let config = Config {
            adapter: self.adapter,
            key: format!("{}-key-5f0c7a91d2", self.id),
            currency: self.currency.clone(),
            balance: self.balance.clone(),
            services: [service].into_iter().chain(self.others.iter().cloned()).collect(),
            named: vec![named],
            tarifs: vec![Tarif::even(&self.rate, 10, self.max)],
            charge_after_partial: self.charge_after_partial,
            ..Config::default()
        };
        Upstream::start(self.id, config)
    }
}
