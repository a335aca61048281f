//! Generated tables: keys, noise columns, a label that depends on some of them. The same seed gives the same files.
use std::fmt::Write;
use std::path::Path;

/// A small generator of reproducible noise (splitmix64).
pub struct Noise(u64);

impl Noise {
    /// Noise of a seed.
    pub fn new(seed: u64) -> Self {
        Noise(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Nearly normal: mean 0, deviation 1.
    pub fn normal(&mut self) -> f64 {
        ((0..12).map(|_| self.uniform()).sum::<f64>()) - 6.0
    }
}

/// What a table holds.
pub struct Table {
    /// Its first enterprise.
    pub first: u64,
    /// Enterprises, one row each.
    pub rows: u64,
    /// Noise columns.
    pub columns: usize,
    /// Whether it has a label `y`, bad in about one row of five.
    pub label: bool,
    /// Seed of its columns.
    pub seed: u64,
}

impl Table {
    /// The table as CSV text: `id`, `y` where it has a label, `x0`, `x1`, …
    pub fn text(&self) -> String {
        let mut text = String::from("id");
        if self.label {
            text.push_str(",y");
        }
        for column in 0..self.columns {
            let _ = write!(text, ",x{column}");
        }
        text.push('\n');
        let mut noise = Noise::new(self.seed);
        for enterprise in self.first..self.first + self.rows {
            let _ = write!(text, "E{enterprise:09}");
            let row: Vec<f64> = (0..self.columns).map(|_| noise.normal()).collect();
            if self.label {
                let score = -1.4 + row.iter().take(4).enumerate().map(|(i, x)| x * 0.5 / (i + 1) as f64).sum::<f64>();
                let bad = noise.uniform() < 1.0 / (1.0 + (-score).exp());
                text.push_str(if bad { ",1" } else { ",0" });
            }
            for value in row {
                let _ = write!(text, ",{value:.5}");
            }
            text.push('\n');
        }
        text
    }

    /// Writes the table to a file.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_reproducible_and_has_both_outcomes() {
        let table = Table { first: 7, rows: 200, columns: 3, label: true, seed: 5 };
        let text = table.text();
        assert_eq!(text, table.text());
        assert_eq!(text.lines().count(), 201);
        assert!(text.starts_with("id,y,x0,x1,x2\nE000000007,"));
        assert!(text.contains(",0,") && text.contains(",1,"));
    }
}
