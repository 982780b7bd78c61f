//! Carries out what of a file is due: reads it from its beginning, passes over what has its outcome, and sends the rest
//! in full commands, a few under way at once.
//!
//! A run is stopped at any moment and begun again: what was sent answers as the first time. Every second (and at the
//! end) the outcomes so far are made durable, then the registry is told; its answer says whether the file was
//! cancelled.
//!
//! **All or none.** A file that is taken as a whole goes as one linked command where that holds it. A larger one is run
//! twice: first everything is reserved, and the registry decides, once, whether all is posted or all let go; the second
//! pass does that. See `Pass`.
//!
//! **The window.** At most [`WINDOW`] commands of [`TRANSFERS_MAX`] or [`ORDERS_MAX`] events are under way, so that a
//! customer's own transfer waits behind a millisecond or two of a file, not behind the file.

use crate::books::{Books, BooksFault, Room, Sent, Work};
use crate::check::hash;
use crate::collect::is_short;
use crate::desk::DeskFault;
use crate::ids::Names;
use crate::item::{Act, Item, Piece, Source};
use crate::outcome::{Outcome, Status, Word};
use crate::plan::Planner;
use crate::reason::{FileFault, Reason};
use crate::rules::{PastDates, Rules};
use crate::spool::Spool;
use fen_book::batches::{Acceptance, BatchEntry, BatchOrder, BatchProgress, BatchState, Decision, Next};
use fen_book::{Account, Amount, BusinessDate, EVENTS_MAX, Transfer, TransferFlags};
use fen_terms::Day;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// Commands under way at once.
pub const WINDOW: usize = 3;

/// Transfers in a command: a quarter of what it may hold, so that others get a turn between two.
pub const TRANSFERS_MAX: usize = 2_048;

/// Loan events in a command to a cluster, where each waits for its replicas: as many as it may hold.
pub const ORDERS_MAX: usize = fen_book::loan::command::ORDERS_MAX;

/// Loan events in a command to books in this process: half a millisecond's work.
pub const ORDERS_HERE_MAX: usize = 256;

/// How often outcomes are made durable and the registry is told.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Why a run ended before its end.
#[derive(Debug)]
pub enum RunFault {
    /// The file is not what was checked.
    File(FileFault),
    /// The books could not be asked; the same run may be begun again.
    Books(BooksFault),
    /// The outcomes could not be kept; the same run may be begun again.
    Spool(io::Error),
}

impl fmt::Display for RunFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(fault) => fault.fmt(f),
            Self::Books(fault) => fault.fmt(f),
            Self::Spool(fault) => write!(f, "the outcomes cannot be kept: {fault}"),
        }
    }
}

impl std::error::Error for RunFault {}

impl From<FileFault> for RunFault {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}

impl From<BooksFault> for RunFault {
    fn from(fault: BooksFault) -> Self {
        Self::Books(fault)
    }
}

impl From<DeskFault> for RunFault {
    fn from(fault: DeskFault) -> Self {
        match fault {
            DeskFault::Refused(fault) => Self::File(fault),
            DeskFault::Disk(path, error) => {
                Self::Spool(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
            }
        }
    }
}

impl From<io::Error> for RunFault {
    fn from(fault: io::Error) -> Self {
        Self::Spool(fault)
    }
}

/// What a run needs beside the books.
pub struct Job<'a> {
    /// The file's entry in the registry.
    pub entry: &'a BatchEntry,
    /// The rules that it was taken under.
    pub rules: &'a Rules,
    /// Ids that stand in it twice, as the check found them.
    pub twice: &'a HashSet<u64>,
    /// The day, where the books know none.
    pub today: Day,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Where the file stands now.
    pub state: BatchState,
    /// How far it is.
    pub progress: BatchProgress,
    /// The next day on which something is to be done.
    pub next_on: Option<Day>,
}

/// What a run does with each item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pass {
    /// What it asks for.
    Do,
    /// Reserves its money, until one can't be reserved.
    Hold,
    /// Posts what is reserved.
    Post,
    /// Lets go what is reserved. What may have been reserved without anybody having kept it is reserved once more
    /// first, so that a command that is late finds its ids used.
    Void,
}

impl Pass {
    fn of(entry: &BatchEntry) -> Self {
        match (entry.file.acceptance, entry.state) {
            (Acceptance::Held, BatchState::Posts) => Self::Post,
            (Acceptance::Held, BatchState::Voids) => Self::Void,
            // Done before: what it came to is gathered again.
            (Acceptance::Held, BatchState::Done | BatchState::Cancelled) => {
                if entry.progress.taken > 0 {
                    Self::Post
                } else {
                    Self::Void
                }
            }
            (Acceptance::Held, BatchState::AwaitsRelease | BatchState::GoesOn | BatchState::Waits) => {
                Self::Hold
            }
            (Acceptance::Items | Acceptance::Whole, _) => Self::Do,
        }
    }
}

/// An item in a command under way.
pub(crate) struct Asked {
    pub(crate) position: u64,
    pub(crate) item: Item,
    /// The id under which it was or will be asked for first.
    pub(crate) id: u128,
    /// What it came to so far.
    pub(crate) before: Outcome,
}

/// A place in a chunk.
enum Place {
    /// Part of the command.
    Asked(Asked),
    /// Was short on an earlier day: what is missing is asked for when the command has its answers.
    Again(Asked),
    /// Decided without asking.
    Decided(u64, Outcome),
}

/// A command in the making.
#[derive(Default)]
struct Chunk {
    places: Vec<Place>,
    openings: Vec<Account>,
    /// Sent first; nobody waits for what they come to.
    before: Vec<Transfer>,
    transfers: Vec<Transfer>,
    orders: Vec<fen_book::loan::order::LoanOrder>,
}

impl Chunk {
    /// Whether it should go; a file that is taken as a whole goes in one command.
    fn is_full(&self, acceptance: Acceptance, room: Room) -> bool {
        let transfers_max = if acceptance == Acceptance::Whole { room.chain } else { room.transfers };
        self.transfers.len() >= transfers_max
            || self.orders.len() >= room.orders
            || self.places.len() >= EVENTS_MAX
    }
}

/// A command that has no answer yet.
struct UnderWay<'a> {
    places: Vec<Place>,
    before: Option<Sent<'a>>,
    sent: Sent<'a>,
}

pub(crate) struct Run<'a, B: Books + ?Sized> {
    pub(crate) books: &'a B,
    pub(crate) job: &'a Job<'a>,
    pub(crate) planner: Planner<'a>,
    spool: &'a mut Spool,
    pass: Pass,
    room: Room,
    chunk: Chunk,
    under_way: VecDeque<UnderWay<'a>>,
    progress: BatchProgress,
    /// The next day on which an item that is open is to be done.
    pub(crate) later: Option<Day>,
    seen_twice: HashSet<String>,
    reported: Instant,
    /// Where the file stands, as the registry said last.
    state: BatchState,
}

/// Carries out what of a file is due. `watch` is told how far it is, after every command.
///
/// # Errors
/// See [`RunFault`]. What was done before is kept.
pub fn run<B: Books + ?Sized>(
    books: &B,
    job: &Job<'_>,
    source: &mut dyn Source,
    spool: &mut Spool,
    watch: &mut dyn FnMut(&BatchProgress),
) -> Result<Ended, RunFault> {
    let known = books.business_date()?;
    let today = known.and_then(|date| Day::from_number(date.get())).unwrap_or(job.today);
    let file = &job.entry.file;
    let open_flags = job.rules.open_flags().map_err(BooksFault)?;
    let planner = Planner {
        rules: job.rules,
        names: Names::of_key(file.key),
        today,
        has_day: known.is_some(),
        open_flags,
    };
    let mut run = Run {
        books,
        job,
        planner,
        spool,
        pass: Pass::of(job.entry),
        room: books.room(),
        chunk: Chunk::default(),
        under_way: VecDeque::new(),
        progress: BatchProgress::default(),
        later: None,
        seen_twice: HashSet::new(),
        reported: Instant::now(),
        state: job.entry.state,
    };
    let next_on = Day::from_number(job.entry.next_on.get()).filter(|day| *day > today);
    if let Some(day) = next_on.filter(|_| !run.state.is_decided() && !run.has_ended()) {
        run.progress = job.entry.progress;
        run.later = Some(day);
        return run.end(watch);
    }
    run.spool.rewind()?;
    let mut position = 0;
    while let Some(piece) = source.next_piece()? {
        let Piece::Item(item) = piece else { continue };
        run.item(item, position)?;
        position += 1;
        if run.chunk.is_full(file.acceptance, run.room) {
            run.send()?;
            watch(&run.progress);
            if run.must_stop() {
                break;
            }
        }
    }
    run.end(watch)
}

impl<'a, B: Books + ?Sized> Run<'a, B> {
    /// Whether the file was done before this run, which gathers what its items came to.
    pub(crate) fn has_ended(&self) -> bool {
        self.job.entry.state.has_ended()
    }

    /// Whether the rest of the file is not looked at: it was cancelled, or one item of the whole can't be reserved.
    fn must_stop(&self) -> bool {
        let is_refused = self.pass == Pass::Hold && (self.progress.refused > 0 || self.state.is_decided());
        is_refused || self.state == BatchState::Cancelled
    }

    /// Puts an item into the chunk, unless it has its outcome.
    fn item(&mut self, item: Item, position: u64) -> Result<(), RunFault> {
        let before = self.spool.get(position)?;
        let is_twice = item.name().is_some_and(|name| {
            self.job.twice.contains(&hash(name)) && !self.seen_twice.insert(name.to_owned())
        });
        let is_kept = self.pass == Pass::Hold && before.status == Status::Held;
        if before.is_final() || is_kept {
            self.tally(&before);
            return Ok(());
        }
        let decided = match &item.fault {
            Some(fault) => Some(Outcome::refused(fault.reason)),
            None if is_twice => Some(Outcome::refused(Reason::EndToEndDuplicate)),
            None if self.state.is_decided() || self.has_ended() => None,
            None => self.by_its_day(&item),
        };
        if let Some(outcome) = decided {
            self.chunk.places.push(Place::Decided(position, outcome));
            return Ok(());
        }
        self.ask(item, position, before)
    }

    /// What an item's day decides: it is for later, or too late.
    fn by_its_day(&mut self, item: &Item) -> Option<Outcome> {
        let on = item.on?;
        if on > self.planner.today {
            self.later = Some(self.later.map_or(on, |later| later.min(on)));
            return Some(Outcome::default());
        }
        let is_late = on < self.planner.today && self.job.rules.dates.past == PastDates::Refuse;
        is_late.then(|| Outcome::refused(Reason::DateInvalid))
    }

    /// Items of one kind share a command; where the kind changes, the command goes, so that the file's order is kept.
    fn ask(&mut self, item: Item, position: u64, before: Outcome) -> Result<(), RunFault> {
        let is_transfer = item.act == Act::Transfer;
        let is_other =
            if is_transfer { !self.chunk.orders.is_empty() } else { !self.chunk.transfers.is_empty() };
        if is_other {
            self.send()?;
        }
        self.chunk.openings.extend(self.planner.opening(&item));
        let asked = Asked { id: self.planner.names.item(&item, position), position, before, item };
        if before.status == Status::Short {
            self.chunk.places.push(Place::Again(asked));
            return Ok(());
        }
        let (planner, asked_for) = (&self.planner, &asked.item);
        match self.pass {
            Pass::Do if is_transfer => self.chunk.transfers.push(planner.transfer(asked_for, asked.id)),
            Pass::Do => self.chunk.orders.push(planner.order(asked_for, asked.id, asked_for.amount)),
            Pass::Hold => self.chunk.transfers.push(planner.hold(asked_for, asked.id)),
            Pass::Post => self.chunk.transfers.push(planner.post(asked_for, asked.id)),
            Pass::Void => {
                if before.status == Status::Open {
                    self.chunk.before.push(planner.hold(asked_for, asked.id));
                }
                self.chunk.transfers.push(Planner::void(asked.id));
            }
        }
        self.chunk.places.push(Place::Asked(asked));
        Ok(())
    }

    /// Sends the chunk; where too many are under way, waits for the first of them.
    fn send(&mut self) -> Result<(), RunFault> {
        let mut chunk = std::mem::take(&mut self.chunk);
        if self.job.entry.file.acceptance == Acceptance::Whole {
            let count = chunk.transfers.len();
            for transfer in chunk.transfers.iter_mut().take(count.saturating_sub(1)) {
                transfer.flags = TransferFlags::LINKED;
            }
        }
        let work = if chunk.orders.is_empty() {
            Work::Transfers(chunk.transfers)
        } else {
            Work::Orders(chunk.orders)
        };
        let has_work = chunk.places.iter().any(|place| matches!(place, Place::Asked(_)));
        let books = self.books;
        let mut before = None;
        if !chunk.before.is_empty() {
            let openings = std::mem::take(&mut chunk.openings);
            before = Some(books.send(openings, Work::Transfers(chunk.before))?);
        }
        let sent: Sent<'a> =
            if has_work { books.send(chunk.openings, work)? } else { Box::new(|| Ok(Vec::new())) };
        self.under_way.push_back(UnderWay { places: chunk.places, before, sent });
        while self.under_way.len() >= WINDOW {
            self.settle_one()?;
        }
        if self.reported.elapsed() >= REPORT_EVERY {
            self.report(Next::GoesOn)?;
        }
        Ok(())
    }

    /// Waits for the oldest command, and keeps what its items came to.
    fn settle_one(&mut self) -> Result<(), RunFault> {
        let Some(UnderWay { places, before, sent }) = self.under_way.pop_front() else { return Ok(()) };
        let mut held = match before {
            Some(before) => before()?.into_iter(),
            None => Vec::new().into_iter(),
        };
        let mut answers = sent()?.into_iter();
        let mut outcomes = Vec::with_capacity(places.len());
        for place in places {
            let (position, outcome) = match place {
                Place::Decided(position, outcome) => (position, outcome),
                Place::Again(asked) => (asked.position, self.collect(&asked)?),
                Place::Asked(asked) => {
                    let answer = answers.next().expect("every event of a command has its answer");
                    let is_held_again = self.pass == Pass::Void && asked.before.status == Status::Open;
                    let hold = if is_held_again { held.next().map(|answer| answer.status) } else { None };
                    (asked.position, self.outcome(&asked, answer, hold)?)
                }
            };
            self.tally(&outcome);
            if outcome.status != Status::Open {
                outcomes.push((position, outcome));
            }
        }
        self.spool.put(&outcomes)?;
        Ok(())
    }

    fn outcome(
        &mut self,
        asked: &Asked,
        answer: fen_book::Outcome<Status>,
        hold: Option<Status>,
    ) -> Result<Outcome, RunFault> {
        let (status, stamp) = (answer.status, answer.timestamp);
        let rule = self.job.rules.collect;
        let is_settled = status.word() == Word::Settled;
        match self.pass {
            Pass::Do if is_short(status) && asked.item.act == Act::Repay && rule.goes_on() => {
                return self.collect(asked);
            }
            Pass::Hold if is_settled => return Ok(Outcome { status: Status::Held, stamp, moved: 0 }),
            Pass::Do | Pass::Hold | Pass::Post => {}
            Pass::Void => {
                let of_all = if self.job.entry.cancelled_by.is_empty() {
                    Status::Refused(Reason::SettlementFailed)
                } else {
                    Status::Refused(Reason::Cancelled)
                };
                let own = hold.filter(|hold| hold.word() == Word::Rejected);
                return Ok(Outcome { status: own.unwrap_or(of_all), stamp, moved: 0 });
            }
        }
        Ok(Outcome { status, stamp, moved: if is_settled { asked.item.amount } else { 0 } })
    }

    fn tally(&mut self, outcome: &Outcome) {
        self.progress.position += 1;
        match outcome.status.word() {
            Word::Pending => {}
            Word::Settled | Word::Changed => self.progress.taken += 1,
            Word::Rejected => self.progress.refused += 1,
        }
        let sum = self.progress.taken_sum.get().saturating_add(outcome.moved);
        self.progress.taken_sum = Amount::new(sum);
    }

    /// Outcomes first, then the registry: it never knows more than is kept.
    fn report(&mut self, next: Next) -> Result<(), RunFault> {
        self.spool.sync()?;
        let order = BatchOrder::Report { key: self.job.entry.file.key, progress: self.progress, next };
        self.tell(&order)?;
        self.reported = Instant::now();
        Ok(())
    }

    fn tell(&mut self, order: &BatchOrder) -> Result<(), RunFault> {
        let reply = self.books.registry(order)?;
        self.state = reply.entry.map_or(BatchState::Cancelled, |entry| entry.state);
        Ok(())
    }

    fn end(mut self, watch: &mut dyn FnMut(&BatchProgress)) -> Result<Ended, RunFault> {
        if !self.must_stop() && !self.chunk.places.is_empty() {
            self.send()?;
        }
        while !self.under_way.is_empty() {
            self.settle_one()?;
            watch(&self.progress);
        }
        let next = match self.later {
            Some(day) => Next::WaitsFor(BusinessDate::new(day.number())),
            None => Next::Done,
        };
        if self.pass == Pass::Hold && self.later.is_none() {
            self.decide()?;
        } else {
            self.report(next)?;
        }
        Ok(Ended { state: self.state, progress: self.progress, next_on: self.later })
    }

    /// Everything was reserved, or something could not be. What the registry heard first is what happens, whoever
    /// said it.
    fn decide(&mut self) -> Result<(), RunFault> {
        self.spool.sync()?;
        if self.state.is_decided() || self.state.has_ended() {
            return Ok(());
        }
        let file = &self.job.entry.file;
        let is_all = self.progress.refused == 0 && self.progress.position == file.items;
        let decision = if is_all { Decision::Post } else { Decision::Void };
        self.tell(&BatchOrder::Decide { key: file.key, decision })
    }
}
