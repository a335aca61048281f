//! Unbalanced alignment at a node (spec/oprf.md): which epoch a job meets, what it costs of a party's evaluations, and
//! what is kept of it.
use super::plan::JobPlan;
use crate::driver::Driver;
use crate::epochs::KeyList;
use crate::node::Shared;
use crate::session::Held;
use hefu_core::{Code, Fault, Stage};
use hefu_crypto::Seed;
use hefu_crypto::oprf::OprfKey;
use hefu_protocol::align::{AlignPlan, AlignedCollaborator, AlignedInitiator};
use hefu_protocol::oprf::{Announcement, Evaluation, Initiator, Source};
use zeroize::Zeroizing;

/// Aligns as initiator, with the sets that are held. Blocks.
///
/// # Errors
/// Those of the machine.
pub(super) fn initiate(
    shared: &Shared,
    job: &JobPlan,
    driver: &mut Driver,
    plan: AlignPlan,
    keys: Vec<String>,
    seed: Seed,
) -> Result<AlignedInitiator, Fault> {
    let epochs = &shared.epochs;
    let held = job.invited.iter().map(|i| epochs.held(&i.party.descriptor.party, &i.dataset)).collect();
    let matched = driver.run(Stage::Align, Initiator::new(plan, keys, held, seed))?;
    for (invited, set) in job.invited.iter().zip(&matched.received) {
        let Some(set) = set else { continue };
        let party = &invited.party.descriptor.party;
        if let Err(error) = epochs.hold(party, &invited.dataset, set) {
            // The job has what it needs; the next one is sent the set again.
            shared.log(&format!("the set of {} is not kept: {error}", shared.trust.alias(party)));
        }
    }
    Ok(matched.aligned)
}

/// Aligns as collaborator: with the dataset's epoch, or with a new one where it has none of these keys. Blocks.
///
/// # Errors
/// `EVALUATIONS_SPENT` (OPRF-7); `DISK`; those of the machines.
pub(super) fn collaborate(
    shared: &Shared,
    held: &Held,
    driver: &mut Driver,
    plan: AlignPlan,
    keys: &[String],
) -> Result<AlignedCollaborator, Fault> {
    let (dataset, list) = (held.dataset.name.as_str(), KeyList::of(keys));
    let seed = Zeroizing::new(crate::random::<32>()?);
    let kept = shared.epochs.load(dataset, list);
    let source = match kept {
        Some(epoch) => Source::Kept(Box::new(epoch)),
        None => {
            shared.log(&format!("job {}: a new epoch of {dataset}: {} keys to evaluate", held.offer.job, keys.len()));
            Source::Fresh { key: OprfKey::new(&Seed::new(*seed)), own_keys: keys }
        }
    };
    let announced = driver.run(Stage::Align, Announcement::new(plan, source))?;
    if announced.is_new {
        shared.epochs.keep(dataset, list, &seed, &announced.epoch)?;
    }
    let (epoch, limit) = (announced.epoch.id(), held.entry.evaluations.unwrap_or_default());
    if !shared.store.spend_evaluations(epoch, held.initiator(), announced.keys, limit)? {
        return Err(Fault::new(Code::EvaluationsSpent).by(shared.party()).citing("OPRF-7"));
    }
    driver.run(Stage::Align, Evaluation::new(plan, announced))
}
