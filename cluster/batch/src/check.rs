//! The whole-file check: reads a file to its end before anything of it is done.
//!
//! Refuses a file that breaks its format, has another number of items or another sum than it says, or no items. What is
//! wrong with single items is counted and named, and refuses those only.
//! **Limits.** 8 bytes an item, to find ids that stand there twice.

use crate::item::{Act, Block, Format, Head, Item, Piece, Source, Sum};
use crate::reason::{FileFault, ItemFault, Reason};
use fen_terms::Day;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Faults of items that are named; the rest are counted.
pub const NAMED_MAX: usize = 20;

/// The most items that one file may have: positions are kept in result files of 32 bytes an item.
pub const ITEMS_MAX: u64 = 1 << 30;

/// What a file was found to hold.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it says of itself.
    pub head: Head,
    /// Its form.
    pub format: Format,
    /// How many items.
    pub items: u64,
    /// What they come to in major units, whatever their currencies.
    pub sum: Sum,
    /// The same in minor units, of one currency; zero where there are several.
    pub minor: u128,
    /// That currency's number, or zero.
    pub ledger: u32,
    /// The first day on which something is to be done, where every item names one.
    pub first_on: Option<Day>,
    /// Whether all items are for the same day.
    pub is_one_day: bool,
    /// Items of each kind: transfers, disbursements, repayments.
    pub acts: [u64; 3],
    /// Items that can't be carried out as they are written.
    pub faults: u64,
    /// Some of them, with their places counted from one.
    pub named: Vec<(u64, String, ItemFault)>,
    /// Ids that stand in the file twice, as hashes: candidates.
    pub twice: HashSet<u64>,
}

/// The hash that ids are compared by; the same in every run.
pub(crate) fn hash(name: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

/// Reads a file to its end. `watch` is told after every item.
///
/// # Errors
/// Why the file is refused.
pub fn check(source: &mut dyn Source, watch: &mut dyn FnMut(u64)) -> Result<Checked, FileFault> {
    let mut found = Found::default();
    while let Some(piece) = source.next_piece()? {
        match piece {
            Piece::Head(head) => found.head = *head,
            Piece::Block(block) => {
                found.end_block()?;
                found.block = *block;
            }
            Piece::Item(item) => {
                found.item(&item)?;
                watch(found.items);
            }
        }
    }
    found.end_block()?;
    found.end(source.format())
}

#[derive(Default)]
struct Found {
    head: Head,
    block: Block,
    block_items: u64,
    block_sum: Sum,
    items: u64,
    sum: Sum,
    minor: u128,
    ledger: Option<u32>,
    first_on: Option<Day>,
    is_any_at_once: bool,
    last_on: Option<Day>,
    acts: [u64; 3],
    faults: u64,
    named: Vec<(u64, String, ItemFault)>,
    names: Vec<u64>,
}

impl Found {
    fn item(&mut self, item: &Item) -> Result<(), FileFault> {
        self.items += 1;
        self.block_items += 1;
        if self.items > ITEMS_MAX {
            return Err(FileFault::format("", format!("more than {ITEMS_MAX} items")).mend("split the file"));
        }
        if let Some(name) = item.name() {
            self.names.push(hash(name));
        }
        if let Some(fault) = &item.fault {
            self.fault(&item.end_to_end_id, (**fault).clone());
        }
        let place = match item.act {
            Act::Transfer => 0,
            Act::Disburse => 1,
            Act::Repay => 2,
        };
        self.acts[place] += 1;
        let sum = Sum::of(item.amount, item.ledger).unwrap_or_default();
        let too_much =
            || FileFault::of(Reason::AmountInvalid, "", "the items come to more than can be reckoned");
        self.sum = self.sum.plus(sum).ok_or_else(too_much)?;
        self.block_sum = self.block_sum.plus(sum).ok_or_else(too_much)?;
        self.minor = self.minor.checked_add(item.amount).ok_or_else(too_much)?;
        if *self.ledger.get_or_insert(item.ledger) != item.ledger {
            self.ledger = Some(0);
        }
        match item.on {
            Some(on) => {
                self.first_on = Some(self.first_on.map_or(on, |first| first.min(on)));
                self.last_on = self.last_on.max(Some(on));
            }
            None => self.is_any_at_once = true,
        }
        Ok(())
    }

    fn fault(&mut self, id: &str, fault: ItemFault) {
        self.faults += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push((self.items, id.to_owned(), fault));
        }
    }

    fn end_block(&mut self) -> Result<(), FileFault> {
        let place = format!("block '{}'", self.block.id);
        agree(&place, (self.block.items, self.block_items), (self.block.sum, self.block_sum))?;
        (self.block_items, self.block_sum) = (0, Sum::default());
        Ok(())
    }

    fn end(mut self, format: Format) -> Result<Checked, FileFault> {
        if self.items == 0 {
            return Err(FileFault::format("", "the file has no items"));
        }
        agree("group header", (self.head.items, self.items), (self.head.sum, self.sum))?;
        self.names.sort_unstable();
        let twice = self.names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        let ledger = self.ledger.unwrap_or(0);
        Ok(Checked {
            head: self.head,
            format,
            items: self.items,
            sum: self.sum,
            minor: if ledger == 0 { 0 } else { self.minor },
            ledger,
            first_on: self.first_on.filter(|_| !self.is_any_at_once),
            is_one_day: self.first_on == self.last_on && !(self.is_any_at_once && self.first_on.is_some()),
            acts: self.acts,
            faults: self.faults,
            named: self.named,
            twice,
        })
    }
}

/// What is said must be what is there.
fn agree(place: &str, items: (Option<u64>, u64), sum: (Option<Sum>, Sum)) -> Result<(), FileFault> {
    if let (Some(said), there) = items
        && said != there
    {
        let what = format!("NbOfTxs says {said}, there are {there}");
        return Err(FileFault::of(Reason::CountWrong, place, what));
    }
    if let (Some(said), there) = sum
        && said != there
    {
        return Err(FileFault::of(
            Reason::ControlSumWrong,
            place,
            format!("CtrlSum says {said}, the items come to {there}"),
        ));
    }
    Ok(())
}
