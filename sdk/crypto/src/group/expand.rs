//! expand_message_xmd with SHA-512 to 64 bytes (RFC 9380, section 5.3.1).
use sha2::{Digest, Sha512};

/// Expands messages under one tag.
pub(super) struct Expander {
    /// A block of zeros stands first in every message; it is hashed once.
    start: Sha512,
    /// The tag and its length.
    tag: Vec<u8>,
}

impl Expander {
    /// `tag` has at most 255 bytes.
    pub(super) fn new(tag: &[u8]) -> Self {
        let length = u8::try_from(tag.len()).unwrap_or(u8::MAX);
        Expander { start: Sha512::new().chain_update([0; 128]), tag: [tag, &[length]].concat() }
    }

    /// 64 uniform bytes of a message.
    pub(super) fn expand(&self, message: &[u8]) -> [u8; 64] {
        let first =
            self.start.clone().chain_update(message).chain_update([0, 64, 0]).chain_update(&self.tag).finalize();
        Sha512::new().chain_update(first).chain_update([1]).chain_update(&self.tag).finalize().into()
    }
}
