//! What a party keeps secret in an alignment: scalars and orders, fresh for every session and collaborator (ALIGN-5).
use hefu_core::Rank;
use hefu_crypto::{Blinder, Seed};

/// Where scalars and orders come from.
pub(super) enum Secrets {
    /// Derived from the job's seed.
    Seed(Seed),
    /// Given, for a test vector: scalar and order towards each peer, and the order of the job's rows.
    #[cfg(test)]
    Given { peers: Vec<(Rank, [u8; 32], Vec<u32>)>, rows: Vec<u32> },
}

impl Secrets {
    /// The scalar towards a peer.
    pub(super) fn blinder(&self, peer: Rank) -> Blinder {
        match self {
            Secrets::Seed(seed) => Blinder::new(&seed.derive("align scalar", &peer.0.to_be_bytes())),
            #[cfg(test)]
            Secrets::Given { peers, .. } => {
                let given = peers.iter().find(|given| given.0 == peer);
                given.and_then(|given| Blinder::dangerous_from_scalar(&given.1).ok()).unwrap()
            }
        }
    }

    /// The order of `count` own keys towards a peer: the key at each place.
    pub(super) fn order(&self, peer: Rank, count: u32) -> Vec<u32> {
        match self {
            Secrets::Seed(seed) => seed.stream("align permutation", &peer.0.to_be_bytes()).permutation(count),
            #[cfg(test)]
            Secrets::Given { peers, .. } => peers.iter().find(|given| given.0 == peer).unwrap().2.clone(),
        }
    }

    /// The order of all `count` own keys of which the job's rows keep what is left of it.
    pub(super) fn row_order(&self, count: u32) -> Vec<u32> {
        match self {
            Secrets::Seed(seed) => seed.stream("align row order", &[]).permutation(count),
            #[cfg(test)]
            Secrets::Given { rows, .. } => rows.clone(),
        }
    }
}
