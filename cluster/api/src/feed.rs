//! The change feed on the wire: pages as messages and back, and a reader that goes on where it was broken off.

use crate::client::{Client, ledger, worth_asking_again};
use crate::fault::ClientFault;
use crate::{records, wire};
use fen_book::memo::Memo;
use fen_book::{BusinessDate, Code, LedgerCode, Stamp};
use fen_ledger::feed::Gap;
use fen_ledger::{Change, FeedAsked, FeedPage, FeedPosition};
use tonic::Streaming;

/// Changes of a page where the reader says nothing.
const PAGE: u32 = 1_024;

/// What is asked of one shard; the position is its own.
pub fn feed_asked(message: &wire::FeedRequest) -> Result<FeedAsked, String> {
    let from = if message.from.is_empty() { Ok(FeedPosition::BEGIN) } else { message.from.parse() };
    let code = message.code.map(u16::try_from).transpose();
    Ok(FeedAsked {
        from: from.map_err(|fault: fen_ledger::Fault| fault.to_string())?,
        limit: if message.limit == 0 { PAGE } else { message.limit.min(PAGE) },
        ledger: message.ledger,
        code: code.map_err(|_| "code: the largest is 65535".to_owned())?,
        product: message.product_id.map(|id| records::wide(Some(id))),
    })
}

/// A shard's page as its message; the positions are its own.
pub fn feed_page_message(shard: u32, page: &FeedPage) -> wire::FeedPage {
    use wire::change::What;
    let change = |(position, change): &(FeedPosition, Change)| wire::Change {
        position: position.to_string(),
        shard,
        what: Some(match change {
            Change::Opened(account) => What::Opened(records::account_message(account)),
            Change::Transfer(record) => What::Transfer(records::transfer_message(record)),
            Change::Expired(record) => What::Expired(records::transfer_message(record)),
            Change::Burned(record) => What::Burned(records::transfer_message(record)),
            Change::Applied(memo) => What::Applied(memo_message(memo)),
        }),
    };
    let gap = |gap: &Gap| wire::Gap {
        shard,
        first_record: gap.records.start.get(),
        last_record: gap.records.end.get().saturating_sub(1),
        reason: gap.reason.to_string(),
    };
    wire::FeedPage {
        changes: page.changes.iter().map(change).collect(),
        position: page.next.to_string(),
        gaps: page.gaps.iter().map(gap).collect(),
        is_end: page.is_end,
    }
}

fn memo_message(memo: &Memo) -> wire::Applied {
    wire::Applied {
        code: u32::from(memo.code.get()),
        ledger: memo.ledger.get(),
        about: records::halves(memo.about),
        product_id: records::halves(memo.product_id),
        day: memo.day.get(),
        timestamp: memo.stamp.get(),
        command: memo.body.clone(),
    }
}

fn memo_of(message: &wire::Applied) -> Result<Memo, String> {
    let code = u16::try_from(message.code).map_err(|_| "code: the largest is 65535".to_owned())?;
    Ok(Memo {
        code: Code::new(code),
        ledger: LedgerCode::new(message.ledger),
        about: records::wide(message.about),
        product_id: records::wide(message.product_id),
        day: BusinessDate::new(message.day),
        stamp: Stamp::new(message.timestamp),
        body: message.command.clone(),
    })
}

/// What changed, from its message; `None` where a newer release tells of something else.
pub fn change(message: &wire::Change) -> Result<Option<Change>, String> {
    use wire::change::What;
    let Some(what) = &message.what else { return Ok(None) };
    Ok(Some(match what {
        What::Opened(account) => Change::Opened(records::account(account)?),
        What::Transfer(record) => Change::Transfer(records::transfer(record)?),
        What::Expired(record) => Change::Expired(records::transfer(record)?),
        What::Burned(record) => Change::Burned(records::transfer(record)?),
        What::Applied(memo) => Change::Applied(memo_of(memo)?),
    }))
}

/// A feed being read. Where a node goes away in mid-stream, the next one is asked for what follows the last page: so
/// whoever has dealt with a page before asking for the next one meets every change at least once.
pub struct Feed {
    client: Client,
    asked: wire::FeedRequest,
    stream: Option<Streaming<wire::FeedPage>>,
}

impl Client {
    /// What happened, from a position on. Asks nothing yet.
    pub fn feed(&self, asked: wire::FeedRequest) -> Feed {
        Feed { client: self.clone(), asked, stream: None }
    }
}

impl Feed {
    /// The next page; nothing once all is told. One that follows has no end.
    pub async fn page(&mut self) -> Result<Option<wire::FeedPage>, ClientFault> {
        loop {
            let stream = match &mut self.stream {
                Some(stream) => stream,
                none => {
                    let asked = &self.asked;
                    let ask = |channel| {
                        let asked = asked.clone();
                        async move { ledger(channel).feed(asked).await }
                    };
                    none.insert(self.client.ask(ask).await?)
                }
            };
            match stream.message().await {
                Ok(None) => return Ok(None),
                Ok(Some(page)) => {
                    self.asked.from.clone_from(&page.position);
                    return Ok(Some(page));
                }
                Err(status) if worth_asking_again(status.code()) => self.stream = None,
                Err(status) => return Err(ClientFault::Refused(status.message().to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::{AccountId, RecordNumber, Transfer, TransferId};

    #[test]
    fn what_a_shard_tells_is_what_a_reader_hears() {
        let account = fen_book::Account { id: AccountId::new(7), ..fen_book::Account::default() };
        let record = Transfer { id: TransferId::new(9), ..Transfer::default() };
        let changes = [
            Change::Opened(account),
            Change::Transfer(record),
            Change::Expired(record),
            Change::Burned(record),
            Change::Applied(Memo {
                code: Code::new(9_302),
                ledger: LedgerCode::new(156),
                about: u128::MAX,
                product_id: 0,
                day: BusinessDate::new(-1),
                stamp: Stamp::new(7),
                body: vec![1, 2, 3],
            }),
        ];
        let position: FeedPosition = "3.2.1".parse().unwrap();
        let gap = Gap { records: RecordNumber::new(4)..RecordNumber::new(6), reason: "gone".into() };
        let page = FeedPage {
            changes: changes.iter().map(|change| (position, change.clone())).collect(),
            next: position,
            is_end: true,
            gaps: vec![gap],
        };
        let message = feed_page_message(3, &page);
        assert_eq!((message.position.as_str(), message.gaps[0].last_record), ("3.2.1", 5));
        for (told, change_of) in message.changes.iter().zip(changes) {
            assert_eq!((change(told), told.shard), (Ok(Some(change_of)), 3));
        }
        assert_eq!(change(&wire::Change::default()), Ok(None));
        let asked = |from: &str, code| wire::FeedRequest {
            from: from.to_owned(),
            code: Some(code),
            ..wire::FeedRequest::default()
        };
        assert_eq!(feed_asked(&asked("3.2.1", 7)).unwrap().from, position);
        assert!(feed_asked(&asked("3.2", 7)).unwrap_err().contains("position"));
        assert!(feed_asked(&asked("", 70_000)).unwrap_err().contains("code"));
    }
}
