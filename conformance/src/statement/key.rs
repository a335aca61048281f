//! Keys that sign statements, and whom a reader trusts.

use std::path::Path;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::Assurance;
use crate::error::{Error, Result};
use crate::wire::dsse;

/// Type of a key file.
const KIND: &str = "hefu-conformance/key/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    r#type: String,
    private: String,
}

/// Makes a key and writes it where nothing is yet, readable by its owner alone; the public half comes back.
///
/// # Errors
/// `Configuration` where the file exists or cannot be written.
pub fn generate(path: &Path) -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Error::Suite(e.to_string()))?;
    let text = format!("type = \"{KIND}\"\nprivate = \"{}\"\n", hex::encode(seed));
    let refuse = |e: std::io::Error| Error::Configuration(format!("{}: {e}", path.display()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(refuse)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(refuse)?;
    Ok(SigningKey::from_bytes(&seed).verifying_key().to_bytes())
}

/// Reads a key file.
///
/// # Errors
/// `Configuration` where it is none; what stands in it is never repeated.
pub fn read(path: &Path) -> Result<SigningKey> {
    let refuse = |what: &str| Error::Configuration(format!("key file {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| refuse(&e.to_string()))?;
    let file: KeyFile = toml::from_str(&text).map_err(|_| refuse("not a key file"))?;
    let seed = hex::decode(&file.private).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    match seed {
        Some(seed) if file.r#type == KIND => Ok(SigningKey::from_bytes(&seed)),
        _ => Err(refuse("not a key file")),
    }
}

/// Whom a reader trusts (TOML, `[[key]]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// The keys.
    #[serde(default)]
    pub key: Vec<TrustedKey>,
}

/// A key and what it may say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// Whose it is, for people.
    pub name: String,
    /// Ed25519 public key, hex.
    #[serde(with = "hex")]
    pub public_key: [u8; 32],
    /// What statements it may sign.
    #[serde(default = "own")]
    pub assurance: Vec<Assurance>,
}

fn own() -> Vec<Assurance> {
    vec![Assurance::Own]
}

/// What is withdrawn (TOML, `[[revoked]]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Keys and statements.
    #[serde(default)]
    pub revoked: Vec<Withdrawn>,
}

/// A key or a statement that no longer counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawn {
    /// Key id (first 16 bytes of the SHA-256 of the public key, hex), or …
    #[serde(default)]
    pub keyid: String,
    /// … SHA-256 of a statement's exact bytes, hex.
    #[serde(default)]
    pub statement: String,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

/// Reads a TOML file.
///
/// # Errors
/// `Configuration` where it cannot be read or has an unknown entry.
pub fn read_toml<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let refuse = |e: String| Error::Configuration(format!("{}: {e}", path.display()));
    toml::from_str(&std::fs::read_to_string(path).map_err(|e| refuse(e.to_string()))?)
        .map_err(|e| refuse(e.to_string()))
}

impl TrustedKey {
    /// First 16 bytes of the key's hash, hex.
    pub fn keyid(&self) -> String {
        dsse::keyid(&self.public_key)
    }
}
