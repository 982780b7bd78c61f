//! What must hold, whatever happened.
//!
//! Every answer bears the stamp of its event, and stamps rise along a shard's log: so the clients' answers alone say
//! in which order everything was applied. The naive model applies it all again in that order and must give the same
//! answers and the same balances; and what was read must be what the books held at some moment between question and
//! answer. That is linearizability, checked exactly, since the order is known and need not be searched for.

use crate::clients::{BANK, History, Order, Reading, status_of};
use crate::story::Story;
use crate::town::Town;
use fen_api::wire;
use fen_book::{
    Account, AccountFlags, AccountId, Code, Command, CreateTransferStatus, Reply, Stamp, Transfer,
    TransferFlags,
};
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

/// The shard of a transfer, as clients of this town choose them: one of its accounts is a customer's.
pub fn shard_of(town: &Town, transfer: &Transfer) -> Option<u32> {
    let directory =
        town.places.iter().find_map(|place| place.running.as_ref())?.0.office().router.directory();
    let customer =
        [transfer.debit_account_id, transfer.credit_account_id].into_iter().find(|id| *id != BANK)?;
    shard_of_account(&directory, customer)
}

/// The shard of a customer's account.
pub fn shard_of_account(directory: &fen_cluster::directory::Directory, account: AccountId) -> Option<u32> {
    match home(account) {
        Home::Slot(slot) => directory.shard_of(slot).map(|group| group.0),
        Home::Everywhere | Home::Inherited => None,
    }
}

/// Everything that needs no look into a node: the answers against the model, the readings against the order.
pub fn judge_answers(town: &Town, history: &History, accounts: &[AccountId]) -> BTreeMap<u32, Model> {
    let story = &town.story;
    let mut shards: BTreeMap<u32, Vec<&Order>> = BTreeMap::new();
    for order in &history.orders {
        match (order.answer, shard_of(town, &order.transfer)) {
            (Some(_), Some(shard)) => shards.entry(shard).or_default().push(order),
            (None, _) => story.fail(&format!("transfer {} was never answered", order.transfer.id.get())),
            (_, None) => story.fail("a transfer has no shard"),
        }
    }
    let mut models = BTreeMap::new();
    for shard in 1..=town.shards {
        let mut orders = shards.remove(&shard).unwrap_or_default();
        orders.sort_by_key(|order| order.answer.map(|(_, result)| result.timestamp));
        models.insert(shard, judge_shard(story, &orders, accounts));
        judge_readings(town, story, &orders, history, shard);
    }
    models
}

fn judge_shard(story: &Story, orders: &[&Order], accounts: &[AccountId]) -> Model {
    let mut model = Model::new();
    let mut latest_asked_ms = 0;
    let opened: Vec<Account> = accounts
        .iter()
        .map(|id| Account {
            id: *id,
            ledger: crate::clients::CNY,
            code: Code::new(1),
            flags: if *id == BANK {
                AccountFlags::NONE
            } else {
                AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
            },
            ..Account::default()
        })
        .collect();
    model.apply(&Command::CreateAccounts(&opened), Stamp::new(opened.len() as u64 + 1));
    for order in orders {
        let Some((answered_ms, result)) = order.answer else { continue };
        let Some(status) = status_of(result) else {
            story.fail(&format!("status {} is none", result.status));
            continue;
        };
        if answered_ms < latest_asked_ms {
            story.fail(&format!(
                "transfer {} was answered before one that is stamped earlier was asked for",
                order.transfer.id.get()
            ));
        }
        latest_asked_ms = latest_asked_ms.max(order.asked_ms);
        // Refused by an earlier attempt, nobody knows when: it changed no balance.
        if status == CreateTransferStatus::IdAlreadyFailed {
            story.mark("a lost refusal was found again as `id_already_failed`");
            continue;
        }
        // Posted by an earlier attempt, whose answer was lost.
        let expected = if status == CreateTransferStatus::Exists {
            story.mark("a lost answer was found again as `exists`");
            CreateTransferStatus::Created
        } else {
            status
        };
        let reply = model.apply(&Command::CreateTransfers(&[order.transfer]), result.timestamp);
        let Reply::Transfers(outcomes) = reply else { continue };
        if outcomes[0].status != expected || outcomes[0].timestamp != result.timestamp {
            story.fail(&format!(
                "transfer {} at {}: the cluster says {expected}, the model {}",
                order.transfer.id.get(),
                result.timestamp.get(),
                outcomes[0].status
            ));
        }
        let posted = expected == CreateTransferStatus::Created;
        let reserves = order.transfer.flags.contains(TransferFlags::PENDING);
        story.mark(match (posted, reserves) {
            (true, true) => "money was reserved",
            (true, false) => "money moved",
            (false, _) => "a transfer was refused",
        });
    }
    model
}

/// What each reading saw must be what the books held between its question and its answer, and never older than what
/// an earlier reading saw.
fn judge_readings(town: &Town, story: &Story, orders: &[&Order], history: &History, shard: u32) {
    let Some(place) = town.places.iter().find_map(|place| place.running.as_ref()) else { return };
    let directory = place.0.office().router.directory();
    let mut readings: BTreeMap<AccountId, Vec<&Reading>> = BTreeMap::new();
    for reading in &history.readings {
        if shard_of_account(&directory, reading.account) == Some(shard) {
            readings.entry(reading.account).or_default().push(reading);
        }
    }
    for (account, mut readings) in readings {
        readings.sort_by_key(|reading| reading.asked_ms);
        let states = states_of(orders, account);
        for (number, reading) in readings.iter().enumerate() {
            let Some(at) = states.iter().position(|state| state.posted == reading.posted) else {
                story.fail(&format!(
                    "a reading of account {account:?} saw what never was: {:?}",
                    reading.posted
                ));
                continue;
            };
            let too_old = states[at + 1..].iter().any(|later| later.answered_ms < reading.asked_ms);
            let too_new = states[..=at].iter().any(|earlier| earlier.asked_ms > reading.answered_ms);
            let regress = readings[..number].iter().any(|earlier| {
                let newer = states.iter().position(|state| state.posted == earlier.posted) > Some(at);
                newer && earlier.answered_ms < reading.asked_ms
            });
            if too_old || regress {
                story.fail(&format!("a reading of account {account:?} was stale"));
            }
            if too_new {
                story.fail(&format!("a reading of account {account:?} saw the future"));
            }
        }
    }
}

/// What an account held after each event that touched it.
struct State {
    posted: (u128, u128),
    asked_ms: u64,
    answered_ms: u64,
}

fn states_of(orders: &[&Order], account: AccountId) -> Vec<State> {
    let mut states = vec![State { posted: (0, 0), asked_ms: 0, answered_ms: 0 }];
    let mut posted = (0_u128, 0_u128);
    for order in orders {
        let transfer = &order.transfer;
        let Some((answered_ms, result)) = order.answer else { continue };
        let moved =
            matches!(status_of(result), Some(CreateTransferStatus::Created | CreateTransferStatus::Exists));
        let only_state = TransferFlags::PENDING.bits() | TransferFlags::VOID_PENDING_TRANSFER.bits();
        if !moved || transfer.flags.bits() & only_state != 0 {
            continue;
        }
        let amount = transfer.amount.get();
        if transfer.debit_account_id == account {
            posted.0 += amount;
        } else if transfer.credit_account_id == account {
            posted.1 += amount;
        } else {
            continue;
        }
        states.push(State { posted, asked_ms: order.asked_ms, answered_ms });
    }
    states
}

/// Every replica against the model, account by account, and audited.
pub async fn judge_replicas(town: &Town, models: &BTreeMap<u32, Model>, accounts: &[AccountId]) {
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

/// Every transfer that was answered `posted` is found, under the stamp of its answer; nothing that was refused is.
pub async fn judge_presence(town: &Town, history: &History) {
    let Some(counter) = (0..town.places.len()).find_map(|index| town.counter(index)) else { return };
    for orders in history.orders.chunks(200) {
        let ids =
            orders.iter().map(|order| fen_api::records::halves(order.transfer.id.get()).unwrap_or_default());
        let question = wire::Ids { ids: ids.collect() };
        let found = loop {
            use fen_api::wire::ledger_server::Ledger;
            match counter.gateway.lookup_transfers(tonic::Request::new(question.clone())).await {
                Ok(found) => break found.into_inner().found,
                Err(status) => town.story.line(&format!("looking for transfers goes on: {status}")),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        for (order, found) in orders.iter().zip(found) {
            let Some((_, result)) = order.answer else { continue };
            let status = status_of(result);
            let posted = matches!(status, Some(CreateTransferStatus::Created | CreateTransferStatus::Exists));
            let id = order.transfer.id.get();
            match found.transfer {
                Some(found) if posted && found.timestamp == result.timestamp.get() => {}
                None if !posted => {}
                Some(_) if posted => town.story.fail(&format!("transfer {id} is found under another stamp")),
                Some(_) => town.story.fail(&format!("transfer {id} was refused and is found")),
                None => town.story.fail(&format!("transfer {id} was acknowledged and is lost")),
            }
        }
    }
}
