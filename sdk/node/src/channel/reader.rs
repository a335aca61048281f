//! Reading one link: check, open or relay, hand over.
use super::{Event, Frame, Sink, Source, Traffic, blame};
use hefu_core::{Code, Fault, PartyId, Rank};
use hefu_protocol::Error;
use hefu_protocol::frame::Receiver;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;

/// What reading a link needs.
pub(super) struct Reader {
    pub(super) own: Rank,
    pub(super) peer: Rank,
    pub(super) parties: Arc<[PartyId]>,
    pub(super) receiver: Receiver,
    /// Sinks by receiver rank, at the initiator only.
    pub(super) relays: Vec<Option<Sink>>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) inbox: mpsc::Sender<Event>,
}

impl Reader {
    /// Reads until the link ends, the peer breaks a rule, or nobody takes messages any more.
    pub(super) async fn run(mut self, mut source: Source) {
        loop {
            let event = match source.next().await {
                Some(Ok(frame)) => match self.take(frame).await {
                    Ok(None) => continue,
                    Ok(Some(event)) => event,
                    Err(fault) => Event::Ended { fault, clean: false },
                },
                Some(Err(fault)) => Event::Ended { fault, clean: false },
                None => Event::Ended { fault: self.cut(), clean: true },
            };
            let is_end = matches!(event, Event::Ended { .. });
            if self.inbox.send(event).await.is_err() || is_end {
                return;
            }
        }
    }

    fn cut(&self) -> Fault {
        let fault = Fault::new(Code::LinkCut);
        match self.parties.get(self.peer.index()) {
            Some(party) => fault.by(party),
            None => fault,
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<Option<Event>, Fault> {
        self.traffic.count_received(&frame);
        let header = self.receiver.route(&frame.header).map_err(|e| blame(&e, &self.parties))?;
        if header.receiver != self.own {
            return self.relay(header.receiver, frame).await.map(|()| None);
        }
        let opened = self.receiver.open(&frame.header, Vec::from(frame.body)).map_err(|e| blame(&e, &self.parties))?;
        Ok(opened.map(|(sender, message)| Event::Message(sender, message)))
    }

    /// Hands a frame to the link of its receiver, sealed as it is (FRAME-4).
    async fn relay(&self, to: Rank, frame: Frame) -> Result<(), Fault> {
        let Some(Some(sink)) = self.relays.get(to.index()).filter(|_| to != self.peer) else {
            return Err(self.refuse(Code::WrongParty, "FRAME-4", "a frame is meant for another receiver"));
        };
        self.traffic.count_sent(&frame);
        // A receiver that is gone ends the job through its own link.
        let _ = sink.send(Ok(frame)).await;
        Ok(())
    }

    fn refuse(&self, code: Code, requirement: &'static str, cause: &'static str) -> Fault {
        blame(&Error::peer(self.peer, code, requirement, cause), &self.parties)
    }
}
