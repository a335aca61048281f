//! Suites by registry number (`spec/registry/suites.json`).

/// A cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Suite {
    /// X25519, Ed25519, SHA-256, AES-256-GCM, AES-128-CTR, ristretto255.
    Intl = 1,
}

/// The registry's order of preference, suites included that do not work here.
const REGISTERED: [u16; 2] = [1, 2];

impl Suite {
    /// The suites that work here, in the registry's order of preference.
    pub const PREFERENCE: &'static [Suite] = &[Suite::Intl];

    /// The registry number.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The suite of a registry number, if it works here.
    pub fn from_number(number: u16) -> Option<Suite> {
        Self::PREFERENCE.iter().copied().find(|suite| suite.number() == number)
    }

    /// The number of the registry's preference order that comes first of those that both sides list (SESS-5).
    pub fn select(ours: &[u16], theirs: &[u16]) -> Option<u16> {
        REGISTERED.into_iter().find(|number| ours.contains(number) && theirs.contains(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_registry() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/registry/suites.json");
        let registry: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(registry["preference"], serde_json::json!(REGISTERED));
        assert_eq!(Suite::from_number(1), Some(Suite::Intl));
        assert_eq!(Suite::from_number(2), None);
    }
}
