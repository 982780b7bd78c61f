//! Looking ahead: the memory that the next transfers need is asked for before they are planned.
//!
//! Ids are spread evenly, so nearly every account stands in memory that no cache holds; one after the other, each
//! would cost its full latency. A first pass reads the index entries of a whole group, a second the accounts that
//! they name; within a pass no read waits for another, so the processor overlaps them. Nothing is decided here:
//! planning looks everything up again, and finds it near.

use crate::accounts::Accounts;
use crate::slots::hash_of;
use crate::transfer::Transfer;
use crate::young::Young;

/// How many transfers are looked at together: enough to overlap, few enough to stay in the first cache.
pub(crate) const GROUP: usize = 32;

/// Brings near what planning `transfers` will read.
pub(crate) fn look_ahead(accounts: &Accounts, young: &Young, transfers: &[Transfer]) {
    let mut seen = 0u64;
    let mut hashes = [[0u32; 2]; GROUP];
    for (transfer, pair) in transfers.iter().zip(&mut hashes) {
        *pair = [hash_of(transfer.debit_account_id.get()), hash_of(transfer.credit_account_id.get())];
        seen ^= accounts.peek(pair[0]) ^ accounts.peek(pair[1]) ^ young.peek(hash_of(transfer.id.get()));
    }
    core::hint::black_box(seen);
    for (_, pair) in transfers.iter().zip(&hashes) {
        seen ^= accounts.peek_account(pair[0]) ^ accounts.peek_account(pair[1]);
    }
    core::hint::black_box(seen);
}
