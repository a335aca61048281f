//! Connect, discover, offer, confirm, end (session sections 1, 4, 5, 6).

use std::time::Instant;

use ed25519_dalek::Signer;
use hefu_proto::v1::discovery_service_client::DiscoveryServiceClient;
use hefu_proto::v1::session_service_client::SessionServiceClient;
use hefu_proto::v1::{
    AbortRequest, CloseRequest, ConfirmRequest, ConfirmResponse, GetCapabilitiesRequest, GetVersionsRequest,
    OpenRequest, OpenResponse,
};
use prost::Message;
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::{Dialogue, Flow, Stop, WRONG_STATE};
use crate::case::{Operator, RawBytes};
use crate::connect::{self, Link};
use crate::pki::{self, Party};
use crate::transcript::{Event, Run};
use crate::wire::{dsse, keys};
use crate::world::PURPOSE;

/// A session that the target has answered.
#[derive(Clone)]
pub(super) struct Offered {
    pub session: [u8; 16],
    pub offer: Vec<u8>,
    pub confirm: Vec<u8>,
    pub ephemeral: [u8; 32],
    pub peer_ephemeral: [u8; 32],
    pub transcript: [u8; 32],
    /// The suite's own collaborator of rank 1, where the target's rank is 2.
    pub third: Option<Third>,
    /// Confirms of the suite's participants in a round, ranks 1 and up.
    pub seats: Vec<Vec<u8>>,
}

impl Offered {
    /// Rank of the target.
    pub fn rank(&self) -> u16 {
        self.seats.len() as u16 + if self.third.is_some() { 2 } else { 1 }
    }
}

/// A collaborator that the suite plays.
#[derive(Clone)]
pub(super) struct Third {
    pub secret: [u8; 32],
    pub confirm: Vec<u8>,
}

impl Dialogue<'_> {
    pub(super) async fn raw(&mut self, bytes: RawBytes) -> Flow<()> {
        self.deviation(format!("{bytes:?} on a plain socket"));
        let answer = connect::raw(self.world.address, bytes, self.world.deadline).await;
        let answer = answer.map_err(|e| Stop::Suite(e.to_string()))?;
        self.record.push(Event::Raw {
            sent: hex::encode(answer.sent),
            received: hex::encode(answer.received),
            closed: answer.closed,
        });
        Ok(())
    }

    pub(super) async fn connect(&mut self) -> Flow<Link> {
        let fault = match self.operator {
            Some(Operator::Certificate { fault }) => Some(*fault),
            _ => None,
        };
        let identity = match fault {
            Some(crate::case::CertificateFault::None) => None,
            fault => Some(self.me.identity(fault, &self.world.second)?),
        };
        if let Some(fault) = fault {
            self.deviation(format!("the certificate of {}: {fault:?}", self.me.id));
        }
        let config = pki::client(&self.world.target, identity)?;
        match connect::dial(self.world.address, config, self.world.deadline).await {
            Ok(link) => {
                let seen = link.seen();
                let party = self.me.name.clone();
                self.record.push(Event::Connected { party, protocol: seen.protocol, group: seen.group });
                Ok(link)
            }
            Err(seen) => {
                let (alert, text) = seen.cut.unwrap_or_default();
                self.record.push(Event::Cut { alert, text });
                Err(Stop::Told)
            }
        }
    }

    pub(super) async fn discover(&mut self, link: &Link) -> Flow<()> {
        let mut client = DiscoveryServiceClient::new(link.channel.clone());
        let request = GetVersionsRequest {};
        self.call(link, self.me, "GetVersions", &request, client.get_versions(request)).await?;
        let request = GetCapabilitiesRequest {};
        self.call(link, self.me, "GetCapabilities", &request, client.get_capabilities(request)).await?;
        Ok(())
    }

    /// Opens a session: offer, as the case alters it, and the target's confirm.
    pub(super) async fn open(&mut self, link: &Link) -> Flow<Offered> {
        let (session, secret) = (self.rng.bytes(), self.rng.bytes());
        let (payload, told) = self.offer(session, &keys::public(&secret));
        let (offer, told_too) = self.envelope(payload);
        let stolen = matches!(self.operator, Some(Operator::CallAs { call, .. }) if call == "Open");
        if let Operator::InitiateAs { party } = self.operator.unwrap_or(&Operator::FewRows) {
            self.deviation(format!("the whole dialogue is {party}'s"));
        } else if let Some(what) = told.or(told_too) {
            self.deviation(what);
        }
        self.open_sessions.push(session);
        let answer = if stolen {
            let other = self.other_link(&self.world.second).await?;
            self.deviation("Open with this offer from the connection of second");
            self.send_offer(&other, &self.world.second, &offer).await?
        } else {
            self.send_offer(link, self.me, &offer).await?
        };
        if let Some(Operator::OfferTwice) = self.operator {
            self.deviation("the same offer again");
            self.expect_refusal(self.send_offer(link, self.me, &offer).await)?;
        }
        self.offered(session, secret, offer, answer.confirm)
    }

    /// Sends the offer of an earlier dialogue again; only a refusal is right.
    pub(super) async fn replay(&mut self, link: &Link, earlier: &Run) -> Flow<()> {
        let offer = hex::decode(&earlier.facts.offer).map_err(|e| Stop::Suite(e.to_string()))?;
        self.deviation("an offer of before the restart, byte for byte");
        self.send_offer(link, self.me, &offer).await?;
        Err(Stop::Told)
    }

    async fn send_offer(&self, link: &Link, party: &Party, offer: &[u8]) -> Flow<OpenResponse> {
        let request = OpenRequest { offer: offer.to_vec() };
        self.call(link, party, "Open", &request, client(link).open(request.clone())).await
    }

    fn offered(&mut self, session: [u8; 16], secret: [u8; 32], offer: Vec<u8>, confirm: Vec<u8>) -> Flow<Offered> {
        let third = self.third(&offer);
        let seats = self.seats(&offer);
        let others: Vec<Vec<u8>> = third.iter().map(|third| &third.confirm).chain(&seats).cloned().collect();
        let transcript = keys::transcript(&offer, &[others.as_slice(), std::slice::from_ref(&confirm)].concat());
        let algorithm = self.algorithm();
        self.record.facts(|facts| {
            facts.session = hex::encode(session);
            facts.offer = hex::encode(&offer);
            facts.transcript = hex::encode(transcript);
            facts.others = others.iter().map(hex::encode).collect();
            facts.algorithm = algorithm.into();
        });
        // The judge says what is wrong with a confirm; here it is only needed for the keys.
        let document = dsse::parse(&confirm).ok().and_then(|e| serde_json::from_slice::<Value>(&e.payload).ok());
        let ephemeral = document.as_ref().and_then(|d| d["ephemeral"].as_str()).and_then(|h| hex::decode(h).ok());
        let Some(peer_ephemeral) = ephemeral.and_then(|e| e.try_into().ok()) else { return Err(Stop::Told) };
        Ok(Offered { session, offer, confirm, ephemeral: secret, peer_ephemeral, transcript, third, seats })
    }

    /// The offer's payload, as the case alters it, and what was altered.
    fn offer(&mut self, session: [u8; 16], ephemeral: &[u8; 32]) -> (Vec<u8>, Option<String>) {
        let (setting, plan) = (&self.case.setting, self.plan());
        let mut offer = json!({
            "type": "hefu/offer/1", "versions": ["1.0"], "suites": [1],
            "session": hex::encode(session), "job": hex::encode(self.rng.bytes::<16>()),
            "nonce": hex::encode(self.rng.bytes::<32>()),
            "parties": [
                { "party": self.me.id, "ephemeral": hex::encode(ephemeral) },
                { "party": self.world.target.party, "dataset": setting.dataset },
            ],
            "purpose": PURPOSE, "outputs": [plan.output],
            "plan": {
                "stages": plan.stages, "join": setting.join, "missing": "error", "split": plan.split,
                "algorithm": plan.algorithm, "lambda": super::vlr::LAMBDA, "max_evaluations": plan.max_evaluations,
            },
            "limits": { "max_chunk": self.max_chunk(), "max_message": self.world.capabilities.max_message },
            "extensions": [],
        });
        if let Some(model) = plan.model {
            offer["plan"]["model"] = hex::encode(model).into();
        }
        if self.has_third()
            && let Some(parties) = offer["parties"].as_array_mut()
        {
            parties.insert(1, json!({ "party": self.world.second.id, "dataset": "suite" }));
        }
        let mut told = plan.told;
        if self.pools() {
            self.pool_offer(&mut offer);
            told = self.pool_told();
        }
        let told = self.alter_offer(&mut offer).or(told);
        let mut text = offer.to_string();
        if let Some(Operator::OfferText { find, replace }) = self.operator {
            text = text.replacen(find, replace, 1);
            return (text.into_bytes(), Some(format!("{replace} in place of {find}")));
        }
        (text.into_bytes(), told)
    }

    /// The negotiated chunk: the smaller of what the case says and what the target can take.
    pub(super) fn max_chunk(&self) -> u64 {
        self.case.setting.max_chunk.min(self.world.capabilities.max_chunk)
    }

    pub(super) async fn confirm(&mut self, link: &Link, offered: &Offered) -> Flow<()> {
        if let Some(Operator::CallAs { call, .. }) = self.operator
            && call == "Confirm"
        {
            let other = self.other_link(&self.world.second).await?;
            self.deviation("Confirm of this session from the connection of second");
            let result = self.send_confirm(&other, &self.world.second, self.confirm_request(offered, false)).await;
            self.expect_refusal(result)?;
        }
        let altered = matches!(self.operator, Some(Operator::ConfirmAltered | Operator::TranscriptFlip));
        let request = self.confirm_request(offered, altered);
        self.send_confirm(link, self.me, request).await?;
        if let Some(Operator::ConfirmTwice) = self.operator {
            self.deviation("Confirm again with the same bytes");
            let result = self.send_confirm(link, self.me, self.confirm_request(offered, false)).await;
            self.expect_refusal(result)?;
        }
        Ok(())
    }

    fn confirm_request(&self, offered: &Offered, altered: bool) -> ConfirmRequest {
        let mut confirm = offered.confirm.clone();
        if altered && matches!(self.operator, Some(Operator::ConfirmAltered)) {
            // A space after the opening brace: the same JSON, other bytes.
            confirm.insert(1, b' ');
            self.deviation("a space inside the target's own confirm; the transcript is over these bytes");
        }
        let others = offered.third.iter().map(|third| &third.confirm).chain(&offered.seats);
        let mut confirms: Vec<Vec<u8>> = others.cloned().collect();
        confirms.push(confirm);
        let transcript = keys::transcript(&offered.offer, &confirms);
        let mut signature = self.me.signing.sign(&keys::transcript_statement(0, &transcript)).to_bytes();
        if altered && matches!(self.operator, Some(Operator::TranscriptFlip)) {
            signature[0] ^= 1;
            self.deviation("the lowest bit of the transcript signature's first byte");
        }
        ConfirmRequest { session: offered.session.to_vec(), confirms, signature: signature.to_vec() }
    }

    async fn send_confirm(&self, link: &Link, party: &Party, request: ConfirmRequest) -> Flow<ConfirmResponse> {
        self.call(link, party, "Confirm", &request, client(link).confirm(request.clone())).await
    }

    /// Runs as many jobs as the target declares, each with a confirmed session.
    pub(super) async fn fill_jobs(&mut self, link: &Link) -> Flow<()> {
        for _ in 0..self.world.limits.max_jobs {
            let (session, secret): ([u8; 16], [u8; 32]) = (self.rng.bytes(), self.rng.bytes());
            let (payload, _) = self.offer(session, &keys::public(&secret));
            let offer = dsse::seal(dsse::OFFER, &payload, &self.me.signing);
            self.open_sessions.push(session);
            let answer = self.send_offer(link, self.me, &offer).await?;
            let offered = self.offered(session, secret, offer, answer.confirm)?;
            self.send_confirm(link, self.me, self.confirm_request(&offered, false)).await?;
        }
        self.deviation(format!("one more offer while {} jobs run", self.world.limits.max_jobs));
        Ok(())
    }

    /// Calls of another party on this session, where the case has one.
    pub(super) async fn strangers_calls(&mut self, _link: &Link, offered: &Offered) -> Flow<()> {
        let Some(Operator::CallAs { call, .. }) = self.operator else { return Ok(()) };
        let second = &self.world.second;
        match call.as_str() {
            "Abort" => {
                let other = self.other_link(second).await?;
                self.deviation("Abort of this session from the connection of second");
                let result = self.send_abort(&other, second, offered.session, super::CANCELLED).await;
                self.expect_refusal(result)
            }
            "Close" => {
                let other = self.other_link(second).await?;
                self.deviation("Close of this session from the connection of second");
                let result = self.send_close(&other, second, offered.session).await;
                self.expect_refusal(result)
            }
            "Exchange" => {
                let other = self.other_link(second).await?;
                self.deviation("Exchange of this session from the connection of second");
                self.strangers_exchange(&other, offered).await
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn other_link(&self, party: &Party) -> Flow<Link> {
        let link = self.world.link(party).await?;
        let seen = link.seen();
        self.record.push(Event::Connected { party: party.name.clone(), protocol: seen.protocol, group: seen.group });
        Ok(link)
    }

    /// A call whose refusal must change nothing: the dialogue goes on after it, and only after it.
    pub(super) fn expect_refusal<T>(&self, result: Flow<T>) -> Flow<()> {
        match result {
            Ok(_) => Err(Stop::Told),
            Err(Stop::Told) if matches!(self.record.last(), Some(Event::Refused { .. })) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    async fn send_abort(&self, link: &Link, party: &Party, session: [u8; 16], code: u32) -> Flow<()> {
        let cause = "the suite ends this session".to_owned();
        let request = AbortRequest { session: session.to_vec(), code, party: String::new(), cause };
        self.call(link, party, "Abort", &request, client(link).abort(request.clone())).await.map(|_| ())
    }

    async fn send_close(&self, link: &Link, party: &Party, session: [u8; 16]) -> Flow<()> {
        let request = CloseRequest { session: session.to_vec() };
        self.call(link, party, "Close", &request, client(link).close(request.clone())).await.map(|_| ())
    }

    /// Calls Close while alignment runs; whether it was carried out is known when the target answers.
    pub(super) fn close_early(&self, link: &Link, session: [u8; 16]) -> tokio::task::JoinHandle<bool> {
        self.deviation("Close while alignment runs");
        let request = CloseRequest { session: session.to_vec() };
        let (call, party) = ("Close".to_owned(), self.me.name.clone());
        self.record.push(Event::Called { call: call.clone(), party, request: hex::encode(request.encode_to_vec()) });
        let (mut client, record, deadline) = (client(link), self.record.clone(), self.world.deadline);
        tokio::spawn(async move {
            let answer = tokio::time::timeout(deadline, client.close(request)).await;
            let closed = matches!(answer, Ok(Ok(_)));
            record.push(if closed {
                Event::Answered { call, response: String::new() }
            } else {
                Event::NotYet { call }
            });
            closed
        })
    }

    pub(super) async fn abort(&mut self, link: &Link, session: [u8; 16], code: u32) -> Flow<()> {
        self.open_sessions.retain(|open| *open != session);
        self.send_abort(link, self.me, session, code).await
    }

    /// Closes the session; a target that is not done yet says WRONG_STATE, and is asked again within the deadline.
    pub(super) async fn close(&mut self, link: &Link, session: [u8; 16], begin: Instant) -> Flow<()> {
        let result = self.send_close(link, self.me, session).await;
        if result.is_err() && self.last_code() == Some(WRONG_STATE) && begin.elapsed() < self.world.deadline {
            self.record.amend(Event::NotYet { call: "Close".into() });
        } else if result.is_ok() {
            self.open_sessions.retain(|open| *open != session);
        }
        result
    }

    /// Ends what this dialogue left open, without writing it down: it belongs to no case.
    pub(super) async fn leave(&mut self) {
        if self.open_sessions.is_empty() {
            return;
        }
        let Ok(link) = self.world.link(self.me).await else { return };
        for session in std::mem::take(&mut self.open_sessions) {
            let request = AbortRequest {
                session: session.to_vec(),
                code: super::CANCELLED,
                party: String::new(),
                cause: "the suite leaves".into(),
            };
            let _ = tokio::time::timeout(self.world.deadline, client(&link).abort(request)).await;
        }
    }
}

fn client(link: &Link) -> SessionServiceClient<Channel> {
    SessionServiceClient::new(link.channel.clone())
}
