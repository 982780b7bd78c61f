//! Tables of fixed records in 64 KiB pages: what the book keeps in memory and a checkpoint writes to disk.
//!
//! **Invariants.** A slot never moves. Between [`PagedTable::freeze`] and the last page that
//! [`PagedTable::take_frozen`] hands out, every page that was changed before the freeze is copied exactly once,
//! as it was at the freeze: by `take_frozen`, or by the first write after the freeze, whichever comes first. So
//! a checkpoint sees one moment while commands go on, and no pause is longer than one page's copy.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// Bytes in a page.
pub const PAGE_BYTES: usize = 65_536;

/// A page as it was at the freeze.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageCopy {
    /// Which page of its table.
    pub page: u32,
    /// Its records' bytes, zeros behind them: exactly [`PAGE_BYTES`].
    pub bytes: Vec<u8>,
}

/// What became of a page since the last checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    /// As the last checkpoint has it.
    Clean,
    /// Changed since.
    Changed,
    /// Changed before the running checkpoint's freeze, not yet copied.
    Frozen,
}

/// A record that a page can hold.
pub trait Record: Copy + Default + FromBytes + IntoBytes + Immutable + KnownLayout {}
impl<T: Copy + Default + FromBytes + IntoBytes + Immutable + KnownLayout> Record for T {}

/// The bytes of a page that holds these records.
pub fn page_bytes<T: Record>(records: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PAGE_BYTES);
    bytes.extend_from_slice(records.as_bytes());
    assert!(bytes.len() <= PAGE_BYTES, "a page's records fit a page");
    bytes.resize(PAGE_BYTES, 0);
    bytes
}

/// A page in memory: aligned to cache lines, so that a record of 128 bytes lies on two of them, not on three.
#[derive(FromBytes)]
#[repr(C, align(64))]
struct Page<T, const PER_PAGE: usize>([T; PER_PAGE]);

/// A growing table of records, `PER_PAGE` to a page: as many as fit.
pub struct PagedTable<T, const PER_PAGE: usize> {
    pages: Vec<Box<Page<T, PER_PAGE>>>,
    marks: Vec<Mark>,
    len: usize,
    copies: Vec<PageCopy>,
    next_frozen: usize,
}

#[allow(
    clippy::unnecessary_box_returns,
    reason = "a page is made where it stays: on the heap, never on the stack"
)]
fn empty_page<T: Record, const PER_PAGE: usize>() -> Box<Page<T, PER_PAGE>> {
    Page::new_box_zeroed().expect("there is memory for one more page")
}

/// How many records fit a page.
#[allow(
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler: a record of no size does not build"
)]
pub const fn per_page<T>() -> usize {
    PAGE_BYTES / size_of::<T>()
}

impl<T: Record, const PER_PAGE: usize> Default for PagedTable<T, PER_PAGE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Record, const PER_PAGE: usize> PagedTable<T, PER_PAGE> {
    /// An empty table.
    pub fn new() -> Self {
        const { assert!(PER_PAGE == per_page::<T>(), "a page holds as many records as fit") };
        Self { pages: Vec::new(), marks: Vec::new(), len: 0, copies: Vec::new(), next_frozen: 0 }
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The page of a slot, and its place there.
    #[inline]
    #[allow(
        clippy::arithmetic_side_effects,
        reason = "a page holds at least one record, so never a division by zero"
    )]
    fn place(slot: usize) -> (usize, usize) {
        (slot / PER_PAGE, slot % PER_PAGE)
    }

    /// The record in `slot`, which must exist.
    #[inline]
    pub fn get(&self, slot: usize) -> &T {
        let (page, place) = Self::place(slot);
        &self.pages[page].0[place]
    }

    /// The record in `slot`, which must exist, to be changed.
    #[inline]
    pub fn get_mut(&mut self, slot: usize) -> &mut T {
        let (page, place) = Self::place(slot);
        if self.marks[page] != Mark::Changed {
            self.note_change(page);
        }
        &mut self.pages[page].0[place]
    }

    /// Appends a record and returns its slot.
    pub fn push(&mut self, record: T) -> usize {
        let slot = self.len;
        if slot.is_multiple_of(PER_PAGE) {
            self.pages.push(empty_page());
            self.marks.push(Mark::Changed);
        }
        self.len = slot.checked_add(1).expect("a table fits memory");
        *self.get_mut(slot) = record;
        slot
    }

    /// All records in slot order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        (0..self.len).map(|slot| self.get(slot))
    }

    #[cold]
    fn note_change(&mut self, page: usize) {
        if self.marks[page] == Mark::Frozen {
            let copy = self.copy(page);
            self.copies.push(copy);
        }
        self.marks[page] = Mark::Changed;
    }

    fn copy(&self, page: usize) -> PageCopy {
        let page_number = u32::try_from(page).expect("a table has fewer than 2^32 pages");
        PageCopy { page: page_number, bytes: page_bytes(&self.pages[page].0) }
    }

    /// Takes the changed pages as they are now for a checkpoint; returns how many there are.
    ///
    /// # Panics
    /// When an earlier freeze has not been taken to its end: two checkpoints never overlap.
    pub fn freeze(&mut self) -> usize {
        assert!(!self.has_frozen(), "a checkpoint ends before the next one begins");
        self.next_frozen = 0;
        let mut count = 0usize;
        for mark in &mut self.marks {
            match mark {
                Mark::Clean => {}
                Mark::Changed | Mark::Frozen => {
                    *mark = Mark::Frozen;
                    count = count.saturating_add(1);
                }
            }
        }
        count
    }

    /// Whether pages of the last freeze are still to be taken.
    pub fn has_frozen(&self) -> bool {
        !self.copies.is_empty()
            || self.marks[self.next_frozen.min(self.marks.len())..].contains(&Mark::Frozen)
    }

    /// Up to `pages_max` pages of the last freeze, and all that writes have copied meanwhile; empty at the end.
    pub fn take_frozen(&mut self, pages_max: usize) -> Vec<PageCopy> {
        let mut taken = core::mem::take(&mut self.copies);
        while taken.len() < pages_max && self.next_frozen < self.marks.len() {
            let page = self.next_frozen;
            if self.marks[page] == Mark::Frozen {
                taken.push(self.copy(page));
                self.marks[page] = Mark::Clean;
            }
            self.next_frozen = page.saturating_add(1);
        }
        taken
    }

    /// Appends a page of a checkpoint while a table is being restored.
    pub(crate) fn restore_page(&mut self, bytes: &[u8]) {
        let mut page: Box<Page<T, PER_PAGE>> = empty_page();
        let records = page.0.as_mut_bytes();
        records.copy_from_slice(&bytes[..records.len()]);
        self.pages.push(page);
        self.marks.push(Mark::Clean);
    }

    /// Ends restoring: says how many records the pages hold. False where the pages are too few or too many.
    #[must_use]
    pub(crate) fn restore_len(&mut self, len: usize) -> bool {
        self.len = len;
        self.pages.len() == len.div_ceil(PER_PAGE)
    }
}
