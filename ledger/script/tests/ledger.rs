//! Every script on the whole ledger: in memory; and on a disk, closed, killed and cut off from power between its lines
//! wherever a seed says so, with a checkpoint at every turn.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use fen_book::{
    Account, AccountFilter, AccountId, BalanceLine, Command, Position, QueryFilter, Reply, Stamp, Transfer,
    TransferId,
};
use fen_ledger::{Body, Clock, Ledger, LoanView, Options};
use fen_script::Subject;
use fen_script::golden::{self, Blessing};
use fen_store::disk::{Disk, MemoryDisk};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that stands still until it is set.
#[derive(Default)]
struct Dial(AtomicU64);

impl Clock for Dial {
    fn now(&self) -> Stamp {
        Stamp::new(self.0.load(Ordering::SeqCst))
    }
}

/// A ledger on a disk in memory, and what happens to it.
struct OnDisk {
    ledger: Option<Ledger>,
    disk: MemoryDisk,
    dial: Arc<Dial>,
    /// The stamp of the last event or tick. The dial shows it to readers.
    clock: Stamp,
    dice: u64,
}

impl OnDisk {
    fn new(start: Stamp, seed: u64) -> Self {
        let dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let dial = Arc::new(Dial(AtomicU64::new(start.get())));
        let mut fresh = Self { ledger: None, disk: MemoryDisk::new(), dial, clock: start, dice };
        fresh.open();
        fresh
    }

    fn open(&mut self) {
        // A checkpoint is due as soon as anything was logged.
        let options = Options { checkpoint_bytes: 1, ..Options::default() };
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let clock: Arc<dyn Clock> = self.dial.clone();
        let ledger = Ledger::open_on(&disk, clock, &options);
        self.ledger = Some(ledger.unwrap_or_else(|fault| panic!("the ledger opens again: {fault}")));
    }

    fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().expect("the ledger is open")
    }

    fn below(&mut self, n: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % n
    }
}

impl Subject for OnDisk {
    fn between_lines(&mut self) {
        match self.below(12) {
            0 => {}
            1 => self.disk.kill(),
            2 => {
                let seed = self.below(1 << 40);
                self.disk.crash(seed);
            }
            _ => return,
        }
        drop(self.ledger.take());
        self.open();
    }

    fn apply(&mut self, command: &Command<'_>) -> Reply {
        self.clock = Stamp::new(self.clock.get() + command.stamp_count() as u64);
        self.dial.0.store(self.clock.get(), Ordering::SeqCst);
        answer(self.ledger(), command)
    }
    fn tick(&mut self, nanoseconds: u64) {
        self.clock = Stamp::new(self.clock.get() + nanoseconds);
        self.dial.0.store(self.clock.get(), Ordering::SeqCst);
    }
    fn clock(&self) -> Stamp {
        self.clock
    }
    fn lookup_accounts(&mut self, ids: &[AccountId]) -> Vec<Option<Account>> {
        self.ledger().lookup_accounts(ids).unwrap()
    }
    fn lookup_transfers(&mut self, ids: &[TransferId]) -> Vec<Option<Transfer>> {
        self.ledger().lookup_transfers(ids).unwrap()
    }
    fn position(&mut self, id: AccountId) -> Option<Position> {
        self.ledger().lookup_positions(&[id]).unwrap().remove(0)
    }
    fn account_transfers(&mut self, filter: &AccountFilter) -> Vec<Transfer> {
        self.ledger().account_transfers(filter).unwrap()
    }
    fn account_balances(&mut self, filter: &AccountFilter) -> Vec<BalanceLine> {
        self.ledger().account_balances(filter).unwrap()
    }
    fn query_accounts(&mut self, filter: &QueryFilter) -> Vec<Account> {
        self.ledger().query_accounts(filter).unwrap()
    }
    fn query_transfers(&mut self, filter: &QueryFilter) -> Vec<Transfer> {
        self.ledger().query_transfers(filter).unwrap()
    }
    fn loan(&mut self, id: u128) -> Option<LoanView> {
        self.ledger().lookup_loans(&[id]).unwrap().remove(0)
    }
    fn loan_faults(&mut self) -> Vec<String> {
        self.ledger().audit().unwrap().faults
    }
}

/// A ledger in memory.
struct InMemory(Ledger);

impl Subject for InMemory {
    fn apply(&mut self, command: &Command<'_>) -> Reply {
        answer(&self.0, command)
    }
    fn tick(&mut self, nanoseconds: u64) {
        self.0.tick(nanoseconds).unwrap();
    }
    fn clock(&self) -> Stamp {
        self.0.clock()
    }
    fn lookup_accounts(&mut self, ids: &[AccountId]) -> Vec<Option<Account>> {
        self.0.lookup_accounts(ids).unwrap()
    }
    fn lookup_transfers(&mut self, ids: &[TransferId]) -> Vec<Option<Transfer>> {
        self.0.lookup_transfers(ids).unwrap()
    }
    fn position(&mut self, id: AccountId) -> Option<Position> {
        self.0.lookup_positions(&[id]).unwrap().remove(0)
    }
    fn account_transfers(&mut self, filter: &AccountFilter) -> Vec<Transfer> {
        self.0.account_transfers(filter).unwrap()
    }
    fn account_balances(&mut self, filter: &AccountFilter) -> Vec<BalanceLine> {
        self.0.account_balances(filter).unwrap()
    }
    fn query_accounts(&mut self, filter: &QueryFilter) -> Vec<Account> {
        self.0.query_accounts(filter).unwrap()
    }
    fn query_transfers(&mut self, filter: &QueryFilter) -> Vec<Transfer> {
        self.0.query_transfers(filter).unwrap()
    }
    fn loan(&mut self, id: u128) -> Option<LoanView> {
        self.0.lookup_loans(&[id]).unwrap().remove(0)
    }
    fn loan_faults(&mut self) -> Vec<String> {
        self.0.audit().unwrap().faults
    }
}

fn answer(ledger: &Ledger, command: &Command<'_>) -> Reply {
    let body = match command {
        Command::CreateAccounts(events) => Body::Accounts(events.to_vec()),
        Command::CreateTransfers(events) => Body::Transfers(events.to_vec()),
        Command::CreateTransfersWithBalances(events) => Body::TransfersWithBalances(events.to_vec()),
        Command::OpenAccounts(events) => Body::Openings(events.to_vec()),
        Command::SetLimits(events) => Body::Limits(events.to_vec()),
        Command::EndChains(events) => Body::ChainEnds(events.to_vec()),
        Command::Loans(body) => Body::Loans(body.to_vec()),
        Command::Batch(body) => Body::Batch(body.to_vec()),
        Command::Pulse => Body::Pulse,
    };
    ledger.submit(body).unwrap().wait().unwrap()
}

/// Every script, of accounts and transfers and of loans.
fn stories() -> Vec<PathBuf> {
    let mut paths = golden::all().unwrap();
    paths.extend(golden::loans().unwrap());
    paths
}

#[test]
fn the_ledger_in_memory_answers_as_blessed() {
    for path in stories() {
        let open = |start| Box::new(InMemory(Ledger::in_memory(start))) as Box<dyn Subject>;
        golden::script(&path, Blessing::Check, open).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_ledger_on_disk_answers_as_blessed_whatever_befalls_it() {
    let given = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let all = 0..given("FEN_SEEDS").unwrap_or(1);
    let seeds = given("FEN_SEED").map_or(all, |seed| seed..seed + 1);
    println!("seeds {seeds:?}");
    for seed in seeds {
        for path in stories() {
            let open = |start| Box::new(OnDisk::new(start, seed)) as Box<dyn Subject>;
            golden::script(&path, Blessing::Check, open)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
    }
}
