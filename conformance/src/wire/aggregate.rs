//! Messages of aggregation and what its values are on the wire (aggregate sections 3 and 4).

use super::rlwe::words;
use super::vlr::{self, Tensor};

/// PARAMETERS.
pub const PARAMETERS: u16 = 0x0401;
/// ROSTER.
pub const ROSTER: u16 = 0x0402;
/// SHARES.
pub const SHARES: u16 = 0x0403;
/// SHARED.
pub const SHARED: u16 = 0x0404;
/// MASKED_SUM.
pub const MASKED_SUM: u16 = 0x0405;
/// SURVIVORS.
pub const SURVIVORS: u16 = 0x0406;
/// AGREED.
pub const AGREED: u16 = 0x0407;
/// AGREEMENT.
pub const AGREEMENT: u16 = 0x0408;
/// UNMASK.
pub const UNMASK: u16 = 0x0409;

/// Names of these types.
pub const NAMES: [(u16, &str); 9] = [
    (PARAMETERS, "PARAMETERS"),
    (ROSTER, "ROSTER"),
    (SHARES, "SHARES"),
    (SHARED, "SHARED"),
    (MASKED_SUM, "MASKED_SUM"),
    (SURVIVORS, "SURVIVORS"),
    (AGREED, "AGREED"),
    (AGREEMENT, "AGREEMENT"),
    (UNMASK, "UNMASK"),
];

/// Fractional bits of `wide`.
const WIDE: u8 = 40;
/// Bits of the low limb of `wide`.
const LIMB: u32 = 48;

/// One tensor of a plan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Form {
    /// Name.
    pub name: String,
    /// `fixed`, `wide` or `count`.
    pub codec: String,
    /// Clip exponent.
    pub clip: u8,
    /// Dimensions.
    pub shape: Vec<u32>,
}

impl Form {
    /// A form.
    pub fn new(name: &str, codec: &str, clip: u8, shape: &[u32]) -> Form {
        Form { name: name.into(), codec: codec.into(), clip, shape: shape.to_vec() }
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.shape.iter().map(|d| *d as usize).product()
    }

    /// Number of ring elements.
    pub fn width(&self) -> usize {
        self.count() * if self.codec == "wide" { 2 } else { 1 }
    }

    /// Fractional bits among so many participants.
    pub fn scale(&self, participants: usize) -> u8 {
        match self.codec.as_str() {
            "wide" => WIDE,
            "fixed" => {
                let bits = participants.next_power_of_two().trailing_zeros() as u8;
                62u8.saturating_sub(bits).saturating_sub(self.clip).min(40)
            }
            _ => 0,
        }
    }

    fn number(&self) -> u8 {
        match self.codec.as_str() {
            "fixed" => 4,
            "wide" => 5,
            _ => 6,
        }
    }

    /// The ring elements of one value.
    pub fn encode(&self, participants: usize, value: f64) -> Vec<u64> {
        match self.codec.as_str() {
            "wide" => {
                let v = (value * 2f64.powi(i32::from(WIDE))).round() as i128;
                vec![v.rem_euclid(1 << LIMB) as u64, v.div_euclid(1 << LIMB) as u64]
            }
            "fixed" => vec![(value * 2f64.powi(i32::from(self.scale(participants)))).round() as i64 as u64],
            _ => vec![value as u64],
        }
    }

    /// The integer nearest to zero of the ring elements of one value or of a sum.
    pub fn integer(&self, elements: &[u64]) -> i128 {
        let signed = |word: u64| i128::from(word as i64);
        match elements {
            [low, high] => (signed(*high) << LIMB) + signed(*low),
            [only] => signed(*only),
            _ => 0,
        }
    }

    /// The values of this form's ring elements.
    pub fn values(&self, participants: usize, elements: &[u64]) -> Vec<f64> {
        let unit = 2f64.powi(-i32::from(self.scale(participants)));
        elements.chunks(self.width() / self.count().max(1)).map(|e| self.integer(e) as f64 * unit).collect()
    }
}

/// MASKED_SUM or SUM: ring elements in the order of the forms.
pub fn masked(round: u32, participants: usize, forms: &[Form], elements: &[u64]) -> Vec<u8> {
    let mut out = b"HPE1".to_vec();
    out.extend(round.to_be_bytes());
    out.extend((forms.len() as u16).to_be_bytes());
    let mut rest = elements.iter();
    for form in forms {
        out.push(form.name.len() as u8);
        out.extend(form.name.as_bytes());
        out.extend([form.number(), form.scale(participants), form.clip, form.shape.len() as u8]);
        out.extend(form.shape.iter().flat_map(|d| d.to_be_bytes()));
        out.extend(rest.by_ref().take(form.width()).flat_map(|word| word.to_le_bytes()));
    }
    vlr::digested(out)
}

/// Reads MASKED_SUM of a plan: all ring elements.
///
/// # Errors
/// A sentence that says what is not the plan's.
pub fn read_masked(payload: &[u8], round: u32, participants: usize, forms: &[Form]) -> Result<Vec<u64>, String> {
    let mut elements = Vec::new();
    let mut at = 10;
    for form in forms {
        at += 1 + form.name.len() + 4 + 4 * form.shape.len();
        let bytes = payload.get(at..at + 8 * form.width());
        elements.extend(words(bytes.ok_or("AGG-11: MASKED_SUM is shorter than the plan's tensors")?));
        at += 8 * form.width();
    }
    // Its one encoding: what differs from it differs in a header, the round, the digest or the length.
    if masked(round, participants, forms, &elements) == payload {
        Ok(elements)
    } else {
        Err("AGG-11: MASKED_SUM has other tensors, codecs, scales, clips or shapes than the plan".into())
    }
}

/// PARAMETERS: names, shapes and values.
pub fn parameters(round: u32, tensors: &[(&str, Vec<u32>, Vec<f64>)]) -> Vec<u8> {
    let one = |(name, shape, values): &(&str, Vec<u32>, Vec<f64>)| Tensor {
        name: (*name).into(),
        codec: 1,
        scale: 0,
        shape: shape.clone(),
        elements: values.iter().map(|v| v.to_bits()).collect(),
    };
    vlr::envelope(round, &tensors.iter().map(one).collect::<Vec<_>>())
}

/// A list of ranks.
pub fn ranks(list: &[u16]) -> Vec<u8> {
    let mut out = (list.len() as u16).to_be_bytes().to_vec();
    out.extend(list.iter().flat_map(|rank| rank.to_be_bytes()));
    out
}

/// ROSTER or AGREEMENT.
pub fn signatures(list: &[(u16, [u8; 64])]) -> Vec<u8> {
    let mut out = (list.len() as u16).to_be_bytes().to_vec();
    for (rank, signature) in list {
        out.extend(rank.to_be_bytes());
        out.extend(signature);
    }
    out
}

/// What one rank deals another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whom it is for in SHARES, whose it is in SHARED.
    pub rank: u16,
    /// Both shares, sealed.
    pub sealed: [u8; 80],
    /// Commitment to the share of the self-mask.
    pub self_mask: [u8; 32],
    /// Commitment to the share of the mask key.
    pub mask: [u8; 32],
    /// The dealer's signature.
    pub signature: [u8; 64],
}

impl Entry {
    const BYTES: usize = 210;

    fn encode(&self) -> Vec<u8> {
        [&self.rank.to_be_bytes()[..], &self.sealed, &self.self_mask, &self.mask, &self.signature].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Entry> {
        Some(Entry {
            rank: u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?),
            sealed: bytes.get(2..82)?.try_into().ok()?,
            self_mask: bytes.get(82..114)?.try_into().ok()?,
            mask: bytes.get(114..146)?.try_into().ok()?,
            signature: bytes.get(146..210)?.try_into().ok()?,
        })
    }
}

/// SHARED.
pub fn shared(u2: &[u16], entries: &[Entry]) -> Vec<u8> {
    [ranks(u2), listed(entries)].concat()
}

/// SHARES.
pub fn shares(self_mask: &[u8; 32], own: &[u8; 32], entries: &[Entry]) -> Vec<u8> {
    [&self_mask[..], own, &listed(entries)].concat()
}

fn listed(entries: &[Entry]) -> Vec<u8> {
    let mut out = (entries.len() as u16).to_be_bytes().to_vec();
    out.extend(entries.iter().flat_map(Entry::encode));
    out
}

/// Reads SHARES: C, D, entries.
pub fn read_shares(payload: &[u8]) -> Option<([u8; 32], [u8; 32], Vec<Entry>)> {
    let count = u16::from_be_bytes(payload.get(64..66)?.try_into().ok()?) as usize;
    let rest = payload.get(66..).filter(|rest| rest.len() == count * Entry::BYTES)?;
    let entries = rest.chunks(Entry::BYTES).map(Entry::decode).collect::<Option<Vec<_>>>()?;
    Some((payload[..32].try_into().ok()?, payload[32..64].try_into().ok()?, entries))
}

/// Reads UNMASK: ranks, kinds, shares.
pub fn read_unmask(payload: &[u8]) -> Option<Vec<(u16, u8, [u8; 32])>> {
    let (count, rest) = payload.split_first_chunk::<2>()?;
    let whole = rest.len() == 35 * u16::from_be_bytes(*count) as usize;
    let one = |e: &[u8]| Some((u16::from_be_bytes([e[0], e[1]]), e[2], e.get(3..)?.try_into().ok()?));
    if whole { rest.chunks(35).map(one).collect() } else { None }
}
