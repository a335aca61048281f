//! The one source of randomness below the node: a secret seed, divided by labels.
use crate::{Stream, expand};
use std::fmt;
use zeroize::ZeroizeOnDrop;

/// 32 secret bytes from which every random choice of a job is derived.
///
/// A step that is repeated with the same seed and label makes the same bytes, so a driver can send it again.
///
/// # Security
/// Never printed, never copied, wiped on drop. A label and context are used once.
#[derive(ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of 32 uniform bytes from the system's generator.
    pub fn new(bytes: [u8; 32]) -> Self {
        Seed(bytes)
    }

    /// 32 bytes for one use.
    pub fn bytes32(&self, label: &str, context: &[u8]) -> [u8; 32] {
        expand(&self.0, &[b"hefu/1 seed ", label.as_bytes(), &[0], context])
    }

    /// 64 bytes for one use.
    pub fn bytes64(&self, label: &str, context: &[u8]) -> [u8; 64] {
        expand(&self.0, &[b"hefu/1 seed ", label.as_bytes(), &[0], context])
    }

    /// A seed for one part of the work.
    pub fn derive(&self, label: &str, context: &[u8]) -> Seed {
        Seed(self.bytes32(label, context))
    }

    /// A stream for one use.
    pub fn stream(&self, label: &str, context: &[u8]) -> Stream {
        Stream::new(expand(&self.0, &[b"hefu/1 stream ", label.as_bytes(), &[0], context]))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_divide() {
        let seed = Seed::new([1; 32]);
        assert_eq!(seed.stream("a", &[1]).u64(), seed.stream("a", &[1]).u64());
        assert_ne!(seed.stream("a", &[1]).u64(), seed.stream("a", &[2]).u64());
        assert_ne!(seed.bytes32("a", &[]), seed.bytes32("b", &[]));
        assert_eq!(format!("{seed:?}"), "Seed(…)");
    }
}
