//! The vectors of scalars: their number and order.
use super::{Block, Target, check_scalars, scalar_count};
use crate::case::{Hex, each_without};
use crate::symmetric::dot;
use crate::{Columns, Error};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scalars {
    evaluation: usize,
    #[serde(rename = "round")]
    _round: u32,
    #[serde(rename = "rank")]
    _rank: u16,
    #[serde(rename = "flags")]
    _flags: u32,
    values: Vec<Hex>,
    #[serde(rename = "mask_keys")]
    _mask_keys: BTreeMap<String, Hex>,
}

/// The protocol crate quantises, masks and encodes, and answers for the other members.
// clause: VLR-11
#[test]
fn scalars_have_their_order() {
    each_without("vlr_scalars", &["quantised", "masked", "payload"], |given: Scalars| {
        let values: Vec<f64> = given.values.iter().map(Hex::double).collect();
        assert_eq!(values.len(), scalar_count(given.evaluation));
        check_scalars(&values).map_err(|e: Error| e.code())?;
        let mut block = block();
        let mut scalars = block.accept(&sums(0)).unwrap();
        for e in 1..=given.evaluation {
            let points: Vec<f64> = (0..e).map(|i| 0.7 - 0.31 * i as f64).collect();
            let gradients: Vec<f64> = (0..e).map(|i| -0.4 + 0.17 * i as f64).collect();
            block.step(&points, &gradients).unwrap();
            scalars = block.accept(&sums(e)).unwrap();
        }
        let order: Vec<String> = scalars.iter().map(|s| name(&block, *s)).collect();
        Ok(json!({ "order": order }))
    });
}

fn block() -> Block {
    let column = |a: usize, b: usize| (0..40).map(|i| ((i * a) % b) as f64 / b as f64 - 0.4).collect::<Vec<f64>>();
    let columns = vec![("a".to_owned(), column(7, 11)), ("b".to_owned(), column(5, 17))];
    let target = Target { rows: 40, positives: 13, lambda: 1.0 };
    Block::new(Columns::from_columns(40, columns).unwrap(), true, &target).unwrap()
}

fn sums(e: usize) -> [f64; 3] {
    [1, 2, 3].map(|j| ((3 * e + 5 * j) % 7) as f64 - 2.6)
}

/// The only inner product of points, gradients and the metric that has this value.
fn name(block: &Block, value: f64) -> String {
    let (b, g, d) = (&block.points, &block.gradients, &block.directions);
    let mut names = Vec::new();
    for i in 0..b.len() {
        let metric = block.metric.times(&b[i]);
        for j in 0..b.len() {
            let found = [("bMb", dot(&metric, &b[j])), ("bg", dot(&b[i], &g[j])), ("gMg", dot(&d[i], &g[j]))];
            let found = found.into_iter().filter(|(kind, v)| (i >= j || *kind == "bg") && (v - value).abs() < 1e-12);
            names.extend(found.map(|(kind, _)| format!("{kind}_{i}_{j}")));
        }
    }
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}
