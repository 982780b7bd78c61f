//! The node's door for clients: gRPC and REST at one address, and, where it is asked for, a page for watchers at
//! another.
//!
//! With certificates both sides of a connection prove who they are. Without, the door is on loopback only.

use crate::config::Config;
use crate::fault::NodeFault;
use crate::gateway::Gateway;
use crate::node::Office;
use crate::{figures, rest};
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fen_api::MESSAGE_BYTES_MAX;
use fen_api::wire::batches_server::BatchesServer;
use fen_api::wire::cluster_server::ClusterServer;
use fen_api::wire::history_server::HistoryServer;
use fen_api::wire::ledger_server::LedgerServer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

/// How long clients may take to hang up when the node stops.
const CLOSING_PATIENCE: Duration = Duration::from_secs(2);
/// How long a stranger may take to show his certificate.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// Calls of one connection that are served at once; more wait.
const CALLS_MAX: usize = 1_024;

/// An open door. Dropped, it is closed.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    closing: watch::Sender<()>,
    serving: Vec<JoinHandle<()>>,
}

impl Door {
    /// Opens the door.
    pub(crate) async fn open(
        config: &Config,
        gateway: Gateway,
        failed: watch::Receiver<Option<String>>,
    ) -> Result<Self, NodeFault> {
        figures::begin();
        let (closing, closed) = watch::channel(());
        let fault = |error: &dyn std::fmt::Display| NodeFault::Gateway(error.to_string());
        let listener = TcpListener::bind(config.client_address).await?;
        let address = listener.local_addr()?;
        let mut server = Server::builder()
            .accept_http1(true)
            .concurrency_limit_per_connection(CALLS_MAX)
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(16 << 20)
            .http2_keepalive_interval(Some(Duration::from_secs(20)));
        if let Some(pem) = config.certificates()? {
            let tls = ServerTlsConfig::new()
                .identity(Identity::from_pem(&pem.certificate, &pem.key))
                .client_ca_root(Certificate::from_pem(&pem.authority))
                .timeout(HANDSHAKE_PATIENCE);
            server = server.tls_config(tls).map_err(|error| fault(&error))?;
        }
        let ledger = LedgerServer::new(gateway.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let watchers = Watchers { office: gateway.office(), failed };
        let batches = BatchesServer::new(gateway.clone()).max_encoding_message_size(MESSAGE_BYTES_MAX);
        let history = HistoryServer::new(gateway.clone()).max_encoding_message_size(MESSAGE_BYTES_MAX);
        let grpc = Routes::new(ledger).add_service(ClusterServer::new(gateway.clone()));
        let grpc = grpc.add_service(batches).add_service(history);
        let pages = grpc.into_axum_router().merge(rest::routes(gateway)).merge(watchers.clone().routes());
        let pages = pages.layer(middleware::from_fn(counted));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let routes = server.add_routes(Routes::from(pages));
        let until = ended(closed.clone());
        let mut serving = vec![tokio::spawn(async move {
            if let Err(error) = routes.serve_with_incoming_shutdown(incoming, until).await {
                tracing::error!(%error, "the clients' door is closed");
            }
        })];
        if let Some(watch_address) = config.watch_address {
            let listener = TcpListener::bind(watch_address).await?;
            let until = ended(closed);
            serving.push(tokio::spawn(async move {
                let pages = axum::serve(listener, watchers.routes()).with_graceful_shutdown(until);
                if let Err(error) = pages.await {
                    tracing::error!(%error, "the watchers' door is closed");
                }
            }));
        }
        Ok(Self { address, closing, serving })
    }

    /// Closes it: no new calls, those under way get their answers.
    pub(crate) async fn close(self) {
        drop(self.closing);
        for serving in self.serving {
            let abort = serving.abort_handle();
            // Clients that do not hang up are cut off.
            if tokio::time::timeout(CLOSING_PATIENCE, serving).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// Counts each call by its name and its end. Names come from what is served, so there are only so many.
async fn counted(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = request.uri().path();
    let of_grpc = path.strip_prefix("/fen.v1.").and_then(|rest| rest.split_once('/')).map(|(_, call)| call);
    let of_rest = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let call = of_grpc.or(of_rest).unwrap_or("other").to_owned();
    let response = next.run(request).await;
    let grpc = response.headers().get("grpc-status").and_then(|value| value.to_str().ok());
    let outcome = match (grpc, response.status().as_u16()) {
        (Some("12"), _) | (None, 404 | 405) => {
            figures::count_call("other".to_owned(), begun, "unknown");
            return response;
        }
        (Some("0"), _) | (None, 200..300) => "answered",
        (Some("8"), _) => "busy",
        (Some("14"), _) | (None, 500..) => "unavailable",
        _other => "refused",
    };
    figures::count_call(call, begun, outcome);
    response
}

/// Ends when the door is closed: nothing is ever sent.
async fn ended(mut closed: watch::Receiver<()>) {
    let _ended = closed.changed().await;
}

/// What watchers see: figures, and whether the node is well.
#[derive(Clone)]
struct Watchers {
    office: Arc<Office>,
    failed: watch::Receiver<Option<String>>,
}

impl Watchers {
    fn routes(self) -> Router {
        let (figures, health, readiness) = (self.clone(), self.clone(), self);
        Router::new()
            .route("/metrics", get(move || async move { figures::text(&figures.office).await }))
            .route("/healthz", get(move || async move { health.health() }))
            .route("/readyz", get(move || async move { readiness.readiness() }))
    }

    /// Whether the process can go on at all: a node whose log cannot be written has to be started again.
    fn health(&self) -> Response {
        match &*self.failed.borrow() {
            None => "well\n".into_response(),
            Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
        }
    }

    /// Whether it should get traffic.
    fn readiness(&self) -> Response {
        let reasons = figures::not_ready(&self.office);
        if reasons.is_empty() {
            return "ready\n".into_response();
        }
        (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response()
    }
}
