//! The scenarios, by name, with what each takes where nothing is said.

mod embedded;
pub mod files;
mod lending;
pub mod replicated;
pub mod restart;

use crate::fault::{Fault, Run};
use crate::machine::Machine;
use crate::measure::{disk_bytes, figure, ratio};
use crate::report::{BUILD, Report, rounded};
use crate::workload::{Hot, Ids, Kinds, Workload};
use fen_book::loan::command::ORDERS_MAX;
use fen_ledger::EVENTS_MAX;
use files::FileKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs a scenario whose ledger is in this process, from an empty directory to the check.
///
/// # Errors
/// A fault of the place or the ledger. Books that do not hold what was acknowledged are in the report.
pub fn run(plan: &Plan, watch: &dyn crate::Watch) -> Run<Report> {
    match plan.scenario {
        Scenario::Transfers | Scenario::Singles | Scenario::Mixed => embedded::run(plan, watch),
        Scenario::Disburse | Scenario::Repay | Scenario::DayEnd => lending::run(plan, watch),
        Scenario::Restart | Scenario::Failover | Scenario::Batch => {
            Err(Fault::Parameter(format!("{} needs processes of its own", plan.scenario.name())))
        }
    }
}

/// A scenario on one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// Large batches, as many as fit.
    Transfers,
    /// Many clients, each sending one transfer at a time.
    Singles,
    /// Transfers, reservations with their ends, look-ups and statements side by side.
    Mixed,
    /// A process is killed under load, and another opens its books.
    Restart,
    /// Loans are paid out.
    Disburse,
    /// Borrowers pay an instalment.
    Repay,
    /// Days are closed while transfers run.
    DayEnd,
    /// A payment file is done, and another beside single transfers.
    Batch,
    /// The leader of a cluster is killed under load.
    Failover,
}

impl Scenario {
    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Singles => "singles",
            Self::Mixed => "mixed",
            Self::Restart => "restart",
            Self::Disburse => "disburse",
            Self::Repay => "repay",
            Self::DayEnd => "day-end",
            Self::Batch => "batch",
            Self::Failover => "failover",
        }
    }
}

/// A run, before it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Which.
    pub scenario: Scenario,
    /// Copies of the books.
    pub replicas: u16,
    /// Shards of the books.
    pub shards: u32,
    /// How many accounts.
    pub accounts: u64,
    /// How many loans, in scenarios of loans.
    pub loans: u64,
    /// How many transfers while the clock runs.
    pub transfers: u64,
    /// Transfers in a command.
    pub batch: u32,
    /// Client threads.
    pub clients: u32,
    /// Commands that each client keeps under way.
    pub under_way: u32,
    /// How ids are made.
    pub ids: Ids,
    /// How accounts are drawn.
    pub hot: Hot,
    /// Commands a second, counted from when each was due; as many as go, if nothing is said.
    pub rate: Option<u64>,
    /// Sending stops after so long, whatever is left.
    pub seconds_max: Option<Duration>,
    /// What a payment file is, in the scenario of files.
    pub file: FileKind,
    /// Of the workload.
    pub seed: u64,
    /// Where the data goes and stays; a temporary directory if there is none.
    pub data: Option<PathBuf>,
}

impl Plan {
    /// What a scenario does where nothing is said.
    pub fn of(scenario: Scenario) -> Self {
        let (transfers, batch, clients, under_way) = match scenario {
            Scenario::Transfers | Scenario::Restart => (10_000_000, events_max(), 4, 4),
            Scenario::Singles => (200_000, 1, 32, 1),
            Scenario::Failover => (100_000, 1, 32, 1),
            Scenario::Mixed => (2_000_000, events_max(), 2, 2),
            Scenario::Disburse | Scenario::Repay | Scenario::DayEnd => (0, orders_max(), 2, 4),
            Scenario::Batch => (0, orders_max(), 1, 1),
        };
        let lends =
            matches!(scenario, Scenario::Disburse | Scenario::Repay | Scenario::DayEnd | Scenario::Batch);
        Self {
            scenario,
            replicas: if scenario == Scenario::Failover { 3 } else { 1 },
            shards: 1,
            accounts: 10_000,
            loans: if lends { 1_000_000 } else { 0 },
            transfers,
            batch,
            clients,
            under_way,
            ids: Ids::Time,
            hot: Hot::Uniform,
            rate: None,
            seconds_max: None,
            file: FileKind::Csv,
            seed: 42,
            data: None,
        }
    }

    /// What it sends.
    pub fn workload(&self) -> Workload {
        let kinds = match self.scenario {
            Scenario::Mixed => Kinds::TwoPhase,
            Scenario::Transfers
            | Scenario::Singles
            | Scenario::Restart
            | Scenario::Disburse
            | Scenario::Repay
            | Scenario::DayEnd
            | Scenario::Batch
            | Scenario::Failover => Kinds::Plain,
        };
        let Self { seed, accounts, batch, ids, hot, .. } = *self;
        Workload { seed, accounts, batch, ids, hot, kinds }
    }

    /// Batches while the clock runs.
    pub fn batches(&self) -> u64 {
        self.transfers.div_ceil(u64::from(self.batch))
    }

    /// Batches before it starts: a tenth, and not more than half a million transfers.
    fn warm_up_batches(&self) -> u64 {
        (self.batches() / 10).min(500_000 / u64::from(self.batch))
    }

    /// Whether every parameter is in range.
    ///
    /// # Errors
    /// [`Fault::Parameter`] names the one that is not.
    pub fn check(&self) -> Run<()> {
        let fault = |words: String| Err(Fault::Parameter(words));
        let lends = self.loans > 0;
        let (batch, what) = if lends { (orders_max(), "loan orders") } else { (events_max(), "transfers") };
        if self.batch == 0 || self.batch > batch {
            return fault(format!("--batch {}: a command holds 1 to {batch} {what}", self.batch));
        }
        if self.loans > 1_000_000_000 {
            return fault(format!("--loans {}: 1 to 1,000,000,000 can be driven", self.loans));
        }
        if !(2..=100_000_000).contains(&self.accounts) {
            return fault(format!("--accounts {}: 2 to 100,000,000 can be driven", self.accounts));
        }
        if (self.transfers == 0 && !lends) || self.transfers > 100_000_000_000 {
            return fault(format!("--transfers {}: 1 to 100,000,000,000 can be sent", self.transfers));
        }
        if !(1..=1_024).contains(&self.clients) || !(1..=64).contains(&self.under_way) {
            return fault("--clients is 1 to 1,024, --under-way 1 to 64".to_owned());
        }
        self.check_cluster()?;
        if self.rate.is_some_and(|rate| !(1..=10_000_000).contains(&rate)) {
            return fault("--rate: 1 to 10,000,000 commands a second".to_owned());
        }
        if self.seed == 0 {
            return fault("--seed 0: a seed is not zero".to_owned());
        }
        Ok(())
    }

    fn check_cluster(&self) -> Run<()> {
        let fault = |words: &str| Err(Fault::Parameter(words.to_owned()));
        if ![1, 3, 5].contains(&self.replicas) {
            return fault("--replicas is 1, 3 or 5");
        }
        if !(1..=64).contains(&self.shards) {
            return fault("--shards: 1 to 64 can be started");
        }
        if self.replicas == 1 && (self.shards > 1 || self.scenario == Scenario::Failover) {
            return fault("shards and failover need a cluster: say --replicas 3");
        }
        if self.replicas > 1 && self.loans > 0 && self.scenario != Scenario::Batch {
            return fault("loans are driven on one node: leave --replicas out");
        }
        Ok(())
    }

    /// A report that has the parameters and the machine, and no figures yet.
    pub(crate) fn report(&self, place: &Path) -> Report {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Report {
            scenario: self.scenario.name().to_owned(),
            commit: crate::COMMIT.to_owned(),
            build: BUILD.to_owned(),
            began: began.as_secs(),
            seed: self.seed,
            replicas: u32::from(self.replicas),
            shards: self.shards,
            accounts: self.accounts,
            loans: self.loans,
            clients: self.clients,
            batch: self.batch,
            under_way: self.under_way,
            rate: self.rate,
            ids: self.ids.name().to_owned(),
            hot: self.hot.name().to_owned(),
            machine: Machine::this(place),
            ..Report::default()
        }
    }
}

/// A run whose check fails has no rate.
pub(crate) fn conclude(report: &mut Report) {
    report.verified = report.faults.is_empty();
    if !report.verified {
        report.per_second = None;
        report.per_second_series.clear();
        report.slices.clear();
    }
}

fn events_max() -> u32 {
    u32::try_from(EVENTS_MAX).unwrap_or(u32::MAX)
}

fn orders_max() -> u32 {
    u32::try_from(ORDERS_MAX).unwrap_or(u32::MAX)
}

/// Measures the data directory, for `records` transfers or loans.
pub(crate) fn weigh(report: &mut Report, place: &Path, records: u64) {
    report.disk_bytes = disk_bytes(place);
    report.disk_bytes_per_record = rounded(ratio(figure(report.disk_bytes), figure(records)));
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            report.disk_parts.insert(name, disk_bytes(&entry.path()));
        }
    }
}
