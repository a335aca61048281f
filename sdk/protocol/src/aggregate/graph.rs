//! Who shares secrets and masks with whom (section 6).
use super::plan::{threshold, unsupported};
use crate::Error;
use hefu_core::Rank;
use hefu_crypto::{Stream, expand};

/// Fewest ranks of a roster with neighbours (AGG-23).
const MIN_RANKS: usize = 50;

/// The least k from so many ranks on: registry `neighbours.json`, where the derivation is named.
pub const NEIGHBOURS: &[(u16, u16)] =
    &[(50, 40), (64, 60), (96, 78), (128, 118), (192, 156), (256, 216), (384, 264), (512, 334), (768, 382)];

/// The least k for a roster of this size; none where it is too small for neighbours.
pub fn least_neighbours(ranks: usize) -> Option<u16> {
    NEIGHBOURS.iter().rev().find(|(from, _)| usize::from(*from) <= ranks).map(|(_, k)| *k)
}

/// The neighbours of every rank of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Graph {
    /// Everyone is everyone's neighbour.
    Complete,
    /// k neighbours each, ascending, by place in the roster.
    Ring { k: u16, neighbours: Vec<Vec<Rank>> },
}

impl Graph {
    /// The graph of a transcript over the ascending ranks of U0 (AGG-23).
    pub(super) fn new(transcript: &[u8; 32], roster: &[Rank], k: u16) -> Result<Graph, Error> {
        if k == 0 {
            return Ok(Graph::Complete);
        }
        let enough = least_neighbours(roster.len()).is_some_and(|least| k >= least);
        if roster.len() < MIN_RANKS || !enough {
            return Err(unsupported("AGG-23", "the plan has too few neighbours for its roster"));
        }
        if !k.is_multiple_of(2) || usize::from(k) >= roster.len() - 1 {
            return Err(unsupported("AGG-23", "the plan's number of neighbours is odd or not below the roster's size"));
        }
        Ok(Graph::ring(transcript, roster, k))
    }

    pub(super) fn ring(transcript: &[u8; 32], roster: &[Rank], k: u16) -> Graph {
        let count = roster.len();
        let order = Graph::order(transcript, count);
        let mut neighbours = vec![Vec::new(); count];
        for (i, place) in order.iter().enumerate() {
            let reach = 1..=usize::from(k / 2);
            let sides = reach.flat_map(|step| [(i + step) % count, (i + count - step) % count]);
            let mut found: Vec<Rank> = sides.map(|other| roster[order[other]]).collect();
            found.sort_unstable();
            neighbours[*place] = found;
        }
        Graph::Ring { k, neighbours }
    }

    /// π: places of the roster.
    pub(super) fn order(transcript: &[u8; 32], count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        let mut stream = Stream::new(expand(transcript, &[b"hefu/1 graph"]));
        for i in (1..count).rev() {
            let j = (stream.u64() % (i as u64 + 1)) as usize;
            order.swap(i, j);
        }
        order
    }

    /// The neighbours of the rank at `place` of the roster, ascending, without itself.
    pub(super) fn of(&self, roster: &[Rank], place: usize) -> Vec<Rank> {
        match self {
            Graph::Complete => roster.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, rank)| *rank).collect(),
            Graph::Ring { neighbours, .. } => neighbours.get(place).cloned().unwrap_or_default(),
        }
    }

    /// The threshold of sharing and of AGREEMENT, where that of the plan is t.
    pub(super) fn sharing_threshold(&self, t: u16) -> u16 {
        match self {
            Graph::Complete => t,
            Graph::Ring { k, .. } => threshold(k.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(count: u16) -> Vec<Rank> {
        (0..count).map(|i| Rank(2 * i)).collect()
    }

    // clause: AGG-23
    #[test]
    fn too_few_neighbours_or_ranks_are_refused() {
        let code = |count, k| Graph::new(&[1; 32], &roster(count), k).map(|_| ()).map_err(|e| e.requirement());
        let least = least_neighbours(60).unwrap();
        assert_eq!(code(60, least), Ok(()));
        assert_eq!(code(60, least - 2), Err("AGG-23"));
        assert_eq!(code(60, least + 1), Err("AGG-23"));
        assert_eq!(code(60, 60), Err("AGG-23"));
        assert_eq!(code(49, 46), Err("AGG-23"));
        assert_eq!(code(49, 0), Ok(()));
    }

    #[test]
    fn the_table_is_the_registry() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/registry/neighbours.json");
        let registry: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let table: Vec<_> = NEIGHBOURS.iter().map(|(from, k)| serde_json::json!({ "from": from, "k": k })).collect();
        assert_eq!(registry["neighbours"], serde_json::Value::from(table));
    }

    #[test]
    fn neighbours_are_mutual_and_distinct() {
        let roster = roster(100);
        let graph = Graph::ring(&[7; 32], &roster, 18);
        for (place, rank) in roster.iter().enumerate() {
            let neighbours = graph.of(&roster, place);
            assert_eq!(neighbours.len(), 18);
            assert!(neighbours.is_sorted() && neighbours.windows(2).all(|pair| pair[0] != pair[1]));
            for other in &neighbours {
                assert_ne!(other, rank);
                let back = roster.binary_search(other).unwrap();
                assert!(graph.of(&roster, back).contains(rank));
            }
        }
        assert_eq!(graph.sharing_threshold(67), 13);
        assert_ne!(graph, Graph::ring(&[8; 32], &roster, 18));
    }
}
