//! The parties that a person has decided to trust: `state/trust/ALIAS.json`, one signed descriptor a file.
use crate::identity::open_descriptor;
use crate::{Error, config, files};
use hefu_core::{Code, Fault, PartyId};
use hefu_protocol::session::Descriptor;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A trusted party under its short name on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustedParty {
    pub(crate) alias: String,
    pub(crate) descriptor: Descriptor,
}

type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

#[derive(Default)]
struct Loaded {
    stamp: Stamp,
    parties: BTreeMap<PartyId, Arc<TrustedParty>>,
}

/// The trust folder; what is in memory follows what is on disk.
pub(crate) struct Trust {
    folder: PathBuf,
    own: Mutex<Option<Arc<TrustedParty>>>,
    loaded: Mutex<Loaded>,
}

impl Trust {
    /// Opens the folder, which need not exist.
    pub(crate) fn open(state: &Path) -> Self {
        Trust { folder: state.join("trust"), own: Mutex::default(), loaded: Mutex::default() }
    }

    /// Adds this node's own party, which no file names.
    pub(crate) fn set_own(&self, alias: String, descriptor: Descriptor) {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(TrustedParty { alias, descriptor }));
    }

    fn own(&self) -> Option<Arc<TrustedParty>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The trusted party of an id, this node's own included.
    pub(crate) fn find(&self, party: &PartyId) -> Option<Arc<TrustedParty>> {
        if let Some(own) = self.own().filter(|own| own.descriptor.party == *party) {
            return Some(own);
        }
        self.with_loaded(|parties| parties.get(party).cloned())
    }

    /// The same.
    ///
    /// # Errors
    /// `UNKNOWN_PARTY`.
    pub(crate) fn require(&self, party: &PartyId) -> Result<Arc<TrustedParty>, Fault> {
        self.find(party).ok_or_else(|| Fault::new(Code::UnknownParty).by(party))
    }

    /// The trusted party of a short name or an id, this node's own excepted.
    pub(crate) fn resolve(&self, name: &str) -> Option<Arc<TrustedParty>> {
        self.with_loaded(|parties| {
            parties.values().find(|p| p.alias == name || p.descriptor.party.as_str() == name).cloned()
        })
    }

    /// All trusted parties, this node's own first.
    pub(crate) fn list(&self) -> Vec<Arc<TrustedParty>> {
        let mut parties: Vec<_> = self.own().into_iter().collect();
        parties.extend(self.with_loaded(|parties| parties.values().cloned().collect::<Vec<_>>()));
        parties
    }

    /// The short name of a party, or its id where none is known.
    pub(crate) fn alias(&self, party: &PartyId) -> String {
        self.find(party).map_or_else(|| party.to_string(), |p| p.alias.clone())
    }

    /// Trusts a descriptor under a short name; one of the same party is replaced. An empty name is the one that the
    /// party has, or else the value part of its id.
    ///
    /// # Errors
    /// Those of [`open_descriptor`]; `CONFIGURATION` for an alias that is no word or names another party, and for a
    /// party that has another alias, unless it is to be renamed; `DISK`.
    pub(crate) fn add(&self, envelope: &[u8], alias: &str, rename: bool) -> Result<Arc<TrustedParty>, Error> {
        let descriptor = open_descriptor(envelope)?;
        let before = self.find(&descriptor.party);
        let alias = match (alias, &before) {
            ("", Some(before)) => before.alias.clone(),
            ("", None) => config::default_alias(&descriptor.party),
            (alias, _) => alias.to_owned(),
        };
        if !config::is_word(&alias) {
            return Err(Error::configuration("alias", "1 to 64 letters, digits, - and _ are expected"));
        }
        let is_own = |own: &TrustedParty| own.alias == alias || own.descriptor.party == descriptor.party;
        if self.own().is_some_and(|own| is_own(&own)) {
            return Err(Error::configuration("alias", "it is this node's own"));
        }
        if self.resolve(&alias).is_some_and(|other| other.descriptor.party != descriptor.party) {
            return Err(Error::configuration("alias", "it names another trusted party"));
        }
        if let Some(before) = before.as_ref().filter(|before| before.alias != alias && !rename) {
            let cause = format!("the party is trusted as {}; --rename gives it another short name", before.alias);
            return Err(Error::configuration("alias", cause));
        }
        files::create_folder(&self.folder)?;
        files::write(&self.file(&alias), envelope)?;
        if let Some(before) = before.filter(|before| before.alias != alias) {
            let path = self.file(&before.alias);
            std::fs::remove_file(&path).map_err(|e| Error::disk(&path, e))?;
        }
        Ok(Arc::new(TrustedParty { alias, descriptor }))
    }

    fn file(&self, alias: &str) -> PathBuf {
        self.folder.join(format!("{alias}.json"))
    }

    fn with_loaded<T>(&self, read: impl FnOnce(&BTreeMap<PartyId, Arc<TrustedParty>>) -> T) -> T {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.stamp();
        if loaded.stamp != stamp {
            let parties = stamp.iter().filter_map(|(path, ..)| load(path)).map(|p| (p.descriptor.party.clone(), p));
            *loaded = Loaded { parties: parties.collect(), stamp };
        }
        read(&loaded.parties)
    }

    /// Names, times and sizes of the folder's files: it changes when a file does.
    fn stamp(&self) -> Stamp {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let files = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "json"));
        let mut stamp: Stamp = files
            .map(|path| {
                let data = std::fs::metadata(&path).ok();
                let length = data.as_ref().map_or(0, std::fs::Metadata::len);
                (path, data.and_then(|d| d.modified().ok()), length)
            })
            .collect();
        stamp.sort();
        stamp
    }
}

/// A file that holds no valid descriptor trusts nobody.
fn load(path: &Path) -> Option<Arc<TrustedParty>> {
    let descriptor = open_descriptor(&std::fs::read(path).ok()?).ok()?;
    let alias = path.file_stem()?.to_str()?.to_owned();
    Some(Arc::new(TrustedParty { alias, descriptor }))
}
