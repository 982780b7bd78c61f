//! `create_accounts`.

use super::envelope::{EnvelopeStatuses, Origin};
use super::{Batch, Place, Stamps};
use crate::account::{Account, AccountFlags};
use crate::book::Book;
use crate::command::Outcome;
use crate::plan::{AccountOrder, AccountPlan, refuse};
use crate::quantity::Stamp;
use crate::status::CreateAccountStatus as Status;
use crate::view::{Overlay, View};

const ENVELOPE: EnvelopeStatuses<Status> = EnvelopeStatuses {
    imported_expected: Status::ImportedEventExpected,
    imported_not_expected: Status::ImportedEventNotExpected,
    timestamp_must_be_zero: Status::TimestampMustBeZero,
    timestamp_out_of_range: Status::ImportedEventTimestampOutOfRange,
    timestamp_must_not_advance: Status::ImportedEventTimestampMustNotAdvance,
};

/// See [`Batch`].
pub(crate) struct AccountBatch;

/// The first rule that an account breaks by how it came.
pub(super) fn check_envelope(first: &Account, account: &Account, stamps: Stamps) -> Option<Status> {
    let origin = Origin {
        batch_imported: first.flags.contains(AccountFlags::IMPORTED),
        event_imported: account.flags.contains(AccountFlags::IMPORTED),
        timestamp: account.timestamp,
    };
    origin.check(stamps, &ENVELOPE)
}

impl Batch for AccountBatch {
    type Event = Account;
    type Plan = AccountPlan;
    type Status = Status;
    type Answer = Outcome<Status>;

    const LINKED_EVENT_FAILED: Status = Status::LinkedEventFailed;
    const LINKED_EVENT_CHAIN_OPEN: Status = Status::LinkedEventChainOpen;

    fn is_linked(event: &Account) -> bool {
        event.flags.contains(AccountFlags::LINKED)
    }

    fn plan(view: View<'_>, events: &[Account], place: Place) -> Result<AccountPlan, Outcome<Status>> {
        let account = &events[place.index];
        let stamp = place.stamp();
        match check_envelope(&events[0], account, place.stamps) {
            Some(status) => Err(refuse(status, stamp)),
            None => view.plan_account(AccountOrder { account, opening: None, stamp }),
        }
    }

    fn preview(overlay: &mut Overlay, book: &Book, plan: &AccountPlan) {
        overlay.open(book, plan);
    }

    fn stamp(plan: &AccountPlan) -> Stamp {
        plan.account.timestamp
    }

    fn post(book: &mut Book, plan: &AccountPlan) -> Outcome<Status> {
        book.open(plan);
        Outcome { timestamp: plan.account.timestamp, status: Status::Created }
    }

    fn note_refusal(_book: &mut Book, _event: &Account, _status: Status) {}

    fn refused(outcome: Outcome<Status>) -> Outcome<Status> {
        outcome
    }
}
