//! All randomness of the process, from one seed.
//!
//! The runtime, the hash maps and the replication library draw from the operating system when they are first used.
//! Here the operating system's answer is replaced, by its name, with numbers from the seed: the standard library
//! asks for exactly this symbol so that it can be replaced. So the shipped code stays as it is, and yet the same seed
//! gives the same elections, the same order of every hash map, the same choices of every `select!`.
//!
//! **Invariants.** One seed, one process: what was drawn before cannot be drawn again, so each seed runs in a process
//! of its own, which draws nothing before [`fix`].

#![allow(unsafe_code, reason = "the symbol that the standard library asks has a C signature")]

use std::ffi::{c_uint, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

static STATE: AtomicU64 = AtomicU64::new(0);

/// From now on everything that is drawn follows from the seed.
pub fn fix(seed: u64) {
    STATE.store(seed, Ordering::SeqCst);
}

/// What the operating system would answer, if it were reasonable.
///
/// # Safety
/// As the operating system's: `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, _flags: c_uint) -> isize {
    // SAFETY: the caller says that the buffer has room for `length` bytes, and nobody else sees it meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for piece in bytes.chunks_mut(8) {
        let drawn = STATE.fetch_add(crate::dice::STEP, Ordering::SeqCst);
        piece.copy_from_slice(&crate::dice::mixed(drawn).to_le_bytes()[..piece.len()]);
    }
    isize::try_from(length).unwrap_or(isize::MAX)
}
