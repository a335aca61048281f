//! What a client needs of a node's TOML file: where its state folder is.
use crate::{Error, Result};
use hefu_core::Code;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    files: Files,
}

#[derive(Deserialize)]
#[serde(default)]
struct Files {
    state: PathBuf,
}

impl Default for Files {
    fn default() -> Self {
        Files { state: PathBuf::from("state") }
    }
}

#[derive(Deserialize)]
struct Address {
    control: String,
}

/// Where to reach the control side of one's own node, and with which credentials.
pub(crate) struct Control {
    /// `ip:port`.
    pub address: String,
    /// PEM of the control side's own certificate authority.
    pub authority: Vec<u8>,
    /// PEM of the client's certificate.
    pub certificate: Vec<u8>,
    /// PEM of the client's key.
    pub key: Vec<u8>,
}

impl Control {
    /// Reads the node's TOML, then the address and the keys in its state folder.
    pub(crate) fn read(config: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(config)
            .map_err(|e| Error::misuse(Code::Configuration, format!("{}: {e}", config.display())))?;
        let file: File = toml::from_str(&text)
            .map_err(|e| Error::misuse(Code::Configuration, format!("{}: {}", config.display(), e.message())))?;
        let state = config.parent().unwrap_or(Path::new(".")).join(file.files.state);
        let address = std::fs::read(state.join("address.json")).map_err(|_| {
            let cause =
                format!("The node of {} has not been started: no address in its state folder.", config.display());
            Error::node(Code::ControlUnreachable, cause)
        })?;
        let address: Address = serde_json::from_slice(&address)
            .map_err(|_| Error::node(Code::ControlUnreachable, "The node's address file is not complete."))?;
        let read = |name: &str| {
            let path = state.join("keys").join(name);
            std::fs::read(&path).map_err(|e| Error::misuse(Code::Configuration, format!("{}: {e}", path.display())))
        };
        Ok(Control {
            address: address.control,
            authority: read("control-ca.pem")?,
            certificate: read("control-client.pem")?,
            key: read("control-client.key")?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_file_is_the_callers_fault() {
        let error = Control::read(Path::new("no-such.toml")).map(drop).unwrap_err();
        assert!(matches!(error, Error::Misuse(_)));
        assert_eq!(error.code(), Code::Configuration);
    }

    #[test]
    fn a_node_that_never_ran_is_unreachable() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bank.toml");
        std::fs::write(&config, "[party]\nid = \"uscc:91440300YY00001320\"\n").unwrap();
        let error = Control::read(&config).map(drop).unwrap_err();
        assert_eq!(error.code(), Code::ControlUnreachable);
    }
}
