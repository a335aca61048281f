//! Dense columns.
use crate::Error;
use std::fmt;

/// The position of a job row that a party does not have (`left` join; spec/align.md, section 3).
pub const ABSENT: u32 = u32::MAX;

/// One column of a party's table, over all its rows in the table's order.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Column name.
    pub name: &'a str,
    /// One value a table row, in the column's own unit; NaN is an empty cell.
    pub values: &'a [f64],
}

/// Named columns of equal length, one after the other.
pub struct Columns {
    rows: usize,
    names: Vec<String>,
    values: Vec<f64>,
}

impl Columns {
    /// No columns, of `rows` rows each.
    pub fn new(rows: usize) -> Self {
        Columns { rows, names: Vec::new(), values: Vec::new() }
    }

    /// Columns of `rows` values each.
    ///
    /// # Errors
    /// `ShapeMismatch` where a column has another length.
    pub fn from_columns(rows: usize, columns: Vec<(String, Vec<f64>)>) -> Result<Self, Error> {
        let mut all = Columns::new(rows);
        all.values.reserve_exact(rows * columns.len());
        for (name, values) in columns {
            all.push(name, &values)?;
        }
        Ok(all)
    }

    /// Appends a column.
    ///
    /// # Errors
    /// `ShapeMismatch` where it has another length.
    pub fn push(&mut self, name: impl Into<String>, values: &[f64]) -> Result<(), Error> {
        Error::same_length(values.len(), self.rows)?;
        self.values.extend_from_slice(values);
        self.names.push(name.into());
        Ok(())
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The values of column `j`.
    ///
    /// # Panics
    /// Where `j` is not below `count()`, as an index does.
    pub fn column(&self, j: usize) -> &[f64] {
        &self.values[j * self.rows..][..self.rows]
    }

    /// The name of column `j`.
    ///
    /// # Panics
    /// Where `j` is not below `count()`.
    pub fn name(&self, j: usize) -> &str {
        &self.names[j]
    }

    /// Every column in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.count()).map(|j| self.column(j))
    }
}

/// Shows the shape only: the values belong to a party's rows.
impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Columns({} rows, {} columns)", self.rows, self.count())
    }
}
