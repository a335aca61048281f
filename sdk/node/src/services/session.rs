//! What an initiator may ask of this node as collaborator: open, confirm, exchange, close, abort.
use crate::approvals;
use crate::channel::{Duplex, Stopper, Wiring, blame, refusal};
use crate::config::AllowEntry;
use crate::job::{self, JobState};
use crate::node::Shared;
use crate::pool;
use crate::session::{Held, Live, NewSession, State, wrong_state};
use crate::store::{self, DatasetRecord};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Alignment, Code, Fault, JobId, Output, PartyId, Rank, SessionId, Stage};
use hefu_crypto::{Agreement, dsse, verify};
use hefu_protocol::frame::Limits;
use hefu_protocol::session::{
    Acceptance, AnyOffer, Confirm, Keys, Offer, OfferedPlan, check_confirm, check_offer, open_any_offer, open_confirm,
    seal_confirm, transcript, transcript_message,
};
use std::sync::Arc;
use std::time::Duration;

/// How long a Close may come before this party's stages are done: its last messages may be on their way.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// How much longer a collaborator waits where a third party may be the slow one: the initiator notices first.
const THIRD_PARTY_GRACE: Duration = Duration::from_secs(10);

/// `Open`: checks an offer from the connection's party; answers this party's confirm (SESS-2 to SESS-14).
pub(crate) async fn open(shared: &Arc<Shared>, peer: &PartyId, envelope: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let trusted = shared.trust.require(peer)?;
    let read = open_any_offer(&envelope, &trusted.descriptor.signing_key);
    match read.map_err(|e| refusal(&e).by(peer))? {
        AnyOffer::Joint(offer) => {
            let job = offer.job;
            let opened = open_joint(shared, peer, envelope, *offer).await;
            if let Err(fault) = &opened {
                end_waiting(shared, peer, job, fault);
            }
            opened
        }
        AnyOffer::Aggregate(offer) => pool::open(shared, peer, envelope, *offer).await,
    }
}

/// A job that waited and is now refused for another reason waits for nothing any more.
fn end_waiting(shared: &Shared, peer: &PartyId, job: JobId, fault: &Fault) {
    let waits = |record: &job::JobRecord| {
        record.job == job && record.initiator == *peer && record.state == JobState::AwaitingApproval
    };
    if fault.code != Code::ApprovalNeeded && shared.jobs.at_work().iter().any(waits) {
        // It may have ended in between, which is as good.
        let _ = shared.jobs.stop(job, fault.clone());
    }
}

/// Remembers a session for ever (SESS-9).
pub(crate) async fn admit(shared: &Arc<Shared>, peer: &PartyId, session: SessionId) -> Result<(), Fault> {
    let is_new = store::call(&shared.store, move |store| store.admit_session(session, crate::now_us())).await?;
    if !is_new && !is_on(Switch::ForgetsSessions) {
        return Err(Fault::new(Code::ReplayedSession).by(peer).citing("SESS-9"));
    }
    Ok(())
}

/// What a confirm answers with.
pub(crate) struct Answer<'a> {
    /// The offer's exact bytes.
    pub(crate) envelope: &'a [u8],
    pub(crate) acceptance: Acceptance,
    pub(crate) entry: &'a AllowEntry,
    pub(crate) dataset: &'a DatasetRecord,
}

impl Answer<'_> {
    /// This party's confirm, signed.
    ///
    /// # Errors
    /// That the system has no randomness.
    pub(crate) fn seal(
        self,
        shared: &Shared,
        algorithm: &str,
        ephemeral: [u8; 32],
        mask: Option<[u8; 32]>,
    ) -> Result<Vec<u8>, Fault> {
        let confirm = Confirm {
            kind: "hefu/confirm/1".to_owned(),
            offer: dsse::digest(self.envelope),
            rank: self.acceptance.rank.0,
            party: shared.party().clone(),
            nonce: crate::random::<32>()?,
            ephemeral,
            version: self.acceptance.version,
            suite: self.acceptance.suite.number(),
            algorithm: algorithm.to_owned(),
            allow: self.entry.digest(),
            schema: digest(&self.dataset.schema)?,
            mask,
            critical: Vec::new(),
        };
        Ok(seal_confirm(&confirm, &shared.identity.signing))
    }
}

/// That a dataset serves the entry's purpose, and that a row of it is an enterprise (CAT-5, CAT-9).
pub(crate) fn require_use(
    shared: &Shared,
    peer: &PartyId,
    entry: &AllowEntry,
    dataset: &DatasetRecord,
) -> Result<(), Fault> {
    if !dataset.serves(entry) {
        return Err(Fault::new(Code::NotAllowed).by(peer).citing("CAT-5"));
    }
    dataset.require_enterprise_grain(shared.party())
}

async fn open_joint(shared: &Arc<Shared>, peer: &PartyId, envelope: Vec<u8>, offer: Offer) -> Result<Vec<u8>, Fault> {
    let acceptance = accept_offer(shared, peer, &offer)?;
    admit(shared, peer, offer.session).await?;
    let rank = acceptance.rank;
    let entry = permitted(shared, peer, &offer, rank)?;
    let dataset = published(shared, &offer, rank).await?;
    check_model(shared, peer, &offer).await?;
    require_use(shared, peer, &entry, &dataset)?;
    let is_known = known_job(shared, peer, offer.job).await?;
    approved(shared, &offer, &entry, &dataset, rank).await?;
    // From here to the end nothing waits: a call that is cut short leaves nothing half made.
    let slot = shared.jobs.slot()?;
    let agreement = Agreement::new(crate::random::<32>()?);
    let answer = Answer { envelope: &envelope, acceptance, entry: &entry, dataset: &dataset };
    let confirm_envelope = answer.seal(shared, offer.plan.algorithm(), agreement.public(), None)?;
    let answer = confirm_envelope.clone();
    let stopper = Stopper::new();
    let waited = match is_known {
        true => Some(shared.jobs.resume(offer.job, stopper.clone()).ok_or_else(wrong_state)?),
        false => None,
    };
    let (held, events) = Held::new(NewSession {
        offer,
        offer_envelope: envelope,
        confirm_envelope,
        rank,
        entry,
        dataset,
        secret: agreement,
        stopper,
    });
    let held = Arc::new(held);
    shared.sessions.insert(Live::Joint(held.clone()));
    tokio::spawn(job::collaborate(shared.clone(), held, events, slot, waited));
    Ok(answer)
}

/// Whether this is the signer's connection, and what they offer.
pub(crate) fn accept_offer<P: OfferedPlan>(
    shared: &Shared,
    peer: &PartyId,
    offer: &Offer<P>,
) -> Result<Acceptance, Fault> {
    let acceptance = check_offer(offer, shared.party(), peer).map_err(|e| refusal(&e).by(peer))?;
    for party in &offer.parties {
        shared.trust.require(&party.party)?;
    }
    let limits = &shared.config.limits;
    if offer.limits.max_chunk > limits.max_chunk_bytes {
        let cause = "the chunk size exceeds this node's limit";
        return Err(Fault::because(Code::UnsupportedPlan, cause).by(peer).citing("SESS-11"));
    }
    Ok(acceptance)
}

/// The entry that permits the job (SESS-12). That a dataset exists is not told to whom none permits it.
fn permitted(shared: &Shared, peer: &PartyId, offer: &Offer, rank: Rank) -> Result<AllowEntry, Fault> {
    let refused = || Fault::new(Code::NotAllowed).by(peer).citing("SESS-12");
    let stages = &offer.plan.stages;
    let needed = [(Stage::Train, Output::Model), (Stage::Score, Output::Score)];
    if needed.iter().any(|(stage, output)| stages.contains(stage) && !offer.outputs.contains(output)) {
        return Err(refused());
    }
    let is_unbalanced = offer.plan.alignment == Some(Alignment::Oprf);
    let entry = find_entry(shared, peer, offer, rank, |entry| !is_unbalanced || entry.evaluations.is_some());
    entry.ok_or_else(|| if is_unbalanced { refused().citing("OPRF-6") } else { refused() })
}

/// The first entry that permits what an offer asks of this party, is the cited one where one is cited, and suits.
pub(crate) fn find_entry<P>(
    shared: &Shared,
    peer: &PartyId,
    offer: &Offer<P>,
    rank: Rank,
    suits: impl Fn(&AllowEntry) -> bool,
) -> Option<AllowEntry> {
    let asked = offer.parties.get(rank.index())?;
    let dataset = asked.dataset.as_deref()?;
    let mut entries = shared.config.allow.iter();
    let entry = entries.find(|entry| {
        (is_on(Switch::SkipsAllowCheck) || entry.permits(peer, dataset, offer.purpose, &offer.outputs))
            && suits(entry)
            && asked.allow.as_ref().is_none_or(|cited| *cited == hex::encode(entry.digest()))
    });
    entry.cloned()
}

/// Whether this job of the peer's waits here for approval; any other job that is known is no new one (CAT-10).
async fn known_job(shared: &Arc<Shared>, peer: &PartyId, job: JobId) -> Result<bool, Fault> {
    let known = store::call(&shared.store, move |store| store.job(job)).await?;
    match known.map(|record| shared.jobs.newest(record)) {
        None => Ok(false),
        Some(record) if record.state == JobState::AwaitingApproval && record.initiator == *peer => Ok(true),
        Some(_) => Err(wrong_state()),
    }
}

/// That the steward has approved the use of the dataset by the peer; where it is the first use, the job waits (CAT-6).
async fn approved(
    shared: &Arc<Shared>,
    offer: &Offer,
    entry: &AllowEntry,
    dataset: &DatasetRecord,
    rank: Rank,
) -> Result<(), Fault> {
    let peer = &offer.parties[0].party;
    let answer = approvals::look_up(shared, entry, dataset, peer).await?.require(shared.party());
    match answer {
        Err(fault) if fault.code == Code::ApprovalNeeded => {
            let record = job::record_of(shared, offer, rank, dataset);
            job::ask(shared, offer.session, record, dataset).await?;
            Err(fault)
        }
        answer => answer,
    }
}

/// The dataset that the offer names, if its schema is the one that the offer cites (SESS-13).
pub(crate) async fn published<P: Sync>(
    shared: &Arc<Shared>,
    offer: &Offer<P>,
    rank: Rank,
) -> Result<DatasetRecord, Fault> {
    let asked = &offer.parties[rank.index()];
    let name = asked.dataset.clone().unwrap_or_default();
    let dataset = store::call(&shared.store, move |store| store.dataset(&name)).await?;
    let dataset = dataset.ok_or_else(|| Fault::new(Code::UnknownDataset).by(shared.party()).citing("SESS-13"))?;
    let is_changed = asked.schema.as_ref().is_some_and(|cited| *cited != dataset.schema);
    if is_changed && !is_on(Switch::IgnoresCitedSchema) {
        return Err(Fault::new(Code::SchemaChanged).by(shared.party()).citing("SESS-13"));
    }
    Ok(dataset)
}

/// Training makes a model that is new; scoring uses one that this node holds and the initiator owns (SCORE-1, SCORE-2).
async fn check_model(shared: &Arc<Shared>, peer: &PartyId, offer: &Offer) -> Result<(), Fault> {
    let Some(model) = offer.plan.model else { return Ok(()) };
    let known = store::call(&shared.store, move |store| store.model(model)).await?;
    match (offer.plan.stages.contains(&Stage::Score), known) {
        (false, None) => Ok(()),
        (false, Some(_)) => {
            Err(Fault::because(Code::UnsupportedPlan, "the model id is in use").by(peer).citing("SESS-11"))
        }
        (true, None) => Err(Fault::new(Code::UnknownModel).by(shared.party()).citing("SCORE-2")),
        (true, Some(model)) if model.owner == *peer => Ok(()),
        (true, Some(_)) => Err(Fault::new(Code::NotModelOwner).by(peer).citing("SCORE-1")),
    }
}

/// The bytes of a digest in hex.
pub(crate) fn digest(text: &str) -> Result<[u8; 32], Fault> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).map_err(|_| Fault::because(Code::Internal, "a schema has no digest"))?;
    Ok(digest)
}

/// `Confirm`: checks all confirms and the initiator's signature; answers this party's (SESS-15, SESS-16).
pub(crate) fn confirm(
    shared: &Shared,
    peer: &PartyId,
    session: SessionId,
    confirms: &[Vec<u8>],
    signature: &[u8],
) -> Result<[u8; 64], Fault> {
    let held = match shared.sessions.find(session, peer, "TLS-7")? {
        Live::Joint(held) => held,
        Live::Round(held) => return pool::confirm(shared, peer, &held, confirms, signature),
    };
    let mut state = held.state();
    let State::Offered(agreement) = &*state else { return Err(wrong_state()) };
    let (transcript, ephemerals) = check_confirms(shared, &held, confirms)?;
    let initiator = shared.trust.require(peer)?;
    let message = transcript_message(Rank::INITIATOR, &transcript);
    let is_signed = verify(&initiator.descriptor.signing_key, &message, signature).is_ok();
    if !is_signed && !is_on(Switch::AcceptsBadTranscriptSignature) {
        return Err(Fault::new(Code::BadSignature).by(peer).citing("SESS-15"));
    }
    let keys = Keys::derive(session, held.rank, transcript, agreement, &ephemerals);
    let keys = Arc::new(keys.map_err(|e| blame(&e, &held.parties))?);
    let limits = &shared.config.limits;
    let wiring = Wiring {
        session,
        own: held.rank,
        parties: held.parties.clone(),
        keys,
        limits: Limits {
            max_chunk: held.offer.limits.max_chunk,
            max_message: held.offer.limits.max_message.min(limits.max_message_bytes),
        },
        memory: limits.max_session_bytes,
        idle: if held.parties.len() > 2 { limits.idle_timeout() + THIRD_PARTY_GRACE } else { limits.idle_timeout() },
    };
    *state = State::Confirmed(wiring, ());
    Ok(shared.identity.signing.sign(&transcript_message(held.rank, &transcript)))
}

/// The transcript and every party's ephemeral key, by rank.
fn check_confirms(shared: &Shared, held: &Held, confirms: &[Vec<u8>]) -> Result<([u8; 32], Vec<[u8; 32]>), Fault> {
    let mismatch = || Fault::new(Code::TranscriptMismatch).by(held.initiator()).citing("SESS-16");
    let own = held.rank.index().checked_sub(1).and_then(|index| confirms.get(index));
    let is_own = own == Some(&held.confirm_envelope) || is_on(Switch::IgnoresOwnConfirm);
    if confirms.len() + 1 != held.parties.len() || !is_own {
        return Err(mismatch());
    }
    let mut ephemerals = vec![initiator_ephemeral(&held.offer).ok_or_else(mismatch)?];
    for (rank, envelope) in (1..).map(Rank).zip(confirms) {
        let party = &held.parties[rank.index()];
        let trusted = shared.trust.require(party)?;
        let confirm = open_confirm(envelope, &trusted.descriptor.signing_key).map_err(|e| refusal(&e).by(party))?;
        check_confirm(&confirm, &held.offer_envelope, &held.offer, rank, None).map_err(|e| blame(&e, &held.parties))?;
        ephemerals.push(confirm.ephemeral);
    }
    Ok((transcript(&held.offer_envelope, confirms), ephemerals))
}

/// The X25519 key of rank 0.
fn initiator_ephemeral(offer: &Offer) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(offer.parties.first()?.ephemeral.as_ref()?, &mut key).ok()?;
    Some(key)
}

/// `Exchange`: hands the stream of frames to the session's job.
pub(crate) fn exchange(shared: &Shared, peer: &PartyId, session: SessionId, duplex: Duplex) -> Result<(), Fault> {
    shared.sessions.find(session, peer, "TLS-7")?.attach(duplex)
}

/// `Close`: waits until this party's results are final.
pub(crate) async fn close(shared: &Shared, peer: &PartyId, session: SessionId) -> Result<(), Fault> {
    let answered = shared.sessions.find(session, peer, "SESS-19")?.request_close()?;
    let answer = tokio::time::timeout(CLOSE_GRACE, answered).await;
    answer.ok().and_then(Result::ok).unwrap_or_else(|| Err(wrong_state()))
}

/// `Abort`: ends the session with the initiator's fault.
pub(crate) fn abort(shared: &Shared, peer: &PartyId, session: SessionId, fault: Fault) -> Result<(), Fault> {
    if let Some(job) = shared.sessions.waiting(session, peer) {
        return shared.jobs.stop(job, fault);
    }
    shared.sessions.find(session, peer, "SESS-19")?.abort(fault)
}
