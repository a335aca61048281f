//! One tenant's idle, half-open and slow connections beside another tenant's job.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use serde_json::json;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use world::peer::{Peer, versions};
use world::table::tables;
use world::{Party, allow};

/// Connections that say nothing, and some that begin a handshake and stop.
async fn half_open(to: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    for index in 0..count {
        let mut connection = TcpStream::connect(to).await.unwrap();
        if index % 2 == 0 {
            connection.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        }
        connections.push(connection);
    }
    connections
}

// clause: FRAME-15
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_idle_connections_does_not_stop_anothers_job() {
    let rest = format!("{}{}", allow("bank", "tax"), allow("idle", "tax"));
    let mut tax = Party::start("tax", &rest).await;
    let mut bank = Party::start("bank", "").await;
    let idle = Peer::new("idle");
    idle.introduce(&mut tax, "idle").await;
    tax.trust(&bank).await;
    bank.trust(&tax).await;
    let tables = tables(300, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();

    // A session whose initiator goes silent, connections on which nothing happens, more that are half open than
    // handshakes may be under way.
    let session = idle.session(&tax, 1).await;
    let mut connected = Vec::new();
    for _ in 0..100 {
        let channel = idle.channel(&tax).await.unwrap();
        versions(&channel).await.unwrap();
        connected.push(channel);
    }
    let crowd = half_open(tax.node.interconnect(), 600).await;

    let job = json!({
        "kind": "align", "dataset": "loans", "purpose": "origination",
        "collaborator": [{"party": "tax", "dataset": "tax"}],
    });
    let job = bank.submit(job).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    drop((session, connected, crowd));
}
