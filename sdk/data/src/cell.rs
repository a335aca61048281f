//! Cells: decimal numbers.

/// A decimal number as `f64`: `[+-] digits [. digits] [e [+-] digits]`, digits on at least one side of the point.
///
/// `None` for anything else (empty, NaN, infinity, hexadecimal, separators of thousands), and beyond the range of
/// `f64`.
pub fn parse_decimal(text: &str) -> Option<f64> {
    if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')) {
        text.parse::<f64>().ok().filter(|v| v.is_finite())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers() {
        for (text, value) in
            [("0", 0.0), ("-1.5", -1.5), ("+2", 2.0), (".5", 0.5), ("5.", 5.0), ("1e3", 1e3), ("1.5E-2", 0.015)]
        {
            assert_eq!(parse_decimal(text), Some(value), "{text}");
        }
    }

    #[test]
    fn bad_numbers() {
        let bad = [
            "",
            ".",
            "-",
            "e5",
            "1e",
            "1,5",
            "1 5",
            "0x10",
            "NaN",
            "inf",
            "-infinity",
            "1_000",
            "1e999",
            "一",
            "\u{ff15}",
            "1.2.3",
            "--1",
        ];
        for text in bad {
            assert_eq!(parse_decimal(text), None, "{text}");
        }
    }
}
