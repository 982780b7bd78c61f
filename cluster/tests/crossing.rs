//! Transfers between shards, over three whole nodes, while the nodes that lead go away in mid-step.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod town;

use fen_api::wire::FeedRequest;
use fen_api::{Client, ClientFault, Feed};
use fen_book::clearing::{Step, clearing_account, step_id};
use fen_book::{
    Account, Amount, CreateTransferStatus as Status, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use fen_cluster::Limits;
use fen_ledger::export::ExportAsked;
use fen_ledger::search::Bounds;
use fen_ledger::{AccountSearch, Change, Direction, Period, Split, TransferSearch, TurnoverAsked};
use fen_proof::TreeHash;
use fen_proof::tree::{Head, check_consistency, check_inclusion};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use town::{BANK, CNY, Town, customer, pay, post};

const SHARDS: u32 = 3;
const CUSTOMERS: u64 = 24;

/// Everybody has a thousand.
async fn funded() -> Town {
    let limits = Limits { replay_mb: 1, ..Limits::default() };
    let town = Town::found_with(SHARDS, None, &limits).await;
    let customers: Vec<_> = (1..=CUSTOMERS).map(customer).collect();
    town.open(&[&[BANK][..], &customers].concat()).await;
    let fund = |number: u64| pay(u128::from(number), BANK, customer(number), 1_000);
    let funds: Vec<Transfer> = (1..=CUSTOMERS).map(fund).collect();
    for outcome in town.client.create_transfers(&funds).await.unwrap() {
        assert!(matches!(outcome.status, Status::Created | Status::Exists));
    }
    town
}

/// Waits until nothing is in flight, then adds up every clearing account over all shards.
async fn clearing_is_empty(client: &Client) {
    let pairs =
        (1..=SHARDS).flat_map(|one| (1..=SHARDS).filter_map(move |other| clearing_account(one, other, CNY)));
    let pairs: Vec<_> = pairs.collect();
    let quiet = async {
        loop {
            let accounts = client.lookup_accounts(&pairs).await.unwrap();
            let is_even = |account: &Account| {
                account.debits_posted == account.credits_posted
                    && (account.debits_pending, account.credits_pending) == (Amount::ZERO, Amount::ZERO)
            };
            if accounts.iter().flatten().all(is_even) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), quiet).await.expect("clearing comes to nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_between_shards_looks_like_any_other() {
    let town = funded().await;
    let client = &town.client;
    let batch: Vec<Transfer> = (0..200_u64)
        .map(|event| {
            let (debit, credit) = (event % CUSTOMERS, (event * 7 + 1 + event % CUSTOMERS) % CUSTOMERS);
            let credit = if credit == debit { (credit + 1) % CUSTOMERS } else { credit };
            pay(1_000 + u128::from(event), customer(debit + 1), customer(credit + 1), 3)
        })
        .collect();
    let first = client.create_transfers(&batch).await.unwrap();
    assert!(first.iter().all(|outcome| outcome.status == Status::Created), "{first:?}");
    let again = client.create_transfers(&batch).await.unwrap();
    assert!(
        again
            .iter()
            .zip(&first)
            .all(|(again, first)| { (again.status, again.timestamp) == (Status::Exists, first.timestamp) })
    );
    let ids: Vec<TransferId> = batch.iter().map(|transfer| transfer.id).collect();
    for ((found, asked), outcome) in
        client.lookup_transfers(&ids).await.unwrap().into_iter().zip(&batch).zip(&first)
    {
        assert_eq!(
            found,
            Some(Transfer { timestamp: outcome.timestamp, ..*asked }),
            "shown as it was asked for"
        );
    }
    let other = Transfer { amount: Amount::new(4), ..batch[0] };
    assert_eq!(post(client, other).await, Status::ExistsWithDifferentAmount);
    let elsewhere = (1..=CUSTOMERS).map(customer).find(|id| {
        !batch.iter().any(|transfer| [transfer.debit_account_id, transfer.credit_account_id].contains(id))
    });
    assert_eq!(elsewhere, None, "everybody takes part");
    clearing_is_empty(client).await;
    the_past_tells_each_once(client, &batch).await;

    // What crosses is refused as it would be at home, and stays refused.
    let (anna, bea) = crossing_pair(client, 5_000).await;
    assert_eq!(post(client, pay(6_000, anna, bea, 100_000)).await, Status::ExceedsCredits);
    assert_eq!(post(client, pay(6_000, anna, bea, 100_000)).await, Status::IdAlreadyFailed);
    let nobody = fen_book::AccountId::new(bea.get() + 1);
    assert_eq!(post(client, pay(6_001, anna, nobody, 1)).await, Status::CreditAccountNotFound);
    assert_eq!(post(client, pay(6_001, anna, nobody, 1)).await, Status::IdAlreadyFailed);
    assert_eq!(client.lookup_transfers(&[TransferId::new(6_001)]).await.unwrap(), [None]);
    let linked = Transfer { flags: TransferFlags::LINKED, ..pay(6_002, anna, bea, 1) };
    let chain = client.create_transfers(&[linked, pay(6_003, anna, BANK, 1)]).await.unwrap();
    assert!(chain.iter().all(|outcome| outcome.status == Status::LinkedEventsCrossShards));
    let clearing = clearing_account(1, 2, CNY).unwrap();
    let meddling = client.create_transfers(&[pay(6_004, anna, clearing, 1)]).await;
    assert!(matches!(meddling, Err(ClientFault::Refused(reason)) if reason.contains("event 0")));
    clearing_is_empty(client).await;
    let sums = client.turnover(&TurnoverAsked::default()).await.unwrap();
    assert_eq!(
        sums.lines.iter().map(|line| line.reserved_count).sum::<u64>(),
        0,
        "refused, so never reserved"
    );
    let held = Transfer { flags: TransferFlags::PENDING, ..pay(6_005, anna, bea, 2) };
    assert_eq!(post(client, held).await, Status::Created);
    let sums = client.turnover(&TurnoverAsked::default()).await.unwrap();
    assert_eq!(
        (sums.lines[0].reserved_count, sums.lines[0].reserved.get()),
        (1, Some(2)),
        "a customer's own"
    );
    let void =
        Transfer { pending_id: held.id, flags: TransferFlags::VOID_PENDING_TRANSFER, ..Transfer::default() };
    assert_eq!(post(client, Transfer { id: TransferId::new(6_006), ..void }).await, Status::Created);
    clearing_is_empty(client).await;
    let found = client.verify(&|_loans| ()).await.unwrap();
    assert!(found.faults.is_empty(), "{:?}", found.faults);
    assert!(found.crossed > 50, "{} of 200 have crossed", found.crossed);
}

/// Sums count a transfer between shards once; searches and exports tell every record of every shard once; and each
/// record is proved against its shard's head.
async fn the_past_tells_each_once(client: &Client, batch: &[Transfer]) {
    let paid = CUSTOMERS + u64::try_from(batch.len()).unwrap();
    let moved = u128::from(CUSTOMERS) * 1_000 + 3 * u128::try_from(batch.len()).unwrap();
    for split in [Split::Whole, Split::Days] {
        let sums = client.turnover(&TurnoverAsked { split, ..TurnoverAsked::default() }).await.unwrap();
        let [line] = &sums.lines[..] else { panic!("one code, one day: {sums:?}") };
        assert_eq!((line.posted_count, line.posted.get()), (paid, Some(moved)));
        assert_eq!((line.reserved_count, line.reserved.get()), (0, Some(0)));
    }
    let someone = customer(1);
    let theirs =
        |transfer: &&Transfer| [transfer.debit_account_id, transfer.credit_account_id].contains(&someone);
    let entries = 1 + u64::try_from(batch.iter().filter(theirs).count()).unwrap();
    let asked = TurnoverAsked { account_id: Some(someone), ..TurnoverAsked::default() };
    let sums = client.turnover(&asked).await.unwrap();
    assert_eq!((sums.lines[0].posted_count, sums.lines[0].reserved_count), (entries, 0));

    for direction in [Direction::OldestFirst, Direction::NewestFirst] {
        let search = TransferSearch { direction, limit: 7, ..TransferSearch::default() };
        let (mut seen, mut stamps, mut after) = (BTreeSet::new(), Vec::new(), Some(String::new()));
        while let Some(from) = after {
            let (page, next) = client.search_transfers(&search, &Period::All, &from).await.unwrap();
            for transfer in page {
                assert!(seen.insert(transfer.id.get()), "{transfer:?} is told twice");
                stamps.push(transfer.timestamp);
            }
            after = next;
        }
        assert!(batch.iter().all(|transfer| seen.contains(&transfer.id.get())));
        if direction == Direction::NewestFirst {
            stamps.reverse();
        }
        assert!(stamps.is_sorted());
    }
    let own = AccountSearch { debits_posted: Bounds::only(Amount::new(24_000)), ..AccountSearch::default() };
    let own = AccountSearch { limit: 10, ..own };
    let (found, _) = client.search_accounts(&own, &Period::All, "").await.unwrap();
    assert_eq!(found.iter().map(|account| account.id).collect::<Vec<_>>(), [BANK], "the sum of its parts");

    let (mut rows, mut after) = (BTreeMap::new(), String::new());
    loop {
        let page = client.export(&ExportAsked::default(), &after).await.unwrap();
        for message in &page.lines {
            let (shard, line) = fen_api::export::export_line(message).unwrap();
            assert!(rows.insert((shard, line.number.get()), line.record).is_none(), "told twice");
        }
        if page.next.is_empty() {
            break;
        }
        after = page.next;
    }
    let heads = client.heads(0, true).await.unwrap();
    assert_eq!(heads.iter().map(|(_, head)| head.head.size).sum::<u64>(), u64::try_from(rows.len()).unwrap());
    let id = batch[0].id;
    for (shard, head) in &heads {
        let told = client.inclusion(*shard, id, head.head.size).await.unwrap();
        let is_here = rows.iter().any(|((of, _), record)| of == shard && record.id == id);
        assert_eq!(is_here, told.is_covered);
        if is_here {
            let path = fen_api::proofs::path(&told.path).unwrap();
            let leaf = TreeHash::leaf(&told.record);
            check_inclusion(&leaf, told.index, head.head.size, &path, &head.head.root).unwrap();
        }
        let older = head.head.size / 2;
        let told = client.consistency(*shard, older, head.head.size).await.unwrap();
        let path = fen_api::proofs::path(&told.path).unwrap();
        let older = Head { size: older, root: fen_api::proofs::hash(&told.older_root).unwrap() };
        check_consistency(&older, &head.head, &path).unwrap();
    }
}

/// Two customers on different shards: a transfer between them has a leg.
async fn crossing_pair(client: &Client, id: u128) -> (fen_book::AccountId, fen_book::AccountId) {
    for number in 2..=CUSTOMERS {
        let id = id + u128::from(number);
        assert_eq!(post(client, pay(id, customer(1), customer(number), 1)).await, Status::Created);
        let leg = step_id(TransferId::new(id), Step::Leg);
        if client.lookup_transfers(&[leg]).await.unwrap()[0].is_some() {
            return (customer(1), customer(number));
        }
    }
    panic!("{CUSTOMERS} customers on {SHARDS} shards")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_between_shards_is_posted_voided_and_lapses() {
    let town = funded().await;
    let client = &town.client;
    let (anna, bea) = crossing_pair(client, 5_000).await;
    let pending = |id| Transfer { flags: TransferFlags::PENDING, ..pay(id, anna, bea, 40) };
    let end = |id, of: u128, flags, amount| Transfer {
        pending_id: TransferId::new(of),
        amount: Amount::new(amount),
        flags,
        ..Transfer { id: TransferId::new(id), ..Transfer::default() }
    };
    let (post_it, void) = (TransferFlags::POST_PENDING_TRANSFER, TransferFlags::VOID_PENDING_TRANSFER);
    let before = (town.balance(anna).await, town.balance(bea).await);
    assert_eq!(post(client, pending(100)).await, Status::Created);
    let (account, pendings) = client.position(bea).await.unwrap().unwrap();
    assert_eq!((account.credits_pending.get(), pendings.len()), (40, 1));
    assert_eq!(post(client, end(101, 100, post_it, 25)).await, Status::Created);
    assert_eq!(post(client, end(101, 100, post_it, 25)).await, Status::Exists);
    assert_eq!((town.balance(anna).await, town.balance(bea).await), (before.0 - 25, before.1 + 25));
    assert_eq!(post(client, end(102, 100, void, 0)).await, Status::PendingTransferAlreadyPosted);
    // Named in full, reserved and voided in one batch.
    let named = Transfer { pending_id: TransferId::new(200), flags: void, ..pay(201, anna, bea, 0) };
    let both = client.create_transfers(&[pending(200), named]).await.unwrap();
    assert!(both.iter().all(|outcome| outcome.status == Status::Created), "{both:?}");
    let found = client.lookup_transfers(&[TransferId::new(200), TransferId::new(201)]).await.unwrap();
    assert!(
        found.iter().flatten().all(|shown| (shown.debit_account_id, shown.credit_account_id) == (anna, bea))
    );
    assert_eq!(found.iter().flatten().count(), 2);
    let short = Transfer { timeout: TimeoutSeconds::new(1), ..pending(300) };
    assert_eq!(post(client, short).await, Status::Created);
    clearing_is_empty(client).await;
    assert_eq!(post(client, end(301, 300, post_it, 1)).await, Status::PendingTransferExpired);
    assert_eq!((town.balance(anna).await, town.balance(bea).await), (before.0 - 25, before.1 + 25));
}

/// Pays to and fro until told to stop; what was acknowledged, and with which status.
async fn keep_paying(
    client: Client,
    number: u64,
    stop: tokio::sync::watch::Receiver<bool>,
) -> Vec<(Transfer, Status)> {
    let mut done = Vec::new();
    let mut word = number;
    while !*stop.borrow() {
        let batch: Vec<Transfer> = (0..8)
            .map(|_| {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let debit = (word >> 33) % CUSTOMERS;
                let credit = (debit + 1 + (word >> 45) % (CUSTOMERS - 1)) % CUSTOMERS;
                let id = u128::from(number) << 64 | u128::from(word);
                pay(id, customer(debit + 1), customer(credit + 1), u128::from((word >> 20) % 300))
            })
            .collect();
        let outcomes = client.create_transfers(&batch).await.unwrap();
        done.extend(batch.into_iter().zip(outcomes.into_iter().map(|outcome| outcome.status)));
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_in_mid_step_every_transfer_is_settled_once() {
    let mut town = funded().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let clients: Vec<_> = (1..=3)
        .map(|number| tokio::spawn(keep_paying(town.client.clone(), number, stopped.clone())))
        .collect();
    for round in 0..6_u32 {
        let leader = loop {
            if let Some(leader) =
                town.leader_of(round % SHARDS + 1).filter(|index| town.nodes[*index].is_some())
            {
                break leader;
            }
            tokio::task::yield_now().await;
        };
        town.kill(leader);
        town.start(leader).await;
    }
    stop.send(true).unwrap();
    let mut done = Vec::new();
    for client in clients {
        done.extend(client.await.unwrap());
    }
    clearing_is_empty(&town.client).await;
    let mut expected: BTreeMap<_, i128> = (1..=CUSTOMERS).map(|number| (customer(number), 1_000)).collect();
    for (transfer, status) in &done {
        if matches!(status, Status::Created | Status::Exists) {
            let amount = i128::try_from(transfer.amount.get()).unwrap();
            *expected.get_mut(&transfer.debit_account_id).unwrap() -= amount;
            *expected.get_mut(&transfer.credit_account_id).unwrap() += amount;
        } else {
            let cover = matches!(status, Status::ExceedsCredits | Status::IdAlreadyFailed);
            assert!(cover, "{status} to {transfer:?}");
        }
    }
    for (account, balance) in expected {
        assert_eq!(i128::try_from(town.balance(account).await).unwrap(), balance, "{account:?}");
    }
    for some in done.chunks(500) {
        let ids: Vec<TransferId> = some.iter().map(|(transfer, _)| transfer.id).collect();
        for (found, (asked, status)) in
            town.client.lookup_transfers(&ids).await.unwrap().into_iter().zip(some)
        {
            assert_eq!(found.is_some(), matches!(status, Status::Created | Status::Exists), "{asked:?}");
        }
    }
    println!("{} transfers, each settled once", done.len());
}

/// What a feed tells of transfers from a position on, as often as it is told, until all is told or `wanted` are; and the
/// position of the last page.
async fn told(mut feed: Feed, wanted: usize) -> (BTreeMap<u128, u32>, String) {
    let (mut seen, mut position) = (BTreeMap::new(), String::new());
    while seen.len() < wanted {
        let Some(page) = feed.page().await.unwrap() else { break };
        for change in &page.changes {
            if let Some(Change::Transfer(transfer)) = fen_api::feed::change(change).unwrap() {
                *seen.entry(transfer.id.get()).or_default() += 1;
            }
        }
        position = page.position;
    }
    (seen, position)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_tells_every_change_once_and_waits_for_what_comes() {
    let mut town = funded().await;
    let client = town.client.clone();
    let asked = |from: &str, follow| FeedRequest { from: from.to_owned(), follow, ..FeedRequest::default() };
    let (all, position) = told(client.feed(asked("", false)), usize::MAX).await;
    assert_eq!(all, (1..=CUSTOMERS).map(|id| (u128::from(id), 1)).collect());
    let (none, same) = told(client.feed(asked(&position, false)), usize::MAX).await;
    assert_eq!((none.len(), same.as_str()), (0, position.as_str()), "nothing happened since");
    let filtered = FeedRequest { code: Some(99), ..asked("", false) };
    let (none, same) = told(client.feed(filtered), usize::MAX).await;
    assert_eq!((none.len(), same.as_str()), (0, position.as_str()), "what is left out moves it on too");
    for position in ["9:0.0.0", "1:9999.0.7", "what"] {
        let mut feed = client.feed(asked(position, false));
        // Other shards may have told theirs before one refuses its mark.
        let refused = loop {
            match feed.page().await {
                Ok(Some(_others)) => {}
                ended => break ended,
            }
        };
        assert!(matches!(&refused, Err(ClientFault::Refused(_))), "{position}: {refused:?}");
    }

    let reading = tokio::spawn(told(client.feed(asked(&position, true)), 60));
    for id in 0..60_u64 {
        if id == 30 {
            let leader = town.leader_of(1).unwrap();
            town.kill(leader);
            town.start(leader).await;
        }
        let transfer = pay(u128::from(2_000 + id), BANK, customer(1 + id % CUSTOMERS), 1);
        assert!(matches!(post(&client, transfer).await, Status::Created | Status::Exists));
    }
    let reading = tokio::time::timeout(Duration::from_secs(30), reading);
    let (followed, _) = reading.await.expect("what happens is told").unwrap();
    assert_eq!(followed, (2_000..2_060).map(|id| (id, 1)).collect());
}
