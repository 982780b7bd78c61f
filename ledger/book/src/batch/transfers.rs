//! `create_transfers`, with and without the balances after each; and what the bank itself posts.

use super::envelope::{EnvelopeStatuses, Origin};
use super::{Batch, Place};
use crate::bank_ids::Asker;
use crate::book::Book;
use crate::clearing::is_leg;
use crate::command::{Outcome, Receipt};
use crate::look_ahead::{GROUP, look_ahead};
use crate::plan::{TransferOrder, TransferPlan, refuse};
use crate::quantity::Stamp;
use crate::status::CreateTransferStatus as Status;
use crate::transfer::{Transfer, TransferFlags};
use crate::view::{Overlay, View};

const ENVELOPE: EnvelopeStatuses<Status> = EnvelopeStatuses {
    imported_expected: Status::ImportedEventExpected,
    imported_not_expected: Status::ImportedEventNotExpected,
    timestamp_must_be_zero: Status::TimestampMustBeZero,
    timestamp_out_of_range: Status::ImportedEventTimestampOutOfRange,
    timestamp_must_not_advance: Status::ImportedEventTimestampMustNotAdvance,
};

#[inline]
fn plan(
    view: View<'_>,
    events: &[Transfer],
    place: Place,
    asker: Asker,
) -> Result<TransferPlan, Outcome<Status>> {
    let transfer = &events[place.index];
    let origin = Origin {
        batch_imported: events[0].flags.contains(TransferFlags::IMPORTED),
        event_imported: transfer.flags.contains(TransferFlags::IMPORTED),
        timestamp: transfer.timestamp,
    };
    let stamp = place.stamp();
    match origin.check(place.stamps, &ENVELOPE) {
        Some(status) => Err(refuse(status, stamp)),
        None => view.plan_transfer(TransferOrder { transfer, stamp, chain: place.chain, asker }),
    }
}

/// See [`Batch`].
pub(crate) struct TransferBatch;

impl Batch for TransferBatch {
    type Event = Transfer;
    type Plan = TransferPlan;
    type Status = Status;
    type Answer = Outcome<Status>;

    const LINKED_EVENT_FAILED: Status = Status::LinkedEventFailed;
    const LINKED_EVENT_CHAIN_OPEN: Status = Status::LinkedEventChainOpen;

    #[inline]
    fn is_linked(event: &Transfer) -> bool {
        event.flags.contains(TransferFlags::LINKED)
    }

    #[inline]
    fn plan(view: View<'_>, events: &[Transfer], place: Place) -> Result<TransferPlan, Outcome<Status>> {
        plan(view, events, place, Asker::Client)
    }

    fn preview(overlay: &mut Overlay, book: &Book, plan: &TransferPlan) {
        overlay.post(book, plan);
    }

    fn stamp(plan: &TransferPlan) -> Stamp {
        plan.record.timestamp
    }

    #[inline]
    fn post(book: &mut Book, plan: &TransferPlan) -> Outcome<Status> {
        book.post(plan);
        Outcome { timestamp: plan.record.timestamp, status: Status::Created }
    }

    fn note_refusal(book: &mut Book, event: &Transfer, status: Status) {
        if is_leg(event) && status.comes_after_the_id() {
            book.burn_leg(event.id, status);
        } else if status.burns_id() {
            book.burn(event.id);
        }
    }

    fn refused(outcome: Outcome<Status>) -> Outcome<Status> {
        outcome
    }

    fn look_ahead(book: &Book, events: &[Transfer]) -> usize {
        let group = &events[..events.len().min(GROUP)];
        look_ahead(&book.accounts, &book.young, group);
        group.len()
    }
}

/// As [`TransferBatch`], with a receipt for each.
pub(crate) struct ReceiptBatch;

impl Batch for ReceiptBatch {
    type Event = Transfer;
    type Plan = TransferPlan;
    type Status = Status;
    type Answer = Receipt;

    const LINKED_EVENT_FAILED: Status = Status::LinkedEventFailed;
    const LINKED_EVENT_CHAIN_OPEN: Status = Status::LinkedEventChainOpen;

    fn is_linked(event: &Transfer) -> bool {
        TransferBatch::is_linked(event)
    }

    fn plan(view: View<'_>, events: &[Transfer], place: Place) -> Result<TransferPlan, Outcome<Status>> {
        TransferBatch::plan(view, events, place)
    }

    fn preview(overlay: &mut Overlay, book: &Book, plan: &TransferPlan) {
        TransferBatch::preview(overlay, book, plan);
    }

    fn stamp(plan: &TransferPlan) -> Stamp {
        TransferBatch::stamp(plan)
    }

    fn post(book: &mut Book, plan: &TransferPlan) -> Receipt {
        let outcome = TransferBatch::post(book, plan);
        Receipt {
            outcome,
            debit: Some(book.accounts.get(plan.debit).balances()),
            credit: Some(book.accounts.get(plan.credit).balances()),
        }
    }

    fn note_refusal(book: &mut Book, event: &Transfer, status: Status) {
        TransferBatch::note_refusal(book, event, status);
    }

    fn refused(outcome: Outcome<Status>) -> Receipt {
        Receipt { outcome, debit: None, credit: None }
    }

    fn look_ahead(book: &Book, events: &[Transfer]) -> usize {
        TransferBatch::look_ahead(book, events)
    }
}

/// As [`TransferBatch`], for the transfers of a loan event or a day-end: they bear ids of the bank's own and move
/// control accounts.
pub(crate) struct PostingBatch;

impl Batch for PostingBatch {
    type Event = Transfer;
    type Plan = TransferPlan;
    type Status = Status;
    type Answer = Outcome<Status>;

    const LINKED_EVENT_FAILED: Status = Status::LinkedEventFailed;
    const LINKED_EVENT_CHAIN_OPEN: Status = Status::LinkedEventChainOpen;

    fn is_linked(event: &Transfer) -> bool {
        TransferBatch::is_linked(event)
    }

    fn plan(view: View<'_>, events: &[Transfer], place: Place) -> Result<TransferPlan, Outcome<Status>> {
        plan(view, events, place, Asker::Bank)
    }

    fn preview(overlay: &mut Overlay, book: &Book, plan: &TransferPlan) {
        TransferBatch::preview(overlay, book, plan);
    }

    fn stamp(plan: &TransferPlan) -> Stamp {
        TransferBatch::stamp(plan)
    }

    fn post(book: &mut Book, plan: &TransferPlan) -> Outcome<Status> {
        TransferBatch::post(book, plan)
    }

    fn note_refusal(book: &mut Book, event: &Transfer, status: Status) {
        TransferBatch::note_refusal(book, event, status);
    }

    fn refused(outcome: Outcome<Status>) -> Outcome<Status> {
        outcome
    }
}
