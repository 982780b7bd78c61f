//! What a shard answers without changing anything: from its leader, confirmed by a majority, or from any member as
//! that one has it.
//!
//! Young records come from the book, on the machine's thread; sealed ones from the journal, on a thread that may wait
//! for the disk.

mod clearing;
mod crossed;
mod past;
mod pieces;
mod proofs;
mod reports;
mod search;

pub(crate) use clearing::pair;
pub(crate) use past::keep_indexes;
pub(crate) use pieces::{IMAGE_HEAD_BYTES, SEGMENT_HEAD_BYTES};

use crate::ask::{Ask, Read};
use crate::books::Books;
use crate::crossing::counter;
use crate::crossing::orders::Verdict;
use crate::fault::ServeFault;
use crate::membership;
use crate::shard::ShardMachine;
use crate::teller::Teller;
use bytes::Bytes;
use fen_api::{records, wire};
use fen_book::clearing::{Step, step_id};
use fen_book::{AccountId, Amount, Book, CreateTransferStatus, EVENTS_MAX, Transfer, TransferId};
use fen_json::reply::Answer as _;

use fen_ledger::{LIVES, LedgerTotals, history};
use prost::Message;
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

/// The most ids in one look-up.
const IDS_MAX: usize = EVENTS_MAX;

/// Who answers a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// The leader, once a majority has confirmed that it leads: everything answered before the read is in it.
    Leader,
    /// This member, as it is.
    Member,
}

/// A shard's desk for reads.
struct Desk<'a> {
    teller: &'a Teller,
    from: Asked,
}

impl Teller {
    /// Answers one question: commands and the leader's reads only where this node leads the shard.
    pub async fn serve(&self, ask: Ask) -> Result<Bytes, ServeFault> {
        match ask {
            Ask::Submit(command) => self.submit(command).await,
            Ask::Cross(batch) => counter::cross(self, self.board(), batch).await,
            Ask::ReadIndex => {
                let index = self.group().read_index().await?;
                Ok(Bytes::copy_from_slice(&index.to_le_bytes()))
            }
            Ask::Change(_) | Ask::Plan | Ask::Batch(_) | Ask::Batches(_) => {
                Err(ServeFault::Refused("a shard is not the directory".to_owned()))
            }
            Ask::Members(members) => membership::serve(self.group(), members).await,
            Ask::Read(read) => Desk { teller: self, from: Asked::Leader }.answer(read).await,
            Ask::Near(read) => Desk { teller: self, from: Asked::Member }.answer(read).await,
        }
    }
}

impl Desk<'_> {
    async fn answer(&self, read: Read) -> Result<Bytes, ServeFault> {
        match read {
            Read::Accounts(ids) => self.accounts(ids).await,
            Read::Transfers(ids) => self.transfers(ids).await,
            Read::AccountTransfers(filter) => self.account_transfers(filter).await,
            Read::Balances(filter) => self.balances(filter).await,
            Read::Positions(ids) => self.positions(ids).await,
            Read::QueryAccounts(filter) => self.query_accounts(filter).await,
            Read::QueryTransfers(filter) => self.query_transfers(filter).await,
            Read::Loans(ids) => self.loans(ids).await,
            Read::LoansHere(ids) => self.loans_here(ids).await,
            Read::Verdicts(ids) => self.verdicts(ids).await,
            Read::Moved(query) => self.moved(query).await,
            Read::Totals => Ok(encoded(&self.look(|shard| totals(shard.shard().book())).await?)),
            Read::Audit => Ok(encoded(&self.look(|machine| audit(machine.books())).await?)),
            Read::AuditLives(asked) => {
                Ok(encoded(&self.look(move |shard| lives(shard.books(), asked.first)).await?))
            }
            Read::BusinessDate => {
                let date = self.look(|shard| shard.shard().book().loans().business_date()).await?;
                Ok(date.map_or_else(Bytes::new, |date| Bytes::copy_from_slice(&date.get().to_le_bytes())))
            }
            Read::Statement(asked) => self.statement(asked).await,
            Read::LoanStatement(asked) => self.loan_statement(asked).await,
            Read::GeneralLedger(asked) => self.general_ledger(asked).await,
            Read::Portfolio => self.portfolio().await,
            Read::DayEndStatus => self.day_end_status().await,
            Read::Feed(asked) => self.feed(asked).await,
            Read::Clearing => self.clearing().await,
            Read::SearchTransfers(search) => self.search_transfers(search).await,
            Read::SearchAccounts(search) => self.search_accounts(search).await,
            Read::Turnover(asked) => self.turnover(asked).await,
            Read::Export(asked) => self.export(asked).await,
            Read::Head(asked) => self.head(asked).await,
            Read::Inclusion(asked) => self.inclusion(asked).await,
            Read::Consistency(asked) => self.consistency(asked).await,
            Read::Archive(asked) => self.archive(asked).await,
            Read::ImagePiece(asked) => self.image_piece(asked).await,
            Read::SegmentPiece(asked) => self.segment_piece(asked).await,
        }
    }

    async fn verdicts(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let ids: Vec<TransferId> = wide_ids(&ids)?.into_iter().map(TransferId::new).collect();
        let verdicts = self.look(move |machine| {
            let verdict = |id: &TransferId| {
                let verdict = machine.books().verdict(*id, step_id(*id, Step::Leg))?;
                // A verdict without an id: the leg never came.
                let none = || Verdict::new(TransferId::ZERO, CreateTransferStatus::Created, Amount::ZERO);
                Ok(verdict.unwrap_or_else(none))
            };
            ids.iter().map(verdict).collect::<std::io::Result<Vec<Verdict>>>()
        });
        let verdicts = verdicts.await?.map_err(|fault| ServeFault::Refused(fault.to_string()))?;
        Ok(Bytes::copy_from_slice(verdicts.as_bytes()))
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ShardMachine) -> T + Send + 'static,
    ) -> Result<T, ServeFault> {
        let group = self.teller.group();
        Ok(match self.from {
            Asked::Leader => {
                self.teller.let_time_pass().await?;
                group.read(|machine| look(machine)).await?
            }
            Asked::Member => group.peek(|machine| look(machine)).await?,
        })
    }

    async fn accounts(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let ids = wide_ids(&ids)?;
        let found = self.look(move |shard| {
            let message = |id: &u128| wire::FoundAccount {
                account: shard
                    .shard()
                    .book()
                    .account(AccountId::new(*id))
                    .as_ref()
                    .map(records::account_message),
            };
            wire::Accounts { found: ids.iter().map(message).collect() }
        });
        Ok(encoded(&found.await?))
    }

    async fn positions(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let ids = wide_ids(&ids)?;
        let found = self.look(move |shard| {
            let position = |id: &u128| shard.shard().book().position(AccountId::new(*id));
            ids.iter().map(position).collect::<Vec<_>>()
        });
        let message = |position: &Option<fen_book::Position>| {
            position.as_ref().map(records::position_message).unwrap_or_default()
        };
        Ok(encoded(&wire::Positions { found: found.await?.iter().map(message).collect() }))
    }

    async fn transfers(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let ids: Vec<TransferId> = wide_ids(&ids)?.into_iter().map(TransferId::new).collect();
        let young = |machine: &ShardMachine| {
            let found = history::young_lookup(machine.shard().book(), &ids);
            (found, machine.shard().journal().clone(), ids)
        };
        let (found, journal, ids) = self.look(young).await?;
        let found = self.teller.behind(move || history::lookup_transfers(&journal, &ids, found)).await?;
        let found = history::only_transfers(found);
        let message = |record: &Option<Transfer>| wire::FoundTransfer {
            transfer: record.as_ref().map(records::transfer_message),
        };
        Ok(encoded(&wire::Transfers { found: found.iter().map(message).collect() }))
    }

    async fn account_transfers(&self, filter: wire::AccountFilter) -> Result<Bytes, ServeFault> {
        let filter = records::account_filter(&filter).map_err(ServeFault::Refused)?;
        let young = move |machine: &ShardMachine| {
            (history::young_transfers(machine.shard().book(), &filter), machine.shard().journal().clone())
        };
        let (Some(part), journal) = self.look(young).await? else { return Ok(Bytes::new()) };
        let transfers =
            self.teller.behind(move || history::account_transfers(&journal, part, &filter)).await?;
        Ok(encoded(&transfer_list(&transfers)))
    }

    async fn balances(&self, filter: wire::AccountFilter) -> Result<Bytes, ServeFault> {
        let filter = records::account_filter(&filter).map_err(ServeFault::Refused)?;
        let young = move |machine: &ShardMachine| {
            (history::young_balances(machine.shard().book(), &filter), machine.shard().journal().clone())
        };
        let (Some(part), journal) = self.look(young).await? else { return Ok(Bytes::new()) };
        let lines = self.teller.behind(move || history::account_balances(&journal, part, &filter)).await?;
        let lines = lines.iter().map(records::balance_message).collect();
        Ok(encoded(&wire::BalanceLines { lines }))
    }

    async fn query_accounts(&self, filter: wire::QueryFilter) -> Result<Bytes, ServeFault> {
        let filter = records::query_filter(&filter).map_err(ServeFault::Refused)?;
        let accounts = self.look(move |shard| shard.shard().book().query_accounts(&filter)).await?;
        let message = |account| wire::FoundAccount { account: Some(records::account_message(account)) };
        Ok(encoded(&wire::Accounts { found: accounts.iter().map(message).collect() }))
    }

    async fn query_transfers(&self, filter: wire::QueryFilter) -> Result<Bytes, ServeFault> {
        let filter = records::query_filter(&filter).map_err(ServeFault::Refused)?;
        let young = move |machine: &ShardMachine| {
            (history::young_query(machine.shard().book(), &filter), machine.shard().journal().clone())
        };
        let (young, journal) = self.look(young).await?;
        let lookup = self.teller.lookup();
        let query = move || history::query_transfers(&journal, lookup.as_deref(), young, &filter);
        let transfers = self.teller.behind(query).await?;
        Ok(encoded(&transfer_list(&transfers)))
    }

    async fn loans(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let ids = wide_ids(&ids)?;
        let views = self.look(move |shard| {
            let book = shard.shard().book();
            ids.iter().map(|id| book.loans().view(*id, book.accounts())).collect::<Vec<_>>()
        });
        let document = |view: &Option<fen_ledger::LoanView>| wire::FoundLoan {
            json: view.as_ref().map(|view| {
                let mut json = String::new();
                view.write(&mut json);
                json
            }),
        };
        Ok(encoded(&wire::LoanDocuments { found: views.await?.iter().map(document).collect() }))
    }

    async fn moved(&self, query: wire::MovedQuery) -> Result<Bytes, ServeFault> {
        let loan = records::wide(query.loan);
        let view = self.look(move |shard| {
            let book = shard.shard().book();
            book.loans().view(loan, book.accounts())
        });
        let view = view.await?;
        let moved = |event: wire::Uint128| wire::MovedAmount {
            amount: view
                .as_ref()
                .and_then(|view| view.moved_by(records::wide(Some(event))))
                .and_then(|amount| records::halves(amount.get())),
        };
        Ok(encoded(&wire::MovedReply {
            account_id: view.as_ref().and_then(|view| records::halves(view.account_id.get())),
            amounts: query.events.into_iter().map(moved).collect(),
            collects_in_full: view.as_ref().is_some_and(|view| view.collects_in_full),
        }))
    }

    async fn loans_here(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let asked = wide_ids(&ids)?;
        let here = self.look(move |shard| {
            let loans = shard.shard().book().loans();
            asked.into_iter().filter(|id| loans.holds(*id)).collect::<Vec<_>>()
        });
        let ids = here.await?.into_iter().map(|id| records::halves(id).unwrap_or_default()).collect();
        Ok(encoded(&wire::Ids { ids }))
    }
}

fn encoded(message: &impl Message) -> Bytes {
    Bytes::from(message.encode_to_vec())
}

fn transfer_list(transfers: &[Transfer]) -> wire::Transfers {
    let message = |transfer| wire::FoundTransfer { transfer: Some(records::transfer_message(transfer)) };
    wire::Transfers { found: transfers.iter().map(message).collect() }
}

/// Adds up every account of the shard, ledger by ledger.
fn totals(book: &Book) -> wire::TrialBalance {
    let mut ledgers: BTreeMap<u32, (LedgerTotals, u64)> = BTreeMap::new();
    for number in 0..book.accounts().len() {
        let slot = fen_book::AccountSlot::new(u32::try_from(number).unwrap_or(u32::MAX));
        let account = book.accounts().get(slot);
        let (totals, own) = ledgers.entry(account.ledger.get()).or_default();
        totals.accounts += 1;
        *own += u64::from(crate::route::home(account.id) == crate::route::Home::Everywhere);
        let add = |total: &mut fen_ledger::Total, amount: Amount| total.add(amount);
        add(&mut totals.debits_posted, account.debits_posted);
        add(&mut totals.credits_posted, account.credits_posted);
        add(&mut totals.debits_pending, account.debits_pending);
        add(&mut totals.credits_pending, account.credits_pending);
    }
    let message = |(ledger, (totals, own)): (u32, (LedgerTotals, u64))| totals_message(ledger, &totals, own);
    wire::TrialBalance { ledgers: ledgers.into_iter().map(message).collect() }
}

fn totals_message(ledger: u32, totals: &LedgerTotals, own_accounts: u64) -> wire::LedgerTotals {
    wire::LedgerTotals {
        ledger,
        accounts: totals.accounts,
        debits_posted: totals.debits_posted.to_string(),
        credits_posted: totals.credits_posted.to_string(),
        debits_pending: totals.debits_pending.to_string(),
        credits_pending: totals.credits_pending.to_string(),
        own_accounts,
    }
}

/// What this member finds in its books, and its digest of them. Who it is, the asker knows.
fn audit(books: &Books) -> wire::MemberAudit {
    let shard = books.shard();
    let audit = shard.audit_sums();
    let own = totals(shard.book()).ledgers.into_iter().map(|totals| (totals.ledger, totals.own_accounts));
    let own: BTreeMap<u32, u64> = own.collect();
    let message = |(ledger, totals): (&u32, &LedgerTotals)| {
        totals_message(*ledger, totals, own.get(ledger).copied().unwrap_or(0))
    };
    wire::MemberAudit {
        group: 0,
        node: 0,
        commands: shard.applied().get(),
        digest: books.digest().to_vec(),
        accounts: audit.accounts,
        transfers: audit.transfers,
        burned_ids: audit.burned_ids,
        expiries: audit.expiries,
        open_pendings: audit.open_pendings,
        ledgers: audit.ledgers.iter().map(message).collect(),
        faults: audit.faults,
        loans: audit.loans,
    }
}

/// Which of some loans this member finds to be other than their events say.
fn lives(books: &Books, first: u32) -> wire::VerifyLoansReply {
    let shard = books.shard();
    let loans = u32::try_from(shard.book().loans().len()).unwrap_or(u32::MAX);
    wire::VerifyLoansReply { next: first.saturating_add(LIVES).min(loans), faults: shard.audit_lives(first) }
}

fn wide_ids(ids: &wire::Ids) -> Result<Vec<u128>, ServeFault> {
    if ids.ids.len() > IDS_MAX {
        return Err(ServeFault::Refused(format!(
            "{} ids; the most in one call are {IDS_MAX}",
            ids.ids.len()
        )));
    }
    Ok(ids.ids.iter().map(|id| records::wide(Some(*id))).collect())
}
