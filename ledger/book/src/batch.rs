//! A command's events in order: their stamps, the rules that hold for a batch as a whole, and linked chains.

use crate::account::{Account, AccountFlags};
use crate::book::Book;
use crate::command::Outcome;
use crate::look_ahead::{GROUP, look_ahead};
use crate::plan::{AccountOrder, AccountPlan, TransferOrder, TransferPlan, refuse};
use crate::quantity::{Amount, Stamp};
use crate::recall::Recall;
use crate::status::{CreateAccountStatus, CreateTransferStatus};
use crate::transfer::{Transfer, TransferFlags};
use crate::view::{Overlay, View};

/// The stamps of a batch of `count` events whose last bears `last`.
#[derive(Clone, Copy)]
struct Stamps {
    first: u64,
    last: Stamp,
}

impl Stamps {
    fn of(count: usize, last: Stamp) -> Self {
        let others = u64::try_from(count).unwrap_or(u64::MAX).saturating_sub(1);
        Self { first: last.get().saturating_sub(others), last }
    }

    #[inline]
    fn at(self, index: usize) -> Stamp {
        Stamp::new(self.first.saturating_add(u64::try_from(index).unwrap_or(u64::MAX)))
    }
}

/// What decides, before an event is looked at by itself, whether it is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Envelope {
    Sound,
    ImportedExpected,
    ImportedNotExpected,
    TimestampMustBeZero,
    TimestampOutOfRange,
    TimestampMustNotAdvance,
}

/// Whether an event, and the batch by its first event, are imported.
#[derive(Clone, Copy)]
struct Origin {
    batch_imported: bool,
    event_imported: bool,
    timestamp: Stamp,
}

#[inline]
fn envelope(origin: Origin, stamps: Stamps) -> Envelope {
    match (origin.batch_imported, origin.event_imported) {
        (true, false) => Envelope::ImportedExpected,
        (false, true) => Envelope::ImportedNotExpected,
        (false, false) if origin.timestamp.is_zero() => Envelope::Sound,
        (false, false) => Envelope::TimestampMustBeZero,
        (true, true) if !origin.timestamp.is_in_range() => Envelope::TimestampOutOfRange,
        (true, true) if origin.timestamp >= stamps.last => Envelope::TimestampMustNotAdvance,
        (true, true) => Envelope::Sound,
    }
}

macro_rules! envelope_status {
    ($status:ident, $envelope:expr) => {
        match $envelope {
            Envelope::Sound => None,
            Envelope::ImportedExpected => Some($status::ImportedEventExpected),
            Envelope::ImportedNotExpected => Some($status::ImportedEventNotExpected),
            Envelope::TimestampMustBeZero => Some($status::TimestampMustBeZero),
            Envelope::TimestampOutOfRange => Some($status::ImportedEventTimestampOutOfRange),
            Envelope::TimestampMustNotAdvance => Some($status::ImportedEventTimestampMustNotAdvance),
        }
    };
}

/// How far the chain that starts at an event reaches: its members, and whether its last one is missing.
struct Chain {
    members: usize,
    is_open: bool,
}

fn chain_at<T>(events: &[T], is_linked: impl Fn(&T) -> bool) -> Chain {
    let linked = events.iter().take_while(|event| is_linked(event)).count();
    let is_open = linked == events.len();
    Chain { members: if is_open { linked } else { linked.saturating_add(1) }, is_open }
}

impl Book {
    pub(crate) fn create_accounts(
        &mut self,
        events: &[Account],
        last: Stamp,
        recall: &Recall,
    ) -> Vec<Outcome<CreateAccountStatus>> {
        let stamps = Stamps::of(events.len(), last);
        let mut outcomes = Vec::with_capacity(events.len());
        while let Some(event) = events.get(outcomes.len()) {
            let start = outcomes.len();
            if event.flags.contains(AccountFlags::LINKED) {
                self.create_account_chain(events, stamps, recall, &mut outcomes);
                continue;
            }
            let view = View { book: self, recall, overlay: None };
            let outcome = match plan_account(view, events, start, stamps) {
                Ok(plan) => {
                    self.open(&plan);
                    Outcome { timestamp: plan.account.timestamp, status: CreateAccountStatus::Created }
                }
                Err(refused) => refused,
            };
            outcomes.push(outcome);
        }
        outcomes
    }

    fn create_account_chain(
        &mut self,
        events: &[Account],
        stamps: Stamps,
        recall: &Recall,
        outcomes: &mut Vec<Outcome<CreateAccountStatus>>,
    ) {
        let start = outcomes.len();
        let chain = chain_at(&events[start..], |event| event.flags.contains(AccountFlags::LINKED));
        let end = start.saturating_add(chain.members);
        let mut overlay = Overlay::default();
        let mut plans = Vec::with_capacity(chain.members);
        let mut refusal = None;
        for index in start..end {
            let is_unended = chain.is_open && index.saturating_add(1) == end;
            let view = View { book: self, recall, overlay: Some(&overlay) };
            let planned = if is_unended {
                Err(refuse(CreateAccountStatus::LinkedEventChainOpen, stamps.at(index)))
            } else {
                plan_account(view, events, index, stamps)
            };
            match planned {
                Ok(plan) => {
                    overlay.open(self, &plan);
                    plans.push(plan);
                }
                Err(refused) => {
                    refusal = Some((index, refused));
                    break;
                }
            }
        }
        let Some((broken, refused)) = refusal else {
            for plan in &plans {
                self.open(plan);
                outcomes.push(Outcome {
                    timestamp: plan.account.timestamp,
                    status: CreateAccountStatus::Created,
                });
            }
            return;
        };
        for index in start..end {
            let is_unended = chain.is_open && index.saturating_add(1) == end;
            outcomes.push(if index == broken {
                refused
            } else if is_unended {
                refuse(CreateAccountStatus::LinkedEventChainOpen, stamps.at(index))
            } else {
                // A member that was not refused itself answers with the stamp that it would have borne.
                let planned = plans.get(index.saturating_sub(start));
                let stamp = planned.map_or(stamps.at(index), |plan| plan.account.timestamp);
                refuse(CreateAccountStatus::LinkedEventFailed, stamp)
            });
        }
    }

    pub(crate) fn create_transfers(
        &mut self,
        events: &[Transfer],
        last: Stamp,
        recall: &Recall,
    ) -> Vec<Outcome<CreateTransferStatus>> {
        let stamps = Stamps::of(events.len(), last);
        let mut outcomes = Vec::with_capacity(events.len());
        let mut seen = 0usize;
        while let Some(event) = events.get(outcomes.len()) {
            let start = outcomes.len();
            if start >= seen {
                seen = start.saturating_add(GROUP).min(events.len());
                look_ahead(&self.accounts, &self.young, &events[start..seen]);
            }
            if event.flags.contains(TransferFlags::LINKED) {
                self.create_transfer_chain(events, stamps, recall, &mut outcomes);
                continue;
            }
            let view = View { book: self, recall, overlay: None };
            let outcome =
                match plan_transfer(view, events, Place { index: start, chain: Stamp::ZERO }, stamps) {
                    Ok(plan) => {
                        self.post(&plan);
                        Outcome { timestamp: plan.record.timestamp, status: CreateTransferStatus::Created }
                    }
                    Err(refused) => {
                        if refused.status.burns_id() {
                            self.burn(event.id);
                        }
                        refused
                    }
                };
            outcomes.push(outcome);
        }
        outcomes
    }

    fn create_transfer_chain(
        &mut self,
        events: &[Transfer],
        stamps: Stamps,
        recall: &Recall,
        outcomes: &mut Vec<Outcome<CreateTransferStatus>>,
    ) {
        let start = outcomes.len();
        let chain = chain_at(&events[start..], |event| event.flags.contains(TransferFlags::LINKED));
        let end = start.saturating_add(chain.members);
        let mut overlay = Overlay::default();
        let mut plans: Vec<TransferPlan> = Vec::with_capacity(chain.members);
        let mut refusal = None;
        for index in start..end {
            let is_unended = chain.is_open && index.saturating_add(1) == end;
            let head = plans.first().map_or(Stamp::ZERO, |plan| plan.record.timestamp);
            let view = View { book: self, recall, overlay: Some(&overlay) };
            let planned = if is_unended {
                Err(refuse(CreateTransferStatus::LinkedEventChainOpen, stamps.at(index)))
            } else {
                plan_transfer(view, events, Place { index, chain: head }, stamps)
            };
            match planned {
                Ok(plan) => {
                    overlay.post(self, &plan);
                    plans.push(plan);
                }
                Err(refused) => {
                    refusal = Some((index, refused));
                    break;
                }
            }
        }
        let Some((broken, refused)) = refusal else {
            for plan in &plans {
                self.post(plan);
                let timestamp = plan.record.timestamp;
                outcomes.push(Outcome { timestamp, status: CreateTransferStatus::Created });
            }
            return;
        };
        if refused.status.burns_id() {
            self.burn(events[broken].id);
        }
        for index in start..end {
            let is_unended = chain.is_open && index.saturating_add(1) == end;
            outcomes.push(if index == broken {
                refused
            } else if is_unended {
                refuse(CreateTransferStatus::LinkedEventChainOpen, stamps.at(index))
            } else {
                // A member that was not refused itself answers with the stamp that it would have borne.
                let planned = plans.get(index.saturating_sub(start));
                let stamp = planned.map_or(stamps.at(index), |plan| plan.record.timestamp);
                refuse(CreateTransferStatus::LinkedEventFailed, stamp)
            });
        }
    }
}

fn plan_account(
    view: View<'_>,
    events: &[Account],
    index: usize,
    stamps: Stamps,
) -> Result<AccountPlan, Outcome<CreateAccountStatus>> {
    let account = &events[index];
    let origin = Origin {
        batch_imported: events[0].flags.contains(AccountFlags::IMPORTED),
        event_imported: account.flags.contains(AccountFlags::IMPORTED),
        timestamp: account.timestamp,
    };
    let stamp = stamps.at(index);
    match envelope_status!(CreateAccountStatus, envelope(origin, stamps)) {
        Some(status) => Err(refuse(status, stamp)),
        None => view.plan_account(AccountOrder { account, limit: Amount::ZERO, stamp }),
    }
}

/// Where an event stands: in its batch, and the stamp of its chain's first member (zero where it is the first).
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    chain: Stamp,
}

#[inline]
fn plan_transfer(
    view: View<'_>,
    events: &[Transfer],
    place: Place,
    stamps: Stamps,
) -> Result<TransferPlan, Outcome<CreateTransferStatus>> {
    let transfer = &events[place.index];
    let origin = Origin {
        batch_imported: events[0].flags.contains(TransferFlags::IMPORTED),
        event_imported: transfer.flags.contains(TransferFlags::IMPORTED),
        timestamp: transfer.timestamp,
    };
    let stamp = stamps.at(place.index);
    match envelope_status!(CreateTransferStatus, envelope(origin, stamps)) {
        Some(status) => Err(refuse(status, stamp)),
        None => view.plan_transfer(TransferOrder { transfer, stamp, chain: place.chain }),
    }
}
