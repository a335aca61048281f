//! What an initiator keeps secret: blinds and orders, fresh for every session and collaborator (OPRF-9).
use crate::Error;
use hefu_core::{Code, Rank};
use hefu_crypto::Seed;
use hefu_crypto::oprf::OprfBlind;

/// Where blinds and orders come from.
pub(super) enum Secrets {
    /// Derived from the job's seed.
    Seed(Seed),
    /// Given, for a test vector: scalar and order towards each collaborator, and the order of the job's rows.
    #[cfg(test)]
    Given { peers: Vec<(Rank, [u8; 32], Vec<u32>)>, rows: Vec<u32> },
}

impl Secrets {
    /// The blind towards a collaborator.
    pub(super) fn blind(&self, peer: Rank) -> Result<OprfBlind, Error> {
        let blind = match self {
            Secrets::Seed(seed) => OprfBlind::new(&seed.derive("oprf blind", &peer.0.to_be_bytes())),
            #[cfg(test)]
            Secrets::Given { peers, .. } => {
                OprfBlind::dangerous_from_scalar(&peers.iter().find(|given| given.0 == peer).unwrap().1)
            }
        };
        blind.map_err(|_| Error::job(Code::Internal, "", "a blind cannot be drawn"))
    }

    /// The order of `count` own keys towards a collaborator: the key at each place.
    pub(super) fn order(&self, peer: Rank, count: u32) -> Vec<u32> {
        match self {
            Secrets::Seed(seed) => seed.stream("oprf permutation", &peer.0.to_be_bytes()).permutation(count),
            #[cfg(test)]
            Secrets::Given { peers, .. } => peers.iter().find(|given| given.0 == peer).unwrap().2.clone(),
        }
    }

    /// The order of all `count` own keys of which the job's rows keep what is left of it.
    pub(super) fn row_order(&self, count: u32) -> Vec<u32> {
        match self {
            Secrets::Seed(seed) => seed.stream("oprf row order", &[]).permutation(count),
            #[cfg(test)]
            Secrets::Given { rows, .. } => rows.clone(),
        }
    }
}
