//! The registry of payment files: which were taken, from whom, whose release they wait for, and how far they are.
//!
//! It is part of the book, so it is durable with it, the same on every replica, and can't disagree with it. What an
//! item came to is not here: that the item's own id says, for ever.
//!
//! **Invariants.** A file is known by its key (initiating party and message id): under one key there is one content,
//! by its SHA-256. Who submits a file that needs a release can't release it. A file that ended stays ended.
//! **Limits.** [`BATCHES_MAX`] files, texts of [`TEXT_BYTES_MAX`] bytes. Deliberately absent: the file itself, items,
//! and any clock but the log's stamps.

mod codec;
mod status;

pub use status::{BatchState, BatchStatus};

use crate::command::Outcome;
use crate::quantity::{Amount, BusinessDate, LedgerCode, NANOSECONDS_PER_SECOND, Stamp};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The most files that a registry keeps: at about 300 bytes each, some 300 MB.
pub const BATCHES_MAX: usize = 1 << 20;

/// A file that was not heard of for so long was stopped: whoever runs it tells of it every second.
const PAUSE_NANOSECONDS: u64 = 10 * NANOSECONDS_PER_SECOND;

/// The longest text of an entry, in bytes.
pub const TEXT_BYTES_MAX: usize = 140;

/// Whether a file is taken item by item.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Acceptance {
    /// Each item stands for itself.
    #[default]
    Items,
    /// All items or none, in one linked command.
    Whole,
    /// All items or none, however many: all are reserved, then all posted or all voided.
    Held,
}

/// What becomes of the reservations of a file that is taken as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// All are posted.
    Post,
    /// All are voided.
    Void,
}

/// A file, as whoever submits it describes it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct BatchFile {
    /// Names it for ever: derived from initiator and message id.
    pub key: u128,
    /// The file's own name.
    pub message_id: String,
    /// Who made it.
    pub initiator: String,
    /// What form it has, such as `pain.001.001.09`.
    pub format: String,
    /// Its SHA-256.
    pub content: [u8; 32],
    /// Whether it is taken item by item.
    pub acceptance: Acceptance,
    /// How many items it has.
    pub items: u64,
    /// What they come to, in minor units.
    pub sum: Amount,
    /// The currency, or zero where there are several.
    pub ledger: LedgerCode,
    /// The first day on which something of it is to be done; zero is at once.
    pub first_on: BusinessDate,
    /// Who brought it.
    pub submitted_by: String,
    /// Whether somebody else must release it.
    pub needs_release: bool,
}

/// How far a file is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct BatchProgress {
    /// Items looked at in the pass under way.
    pub position: u64,
    /// Items done.
    pub taken: u64,
    /// What those moved, in minor units.
    pub taken_sum: Amount,
    /// Items refused.
    pub refused: u64,
}

/// A file in the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchEntry {
    /// As it was submitted.
    pub file: BatchFile,
    /// Where it stands.
    pub state: BatchState,
    /// The next day on which something of it is to be done.
    pub next_on: BusinessDate,
    /// Who released it; nobody, where that was not needed.
    pub released_by: String,
    /// Who cancelled it.
    pub cancelled_by: String,
    /// How far it is.
    pub progress: BatchProgress,
    /// When it was taken.
    pub submitted_at: Stamp,
    /// When it last changed.
    pub changed_at: Stamp,
    /// Since when it goes without a pause.
    pub goes_since: Stamp,
    /// Where it was then: its rate is reckoned from there.
    pub goes_from: u64,
}

/// What becomes of a file after a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It goes on.
    GoesOn,
    /// Its further items are for a later day.
    WaitsFor(BusinessDate),
    /// Every item has its outcome.
    Done,
}

/// What is asked of the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BatchOrder {
    /// Takes a file, or says that it was taken.
    Enter(Box<BatchFile>),
    /// Lets a file that awaits its release go on.
    Release {
        /// Which.
        key: u128,
        /// Who says so.
        by: String,
    },
    /// Stops a file where it is, for good.
    Cancel {
        /// Which.
        key: u128,
        /// Who says so.
        by: String,
    },
    /// Says how far a file is.
    Report {
        /// Which.
        key: u128,
        /// How far.
        progress: BatchProgress,
        /// What becomes of it.
        next: Next,
    },
    /// Decides, once, what becomes of the reservations of a [`Acceptance::Held`] file.
    Decide {
        /// Which.
        key: u128,
        /// All or none.
        decision: Decision,
    },
}

/// The answer, with the entry as it then is, if there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchReply {
    /// Whether it was done, or why not.
    pub outcome: Outcome<BatchStatus>,
    /// The entry.
    pub entry: Option<Box<BatchEntry>>,
}

/// See the module's words.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Batches {
    by_key: BTreeMap<u128, BatchEntry>,
}

impl BatchOrder {
    /// The file that it is about.
    pub fn key(&self) -> u128 {
        match self {
            Self::Enter(file) => file.key,
            Self::Release { key, .. }
            | Self::Cancel { key, .. }
            | Self::Report { key, .. }
            | Self::Decide { key, .. } => *key,
        }
    }
}

impl Batches {
    /// A file, if it is known.
    pub fn get(&self, key: u128) -> Option<&BatchEntry> {
        self.by_key.get(&key)
    }

    /// Files behind a key, by key.
    pub fn after(&self, key: u128) -> impl Iterator<Item = &BatchEntry> {
        self.by_key.range((Bound::Excluded(key), Bound::Unbounded)).map(|(_, entry)| entry)
    }

    /// All files, by key.
    pub fn iter(&self) -> impl Iterator<Item = &BatchEntry> {
        self.by_key.values()
    }

    /// What is wrong with the registry, in words; nothing where every entry keeps the rules.
    pub fn audit(&self) -> Vec<String> {
        self.by_key.iter().filter_map(|(key, entry)| entry.fault(*key)).collect()
    }

    /// Takes an order; refused, it changes nothing.
    pub fn take(&mut self, order: &BatchOrder, now: Stamp) -> BatchReply {
        let refusal = self.refusal(order);
        if refusal.is_none() {
            self.enter(order, now);
        }
        let status = refusal.unwrap_or(BatchStatus::Created);
        let entry = self.by_key.get(&order.key());
        let known_at = entry.filter(|_| status == BatchStatus::Exists).map(|entry| entry.submitted_at);
        BatchReply {
            outcome: Outcome { timestamp: known_at.unwrap_or(now), status },
            entry: entry.cloned().map(Box::new),
        }
    }

    /// The first rule that an order breaks, in the order of [`BatchStatus`].
    fn refusal(&self, order: &BatchOrder) -> Option<BatchStatus> {
        let known = self.by_key.get(&order.key());
        match order {
            BatchOrder::Enter(file) => self.refusal_of_file(file, known),
            BatchOrder::Release { by, .. } => {
                let Some(known) = known else { return Some(BatchStatus::NotFound) };
                if known.state != BatchState::AwaitsRelease {
                    let is_again = !by.is_empty() && *by == known.released_by;
                    return Some(if is_again {
                        BatchStatus::Exists
                    } else {
                        BatchStatus::DoesNotAwaitRelease
                    });
                }
                if by.is_empty() {
                    return Some(BatchStatus::ReleaserMustBeNamed);
                }
                (*by == known.file.submitted_by).then_some(BatchStatus::ReleaserMustNotBeSubmitter)
            }
            BatchOrder::Cancel { by, .. } => {
                let Some(known) = known else { return Some(BatchStatus::NotFound) };
                if !by.is_empty() && *by == known.cancelled_by {
                    return Some(BatchStatus::Exists);
                }
                if known.state.is_decided() {
                    return Some(BatchStatus::AlreadyDecided);
                }
                known.state.has_ended().then_some(BatchStatus::AlreadyEnded)
            }
            BatchOrder::Decide { .. } => {
                let Some(known) = known else { return Some(BatchStatus::NotFound) };
                if known.file.acceptance != Acceptance::Held {
                    return Some(BatchStatus::NotHeld);
                }
                if known.state.is_decided() {
                    return Some(BatchStatus::Exists);
                }
                if known.state == BatchState::AwaitsRelease {
                    return Some(BatchStatus::AwaitsRelease);
                }
                known.state.has_ended().then_some(BatchStatus::AlreadyEnded)
            }
            BatchOrder::Report { progress, .. } => {
                let Some(known) = known else { return Some(BatchStatus::NotFound) };
                if known.state == BatchState::AwaitsRelease {
                    return Some(BatchStatus::AwaitsRelease);
                }
                let told = progress.taken.saturating_add(progress.refused);
                let before = known.progress.taken.saturating_add(known.progress.refused);
                // What was under way when a file was cancelled is done: its last report says where it stopped.
                let is_last_word = known.state == BatchState::Cancelled && told > before;
                if known.state.has_ended() && !is_last_word {
                    return Some(BatchStatus::AlreadyEnded);
                }
                let is_too_much = told > known.file.items || progress.position > known.file.items;
                is_too_much.then_some(BatchStatus::MoreThanItsItems)
            }
        }
        .or_else(|| order.has_long_text().then_some(BatchStatus::TextTooLong))
    }

    fn refusal_of_file(&self, file: &BatchFile, known: Option<&BatchEntry>) -> Option<BatchStatus> {
        if file.key == 0 || file.message_id.is_empty() {
            return Some(BatchStatus::KeyMustNotBeZero);
        }
        if let Some(known) = known {
            let is_same = known.file.content == file.content;
            return Some(if is_same { BatchStatus::Exists } else { BatchStatus::ExistsWithDifferentContent });
        }
        if file.items == 0 {
            return Some(BatchStatus::ItemsMustNotBeZero);
        }
        if file.needs_release && file.submitted_by.is_empty() {
            return Some(BatchStatus::SubmitterMustBeNamed);
        }
        (self.by_key.len() >= BATCHES_MAX).then_some(BatchStatus::TooManyBatches)
    }

    /// Enters an order that no rule refused.
    fn enter(&mut self, order: &BatchOrder, now: Stamp) {
        if let BatchOrder::Enter(file) = order {
            let state = if file.needs_release { BatchState::AwaitsRelease } else { BatchState::GoesOn };
            let entry = BatchEntry {
                file: BatchFile::clone(file),
                state,
                next_on: file.first_on,
                released_by: String::new(),
                cancelled_by: String::new(),
                progress: BatchProgress::default(),
                submitted_at: now,
                changed_at: now,
                goes_since: now,
                goes_from: 0,
            };
            self.by_key.insert(file.key, entry);
        }
        let Some(entry) = self.by_key.get_mut(&order.key()) else { return };
        let quiet_for = now.get().saturating_sub(entry.changed_at.get());
        entry.changed_at = now;
        match order {
            BatchOrder::Enter(_) => {}
            BatchOrder::Release { by, .. } => {
                entry.state = BatchState::GoesOn;
                entry.released_by.clone_from(by);
            }
            BatchOrder::Cancel { by, .. } => {
                // What may be reserved already has to be let go first; the last report ends it.
                let may_hold = entry.file.acceptance == Acceptance::Held && entry.state == BatchState::GoesOn;
                entry.state = if may_hold { BatchState::Voids } else { BatchState::Cancelled };
                entry.cancelled_by.clone_from(by);
            }
            BatchOrder::Decide { decision, .. } => {
                entry.state = match decision {
                    Decision::Post => BatchState::Posts,
                    Decision::Void => BatchState::Voids,
                };
            }
            BatchOrder::Report { progress, next, .. } => {
                if quiet_for > PAUSE_NANOSECONDS || progress.position < entry.progress.position {
                    (entry.goes_since, entry.goes_from) = (now, progress.position);
                }
                entry.progress = *progress;
                (entry.state, entry.next_on) = match next {
                    _ if entry.state == BatchState::Cancelled => (entry.state, entry.next_on),
                    Next::GoesOn | Next::WaitsFor(_) if entry.state.is_decided() => {
                        (entry.state, entry.next_on)
                    }
                    Next::GoesOn => (BatchState::GoesOn, entry.next_on),
                    Next::WaitsFor(day) => (BatchState::Waits, *day),
                    Next::Done if entry.cancelled_by.is_empty() => (BatchState::Done, entry.next_on),
                    Next::Done => (BatchState::Cancelled, entry.next_on),
                };
            }
        }
    }
}

impl BatchEntry {
    /// Which rule the entry under a key breaks, if any.
    pub fn fault(&self, key: u128) -> Option<String> {
        let (file, BatchProgress { position, taken, refused, .. }) = (&self.file, self.progress);
        let told = taken.saturating_add(refused);
        let is_done = self.state == BatchState::Done;
        let was_released = file.needs_release && self.state != BatchState::AwaitsRelease;
        let is_right = [
            (file.key == key && key != 0 && !file.message_id.is_empty(), "its key or its name is another's"),
            (
                told <= position && position <= file.items,
                "it has more outcomes than items looked at, or than items",
            ),
            (!is_done || told == file.items, "it is done, and not every item has an outcome"),
            (
                !was_released
                    || self.state == BatchState::Cancelled
                    || (!self.released_by.is_empty() && self.released_by != file.submitted_by),
                "it goes on, and no second person has released it",
            ),
            (file.ledger.is_zero() || self.progress.taken_sum <= file.sum, "it moved more than it comes to"),
        ];
        let broken = is_right.into_iter().find(|(holds, _)| !holds);
        broken.map(|(_, rule)| format!("payment file '{}' of '{}': {rule}", file.message_id, file.initiator))
    }
}

impl BatchOrder {
    fn has_long_text(&self) -> bool {
        let texts = match self {
            Self::Enter(file) => vec![&file.message_id, &file.initiator, &file.format, &file.submitted_by],
            Self::Release { by, .. } | Self::Cancel { by, .. } => vec![by],
            Self::Report { .. } | Self::Decide { .. } => Vec::new(),
        };
        texts.into_iter().any(|text| text.len() > TEXT_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(needs_release: bool) -> BatchFile {
        BatchFile {
            key: 7,
            message_id: "SALARIES-1".into(),
            items: 3,
            sum: Amount::new(300),
            submitted_by: "anna".into(),
            needs_release,
            ..BatchFile::default()
        }
    }

    fn status(batches: &mut Batches, order: &BatchOrder) -> BatchStatus {
        batches.take(order, Stamp::new(9)).outcome.status
    }

    fn by(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn one_key_has_one_content() {
        let mut batches = Batches::default();
        let enter = BatchOrder::Enter(Box::new(file(false)));
        assert_eq!(status(&mut batches, &enter), BatchStatus::Created);
        assert_eq!(status(&mut batches, &enter), BatchStatus::Exists);
        let other = BatchOrder::Enter(Box::new(BatchFile { content: [1; 32], ..file(false) }));
        assert_eq!(status(&mut batches, &other), BatchStatus::ExistsWithDifferentContent);
    }

    #[test]
    fn a_second_person_releases() {
        let mut batches = Batches::default();
        assert_eq!(status(&mut batches, &BatchOrder::Enter(Box::new(file(true)))), BatchStatus::Created);
        let progress = BatchProgress::default();
        let report = BatchOrder::Report { key: 7, progress, next: Next::Done };
        assert_eq!(status(&mut batches, &report), BatchStatus::AwaitsRelease);
        let release = |name| BatchOrder::Release { key: 7, by: by(name) };
        assert_eq!(status(&mut batches, &release("")), BatchStatus::ReleaserMustBeNamed);
        assert_eq!(status(&mut batches, &release("anna")), BatchStatus::ReleaserMustNotBeSubmitter);
        assert_eq!(status(&mut batches, &release("bo")), BatchStatus::Created);
        assert_eq!(status(&mut batches, &release("bo")), BatchStatus::Exists);
        assert_eq!(status(&mut batches, &release("cy")), BatchStatus::DoesNotAwaitRelease);
        assert_eq!(status(&mut batches, &report), BatchStatus::Created);
        assert_eq!(status(&mut batches, &report), BatchStatus::AlreadyEnded);
    }

    #[test]
    fn what_is_cancelled_stays_so() {
        let mut batches = Batches::default();
        let cancel = BatchOrder::Cancel { key: 7, by: by("anna") };
        assert_eq!(status(&mut batches, &cancel), BatchStatus::NotFound);
        assert_eq!(status(&mut batches, &BatchOrder::Enter(Box::new(file(false)))), BatchStatus::Created);
        let too_much = BatchProgress { taken: 4, ..BatchProgress::default() };
        let report = |progress| BatchOrder::Report { key: 7, progress, next: Next::GoesOn };
        assert_eq!(status(&mut batches, &report(too_much)), BatchStatus::MoreThanItsItems);
        assert_eq!(status(&mut batches, &cancel), BatchStatus::Created);
        assert_eq!(status(&mut batches, &report(BatchProgress::default())), BatchStatus::AlreadyEnded);
        assert_eq!(batches.get(7).unwrap().state, BatchState::Cancelled);
    }

    #[test]
    fn the_last_word_on_a_cancelled_file_says_where_it_stopped() {
        let mut batches = Batches::default();
        status(&mut batches, &BatchOrder::Enter(Box::new(file(false))));
        let report = |position, taken| {
            let progress = BatchProgress { position, taken, ..BatchProgress::default() };
            BatchOrder::Report { key: 7, progress, next: Next::GoesOn }
        };
        assert_eq!(status(&mut batches, &report(1, 1)), BatchStatus::Created);
        assert_eq!(status(&mut batches, &BatchOrder::Cancel { key: 7, by: by("bo") }), BatchStatus::Created);
        assert_eq!(status(&mut batches, &report(2, 2)), BatchStatus::Created, "it was under way");
        assert_eq!(status(&mut batches, &report(1, 1)), BatchStatus::AlreadyEnded);
        let entry = batches.get(7).unwrap();
        assert_eq!((entry.state, entry.progress.position), (BatchState::Cancelled, 2));
        assert_eq!(batches.audit(), Vec::<String>::new());
    }

    #[test]
    fn a_rate_is_reckoned_from_the_end_of_the_last_pause() {
        let mut batches = Batches::default();
        let second = NANOSECONDS_PER_SECOND;
        let mut at = |seconds: u64, order: &BatchOrder| {
            let reply = batches.take(order, Stamp::new(seconds * second));
            reply.entry.map(|entry| (entry.goes_since.get() / second, entry.goes_from)).unwrap()
        };
        let report = |position| {
            let progress = BatchProgress { position, ..BatchProgress::default() };
            BatchOrder::Report { key: 7, progress, next: Next::GoesOn }
        };
        let many = BatchFile { items: 100, ..file(false) };
        assert_eq!(at(5, &BatchOrder::Enter(Box::new(many))), (5, 0));
        assert_eq!(at(6, &report(10)), (5, 0));
        assert_eq!(at(600, &report(30)), (600, 30), "it was stopped");
        assert_eq!(at(601, &report(40)), (600, 30));
        assert_eq!(at(602, &report(2)), (602, 2), "another pass begins");
    }

    #[test]
    fn what_breaks_a_rule_of_the_registry_is_found() {
        let mut batches = Batches::default();
        status(&mut batches, &BatchOrder::Enter(Box::new(file(true))));
        assert_eq!(batches.audit(), Vec::<String>::new());
        let broken: [fn(&mut BatchEntry); 4] = [
            |entry| entry.state = BatchState::GoesOn,
            |entry| (entry.state, entry.released_by) = (BatchState::Done, by("bo")),
            |entry| entry.progress.position = 4,
            |entry| entry.file.key = 8,
        ];
        for breaks in broken {
            let mut batches = batches.clone();
            breaks(batches.by_key.get_mut(&7).unwrap());
            assert_eq!(batches.audit().len(), 1, "{:?}", batches.get(7));
        }
    }

    #[test]
    fn what_is_reserved_is_decided_once_and_let_go_before_it_ends() {
        let mut batches = Batches::default();
        let held = |key| BatchFile { key, acceptance: Acceptance::Held, ..file(false) };
        let decide = |key, decision| BatchOrder::Decide { key, decision };
        let done = |key| BatchOrder::Report { key, progress: BatchProgress::default(), next: Next::Done };
        let cancel = |key| BatchOrder::Cancel { key, by: by("anna") };
        assert_eq!(status(&mut batches, &decide(7, Decision::Post)), BatchStatus::NotFound);
        for key in [7, 8] {
            assert_eq!(status(&mut batches, &BatchOrder::Enter(Box::new(held(key)))), BatchStatus::Created);
        }
        let plain = BatchFile { key: 9, ..file(false) };
        assert_eq!(status(&mut batches, &BatchOrder::Enter(Box::new(plain))), BatchStatus::Created);
        assert_eq!(status(&mut batches, &decide(9, Decision::Post)), BatchStatus::NotHeld);
        assert_eq!(status(&mut batches, &decide(7, Decision::Post)), BatchStatus::Created);
        assert_eq!(status(&mut batches, &decide(7, Decision::Void)), BatchStatus::Exists);
        assert_eq!(status(&mut batches, &cancel(7)), BatchStatus::AlreadyDecided);
        assert_eq!(batches.get(7).unwrap().state, BatchState::Posts);
        assert_eq!(status(&mut batches, &done(7)), BatchStatus::Created);
        assert_eq!(batches.get(7).unwrap().state, BatchState::Done);

        assert_eq!(status(&mut batches, &cancel(8)), BatchStatus::Created);
        assert_eq!(batches.get(8).unwrap().state, BatchState::Voids, "what is reserved is let go first");
        assert_eq!(status(&mut batches, &cancel(8)), BatchStatus::Exists);
        assert_eq!(status(&mut batches, &decide(8, Decision::Post)), BatchStatus::Exists);
        assert_eq!(status(&mut batches, &done(8)), BatchStatus::Created);
        assert_eq!(batches.get(8).unwrap().state, BatchState::Cancelled);
    }

    #[test]
    fn what_is_kept_is_what_comes_back() {
        let mut batches = Batches::default();
        status(&mut batches, &BatchOrder::Enter(Box::new(file(true))));
        status(&mut batches, &BatchOrder::Release { key: 7, by: by("bo") });
        let progress = BatchProgress { position: 2, taken: 1, taken_sum: Amount::new(5), refused: 1 };
        let next = Next::WaitsFor(BusinessDate::new(20_000));
        status(&mut batches, &BatchOrder::Report { key: 7, progress, next });
        let bytes = batches.to_bytes();
        assert_eq!(Batches::from_bytes(&bytes).unwrap(), batches);
        assert_eq!(Batches::from_bytes(&[]).unwrap(), Batches::default());
        assert!(Batches::from_bytes(&bytes[1..]).is_err());
        for order in [
            BatchOrder::Enter(Box::new(file(true))),
            BatchOrder::Release { key: 7, by: by("bo") },
            BatchOrder::Cancel { key: 7, by: by("bo") },
            BatchOrder::Report { key: 7, progress, next },
            BatchOrder::Decide { key: 7, decision: Decision::Void },
        ] {
            let reply = batches.take(&order, Stamp::new(11));
            assert_eq!(BatchReply::decode(&reply.encode()), Some(reply));
            let bytes = order.encode();
            assert_eq!(BatchOrder::decode(&bytes), Ok(order));
            assert!(BatchOrder::decode(&bytes[..bytes.len() - 1]).is_err());
        }
        let unknown = batches.take(&BatchOrder::Cancel { key: 1, by: by("bo") }, Stamp::new(12));
        assert_eq!(BatchReply::decode(&unknown.encode()), Some(unknown));
    }
}
