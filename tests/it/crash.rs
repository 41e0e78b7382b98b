//! `kill -9` at any moment under load, again and again: nothing that was acknowledged is lost, nothing is made twice, and
//! books, customers and upstreams agree at the end.
//!
//! The simulated upstreams live in the test's process and so outlive every kill. `INTERLINE_TORTURE_CYCLES`, `…_SEED` and
//! `…_ENGINE` (`sqlite`, `postgres`, `both`) change a run; `cargo xtask torture` sets them and uses a release build.

mod checks;
mod clients;
mod dice;
mod weather;

use std::{
    env,
    fmt::Display,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use acceptance::{ACCOUNT, Engine, Gateway, Setup, UpstreamSetup, call, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result, anyhow, bail, ensure};

use checks::{Books, is_at_rest};
use clients::{Account, Client, IDS_MAX, Known, Memory, Notes, OTHER_SERVICE, statuses};
use dice::Dice;

/// Kills in a run of the test suite, on each engine, and the seed of all chance in it.
const CYCLES: u32 = 50;
const SEED: u64 = 20_261_121;
/// Kills in a run with the sabotage: enough for a submission that hangs to be under way at one of them.
const SABOTAGED_CYCLES: u32 = 4;
/// Clients at a time.
const CLIENTS: u32 = 5;
/// When the server is killed: so long after the load began, or after its start began.
const KILL_MS: (u32, u32) = (20, 600);
const KILL_AT_START_MS: (u32, u32) = (1, 250);
/// How often it is killed within its start, in a hundred starts.
const KILLED_AT_START_PERCENT: u32 = 25;
/// The invariants are checked after every fifth kill, in a long run twenty times.
const VERIFY_EVERY: u32 = 5;
const VERIFICATIONS: u32 = 20;

const UPSTREAMS: [&str; 2] = ["alpha", "beta"];
/// More than a run can spend, and less than one.
const AMPLE: &str = "1000000";
const SCARCE: &str = "100";

#[test]
fn killed_at_any_moment_it_loses_nothing_and_makes_nothing_twice() -> Result<()> {
    let plan = Plan {
        cycles: variable("INTERLINE_TORTURE_CYCLES", CYCLES)?,
        seed: variable("INTERLINE_TORTURE_SEED", SEED)?,
        sabotaged: false,
    };
    let run = |engine| run(engine, plan);
    match env::var("INTERLINE_TORTURE_ENGINE").as_deref() {
        Err(_) | Ok("both") => on_both(run),
        Ok("sqlite") => run(Engine::Sqlite),
        Ok("postgres") => run(Engine::Postgres),
        Ok(other) => bail!("INTERLINE_TORTURE_ENGINE is sqlite, postgres or both, not {other}"),
    }
}

/// The negative control: a gateway that puts orphaned submissions into the queue again is found out by the same run.
#[test]
fn sending_again_after_a_crash_makes_a_duplicate_and_the_torture_finds_it() -> Result<()> {
    on_both(|engine| {
        let plan = Plan { cycles: SABOTAGED_CYCLES, seed: SEED, sabotaged: true };
        let found = run(engine, plan).err().context("the torture found nothing")?;
        assert!(format!("{found:#}").contains("made more than once"), "{found:#}");
        Ok(())
    })
}

/// A run of the torture.
#[derive(Debug, Clone, Copy)]
struct Plan {
    cycles: u32,
    seed: u64,
    /// Orphaned submissions are sent again, and every submission is taken and hangs, so that there are orphans.
    sabotaged: bool,
}

fn run(engine: Engine, plan: Plan) -> Result<()> {
    let Plan { cycles, seed, .. } = plan;
    eprintln!("{engine:?}: {cycles} cycles with seed {seed}");
    let mut torture = Torture::begin(engine, plan)?;
    for cycle in 0..cycles {
        torture.cycle(cycle).with_context(|| format!("cycle {cycle} with seed {seed}"))?;
    }
    torture.end().with_context(|| format!("after {cycles} cycles with seed {seed}"))
}

struct Torture {
    gateway: Gateway,
    plan: Plan,
    accounts: Arc<[Account]>,
    memory: Memory,
    /// What was acknowledged by the server that was killed last.
    fresh: Vec<Known>,
    dice: Dice,
    kills: u32,
}

impl Torture {
    fn begin(engine: Engine, plan: Plan) -> Result<Self> {
        let gateway = Gateway::prepare(engine, &setup(plan))?;
        let mut accounts = vec![Account { id: ACCOUNT, key: gateway.key().to_owned(), deposit: AMPLE }];
        for (id, deposit) in [("panel-b", AMPLE), ("panel-c", SCARCE)] {
            gateway.done(&["account", "deposit", id, deposit, "--reference", id])?;
            let key = gateway.done(&["key", "create", id])?.trim().to_owned();
            accounts.push(Account { id, key, deposit });
        }
        let dice = Dice::new(plan.seed);
        let (memory, fresh) = (Memory::default(), Vec::new());
        Ok(Self { gateway, plan, accounts: accounts.into(), memory, fresh, dice, kills: 0 })
    }

    /// One life of the server, or several if it does not survive its start.
    fn cycle(&mut self, cycle: u32) -> Result<()> {
        for id in UPSTREAMS {
            let upstream = self.gateway.upstream(id)?;
            upstream.heal();
            if self.plan.sabotaged {
                upstream.fail(FaultKind::TakeAndHang, 0);
            } else {
                for _ in 0..self.dice.number(0, 4) {
                    weather::strike(upstream, &mut self.dice);
                }
            }
        }
        while self.dice.chance(KILLED_AT_START_PERCENT) {
            let after = self.moment(KILL_AT_START_MS);
            self.gateway.start_and_kill(after)?;
            self.kills += 1;
        }
        self.gateway.serve()?;
        self.gateway.nothing_twice()?;
        self.is_remembered()?;
        self.load(cycle)?;
        if cycle.is_multiple_of(VERIFY_EVERY.max(self.plan.cycles / VERIFICATIONS)) {
            self.gateway.verify()?;
        }
        Ok(())
    }

    /// The server that has just started knows what the one before it acknowledged, and some of what others did.
    fn is_remembered(&mut self) -> Result<()> {
        let older = self.memory.some(100, &mut self.dice);
        let address = self.gateway.address()?;
        for (number, account) in self.accounts.iter().enumerate() {
            let own = self.fresh.iter().chain(&older).filter(|(of, _)| *of == number);
            let ids: Vec<i64> = own.map(|(_, id)| *id).collect();
            for ids in ids.chunks(IDS_MAX) {
                let told = statuses(ids, |pairs| call(address, &account.key, pairs).map(Some))?;
                ensure!(told.is_some(), "no statuses after a restart");
            }
        }
        Ok(())
    }

    /// Clients work and upstreams go on, until the server is killed.
    fn load(&mut self, cycle: u32) -> Result<()> {
        let address = self.gateway.address()?.to_owned();
        let clients: Vec<Client> = (0..CLIENTS)
            .map(|number| Client {
                accounts: Arc::clone(&self.accounts),
                address: address.clone(),
                name: format!("{cycle}/{number}"),
                dice: self.dice.fork(),
                known: self.memory.some(20, &mut self.dice),
                notes: Notes::default(),
            })
            .collect();
        let end = Instant::now() + self.moment(KILL_MS);
        let killed = AtomicBool::new(false);
        let notes = thread::scope(|scope| {
            let working: Vec<_> = clients.into_iter().map(|client| scope.spawn(|| client.work(&killed))).collect();
            let outcome = self.meanwhile(end);
            killed.store(true, Ordering::SeqCst);
            let outcome = outcome.and(self.gateway.kill());
            let notes: Vec<Result<Notes>> = working
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err(anyhow!("a client panicked"))))
                .collect();
            outcome.map(|()| notes)
        })?;
        self.kills += 1;
        self.fresh.clear();
        for notes in notes {
            self.fresh.extend(self.memory.keep(notes?)?);
        }
        Ok(())
    }

    /// Lets faults strike and orders live until `end`.
    fn meanwhile(&mut self, end: Instant) -> Result<()> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(self.moment((20, 80))));
            let id = self.dice.pick(&UPSTREAMS).copied().unwrap_or_default();
            let upstream = self.gateway.upstream(id)?;
            if !self.plan.sabotaged {
                weather::strike(upstream, &mut self.dice);
            }
            if self.dice.chance(30) {
                weather::live(upstream, &mut self.dice);
            }
        }
    }

    /// Lets everything come to rest, and holds everything against everything.
    fn end(mut self) -> Result<()> {
        for id in UPSTREAMS {
            self.gateway.upstream(id)?.heal();
        }
        self.gateway.serve()?;
        wait_until("everything to come to rest", || {
            for id in UPSTREAMS {
                weather::complete(self.gateway.upstream(id)?);
            }
            is_at_rest(&self.gateway)
        })?;
        self.gateway.nothing_twice()?;
        let books = Books::read(&self.gateway)?;
        books.fit_memory(&self.memory, &self.accounts)?;
        books.fit_journals(&self.gateway, &UPSTREAMS)?;
        books.fit_wallets(self.gateway.address()?, &self.accounts)?;
        let engine = self.gateway.engine();
        self.gateway.finish()?;
        // `cargo xtask torture` reads this line.
        eprintln!(
            "torture: {engine:?}, {} cycles with seed {}: {} kills, {} orders placed ({} acknowledged, {} without an \
             answer), {} unknown",
            self.plan.cycles,
            self.plan.seed,
            self.kills,
            self.memory.asked.len(),
            self.memory.acknowledged.len(),
            self.memory.lost(),
            books.unknown()
        );
        Ok(())
    }

    fn moment(&mut self, (from, to): (u32, u32)) -> Duration {
        Duration::from_millis(self.dice.number(from, to).into())
    }
}

/// Two upstreams, of which `beta` sells a service alone, and three customers, of whom one has little money.
fn setup(plan: Plan) -> Setup {
    let upstream = |id, rate| UpstreamSetup::new(id, rate).balance(AMPLE).timeout_ms(500).line("concurrency = 32");
    let more = format!(
        "\n[[account]]\nid = \"panel-b\"\n\n[[account]]\nid = \"panel-c\"\n\n\
         [[service]]\nid = {OTHER_SERVICE}\nname = \"Placement, of one\"\ncategory = \"Placements\"\nrate = \"3.00\"\n\
         min = 10\nmax = 10000\ncancel = true\n[[service.offer]]\nupstream = \"beta\"\nservice = \"1\"\n"
    );
    let setup = Setup::of([upstream("alpha", "0.90"), upstream("beta", "1.20")])
        .deposit(AMPLE)
        .more(&more)
        .setting("PANEL__DISPATCH_WAIT_MS", "100")
        .setting("SYNC__STATUS_MAX_MS", "500")
        .setting("DISPATCH__UNKNOWN_MAX_COUNT", "1000000")
        .setting("DISPATCH__UNKNOWN_MAX", AMPLE);
    if plan.sabotaged { setup.sabotage("resend_on_recovery") } else { setup }
}

/// The value of an environment variable, or `default` where it is not set.
fn variable<T: FromStr<Err: Display>>(name: &str, default: T) -> Result<T> {
    env::var(name).map_or(Ok(default), |text| text.parse().map_err(|error| anyhow!("{name}: {error}")))
}
