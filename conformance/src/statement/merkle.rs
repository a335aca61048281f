//! The Merkle tree hash of RFC 9162, section 2.1.1, over the transcripts of a run.

use crate::wire::h;

/// Root of the tree over `entries`, in their order.
pub fn root<T: AsRef<[u8]>>(entries: &[T]) -> [u8; 32] {
    match entries {
        [] => h(&[]),
        [only] => h(&[&[0], only.as_ref()]),
        _ => {
            // The largest power of two below the number of entries.
            let (left, right) = entries.split_at(entries.len().next_power_of_two() / 2);
            h(&[&[1], &root(left), &root(right)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree of the certificate transparency test data of RFC 6962 implementations: eight known entries.
    #[test]
    fn roots_are_those_of_published_test_data() {
        let entries: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ];
        for (count, expected) in roots {
            assert_eq!(hex::encode(root(&entries[..count])), expected, "{count} entries");
        }
    }
}
