//! The target file: what is tested, what it claims, how it is controlled.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::case::{Profile, Role};
use crate::error::{Error, Result};

/// A target file (TOML).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFile {
    /// What is tested.
    pub target: Named,
    /// What it claims.
    pub claims: Claims,
    /// How the suite sets it up.
    pub control: Control,
    /// Limits that it declares and is judged by.
    #[serde(default)]
    pub limits: Limits,
}

/// Name and version of the implementation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Name of the product.
    pub name: String,
    /// Version of the product.
    pub version: String,
    /// SHA-256 of the program under test, hex; needed for a statement where the adapter does not name the program.
    #[serde(default)]
    pub artefact_sha256: Option<String>,
}

/// What an implementation claims: claims bind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Protocol version.
    pub protocol: String,
    /// Roles: `collaborator`, `initiator`.
    pub roles: Vec<String>,
    /// Profiles, such as `core` and `align`.
    pub profiles: Vec<String>,
}

/// How the suite sets the target up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// `stdio` (or `command`): a program that speaks the control protocol on its standard input and output; `manual`: a
    /// person carries out printed steps.
    pub kind: String,
    /// Program and arguments of `stdio`. A program without `/` is looked for beside this binary, then in PATH; one with
    /// `/` is relative to the target file.
    #[serde(default)]
    pub command: Vec<String>,
}

/// Limits that the target declares.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Sessions that run at once.
    pub max_jobs: u32,
    /// Time after which a silent peer's session is ended, in milliseconds.
    pub idle_timeout_ms: u64,
    /// Shortest time for which the suite waits for an answer, in milliseconds; scaled up by the round trip.
    pub deadline_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_jobs: 4, idle_timeout_ms: 60_000, deadline_ms: 5_000 }
    }
}

impl TargetFile {
    /// Reads a target file.
    ///
    /// # Errors
    /// `Configuration` where it cannot be read, has an unknown entry or claims something unknown.
    pub fn read(path: &Path) -> Result<TargetFile> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::Configuration(format!("target file {}: {e}", path.display())))?;
        let mut file: TargetFile =
            toml::from_str(&text).map_err(|e| Error::Configuration(format!("target file {}: {e}", path.display())))?;
        for name in &file.claims.roles {
            if Role::parse(name).is_none() {
                return Err(Error::Configuration(format!("claims.roles: `{name}` is not a role")));
            }
        }
        for name in &file.claims.profiles {
            if Profile::parse(name).is_none() {
                return Err(Error::Configuration(format!("claims.profiles: `{name}` is not a profile")));
            }
        }
        match file.control.kind.as_str() {
            "manual" => {}
            "stdio" | "command" => {
                let program = file.control.command.first_mut();
                let program = program.ok_or_else(|| Error::Configuration("control.command is empty".into()))?;
                *program = locate(program, path.parent().unwrap_or(Path::new("."))).display().to_string();
            }
            other => return Err(Error::Configuration(format!("control.kind `{other}` is not stdio or manual"))),
        }
        Ok(file)
    }

    /// Whether the target claims a profile in a role.
    pub fn claims(&self, profile: Profile, role: Role) -> bool {
        self.plays(role) && self.claims.profiles.iter().any(|name| Profile::parse(name) == Some(profile))
    }

    /// Whether the target claims a role.
    pub fn plays(&self, role: Role) -> bool {
        self.claims.roles.iter().any(|name| Role::parse(name) == Some(role))
    }
}

fn locate(program: &str, folder: &Path) -> PathBuf {
    if program.contains('/') {
        return folder.join(program);
    }
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|p| p.join(program)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(program))
}
