//! How commands reach a cluster: addresses of some of its nodes, and the certificates of whoever calls.

use crate::exit::Failure;
use clap::Args;
use fen_api::{Client, ClientFault, ClientOptions, ClientSecurity};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which cluster, and as whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct Reach {
    /// A node's address for clients, host and port; several, so that one may be down.
    #[arg(long, value_name = "ADDRESS", required = true, value_delimiter = ',')]
    endpoint: Vec<String>,
    /// The folder with authority.pem, client.pem and client.key; without it the connection is plaintext.
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,
}

/// How long a command waits for a cluster that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long work of many commands waits for one of them, and how long for one node.
const STEADY_PATIENCE: Duration = Duration::from_mins(1);
const STEADY_ATTEMPT: Duration = Duration::from_secs(5);

impl Reach {
    /// For commands that know more places than a cluster.
    pub(crate) fn of(endpoint: Vec<String>, certificates: Option<PathBuf>) -> Self {
        Self { endpoint, certificates }
    }

    /// A client for it; to be made where something waits for the network, see [`wait`].
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        self.patient_client(PATIENCE)
    }

    /// For work that goes on while leaders change and nodes are started again.
    pub(crate) fn options_for_long_work(&self) -> Result<ClientOptions, Failure> {
        let security = self.certificates.as_deref().map(read).transpose()?;
        Ok(ClientOptions { patience: STEADY_PATIENCE, attempt: STEADY_ATTEMPT, security })
    }

    /// The same, for calls that take their time.
    pub(crate) fn patient_client(&self, patience: Duration) -> Result<Client, Failure> {
        let security = self.certificates.as_deref().map(read).transpose()?;
        let attempt = if patience > PATIENCE { patience / 2 } else { ClientOptions::default().attempt };
        let options = ClientOptions { patience, attempt, security };
        Client::new(&self.endpoint, options).map_err(failure)
    }
}

fn read(folder: &Path) -> Result<ClientSecurity, Failure> {
    ClientSecurity::in_folder(folder, fen_net::NODES_NAME).map_err(|reason| {
        Failure::unreachable(reason)
            .mend("name the folder that holds authority.pem, client.pem and client.key")
    })
}

/// A client's fault as a command's.
pub(crate) fn failure(fault: ClientFault) -> Failure {
    match fault {
        ClientFault::Refused(reason) => Failure::refused(reason),
        ClientFault::Setup(reason) => Failure::usage(reason),
        ClientFault::Unreachable { .. } | ClientFault::NoRoom(_) | ClientFault::Garbled(_) => Failure::unreachable(fault.to_string())
            .mend("is the cluster running, is the address its address for clients, are the certificates its own?"),
    }
}

/// Threads for what waits for the network.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unreachable(format!("no thread to run on: {error}")))
}

/// Runs what waits for the network to its end.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime()?.block_on(work)
}
