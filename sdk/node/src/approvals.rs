//! A steward's approval: the first use of a dataset by a party waits for it (spec/catalog.md, section 4).
use crate::config::AllowEntry;
use crate::job::JobState;
use crate::node::Shared;
use crate::store::{self, DatasetRecord, Decision, Verdict};
use hefu_core::{Code, Fault, JobId, PartyId};
use std::sync::Arc;

/// Whether a party may use a dataset now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Approval {
    Granted,
    /// The first job waits for the steward.
    Needed,
    Refused,
    Revoked,
}

impl Approval {
    /// The word of both sides.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Approval::Granted => "granted",
            Approval::Needed => "needed",
            Approval::Refused => "refused",
            Approval::Revoked => "revoked",
        }
    }

    /// The approval of a word; one that is not known permits nothing.
    pub(crate) fn parse(word: &str) -> Self {
        let all = [Approval::Granted, Approval::Needed, Approval::Revoked];
        all.into_iter().find(|approval| approval.as_str() == word).unwrap_or(Approval::Refused)
    }

    /// What a job is told that asks for the dataset of `own`.
    ///
    /// # Errors
    /// `APPROVAL_NEEDED`, `APPROVAL_REFUSED` (CAT-6), `DATASET_REVOKED` (CAT-8).
    pub(crate) fn require(self, own: &PartyId) -> Result<(), Fault> {
        match self {
            Approval::Granted => Ok(()),
            Approval::Needed => Err(Fault::new(Code::ApprovalNeeded).by(own).citing("CAT-6")),
            Approval::Refused => Err(Fault::new(Code::ApprovalRefused).by(own).citing("CAT-6")),
            Approval::Revoked => Err(Fault::new(Code::DatasetRevoked).by(own).citing("CAT-8")),
        }
    }
}

/// What stands: a steward's word, else the entry's standing approval. A grant is for the schema that it was given on.
pub(crate) fn standing(entry: &AllowEntry, dataset: &DatasetRecord, decision: Option<&Decision>) -> Approval {
    match decision.map(|decision| (decision.verdict, decision.schema == dataset.schema)) {
        Some((Verdict::Refused, _)) => Approval::Refused,
        Some((Verdict::Revoked, _)) => Approval::Revoked,
        Some((Verdict::Granted, true)) => Approval::Granted,
        _ if entry.approved => Approval::Granted,
        _ => Approval::Needed,
    }
}

/// Whether a party may use a dataset under an entry, as the store has it.
pub(crate) async fn look_up(
    shared: &Shared,
    entry: &AllowEntry,
    dataset: &DatasetRecord,
    party: &PartyId,
) -> Result<Approval, Fault> {
    let (name, party) = (dataset.name.clone(), party.clone());
    let decision = store::call(&shared.store, move |store| store.decision(&name, &party)).await?;
    Ok(standing(entry, dataset, decision.as_ref()))
}

/// Approves the use of a published dataset by a party.
///
/// # Errors
/// `UNKNOWN_DATASET`, `DISK`.
pub(crate) async fn approve(shared: &Shared, dataset: &DatasetRecord, party: &PartyId) -> Result<Decision, Fault> {
    decide(shared, dataset, party, Verdict::Granted).await
}

/// Refuses a party's use of a dataset, or revokes it where the party has used it or might; ends its jobs with it, which
/// are answered.
///
/// # Errors
/// `DISK`.
pub(crate) async fn revoke(
    shared: &Arc<Shared>,
    dataset: &DatasetRecord,
    party: &PartyId,
) -> Result<(Decision, Vec<JobId>), Fault> {
    let (name, asked) = (dataset.name.clone(), party.clone());
    let before = store::call(&shared.store, move |store| store.decision(&name, &asked)).await?;
    let mut entries = shared.config.allow.iter();
    let stands = entries.any(|entry| entry.party == *party && entry.dataset == dataset.name && entry.approved);
    let was_granted = before.is_some_and(|before| before.verdict != Verdict::Refused);
    let verdict = if stands || was_granted { Verdict::Revoked } else { Verdict::Refused };
    let decision = decide(shared, dataset, party, verdict).await?;
    let jobs = end_jobs(shared, |record| record.dataset == dataset.name && record.initiator == *party);
    Ok((decision, jobs))
}

async fn decide(
    shared: &Shared,
    dataset: &DatasetRecord,
    party: &PartyId,
    verdict: Verdict,
) -> Result<Decision, Fault> {
    let decision = Decision {
        dataset: dataset.name.clone(),
        party: party.clone(),
        verdict,
        schema: dataset.schema.clone(),
        decided_us: crate::now_us(),
    };
    let saved = decision.clone();
    store::call(&shared.store, move |store| store.save_decision(&saved)).await?;
    Ok(decision)
}

/// Ends the jobs that a revocation is about: running ones with `DATASET_REVOKED`, waiting ones with `APPROVAL_REFUSED`.
pub(crate) fn end_jobs(shared: &Arc<Shared>, is_meant: impl Fn(&crate::job::JobRecord) -> bool) -> Vec<JobId> {
    let own = shared.party();
    let mut ended = Vec::new();
    for record in shared.jobs.at_work().into_iter().filter(is_meant) {
        let code = match record.state {
            JobState::AwaitingApproval => Code::ApprovalRefused,
            _ => Code::DatasetRevoked,
        };
        if shared.jobs.stop(record.job, Fault::new(code).by(own).citing("CAT-8")).is_ok() {
            shared.log(&format!("job {}: {} is withdrawn from it", record.job, record.dataset));
            ended.push(record.job);
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DatasetFacts;
    use hefu_core::{Output, Purpose};

    // clause: CAT-6, CAT-8
    #[test]
    fn a_stewards_word_stands_above_the_entry_and_a_grant_is_for_one_schema() {
        let party = PartyId::parse("lei:529900YY000SYNTH0017").unwrap();
        let entry = |approved| AllowEntry {
            party: party.clone(),
            dataset: "tax".into(),
            purpose: Purpose::Origination,
            outputs: vec![Output::Model],
            permit: vec![],
            score_rows: None,
            evaluations: None,
            min_rows: None,
            approved,
        };
        let dataset = DatasetRecord {
            name: "tax".into(),
            key: "id".into(),
            label: None,
            key_format: "text".into(),
            rows: 1,
            valid: 1,
            duplicate: 0,
            invalid: 0,
            columns: vec![],
            schema: "aa".into(),
            file: "tax.csv".into(),
            facts: DatasetFacts::default(),
        };
        let decision = |verdict, schema: &str| Decision {
            dataset: "tax".into(),
            party: party.clone(),
            verdict,
            schema: schema.into(),
            decided_us: 1,
        };
        let stands = |approved, word: Option<(Verdict, &str)>| {
            standing(&entry(approved), &dataset, word.map(|(v, s)| decision(v, s)).as_ref())
        };
        assert_eq!(stands(false, None), Approval::Needed);
        assert_eq!(stands(true, None), Approval::Granted);
        assert_eq!(stands(false, Some((Verdict::Granted, "aa"))), Approval::Granted);
        assert_eq!(stands(false, Some((Verdict::Granted, "bb"))), Approval::Needed);
        assert_eq!(stands(true, Some((Verdict::Revoked, "bb"))), Approval::Revoked);
        assert_eq!(stands(true, Some((Verdict::Refused, "aa"))), Approval::Refused);
        for approval in [Approval::Granted, Approval::Needed, Approval::Refused, Approval::Revoked] {
            assert_eq!(Approval::parse(approval.as_str()), approval);
        }
    }
}
