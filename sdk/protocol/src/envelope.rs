//! The parameter envelope (spec/envelope.md).
use crate::Error;
use crate::error::Blame;
use hefu_core::fault::{Switch, is_on};
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
    /// Codec 4: ring elements of reals up to 2^clip, at this scale (spec/aggregate.md, section 3).
    SumFixed {
        /// f.
        scale: u8,
        /// c.
        clip: u8,
    },
    /// Codec 5: two ring elements a value, low limb first.
    SumWide {
        /// 40 in every plan.
        scale: u8,
        /// c.
        clip: u8,
    },
    /// Codec 6: ring elements of integers from 0 up to 2^clip.
    SumCount {
        /// c.
        clip: u8,
    },
}

impl Codec {
    /// Number, scale and, in codecs 4 to 6, clip.
    fn head(self) -> (u8, u8, Option<u8>) {
        match self {
            Codec::F64 => (1, 0, None),
            Codec::Fixed(scale) => (2, scale, None),
            Codec::U32 => (3, 0, None),
            Codec::SumFixed { scale, clip } => (4, scale, Some(clip)),
            Codec::SumWide { scale, clip } => (5, scale, Some(clip)),
            Codec::SumCount { clip } => (6, 0, Some(clip)),
        }
    }

    fn read(reader: &mut Reader<'_>, rank: Rank) -> Result<Codec, Error> {
        let (number, scale) = (reader.u8().blame(rank)?, reader.u8().blame(rank)?);
        let mut clip = || reader.u8().blame(rank);
        Ok(match (number, scale) {
            (1, 0) => Codec::F64,
            (2, scale) => Codec::Fixed(scale),
            (3, 0) => Codec::U32,
            (4, scale) => Codec::SumFixed { scale, clip: clip()? },
            (5, scale) => Codec::SumWide { scale, clip: clip()? },
            (6, 0) => Codec::SumCount { clip: clip()? },
            _ => return Err(ill_formed(rank)),
        })
    }

    /// Bytes of an element.
    fn width(self) -> usize {
        match self {
            Codec::U32 => 4,
            Codec::SumWide { .. } => 16,
            _ => 8,
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
    /// Codecs 4 to 6: elements of the ring modulo 2^64; in codec 5 two for each element of the shape.
    Ring(Vec<u64>),
}

/// Elements to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Borrowed<'a> {
    F64(&'a [f64]),
    /// Codec 2, and the ring elements of 4 to 6.
    U64(&'a [u64]),
    U32(&'a [u32]),
}

impl Elements {
    fn borrowed(&self) -> Borrowed<'_> {
        match self {
            Elements::F64(values) => Borrowed::F64(values),
            Elements::Fixed(values) | Elements::Ring(values) => Borrowed::U64(values),
            Elements::U32(values) => Borrowed::U32(values),
        }
    }
}

/// Encodes tensors of one round; elements are as many as their form says, and of its codec.
pub fn encode(round: u32, tensors: &[(Form<'_>, Elements)]) -> Vec<u8> {
    encode_borrowed(round, &tensors.iter().map(|(form, elements)| (*form, elements.borrowed())).collect::<Vec<_>>())
}

pub(crate) fn encode_borrowed(round: u32, tensors: &[(Form<'_>, Borrowed<'_>)]) -> Vec<u8> {
    let count = u16::try_from(tensors.len()).unwrap_or(u16::MAX);
    let bytes = tensors.iter().map(|(form, _)| 128 + elements(form.shape).saturating_mul(form.codec.width() as u64));
    let capacity = bytes.fold(DIGEST_BYTES as u64 + 16, u64::saturating_add);
    let mut writer = Writer::with_capacity(usize::try_from(capacity).unwrap_or(0));
    writer = writer.bytes(MAGIC).u32(round).u16(count);
    for (form, elements) in tensors {
        let (codec, scale, clip) = form.codec.head();
        let (name, rank) = (form.name.as_bytes(), form.shape.len());
        writer = writer.u8(u8::try_from(name.len()).unwrap_or(u8::MAX)).bytes(name).u8(codec).u8(scale);
        writer = clip.into_iter().fold(writer, Writer::u8).u8(u8::try_from(rank).unwrap_or(u8::MAX));
        writer = form.shape.iter().fold(writer, |w, dimension| w.u32(*dimension));
        writer = match elements {
            Borrowed::F64(values) => values.iter().fold(writer, |w, v| w.f64(*v)),
            Borrowed::U64(values) => writer.u64s_le(values),
            Borrowed::U32(values) => values.iter().fold(writer, |w, v| w.u32(*v)),
        };
    }
    let mut bytes = writer.finish();
    let digest = sha256(&[&bytes]);
    bytes.extend_from_slice(&digest);
    bytes
}

/// Decodes the envelope of `round` from `rank`: the elements of the tensors that `expected` lists, in its order.
///
/// # Errors
/// ENV-1 to ENV-4 and CONV-1, CONV-2, by the rank's fault.
pub fn decode(bytes: &[u8], round: u32, rank: Rank, expected: &[Form<'_>]) -> Result<Vec<Elements>, Error> {
    let tensors = open(bytes, round, rank, expected)?;
    expected.iter().zip(tensors).map(|(form, bytes)| read_elements(bytes, rank, form)).collect()
}

/// The elements' bytes of each tensor, in the order of `expected`, where nothing else is in the envelope.
pub(crate) fn open<'a>(bytes: &'a [u8], round: u32, rank: Rank, expected: &[Form<'_>]) -> Result<Vec<&'a [u8]>, Error> {
    if bytes.first_chunk() != Some(MAGIC) {
        return Err(Error::malformed(rank));
    }
    let cut = bytes.len().checked_sub(DIGEST_BYTES).filter(|cut| *cut >= MAGIC.len()).ok_or(Error::malformed(rank))?;
    let (body, digest) = bytes.split_at(cut);
    if sha256(&[body]) != digest && !is_on(Switch::IgnoresEnvelopeDigest) {
        return Err(Error::peer(rank, Code::BadDigest, "ENV-1", "an envelope's digest does not match"));
    }
    let mut reader = Reader::new(&body[MAGIC.len()..]);
    if reader.u32().blame(rank)? != round && !is_on(Switch::IgnoresEnvelopeRound) {
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
            .filter(|form| form.name.as_bytes() == name || is_on(Switch::IgnoresTensorNames))
            .filter(|form| form.codec == codec && form.shape == dimensions);
        let wanted = wanted.ok_or(shape.clone())?;
        let count = usize::try_from(elements(wanted.shape)).map_err(|_| ill_formed(rank))?;
        tensors.push(reader.bytes(count * codec.width()).blame(rank)?);
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
    let codec = Codec::read(reader, rank)?;
    let dimensions = reader.u8().blame(rank)?;
    if dimensions > 4 {
        return Err(ill_formed(rank));
    }
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

fn read_elements(bytes: &[u8], rank: Rank, form: &Form<'_>) -> Result<Elements, Error> {
    let count = bytes.len() / form.codec.width();
    let mut values = Reader::new(bytes);
    Ok(match form.codec {
        Codec::F64 => Elements::F64((0..count).map(|_| values.f64()).collect::<Result<_, _>>().blame(rank)?),
        Codec::Fixed(_) => Elements::Fixed(values.u64s_le().blame(rank)?),
        Codec::SumFixed { .. } | Codec::SumWide { .. } | Codec::SumCount { .. } => {
            Elements::Ring(values.u64s_le().blame(rank)?)
        }
        Codec::U32 => Elements::U32((0..count).map(|_| values.u32()).collect::<Result<_, _>>().blame(rank)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [Form<'static>; 6] = [
        Form { name: "points", codec: Codec::F64, shape: &[2] },
        Form { name: "gram", codec: Codec::Fixed(50), shape: &[1] },
        Form { name: "flags", codec: Codec::U32, shape: &[0] },
        Form { name: "weights", codec: Codec::SumFixed { scale: 38, clip: 20 }, shape: &[] },
        Form { name: "gradient", codec: Codec::SumWide { scale: 40, clip: 60 }, shape: &[1, 2] },
        Form { name: "rows", codec: Codec::SumCount { clip: 40 }, shape: &[1] },
    ];

    fn sample() -> Vec<Elements> {
        vec![
            Elements::F64(vec![0.5, -1.0]),
            Elements::Fixed(vec![u64::MAX]),
            Elements::U32(vec![]),
            Elements::Ring(vec![7]),
            Elements::Ring(vec![1, 2, 3, 4]),
            Elements::Ring(vec![5]),
        ]
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

    /// Golden bytes: magic, round, count; then name, codec, scale, clip, rank, dimensions and ring elements; digest.
    #[test]
    fn golden_bytes_of_a_sum() {
        let form = Form::new("g", Codec::SumWide { scale: 40, clip: 60 }, &[1]);
        let bytes = encode(2, &[(form, Elements::Ring(vec![0x0102, u64::MAX]))]);
        let body = "48504531000000020001016705283c01000000010201000000000000ffffffffffffffff";
        assert_eq!(hex::encode(&bytes[..bytes.len() - 32]), body);
        assert_eq!(bytes[bytes.len() - 32..], sha256(&[&bytes[..bytes.len() - 32]]));
    }

    /// Another clip or scale than the plan's is another tensor.
    // clause: ENV-2, ENV-3, AGG-11
    #[test]
    fn a_clip_is_part_of_the_form() {
        let shape: &[u32] = &[1];
        let of = |codec| encode(0, &[(Form::new("x", codec, shape), Elements::Ring(vec![1]))]);
        let wanted = Form::new("x", Codec::SumFixed { scale: 30, clip: 10 }, shape);
        let code = |bytes: &[u8]| decode(bytes, 0, Rank(1), &[wanted]).map_err(|e| e.code());
        assert_eq!(code(&of(Codec::SumFixed { scale: 30, clip: 10 })), Ok(vec![Elements::Ring(vec![1])]));
        assert_eq!(code(&of(Codec::SumFixed { scale: 30, clip: 11 })), Err(Code::ShapeMismatch));
        assert_eq!(code(&of(Codec::SumFixed { scale: 31, clip: 10 })), Err(Code::ShapeMismatch));
        assert_eq!(code(&of(Codec::SumCount { clip: 10 })), Err(Code::ShapeMismatch));
        let mut scaled = of(Codec::SumCount { clip: 10 });
        scaled[13] = 1;
        assert_eq!(code(&sealed(&scaled[..scaled.len() - 32])), Err(Code::MalformedMessage));
    }
}
