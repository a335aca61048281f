//! `[[allow]]`: which party may use which dataset for which purpose and output.
use hefu_core::{Output, PartyId, Purpose};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A rule of training that an entry waives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permit {
    /// VLR-2: too few rows for the columns.
    FewRows,
    /// VLR-4: fewer than three columns.
    FewColumns,
    /// VLR-3: a column with rare values.
    RareValues,
    /// AGG-24: parameters of a trainer go to the coordinator in the clear.
    PlainParameters,
    /// AGG-25: the sums of two rosters that differ by one party, hence that party's values.
    RosterChange,
}

/// One permission of a party for another's jobs (SESS-12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowEntry {
    /// The initiator.
    pub party: PartyId,
    /// The dataset, by its published name.
    pub dataset: String,
    /// What the job may be for.
    pub purpose: Purpose,
    /// What the initiator may receive.
    pub outputs: Vec<Output>,
    /// Rules that do not bind jobs of this entry.
    #[serde(default)]
    pub permit: Vec<Permit>,
    /// Rows that may be scored on one model, over all time; without limit where absent (SCORE-5).
    #[serde(default)]
    pub score_rows: Option<u64>,
    /// Keys that may be evaluated in one epoch of the dataset; unbalanced alignment is refused where absent (OPRF-6,
    /// OPRF-7).
    #[serde(default)]
    pub evaluations: Option<u64>,
    /// Least number of matched rows of a job that aligns or trains; 1 where absent (ALIGN-11). Scoring is not bound.
    #[serde(default)]
    pub min_rows: Option<u64>,
    /// A standing approval: the first use does not wait for the dataset's steward (CAT-6).
    #[serde(default)]
    pub approved: bool,
}

impl AllowEntry {
    /// Whether this entry permits a job.
    pub fn permits(&self, party: &PartyId, dataset: &str, purpose: Purpose, outputs: &[Output]) -> bool {
        self.party == *party
            && self.dataset == dataset
            && self.purpose == purpose
            && outputs.iter().all(|output| self.outputs.contains(output))
    }

    /// Whether this entry waives a rule.
    pub fn waives(&self, permit: Permit) -> bool {
        self.permit.contains(&permit)
    }

    /// SHA-256 of the entry as JSON: members and lists sorted, no white space, absent members left out.
    pub fn digest(&self) -> [u8; 32] {
        let mut members = BTreeMap::new();
        members.insert("party", serde_json::json!(self.party));
        members.insert("dataset", serde_json::json!(self.dataset));
        members.insert("purpose", serde_json::json!(self.purpose));
        members.insert("outputs", sorted(self.outputs.iter().map(|o| serde_json::json!(o)).collect()));
        if !self.permit.is_empty() {
            members.insert("permit", sorted(self.permit.iter().map(|p| serde_json::json!(p)).collect()));
        }
        if let Some(rows) = self.score_rows {
            members.insert("score_rows", serde_json::json!(rows));
        }
        if let Some(keys) = self.evaluations {
            members.insert("evaluations", serde_json::json!(keys));
        }
        if let Some(rows) = self.min_rows {
            members.insert("min_rows", serde_json::json!(rows));
        }
        if self.approved {
            members.insert("approved", serde_json::json!(true));
        }
        let json = serde_json::to_vec(&members).unwrap_or_default();
        hefu_crypto::sha256(&[&json])
    }
}

fn sorted(mut words: Vec<serde_json::Value>) -> serde_json::Value {
    words.sort_by_key(|word| word.to_string());
    words.dedup();
    serde_json::Value::Array(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> AllowEntry {
        AllowEntry {
            party: PartyId::parse("uscc:91440300YY00001320").unwrap(),
            dataset: "tax".into(),
            purpose: Purpose::Origination,
            outputs: vec![Output::Score, Output::Model],
            permit: vec![],
            score_rows: None,
            evaluations: None,
            min_rows: None,
            approved: false,
        }
    }

    #[test]
    fn permits_what_it_names_and_no_more() {
        let (entry, other) = (entry(), PartyId::parse("lei:529900YY000SYNTH0017").unwrap());
        let party = entry.party.clone();
        assert!(entry.permits(&party, "tax", Purpose::Origination, &[Output::Model]));
        assert!(!entry.permits(&other, "tax", Purpose::Origination, &[Output::Model]));
        assert!(!entry.permits(&party, "power", Purpose::Origination, &[Output::Model]));
        assert!(!entry.permits(&party, "tax", Purpose::Fraud, &[Output::Model]));
        let model_only = AllowEntry { outputs: vec![Output::Model], ..entry };
        assert!(!model_only.permits(&party, "tax", Purpose::Origination, &[Output::Model, Output::Score]));
    }

    #[test]
    fn the_digest_is_that_of_the_canonical_json() {
        let json = r#"{"dataset":"tax","outputs":["model","score"],"party":"uscc:91440300YY00001320","purpose":"origination"}"#;
        assert_eq!(entry().digest(), hefu_crypto::sha256(&[json.as_bytes()]));
        assert_ne!(AllowEntry { min_rows: Some(5), ..entry() }.digest(), entry().digest());
        assert_ne!(AllowEntry { evaluations: Some(0), ..entry() }.digest(), entry().digest());
        assert_ne!(AllowEntry { approved: true, ..entry() }.digest(), entry().digest());
    }
}
