//! The board between a shard's machine and the tasks of its node: how much is on its way, that there is work, and
//! who waits to hear what became of a transfer.

use crate::crossing::table::Crossings;
use fen_api::records::PackedResult;
use fen_book::TransferId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Matter {
    /// The target's word, and what the source made of it.
    Decision,
    /// That a leg which reserved has ended.
    End,
}

type Waiting = HashMap<(TransferId, Matter), Vec<oneshot::Sender<PackedResult>>>;

/// See the module.
#[derive(Default)]
pub struct Board {
    open: AtomicUsize,
    turns: AtomicU64,
    work: Notify,
    waiting: Mutex<Waiting>,
}

impl Board {
    /// The machine tells how its crossings stand.
    pub fn publish(&self, crossings: &Crossings) {
        self.open.store(crossings.len(), Ordering::Relaxed);
        if self.turns.swap(crossings.turns(), Ordering::Relaxed) != crossings.turns() {
            self.work.notify_one();
        }
    }

    /// How many crossings are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until a crossing has come to wait for a step.
    pub async fn work(&self) {
        self.work.notified().await;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the caller hears when this node has settled it.
    pub fn wait_for(&self, id: TransferId, matter: Matter) -> oneshot::Receiver<PackedResult> {
        let (sender, receiver) = oneshot::channel();
        self.waiting().entry((id, matter)).or_default().push(sender);
        receiver
    }

    /// Forgets those who have stopped waiting.
    pub fn tidy(&self, matters: impl IntoIterator<Item = (TransferId, Matter)>) {
        let mut waiting = self.waiting();
        for matter in matters {
            if let Some(senders) = waiting.get_mut(&matter) {
                senders.retain(|sender| !sender.is_closed());
                if senders.is_empty() {
                    waiting.remove(&matter);
                }
            }
        }
    }

    /// Tells whoever waits.
    pub fn tell(&self, matter: Matter, results: impl IntoIterator<Item = (TransferId, PackedResult)>) {
        let mut waiting = self.waiting();
        for (id, result) in results {
            for sender in waiting.remove(&(id, matter)).unwrap_or_default() {
                // Whoever waited has gone.
                let _gone = sender.send(result);
            }
        }
    }
}
