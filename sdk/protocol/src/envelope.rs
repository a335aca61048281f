//! The parameter envelope (spec/envelope.md).
use crate::Error;
use crate::error::Blame;
use hefu_core::{Code, Rank, Reader, Writer};
use hefu_crypto::sha256;

const MAGIC: &[u8; 4] = b"HPE1";
const DIGEST_BYTES: usize = 32;
/// Largest number of elements of a tensor (ENV-2).
const MAX_ELEMENTS: u64 = 1 << 27;

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Codec 1: binary64, finite.
    F64,
    /// Codec 2: integers modulo 2^64 of this scale; value = integer / 2^scale.
    Fixed(u8),
    /// Codec 3: unsigned 32-bit integers.
    U32,
}

impl Codec {
    /// Number and scale.
    fn head(self) -> (u8, u8) {
        match self {
            Codec::F64 => (1, 0),
            Codec::Fixed(scale) => (2, scale),
            Codec::U32 => (3, 0),
        }
    }

    fn from_head(number: u8, scale: u8) -> Option<Codec> {
        match (number, scale) {
            (1, 0) => Some(Codec::F64),
            (2, scale) => Some(Codec::Fixed(scale)),
            (3, 0) => Some(Codec::U32),
            _ => None,
        }
    }
}

/// What a message's format says of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<'a> {
    /// 1 to 64 of `[a-z0-9_.]`.
    pub name: &'a str,
    /// How its elements are written.
    pub codec: Codec,
    /// Its dimensions, at most four; none: one element.
    pub shape: &'a [u32],
}

impl<'a> Form<'a> {
    /// A tensor of a format.
    pub fn new(name: &'a str, codec: Codec, shape: &'a [u32]) -> Self {
        Form { name, codec, shape }
    }
}

/// Elements of a tensor, by codec.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// Codec 1.
    F64(Vec<f64>),
    /// Codec 2: two's complement.
    Fixed(Vec<u64>),
    /// Codec 3.
    U32(Vec<u32>),
}

/// Encodes tensors of one round; elements are as many as their form says, and of its codec.
pub fn encode(round: u32, tensors: &[(Form<'_>, Elements)]) -> Vec<u8> {
    let count = u16::try_from(tensors.len()).unwrap_or(u16::MAX);
    let mut writer = Writer::new().bytes(MAGIC).u32(round).u16(count);
    for (form, elements) in tensors {
        let (codec, scale) = form.codec.head();
        let (name, rank) = (form.name.as_bytes(), form.shape.len());
        writer = writer.u8(u8::try_from(name.len()).unwrap_or(u8::MAX)).bytes(name).u8(codec).u8(scale);
        writer = writer.u8(u8::try_from(rank).unwrap_or(u8::MAX));
        writer = form.shape.iter().fold(writer, |w, dimension| w.u32(*dimension));
        writer = match elements {
            Elements::F64(values) => values.iter().fold(writer, |w, v| w.f64(*v)),
            Elements::Fixed(values) => writer.u64s_le(values),
            Elements::U32(values) => values.iter().fold(writer, |w, v| w.u32(*v)),
        };
    }
    let bytes = writer.finish();
    let digest = sha256(&[&bytes]);
    Writer::with_capacity(bytes.len() + DIGEST_BYTES).bytes(&bytes).bytes(&digest).finish()
}

/// Decodes the envelope of `round` from `rank`: the elements of the tensors that `expected` lists, in its order.
///
/// # Errors
/// ENV-1 to ENV-4 and CONV-1, CONV-2, by the rank's fault.
pub fn decode(bytes: &[u8], round: u32, rank: Rank, expected: &[Form<'_>]) -> Result<Vec<Elements>, Error> {
    if bytes.first_chunk() != Some(MAGIC) {
        return Err(Error::malformed(rank));
    }
    let cut = bytes.len().checked_sub(DIGEST_BYTES).filter(|cut| *cut >= MAGIC.len()).ok_or(Error::malformed(rank))?;
    let (body, digest) = bytes.split_at(cut);
    if sha256(&[body]) != digest {
        return Err(Error::peer(rank, Code::BadDigest, "ENV-1", "an envelope's digest does not match"));
    }
    let mut reader = Reader::new(&body[MAGIC.len()..]);
    if reader.u32().blame(rank)? != round {
        return Err(Error::peer(rank, Code::StaleRound, "ENV-4", "an envelope belongs to another round"));
    }
    let shape = Error::peer(rank, Code::ShapeMismatch, "ENV-3", "an envelope has other names or shapes");
    let count = usize::from(reader.u16().blame(rank)?);
    let (mut names, mut tensors) = (Vec::new(), Vec::with_capacity(expected.len()));
    for index in 0..count {
        let (name, codec, dimensions) = read_form(&mut reader, rank)?;
        if names.contains(&name) {
            return Err(ill_formed(rank));
        }
        names.push(name);
        // What is not expected is refused before anything is allocated for it.
        let wanted = expected
            .get(index)
            .filter(|form| form.name.as_bytes() == name && form.codec == codec && form.shape == dimensions);
        tensors.push(read_elements(&mut reader, rank, wanted.ok_or(shape.clone())?)?);
    }
    reader.end().blame(rank)?;
    if tensors.len() == expected.len() { Ok(tensors) } else { Err(shape) }
}

fn ill_formed(rank: Rank) -> Error {
    Error::peer(rank, Code::MalformedMessage, "ENV-2", "a tensor does not have its format")
}

/// Name, codec and dimensions of the next tensor (ENV-2).
fn read_form<'a>(reader: &mut Reader<'a>, rank: Rank) -> Result<(&'a [u8], Codec, Vec<u32>), Error> {
    let length = usize::from(reader.u8().blame(rank)?);
    let name = reader.bytes(length).blame(rank)?;
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_' || *b == b'.';
    if name.is_empty() || name.len() > 64 || !name.iter().all(allowed) {
        return Err(ill_formed(rank));
    }
    let (number, scale, dimensions) = (reader.u8().blame(rank)?, reader.u8().blame(rank)?, reader.u8().blame(rank)?);
    let codec = Codec::from_head(number, scale).filter(|_| dimensions <= 4).ok_or(ill_formed(rank))?;
    let shape = (0..dimensions).map(|_| reader.u32().blame(rank)).collect::<Result<Vec<u32>, _>>()?;
    if elements(&shape) > MAX_ELEMENTS {
        return Err(ill_formed(rank));
    }
    Ok((name, codec, shape))
}

/// The product of the dimensions, or the largest number.
fn elements(shape: &[u32]) -> u64 {
    shape.iter().fold(1, |count: u64, dimension| count.saturating_mul(u64::from(*dimension)))
}

fn read_elements(reader: &mut Reader<'_>, rank: Rank, form: &Form<'_>) -> Result<Elements, Error> {
    let count = usize::try_from(elements(form.shape)).map_err(|_| ill_formed(rank))?;
    let bytes = reader.bytes(count * if form.codec == Codec::U32 { 4 } else { 8 }).blame(rank)?;
    let mut values = Reader::new(bytes);
    Ok(match form.codec {
        Codec::F64 => Elements::F64((0..count).map(|_| values.f64()).collect::<Result<_, _>>().blame(rank)?),
        Codec::Fixed(_) => Elements::Fixed(values.u64s_le().blame(rank)?),
        Codec::U32 => Elements::U32((0..count).map(|_| values.u32()).collect::<Result<_, _>>().blame(rank)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Form<'static>; 3] = [
        Form { name: "points", codec: Codec::F64, shape: &[2] },
        Form { name: "gram", codec: Codec::Fixed(50), shape: &[1] },
        Form { name: "flags", codec: Codec::U32, shape: &[0] },
    ];

    fn sample() -> Vec<Elements> {
        vec![Elements::F64(vec![0.5, -1.0]), Elements::Fixed(vec![u64::MAX]), Elements::U32(vec![])]
    }

    fn sealed(body: &[u8]) -> Vec<u8> {
        [body, &sha256(&[body])].concat()
    }

    #[test]
    fn envelopes_read_back() {
        let bytes = encode(3, &FORMS.into_iter().zip(sample()).collect::<Vec<_>>());
        assert_eq!(decode(&bytes, 3, Rank(1), &FORMS), Ok(sample()));
    }

    /// The magic is looked at before the digest, and the digest before any other field.
    // clause: ENV-1, ENV-4
    #[test]
    fn what_is_wrong_first_is_named() {
        let bytes = encode(3, &FORMS.into_iter().zip(sample()).collect::<Vec<_>>());
        let code = |bytes: &[u8], round| decode(bytes, round, Rank(1), &FORMS).unwrap_err().code();
        let mut magic = bytes.clone();
        magic[0] ^= 1;
        assert_eq!(code(&magic, 3), Code::MalformedMessage);
        let mut round = bytes.clone();
        round[7] ^= 1;
        assert_eq!(code(&round, 4), Code::BadDigest);
        assert_eq!(code(&sealed(&round[..bytes.len() - 32]), 3), Code::StaleRound);
        assert_eq!(code(&bytes[..20], 3), Code::MalformedMessage);
        assert_eq!(code(&sealed(MAGIC), 3), Code::MalformedMessage);
    }
}
