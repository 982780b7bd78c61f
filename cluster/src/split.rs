//! One client's batch as parts for several shards, and their results as one.
//!
//! The order of events is kept within each shard; one from shard to shard stands where its payer's shard has it. A
//! linked chain stays whole, so all its members must belong to one shard. With one shard nothing is split or copied.

use crate::crossing::orders::{ACROSS, across};
use crate::directory::Directory;
use crate::route::{self, Home, Path};
use bytes::{BufMut, Bytes, BytesMut};
use fen_api::records::{self, PackedResult, RECORD_BYTES, RESULT_BYTES};
use fen_book::clearing::is_clearing;
use fen_book::command::kind;
use fen_book::{
    Account, AccountFlags, AccountId, AccountOpening, ChainEnd, CreateTransferStatus, LimitChange, Stamp,
    Transfer, TransferFlags, TransferId,
};
use fen_raft::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use zerocopy::{FromBytes, IntoBytes};

/// A part of a batch for one shard.
#[derive(Default, Debug)]
pub struct Part {
    /// The records.
    pub records: BytesMut,
    /// Which events of the batch they are.
    pub events: Vec<usize>,
    /// Whether any of them goes to another shard, or may end one that did.
    pub crosses: bool,
}

/// A batch's parts by shard.
pub type Parts = BTreeMap<GroupId, Part>;

/// Where one event goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    On(GroupId),
    Everywhere,
}

fn unknown_slot() -> String {
    "the cluster has not been founded yet".to_owned()
}

/// A batch of accounts in parts. The bank's own accounts go to every shard.
pub fn accounts(directory: &Directory, records: &[u8]) -> Result<Parts, String> {
    let mut places = Vec::with_capacity(records.len() / RECORD_BYTES);
    let mut linked = Vec::with_capacity(places.capacity());
    let groups: Vec<GroupId> = directory.shards.iter().map(|shard| GroupId(shard.group)).collect();
    let first = *groups.first().ok_or_else(unknown_slot)?;
    for record in records.chunks_exact(RECORD_BYTES) {
        let account = Account::read_from_bytes(record).map_err(|_| "an account's size")?;
        places.push(match route::home(account.id) {
            Home::Slot(slot) => Place::On(directory.shard_of(slot).ok_or_else(unknown_slot)?),
            Home::Everywhere => Place::Everywhere,
            // No account has such an id: any shard can say so.
            Home::Inherited => Place::On(first),
        });
        linked.push(account.flags.contains(AccountFlags::LINKED));
    }
    chains_stay_whole(&places, &linked)?;
    Ok(gather(records, RECORD_BYTES, &places, &groups))
}

/// Accounts with limits and opening balances in parts, and how many events they are.
pub fn openings(directory: &Directory, records: &[u8]) -> Result<(usize, Parts), String> {
    let groups: Vec<GroupId> = directory.shards.iter().map(|shard| GroupId(shard.group)).collect();
    let first = *groups.first().ok_or_else(unknown_slot)?;
    let (mut places, mut linked) = (Vec::new(), Vec::new());
    for (event, record) in records.chunks_exact(size_of::<AccountOpening>()).enumerate() {
        let opening = AccountOpening::read_from_bytes(record).map_err(|_| "an opening's size")?;
        let group = match route::home(opening.account.id) {
            Home::Slot(slot) => directory.shard_of(slot).ok_or_else(unknown_slot)?,
            Home::Everywhere if groups.len() > 1 => {
                return Err(format!(
                    "openings[{event}].account.id: the bank's own accounts have a part on every shard; open it                      without a limit and a balance, and post transfers"
                ));
            }
            Home::Everywhere | Home::Inherited => first,
        };
        if opening.has_balance()
            && let Home::Slot(slot) = route::home(opening.contra_account_id)
            && directory.shard_of(slot) != Some(group)
        {
            return Err(format!(
                "openings[{event}].contra_account_id: lies on another shard; name one of the bank's own accounts"
            ));
        }
        places.push(Place::On(group));
        linked.push(opening.account.flags.contains(AccountFlags::LINKED));
    }
    chains_stay_whole(&places, &linked)?;
    Ok((places.len(), gather(records, size_of::<AccountOpening>(), &places, &groups)))
}

/// Changes of limits in parts, and how many they are.
pub fn limits(directory: &Directory, records: &[u8]) -> Result<(usize, Parts), String> {
    let groups: Vec<GroupId> = directory.shards.iter().map(|shard| GroupId(shard.group)).collect();
    let first = *groups.first().ok_or_else(unknown_slot)?;
    let mut places = Vec::new();
    for (event, record) in records.chunks_exact(size_of::<LimitChange>()).enumerate() {
        let change = LimitChange::read_from_bytes(record).map_err(|_| "a limit's size")?;
        places.push(Place::On(match route::home(change.account_id) {
            Home::Slot(slot) => directory.shard_of(slot).ok_or_else(unknown_slot)?,
            Home::Everywhere if groups.len() > 1 => {
                return Err(format!(
                    "changes[{event}].account_id: the bank's own accounts have a part on every shard, and no limit                      over all of them"
                ));
            }
            Home::Everywhere | Home::Inherited => first,
        }));
    }
    Ok((places.len(), gather(records, size_of::<LimitChange>(), &places, &groups)))
}

/// The pending transfers that ends of chains name.
pub fn chains_to_find(records: &[u8]) -> Vec<TransferId> {
    let ends = records.chunks_exact(size_of::<ChainEnd>());
    ends.filter_map(|record| ChainEnd::read_from_bytes(record).ok()).map(|end| end.pending_id).collect()
}

/// Ends of chains in parts, each where its chain is, and how many they are.
pub fn chain_ends(
    directory: &Directory,
    records: &[u8],
    found: &BTreeMap<TransferId, GroupId>,
) -> Result<(usize, Parts), String> {
    let groups: Vec<GroupId> = directory.shards.iter().map(|shard| GroupId(shard.group)).collect();
    let first = *groups.first().ok_or_else(unknown_slot)?;
    let pendings = chains_to_find(records);
    let places: Vec<Place> =
        pendings.iter().map(|id| Place::On(found.get(id).copied().unwrap_or(first))).collect();
    Ok((places.len(), gather(records, size_of::<ChainEnd>(), &places, &groups)))
}

/// The pending transfers that a batch ends without naming an account, and does not open itself.
pub fn pendings_to_find(records: &[u8]) -> Vec<TransferId> {
    let transfers =
        records.chunks_exact(RECORD_BYTES).filter_map(|record| Transfer::read_from_bytes(record).ok());
    let mut opened = BTreeSet::new();
    let mut wanted = Vec::new();
    for transfer in transfers {
        if route::path(&transfer) == Path::WithPending && !opened.contains(&transfer.pending_id) {
            wanted.push(transfer.pending_id);
        }
        if transfer.flags.contains(TransferFlags::PENDING) {
            opened.insert(transfer.id);
        }
    }
    wanted
}

/// A batch of transfers, split: the parts, and the events that no shard is asked about.
#[derive(Default, Debug)]
pub struct Split {
    /// By shard.
    pub parts: Parts,
    /// Which event, and why.
    pub refused: Vec<(usize, CreateTransferStatus)>,
    /// The first event that goes to another shard.
    pub across: Option<usize>,
}

/// A batch of transfers in parts. `found` says where the pending transfers are that it ends without naming an
/// account.
pub fn transfers(
    directory: &Directory,
    records: &[u8],
    found: &BTreeMap<TransferId, GroupId>,
) -> Result<Split, String> {
    let first = directory.shards.first().map(|shard| GroupId(shard.group)).ok_or_else(unknown_slot)?;
    let mut events = Vec::with_capacity(records.len() / RECORD_BYTES);
    let mut opened = BTreeMap::new();
    for record in records.chunks_exact(RECORD_BYTES) {
        let transfer = Transfer::read_from_bytes(record).map_err(|_| "a transfer's size")?;
        let shard = |slot| directory.shard_of(slot).ok_or_else(unknown_slot);
        let way = match route::path(&transfer) {
            Path::Within(slot) => Way::On(shard(slot)?),
            Path::Between(debit, credit) => {
                let (source, target) = (shard(debit)?, shard(credit)?);
                if source == target { Way::On(source) } else { Way::Across(source, target) }
            }
            Path::WithPending => {
                let here = opened.get(&transfer.pending_id).or_else(|| found.get(&transfer.pending_id));
                Way::On(here.copied().unwrap_or(first))
            }
        };
        if transfer.flags.contains(TransferFlags::PENDING) {
            opened.insert(transfer.id, way.shard());
        }
        events.push((transfer, way));
    }
    let mut split = Split::default();
    let mut next = 0;
    while next < events.len() {
        let linked = |(transfer, _): &&(Transfer, Way)| transfer.flags.contains(TransferFlags::LINKED);
        let members = events[next..].iter().take_while(linked).count() + 1;
        let chain = next..(next + members).min(events.len());
        split.place(&events, chain.clone());
        next = chain.end;
    }
    Ok(split)
}

/// Where a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    On(GroupId),
    /// From one shard to another.
    Across(GroupId, GroupId),
}

impl Way {
    fn shard(self) -> GroupId {
        match self {
            Self::On(shard) | Self::Across(shard, _) => shard,
        }
    }
}

impl Split {
    /// The parts, where everything stays on its shard; otherwise, in words, which event does not.
    pub fn at_home(self) -> Result<Parts, String> {
        let refused = self.refused.first().map(|(event, _)| *event);
        match refused.or(self.across) {
            None => Ok(self.parts),
            Some(event) => Err(format!(
                "event {event} goes, or is linked, from one shard's customer to another's: the balances after it \
                 are not of one moment; send it without asking for receipts"
            )),
        }
    }

    /// Places a chain, or one event that stands alone.
    fn place(&mut self, events: &[(Transfer, Way)], chain: Range<usize>) {
        let (_, first) = events[chain.start];
        let apart =
            events[chain.clone()].iter().any(|(_, way)| *way != first || matches!(way, Way::Across(..)));
        if chain.len() > 1 && apart {
            let refused = chain.map(|event| (event, CreateTransferStatus::LinkedEventsCrossShards));
            self.refused.extend(refused);
            return;
        }
        for event in chain {
            let (transfer, way) = &events[event];
            // The mark of a crossing is not for clients; any other unknown bit says the same to the book.
            let foreign = transfer.flags.intersects(ACROSS);
            let spoiled = TransferFlags::from_bits(1 << 12);
            let plain = Transfer { flags: transfer.flags.without(ACROSS).with(spoiled), ..*transfer };
            let plain = if foreign { plain } else { *transfer };
            let imported = transfer.flags.contains(TransferFlags::IMPORTED);
            let record = match way {
                Way::Across(_, _) if imported => {
                    self.refused.push((event, CreateTransferStatus::ImportedEventCrossesShards));
                    continue;
                }
                // A stamp of its own is refused by the book, so it need not cross.
                Way::Across(_, target) if !foreign && transfer.timestamp.is_zero() => {
                    across(transfer, target.0)
                }
                Way::Across(..) | Way::On(_) => plain,
            };
            let ends = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);
            let part = self.parts.entry(way.shard()).or_default();
            if record.flags.intersects(ACROSS) {
                self.across.get_or_insert(event);
            }
            part.crosses |= record.flags.intersects(ends.with(ACROSS));
            part.records.put_slice(record.as_bytes());
            part.events.push(event);
            #[cfg(feature = "planted")]
            lose_a_fen(part, event);
        }
    }
}

fn chains_stay_whole(places: &[Place], linked: &[bool]) -> Result<(), String> {
    for (event, (pair, linked)) in places.windows(2).zip(linked).enumerate() {
        if *linked && pair[0] != pair[1] {
            return Err(format!(
                "events {event} and {} are linked but belong to different shards: a chain is atomic within one shard",
                event + 1
            ));
        }
    }
    Ok(())
}

fn gather(records: &[u8], record_bytes: usize, places: &[Place], groups: &[GroupId]) -> Parts {
    let mut parts = Parts::new();
    for (event, (record, place)) in records.chunks_exact(record_bytes).zip(places).enumerate() {
        let mut add = |group: GroupId| {
            let part = parts.entry(group).or_default();
            part.records.put_slice(record);
            part.events.push(event);
            #[cfg(feature = "planted")]
            lose_a_fen(part, event);
        };
        match place {
            Place::On(group) => add(*group),
            Place::Everywhere => groups.iter().copied().for_each(&mut add),
        }
    }
    parts
}

#[cfg(feature = "planted")]
fn lose_a_fen(part: &mut Part, event: usize) {
    let last = part.records.len() - RECORD_BYTES;
    if event > 0
        && fen_raft::planted::is_here(fen_raft::planted::Bug::LostFen)
        && let Ok(transfer) = Transfer::read_from_bytes(&part.records[last..])
        && transfer.amount.get() > 1
    {
        let amount = fen_book::Amount::new(transfer.amount.get() - 1);
        part.records.truncate(last);
        part.records.put_slice(zerocopy::IntoBytes::as_bytes(&Transfer { amount, ..transfer }));
    }
}

/// The clearing accounts are the cluster's own; in words, where a client names one.
pub fn names_no_clearing(kind_number: u16, records: &[u8]) -> Result<(), String> {
    let id = |record: &[u8], place: usize| {
        let bytes = record.get(place..place + 16).and_then(|bytes| bytes.first_chunk::<16>());
        AccountId::new(bytes.map_or(0, |bytes| u128::from_le_bytes(*bytes)))
    };
    let places: &[usize] = if kind_number == kind::CREATE_ACCOUNTS { &[0] } else { &[16, 32] };
    for (event, record) in records.chunks_exact(RECORD_BYTES).enumerate() {
        if places.iter().any(|place| is_clearing(id(record, *place))) {
            return Err(format!(
                "event {event} names an account for money on its way between shards: these are the cluster's own"
            ));
        }
    }
    Ok(())
}

/// Results of events that no shard was asked about; their stamp is zero.
pub fn refusals(refused: &[(usize, CreateTransferStatus)]) -> (Vec<usize>, Bytes) {
    let mut results = BytesMut::new();
    for (_, status) in refused {
        let (timestamp, status) = (Stamp::ZERO, status.number());
        records::pack_result(&mut results, PackedResult { timestamp, status });
    }
    (refused.iter().map(|(event, _)| *event).collect(), results.freeze())
}

/// The parts' results in the batch's order. Where an event went to several shards, a refusal by any of them is the
/// answer.
pub fn join(events: usize, parts: &[(Vec<usize>, Bytes)]) -> Option<Bytes> {
    let mut joined: Vec<Option<&[u8]>> = vec![None; events];
    for (places, results) in parts {
        if results.len() != places.len() * RESULT_BYTES {
            return None;
        }
        for (event, result) in places.iter().zip(results.chunks_exact(RESULT_BYTES)) {
            let so_far = joined.get_mut(*event)?;
            let refused = |result: &[u8]| result[8..10] != [0, 0];
            if so_far.is_none_or(|so_far| !refused(so_far) && refused(result)) {
                *so_far = Some(result);
            }
        }
    }
    let mut bytes = BytesMut::with_capacity(events * RESULT_BYTES);
    for result in joined {
        bytes.put_slice(result?);
    }
    Some(bytes.freeze())
}
