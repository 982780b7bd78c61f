//! Three whole nodes in this process, called by the client over gRPC.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod town;

use fen_api::{ClientFault, wire};
use fen_book::{
    AccountFilter, AccountId, CreateTransferStatus, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use fen_cluster::Limits;
use fen_net::Authority;
use fen_store::disk::MemoryDisk;
use fen_store::segment::{SegmentHash, parse_file_name};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use town::{BANK, Town, customer, pay, post};

#[tokio::test(flavor = "multi_thread")]
async fn money_is_right_whoever_leads_and_after_everybody_was_gone() {
    let mut town = Town::found(1, None).await;
    let (anna, baker) = (customer(1), customer(2));
    town.open(&[BANK, anna, baker]).await;
    let mut id = 0;
    for round in 0..3_u128 {
        for _payment in 0..10 {
            id += 1;
            assert_eq!(post(&town.client, pay(id, BANK, anna, 100)).await, CreateTransferStatus::Created);
        }
        let leader = town.leader_of(1).unwrap();
        town.stop(leader).await;
        id += 1;
        let status = post(&town.client, pay(id, anna, baker, 10)).await;
        assert!(matches!(status, CreateTransferStatus::Created | CreateTransferStatus::Exists), "{status}");
        assert_eq!(post(&town.client, pay(id, anna, baker, 10)).await, CreateTransferStatus::Exists);
        assert_eq!(town.balance(anna).await, (round + 1) * 990);
        town.start(leader).await;
    }
    assert_eq!(post(&town.client, pay(99, baker, anna, 1_000)).await, CreateTransferStatus::ExceedsCredits);
    for index in 0..3 {
        town.stop(index).await;
    }
    for index in 0..3 {
        town.start(index).await;
    }
    assert_eq!((town.balance(anna).await, town.balance(baker).await), (2_970, 30));
    assert_eq!(post(&town.client, pay(99, baker, anna, 1_000)).await, CreateTransferStatus::IdAlreadyFailed);
    let filter = AccountFilter { account_id: baker, limit: 10, credits: true, ..AccountFilter::default() };
    let entries = town.client.account_transfers(&filter).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.id.get()).collect::<Vec<_>>(), [11, 22, 33]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_share_parcels_and_each_gets_its_own_answer() {
    let town = Town::found(1, None).await;
    let customers: Vec<AccountId> = (1..=32).map(customer).collect();
    town.open(&[&[BANK][..], &customers].concat()).await;
    let mut tasks = Vec::new();
    for (number, id) in (1_u128..).zip(customers.clone()) {
        let client = town.client.clone();
        tasks.push(tokio::spawn(async move {
            for payment in 0..50 {
                // An open chain of one client is refused, and never swallows another's transfer.
                let chained = Transfer { flags: TransferFlags::LINKED, ..pay(1, BANK, id, 5) };
                let status = post(&client, chained).await;
                assert_eq!(status, CreateTransferStatus::LinkedEventChainOpen);
                let status = post(&client, pay(number << 64 | (payment + 1), BANK, id, number)).await;
                assert_eq!(status, CreateTransferStatus::Created);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for (number, id) in (1_u128..).zip(customers) {
        assert_eq!(town.balance(id).await, 50 * number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_split_by_shard_under_mutual_tls() {
    let authority = Authority::create().unwrap();
    let town = Town::found(4, Some(&authority)).await;
    let customers: Vec<AccountId> = (1..=40).map(customer).collect();
    town.open(&[&[BANK][..], &customers].concat()).await;
    let salaries: Vec<Transfer> =
        (1_u128..).zip(&customers).map(|(id, customer)| pay(id, BANK, *customer, id * 100)).collect();
    let outcomes = town.client.create_transfers(&salaries).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.status == CreateTransferStatus::Created));
    let again = town.client.create_transfers(&salaries).await.unwrap();
    for (first, second) in outcomes.iter().zip(&again) {
        assert_eq!((second.status, second.timestamp), (CreateTransferStatus::Exists, first.timestamp));
    }
    let bank = town.client.lookup_accounts(&[BANK]).await.unwrap()[0].unwrap();
    assert_eq!(bank.debits_posted.get(), (1..=40).map(|id| id * 100).sum::<u128>(), "its parts add up");
    let found = town.client.lookup_transfers(&[TransferId::new(7), TransferId::new(77)]).await.unwrap();
    assert_eq!((found[0].unwrap().amount.get(), found[1]), (700, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_lapses_by_itself_and_wrong_requests_are_refused_with_their_reason() {
    let town = Town::found(1, None).await;
    let anna = customer(1);
    town.open(&[BANK, anna]).await;
    let pending =
        Transfer { flags: TransferFlags::PENDING, timeout: TimeoutSeconds::new(1), ..pay(1, BANK, anna, 70) };
    assert_eq!(post(&town.client, pending).await, CreateTransferStatus::Created);
    let (_account, pendings) = town.client.position(anna).await.unwrap().unwrap();
    assert_eq!(pendings.len(), 1);
    let lapsed = async {
        while !town.client.position(anna).await.unwrap().unwrap().1.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), lapsed).await.unwrap();
    let odd = town.client.submit(wire::RecordKind::Transfers, vec![0; 127].into()).await;
    assert!(matches!(odd, Err(ClientFault::Refused(reason)) if reason.contains("127 bytes")));
    let many = vec![pay(1, BANK, anna, 1); 8_190];
    assert!(matches!(town.client.create_transfers(&many).await, Err(ClientFault::Refused(_))));
    let full: Vec<Transfer> = (10..10 + 8_189).map(|id| pay(id, BANK, anna, 1)).collect();
    let outcomes = town.client.create_transfers(&full).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.status == CreateTransferStatus::Created));
    assert_eq!(town.balance(anna).await, 8_189);
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_free_the_log_and_a_member_that_missed_it_gets_the_books_whole() {
    let limits = Limits { replay_mb: 2, kept_entries: 2, ..Limits::default() };
    let mut town = Town::found_with(1, None, &limits).await;
    let (anna, baker) = (customer(1), customer(2));
    town.open(&[BANK, anna, baker]).await;
    let late = (town.leader_of(1).unwrap() + 1) % 3;
    town.stop(late).await;
    let mut id = 0;
    // More than one chunk of the journal, so that segments travel too.
    for _batch in 0..10 {
        let batch: Vec<Transfer> = (id + 1..=id + 8_000).map(|id| pay(id, BANK, anna, 1)).collect();
        id += 8_000;
        let outcomes = town.client.create_transfers(&batch).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.status == CreateTransferStatus::Created));
    }
    let purged = |town: &Town, index: usize| {
        let manifest = town.configs[index].data.join("shards/1/0/checkpoint");
        std::fs::read_dir(manifest).unwrap().count() > 1
    };
    let leader = town.leader_of(1).unwrap();
    while !purged(&town, leader) {
        tokio::task::yield_now().await;
    }
    town.start(late).await;
    let other = (0..3).find(|index| *index != late && *index != leader).unwrap();
    town.stop(other).await;
    // The late member is needed for a majority now: an answer means that it has caught up.
    assert_eq!(post(&town.client, pay(id + 1, anna, baker, 5)).await, CreateTransferStatus::Created);
    let taken_in = town.configs[late].data.join("shards/1/1/checkpoint");
    assert!(std::fs::read_dir(taken_in).unwrap().count() > 0, "it got the books whole, not entry by entry");
    town.stop(leader).await;
    town.start(other).await;
    assert_eq!((town.balance(anna).await, town.balance(baker).await), (79_995, 5));
    assert_eq!(post(&town.client, pay(1, BANK, anna, 1)).await, CreateTransferStatus::Exists);
    let found = town.client.lookup_transfers(&[TransferId::new(1), TransferId::new(id + 1)]).await.unwrap();
    assert!(found.iter().all(Option::is_some), "from a sealed segment, and young");
    let filter = AccountFilter { account_id: anna, limit: 3, credits: true, ..AccountFilter::default() };
    let entries = town.client.account_transfers(&filter).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.id.get()).collect::<Vec<_>>(), [1, 2, 3]);
    for index in [late, other] {
        town.stop(index).await;
    }
    for index in 0..3 {
        town.start(index).await;
    }
    assert_eq!((town.balance(anna).await, town.balance(baker).await), (79_995, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_no_writes_answers_reads_and_goes_on_when_there_is_room() {
    let limits = Limits { segment_mb: 4, replay_mb: 3, ..Limits::default() };
    let disks: Vec<Arc<MemoryDisk>> = (0..3).map(|_| Arc::default()).collect();
    let town = Town::found_on(disks, 1, None, &limits).await;
    let anna = customer(1);
    town.open(&[BANK, anna]).await;
    let batch = |number: u128| -> Vec<Transfer> {
        (number * 8_000 + 1..=(number + 1) * 8_000).map(|id| pay(id, BANK, anna, 1)).collect()
    };
    town.client.create_transfers(&batch(0)).await.unwrap();
    for disk in &town.disks {
        disk.set_capacity(Some(disk.used_bytes()));
    }
    let mut full = 0;
    let told = loop {
        full += 1;
        assert!(full < 40, "files in reserve and half a checkpoint are all that it can have had room for");
        if let Err(fault) = town.client.create_transfers(&batch(full)).await {
            break fault;
        }
    };
    assert!(matches!(&told, ClientFault::NoRoom(reason) if reason.contains("is full")), "{told}");
    let known = town.balance(anna).await;
    assert!(known == full * 8_000 || known == (full + 1) * 8_000, "{known} after {full} batches");
    let more = town.client.create_transfers(&batch(full + 1)).await;
    assert!(matches!(more, Err(ClientFault::NoRoom(_))), "it says so at once");
    for disk in &town.disks {
        disk.set_capacity(None);
    }
    let goes_on = async {
        loop {
            match town.client.create_transfers(&batch(full)).await {
                Ok(outcomes) => return outcomes,
                Err(ClientFault::NoRoom(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(fault) => panic!("{fault}"),
            }
        }
    };
    let outcomes = tokio::time::timeout(Duration::from_secs(30), goes_on).await.unwrap();
    let is_there = |status| matches!(status, CreateTransferStatus::Created | CreateTransferStatus::Exists);
    assert!(outcomes.iter().all(|outcome| is_there(outcome.status)));
    assert_eq!(town.balance(anna).await, (full + 1) * 8_000);
    let verified = town.client.verify(&|_loans| ()).await.unwrap();
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
}

/// Turns a bit in the middle of the first segment.
fn flip(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|kind| kind == "seg")).collect();
    files.sort();
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
    files.swap_remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_pages_and_segments_are_mended_from_the_other_members() {
    let limits = Limits { replay_mb: 2, kept_entries: 2, ..Limits::default() };
    let mut town = Town::found_with(1, None, &limits).await;
    let anna = customer(1);
    town.open(&[BANK, anna]).await;
    for batch in 0..10_u128 {
        let batch: Vec<Transfer> =
            (batch * 8_000 + 1..=(batch + 1) * 8_000).map(|id| pay(id, BANK, anna, 1)).collect();
        town.client.create_transfers(&batch).await.unwrap();
    }
    let hurt = (town.leader_of(1).unwrap() + 1) % 3;
    let books = town.configs[hurt].data.join("shards/1");
    let has_segment = |folder: PathBuf| {
        let files = std::fs::read_dir(folder).into_iter().flatten();
        files.flatten().any(|file| file.path().extension().is_some_and(|kind| kind == "seg"))
    };
    while !has_segment(books.join("0/journal"))
        || !std::fs::read_dir(books.join("0/checkpoint"))
            .unwrap()
            .any(|file| file.unwrap().file_name().to_str().unwrap().starts_with("MANIFEST-"))
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    town.stop(hurt).await;
    let segment = flip(&books.join("0/journal"));
    let name = segment.file_name().unwrap().to_owned();
    town.start(hurt).await;
    let (_, hash) = parse_file_name(name.to_str().unwrap()).unwrap();
    let sound = async {
        while SegmentHash::of(&std::fs::read(&segment).unwrap_or_default()) != hash {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), sound).await.expect("the segment is mended");
    // Now the pages: the books cannot be opened, and come whole; the segment that is sound is taken along.
    town.stop(hurt).await;
    let pages = std::fs::read(books.join("0/checkpoint/pages")).unwrap();
    std::fs::write(books.join("0/checkpoint/pages"), vec![7; pages.len()]).unwrap();
    town.start(hurt).await;
    let all_well = async {
        loop {
            let verified = town.client.verify(&|_loans| ()).await.unwrap();
            if verified.members.len() == 3 && verified.faults.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_well).await.expect("all members have one digest");
    // What is no damage is left to the operator: the books stay where they are.
    town.stop(hurt).await;
    std::fs::rename(books.join("1/checkpoint"), books.join("1/aside")).unwrap();
    std::fs::write(books.join("1/checkpoint"), b"a file where the folder was").unwrap();
    town.start(hurt).await;
    let seen = async {
        while town.client.verify(&|_loans| ()).await.unwrap().members.len() != 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("the shard is not served there");
    assert!(!books.join("2").exists() && books.join("1/aside").exists(), "nothing is fetched");
    assert!(books.join("1/journal").join(name).exists(), "in a folder of its own");
    assert_eq!(town.balance(anna).await, 80_000);
}
