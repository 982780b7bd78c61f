//! The teller of one shard on one node: gathers commands into parcels and proposes them.
//!
//! While a few parcels are on their way, whatever comes in waits and goes together with the next one: a lone client
//! never waits for company, and a crowd shares its round trips. What waits is bounded; past that the answer is
//! `Busy`, at once.

use crate::clock::Clock;
use crate::crossing::board::Board;
use crate::crossing::orders::{self, LegEnd, STEP_MAX, Verdict};
use crate::fault::ServeFault;
use crate::parcel::{self, BODY_BYTES_MAX, PackedCommand, Packer};
use crate::shard::{RecordBytes, ShardMachine, kind};
use crate::world::World;
use bytes::Bytes;
use fen_book::clearing::clearing_account;
use fen_book::loan::command::LoanCommand;
use fen_book::{EVENTS_MAX, Transfer, TransferId};
use fen_lookup::Lookup;
use fen_net::NodeId;
use fen_raft::{Crew, Group, Image, Parcel};
use fen_store::room::Room;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// Commands that may wait for a parcel.
const WAITING_MAX: usize = 1_024;
/// Bytes of commands that may wait or be on their way, in KiB.
const WAITING_KIB_MAX: usize = 64 << 10;
/// Parcels on their way at once.
const PARCELS_MAX: usize = 4;
/// Commands below this wait for the parcel of small ones that is on its way: a parcel costs the same whatever it holds, so
/// a few full ones cost less than many that hold little. They wait for one commit at most.
const SMALL_BYTES: usize = 64 << 10;
/// How often a leader looks whether something has lapsed.
const PULSE_EVERY: Duration = Duration::from_millis(100);
/// How often a leader without room asks another member to lead: where nobody has room, the leadership goes round.
const HAND_OVER_EVERY: Duration = Duration::from_secs(1);

/// How long an image is kept that nobody asks for any more: it keeps pages on disk.
const LENT_FOR: Duration = Duration::from_mins(1);

type Lent = Arc<Mutex<Option<(Instant, Image)>>>;

struct Waiting {
    command: PackedCommand,
    asker: Asker,
}

/// Who waits for an answer, and the room that the command takes until then.
struct Asker {
    answer: oneshot::Sender<Result<Bytes, ServeFault>>,
    _room: Option<OwnedSemaphorePermit>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Teller {
    group: Group<ShardMachine>,
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    next_expiry: Arc<AtomicU64>,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    crew: Crew,
    lookup: Option<Arc<Lookup>>,
    disk: Room,
    node: NodeId,
    /// The image that another member mends its books from.
    lent: Lent,
}

impl Teller {
    /// Opens the counter; it closes when the last clone is gone.
    pub fn start(
        group: Group<ShardMachine>,
        next_expiry: Arc<AtomicU64>,
        board: Arc<Board>,
        (node, World { clock, crew, .. }): (NodeId, World),
        (disk, lookup): (Room, Option<Arc<Lookup>>),
    ) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(gather(group.clone(), clock.clone(), waiting));
        let room = Arc::new(Semaphore::new(WAITING_KIB_MAX));
        let lent = Lent::default();
        let teller = Self { group, queue, room, next_expiry, board, clock, crew, lookup, disk, node, lent };
        tokio::spawn(pulse(
            teller.queue.downgrade(),
            teller.group.clone(),
            teller.next_expiry.clone(),
            teller.clock.clone(),
            teller.disk.clone(),
            teller.lent.clone(),
        ));
        teller
    }

    /// The group behind it.
    pub fn group(&self) -> &Group<ShardMachine> {
        &self.group
    }

    /// What the machine tells of transfers between shards.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// How many transfers between shards have begun here and not come to their end.
    pub fn crossings_open(&self) -> usize {
        self.board.open()
    }

    /// Room that waiting commands take, in KiB.
    pub(crate) fn waiting_kib(&self) -> u64 {
        WAITING_KIB_MAX.saturating_sub(self.room.available_permits()) as u64
    }

    /// Commands that wait for a parcel.
    pub(crate) fn waiting_commands(&self) -> u64 {
        WAITING_MAX.saturating_sub(self.queue.capacity()) as u64
    }

    /// What has lapsed by now is released before anybody looks.
    pub(crate) async fn let_time_pass(&self) -> Result<(), ServeFault> {
        if self.next_expiry.load(Ordering::Relaxed) <= self.clock.now() {
            match self.submit(PackedCommand { kind: kind::PULSE, body: Bytes::new() }).await {
                // Nothing is written on a full disk, not even that time has passed; what there is can be read.
                Ok(_) | Err(ServeFault::NoRoom(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Puts a command into the log; answers when it is applied, with what the book answered.
    pub async fn submit(&self, command: PackedCommand) -> Result<Bytes, ServeFault> {
        check(self.group.id().0, &command)?;
        if self.disk.is_short() {
            return Err(ServeFault::NoRoom(format!(
                "the disk of {} is full: it takes no writes until there is room; reads go on",
                self.node
            )));
        }
        let kib = u32::try_from(command.body.len() >> 10).unwrap_or(u32::MAX).saturating_add(1);
        let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| ServeFault::Busy)?;
        let (answer, receiver) = oneshot::channel();
        match self.queue.try_send(Waiting { command, asker: Asker { answer, _room: Some(room) } }) {
            Ok(()) => {
                receiver.await.map_err(|_| ServeFault::Unavailable("the shard has stopped".to_owned()))?
            }
            Err(mpsc::error::TrySendError::Full(_)) => Err(ServeFault::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Err(ServeFault::Unavailable("the shard has stopped".to_owned()))
            }
        }
    }

    /// The shard's secondary indexes, where it keeps some.
    pub(crate) fn lookup(&self) -> Option<Arc<Lookup>> {
        self.lookup.clone()
    }

    /// Who does its work.
    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Keeps an image at hand for the member that asks for its pieces; one at a time, and not for ever.
    pub(crate) fn lend(&self, image: Image) {
        *self.lent.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), image));
    }

    /// The image that was lent last, if it is still asked for.
    pub(crate) fn lent(&self) -> Option<Image> {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked_at, image) = lent.as_mut()?;
        *asked_at = Instant::now();
        Some(image.clone())
    }

    /// Reads the sealed journal where it may wait for the disk.
    pub(crate) async fn behind<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Result<T, fen_ledger::Fault> + Send + 'static,
    ) -> Result<T, ServeFault> {
        let looked = self.crew.aside(look).await;
        let looked = looked.map_err(|error| ServeFault::Unavailable(error.to_string()))?;
        looked.map_err(|fault| ServeFault::Refused(fault.to_string()))
    }
}

/// Nothing enters the log that the machine could not read.
fn check(shard: u32, command: &PackedCommand) -> Result<(), ServeFault> {
    if orders::kind::is_a_step(command.kind) {
        return check_step(shard, command).map_err(ServeFault::Refused);
    }
    let refused = |reason: String| Err(ServeFault::Refused(reason));
    let Some(record_bytes) = kind::record_bytes(command.kind) else {
        return refused(format!("command {} is not known to this release", command.kind));
    };
    if command.body.len() > BODY_BYTES_MAX {
        return refused(format!(
            "{} bytes; the most in one command are {BODY_BYTES_MAX}",
            command.body.len()
        ));
    }
    match record_bytes {
        RecordBytes::Any => {
            let decoded = LoanCommand::decode(&command.body);
            decoded.map(|_| ()).map_err(ServeFault::Refused)
        }
        RecordBytes::Each { bytes, most } => {
            let records = command.body.len() / bytes.max(1);
            if command.body.len() != records * bytes {
                return refused(format!("{} bytes are no whole number of records", command.body.len()));
            }
            if records > most {
                return refused(format!("{records} events; the most in one command are {most}"));
            }
            Ok(())
        }
    }
}

/// As [`check`], for what shards ask of each other.
fn check_step(shard: u32, command: &PackedCommand) -> Result<(), String> {
    let garbled = || "a step between shards that cannot be read".to_owned();
    let (source, rest) = match command.body.split_first_chunk::<4>() {
        Some((source, _)) => (u32::from_le_bytes(*source), command.body.get(orders::HEAD_BYTES..)),
        None => (0, None),
    };
    let (steps, most) = match command.kind {
        orders::kind::OUT => {
            let events = orders::copy::<Transfer>(&command.body).ok_or_else(garbled)?;
            (events.len(), EVENTS_MAX)
        }
        orders::kind::IN => {
            let legs = rest.and_then(orders::copy::<Transfer>).ok_or_else(garbled)?;
            if legs.iter().any(|leg| clearing_account(source, shard, leg.ledger).is_none()) {
                return Err(garbled());
            }
            (legs.len(), STEP_MAX)
        }
        orders::kind::DECIDE => {
            let verdicts = orders::copy::<Verdict>(&command.body).ok_or_else(garbled)?;
            if verdicts.iter().any(|verdict| verdict.status().is_none()) {
                return Err(garbled());
            }
            (verdicts.len(), STEP_MAX)
        }
        orders::kind::END => (rest.and_then(orders::copy::<LegEnd>).ok_or_else(garbled)?.len(), STEP_MAX),
        _ended => (orders::copy::<TransferId>(&command.body).ok_or_else(garbled)?.len(), STEP_MAX),
    };
    if steps > most { Err(format!("{steps} steps; the most in one command are {most}")) } else { Ok(()) }
}

/// Fills parcels from the queue and sends them off, a few at a time, until the queue is closed.
async fn gather(group: Group<ShardMachine>, clock: Arc<dyn Clock>, mut queue: mpsc::Receiver<Waiting>) {
    let (under_way, small) = (Arc::new(Semaphore::new(PARCELS_MAX)), Arc::new(Semaphore::new(1)));
    let mut held: Option<Waiting> = None;
    loop {
        let first = match held.take() {
            Some(waiting) => waiting,
            None => match queue.recv().await {
                Some(waiting) => waiting,
                None => return,
            },
        };
        // Waiting here, not after packing, lets the parcel fill while the earlier ones are on their way.
        let Ok(place) = under_way.clone().acquire_owned().await else { return };
        let alone = if first.command.body.len() < SMALL_BYTES {
            let Ok(alone) = small.clone().acquire_owned().await else { return };
            Some(alone)
        } else {
            None
        };
        let (mut packer, mut askers) = (Packer::default(), Vec::new());
        packer.add(&first.command);
        askers.push(first.asker);
        while let Ok(next) = queue.try_recv() {
            if !packer.fits(next.command.body.len()) {
                held = Some(next);
                break;
            }
            packer.add(&next.command);
            askers.push(next.asker);
        }
        let parcel = Parcel { stamp: clock.now(), body: packer.finish() };
        let group = group.clone();
        tokio::spawn(async move {
            hand_out(group.propose(parcel).await.map_err(ServeFault::from), askers);
            drop((place, alone));
        });
    }
}

fn hand_out(result: Result<fen_raft::Answer, ServeFault>, askers: Vec<Asker>) {
    let split = result.and_then(|answer| {
        parcel::split_answers(answer.0)
            .filter(|answers| answers.len() == askers.len())
            .ok_or_else(|| ServeFault::Unavailable("the shard's answer cannot be read".to_owned()))
    });
    match split {
        Ok(answers) => {
            for (answer, asker) in answers.into_iter().zip(askers) {
                // Whoever asked has gone; what was posted stays posted.
                drop(asker.answer.send(Ok(answer)));
            }
        }
        Err(fault) => {
            for asker in askers {
                drop(asker.answer.send(Err(fault.clone())));
            }
        }
    }
}

/// Asks the voter that lacks least to lead, if this node leads and there is another one.
async fn hand_over(group: &Group<ShardMachine>) -> bool {
    let status = group.status();
    let others = status.lag.iter().filter(|(node, _)| status.voters.contains(node));
    let Some((to, _)) = others.filter(|_| status.leads).min_by_key(|(_, lacks)| **lacks) else {
        return false;
    };
    tracing::warn!(group = group.id().0, to = to.0, "no room on the disk: another member is asked to lead");
    group.transfer_leadership(*to).await.is_ok()
}

/// Lets time pass in the book where nobody else does; and hands the leadership over where there is no room on this
/// node's disk, as others may have some.
async fn pulse(
    queue: mpsc::WeakSender<Waiting>,
    group: Group<ShardMachine>,
    next_expiry: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    disk: Room,
    lent: Lent,
) {
    let mut handed_over_at: Option<Instant> = None;
    loop {
        tokio::time::sleep(PULSE_EVERY).await;
        let is_due = handed_over_at.is_none_or(|at| at.elapsed() >= HAND_OVER_EVERY);
        if is_due && disk.is_short() && hand_over(&group).await {
            handed_over_at = Some(Instant::now());
        }
        lent.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_if(|(asked_at, _)| asked_at.elapsed() > LENT_FOR);
        let Some(queue) = queue.upgrade() else { return };
        if next_expiry.load(Ordering::Relaxed) <= clock.now() && group.status().leads && !disk.is_short() {
            let command = PackedCommand { kind: kind::PULSE, body: Bytes::new() };
            let (answer, done) = oneshot::channel();
            // A full queue lets time pass by itself.
            if queue.try_send(Waiting { command, asker: Asker { answer, _room: None } }).is_ok() {
                drop(done.await);
            }
        }
    }
}
