//! Transfers and accounts as rows: the same columns as `fen export` writes, with the types of a database.

use crate::table::{Group, Row};
use fen_export::{ACCOUNT_COLUMNS, ExportFault, TRANSFER_COLUMNS, day, kind};
use fen_ledger::Account;
use fen_ledger::export::ExportLine;

/// A record, and the shard that booked it.
pub(crate) struct Posted {
    pub(crate) shard: u32,
    pub(crate) line: ExportLine,
}

impl Row for Posted {
    const SCHEMA: &'static str = "message transfers {
        REQUIRED INT64 number (INTEGER(64, false));
        REQUIRED BYTE_ARRAY id (STRING);
        REQUIRED BYTE_ARRAY kind (STRING);
        REQUIRED BYTE_ARRAY debit_account_id (STRING);
        REQUIRED BYTE_ARRAY credit_account_id (STRING);
        REQUIRED FIXED_LEN_BYTE_ARRAY (16) amount (DECIMAL(38, 0));
        REQUIRED INT32 ledger (INTEGER(32, false));
        REQUIRED INT32 code (INTEGER(16, false));
        REQUIRED INT32 booked_on (DATE);
        REQUIRED INT32 value_on (DATE);
        REQUIRED INT64 timestamp (INTEGER(64, false));
        REQUIRED BYTE_ARRAY pending_id (STRING);
        REQUIRED INT32 timeout (INTEGER(32, false));
        REQUIRED BYTE_ARRAY user_data_128 (STRING);
        REQUIRED INT64 user_data_64 (INTEGER(64, false));
        REQUIRED INT32 user_data_32 (INTEGER(32, false));
        REQUIRED INT32 flags (INTEGER(16, false));
        REQUIRED INT32 shard (INTEGER(32, false));
    }";
    const COLUMNS: &'static [&'static str] = &TRANSFER_COLUMNS;

    fn amounts(&self) -> (String, Vec<u128>) {
        (format!("transfer {}", self.line.record.id), vec![self.line.record.amount.get()])
    }

    fn put(group: &mut Group<'_, Self>) -> Result<(), ExportFault> {
        group.wide(|row| row.line.number.get())?;
        group.text(|row| row.line.record.id.to_string())?;
        group.text(|row| kind(&row.line).to_owned())?;
        group.text(|row| row.line.record.debit_account_id.to_string())?;
        group.text(|row| row.line.record.credit_account_id.to_string())?;
        group.amount(|row| row.line.record.amount.get())?;
        group.word(|row| row.line.record.ledger.get())?;
        group.word(|row| u32::from(row.line.record.code.get()))?;
        group.day(|row| day(row.line.booked_on).number())?;
        group.day(|row| day(row.line.value_on).number())?;
        group.wide(|row| row.line.record.timestamp.get())?;
        group.text(|row| row.line.record.pending_id.to_string())?;
        group.word(|row| row.line.record.timeout.get())?;
        group.text(|row| row.line.record.user_data_128.to_string())?;
        group.wide(|row| row.line.record.user_data_64)?;
        group.word(|row| row.line.record.user_data_32)?;
        group.word(|row| u32::from(row.line.record.flags.bits()))?;
        group.word(|row| row.shard)
    }
}

impl Row for Account {
    const SCHEMA: &'static str = "message accounts {
        REQUIRED BYTE_ARRAY id (STRING);
        REQUIRED INT32 ledger (INTEGER(32, false));
        REQUIRED INT32 code (INTEGER(16, false));
        REQUIRED FIXED_LEN_BYTE_ARRAY (16) debits_posted (DECIMAL(38, 0));
        REQUIRED FIXED_LEN_BYTE_ARRAY (16) credits_posted (DECIMAL(38, 0));
        REQUIRED FIXED_LEN_BYTE_ARRAY (16) debits_pending (DECIMAL(38, 0));
        REQUIRED FIXED_LEN_BYTE_ARRAY (16) credits_pending (DECIMAL(38, 0));
        REQUIRED INT64 timestamp (INTEGER(64, false));
        REQUIRED BYTE_ARRAY user_data_128 (STRING);
        REQUIRED INT64 user_data_64 (INTEGER(64, false));
        REQUIRED INT32 user_data_32 (INTEGER(32, false));
        REQUIRED INT32 flags (INTEGER(16, false));
    }";
    const COLUMNS: &'static [&'static str] = &ACCOUNT_COLUMNS;

    fn amounts(&self) -> (String, Vec<u128>) {
        let amounts = [self.debits_posted, self.credits_posted, self.debits_pending, self.credits_pending];
        (format!("account {}", self.id), amounts.map(fen_ledger::Amount::get).to_vec())
    }

    fn put(group: &mut Group<'_, Self>) -> Result<(), ExportFault> {
        group.text(|account| account.id.to_string())?;
        group.word(|account| account.ledger.get())?;
        group.word(|account| u32::from(account.code.get()))?;
        group.amount(|account| account.debits_posted.get())?;
        group.amount(|account| account.credits_posted.get())?;
        group.amount(|account| account.debits_pending.get())?;
        group.amount(|account| account.credits_pending.get())?;
        group.wide(|account| account.timestamp.get())?;
        group.text(|account| account.user_data_128.to_string())?;
        group.wide(|account| account.user_data_64)?;
        group.word(|account| account.user_data_32)?;
        group.word(|account| u32::from(account.flags.bits()))
    }
}
