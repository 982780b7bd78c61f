//! Where the books of a run are: in this process, on nodes of this machine, or in a cluster that runs already.
//!
//! **Invariants.** What is driven and checked is the same wherever it lies. Of a cluster that was not started by the
//! run, neither processor nor memory nor disk is known: its report has the client's side alone.

use crate::fault::{Fault, Run};
use crate::measure::{Usage, process_cpu};
use crate::place::Place;
use crate::report::Report;
use crate::scenario::Plan;
use crate::target::{Cluster, Target};
use crate::workload::account_id;
use fen_api::Client;
use fen_cluster::local::{Hosts, Layout, LocalCluster};
use fen_ledger::Ledger;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Makes clients of a cluster that runs already.
pub type Reached<'a> = &'a (dyn Fn() -> Run<Client> + Sync);

/// What a run is given beside its plan.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// `fen`: nodes and client processes are started of it.
    pub program: &'a Path,
    /// The cluster that is to be driven, if the run is not to make its own.
    pub elsewhere: Option<Elsewhere<'a>>,
}

/// A cluster that runs already.
#[derive(Clone, Copy)]
pub struct Elsewhere<'a> {
    /// Addresses of some of its nodes.
    pub addresses: &'a [String],
    /// The folder with the client's certificates.
    pub certificates: Option<&'a Path>,
    /// Makes clients of it.
    pub client: Reached<'a>,
}

/// See the module.
pub enum Site {
    /// In this process.
    Here(Ledger, Place),
    /// Processes of this machine, and a client of them.
    Nodes {
        /// They end with the run.
        processes: Mutex<LocalCluster>,
        /// How they are driven.
        cluster: Cluster,
        /// Their data.
        place: Place,
    },
    /// Somewhere.
    Elsewhere {
        /// How it is driven.
        cluster: Cluster,
        /// Addresses of some of its nodes.
        addresses: Vec<String>,
        /// The folder with the client's certificates.
        certificates: Option<PathBuf>,
    },
}

fn locked(processes: &Mutex<LocalCluster>) -> MutexGuard<'_, LocalCluster> {
    processes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    /// Opens an empty ledger, starts and founds a cluster, or reaches one.
    ///
    /// # Errors
    /// A fault of the place, the ledger, a process or the cluster.
    pub fn open(plan: &Plan, host: Host<'_>) -> Run<Self> {
        if let Some(elsewhere) = host.elsewhere {
            let cluster = Cluster::reached(elsewhere.client)?;
            let (addresses, certificates) = (elsewhere.addresses.to_vec(), elsewhere.certificates);
            return Ok(Self::Elsewhere {
                cluster,
                addresses,
                certificates: certificates.map(Path::to_path_buf),
            });
        }
        let place = Place::open(plan.data.as_deref())?;
        if plan.replicas == 1 {
            return Ok(Self::Here(Ledger::open(place.path())?, place));
        }
        let port =
            Layout::free_port(plan.replicas).map_err(|error| Fault::Process(format!("no port: {error}")))?;
        let layout = Layout { nodes: plan.replicas, port, is_plaintext: true, hosts: Hosts::Loopback };
        let processes = LocalCluster::start(host.program, &layout.files(place.path())?)?;
        let cluster = Cluster::of(&processes)?;
        cluster.block_on(processes.found(plan.shards))?;
        Ok(Self::Nodes { processes: Mutex::new(processes), cluster, place })
    }

    /// What is driven.
    pub fn books(&self) -> &dyn Target {
        match self {
            Self::Here(ledger, _) => ledger,
            Self::Nodes { cluster, .. } | Self::Elsewhere { cluster, .. } => cluster,
        }
    }

    /// Addresses for client processes, and the folder of their certificates; none where the books are in this one.
    pub fn addresses(&self) -> Option<(Vec<String>, Option<&Path>)> {
        match self {
            Self::Here(..) => None,
            Self::Nodes { processes, .. } => Some((locked(processes).endpoints(), None)),
            Self::Elsewhere { addresses, certificates, .. } => {
                Some((addresses.clone(), certificates.as_deref()))
            }
        }
    }

    /// A report that has the parameters and the place, and no figures yet.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub fn report(&self, plan: &Plan) -> Run<Report> {
        let mut report = plan.report(self.place().unwrap_or(Path::new(".")));
        report.setting = match self {
            Self::Here(..) => {
                "client and ledger in one process; one node, on disk before it is answered".to_owned()
            }
            Self::Nodes { .. } => format!(
                "{} processes of a node each and the client on one machine; on a majority's disks before it is \
                 answered",
                plan.replicas
            ),
            Self::Elsewhere { cluster, addresses, .. } => {
                (report.shards, report.replicas) = cluster.shape()?;
                format!("the cluster at {}; processor, memory and disk are the client's", addresses.join(","))
            }
        };
        Ok(report)
    }

    /// Where the data are, if the run put them there.
    pub fn place(&self) -> Option<&Path> {
        match self {
            Self::Here(_, place) | Self::Nodes { place, .. } => Some(place.path()),
            Self::Elsewhere { .. } => None,
        }
    }

    /// What the processes with the books use: of a ledger in this process, the client with it.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Here(..) | Self::Elsewhere { .. } => {
                Usage { cpu: process_cpu(), ..Usage::of_all(&[std::process::id()]) }
            }
            Self::Nodes { processes, .. } => Usage::of_all(&locked(processes).processes()),
        }
    }

    /// Whether the client has processor and memory of its own.
    pub fn is_apart(&self) -> bool {
        matches!(self, Self::Nodes { .. })
    }

    /// Refuses to run a second time over what a first run left.
    ///
    /// # Errors
    /// [`Fault::Parameter`] says the mend.
    pub fn check_unused(&self, plan: &Plan) -> Run<()> {
        let Self::Elsewhere { cluster, .. } = self else { return Ok(()) };
        let first = account_id(plan.base());
        match cluster.accounts(&[first])?.first() {
            Some(Some(_)) => Err(Fault::Parameter(format!(
                "--seed {}: the cluster has the accounts of a run with this seed already; say another",
                plan.seed
            ))),
            _ => Ok(()),
        }
    }

    /// Ends what the run has started, and keeps the data's place.
    pub fn close(self) -> Option<Place> {
        match self {
            Self::Here(_, place) | Self::Nodes { place, .. } => Some(place),
            Self::Elsewhere { .. } => None,
        }
    }
}
