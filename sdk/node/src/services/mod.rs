//! What a peer may call, without the wire: catalogue, discovery, sessions, channels.
pub(crate) mod catalog;
mod session;

pub(crate) use session::{
    Answer, abort, accept_offer, admit, close, confirm, digest, exchange, find_entry, open, published, require_use,
};

use crate::node::{Connection, Shared};
use crate::{Error, tls, wire};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Serves the interconnect side until it is stopped.
pub(crate) fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    stop: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let config = shared.tls.server()?;
    let observer = shared.clone();
    let incoming = tls::accept(listener, config, shared.log.clone(), move |peer| {
        if let Some(party) = &peer.party {
            observer.remember(Connection { party: party.clone(), group: peer.group.clone(), inbound: true });
        }
    });
    Ok(tokio::spawn(wire::serve_parties(shared, incoming, stop)))
}
