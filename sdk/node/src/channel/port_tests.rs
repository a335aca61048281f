use super::*;
use crate::channel::hands::{Peer, message, wired};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A collaborator's port and rank 0 by hand.
fn world(memory: u64, idle: Duration) -> (Port, Peer, Stopper) {
    let (wiring, links, mut peers) = wired(1, 2, memory, idle);
    let stopper = Stopper::new();
    (Port::open(wiring, links, Arc::default(), &stopper), peers.remove(0), stopper)
}

fn refused(received: Result<(Rank, Message), Fault>) -> (Code, Option<&'static str>) {
    let fault = received.unwrap_err();
    assert_eq!(fault.party, Some(PartyId::parse("lei:P0").unwrap()));
    (fault.code, fault.requirement)
}

// clause: FRAME-12
#[tokio::test]
async fn frames_of_a_long_message_put_the_idle_time_off() {
    let idle = Duration::from_millis(400);
    let (mut port, mut peer, _stop) = world(1 << 20, idle);
    let sending = tokio::spawn(async move {
        for frame in peer.sealers[1].seal(&message(Stage::Train, 40 << 10)).unwrap() {
            sleep(idle / 20).await;
            peer.to_node.send(Ok(frame.into())).await.unwrap();
        }
        peer
    });
    // It takes twice the idle time, and less than the least rate allows.
    assert_eq!(port.receive(Stage::Train).await.unwrap().1.payload.len(), 40 << 10);
    drop(sending.await.unwrap());
}

// clause: FRAME-13
#[tokio::test]
async fn a_message_that_dribbles_ends_the_session() {
    let idle = Duration::from_millis(300);
    let (mut port, mut peer, _stop) = world(1 << 20, idle);
    let dribbling = tokio::spawn(async move {
        for frame in peer.sealers[1].seal(&message(Stage::Train, 40 << 10)).unwrap() {
            peer.to_node.send(Ok(frame.into())).await.ok()?;
            sleep(idle / 2).await;
        }
        Some(peer)
    });
    assert_eq!(refused(port.receive(Stage::Train).await), (Code::PeerSlow, Some("FRAME-13")));
    dribbling.abort();
}

// clause: FRAME-12
#[tokio::test]
async fn a_repeated_frame_is_no_sign_of_life() {
    let (mut port, mut peer, _stop) = world(1 << 20, Duration::from_millis(200));
    let frame: Frame = peer.sealers[1].seal(&message(Stage::Train, 2000)).unwrap().remove(0).into();
    let repeating = tokio::spawn(async move {
        while peer.to_node.send(Ok(frame.clone())).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(refused(port.receive(Stage::Train).await).0, Code::PeerSlow);
    repeating.abort();
}

// clause: FRAME-14
#[tokio::test]
async fn a_peer_that_takes_nothing_is_slow() {
    let (mut port, peer, _stop) = world(1 << 20, Duration::from_millis(100));
    let sent = port.send(&Outgoing { to: Rank(0), message: message(Stage::Train, 100_000) }).await;
    assert_eq!(refused(sent.map(|()| unreachable!())), (Code::PeerSlow, Some("FRAME-14")));
    // What had been handed over is a few frames, not the message.
    assert!(port.traffic().sent() < 10_000, "{}", port.traffic().sent());
    drop(peer);
}

// clause: FRAME-15
#[tokio::test]
async fn a_peer_that_runs_ahead_waits_and_loses_nothing() {
    let (mut port, mut peer, _stop) = world(40 << 10, LONG);
    let sending = tokio::spawn(async move {
        for size in 0..200 {
            peer.send(1, message(Stage::Train, 4000 + size)).await;
        }
        peer
    });
    // Nobody takes a message: the budget is full, then the link is.
    sleep(Duration::from_millis(100)).await;
    let waiting = port.traffic().of_stage(Stage::Train.number()).1;
    assert!(!sending.is_finished() && waiting < 60_000, "{waiting} bytes came in");
    for size in 0..200 {
        assert_eq!(port.receive(Stage::Train).await.unwrap().1.payload.len(), 4000 + size);
    }
    drop(sending.await.unwrap());
}

// clause: FRAME-15
#[tokio::test]
async fn a_peer_that_is_stages_ahead_does_not_grow() {
    let (mut port, mut peer, _stop) = world(1 << 30, LONG);
    let sending = tokio::spawn(async move {
        loop {
            peer.send(1, message(Stage::Score, 100_000)).await;
        }
    });
    assert_eq!(refused(port.receive(Stage::Align).await), (Code::MessageTooLarge, Some("FRAME-5")));
    sending.abort();
}

#[tokio::test]
async fn a_machine_that_computes_learns_that_its_link_is_cut() {
    let (mut port, mut peer, _stop) = world(1 << 20, LONG);
    peer.send(1, message(Stage::Train, 10)).await;
    assert_eq!(port.check(), Ok(()));
    let fault = Fault::new(Code::LinkCut).by(&PartyId::parse("lei:P0").unwrap());
    peer.to_node.send(Err(fault)).await.unwrap();
    let noticed = async {
        while port.check().is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, noticed).await.unwrap();
    assert_eq!(port.check().unwrap_err().code, Code::LinkCut);
    // What came before can still be read: a machine that is done with the link has lost nothing.
    assert!(port.receive(Stage::Train).await.is_ok());
}

#[tokio::test]
async fn who_said_why_it_ended_need_not_be_told() {
    let (wiring, links, mut peers) = wired(0, 4, 1 << 20, LONG);
    let mut port = Port::open(wiring, links, Arc::default(), &Stopper::new());
    peers[0].send(0, Message::error(2, Code::TooManyRows, b"{}")).await;
    assert_eq!(port.receive(Stage::Train).await.unwrap_err().code, Code::TooManyRows);
    peers[1].to_node.send(Err(Fault::new(Code::Disk))).await.unwrap();
    assert_eq!(port.receive(Stage::Train).await.unwrap_err().code, Code::Disk);
    // A cut and a broken rule are no words of the peer's.
    peers[2].to_node.send(Err(Fault::new(Code::LinkCut))).await.unwrap();
    assert_eq!(port.receive(Stage::Train).await.unwrap_err().code, Code::LinkCut);
    assert_eq!(port.over(), [Rank(1), Rank(2)]);
}
