//! The gRPC service `Batches`: the registry of payment files, which the directory keeps.

use super::{Call, Gateway, not_founded, status, unreadable};
use crate::ask::{self, Ask, Read};
use crate::fault::ServeFault;
use fen_api::wire::batches_server::Batches;
use fen_api::{batches, wire};
use fen_book::batches::BatchReply;
use tonic::{Request, Response, Status};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Batches for Gateway {
    async fn order(&self, request: Request<wire::BatchOrder>) -> Reply<wire::BatchReply> {
        let call = Call::of(request.metadata());
        let order = batches::order(request.into_inner())
            .ok_or_else(|| Status::invalid_argument("order: none that this release knows"))?;
        if !self.office.router.directory().is_founded() {
            return Err(status(not_founded()));
        }
        let question = Ask::Batch(order.encode().into());
        let answer = self.office.router.ask_directory(&question, call.deadline).await.map_err(status)?;
        let reply = BatchReply::decode(&answer).ok_or_else(|| status(unreadable()))?;
        Ok(Response::new(batches::reply_message(&reply)))
    }

    async fn list(&self, request: Request<wire::BatchQuery>) -> Reply<wire::BatchList> {
        let call = Call::of(request.metadata());
        Ok(Response::new(self.list_batches(request.into_inner(), &call).await.map_err(status)?))
    }

    async fn moved(&self, request: Request<wire::MovedQuery>) -> Reply<wire::MovedReply> {
        let call = Call::of(request.metadata());
        Ok(Response::new(self.moved_by(request.into_inner(), &call).await.map_err(status)?))
    }
}

impl Gateway {
    async fn list_batches(
        &self,
        query: wire::BatchQuery,
        call: &Call,
    ) -> Result<wire::BatchList, ServeFault> {
        let answer = self.office.router.ask_directory(&Ask::Batches(query), call.deadline).await?;
        let list: wire::BatchList = ask::read(answer).map_err(ServeFault::Unavailable)?;
        // Where a day is being closed, the shards that are not there yet say what the day is.
        let mut business_date = None;
        for (_group, answer) in self.ask_all(&Read::BusinessDate, call).await? {
            if answer.is_empty() {
                continue;
            }
            let bytes = <[u8; 4]>::try_from(&answer[..]).map_err(|_| unreadable())?;
            let date = i32::from_le_bytes(bytes);
            business_date = Some(business_date.map_or(date, |least: i32| least.min(date)));
        }
        Ok(wire::BatchList { business_date, ..list })
    }

    async fn moved_by(&self, query: wire::MovedQuery, call: &Call) -> Result<wire::MovedReply, ServeFault> {
        let mut found = wire::MovedReply {
            account_id: None,
            amounts: vec![wire::MovedAmount::default(); query.events.len()],
            collects_in_full: false,
        };
        for (_group, answer) in self.ask_all(&Read::Moved(query), call).await? {
            let part: wire::MovedReply = ask::read(answer).map_err(ServeFault::Unavailable)?;
            if part.account_id.is_some() && part.amounts.len() == found.amounts.len() {
                found = part;
            }
        }
        Ok(found)
    }
}
