use super::*;
use crate::channel::hands::{Peer, message, wired};
use std::time::Duration;

struct World {
    hub: Hub,
    peers: Vec<Peer>,
    stopper: Stopper,
}

/// A hub of `peers` peers, each with `share` bytes of memory; a peer that reads nothing is slow after `idle`.
fn world(peers: u16, share: u64, idle: Duration) -> World {
    let (wiring, links, peers) = wired(0, peers + 1, share * u64::from(peers), idle);
    let stopper = Stopper::new();
    World { hub: Hub::open(wiring, links, Arc::default(), &stopper), peers, stopper }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// The next event: a message's sender, or the party that is lost and the code.
async fn next(hub: &mut Hub) -> Result<Rank, (Rank, Code)> {
    match hub.receive(Stage::Train, far()).await.unwrap() {
        Heard::Message(rank, _) => Ok(rank),
        Heard::Lost(rank, fault) => {
            assert_eq!(fault.party, Some(hub.wiring().party(rank)));
            Err((rank, fault.code))
        }
        Heard::Deadline => panic!("nobody in time"),
    }
}

#[tokio::test]
async fn whoever_comes_first_is_heard_and_a_lost_peer_is_an_event() {
    let World { mut hub, mut peers, .. } = world(3, 1 << 20, Duration::from_secs(60));
    peers[2].send(0, message(Stage::Train, 5000)).await;
    assert_eq!(next(&mut hub).await, Ok(Rank(3)));
    // One is cut off in the middle of a message: what it had begun is gone, the others go on.
    peers[1].send_part(0, message(Stage::Train, 5000), 2).await;
    drop(peers.remove(1));
    assert_eq!(next(&mut hub).await, Err((Rank(2), Code::LinkCut)));
    assert_eq!(hub.present().collect::<Vec<_>>(), [Rank(1), Rank(3)]);
    for rank in 0..4 {
        hub.send(Outgoing { to: Rank(rank), message: message(Stage::Train, 3000) }).unwrap();
    }
    for peer in &mut peers {
        assert_eq!(peer.receive(0).await.unwrap().payload.len(), 3000);
        peer.send(0, message(Stage::Train, 10)).await;
        assert_eq!(next(&mut hub).await, Ok(peer.rank));
    }
    assert!(hub.flush(far()).await.is_empty());
    let soon = Instant::now() + Duration::from_millis(5);
    assert!(matches!(hub.receive(Stage::Train, soon).await, Ok(Heard::Deadline)), "a loss is told once");
}

// clause: FRAME-14
#[tokio::test]
async fn nobody_waits_for_a_peer_that_does_not_read() {
    let World { mut hub, mut peers, .. } = world(3, 50_000, Duration::from_millis(100));
    // Peer 1 reads nothing. The others' messages, the hub's own and relayed ones, pass it by.
    for round in 0..3 {
        hub.send(Outgoing { to: Rank(1), message: message(Stage::Train, 10_000) }).unwrap();
        hub.send(Outgoing { to: Rank(2), message: message(Stage::Train, 10_000) }).unwrap();
        let (second, third) = (1, 2);
        assert!(peers[second].receive(0).await.is_some(), "round {round}");
        peers[second].send(1, message(Stage::Train, 1000)).await;
        peers[second].send(3, message(Stage::Train, 1000)).await;
        assert_eq!(peers[third].receive(2).await.unwrap().payload.len(), 1000);
    }
    assert_eq!(next(&mut hub).await, Err((Rank(1), Code::PeerSlow)));
    assert_eq!(hub.present().count(), 2);
}

// clause: FRAME-14
#[tokio::test]
async fn an_outbox_that_overflows_loses_its_peer_at_once() {
    let World { mut hub, .. } = world(2, 50_000, Duration::from_secs(60));
    let send = |hub: &mut Hub| hub.send(Outgoing { to: Rank(1), message: message(Stage::Train, 40_000) });
    send(&mut hub).unwrap();
    let fault = send(&mut hub).unwrap_err();
    assert_eq!((fault.code, fault.party), (Code::PeerSlow, Some(hub.wiring().party(Rank(1)))));
    assert_eq!(send(&mut hub), Ok(()), "to a lost peer nothing is sent");
    assert_eq!(hub.present().collect::<Vec<_>>(), [Rank(2)]);
    // So does one to which others send too much.
    let World { mut hub, mut peers, .. } = world(2, 50_000, Duration::from_secs(60));
    for _ in 0..80 {
        peers[0].send(2, message(Stage::Train, 1000)).await;
    }
    assert_eq!(next(&mut hub).await, Err((Rank(2), Code::PeerSlow)));
    // Whoever sent it is heard as before.
    peers[0].send(0, message(Stage::Train, 10)).await;
    assert_eq!(next(&mut hub).await, Ok(Rank(1)));
}

#[tokio::test]
async fn a_liar_and_one_that_tells_an_error_are_lost_with_the_reason() {
    let World { mut hub, mut peers, .. } = world(4, 1 << 20, Duration::from_secs(60));
    let mut frame = peers[0].sealers[0].seal(&message(Stage::Train, 10)).unwrap().remove(0);
    frame.body[3] ^= 1;
    peers[0].to_node.send(Ok(frame.into())).await.unwrap();
    assert_eq!(next(&mut hub).await, Err((Rank(1), Code::BadSeal)));
    let error = Message::error(2, Code::TooManyRows, br#"{"code":7003,"party":"lei:P2","cause":"","next":""}"#);
    peers[1].send(0, error).await;
    assert_eq!(next(&mut hub).await, Err((Rank(2), Code::TooManyRows)));
    peers[2].send(0, message(Stage::Align, 10)).await;
    assert_eq!(next(&mut hub).await, Err((Rank(3), Code::UnexpectedMessage)));
    // A message of a later stage waits for that stage, unless its sender is given up.
    peers[3].send(0, message(Stage::Score, 10)).await;
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(matches!(hub.receive(Stage::Train, soon).await, Ok(Heard::Deadline)));
    assert!(matches!(hub.receive(Stage::Score, far()).await, Ok(Heard::Message(Rank(4), _))));
    assert!(hub.lose(Rank(4)) && !hub.lose(Rank(4)));
    assert_eq!(peers[3].receive(0).await, None);
    assert_eq!(peers[3].keys.parties(), 5);
}

// clause: FRAME-15
#[tokio::test]
async fn a_peer_that_sends_ahead_fills_only_its_own_share() {
    let World { mut hub, mut peers, .. } = world(2, 20_000, Duration::from_secs(60));
    let mut flood = peers.remove(0);
    let flooding = tokio::spawn(async move {
        loop {
            flood.send(0, message(Stage::Score, 4000)).await;
        }
    });
    for _ in 0..5 {
        peers[0].send(0, message(Stage::Train, 4000)).await;
        assert_eq!(next(&mut hub).await, Ok(Rank(2)));
    }
    let soon = Instant::now() + Duration::from_millis(20);
    assert!(matches!(hub.receive(Stage::Train, soon).await, Ok(Heard::Deadline)));
    assert!(hub.held.len() <= 5, "{} messages wait", hub.held.len());
    flooding.abort();
}

#[tokio::test]
async fn a_job_that_is_stopped_hears_nothing_more() {
    let World { mut hub, stopper, .. } = world(2, 1 << 20, Duration::from_secs(60));
    assert_eq!(hub.check(), Ok(()));
    stopper.stop(Fault::new(Code::Cancelled));
    assert_eq!(hub.receive(Stage::Train, far()).await.unwrap_err().code, Code::Cancelled);
    assert_eq!(hub.check().unwrap_err().code, Code::Cancelled);
    assert_eq!(hub.slow(Rank(2)).code, Code::PeerSlow);
}
