//! What tests of the book share: a disk that keeps checkpoints page by page, as storage does.

use fen_book::Book;
use fen_book::image::{Header, Restore, Table};
use std::collections::BTreeMap;

/// The pages of the last checkpoint, and its header.
#[derive(Default)]
pub(crate) struct Pages {
    pages: BTreeMap<(u16, u32), Vec<u8>>,
    header: Header,
}

impl Pages {
    /// Takes a checkpoint of the book: what changed since the last one.
    pub(crate) fn checkpoint(&mut self, book: &mut Book, pages_max: usize) {
        let frozen = book.freeze();
        let always: Vec<u16> = Table::OF_OPEN_CHUNK.iter().map(|table| table.number()).collect();
        self.pages.retain(|(table, _), _| !always.contains(table));
        let mut keep = |pages: Vec<fen_book::image::TablePage>| {
            for page in pages {
                self.pages.insert((page.table.number(), page.page), page.bytes);
            }
        };
        keep(frozen.pages);
        while book.has_frozen() {
            keep(book.take_frozen(pages_max));
        }
        self.header = frozen.header;
    }

    /// The book of the last checkpoint.
    pub(crate) fn restore(&self) -> Book {
        let mut restore = Restore::of(&self.header).unwrap();
        for ((table, page), bytes) in &self.pages {
            restore.page(*table, *page, bytes).unwrap();
        }
        restore.finish().unwrap()
    }
}

/// All that the loan side of a book is.
pub(crate) fn loans_of(book: &Book) -> Vec<u8> {
    let mut bytes = Vec::new();
    book.loans().feed(&mut |part| bytes.extend_from_slice(part));
    bytes
}
