//! The parameter envelope (spec/envelope.md).
use crate::Error;
use crate::error::Blame;
use hefu_core::{Code, Rank, Reader, Writer};
use hefu_crypto::sha256;

const MAGIC: &[u8; 4] = b"HPE1";
const DIGEST_BYTES: usize = 32;
/// Largest number of elements of a tensor (ENV-2).
const MAX_ELEMENTS: u64 = 1 << 27;

/// Elements of a tensor, by codec.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// Codec 1: binary64, finite.
    F64(Vec<f64>),
    /// Codec 2: integers modulo 2^64; value = integer / 2^scale.
    Fixed {
        /// Fractional bits.
        scale: u8,
        /// Two's complement.
        values: Vec<u64>,
    },
    /// Codec 3: unsigned 32-bit integers.
    U32(Vec<u32>),
}

impl Elements {
    fn len(&self) -> usize {
        match self {
            Elements::F64(values) => values.len(),
            Elements::Fixed { values, .. } => values.len(),
            Elements::U32(values) => values.len(),
        }
    }
}

/// A named vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// 1 to 64 of `[a-z0-9_.]`.
    pub name: &'static str,
    /// Its elements; the shape is their number.
    pub elements: Elements,
}

/// Encodes vectors of one round.
pub fn encode(round: u32, tensors: &[Tensor]) -> Vec<u8> {
    let count = u16::try_from(tensors.len()).unwrap_or(u16::MAX);
    let mut writer = Writer::new().bytes(MAGIC).u32(round).u16(count);
    for tensor in tensors {
        let dimension = u32::try_from(tensor.elements.len()).unwrap_or(u32::MAX);
        let name = tensor.name.as_bytes();
        writer = writer.u8(u8::try_from(name.len()).unwrap_or(u8::MAX)).bytes(name);
        writer = match &tensor.elements {
            Elements::F64(values) => {
                let head = writer.u8(1).u8(0).u8(1).u32(dimension);
                values.iter().fold(head, |w, v| w.f64(*v))
            }
            Elements::Fixed { scale, values } => writer.u8(2).u8(*scale).u8(1).u32(dimension).u64s_le(values),
            Elements::U32(values) => {
                let head = writer.u8(3).u8(0).u8(1).u32(dimension);
                values.iter().fold(head, |w, v| w.u32(*v))
            }
        };
    }
    let bytes = writer.finish();
    let digest = sha256(&[&bytes]);
    Writer::with_capacity(bytes.len() + DIGEST_BYTES).bytes(&bytes).bytes(&digest).finish()
}

/// Decodes the envelope of `round` from `rank`; `expected` lists the names, in order, each a vector.
///
/// # Errors
/// ENV-1 to ENV-4 and CONV-1, CONV-2, by the rank's fault.
pub fn decode(bytes: &[u8], round: u32, rank: Rank, expected: &[&'static str]) -> Result<Vec<Tensor>, Error> {
    let (body, digest) = bytes
        .len()
        .checked_sub(DIGEST_BYTES)
        .and_then(|cut| bytes.split_at_checked(cut))
        .ok_or(Error::malformed(rank))?;
    if sha256(&[body]) != digest {
        return Err(Error::peer(rank, Code::BadDigest, "ENV-1", "an envelope's digest does not match"));
    }
    let mut reader = Reader::new(body);
    if reader.array::<4>().blame(rank)? != *MAGIC {
        return Err(Error::malformed(rank));
    }
    if reader.u32().blame(rank)? != round {
        return Err(Error::peer(rank, Code::StaleRound, "ENV-4", "an envelope belongs to another round"));
    }
    let shape = Error::peer(rank, Code::ShapeMismatch, "ENV-3", "an envelope has other names or shapes");
    let count = usize::from(reader.u16().blame(rank)?);
    let mut tensors = Vec::with_capacity(expected.len());
    for index in 0..count {
        let (name, elements) = decode_tensor(&mut reader, rank, &shape)?;
        match expected.get(index) {
            Some(wanted) if wanted.as_bytes() == name => tensors.push(Tensor { name: wanted, elements }),
            _ => return Err(shape),
        }
    }
    reader.end().blame(rank)?;
    if tensors.len() == expected.len() { Ok(tensors) } else { Err(shape) }
}

fn decode_tensor<'a>(reader: &mut Reader<'a>, rank: Rank, shape: &Error) -> Result<(&'a [u8], Elements), Error> {
    let refuse = || Error::peer(rank, Code::MalformedMessage, "ENV-2", "a tensor does not have its format");
    let length = usize::from(reader.u8().blame(rank)?);
    let name = reader.bytes(length).blame(rank)?;
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_' || *b == b'.';
    if name.is_empty() || name.len() > 64 || !name.iter().all(allowed) {
        return Err(refuse());
    }
    let (codec, scale, dimensions) = (reader.u8().blame(rank)?, reader.u8().blame(rank)?, reader.u8().blame(rank)?);
    if !(1..=3).contains(&codec) || dimensions > 4 || (codec != 2 && scale != 0) {
        return Err(refuse());
    }
    let mut count = 1u64;
    for _ in 0..dimensions {
        count = count.saturating_mul(u64::from(reader.u32().blame(rank)?));
    }
    if count > MAX_ELEMENTS {
        return Err(refuse());
    }
    if dimensions != 1 {
        return Err(shape.clone());
    }
    let count = usize::try_from(count).map_err(|_| refuse())?;
    let elements = match codec {
        1 => {
            let mut values = Reader::new(reader.bytes(8 * count).blame(rank)?);
            Elements::F64((0..count).map(|_| values.f64()).collect::<Result<_, _>>().blame(rank)?)
        }
        2 => {
            Elements::Fixed { scale, values: Reader::new(reader.bytes(8 * count).blame(rank)?).u64s_le().blame(rank)? }
        }
        _ => {
            let mut values = Reader::new(reader.bytes(4 * count).blame(rank)?);
            Elements::U32((0..count).map(|_| values.u32()).collect::<Result<_, _>>().blame(rank)?)
        }
    };
    Ok((name, elements))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Tensor> {
        vec![
            Tensor { name: "points", elements: Elements::F64(vec![0.5, -1.0]) },
            Tensor { name: "gram", elements: Elements::Fixed { scale: 50, values: vec![u64::MAX] } },
            Tensor { name: "flags", elements: Elements::U32(vec![]) },
        ]
    }

    fn code(bytes: &[u8], names: &[&'static str]) -> Code {
        decode(bytes, 3, Rank(1), names).unwrap_err().code()
    }

    fn sealed(body: &[u8]) -> Vec<u8> {
        [body, &sha256(&[body])].concat()
    }

    const NAMES: [&str; 3] = ["points", "gram", "flags"];

    #[test]
    fn envelopes_read_back() {
        let bytes = encode(3, &sample());
        assert_eq!(decode(&bytes, 3, Rank(1), &NAMES), Ok(sample()));
    }

    // clause: ENV-1, ENV-2, ENV-3, ENV-4
    #[test]
    fn each_fault_has_its_code() {
        let bytes = encode(3, &sample());
        let mut flipped = bytes.clone();
        flipped[20] ^= 1;
        assert_eq!(code(&flipped, &NAMES), Code::BadDigest);
        assert_eq!(code(&bytes[..10], &NAMES), Code::MalformedMessage);
        assert_eq!(code(&bytes, &NAMES[..2]), Code::ShapeMismatch);
        assert_eq!(code(&bytes, &["points", "other", "flags"]), Code::ShapeMismatch);
        assert_eq!(decode(&bytes, 4, Rank(1), &NAMES).unwrap_err().code(), Code::StaleRound);
        let body = &bytes[..bytes.len() - 32];
        assert_eq!(code(&sealed(&[body, &[0]].concat()), &NAMES), Code::MalformedMessage);
        let mut codec = body.to_vec();
        codec[17] = 9;
        assert_eq!(code(&sealed(&codec), &NAMES), Code::MalformedMessage);
        let nan = encode(3, &[Tensor { name: "points", elements: Elements::F64(vec![f64::NAN]) }]);
        assert_eq!(code(&nan, &["points"]), Code::MalformedMessage);
    }
}
