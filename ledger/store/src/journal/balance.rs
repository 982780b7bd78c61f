//! How a record moves the balances of one of its accounts.

use crate::segment::Block;
use fen_book::{Amount, Balances, TransferFlags};

/// The account's side in a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Debit,
    Credit,
}

/// The side of the account with that reference in a row, or `None` where the row is not its.
pub(super) fn side_of(block: &Block, row: usize, reference: u32) -> Option<Side> {
    let [debit, credit] = block.references(row);
    if debit == reference {
        Some(Side::Debit)
    } else if credit == reference {
        Some(Side::Credit)
    } else {
        None
    }
}

/// What a record does to its two accounts, whichever the side.
struct Movement {
    reserved: Amount,
    released: Amount,
    posted: Amount,
}

fn movement(block: &Block, row: usize) -> Movement {
    let flags = block.flags(row);
    let amount = block.amount(row);
    let nothing = Movement { reserved: Amount::ZERO, released: Amount::ZERO, posted: Amount::ZERO };
    if flags.intersects(TransferFlags::BURNED.with(TransferFlags::MEMO)) {
        nothing
    } else if flags.intersects(TransferFlags::EXPIRY.with(TransferFlags::VOID_PENDING_TRANSFER)) {
        Movement { released: amount, ..nothing }
    } else if flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
        Movement { released: plus(amount, block.released(row)), posted: amount, ..nothing }
    } else if flags.contains(TransferFlags::PENDING) {
        Movement { reserved: amount, ..nothing }
    } else {
        Movement { posted: amount, ..nothing }
    }
}

/// Balances wrap rather than panic: forged bytes may say anything, and real ones never reach the end.
fn plus(left: Amount, right: Amount) -> Amount {
    Amount::new(left.get().wrapping_add(right.get()))
}

fn minus(left: Amount, right: Amount) -> Amount {
    Amount::new(left.get().wrapping_sub(right.get()))
}

/// Moves the balances of the account on that side of a row.
pub(super) fn post(balances: &mut Balances, block: &Block, row: usize, side: Side) {
    let movement = movement(block, row);
    let (pending, posted) = match side {
        Side::Debit => (&mut balances.debits_pending, &mut balances.debits_posted),
        Side::Credit => (&mut balances.credits_pending, &mut balances.credits_posted),
    };
    *pending = minus(plus(*pending, movement.reserved), movement.released);
    *posted = plus(*posted, movement.posted);
}

/// The reverse of [`post`]: what the balances were before that row.
pub(super) fn take_back(balances: &mut Balances, block: &Block, row: usize, side: Side) {
    let movement = movement(block, row);
    let (pending, posted) = match side {
        Side::Debit => (&mut balances.debits_pending, &mut balances.debits_posted),
        Side::Credit => (&mut balances.credits_pending, &mut balances.credits_posted),
    };
    *pending = plus(minus(*pending, movement.reserved), movement.released);
    *posted = minus(*posted, movement.posted);
}
