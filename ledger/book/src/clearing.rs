//! Money on its way between the books of two shards: the accounts that it lies in, and the ids of its steps.
//!
//! A transfer from a customer of one shard to one of another is carried by three records: on the source shard a
//! reservation against the clearing account of the pair, under the transfer's own id; on the target shard the *leg*,
//! from the clearing account to the payee; on the source shard the post, or the void, of the reservation. Each shard
//! keeps its own part of a clearing account, so its parts add up to nothing once all is quiet.
//!
//! **The ids, for ever.** A clearing account has the upper half all ones, as all of the bank's own; its lower half is
//! the ledger (32 bits), the source shard (12), the target shard (12) and `0xff`, which is no role of a control
//! account. A step's id has the transfer's own upper 48 bits, of which the first is cleared, and below them the lower 80
//! bits of the first 16 bytes, read little-endian, of the SHA-256 of `fen clearing 2`, the step's number in one byte,
//! and the transfer's id in sixteen, little-endian. So steps of transfers whose ids rise with time (a UUID of version 7
//! has its milliseconds there) rise with time too, and looking for one in the history costs a comparison; and none is
//! among the bank's own ids.
//!
//! The book knows two rules of such accounts, because neither shard may take back what the other relies on:
//! whatever refuses a leg burns its id for good, and the burned id's record keeps the status; and a reservation
//! against clearing can be posted although its other account has been closed meanwhile.

use crate::bank_ids::ONES;
use crate::quantity::{AccountId, LedgerCode, TransferId};
use crate::transfer::Transfer;
use sha2::{Digest, Sha256};

/// Shards are numbered from 1 to this.
pub const SHARD_NUMBER_MAX: u32 = 0xfff;

const MARK: u64 = 0xff;

/// The bits of a step's id that are not the transfer's.
const OWN_BITS: u128 = (1 << 80) - 1;

/// The account of money on its way from one shard to another; `None` where there is no such pair or no ledger.
pub fn clearing_account(source: u32, target: u32, ledger: LedgerCode) -> Option<AccountId> {
    let shards = 1..=SHARD_NUMBER_MAX;
    if ledger.is_zero() || source == target || !shards.contains(&source) || !shards.contains(&target) {
        return None;
    }
    let lower = u64::from(ledger.get()) << 32 | u64::from(source) << 20 | u64::from(target) << 8 | MARK;
    Some(AccountId::new(ONES << 64 | u128::from(lower)))
}

/// Whether an account is for money on its way.
pub fn is_clearing(account: AccountId) -> bool {
    let id = account.get();
    if id >> 64 != ONES || id & u128::from(MARK) != u128::from(MARK) {
        return false;
    }
    let part = |shift: u32| u32::try_from(id >> shift & 0xfff).unwrap_or(0);
    let ledger = LedgerCode::new(u32::try_from(id >> 32 & 0xffff_ffff).unwrap_or(0));
    clearing_account(part(20), part(8), ledger) == Some(account)
}

/// What carries a transfer between shards besides the reservation, which has the transfer's own id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Step {
    /// On the target: from clearing to the payee.
    Leg = 1,
    /// On the source: the post or the void of the reservation.
    Settle = 2,
    /// On the target: the post or the void of a leg that is a reservation too.
    LegEnd = 3,
}

/// The id of a step of a transfer.
pub fn step_id(transfer: TransferId, step: Step) -> TransferId {
    let number = match step {
        Step::Leg => 1,
        Step::Settle => 2,
        Step::LegEnd => 3,
    };
    let mut hasher = Sha256::new();
    hasher.update(b"fen clearing 2");
    hasher.update([number]);
    hasher.update(transfer.get().to_le_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    let own = u128::from_le_bytes(first) & OWN_BITS;
    TransferId::new(transfer.get() & !OWN_BITS & (u128::MAX >> 1) | own)
}

/// Whether a transfer moves money out of clearing.
pub(crate) fn is_leg(transfer: &Transfer) -> bool {
    is_clearing(transfer.debit_account_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loan::control::{Role, control_account};

    #[test]
    fn clearing_accounts_are_told_apart_from_all_others() {
        let ledger = LedgerCode::new(156);
        let account = clearing_account(1, 2, ledger).unwrap();
        assert_eq!(account.get(), ONES << 64 | 0x0000_009c_0010_02ff);
        assert!(is_clearing(account));
        assert_ne!(clearing_account(2, 1, ledger), Some(account));
        for none in [(1, 1, 156), (0, 1, 156), (1, 0x1000, 156), (1, 2, 0)] {
            assert_eq!(clearing_account(none.0, none.1, LedgerCode::new(none.2)), None);
        }
        for role in Role::ALL {
            for product in [1, 255, u128::from(u64::MAX), u128::MAX - 1] {
                assert!(!is_clearing(control_account(product, *role)));
            }
        }
        for other in [0, 1, 0xff, ONES, ONES << 64, ONES << 64 | 0xff, u128::MAX, account.get() >> 1] {
            assert!(!is_clearing(AccountId::new(other)), "{other:x}");
        }
    }

    #[test]
    fn steps_have_ids_of_their_own_for_ever() {
        let steps = [Step::Leg, Step::Settle, Step::LegEnd];
        assert_eq!(steps.map(|step| step_id(TransferId::new(7), step).get()), FIXED);
        let late = u128::MAX ^ 1;
        for id in steps.map(|step| step_id(TransferId::new(late), step).get()) {
            assert_eq!(id >> 80, late >> 81, "of the transfer's own time, and none of the bank's ids");
        }
    }

    const FIXED: [u128; 3] =
        [0x15da_770d_b555_064d_e5b8, 0x7d1f_ba25_5729_3f0a_7929, 0xaab9_a2f6_87de_0fda_2b08];
}
