//! Workloads that the benches share: seeded, made before the clock starts.

use fen_book::{Account, AccountId, Amount, Code, LedgerCode, Transfer, TransferId};

/// A small fixed generator (xorshift64*), so that a workload is the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at a seed, which must not be zero.
    pub fn new(seed: u64) -> Self {
        assert!(seed != 0, "a seed is not zero");
        Self(seed)
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ids {
    /// Rising with time, as from UUID version 7.
    Time,
    /// Random 128 bits.
    Random,
}

/// The id of the `number`-th account, spread over all 128 bits as real customers' ids are.
pub fn account_id(number: u64) -> AccountId {
    AccountId::new((u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)) | 1)
}

/// Account number `number`.
pub fn account(number: u64) -> Account {
    Account { id: account_id(number), ledger: LedgerCode::new(156), code: Code::new(1), ..Account::default() }
}

/// `count` transfers of 1 to 10,000 minor units between evenly drawn accounts.
pub fn transfers(
    random: &mut Random,
    first_id: u128,
    count: usize,
    accounts: u64,
    ids: Ids,
) -> Vec<Transfer> {
    (0..count as u128)
        .map(|n| {
            let debit = random.below(accounts);
            let credit = (debit + 1 + random.below(accounts - 1)) % accounts;
            let id = match ids {
                Ids::Time => first_id + n,
                Ids::Random => (u128::from(random.draw()) << 64) | u128::from(random.draw()),
            };
            Transfer {
                id: TransferId::new(id),
                debit_account_id: account_id(debit),
                credit_account_id: account_id(credit),
                amount: Amount::new(u128::from(1 + random.below(10_000))),
                ledger: LedgerCode::new(156),
                code: Code::new(1),
                ..Transfer::default()
            }
        })
        .collect()
}
