//! One round at its coordinator: a session of its own, from the offer to the sum (spec/aggregate.md, section 2).
use super::plan::{Member, PoolPlan};
use crate::channel::{Duplex, Heard, Hub, Stopper, Traffic, Wiring, blame, refusal, stopped};
use crate::node::{Connection, Shared};
use crate::tls::{self, Link};
use crate::wire::{self, SessionClient};
use hefu_core::{Code, Fault, JobId, PartyId, Rank, SessionId, Stage};
use hefu_crypto::{Agreement, Seed, Suite, verify};
use hefu_protocol::aggregate::{
    Contribution, Coordinator, Event, History, Member as Seat, Moved, Moving, Outcome, Own, Plan, Roster,
};
use hefu_protocol::frame::Limits;
use hefu_protocol::session::{
    Keys, Offer, OfferedParty, SessionLimits, VERSIONS, check_confirm, open_confirm, seal_offer, transcript,
    transcript_message,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long the calls that end a session may take.
const ENDING: Duration = Duration::from_secs(5);

/// Connections that outlive a round.
#[derive(Default)]
pub(crate) struct Links(HashMap<PartyId, Link>);

/// A round whose streams are open.
pub(crate) struct Round {
    session: SessionId,
    clients: Vec<Option<SessionClient>>,
    roster: Arc<Roster>,
    signatures: Vec<Option<[u8; 64]>>,
    hub: Hub,
    mask: Option<hefu_protocol::aggregate::MaskKey>,
    step: Duration,
    /// Why participants were lost on the way.
    causes: Vec<(Rank, Fault)>,
}

/// Who is not there, and why.
pub(crate) type Missing = Vec<(PartyId, Fault)>;

impl Links {
    /// A connection to each member that answers; a member that refuses this node ends the job.
    async fn dial(&mut self, shared: &Arc<Shared>, members: &[Member]) -> (Vec<Option<Link>>, Missing) {
        let mut tasks = JoinSet::new();
        for member in members {
            let id = member.party.descriptor.party.clone();
            if self.0.contains_key(&id) {
                continue;
            }
            let (shared, party) = (shared.clone(), member.party.clone());
            tasks.spawn(async move { (id, tls::dial(&shared.tls, &party).await) });
        }
        let mut missing = Missing::new();
        while let Some(Ok((id, dialled))) = tasks.join_next().await {
            match dialled {
                Ok(link) => {
                    shared.remember(Connection { party: id.clone(), group: link.group.clone(), inbound: false });
                    self.0.insert(id, link);
                }
                Err(fault) => missing.push((id, fault)),
            }
        }
        (members.iter().map(|m| self.0.get(&m.party.descriptor.party).cloned()).collect(), missing)
    }

    /// Dials anew the next time.
    fn forget(&mut self, party: &PartyId) {
        self.0.remove(party);
    }
}

/// Whether a fault is of a link or a node that may be back in the next round; anything else is a refusal.
fn is_passing(fault: &Fault) -> bool {
    let number = fault.code.number();
    (1000..2000).contains(&number) && fault.code != Code::UntrustedCertificate
        || matches!(fault.code, Code::NodeStopped | Code::TooManyJobs | Code::NodeMemory | Code::Disk)
}

/// What opening a round needs.
pub(crate) struct Invitation<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) job: JobId,
    pub(crate) pool: &'a PoolPlan,
    pub(crate) plan: Plan,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) stopper: &'a Stopper,
    /// Filled with those whose stewards have yet to approve.
    pub(crate) awaiting: &'a Mutex<Vec<PartyId>>,
}

impl Invitation<'_> {
    fn parties(&self) -> Vec<PartyId> {
        self.pool.parties(self.shared.party())
    }

    /// Offer, confirms, transcript, signatures, streams; those who do not answer are absent.
    ///
    /// # Errors
    /// `BELOW_THRESHOLD` with who is missing; the first refusal of a participant.
    pub(crate) async fn open(self, links: &mut Links) -> Result<(Round, Missing), Fault> {
        let timeout = self.shared.config.limits.idle_timeout();
        let mut stop = self.stopper.watch();
        let (links_now, mut missing) = tokio::select! {
            dialled = links.dial(self.shared, &self.pool.members) => dialled,
            fault = stopped(&mut stop) => return Err(fault),
        };
        let mut clients: Vec<Option<SessionClient>> =
            links_now.iter().map(|link| link.as_ref().map(|link| SessionClient::new(link, timeout))).collect();
        let session = SessionId(crate::random::<16>()?);
        let opened = self.negotiate(session, &mut clients, links, &mut missing).await;
        let ready = match opened {
            Ok(ready) => ready,
            Err(fault) => {
                abort_all(session, &clients, &fault).await;
                return Err(fault);
            }
        };
        let (duplexes, late) = streams(session, &clients, &links_now, timeout).await;
        for (rank, fault) in late {
            lose(&mut clients, links, &mut missing, &self.parties(), rank, fault);
        }
        let hub = Hub::open(ready.wiring, duplexes, self.traffic, self.stopper);
        let round = Round {
            session,
            clients,
            roster: ready.roster,
            signatures: ready.signatures,
            hub,
            mask: ready.mask,
            step: timeout,
            causes: Vec::new(),
        };
        Ok((round, missing))
    }

    async fn negotiate(
        &self,
        session: SessionId,
        clients: &mut [Option<SessionClient>],
        links: &mut Links,
        missing: &mut Missing,
    ) -> Result<Ready, Fault> {
        let parties = self.parties();
        let agreement = Agreement::new(crate::random::<32>()?);
        let mask = match self.pool.contributes() {
            true => Some(hefu_protocol::aggregate::MaskKey::new(&Seed::new(crate::random::<32>()?))),
            false => None,
        };
        let offer = self.offer(session, &agreement, mask.as_ref().map(|mask| mask.public()))?;
        let envelope = seal_offer(&offer, &self.shared.identity.signing);
        let confirms = self.confirms(&envelope, clients, links, missing).await?;
        let mut seats = vec![Seat {
            party: parties[0].clone(),
            signing_key: self.shared.identity.signing.public(),
            mask: mask.as_ref().map(|mask| mask.public()),
        }];
        let mut ephemerals = vec![Some(agreement.public())];
        for ((rank, envelope_of), member) in (1..).map(Rank).zip(&confirms).zip(&self.pool.members) {
            let trusted = &member.party.descriptor;
            let mut seat = Seat { party: trusted.party.clone(), signing_key: trusted.signing_key, mask: None };
            let mut ephemeral = None;
            if !envelope_of.is_empty() {
                let confirm = open_confirm(envelope_of, &trusted.signing_key);
                let confirm = confirm.map_err(|e| refusal(&e).by(&trusted.party))?;
                check_confirm(&confirm, &envelope, &offer, rank, None).map_err(|e| blame(&e, &parties))?;
                (seat.mask, ephemeral) = (confirm.mask, Some(confirm.ephemeral));
            }
            seats.push(seat);
            ephemerals.push(ephemeral);
        }
        self.enough(seats.iter().filter(|seat| seat.mask.is_some()).count(), missing)?;
        let transcript = transcript(&envelope, &confirms);
        let signatures = self.signatures(session, clients, links, missing, &confirms, &transcript).await?;
        let keys = Keys::derive_present(session, Rank::INITIATOR, transcript, &agreement, &ephemerals);
        let keys = Arc::new(keys.map_err(|e| blame(&e, &parties))?);
        let roster = Roster::new(self.plan.clone(), keys.clone(), seats).map_err(|e| blame(&e, &parties))?;
        let limits = Limits { max_chunk: offer.limits.max_chunk, max_message: offer.limits.max_message };
        let wiring = Wiring {
            session,
            own: Rank::INITIATOR,
            keys,
            parties: parties.into(),
            limits,
            memory: self.shared.config.limits.max_session_bytes,
            idle: self.shared.config.limits.idle_timeout(),
        };
        Ok(Ready { wiring, roster: Arc::new(roster), signatures, mask })
    }

    /// Makes the offer; answers every member's confirm, empty where it is absent.
    async fn confirms(
        &self,
        envelope: &[u8],
        clients: &mut [Option<SessionClient>],
        links: &mut Links,
        missing: &mut Missing,
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let (parties, bytes) = (self.parties(), envelope.to_vec());
        let answers = each(clients, move |client| {
            let bytes = bytes.clone();
            async move { client.open(bytes).await }
        });
        let mut confirms = vec![Vec::new(); clients.len()];
        let mut refusal_told = None;
        for (index, answer) in answers.await {
            match answer {
                Ok(confirm) => confirms[index] = confirm,
                Err(fault) if fault.code == Code::ApprovalNeeded => {
                    // Its steward was asked; it waits by itself, and an Abort would end that.
                    clients[index] = None;
                    self.awaiting.lock().unwrap_or_else(PoisonError::into_inner).push(parties[index + 1].clone());
                    refusal_told.get_or_insert(fault);
                }
                Err(fault) if is_passing(&fault) => lose(clients, links, missing, &parties, index, fault),
                Err(fault) => return Err(fault),
            }
        }
        refusal_told.map_or(Ok(confirms), Err)
    }

    fn enough(&self, present: usize, missing: &Missing) -> Result<(), Fault> {
        if present >= usize::from(self.plan.threshold) {
            return Ok(());
        }
        let reasons: Vec<String> = missing
            .iter()
            .map(|(party, fault)| format!("{} ({})", self.shared.trust.alias(party), fault.code.name()))
            .collect();
        let cause = format!(
            "{present} of {} participants are there, {} are needed; missing: {}",
            self.plan.participants(self.pool.members.len() + 1),
            self.plan.threshold,
            reasons.join(", ")
        );
        let fault = Fault::because(Code::BelowThreshold, cause).citing("AGG-21");
        Err(match missing.first() {
            Some((party, _)) => fault.by(party),
            None => fault,
        })
    }

    fn offer(&self, session: SessionId, agreement: &Agreement, mask: Option<[u8; 32]>) -> Result<Offer<Plan>, Fault> {
        let own = OfferedParty {
            party: self.shared.party().clone(),
            ephemeral: Some(hex::encode(agreement.public())),
            mask,
            dataset: None,
            schema: None,
            allow: None,
        };
        let others = self.pool.members.iter().map(|member| OfferedParty {
            party: member.party.descriptor.party.clone(),
            ephemeral: None,
            mask: None,
            dataset: Some(member.dataset.clone()),
            schema: None,
            allow: None,
        });
        let limits = &self.shared.config.limits;
        let share = limits.max_session_bytes / (self.pool.members.len() as u64).max(1);
        Ok(Offer {
            kind: "hefu/offer/1".to_owned(),
            versions: VERSIONS.iter().map(|version| (*version).to_owned()).collect(),
            suites: Suite::PREFERENCE.iter().map(|suite| suite.number()).collect(),
            session,
            job: self.job,
            nonce: crate::random::<32>()?,
            parties: std::iter::once(own).chain(others).collect(),
            purpose: self.pool.purpose,
            outputs: self.pool.outputs.clone(),
            plan: self.plan.clone(),
            limits: SessionLimits {
                max_chunk: limits.max_chunk_bytes,
                max_message: limits.max_message_bytes.min(share),
            },
            extensions: Vec::new(),
            critical: Vec::new(),
        })
    }

    /// Sends all confirms with this party's signature; checks those that come back (SESS-15).
    async fn signatures(
        &self,
        session: SessionId,
        clients: &mut [Option<SessionClient>],
        links: &mut Links,
        missing: &mut Missing,
        confirms: &[Vec<u8>],
        transcript: &[u8; 32],
    ) -> Result<Vec<Option<[u8; 64]>>, Fault> {
        let parties = self.parties();
        let own = self.shared.identity.signing.sign(&transcript_message(Rank::INITIATOR, transcript));
        let all = confirms.to_vec();
        let answers = each(clients, move |client| {
            let confirms = all.clone();
            async move { client.confirm(session, confirms, own).await }
        });
        let mut signatures = vec![None; clients.len() + 1];
        signatures[0] = Some(own);
        for (index, answer) in answers.await {
            let signature = match answer {
                Ok(signature) => signature,
                Err(fault) if is_passing(&fault) => {
                    lose(clients, links, missing, &parties, index, fault);
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let rank = Rank(u16::try_from(index + 1).unwrap_or(u16::MAX));
            let trusted = &self.pool.members[index].party.descriptor;
            verify(&trusted.signing_key, &transcript_message(rank, transcript), &signature)
                .map_err(|_| Fault::new(Code::BadSignature).by(&trusted.party).citing("SESS-15"))?;
            signatures[index + 1] = signature.try_into().ok();
        }
        Ok(signatures)
    }
}

struct Ready {
    wiring: Wiring,
    roster: Arc<Roster>,
    signatures: Vec<Option<[u8; 64]>>,
    mask: Option<hefu_protocol::aggregate::MaskKey>,
}

fn lose(
    clients: &mut [Option<SessionClient>],
    links: &mut Links,
    missing: &mut Missing,
    parties: &[PartyId],
    index: usize,
    fault: Fault,
) {
    clients[index] = None;
    links.forget(&parties[index + 1]);
    missing.push((parties[index + 1].clone(), fault));
}

/// Opens the stream of every present member; answers the index of those whose stream does not come.
async fn streams(
    session: SessionId,
    clients: &[Option<SessionClient>],
    links: &[Option<Link>],
    timeout: Duration,
) -> (Vec<Duplex>, Vec<(usize, Fault)>) {
    let mut tasks = JoinSet::new();
    for (index, (client, link)) in clients.iter().zip(links).enumerate() {
        let (Some(_), Some(link)) = (client, link.clone()) else { continue };
        let rank = Rank(u16::try_from(index + 1).unwrap_or(u16::MAX));
        tasks.spawn(async move { (index, wire::exchange(&link, rank, session, timeout).await) });
    }
    let (mut duplexes, mut late) = (Vec::new(), Vec::new());
    while let Some(Ok((index, opened))) = tasks.join_next().await {
        match opened {
            Ok(duplex) => duplexes.push(duplex),
            Err(fault) => late.push((index, fault)),
        }
    }
    (duplexes, late)
}

/// One call to every present member, all at once; answers by index.
async fn each<T, F>(
    clients: &[Option<SessionClient>],
    call: impl Fn(SessionClient) -> F,
) -> Vec<(usize, Result<T, Fault>)>
where
    F: Future<Output = Result<T, Fault>> + Send + 'static,
    T: Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (index, client) in clients.iter().enumerate() {
        if let Some(client) = client {
            let call = call(client.clone());
            tasks.spawn(async move { (index, call.await) });
        }
    }
    let mut answers = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        answers.extend(joined.ok());
    }
    answers.sort_by_key(|(index, _)| *index);
    answers
}

async fn abort_all(session: SessionId, clients: &[Option<SessionClient>], fault: &Fault) {
    let fault = fault.clone();
    let aborts = each(clients, move |client| {
        let fault = fault.clone();
        async move { client.abort(session, &fault).await }
    });
    let _ = tokio::time::timeout(ENDING, aborts).await;
}

impl Round {
    /// Runs the round to its sum. `own` computes this node's values at the given parameters. Blocks.
    ///
    /// # Errors
    /// What ends the round.
    pub(crate) fn run(
        &mut self,
        parameters: &[Vec<f64>],
        history: History,
        signing: &Arc<hefu_crypto::SigningKey>,
        own: impl FnOnce() -> Result<Contribution, Fault>,
        runtime: &Handle,
    ) -> Result<Outcome, Fault> {
        let seed = Seed::new(crate::random::<32>()?);
        let mask = self.mask.take();
        let contributes = mask.is_some();
        let secrets = mask.map(|mask| Own { mask, signing: signing.clone(), seed });
        let blame = |hub: &Hub, e: &hefu_protocol::Error| hub.blame(e);
        let machine = Coordinator::new(self.roster.clone(), parameters, self.signatures.clone(), secrets, history);
        let machine = machine.map_err(|e| blame(&self.hub, &e))?;
        let present: Vec<Rank> = self.hub.present().collect();
        let mut moved = machine.step(Event::Start);
        // Whoever signed and has no stream is lost before the first step.
        let gone: Vec<Rank> = self
            .signatures
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, signature)| signature.is_some())
            .map(|(rank, _)| Rank(u16::try_from(rank).unwrap_or(u16::MAX)))
            .filter(|rank| !present.contains(rank))
            .collect();
        let mut pending: Vec<Event> = gone.into_iter().map(Event::Lost).collect();
        let mut own = contributes.then_some(own);
        let mut deadline = Instant::now() + self.step;
        let mut at = None;
        loop {
            self.hub.check()?;
            let machine = match self.take(moved)? {
                Moving::Done(outcome) => return Ok(*outcome),
                Moving::Failed(error) => return Err(self.why(&error)),
                Moving::Await(machine) => machine,
            };
            if at != Some(machine.waiting()) {
                at = Some(machine.waiting());
                deadline = Instant::now() + self.step;
            }
            let awaited = machine.awaited();
            let event = match pending.pop() {
                Some(event) => event,
                // Everybody else computes meanwhile.
                None => match own.take() {
                    Some(own) => Event::Values(own()?),
                    None => self.next(&awaited, deadline, &mut pending, runtime)?,
                },
            };
            moved = machine.step(event);
        }
    }

    fn take(&mut self, moved: Moved) -> Result<Moving, Fault> {
        for (rank, error) in &moved.blamed {
            if *rank == Rank::INITIATOR {
                return Err(self.hub.blame(error).by(&self.hub.wiring().party(*rank)));
            }
            self.hub.lose(*rank);
        }
        for outgoing in moved.send {
            // A receiver that does not keep up is lost; the deadline tells the machine.
            let _ = self.hub.send(outgoing);
        }
        Ok(moved.next)
    }

    fn next(
        &mut self,
        awaited: &[Rank],
        deadline: Instant,
        pending: &mut Vec<Event>,
        runtime: &Handle,
    ) -> Result<Event, Fault> {
        // One that was lost while sending is told now, not at the deadline.
        let present: Vec<Rank> = self.hub.present().collect();
        if let Some(rank) = awaited.iter().find(|rank| **rank != Rank::INITIATOR && !present.contains(rank)) {
            return Ok(Event::Lost(*rank));
        }
        match runtime.block_on(self.hub.receive(Stage::Aggregate, deadline))? {
            Heard::Message(rank, message) => Ok(Event::Message(rank, message)),
            Heard::Lost(rank, fault) => {
                self.causes.push((rank, fault));
                Ok(Event::Lost(rank))
            }
            Heard::Deadline => {
                for rank in awaited {
                    self.causes.push((*rank, self.hub.slow(*rank)));
                    self.hub.lose(*rank);
                    pending.push(Event::Lost(*rank));
                }
                pending.pop().ok_or_else(|| Fault::because(Code::Internal, "a round waits for nobody"))
            }
        }
    }

    /// Why a round failed: where too few are left, the first refusal of a participant says more than their number.
    fn why(&self, error: &hefu_protocol::Error) -> Fault {
        let refusal = self.causes.iter().find(|(_, fault)| !is_passing(fault));
        match refusal.filter(|_| error.code() == Code::BelowThreshold) {
            Some((_, fault)) => fault.clone(),
            None => self.hub.blame(error),
        }
    }

    /// Why a participant was lost on the way.
    pub(crate) fn cause(&self, rank: Rank) -> Option<&Fault> {
        self.causes.iter().find(|(lost, _)| *lost == rank).map(|(_, fault)| fault)
    }

    /// Ends the session: Close with the survivors, Abort with the others.
    pub(crate) async fn close(mut self, survivors: &[Rank], links: &mut Links, parties: &[PartyId]) {
        let late = self.hub.flush(Instant::now() + ENDING).await;
        let is_survivor = |index: &usize| {
            let rank = Rank(u16::try_from(index + 1).unwrap_or(u16::MAX));
            survivors.contains(&rank) && !late.contains(&rank)
        };
        let (mut closing, mut aborting) = (self.clients.clone(), self.clients.clone());
        for index in 0..self.clients.len() {
            if is_survivor(&index) {
                aborting[index] = None;
            } else {
                closing[index] = None;
                links.forget(&parties[index + 1]);
            }
        }
        let session = self.session;
        let closes = each(&closing, move |client| async move { client.close(session).await });
        let _ = tokio::time::timeout(ENDING, closes).await;
        for (index, client) in aborting.into_iter().enumerate() {
            let Some(client) = client else { continue };
            let rank = Rank(u16::try_from(index + 1).unwrap_or(u16::MAX));
            let fault = self.cause(rank).cloned().unwrap_or_else(|| self.hub.slow(rank));
            abort_all(session, &[Some(client)], &fault).await;
        }
    }

    /// Ends the session with a fault.
    pub(crate) async fn abort(self, fault: &Fault) {
        abort_all(self.session, &self.clients, fault).await;
    }
}
