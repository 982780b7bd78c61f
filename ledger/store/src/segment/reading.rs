//! A reading keeps the last block, whose memory serves for the next, and the account pages that it met, for records
//! asked for one after another.

use super::accounts::place;
use super::{AccountPage, Block, PAGE_ACCOUNTS, Segment, TouchedAccount, block_of, wide};
use crate::journal::JournalFault;
use fen_book::{AccountId, Transfer, TransferId};
use std::sync::Arc;

/// See the module's words. It keeps at most the segment's whole dictionary.
pub(crate) struct Reading {
    segment: Arc<Segment>,
    block: Option<(u32, Block)>,
    pages: Vec<Option<AccountPage>>,
}

impl Reading {
    pub(crate) fn new(segment: Arc<Segment>) -> Self {
        let pages = wide(segment.account_count()).div_ceil(PAGE_ACCOUNTS);
        Self { segment, block: None, pages: std::iter::repeat_with(|| None).take(pages).collect() }
    }

    pub(crate) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// The block of that number, read now unless it is held.
    pub(crate) fn block(&mut self, number: u32) -> Result<&Block, JournalFault> {
        if self.block.as_ref().is_none_or(|(held, _)| *held != number) {
            let spent = self.block.take().map(|(_, block)| block);
            self.block = Some((number, self.segment.block_over(number, spent)?));
        }
        match &self.block {
            Some((_, block)) => Ok(block),
            None => Err(self.segment.nowhere(crate::journal::Piece::Block(number))),
        }
    }

    fn account_id(&mut self, reference: u32) -> Result<AccountId, JournalFault> {
        if reference == self.segment.account_count() {
            return Ok(AccountId::ZERO);
        }
        self.segment.check_reference(reference)?;
        let (number, row) = place(reference);
        let held = &mut self.pages[wide(number)];
        if let Some(page) = held {
            return Ok(page.id(row));
        }
        let page = self.segment.account_page(number)?;
        let id = page.id(row);
        *held = Some(page);
        Ok(id)
    }

    /// The record in a row of a block, an entry of an account that is known.
    pub(crate) fn entry_in(
        &mut self,
        number: u32,
        row: usize,
        account: &TouchedAccount,
    ) -> Result<Transfer, JournalFault> {
        let references = self.block(number)?.references(row);
        let mut ids = [account.id; 2];
        for (id, reference) in ids.iter_mut().zip(references) {
            if reference != account.reference {
                *id = self.account_id(reference)?;
            }
        }
        Ok(self.block(number)?.record(row, ids[0], ids[1]))
    }

    /// The record in a row of a block.
    pub(crate) fn record_in(&mut self, number: u32, row: usize) -> Result<Transfer, JournalFault> {
        let [debit, credit] = self.block(number)?.references(row);
        let (debit, credit) = (self.account_id(debit)?, self.account_id(credit)?);
        Ok(self.block(number)?.record(row, debit, credit))
    }

    /// The record at a position, if its id is the one asked for.
    pub(crate) fn record_with_id(
        &mut self,
        position: u32,
        id: TransferId,
    ) -> Result<Option<Transfer>, JournalFault> {
        let (number, row) = block_of(position);
        if self.block(number)?.id(row) == id { self.record_in(number, row).map(Some) } else { Ok(None) }
    }

    /// The record at a position, if it ended the pending transfer asked for.
    pub(crate) fn record_with_pending_id(
        &mut self,
        position: u32,
        pending_id: TransferId,
    ) -> Result<Option<Transfer>, JournalFault> {
        let (number, row) = block_of(position);
        let matches = self.block(number)?.pending_id(row) == pending_id;
        if matches { self.record_in(number, row).map(Some) } else { Ok(None) }
    }
}
