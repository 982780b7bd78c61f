//! Which shard holds what: a customer's slot by a fixed hash, a slot's shard by the directory.
//!
//! The upper 64 bits of an account id are its customer; where they are zero, the whole id is. All of a customer's
//! accounts have one slot. Ids whose upper half is all ones are the bank's own control accounts: every shard keeps
//! its own part of each, so no transfer between a customer and the bank ever crosses shards.

use fen_book::{AccountId, Transfer, TransferFlags};

/// Customers are spread over so many slots, for ever.
pub const SLOTS: u16 = 4_096;

/// A share of the customers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(u16);

impl Slot {
    /// Its number, below [`SLOTS`].
    pub fn number(self) -> u16 {
        self.0
    }

    /// The slot of a customer: the upper twelve bits of a fixed mixing of all 64. (The finalizer of `SplitMix64`,
    /// a bijection; the constants are Stafford's variant 13.)
    fn of_customer(customer: u64) -> Self {
        let mut hash = customer;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        Self(u16::try_from(hash >> 52).expect("twelve bits fit sixteen"))
    }
}

/// Where an account lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    /// With its customer.
    Slot(Slot),
    /// In parts, on every shard.
    Everywhere,
    /// Not named: a post or a void inherits it.
    Inherited,
}

/// Where the account with this id lives.
pub fn home(account: AccountId) -> Home {
    let id = account.get();
    let (upper, lower) = ((id >> 64) & u128::from(u64::MAX), id & u128::from(u64::MAX));
    let word = |half: u128| u64::try_from(half).expect("half of 128 bits is 64");
    match (word(upper), word(lower)) {
        (0, 0) => Home::Inherited,
        (u64::MAX, _) => Home::Everywhere,
        (0, customer) | (customer, _) => Home::Slot(Slot::of_customer(customer)),
    }
}

/// The slot that a transfer belongs to, or both if they differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// Both accounts are there, or the bank's own part is.
    Within(Slot),
    /// From one customer to another, whose slots may lie on different shards.
    Between(Slot, Slot),
    /// Ends a pending transfer and names no account: wherever that one is.
    WithPending,
}

/// Where a transfer goes.
pub fn path(transfer: &Transfer) -> Path {
    let ends = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);
    if transfer.flags.intersects(ends) {
        // The end of a reservation goes where the reservation is: with its payer, and with its payee where the bank
        // pays. What neither account tells has to be looked for.
        return match (home(transfer.debit_account_id), home(transfer.credit_account_id)) {
            (Home::Slot(payer), _) => Path::Within(payer),
            (Home::Everywhere, Home::Slot(payee)) => Path::Within(payee),
            (Home::Everywhere | Home::Inherited, _) => Path::WithPending,
        };
    }
    match (home(transfer.debit_account_id), home(transfer.credit_account_id)) {
        (Home::Slot(debit), Home::Slot(credit)) if debit != credit => Path::Between(debit, credit),
        (Home::Slot(slot), _) | (_, Home::Slot(slot)) => Path::Within(slot),
        // Between two of the bank's own accounts: any shard will do, but always the same one.
        (Home::Everywhere | Home::Inherited, Home::Everywhere | Home::Inherited) => {
            let id = transfer.id.get();
            let folded = (id >> 64) ^ (id & u128::from(u64::MAX));
            Path::Within(Slot::of_customer(u64::try_from(folded).expect("half of 128 bits is 64")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::TransferId;

    #[test]
    fn a_customers_accounts_share_a_slot_and_customers_spread() {
        let account =
            |customer: u64, number: u64| AccountId::new(u128::from(customer) << 64 | u128::from(number));
        for customer in 1..100 {
            assert_eq!(home(account(customer, 0)), home(account(customer, 77)));
            assert_eq!(
                home(account(0, customer)),
                home(account(customer, 0)),
                "a short id is its own customer"
            );
        }
        let mut counts = vec![0_u32; usize::from(SLOTS)];
        for customer in 1..=409_600 {
            let Home::Slot(slot) = home(account(customer, 0)) else { panic!("a customer has a slot") };
            counts[usize::from(slot.number())] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "about 100 customers in each slot");
    }

    #[test]
    fn the_hash_is_fixed_for_ever() {
        let slots: Vec<u16> =
            [1, 2, 3, u64::MAX - 1].map(|customer| Slot::of_customer(customer).number()).into();
        assert_eq!(slots, FIXED);
    }

    const FIXED: [u16; 4] = [1385, 3517, 485, 3490];

    #[test]
    fn the_banks_own_accounts_never_make_a_transfer_cross() {
        let bank = AccountId::new(u128::from(u64::MAX) << 64 | 5);
        let anna = AccountId::new(9 << 64);
        let slot = match home(anna) {
            Home::Slot(slot) => slot,
            Home::Everywhere | Home::Inherited => panic!("Anna is a customer"),
        };
        let transfer = |debit, credit| Transfer {
            id: TransferId::new(3),
            debit_account_id: debit,
            credit_account_id: credit,
            ..Transfer::default()
        };
        assert_eq!(path(&transfer(bank, anna)), Path::Within(slot));
        assert_eq!(path(&transfer(anna, bank)), Path::Within(slot));
        assert!(matches!(path(&transfer(bank, bank)), Path::Within(_)));
        let post = Transfer {
            flags: TransferFlags::POST_PENDING_TRANSFER,
            ..transfer(AccountId::ZERO, AccountId::ZERO)
        };
        assert_eq!(path(&post), Path::WithPending);
    }
}
