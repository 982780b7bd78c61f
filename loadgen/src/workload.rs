//! What is sent: accounts, and batches of transfers that are a pure function of a seed and a number.
//!
//! **Invariants.** Two machines make the same batches from the same [`Workload`], whatever order they make them in;
//! no batch needs another. Integers only.

use fen_cluster::route::{Home, SLOTS, home};
use fen_ledger::{
    Account, AccountFlags, AccountId, Amount, Code, EVENTS_MAX, LedgerCode, Transfer, TransferFlags,
    TransferId,
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The ledger of every account: the yuan's ISO 4217 number.
pub const YUAN: LedgerCode = LedgerCode::new(156);

/// The largest amount of a transfer, in minor units.
pub const AMOUNT_MAX: u64 = 10_000;

const CODE: Code = Code::new(1);

/// A small fixed generator (xorshift64*), so that a workload is the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at a seed, which must not be zero.
    pub fn new(seed: u64) -> Self {
        assert!(seed != 0, "a seed is not zero");
        Self(seed)
    }

    /// The generator of the `number`-th batch under a seed; any two are unrelated.
    pub fn of_batch(seed: u64, number: u64) -> Self {
        // SplitMix64's finisher: neighbouring numbers give distant states.
        let mut state = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self::new((state ^ (state >> 31)).max(1))
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, evenly.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.draw()) * u128::from(bound)) >> 64).unwrap_or(0)
    }
}

/// How transfer ids are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ids {
    /// Rising with time, as from UUID version 7.
    Time,
    /// Random 128 bits.
    Random,
}

impl Ids {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Random => "random",
        }
    }
}

/// How the accounts of a transfer are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Hot {
    /// Each as often as any other.
    Uniform,
    /// The k-th most popular about 1/k as often as the first (Zipf's law with exponent one). Each octave of ranks,
    /// 1, 2-3, 4-7 and so on, is drawn equally often, which is the law to within a few hundredths and needs no
    /// floating point; of a million accounts the hottest bears a twentieth of all debits.
    Zipf,
}

impl Hot {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        }
    }

    fn draw(self, random: &mut Random, accounts: u64) -> u64 {
        match self {
            Self::Uniform => random.below(accounts),
            Self::Zipf => loop {
                let octave = random.below(u64::from(accounts.ilog2()) + 1);
                let rank = (1 << octave) + random.below(1 << octave);
                if rank <= accounts {
                    // Neighbours in rank are no neighbours in memory.
                    break rank.wrapping_mul(2_654_435_761) % accounts;
                }
            },
        }
    }
}

/// What a batch is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Kinds {
    /// Transfers that post at once.
    Plain,
    /// Of twenty transfers, four reserve money, one of these reservations staying open; of the others one is posted
    /// in full, one in part, and one voided.
    TwoPhase,
}

/// What one transfer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It posts.
    Plain,
    /// It reserves.
    Pending,
    /// It posts its amount of the reservation before it, and lets go of the rest.
    Post {
        /// What the reservation had reserved.
        reserved: u64,
    },
    /// It lets go of the reservation before it.
    Void {
        /// What the reservation had reserved.
        reserved: u64,
    },
}

/// One transfer by its accounts' numbers, before it is a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// The number of the account that is debited.
    pub debit: u64,
    /// The number of the account that is credited.
    pub credit: u64,
    /// In minor units.
    pub amount: u64,
    /// What it does.
    pub kind: Kind,
}

impl Order {
    /// A plain order of 1 to [`AMOUNT_MAX`] between two different accounts.
    pub fn draw(random: &mut Random, hot: Hot, accounts: u64) -> Self {
        let debit = hot.draw(random, accounts);
        let drawn = hot.draw(random, accounts);
        let credit = if drawn == debit { (debit + 1) % accounts } else { drawn };
        Self { debit, credit, amount: 1 + random.below(AMOUNT_MAX), kind: Kind::Plain }
    }

    /// The record. `pending` is the reservation that a post or a void names.
    pub fn transfer(&self, id: TransferId, pending: TransferId) -> Transfer {
        let plain = Transfer {
            id,
            debit_account_id: account_id(self.debit),
            credit_account_id: account_id(self.credit),
            amount: Amount::new(u128::from(self.amount)),
            ledger: YUAN,
            code: CODE,
            ..Transfer::default()
        };
        match self.kind {
            Kind::Plain => plain,
            Kind::Pending => Transfer { flags: TransferFlags::PENDING, ..plain },
            Kind::Post { .. } => {
                Transfer { flags: TransferFlags::POST_PENDING_TRANSFER, pending_id: pending, ..plain }
            }
            Kind::Void { .. } => {
                Transfer { flags: TransferFlags::VOID_PENDING_TRANSFER, pending_id: pending, ..plain }
            }
        }
    }
}

/// The id of the `number`-th account, spread over all 128 bits as real customers' ids are.
pub fn account_id(number: u64) -> AccountId {
    AccountId::new((u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)) | 1)
}

/// Account number `number`.
pub fn account(number: u64) -> Account {
    Account { id: account_id(number), ledger: YUAN, code: CODE, ..Account::default() }
}

/// Which of the transfers go from one shard to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Crossing {
    /// How many shards there are; at least two.
    pub shards: u32,
    /// How many in a hundred cross; the rest stay.
    pub percent: u8,
}

impl Crossing {
    /// The shard of an account of a cluster as it is founded: equal runs of slots.
    fn shard_of(self, account: u64) -> u32 {
        let Home::Slot(slot) = home(account_id(account)) else { return 0 };
        // The k-th shard begins at slot 4,096 k / shards, rounded down.
        ((u32::from(slot.number()) + 1) * self.shards - 1) / u32::from(SLOTS)
    }

    /// The next account after `credit` that lies where this transfer is to go.
    fn place(self, random: &mut Random, debit: u64, credit: u64, accounts: u64, base: u64) -> u64 {
        let crosses = random.below(100) < u64::from(self.percent);
        let from = self.shard_of(base + debit);
        let mut places = (0..accounts).map(|step| (credit + step) % accounts);
        let is_right = |place: &u64| *place != debit && (self.shard_of(base + *place) != from) == crosses;
        // Of few accounts all may lie on one shard.
        places.find(is_right).unwrap_or(credit)
    }
}

/// Batches without end, each by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Workload {
    /// Not zero.
    pub seed: u64,
    /// At least two.
    pub accounts: u64,
    /// Transfers in a batch.
    pub batch: u32,
    /// How ids are made.
    pub ids: Ids,
    /// How accounts are drawn.
    pub hot: Hot,
    /// What the transfers do.
    pub kinds: Kinds,
    /// What the accounts' numbers are counted from, so that two runs on one cluster have accounts of their own.
    pub base: u64,
    /// Which transfers cross; as the accounts' places have it, if nothing is said.
    pub crossing: Option<Crossing>,
    /// How many plain transfers in a hundred are refused, since the payer has no money.
    pub refused_percent: u8,
}

impl Workload {
    /// Account number `number` of this workload: where money is reserved, one account in eight may not be debited
    /// beyond what it was credited, so that some transfers are refused.
    pub fn account(&self, number: u64) -> Account {
        let is_bounded = self.kinds == Kinds::TwoPhase && number.is_multiple_of(8);
        let flags = if is_bounded || self.is_pauper(number) {
            AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
        } else {
            AccountFlags::NONE
        };
        Account { flags, ..account(self.base + number) }
    }

    /// The id of its `number`-th account.
    pub fn account_id(&self, number: u64) -> AccountId {
        account_id(self.base + number)
    }

    /// How many accounts there are: those that pay one another, and the one that has nothing, if transfers are to be
    /// refused.
    pub fn population(&self) -> u64 {
        self.accounts + u64::from(self.refused_percent > 0)
    }

    /// Nobody ever pays this account, and it may not be overdrawn.
    fn is_pauper(&self, number: u64) -> bool {
        number == self.accounts
    }

    /// The numbers of all accounts, in pieces that one command may hold.
    pub fn account_batches(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let (accounts, step) = (self.population(), EVENTS_MAX);
        (0..accounts).step_by(step).map(move |from| from..(from + step as u64).min(accounts))
    }

    /// The orders of a batch, with their ids.
    pub fn orders(&self, number: u64) -> Orders {
        let random = Random::of_batch(self.seed, number);
        Orders { workload: *self, number, random, position: 0, previous: None }
    }

    /// The records of a batch.
    pub fn transfers(&self, number: u64) -> Vec<Transfer> {
        let mut pending = TransferId::ZERO;
        self.orders(number)
            .map(|(id, order)| {
                let Order { debit, credit, .. } = order;
                let placed = Order { debit: self.base + debit, credit: self.base + credit, ..order };
                let transfer = placed.transfer(id, pending);
                pending = id;
                transfer
            })
            .collect()
    }

    /// The id of a batch's first transfer: a batch is in the books wholly or not at all.
    pub fn first_id(&self, number: u64) -> TransferId {
        self.orders(number).next().map_or(TransferId::ZERO, |(id, _)| id)
    }
}

/// The orders of one batch; see [`Workload::orders`].
#[derive(Clone, Debug)]
pub struct Orders {
    workload: Workload,
    number: u64,
    random: Random,
    position: u32,
    previous: Option<Order>,
}

/// A UUID of version 7, of a clock on which a thousand are made in a millisecond: milliseconds, a counter within
/// each, and below them what tells machines apart.
fn version_7(rising: u64, machine: u64) -> u128 {
    let (millisecond, counter) = (u128::from(rising / 1_000), u128::from(rising % 1_000));
    (millisecond << 80) | (7 << 76) | (counter << 64) | (2 << 62) | u128::from(machine & (u64::MAX >> 2))
}

impl Orders {
    fn id(&mut self) -> TransferId {
        let id = match self.workload.ids {
            Ids::Time => {
                let rising = self.number * u64::from(self.workload.batch) + u64::from(self.position) + 1;
                version_7(rising, self.workload.seed)
            }
            Ids::Random => (u128::from(self.random.draw()) << 64) | u128::from(self.random.draw()),
        };
        TransferId::new(id)
    }

    fn order(&mut self) -> Order {
        let workload = self.workload;
        let part = match workload.kinds {
            Kinds::Plain => return self.plain(),
            Kinds::TwoPhase => self.position % 20,
        };
        match (part, self.previous) {
            (15 | 17 | 19, Some(previous)) => {
                let reserved = previous.amount;
                let (amount, kind) = match part {
                    15 => (reserved, Kind::Post { reserved }),
                    17 => ((reserved / 2).max(1), Kind::Post { reserved }),
                    _ => (reserved, Kind::Void { reserved }),
                };
                Order { amount, kind, ..previous }
            }
            (13 | 14 | 16 | 18, _) => {
                let order = Order::draw(&mut self.random, workload.hot, workload.accounts);
                Order { kind: Kind::Pending, ..order }
            }
            _ => self.plain(),
        }
    }

    fn plain(&mut self) -> Order {
        let Workload { hot, accounts, crossing, refused_percent, base, .. } = self.workload;
        let mut order = Order::draw(&mut self.random, hot, accounts);
        if let Some(crossing) = crossing {
            order.credit = crossing.place(&mut self.random, order.debit, order.credit, accounts, base);
        }
        if refused_percent > 0 && self.random.below(100) < u64::from(refused_percent) {
            order.debit = accounts;
        }
        order
    }
}

impl Iterator for Orders {
    type Item = (TransferId, Order);

    fn next(&mut self) -> Option<Self::Item> {
        if self.position == self.workload.batch {
            return None;
        }
        let id = self.id();
        let order = self.order();
        self.previous = Some(order);
        self.position += 1;
        Some((id, order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn workload() -> Workload {
        Workload {
            seed: 7,
            accounts: 1_000,
            batch: 500,
            ids: Ids::Time,
            hot: Hot::Uniform,
            kinds: Kinds::Plain,
            base: 0,
            crossing: None,
            refused_percent: 0,
        }
    }

    #[test]
    fn a_batch_is_a_function_of_its_number() {
        let random = Workload { ids: Ids::Random, kinds: Kinds::TwoPhase, ..workload() };
        for workload in [workload(), random] {
            assert_eq!(workload.transfers(3), workload.transfers(3));
            assert_eq!(workload.transfers(3)[0].id, workload.first_id(3));
            let ids: HashSet<u128> =
                (0..20).flat_map(|number| workload.transfers(number)).map(|t| t.id.get()).collect();
            assert_eq!(ids.len(), 10_000, "no id comes twice");
        }
    }

    #[test]
    fn ids_of_time_rise_from_batch_to_batch() {
        let ids: Vec<u128> = (0..5)
            .flat_map(|number| workload().transfers(number))
            .map(|transfer| transfer.id.get())
            .collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn few_accounts_bear_most_of_a_zipf_workload() {
        let mut random = Random::new(1);
        let mut counts = vec![0u32; 1_024];
        for _ in 0..110_000 {
            counts[usize::try_from(Hot::Zipf.draw(&mut random, 1_024)).unwrap()] += 1;
        }
        counts.sort_unstable_by(|a, b| b.cmp(a));
        assert!(
            (9_000..12_500).contains(&counts[0]),
            "the hottest has a share of ten octaves: {}",
            counts[0]
        );
        let top: u32 = counts[..32].iter().sum();
        assert!(top > 45_000, "32 of 1,024 accounts bear nearly half: {top}");
    }

    #[test]
    fn the_stated_share_crosses_and_is_refused() {
        let crossing = Crossing { shards: 4, percent: 20 };
        let workload =
            Workload { crossing: Some(crossing), refused_percent: 10, base: 1 << 40, ..workload() };
        let (mut crossed, mut refused) = (0, 0);
        for (_, order) in (0..20).flat_map(|number| workload.orders(number)) {
            assert_ne!(order.debit, order.credit);
            if order.debit == workload.accounts {
                refused += 1;
                continue;
            }
            let shard = |account: u64| crossing.shard_of(workload.base + account);
            crossed += u32::from(shard(order.debit) != shard(order.credit));
        }
        assert!((1_500..2_100).contains(&crossed), "a fifth of what is not refused: {crossed}");
        assert!((850..1_150).contains(&refused), "a tenth: {refused}");
        let shards = (0..1_000).map(|number| crossing.shard_of(number)).collect::<HashSet<_>>();
        assert_eq!(shards.len(), 4);
    }
}
