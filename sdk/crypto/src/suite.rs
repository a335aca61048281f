//! Suites by registry number (`spec/registry/suites.json`).

/// A cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Suite {
    /// X25519, Ed25519, SHA-256, AES-256-GCM, AES-128-CTR, ristretto255.
    Intl = 1,
}

impl Suite {
    /// The registry's order of preference, of the suites that work here.
    pub const PREFERENCE: &'static [Suite] = &[Suite::Intl];

    /// The registry number.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The first of the preference order that both sides list (SESS-5).
    pub fn select(ours: &[u16], theirs: &[u16]) -> Option<Suite> {
        Self::PREFERENCE.iter().copied().find(|s| ours.contains(&s.number()) && theirs.contains(&s.number()))
    }
}
