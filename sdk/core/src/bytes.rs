//! Canonical bytes: the integer encodings of `spec/conventions.md`, section 1.

/// A message that is shorter than its format, or has bytes after it (CONV-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message does not have its format")]
pub struct Malformed;

/// Appends canonical encodings to a byte vector.
#[derive(Debug, Default, Clone)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Writer(Vec::new())
    }

    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Writer(Vec::with_capacity(capacity))
    }

    /// One byte.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// `u16be`.
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// `u32be`.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// `u64be`.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// `f64be`.
    pub fn f64(self, value: f64) -> Self {
        self.u64(value.to_bits())
    }

    /// The bytes themselves.
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// `lp(x)`: the length as `u32be`, then the bytes. Lengths beyond 2^32 − 1 do not occur: callers cap them.
    pub fn lp(self, value: &[u8]) -> Self {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX)).bytes(value)
    }

    /// A packed array of `u64le`.
    pub fn u64s_le(mut self, values: &[u64]) -> Self {
        self.0.reserve(8 * values.len());
        let mut block = [[0; 8]; 512];
        for values in values.chunks(block.len()) {
            for (bytes, value) in block.iter_mut().zip(values) {
                *bytes = value.to_le_bytes();
            }
            self.0.extend_from_slice(block[..values.len()].as_flattened());
        }
        self
    }

    /// The bytes written so far.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads canonical encodings from a byte slice; every read is checked.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// `Malformed` where fewer are left; so do all methods below.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    /// The next bytes as an array.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed)
    }

    /// One byte.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// `u16be`.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// `u32be`.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// `u64be`.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// `f64be`, finite (CONV-2).
    ///
    /// # Errors
    /// `Malformed`, also for NaN and infinity.
    pub fn f64(&mut self) -> Result<f64, Malformed> {
        let value = f64::from_bits(self.u64()?);
        if value.is_finite() { Ok(value) } else { Err(Malformed) }
    }

    /// `lp(x)`.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn lp(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()?;
        self.bytes(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// All that is left, as packed `u64le`.
    ///
    /// # Errors
    /// `Malformed` where the length is no multiple of 8.
    pub fn u64s_le(self) -> Result<Vec<u64>, Malformed> {
        let (words, []) = self.0.as_chunks() else { return Err(Malformed) };
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    /// Ends the message.
    ///
    /// # Errors
    /// `Malformed` where bytes are left (CONV-1).
    pub fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_and_ends() {
        let bytes = Writer::new().u8(1).u16(2).u32(3).u64(4).f64(0.5).lp(b"key").u64s_le(&[7, 1 << 63]).finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u32(), Ok(3));
        assert_eq!(reader.u64(), Ok(4));
        assert_eq!(reader.f64(), Ok(0.5));
        assert_eq!(reader.lp(), Ok(&b"key"[..]));
        assert_eq!(reader.end(), Err(Malformed));
        assert_eq!(reader.u64s_le(), Ok(vec![7, 1 << 63]));
    }

    #[test]
    fn short_and_not_finite_are_malformed() {
        assert_eq!(Reader::new(&[0, 0, 0]).u32(), Err(Malformed));
        assert_eq!(Reader::new(&[0, 0, 0, 9, 1]).lp(), Err(Malformed));
        assert_eq!(Reader::new(&f64::NAN.to_bits().to_be_bytes()).f64(), Err(Malformed));
        assert_eq!(Reader::new(&[0; 9]).u64s_le(), Err(Malformed));
    }
}
