//! Opening a session with all collaborators: dial, offer, confirm, keys, streams.
use super::plan::JobPlan;
use crate::channel::{Duplex, Wiring, blame, refusal};
use crate::node::{Connection, Shared};
use crate::tls::{self, Link};
use crate::wire::{self, SessionClient};
use hefu_core::{Code, Fault, JobId, PartyId, Rank, SessionId};
use hefu_crypto::{Agreement, Suite, verify};
use hefu_protocol::frame::Limits;
use hefu_protocol::session::{
    Keys, Offer, OfferedParty, SessionLimits, VERSIONS, check_confirm, open_confirm, seal_offer, transcript,
    transcript_message,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long an Abort may take: the peer's own idle time ends the session where it does not arrive.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a collaborator that is slow with its frames may take to answer the simplest call.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The initiator's side of a session, as far as it has come.
pub(crate) struct Invitation {
    pub(crate) session: SessionId,
    links: Vec<Link>,
    clients: Vec<SessionClient>,
    /// By collaborator.
    standing: Mutex<Vec<Standing>>,
}

/// What the initiator knows of a collaborator's side of the session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It may hold the session.
    Open,
    /// It turned the offer away, and keeps the job waiting for approval.
    Waiting,
    /// It refused the offer and holds nothing, or has ended the session by itself.
    Refused,
}

/// A session whose streams are open.
pub(crate) struct Opened {
    pub(crate) wiring: Wiring,
    pub(crate) duplexes: Vec<Duplex>,
}

/// How a negotiation ends well.
pub(crate) enum Negotiated {
    Opened(Opened),
    /// These parties' stewards have to approve first.
    Awaiting(Vec<PartyId>),
}

impl Invitation {
    /// Dials all collaborators at once.
    ///
    /// # Errors
    /// The first fault, with its party.
    pub(crate) async fn dial(shared: &Arc<Shared>, plan: &JobPlan) -> Result<Self, Fault> {
        let targets: Vec<_> = plan.invited.iter().map(|invited| invited.party.clone()).collect();
        let dialler = shared.clone();
        let links = each(targets, move |party| {
            let shared = dialler.clone();
            async move { tls::dial(&shared.tls, &party).await }
        })
        .await?;
        for link in &links {
            shared.remember(Connection { party: link.party.clone(), group: link.group.clone(), inbound: false });
        }
        let timeout = shared.config.limits.idle_timeout();
        let clients = links.iter().map(|link| SessionClient::new(link, timeout)).collect();
        let standing = Mutex::new(vec![Standing::Open; links.len()]);
        Ok(Invitation { session: SessionId(crate::random::<16>()?), links, clients, standing })
    }

    /// The key exchange group of the connections.
    pub(crate) fn group(&self) -> &str {
        self.links.first().map_or("", |link| &link.group)
    }

    /// Offer, confirms, transcript, keys, streams.
    ///
    /// # Errors
    /// The first refusal, on either side, with the responsible party.
    pub(crate) async fn negotiate(&self, shared: &Shared, plan: &JobPlan, job: JobId) -> Result<Negotiated, Fault> {
        let agreement = Agreement::new(crate::random::<32>()?);
        let offer = self.offer(shared, plan, job, &agreement)?;
        let envelope = seal_offer(&offer, &shared.identity.signing);
        let confirms = self.open_all(&envelope).await?;
        let awaiting = self.waiting();
        if !awaiting.is_empty() {
            return Ok(Negotiated::Awaiting(awaiting));
        }
        let parties: Arc<[PartyId]> = plan.parties(shared.party()).into();
        let mut ephemerals = vec![agreement.public()];
        for ((rank, confirm), invited) in (1..).map(Rank).zip(&confirms).zip(&plan.invited) {
            let trusted = &invited.party.descriptor;
            let confirm = open_confirm(confirm, &trusted.signing_key).map_err(|e| refusal(&e).by(&trusted.party))?;
            check_confirm(&confirm, &envelope, &offer, rank, None).map_err(|e| blame(&e, &parties))?;
            ephemerals.push(confirm.ephemeral);
        }
        let transcript = transcript(&envelope, &confirms);
        self.exchange_signatures(shared, plan, confirms, &transcript).await?;
        let keys = Keys::derive(self.session, Rank::INITIATOR, transcript, &agreement, &ephemerals);
        let limits = Limits { max_chunk: offer.limits.max_chunk, max_message: offer.limits.max_message };
        let wiring = Wiring {
            session: self.session,
            own: Rank::INITIATOR,
            keys: Arc::new(keys.map_err(|e| blame(&e, &parties))?),
            parties,
            limits,
            memory: shared.config.limits.max_session_bytes,
            idle: shared.config.limits.idle_timeout(),
        };
        Ok(Negotiated::Opened(Opened { duplexes: self.streams(wiring.idle).await?, wiring }))
    }

    /// Sends the offer to all; answers the confirms of those that gave one.
    ///
    /// # Errors
    /// The first refusal but `APPROVAL_NEEDED`.
    async fn open_all(&self, envelope: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut calls = JoinSet::new();
        for (index, client) in self.clients.iter().cloned().enumerate() {
            let bytes = envelope.to_vec();
            calls.spawn(async move { (index, client.open(bytes).await) });
        }
        let mut confirms = vec![Vec::new(); self.clients.len()];
        while let Some(joined) = calls.join_next().await {
            let (index, answer) = joined.map_err(|_| Fault::because(Code::Internal, "a call was interrupted"))?;
            match answer {
                Ok(confirm) => confirms[index] = confirm,
                Err(fault) if fault.code == Code::ApprovalNeeded => self.stands(index, Standing::Waiting),
                Err(fault) => {
                    // A call that got no answer may still have been heard.
                    if fault.code.number() / 1000 != 1 {
                        self.stands(index, Standing::Refused);
                    }
                    return Err(fault);
                }
            }
        }
        Ok(confirms)
    }

    fn stands(&self, index: usize, standing: Standing) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)[index] = standing;
    }

    fn those(&self, is_meant: impl Fn(Standing) -> bool) -> Vec<usize> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.iter().enumerate().filter(|(_, standing)| is_meant(**standing)).map(|(index, _)| index).collect()
    }

    /// The parties whose stewards have to approve.
    fn waiting(&self) -> Vec<PartyId> {
        let waiting = self.those(|standing| standing == Standing::Waiting).into_iter();
        waiting.filter_map(|index| Some(self.links.get(index)?.party.clone())).collect()
    }

    fn offer(&self, shared: &Shared, plan: &JobPlan, job: JobId, agreement: &Agreement) -> Result<Offer, Fault> {
        let entry = |party: PartyId, ephemeral: Option<String>| OfferedParty {
            party,
            ephemeral,
            mask: None,
            dataset: None,
            schema: None,
            allow: None,
        };
        let own = entry(shared.party().clone(), Some(hex::encode(agreement.public())));
        let others = plan.invited.iter().map(|invited| OfferedParty {
            dataset: Some(invited.dataset.clone()),
            schema: invited.schema.clone(),
            ..entry(invited.party.descriptor.party.clone(), None)
        });
        let limits = &shared.config.limits;
        Ok(Offer {
            kind: "hefu/offer/1".to_owned(),
            versions: VERSIONS.iter().map(|version| (*version).to_owned()).collect(),
            suites: Suite::PREFERENCE.iter().map(|suite| suite.number()).collect(),
            session: self.session,
            job,
            nonce: crate::random::<32>()?,
            parties: std::iter::once(own).chain(others).collect(),
            purpose: plan.purpose,
            outputs: plan.outputs.clone(),
            plan: plan.offered(),
            limits: SessionLimits { max_chunk: limits.max_chunk_bytes, max_message: limits.max_message_bytes },
            extensions: Vec::new(),
            critical: plan.critical(),
        })
    }

    /// Sends all confirms with this party's signature; checks every collaborator's (SESS-15).
    async fn exchange_signatures(
        &self,
        shared: &Shared,
        plan: &JobPlan,
        confirms: Vec<Vec<u8>>,
        transcript: &[u8; 32],
    ) -> Result<(), Fault> {
        let (session, own) = (self.session, transcript_message(Rank::INITIATOR, transcript));
        let signature = shared.identity.signing.sign(&own);
        let signatures = each(self.clients.clone(), move |client| {
            let confirms = confirms.clone();
            async move { client.confirm(session, confirms, signature).await }
        })
        .await?;
        for ((rank, signature), invited) in (1..).map(Rank).zip(&signatures).zip(&plan.invited) {
            let trusted = &invited.party.descriptor;
            verify(&trusted.signing_key, &transcript_message(rank, transcript), signature)
                .map_err(|_| Fault::new(Code::BadSignature).by(&trusted.party).citing("SESS-15"))?;
        }
        Ok(())
    }

    async fn streams(&self, timeout: Duration) -> Result<Vec<Duplex>, Fault> {
        let session = self.session;
        let ranked: Vec<_> = (1..).map(Rank).zip(self.links.clone()).collect();
        each(ranked, move |(rank, link)| async move { wire::exchange(&link, rank, session, timeout).await }).await
    }

    /// Closes the session with all collaborators (spec/session.md, section 6).
    ///
    /// # Errors
    /// The first refusal.
    pub(crate) async fn close(&self) -> Result<(), Fault> {
        let session = self.session;
        each(self.clients.clone(), move |client| async move { client.close(session).await }).await.map(drop)
    }

    /// Names the collaborator that does not even answer, where one of several does not.
    pub(crate) async fn slowest(&self, fault: Fault) -> Fault {
        let answers = each(self.clients.clone(), |client| async move { Ok(client.answers(PROBE_TIMEOUT).await) }).await;
        let silent = answers.unwrap_or_default().iter().position(|answered| !answered);
        match silent.and_then(|index| self.links.get(index)) {
            Some(link) => fault.by(&link.party),
            None => fault,
        }
    }

    /// These ranks have said themselves why the session is over: they need not be told.
    pub(crate) fn leave_out(&self, ranks: &[Rank]) {
        for index in ranks.iter().filter_map(|rank| rank.index().checked_sub(1)) {
            self.stands(index, Standing::Refused);
        }
    }

    /// Tells all collaborators that know of the session why it is over, as far as they can be reached.
    pub(crate) async fn abort(&self, fault: &Fault) {
        self.tell(fault, self.those(|standing| standing != Standing::Refused)).await;
    }

    /// Tells the collaborators that would run the job whose approval it waits for: they keep it waiting too.
    pub(crate) async fn postpone(&self) {
        let Some(awaited) = self.waiting().into_iter().next() else { return };
        let fault = Fault::new(Code::ApprovalNeeded).by(&awaited).citing("CAT-6");
        self.tell(&fault, self.those(|standing| standing == Standing::Open)).await;
    }

    async fn tell(&self, fault: &Fault, whom: Vec<usize>) {
        let (session, fault) = (self.session, fault.clone());
        let clients: Vec<_> = whom.into_iter().filter_map(|index| self.clients.get(index).cloned()).collect();
        let aborts = each(clients, move |client| {
            let fault = fault.clone();
            async move {
                // One that has ended by itself refuses; that is no news.
                let _ = client.abort(session, &fault).await;
                Ok(())
            }
        });
        let _ = tokio::time::timeout(ABORT_TIMEOUT, aborts).await;
    }
}

/// Runs one call a collaborator, all at once; answers in rank order, or the first fault.
async fn each<A, T, F>(items: Vec<A>, call: impl Fn(A) -> F) -> Result<Vec<T>, Fault>
where
    F: Future<Output = Result<T, Fault>> + Send + 'static,
    T: Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut answers: Vec<Option<T>> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let call = call(item);
        answers.push(None);
        tasks.spawn(async move { (index, call.await) });
    }
    while let Some(joined) = tasks.join_next().await {
        let (index, answer) = joined.map_err(|_| Fault::because(Code::Internal, "a call was interrupted"))?;
        answers[index] = Some(answer?);
    }
    Ok(answers.into_iter().flatten().collect())
}
