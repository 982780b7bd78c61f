//! The gRPC service `Cluster`: how the cluster stands, and changes of it.

use super::{Call, Gateway, PATIENCE_MAX, status};
use crate::directory::{Change, NodeEntry};
use fen_api::wire;
use fen_api::wire::cluster_server::Cluster;
use fen_net::NodeId;
use fen_raft::GroupId;
use tonic::{Request, Response, Status};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Cluster for Gateway {
    async fn status(&self, _request: Request<wire::StatusRequest>) -> Reply<wire::StatusReply> {
        Ok(Response::new(self.office.status()))
    }

    async fn init(&self, request: Request<wire::InitRequest>) -> Reply<wire::InitReply> {
        let call = Call::of(request.metadata());
        self.office.found(request.into_inner(), call.deadline).await.map_err(status)?;
        Ok(Response::new(wire::InitReply {}))
    }

    async fn transfer_leader(
        &self,
        request: Request<wire::TransferLeaderRequest>,
    ) -> Reply<wire::TransferLeaderReply> {
        let call = Call::of(request.metadata());
        let message = request.into_inner();
        let (group, to) = (GroupId(message.group), NodeId(message.to));
        self.office.transfer_leader(group, to, call.deadline).await.map_err(status)?;
        Ok(Response::new(wire::TransferLeaderReply {}))
    }

    async fn add_node(&self, request: Request<wire::Node>) -> Reply<wire::ChangeReply> {
        let call = Call::of(request.metadata());
        let (node, entry) = entry(request.into_inner());
        self.change(&Change::Join { node, entry }, &call).await
    }

    async fn replace_node(&self, request: Request<wire::ReplaceNodeRequest>) -> Reply<wire::ChangeReply> {
        let call = Call::of(request.metadata());
        let message = request.into_inner();
        let (node, entry) = entry(message.node.unwrap_or_default());
        self.change(&Change::Replace { lost: message.lost, node, entry }, &call).await
    }

    async fn move_replica(&self, request: Request<wire::MoveReplicaRequest>) -> Reply<wire::ChangeReply> {
        let call = Call::of(request.metadata());
        let wire::MoveReplicaRequest { group, from, to } = request.into_inner();
        self.change(&Change::Move { group, from, to }, &call).await
    }

    async fn add_shard(&self, request: Request<wire::AddShardRequest>) -> Reply<wire::ChangeReply> {
        let call = Call::of(request.metadata());
        let wire::AddShardRequest { group, nodes } = request.into_inner();
        self.change(&Change::AddShard { group, nodes }, &call).await
    }

    async fn get_plan(&self, request: Request<wire::PlanRequest>) -> Reply<wire::PlanReply> {
        let call = Call::of(request.metadata());
        Ok(Response::new(self.office.plan(call.deadline).await.map_err(status)?))
    }

    async fn verify(&self, _request: Request<wire::VerifyRequest>) -> Reply<wire::VerifyReply> {
        // Adding up a large book takes its time, whatever the caller's usual patience is.
        let call = Call::within(Some(PATIENCE_MAX), false);
        Ok(Response::new(Self::verify(self, &call).await.map_err(status)?))
    }

    async fn verify_loans(
        &self,
        request: Request<wire::VerifyLoansRequest>,
    ) -> Reply<wire::VerifyLoansReply> {
        let call = Call::of(request.metadata());
        let reply = Self::verify_loans(self, request.into_inner(), &call).await;
        Ok(Response::new(reply.map_err(status)?))
    }

    async fn archive(&self, request: Request<wire::ArchiveRequest>) -> Reply<wire::ArchiveReply> {
        // Copying takes its time; what is not done within the call goes on, and the next call tells of it.
        let call = Call::within(Some(PATIENCE_MAX), false);
        Ok(Response::new(Self::archive(self, request.into_inner(), &call).await))
    }
}

fn entry(node: wire::Node) -> (u64, NodeEntry) {
    (node.id, NodeEntry { peer_address: node.peer_address, client_address: node.client_address })
}

impl Gateway {
    async fn change(&self, change: &Change, call: &Call) -> Reply<wire::ChangeReply> {
        self.office.change(change, call.deadline).await.map_err(status)?;
        Ok(Response::new(wire::ChangeReply {}))
    }
}
