//! What all batches have in common: stamps, chains, and imports being all or nothing by the batch's first event.

use crate::Model;
use fen_book::clearing::is_clearing;
use fen_book::{
    Account, AccountFlags, AccountOpening, CreateAccountStatus, CreateTransferStatus, OpeningStatus, Outcome,
    Stamp, Transfer, TransferFlags,
};

/// The statuses that every kind of event shares.
pub(crate) trait Status: Copy + PartialEq {
    const CREATED: Self;
    const LINKED_EVENT_FAILED: Self;
    const LINKED_EVENT_CHAIN_OPEN: Self;
    const IMPORTED_EVENT_EXPECTED: Self;
    const IMPORTED_EVENT_NOT_EXPECTED: Self;
    const TIMESTAMP_MUST_BE_ZERO: Self;
    const IMPORTED_EVENT_TIMESTAMP_OUT_OF_RANGE: Self;
    const IMPORTED_EVENT_TIMESTAMP_MUST_NOT_ADVANCE: Self;
}

macro_rules! shared_statuses {
    ($name:ty, $from:expr, $status:ident) => {
        impl Status for $name {
            const CREATED: Self = $from($status::Created);
            const LINKED_EVENT_FAILED: Self = $from($status::LinkedEventFailed);
            const LINKED_EVENT_CHAIN_OPEN: Self = $from($status::LinkedEventChainOpen);
            const IMPORTED_EVENT_EXPECTED: Self = $from($status::ImportedEventExpected);
            const IMPORTED_EVENT_NOT_EXPECTED: Self = $from($status::ImportedEventNotExpected);
            const TIMESTAMP_MUST_BE_ZERO: Self = $from($status::TimestampMustBeZero);
            const IMPORTED_EVENT_TIMESTAMP_OUT_OF_RANGE: Self =
                $from($status::ImportedEventTimestampOutOfRange);
            const IMPORTED_EVENT_TIMESTAMP_MUST_NOT_ADVANCE: Self =
                $from($status::ImportedEventTimestampMustNotAdvance);
        }
    };
}

const fn of_account(status: CreateAccountStatus) -> CreateAccountStatus {
    status
}

const fn of_transfer(status: CreateTransferStatus) -> CreateTransferStatus {
    status
}

const fn of_opening(account: CreateAccountStatus) -> OpeningStatus {
    OpeningStatus { account, transfer: None }
}

shared_statuses!(CreateAccountStatus, of_account, CreateAccountStatus);
shared_statuses!(CreateTransferStatus, of_transfer, CreateTransferStatus);
shared_statuses!(OpeningStatus, of_opening, CreateAccountStatus);

/// Something that a batch asks for: an account to open or a transfer to post.
pub(crate) trait Event: Copy {
    type Status: Status;

    /// How many stamps it takes.
    const STAMPS: u64 = 1;

    fn is_linked(&self) -> bool;
    fn is_imported(&self) -> bool;
    fn own_stamp(&self) -> Stamp;
    /// Does it, or says why not, having changed nothing. `stamp` is the event's place on the ledger's clock.
    fn create(&self, model: &mut Model, stamp: Stamp) -> Outcome<Self::Status>;
    /// Spends the id for good, where the refusal was one of the moment.
    fn burn(&self, model: &mut Model, refusal: Self::Status);
    /// Remembers that these were created as one chain.
    fn note_chain(_model: &mut Model, _chain: &[Self]) {}
}

impl Event for Account {
    type Status = CreateAccountStatus;

    fn is_linked(&self) -> bool {
        self.flags.contains(AccountFlags::LINKED)
    }
    fn is_imported(&self) -> bool {
        self.flags.contains(AccountFlags::IMPORTED)
    }
    fn own_stamp(&self) -> Stamp {
        self.timestamp
    }
    fn create(&self, model: &mut Model, stamp: Stamp) -> Outcome<CreateAccountStatus> {
        model.create_account(self, stamp)
    }
    fn burn(&self, _model: &mut Model, _refusal: CreateAccountStatus) {}
}

impl Event for Transfer {
    type Status = CreateTransferStatus;

    fn is_linked(&self) -> bool {
        self.flags.contains(TransferFlags::LINKED)
    }
    fn is_imported(&self) -> bool {
        self.flags.contains(TransferFlags::IMPORTED)
    }
    fn own_stamp(&self) -> Stamp {
        self.timestamp
    }
    fn create(&self, model: &mut Model, stamp: Stamp) -> Outcome<CreateTransferStatus> {
        model.create_transfer(self, stamp)
    }
    fn burn(&self, model: &mut Model, refusal: CreateTransferStatus) {
        let is_leg = is_clearing(self.debit_account_id);
        if is_of_the_moment(refusal) || (is_leg && refusal.comes_after_the_id()) {
            model.burned.insert(self.id);
        }
    }
    fn note_chain(model: &mut Model, chain: &[Transfer]) {
        model.chains.push(chain.iter().map(|transfer| transfer.id).collect());
    }
}

impl Event for AccountOpening {
    type Status = OpeningStatus;

    /// The account's, and that of the transfer of its opening balance.
    const STAMPS: u64 = 2;

    fn is_linked(&self) -> bool {
        self.account.is_linked()
    }
    fn is_imported(&self) -> bool {
        self.account.is_imported()
    }
    fn own_stamp(&self) -> Stamp {
        self.account.timestamp
    }
    fn create(&self, model: &mut Model, stamp: Stamp) -> Outcome<OpeningStatus> {
        model.open_account(self, stamp)
    }
    fn burn(&self, model: &mut Model, refusal: OpeningStatus) {
        if refusal.transfer.is_some_and(is_of_the_moment) {
            model.burned.insert(self.transfer_id);
        }
    }
}

/// Whether the same transfer might have been granted at another moment.
pub(crate) fn is_of_the_moment(refusal: CreateTransferStatus) -> bool {
    [
        CreateTransferStatus::DebitAccountNotFound,
        CreateTransferStatus::CreditAccountNotFound,
        CreateTransferStatus::PendingTransferNotFound,
        CreateTransferStatus::ExceedsCredits,
        CreateTransferStatus::ExceedsDebits,
        CreateTransferStatus::DebitAccountAlreadyClosed,
        CreateTransferStatus::CreditAccountAlreadyClosed,
    ]
    .contains(&refusal)
}

/// Runs a batch of which the last event bears `stamp`.
pub(crate) fn run<E: Event>(model: &mut Model, events: &[E], stamp: Stamp) -> Vec<Outcome<E::Status>> {
    let mut outcomes = Vec::new();
    let mut first = 0;
    while first < events.len() {
        let last = end_of_chain(events, first);
        run_chain(model, events, first, last, stamp, &mut outcomes);
        first = last + 1;
    }
    outcomes
}

/// A chain goes on as long as its events are linked, and includes the first that is not.
fn end_of_chain<E: Event>(events: &[E], first: usize) -> usize {
    let mut last = first;
    while events[last].is_linked() && last + 1 < events.len() {
        last += 1;
    }
    last
}

/// Runs one chain (of one event, mostly): all its events or none.
fn run_chain<E: Event>(
    model: &mut Model,
    events: &[E],
    first: usize,
    last: usize,
    stamp: Stamp,
    outcomes: &mut Vec<Outcome<E::Status>>,
) {
    let copy = (last > first).then(|| model.clone());
    let mut broken = false;
    for index in first..=last {
        let clock = stamp_of(events.len(), index, E::STAMPS, stamp);
        let outcome = if events[index].is_linked() && index + 1 == events.len() {
            Outcome { timestamp: clock, status: E::Status::LINKED_EVENT_CHAIN_OPEN }
        } else if broken {
            Outcome { timestamp: clock, status: E::Status::LINKED_EVENT_FAILED }
        } else if let Some(status) = misplaced(&events[index], events[0].is_imported(), stamp) {
            Outcome { timestamp: clock, status }
        } else {
            events[index].create(model, clock)
        };
        if outcome.status != E::Status::CREATED && !broken {
            broken = true;
            if let Some(copy) = &copy {
                *model = copy.clone();
            }
            for earlier in &mut outcomes[first..] {
                earlier.status = E::Status::LINKED_EVENT_FAILED;
            }
        }
        if outcome.status != E::Status::CREATED {
            events[index].burn(model, outcome.status);
        }
        outcomes.push(outcome);
    }
    if last > first && !broken {
        E::note_chain(model, &events[first..=last]);
    }
}

/// What is wrong with an event's own stamp, given what its batch's first event is.
fn misplaced<E: Event>(event: &E, batch_is_imported: bool, stamp: Stamp) -> Option<E::Status> {
    if batch_is_imported && !event.is_imported() {
        return Some(E::Status::IMPORTED_EVENT_EXPECTED);
    }
    if !batch_is_imported && event.is_imported() {
        return Some(E::Status::IMPORTED_EVENT_NOT_EXPECTED);
    }
    if !event.is_imported() {
        return (!event.own_stamp().is_zero()).then_some(E::Status::TIMESTAMP_MUST_BE_ZERO);
    }
    if !event.own_stamp().is_in_range() {
        return Some(E::Status::IMPORTED_EVENT_TIMESTAMP_OUT_OF_RANGE);
    }
    if event.own_stamp() >= stamp {
        return Some(E::Status::IMPORTED_EVENT_TIMESTAMP_MUST_NOT_ADVANCE);
    }
    None
}

/// The first stamp of event `index` of `count`, where each takes `each` stamps and the last of all is `stamp`.
pub(crate) fn stamp_of(count: usize, index: usize, each: u64, stamp: Stamp) -> Stamp {
    let from_here = u64::try_from(count - index).expect("a batch is far smaller than 2^64");
    Stamp::new(stamp.get() - from_here * each + 1)
}
