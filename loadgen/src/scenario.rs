//! The scenarios, by name, with what each takes where nothing is said.

mod city;
pub mod files;
mod kill;
mod lending;
mod posting;
pub mod restart;

use crate::fault::{Fault, Run};
use crate::machine::Machine;
use crate::measure::{disk_bytes, figure, ratio};
use crate::report::{BUILD, Report, rounded};
use crate::site::{Host, Site};
use crate::workload::{Crossing, Hot, Ids, Kinds, Workload};
use fen_book::loan::command::ORDERS_MAX;
use fen_ledger::EVENTS_MAX;
use files::FileKind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs a scenario from empty books to the check, wherever the plan and the host put the books.
///
/// # Errors
/// A fault of the place, the ledger, a process or the cluster. Books that do not hold what was acknowledged are in the
/// report.
pub fn run(plan: &Plan, host: Host<'_>, watch: &dyn crate::Watch) -> Run<Report> {
    let elsewhere = host.elsewhere.is_some();
    let kills = matches!(plan.scenario, Scenario::Restart | Scenario::Failover);
    if kills && elsewhere {
        let words = "processes are killed that the run has started: leave --endpoint out";
        return Err(Fault::Parameter(words.to_owned()));
    }
    if plan.scenario == Scenario::Batch {
        return files::run(plan, host, watch);
    }
    if plan.scenario.lends() {
        return lending::run(plan, host, watch);
    }
    if plan.scenario == Scenario::Restart && plan.replicas == 1 {
        return restart::run(plan, host.program, watch);
    }
    posting::run(plan, host, watch)
}

/// What is done.
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
    /// A month of a city.
    Shenzhen,
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
            Self::Shenzhen => "shenzhen",
        }
    }

    /// Whether it is about loans.
    pub const fn lends(self) -> bool {
        matches!(self, Self::Disburse | Self::Repay | Self::DayEnd | Self::Batch | Self::Shenzhen)
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
    /// Client threads, in each client process.
    pub clients: u32,
    /// Client processes; with one, its threads are in the process that watches.
    pub processes: u32,
    /// Commands that each client keeps under way.
    pub under_way: u32,
    /// How ids are made.
    pub ids: Ids,
    /// How accounts are drawn.
    pub hot: Hot,
    /// How many transfers in a hundred go from one shard to another; as it comes, if nothing is said.
    pub crossing_percent: Option<u8>,
    /// How many transfers in a hundred are refused, since the payer has nothing.
    pub refused_percent: u8,
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
            Scenario::Disburse | Scenario::Repay | Scenario::DayEnd | Scenario::Shenzhen => {
                (0, orders_max(), 2, 4)
            }
            Scenario::Batch => (0, orders_max(), 1, 1),
        };
        let loans = if scenario == Scenario::Shenzhen {
            city::PEOPLE / 100
        } else if scenario.lends() {
            1_000_000
        } else {
            0
        };
        Self {
            scenario,
            replicas: if scenario == Scenario::Failover { 3 } else { 1 },
            shards: 1,
            accounts: 10_000,
            loans,
            transfers,
            batch,
            clients,
            processes: 1,
            under_way,
            ids: Ids::Time,
            hot: Hot::Uniform,
            crossing_percent: None,
            refused_percent: 0,
            rate: None,
            seconds_max: None,
            file: FileKind::Csv,
            seed: 42,
            data: None,
        }
    }

    /// What it sends.
    pub fn workload(&self) -> Workload {
        let kinds = if self.scenario == Scenario::Mixed { Kinds::TwoPhase } else { Kinds::Plain };
        let Self { seed, accounts, batch, ids, hot, refused_percent, shards, .. } = *self;
        let crossing = self.crossing_percent.map(|percent| Crossing { shards, percent });
        Workload { seed, accounts, batch, ids, hot, kinds, base: self.base(), crossing, refused_percent }
    }

    /// What accounts are counted from: two runs with different seeds on one cluster do not meet.
    pub fn base(&self) -> u64 {
        (self.seed & 0xf_ffff) << 40
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
        let lends = self.scenario.lends();
        let (batch, what) = if lends { (orders_max(), "loan orders") } else { (events_max(), "transfers") };
        if self.batch == 0 || self.batch > batch {
            return fault(format!("--batch {}: a command holds 1 to {batch} {what}", self.batch));
        }
        if lends && self.loans < 30 {
            return fault(format!("--loans {}: at least one for each of 30 due days", self.loans));
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
        if self.refused_percent > 100 || self.crossing_percent.is_some_and(|percent| percent > 100) {
            return fault("--refused and --crossing are per cent: 0 to 100".to_owned());
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
        if self.crossing_percent.is_some() && self.shards < 2 {
            return fault("--crossing needs shards to cross between: say --replicas 3 --shards 2");
        }
        if !(1..=64).contains(&self.processes) {
            return fault("--processes is 1 to 64");
        }
        let posts = matches!(self.scenario, Scenario::Transfers | Scenario::Singles | Scenario::Mixed);
        if self.processes > 1 && !posts {
            return fault("client processes are for transfers, singles and mixed: leave --processes out");
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
            processes: self.processes,
            crossing_percent: self.crossing_percent,
            refused_percent: self.refused_percent,
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
fn conclude(report: &mut Report) {
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

/// Ends what the run has started, and measures its data directory, for `records` transfers or loans.
fn weigh(report: &mut Report, site: Site, records: u64) {
    let written = site.usage().written;
    if let Some(place) = site.close() {
        report.written_bytes_per_record = Some(rounded(ratio(figure(written), figure(records))));
        weigh_place(report, place.path(), records);
    }
}

/// Measures a data directory, by what its folders are for: all members' and all shards' journals are one part.
fn weigh_place(report: &mut Report, place: &Path, records: u64) {
    report.disk_bytes = disk_bytes(place);
    report.disk_bytes_per_record = rounded(ratio(figure(report.disk_bytes), figure(records)));
    weigh_parts(&mut report.disk_parts, place);
}

fn weigh_parts(parts: &mut BTreeMap<String, u64>, folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if !path.is_dir() {
            continue;
        }
        // Folders of a member, of its shards, of one of them and of one of its states only sort what lies below.
        let only_sorts = name == "shards" || name.starts_with("node-") || name.parse::<u64>().is_ok();
        if only_sorts {
            weigh_parts(parts, &path);
        } else {
            *parts.entry(name).or_default() += disk_bytes(&path);
        }
    }
}
