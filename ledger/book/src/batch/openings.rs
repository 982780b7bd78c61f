//! `open_accounts`: accounts with limits and opening balances.

use super::accounts::check_envelope;
use super::{Batch, Place};
use crate::account::AccountFlags;
use crate::bank_ids::Asker;
use crate::book::Book;
use crate::command::{OpeningStatus, Outcome};
use crate::opening::AccountOpening;
use crate::plan::{AccountOrder, AccountPlan, TransferOrder, TransferPlan, refuse};
use crate::quantity::Stamp;
use crate::status::{CreateAccountStatus, CreateTransferStatus};
use crate::transfer::{Transfer, TransferFlags};
use crate::view::{Overlay, View};

/// An account, and the transfer of its opening balance.
pub(crate) struct OpeningPlan {
    account: AccountPlan,
    transfer: Option<TransferPlan>,
}

/// See [`Batch`].
pub(crate) struct OpeningBatch;

const fn only(account: CreateAccountStatus) -> OpeningStatus {
    OpeningStatus { account, transfer: None }
}

impl Batch for OpeningBatch {
    type Event = AccountOpening;
    type Plan = OpeningPlan;
    type Status = OpeningStatus;
    type Answer = Outcome<OpeningStatus>;

    const STAMPS_EACH: u64 = 2;
    const LINKED_EVENT_FAILED: OpeningStatus = only(CreateAccountStatus::LinkedEventFailed);
    const LINKED_EVENT_CHAIN_OPEN: OpeningStatus = only(CreateAccountStatus::LinkedEventChainOpen);

    fn is_linked(event: &AccountOpening) -> bool {
        event.account.flags.contains(AccountFlags::LINKED)
    }

    fn plan(
        view: View<'_>,
        events: &[AccountOpening],
        place: Place,
    ) -> Result<OpeningPlan, Outcome<OpeningStatus>> {
        let event = &events[place.index];
        let stamp = place.stamp();
        if let Some(status) = check_envelope(&events[0].account, &event.account, place.stamps) {
            return Err(refuse(only(status), stamp));
        }
        let order = AccountOrder { account: &event.account, opening: Some(event), stamp };
        let account = view
            .plan_account(order)
            .map_err(|no| Outcome { timestamp: no.timestamp, status: only(no.status) })?;
        if !event.has_balance() {
            return Ok(OpeningPlan { account, transfer: None });
        }
        plan_balance(view, event, account, stamp)
    }

    fn preview(overlay: &mut Overlay, book: &Book, plan: &OpeningPlan) {
        overlay.open(book, &plan.account);
        if let Some(transfer) = &plan.transfer {
            overlay.post(book, transfer);
        }
    }

    fn stamp(plan: &OpeningPlan) -> Stamp {
        plan.account.account.timestamp
    }

    fn post(book: &mut Book, plan: &OpeningPlan) -> Outcome<OpeningStatus> {
        book.open(&plan.account);
        if let Some(transfer) = &plan.transfer {
            book.post(transfer);
        }
        Outcome { timestamp: plan.account.account.timestamp, status: only(CreateAccountStatus::Created) }
    }

    fn note_refusal(book: &mut Book, event: &AccountOpening, status: OpeningStatus) {
        if status.transfer.is_some_and(CreateTransferStatus::burns_id) {
            book.burn(event.transfer_id);
        }
    }

    fn refused(outcome: Outcome<OpeningStatus>) -> Outcome<OpeningStatus> {
        outcome
    }
}

/// Plans the opening balance's transfer as if the account were open already.
fn plan_balance(
    view: View<'_>,
    event: &AccountOpening,
    account: AccountPlan,
    stamp: Stamp,
) -> Result<OpeningPlan, Outcome<OpeningStatus>> {
    let opened = &account.account;
    let after = |stamp: Stamp| Stamp::new(stamp.get().saturating_add(1));
    let is_debit = !event.opening_debit.is_zero();
    let (debit, credit) =
        if is_debit { (opened.id, event.contra_account_id) } else { (event.contra_account_id, opened.id) };
    let is_imported = opened.flags.contains(AccountFlags::IMPORTED);
    let transfer = Transfer {
        id: event.transfer_id,
        debit_account_id: debit,
        credit_account_id: credit,
        amount: if is_debit { event.opening_debit } else { event.opening_credit },
        ledger: opened.ledger,
        code: opened.code,
        flags: if is_imported { TransferFlags::IMPORTED } else { TransferFlags::NONE },
        timestamp: if is_imported { after(opened.timestamp) } else { Stamp::ZERO },
        ..Transfer::default()
    };
    let mut overlay = view.overlay.cloned().unwrap_or_default();
    overlay.open(view.book, &account);
    let view = View { overlay: Some(&overlay), ..view };
    let (stamp_after, chain, asker) = (after(stamp), Stamp::ZERO, Asker::Client);
    let order = TransferOrder { transfer: &transfer, stamp: stamp_after, chain, asker };
    match view.plan_transfer(order) {
        Ok(plan) => Ok(OpeningPlan { transfer: Some(plan), account }),
        Err(no) => {
            let status = OpeningStatus {
                account: CreateAccountStatus::OpeningBalanceRefused,
                transfer: Some(no.status),
            };
            Err(refuse(status, stamp))
        }
    }
}
