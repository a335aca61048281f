//! What a coordinator may ask of this node as participant: open and confirm a round (spec/aggregate.md, section 2).
use super::participant::{record, take_part};
use super::vector;
use crate::approvals;
use crate::channel::{Stopper, Wiring, blame, refusal};
use crate::config::{AllowEntry, Permit};
use crate::job::{self, JobKind, JobRecord, JobState};
use crate::node::Shared;
use crate::services::{Answer, accept_offer, admit, digest, find_entry, published, require_use};
use crate::session::{Held, Live, NewSession, State, wrong_state};
use crate::store::{self, DatasetRecord};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Fault, Output, PartyId, Place, Rank, Statistic};
use hefu_crypto::{Agreement, Seed, dsse, verify};
use hefu_protocol::aggregate::{self, MaskKey, Member, Plan, Roster, Secrecy};
use hefu_protocol::frame::Limits;
use hefu_protocol::session::{Keys, Offer, OfferedPlan, check_confirm, open_confirm, transcript, transcript_message};
use std::sync::Arc;
use std::time::Duration;

/// How much longer a participant waits than the coordinator, who notices a slow one first.
const GRACE: Duration = Duration::from_secs(10);
/// How long an earlier round of the same job may take to end here when the next one begins.
const TURNOVER: Duration = Duration::from_secs(5);

/// `Open` of a round: this party's confirm, with a mask key of its own.
///
/// # Errors
/// The code that the violated clause names.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    peer: &PartyId,
    envelope: Vec<u8>,
    offer: Offer<Plan>,
) -> Result<Vec<u8>, Fault> {
    let acceptance = accept_offer(shared, peer, &offer)?;
    admit(shared, peer, offer.session).await?;
    let rank = acceptance.rank;
    let entry = permitted(shared, peer, &offer, rank)?;
    let dataset = asked_for(shared, &offer, rank).await?;
    require_use(shared, peer, &entry, &dataset)?;
    check_plan(shared, &offer.plan, &entry, &dataset)?;
    check_job(shared, peer, &offer).await?;
    let approval = approvals::look_up(shared, &entry, &dataset, peer).await?.require(shared.party());
    if let Err(fault) = approval {
        if fault.code == Code::ApprovalNeeded {
            let asked = JobRecord { state: JobState::Created, ..record(shared, &offer, &dataset).await };
            job::ask(shared, offer.session, asked, &dataset).await?;
        }
        return Err(fault);
    }
    let (job, round) = (offer.job, offer.plan.round);
    let is_next = store::call(&shared.store, move |store| store.enter_round(job, round)).await?;
    if !is_next && !is_on(Switch::AcceptsAnyRound) {
        return Err(Fault::new(Code::StaleRound).by(peer).citing("AGG-4"));
    }
    let slot = shared.jobs.slot()?;
    let agreement = Agreement::new(crate::random::<32>()?);
    let mask = MaskKey::new(&Seed::new(crate::random::<32>()?));
    let answer = Answer { envelope: &envelope, acceptance, entry: &entry, dataset: &dataset };
    let confirm_envelope = answer.seal(shared, offer.plan.algorithm(), agreement.public(), Some(mask.public()))?;
    let answer = confirm_envelope.clone();
    let (held, events) = Held::new(NewSession {
        offer,
        offer_envelope: envelope,
        confirm_envelope,
        rank,
        entry,
        dataset,
        secret: (agreement, mask),
        stopper: Stopper::new(),
    });
    let held = Arc::new(held);
    shared.sessions.insert(Live::Round(held.clone()));
    tokio::spawn(take_part(shared.clone(), held, events, slot));
    Ok(answer)
}

/// The entry that permits the job (SESS-12).
fn permitted(shared: &Shared, peer: &PartyId, offer: &Offer<Plan>, rank: Rank) -> Result<AllowEntry, Fault> {
    let refused = || Fault::new(Code::NotAllowed).by(peer).citing("SESS-12");
    if !offer.outputs.contains(&Output::Model) {
        return Err(refused());
    }
    find_entry(shared, peer, offer, rank, |_| true).ok_or_else(refused)
}

/// The dataset, or the stored vector, that the offer names (SESS-13).
async fn asked_for(shared: &Arc<Shared>, offer: &Offer<Plan>, rank: Rank) -> Result<DatasetRecord, Fault> {
    if offer.plan.statistic != Statistic::Vector {
        return published(shared, offer, rank).await;
    }
    let name = offer.parties[rank.index()].dataset.as_deref().unwrap_or_default();
    let unknown = || Fault::new(Code::UnknownDataset).by(shared.party()).citing("SESS-13");
    if vector::exists(shared, name) { Ok(DatasetRecord::of_vector(name)) } else { Err(unknown()) }
}

/// What this party's configuration and data say of a plan.
fn check_plan(shared: &Shared, plan: &Plan, entry: &AllowEntry, dataset: &DatasetRecord) -> Result<(), Fault> {
    let own = shared.party();
    let named = |e: hefu_protocol::Error| refusal(&e).by(own);
    if plan.method().map_err(named)?.secrecy() == Secrecy::Plain && !entry.waives(Permit::PlainParameters) {
        return Err(Fault::new(Code::NotAllowed).by(&entry.party).citing("AGG-24"));
    }
    if let Some(column) = plan.columns.iter().find(|column| !dataset.columns.contains(column)) {
        let place = Place { dataset: Some(dataset.name.clone()), column: Some(column.clone()), row: None };
        return Err(Fault::new(Code::MissingColumn).by(own).at(place).citing("POOL-1"));
    }
    aggregate::check_label(plan, Some(&dataset.label_definition())).map_err(named)?;
    match (plan.statistic, &plan.trainer) {
        (Statistic::Update, Some(trainer)) => shared.trainers.check(trainer, own),
        (Statistic::Update, None) => Err(Fault::new(Code::UnsupportedPlan).by(own).citing("POOL-5")),
        _ => Ok(()),
    }
}

/// A job is its first coordinator's; its earlier round is over here before the next one begins.
async fn check_job(shared: &Arc<Shared>, peer: &PartyId, offer: &Offer<Plan>) -> Result<(), Fault> {
    let job = offer.job;
    let Some(known) = store::call(&shared.store, move |store| store.job(job)).await? else { return Ok(()) };
    if known.initiator != *peer || known.kind != JobKind::Pool {
        return Err(wrong_state());
    }
    if shared.jobs.newest(known).state == JobState::AwaitingApproval {
        return Ok(());
    }
    let _ = shared.jobs.stop(job, Fault::new(Code::PeerAborted).by(peer));
    if let Some(mut watch) = shared.jobs.watch(job) {
        let over = watch.wait_for(|record| record.state.is_final());
        let _ = tokio::time::timeout(TURNOVER, over).await;
    }
    Ok(())
}

/// `Confirm` of a round: checks what all participants confirmed, and answers this party's signature.
///
/// # Errors
/// `TRANSCRIPT_MISMATCH`, `ROSTER_MISMATCH` (AGG-5), `BAD_SIGNATURE`; those of the roster.
pub(crate) fn confirm(
    shared: &Shared,
    peer: &PartyId,
    held: &Held<Plan>,
    confirms: &[Vec<u8>],
    signature: &[u8],
) -> Result<[u8; 64], Fault> {
    let mut state = held.state();
    let State::Offered((agreement, _)) = &*state else { return Err(wrong_state()) };
    let mismatch = || Fault::new(Code::TranscriptMismatch).by(held.initiator()).citing("SESS-16");
    let own = held.rank.index().checked_sub(1).and_then(|index| confirms.get(index));
    if confirms.len() + 1 != held.parties.len() || own != Some(&held.confirm_envelope) {
        return Err(mismatch());
    }
    let named = |e: &hefu_protocol::Error| blame(e, &held.parties);
    let (members, ephemerals) = members(shared, held, confirms)?;
    let transcript = transcript(&held.offer_envelope, confirms);
    let message = transcript_message(Rank::INITIATOR, &transcript);
    let coordinator = shared.trust.require(peer)?;
    verify(&coordinator.descriptor.signing_key, &message, signature)
        .map_err(|_| Fault::new(Code::BadSignature).by(peer).citing("SESS-15"))?;
    let keys = Keys::derive_present(held.id, held.rank, transcript, agreement, &ephemerals);
    let keys = Arc::new(keys.map_err(|e| named(&e))?);
    let roster = Roster::new(held.offer.plan.clone(), keys.clone(), members).map_err(|e| named(&e))?;
    let limits = &shared.config.limits;
    let wiring = Wiring {
        session: held.id,
        own: held.rank,
        parties: held.parties.clone(),
        keys,
        limits: Limits {
            max_chunk: held.offer.limits.max_chunk,
            max_message: held.offer.limits.max_message.min(limits.max_message_bytes),
        },
        memory: limits.max_session_bytes,
        idle: limits.idle_timeout() + GRACE,
    };
    let State::Offered((_, mask)) = std::mem::replace(&mut *state, State::Aborted) else { return Err(wrong_state()) };
    *state = State::Confirmed(wiring, (Arc::new(roster), mask));
    Ok(shared.identity.signing.sign(&transcript_message(held.rank, &transcript)))
}

type Members = (Vec<Member>, Vec<Option<[u8; 32]>>);

/// Every party by rank, with the keys of those that are not absent.
fn members(shared: &Shared, held: &Held<Plan>, confirms: &[Vec<u8>]) -> Result<Members, Fault> {
    let first = held.offer.parties.first();
    let ephemeral = first.and_then(|p| p.ephemeral.as_ref()).map(|key| digest(key)).transpose()?;
    let mut members = Vec::with_capacity(held.parties.len());
    let mut ephemerals = vec![ephemeral];
    let seat = |party: &PartyId, mask| {
        let signing_key = shared.trust.require(party)?.descriptor.signing_key;
        Ok::<_, Fault>(Member { party: party.clone(), signing_key, mask })
    };
    members.push(seat(held.initiator(), first.and_then(|p| p.mask))?);
    let mut opened = Vec::with_capacity(confirms.len());
    for (rank, envelope) in (1..).map(Rank).zip(confirms) {
        let party = &held.parties[rank.index()];
        let mut member = seat(party, None)?;
        let confirm = match envelope.is_empty() {
            true => None,
            false => Some(open_confirm(envelope, &member.signing_key).map_err(|e| refusal(&e).by(party))?),
        };
        member.mask = confirm.as_ref().and_then(|confirm| confirm.mask);
        ephemerals.push(confirm.as_ref().map(|confirm| confirm.ephemeral));
        members.push(member);
        opened.push((rank, confirm));
    }
    let own = dsse::digest(&held.offer_envelope);
    aggregate::check_confirms(&own, opened.iter().map(|(_, confirm)| confirm.as_ref()))
        .map_err(|e| blame(&e, &held.parties))?;
    for (rank, confirm) in &opened {
        if let Some(confirm) = confirm {
            check_confirm(confirm, &held.offer_envelope, &held.offer, *rank, None)
                .map_err(|e| blame(&e, &held.parties))?;
        }
    }
    Ok((members, ephemerals))
}
