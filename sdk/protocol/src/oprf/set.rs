//! The set of an epoch: truncated outputs of the function in ascending order (spec/oprf.md, section 2).
use crate::Error;
use hefu_core::Code;
use hefu_crypto::oprf::{OUTPUT_BYTES, OprfKey};
use hefu_crypto::{ELEMENT_BYTES, sha256};

/// Most bytes of a tag: w for 2^32 keys.
const MOST_TAG_BYTES: usize = 13;

/// A tag that is filled up with zeros: tags of one width keep their order.
pub(super) type Tag = [u8; 16];

/// Bytes of a tag in a set of m keys, w of section 2.
pub(super) fn tag_bytes(m: u64) -> usize {
    let bits = u64::BITS - m.leading_zeros();
    (72 + bits).div_ceil(8).max(10) as usize
}

/// The tag of an output.
pub(super) fn tag(output: &[u8; OUTPUT_BYTES], width: usize) -> Tag {
    let mut tag = [0; 16];
    let width = width.min(MOST_TAG_BYTES);
    tag[..width].copy_from_slice(&output[..width]);
    tag
}

/// The tags of all keys of an epoch, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    width: usize,
    /// One after the other.
    tags: Vec<u8>,
}

impl Set {
    /// A set of `count` keys from its bytes, as a party kept them; `None` where they are of another length or do not
    /// ascend.
    pub fn from_bytes(count: u64, tags: Vec<u8>) -> Option<Set> {
        let width = tag_bytes(count);
        let is_whole = count.checked_mul(width as u64) == Some(tags.len() as u64);
        let set = Set { width, tags };
        let ascends = || set.tags.chunks_exact(width).is_sorted_by(|a, b| a < b);
        if is_whole && ascends() { Some(set) } else { None }
    }

    /// An empty set that is to hold `count` keys.
    pub(super) fn with_capacity(count: u64) -> Set {
        Set { width: tag_bytes(count), tags: Vec::new() }
    }

    /// Number of keys.
    pub fn count(&self) -> u64 {
        (self.tags.len() / self.width) as u64
    }

    /// Bytes of a tag.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All tags, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.tags
    }

    /// Adds tags; answers whether and how they break the order (OPRF-2).
    pub(super) fn extend(&mut self, tags: &[u8]) -> Result<(), Code> {
        let mut last = self.tags.len().checked_sub(self.width).map(|at| &self.tags[at..]);
        for tag in tags.chunks_exact(self.width) {
            match last.map(|last| tag.cmp(last)) {
                Some(std::cmp::Ordering::Equal) => return Err(Code::DuplicateElement),
                Some(std::cmp::Ordering::Less) => return Err(Code::MalformedMessage),
                _ => last = Some(tag),
            }
        }
        self.tags.extend_from_slice(tags);
        Ok(())
    }

    /// The index of a tag.
    pub(super) fn position(&self, tag: &Tag) -> Option<u32> {
        let (wanted, mut low, mut high) = (&tag[..self.width], 0, self.tags.len() / self.width);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = &self.tags[middle * self.width..(middle + 1) * self.width];
            match found.cmp(wanted) {
                std::cmp::Ordering::Equal => return u32::try_from(middle).ok(),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The id of the epoch of this set and a public element.
    pub fn epoch(&self, public: &[u8; ELEMENT_BYTES]) -> [u8; 32] {
        sha256(&[b"hefu/1 oprf epoch", public, &self.count().to_be_bytes(), &self.tags])
    }
}

/// An epoch at the collaborator that owns it.
///
/// # Security
/// Holds the evaluation key: redacted, not cloned.
#[derive(Debug)]
pub struct Epoch {
    pub(super) key: OprfKey,
    public: [u8; ELEMENT_BYTES],
    id: [u8; 32],
    set: Set,
    /// Position in the set → own key.
    order: Vec<u32>,
}

impl Epoch {
    /// An epoch as its party kept it: `order` holds the own key at each position of the set.
    ///
    /// # Errors
    /// `INTERNAL` where the order is not one of so many keys.
    pub fn new(key: OprfKey, set: Set, order: Vec<u32>) -> Result<Self, Error> {
        let mut taken = vec![false; order.len()];
        for key in &order {
            match taken.get_mut(*key as usize) {
                Some(taken) if !*taken => *taken = true,
                _ => return Err(broken()),
            }
        }
        if order.len() as u64 != set.count() {
            return Err(broken());
        }
        let public = key.public().map_err(|_| broken())?;
        Ok(Epoch { id: set.epoch(&public), key, public, set, order })
    }

    /// An epoch of fresh evaluations: the tag of every own key.
    pub(super) fn of_tags(key: OprfKey, mut tags: Vec<(Tag, u32)>, width: usize) -> Result<Self, Error> {
        tags.sort_unstable();
        let mut set = Set { width, tags: Vec::with_capacity(tags.len() * width) };
        for (tag, _) in &tags {
            set.tags.extend_from_slice(&tag[..width]);
        }
        if !set.tags.chunks_exact(width).is_sorted_by(|a, b| a < b) {
            return Err(Error::job(Code::Internal, "", "two keys have one tag: the list has a key twice"));
        }
        Self::new(key, set, tags.into_iter().map(|(_, own)| own).collect())
    }

    /// Its id.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Its public element.
    pub fn public(&self) -> &[u8; ELEMENT_BYTES] {
        &self.public
    }

    /// What is published of it.
    pub fn set(&self) -> &Set {
        &self.set
    }

    /// The own key at each position of the set.
    pub fn order(&self) -> &[u32] {
        &self.order
    }
}

fn broken() -> Error {
    Error::job(Code::Internal, "", "a kept epoch is not whole")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hefu_crypto::Seed;

    #[test]
    fn widths_follow_the_number_of_keys() {
        let widths: Vec<usize> = [0, 1, 255, 256, 65_535, 65_536, (1 << 24) - 1, 1 << 24, u64::from(u32::MAX)]
            .iter()
            .map(|m| tag_bytes(*m))
            .collect();
        assert_eq!(widths, [10, 10, 10, 11, 11, 12, 12, 13, 13]);
    }

    #[test]
    fn positions_are_found_at_every_place_and_only_there() {
        let tags: Vec<u8> = (0..300u32).flat_map(|i| [&(2 * i + 1).to_be_bytes()[..], &[0; 7]].concat()).collect();
        let set = Set::from_bytes(300, tags).unwrap();
        for i in 0..601u32 {
            let mut tag = [0; 16];
            tag[..4].copy_from_slice(&i.to_be_bytes());
            assert_eq!(set.position(&tag), (i % 2 == 1).then_some(i / 2));
        }
        assert_eq!(Set::from_bytes(0, Vec::new()).unwrap().position(&[0; 16]), None);
    }

    #[test]
    fn kept_bytes_are_checked() {
        let two = [[1; 10], [2; 10]].concat();
        assert!(Set::from_bytes(2, two.clone()).is_some());
        assert!(Set::from_bytes(3, two.clone()).is_none(), "length");
        assert!(Set::from_bytes(u64::MAX, two).is_none(), "overflow");
        assert!(Set::from_bytes(2, [2; 20].to_vec()).is_none(), "equal");
        let set = || Set::from_bytes(2, [[1; 10], [2; 10]].concat()).unwrap();
        let key = || OprfKey::new(&Seed::new([1; 32]));
        assert!(Epoch::new(key(), set(), vec![1, 0]).is_ok());
        for order in [vec![0], vec![0, 0], vec![0, 2]] {
            assert!(Epoch::new(key(), set(), order).is_err());
        }
    }
}
