//! Random products and lives: after every command each loan is what the naive model reckons from its events, loans and
//! control accounts agree, and a checkpoint holds all there is.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

#[path = "../world/mod.rs"]
mod world;

mod model;

use fen_book::loan::allocation::{Age, Allocation, Direction, InAdvance, Target};
use fen_book::loan::control::Role;
use fen_book::loan::event::ChargeKind;
use fen_book::loan::money::Component;
use fen_book::loan::order::{LoanAct, Opening};
use fen_book::loan::product::{Funder, Product, StatedTerms};
use fen_book::loan::row::RowKind;
use fen_book::loan::status::LoanStatus;
use fen_book::{AccountId, Amount, BusinessDate};
use fen_terms::{Amortisation, Day, DayCount, Percent, Period, PeriodUnit, Rate, Rounding, RoundingMode};
use model::{Agreed, Happened, Shape, What};
use proptest::prelude::*;
use world::{ANNA, CNY, MICROLOAN, World};

/// How many cases a run has: a few, or as many as `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48)
}

/// A step of a life.
#[derive(Clone, Debug)]
enum Step {
    Days(u16),
    Repay { back: u16, share: u16 },
    Charge { is_fee: bool, amount: u32, due_in: i16 },
    Waive(usize),
    Reverse(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..50_u16).prop_map(Step::Days),
        4 => (0..60_u16, 1..1_300_u16).prop_map(|(back, share)| Step::Repay { back, share }),
        2 => (any::<bool>(), 1..100_000_u32, -40..120_i16)
            .prop_map(|(is_fee, amount, due_in)| Step::Charge { is_fee, amount, due_in }),
        1 => (0..8_usize).prop_map(Step::Waive),
        1 => (0..8_usize).prop_map(Step::Reverse),
    ]
}

fn agreed() -> impl Strategy<Value = Agreed> {
    let shape = prop_oneof![
        Just(Shape::EqualPrincipal),
        Just(Shape::EqualInstalment),
        Just(Shape::InterestOnly),
        Just(Shape::Bullet)
    ];
    let numbers = (50_000..30_000_000_i128, 0..3_000_i32, 1..13_u16, 0..1_000_u32, 0..31_u32);
    let order = Just(Target::all().collect::<Vec<_>>()).prop_shuffle();
    (numbers, shape, any::<[bool; 3]>(), order).prop_map(|(numbers, shape, flags, order)| {
        let (principal, day, periods, daily_millionths, late_tenths) = numbers;
        let number = |age| match age {
            Age::PastDue => 0,
            Age::Due => 1,
            Age::InAdvance => 2,
        };
        Agreed {
            principal,
            drawn_on: Day::from_number(17_000 + day).unwrap(),
            periods,
            shape,
            daily_millionths,
            half_even: flags[0],
            late_tenths,
            vertical: flags[1],
            last_first: flags[2],
            order: order.iter().map(|target| (number(target.age), target.component)).collect(),
        }
    })
}

fn product(agreed: &Agreed, funders: Vec<Funder>) -> Product {
    let order: Vec<Target> = agreed
        .order
        .iter()
        .map(|(age, component)| Target { age: Age::ALL[usize::from(*age)], component: *component })
        .collect();
    let direction = if agreed.vertical { Direction::Vertical } else { Direction::Horizontal };
    Product {
        id: MICROLOAN,
        ledger: CNY,
        terms: StatedTerms {
            rate: Some(Rate::daily(Percent::new(u64::from(agreed.daily_millionths), 10_000).unwrap())),
            periods: Some(agreed.periods),
            period: Some(Period { unit: PeriodUnit::Month, every: 1 }),
            amortisation: Some(match agreed.shape {
                Shape::EqualPrincipal => Amortisation::EqualPrincipal,
                Shape::EqualInstalment => Amortisation::EqualInstalment,
                Shape::InterestOnly => Amortisation::InterestOnly,
                Shape::Bullet => Amortisation::Bullet,
            }),
            day_count: Some(DayCount::Actual365),
            rounding: Some(Rounding {
                mode: if agreed.half_even { RoundingMode::HalfEven } else { RoundingMode::HalfUp },
                to: fen_terms::Money::new(1),
                instalment_to: None,
            }),
            ..StatedTerms::default()
        },
        allocation: Allocation::new(&order, direction).unwrap(),
        in_advance: if agreed.last_first { InAdvance::LastInstalments } else { InAdvance::NextInstalments },
        penalty_multiple: Percent::new(u64::from(agreed.late_tenths), 10),
        funders,
        ..Product::default()
    }
}

/// A world, its loan, and what has happened to it.
struct Told {
    world: World,
    agreed: Agreed,
    events: Vec<Happened>,
    /// Ids of the events that were granted, in order.
    ids: Vec<u128>,
    today: Day,
}

impl Told {
    fn begin(agreed: Agreed, funders: Vec<Funder>) -> Self {
        let mut world = World::new(&product(&agreed, funders));
        world.book_money(1_000_000_000_000);
        let opening = Opening {
            product_id: MICROLOAN,
            account_id: ANNA,
            amount: Amount::new(u128::try_from(agreed.principal).unwrap()),
            ..Opening::default()
        };
        let today = agreed.drawn_on;
        assert_eq!(world.act(&today.to_string(), LoanAct::Disburse(Box::new(opening))), LoanStatus::Created);
        Self { world, agreed, events: Vec::new(), ids: Vec::new(), today }
    }

    fn act(&mut self, on: Day, act: LoanAct, what: Option<What>) {
        if self.world.act(&on.to_string(), act) == LoanStatus::Created {
            let id = self.world.next_id;
            self.ids.push(id);
            self.events.extend(what.map(|what| Happened { id, on, what }));
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Days(days) => {
                let through = self.today.plus_days(i64::from(*days) - 1).unwrap();
                assert_eq!(self.world.day_end(&through.to_string()), LoanStatus::Created);
                self.today = through.plus_days(1).unwrap();
            }
            Step::Repay { back, share } => {
                let on = self.today.plus_days(-i64::from(*back)).unwrap().max(self.agreed.drawn_on);
                let amount = (self.agreed.principal * i128::from(*share) / 1_000).max(1);
                let asked = Amount::new(u128::try_from(amount).unwrap());
                let act = LoanAct::Repay { account_id: AccountId::ZERO, amount: asked, in_advance: None };
                self.act(on, act, Some(What::Repay { amount }));
            }
            Step::Charge { is_fee, amount, due_in } => {
                let due_on = self.today.plus_days(i64::from(*due_in)).unwrap().max(self.agreed.drawn_on);
                let kind = if *is_fee { ChargeKind::Fee } else { ChargeKind::Penalty };
                let component = if *is_fee { Component::Fee } else { Component::Penalty };
                let act = LoanAct::Charge {
                    kind,
                    amount: Amount::new(u128::from(*amount)),
                    due_on: BusinessDate::new(due_on.number()),
                };
                let what = What::Charge { component, amount: i128::from(*amount), due_on };
                self.act(self.today, act, Some(what));
            }
            Step::Waive(place) => {
                let Some(charge) = self.ids.get(*place).copied() else { return };
                let act = LoanAct::Waive { event_id: charge, forgive: None };
                self.act(self.today, act, Some(What::Waive { charge }));
            }
            Step::Reverse(place) => {
                let Some(event_id) = self.ids.get(*place).copied() else { return };
                let act = LoanAct::Reverse { event_id };
                let before = self.ids.len();
                self.act(self.today, act, None);
                if self.ids.len() > before {
                    self.events.retain(|event| event.id != event_id);
                }
            }
        }
    }

    /// Whether the loan is what the model reckons; where the model gives up, there is nothing to compare.
    fn compare(&self) {
        let Some((rows, overpaid)) = self.agreed.live(&self.events, self.today) else { return };
        let earned = self.agreed.unbilled(&rows, self.today);
        assert_eq!(
            self.world.control(Role::InterestAccrued),
            earned,
            "interest accrued as of {}",
            self.today
        );
        let view = self.world.view();
        let of_book: Vec<_> = (view.rows.iter())
            .map(|row| (row.due_on, row.due, row.paid, row.paid_early, row.paid_late, row.waived))
            .collect();
        let of_model: Vec<_> =
            rows.iter().map(|row| (row.due_on, row.due, row.paid, row.early, row.late, row.waived)).collect();
        assert_eq!(of_book, of_model, "as of {}", self.today);
        assert_eq!(view.overpaid.get(), overpaid);
        let lent: i128 = (view.rows.iter())
            .filter(|row| row.kind == RowKind::Instalment)
            .map(|row| row.due.principal.get())
            .sum();
        assert_eq!(lent, self.agreed.principal, "the principal of all instalments is the loan");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_loan_is_what_the_model_reckons_from_its_events(
        agreed in agreed(),
        shares in prop::collection::vec(1..30_u64, 0..3),
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let funders = (1_u128..).zip(&shares).map(|(id, share)| Funder { id, share: Percent::new(*share, 1).unwrap() });
        let mut told = Told::begin(agreed, funders.collect());
        for step in &steps {
            told.step(step);
            told.compare();
        }
    }
}
