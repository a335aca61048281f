//! Messages of alignment (align section 3) and ERROR (frame section 3).

/// Largest number of elements of a batch.
pub const BATCH: usize = 16_384;
/// Position of a row that the collaborator does not have.
pub const ABSENT: u32 = u32::MAX;

/// ERROR.
pub const ERROR: u16 = 0x0001;
/// ALIGN_SIZE.
pub const SIZE: u16 = 0x0101;
/// ALIGN_BLINDED.
pub const BLINDED: u16 = 0x0102;
/// ALIGN_TAGS.
pub const TAGS: u16 = 0x0103;
/// ALIGN_ROWS.
pub const ROWS: u16 = 0x0104;

const NAMES: [(u16, &str); 5] =
    [(ERROR, "ERROR"), (SIZE, "ALIGN_SIZE"), (BLINDED, "ALIGN_BLINDED"), (TAGS, "ALIGN_TAGS"), (ROWS, "ALIGN_ROWS")];

/// Registry name of a type, or its number in hex.
pub fn name(kind: u16) -> String {
    let mut names = NAMES.iter().chain(&super::vlr::NAMES).chain(&super::aggregate::NAMES);
    names.find(|(k, _)| *k == kind).map_or_else(|| format!("0x{kind:04x}"), |(_, n)| (*n).to_owned())
}

/// Type of a registry name.
pub fn kind(name: &str) -> Option<u16> {
    let mut names = NAMES.iter().chain(&super::vlr::NAMES).chain(&super::aggregate::NAMES);
    names.find(|(_, n)| *n == name).map(|(k, _)| *k)
}

/// ALIGN_SIZE.
pub fn size(keys: u64) -> Vec<u8> {
    keys.to_be_bytes().to_vec()
}

/// Splits elements into the batches of ALIGN_BLINDED.
pub fn blinded(elements: &[[u8; 32]]) -> Vec<Vec<u8>> {
    batches(elements.len(), |range| elements[range].concat())
}

/// Splits equal-width tags into the batches of ALIGN_TAGS.
pub fn tags(tags: &[Vec<u8>]) -> Vec<Vec<u8>> {
    batches(tags.len(), |range| tags[range].concat())
}

fn batches(count: usize, bytes: impl Fn(std::ops::Range<usize>) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..count)
        .step_by(BATCH)
        .map(|first| {
            let mut out = (first as u32).to_be_bytes().to_vec();
            out.extend(bytes(first..count.min(first + BATCH)));
            out
        })
        .collect()
}

/// Splits positions into the batches of ALIGN_ROWS; no rows: no batch.
pub fn rows(positions: &[u32], training: u32) -> Vec<Vec<u8>> {
    (0..positions.len())
        .step_by(BATCH)
        .map(|first| {
            let mut out = (positions.len() as u32).to_be_bytes().to_vec();
            out.extend(training.to_be_bytes());
            out.extend((first as u32).to_be_bytes());
            for position in &positions[first..positions.len().min(first + BATCH)] {
                out.extend(position.to_le_bytes());
            }
            out
        })
        .collect()
}

/// Reads ALIGN_SIZE.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn read_size(payload: &[u8]) -> Result<u64, String> {
    payload.try_into().map(u64::from_be_bytes).map_err(|_| format!("ALIGN_SIZE has {} bytes, not 8", payload.len()))
}

/// Joins batches of fixed-width items that arrived in order: contiguous, full but the last, `total` in all.
///
/// # Errors
/// A sentence that says which rule is broken.
pub fn join_batches(name: &str, payloads: &[&[u8]], width: usize, total: usize) -> Result<Vec<Vec<u8>>, String> {
    let mut items: Vec<Vec<u8>> = Vec::new();
    for (number, payload) in payloads.iter().enumerate() {
        let (first, body) =
            payload.split_at_checked(4).ok_or(format!("{name} batch {number} is shorter than 4 bytes"))?;
        let first = u32::from_be_bytes([first[0], first[1], first[2], first[3]]) as usize;
        if first != items.len() {
            return Err(format!("{name} batch {number} begins at {first}, not {}", items.len()));
        }
        let expected = total.saturating_sub(first).min(BATCH);
        if body.len() != expected * width || expected == 0 {
            return Err(format!("{name} batch {number} has {} bytes for {expected} items of {width}", body.len()));
        }
        items.extend(body.chunks(width).map(<[u8]>::to_vec));
    }
    if items.len() == total { Ok(items) } else { Err(format!("{name} holds {} of {total} items", items.len())) }
}

/// Joins batches of ALIGN_ROWS: positions and the number of training rows.
///
/// # Errors
/// A sentence that says which rule is broken.
pub fn join_rows(payloads: &[&[u8]]) -> Result<(Vec<u32>, usize), String> {
    let (mut positions, mut agreed) = (Vec::new(), None);
    for (number, payload) in payloads.iter().enumerate() {
        let (head, body) =
            payload.split_at_checked(12).ok_or(format!("ALIGN_ROWS batch {number} is shorter than 12 bytes"))?;
        let at = |i: usize| u32::from_be_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]) as usize;
        let (rows, training, first) = (at(0), at(4), at(8));
        if *agreed.get_or_insert((rows, training)) != (rows, training) || training > rows {
            return Err(format!("ALIGN-4: ALIGN_ROWS batch {number} has {rows} rows, {training} of training"));
        }
        let expected = rows.saturating_sub(first).min(BATCH);
        if first != positions.len() || body.len() != expected * 4 || expected == 0 {
            return Err(format!("ALIGN-4: ALIGN_ROWS batch {number} begins at {first} and has {} bytes", body.len()));
        }
        positions.extend(body.as_chunks::<4>().0.iter().map(|p| u32::from_le_bytes(*p)));
    }
    match agreed {
        Some((rows, training)) if rows == positions.len() => Ok((positions, training)),
        _ => Err(format!("ALIGN_ROWS holds {} positions", positions.len())),
    }
}

/// Reads ERROR: its code and its JSON.
pub fn read_error(payload: &[u8]) -> Option<(u32, serde_json::Value)> {
    let (code, rest) = payload.split_at_checked(4)?;
    let (length, text) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    if text.len() != length {
        return None;
    }
    Some((u32::from_be_bytes(code.try_into().ok()?), serde_json::from_slice(text).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn batches_are_full_but_the_last() {
        let elements = vec![[1u8; 32]; BATCH + 1];
        let batches = blinded(&elements);
        assert_eq!((batches.len(), batches[0].len(), batches[1].len()), (2, 4 + 32 * BATCH, 36));
        let views: Vec<&[u8]> = batches.iter().map(Vec::as_slice).collect();
        assert_eq!(join_batches("x", &views, 32, BATCH + 1).unwrap().len(), BATCH + 1);
        assert!(join_batches("x", &views[1..], 32, BATCH + 1).is_err());
        assert!(join_batches("x", &views, 32, BATCH + 2).is_err());
        assert!(blinded(&[]).is_empty());
    }

    #[test]
    fn an_error_reads_only_whole() {
        let mut payload = 5003u32.to_be_bytes().to_vec();
        crate::wire::lp(&mut payload, b"{\"code\":5003}");
        assert_eq!(read_error(&payload).unwrap().0, 5003);
        payload.push(0);
        assert!(read_error(&payload).is_none());
    }
}
