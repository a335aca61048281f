//! What a command prints: one JSON object for programs, lines for people.
use crate::language::Language;
use serde_json::Value;
use std::io::Write;

/// Whom a command prints for.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whether standard output is one JSON object.
    pub json: bool,
    /// The reader's language.
    pub language: Language,
}

impl Screen {
    /// A screen.
    pub fn new(json: bool, language: Language) -> Self {
        Screen { json, language }
    }

    /// The answer of a command: `object` for programs, `lines` for people.
    pub fn answer(&self, object: &Value, lines: impl FnOnce() -> String) {
        let text = if self.json { object.to_string() } else { lines().trim_end().to_owned() };
        // A reader that has gone, as `head` does, wants no more: that is no failure.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// The text in the reader's language.
    pub fn pick<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        self.language.pick(en, zh)
    }
}

/// A time as people write it, in UTC to the minute; `-` for none.
pub fn moment(us: i64) -> String {
    if us <= 0 {
        return "-".to_owned();
    }
    let minutes = us / 60_000_000;
    let (days, minute) = (minutes / 1440, minutes % 1440);
    // Days since 1970 to a date of the Gregorian calendar, in eras of 400 years from March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + era * 400 + i64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}Z", minute / 60, minute % 60)
}

/// Lines whose columns stand under each other; a column of figures is written to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().map(|c| if c > '\u{2e80}' { 2 } else { 1 }).sum::<usize>();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..count).map(|i| rows.iter().filter_map(|row| row.get(i)).map(|c| width(c)).max().unwrap_or(0)).collect();
    let is_figure = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    let right: Vec<bool> =
        (0..count).map(|i| i > 0 && rows.iter().skip(1).filter_map(|r| r.get(i)).all(|c| is_figure(c))).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[index] - width(cell));
            line.push_str(&if right[index] { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment(0), "-");
        assert_eq!(moment(60_000_000), "1970-01-01 00:01Z");
        assert_eq!(moment(951_782_400_000_000), "2000-02-29 00:00Z");
        assert_eq!(moment(1_795_517_999_000_000), "2026-11-24 10:59Z");
        assert_eq!(moment(4_102_444_740_000_000), "2099-12-31 23:59Z");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["name", "rows"], ["税务", "7"], ["x", "1000"]].map(|r| r.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows), "name  rows\n税务     7\nx     1000\n");
    }
}
