//! The world of a run: parties, datasets, allow entries, the target set up among them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hefu_proto::v1::discovery_service_client::DiscoveryServiceClient;
use hefu_proto::v1::{GetCapabilitiesRequest, GetVersionsRequest};
use tokio::net::TcpListener;

use crate::case::Role;
use crate::connect::{self, Link};
use crate::control::{Control, Permit, Request};
use crate::error::{Error, Result};
use crate::pki::{self, Party};
use crate::rng::Rng;
use crate::target::{Limits, TargetFile};
use crate::wire::party::{self, Descriptor};

/// Purpose of every allow entry.
pub const PURPOSE: &str = "origination";
/// Fewest matched rows of the dataset `gate`.
pub const GATE: u64 = 50;
/// Datasets that an allow entry of the bank names, and the minimum of matched rows; `ghost` is never published.
const ENTRIES: [(&str, Option<u64>); 11] = [
    ("main", None),
    ("live", None),
    ("single", None),
    ("large", None),
    ("ghost", None),
    ("gate", Some(GATE)),
    ("train", None),
    ("narrow", None),
    ("flat", None),
    ("rare", None),
    ("pool", None),
];
/// Keys of the datasets `main`, `gate` and `closed`.
const KEYS: usize = 200;

/// A dataset of the target; every key and cell is a canary.
pub struct Dataset {
    /// Valid, distinct keys in file order.
    pub keys: Vec<String>,
    /// Cells, as written.
    pub cells: Vec<String>,
    /// The file.
    pub csv: String,
    /// Whether it has a column `label`.
    pub labelled: bool,
}

/// What the target says it can take.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// Largest chunk, in bytes.
    pub max_chunk: u64,
    /// Largest message, in bytes.
    pub max_message: u64,
    /// Most rows of a side.
    pub max_rows: u64,
}

/// The suite as collaborator: a party and the socket on which it is reached.
pub struct Agency {
    /// The party; its descriptor names the socket.
    pub party: Party,
    /// Open for the whole run.
    pub listener: Arc<TcpListener>,
}

impl Agency {
    async fn prepare(seed: &str) -> Result<Agency> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let mut party = Party::mint(seed, "agency")?;
        party.endpoint = format!("https://{}", listener.local_addr()?);
        Ok(Agency { party, listener: Arc::new(listener) })
    }
}

/// Everything that is the same for all cases of a run.
pub struct World {
    /// The run's seed.
    pub seed: String,
    /// The target's descriptor.
    pub target: Descriptor,
    /// The target's signing key.
    pub target_key: [u8; 32],
    /// Where it listens.
    pub address: SocketAddr,
    /// The party that allow entries name.
    pub bank: Party,
    /// Another trusted party, with an entry for dataset `train` alone.
    pub second: Party,
    /// The party with which the target starts jobs.
    pub agency: Agency,
    /// Datasets by name.
    pub datasets: BTreeMap<String, Dataset>,
    /// Limits that the target declares.
    pub limits: Limits,
    /// What the target says it can take.
    pub capabilities: Capabilities,
    /// Median round trip of GetVersions.
    pub round_trip: Duration,
    /// How long a reply is waited for.
    pub deadline: Duration,
}

/// What an adapter says about itself.
#[derive(Debug, Clone, Default)]
pub struct Adapter {
    /// Name and version.
    pub name: String,
    /// Path of the program under test.
    pub artefact: Option<String>,
}

/// Greets the adapter and checks that it refuses a verb that nobody knows.
///
/// # Errors
/// `Control` where it breaks the protocol.
pub async fn greet<C: Control>(control: &mut C, seed: &str) -> Result<Adapter> {
    let hello = control.demand(Request::Hello).await?;
    let name = hello.adapter.ok_or_else(|| Error::Control("hello: the reply names no adapter".into()))?;
    let verb = format!("x_{}", hex::encode(Rng::new(seed, "unknown verb").bytes::<4>()));
    let reply = control.call(Request::Unknown { verb: verb.clone() }).await?;
    if reply.ok || reply.error.as_deref() != Some("unsupported") {
        return Err(Error::Control(format!("verb {verb}, which nobody knows, is not answered `unsupported`")));
    }
    Ok(Adapter { name, artefact: hello.artefact })
}

impl World {
    /// Sets a fresh target up: parties trusted, datasets published, entries installed, listening.
    ///
    /// # Errors
    /// `Control` where the adapter refuses, `Unreachable` where the target does not answer discovery.
    pub async fn prepare<C: Control>(control: &mut C, seed: &str, target: &TargetFile) -> Result<World> {
        let (bank, second) = (Party::mint(seed, "bank")?, Party::mint(seed, "second")?);
        let agency = Agency::prepare(seed).await?;
        let limits = &target.limits;
        let collaborates = target.plays(Role::Collaborator);
        let datasets = datasets(seed, target.plays(Role::Initiator));
        control.demand(Request::Reset).await?;
        for (name, dataset) in &datasets {
            let csv = dataset.csv.clone();
            let label = dataset.labelled.then(|| "label".to_owned());
            control.demand(Request::LoadDataset { name: name.clone(), csv, key: "key".into(), label }).await?;
        }
        for party in [&bank, &second, &agency.party] {
            let descriptor = String::from_utf8_lossy(&party.descriptor()).into_owned();
            let permits = match &party.id {
                id if *id == bank.id => permits(),
                // It may train and score, so that a model of the bank's can be asked for by another.
                id if *id == second.id => permits().into_iter().filter(|permit| permit.dataset == "train").collect(),
                _ => Vec::new(),
            };
            control.demand(Request::InstallAgreement { descriptor, alias: party.name.clone(), permits }).await?;
        }
        let started = control.demand(Request::Restart).await?;
        let address = started.address.unwrap_or_default();
        let address = address.parse().map_err(|_| Error::Control(format!("restart: `{address}` is no ip:port")))?;
        let descriptor = started.descriptor.unwrap_or_default();
        let target = Descriptor::open(descriptor.as_bytes()).map_err(|e| Error::Control(format!("restart: {e}")))?;
        let target_key = target.public_key().unwrap_or_default();
        let capabilities = Capabilities { max_chunk: 0, max_message: 0, max_rows: 0 };
        let mut world = World {
            seed: seed.to_owned(),
            target,
            target_key,
            address,
            bank,
            second,
            agency,
            datasets,
            limits: limits.clone(),
            capabilities,
            round_trip: Duration::ZERO,
            deadline: Duration::from_millis(limits.deadline_ms),
        };
        // A target that only initiates need not serve discovery.
        if collaborates {
            world.measure().await?;
        }
        Ok(world)
    }

    /// A connection of one of the suite's parties, with a valid certificate.
    ///
    /// # Errors
    /// `Suite` where no certificate can be made; `Unreachable` where the connection does not stand.
    pub async fn link(&self, party: &Party) -> Result<Link> {
        let config = pki::client(&self.target, Some(party.identity(None, &self.second)?))?;
        connect::dial(self.address, config, self.deadline)
            .await
            .map_err(|seen| Error::Unreachable(seen.cut.map_or_else(|| "no connection".to_owned(), |(_, text)| text)))
    }

    async fn measure(&mut self) -> Result<()> {
        let link = self.link(&self.bank).await?;
        let mut client = DiscoveryServiceClient::new(link.channel.clone());
        let unreachable = |s: tonic::Status| Error::Unreachable(format!("discovery: {}", s.message()));
        let late = |_| Error::Unreachable("discovery does not answer within the deadline".into());
        let answer = tokio::time::timeout(self.deadline, client.get_capabilities(GetCapabilitiesRequest {})).await;
        let answer = answer.map_err(late)?.map_err(unreachable)?.into_inner();
        self.capabilities =
            Capabilities { max_chunk: answer.max_chunk, max_message: answer.max_message, max_rows: answer.max_rows };
        let mut times = Vec::new();
        for _ in 0..5 {
            let start = Instant::now();
            let answer = tokio::time::timeout(self.deadline, client.get_versions(GetVersionsRequest {})).await;
            answer.map_err(late)?.map_err(unreachable)?;
            times.push(start.elapsed());
        }
        times.sort();
        self.round_trip = times[times.len() / 2];
        self.deadline += self.round_trip * 100;
        Ok(())
    }

    /// The id that a word of the corpus stands for: `$target`, `$second`, `$badcheck`.
    pub fn word(&self, word: &str) -> Option<String> {
        match word {
            "$target" => Some(self.target.party.clone()),
            "$second" => Some(self.second.id.clone()),
            "$badcheck" => {
                let mut id = party::synthetic(4_242_424);
                let last = id.pop();
                id.push(if last == Some('0') { '1' } else { '0' });
                Some(id)
            }
            _ => None,
        }
    }

    /// Valid, distinct keys of a dataset, in file order.
    pub fn keys(&self, dataset: &str) -> Vec<String> {
        self.datasets.get(dataset).map(|d| d.keys.clone()).unwrap_or_default()
    }

    /// Keys and cells of a dataset that must never be seen.
    pub fn canaries(&self, dataset: &str) -> Vec<String> {
        self.datasets.get(dataset).map(|d| d.keys.iter().chain(&d.cells).cloned().collect()).unwrap_or_default()
    }
}

/// What the target permits the bank.
fn permits() -> Vec<Permit> {
    let of = |(dataset, min_rows): (&str, Option<u64>)| Permit {
        dataset: dataset.to_owned(),
        purpose: PURPOSE.to_owned(),
        outputs: if dataset == "train" { &["model", "score"][..] } else { &["model"] }
            .iter()
            .map(|output| (*output).to_owned())
            .collect(),
        min_rows,
    };
    ENTRIES.into_iter().map(of).collect()
}

/// The target's datasets: what it brings as collaborator and, where it initiates, its own labelled ones.
fn datasets(seed: &str, initiates: bool) -> BTreeMap<String, Dataset> {
    let plain = [("main", KEYS), ("gate", KEYS), ("closed", 20), ("live", 30), ("single", 1), ("large", 16_385)];
    let labelled = [("loans", KEYS), ("loans-live", 30), ("loans-large", 16_385)];
    let make = |(name, count): (&str, usize), labelled: bool| {
        (name.to_owned(), dataset(&mut Rng::new(seed, &format!("dataset {name}")), count, labelled))
    };
    let labelled = labelled.into_iter().filter(|_| initiates).map(|entry| make(entry, true));
    let mut out: BTreeMap<String, Dataset> =
        plain.into_iter().map(|entry| make(entry, false)).chain(labelled).collect();
    // Too few for rows with odd keys: every row counts.
    let (name, pool) = make(("pool", 19), true);
    out.insert(name, pool);
    for name in ["train", "narrow", "flat", "rare"] {
        let (name, mut made) = make((name, 240), false);
        made.reshape(&name);
        out.insert(name, made);
    }
    out
}

impl Dataset {
    /// Makes the last column what the dataset's name says: `narrow` has none, `flat` one value, `rare` another value in
    /// a few rows only.
    fn reshape(&mut self, name: &str) {
        if name == "train" {
            return;
        }
        let lines = self.csv.lines().enumerate().map(|(i, line)| {
            let (rest, last) = line.rsplit_once(',').unwrap_or((line, ""));
            match name {
                "narrow" => rest.to_owned(),
                "rare" if i == 0 || i % 12 == 0 => format!("{rest},{last}"),
                _ if i == 0 => line.to_owned(),
                _ => format!("{rest},1.5"),
            }
        });
        self.csv = lines.map(|line| line + "\n").collect();
        let csv = &self.csv;
        self.cells.retain(|cell| csv.contains(cell.as_str()));
    }
}

/// `count` distinct keys of 128 random bits; from 20 on also rows whose key is padded, repeated, empty or too long.
fn dataset(rng: &mut Rng, count: usize, labelled: bool) -> Dataset {
    let keys: Vec<String> = (0..count)
        .map(|i| {
            let key = hex::encode(rng.bytes::<16>());
            match i {
                1 => format!("企业-{key}"),
                2 => key.to_uppercase(),
                3 => key.to_uppercase().to_lowercase() + "-a b",
                _ => key,
            }
        })
        .collect();
    let mut cells = Vec::new();
    let mut csv = String::from(if labelled { "key,f1,f2,f3,label\n" } else { "key,f1,f2,f3\n" });
    let mut row = |key: &str, cells: &mut Vec<String>, rng: &mut Rng| {
        csv.push_str(key);
        for _ in 0..3 {
            let digits = u64::from_be_bytes(rng.bytes()) % 9_000_000_000_000_000 + 1_000_000_000_000_000;
            let cell = format!("{}.{digits}", rng.below(9));
            csv.push(',');
            csv.push_str(&cell);
            // Enough to catch a leak without carrying every cell of a large dataset in every transcript.
            if cells.len() < 600 {
                cells.push(cell);
            }
        }
        if labelled {
            csv.push_str(if rng.below(2) == 0 { ",0" } else { ",1" });
        }
        csv.push('\n');
    };
    for (i, key) in keys.iter().enumerate() {
        let written = if i == 4 { format!("  {key} ") } else { key.clone() };
        row(&written, &mut cells, rng);
    }
    if count >= 20 {
        for odd in [keys[7].clone(), keys[9].clone(), keys[7].clone(), String::new(), "x".repeat(129)] {
            row(&odd, &mut cells, rng);
        }
    }
    Dataset { keys, cells, csv, labelled }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_dataset_and_another_seed_another() {
        let make = |seed: &str| dataset(&mut Rng::new(seed, "dataset main"), 30, true);
        assert_eq!(make("a").csv, make("a").csv);
        assert_ne!(make("a").csv, make("b").csv);
        assert_eq!(make("a").keys.len(), 30);
        assert_eq!(make("a").csv.lines().count(), 1 + 30 + 5);
    }
}
