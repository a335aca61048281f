//! Unified social credit codes (GB 32100-2015, body code GB 11714) that belong to nobody.

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
const BODY_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// The valid code of an enterprise: market registration, an enterprise, Shenzhen, body `YY` and six digits.
pub(super) fn code(enterprise: u32) -> String {
    // A multiplier without a factor of 2 or 5 permutes the six-digit numbers, so that neighbours do not look alike.
    let number = (u64::from(enterprise) * 611_953 + 104_729) % 1_000_000;
    let body = format!("YY{number:06}");
    let head = format!("91440300{body}{}", body_check(&body));
    let check = check(&head);
    format!("{head}{check}")
}

/// The same code with another check character: never valid.
pub(super) fn with_bad_check(code: &str) -> String {
    let (head, last) = code.split_at(code.len().saturating_sub(1));
    let wrong = if last == "0" { '1' } else { '0' };
    format!("{head}{wrong}")
}

/// The same code in full-width characters.
pub(super) fn full_width(code: &str) -> String {
    code.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c)).collect()
}

fn body_check(body: &str) -> char {
    let value = |b: u8| u32::from(if b.is_ascii_digit() { b - b'0' } else { b - b'A' + 10 });
    let sum: u32 = body.bytes().zip(BODY_WEIGHTS).map(|(b, w)| value(b) * w).sum();
    match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}

fn check(head: &str) -> char {
    let value = |b: u8| ALPHABET.iter().position(|a| *a == b).unwrap_or(0) as u32;
    let sum: u32 = head.bytes().zip(WEIGHTS).map(|(b, w)| value(b) * w).sum();
    char::from(ALPHABET[((31 - sum % 31) % 31) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hefu_core::{normalise_uscc, uscc_is_valid};
    use std::collections::HashSet;

    #[test]
    fn check_characters_of_known_codes() {
        assert_eq!((body_check("M000100Y"), check("91350100M000100Y4")), ('4', '3'));
        assert_eq!((body_check("19218537"), check("91440300192185379")), ('9', 'H'));
        assert_eq!((body_check("YY000013"), check("91440300YY0000132")), ('2', '0'));
    }

    #[test]
    fn codes_are_valid_and_distinct() {
        let codes: HashSet<String> = (0..20_000).map(code).collect();
        assert_eq!(codes.len(), 20_000);
        assert!(codes.iter().all(|c| uscc_is_valid(c) && c.starts_with("91440300YY")));
    }

    #[test]
    fn defects() {
        for code in (0..1000).map(code) {
            assert_eq!(normalise_uscc(&with_bad_check(&code)), None);
            assert_eq!(normalise_uscc(&full_width(&code)), Some(code));
        }
    }
}
