//! Carries out what of a file is due: reads it from its beginning, passes over what has its outcome, and sends the rest
//! in full commands, a few under way at once.
//!
//! A run is stopped at any moment and begun again: what was sent answers as the first time. Every second (and at the
//! end) the outcomes so far are made durable, then the registry is told; its answer says whether the file was
//! cancelled.
//!
//! **The window.** At most [`WINDOW`] commands of [`TRANSFERS_MAX`] or [`ORDERS_MAX`] events are under way, so that a
//! customer's own transfer waits behind a millisecond or two of a file, not behind the file.

use crate::books::{Answers, Books, BooksFault, Sent, Work};
use crate::check::hash;
use crate::ids::Names;
use crate::item::{Act, Item, Piece, Source};
use crate::outcome::{Outcome, Status, Word};
use crate::plan::Planner;
use crate::reason::{FileFault, Reason};
use crate::rules::{PastDates, Rules};
use crate::spool::Spool;
use fen_book::batches::{Acceptance, BatchEntry, BatchOrder, BatchProgress, BatchState, Next};
use fen_book::loan::status::LoanStatus;
use fen_book::{Account, Amount, BusinessDate, EVENTS_MAX, Stamp, TransferFlags};
use fen_terms::Day;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// Commands under way at once.
pub const WINDOW: usize = 3;

/// Transfers in a command: a quarter of what it may hold, so that others get a turn between two.
pub const TRANSFERS_MAX: usize = 2_048;

/// Loan events in a command: as many as it may hold.
pub const ORDERS_MAX: usize = fen_book::loan::command::ORDERS_MAX;

/// How often outcomes are made durable and the registry is told.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Attempts to take what is there, where others take from the account at the same moment.
const ATTEMPTS_MAX: u32 = 3;

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

/// An item in a command under way.
struct Asked {
    position: u64,
    item: Item,
    /// The id under which it was or will be asked for first.
    id: u128,
    /// What it came to so far.
    before: Outcome,
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
    transfers: Vec<fen_book::Transfer>,
    orders: Vec<fen_book::loan::order::LoanOrder>,
}

impl Chunk {
    /// Whether it should go; a file that is taken as a whole goes in one command.
    fn is_full(&self, acceptance: Acceptance) -> bool {
        let transfers_max = if acceptance == Acceptance::Whole { EVENTS_MAX } else { TRANSFERS_MAX };
        self.transfers.len() >= transfers_max
            || self.orders.len() >= ORDERS_MAX
            || self.places.len() >= EVENTS_MAX
    }
}

struct Run<'a, B: Books + ?Sized> {
    books: &'a B,
    job: &'a Job<'a>,
    planner: Planner<'a>,
    spool: &'a mut Spool,
    chunk: Chunk,
    under_way: VecDeque<(Vec<Place>, Sent<'a>)>,
    progress: BatchProgress,
    /// The next day on which an item that is open is to be done.
    later: Option<Day>,
    seen_twice: HashSet<String>,
    reported: Instant,
    is_cancelled: bool,
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
        chunk: Chunk::default(),
        under_way: VecDeque::new(),
        progress: BatchProgress::default(),
        later: None,
        seen_twice: HashSet::new(),
        reported: Instant::now(),
        is_cancelled: false,
    };
    if let Some(day) = Day::from_number(job.entry.next_on.get()).filter(|day| *day > today) {
        run.progress = job.entry.progress;
        run.later = Some(day);
        return run.end(watch);
    }
    run.spool.rewind();
    let mut position = 0;
    while let Some(piece) = source.next_piece()? {
        let Piece::Item(item) = piece else { continue };
        run.item(item, position)?;
        position += 1;
        if run.chunk.is_full(file.acceptance) {
            run.send()?;
            watch(&run.progress);
            if run.is_cancelled {
                break;
            }
        }
    }
    run.end(watch)
}

impl<'a, B: Books + ?Sized> Run<'a, B> {
    /// Puts an item into the chunk, unless it has its outcome.
    fn item(&mut self, item: Item, position: u64) -> Result<(), RunFault> {
        let before = self.spool.get(position)?;
        let is_twice = item.name().is_some_and(|name| {
            self.job.twice.contains(&hash(name)) && !self.seen_twice.insert(name.to_owned())
        });
        if before.is_final() {
            self.tally(&before);
            return Ok(());
        }
        let decided = match &item.fault {
            Some(fault) => Some(Outcome::refused(fault.reason)),
            None if is_twice => Some(Outcome::refused(Reason::EndToEndDuplicate)),
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
        if is_transfer {
            self.chunk.transfers.push(self.planner.transfer(&asked.item, asked.id));
        } else {
            self.chunk.orders.push(self.planner.order(&asked.item, asked.id, asked.item.amount));
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
        let sent: Sent<'a> = if has_work {
            self.books.send(chunk.openings, work)?
        } else {
            Box::new(|| Ok(Answers::Transfers(Vec::new())))
        };
        self.under_way.push_back((chunk.places, sent));
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
        let Some((places, sent)) = self.under_way.pop_front() else { return Ok(()) };
        let answers: Vec<(Status, Stamp)> = match sent()? {
            Answers::Transfers(outcomes) => {
                outcomes.iter().map(|outcome| (Status::Transfer(outcome.status), outcome.timestamp)).collect()
            }
            Answers::Orders(outcomes) => {
                let told = |outcome: &fen_book::Outcome<LoanStatus>| {
                    (Status::Loan(outcome.status.number()), outcome.timestamp)
                };
                outcomes.iter().map(told).collect()
            }
        };
        let mut answers = answers.into_iter();
        let mut outcomes = Vec::with_capacity(places.len());
        for place in places {
            let (position, outcome) = match place {
                Place::Decided(position, outcome) => (position, outcome),
                Place::Again(asked) => (asked.position, self.collect(&asked)?),
                Place::Asked(asked) => {
                    let (status, stamp) = answers.next().expect("every event of a command has its answer");
                    (asked.position, self.outcome(&asked, status, stamp)?)
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

    fn outcome(&mut self, asked: &Asked, status: Status, stamp: Stamp) -> Result<Outcome, RunFault> {
        let rule = self.job.rules.collect;
        // A burnt id is one that was short when it was first asked.
        let is_short = [LoanStatus::ExceedsCredits, LoanStatus::IdAlreadyFailed]
            .iter()
            .any(|short| status == Status::Loan(short.number()));
        if is_short && asked.item.act == Act::Repay && (rule.partly || rule.retry_days > 0) {
            return self.collect(asked);
        }
        let moved = if status.word() == Word::Settled { asked.item.amount } else { 0 };
        Ok(Outcome { status, stamp, moved })
    }

    /// Takes what is there of a repayment that was short, under an id of the day's own; what such an id took before,
    /// the loan tells.
    fn collect(&mut self, asked: &Asked) -> Result<Outcome, RunFault> {
        let rule = self.job.rules.collect;
        let (item, today) = (&asked.item, self.planner.today);
        let begun = item.on.unwrap_or_else(|| day_of(self.job.entry.submitted_at)).min(today);
        let mut ids = Vec::new();
        let mut day = Some(begun.max(today.plus_days(-i64::from(rule.retry_days)).unwrap_or(today)));
        while let Some(on) = day {
            ids.extend(
                (0..ATTEMPTS_MAX).map(|attempt| (on, Names::further(asked.id, &format!("{on} {attempt}")))),
            );
            day = on.plus_days(1).filter(|next| *next <= today);
        }
        let events: Vec<u128> = ids.iter().map(|(_, id)| *id).collect();
        let taken = self.books.moved_by(item.loan_id, &events)?;
        let mut moved: u128 = taken.iter().flatten().sum();
        let mut stamp = asked.before.stamp;
        for ((on, id), taken) in ids.into_iter().zip(taken) {
            if on < today || taken.is_some() || moved >= item.amount {
                continue;
            }
            match self.attempt(asked, id, item.amount - moved)? {
                Attempt::Nothing => break,
                Attempt::Again => {}
                Attempt::Took(amount, at) => (moved, stamp) = (moved + amount, at),
                Attempt::Refused(status) => {
                    let status = if moved > 0 { Status::Partly } else { status };
                    return Ok(Outcome { status, stamp, moved });
                }
            }
        }
        let last = begun.plus_days(i64::from(rule.retry_days)).unwrap_or(today);
        let status = if moved >= item.amount {
            Status::Loan(LoanStatus::Created.number())
        } else if today < last {
            let tomorrow = today.plus_days(1).unwrap_or(today);
            self.later = Some(self.later.map_or(tomorrow, |later| later.min(tomorrow)));
            Status::Short
        } else if moved > 0 {
            Status::Partly
        } else {
            Status::Loan(LoanStatus::ExceedsCredits.number())
        };
        Ok(Outcome { status, stamp, moved })
    }

    /// Asks for what is missing, or for what is there.
    fn attempt(&mut self, asked: &Asked, id: u128, missing: u128) -> Result<Attempt, RunFault> {
        let there = self.books.available(asked.item.debit, asked.item.loan_id)?.unwrap_or(missing);
        let amount = if there >= missing || self.job.rules.collect.partly { missing.min(there) } else { 0 };
        if amount == 0 {
            return Ok(Attempt::Nothing);
        }
        let order = self.planner.order(&asked.item, id, amount);
        let Answers::Orders(outcomes) = self.books.send(Vec::new(), Work::Orders(vec![order]))?()? else {
            unreachable!("a command is answered in its own kind")
        };
        let outcome = outcomes.first().expect("every event of a command has its answer");
        let status = Status::Loan(outcome.status.number());
        Ok(if status.word() == Word::Settled {
            Attempt::Took(amount, outcome.timestamp)
        } else if [LoanStatus::ExceedsCredits, LoanStatus::IdAlreadyFailed].contains(&outcome.status) {
            Attempt::Again
        } else {
            Attempt::Refused(status)
        })
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
    fn report(&mut self, next: Next) -> Result<BatchState, RunFault> {
        self.spool.sync()?;
        let order = BatchOrder::Report { key: self.job.entry.file.key, progress: self.progress, next };
        let reply = self.books.registry(&order)?;
        self.reported = Instant::now();
        let state = reply.entry.map_or(BatchState::Cancelled, |entry| entry.state);
        self.is_cancelled = state == BatchState::Cancelled;
        Ok(state)
    }

    fn end(mut self, watch: &mut dyn FnMut(&BatchProgress)) -> Result<Ended, RunFault> {
        if !self.is_cancelled && !self.chunk.places.is_empty() {
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
        let state = if self.is_cancelled { BatchState::Cancelled } else { self.report(next)? };
        Ok(Ended { state, progress: self.progress, next_on: self.later })
    }
}

/// What an attempt came to.
enum Attempt {
    /// There is nothing to take.
    Nothing,
    /// Somebody else was faster.
    Again,
    /// So much, when.
    Took(u128, Stamp),
    /// The loan takes none.
    Refused(Status),
}

/// The day of an instant, in Greenwich.
fn day_of(stamp: Stamp) -> Day {
    let days = stamp.get() / (fen_book::quantity::NANOSECONDS_PER_SECOND * 86_400);
    i32::try_from(days).ok().and_then(Day::from_number).unwrap_or(Day::MIN)
}
