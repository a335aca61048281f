//! CSV records (RFC 4180) over bounded lines.
use super::MAX_ROW_BYTES;
use super::lines::Lines;
use crate::Error;
use std::io::Read;
use std::ops::Range;

/// One record; its buffers are used again for the next.
#[derive(Default)]
pub(super) struct Record {
    /// The line, where no cell is quoted.
    line: Range<usize>,
    /// The cells one after the other, where one is.
    joined: Option<Vec<u8>>,
    spare: Vec<u8>,
    cells: Vec<Range<usize>>,
    stray_quote: bool,
}

/// Where a quoted record stands between two bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    Closed,
}

impl Record {
    /// Reads the next record; false at the end. Blank lines are passed over.
    ///
    /// # Errors
    /// Those of [`Lines::next`]; `Truncated` where the file ends inside quotes.
    pub(super) fn read(&mut self, lines: &mut Lines<impl Read>, row: Option<u64>) -> Result<bool, Error> {
        self.cells.clear();
        self.stray_quote = false;
        if let Some(used) = self.joined.take() {
            self.spare = used;
        }
        loop {
            let Some(line) = lines.next(row)? else { return Ok(false) };
            let bytes = lines.slice(&line);
            if bytes.is_empty() {
                continue;
            }
            if memchr::memchr(b'"', bytes).is_some() {
                return self.read_quoted(line, lines, row).map(|()| true);
            }
            let mut start = 0;
            for comma in memchr::memchr_iter(b',', bytes) {
                self.cells.push(start..comma);
                start = comma + 1;
            }
            self.cells.push(start..bytes.len());
            self.line = line;
            return Ok(true);
        }
    }

    fn read_quoted(
        &mut self,
        mut line: Range<usize>,
        lines: &mut Lines<impl Read>,
        row: Option<u64>,
    ) -> Result<(), Error> {
        let mut joined = std::mem::take(&mut self.spare);
        joined.clear();
        let (mut state, mut start) = (State::Start, 0);
        loop {
            for byte in lines.slice(&line) {
                state = match (state, byte) {
                    (State::Start, b'"') => State::Quoted,
                    (State::Quoted, b'"') => State::Closed,
                    (State::Start | State::Plain | State::Closed, b',') => {
                        self.cells.push(start..joined.len());
                        start = joined.len();
                        State::Start
                    }
                    (State::Closed, b'"') => {
                        joined.push(b'"');
                        State::Quoted
                    }
                    (state, byte) => {
                        self.stray_quote |= state == State::Closed || state == State::Plain && *byte == b'"';
                        joined.push(*byte);
                        if state == State::Start { State::Plain } else { state }
                    }
                };
            }
            if state != State::Quoted {
                break;
            }
            joined.push(b'\n');
            if joined.len() > MAX_ROW_BYTES {
                return Err(Error::LineTooLong(lines.place(row, None)));
            }
            line = lines.next(row)?.ok_or_else(|| Error::Truncated(lines.place(row, None)))?;
        }
        self.cells.push(start..joined.len());
        self.joined = Some(joined);
        Ok(())
    }

    /// Cells.
    pub(super) fn fields(&self) -> usize {
        self.cells.len()
    }

    /// Whether a quote stands where RFC 4180 has none.
    pub(super) fn has_stray_quote(&self) -> bool {
        self.stray_quote
    }

    /// Whether this is the last record and has no line end.
    pub(super) fn is_unended(&self, lines: &Lines<impl Read>) -> bool {
        lines.is_unended()
    }

    /// The text that cells are cut from.
    ///
    /// # Errors
    /// `NotUtf8`.
    pub(super) fn text<'a>(&'a self, lines: &'a Lines<impl Read>, row: u64) -> Result<&'a str, Error> {
        let bytes = self.joined.as_deref().unwrap_or_else(|| lines.slice(&self.line));
        std::str::from_utf8(bytes).map_err(|_| Error::NotUtf8(lines.place(Some(row).filter(|r| *r > 0), None)))
    }

    /// A cell of the text, trimmed of white space.
    pub(super) fn cell<'a>(&self, text: &'a str, field: usize) -> &'a str {
        self.cells.get(field).and_then(|range| text.get(range.clone())).unwrap_or_default().trim()
    }

    /// The names of a header.
    ///
    /// # Errors
    /// `NotUtf8`.
    pub(super) fn header(&self, lines: &Lines<impl Read>) -> Result<Vec<String>, Error> {
        let text = self.text(lines, 0)?;
        Ok((0..self.fields()).map(|field| self.cell(text, field).to_owned()).collect())
    }
}
