//! The scenarios of loans: paying out, paying back, and closing days while customers' transfers run.
//!
//! Each borrower has a deposit account and one loan ([`crate::loans`]). `disburse` pays all loans out on one day;
//! `repay` lets every borrower pay the first instalment on its day; `day-end` spreads the loans over thirty due days,
//! lets one borrower in a hundred spend the money, and closes half of April with a trickle of transfers beside it.
//! `shenzhen` is a whole month of it all ([`super::city`]).

use super::{Plan, Scenario, city, conclude, events_max, weigh};
use crate::check;
use crate::drive::{Driven, Load, drive, open_accounts, open_all};
use crate::fault::{Fault, Run};
use crate::loans::{Act, Borrowers, DUE_DAYS, Expected, Orders, Who, day};
use crate::measure::{figure, process_cpu, ratio};
use crate::report::{DayEnd, Report, rate, rounded};
use crate::site::{Host, Site};
use crate::timing::Timing;
use crate::workload::{Hot, Ids, Kinds, Workload};
use crate::{Unwatched, Watch};
use fen_book::loan::day_end::DayEndReply;
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_ledger::{BusinessDate, LoanCommand, LoanReply};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The day of March on which all loans are paid out, where they are not spread: due on the fifteenth of April.
const ONE_DAY: u64 = 14;

/// The days closed while the clock runs: those of April up to this one.
const MEASURED_DAYS: u64 = 15;

/// Customers' transfers beside a day-end, a second.
const TRICKLE: u64 = 1_000;

/// Accounts between which these go. After them come as many employers and shops.
const CUSTOMERS: u64 = 1_000;

/// A run under way.
pub(super) struct Lending<'a> {
    pub(super) plan: &'a Plan,
    pub(super) site: &'a Site,
    pub(super) borrowers: Borrowers,
    pub(super) watch: &'a dyn Watch,
}

/// What was answered.
pub(super) struct Tally {
    borrowers: Expected,
    /// Customers' transfers beside it all.
    customers: check::Expected,
    /// The number of the next of these.
    next: u64,
}

/// Runs a scenario of loans from empty books to the check.
///
/// # Errors
/// A fault of the place, the ledger or the cluster. Books that do not hold what was acknowledged are in the report.
pub(super) fn run(plan: &Plan, host: Host<'_>, watch: &dyn Watch) -> Run<Report> {
    plan.check()?;
    if host.elsewhere.is_some() {
        let words = "loans need books of their own, whose days the run may close: leave --endpoint out";
        return Err(Fault::Parameter(words.to_owned()));
    }
    let site = Site::open(plan, host)?;
    let mut report = site.report(plan)?;
    report.rss_empty_bytes = site.usage().resident;
    let auto_debit = matches!(plan.scenario, Scenario::DayEnd | Scenario::Shenzhen);
    let borrowers = Borrowers { seed: plan.seed, base: plan.base(), count: plan.loans, auto_debit };
    let lending = Lending { plan, site: &site, borrowers, watch };
    let mut tally = Tally {
        borrowers: Expected::new(borrowers),
        customers: check::Expected::new(customers(plan)),
        next: 0,
    };
    lending.open()?;
    match plan.scenario {
        Scenario::Disburse => lending.disburse_all(&mut tally, &mut report)?,
        Scenario::Repay => lending.repay_all(&mut tally, &mut report)?,
        Scenario::DayEnd => lending.close_days(&mut tally, &mut report)?,
        Scenario::Shenzhen => city::live(&lending, &mut tally, &mut report)?,
        Scenario::Transfers
        | Scenario::Singles
        | Scenario::Mixed
        | Scenario::Restart
        | Scenario::Batch
        | Scenario::Failover => unreachable!("not a scenario of loans"),
    }
    watch.step("check", 1);
    report.faults = tally.customers.of_accounts(site.books())?;
    report.faults.extend(tally.borrowers.compare(site.books())?);
    conclude(&mut report);
    weigh(&mut report, site, plan.loans);
    Ok(report)
}

/// The transfers that run beside everything.
fn customers(plan: &Plan) -> Workload {
    Workload {
        seed: plan.seed,
        accounts: CUSTOMERS,
        batch: 1,
        ids: Ids::Time,
        hot: Hot::Uniform,
        kinds: Kinds::Plain,
        base: plan.base(),
        crossing: None,
        refused_percent: 0,
    }
}

impl Lending<'_> {
    /// The product, the borrowers' accounts and everybody else's.
    fn open(&self) -> Run<()> {
        let put = LoanCommand::PutProduct(Box::new(self.borrowers.product()));
        let LoanReply::Product(outcome) = self.site.books().loan(&put)? else {
            return Err(Fault::Process("the answer is not one to a product".to_owned()));
        };
        if outcome.status != ProductStatus::Created {
            return Err(Fault::Process(format!("the product was answered {}", outcome.status.name())));
        }
        let others = Workload { accounts: 2 * CUSTOMERS, ..customers(self.plan) };
        open_accounts(self.site.books(), &others, &Unwatched)?;
        self.watch.step("accounts", self.plan.loans);
        open_all(self.site.books(), self.borrowers.accounts(), self.watch)
    }

    /// An act of some borrowers on a business date, counted from the first of March.
    pub(super) fn orders(&self, act: Act, on: u64, who: Who) -> Orders {
        let batch = if act.is_of_loans() { self.plan.batch } else { events_max() };
        let others = (self.plan.base() + CUSTOMERS, CUSTOMERS);
        Orders { borrowers: self.borrowers, act, who, on: business_date(on), batch, others }
    }

    /// Sends a stream, and takes what was answered into account.
    pub(super) fn send(&self, orders: &Orders, tally: &mut Tally, watch: &dyn Watch) -> Run<Driven> {
        let load = Load {
            stream: orders,
            clients: self.plan.clients,
            under_way: self.plan.under_way,
            first: 0,
            end: orders.batches(),
            stride: 1,
            rate: self.plan.rate,
            seconds_max: None,
            stop: None,
            reads: false,
        };
        let driven = drive(self.site.books(), &load, watch)?;
        tally.borrowers.add(orders, &driven.answers);
        Ok(driven)
    }

    /// Closes days up to one, counted from the first of March.
    pub(super) fn close(&self, through: u64) -> Run<Closed> {
        let command = LoanCommand::DayEnd { through: business_date(through), loans_max: 0 };
        let (began, mut closed) = (Instant::now(), Closed::default());
        loop {
            let LoanReply::DayEnd(DayEndReply { outcome, is_done, loans, .. }) =
                self.site.books().loan(&command)?
            else {
                return Err(Fault::Process("the answer is not one to a day-end".to_owned()));
            };
            // An asking before this one may have closed it, and its answer been lost with a leader.
            let is_closed = outcome.status == LoanStatus::DayAlreadyClosed;
            if outcome.status != LoanStatus::Created && !is_closed {
                return Err(Fault::Process(format!("day-end was answered {}", outcome.status.name())));
            }
            closed.loans += u64::from(loans);
            closed.chunks += 1;
            if is_done || is_closed {
                closed.taken = began.elapsed();
                return Ok(closed);
            }
        }
    }

    /// Does something while customers pay one another, `rate` times a second.
    pub(super) fn beside<T>(
        &self,
        rate: u64,
        tally: &mut Tally,
        work: impl FnOnce(&mut Tally) -> Run<T>,
    ) -> Run<(T, Driven)> {
        let (stream, stop) = (tally.customers.workload(), AtomicBool::new(false));
        let trickle = Load {
            stream: &stream,
            clients: 1,
            under_way: 1,
            first: tally.next,
            end: u64::MAX,
            stride: 1,
            rate: Some(rate),
            seconds_max: None,
            stop: Some(&stop),
            reads: false,
        };
        let (done, beside) = std::thread::scope(|scope| {
            let beside = scope.spawn(|| drive(self.site.books(), &trickle, &Unwatched));
            let done = work(tally);
            stop.store(true, Ordering::Relaxed);
            let beside = beside.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()));
            Ok::<_, Fault>((done?, beside??))
        })?;
        for batch in beside.batches() {
            tally.customers.add(batch, &beside.answers);
            tally.next = tally.next.max(batch + 1);
        }
        Ok((done, beside))
    }

    /// Every borrower's first loan, paid out over March; those who are poor spend it. March is closed behind it.
    pub(super) fn march(&self, tally: &mut Tally, report: &mut Report) -> Run<()> {
        let before = self.site.usage().resident;
        self.watch.step("disburse", self.plan.loans);
        for of_march in 0..DUE_DAYS {
            self.begin_day(of_march)?;
            let who = Who::of_day(&self.borrowers, of_march);
            let paid_out =
                self.send(&self.orders(Act::Disburse { round: 0 }, of_march, who), tally, self.watch)?;
            report.warm_up += paid_out.created;
            self.send(&self.orders(Act::Spend, of_march, who), tally, &Unwatched)?;
        }
        self.close(DUE_DAYS)?;
        self.weigh_memory(report, before);
        Ok(())
    }

    fn disburse_all(&self, tally: &mut Tally, report: &mut Report) -> Run<()> {
        self.begin_day(ONE_DAY)?;
        let before = self.site.usage().resident;
        self.watch.step("disburse", self.plan.loans);
        let meter = Meter::begin(self.site);
        let orders = self.orders(Act::Disburse { round: 0 }, ONE_DAY, Who::all(&self.borrowers));
        let driven = self.send(&orders, tally, self.watch)?;
        fill(report, &driven, &meter, self.site);
        self.weigh_memory(report, before);
        Ok(())
    }

    fn repay_all(&self, tally: &mut Tally, report: &mut Report) -> Run<()> {
        self.begin_day(ONE_DAY)?;
        let before = self.site.usage().resident;
        self.watch.step("disburse", self.plan.loans);
        let all = Who::all(&self.borrowers);
        let paid_out = self.orders(Act::Disburse { round: 0 }, ONE_DAY, all);
        report.warm_up = self.send(&paid_out, tally, self.watch)?.created;
        self.watch.step("day-ends", 1);
        let due_on = ONE_DAY + 31;
        self.close(due_on - 1)?;
        self.watch.step("repay", self.plan.loans);
        let meter = Meter::begin(self.site);
        let driven = self.send(&self.orders(Act::Repay, due_on, all), tally, self.watch)?;
        fill(report, &driven, &meter, self.site);
        self.weigh_memory(report, before);
        Ok(())
    }

    fn close_days(&self, tally: &mut Tally, report: &mut Report) -> Run<()> {
        self.march(tally, report)?;
        self.watch.step("day-ends", MEASURED_DAYS);
        let meter = Meter::begin(self.site);
        let (closed, beside) = self.beside(TRICKLE, tally, |_| {
            let close = |of_april| {
                let closed = self.close(DUE_DAYS + of_april);
                self.watch.done(1);
                closed
            };
            (1..=MEASURED_DAYS).map(close).collect::<Run<Vec<Closed>>>()
        })?;
        (report.cpu_seconds, report.cpu_client_seconds) = meter.end(self.site, &beside);
        tally.collected(MEASURED_DAYS);
        sum_up(report, &closed);
        report.latency_ms = Some(beside.timing.latency());
        report.refused = beside.answers.refused();
        show(report, &beside.timing);
        Ok(())
    }

    /// The books begin on the day of their first event, and a day-end takes them to any later one.
    fn begin_day(&self, of_march: u64) -> Run<()> {
        if of_march > 0 {
            self.close(of_march - 1)?;
        }
        Ok(())
    }

    fn weigh_memory(&self, report: &mut Report, before: u64) {
        let used = self.site.usage();
        (report.rss_bytes, report.rss_peak_bytes) = (used.resident, used.resident_peak);
        let grown = used.resident.saturating_sub(report.rss_empty_bytes.min(before));
        report.rss_bytes_per_account = rounded(ratio(figure(grown), figure(self.plan.loans)));
    }
}

impl Tally {
    /// So many days of April are closed. The day's last money is asked for on its evening: what fell due on the last
    /// day closed is in.
    pub(super) fn collected(&mut self, days: u64) {
        (0..days).for_each(|of_march| self.borrowers.collect(of_march));
    }
}

/// A business date, counted from the first of March.
fn business_date(of_march: u64) -> BusinessDate {
    BusinessDate::new(day(of_march).number())
}

/// Processor time from a moment on.
pub(super) struct Meter {
    books: Duration,
    client: Duration,
}

impl Meter {
    /// From now on.
    pub(super) fn begin(site: &Site) -> Self {
        Self { books: site.usage().cpu, client: process_cpu() }
    }

    /// Seconds of everybody, and of these the clients'.
    pub(super) fn end(&self, site: &Site, driven: &Driven) -> (f64, f64) {
        let books = site.usage().cpu.saturating_sub(self.books).as_secs_f64();
        if !site.is_apart() {
            return (books, driven.client_cpu.as_secs_f64());
        }
        let client = process_cpu().saturating_sub(self.client).as_secs_f64();
        (books + client, client)
    }
}

/// One close of one day.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Closed {
    pub(super) taken: Duration,
    pub(super) loans: u64,
    chunks: u64,
}

fn fill(report: &mut Report, driven: &Driven, meter: &Meter, site: &Site) {
    (report.cpu_seconds, report.cpu_client_seconds) = meter.end(site, driven);
    report.done = driven.created;
    report.seconds = driven.taken.as_secs_f64();
    report.per_second = rate(driven.created, driven.taken);
    report.latency_ms = Some(driven.timing.latency());
    report.refused = driven.answers.refused();
    show(report, &driven.timing);
}

pub(super) fn show(report: &mut Report, timing: &Timing) {
    report.per_second_series = timing.per_second();
    report.slices = timing.slices().to_vec();
}

/// Days that were closed, as a report tells them.
pub(super) fn sum_up(report: &mut Report, closed: &[Closed]) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn small_runs_of_loans_are_verified() {
        for scenario in [Scenario::Disburse, Scenario::Repay, Scenario::DayEnd, Scenario::Shenzhen] {
            let place = tempfile::Builder::new().prefix("fen-bench-").tempdir_in(".").unwrap();
            let data = Some(place.path().to_owned());
            let plan = Plan { loans: 500, clients: 2, data, ..Plan::of(scenario) };
            let host = Host { program: Path::new("fen"), elsewhere: None };
            let report = run(&plan, host, &Unwatched).unwrap();
            assert_eq!(report.faults, Vec::<String>::new(), "{scenario:?}");
            assert!(report.verified && report.done > 0, "{scenario:?}");
            assert!(report.refused.is_empty(), "{scenario:?}: {:?}", report.refused);
            let closes = matches!(scenario, Scenario::DayEnd | Scenario::Shenzhen);
            assert_eq!(report.day_end.is_some(), closes);
            assert_eq!(report.phases.is_empty(), scenario != Scenario::Shenzhen);
        }
    }
}
