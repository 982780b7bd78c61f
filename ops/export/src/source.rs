//! Where rows come from: a ledger in a directory, or a running cluster, page by page.

use crate::{ExportFault, Take, Written, file_fault};
use fen_api::{Client, ClientFault, ClientOptions, ClientSecurity, export};
use fen_ledger::export::{ExportAsked, ExportLine};
use fen_ledger::search::{self, FOUND_MAX};
use fen_ledger::{Account, AccountSearch, Direction, Ledger, Period};
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a page of a cluster's may take: leaders change, and a first page finds its place in all of history.
const PATIENCE: Duration = Duration::from_mins(2);
const ATTEMPT: Duration = Duration::from_mins(1);

/// See the module.
pub(crate) enum Source {
    Directory(Box<Ledger>),
    Cluster(Box<Cluster>),
}

/// A client, and threads for what waits for the network.
pub(crate) struct Cluster {
    runtime: Runtime,
    client: Client,
}

impl Cluster {
    fn hear<T>(&self, asking: impl Future<Output = Result<T, ClientFault>>) -> Result<T, ExportFault> {
        self.runtime.block_on(asking).map_err(|fault| match fault {
            ClientFault::Refused(reason) => ExportFault::Value(reason),
            ClientFault::Setup(reason) => ExportFault::Usage(reason),
            ClientFault::Unreachable { .. } | ClientFault::NoRoom(_) | ClientFault::Garbled(_) => {
                ExportFault::Unreachable(fault.to_string())
            }
        })
    }
}

impl Source {
    pub(crate) fn directory(data: &Path) -> Result<Self, ExportFault> {
        let is_there = std::fs::read_dir(data).is_ok_and(|mut items| items.next().is_some());
        if !is_there {
            return Err(file_fault(data, &"there are no books in it; name the directory of a ledger"));
        }
        let ledger = Ledger::open(data).map_err(|fault| file_fault(data, &fault))?;
        Ok(Self::Directory(Box::new(ledger)))
    }

    pub(crate) fn cluster(endpoints: &[String], certificates: Option<&Path>) -> Result<Self, ExportFault> {
        let security = certificates.map(|folder| ClientSecurity::in_folder(folder, fen_net::NODES_NAME));
        let security = security.transpose().map_err(ExportFault::Unreachable)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| ExportFault::Unreachable(format!("no thread: {error}")))?;
        let options = ClientOptions { patience: PATIENCE, attempt: ATTEMPT, security };
        let client = runtime.block_on(async { Client::new(endpoints, options) });
        let client = client.map_err(|fault| ExportFault::Usage(fault.to_string()))?;
        Ok(Self::Cluster(Box::new(Cluster { runtime, client })))
    }

    pub(crate) fn each(
        &self,
        asked: ExportAsked,
        take: Take<'_, ExportLine>,
    ) -> Result<Written, ExportFault> {
        let mut written = Written::default();
        match self {
            Self::Directory(ledger) => {
                let export = ledger.export(asked).map_err(|fault| broken(&fault))?;
                for line in export {
                    match line {
                        Ok(line) => {
                            take(0, &line)?;
                            written.records += 1;
                        }
                        Err(fault) => written.note_damage(&fault),
                    }
                }
            }
            Self::Cluster(cluster) => {
                let mut after = String::new();
                loop {
                    let page = cluster.hear(cluster.client.export(&asked, &after))?;
                    for message in &page.lines {
                        let (shard, line) = export::export_line(message).map_err(ExportFault::Unreachable)?;
                        take(shard, &line)?;
                        written.records += 1;
                    }
                    page.faults.iter().for_each(|fault| written.note_damage(fault));
                    if page.next.is_empty() {
                        break;
                    }
                    after = page.next;
                }
            }
        }
        Ok(written)
    }

    /// `take` says whether it wrote the account.
    pub(crate) fn each_account(
        &self,
        period: &Period,
        take: &mut dyn FnMut(u32, &Account) -> Result<bool, ExportFault>,
    ) -> Result<Written, ExportFault> {
        let mut written = Written::default();
        let mut search = AccountSearch { limit: FOUND_MAX, ..AccountSearch::default() };
        let mut after = String::new();
        if let Self::Directory(ledger) = self {
            search.timestamp = search::booked_in(&**ledger, *period).map_err(|fault| broken(&fault))?;
        }
        loop {
            let (page, next) = match self {
                Self::Directory(ledger) => {
                    let page = ledger.search_accounts(&search).map_err(|fault| broken(&fault))?;
                    let last = page.last().map(|account| account.timestamp);
                    if let Some(last) = last {
                        search.timestamp = search.timestamp.behind(last, Direction::OldestFirst);
                    }
                    (page, last.map(|last| last.to_string()))
                }
                Self::Cluster(cluster) => {
                    cluster.hear(cluster.client.search_accounts(&search, period, &after))?
                }
            };
            for account in &page {
                written.records += u64::from(take(0, account)?);
            }
            match next {
                Some(next) => after = next,
                None => return Ok(written),
            }
        }
    }
}

fn broken(fault: &fen_ledger::Fault) -> ExportFault {
    ExportFault::Unreachable(fault.to_string())
}

impl Written {
    fn note_damage(&mut self, fault: &dyn std::fmt::Display) {
        eprintln!("fen: {fault}");
        self.damaged += 1;
    }
}
