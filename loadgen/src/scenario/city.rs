//! `shenzhen`: a month in a city whose people came from elsewhere, one deposit account and one loan for each of them.
//!
//! 11,679,400 people lived in Shenzhen without being registered there in 2024; a large digital lender pays out 900,000
//! loans a day. The whole is scaled by the number of borrowers alone. Their first loans are paid out over March, so
//! that a thirtieth of them falls due on each day of April; April is what is measured, day by day: some take a further
//! loan, a quarter buys something in the evening, and the day is closed. On the tenth everybody is paid, and if the
//! books are on several nodes the leader of the first shard is killed in the middle of it and started again; on the
//! evening of Saturday the eighteenth everybody shops. All the month customers pay one another, a few hundred times a
//! second: how long they wait is the report's latency.
//!
//! **Invariants.** Who is poor (one in a hundred) has spent the loan, earns nothing and buys nothing, so day-end finds
//! nothing to collect; of everybody else it collects in full. The check re-adds every answer, as for any scenario.

use super::kill::{self, Pace};
use super::lending::{Closed, Lending, Meter, Tally, show, sum_up};
use crate::fault::{Fault, Run};
use crate::loans::{Act, DUE_DAYS, Orders, Who};
use crate::report::{Phase, Report, rate};
use crate::site::Site;
use crate::timing::Timing;
use std::time::{Duration, Instant};

/// The city's people without local registration in 2024.
pub(super) const PEOPLE: u64 = 11_679_400;

/// Loans that a large digital lender pays out a day.
const LOANS_A_DAY: u64 = 900_000;

/// Customers' payments beside it all, a second.
const TRICKLE: u64 = 200;

/// Days of April.
const DAYS: u64 = 30;

/// Everybody is paid.
const SALARY_DAY: u64 = 10;

/// Everybody shops: a Saturday.
const SHOPPING_DAY: u64 = 18;

/// On other evenings one in so many does.
const SHOPS_ONE_IN: u64 = 4;

/// What is done over and over.
#[derive(Clone, Default)]
struct Kind {
    name: &'static str,
    done: u64,
    taken: Duration,
    timing: Timing,
}

impl Kind {
    fn of(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn phase(&self) -> Phase {
        Phase {
            name: self.name.to_owned(),
            done: self.done,
            seconds: self.taken.as_secs_f64(),
            per_second: rate(self.done, self.taken),
            latency_ms: (self.timing.count() > 0).then(|| self.timing.latency()),
        }
    }
}

/// A month under way.
struct Month<'a> {
    lending: &'a Lending<'a>,
    salaries: Kind,
    loans: Kind,
    evenings: Kind,
    saturday: Kind,
    closed: Vec<Closed>,
    gap_ms: Option<f64>,
}

/// Lives through the month.
pub(super) fn live(lending: &Lending<'_>, tally: &mut Tally, report: &mut Report) -> Run<()> {
    lending.march(tally, report)?;
    let mut month = Month {
        lending,
        salaries: Kind::of("salaries"),
        loans: Kind::of("further loans"),
        evenings: Kind::of("purchases"),
        saturday: Kind::of("shopping evening"),
        closed: Vec::new(),
        gap_ms: None,
    };
    lending.watch.step("days of April", DAYS);
    let (meter, began) = (Meter::begin(lending.site), Instant::now());
    let ((), beside) = lending.beside(TRICKLE, tally, |tally| {
        (1..=DAYS).try_for_each(|of_april| {
            month.day(of_april, tally)?;
            lending.watch.done(1);
            Ok(())
        })
    })?;
    let taken = began.elapsed();
    (report.cpu_seconds, report.cpu_client_seconds) = meter.end(lending.site, &beside);
    tally.collected(DAYS);
    let used = lending.site.usage();
    (report.rss_bytes, report.rss_peak_bytes) = (used.resident, used.resident_peak);
    month.tell(report, taken);
    report.gap_ms = month.gap_ms;
    report.latency_ms = Some(beside.timing.latency());
    report.refused = beside.answers.refused();
    show(report, &beside.timing);
    Ok(())
}

impl Month<'_> {
    fn day(&mut self, of_april: u64, tally: &mut Tally) -> Run<()> {
        let lending = self.lending;
        let today = DUE_DAYS + of_april;
        let everybody = Who::all(&lending.borrowers);
        if of_april == SALARY_DAY {
            self.pay_salaries(&lending.orders(Act::Earn, today, everybody), tally)?;
        }
        self.lend(of_april, tally)?;
        let (kind, who) = if of_april == SHOPPING_DAY {
            (&mut self.saturday, everybody)
        } else {
            let first = of_april % SHOPS_ONE_IN;
            let count = (lending.plan.loans + SHOPS_ONE_IN - 1 - first) / SHOPS_ONE_IN;
            (&mut self.evenings, Who { first, step: SHOPS_ONE_IN, count })
        };
        send(lending, &lending.orders(Act::Shop, today, who), tally, kind)?;
        self.closed.push(lending.close(today)?);
        Ok(())
    }

    /// The next of the borrowers, round and round, take a further loan.
    fn lend(&mut self, of_april: u64, tally: &mut Tally) -> Run<()> {
        let lending = self.lending;
        let people = lending.plan.loans;
        let a_day = people * LOANS_A_DAY / PEOPLE;
        let (mut from, until) = ((of_april - 1) * a_day, of_april * a_day);
        while from < until {
            let (round, first) = (from / people, from % people);
            let count = (people - first).min(until - from);
            let act = Act::Disburse { round: round + 1 };
            let orders = lending.orders(act, DUE_DAYS + of_april, Who { first, step: 1, count });
            send(lending, &orders, tally, &mut self.loans)?;
            from += count;
        }
        Ok(())
    }

    /// Kills the leader when half of it is done, if there are others.
    fn pay_salaries(&mut self, orders: &Orders, tally: &mut Tally) -> Run<()> {
        let lending = self.lending;
        let Site::Nodes { processes, cluster, .. } = lending.site else {
            return send(lending, orders, tally, &mut self.salaries);
        };
        let (pace, half) = Pace::new(orders.who.count / 2, &crate::Unwatched);
        let pace = &pace;
        let driven = std::thread::scope(|scope| {
            let killing = scope.spawn(move || {
                // An error is the end of the load before its half.
                half.recv().map_err(|_| Fault::Process("the salaries ended before the kill".to_owned()))?;
                let mut processes = processes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let place = kill::leader(&mut processes, cluster, pace)?;
                Ok::<(), Fault>(processes.start_node(place)?)
            });
            let driven = lending.send(orders, tally, pace);
            pace.tell();
            killing.join().map_err(|_| Fault::Process("the killing thread panicked".to_owned()))??;
            driven
        })?;
        self.gap_ms = Some(pace.gap_ms());
        add(&mut self.salaries, &driven);
        Ok(())
    }

    fn tell(&self, report: &mut Report, taken: Duration) {
        sum_up(report, &self.closed);
        let kinds = [&self.salaries, &self.loans, &self.evenings, &self.saturday];
        report.phases = kinds.iter().map(|kind| kind.phase()).collect();
        let closing: Duration = self.closed.iter().map(|day| day.taken).sum();
        report.phases.push(Phase {
            name: "day-ends".to_owned(),
            done: report.done,
            seconds: closing.as_secs_f64(),
            per_second: rate(report.done, closing),
            latency_ms: None,
        });
        report.done = report.phases.iter().map(|phase| phase.done).sum();
        report.seconds = taken.as_secs_f64();
        report.per_second = rate(report.done, taken);
    }
}

fn send(lending: &Lending<'_>, orders: &Orders, tally: &mut Tally, kind: &mut Kind) -> Run<()> {
    add(kind, &lending.send(orders, tally, &crate::Unwatched)?);
    Ok(())
}

fn add(kind: &mut Kind, driven: &crate::drive::Driven) {
    kind.timing.append(&driven.timing, kind.taken);
    kind.done += driven.created;
    kind.taken += driven.taken;
}
