//! Tags of one side, in 20 bytes each, and the tags that two sides share.
use super::seen::head;

/// A tag, padded with zeros to 16 bytes, and where it stands. As four words it takes no padding of its own.
#[derive(Debug, Clone, Copy)]
struct Tagged {
    tag: [u32; 4],
    index: u32,
}

impl Tagged {
    fn tag(&self) -> u128 {
        self.tag.iter().fold(0, |tag, word| tag << 32 | u128::from(*word))
    }
}

/// Tags in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Tags(Vec<Tagged>);

/// Tags in their own order.
#[derive(Debug, Default)]
pub(super) struct SortedTags(Vec<Tagged>);

impl Tags {
    /// Adds the next one. A tag has at most 16 bytes: sizes below 2^32 need no more than 13.
    pub(super) fn push(&mut self, tag: &[u8]) {
        let (tag, index) = (head(tag), u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(Tagged { tag: [96, 64, 32, 0].map(|shift| (tag >> shift) as u32), index });
    }

    /// The same tags, sorted.
    pub(super) fn sorted(mut self) -> SortedTags {
        self.0.sort_unstable_by_key(Tagged::tag);
        SortedTags(self.0)
    }
}

impl SortedTags {
    /// Whether no tag is there twice.
    pub(super) fn is_distinct(&self) -> bool {
        self.0.windows(2).all(|pair| pair[0].tag() != pair[1].tag())
    }

    /// Where each common tag stands here and there.
    pub(super) fn common<'a>(&'a self, other: &'a SortedTags) -> impl Iterator<Item = (u32, u32)> + 'a {
        let mut rest = other.0.iter().peekable();
        self.0.iter().filter_map(move |own| {
            while rest.next_if(|tagged| tagged.tag() < own.tag()).is_some() {}
            rest.peek().filter(|tagged| tagged.tag() == own.tag()).map(|tagged| (own.index, tagged.index))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(tags: &[&[u8]]) -> SortedTags {
        let mut all = Tags::default();
        tags.iter().for_each(|tag| all.push(tag));
        all.sorted()
    }

    #[test]
    fn common_tags_are_found_wherever_they_stand() {
        let own = sorted(&[b"tag 9", b"tag 1", b"tag 4", b"tag 7"]);
        let other = sorted(&[b"tag 2", b"tag 7", b"tag 0", b"tag 9", b"tag 8"]);
        let mut common: Vec<_> = own.common(&other).collect();
        common.sort_unstable();
        assert_eq!(common, [(0, 3), (3, 1)]);
        assert_eq!(own.common(&sorted(&[])).count() + sorted(&[]).common(&own).count(), 0);
        assert_eq!(own.common(&own).count(), 4);
    }

    #[test]
    fn tags_differ_in_any_byte() {
        let long = [7u8; 13];
        for byte in 0..13 {
            let mut other = long;
            other[byte] ^= 1;
            assert!(sorted(&[&long, &other]).is_distinct());
            assert_eq!(sorted(&[&long]).common(&sorted(&[&other])).count(), 0);
        }
        assert!(!sorted(&[&long, b"tag", &long]).is_distinct());
        assert_eq!(size_of::<Tagged>(), 20);
    }
}
