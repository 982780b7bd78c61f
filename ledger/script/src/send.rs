//! Putting events into batches and chains, sending them, and telling what came of them.

use crate::run::Runner;
use crate::tell;
use fen_book::{
    AccountFlags, AccountOpening, ChainEnd, ChainOutcome, Command, CreateAccountStatus, CreateTransferStatus,
    LimitChange, OpeningStatus, Outcome, Receipt, Reply, SetLimitStatus, Transfer, TransferFlags, TransferId,
};

/// How an event's outcome is told.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Telling {
    /// A line of words; for accounts nothing where all is well.
    Words(String),
    /// The same, with what the accounts hold after it.
    Receipt(String),
    /// The bare status behind the changed fields.
    Fields(String),
}

/// What the last event of a chain is linked to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastBefore {
    /// It is not linked: the chain ends with it.
    End,
    /// It is linked, but nothing follows.
    Nothing,
}

/// The events that the lines since `batch` or `chain` have put together.
#[derive(Default)]
pub(crate) struct Batch {
    accounts: Vec<(AccountOpening, Telling)>,
    transfers: Vec<(Transfer, Telling)>,
    /// Within `chain`.
    chain: Option<LastBefore>,
    /// Whether `chain` stands within `batch`, so that its end is not yet the end of the batch.
    nested: bool,
}

impl Runner<'_> {
    pub(crate) fn begin(&mut self, chain: Option<LastBefore>) -> Result<(), String> {
        match &mut self.batch {
            None => self.batch = Some(Batch { chain, ..Batch::default() }),
            Some(batch) if batch.chain.is_none() && chain.is_some() => {
                batch.chain = chain;
                batch.nested = true;
            }
            Some(_) => {
                return Err("only a chain may stand within a batch, and nothing within a chain".to_owned());
            }
        }
        Ok(())
    }

    pub(crate) fn end(&mut self) -> Result<(), String> {
        let mut batch = self.batch.take().ok_or("there is no batch or chain to end")?;
        if batch.chain == Some(LastBefore::End) {
            if let Some((opening, _)) = batch.accounts.last_mut() {
                opening.account.flags = opening.account.flags.without(AccountFlags::LINKED);
            }
            if let Some((transfer, _)) = batch.transfers.last_mut() {
                transfer.flags = transfer.flags.without(TransferFlags::LINKED);
            }
        }
        if batch.nested {
            batch.nested = false;
            batch.chain = None;
            self.batch = Some(batch);
            return Ok(());
        }
        if !batch.accounts.is_empty() && !batch.transfers.is_empty() {
            return Err("a batch is of accounts or of transfers, not of both".to_owned());
        }
        self.send_accounts(&batch.accounts);
        self.send_transfers(&batch.transfers);
        Ok(())
    }

    pub(crate) fn add_account(&mut self, mut opening: AccountOpening, telling: Telling) {
        let Some(batch) = &mut self.batch else {
            self.send_accounts(&[(opening, telling)]);
            return;
        };
        if batch.chain.is_some() {
            opening.account.flags = opening.account.flags.with(AccountFlags::LINKED);
        }
        batch.accounts.push((opening, telling));
    }

    pub(crate) fn add_transfer(&mut self, mut transfer: Transfer, telling: Telling) {
        self.ledgers.entry(transfer.id).or_insert(transfer.ledger);
        let Some(batch) = &mut self.batch else {
            self.send_transfers(&[(transfer, telling)]);
            return;
        };
        if batch.chain.is_some() {
            transfer.flags = transfer.flags.with(TransferFlags::LINKED);
        }
        batch.transfers.push((transfer, telling));
    }

    /// Sends openings: as bare accounts, where none of them says more than an account does.
    fn send_accounts(&mut self, events: &[(AccountOpening, Telling)]) {
        if events.is_empty() {
            return;
        }
        let openings: Vec<_> = events.iter().map(|(opening, _)| *opening).collect();
        let says_more = |opening: &AccountOpening| {
            *opening != AccountOpening { account: opening.account, ..AccountOpening::default() }
        };
        let outcomes: Vec<Outcome<OpeningStatus>> = if openings.iter().any(says_more) {
            let Reply::Openings(outcomes) = self.subject.apply(&Command::OpenAccounts(&openings)) else {
                panic!("openings were asked for")
            };
            outcomes
        } else {
            let accounts: Vec<_> = openings.iter().map(|opening| opening.account).collect();
            let Reply::Accounts(outcomes) = self.subject.apply(&Command::CreateAccounts(&accounts)) else {
                panic!("accounts were asked for")
            };
            let more = |account| OpeningStatus { account, transfer: None };
            let outcome = |outcome: Outcome<CreateAccountStatus>| Outcome {
                timestamp: outcome.timestamp,
                status: more(outcome.status),
            };
            outcomes.into_iter().map(outcome).collect()
        };
        assert_eq!(outcomes.len(), openings.len(), "every event has an outcome");
        for ((opening, telling), outcome) in events.iter().zip(outcomes) {
            self.run.account_statuses.insert(outcome.status.account);
            let told = match telling {
                Telling::Words(name) | Telling::Receipt(name) => {
                    self.words_for_opening(name, opening, outcome.status)
                }
                Telling::Fields(label) => Some(tell::raw_line(label, &tell::opening_status(outcome.status))),
            };
            self.answers.extend(told);
        }
    }

    /// Nothing, where an account was opened without a balance: that goes without saying.
    fn words_for_opening(
        &self,
        name: &str,
        opening: &AccountOpening,
        status: OpeningStatus,
    ) -> Option<String> {
        if status.account == CreateAccountStatus::Exists {
            return Some(tell::line(name, "exists"));
        }
        if status.account != CreateAccountStatus::Created {
            return Some(tell::line(name, &format!("refused: {}", tell::opening_status(status))));
        }
        let transfer = self.names.of_transfer(opening.transfer_id);
        opening.has_balance().then(|| tell::line(&transfer, "posted"))
    }

    fn send_transfers(&mut self, events: &[(Transfer, Telling)]) {
        if events.is_empty() {
            return;
        }
        let transfers: Vec<_> = events.iter().map(|(transfer, _)| *transfer).collect();
        let receipts = if events.iter().any(|(_, telling)| matches!(telling, Telling::Receipt(_))) {
            let command = Command::CreateTransfersWithBalances(&transfers);
            let Reply::Receipts(receipts) = self.subject.apply(&command) else {
                panic!("receipts were asked for")
            };
            receipts
        } else {
            let Reply::Transfers(outcomes) = self.subject.apply(&Command::CreateTransfers(&transfers)) else {
                panic!("transfers were asked for")
            };
            outcomes.into_iter().map(|outcome| Receipt { outcome, debit: None, credit: None }).collect()
        };
        assert_eq!(receipts.len(), transfers.len(), "every event has an outcome");
        let is_alone = events.len() == 1;
        for ((asked, telling), receipt) in events.iter().zip(receipts) {
            let status = receipt.outcome.status;
            self.run.transfer_statuses.insert(status);
            let answer = match telling {
                Telling::Fields(label) => tell::raw_line(label, status.name()),
                Telling::Words(label) | Telling::Receipt(label) => {
                    let text = if status == CreateTransferStatus::Created {
                        self.words_for_created(asked, &receipt)
                    } else if is_alone {
                        self.words_for_refused(asked, status)
                    } else {
                        // What an account had in the midst of a batch cannot be asked for afterwards.
                        tell::refused(status, None, None)
                    };
                    tell::line(label, &text)
                }
            };
            self.answers.push(answer);
        }
    }

    pub(crate) fn send_limit(&mut self, name: &str, change: LimitChange) {
        let Reply::Limits(outcomes) = self.subject.apply(&Command::SetLimits(&[change])) else {
            panic!("limits were asked for")
        };
        let status = outcomes[0].status;
        self.run.limit_statuses.insert(status);
        let text =
            if status == SetLimitStatus::Set { "limit set".to_owned() } else { format!("refused: {status}") };
        self.answers.push(tell::line(name, &text));
    }

    pub(crate) fn send_chain_end(&mut self, name: &str, end: ChainEnd) {
        let Reply::ChainEnds(outcomes) = self.subject.apply(&Command::EndChains(&[end])) else {
            panic!("the end of a chain was asked for")
        };
        let ChainOutcome { outcome, members } = outcomes[0];
        self.run.transfer_statuses.insert(outcome.status);
        let text = if outcome.status == CreateTransferStatus::Created {
            let done = if end.flags == TransferFlags::VOID_PENDING_TRANSFER { "voided" } else { "posted" };
            let reservations = if members == 1 { "reservation" } else { "reservations" };
            format!("{done} {members} {reservations}")
        } else {
            tell::refused(outcome.status, None, None)
        };
        self.answers.push(tell::line(name, &text));
    }

    fn words_for_created(&mut self, asked: &Transfer, receipt: &Receipt) -> String {
        let found = self.found(asked.id);
        let pending = (!found.pending_id.is_zero()).then(|| self.found(found.pending_id));
        let mut text = tell::created(asked, &found, pending.as_ref());
        let sides = [(found.debit_account_id, receipt.debit), (found.credit_account_id, receipt.credit)];
        for (id, balances) in sides {
            if let (Some(balances), Some(account)) = (balances, self.subject.lookup_accounts(&[id])[0]) {
                text.push_str("; ");
                text.push_str(&tell::balance_after(&self.names.of_account(id), &balances, &account));
            }
        }
        text
    }

    fn words_for_refused(&mut self, asked: &Transfer, status: CreateTransferStatus) -> String {
        let debit = self.subject.position(asked.debit_account_id);
        let credit = self.subject.position(asked.credit_account_id);
        tell::refused(status, debit.as_ref(), credit.as_ref())
    }

    /// A transfer that must be there.
    fn found(&mut self, id: TransferId) -> Transfer {
        let found = self.subject.lookup_transfers(&[id]).remove(0);
        found.unwrap_or_else(|| panic!("{} was created and must be found", self.names.of_transfer(id)))
    }
}
