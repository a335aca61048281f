//! Who this node is: its signing key, its certificates, its descriptor.
mod certificates;
mod descriptor;

pub(crate) use descriptor::{open as open_descriptor, root as root_of};

use crate::{Error, NodeConfig, files};
use hefu_core::PartyId;
use hefu_crypto::SigningKey;
use hefu_protocol::session::{Descriptor, seal_descriptor};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The files of a state folder that make an identity.
#[derive(Debug, Clone)]
pub(crate) struct IdentityFiles {
    keys: PathBuf,
    /// The party's own descriptor, a signed document.
    pub(crate) descriptor: PathBuf,
}

impl IdentityFiles {
    pub(crate) fn new(state: &Path) -> Self {
        IdentityFiles { keys: state.join("keys"), descriptor: state.join("party.json") }
    }

    fn key(&self, name: &str) -> PathBuf {
        self.keys.join(name)
    }
}

/// A certificate chain, leaf first, with the leaf's key.
///
/// # Security
/// The key is not cloned but into rustls, and not printed.
pub(crate) struct Credentials {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// An identity as loaded from a state folder.
pub(crate) struct Identity {
    pub(crate) party: PartyId,
    pub(crate) signing: Arc<SigningKey>,
    pub(crate) tls: Credentials,
    pub(crate) tls_root: String,
    pub(crate) control: Credentials,
    pub(crate) control_root: CertificateDer<'static>,
}

/// Creates keys and certificates where there are none, and the descriptor; answers the descriptor's path.
pub(crate) fn create(config: &NodeConfig) -> Result<PathBuf, Error> {
    let paths = IdentityFiles::new(&config.files.state);
    if paths.key("signing.key").exists() {
        let identity = Identity::load(config)?;
        write_descriptor(config, &identity.signing, &identity.tls_root, config.listen.interconnect.to_string())?;
        return Ok(paths.descriptor);
    }
    files::create_folder(&paths.keys)?;
    files::create_folder(&config.files.state.join("trust"))?;
    let seed = Zeroizing::new(crate::random::<32>()?);
    let party = certificates::party(&config.party.id)?;
    let control = certificates::control()?;
    for (name, pem) in [
        ("party-ca.pem", &party.root),
        ("tls.pem", &party.leaves[0].certificate),
        ("control-ca.pem", &control.root),
        ("control-server.pem", &control.leaves[0].certificate),
        ("control-client.pem", &control.leaves[1].certificate),
    ] {
        files::write(&paths.key(name), pem.as_bytes())?;
    }
    for (name, pem) in [
        ("party-ca.key", &party.root_key),
        ("tls.key", &party.leaves[0].key),
        ("control-server.key", &control.leaves[0].key),
        ("control-client.key", &control.leaves[1].key),
    ] {
        files::write_private(&paths.key(name), pem.as_bytes())?;
    }
    // Last: its presence says that the identity is whole.
    files::write_private(&paths.key("signing.key"), Zeroizing::new(hex::encode(*seed)).as_bytes())?;
    write_descriptor(config, &SigningKey::from_seed(&seed), &party.root, config.listen.interconnect.to_string())?;
    Ok(paths.descriptor)
}

/// Signs the party's descriptor anew, with the address that others dial, and writes it; answers its bytes.
pub(crate) fn write_descriptor(
    config: &NodeConfig,
    signing: &SigningKey,
    tls_root: &str,
    bound: String,
) -> Result<Vec<u8>, Error> {
    let endpoint = config.listen.endpoint.clone().unwrap_or_else(|| format!("https://{bound}"));
    let descriptor = Descriptor {
        kind: "hefu/party/1".to_owned(),
        party: config.party.id.clone(),
        name: config.party.name.clone(),
        signing_key: signing.public(),
        tls_root: tls_root.to_owned(),
        endpoint,
    };
    let envelope = seal_descriptor(&descriptor, signing);
    files::write(&IdentityFiles::new(&config.files.state).descriptor, &envelope)?;
    Ok(envelope)
}

impl Identity {
    /// Loads the identity that [`create`] wrote.
    pub(crate) fn load(config: &NodeConfig) -> Result<Self, Error> {
        let paths = IdentityFiles::new(&config.files.state);
        let path = paths.key("signing.key");
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::configuration("files.state", format!("{}: {e}; create the keys with: hefu init", path.display()))
        })?;
        let text = Zeroizing::new(text);
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut *seed)
            .map_err(|_| Error::configuration(path.display().to_string(), "64 hexadecimal digits are expected"))?;
        let tls = paths.credentials("tls")?;
        match crate::tls::party_of(&tls.chain[0]) {
            Ok(party) if party == config.party.id => {}
            _ => return Err(Error::configuration("party.id", "the certificate in keys/tls.pem names another party")),
        }
        let root_path = paths.key("party-ca.pem");
        let tls_root = std::fs::read_to_string(&root_path).map_err(|e| Error::disk(&root_path, e))?;
        let control_root = paths.certificates("control-ca.pem")?.remove(0);
        Ok(Identity {
            party: config.party.id.clone(),
            signing: Arc::new(SigningKey::from_seed(&seed)),
            tls,
            tls_root,
            control: paths.credentials("control-server")?,
            control_root,
        })
    }
}

impl IdentityFiles {
    /// One certificate or more.
    fn certificates(&self, name: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        let path = self.key(name);
        let wrong = |e: String| Error::configuration(path.display().to_string(), e);
        let chain: Vec<_> = CertificateDer::pem_file_iter(&path)
            .and_then(Iterator::collect::<Result<_, _>>)
            .map_err(|e| wrong(e.to_string()))?;
        if chain.is_empty() { Err(wrong("no certificate".into())) } else { Ok(chain) }
    }

    fn credentials(&self, name: &str) -> Result<Credentials, Error> {
        let chain = self.certificates(&format!("{name}.pem"))?;
        let path = self.key(&format!("{name}.key"));
        let key = PrivateKeyDer::from_pem_file(&path)
            .map_err(|e| Error::configuration(path.display().to_string(), e.to_string()))?;
        Ok(Credentials { chain, key })
    }
}

impl Clone for Credentials {
    fn clone(&self) -> Self {
        Credentials { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}
