//! The parties of a run on this machine: throw-away identities, configuration, rows.
use super::process::NodeProcess;
use crate::cli::KeyFormatArg;
use crate::failure::Result;
use hefu::{Code, Dataset, Failure, Missing, Node, Published};
use hefu_core::{PartyId, uscc_is_valid};
use hefu_node::NodeConfig;
use std::path::{Path, PathBuf};

/// What a party brings.
#[derive(Debug, Clone)]
pub struct PartyInput {
    /// Short name; also the name of its dataset.
    pub alias: String,
    /// Its rows, CSV.
    pub file: PathBuf,
    /// Label column of the bank.
    pub label: Option<String>,
    /// What its rows are, where that is known; else it is inferred.
    pub described: Option<Described>,
    /// The round of a pooled job in which its node leaves.
    pub leave_at_round: Option<u32>,
}

/// What a party publishes with its rows.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// JSON Schema of one row.
    pub schema: &'static str,
    /// Who answers for the dataset.
    pub steward: &'static str,
    /// Months that the rows cover.
    pub period: &'static str,
}

/// How the rows of all parties are read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Key column of every file.
    pub key: String,
    /// How keys are read.
    pub key_format: KeyFormatArg,
    /// What an empty cell means.
    pub missing: Missing,
}

/// Rules that an agency's office may waive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiver {
    /// None: the rules of the specification hold.
    Nothing,
    /// That the sums of two rosters that differ by one party may both be told (AGG-25).
    RosterChange,
    /// All of them, for generated tables of a benchmark.
    Everything,
}

/// A running party.
pub struct Party {
    /// What it brought.
    pub input: PartyInput,
    /// Party id.
    pub id: String,
    /// Its control side.
    pub node: Node,
    process: NodeProcess,
}

/// Starts one node a party, has each trust all others, and publishes nothing yet. The first party is the bank.
pub async fn start(folder: &Path, inputs: Vec<PartyInput>, waiver: Waiver) -> Result<Vec<Party>> {
    let ids: Vec<PartyId> = (0..inputs.len()).map(party_id).collect::<Result<_>>()?;
    let mut parties = Vec::new();
    for (input, id) in inputs.into_iter().zip(&ids) {
        let config = configure(folder, &input, id, ids.first().unwrap_or(id), waiver)?;
        let process = NodeProcess::start(&config, &config.with_extension("log"), input.leave_at_round).await?;
        let node = process.connect().await?;
        parties.push(Party { input, id: id.to_string(), node, process });
    }
    for truster in &parties {
        for other in parties.iter().filter(|other| other.id != truster.id) {
            let path = folder.join(&other.input.alias).join("state/party.json");
            let descriptor = std::fs::read(path).map_err(|e| disk(&e))?;
            truster.node.trust(descriptor, other.input.alias.as_str()).await?;
        }
    }
    Ok(parties)
}

/// Writes the configuration of a party and makes its keys.
fn configure(folder: &Path, input: &PartyInput, id: &PartyId, initiator: &PartyId, waiver: Waiver) -> Result<PathBuf> {
    let folder = folder.join(&input.alias);
    std::fs::create_dir_all(&folder).map_err(|e| disk(&e))?;
    let mut text = format!(
        "[party]\nid = \"{id}\"\nalias = \"{alias}\"\nname = \"{alias}\"\n\
         [listen]\ninterconnect = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\n\
         [limits]\nidle_timeout_s = 300\n",
        alias = input.alias
    );
    if initiator != id || waiver == Waiver::Everything {
        text.push_str(&format!(
            "[[allow]]\nparty = \"{initiator}\"\ndataset = \"{}\"\n\
             purpose = \"origination\"\noutputs = [\"model\", \"score\"]\napproved = true\n",
            input.alias
        ));
    }
    if waiver == Waiver::Everything {
        text.push_str("evaluations = 1000000000\n");
        text.push_str(
            "permit = [\"few-rows\", \"few-columns\", \"rare-values\", \"plain-parameters\", \"roster-change\"]\n",
        );
    }
    if waiver == Waiver::RosterChange && initiator != id {
        text.push_str("permit = [\"roster-change\"]\n");
    }
    let path = folder.join("node.toml");
    std::fs::write(&path, text).map_err(|e| disk(&e))?;
    let config = NodeConfig::load(&path).map_err(|e| Failure::from(e.fault()))?;
    hefu_node::Node::init(&config).map_err(|e| Failure::from(e.fault()))?;
    Ok(path)
}

/// An invented enterprise code for the party of a number: body codes that begin with YY are not given out.
fn party_id(index: usize) -> Result<PartyId> {
    let department = if index == 0 { "91" } else { "11" };
    let body = format!("YY{:06}", 13 + index);
    let sum: usize = body.bytes().zip([3, 7, 9, 10, 5, 8, 4, 2]).map(|(b, w)| value(b) * w).sum();
    let digit = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from(b'0' + u8::try_from(digit).unwrap_or(0)),
    };
    let head = format!("{department}440300{body}{digit}");
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .map(|check| format!("{head}{check}"))
        .find(|code| uscc_is_valid(code))
        .and_then(|code| PartyId::parse(&format!("uscc:{code}")).ok())
        .ok_or_else(|| Failure::because(Code::Internal, "No party id."))
}

/// The value of a character in GB 11714: digits, then letters from 10.
fn value(b: u8) -> usize {
    usize::from(if b.is_ascii_digit() { b - b'0' } else { b - b'A' + 10 })
}

impl Party {
    /// Publishes the party's rows under its short name.
    pub async fn publish(&self, reading: &Reading) -> Result<Published> {
        let input = &self.input;
        let mut dataset = Dataset::csv(&input.file)
            .map_err(Failure::from)
            .map_err(|failure| of_party(failure, input))?
            .name(input.alias.as_str())
            .key(reading.key.as_str())
            .key_format(reading.key_format.into())
            .missing(reading.missing);
        if let Some(label) = &input.label {
            dataset = dataset.label(label.as_str());
        }
        if let Some(described) = input.described {
            dataset = dataset.schema(described.schema).steward(described.steward).period(described.period);
            dataset = dataset.purpose(hefu::Purpose::Origination);
        }
        self.node.publish(dataset).await.map_err(|error| of_party(error.into(), input))
    }

    /// Stops its node.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}

/// A failure of one party's own file.
fn of_party(mut failure: Failure, input: &PartyInput) -> Failure {
    failure.party = Some(input.alias.clone());
    if failure.place.dataset.as_deref().is_none_or(|dataset| dataset == input.alias) {
        failure.place.dataset = Some(input.file.display().to_string());
    }
    failure
}

/// A failure of a job, with the short names and files that the run's operator knows.
pub fn localise(mut failure: Failure, parties: &[Party]) -> Failure {
    let by_id = |id: &str| parties.iter().find(|p| p.id == id || p.input.alias == id);
    let by_dataset = failure.place.dataset.as_deref().and_then(|d| parties.iter().find(|p| p.input.alias == d));
    let known = failure.party.as_deref().and_then(by_id).or(by_dataset);
    if let Some(party) = known {
        failure.party = Some(party.input.alias.clone());
        if failure.place.dataset.is_some() || failure.place.row.is_some() || failure.place.column.is_some() {
            failure.place.dataset = Some(by_dataset.unwrap_or(party).input.file.display().to_string());
        }
    }
    for party in parties {
        failure.cause = failure.cause.replace(&party.id, &party.input.alias);
    }
    failure
}

fn disk(error: &std::io::Error) -> Failure {
    Failure::because(Code::Disk, format!("The run's folder: {error}."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_bank_is_the_synthetic_code_of_the_examples() {
        assert_eq!(party_id(0).unwrap().as_str(), "uscc:91440300YY00001320");
        let ids: Vec<PartyId> = (0..20).map(|i| party_id(i).unwrap()).collect();
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 20);
    }
}
