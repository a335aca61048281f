//! The JSON documents of a session. Unknown members are ignored (CONV-8).
use hefu_core::{Alignment, JobId, Join, Missing, ModelId, Output, PartyId, Purpose, SessionId, Split, Stage};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Payload type of a party descriptor.
pub const PARTY_TYPE: &str = "application/vnd.hefu.party+json";
pub(super) const OFFER_TYPE: &str = "application/vnd.hefu.offer+json";
pub(super) const CONFIRM_TYPE: &str = "application/vnd.hefu.confirm+json";

/// Members that a document may call critical (CONV-8): those that are read here.
pub(super) const PARTY_MEMBERS: &[&str] = &["type", "party", "name", "signing_key", "tls_root", "endpoint", "critical"];
pub(super) const OFFER_MEMBERS: &[&str] = &[
    "type",
    "versions",
    "suites",
    "session",
    "job",
    "nonce",
    "parties",
    "purpose",
    "outputs",
    "plan",
    "limits",
    "extensions",
    "critical",
    // of the plan
    "alignment",
];
pub(super) const CONFIRM_MEMBERS: &[&str] = &[
    "type",
    "offer",
    "rank",
    "party",
    "nonce",
    "ephemeral",
    "version",
    "suite",
    "algorithm",
    "allow",
    "schema",
    "mask",
    "critical",
];

/// A party as it describes itself (spec/session.md, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// `hefu/party/1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub party: PartyId,
    /// A name for people.
    pub name: String,
    /// Ed25519 public key, hex.
    #[serde(with = "hex::serde")]
    pub signing_key: [u8; 32],
    /// PEM of the root to which its TLS certificates chain.
    pub tls_root: String,
    /// Where its node listens, `https://host:port`.
    pub endpoint: String,
}

/// The initiator's offer (spec/session.md, section 4), with a plan of one of two kinds: [`Plan`], or
/// [`aggregate::Plan`](crate::aggregate::Plan).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer<P = Plan> {
    /// `hefu/offer/1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Protocol versions, best first.
    pub versions: Vec<String>,
    /// Suite numbers.
    pub suites: Vec<u16>,
    /// Fresh session id.
    pub session: SessionId,
    /// The job.
    pub job: JobId,
    /// 32 fresh bytes.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 32],
    /// Rank 0 first.
    pub parties: Vec<OfferedParty>,
    /// What the job is for.
    pub purpose: Purpose,
    /// What the initiator receives.
    pub outputs: Vec<Output>,
    /// What is to be done.
    pub plan: P,
    /// Sizes.
    pub limits: SessionLimits,
    /// Extensions.
    #[serde(default)]
    pub extensions: Vec<Extension>,
    /// Members that must be understood (CONV-8).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
}

/// One party of an offer; its index is its rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedParty {
    /// Its id.
    pub party: PartyId,
    /// X25519 public key, hex; of rank 0 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<String>,
    /// Mask key, hex: of rank 0 where it participates in an aggregation (spec/aggregate.md, section 2).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex32")]
    pub mask: Option<[u8; 32]>,
    /// The dataset that it brings; ranks 1 and up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Hex digest of the schema that the initiator was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Hex digest of the allow entry that the initiator was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
}

/// What a job of alignment, training or scoring does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Stages in order: align; or align, train, evaluate; or align, score.
    pub stages: Vec<Stage>,
    /// Which rows the job keeps.
    pub join: Join,
    /// What an empty cell means.
    pub missing: Missing,
    /// Training and test rows.
    pub split: Split,
    /// Registry name of the algorithm.
    pub algorithm: String,
    /// Penalty λ.
    pub lambda: f64,
    /// Largest number of evaluations.
    pub max_evaluations: u32,
    /// How rows are matched; ecdh where absent. With oprf the offer calls `alignment` critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
    /// The model that training makes, or that scoring uses; none where the plan only aligns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
}

/// Sizes that both sides hold frames to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimits {
    /// Largest chunk, in bytes, at most 2 MiB.
    pub max_chunk: u32,
    /// Largest message, in bytes.
    pub max_message: u64,
}

/// An extension by number; unknown ones are ignored unless critical (SESS-10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its number.
    pub id: u32,
    /// Whether a party that does not know it must refuse.
    #[serde(default)]
    pub critical: bool,
}

/// A collaborator's answer to an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// `hefu/confirm/1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digest of the offer's envelope.
    #[serde(with = "hex::serde")]
    pub offer: [u8; 32],
    /// The collaborator's rank.
    pub rank: u16,
    /// Its id.
    pub party: PartyId,
    /// 32 fresh bytes.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 32],
    /// X25519 public key.
    #[serde(with = "hex::serde")]
    pub ephemeral: [u8; 32],
    /// The selected version.
    pub version: String,
    /// The selected suite.
    pub suite: u16,
    /// The plan's algorithm.
    pub algorithm: String,
    /// Digest of the allow entry that permits the job.
    #[serde(with = "hex::serde")]
    pub allow: [u8; 32],
    /// Digest of the dataset's schema.
    #[serde(with = "hex::serde")]
    pub schema: [u8; 32],
    /// Mask key of a participant in an aggregation (spec/aggregate.md, section 2).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex32")]
    pub mask: Option<[u8; 32]>,
    /// Members that must be understood (CONV-8).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
}

/// An optional key in hex.
pub(crate) mod hex32 {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Hex(#[serde(with = "hex::serde")] [u8; 32]);

    pub(crate) fn serialize<S: Serializer>(key: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        key.map(Hex).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
        Ok(Option::<Hex>::deserialize(deserializer)?.map(|Hex(key)| key))
    }
}
