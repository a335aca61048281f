//! The choice of kernels.
use crate::kernel::Kernels;

/// Which kernels do the arithmetic. Both make identical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// 64-bit integer instructions of any processor.
    Portable,
    /// AVX-512 with 52-bit multiply-add. On a processor without it, a context falls back to [`Backend::Portable`].
    Ifma,
}

impl Backend {
    /// The fastest backend of this processor.
    pub fn detect() -> Backend {
        match Kernels::new(Backend::Ifma) {
            Kernels::Portable => Backend::Portable,
            #[cfg(target_arch = "x86_64")]
            Kernels::Ifma(_) => Backend::Ifma,
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Portable => "portable",
            Backend::Ifma => "avx512-ifma",
        }
    }
}
