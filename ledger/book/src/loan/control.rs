//! A product's control accounts: what its loans come to in the general ledger.
//!
//! Their ids have the upper half all ones, so every shard keeps its own part under the same id. The lower half is the
//! product (56 bits) and the role (8 bits); a product id that needs more than 55 bits is hashed into the rest.

use super::money::Money;
use super::product::{FUNDERS_MAX, ProductId};
use crate::bank_ids::ONES;
use crate::quantity::{AccountId, AccountSlot};
use core::ops::{Index, IndexMut};
use sha2::{Digest, Sha256};

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What a control account is for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum Role {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Role {
            /// Every role, in the order in which postings are paired.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number within the account's id, and its index in a [`Position`].
            pub const fn number(self) -> u8 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The name that people read.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

roles! {
    /// Asset: principal lent and not given up, the bank's own share.
    Principal = 0, "principal";
    /// Asset: interest billed and unpaid.
    InterestReceivable = 1, "interest_receivable";
    /// Asset: fees charged and unpaid.
    FeeReceivable = 2, "fee_receivable";
    /// Asset: penalties charged and unpaid.
    PenaltyReceivable = 3, "penalty_receivable";
    /// Income from interest.
    InterestIncome = 4, "interest_income";
    /// Income from fees.
    FeeIncome = 5, "fee_income";
    /// Income from penalties.
    PenaltyIncome = 6, "penalty_income";
    /// What would be income if the loan were not in non-accrual.
    Suspense = 7, "suspense";
    /// Expense: what was forgiven.
    Waived = 8, "waived";
    /// Expense: what was written off, and what was charged off.
    WrittenOff = 9, "written_off";
    /// Income: what came back after that.
    Recovery = 10, "recovery";
    /// Liability: what borrowers paid too much.
    Overpaid = 11, "overpaid";
    /// Expense: provisions made.
    ProvisionExpense = 12, "provision_expense";
    /// Allowance: provisions made.
    Provision = 13, "provision";
    /// What buyers of loans owe, and are owed.
    Sold = 14, "sold";
    /// Money on its way.
    Clearing = 15, "clearing";
    /// What funders are owed (credit) or have at stake (debit), one account each.
    Funder0 = 16, "funder_payable_0";
    /// The second funder.
    Funder1 = 17, "funder_payable_1";
    /// The third funder.
    Funder2 = 18, "funder_payable_2";
    /// The fourth funder.
    Funder3 = 19, "funder_payable_3";
    /// The fifth funder.
    Funder4 = 20, "funder_payable_4";
    /// The sixth funder.
    Funder5 = 21, "funder_payable_5";
    /// The seventh funder.
    Funder6 = 22, "funder_payable_6";
    /// The eighth funder.
    Funder7 = 23, "funder_payable_7";
    /// Asset: the part of interest billed to who subsidises it.
    SubsidyReceivable = 24, "subsidy_receivable";
    /// Asset: the part of losses billed to who makes it good.
    CompensationReceivable = 25, "compensation_receivable";
    /// Asset: interest earned by the end of the last business date closed and not billed yet, less what was billed or
    /// paid ahead of its days; of all loans of the product together.
    InterestAccrued = 26, "interest_accrued";
}

/// How many roles there are.
pub const ROLES: usize = 27;

const _: () = assert!(Role::ALL.len() == ROLES && ROLES == 19 + FUNDERS_MAX, "each funder has an account");

impl Role {
    /// The account of the funder at a place of the product's list.
    pub fn funder(place: usize) -> Option<Self> {
        if place < FUNDERS_MAX { Self::ALL.get(place.checked_add(16)?).copied() } else { None }
    }
}

/// The part of a control account's id that names its product.
pub fn product_bits(product: ProductId) -> u64 {
    const HASHED: u64 = 1 << 55;
    match u64::try_from(product) {
        Ok(small) if small < HASHED => small,
        Ok(_) | Err(_) => {
            let digest = Sha256::digest(product.to_le_bytes());
            let mut first = [0; 8];
            first.copy_from_slice(&digest[..8]);
            HASHED | (u64::from_le_bytes(first) & (HASHED - 1))
        }
    }
}

/// The control account of a product for a role.
pub fn control_account(product: ProductId, role: Role) -> AccountId {
    let lower = (product_bits(product) << 8) | u64::from(role.number());
    AccountId::new(ONES << 64 | u128::from(lower))
}

/// The part that names a product in the id of what would be its control account, whether there is such a product or
/// not.
#[inline]
pub(crate) fn controlled(account: AccountId) -> Option<u64> {
    let id = account.get();
    if id >> 64 != ONES {
        return None;
    }
    let lower = u64::try_from(id & ONES).ok()?;
    let role = usize::try_from(lower & 0xff).ok()?;
    (role < ROLES).then_some(lower >> 8)
}

/// What a loan, or all loans of a product, come to in each control account: debits positive, credits negative.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    money: [Money; ROLES],
    /// A bit for each role that may hold something: a loan moves a few of them, and only these are looked at.
    touched: u32,
}

const _: () = assert!(ROLES <= 32, "each role has a bit");

impl Default for Position {
    fn default() -> Self {
        Self { money: [Money::ZERO; ROLES], touched: 0 }
    }
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        self.money == other.money
    }
}

impl Eq for Position {}

impl Index<Role> for Position {
    type Output = Money;
    fn index(&self, role: Role) -> &Money {
        &self.money[usize::from(role.number())]
    }
}

impl IndexMut<Role> for Position {
    fn index_mut(&mut self, role: Role) -> &mut Money {
        self.touched |= 1 << role.number();
        &mut self.money[usize::from(role.number())]
    }
}

/// The roles of a word of bits, in their order.
fn roles_of(mut bits: u32) -> impl Iterator<Item = Role> {
    core::iter::from_fn(move || {
        let role = Role::ALL.get(usize::try_from(bits.trailing_zeros()).ok()?)?;
        bits &= bits.wrapping_sub(1);
        Some(*role)
    })
}

impl Position {
    /// What has to be posted to get from an earlier position to this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut change = *self;
        for role in roles_of(earlier.touched) {
            change[role] -= earlier[role];
        }
        change
    }

    /// Adds another position, role by role.
    pub fn add(&mut self, other: &Self) {
        for role in roles_of(other.touched) {
            self[role] += other[role];
        }
    }

    /// All roles together: minus the money that went out to accounts outside.
    pub fn sum(&self) -> Money {
        roles_of(self.touched).map(|role| self[role]).sum()
    }
}

/// Where a product's control accounts are, by role.
pub(crate) type ControlSlots = [AccountSlot; ROLES];

/// One transfer to be posted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leg {
    /// Debited.
    pub(crate) debit: AccountSlot,
    /// Credited.
    pub(crate) credit: AccountSlot,
    /// How much, above nothing.
    pub(crate) amount: Money,
}

/// Writes the transfers that bring a change about: debits are paired with credits in the order of the roles, an outside
/// account first, so equal changes are posted alike everywhere.
///
/// # Panics
/// Where debits and credits differ: the change was reckoned wrongly.
pub(crate) fn legs(
    slots: &ControlSlots,
    change: &Position,
    outside: Option<(AccountSlot, Money)>,
    legs: &mut Vec<Leg>,
) {
    let outside_money = outside.map_or(Money::ZERO, |(_, money)| money);
    assert!((change.sum() + outside_money).is_zero(), "a loan's postings balance");
    legs.clear();
    let sides = || {
        let of_role = |role: Role| (slots[usize::from(role.number())], change[role]);
        let sides = outside.into_iter().chain(roles_of(change.touched).map(of_role));
        sides.filter(|(_, money)| !money.is_zero())
    };
    let mut debits = sides().filter(|(_, money)| money.is_positive());
    let mut credits = sides().filter(|(_, money)| !money.is_positive());
    let (mut debit, mut credit) = (debits.next(), credits.next());
    while let (Some((debited, owed)), Some((credited, given))) = (debit, credit) {
        let amount = owed.min(-given);
        legs.push(Leg { debit: debited, credit: credited, amount });
        let (owed, given) = (owed - amount, given + amount);
        debit = if owed.is_zero() { debits.next() } else { Some((debited, owed)) };
        credit = if given.is_zero() { credits.next() } else { Some((credited, given)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_products_and_roles_apart() {
        let principal = control_account(7, Role::Principal).get();
        assert_eq!(principal >> 64, u128::from(u64::MAX));
        assert_eq!(control_account(7, Role::InterestReceivable).get(), principal + 1);
        assert_ne!(product_bits(u128::MAX - 1), product_bits(u128::MAX - 2));
        assert_eq!(product_bits(u128::MAX - 1) >> 55, 1, "hashed ids keep apart from plain ones");
        for (place, role) in Role::ALL.iter().enumerate() {
            assert_eq!(usize::from(role.number()), place);
            for product in [1, 7, u128::MAX - 1] {
                assert_eq!(controlled(control_account(product, *role)), Some(product_bits(product)));
            }
        }
    }

    #[test]
    fn a_change_is_posted_in_as_few_transfers_as_pairs_allow() {
        let mut change = Position::default();
        change[Role::Principal] = Money::new(-90);
        change[Role::InterestReceivable] = Money::new(-10);
        let borrower = AccountSlot::new(100);
        let slots = core::array::from_fn(|role| AccountSlot::new(u32::try_from(role).unwrap()));
        let mut pairs = Vec::new();
        legs(&slots, &change, Some((borrower, Money::new(100))), &mut pairs);
        let told: Vec<(u32, i128)> = pairs.iter().map(|leg| (leg.credit.get(), leg.amount.get())).collect();
        assert_eq!(told, [(0, 90), (1, 10)]);
        assert!(pairs.iter().all(|leg| leg.debit == borrower));
    }
}
