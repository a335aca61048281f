//! The wire: generated types come in here, one file a service, and go no further.
mod catalog;
mod channel;
mod control;
mod control_dataset;
mod control_pool;
mod discovery;
mod routes;
mod session;
mod status;
pub(crate) mod throughput;

pub(crate) use catalog::CatalogClient;
pub(crate) use channel::exchange;
pub(crate) use session::SessionClient;

use crate::node::Shared;
use crate::tls::{Accepted, CONNECTION_WINDOW, HTTP2_FRAME, MAX_DECODED, Peer, STREAM_WINDOW};
use hefu_core::{Code, Fault, PartyId};
use hefu_proto::control as proto_control;
use hefu_proto::v1;
use routes::Routes;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_stream::Stream;
use tonic::transport::Server;
use tonic::{Request, Status};

/// The party of a call's connection.
fn peer_of<T>(request: &Request<T>) -> Result<PartyId, Status> {
    let party = request.extensions().get::<Peer>().and_then(|peer| peer.party.clone());
    party.ok_or_else(|| status::refusal_to_peer(&Fault::new(Code::UntrustedCertificate).citing("TLS-2")))
}

/// What a failed call to a peer means.
fn call_fault(status: &Status, peer: &PartyId) -> Fault {
    if let Some(fault) = status::peer_fault(status, peer) {
        return fault;
    }
    let code = match status.code() {
        tonic::Code::DeadlineExceeded => Code::PeerSlow,
        tonic::Code::Unimplemented => Code::UnsupportedPlan,
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => Code::MessageTooLarge,
        _ => Code::LinkCut,
    };
    Fault::new(code).by(peer)
}

async fn until_stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Calls that one connection may have open at a time.
const CALLS: u32 = 128;
/// Least time for a call's answer: a Close may wait for the last stage.
const LEAST_TIMEOUT: Duration = Duration::from_secs(20);

fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(CALLS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(HTTP2_FRAME)
}

/// Serves `hefu.v1`.
pub(crate) async fn serve_parties(
    shared: Arc<Shared>,
    incoming: impl Stream<Item = io::Result<Accepted>> + Send + 'static,
    stop: watch::Receiver<bool>,
) {
    use v1::catalog_service_server::CatalogServiceServer;
    use v1::channel_service_server::ChannelServiceServer;
    use v1::discovery_service_server::DiscoveryServiceServer;
    use v1::session_service_server::SessionServiceServer;
    let routes = Routes::default()
        .with(DiscoveryServiceServer::new(discovery::Discovery(shared.clone())))
        .with(CatalogServiceServer::new(catalog::Catalog(shared.clone())))
        .with(SessionServiceServer::new(session::Sessions(shared.clone())).max_decoding_message_size(MAX_DECODED))
        .with(ChannelServiceServer::new(channel::Channels(shared.clone())).max_decoding_message_size(MAX_DECODED));
    // A call whose request does not come has the idle time; a stream that is open has its own clock.
    let timeout = shared.config.limits.idle_timeout().max(LEAST_TIMEOUT);
    let served = server().timeout(timeout).serve_with_incoming_shutdown(routes, incoming, until_stopped(stop)).await;
    if let Err(error) = served {
        shared.log(&format!("the interconnect side stopped: {error}"));
    }
}

/// Serves `hefu.control.v1`.
pub(crate) async fn serve_control(
    shared: Arc<Shared>,
    incoming: impl Stream<Item = io::Result<Accepted>> + Send + 'static,
    stop: watch::Receiver<bool>,
) {
    use proto_control::catalog_service_server::CatalogServiceServer;
    use proto_control::dataset_service_server::DatasetServiceServer;
    use proto_control::job_service_server::JobServiceServer;
    use proto_control::model_service_server::ModelServiceServer;
    use proto_control::node_service_server::NodeServiceServer;
    use proto_control::pool_service_server::PoolServiceServer;
    let routes = Routes::default()
        .with(NodeServiceServer::new(control::Control(shared.clone())))
        .with(DatasetServiceServer::new(control::Control(shared.clone())))
        .with(CatalogServiceServer::new(control::Control(shared.clone())))
        .with(JobServiceServer::new(control::Control(shared.clone())))
        .with(ModelServiceServer::new(control::Control(shared.clone())))
        .with(PoolServiceServer::new(control::Control(shared.clone())));
    let served = server().serve_with_incoming_shutdown(routes, incoming, until_stopped(stop)).await;
    if let Err(error) = served {
        shared.log(&format!("the control side stopped: {error}"));
    }
}
