//! What one's own node publishes and others offer: facts, approvals, usage.
use crate::dataset::Published;
use crate::job::{JobPlan, JobState, incomplete};
use crate::{Node, Result};
use hefu_proto::control;
use std::fmt;

/// Whether a party may use a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Approval {
    /// It may.
    Granted,
    /// Its first job waits for the steward.
    Needed,
    /// A job waits now.
    Waiting,
    /// The steward refused.
    Refused,
    /// The steward took the approval back.
    Revoked,
}

impl Approval {
    /// The word on screens and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Approval::Granted => "granted",
            Approval::Needed => "needed",
            Approval::Waiting => "waiting",
            Approval::Refused => "refused",
            Approval::Revoked => "revoked",
        }
    }

    /// A word that is not known permits nothing.
    fn parse(word: &str) -> Self {
        let all = [Approval::Granted, Approval::Needed, Approval::Waiting, Approval::Revoked];
        all.into_iter().find(|approval| approval.as_str() == word).unwrap_or(Approval::Refused)
    }
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What this party may use another's dataset for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// What a job may be for.
    pub purpose: String,
    /// What the initiator may receive.
    pub outputs: Vec<String>,
    /// Whether the steward has approved.
    pub approval: Approval,
}

/// A dataset that another party offers this one (`spec/catalog.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offered {
    /// Id of the party that publishes it.
    pub party: String,
    /// The name that jobs cite.
    pub name: String,
    /// Hex digest of the schema's exact bytes.
    pub schema: String,
    /// Rows that a job can match.
    pub rows: u64,
    /// What one row stands for; only `enterprise` enters jobs.
    pub grain: String,
    /// Who answers for it.
    pub steward: String,
    /// Purposes that it serves; empty: those of the permissions.
    pub purposes: Vec<String>,
    /// Months that its rows cover, `YYYYMM` or `YYYYMM-YYYYMM`.
    pub period: String,
    /// Sensitivity, 1 to 5; 0 where not stated.
    pub sensitivity: u32,
    /// Microseconds since 1970.
    pub published_us: i64,
    /// What this party may use it for.
    pub permissions: Vec<Permission>,
}

impl From<control::CatalogEntry> for Offered {
    fn from(e: control::CatalogEntry) -> Self {
        let permission = |p: control::Permission| Permission {
            purpose: p.purpose,
            outputs: p.outputs,
            approval: Approval::parse(&p.approval),
        };
        Offered {
            party: e.party,
            name: e.name,
            schema: e.schema,
            rows: e.rows,
            grain: e.grain,
            steward: e.steward,
            purposes: e.purposes,
            period: e.period,
            sensitivity: e.sensitivity,
            published_us: e.published_us,
            permissions: e.permissions.into_iter().map(permission).collect(),
        }
    }
}

/// One job that used a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Use {
    /// The dataset.
    pub dataset: String,
    /// Id of the party whose job it was.
    pub party: String,
    /// Job id.
    pub job: String,
    /// `align`, `train` or `score`.
    pub kind: String,
    /// What it was for.
    pub purpose: String,
    /// What its initiator received.
    pub outputs: Vec<String>,
    /// Microseconds since 1970: when it might first read rows.
    pub began_us: i64,
    /// Microseconds since 1970; 0 before its end.
    pub ended_us: i64,
    /// How it stands.
    pub state: JobState,
}

impl From<control::Use> for Use {
    fn from(u: control::Use) -> Self {
        Use {
            dataset: u.dataset,
            party: u.party,
            job: u.job,
            kind: u.kind,
            purpose: u.purpose,
            outputs: u.outputs,
            began_us: u.began_us,
            ended_us: u.ended_us,
            state: JobState::parse(&u.state),
        }
    }
}

/// What waits for a steward of one's own, or was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// The dataset.
    pub dataset: String,
    /// Id of the party that asks, or about which was decided.
    pub party: String,
    /// What was decided, or `Waiting`.
    pub approval: Approval,
    /// The job that waits.
    pub job: Option<String>,
    /// What the job makes; empty where none waits.
    pub kind: String,
    /// What the job is for; empty where none waits.
    pub purpose: String,
    /// What its initiator would receive.
    pub outputs: Vec<String>,
    /// Microseconds since 1970 when it was asked for; 0 where nobody has.
    pub asked_us: i64,
    /// Microseconds since 1970 when it was decided; 0 while it waits.
    pub decided_us: i64,
}

impl From<control::Approval> for Decision {
    fn from(a: control::Approval) -> Self {
        Decision {
            dataset: a.dataset,
            party: a.party,
            approval: Approval::parse(&a.state),
            job: Some(a.job).filter(|job| !job.is_empty()),
            kind: a.kind,
            purpose: a.purpose,
            outputs: a.outputs,
            asked_us: a.asked_us,
            decided_us: a.decided_us,
        }
    }
}

/// The text of a schema, as it was published.
fn text(schema: Vec<u8>) -> Result<String> {
    String::from_utf8(schema).map_err(|_| incomplete())
}

impl Node {
    /// A dataset of this node and its JSON Schema, exact text.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_DATASET`.
    pub async fn dataset(&self, name: &str) -> Result<(Published, String)> {
        let request = control::GetDatasetRequest { name: name.to_owned() };
        let answer = self.dataset_service().get_dataset(request).await?.into_inner();
        let dataset = answer.dataset.map(Published::from).ok_or_else(incomplete)?;
        Ok((dataset, text(answer.schema)?))
    }

    /// Takes a dataset back. New jobs with it are refused; running ones end with `DATASET_REVOKED`, and their ids are
    /// answered.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_DATASET`.
    pub async fn unpublish(&self, name: &str) -> Result<Vec<String>> {
        let request = control::UnpublishDatasetRequest { name: name.to_owned() };
        Ok(self.dataset_service().unpublish_dataset(request).await?.into_inner().jobs)
    }

    /// Who has used a dataset of this node, in which job, for what; newest first.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_DATASET`.
    pub async fn usage(&self, name: &str) -> Result<Vec<Use>> {
        let request = control::GetUsageRequest { name: name.to_owned() };
        let uses = self.dataset_service().get_usage(request).await?.into_inner().uses;
        Ok(uses.into_iter().map(Use::from).collect())
    }

    /// What waits for a steward, oldest first, then what was decided, newest first.
    ///
    /// # Errors
    /// `Node`.
    pub async fn approvals(&self) -> Result<Vec<Decision>> {
        let answer = self.dataset_service().list_approvals(control::ListApprovalsRequest {}).await?.into_inner();
        Ok(answer.approvals.into_iter().map(Decision::from).collect())
    }

    /// Approves the use of a dataset by a party, named by alias or id. Jobs that wait for it go on by themselves.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_DATASET`, `UNKNOWN_PARTY`.
    pub async fn approve(&self, dataset: &str, party: &str) -> Result<Decision> {
        let request = control::ApproveUseRequest { dataset: dataset.to_owned(), party: party.to_owned() };
        let approval = self.dataset_service().approve_use(request).await?.into_inner().approval;
        approval.map(Decision::from).ok_or_else(incomplete)
    }

    /// Refuses or revokes the use of a dataset by a party: jobs that wait are rejected, running ones end by the next
    /// evaluation. Answers their ids too.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_DATASET`, `UNKNOWN_PARTY`.
    pub async fn revoke(&self, dataset: &str, party: &str) -> Result<(Decision, Vec<String>)> {
        let request = control::RevokeUseRequest { dataset: dataset.to_owned(), party: party.to_owned() };
        let answer = self.dataset_service().revoke_use(request).await?.into_inner();
        Ok((answer.approval.map(Decision::from).ok_or_else(incomplete)?, answer.jobs))
    }

    /// What another party offers this one; what it does not offer is not told.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_PARTY`, or where that party's node is not reached.
    pub async fn catalogue(&self, party: &str) -> Result<Vec<Offered>> {
        let request = control::ListCatalogRequest { party: party.to_owned() };
        let entries = self.catalog_service().list_catalog(request).await?.into_inner().entries;
        Ok(entries.into_iter().map(Offered::from).collect())
    }

    /// One dataset that another party offers, and its JSON Schema, exact text.
    ///
    /// # Errors
    /// `Node` with `NOT_ALLOWED`, also where there is no such dataset.
    pub async fn offered(&self, party: &str, dataset: &str) -> Result<(Offered, String)> {
        let request = control::GetCatalogEntryRequest { party: party.to_owned(), dataset: dataset.to_owned() };
        let answer = self.catalog_service().get_catalog_entry(request).await?.into_inner();
        Ok((answer.entry.map(Offered::from).ok_or_else(incomplete)?, text(answer.schema)?))
    }

    /// How this party has used another's dataset, as that party's node has it; newest first.
    ///
    /// # Errors
    /// `Node` with `NOT_ALLOWED`.
    pub async fn usage_at(&self, party: &str, dataset: &str) -> Result<Vec<Use>> {
        let request = control::GetOwnUsageRequest { party: party.to_owned(), dataset: dataset.to_owned() };
        let uses = self.catalog_service().get_own_usage(request).await?.into_inner().uses;
        Ok(uses.into_iter().map(Use::from).collect())
    }

    /// The plan with the schema of every collaborator's dataset cited as its catalogue shows it now, so that the job is
    /// refused where a schema changes in between (SESS-13). What the plan cites already stays; what a catalogue does
    /// not tell is not cited: the job itself says why.
    pub async fn cite(&self, plan: &JobPlan) -> JobPlan {
        let mut plan = plan.clone();
        for collaborator in plan.collaborators.iter_mut().filter(|c| c.schema.is_none()) {
            if let Ok((offered, _)) = self.offered(&collaborator.party, &collaborator.dataset).await {
                collaborator.schema = Some(offered.schema);
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_known_permits_nothing() {
        assert_eq!(Approval::parse("granted"), Approval::Granted);
        assert_eq!(Approval::parse("waiting"), Approval::Waiting);
        assert_eq!(Approval::parse("perhaps"), Approval::Refused);
    }
}
