//! A script's names for accounts and transfers, and the ids that stand behind them.

use fen_book::{AccountId, EVENTS_MAX, TransferId};
use std::collections::BTreeMap;

/// Ids are given in the order in which names are first used, in steps as long as a chain can be: whoever ends a chain
/// names the first of as many ids. Small numbers stay free for scripts that write ids themselves.
const STEP: u128 = 10_000;
const _: () = assert!(STEP as usize > EVENTS_MAX);

/// Names of one kind of record.
#[derive(Debug)]
struct Book {
    ids: BTreeMap<String, u128>,
    names: BTreeMap<u128, String>,
}

impl Book {
    fn new() -> Self {
        Self { ids: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// A number is an id as it is, `max` the largest; any other word gets an id of its own.
    fn id(&mut self, word: &str) -> u128 {
        if word == "max" {
            return u128::MAX;
        }
        if let Ok(number) = word.parse() {
            return number;
        }
        let next = STEP * (1 + self.ids.len() as u128);
        let id = *self.ids.entry(word.to_owned()).or_insert(next);
        self.names.insert(id, word.to_owned());
        id
    }

    fn name(&self, id: u128) -> String {
        if id == u128::MAX {
            return "max".to_owned();
        }
        let behind = id % STEP;
        match self.names.get(&(id - behind)) {
            Some(name) if behind == 0 => name.clone(),
            Some(name) => format!("{name}+{behind}"),
            None => id.to_string(),
        }
    }
}

/// All names of a script.
#[derive(Debug)]
pub(crate) struct Names {
    accounts: Book,
    transfers: Book,
    loans: Book,
    products: Book,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self { accounts: Book::new(), transfers: Book::new(), loans: Book::new(), products: Book::new() }
    }

    pub(crate) fn account(&mut self, word: &str) -> AccountId {
        AccountId::new(self.accounts.id(word))
    }

    pub(crate) fn transfer(&mut self, word: &str) -> TransferId {
        TransferId::new(self.transfers.id(word))
    }

    pub(crate) fn loan(&mut self, word: &str) -> u128 {
        self.loans.id(word)
    }

    pub(crate) fn product(&mut self, word: &str) -> u128 {
        self.products.id(word)
    }

    /// Lets a name stand for a product's own id.
    pub(crate) fn name_product(&mut self, word: &str, id: u128) {
        self.products.ids.insert(word.to_owned(), id);
    }

    pub(crate) fn of_account(&self, id: AccountId) -> String {
        self.accounts.name(id.get())
    }

    pub(crate) fn of_transfer(&self, id: TransferId) -> String {
        self.transfers.name(id.get())
    }

    pub(crate) fn knows_account(&self, word: &str) -> bool {
        self.accounts.ids.contains_key(word)
    }

    pub(crate) fn knows_transfer(&self, word: &str) -> bool {
        self.transfers.ids.contains_key(word)
    }
}
