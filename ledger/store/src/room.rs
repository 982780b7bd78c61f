//! Waiting for room on a full disk: what is written behind the book's back can wait, and must not be lost.
//!
//! Whoever waits is counted, so that a node whose disk is full can say so to clients instead of taking their writes in.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How long until a full disk is asked again.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// The room on one disk, as those who write there see it. Clones are one; who may close alone stands [beside](Self::beside).
#[derive(Clone, Default, Debug)]
pub struct Room {
    closing: Arc<AtomicBool>,
    waiting: Arc<AtomicUsize>,
}

/// Counts one who waits, until it is dropped.
pub struct Waiting(Arc<AtomicUsize>);

impl Room {
    /// The same disk, for writers that are closed by themselves.
    pub fn beside(&self) -> Self {
        Self { closing: Arc::default(), waiting: self.waiting.clone() }
    }

    /// From now on nothing waits for room any more.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Whether it was closed.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Whether somebody waits for room.
    pub fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Somebody waits, until the answer is dropped.
    pub fn wait(&self) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self.waiting.clone())
    }

    /// Makes a call again and again while the disk is full for it; `None` where it is closed meanwhile.
    pub fn until_room<T, F: Display>(
        &self,
        is_full: impl Fn(&F) -> bool,
        mut call: impl FnMut() -> Result<T, F>,
    ) -> Option<Result<T, F>> {
        let mut waiting = None;
        loop {
            match call() {
                Err(fault) if is_full(&fault) => {
                    if self.is_closing() {
                        return None;
                    }
                    if waiting.is_none() {
                        eprintln!("fen: waiting for room, the log grows meanwhile: {fault}");
                        waiting = Some(self.wait());
                    }
                    std::thread::sleep(PATIENCE);
                }
                done => return Some(done),
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_seen_by_all_who_write_there_and_waits_no_longer_than_he_must() {
        let (disk, mut left) = (Room::default(), 2);
        let one = disk.beside();
        let done = one.until_room(
            |_: &&str| true,
            || {
                left -= 1;
                assert_eq!(disk.is_short(), left == 0, "from the second call on");
                if left == 0 { Ok(7) } else { Err("full") }
            },
        );
        assert_eq!((done, disk.is_short()), (Some(Ok(7)), false));
        one.close();
        assert_eq!(one.until_room(|_: &&str| true, || Err::<(), _>("full")), None);
        assert!(!disk.is_closing(), "others go on waiting");
    }
}
