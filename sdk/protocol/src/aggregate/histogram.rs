//! Cells of a pooled histogram that are too small to be read alone (section 9).
use crate::Error;
use hefu_core::Code;

/// Fewest rows of a cell, whatever a job says.
const MIN_ROWS: u64 = 5;

/// A run of buckets of one column with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// First bucket.
    pub first: usize,
    /// Bucket after the last.
    pub end: usize,
    /// Good rows.
    pub good: u64,
    /// Bad rows.
    pub bad: u64,
}

impl Cell {
    fn rows(&self) -> u64 {
        self.good.saturating_add(self.bad)
    }
}

/// The cells of one column, in order, none of fewer rows than max(5, `min_rows`): the smallest cell (the first of
/// equals) is merged with the smaller of its neighbours (the left one of equals) until none is smaller (AGG-27).
///
/// # Errors
/// `TOO_FEW_ROWS` for a column that has fewer rows in all.
pub fn merge_small_cells(good: &[u64], bad: &[u64], min_rows: u64) -> Result<Vec<Cell>, Error> {
    let least = min_rows.max(MIN_ROWS);
    let counts = good.iter().zip(bad).enumerate();
    let mut cells: Vec<Cell> =
        counts.map(|(i, (good, bad))| Cell { first: i, end: i + 1, good: *good, bad: *bad }).collect();
    loop {
        let smallest = cells.iter().enumerate().min_by_key(|(_, cell)| cell.rows());
        let Some((i, _)) = smallest.filter(|(_, cell)| cell.rows() < least) else { break };
        let left = i.checked_sub(1).map(|left| (cells[left].rows(), left));
        let right = cells.get(i + 1).map(|cell| (cell.rows(), i));
        let place = match (left, right) {
            (Some(left), Some(right)) => {
                if left.0 <= right.0 {
                    left.1
                } else {
                    right.1
                }
            }
            (Some((_, place)), None) | (None, Some((_, place))) => place,
            (None, None) => break,
        };
        let next = cells.remove(place + 1);
        let cell = &mut cells[place];
        *cell = Cell { first: cell.first, end: next.end, good: cell.good + next.good, bad: cell.bad + next.bad };
    }
    if cells.iter().any(|cell| cell.rows() < least) || cells.is_empty() {
        return Err(Error::job(Code::TooFewRows, "AGG-27", "a column of the histogram has too few rows in all"));
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(good: &[u64], bad: &[u64], least: u64) -> Result<Vec<(usize, u64, u64)>, Code> {
        let cells = merge_small_cells(good, bad, least).map_err(|e| e.code())?;
        assert!(cells.windows(2).all(|pair| pair[0].end == pair[1].first));
        Ok(cells.iter().map(|cell| (cell.end, cell.good, cell.bad)).collect())
    }

    // clause: AGG-27
    #[test]
    fn small_cells_join_their_smaller_neighbour() {
        assert_eq!(merged(&[5, 3, 9], &[1, 1, 0], 0), Ok(vec![(2, 8, 2), (3, 9, 0)]));
        assert_eq!(merged(&[9, 3, 5], &[0, 1, 1], 0), Ok(vec![(1, 9, 0), (3, 8, 2)]));
        assert_eq!(merged(&[6, 0, 6], &[0, 0, 0], 0), Ok(vec![(2, 6, 0), (3, 6, 0)]), "the left one of equals");
        assert_eq!(merged(&[0, 0, 0, 20], &[0, 0, 0, 0], 10), Ok(vec![(4, 20, 0)]));
        assert_eq!(merged(&[3, 3], &[0, 0], 7), Err(Code::TooFewRows));
        assert_eq!(merged(&[], &[], 0), Err(Code::TooFewRows));
    }
}
