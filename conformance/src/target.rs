//! The target file: what is tested, what it claims, how it is controlled.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::case::Profile;
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
}

/// What an implementation claims: claims bind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Protocol version.
    pub protocol: String,
    /// Roles; this version of the suite tests `collaborator`.
    pub roles: Vec<String>,
    /// Profiles, such as `core` and `align`.
    pub profiles: Vec<String>,
}

/// How the suite sets the target up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// `command`: a program that speaks the control protocol on its standard input and output.
    pub kind: String,
    /// Program and arguments. A program without `/` is looked for beside this binary, then in PATH; one with `/` is
    /// relative to the target file.
    pub command: Vec<String>,
}

/// Limits that the target declares.
#[derive(Debug, Clone, Deserialize)]
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
        if file.control.kind != "command" {
            return Err(Error::Configuration(format!("control.kind `{}` is not `command`", file.control.kind)));
        }
        for name in &file.claims.profiles {
            if Profile::parse(name).is_none() {
                return Err(Error::Configuration(format!("claims.profiles: `{name}` is not a profile")));
            }
        }
        let program = file.control.command.first_mut();
        let program = program.ok_or_else(|| Error::Configuration("control.command is empty".into()))?;
        *program = locate(program, path.parent().unwrap_or(Path::new("."))).display().to_string();
        Ok(file)
    }

    /// Whether the target claims a profile.
    pub fn claims(&self, profile: Profile) -> bool {
        self.claims.profiles.iter().any(|name| Profile::parse(name) == Some(profile))
    }
}

fn locate(program: &str, folder: &Path) -> PathBuf {
    if program.contains('/') {
        return folder.join(program);
    }
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|p| p.join(program)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(program))
}
