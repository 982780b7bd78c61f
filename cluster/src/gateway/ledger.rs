//! The gRPC service `Ledger`: messages in, messages out; what they mean is decided elsewhere.

use super::{Call, Gateway, Trouble, status, unreadable};
use crate::ask::{self, Read};
use crate::shard::kind;
use bytes::{BufMut, Bytes, BytesMut};
use fen_api::records::{self, PackedResult};
use fen_api::wire::ledger_server::Ledger;
use fen_api::{reports, wire};
use futures_util::{Stream, stream};
use prost::Message;
use std::pin::Pin;
use tonic::{Request, Response, Status};
use zerocopy::IntoBytes;

type Reply<T> = Result<Response<T>, Status>;

fn results(packed: &[u8]) -> Result<Vec<PackedResult>, Status> {
    records::unpack_results(packed).ok_or_else(|| status(unreadable()))
}

fn read<M: Message + Default>(answer: Bytes) -> Result<M, Status> {
    ask::read(answer).map_err(Status::internal)
}

/// Messages as packed records; a mistake names the message's place.
fn packed<M, R: IntoBytes + zerocopy::Immutable>(
    messages: &[M],
    name: &str,
    record: impl Fn(&M) -> Result<R, String>,
) -> Result<Bytes, Status> {
    let mut packed = BytesMut::with_capacity(std::mem::size_of_val(messages));
    for (place, message) in messages.iter().enumerate() {
        let record = record(message)
            .map_err(|reason| Status::invalid_argument(format!("{name}[{place}].{reason}")))?;
        packed.put_slice(record.as_bytes());
    }
    Ok(packed.freeze())
}

#[tonic::async_trait]
impl Ledger for Gateway {
    async fn create_accounts(&self, request: Request<wire::CreateAccountsRequest>) -> Reply<wire::Results> {
        let call = Call::of(request.metadata());
        let records = packed(&request.into_inner().accounts, "accounts", records::account)?;
        let (answer, leader) =
            self.submit_records(kind::CREATE_ACCOUNTS, records, &call).await.map_err(status)?;
        Ok(self.response(records::account_results(&results(&answer)?), leader))
    }

    async fn create_transfers(&self, request: Request<wire::CreateTransfersRequest>) -> Reply<wire::Results> {
        let call = Call::of(request.metadata());
        let records = packed(&request.into_inner().transfers, "transfers", records::transfer)?;
        let (answer, leader) =
            self.submit_records(kind::CREATE_TRANSFERS, records, &call).await.map_err(status)?;
        Ok(self.response(records::transfer_results(&results(&answer)?), leader))
    }

    async fn submit(&self, request: Request<wire::PackedBatch>) -> Reply<wire::PackedResults> {
        let call = Call::of(request.metadata());
        let batch = request.into_inner();
        let kind_number = match batch.kind() {
            wire::RecordKind::Accounts => kind::CREATE_ACCOUNTS,
            wire::RecordKind::Transfers => kind::CREATE_TRANSFERS,
            wire::RecordKind::Unspecified => {
                return Err(Status::invalid_argument("kind: accounts or transfers"));
            }
        };
        let (results, leader) =
            self.submit_records(kind_number, batch.records, &call).await.map_err(status)?;
        Ok(self.response(wire::PackedResults { results }, leader))
    }

    async fn create_transfers_with_balances(
        &self,
        request: Request<wire::CreateTransfersRequest>,
    ) -> Reply<wire::Receipts> {
        let call = Call::of(request.metadata());
        let records = packed(&request.into_inner().transfers, "transfers", records::transfer)?;
        let receipts = self.receipts(records, &call).await.map_err(status)?;
        Ok(Response::new(receipts))
    }

    async fn open_accounts(&self, request: Request<wire::OpenAccountsRequest>) -> Reply<wire::Openings> {
        let call = Call::of(request.metadata());
        let records = packed(&request.into_inner().openings, "openings", records::opening)?;
        let openings = self.openings(records, &call).await.map_err(status)?;
        Ok(Response::new(openings))
    }

    async fn set_limits(&self, request: Request<wire::SetLimitsRequest>) -> Reply<wire::Results> {
        let call = Call::of(request.metadata());
        let change = |change: &wire::LimitChange| Ok(records::limit_change(change));
        let records = packed(&request.into_inner().changes, "changes", change)?;
        let results = self.limits(records, &call).await.map_err(status)?;
        Ok(Response::new(results))
    }

    async fn end_chains(&self, request: Request<wire::EndChainsRequest>) -> Reply<wire::ChainResults> {
        let call = Call::of(request.metadata());
        let records = packed(&request.into_inner().ends, "ends", records::chain_end)?;
        let results = self.chain_ends(records, &call).await.map_err(status)?;
        Ok(Response::new(results))
    }

    async fn lookup_accounts(&self, request: Request<wire::Ids>) -> Reply<wire::Accounts> {
        let call = Call::of(request.metadata());
        let accounts = Self::lookup_accounts(self, &request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(accounts, &call))
    }

    async fn lookup_transfers(&self, request: Request<wire::Ids>) -> Reply<wire::Transfers> {
        let call = Call::of(request.metadata());
        let transfers = Self::lookup_transfers(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(transfers, &call))
    }

    async fn lookup_positions(&self, request: Request<wire::Ids>) -> Reply<wire::Positions> {
        let call = Call::of(request.metadata());
        let positions = Self::lookup_positions(self, &request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(positions, &call))
    }

    async fn get_account_transfers(&self, request: Request<wire::AccountFilter>) -> Reply<wire::Transfers> {
        let call = Call::of(request.metadata());
        let found = self.account_transfers(request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(found, &call))
    }

    async fn get_account_balances(&self, request: Request<wire::AccountFilter>) -> Reply<wire::BalanceLines> {
        let call = Call::of(request.metadata());
        let filter = request.into_inner();
        let account = records::wide(filter.account_id);
        let answer = self.ask_home(account, &Read::Balances(filter), &call).await.map_err(status)?;
        Ok(Self::read_response(read(answer)?, &call))
    }

    async fn get_position(&self, request: Request<wire::PositionRequest>) -> Reply<wire::Position> {
        let call = Call::of(request.metadata());
        let ids = wire::Ids { ids: vec![request.into_inner().account_id.unwrap_or_default()] };
        let positions = Self::lookup_positions(self, &ids, &call).await.map_err(status)?;
        Ok(Self::read_response(positions.found.into_iter().next().unwrap_or_default(), &call))
    }

    async fn query_accounts(&self, request: Request<wire::QueryFilter>) -> Reply<wire::Accounts> {
        let call = Call::of(request.metadata());
        let accounts = Self::query_accounts(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(accounts, &call))
    }

    async fn query_transfers(&self, request: Request<wire::QueryFilter>) -> Reply<wire::Transfers> {
        let call = Call::of(request.metadata());
        let transfers = Self::query_transfers(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(transfers, &call))
    }

    async fn loans(&self, request: Request<wire::LoanBatch>) -> Reply<wire::LoanReply> {
        let call = Call::of(request.metadata());
        let reply = Self::loans(self, &request.into_inner().command, &call).await.map_err(status)?;
        Ok(Response::new(reply))
    }

    async fn lookup_loans(&self, request: Request<wire::Ids>) -> Reply<wire::LoanDocuments> {
        let call = Call::of(request.metadata());
        let loans = Self::lookup_loans(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(loans, &call))
    }

    async fn execute(&self, request: Request<wire::Command>) -> Reply<wire::CommandReply> {
        let call = Call::of(request.metadata());
        match Self::execute(self, &request.into_inner().json, &call).await {
            Ok(json) => Ok(Self::read_response(wire::CommandReply { json }, &call)),
            Err(Trouble::Wrong(wrong)) => {
                Err(Status::invalid_argument(format!("{}: {}", wrong.field, wrong.reason)))
            }
            Err(Trouble::Fault(fault)) => Err(status(fault)),
        }
    }

    async fn get_trial_balance(
        &self,
        request: Request<wire::TrialBalanceRequest>,
    ) -> Reply<wire::TrialBalance> {
        let call = Call::of(request.metadata());
        let totals = self.trial_balance(&call).await.map_err(status)?;
        Ok(Self::read_response(totals, &call))
    }

    async fn get_statement(&self, request: Request<wire::StatementRequest>) -> Reply<wire::Statement> {
        let call = Call::of(request.metadata());
        let told = self.statement(request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(told, &call))
    }

    async fn get_loan_statement(
        &self,
        request: Request<wire::LoanStatementRequest>,
    ) -> Reply<wire::LoanStatement> {
        let call = Call::of(request.metadata());
        let asked = request.into_inner();
        let told = self.loan_statement(asked, &call).await.map_err(status)?;
        let none = || Status::not_found(format!("there is no loan {}", records::wide(asked.loan_id)));
        Ok(Self::read_response(told.ok_or_else(none)?, &call))
    }

    async fn get_general_ledger(
        &self,
        request: Request<wire::GeneralLedgerRequest>,
    ) -> Reply<wire::GeneralLedger> {
        let call = Call::of(request.metadata());
        let told = self.general_ledger(request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(told, &call))
    }

    async fn get_portfolio(&self, request: Request<wire::PortfolioRequest>) -> Reply<wire::Portfolio> {
        let call = Call::of(request.metadata());
        let told = self.portfolio(&call).await.map_err(status)?;
        Ok(Self::read_response(reports::portfolio_message(&told), &call))
    }

    async fn get_day_end_status(
        &self,
        request: Request<wire::DayEndStatusRequest>,
    ) -> Reply<wire::DayEndStatus> {
        let call = Call::of(request.metadata());
        let told = self.day_end_status(&call).await.map_err(status)?;
        Ok(Self::read_response(reports::day_end_message(&told), &call))
    }

    type FeedStream = Pin<Box<dyn Stream<Item = Result<wire::FeedPage, Status>> + Send>>;

    async fn feed(&self, request: Request<wire::FeedRequest>) -> Reply<Self::FeedStream> {
        let told = Self::feed(self, &request.into_inner()).map_err(status)?;
        let pages = stream::unfold(told, |mut told| async {
            let page = told.recv().await?.map_err(status);
            Some((page, told))
        });
        Ok(Response::new(Box::pin(pages)))
    }
}
