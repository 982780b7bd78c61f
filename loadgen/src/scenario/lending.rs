//! The scenarios of loans: paying out, paying back, and closing days while customers' transfers run.
//!
//! Each borrower has a deposit account and one loan ([`crate::loans`]). `disburse` pays all loans out on one day;
//! `repay` lets every borrower pay the first instalment on its day; `day-end` spreads the loans over thirty due days,
//! lets one borrower in a hundred spend the money, and closes half of April with a trickle of transfers beside it.

use super::{Plan, Scenario, conclude, weigh};
use crate::drive::{Driven, Load, drive, open_accounts, open_all};
use crate::fault::{Fault, Run};
use crate::loans::{Act, Borrowers, DUE_DAYS, Expected, Orders, day};
use crate::measure::{figure, process_cpu, ratio, resident, written_bytes};
use crate::place::Place;
use crate::report::{DayEnd, Report, rate, rounded};
use crate::target::Target;
use crate::timing::Timing;
use crate::workload::{Hot, Ids, Kinds, Workload, account_id};
use crate::{Unwatched, Watch};
use fen_book::loan::day_end::DayEndReply;
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_ledger::{Body, BusinessDate, Ledger, LoanCommand, LoanReply, Reply};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SETTING: &str = "client and ledger in one process; one node, on disk before it is answered";

/// The day of March on which all loans are paid out, where they are not spread: due on the fifteenth of April.
const ONE_DAY: u64 = 14;

/// The days closed while the clock runs: those of April up to this one.
const MEASURED_DAYS: u64 = 15;

/// Customers' transfers beside a day-end, a second.
const TRICKLE: u64 = 1_000;

/// Accounts between which these go; the first of them is the shop where the poor spend their money.
const CUSTOMERS: u64 = 1_000;

/// A run under way.
struct Lending<'a> {
    plan: &'a Plan,
    books: &'a dyn Target,
    borrowers: Borrowers,
    expected: Expected,
    watch: &'a dyn Watch,
}

/// Runs a scenario of loans from an empty directory to the check.
///
/// # Errors
/// A fault of the place or the ledger. Books that do not hold what was acknowledged are in the report.
pub(super) fn run(plan: &Plan, watch: &dyn Watch) -> Run<Report> {
    plan.check()?;
    let place = Place::open(plan.data.as_deref())?;
    let mut report = plan.report(place.path());
    SETTING.clone_into(&mut report.setting);
    report.rss_empty_bytes = resident().now;
    let auto_debit = plan.scenario == Scenario::DayEnd;
    let borrowers = Borrowers { seed: plan.seed, count: plan.loans, auto_debit };
    let ledger = Ledger::open(place.path())?;
    let expected = Expected::new(borrowers);
    let mut lending = Lending { plan, books: &ledger, borrowers, expected, watch };
    lending.open()?;
    match plan.scenario {
        Scenario::Disburse => lending.disburse_all(&mut report)?,
        Scenario::Repay => lending.repay_all(&mut report)?,
        Scenario::DayEnd => lending.close_days(&mut report)?,
        Scenario::Transfers
        | Scenario::Singles
        | Scenario::Mixed
        | Scenario::Restart
        | Scenario::Batch
        | Scenario::Failover => unreachable!("not a scenario of loans"),
    }
    watch.step("check", 1);
    report.faults = lending.expected.compare(&ledger)?;
    conclude(&mut report);
    drop(ledger);
    let written = written_bytes().map(|bytes| ratio(figure(bytes), figure(plan.loans)));
    report.written_bytes_per_record = written.map(rounded);
    weigh(&mut report, place.path(), plan.loans);
    Ok(report)
}

impl Lending<'_> {
    /// The product, the borrowers' accounts and the other customers'.
    fn open(&self) -> Run<()> {
        let put = LoanCommand::PutProduct(Box::new(self.borrowers.product()));
        let reply = self.ask(&put)?;
        let LoanReply::Product(outcome) = reply else {
            return Err(Fault::Process("the answer is not one to a product".to_owned()));
        };
        if outcome.status != ProductStatus::Created {
            return Err(Fault::Process(format!("the product was answered {}", outcome.status.name())));
        }
        open_accounts(self.books, &self.customers(), &Unwatched)?;
        self.watch.step("accounts", self.plan.loans);
        open_all(self.books, self.borrowers.accounts(), self.watch)
    }

    fn ask(&self, command: &LoanCommand) -> Run<LoanReply> {
        let Reply::Loans(reply) = self.books.submit(Body::Loans(command.encode()))?.wait()? else {
            return Err(Fault::Process("the answer is not one to the loan side".to_owned()));
        };
        Ok(reply)
    }

    /// The transfers that run beside a day-end.
    fn customers(&self) -> Workload {
        Workload {
            seed: self.plan.seed,
            accounts: CUSTOMERS,
            batch: 1,
            ids: Ids::Time,
            hot: Hot::Uniform,
            kinds: Kinds::Plain,
        }
    }

    /// An act on a business date, counted from the first of March: of all, or of those whose day it is.
    fn orders(&self, act: Act, on: u64, day: Option<u64>) -> Orders {
        let Self { plan, borrowers, .. } = self;
        Orders {
            borrowers: *borrowers,
            act,
            day,
            on: business_date(on),
            batch: plan.batch,
            shop: account_id(0),
        }
    }

    /// Sends a stream, and takes what was answered into account.
    fn send(&mut self, orders: &Orders) -> Run<Driven> {
        let load = Load {
            stream: orders,
            clients: self.plan.clients,
            under_way: self.plan.under_way,
            first: 0,
            end: orders.batches(),
            rate: self.plan.rate,
            seconds_max: None,
            stop: None,
            reads: false,
        };
        let driven = drive(self.books, &load, self.watch)?;
        self.expected.add(orders, &driven.answers);
        Ok(driven)
    }

    /// Closes days up to one, counted from the first of March.
    fn close(&self, through: u64) -> Run<Closed> {
        let command = LoanCommand::DayEnd { through: business_date(through), loans_max: 0 };
        let (began, mut closed) = (Instant::now(), Closed::default());
        loop {
            let LoanReply::DayEnd(DayEndReply { outcome, is_done, loans, .. }) = self.ask(&command)? else {
                return Err(Fault::Process("the answer is not one to a day-end".to_owned()));
            };
            if outcome.status != LoanStatus::Created {
                return Err(Fault::Process(format!("day-end was answered {}", outcome.status.name())));
            }
            closed.loans += u64::from(loans);
            closed.chunks += 1;
            if is_done {
                closed.taken = began.elapsed();
                return Ok(closed);
            }
        }
    }

    fn disburse_all(&mut self, report: &mut Report) -> Run<()> {
        let before = self.begin_day(ONE_DAY)?;
        self.watch.step("disburse", self.plan.loans);
        let cpu_before = process_cpu();
        let driven = self.send(&self.orders(Act::Disburse, ONE_DAY, None))?;
        fill(report, &driven, cpu_before);
        weigh_memory(report, before, self.plan.loans);
        Ok(())
    }

    /// The books begin on the day of their first event, and a day-end takes them to any later one.
    fn begin_day(&self, of_march: u64) -> Run<u64> {
        if of_march > 0 {
            self.close(of_march - 1)?;
        }
        Ok(resident().now)
    }

    fn repay_all(&mut self, report: &mut Report) -> Run<()> {
        let before = self.begin_day(ONE_DAY)?;
        self.watch.step("disburse", self.plan.loans);
        let paid_out = self.send(&self.orders(Act::Disburse, ONE_DAY, None))?;
        report.warm_up = paid_out.created;
        self.watch.step("day-ends", 1);
        let due_on = ONE_DAY + 31;
        self.close(due_on - 1)?;
        self.watch.step("repay", self.plan.loans);
        let cpu_before = process_cpu();
        let driven = self.send(&self.orders(Act::Repay, due_on, None))?;
        fill(report, &driven, cpu_before);
        weigh_memory(report, before, self.plan.loans);
        Ok(())
    }

    fn close_days(&mut self, report: &mut Report) -> Run<()> {
        let before = resident().now;
        self.watch.step("disburse", self.plan.loans);
        for of_march in 0..DUE_DAYS {
            self.begin_day(of_march)?;
            let paid_out = self.send(&self.orders(Act::Disburse, of_march, Some(of_march)))?;
            report.warm_up += paid_out.created;
            self.send(&self.orders(Act::Spend, of_march, Some(of_march)))?;
        }
        self.close(DUE_DAYS)?;
        weigh_memory(report, before, self.plan.loans);
        self.watch.step("day-ends", MEASURED_DAYS);
        let stop = AtomicBool::new(false);
        let customers = self.customers();
        let trickle = Load {
            stream: &customers,
            clients: 1,
            under_way: 1,
            first: 0,
            end: u64::MAX,
            rate: Some(TRICKLE),
            seconds_max: None,
            stop: Some(&stop),
            reads: false,
        };
        let cpu_before = process_cpu();
        let (closed, beside) = std::thread::scope(|scope| {
            let beside = scope.spawn(|| drive(self.books, &trickle, &Unwatched));
            let closed: Run<Vec<Closed>> = (1..=MEASURED_DAYS)
                .map(|of_april| {
                    let closed = self.close(DUE_DAYS + of_april);
                    self.watch.done(1);
                    closed
                })
                .collect();
            stop.store(true, Ordering::Relaxed);
            let beside = beside.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()));
            Ok::<_, Fault>((closed?, beside??))
        })?;
        report.cpu_seconds = process_cpu().saturating_sub(cpu_before).as_secs_f64();
        // The day's last money is asked for on its evening: what fell due on the last day closed is in.
        (0..MEASURED_DAYS).for_each(|of_march| self.expected.collect(of_march));
        sum_up(report, &closed, &beside);
        Ok(())
    }
}

fn business_date(of_march: u64) -> BusinessDate {
    BusinessDate::new(day(of_march).number())
}

/// One close of one day.
#[derive(Clone, Copy, Default, Debug)]
struct Closed {
    taken: Duration,
    loans: u64,
    chunks: u64,
}

fn fill(report: &mut Report, driven: &Driven, cpu_before: Duration) {
    report.cpu_seconds = process_cpu().saturating_sub(cpu_before).as_secs_f64();
    report.done = driven.created;
    report.seconds = driven.taken.as_secs_f64();
    report.per_second = rate(driven.created, driven.taken);
    report.latency_ms = Some(driven.timing.latency());
    report.cpu_client_seconds = driven.client_cpu.as_secs_f64();
    report.refused = driven.answers.refused();
    show(report, &driven.timing);
}

fn show(report: &mut Report, timing: &Timing) {
    report.per_second_series = timing.per_second();
    report.slices = timing.slices().to_vec();
}

fn weigh_memory(report: &mut Report, before: u64, loans: u64) {
    let resident = resident();
    (report.rss_bytes, report.rss_peak_bytes) = (resident.now, resident.peak);
    let grown = resident.now.saturating_sub(report.rss_empty_bytes.min(before));
    report.rss_bytes_per_account = rounded(ratio(figure(grown), figure(loans)));
}

fn sum_up(report: &mut Report, closed: &[Closed], beside: &Driven) {
    let taken: Duration = closed.iter().map(|day| day.taken).sum();
    report.done = closed.iter().map(|day| day.loans).sum();
    report.seconds = taken.as_secs_f64();
    report.per_second = rate(report.done, taken);
    let mut each: Vec<Duration> = closed.iter().map(|day| day.taken).collect();
    each.sort_unstable();
    let milliseconds = |taken: Option<&Duration>| taken.map_or(0.0, |taken| taken.as_secs_f64() * 1_000.0);
    report.day_end = Some(DayEnd {
        days: u64::try_from(closed.len()).unwrap_or(0),
        loans: report.done,
        chunks: closed.iter().map(|day| day.chunks).sum(),
        median_ms: milliseconds(each.get(each.len() / 2)),
        max_ms: milliseconds(each.last()),
    });
    report.reads = 0;
    report.latency_ms = Some(beside.timing.latency());
    report.refused = beside.answers.refused();
    show(report, &beside.timing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_runs_of_loans_are_verified() {
        for scenario in [Scenario::Disburse, Scenario::Repay, Scenario::DayEnd] {
            let place = tempfile::Builder::new().prefix("fen-bench-").tempdir_in(".").unwrap();
            let data = Some(place.path().to_owned());
            let plan = Plan { loans: 500, clients: 2, data, ..Plan::of(scenario) };
            let report = run(&plan, &Unwatched).unwrap();
            assert_eq!(report.faults, Vec::<String>::new(), "{scenario:?}");
            assert!(report.verified && report.done > 0, "{scenario:?}");
            assert!(report.refused.is_empty(), "{scenario:?}: {:?}", report.refused);
            assert_eq!(report.day_end.is_some(), scenario == Scenario::DayEnd);
        }
    }
}
