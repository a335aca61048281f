//! Lines of a stream, each of bounded length.
use super::{MAX_ROW_BYTES, place};
use crate::Error;
use hefu_core::Place;
use std::io::{ErrorKind, Read};
use std::ops::Range;

/// Bytes asked of the source at once.
const CHUNK: usize = 1 << 17;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream cut into lines. Holds at most one row of the largest length and one chunk.
pub(super) struct Lines<'a, R> {
    source: R,
    dataset: &'a str,
    buffer: Vec<u8>,
    /// What is not consumed yet.
    rest: Range<usize>,
    ended: bool,
    /// Whether the last line had no line end.
    unended: bool,
    /// Whether no line was given yet.
    first: bool,
    read: u64,
}

impl<'a, R: Read> Lines<'a, R> {
    pub(super) fn new(source: R, dataset: &'a str) -> Self {
        Lines { source, dataset, buffer: Vec::new(), rest: 0..0, ended: false, unended: false, first: true, read: 0 }
    }

    /// Bytes read from the source.
    pub(super) fn bytes(&self) -> u64 {
        self.read
    }

    /// Whether the last line was the file's last and had no line end.
    pub(super) fn is_unended(&self) -> bool {
        self.unended
    }

    pub(super) fn place(&self, row: Option<u64>, column: Option<&str>) -> Place {
        place(self.dataset, row, column)
    }

    /// The bytes of the last line.
    pub(super) fn slice(&self, line: &Range<usize>) -> &[u8] {
        self.buffer.get(line.clone()).unwrap_or_default()
    }

    /// The next line without its end (`\n` or `\r\n`) and without a byte order mark; valid until the next call.
    ///
    /// # Errors
    /// `Unreadable`; `LineTooLong`, at most one chunk beyond the limit.
    pub(super) fn next(&mut self, row: Option<u64>) -> Result<Option<Range<usize>>, Error> {
        let mut searched = 0;
        loop {
            let fresh = &self.buffer[self.rest.start + searched..self.rest.end];
            if let Some(at) = memchr::memchr(b'\n', fresh) {
                let end = self.rest.start + searched + at;
                return self.take(end, end + 1, row).map(Some);
            }
            searched = self.rest.len();
            if searched > MAX_ROW_BYTES + 1 {
                return Err(Error::LineTooLong(self.place(row, None)));
            }
            if self.ended {
                if self.rest.is_empty() {
                    return Ok(None);
                }
                self.unended = true;
                let end = self.rest.end;
                return self.take(end, end, row).map(Some);
            }
            self.fill()?;
        }
    }

    fn take(&mut self, end: usize, next: usize, row: Option<u64>) -> Result<Range<usize>, Error> {
        let mut start = self.rest.start;
        self.rest.start = next;
        if std::mem::take(&mut self.first) && self.buffer.starts_with(BYTE_ORDER_MARK) {
            start = BYTE_ORDER_MARK.len();
        }
        let end = if end > start && self.buffer[end - 1] == b'\r' { end - 1 } else { end };
        if end - start > MAX_ROW_BYTES {
            return Err(Error::LineTooLong(self.place(row, None)));
        }
        Ok(start..end)
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        if self.buffer.len() < self.rest.end + CHUNK {
            self.buffer.resize(self.rest.end + CHUNK, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.rest.end..]) {
                Ok(count) => {
                    self.ended = count == 0;
                    self.rest.end += count;
                    self.read += count as u64;
                    return Ok(());
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::Unreadable { dataset: self.dataset.to_owned(), kind: e.kind() }),
            }
        }
    }
}
