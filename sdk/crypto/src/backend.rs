//! The choice of kernels of the group.
#[cfg(target_arch = "x86_64")]
use crate::kernel::Found;

/// Which kernels work on batches of group elements. Both make identical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// curve25519-dalek, one element after the other; it chooses its own instructions.
    Portable,
    /// AVX-512 with 52-bit multiply-add, eight elements at once. On a processor without it, [`Backend::Portable`]
    /// stands in.
    Ifma,
}

impl Backend {
    /// The fastest backend of this processor.
    pub fn detect() -> Backend {
        #[cfg(target_arch = "x86_64")]
        if Found::detect().is_some() {
            return Backend::Ifma;
        }
        Backend::Portable
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Portable => "portable",
            Backend::Ifma => "avx512-ifma",
        }
    }
}
