//! What a node takes from the world that it runs in: a disk, a wire to its peers, a crew that waits in its place, a
//! clock, and a door for clients. A node that serves a bank has the machine's; a simulation has its own, and the node
//! is the same.

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::fault::NodeFault;
use fen_net::{Tcp, Wire};
use fen_raft::Crew;
use fen_store::disk::{Disk, RealDisk};
use std::path::PathBuf;
use std::sync::Arc;

/// How clients come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientDoor {
    /// Over the network, at the configured address.
    Open,
    /// Only from inside the process, through [`crate::Node::gateway`].
    Shut,
}

/// See the module.
#[derive(Clone)]
pub struct World {
    /// Where everything is kept.
    pub disk: Arc<dyn Disk>,
    /// The way to the peers.
    pub wire: Arc<dyn Wire>,
    /// Who waits for the disk.
    pub crew: Crew,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// How clients come in.
    pub door: ClientDoor,
    /// Where the shards' secondary indexes lie, in files of the machine's own; without it there are none.
    pub indexes: Option<PathBuf>,
}

impl World {
    /// The machine's own disk, network, threads and clock.
    pub fn machine(config: &Config) -> Result<Self, NodeFault> {
        let disk = RealDisk::open(&config.data).map_err(|fault| NodeFault::Data(fault.to_string()))?;
        Ok(Self {
            disk: Arc::new(disk),
            wire: Arc::new(Tcp),
            crew: Crew::Threads,
            clock: Arc::new(SystemClock),
            door: ClientDoor::Open,
            indexes: Some(config.data.clone()),
        })
    }
}
