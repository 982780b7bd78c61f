//! Small requests of one program travel together.
//!
//! A call costs some tens of microseconds on either side, whatever it carries. A request that comes while few calls are
//! under way goes at once; while [`CALLS_MAX`] are, further ones wait, and the next call takes all that have come by
//! then. So nobody waits for company, and a busy program makes fewer calls.
//!
//! **Invariants.** The events of a request stay together and in their order, and each request has its own results. What
//! the cluster refuses as a whole is asked again one by one, so that nobody hears of another's mistake. A request on
//! which its neighbours could bear (a chain that it leaves open, imported events) goes alone.
//!
//! Tested below and, with nodes, by `cluster/tests/three_nodes.rs`.

use crate::fault::ClientFault;
use crate::records::{self, PackedResult};
use crate::{Client, wire};
use fen_book::{EVENTS_MAX, Transfer, TransferFlags};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Calls under way before requests wait for the next one.
const CALLS_MAX: usize = 2;

/// Events in a request that waits; longer ones are calls of their own.
const EVENTS_SMALL: usize = 256;

type Results = Result<Vec<PackedResult>, ClientFault>;

/// The requests of a client that have not set out, and how many calls have.
#[derive(Default)]
pub(crate) struct Together {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    under_way: usize,
}

struct Waiting {
    events: Vec<Transfer>,
    answer: oneshot::Sender<Results>,
}

impl Waiting {
    fn tell(self, results: Results) {
        // Whoever does not wait any more does not want it.
        let _unwanted = self.answer.send(results);
    }
}

impl Queue {
    /// The requests of the next call: as many as one may carry.
    fn take(&mut self) -> Vec<Waiting> {
        let mut events = 0;
        let fits = |waiting: &&Waiting| {
            events += waiting.events.len();
            events <= EVENTS_MAX
        };
        let count = self.waiting.iter().take_while(fits).count();
        self.waiting.drain(..count).collect()
    }
}

impl Together {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request may share a call with others.
pub(crate) fn may_travel(transfers: &[Transfer]) -> bool {
    let leaves_open = transfers.last().is_none_or(|last| last.flags.contains(TransferFlags::LINKED));
    let is_imported = |transfer: &Transfer| transfer.flags.contains(TransferFlags::IMPORTED);
    transfers.len() <= EVENTS_SMALL && !leaves_open && !transfers.iter().any(is_imported)
}

/// Sends a request in a call with others, and waits for its results.
pub(crate) async fn submit(client: &Client, transfers: &[Transfer]) -> Results {
    let (answer, answered) = oneshot::channel();
    let sets_out = {
        let mut queue = client.together().queue();
        queue.waiting.push_back(Waiting { events: transfers.to_vec(), answer });
        let sets_out = queue.under_way < CALLS_MAX;
        queue.under_way += usize::from(sets_out);
        sets_out
    };
    if sets_out {
        // Not in the caller's own time: it may stop waiting, and the others' answers must come.
        tokio::spawn(carry(client.clone()));
    }
    answered.await.unwrap_or(Err(ClientFault::Garbled("the client was stopped before there was one")))
}

/// One call after the other until nobody waits.
async fn carry(client: Client) {
    loop {
        let taken = {
            let mut queue = client.together().queue();
            let taken = queue.take();
            if taken.is_empty() {
                queue.under_way -= 1;
                return;
            }
            taken
        };
        send(&client, taken).await;
    }
}

async fn send(client: &Client, taken: Vec<Waiting>) {
    let events: Vec<Transfer> = taken.iter().flat_map(|waiting| &waiting.events).copied().collect();
    match ask(client, &events).await {
        Ok(results) => deal(taken, &results),
        Err(ClientFault::Refused(_)) if taken.len() > 1 => {
            for waiting in taken {
                let results = ask(client, &waiting.events).await;
                waiting.tell(results);
            }
        }
        Err(fault) => taken.into_iter().for_each(|waiting| waiting.tell(Err(fault.clone()))),
    }
}

async fn ask(client: &Client, events: &[Transfer]) -> Results {
    client.submit(wire::RecordKind::Transfers, records::pack_transfers(events)).await
}

/// Each request's own part of a call's results.
fn deal(taken: Vec<Waiting>, mut results: &[PackedResult]) {
    for waiting in taken {
        let own = results.split_at_checked(waiting.events.len());
        let (own, rest) = own.unwrap_or((results, &[]));
        // Fewer than there are events are found wrong by the caller.
        waiting.tell(Ok(own.to_vec()));
        results = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::{CreateTransferStatus, Stamp};

    fn request(events: usize) -> (Waiting, oneshot::Receiver<Results>) {
        let (answer, answered) = oneshot::channel();
        (Waiting { events: vec![Transfer::default(); events], answer }, answered)
    }

    #[test]
    fn a_call_takes_what_it_may_carry_in_the_order_of_asking() {
        let mut queue = Queue::default();
        for _ in 0..40 {
            queue.waiting.push_back(request(EVENTS_SMALL).0);
        }
        queue.waiting.push_back(request(1).0);
        assert_eq!(queue.take().len(), EVENTS_MAX / EVENTS_SMALL);
        assert_eq!(queue.take().len(), 41 - EVENTS_MAX / EVENTS_SMALL);
        assert!(queue.take().is_empty());
    }

    #[test]
    fn each_request_has_its_own_results() {
        let result =
            |at| PackedResult { timestamp: Stamp::new(at), status: CreateTransferStatus::Created.number() };
        let (one, mut hears_one) = request(1);
        let (two, mut hears_two) = request(2);
        let (three, mut hears_three) = request(3);
        deal(vec![one, two, three], &[result(1), result(2), result(3), result(4)]);
        assert_eq!(hears_one.try_recv().unwrap().unwrap(), [result(1)]);
        assert_eq!(hears_two.try_recv().unwrap().unwrap(), [result(2), result(3)]);
        assert_eq!(hears_three.try_recv().unwrap().unwrap(), [result(4)], "found too short by its caller");
    }

    #[test]
    fn chains_left_open_and_imports_go_alone() {
        let flagged = |flags| Transfer { flags, ..Transfer::default() };
        let (plain, linked) = (flagged(TransferFlags::default()), flagged(TransferFlags::LINKED));
        assert!(may_travel(&[linked, plain]) && !may_travel(&[plain, linked]) && !may_travel(&[]));
        assert!(!may_travel(&[flagged(TransferFlags::IMPORTED), plain]));
        assert!(!may_travel(&vec![plain; EVENTS_SMALL + 1]));
    }
}
