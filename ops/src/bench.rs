//! `fen bench`: the load generator's scenarios, from the command line. What they do is `fen-loadgen`'s.
//!
//! **Invariants.** A rate is printed only when the books hold exactly what was acknowledged; otherwise the exit code
//! is 1. What a scenario needs and is not there is said before anything runs.

use crate::exit::{Exit, Failure, say};
use crate::progress;
use crate::reach::Reach;
use clap::{Args, ValueEnum};
use fen_api::Client;
use fen_loadgen::clients::Errand;
use fen_loadgen::scenario::files::FileKind;
use fen_loadgen::scenario::restart::{self, Part};
use fen_loadgen::scenario::{self, Plan, Scenario};
use fen_loadgen::site::{Elsewhere, Host};
use fen_loadgen::workload::{Hot, Ids};
use fen_loadgen::{Fault, Report, Watch, clients, compare, html};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Drives a ledger under load, measures it, and checks its books afterwards.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen bench transfers --accounts 1000000 --report transfers.html
  fen bench singles --clients 32 --replicas 3
  fen bench restart --transfers 10000000 --json
  fen bench transfers --replicas 3 --shards 4 --crossing 10 --processes 2
  fen bench day-end --loans 1000000
  fen bench batch --kind pain.001 --replicas 3
  fen bench shenzhen --loans 116794 --replicas 3 --report city.html
  fen bench compare before.json after.json --report both.html

transfers  large batches, as many as fit
singles    many clients, each sending one transfer at a time
mixed      transfers, reservations and their ends, look-ups and statements side by side
restart    a process is killed under load, and another opens its books
disburse   microloans are paid out, one to each borrower
repay      every borrower pays the first instalment on its day
day-end    half a month is closed day by day, a thirtieth of the loans due on each, while transfers run
batch      a payment file is done, then another beside single transfers
failover   the leader of three nodes is killed under load
shenzhen   a month of a city: a salary day, evenings of shopping, 900,000 loans paid out a day among 11,679,400
           borrowers, day-ends, and with --replicas 3 a leader killed on salary day; scaled by --loans
compare    two reports side by side

With one replica the ledger runs in the client's process; with more, each node is a process on this machine; with
--endpoint the cluster that is named is driven. All is durable, in a temporary directory that is removed afterwards
unless --data names one. Exits 0 when the books hold exactly what was acknowledged; otherwise no rate is printed and it exits 1.")]
pub(crate) struct Arguments {
    /// What to do.
    #[arg(value_enum)]
    scenario: Name,
    /// With `compare`: two reports, as `--json` printed them.
    #[arg(value_name = "REPORT.json", num_args = 0..=2)]
    reports: Vec<PathBuf>,
    /// Copies of the books, each a process on this machine [default: 1; failover 3].
    #[arg(long)]
    replicas: Option<u16>,
    /// Shards of the books.
    #[arg(long)]
    shards: Option<u32>,
    /// Accounts between which money moves [default: 10000].
    #[arg(long)]
    accounts: Option<u64>,
    /// Borrowers with an account and a loan each [default: 1000000; shenzhen 116794, a hundredth of the city].
    #[arg(long)]
    loans: Option<u64>,
    /// Transfers while the clock runs [default: 10000000; singles 200000, mixed 2000000].
    #[arg(long)]
    transfers: Option<u64>,
    /// Transfers in a command [default: 8189; singles 1, loans 1024].
    #[arg(long)]
    batch: Option<u32>,
    /// Client threads, in each client process [default: 4; singles 32, mixed 2].
    #[arg(long)]
    clients: Option<u32>,
    /// Client processes; with one, the clients are threads of this one.
    #[arg(long, default_value_t = 1)]
    processes: u32,
    /// Commands that each client keeps under way [default: 4; singles 1, mixed 2].
    #[arg(long)]
    under_way: Option<u32>,
    /// So many commands a second, each counted from when it was due, instead of as many as go.
    #[arg(long)]
    rate: Option<u64>,
    /// What the payment file of `batch` is.
    #[arg(long, value_enum, default_value = "csv")]
    kind: KindName,
    /// How transfer ids are made.
    #[arg(long, value_enum, default_value = "time")]
    ids: IdsName,
    /// How accounts are drawn.
    #[arg(long, value_enum, default_value = "uniform")]
    hot: HotName,
    /// So many transfers in a hundred go from one shard to another, instead of as it comes.
    #[arg(long, value_name = "PERCENT", conflicts_with = "endpoint")]
    crossing: Option<u8>,
    /// So many transfers in a hundred are refused, since the payer has nothing.
    #[arg(long, value_name = "PERCENT", default_value_t = 0)]
    refused: u8,
    /// Stop sending after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Of the workload: the same seed sends the same transfers.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// A cluster that runs already, by its nodes' addresses for clients, instead of one made for the run. What the
    /// run books stays there; another run takes another --seed.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', conflicts_with_all = ["replicas", "shards", "data"])]
    endpoint: Vec<String>,
    /// With --endpoint: the folder with authority.pem, client.pem and client.key.
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    certificates: Option<PathBuf>,
    /// A new or empty directory for the books; it stays.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write a page with charts, which needs nothing from elsewhere.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Play a part in a scenario of several processes.
    #[arg(long, value_enum, hide = true)]
    part: Option<PartName>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Name {
    Transfers,
    Singles,
    Mixed,
    Restart,
    Disburse,
    Repay,
    DayEnd,
    Batch,
    Failover,
    Shenzhen,
    Compare,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum KindName {
    /// Loans paid out, as CSV.
    Csv,
    /// Loans paid out, as pain.001.
    #[value(name = "pain.001")]
    CreditTransfer,
    /// First instalments collected, as CSV.
    Collection,
    /// First instalments collected, as pain.008.
    #[value(name = "pain.008")]
    DirectDebit,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum IdsName {
    Time,
    Random,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum HotName {
    Uniform,
    Zipf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum PartName {
    Load,
    Reopen,
    Client,
}

impl Arguments {
    fn scenario(&self) -> Result<Scenario, Failure> {
        match self.scenario {
            Name::Transfers => Ok(Scenario::Transfers),
            Name::Singles => Ok(Scenario::Singles),
            Name::Mixed => Ok(Scenario::Mixed),
            Name::Restart => Ok(Scenario::Restart),
            Name::Disburse => Ok(Scenario::Disburse),
            Name::Repay => Ok(Scenario::Repay),
            Name::DayEnd => Ok(Scenario::DayEnd),
            Name::Batch => Ok(Scenario::Batch),
            Name::Failover => Ok(Scenario::Failover),
            Name::Shenzhen => Ok(Scenario::Shenzhen),
            Name::Compare => Err(Failure::usage("`compare` is no scenario")),
        }
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let usual = Plan::of(self.scenario()?);
        let plan = Plan {
            replicas: self.replicas.unwrap_or(usual.replicas),
            shards: self.shards.unwrap_or(usual.shards),
            accounts: self.accounts.unwrap_or(usual.accounts),
            loans: self.loans.unwrap_or(usual.loans),
            transfers: self.transfers.unwrap_or(usual.transfers),
            batch: self.batch.unwrap_or(usual.batch),
            clients: self.clients.unwrap_or(usual.clients),
            under_way: self.under_way.unwrap_or(usual.under_way),
            ids: match self.ids {
                IdsName::Time => Ids::Time,
                IdsName::Random => Ids::Random,
            },
            hot: match self.hot {
                HotName::Uniform => Hot::Uniform,
                HotName::Zipf => Hot::Zipf,
            },
            processes: self.processes,
            crossing_percent: self.crossing,
            refused_percent: self.refused,
            rate: self.rate,
            file: match self.kind {
                KindName::Csv => FileKind::Csv,
                KindName::CreditTransfer => FileKind::CreditTransfer,
                KindName::Collection => FileKind::Collection,
                KindName::DirectDebit => FileKind::DirectDebit,
            },
            seconds_max: self.seconds.map(Duration::from_secs),
            seed: self.seed,
            data: self.data.clone(),
            ..usual
        };
        plan.check().map_err(|fault| failure(&fault))?;
        Ok(plan)
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    if arguments.scenario == Name::Compare {
        return compare_two(arguments);
    }
    if let Some(path) = arguments.reports.first() {
        return Err(Failure::usage(format!("{}: only `compare` reads reports", path.display()))
            .mend("fen bench compare FIRST.json SECOND.json"));
    }
    if arguments.part == Some(PartName::Client) {
        return clients::play(&client_of).map(|()| Exit::Done).map_err(|fault| failure(&fault));
    }
    let plan = arguments.plan()?;
    if let (Some(part), Some(data)) = (arguments.part, &arguments.data) {
        let part = if part == PartName::Load { Part::Load } else { Part::Reopen };
        return restart::play(part, &plan, data).map(|()| Exit::Done).map_err(|fault| failure(&fault));
    }
    let bar = Bar::default();
    let program = std::env::current_exe()
        .map_err(|error| Failure::unreachable(format!("this program cannot be found: {error}")))?;
    let certificates = arguments.certificates.as_deref();
    let client = || reached(&arguments.endpoint, certificates);
    let elsewhere = Elsewhere { addresses: &arguments.endpoint, certificates, client: &client };
    let elsewhere = (!arguments.endpoint.is_empty()).then_some(elsewhere);
    let report = scenario::run(&plan, Host { program: &program, elsewhere }, &bar);
    bar.end();
    let report = report.map_err(|fault| failure(&fault))?;
    write_page(arguments.report.as_deref(), || html::page(&report))?;
    say(&text(&report, json)?)?;
    Ok(if report.verified { Exit::Done } else { Exit::Refused })
}

fn write_page(path: Option<&Path>, page: impl FnOnce() -> String) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, page())
        .map_err(|error| Failure::unreachable(format!("{}: cannot be written: {error}", path.display())))
}

/// Two reports side by side.
fn compare_two(arguments: &Arguments) -> Result<Exit, Failure> {
    let [first, second] = &arguments.reports[..] else {
        return Err(Failure::usage("`compare` takes two reports")
            .mend("fen bench transfers --json > before.json; fen bench compare before.json after.json"));
    };
    let read = |path: &Path| compare::read(path).map_err(|fault| failure(&fault));
    let (first, second) = (read(first)?, read(second)?);
    compare::check(&first, &second).map_err(|fault| failure(&fault))?;
    write_page(arguments.report.as_deref(), || html::both(&first, &second))?;
    say(&compare::text(&first, &second))?;
    Ok(Exit::Done)
}

fn text(report: &Report, json: bool) -> Result<String, Failure> {
    if !json {
        return Ok(report.to_string());
    }
    let line = report.json().map_err(|error| Failure::refused(format!("the report is no JSON: {error}")))?;
    Ok(line + "\n")
}

/// A client of a cluster that runs already.
fn reached(addresses: &[String], certificates: Option<&Path>) -> Result<Client, Fault> {
    let reach = Reach::of(addresses.to_vec(), certificates.map(Path::to_path_buf));
    let options = reach.options_for_long_work().map_err(|failure| Fault::Parameter(failure.to_string()))?;
    Ok(Client::new(addresses, options)?)
}

fn client_of(errand: &Errand) -> Result<Client, Fault> {
    reached(&errand.addresses, errand.certificates.as_deref())
}

/// What a fault of a run means to the person at the terminal.
pub(crate) fn failure(fault: &Fault) -> Failure {
    match fault {
        Fault::Parameter(words) => Failure::usage(words.clone()),
        Fault::Ledger(_)
        | Fault::Client(_)
        | Fault::Cluster(_)
        | Fault::Place { .. }
        | Fault::Process(_)
        | Fault::Accounts(_)
        | Fault::File { .. } => Failure::unreachable(fault.to_string()),
    }
}

/// A bar for each step of a run.
#[derive(Default)]
struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Bar {
    fn step(&self, name: &'static str, total: u64) {
        self.end();
        *self.bar() = Some(progress::items(name, total));
    }

    fn done(&self, count: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(count);
        }
    }
}
