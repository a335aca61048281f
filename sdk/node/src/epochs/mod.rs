//! What unbalanced alignment leaves in the state folder (spec/oprf.md): this party's own epochs, one a dataset, and the
//! sets that other parties have published to it.
use crate::{Error, files};
use hefu_core::PartyId;
use hefu_crypto::oprf::OprfKey;
use hefu_crypto::{Seed, sha256};
use hefu_protocol::oprf::{Epoch, PublishedSet, Set};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// First bytes of an own epoch's file: then seed, digest of the keys, their number, tags, order.
const EPOCH_MAGIC: &[u8; 16] = b"hefu/1 epoch\0\0\0\0";
/// First bytes of a kept set's file: then public element, number of keys, tags.
const SET_MAGIC: &[u8; 16] = b"hefu/1 set\0\0\0\0\0\0";
/// Keys that are hashed together in a list's digest.
const PIECE_KEYS: usize = 4096;

/// The folders of epochs and sets.
#[derive(Debug, Clone)]
pub(crate) struct Epochs {
    own: PathBuf,
    held: PathBuf,
}

/// A list of keys in its order, by a digest that never leaves the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyList([u8; 32]);

impl KeyList {
    /// The list of these keys: the digest of the digests of its pieces, so that it takes no memory of its own.
    pub(crate) fn of(keys: &[String]) -> Self {
        let (mut piece, mut digests) = (Vec::new(), Vec::new());
        for keys in keys.chunks(PIECE_KEYS) {
            piece.clear();
            for key in keys {
                piece.extend_from_slice(&(key.len() as u16).to_be_bytes());
                piece.extend_from_slice(key.as_bytes());
            }
            digests.extend_from_slice(&sha256(&[&piece]));
        }
        KeyList(sha256(&[&digests]))
    }
}

impl Epochs {
    /// The folders below a state folder; they are made when something is kept.
    pub(crate) fn new(state: &Path) -> Self {
        Epochs { own: state.join("epochs"), held: state.join("sets") }
    }

    fn own_file(&self, dataset: &str) -> PathBuf {
        self.own.join(format!("{dataset}.epoch"))
    }

    fn held_file(&self, party: &PartyId, dataset: &str) -> PathBuf {
        let name = sha256(&[party.as_str().as_bytes(), &[0], dataset.as_bytes()]);
        self.held.join(format!("{}.set", hex::encode(&name[..16])))
    }

    /// The epoch of a dataset of one's own, where it is of these keys (OPRF-8). Blocks.
    pub(crate) fn load(&self, dataset: &str, keys: KeyList) -> Option<Epoch> {
        let bytes = Zeroizing::new(std::fs::read(self.own_file(dataset)).ok()?);
        let (content, digest) = bytes.split_last_chunk::<32>()?;
        if sha256(&[content]) != *digest {
            return None;
        }
        let (magic, rest) = content.split_first_chunk::<16>()?;
        let (seed, rest) = rest.split_first_chunk::<32>()?;
        let (made_of, rest) = rest.split_first_chunk::<32>()?;
        if magic != EPOCH_MAGIC || *made_of != keys.0 {
            return None;
        }
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let count = u64::from_be_bytes(*count);
        let order = usize::try_from(count.checked_mul(4)?).ok()?;
        let (tags, order) = rest.split_at_checked(rest.len().checked_sub(order)?)?;
        let order = order.chunks_exact(4).map(|own| u32::from_le_bytes([own[0], own[1], own[2], own[3]])).collect();
        Epoch::new(OprfKey::new(&Seed::new(*seed)), Set::from_bytes(count, tags.to_vec())?, order).ok()
    }

    /// Keeps the epoch of a dataset of one's own: its key is that of `seed`. Blocks.
    ///
    /// # Errors
    /// `DISK`.
    ///
    /// # Security
    /// The file holds the evaluation key: readable by the owner only.
    pub(crate) fn keep(&self, dataset: &str, keys: KeyList, seed: &[u8; 32], epoch: &Epoch) -> Result<(), Error> {
        let set = epoch.set();
        let mut bytes = Zeroizing::new(Vec::with_capacity(128 + set.bytes().len() + 4 * epoch.order().len()));
        for piece in [&EPOCH_MAGIC[..], seed, &keys.0, &set.count().to_be_bytes(), set.bytes()] {
            bytes.extend_from_slice(piece);
        }
        bytes.extend(epoch.order().iter().flat_map(|own| own.to_le_bytes()));
        let digest = sha256(&[&bytes]);
        bytes.extend_from_slice(&digest);
        files::create_folder(&self.own)?;
        files::write_private(&self.own_file(dataset), &bytes)
    }

    /// Ends the epoch of a dataset of one's own: the next job begins a new one. Answers whether there was one. Blocks.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) fn end(&self, dataset: &str) -> Result<bool, Error> {
        let path = self.own_file(dataset);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::disk(&path, error)),
        }
    }

    /// The set that another party has last published of a dataset. Blocks.
    ///
    /// Whether it is whole shows when its epoch is compared with the one that the party announces.
    pub(crate) fn held(&self, party: &PartyId, dataset: &str) -> Option<PublishedSet> {
        let bytes = std::fs::read(self.held_file(party, dataset)).ok()?;
        let (magic, rest) = bytes.split_first_chunk::<16>()?;
        let (public, rest) = rest.split_first_chunk::<32>()?;
        let (count, tags) = rest.split_first_chunk::<8>()?;
        let set = Set::from_bytes(u64::from_be_bytes(*count), tags.to_vec())?;
        (magic == SET_MAGIC).then_some(PublishedSet { public: *public, set })
    }

    /// Keeps the set that another party has published of a dataset, in place of an older one. Blocks.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) fn hold(&self, party: &PartyId, dataset: &str, published: &PublishedSet) -> Result<(), Error> {
        let set = &published.set;
        let bytes = [&SET_MAGIC[..], &published.public, &set.count().to_be_bytes(), set.bytes()].concat();
        files::create_folder(&self.held)?;
        files::write_private(&self.held_file(party, dataset), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hefu_core::{Join, Rank, Split};
    use hefu_protocol::align::AlignPlan;
    use hefu_protocol::oprf::{Announcement, Source};
    use hefu_protocol::{Kind, Machine, Message, Next};
    use std::os::unix::fs::PermissionsExt;

    const SEED: [u8; 32] = [7; 32];

    fn keys() -> Vec<String> {
        (0..300).map(|i| format!("E{i}")).collect()
    }

    fn epoch(own_keys: &[String]) -> Epoch {
        let plan = AlignPlan { join: Join::Inner, split: Split::None, max_rows: 1000, min_rows: 0 };
        let key = OprfKey::new(&Seed::new(SEED));
        let (mut machine, mut input) = (Announcement::new(plan, Source::Fresh { key, own_keys }), None);
        loop {
            match machine.step(input.take()).unwrap().next {
                Next::Continue(next) => machine = next,
                Next::Await(next) => {
                    let message = Message { kind: Kind::OprfSize, stage: 1, round: 0, payload: vec![0; 9] };
                    (machine, input) = (next, Some((Rank::INITIATOR, message)));
                }
                Next::Done(announced) => return *announced.epoch,
            }
        }
    }

    // clause: OPRF-8
    #[test]
    fn an_epoch_reads_back_and_is_for_its_keys_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let (epochs, keys) = (Epochs::new(folder.path()), keys());
        let (made, list) = (epoch(&keys), KeyList::of(&keys));
        assert!(epochs.load("tax", list).is_none());
        epochs.keep("tax", list, &SEED, &made).unwrap();
        let read = epochs.load("tax", list).unwrap();
        assert_eq!((read.id(), read.public(), read.order()), (made.id(), made.public(), made.order()));
        assert_eq!(read.set(), made.set());
        let mode = std::fs::metadata(folder.path().join("epochs/tax.epoch")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let mut others = keys.clone();
        others.swap(0, 1);
        assert!(epochs.load("tax", KeyList::of(&others)).is_none(), "another order");
        assert!(epochs.load("power", list).is_none(), "another dataset");
        assert!(epochs.end("tax").unwrap() && !epochs.end("tax").unwrap());
        assert!(epochs.load("tax", list).is_none(), "ended");
    }

    #[test]
    fn a_damaged_file_is_none() {
        let folder = tempfile::TempDir::new().unwrap();
        let (epochs, keys) = (Epochs::new(folder.path()), keys());
        let list = KeyList::of(&keys);
        epochs.keep("tax", list, &SEED, &epoch(&keys)).unwrap();
        let path = folder.path().join("epochs/tax.epoch");
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 20, 60, 90, 100, whole.len() - 40, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert!(epochs.load("tax", list).is_none(), "byte {at}");
        }
        std::fs::write(&path, &whole[..50]).unwrap();
        assert!(epochs.load("tax", list).is_none(), "cut");
    }

    #[test]
    fn the_newest_set_of_a_party_and_dataset_is_held() {
        let folder = tempfile::TempDir::new().unwrap();
        let epochs = Epochs::new(folder.path());
        let [tax, power] = ["lei:TAX", "lei:POWER"].map(|party| PartyId::parse(party).unwrap());
        let published = |keys: &[String]| {
            let epoch = epoch(keys);
            PublishedSet { public: *epoch.public(), set: epoch.set().clone() }
        };
        let (first, second) = (published(&keys()), published(&keys()[1..]));
        epochs.hold(&tax, "a", &first).unwrap();
        assert_eq!(epochs.held(&tax, "a"), Some(first));
        epochs.hold(&tax, "a", &second).unwrap();
        assert_eq!(epochs.held(&tax, "a"), Some(second));
        assert_eq!((epochs.held(&tax, "b"), epochs.held(&power, "a")), (None, None));
    }
}
