//! The formats of cells.
use hefu_core::uscc_is_valid;

/// What a text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A unified social credit code in normal form, check character verified.
    Uscc,
    /// A month, `YYYYMM`.
    Period,
    /// A day of the Gregorian calendar, `YYYY-MM-DD` (RFC 3339).
    Date,
    /// A decimal with at most so many digits before and after the point, no leading zeros, no exponent.
    Decimal { whole: usize, part: usize },
}

impl Format {
    /// The format of this name; `None` where it is not known here.
    pub(super) fn named(name: &str) -> Option<Format> {
        match name {
            "uscc" => Some(Format::Uscc),
            "period-yyyymm" => Some(Format::Period),
            "date" => Some(Format::Date),
            _ => {
                let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
                let (precision, scale): (usize, usize) = (precision.parse().ok()?, scale.parse().ok()?);
                let whole = precision.checked_sub(scale).filter(|whole| *whole >= 1 && precision <= 38)?;
                Some(Format::Decimal { whole, part: scale })
            }
        }
    }

    /// Whether the format already decides what this pattern asks, a minus sign apart.
    pub(super) fn implies(self, pattern: &str) -> Implied {
        match self {
            Format::Uscc if pattern == "^[0-9A-HJ-NPQRTUWXY]{18}$" => Implied::Whole,
            Format::Period if pattern == "^[0-9]{4}(0[1-9]|1[0-2])$" => Implied::Whole,
            Format::Decimal { whole, part } => {
                let unsigned = format!("(0|[1-9][0-9]{{0,{}}})(\\.[0-9]{{1,{part}}})?$", whole - 1);
                match pattern.strip_prefix('^') {
                    Some(rest) if rest == unsigned => Implied::ButSign,
                    Some(rest) if rest.strip_prefix("-?") == Some(unsigned.as_str()) => Implied::Whole,
                    _ => Implied::No,
                }
            }
            _ => Implied::No,
        }
    }

    /// Whether a text has the format.
    pub(super) fn accepts(self, text: &str) -> bool {
        match self {
            Format::Uscc => uscc_is_valid(text),
            Format::Period => is_period(text.as_bytes()),
            Format::Date => is_date(text.as_bytes()),
            Format::Decimal { whole, part } => is_decimal(text.as_bytes(), whole, part),
        }
    }
}

/// How much of a pattern a format decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Implied {
    /// Nothing.
    No,
    /// All but that there is no minus sign.
    ButSign,
    /// All.
    Whole,
}

/// The number that ASCII digits write; `None` where there is anything else.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0u32, |v, b| b.is_ascii_digit().then(|| v * 10 + u32::from(b - b'0')))
}

fn is_period(text: &[u8]) -> bool {
    let [year @ .., _, _] = text else { return false };
    let month = text.get(4..).and_then(digits);
    text.len() == 6 && digits(year).is_some() && month.is_some_and(|m| (1..=12).contains(&m))
}

fn is_date(text: &[u8]) -> bool {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else { return false };
    let (Some(year), Some(month), Some(day)) =
        (digits(&[*y0, *y1, *y2, *y3]), digits(&[*m0, *m1]), digits(&[*d0, *d1]))
    else {
        return false;
    };
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year > 0 && (1..=last).contains(&day)
}

fn is_decimal(text: &[u8], whole: usize, part: usize) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (front, back) = match text.iter().position(|b| *b == b'.') {
        Some(point) => (&text[..point], Some(&text[point + 1..])),
        None => (text, None),
    };
    let all_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    (1..=whole).contains(&front.len())
        && all_digits(front)
        && (front.len() == 1 || front[0] != b'0')
        && back.is_none_or(|back| (1..=part).contains(&back.len()) && all_digits(back))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        for good in ["2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"] {
            assert!(is_date(good.as_bytes()), "{good}");
        }
        for bad in ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "2024-1-01", "0000-01-01"] {
            assert!(!is_date(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn decimals_of_a_precision() {
        for good in ["0", "-0", "0.5", "-12.34", "999.99"] {
            assert!(is_decimal(good.as_bytes(), 3, 2), "{good}");
        }
        for bad in ["", "-", ".5", "5.", "00", "01", "+1", "1000", "1.234", "1e2", "1,0", "--1", "\u{ff11}"] {
            assert!(!is_decimal(bad.as_bytes(), 3, 2), "{bad}");
        }
    }

    #[test]
    fn names_of_formats() {
        assert_eq!(Format::named("decimal(18,2)"), Some(Format::Decimal { whole: 16, part: 2 }));
        for bad in ["decimal(2,2)", "decimal(2,3)", "decimal(39,1)", "decimal(18)", "email", "decimal(-1,0)"] {
            assert_eq!(Format::named(bad), None, "{bad}");
        }
        let decimal = Format::Decimal { whole: 16, part: 2 };
        assert_eq!(decimal.implies("^(0|[1-9][0-9]{0,15})(\\.[0-9]{1,2})?$"), Implied::ButSign);
        assert_eq!(decimal.implies("^-?(0|[1-9][0-9]{0,15})(\\.[0-9]{1,2})?$"), Implied::Whole);
        assert_eq!(decimal.implies("^(0|[1-9][0-9]{0,14})(\\.[0-9]{1,2})?$"), Implied::No);
    }
}
