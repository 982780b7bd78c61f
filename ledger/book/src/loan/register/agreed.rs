//! What was agreed, once for all loans that agree on it: a product's version and the terms that a loan states for
//! itself. Ten million loans of a few products share a few hundred contracts; each loan's record names its own.
//!
//! **Invariant.** An agreement is appended, never changed: its number stays what it is, in memory and in checkpoints.

use super::super::codec::{Reader, Writer};
use super::super::contract::Contract;
use super::super::course::Ordinary;
use super::super::product::{Product, ProductId, StatedTerms};
use super::scroll::Scroll;
use std::collections::BTreeMap;

/// One agreement.
pub(crate) struct Agreed {
    /// The product.
    pub(crate) product_id: ProductId,
    /// Its version.
    pub(crate) version: u32,
    /// What the loan states for itself.
    pub(crate) own: StatedTerms,
    /// Both put together.
    pub(crate) contract: Contract,
    /// How such a loan runs its ordinary course, if it has one.
    pub(crate) ordinary: Option<Ordinary>,
}

/// See the module's words.
#[derive(Default)]
pub(crate) struct Agreements {
    all: Vec<Agreed>,
    numbers: BTreeMap<Vec<u8>, u32>,
    /// The number found last: loans come in rows of one kind.
    recent: Option<u32>,
    pub(crate) scroll: Scroll,
}

fn key(product_id: ProductId, version: u32, own: &StatedTerms) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u128(product_id);
    writer.u32(version);
    writer.terms(own);
    writer.bytes
}

impl Agreements {
    /// The agreement of a number.
    pub(crate) fn get(&self, number: u32) -> &Agreed {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        self.all.get(index).expect("a loan's agreement is kept")
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of an agreement that was made before.
    pub(crate) fn find(&self, product_id: ProductId, version: u32, own: &StatedTerms) -> Option<u32> {
        let is_it = |agreed: &Agreed| {
            agreed.product_id == product_id && agreed.version == version && agreed.own == *own
        };
        match self.recent {
            Some(recent) if is_it(self.get(recent)) => Some(recent),
            Some(_) | None => self.numbers.get(&key(product_id, version, own)).copied(),
        }
    }

    /// Keeps an agreement, and says its number. Its terms were found good by a plan.
    pub(crate) fn keep(&mut self, product: &Product, version: u32, own: &StatedTerms) -> u32 {
        let number = self.find(product.id, version, own).unwrap_or_else(|| {
            let contract = product.contract(own).expect("a plan found that the terms can be kept");
            let bytes = key(product.id, version, own);
            self.scroll.write(&bytes);
            self.add(bytes, product, version, own, &contract)
        });
        self.recent = Some(number);
        number
    }

    fn add(
        &mut self,
        bytes: Vec<u8>,
        product: &Product,
        version: u32,
        own: &StatedTerms,
        contract: &Contract,
    ) -> u32 {
        let number = u32::try_from(self.all.len()).expect("there are fewer than 2^32 agreements");
        self.all.push(Agreed {
            product_id: product.id,
            version,
            own: own.clone(),
            contract: contract.clone(),
            ordinary: Ordinary::of(contract, product),
        });
        self.numbers.insert(bytes, number);
        number
    }

    /// The agreements of a checkpoint's scroll; `None` where it makes no sense.
    pub(crate) fn restore<'a>(
        scroll: Scroll,
        product: impl Fn(ProductId, u32) -> Option<&'a Product>,
    ) -> Option<Self> {
        let mut agreements = Self::default();
        for entry in scroll.entries() {
            let bytes = entry?;
            let mut reader = Reader::new(&bytes);
            let (product_id, version) = (reader.u128()?, reader.u32()?);
            let own = reader.terms()?;
            let product = product(product_id, version).filter(|_| reader.is_at_end())?;
            let contract = product.contract(&own).ok()?;
            agreements.add(bytes.clone(), product, version, &own, &contract);
        }
        agreements.scroll = scroll;
        Some(agreements)
    }
}
