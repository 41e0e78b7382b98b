//! `interline demo`: everything on one machine, on real parts: a SQLite file, three simulated upstreams on real sockets,
//! one for each protocol, a catalogue and two funded accounts.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use interline_domain::{AccountId, Currency, Fields, Money, Style, UpstreamId};
use interline_orders::Gateway;
use interline_sandbox::{Adapter, Config as SandboxConfig, Sandbox};
use interline_store::NewKey;
use secrecy::ExposeSecret as _;

use crate::{catalogue_file, cli::DemoArgs, config::Config, metrics::Metrics, output, serve, wiring};

/// A simulated upstream.
struct Simulated {
    id: &'static str,
    adapter: Adapter,
    /// Its prices, in percent of the usual ones in dollars.
    percent: u32,
    currency: &'static str,
    balance: &'static str,
    /// What its offer of the first service says beside it: a line of the catalogue file.
    params: &'static str,
}

/// Each has prices of its own kind, so that another one is the cheapest for another quantity: the panel by the
/// thousand, Streamrise by a table of totals, and Streamskill by the hour, in roubles of which a dollar is eighty.
const UPSTREAMS: [Simulated; 3] = [
    Simulated {
        id: "panel",
        adapter: Adapter::PerfectPanel,
        percent: 100,
        currency: "USD",
        balance: "500",
        params: "",
    },
    Simulated {
        id: "streamrise",
        adapter: Adapter::Streamrise,
        percent: 100,
        currency: "USD",
        balance: "500",
        params: "",
    },
    Simulated {
        id: "streamskill",
        adapter: Adapter::Streamskill,
        percent: 8_000,
        currency: "RUB",
        balance: "40000",
        params: "params = { duration = 1, start = true }\n",
    },
];
/// What the printed lines order, and whose turn that is.
const QUANTITY: u32 = 1_000;
const CHEAPEST: usize = 1;
/// The key that the simulated upstreams accept.
const UPSTREAM_KEY: &str = "demo-upstream-key";
/// The customers, and what each has to spend.
const ACCOUNTS: [&str; 2] = ["panel-a", "panel-b"];
const FUNDS: &str = "100";
/// The pause between two orders of `--traffic`.
const TRAFFIC_PAUSE: Duration = Duration::from_millis(1_500);

/// Sets everything up, prints how to try it, and serves until Ctrl-C.
pub(crate) async fn run(mut config: Config, args: DemoArgs) -> anyhow::Result<()> {
    let temporary = if args.keep.is_none() { Some(Folder::new()?) } else { None };
    let folder = args.keep.clone().or_else(|| temporary.as_ref().map(|t| t.0.clone())).unwrap_or_default();
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    // Another terminal may be in another folder.
    let folder = std::path::absolute(&folder).with_context(|| folder.display().to_string())?;
    config.database.url = format!("sqlite://{}", folder.join("interline.db").display());
    config.secrets.master_key = String::new().into();
    // Short intervals, so that there is something to see within a minute.
    (config.sync.status_first_ms, config.sync.status_max_ms, config.sync.balance_ms) = (1_000, 5_000, 5_000);

    let metrics = Metrics::start(&config).await?;
    let gateway = wiring::gateway(&config).await?;
    let _lock = gateway.store().lock_for_serving()?;
    let listener = serve::bind(args.listen)?;
    let address = listener.local_addr()?;
    let mut sandboxes = Vec::new();
    for (index, Simulated { id, adapter, percent, currency, balance, .. }) in UPSTREAMS.into_iter().enumerate() {
        let id: UpstreamId = id.parse()?;
        let book = gateway.health(&id).book.total();
        let config = SandboxConfig {
            key: UPSTREAM_KEY.to_owned(),
            currency: currency.to_owned(),
            // With --keep a simulated upstream goes on with what the books say is there.
            balance: if book.is_zero() { balance.to_owned() } else { book.to_string() },
            // Ids rise from start to start, as those of a real upstream do.
            first_order: u64::try_from(wiring::now().millis() / 1_000)? + u64::try_from(index)? * 1_000_000,
            ..SandboxConfig::of(adapter, percent)
        };
        sandboxes
            .push(Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.context("a simulated upstream")?);
    }
    set_up(&gateway, &sandboxes).await?;
    let (_, key) = gateway
        .store()
        .create_key(&ACCOUNTS[0].parse()?, NewKey { label: "demo".to_owned(), ..NewKey::default() }, wiring::now())
        .await?;
    explain(address, key.expose_secret(), &folder, args.keep.is_some(), &sandboxes[CHEAPEST])?;
    let stop = serve::stop_signal()?;
    if args.traffic {
        tokio::spawn(traffic(gateway.clone()));
    }
    serve::serve(gateway, listener, config, metrics, stop, None).await
}

/// Applies the catalogue, funds everybody and reads the upstreams for the first time.
async fn set_up(gateway: &Arc<Gateway>, sandboxes: &[Sandbox]) -> anyhow::Result<()> {
    let text = catalogue(sandboxes);
    let desired = catalogue_file::read(&text, gateway.dialects(), gateway.settings().base_currency)?;
    gateway.store().apply(&desired, false, wiring::now()).await?;
    gateway.reload_catalogue().await?;
    for Simulated { id, currency, balance, .. } in UPSTREAMS {
        let currency: Currency = currency.parse()?;
        gateway.topup(&id.parse()?, Money::new(balance.parse()?, currency), "demo").await?;
        let upstream = gateway.upstream(id)?;
        gateway.sync_catalogue(&upstream).await?;
        gateway.read_balance(&upstream).await?;
    }
    for account in ACCOUNTS {
        let account: AccountId = account.parse()?;
        let money = Money::new(FUNDS.parse()?, gateway.settings().base_currency);
        gateway.deposit(&account, money, "demo").await?;
    }
    Ok(())
}

/// One service at a fixed price that all three offer, and one with a markup that has two offers by the thousand.
fn catalogue(sandboxes: &[Sandbox]) -> String {
    let upstreams: Vec<String> = UPSTREAMS
        .iter()
        .zip(sandboxes)
        .map(|(Simulated { id, adapter, currency, .. }, sandbox)| {
            format!(
                "[[upstream]]\nid = \"{id}\"\nadapter = \"{}\"\nurl = \"{}\"\nkey = \"plain:{UPSTREAM_KEY}\"\n\
                 currency = \"{currency}\"\nallow_private_address = true\n\n",
                adapter.name(),
                sandbox.url()
            )
        })
        .collect();
    let offer = |upstream: &str, service: &str, params: &str| {
        format!("[[service.offer]]\nupstream = \"{upstream}\"\nservice = \"{service}\"\n{params}")
    };
    let everywhere: Vec<String> =
        UPSTREAMS.iter().map(|at| offer(at.id, at.adapter.first_service(), at.params)).collect();
    let by_the_thousand: Vec<String> =
        UPSTREAMS.iter().filter(|at| at.adapter != Adapter::Streamskill).map(|at| offer(at.id, "1", "")).collect();
    let accounts: Vec<String> = ACCOUNTS.iter().map(|id| format!("[[account]]\nid = \"{id}\"\n")).collect();
    format!(
        "[[currency]]\ncode = \"RUB\"\nrate = \"0.0125\"\n\n{}\
         [[service]]\nid = 101\nname = \"Viewers, standard\"\ncategory = \"Viewers\"\nrate = \"2.50\"\nmin = 50\n\
         max = 10000\ncancel = true\n{}\n\
         [[service]]\nid = 102\nname = \"Viewers, at a markup\"\ncategory = \"Viewers\"\nmarkup_percent = \"30\"\n\
         min = 50\nmax = 10000\ncancel = true\n{}\n{}",
        upstreams.concat(),
        everywhere.concat(),
        by_the_thousand.concat(),
        accounts.concat(),
    )
}

fn explain(address: SocketAddr, key: &str, folder: &Path, kept: bool, cheapest: &Sandbox) -> anyhow::Result<()> {
    let base = format!("http://{address}/api/v2");
    let add = |target: &str| {
        format!("curl -s {base} -d key={key} -d action=add -d service=101 -d link={target} -d quantity={QUANTITY}")
    };
    output::line(&format!("listening on http://{address}"))?;
    output::line(&format!("\nAPI  {base}\nkey  {key}\n\nTry:"))?;
    output::line(&format!("curl -s {base} -d key={key} -d action=services"))?;
    output::line(&add("https://twitch.tv/demo"))?;
    output::line(&format!("curl -s {base} -d key={key} -d action=status -d order=1"))?;
    let url = word(&format!("sqlite://{}", folder.join("interline.db").display()));
    let command = format!("INTERLINE_DATABASE__URL={url} {}", word(&program().to_string_lossy()));
    output::line(&format!(
        "\nAnd, in another terminal, the order's whole way, and who would take fewer or more: three systems sell that\n\
         service, each at prices of its own kind.\n{command} order show 1\n\
         {command} route explain --service 101 --quantity 100\n{command} route explain --service 101 --quantity 5000"
    ))?;
    let (faults, id) = (format!("http://{}/__faults", cheapest.addr()), UPSTREAMS[CHEAPEST].id);
    output::line(&format!(
        "\nBreak {id}, which takes {QUANTITY}; see the next one take them, and why; mend it:\n\
         curl -s {faults} -d '{{\"action\":\"add\",\"kind\":\"refusal\"}}'\n{}\n{command} order show 2\n\
         curl -s {faults} -X DELETE\n\nThe books:\n{command} ledger verify",
        add("https://twitch.tv/demo2")
    ))?;
    output::line(if kept {
        "\nCtrl-C stops; the folder is kept."
    } else {
        "\nCtrl-C stops, and everything is deleted."
    })
}

/// How this program is called from any folder: by its name alone if that is how it was found, else by its path.
fn program() -> PathBuf {
    let called = std::env::args_os().next().map(PathBuf::from);
    let on_path = called.filter(|called| called.parent() == Some(Path::new("")));
    on_path.or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| PathBuf::from("interline"))
}

/// A text as one word of a shell's line.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Places an order now and then. What is refused (an empty wallet, say) is logged by nobody: it is what a customer sees.
async fn traffic(gateway: Arc<Gateway>) {
    for number in 0_u64.. {
        tokio::time::sleep(TRAFFIC_PAUSE).await;
        let account = ACCOUNTS[usize::try_from(number % 2).unwrap_or(0)];
        let Some(account) = account.parse().ok().and_then(|id| gateway.catalogue().account(&id).cloned()) else {
            return;
        };
        let quantity = 50 + (number * 37) % 450;
        let fields = Fields::from([
            ("link".to_owned(), format!("https://example.com/traffic/{number}")),
            ("quantity".to_owned(), quantity.to_string()),
        ]);
        let service = if number % 3 == 0 { "102" } else { "101" };
        if let Err(refusal) = gateway.place(&account, service, &fields, Style::Panel, None).await {
            tracing::info!(account = %account.id, error = %refusal, "an order of the demo's traffic was not placed");
        }
    }
}

/// A folder that is deleted when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("interline-demo-{:08x}", rand::random::<u32>()));
        std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing but the demo's own files was in it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shells_line() {
        for (text, written) in [
            ("/opt/interline/bin/interline", "/opt/interline/bin/interline"),
            ("sqlite:///tmp/my books/interline.db", "'sqlite:///tmp/my books/interline.db'"),
            ("/tmp/it's/$HOME", r"'/tmp/it'\''s/$HOME'"),
        ] {
            assert_eq!(word(text), written);
        }
    }
}
