//! A ledger on a disk that fills up and rots.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use fen_ledger::{
    Account, AccountId, Amount, Code, CreateTransferStatus, Fault, Ledger, LedgerCode, Options, SystemClock,
    Transfer, TransferId,
};
use fen_store::checkpoint::PageStore;
use fen_store::disk::{Disk, MemoryDisk};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a checkpoint may be on its way.
const CHECKPOINT_MAX: Duration = Duration::from_mins(1);

/// Enough for several pages of the account table.
const ACCOUNTS: u128 = 2_000;

fn open(disk: &MemoryDisk) -> Result<Ledger, Fault> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options { checkpoint_bytes: 1 << 20, ..Options::default() };
    Ledger::open_on(&disk, Arc::new(SystemClock), &options)
}

fn open_accounts(ledger: &Ledger) {
    let account = |id| Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Account::default()
    };
    ledger.create_accounts(&(1..=ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
}

/// Posts one transfer for each id, between the first `accounts` accounts.
fn post(ledger: &Ledger, ids: std::ops::Range<u128>, accounts: u128) {
    let transfer = |id| Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(1 + id % accounts),
        credit_account_id: AccountId::new(1 + (id + 1) % accounts),
        amount: Amount::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(9),
        ..Transfer::default()
    };
    for batch in ids.collect::<Vec<_>>().chunks(4_000) {
        let transfers: Vec<Transfer> = batch.iter().map(|id| transfer(*id)).collect();
        for outcome in ledger.create_transfers(&transfers).unwrap() {
            assert_eq!(outcome.status, CreateTransferStatus::Created);
        }
    }
}

fn generation(disk: &MemoryDisk) -> u64 {
    PageStore::generations(disk, Path::new("checkpoint")).unwrap().last().copied().unwrap_or(0)
}

/// Posts until a checkpoint has been made, and gives the next free id.
fn post_until_checkpoint(disk: &MemoryDisk, ledger: &Ledger, mut id: u128) -> u128 {
    let before = generation(disk);
    // A thread beside writes it, which a busy machine may let wait.
    let deadline = Instant::now() + CHECKPOINT_MAX;
    while Instant::now() < deadline {
        post(ledger, id..id + 100, 10);
        id += 100;
        if generation(disk) > before {
            return id;
        }
    }
    panic!("a checkpoint is due after a megabyte");
}

#[test]
fn a_checkpoint_that_met_a_full_disk_is_not_lost() {
    let disk = MemoryDisk::new();
    let ledger = open(&disk).unwrap();
    open_accounts(&ledger);
    post(&ledger, 1..4_000, ACCOUNTS);
    disk.set_capacity(Some(disk.used_bytes()));
    // The log has room for these, the checkpoint that becomes due has not. Later ones touch few accounts.
    post(&ledger, 4_000..10_000, ACCOUNTS);
    post(&ledger, 10_000..30_000, 10);
    assert_eq!(generation(&disk), 0);
    assert_eq!(ledger.audit().unwrap().faults, Vec::<String>::new(), "reading goes on");
    disk.set_capacity(None);
    let next = post_until_checkpoint(&disk, &ledger, 30_000);
    post_until_checkpoint(&disk, &ledger, next);
    let digest = ledger.digest().unwrap();
    drop(ledger);
    disk.crash(7);
    let ledger = open(&disk).unwrap();
    assert!(ledger.recovery().checkpoint_index > 0);
    assert_eq!(ledger.digest().unwrap(), digest);
    assert_eq!(ledger.audit().unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_ledger_closes_on_a_full_disk() {
    let disk = MemoryDisk::new();
    let ledger = open(&disk).unwrap();
    open_accounts(&ledger);
    disk.set_capacity(Some(disk.used_bytes()));
    post(&ledger, 1..20_000, ACCOUNTS);
    let digest = ledger.digest().unwrap();
    drop(ledger);
    disk.set_capacity(None);
    disk.crash(1);
    assert_eq!(open(&disk).unwrap().digest().unwrap(), digest);
}

/// Flips a bit of the first account page in the newest checkpoint, or in the one before.
fn damage(disk: &MemoryDisk, generation: u64) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut store = PageStore::open_generation(shared, Path::new("checkpoint"), generation).unwrap();
    let current = store.current();
    let (_, placed) = current.pages().next().unwrap();
    assert!(disk.flip(Path::new("checkpoint/pages"), u64::from(placed.slot) * 65_536 + 99, 2));
}

#[test]
fn a_damaged_checkpoint_is_mended_from_the_one_before() {
    let disk = MemoryDisk::new();
    let mut ledger = open(&disk).unwrap();
    open_accounts(&ledger);
    let mut next = 1;
    for _ in 0..3 {
        next = post_until_checkpoint(&disk, &ledger, next);
    }
    let digest = ledger.digest().unwrap();
    // Twice: the log must reach back far enough after a restart too.
    for seed in 0..2 {
        drop(ledger);
        disk.crash(seed);
        ledger = open(&disk).unwrap();
        assert!(!ledger.recovery().newest_checkpoint_was_damaged);
    }
    drop(ledger);
    damage(&disk, generation(&disk));
    let ledger = open(&disk).unwrap();
    assert!(ledger.recovery().newest_checkpoint_was_damaged);
    assert_eq!(ledger.digest().unwrap(), digest);
    // The next checkpoint takes the damaged one's place.
    let next = post_until_checkpoint(&disk, &ledger, next);
    post_until_checkpoint(&disk, &ledger, next);
    let digest = ledger.digest().unwrap();
    drop(ledger);
    let ledger = open(&disk).unwrap();
    assert!(!ledger.recovery().newest_checkpoint_was_damaged);
    assert_eq!(ledger.digest().unwrap(), digest);
    drop(ledger);

    let newest = generation(&disk);
    damage(&disk, newest);
    damage(&disk, newest - 1);
    let fault = open(&disk).err().unwrap().to_string();
    assert!(fault.starts_with("cannot open the ledger: page 0 of table"), "{fault}");
}

#[test]
fn a_bit_that_rots_in_the_last_command_is_not_taken_for_a_torn_write() {
    let disk = MemoryDisk::new();
    let ledger = open(&disk).unwrap();
    open_accounts(&ledger);
    let id: u128 = 0xFEED_BEEF_0123_4567_89AB;
    post(&ledger, id..id + 1, ACCOUNTS);
    drop(ledger);
    let path = Path::new("log/00000000000000000001.wal");
    let mut head = vec![0; 1 << 20];
    disk.open(path).unwrap().read_at(&mut head, 0).unwrap();
    let at = head.windows(16).position(|window| window == id.to_le_bytes()).unwrap();
    assert!(disk.flip(path, at as u64, 0));
    let fault = open(&disk).err().unwrap().to_string();
    assert!(fault.contains("00000000000000000001.wal is damaged at byte"), "{fault}");
    assert!(disk.flip(path, at as u64, 0));
    assert_eq!(open(&disk).unwrap().lookup_transfers(&[TransferId::new(id)]).unwrap().len(), 1);
}
