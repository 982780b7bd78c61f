//! Names that follow from a file: its key, and its items' ids.
//!
//! Two banks' clients may use the same message id, so the key takes the initiating party in; two files of one party may
//! not. An item is named by its end-to-end id, which is its party's to keep unique within the file; where there is none
//! (`NOTPROVIDED`), by its instruction's, and at last by its place in the file: under one key there is one content.

use crate::item::Item;
use uuid::Uuid;

const FILES: Uuid = Uuid::from_u128(0x2f57_8a1c_54d3_5b0e_8c61_f3f9_0d4e_77a2);

/// The names of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Names {
    key: Uuid,
}

impl Names {
    /// Of a file of this party, with this message id.
    pub fn new(initiator: &str, message_id: &str) -> Self {
        let mut name = Vec::with_capacity(initiator.len() + message_id.len() + 1);
        name.extend_from_slice(initiator.as_bytes());
        name.push(0);
        name.extend_from_slice(message_id.as_bytes());
        Self { key: Uuid::new_v5(&FILES, &name) }
    }

    /// Of a file that is known by its key.
    pub fn of_key(key: u128) -> Self {
        Self { key: Uuid::from_u128(key) }
    }

    /// The file's key in the registry.
    pub fn key(&self) -> u128 {
        self.key.as_u128()
    }

    /// The id under which the books know an item.
    pub fn item(&self, item: &Item, position: u64) -> u128 {
        if let Some(name) = item.name() {
            return Uuid::new_v5(&self.key, name.as_bytes()).as_u128();
        }
        let name = format!("\0item {position}");
        Uuid::new_v5(&self.key, name.as_bytes()).as_u128()
    }

    /// An id that follows from an item's: of its loan, its hold, or a further attempt.
    pub fn further(item: u128, what: &str) -> u128 {
        Uuid::new_v5(&Uuid::from_u128(item), what.as_bytes()).as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_parties_files_and_items_apart() {
        let names = [Names::new("a", "bc"), Names::new("ab", "c"), Names::new("", "abc")];
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
        let item = |id: &str| Item { end_to_end_id: id.to_owned(), ..Item::default() };
        assert_eq!(names[0].item(&item("x"), 1), names[0].item(&item("x"), 2));
        assert_ne!(names[0].item(&item("x"), 1), names[1].item(&item("x"), 1));
        let unnamed = item("NOTPROVIDED");
        assert_ne!(names[0].item(&unnamed, 1), names[0].item(&unnamed, 2));
        assert_eq!(Names::of_key(names[0].key()), names[0]);
    }
}
