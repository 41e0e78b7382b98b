//! Random amounts, rates and lives: whatever happens to an attempt, its money is where its state says, and at the end
//! nothing is left in committed, wip and disputed.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{
    AccountId, AttemptEvent, AttemptId, AttemptState, Currency, Micros, Money, OrderId, UpstreamId, price::refund,
};
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::{
    attempts::{self, AttemptBook, Held},
    chart::Account,
    cost::{
        ChargeAfterPartial, End, late_target_cost, reserved_price, target_cost, usable_at_end, usable_while_running,
    },
    customers,
    posting::{BaseRate, Posting},
    upstreams::{self, AlreadySeen, Explanation},
};

const QUANTITY: u64 = 1_000;
const FUNDS: Micros = Micros::new(1_000_000_000);

const EVENTS: [AttemptEvent; 8] = [
    AttemptEvent::Claim,
    AttemptEvent::Busy,
    AttemptEvent::Accept,
    AttemptEvent::Release,
    AttemptEvent::Lose,
    AttemptEvent::End,
    AttemptEvent::Dispute,
    AttemptEvent::Settle,
];

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn alpha() -> UpstreamId {
    "alpha".parse().unwrap()
}

fn panel() -> AccountId {
    "panel-a".parse().unwrap()
}

/// Books in USD, and an upstream in EUR at a rate of so many millionths, or in USD.
fn rates() -> impl Strategy<Value = (Currency, BaseRate)> {
    proptest::option::of(1i64..=50_000_000).prop_map(|millionths| {
        let rate = millionths.map_or(Decimal::ONE, |m| Micros::new(m).to_decimal());
        let upstream = if millionths.is_some() { "EUR" } else { "USD" };
        (currency(upstream), BaseRate { base: currency("USD"), rate })
    })
}

/// The books as the store would keep them.
#[derive(Default)]
struct Books {
    balances: BTreeMap<(Account, Currency), i128>,
    keys: BTreeSet<String>,
}

impl Books {
    fn post(&mut self, posting: &Posting) {
        if posting.is_empty() {
            return;
        }
        assert!(self.keys.insert(posting.key.clone()), "{} was posted twice", posting.key);
        for entry in &posting.entries {
            let account = (entry.account.account.clone(), entry.account.currency);
            *self.balances.entry(account).or_default() += i128::from(entry.amount.get());
        }
        let claims = self.balances.iter().filter(|((account, _), _)| *account == Account::Claims(alpha()));
        for (_, balance) in claims {
            assert!(*balance >= 0, "{} leaves negative claims", posting.key);
        }
        assert!(self.sums().values().all(|sum| *sum == 0), "{} does not balance", posting.key);
    }

    fn sums(&self) -> BTreeMap<Currency, i128> {
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for ((_, currency), balance) in &self.balances {
            *sums.entry(*currency).or_default() += balance;
        }
        sums
    }

    fn of(&self, account: Account, currency: Currency) -> Micros {
        let balance = self.balances.get(&(account, currency)).copied().unwrap_or_default();
        Micros::new(i64::try_from(balance).unwrap())
    }
}

/// One thing that may happen, and a charge that is read right after it.
#[derive(Debug, Clone)]
struct Step {
    event: AttemptEvent,
    charge_permille_of_reserve: i64,
    remains: u64,
    choice: u8,
}

fn any_step() -> impl Strategy<Value = Step> {
    (0usize..EVENTS.len(), 0i64..=2_500, 0..=QUANTITY, 0u8..3).prop_map(|(pick, charge, remains, choice)| Step {
        event: EVENTS[pick],
        charge_permille_of_reserve: charge,
        remains,
        choice,
    })
}

/// An attempt and the books it moves.
struct Life {
    state: AttemptState,
    book: AttemptBook,
    rate: BaseRate,
    policy: ChargeAfterPartial,
    books: Books,
    end: End,
    last_running: Micros,
    /// What it cost us for good, in the upstream's currency.
    cost: Micros,
    /// Whether it was found taken after it had been given up.
    to_loss: bool,
    numbered: u32,
}

impl Life {
    fn begin(reserve: Micros, upstream_currency: Currency, rate: BaseRate, policy: ChargeAfterPartial) -> Self {
        let book = AttemptBook {
            attempt: AttemptId(7),
            upstream: alpha(),
            currency: upstream_currency,
            reserve,
            wip: Micros::ZERO,
        };
        let mut books = Books::default();
        let funds = Money::new(FUNDS, upstream_currency);
        books.post(&upstreams::topup(&alpha(), funds, "wire-1", AlreadySeen::default()));
        books.post(&attempts::reserve(&book));
        Self {
            state: AttemptState::Queued,
            book,
            rate,
            policy,
            books,
            end: End::Completed,
            last_running: reserve,
            cost: Micros::ZERO,
            to_loss: false,
            numbered: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        let charge = Micros::new(self.book.reserve.get() * step.charge_permille_of_reserve / 1_000);
        if let Some(next) = self.state.on(step.event) {
            self.happen(step, charge);
            self.state = next;
        }
        self.check_state();
        self.read(step, charge);
        self.check_state();
    }

    fn happen(&mut self, step: &Step, charge: Micros) {
        let posting = match step.event {
            AttemptEvent::Claim | AttemptEvent::Busy | AttemptEvent::Lose => return,
            AttemptEvent::Accept => {
                let posting = attempts::accept(&self.book);
                self.book.wip = self.book.reserve;
                posting
            }
            AttemptEvent::Release => attempts::release(&self.book),
            AttemptEvent::End => self.ends(step, charge),
            AttemptEvent::Dispute => attempts::dispute(&self.book),
            AttemptEvent::Settle => self.settles(step, charge),
        };
        self.books.post(&posting);
    }

    fn ends(&mut self, step: &Step, charge: Micros) -> Posting {
        self.end = [End::Completed, End::Partial { remains: step.remains }, End::Canceled][usize::from(step.choice)];
        let reported = Some(charge).filter(|charge| self.is_usable_at_end(*charge));
        let target = target_cost(self.end, self.book.wip, reported, self.policy, QUANTITY);
        let posting = attempts::attempt_end(&self.book, target, self.price(), &self.rate);
        self.book.wip = Micros::ZERO;
        self.cost = target;
        posting
    }

    fn settles(&mut self, step: &Step, charge: Micros) -> Posting {
        if self.state == AttemptState::Unknown {
            self.cost = self.book.reserve;
            return attempts::write_off(&self.book, Held::Committed, &self.rate);
        }
        match step.choice {
            0 => {
                self.cost = charge;
                self.to_loss = true;
                attempts::settle_taken(&self.book, charge, &self.rate)
            }
            1 => attempts::settle_not_taken(&self.book),
            _ => {
                self.cost = self.book.reserve;
                attempts::write_off(&self.book, Held::Disputed, &self.rate)
            }
        }
    }

    /// A charge is read, wherever the attempt stands.
    fn read(&mut self, step: &Step, charge: Micros) {
        self.numbered += 1;
        let posting = match self.state {
            AttemptState::Accepted if usable_while_running(charge, self.book.reserve, Decimal::TWO) => {
                let posting = attempts::running_charge(&self.book, charge, self.numbered);
                (self.book.wip, self.last_running) = (charge, charge);
                posting
            }
            AttemptState::Ended if self.is_usable_at_end(charge) => {
                let (booked, last) = (self.cost, self.last_running);
                self.moves_to(late_target_cost(self.end, booked, last, charge, self.policy, QUANTITY))
            }
            AttemptState::Released | AttemptState::Settled if self.to_loss => self.moves_to(charge),
            AttemptState::Released if step.choice == 0 => {
                (self.cost, self.to_loss) = (charge, true);
                attempts::contradiction(&self.book, charge, &self.rate)
            }
            AttemptState::Queued
            | AttemptState::Sending
            | AttemptState::Unknown
            | AttemptState::Accepted
            | AttemptState::Ended
            | AttemptState::Released
            | AttemptState::Disputed
            | AttemptState::Settled => return,
        };
        self.books.post(&posting);
    }

    fn moves_to(&mut self, cost: Micros) -> Posting {
        let posting = attempts::late_charge(&self.book, self.cost, cost, self.numbered, &self.rate, self.to_loss);
        self.cost = cost;
        posting
    }

    fn price(&self) -> Micros {
        reserved_price(self.book.reserve, self.end.remains(QUANTITY), QUANTITY)
    }

    fn is_usable_at_end(&self, charge: Micros) -> bool {
        usable_at_end(charge, self.book.reserve, self.price(), self.end, Decimal::TWO)
    }

    fn balance(&self, account: fn(UpstreamId) -> Account) -> Micros {
        self.books.of(account(alpha()), self.book.currency)
    }

    /// Invariant 10: the money is where the state says.
    fn check_state(&self) {
        let reserve_if = |held: bool| if held { self.book.reserve } else { Micros::ZERO };
        assert_eq!(self.balance(Account::Committed), reserve_if(self.state.is_committed()));
        assert_eq!(self.balance(Account::Disputed), reserve_if(self.state == AttemptState::Disputed));
        assert_eq!(self.balance(Account::Wip), self.book.wip);
        assert!(self.state == AttemptState::Accepted || self.book.wip.is_zero());
    }

    /// Leads the attempt to an end by the shortest way.
    fn finish(&mut self, remains: u64, choice: u8) {
        loop {
            let event = match self.state {
                AttemptState::Queued => AttemptEvent::Release,
                AttemptState::Sending => AttemptEvent::Lose,
                AttemptState::Unknown | AttemptState::Disputed => AttemptEvent::Settle,
                AttemptState::Accepted => AttemptEvent::End,
                AttemptState::Ended | AttemptState::Released | AttemptState::Settled => return,
            };
            self.take(&Step { event, charge_permille_of_reserve: 1_000, remains, choice });
        }
    }

    /// What was paid in lies at the upstream, is claimed or was spent; and what was spent is an expense.
    fn check_end(&self) {
        for account in [Account::Committed, Account::Wip, Account::Disputed] {
            assert_eq!(self.balance(account), Micros::ZERO);
        }
        assert_eq!(self.balance(Account::Upstream) + self.balance(Account::Claims), FUNDS - self.cost);
        let base = self.rate.base;
        let expenses: Micros = [Account::Cogs, Account::CogsVariance, Account::Loss]
            .map(|account: fn(UpstreamId) -> Account| self.books.of(account(alpha()), base))
            .into_iter()
            .sum();
        if self.book.currency == base {
            assert_eq!(expenses, self.cost);
        } else {
            assert_eq!(self.balance(|_| Account::EquityFx), self.cost);
            assert_eq!(self.books.of(Account::EquityFx, base), -expenses);
        }
    }

    /// The upstream shows its claims in two parts.
    fn show_claims(&mut self) {
        let claims = self.balance(Account::Claims);
        let half = claims.share(1, 2);
        for (n, part) in [(1, half), (2, claims - half)] {
            let part = Money::new(part, self.book.currency);
            self.books.post(&upstreams::claim_shown(self.book.attempt, &alpha(), part, n));
        }
        assert_eq!(self.balance(Account::Claims), Micros::ZERO);
        assert_eq!(self.balance(Account::Upstream), FUNDS - self.cost);
    }
}

/// Every posting there is, for any amounts.
fn every_posting(small: Micros, large: Micros, upstream_currency: Currency, rate: &BaseRate) -> Vec<Posting> {
    let money = Money::new(large, upstream_currency);
    let book = AttemptBook {
        attempt: AttemptId(7),
        upstream: alpha(),
        currency: upstream_currency,
        reserve: small,
        wip: large,
    };
    let excess = |how| upstreams::excess_settled(&alpha(), money, 1, how, rate, "found");
    vec![
        customers::deposit(&panel(), money, "r"),
        customers::adjustment(&panel(), money, "r", "kind"),
        customers::adjustment(&panel(), Money::new(-large, upstream_currency), "r", "less kind"),
        customers::order_charge(OrderId(1), &panel(), money),
        customers::order_end(OrderId(1), &panel(), money, small),
        attempts::reserve(&book),
        attempts::release(&book),
        attempts::accept(&book),
        attempts::running_charge(&book, small, 1),
        attempts::attempt_end(&book, small, large, rate),
        attempts::attempt_end(&AttemptBook { wip: small, ..book.clone() }, large, small, rate),
        attempts::late_charge(&book, small, large, 1, rate, false),
        attempts::late_charge(&book, large, small, 1, rate, true),
        attempts::dispute(&book),
        attempts::settle_taken(&book, large, rate),
        attempts::settle_taken(&AttemptBook { reserve: large, ..book.clone() }, small, rate),
        attempts::settle_not_taken(&book),
        attempts::write_off(&book, Held::Committed, rate),
        attempts::write_off(&book, Held::Disputed, rate),
        attempts::contradiction(&book, large, rate),
        upstreams::topup(&alpha(), money, "r", AlreadySeen { opening: small, excess: small }),
        upstreams::opening(&alpha(), money),
        upstreams::opening_settled(&alpha(), money, "old"),
        upstreams::claim_shown(AttemptId(7), &alpha(), money, 1),
        upstreams::claim_lost(AttemptId(7), &alpha(), money, rate, "gone"),
        upstreams::suspense_excess(&alpha(), money, 1),
        excess(Explanation::Bank),
        excess(Explanation::Loss),
        excess(Explanation::Opening),
        upstreams::shortfall(&alpha(), money, 1, rate, "fees"),
        upstreams::refill_charge(1, &alpha(), money, 1, rate),
    ]
}

proptest! {
    #[test]
    fn every_posting_balances(
        one in 0i64..=1_000_000_000_000_000, other in 0i64..=1_000_000_000_000_000, (upstream, rate) in rates(),
    ) {
        let (small, large) = (Micros::new(one.min(other)), Micros::new(one.max(other)));
        for posting in every_posting(small, large, upstream, &rate) {
            let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
            for entry in &posting.entries {
                prop_assert!(!entry.amount.is_zero(), "{}", posting.key);
                *sums.entry(entry.account.currency).or_default() += i128::from(entry.amount.get());
            }
            prop_assert!(sums.values().all(|sum| *sum == 0), "{}", posting.key);
            prop_assert!(posting.entries.len() != 1, "{}", posting.key);
            prop_assert!(sums.len() < 2 || posting.fx.is_some(), "{}", posting.key);
            prop_assert!(posting.fx.is_none_or(|fx| fx.from == upstream && fx.to == rate.base && fx.from != fx.to));
        }
    }

    #[test]
    fn refund_and_sales_are_the_charge(
        charge in 0i64..=1_000_000_000_000_000, remains in 0u64..=QUANTITY,
    ) {
        let charge = Money::new(Micros::new(charge), currency("USD"));
        let back = refund(charge.amount, remains, QUANTITY);
        let mut books = Books::default();
        books.post(&customers::order_charge(OrderId(1), &panel(), charge));
        books.post(&customers::order_end(OrderId(1), &panel(), charge, back));
        prop_assert_eq!(books.of(Account::Orders, charge.currency), Micros::ZERO);
        prop_assert_eq!(-books.of(Account::Sales, charge.currency) + back, charge.amount);
        prop_assert_eq!(books.of(Account::Wallet(panel()), charge.currency), charge.amount - back);
    }

    #[test]
    fn every_life_ends_with_nothing_held(
        reserve in 0i64..=100_000_000,
        (upstream, rate) in rates(),
        policy in 0usize..3,
        steps in proptest::collection::vec(any_step(), 0..40),
        remains in 0u64..=QUANTITY,
        choice in 0u8..3,
    ) {
        let mut life = Life::begin(Micros::new(reserve), upstream, rate, ChargeAfterPartial::ALL[policy]);
        for step in &steps {
            life.take(step);
        }
        life.finish(remains, choice);
        life.check_end();
        life.show_claims();
    }
}
