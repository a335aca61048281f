//! Identities: parties, sessions, jobs, models, ranks.
use serde::{Deserialize, Serialize};
use std::fmt;

/// The alphabet of GB 32100-2015: 31 characters, values 0 to 30.
const USCC_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// The value of each character; 255 where it is not of the alphabet.
const USCC_VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut i = 0;
    while i < USCC_ALPHABET.len() {
        values[USCC_ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};
/// 3^i mod 31 for the first 17 characters.
const USCC_WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// A legal entity, `scheme:value` (spec/conventions.md, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartyId(String);

/// A party id or enterprise code that is not valid (CONV-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a party id or enterprise code is not valid")]
pub struct BadPartyId;

impl PartyId {
    /// Parses `scheme:value`; a `uscc` value must have a valid check character.
    ///
    /// # Errors
    /// `BadPartyId`.
    pub fn parse(text: &str) -> Result<Self, BadPartyId> {
        let (scheme, value) = text.split_once(':').ok_or(BadPartyId)?;
        let word =
            |s: &str| !s.is_empty() && s.len() <= 64 && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !word(scheme) || !word(value) || (scheme == "uscc" && !uscc_is_valid(value)) {
            return Err(BadPartyId);
        }
        Ok(PartyId(text.to_owned()))
    }

    /// `scheme:value`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URI subject alternative name of the party's certificates.
    pub fn urn(&self) -> String {
        format!("urn:hefu:party:{}", self.0)
    }
}

impl TryFrom<String> for PartyId {
    type Error = BadPartyId;
    fn try_from(text: String) -> Result<Self, BadPartyId> {
        PartyId::parse(&text)
    }
}

impl From<PartyId> for String {
    fn from(id: PartyId) -> String {
        id.0
    }
}

impl fmt::Display for PartyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an 18-character code has a valid alphabet and check character (GB 32100-2015).
pub fn uscc_is_valid(code: &str) -> bool {
    let bytes = code.as_bytes();
    let value = |b: u8| Some(USCC_VALUES[usize::from(b)]).filter(|v| *v != u8::MAX).map(u32::from);
    let (Some(head), Some(last), 18) = (bytes.get(..17), bytes.last(), bytes.len()) else {
        return false;
    };
    let mut sum = 0;
    for (b, weight) in head.iter().zip(USCC_WEIGHTS) {
        let Some(v) = value(*b) else { return false };
        sum += v * weight;
    }
    value(*last) == Some((31 - sum % 31) % 31)
}

/// Trimmed of white space, full width (U+FF01 to U+FF5E) to half width, ASCII letters to upper case; `None` where the
/// check character fails (spec/align.md, section 1).
pub fn normalise_uscc(text: &str) -> Option<String> {
    let narrow = |c: char| match u32::from(c) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let code: String = text.trim().chars().map(|c| narrow(c).to_ascii_uppercase()).collect();
    uscc_is_valid(&code).then_some(code)
}

/// A small number inside one session; 0 is the initiator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(pub u16);

impl Rank {
    /// The initiator: rank 0.
    pub const INITIATOR: Rank = Rank(0);
    /// The designated collaborator: rank 1.
    pub const DESIGNATED: Rank = Rank(1);

    /// The rank as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Parses 32 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
                    return None;
                }
                u128::from_str_radix(text, 16).ok().map(|v| $name(v.to_be_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                $name::parse(&text).ok_or("expected 32 lower-case hexadecimal digits")
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

id16!(
    /// One session: 16 random bytes, hex in text.
    SessionId
);
id16!(
    /// One job: 16 random bytes, hex in text.
    JobId
);
id16!(
    /// One joint model: 16 random bytes, hex in text.
    ModelId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uscc_check_characters() {
        for good in ["91350100M000100Y43", "91440300192185379H", "91440300YY00001320"] {
            assert!(uscc_is_valid(good), "{good}");
        }
        for bad in ["91350100M000100Y44", "91440300YY0000132O", "9144", "91440300YY000013200"] {
            assert!(!uscc_is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn uscc_is_normalised_not_guessed() {
        assert_eq!(normalise_uscc(" 91440300yy00001320"), Some("91440300YY00001320".to_owned()));
        assert_eq!(normalise_uscc("91440300YY00001320"), Some("91440300YY00001320".to_owned()));
        assert_eq!(normalise_uscc("9I440300YY00001320"), None);
    }

    #[test]
    fn party_ids() {
        assert!(PartyId::parse("uscc:91440300YY00001320").is_ok());
        assert!(PartyId::parse("lei:529900YY000SYNTH0017").is_ok());
        for bad in ["bank", "uscc:91440300YY00001321", ":x", "x:", "a:b c"] {
            assert_eq!(PartyId::parse(bad), Err(BadPartyId), "{bad}");
        }
    }

    #[test]
    fn ids_round_trip() {
        let id = JobId([7; 16]);
        assert_eq!(JobId::parse(&id.to_string()), Some(id));
        assert_eq!(JobId::parse("07"), None);
    }
}
