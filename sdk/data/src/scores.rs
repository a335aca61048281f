//! Writing scores.
use std::io::{self, Write};

/// Writes CSV with the columns `key_column` and `probability`, one row a score, in the order given.
///
/// Probabilities are written with the digits that read back as the same `f64`.
///
/// # Errors
/// Those of the writer.
pub fn write<'a>(out: impl Write, key_column: &str, rows: impl IntoIterator<Item = (&'a str, f64)>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record([key_column, "probability"])?;
    for (key, probability) in rows {
        writer.write_record([key, &probability.to_string()])?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_quoted_and_probabilities_read_back() {
        let mut out = Vec::new();
        let rows = [("a", 0.1), ("b,\"c\"", 1.0 / 3.0)];
        write(&mut out, "id", rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "id,probability\na,0.1\n\"b,\"\"c\"\"\",0.3333333333333333\n");
        assert_eq!("0.3333333333333333".parse(), Ok(1.0 / 3.0));
    }
}
