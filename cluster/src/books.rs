//! A shard's books: accounts, transfers and history, and the transfers on their way to other shards; changed by the
//! commands of the shard's log only.
//!
//! **Invariants.** Same commands in, same state and answers out, on every member. The book is changed by its own
//! commands alone: a step of a crossing is one or two of them. What a step does a second time changes nothing.
//!
//! Deliberately absent: threads and disks; see `shard.rs`. Tested by `crossing/tests.rs`.

use crate::crossing::orders::{self, LegEnd, Verdict, Word};
use crate::crossing::table::{Crossing, Crossings, Stage};
use bytes::{Bytes, BytesMut};
use fen_api::answers;
use fen_api::records::{self, PackedResult};
use fen_book::clearing::{Step, clearing_account, is_clearing, step_id};
use fen_book::command::kind;
use fen_book::{
    Account, AccountId, Amount, Code, Command, CreateTransferStatus as Status, LedgerCode, Outcome, Reply,
    STAMP_MAX, Stamp, Transfer, TransferFlags, TransferId,
};
use fen_ledger::shard::Shard;
use fen_store::wal::LogIndex;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io;
use zerocopy::IntoBytes;

/// The code of the clearing accounts.
const CLEARING_CODE: Code = Code::new(1);
const ENDS: TransferFlags = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);

/// See the module.
pub struct Books {
    number: u32,
    shard: Shard,
    crossings: Crossings,
}

/// What one event of `out` asks for.
enum Errand {
    /// Nothing that crosses.
    Plain(Transfer),
    /// Reserve this, for that.
    Reserve { hold: Transfer, asked: Transfer, target: u32 },
    /// End the reservation of a crossing.
    End(Transfer),
    /// It ends this, which is still under way, or is opened by the same batch.
    Wait(TransferId),
}

/// Whether marks of a crossing are to be believed: only in a command that the cluster has made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    Ours,
    Foreign,
}

fn broken(reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("log entry: {reason}"))
}

impl Books {
    /// The books of the shard with this number.
    pub fn new(number: u32, shard: Shard, crossings: Crossings) -> Self {
        Self { number, shard, crossings }
    }

    /// Accounts, transfers and history.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// As [`Books::shard`], for whoever seals and checkpoints.
    pub fn shard_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }

    /// What is on its way to other shards.
    pub fn crossings(&self) -> &Crossings {
        &self.crossings
    }

    /// One number for all of it: members that have applied the same log have the same one.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.shard.digest());
        for crossing in self.crossings.iter() {
            hasher.update(crossing.as_bytes());
        }
        hasher.finalize().into()
    }

    /// Applies one command of the log; its body must be aligned to 16 bytes. The leader's clock is a proposal.
    ///
    /// # Errors
    /// Where the log carries what no leader puts into it, or history cannot be read: the node must stop.
    pub fn apply(&mut self, proposal: u64, number: u16, body: &[u8]) -> io::Result<Bytes> {
        let answer = match number {
            orders::kind::OUT => self.take_out(proposal, orders::read(body).map_err(broken)?, Marks::Ours)?,
            orders::kind::IN => {
                let (source, legs) = orders::read_with_source(body).map_err(broken)?;
                self.take_in(proposal, source, legs)?
            }
            orders::kind::DECIDE => self.decide(proposal, orders::read(body).map_err(broken)?)?,
            orders::kind::END => {
                let (source, ends) = orders::read_with_source(body).map_err(broken)?;
                self.end_legs(proposal, source, ends)?
            }
            orders::kind::ENDED => self.forget(orders::read(body).map_err(broken)?),
            kind::CREATE_TRANSFERS if self.may_end_a_crossing(body)? => {
                self.take_out(proposal, orders::read(body).map_err(broken)?, Marks::Foreign)?
            }
            kind::CREATE_TRANSFERS_WITH_BALANCES | kind::END_CHAINS if !self.crossings.is_empty() => {
                self.keep_crossings_open(proposal, number, body)?
            }
            _book => answers::pack(&self.post(proposal, &Command::decode(number, body).map_err(broken)?)?),
        };
        self.crossings.note_lapses(self.shard.book());
        Ok(answer)
    }

    /// Hands a command to the book, with the stamp that it gets there.
    fn post(&mut self, proposal: u64, command: &Command<'_>) -> io::Result<Reply> {
        let stamps = u64::try_from(command.stamp_count()).map_err(io::Error::other)?;
        let clock = self.shard.book().clock().get();
        let stamp = proposal.min(STAMP_MAX.get()).max(clock.saturating_add(stamps));
        // The shard counts commands, of which an entry may hold several; its count is its own.
        let next = LogIndex::new(self.shard.applied().get() + 1);
        self.shard.apply(next, command, Stamp::new(stamp)).map_err(io::Error::other)
    }

    fn post_transfers(&mut self, proposal: u64, events: &[Transfer]) -> io::Result<Vec<Outcome<Status>>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        match self.post(proposal, &Command::CreateTransfers(events))? {
            Reply::Transfers(outcomes) => Ok(outcomes),
            Reply::Accounts(_)
            | Reply::Receipts(_)
            | Reply::Openings(_)
            | Reply::Limits(_)
            | Reply::ChainEnds(_)
            | Reply::Loans(_)
            | Reply::Batch(_)
            | Reply::Done => Err(broken("transfers are answered as transfers")),
        }
    }

    fn find(&self, id: TransferId) -> io::Result<Option<Transfer>> {
        self.shard.find_record(id).map_err(io::Error::other)
    }

    fn may_end_a_crossing(&self, body: &[u8]) -> io::Result<bool> {
        if self.crossings.is_empty() {
            return Ok(false);
        }
        let events: &[Transfer] = orders::read(body).map_err(broken)?;
        Ok(events.iter().any(|event| event.flags.intersects(ENDS)))
    }

    /// Opens what is missing of the clearing accounts to or from other shards.
    fn open_clearing(&mut self, proposal: u64, ids: &BTreeSet<(AccountId, LedgerCode)>) -> io::Result<()> {
        let accounts = self.shard.book().accounts();
        let missing = ids.iter().filter(|(id, _)| accounts.slot_of(*id).is_none());
        let account = |(id, ledger): &(AccountId, LedgerCode)| Account {
            id: *id,
            ledger: *ledger,
            code: CLEARING_CODE,
            ..Account::default()
        };
        let missing: Vec<Account> = missing.map(account).collect();
        if !missing.is_empty() {
            self.post(proposal, &Command::CreateAccounts(&missing))?;
        }
        Ok(())
    }

    /// Source: reserves what crosses, posts the rest, in the batch's order.
    fn take_out(&mut self, proposal: u64, events: &[Transfer], marks: Marks) -> io::Result<Bytes> {
        let mut opening = BTreeSet::new();
        let mut errands = Vec::with_capacity(events.len());
        for index in 0..events.len() {
            let errand = self.errand(events, index, &opening, marks)?;
            if let Errand::Reserve { asked, .. } = &errand {
                opening.insert(asked.id);
            }
            errands.push(errand);
        }
        let holds = errands.iter().filter_map(|errand| match errand {
            Errand::Reserve { hold, .. } => Some((hold.credit_account_id, hold.ledger)),
            Errand::Plain(_) | Errand::End(_) | Errand::Wait(_) => None,
        });
        let clearing: BTreeSet<(AccountId, LedgerCode)> = holds.collect();
        self.open_clearing(proposal, &clearing)?;
        let records = errands.iter().filter_map(|errand| match errand {
            Errand::Plain(transfer) | Errand::End(transfer) => Some(*transfer),
            Errand::Reserve { hold, .. } => Some(*hold),
            Errand::Wait(_) => None,
        });
        let records: Vec<Transfer> = records.collect();
        let mut outcomes = self.post_transfers(proposal, &records)?.into_iter();
        let mut answer = BytesMut::with_capacity(events.len() * records::RESULT_BYTES);
        for errand in &errands {
            let waits =
                Outcome { timestamp: self.shard.book().clock(), status: Status::PendingTransferNotFound };
            let (outcome, word) = match errand {
                Errand::Wait(pending) if self.is_out(*pending) => (waits, Word::AskAgain),
                // Decided before, or refused just now: nobody will ever tell of it.
                Errand::Wait(_) => (waits, Word::AskAtOnce),
                Errand::Plain(_) => (next(&mut outcomes)?, Word::Final),
                Errand::Reserve { asked, target, .. } => {
                    self.reserved(asked, *target, next(&mut outcomes)?)?
                }
                Errand::End(end) => self.ended(end, next(&mut outcomes)?)?,
            };
            let result = PackedResult { timestamp: outcome.timestamp, status: outcome.status.number() };
            orders::put_result(&mut answer, result, word);
        }
        Ok(answer.freeze())
    }

    /// What an event of `out` asks for, before anything is posted.
    fn errand(
        &self,
        events: &[Transfer],
        index: usize,
        opening: &BTreeSet<TransferId>,
        marks: Marks,
    ) -> io::Result<Errand> {
        let event = &events[index];
        if marks == Marks::Ours
            && let Some((asked, target)) = orders::crossing_of(event)
        {
            let clearing = clearing_account(self.number, target, asked.ledger);
            return Ok(match clearing.filter(|_| is_well_formed(&asked)) {
                Some(clearing) => Errand::Reserve { hold: hold(&asked, clearing), asked, target },
                // The book names what is wrong with it before it looks for the payee.
                None => Errand::Plain(asked),
            });
        }
        if !event.flags.intersects(ENDS) || event.flags.has_unknown() {
            return Ok(Errand::Plain(*event));
        }
        if self.is_out(event.pending_id) || opening.contains(&event.pending_id) {
            let linked = |event: &Transfer| event.flags.contains(TransferFlags::LINKED);
            let before = index.checked_sub(1).and_then(|before| events.get(before));
            if linked(event) || before.is_some_and(linked) {
                // A chain cannot wait for one of its members: this one is not there yet.
                let pending_id = step_id(event.pending_id, Step::Settle);
                return Ok(Errand::Plain(Transfer { pending_id, ..*event }));
            }
            return Ok(Errand::Wait(event.pending_id));
        }
        let clearing = self.payee_is_elsewhere(event)?;
        let end = Transfer { credit_account_id: clearing.unwrap_or(event.credit_account_id), ..*event };
        let is_open = self.crossings.get(event.pending_id).is_some();
        Ok(if is_open { Errand::End(end) } else { Errand::Plain(end) })
    }

    /// Whether a transfer waits for its target's word.
    fn is_out(&self, id: TransferId) -> bool {
        self.crossings.get(id).is_some_and(|open| open.stage() == Stage::Out)
    }

    /// Where a post or void names the payee of a crossing: the clearing account, which stands for him here.
    fn payee_is_elsewhere(&self, end: &Transfer) -> io::Result<Option<AccountId>> {
        let payee = end.credit_account_id;
        if payee.is_zero() || self.shard.book().accounts().slot_of(payee).is_some() {
            return Ok(None);
        }
        if let Some(open) = self.crossings.get(end.pending_id) {
            let clearing = clearing_account(self.number, open.target, open.asked.ledger);
            return Ok(clearing.filter(|_| open.asked.credit_account_id == payee));
        }
        let hold = self.find(end.pending_id)?;
        Ok(hold.map(|hold| hold.credit_account_id).filter(|account| is_clearing(*account)))
    }

    /// After the reservation of a crossing was tried.
    fn reserved(
        &mut self,
        asked: &Transfer,
        target: u32,
        outcome: Outcome<Status>,
    ) -> io::Result<(Outcome<Status>, Word)> {
        if outcome.status == Status::Created {
            let hold = self.find(asked.id)?.ok_or_else(|| broken("a reservation has a record"))?;
            let (amount, timestamp) = (hold.amount, hold.timestamp);
            self.crossings.insert(Crossing::out(Transfer { amount, timestamp, ..*asked }, target));
            return Ok((outcome, Word::UnderWay));
        }
        if outcome.status != Status::Exists {
            return Ok((outcome, Word::Final));
        }
        Ok(match self.crossings.get(asked.id) {
            None => (outcome, Word::Known),
            Some(open) => match fen_book::first_difference(asked, &open.asked) {
                Some(status) => (Outcome { status, ..outcome }, Word::Final),
                None if open.stage() == Stage::Out => (outcome, Word::UnderWayBefore),
                None => (outcome, Word::Final),
            },
        })
    }

    /// After the post or the void of a crossing's reservation was tried.
    fn ended(&mut self, end: &Transfer, outcome: Outcome<Status>) -> io::Result<(Outcome<Status>, Word)> {
        if outcome.status == Status::Created {
            let posts = end.flags.contains(TransferFlags::POST_PENDING_TRANSFER);
            let record = self.find(end.id)?.ok_or_else(|| broken("a post has a record"))?;
            let stage = if posts { Stage::Posting } else { Stage::Voiding };
            let amount = if posts { record.amount } else { Amount::ZERO };
            self.crossings.advance(end.pending_id, stage, amount);
            return Ok((outcome, Word::UnderWay));
        }
        let was_before = outcome.status == Status::Exists;
        Ok((outcome, if was_before { Word::UnderWayBefore } else { Word::Final }))
    }

    /// Target: takes legs in, or refuses them for good.
    fn take_in(&mut self, proposal: u64, source: u32, asked: &[Transfer]) -> io::Result<Bytes> {
        let mut clearing = BTreeSet::new();
        let mut legs = Vec::with_capacity(asked.len());
        for transfer in asked {
            let account = clearing_account(source, self.number, transfer.ledger)
                .ok_or_else(|| broken("a leg from nowhere"))?;
            clearing.insert((account, transfer.ledger));
            let leg = leg(transfer, account);
            #[cfg(feature = "planted")]
            let leg = planted_in(leg, proposal);
            legs.push(leg);
        }
        self.open_clearing(proposal, &clearing)?;
        let outcomes = self.post_transfers(proposal, &legs)?;
        let mut answer = BytesMut::with_capacity(std::mem::size_of_val(asked));
        for ((transfer, leg), outcome) in asked.iter().zip(&legs).zip(outcomes) {
            let decided =
                matches!(outcome.status, Status::Created | Status::Exists | Status::IdAlreadyFailed)
                    || outcome.status.comes_after_the_id();
            let verdict = if decided { self.verdict(transfer.id, leg.id)? } else { None };
            // A leg whose id somebody else has taken is refused without a mark of its own.
            let verdict = verdict.unwrap_or_else(|| Verdict::new(transfer.id, outcome.status, Amount::ZERO));
            answer.extend_from_slice(verdict.as_bytes());
        }
        Ok(answer.freeze())
    }

    /// What was said to a leg; `None` where it never came.
    ///
    /// # Errors
    /// History cannot be read.
    pub fn verdict(&self, transfer: TransferId, leg: TransferId) -> io::Result<Option<Verdict>> {
        let Some(record) = self.find(leg)? else { return Ok(None) };
        if record.is_transfer() {
            return Ok(Some(Verdict::new(transfer, Status::Created, record.amount)));
        }
        let kept = u16::try_from(record.user_data_32).ok().and_then(Status::from_number);
        let status = kept.filter(|status| *status != Status::Created).unwrap_or(Status::IdAlreadyFailed);
        Ok(Some(Verdict::new(transfer, status, Amount::ZERO)))
    }

    /// Source: posts or voids reservations as the target said.
    fn decide(&mut self, proposal: u64, verdicts: &[Verdict]) -> io::Result<Bytes> {
        let mut settles = Vec::new();
        let mut answer = BytesMut::with_capacity(verdicts.len() * records::RESULT_BYTES);
        for verdict in verdicts {
            let open = self.crossings.get(verdict.id).filter(|open| open.stage() == Stage::Out).copied();
            let Some(open) = open else {
                let result = PackedResult { timestamp: self.shard.book().clock(), status: 0 };
                orders::put_result(&mut answer, result, Word::Known);
                continue;
            };
            let status = verdict.status().ok_or_else(|| broken("a verdict of a later release"))?;
            let holds = self.shard.book().pendings().get(verdict.id).is_some();
            if status == Status::Created && open.is_reservation() {
                let stage = if holds { Stage::Reserved } else { Stage::Voiding };
                self.crossings.advance(verdict.id, stage, Amount::ZERO);
            } else {
                if holds {
                    settles.push(settle(verdict, status));
                } else if status == Status::Created {
                    return Err(broken("what is out without a timeout stays reserved"));
                }
                self.crossings.remove(verdict.id);
            }
            let result = PackedResult { timestamp: open.asked.timestamp, status: status.number() };
            orders::put_result(&mut answer, result, Word::Final);
        }
        let outcomes = self.post_transfers(proposal, &settles)?;
        for (settle, outcome) in settles.iter().zip(outcomes) {
            // A reservation that lapses at this very moment is released all the same.
            let voids = settle.flags.contains(TransferFlags::VOID_PENDING_TRANSFER);
            let lapsed = voids && outcome.status == Status::PendingTransferExpired;
            if outcome.status != Status::Created && !lapsed {
                return Err(broken(format!(
                    "a reservation against clearing cannot be ended: {}",
                    outcome.status
                )));
            }
        }
        Ok(answer.freeze())
    }

    /// Target: posts or voids legs that reserve.
    fn end_legs(&mut self, proposal: u64, _source: u32, ends: &[LegEnd]) -> io::Result<Bytes> {
        let end = |end: &LegEnd| Transfer {
            id: step_id(end.id, Step::LegEnd),
            pending_id: step_id(end.id, Step::Leg),
            amount: end.amount,
            flags: if end.posts() {
                TransferFlags::POST_PENDING_TRANSFER
            } else {
                TransferFlags::VOID_PENDING_TRANSFER
            },
            ..Transfer::default()
        };
        let ends: Vec<Transfer> = ends.iter().map(end).collect();
        let outcomes = self.post_transfers(proposal, &ends)?;
        Ok(answers::pack(&Reply::Transfers(outcomes)))
    }

    /// Source: those are done.
    fn forget(&mut self, ids: &[TransferId]) -> Bytes {
        for id in ids {
            let stage = self.crossings.get(*id).map(Crossing::stage);
            if matches!(stage, Some(Stage::Posting | Stage::Voiding)) {
                self.crossings.remove(*id);
            }
        }
        Bytes::new()
    }

    /// Receipts and ends of chains know nothing of crossings: to them, their reservations are not there.
    fn keep_crossings_open(&mut self, proposal: u64, number: u16, body: &[u8]) -> io::Result<Bytes> {
        let hidden = |id: TransferId| match self.crossings.get(id) {
            Some(_) => step_id(id, Step::Settle),
            None => id,
        };
        let reply = match Command::decode(number, body).map_err(broken)? {
            Command::CreateTransfersWithBalances(events) => {
                let hide = |event: &Transfer| Transfer { pending_id: hidden(event.pending_id), ..*event };
                let events: Vec<Transfer> = events.iter().map(hide).collect();
                self.post(proposal, &Command::CreateTransfersWithBalances(&events))?
            }
            Command::EndChains(ends) => {
                let mut ends = ends.to_vec();
                for end in &mut ends {
                    end.pending_id = hidden(end.pending_id);
                }
                self.post(proposal, &Command::EndChains(&ends))?
            }
            Command::CreateAccounts(_)
            | Command::CreateTransfers(_)
            | Command::OpenAccounts(_)
            | Command::SetLimits(_)
            | Command::Loans(_)
            | Command::Batch(_)
            | Command::Pulse => return Err(broken("no command that ends a reservation")),
        };
        Ok(answers::pack(&reply))
    }
}

fn next(outcomes: &mut impl Iterator<Item = Outcome<Status>>) -> io::Result<Outcome<Status>> {
    outcomes.next().ok_or_else(|| broken("each event has an outcome"))
}

/// Whether a crossing can be reserved at all: what a book would refuse whatever the payee is, it refuses as it is.
fn is_well_formed(asked: &Transfer) -> bool {
    let closing = TransferFlags::CLOSING_DEBIT.with(TransferFlags::CLOSING_CREDIT);
    let alone = TransferFlags::LINKED.with(TransferFlags::IMPORTED).with(ENDS);
    let reserves = asked.flags.contains(TransferFlags::PENDING);
    !asked.flags.has_unknown()
        && !asked.flags.intersects(alone)
        && asked.pending_id.is_zero()
        && (reserves || (asked.timeout.is_zero() && !asked.flags.intersects(closing)))
}

/// The reservation on the source. What concerns the payee's account is the leg's.
fn hold(asked: &Transfer, clearing: AccountId) -> Transfer {
    let payees = TransferFlags::BALANCING_CREDIT.with(TransferFlags::CLOSING_CREDIT);
    let flags = asked.flags.without(payees).with(TransferFlags::PENDING);
    Transfer { credit_account_id: clearing, flags, ..*asked }
}

/// The leg on the target. It never lapses by itself: the source decides.
fn leg(asked: &Transfer, clearing: AccountId) -> Transfer {
    let payers = TransferFlags::BALANCING_DEBIT.with(TransferFlags::CLOSING_DEBIT);
    Transfer {
        id: step_id(asked.id, Step::Leg),
        debit_account_id: clearing,
        flags: asked.flags.without(payers),
        timeout: fen_book::TimeoutSeconds::ZERO,
        timestamp: Stamp::ZERO,
        ..*asked
    }
}

#[cfg(feature = "planted")]
fn planted_in(leg: Transfer, proposal: u64) -> Transfer {
    use fen_raft::planted::{Bug, is_here};
    if is_here(Bug::LostInClearing) {
        return Transfer { amount: Amount::new(leg.amount.get().max(2) - 1), ..leg };
    }
    // An id that follows from the moment of asking.
    let id = TransferId::new(leg.id.get() ^ u128::from(proposal >> 20));
    if is_here(Bug::LegTwice) { Transfer { id, ..leg } } else { leg }
}

fn settle(verdict: &Verdict, status: Status) -> Transfer {
    let posts = status == Status::Created;
    Transfer {
        id: step_id(verdict.id, Step::Settle),
        pending_id: verdict.id,
        amount: if posts { verdict.amount } else { Amount::ZERO },
        flags: if posts {
            TransferFlags::POST_PENDING_TRANSFER
        } else {
            TransferFlags::VOID_PENDING_TRANSFER
        },
        ..Transfer::default()
    }
}
