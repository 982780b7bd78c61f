//! What must hold, whatever happened.
//!
//! Every answer bears the stamp of its event, and stamps rise along a shard's log: so the clients' answers, and the
//! stamps of the records by which transfers crossed from shard to shard, say in which order everything was applied
//! ([`trail`]). The naive model applies it all again in that order and must give the same answers and the same
//! balances; and what was read must be what the books held at some moment between question and answer ([`answers`]).
//! That is linearizability, checked exactly, since the order is known and need not be searched for.

pub mod answers;
pub mod trail;

use crate::clients::{ENDS, History};
use crate::oracle::answers::clearing_accounts;
use crate::oracle::trail::Trail;
use crate::story::Story;
use crate::town::Town;
use fen_api::{records, wire};
use fen_book::{Account, AccountId, Command};
use fen_cluster::route::{Home, home};
use fen_model::Model;
use fen_raft::GroupId;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a node may take to let somebody look into its machine.
const LOOKING: Duration = Duration::from_secs(2);

/// One replica, looked into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// Commands applied.
    pub applied: u64,
    /// Of its books.
    pub digest: [u8; 32],
    /// Its clock, where it stands.
    pub clock: u64,
}

/// Remembers the digest of each shard at each place, and compares.
#[derive(Default)]
pub struct Digests {
    seen: BTreeMap<(u32, u64), ([u8; 32], u64, u64)>,
}

impl Digests {
    /// Looks into every replica that runs.
    pub async fn look(&mut self, town: &Town) {
        for place in &town.places {
            let Some((node, life)) = &place.running else { continue };
            for shard in 1..=town.shards {
                let Some(teller) = node.office().router.teller(GroupId(shard)) else { continue };
                let look = teller.group().peek(|machine| Look {
                    applied: machine.shard().applied().get(),
                    digest: machine.shard().digest(),
                    clock: machine.shard().book().clock().get(),
                });
                let Ok(Ok(look)) = tokio::time::timeout(LOOKING, look).await else { continue };
                if !life.is_over() {
                    self.compare(place.id, shard, &look, &town.story);
                }
            }
        }
    }

    fn compare(&mut self, node: u64, shard: u32, look: &Look, story: &Story) {
        let (digest, clock, other) =
            *self.seen.entry((shard, look.applied)).or_insert((look.digest, look.clock, node));
        if other != node {
            story.mark("two replicas were compared at one place of the log");
        }
        if digest != look.digest || clock != look.clock {
            story.fail(&format!(
                "shard {shard} after {} commands: node {node} and node {other} have different {}",
                look.applied,
                if digest == look.digest { "clocks" } else { "books" }
            ));
        }
    }
}

/// The shard of a customer's account.
pub fn shard_of_account(directory: &fen_cluster::directory::Directory, account: AccountId) -> Option<u32> {
    match home(account) {
        Home::Slot(slot) => directory.shard_of(slot).map(|group| group.0),
        Home::Everywhere | Home::Inherited => None,
    }
}

/// Every replica against the model, account by account, and audited.
pub async fn judge_replicas(town: &Town, models: &BTreeMap<u32, Model>, accounts: &[AccountId]) {
    let accounts = [accounts, &clearing_accounts(town.shards)].concat();
    let accounts = &accounts[..];
    for place in &town.places {
        let Some((node, _)) = &place.running else { continue };
        for shard in 1..=town.shards {
            let Some(teller) = node.office().router.teller(GroupId(shard)) else { continue };
            let ids = accounts.to_vec();
            let looked = teller.group().peek(move |machine| {
                let books = ids.iter().map(|id| machine.shard().book().account(*id)).collect::<Vec<_>>();
                (books, machine.shard().audit(), machine.shard().book().clock())
            });
            let Ok(Ok((books, audit, clock))) = tokio::time::timeout(LOOKING, looked).await else {
                town.story.fail(&format!("node {} does not let anybody look into shard {shard}", place.id));
                continue;
            };
            for fault in &audit.faults {
                town.story.fail(&format!("audit of shard {shard} on node {}: {fault}", place.id));
            }
            for totals in audit.ledgers.values() {
                if totals.debits_posted != totals.credits_posted
                    || totals.debits_pending != totals.credits_pending
                {
                    town.story.fail(&format!("shard {shard} on node {}: debits are not credits", place.id));
                }
            }
            // Replicas may stand at different moments; each is held against the model at its own.
            let Some(mut model) = models.get(&shard).cloned() else { continue };
            model.apply(&Command::Pulse, clock);
            let expected = model.lookup_accounts(accounts);
            for (id, (book, model)) in accounts.iter().zip(books.iter().zip(&expected)) {
                let Some(book) = book else { continue };
                if model.as_ref().map(balances) != Some(balances(book)) {
                    town.story.fail(&format!(
                        "account {id:?} of shard {shard} on node {}: the books say {:?}, the model {:?}",
                        place.id,
                        balances(book),
                        model.as_ref().map(balances)
                    ));
                }
            }
        }
    }
}

fn balances(account: &Account) -> [u128; 4] {
    [
        account.debits_pending.get(),
        account.debits_posted.get(),
        account.credits_pending.get(),
        account.credits_posted.get(),
    ]
}

/// Every transfer that was answered `posted` is found, as it was asked for and under the stamp of its answer; nothing
/// that was refused is.
pub async fn judge_presence(town: &Town, history: &History, trail: &Trail) {
    let Some(counter) = (0..town.places.len()).find_map(|index| town.counter(index)) else { return };
    let orders: Vec<_> = history.orders.iter().zip(&trail.posted).collect();
    for orders in orders.chunks(200) {
        let ids =
            orders.iter().map(|(order, _)| records::halves(order.transfer.id.get()).unwrap_or_default());
        let question = wire::Ids { ids: ids.collect() };
        let found = loop {
            use fen_api::wire::ledger_server::Ledger;
            match counter.gateway.lookup_transfers(tonic::Request::new(question.clone())).await {
                Ok(found) => break found.into_inner().found,
                Err(status) => town.story.line(&format!("looking for transfers goes on: {status}")),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        for ((order, posted), found) in orders.iter().zip(found) {
            let asked = &order.transfer;
            let id = asked.id.get();
            let fail = |words: &str| town.story.fail(&format!("transfer {id} {words}"));
            let found = found.transfer.map(|message| records::transfer(&message));
            match (found, posted) {
                (None, None) => {}
                (None, Some(_)) => fail("was acknowledged and is lost"),
                (Some(_), None) => fail("was refused and is found"),
                (Some(Err(why)), _) => fail(&format!("is found and cannot be read: {why}")),
                (Some(Ok(found)), Some(stamp)) => {
                    if found.timestamp != *stamp {
                        fail("is found under another stamp");
                    }
                    let names = |one: &fen_book::Transfer| (one.debit_account_id, one.credit_account_id);
                    let voids = asked.flags.contains(fen_book::TransferFlags::VOID_PENDING_TRANSFER);
                    if names(&found) != names(asked) || (!voids && found.amount != asked.amount) {
                        fail("is found, and is another one than was asked for");
                    }
                    if found.flags.intersects(ENDS) != asked.flags.intersects(ENDS) {
                        fail("is found as something else than it is");
                    }
                }
            }
        }
    }
}

/// What is on its way between shards, all told: nothing, once all is quiet.
pub async fn judge_clearing(town: &Town) {
    let mut sums: BTreeMap<AccountId, [u128; 4]> = BTreeMap::new();
    for shard in 1..=town.shards {
        let honest = town.places.iter().filter(|place| !place.disk_lied);
        let mut tellers =
            honest.filter_map(|place| place.running.as_ref()?.0.office().router.teller(GroupId(shard)));
        let Some(teller) = tellers.next() else { continue };
        let ids = clearing_accounts(town.shards);
        let looked = teller.group().peek(move |machine| {
            ids.iter().filter_map(|id| machine.shard().book().account(*id)).collect::<Vec<_>>()
        });
        let Ok(Ok(found)) = tokio::time::timeout(LOOKING, looked).await else { continue };
        for account in found {
            let sum = sums.entry(account.id).or_default();
            sum.iter_mut().zip(balances(&account)).for_each(|(sum, part)| *sum += part);
        }
    }
    for (account, [debits_pending, debits_posted, credits_pending, credits_posted]) in sums {
        if debits_posted != credits_posted {
            town.story.fail(&format!(
                "clearing account {account:?} is not even: {debits_posted} went out, {credits_posted} came in"
            ));
        }
        if (debits_pending, credits_pending) != (0, 0) {
            town.story.fail(&format!("clearing account {account:?} still holds what is reserved"));
        }
    }
}
