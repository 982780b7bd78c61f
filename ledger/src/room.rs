//! Waiting for room on a full disk: what is written behind the book's back can wait, and must not be lost.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long until a full disk is asked again.
const PATIENCE: Duration = Duration::from_millis(100);

/// Makes a call again and again while the disk is full for it; `None` where the ledger is closed meanwhile.
pub(crate) fn until_room<T, F: Display>(
    closing: &AtomicBool,
    is_full: impl Fn(&F) -> bool,
    mut call: impl FnMut() -> Result<T, F>,
) -> Option<Result<T, F>> {
    let mut told = false;
    loop {
        match call() {
            Err(fault) if is_full(&fault) => {
                if closing.load(Ordering::Acquire) {
                    return None;
                }
                if !std::mem::replace(&mut told, true) {
                    eprintln!("fen: waiting for room, the log grows meanwhile: {fault}");
                }
                std::thread::sleep(PATIENCE);
            }
            done => return Some(done),
        }
    }
}
