//! A fourth dialect, made up: what the recipe in the `upstream` crate asks for, seen to be enough. It passes the
//! conformance suite, is one entry of the list of dialects, and an order goes to an upstream of it and is followed to
//! its end. Nothing else of the product knows of it.

use std::{
    collections::BTreeMap,
    future::{pending, ready},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use globset::GlobSet;
use interline_domain::{
    Fields, Micros, Money, OrderId, OrderKind, OrderStatus, Report, ServiceId, ServiceType, StatusWord, Style,
    Timestamp,
};
use interline_egress::Egress;
use interline_orders::{Clock, Found, Gateway, Parts, Settings, Tracing, UnknownPolicy};
use interline_routing::Policy;
use interline_store::{
    AccountRecord, Desired, DesiredKey, DesiredUpstream, MasterKey, OfferRecord, SellPrice, ServiceRecord, Store,
    UpstreamSettings,
};
use interline_upstream::{
    ActiveTarget, Answer, Call, Capabilities, Dialect, Endpoint, Evidence, Fault, Listing, Method, Refusal, Reported,
    Request, Response, Submission, SubmitOutcome,
    conformance::{self, Fixtures, KeyPlace, Told},
    value,
};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

const KEY: &str = "herald-key-77";
const LINK: &str = "https://example.com/tower";

/// Upstreams that ring chimes, and answer in lines of words: `services 1`, `taken 5001`, `refused target`, `later`.
struct Herald;

impl Dialect for Herald {
    fn name(&self) -> &'static str {
        "herald"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { status_batch_max: 20, cancel_batch_max: 1, lists_orders: false }
    }

    fn takes(&self, kind: &OrderKind) -> Result<(), &'static str> {
        match kind {
            OrderKind::Default { drip: None, .. } => Ok(()),
            _ => Err("`service` must be of the type Default, without `runs`"),
        }
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Option<Request> {
        let (method, path, body) = match call {
            Call::Catalogue => (Method::Get, "/services".to_owned(), String::new()),
            Call::Status(ids) => (Method::Get, format!("/orders/{}", ids.join(",")), String::new()),
            Call::Submit(order) => {
                self.takes(&order.kind).ok()?;
                let body = format!("{} {} {}", order.service, order.kind.quantity(), order.kind.target());
                (Method::Post, "/orders".to_owned(), body)
            }
            _ => return None,
        };
        Some(Request {
            method,
            url: format!("{}{path}", endpoint.url).into(),
            headers: vec![("x-key", endpoint.key.expose_secret().to_owned())],
            body: body.into_bytes(),
        })
    }

    fn decode(&self, call: &Call, response: &Response) -> Answer {
        let text = String::from_utf8_lossy(&response.body);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
        let read = match call {
            Call::Submit(_) => return Answer::Submit(verdict(&lines, response)),
            Call::Catalogue => services(&lines).map(Answer::Catalogue),
            Call::Status(asked) => statuses(&lines, asked).map(Answer::Status),
            _ => return Answer::Fault(Fault::Unsupported),
        };
        read.filter(|_| response.status == 200).unwrap_or_else(|| {
            let slow = response.status == 429;
            Answer::Fault(if slow { Fault::Busy(response.retry_after_ms) } else { Fault::Unreadable(seen(response)) })
        })
    }
}

/// The words decide, whatever a proxy puts over them; only the listed ones are a refusal.
fn verdict(lines: &[Vec<&str>], response: &Response) -> SubmitOutcome {
    let busy = SubmitOutcome::Busy { retry_after_ms: response.retry_after_ms, active_target: ActiveTarget::No };
    match lines.concat().as_slice() {
        ["taken", id] if value::order_id(&(*id).into()).is_some() => {
            SubmitOutcome::Accepted { order: (*id).to_owned(), charge: None }
        }
        ["refused", "service"] => SubmitOutcome::Rejected(Refusal::Service("refused service".to_owned())),
        ["refused", "target"] => SubmitOutcome::Rejected(Refusal::Target("refused target".to_owned())),
        ["later"] => busy,
        _ if response.status == 429 => busy,
        _ => SubmitOutcome::Unknown(seen(response)),
    }
}

/// All services or none: a list that was cut off would take services off sale.
fn services(lines: &[Vec<&str>]) -> Option<Vec<Listing>> {
    let (head, rows) = lines.split_first()?;
    let ["services", count] = head.as_slice() else { return None };
    if count.parse::<usize>().ok() != Some(rows.len()) {
        return None;
    }
    rows.iter().map(|row| listing(row)).collect()
}

fn listing(row: &[&str]) -> Option<Listing> {
    let [service, rate, min, max] = row else { return None };
    Some(Listing {
        service: (*service).to_owned(),
        name: (*service).to_owned(),
        category: String::new(),
        service_type: Some(ServiceType::Default),
        rate: rate.parse().ok()?,
        price: None,
        min: min.parse().ok()?,
        max: max.parse().ok()?,
        refill: Some(false),
        cancel: Some(false),
        dripfeed: Some(false),
        changes: [].into(),
        upgrades: [].into(),
    })
}

fn statuses(lines: &[Vec<&str>], asked: &[String]) -> Option<BTreeMap<String, Reported>> {
    let (head, rows) = lines.split_first()?;
    let row = |row: &Vec<&str>| {
        let (id, reported) = match row.as_slice() {
            [id, "none"] => (id, Reported::Error("none".to_owned())),
            [id, word, remains] => {
                let word = StatusWord::parse(word);
                let remains = remains.parse().ok();
                (id, Reported::Known(Report { word, remains, start_count: None, charge: None, currency: None }))
            }
            _ => return None,
        };
        asked.iter().find(|asked| *asked == id).map(|id| (id.clone(), reported))
    };
    (head.as_slice() == ["orders"]).then(|| rows.iter().filter_map(row).collect())
}

fn seen(response: &Response) -> Evidence {
    let (status, reason) = (Some(response.status), "no words of a herald".to_owned());
    Evidence { status, reason, excerpt: value::excerpt(&response.body) }
}

#[test]
fn it_passes_the_conformance_suite() {
    let submission =
        Submission { service: "chimes".to_owned(), kind: OrderKind::plain("tower-9", 1_370), params: BTreeMap::new() };
    let response = |body: &str| Response { status: 200, retry_after_ms: None, body: body.into() };
    let told = |call: &Call, body: &str, answer| Told { call: call.clone(), response: response(body), answer };
    let submit = Call::Submit(submission.clone());
    let accepted = SubmitOutcome::Accepted { order: "5001".to_owned(), charge: None };
    let refused = SubmitOutcome::Rejected(Refusal::Target("refused target".to_owned()));
    let busy = SubmitOutcome::Busy { retry_after_ms: None, active_target: ActiveTarget::No };
    let listed = listing(&["chimes", "0.90", "10", "1000"]).unwrap();
    let report =
        Report { word: StatusWord::Partial, remains: Some(40), start_count: None, charge: None, currency: None };
    let said = [("1", Reported::Known(report)), ("2", Reported::Error("none".to_owned()))];
    let said = said.map(|(id, said)| (id.to_owned(), said)).into();
    let status = Call::Status(vec!["1".to_owned(), "2".to_owned()]);
    let fixtures = Fixtures {
        key_place: |_| KeyPlace::Header,
        empty_is_consent: false,
        submission,
        told: vec![
            told(&submit, "taken 5001", Answer::Submit(accepted)),
            told(&submit, "refused target", Answer::Submit(refused)),
            told(&submit, "later", Answer::Submit(busy)),
            told(&Call::Catalogue, "services 1\nchimes 0.90 10 1000", Answer::Catalogue(vec![listed])),
            told(&status, "orders\n1 partial 40\n2 none", Answer::Status(said)),
        ],
        unlisted: vec![response("refused moon"), response("services many")],
    };
    conformance::check(&Herald, &fixtures);
}

#[test]
fn an_order_goes_to_an_upstream_of_it() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let (folder, taken) = (tempfile::tempdir()?, Arc::new(Mutex::new(Vec::new())));
        let door = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", door.local_addr()?);
        tokio::spawn(serve(door, Arc::clone(&taken)));
        let gateway = open(folder.path()).await?;
        let account = set_up(&gateway, url).await?;
        tokio::select! {
            worked = gateway.work(pending(), ready(()), || Duration::ZERO) => bail!("it stopped: {worked:?}"),
            done = place_and_follow(&gateway, &account) => done?,
        }
        ensure!(*taken.lock().await == [format!("chimes 100 {LINK}")], "{taken:?}");
        ensure!(gateway.store().verify().await?.is_ok(), "the books do not hold");
        let upstream = gateway.upstream("herald-one")?;
        let found = gateway.try_out(&upstream).await;
        let unusable: Vec<_> = found.iter().filter(|capability| capability.found == Found::Unusable).collect();
        ensure!(unusable.is_empty(), "{unusable:?}");
        Ok(())
    })
}

async fn place_and_follow(gateway: &Arc<Gateway>, account: &AccountRecord) -> Result<()> {
    let fields =
        Fields::from([("link", LINK), ("quantity", "100")].map(|(name, text)| (name.to_owned(), text.to_owned())));
    let order: OrderId = gateway.place(account, "101", &fields, Style::Panel, None).await?;
    let ended = async {
        loop {
            let said = gateway.statuses(&account.id, &[Some(order)]).await?;
            let status = said.into_iter().next().flatten().context("it is not there")?;
            if status.status.is_terminal() {
                return anyhow::Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await??;
    // Of 100 for 0.25, 40 were not delivered.
    ensure!((ended.status, ended.remains) == (OrderStatus::Partial, 40), "{ended:?}");
    let charge: Micros = "0.15".parse()?;
    ensure!(ended.charge == charge, "{ended:?}");
    Ok(())
}

/// A gateway that speaks no other dialect: the list of them is the one line that a program changes.
async fn open(folder: &Path) -> Result<Arc<Gateway>> {
    let url = format!("sqlite://{}", folder.join("interline.db").display());
    let parts = Parts {
        store: Store::open(&url, MasterKey::load_or_create(&folder.join("interline.key"))?, Now.now()).await?,
        egress: Egress::new()?,
        dialects: vec![Arc::new(Herald)],
        settings: Settings {
            base_currency: "USD".parse()?,
            dispatch_wait_ms: 5_000,
            duplicate_window_ms: 0,
            policy: Policy { margin_floor_percent: Decimal::ZERO, price_max_age_ms: 86_400_000 },
            queue_deadline_ms: 60_000,
            unknown_max_count: 50,
            unknown_max: "100".parse()?,
            unknown_deadline_ms: 86_400_000,
            unknown_policy: UnknownPolicy::Wait,
            quiet_ms: 0,
            charge_factor_max: Decimal::TWO,
            status_first_ms: 50,
            status_max_ms: 200,
            catalogue_ms: 60_000,
            balance_ms: 60_000,
            deny_targets: GlobSet::empty(),
        },
        clock: Arc::new(Now),
        resolve_key: Box::new(no_reference),
        tracing: Tracing { traceparent: |_| None, continue_from: |_, _| {} },
        boot: "fourth".to_owned(),
    };
    Ok(Gateway::open(parts).await?)
}

fn no_reference(reference: &str) -> Result<SecretString, String> {
    Err(format!("there is no {reference}"))
}

/// An upstream, a service that it delivers, money there, and a customer with some; returns the customer.
async fn set_up(gateway: &Arc<Gateway>, url: String) -> Result<AccountRecord> {
    let usd = gateway.settings().base_currency;
    let (upstream, account) = ("herald-one".parse()?, "panel-a".parse()?);
    let desired = Desired {
        upstreams: Some(vec![DesiredUpstream {
            id: upstream,
            adapter: "herald".to_owned(),
            url,
            key: Some(DesiredKey::Plain(KEY.into())),
            currency: usd,
            enabled: true,
            settings: UpstreamSettings { allow_private_address: true, ..UpstreamSettings::default() },
        }]),
        services: Some(vec![service()?]),
        accounts: vec![(account, usd, Decimal::ZERO)],
        ..Desired::default()
    };
    gateway.store().apply(&desired, false, gateway.now()).await?;
    gateway.reload_catalogue().await?;
    let upstream = gateway.upstream("herald-one")?;
    gateway.topup(&upstream.record.id, Money::new("100".parse()?, usd), "paid").await?;
    let account = &desired.accounts.first().context("no customer")?.0;
    gateway.deposit(account, Money::new("10".parse()?, usd), "paid").await?;
    ensure!(gateway.sync_catalogue(&upstream).await? == 1, "it lists one service");
    gateway.catalogue().account(account).cloned().context("no customer")
}

fn service() -> Result<ServiceRecord> {
    let offer = OfferRecord {
        upstream: "herald-one".parse()?,
        service: "chimes".to_owned(),
        enabled: true,
        params: BTreeMap::new(),
    };
    Ok(ServiceRecord {
        id: ServiceId(101),
        name: "Chimes".to_owned(),
        category: String::new(),
        service_type: ServiceType::Default,
        price: SellPrice::Rate("2.5".parse()?),
        min: 10,
        max: 1_000,
        refill: false,
        cancel: false,
        dripfeed: false,
        enabled: true,
        description: String::new(),
        offers: vec![offer],
    })
}

/// The upstream: it takes every order, and each is a partial of which 40 remain.
async fn serve(door: TcpListener, taken: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = door.accept().await {
        let taken = Arc::clone(&taken);
        // Who hangs up has not waited for the answer.
        tokio::spawn(async move { answer(BufReader::new(stream), &taken).await.ok() });
    }
}

async fn answer(mut stream: BufReader<TcpStream>, taken: &Mutex<Vec<String>>) -> Result<()> {
    let mut head = String::new();
    while stream.read_line(&mut head).await? > 0 && !head.ends_with("\r\n\r\n") {}
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let mut body = vec![0; header("content-length:").map_or(Ok(0), str::parse)?];
    stream.read_exact(&mut body).await?;
    let path = head.split(' ').nth(1).context("no request")?;
    let said = match path.strip_prefix("/orders") {
        _ if header("x-key:") != Some(KEY) => "refused key".to_owned(),
        None => "services 1\nchimes 0.90 10 1000\n".to_owned(),
        Some("") => {
            let mut taken = taken.lock().await;
            taken.push(String::from_utf8(body)?);
            format!("taken {}\n", 5_000 + taken.len())
        }
        Some(ids) => {
            let ids = ids.trim_start_matches('/').split(',');
            let row = |id: &str| format!("{id} {}\n", if id == "5001" { "partial 40" } else { "none" });
            let rows: Vec<String> = ids.map(row).collect();
            format!("orders\n{}", rows.concat())
        }
    };
    let length = said.len();
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}");
    Ok(stream.write_all(reply.as_bytes()).await?)
}

/// The time of this machine.
struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
    }
}
