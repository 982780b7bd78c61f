//! Exports on the wire: pages of records as messages and back, and a reader that goes from page to page.

use crate::client::{Client, history};
use crate::fault::ClientFault;
use crate::statements::{period, period_message};
use crate::{records, wire};
use fen_book::{AccountId, BusinessDate, LedgerCode, RecordNumber};
use fen_ledger::export::{ExportAsked, ExportLine, ExportPage, LINES_MAX, PageAsked};

/// What is asked for, as its message.
pub fn export_message(asked: &ExportAsked) -> wire::ExportRequest {
    wire::ExportRequest {
        period: period_message(&asked.period),
        ledgers: asked.ledgers.iter().map(|ledger| ledger.get()).collect(),
        account_ids: asked.accounts.iter().filter_map(|id| records::halves(id.get())).collect(),
        after: String::new(),
        limit: 0,
    }
}

/// What is asked of one shard.
pub fn export_asked(message: &wire::ExportPartRequest) -> (ExportAsked, PageAsked) {
    let asked = message.asked.as_ref();
    let ids = asked.map(|asked| &asked.account_ids[..]).unwrap_or_default();
    let ledgers = asked.map(|asked| &asked.ledgers[..]).unwrap_or_default();
    let limit = asked.map_or(0, |asked| asked.limit);
    let export = ExportAsked {
        period: period(asked.and_then(|asked| asked.period.as_ref())),
        ledgers: ledgers.iter().map(|ledger| LedgerCode::new(*ledger)).collect(),
        accounts: ids.iter().map(|id| AccountId::new(records::wide(Some(*id)))).collect(),
    };
    let at = PageAsked {
        from: RecordNumber::new(message.from_record),
        below: message.below_record.map(RecordNumber::new),
        lines_max: if limit == 0 { LINES_MAX } else { limit },
    };
    (export, at)
}

/// A shard's page as its message.
pub fn export_part_message(shard: u32, page: &ExportPage) -> wire::ExportPart {
    let line = |line: &ExportLine| wire::ExportLine {
        shard,
        record: line.number.get(),
        transfer: Some(records::transfer_message(&line.record)),
        booked_on: line.booked_on.get(),
        value_on: line.value_on.get(),
    };
    wire::ExportPart {
        lines: page.lines.iter().map(line).collect(),
        next_record: page.next.map(RecordNumber::get),
        below_record: page.below.get(),
        faults: page.faults.iter().map(ToString::to_string).collect(),
    }
}

/// A line from its message, with the shard that booked it.
pub fn export_line(message: &wire::ExportLine) -> Result<(u32, ExportLine), String> {
    let line = ExportLine {
        number: RecordNumber::new(message.record),
        record: records::transfer(&message.transfer.unwrap_or_default())?,
        booked_on: BusinessDate::new(message.booked_on),
        value_on: BusinessDate::new(message.value_on),
    };
    Ok((message.shard, line))
}

impl Client {
    /// A page of an export; `after` is what the page before told, and empty for the first one.
    pub async fn export(&self, asked: &ExportAsked, after: &str) -> Result<wire::ExportPage, ClientFault> {
        let message = wire::ExportRequest { after: after.to_owned(), ..export_message(asked) };
        let ask = |channel| {
            let message = message.clone();
            async move { history(channel).export(message).await }
        };
        self.ask(ask).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::{Transfer, TransferId};
    use fen_ledger::Period;

    #[test]
    fn what_is_exported_arrives() {
        let day = BusinessDate::new;
        let asked = ExportAsked {
            period: Period::Valued { first: day(1), last: day(2) },
            ledgers: vec![LedgerCode::new(156)],
            accounts: vec![AccountId::new(7 << 64)],
        };
        let part = wire::ExportPartRequest {
            asked: Some(export_message(&asked)),
            from_record: 9,
            below_record: Some(12),
        };
        let at = PageAsked {
            from: RecordNumber::new(9),
            below: Some(RecordNumber::new(12)),
            lines_max: LINES_MAX,
        };
        assert_eq!(export_asked(&part), (asked, at));
        let record = Transfer { id: TransferId::new(5), ..Transfer::default() };
        let line = ExportLine { number: RecordNumber::new(9), record, booked_on: day(3), value_on: day(4) };
        let page = ExportPage {
            lines: vec![line],
            next: Some(RecordNumber::new(10)),
            below: RecordNumber::new(12),
            faults: vec!["gone".into()],
        };
        let message = export_part_message(3, &page);
        assert_eq!((message.next_record, message.below_record, message.faults.len()), (Some(10), 12, 1));
        assert_eq!(export_line(&message.lines[0]), Ok((3, line)));
    }
}
