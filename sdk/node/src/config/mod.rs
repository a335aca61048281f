//! The configuration of one node, read from TOML. Every key but `party.id` has a default.
mod allow;

pub use allow::{AllowEntry, Permit};

use crate::Error;
use hefu_core::PartyId;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Port of the interconnect side where none is configured (spec/session.md, section 1).
pub const DEFAULT_PORT: u16 = 7717;
/// Port of the control side where none is configured.
pub const DEFAULT_CONTROL_PORT: u16 = 7718;
/// Largest chunk that a configuration may ask for, in bytes: a frame must fit the decoder's 4 MiB.
const CHUNK_CAP: u32 = 2 << 20;

/// The configuration of one node.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Who this node is.
    pub party: PartySection,
    /// Where it listens.
    #[serde(default)]
    pub listen: ListenSection,
    /// Where it keeps its state.
    #[serde(default)]
    pub files: FilesSection,
    /// What it bears.
    #[serde(default)]
    pub limits: LimitsSection,
    /// Which jobs of others it permits.
    #[serde(default)]
    pub allow: Vec<AllowEntry>,
    /// Its own trainers for federated averaging, by the names that jobs use.
    #[serde(default)]
    pub trainer: Vec<TrainerSection>,
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartySection {
    /// Party id, such as `uscc:91440300YY00001320`.
    pub id: PartyId,
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// Short name of the party at its own node; the value part of the id where empty.
    #[serde(default)]
    pub alias: String,
}

/// Where a node listens. Port 0: the system chooses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSection {
    /// Address that other parties reach.
    pub interconnect: SocketAddr,
    /// Loopback address that the node's own people and programs reach.
    pub control: SocketAddr,
    /// The address as others dial it, `https://host:port`, where it is not `interconnect`.
    pub endpoint: Option<String>,
}

impl Default for ListenSection {
    fn default() -> Self {
        ListenSection {
            interconnect: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            control: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_CONTROL_PORT)),
            endpoint: None,
        }
    }
}

/// Where a node keeps its state.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesSection {
    /// The state folder; relative to the configuration file.
    pub state: PathBuf,
}

impl Default for FilesSection {
    fn default() -> Self {
        FilesSection { state: PathBuf::from("state") }
    }
}

/// A trainer of one's own (spec/pooled.md, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerSection {
    /// The name that a job uses.
    pub name: String,
    /// The program and its arguments; it speaks JSON lines on standard input and output.
    pub command: Vec<String>,
}

/// What a node bears.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Largest chunk of a frame, in bytes.
    pub max_chunk_bytes: u32,
    /// Largest message, in bytes.
    pub max_message_bytes: u64,
    /// Bytes of received messages that may wait in one session; at least twice the largest message.
    pub max_session_bytes: u64,
    /// The same over all sessions: one that finds no room is refused.
    pub max_node_bytes: u64,
    /// Largest number of rows a side.
    pub max_rows: u32,
    /// Jobs at a time.
    pub max_jobs: u32,
    /// Seconds without an awaited frame after which a session ends.
    pub idle_timeout_s: u32,
    /// Seconds after which a job that waits for a steward's approval ends.
    pub approval_timeout_s: u32,
}

impl Default for LimitsSection {
    fn default() -> Self {
        LimitsSection {
            max_chunk_bytes: 1 << 20,
            max_message_bytes: 1 << 28,
            max_session_bytes: 1 << 29,
            max_node_bytes: 1 << 31,
            max_rows: 5_000_000,
            max_jobs: 4,
            idle_timeout_s: 60,
            approval_timeout_s: 7 * 24 * 3600,
        }
    }
}

impl LimitsSection {
    /// The idle time.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.idle_timeout_s))
    }

    /// How long a job may wait for approval.
    pub fn approval_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.approval_timeout_s))
    }
}

impl NodeConfig {
    /// Reads a configuration file; relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// `CONFIGURATION`, with the entry that is wrong.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::configuration(path.display().to_string(), e.to_string()))?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).map_err(|e| Error::disk(folder, e))?;
        Self::parse(&text, &folder)
    }

    /// Reads a configuration; relative paths in it are relative to `folder`.
    ///
    /// # Errors
    /// `CONFIGURATION`, with the entry that is wrong.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Error> {
        let mut config: NodeConfig =
            toml::from_str(text).map_err(|e| Error::configuration(key_of(text, &e), e.message()))?;
        if config.party.alias.is_empty() {
            config.party.alias = default_alias(&config.party.id);
        }
        config.files.state = folder.join(&config.files.state);
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        if !is_word(&self.party.alias) {
            return Err(Error::configuration("party.alias", "1 to 64 letters, digits, - and _ are expected"));
        }
        if !self.listen.control.ip().is_loopback() {
            return Err(Error::configuration(
                "listen.control",
                "a loopback address is expected, such as 127.0.0.1:7718",
            ));
        }
        if let Some(endpoint) = &self.listen.endpoint {
            crate::tls::host_and_port(endpoint)
                .ok_or_else(|| Error::configuration("listen.endpoint", "https://host:port is expected"))?;
        }
        let limits = &self.limits;
        let positive = [
            ("limits.max_chunk_bytes", u64::from(limits.max_chunk_bytes)),
            ("limits.max_message_bytes", limits.max_message_bytes),
            ("limits.max_session_bytes", limits.max_session_bytes),
            ("limits.max_node_bytes", limits.max_node_bytes),
            ("limits.max_rows", u64::from(limits.max_rows)),
            ("limits.max_jobs", u64::from(limits.max_jobs)),
            ("limits.idle_timeout_s", u64::from(limits.idle_timeout_s)),
            ("limits.approval_timeout_s", u64::from(limits.approval_timeout_s)),
        ];
        for (key, value) in positive {
            if value == 0 {
                return Err(Error::configuration(key, "a positive number is expected"));
            }
        }
        if limits.max_session_bytes / 2 < limits.max_message_bytes {
            let cause = "at least twice limits.max_message_bytes is expected";
            return Err(Error::configuration("limits.max_session_bytes", cause));
        }
        if limits.max_node_bytes < limits.max_session_bytes {
            let cause = "at least limits.max_session_bytes is expected";
            return Err(Error::configuration("limits.max_node_bytes", cause));
        }
        if limits.max_chunk_bytes > CHUNK_CAP {
            return Err(Error::configuration("limits.max_chunk_bytes", format!("at most {CHUNK_CAP} is supported")));
        }
        for (index, trainer) in self.trainer.iter().enumerate() {
            if !is_word(&trainer.name) || trainer.command.is_empty() {
                return Err(Error::configuration(format!("trainer[{index}]"), "a name and a command are expected"));
            }
        }
        for (index, entry) in self.allow.iter().enumerate() {
            if entry.outputs.is_empty() || entry.dataset.is_empty() {
                return Err(Error::configuration(format!("allow[{index}]"), "a dataset and an output are expected"));
            }
        }
        Ok(())
    }
}

/// Whether a name can be an alias or a dataset: it becomes a file name.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The short name of a party where none is given.
pub(crate) fn default_alias(party: &PartyId) -> String {
    party.as_str().rsplit(':').next().unwrap_or_default().to_owned()
}

/// The dotted key that an error is about.
fn key_of(text: &str, error: &toml::de::Error) -> String {
    let missing = error.message().strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    let Some((name, _)) = missing else { return key_at(text, error.span()) };
    match error.span().filter(|span| !span.is_empty()) {
        Some(span) => format!("{}.{name}", key_at(text, Some(span))),
        None => name.to_owned(),
    }
}

/// The dotted key at a place in TOML text: the last table header above, then what stands before `=`.
fn key_at(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let Some(span) = span else { return "configuration".to_owned() };
    let before = text.get(..span.start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |p| p + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let table = before
        .lines()
        .chain([line])
        .rfind(|l| l.trim_start().starts_with('['))
        .map(|l| l.trim().trim_matches(['[', ']']).to_owned());
    let key = line.split_once('=').map(|(key, _)| key.trim().to_owned());
    match (table, key) {
        (Some(table), Some(key)) => format!("{table}.{key}"),
        (Some(table), None) => table,
        (None, Some(key)) => key,
        (None, None) => "configuration".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTY: &str = "[party]\nid = \"uscc:91440300YY00001320\"\nalias = \"bank\"\n";

    fn wrong_key(text: &str) -> String {
        match NodeConfig::parse(text, Path::new("/tmp")) {
            Err(Error::Configuration { key, .. }) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults_and_paths() {
        let config = NodeConfig::parse(PARTY, Path::new("/srv/bank")).unwrap();
        assert_eq!(config.files.state, Path::new("/srv/bank/state"));
        assert_eq!(config.listen.interconnect.port(), DEFAULT_PORT);
        assert_eq!(config.limits, LimitsSection::default());
        let bare = NodeConfig::parse("[party]\nid=\"lei:529900YY000SYNTH0017\"", Path::new("/")).unwrap();
        assert_eq!(bare.party.alias, "529900YY000SYNTH0017");
    }

    #[test]
    fn the_commented_example_is_what_it_says() {
        let text = include_str!("../../../../docs/node.example.toml");
        let config = NodeConfig::parse(text, Path::new("/srv/tax")).unwrap();
        assert_eq!(config.limits, LimitsSection::default());
        assert_eq!(config.allow[0].score_rows, Some(100_000));
    }

    #[test]
    fn a_wrong_entry_is_named() {
        assert_eq!(wrong_key(&format!("{PARTY}[limits]\nmax_jobs = \"four\"\n")), "limits.max_jobs");
        assert_eq!(wrong_key(&format!("{PARTY}[limits]\nmax_jobs = 0\n")), "limits.max_jobs");
        assert_eq!(
            wrong_key(&format!("{PARTY}[limits]\nmax_message_bytes = 1000000000\n")),
            "limits.max_session_bytes"
        );
        assert_eq!(wrong_key(&format!("{PARTY}[limits]\nmax_node_bytes = 1000\n")), "limits.max_node_bytes");
        assert_eq!(wrong_key(&format!("{PARTY}[limits]\nmax_jbos = 4\n")), "limits.max_jbos");
        assert_eq!(wrong_key(&format!("{PARTY}[listen]\ncontrol = \"0.0.0.0:1\"\n")), "listen.control");
        assert_eq!(wrong_key("[party]\nid = \"uscc:91440300YY00001321\"\n"), "party.id");
        assert_eq!(wrong_key("[listen]\n"), "party");
        assert_eq!(wrong_key("[party]\nname = \"x\"\n[limits]\nmax_jobs = 1\n"), "party.id");
    }
}
