//! What clients call, on every node: splits batches by shard, passes each part to its leader, joins the answers.
//!
//! `ledger`, `history`, `batches` and `cluster` are the gRPC services; `execute` is any command in its JSON; below them `submit`,
//! `look`, `reports`, `feed` and `loans` are the same for all; `parts` tells the statement of an account that has a part
//! on every shard.

mod batches;
mod clearing;
mod cluster;
mod execute;
mod feed;
mod history;
mod ledger;
mod loans;
mod look;
mod parts;
mod reports;
mod submit;
mod verify;

pub(crate) use execute::Trouble;
pub(crate) use loans::hex;

use crate::fault::ServeFault;
use crate::node::Office;
use fen_api::{AGE_KEY, LEADER_KEY, READ_KEY, RETRY_KEY};
use fen_net::NodeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

/// How long a call may take that names no deadline.
const PATIENCE: Duration = Duration::from_secs(10);
/// However long a caller would wait.
const PATIENCE_MAX: Duration = Duration::from_mins(1);
/// When a busy node wants to be asked again.
pub(crate) const RETRY_MS: u64 = 20;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    office: Arc<Office>,
}

/// One call: until when its answer is of use, and who may answer its reads.
pub(crate) struct Call {
    pub(crate) deadline: Instant,
    /// Any member may answer reads, as it has the books.
    is_near: bool,
    /// How old the oldest part of such an answer is.
    age_ms: AtomicU64,
}

impl Call {
    /// A call that may take so long, with the leaders' answers.
    pub(crate) fn within(patience: Option<Duration>, is_near: bool) -> Self {
        let deadline = Instant::now() + patience.unwrap_or(PATIENCE).min(PATIENCE_MAX);
        Self { deadline, is_near, age_ms: AtomicU64::new(0) }
    }

    /// As gRPC says it.
    fn of(metadata: &MetadataMap) -> Self {
        let text = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok());
        Self::within(text("grpc-timeout").and_then(timeout), text(READ_KEY) == Some("member"))
    }

    /// The same, but that only leaders answer.
    fn of_leaders(&self) -> Self {
        Self { deadline: self.deadline, is_near: false, age_ms: AtomicU64::new(0) }
    }

    fn note_age(&self, age_ms: u64) {
        self.age_ms.fetch_max(age_ms, Ordering::Relaxed);
    }

    /// How old the answer is, where others than leaders gave it.
    pub(crate) fn age_ms(&self) -> Option<u64> {
        self.is_near.then(|| self.age_ms.load(Ordering::Relaxed))
    }
}

impl Gateway {
    /// For the node with this office.
    pub fn new(office: Arc<Office>) -> Self {
        Self { office }
    }

    /// What the node's doors share.
    pub(crate) fn office(&self) -> Arc<Office> {
        self.office.clone()
    }

    fn response<T>(&self, message: T, leader: Option<NodeId>) -> Response<T> {
        let mut response = Response::new(message);
        let directory = self.office.router.directory();
        let elsewhere =
            leader.filter(|leader| *leader != self.office.node).and_then(|leader| directory.node(leader));
        if let Some(address) = elsewhere.and_then(|entry| entry.client_address.parse().ok()) {
            response.metadata_mut().insert(LEADER_KEY, address);
        }
        response
    }

    /// A read's response: with its age, where a member gave it.
    fn read_response<T>(message: T, call: &Call) -> Response<T> {
        let mut response = Response::new(message);
        if let Some(age) = call.age_ms().and_then(|age| age.to_string().parse().ok()) {
            response.metadata_mut().insert(AGE_KEY, age);
        }
        response
    }
}

fn not_founded() -> ServeFault {
    ServeFault::Unavailable("the cluster has not been founded yet: fen cluster init".to_owned())
}

fn unreadable() -> ServeFault {
    ServeFault::Unavailable("a shard's answer cannot be read".to_owned())
}

fn status(fault: ServeFault) -> Status {
    match fault {
        ServeFault::NotLeader(_) | ServeFault::Unavailable(_) => Status::unavailable(fault.to_string()),
        ServeFault::Refused(reason) => Status::invalid_argument(reason),
        ServeFault::NoRoom(reason) => Status::failed_precondition(reason),
        ServeFault::Busy => {
            let mut status = Status::resource_exhausted(fault.to_string());
            let retry = RETRY_MS.to_string().parse().expect("digits are metadata");
            status.metadata_mut().insert(RETRY_KEY, retry);
            status
        }
    }
}

/// A timeout as gRPC writes it: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_hours(count)),
        "M" => Some(Duration::from_mins(count)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _unknown => None,
    }
}
