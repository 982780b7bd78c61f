//! A command's events, owned, on their way from the caller through the log to the book.

use crate::fault::{Answer, Fault};
use fen_book::{Account, AccountOpening, ChainEnd, Command, LimitChange, Transfer};

/// See the module's words.
#[derive(Clone, Debug)]
pub enum Body {
    /// For [`Command::CreateAccounts`].
    Accounts(Vec<Account>),
    /// For [`Command::CreateTransfers`].
    Transfers(Vec<Transfer>),
    /// For [`Command::CreateTransfersWithBalances`].
    TransfersWithBalances(Vec<Transfer>),
    /// For [`Command::OpenAccounts`].
    Openings(Vec<AccountOpening>),
    /// For [`Command::SetLimits`].
    Limits(Vec<LimitChange>),
    /// For [`Command::EndChains`].
    ChainEnds(Vec<ChainEnd>),
    /// For [`Command::Loans`]: what `LoanCommand::encode` makes.
    Loans(Vec<u8>),
    /// For [`Command::Batch`]: what `BatchOrder::encode` makes.
    Batch(Vec<u8>),
    /// For [`Command::Pulse`].
    Pulse,
}

impl Body {
    /// The command over these events.
    pub fn command(&self) -> Command<'_> {
        match self {
            Body::Accounts(events) => Command::CreateAccounts(events),
            Body::Transfers(events) => Command::CreateTransfers(events),
            Body::TransfersWithBalances(events) => Command::CreateTransfersWithBalances(events),
            Body::Openings(events) => Command::OpenAccounts(events),
            Body::Limits(events) => Command::SetLimits(events),
            Body::ChainEnds(events) => Command::EndChains(events),
            Body::Loans(body) => Command::Loans(body),
            Body::Batch(body) => Command::Batch(body),
            Body::Pulse => Command::Pulse,
        }
    }

    /// Whether it may enter the log.
    pub(crate) fn check(&self) -> Answer<()> {
        let command = self.command();
        let (count, max) = (command.event_count(), command.event_count_max());
        if count > max {
            return Err(Fault::TooManyEvents { count, max });
        }
        Ok(())
    }
}
