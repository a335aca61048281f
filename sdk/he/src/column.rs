//! A party's column as multipliers of set G (spec/ringlwe.md, section 6).
use crate::{Error, N};
use std::fmt;

use crate::words::Words;

/// log2 of the largest ‖m‖₂², twice 33.5 (RLWE-4).
const NORM_BITS: u32 = 67;

/// How a column is kept between evaluations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In transform form: 24 bytes a row, and no transform at use.
    Transformed,
    /// As integers: 4 or 8 bytes a row, transformed at every use.
    Integers,
}

/// All rows of one column, as multipliers.
pub struct Column {
    pub(crate) rows: usize,
    pub(crate) content: Content,
}

/// What is kept of a column.
pub(crate) enum Content {
    /// Block after block, prime after prime.
    Transformed(Words),
    /// Values that fit 32 bits.
    Narrow(Vec<i32>),
    /// Other values.
    Wide(Vec<i64>),
}

impl Column {
    /// Checks the norm and keeps the integers.
    pub(crate) fn integers(values: &[i64]) -> Result<Column, Error> {
        check_norm(values)?;
        let narrow: Option<Vec<i32>> = values.iter().map(|&x| i32::try_from(x).ok()).collect();
        let content = narrow.map_or_else(|| Content::Wide(values.to_vec()), Content::Narrow);
        Ok(Column { rows: values.len(), content })
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Blocks of N rows.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(N)
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({} rows)", self.rows)
    }
}

/// Refuses a column whose norm would let answers leak (RLWE-4).
pub(crate) fn check_norm(values: &[i64]) -> Result<(), Error> {
    let mut sum = 0u128;
    for &x in values {
        let magnitude = u128::from(x.unsigned_abs());
        sum = sum.saturating_add(magnitude * magnitude);
    }
    if sum > 1 << NORM_BITS { Err(Error::NormTooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_limit() {
        // 2^67 = 2 · (2^33)²
        assert!(check_norm(&[1 << 33, -(1 << 33)]).is_ok());
        assert_eq!(check_norm(&[1 << 33, -(1 << 33), 1]), Err(Error::NormTooLarge));
        assert_eq!(check_norm(&[i64::MIN; 3]), Err(Error::NormTooLarge));
        assert!(check_norm(&[]).is_ok());
    }

    #[test]
    fn narrow_where_it_fits() {
        assert!(matches!(Column::integers(&[1, -7]).unwrap().content, Content::Narrow(_)));
        assert!(matches!(Column::integers(&[1 << 31]).unwrap().content, Content::Wide(_)));
        assert_eq!(Column::integers(&[0; N + 1]).unwrap().blocks(), 2);
    }
}
