//! Lives of loans as other engines have published them, retold: the terms, the events, and the tables of instalments
//! that must come of them, to the cent. Every file in `tests/lives` is one life; `FEN_LIVES=DIR` reads another folder.
//!
//! A table's row: n, due day, principal, interest, fees, penalties | due, paid, paid early, paid late, outstanding.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

use fen_book::loan::allocation::{Allocation, Direction, InAdvance, Target};
use fen_book::loan::contract::{Contract, DownPaymentFrom, InterestOn, Prepayment, SettlementDay};
use fen_book::loan::event::{ChargeKind, Event, EventKind};
use fen_book::loan::fees::Fees;
use fen_book::loan::life::Life;
use fen_book::loan::money::Money;
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, FlatBase, Grace, InterestMethod, LaterDraws, Percent, Period,
    PeriodUnit, Rate, Rounding, RoundingMode, Terms, Timing,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

struct Story {
    contract: Contract,
    events: Vec<Event>,
}

fn fields<'a>(words: &[&'a str]) -> BTreeMap<&'a str, &'a str> {
    words.iter().filter_map(|word| word.split_once('=')).collect()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap_or_else(|| panic!("{text} is no day"))
}

fn money(text: &str) -> Money {
    let money = fen_terms::Money::parse(text, 2).unwrap_or_else(|| panic!("{text} is no amount"));
    Money::new(i128::try_from(money.get()).unwrap())
}

fn terms(words: &[&str]) -> Terms {
    let said = fields(words);
    let number = |name: &str| said.get(name).map_or(0, |text| text.parse::<u16>().unwrap());
    Terms {
        principal: fen_terms::Money::ZERO,
        rate: match said.get("daily_rate") {
            Some(text) => Rate::daily(Percent::parse(text).unwrap()),
            None => Rate::annual(Percent::parse(said["rate"]).unwrap()),
        },
        timing: Timing::Regular {
            periods: number("periods"),
            period: Period { unit: PeriodUnit::from_name(said["unit"]).unwrap(), every: number("every") },
            first_due_on: said.get("first_due_on").map(|text| day(text)),
        },
        amortisation: Amortisation::from_name(said["amortisation"]).unwrap(),
        interest: InterestMethod::from_name(said["interest"]).unwrap(),
        accrual: Accrual::from_name(said["accrual"]).unwrap(),
        day_count: DayCount::from_name(said["day_count"]).unwrap(),
        disbursed_on: Day::MIN,
        rounding: Rounding {
            mode: RoundingMode::from_name(said["mode"]).unwrap(),
            to: fen_terms::Money::new(1),
            instalment_to: said.get("instalment_to").map(|text| fen_terms::Money::parse(text, 2).unwrap()),
        },
        down_payment: said.get("down_payment").map(|text| Percent::parse(text).unwrap()),
        flat_base: FlatBase::Financed,
        grace: Grace {
            principal: number("grace_principal"),
            interest: number("grace_interest"),
            interest_free: number("interest_free"),
        },
        disbursements: Vec::new(),
        later_draws: said
            .get("later_draws")
            .map_or(LaterDraws::RemainingTerm, |name| LaterDraws::from_name(name).unwrap()),
        fees: Vec::new(),
    }
}

fn in_advance(name: &str) -> InAdvance {
    InAdvance::from_name(name).unwrap_or_else(|| panic!("{name} is no rule"))
}

impl Story {
    fn new(terms: Terms) -> Self {
        let contract = Contract {
            terms,
            allocation: Allocation::default(),
            in_advance: InAdvance::NextInstalments,
            prepayment: Prepayment::KeepInstalments,
            interest_on: InterestOn::Schedule,
            settlement_day: SettlementDay::Free,
            down_payment_from: DownPaymentFrom::Repayment,
            penalty_multiple: None,
            fees: Fees::default(),
            holidays: None,
            subsidy: None,
            subsidy_room: Money::ZERO,
        };
        Self { contract, events: Vec::new() }
    }

    /// Takes one line of a life.
    fn tell(&mut self, words: &[&str]) {
        match words[0] {
            "allocation" => {
                let direction = Direction::from_name(words[1]).unwrap();
                let order: Vec<Target> =
                    words[2..].iter().map(|name| Target::from_name(name).unwrap()).collect();
                self.contract.allocation = Allocation::new(&order, direction).unwrap();
            }
            "in_advance" => self.contract.in_advance = in_advance(words[1]),
            "interest_on" => self.contract.interest_on = InterestOn::from_name(words[1]).unwrap(),
            "prepayment" => self.contract.prepayment = Prepayment::from_name(words[1]).unwrap(),
            "settlement_day" => self.contract.settlement_day = SettlementDay::BearsInterest,
            "penalty_multiple" => self.contract.penalty_multiple = Percent::parse(words[1]),
            "reverse" => {
                let id: u128 = words[1].parse().unwrap();
                self.events.retain(|event| event.id != id);
            }
            on => self.event(day(on), &words[1..]),
        }
    }

    fn event(&mut self, on: Day, words: &[&str]) {
        let said = fields(words);
        let kind = match words[0] {
            "disburse" => EventKind::Disburse { amount: money(words[1]) },
            "repay" => EventKind::Repay {
                amount: money(words[1]),
                in_advance: said.get("in_advance").map(|name| in_advance(name)),
            },
            "prepay" if words[1] == "all" => {
                let life = Life::fold(&self.contract, &self.events, on).unwrap();
                EventKind::Prepay { amount: life.payoff(on) }
            }
            "prepay" => EventKind::Prepay { amount: money(words[1]) },
            "charge" => EventKind::Charge {
                kind: if words[1] == "fee" { ChargeKind::Fee } else { ChargeKind::Penalty },
                amount: money(words[2]),
                due_on: day(said["due"]),
            },
            "waive" => EventKind::Waive { charge: words[1].parse().unwrap() },
            "chargeback" => EventKind::Chargeback { amount: money(words[1]) },
            "refund" => EventKind::Refund { amount: money(words[1]) },
            "shift" => EventKind::ShiftDueDate { from: day(words[1]), to: day(words[2]) },
            "rate" => EventKind::ChangeRate { rate: Percent::parse(words[1]).unwrap() },
            "periods" => EventKind::ChangePeriods { periods: words[1].parse().unwrap() },
            "charge_off" => EventKind::ChargeOff,
            "write_off" => EventKind::WriteOff,
            other => panic!("{other} is no event"),
        };
        let sequence = u64::try_from(self.events.len()).unwrap();
        self.events.push(Event { id: said["id"].parse().unwrap(), effective_on: on, sequence, kind });
    }

    /// The rows as of a day, as a table prints them.
    fn table(&self, as_of: Day) -> String {
        let life = match Life::fold(&self.contract, &self.events, as_of) {
            Ok(life) => life,
            Err(status) => return format!("refused: {status}\n"),
        };
        let mut table = String::new();
        for (place, row) in life.rows.iter().enumerate() {
            let due = row.due;
            let columns = [due.principal, due.interest, due.fees, due.penalties].map(cents).join(" ");
            let totals = [
                due.total(),
                row.paid.total(),
                row.paid_early.total(),
                row.paid_late.total(),
                row.outstanding().total(),
            ];
            let totals = totals.map(cents).join(" ");
            writeln!(table, "{} {} {columns} | {totals}", place + 1, row.due_on).unwrap();
        }
        table
    }
}

fn cents(money: Money) -> String {
    format!("{}.{:02}", money.get() / 100, money.get() % 100)
}

/// A table's row with every amount to two decimals.
fn normal(row: &str) -> String {
    let words = row.split_whitespace().enumerate();
    let words: Vec<String> = words
        .map(|(place, word)| if place < 2 || word == "|" { word.into() } else { cents(money(word)) })
        .collect();
    words.join(" ") + "\n"
}

/// Tells one life, and compares each table. Says what differs.
fn check(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut story: Option<Story> = None;
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "terms" {
            story = Some(Story::new(terms(&words)));
        } else if words[0] == "table" {
            let mut expected = String::new();
            while let Some(row) = lines.next_if(|row| row.contains(" | ")) {
                expected += &normal(row);
            }
            let found = story.as_ref().unwrap().table(day(words[1]));
            if found != expected {
                faults.push(format!("{line}\nexpected\n{expected}found\n{found}"));
            }
        } else {
            story.as_mut().unwrap().tell(&words);
        }
    }
    faults
}

#[test]
fn every_published_life_comes_out_to_the_cent() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lives");
    let folder = std::env::var_os("FEN_LIVES").map_or(here, PathBuf::from);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are lives to tell");
    let mut wrong = 0;
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap();
        let faults = check(&text);
        if !faults.is_empty() {
            wrong += 1;
            let name = path.file_name().unwrap().display();
            eprintln!("== {name}: {}\n{}", text.lines().next().unwrap_or(""), faults.join("\n"));
        }
    }
    assert_eq!(wrong, 0, "of {} lives", paths.len());
}
