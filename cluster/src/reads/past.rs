//! A shard's past: its book and its journal, asked as those of a ledger in a directory are.
//!
//! A question of the past is asked on a thread that may wait, for its looks at the book go to the machine's thread in
//! turn with everything else. So it is not asked in a simulation, where one thread does all.

use super::{Asked, Desk};
use crate::fault::ServeFault;
use crate::router::Router;
use crate::teller::Teller;
use fen_book::Book;
use fen_ledger::past::Past;
use fen_ledger::{Answer, Fault, lookup};
use fen_lookup::{Broken, FeedFault, Lookup};
use fen_store::journal::Journal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// How often it is asked whether there is something new for the secondary indexes, or one to make again.
const FEED_EVERY: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct ShardPast {
    teller: Teller,
    from: Asked,
    journal: Arc<Journal>,
    lookup: Option<Arc<Lookup>>,
    runtime: Handle,
    /// Why a look could not be had, in the words that the router knows.
    hindrance: Mutex<Option<ServeFault>>,
}

impl Past for ShardPast {
    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Book) -> T + Send + 'static) -> Answer<T> {
        let desk = Desk { teller: &self.teller, from: self.from };
        let looked = self.runtime.block_on(desk.look(move |machine| look(machine.shard().book())));
        looked.map_err(|fault| {
            let words = Arc::from(fault.to_string());
            *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
            Fault::Stopped(words)
        })
    }

    fn journal(&self) -> Option<&Journal> {
        Some(&self.journal)
    }

    fn lookup(&self) -> Option<&Lookup> {
        self.lookup.as_deref()
    }
}

impl ShardPast {
    fn fault(&self, fault: &Fault) -> ServeFault {
        let hindrance = self.hindrance.lock().unwrap_or_else(PoisonError::into_inner).take();
        hindrance.unwrap_or_else(|| ServeFault::Refused(fault.to_string()))
    }
}

impl Desk<'_> {
    /// Asks a question of the past.
    pub(super) async fn history<T: Send + 'static>(
        &self,
        question: impl FnOnce(&ShardPast) -> Answer<T> + Send + 'static,
    ) -> Result<T, ServeFault> {
        if !self.teller.crew().may_wait_aside() {
            return Err(ServeFault::Refused("the past is not asked in a simulation".to_owned()));
        }
        let journal = self.look(|machine| machine.shard().journal().clone()).await?;
        let past = ShardPast {
            teller: self.teller.clone(),
            from: self.from,
            journal,
            lookup: self.teller.lookup(),
            runtime: Handle::current(),
            hindrance: Mutex::default(),
        };
        let ask = move || question(&past).map_err(|fault| past.fault(&fault));
        let asked = self.teller.crew().aside(ask).await;
        asked.map_err(|error| ServeFault::Unavailable(error.to_string()))?
    }
}

/// Feeds a shard's secondary indexes for as long as the shard is served here, from this member's own books. Nobody on a
/// transfer's way waits for it: it looks at the book between two parcels, a stretch of accounts at a time, and reads
/// what is sealed on a thread of its own.
pub(crate) async fn keep_indexes(router: Router, teller: Teller) {
    let Some(index) = teller.lookup() else { return };
    let shard = teller.group().id();
    let mut told: Option<Broken> = None;
    // The router forgets its tellers when the node stops, or the shard moves away.
    while router.teller(shard).is_some() {
        let (index, serving) = (index.clone(), router.clone());
        let desk = Desk { teller: &teller, from: Asked::Member };
        let fed = desk.history(move |past| {
            let fed = lookup::feed(past, &index, &|| serving.teller(shard).is_some());
            Ok(match fed {
                Err(FeedFault::Broken(broken)) => Some(broken),
                // What cannot be read now is tried again; until then it is looked at by whoever asks.
                Ok(()) | Err(FeedFault::Source(_)) => None,
            })
        });
        if let Ok(broken) = fed.await {
            if let Some(fault) = broken.as_ref().filter(|_| broken != told) {
                tracing::warn!(shard = shard.0, %fault, "a secondary index");
            }
            told = broken;
        }
        tokio::time::sleep(FEED_EVERY).await;
    }
}
