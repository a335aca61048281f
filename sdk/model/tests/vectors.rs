//! The vectors of phases and wraps; the order of scalars is beside its code, in `src/block.rs`.
#![allow(clippy::unwrap_used)]
#[path = "../../core/tests/vectors/case.rs"]
mod case;

use case::{Decimal, Hex, decimals, each, each_near};
use hefu_model::block::{Block, Target, phase};
use hefu_model::{Columns, Error};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(non_snake_case)]
struct Predictors {
    P: u32,
    z: Vec<Hex>,
}

/// z/P is rounded once to binary64: within 2^12 units where it has no end in binary, exact where it has.
#[test]
fn phases() {
    each_near("vlr_phase", |Predictors { P, z }| {
        let tolerance = if P == 50 { 1 << 12 } else { 0 };
        let phases = z.iter().map(|z| phase(z.double(), f64::from(P)));
        (tolerance, Ok(json!({ "phases": decimals(phases) })))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrap {
    column: Vec<Decimal>,
    sum: Decimal,
}

#[test]
fn wraps() {
    each("vlr_wrap", |Wrap { column, sum }| {
        let column: Vec<f64> = column.iter().map(|x| x.i64() as f64 / 2f64.powi(22)).collect();
        let target = Target { rows: column.len() as u32, positives: 1, lambda: 1.0 };
        let x = Columns::from_columns(column.len(), vec![("x".to_owned(), column)]).unwrap();
        let block = Block::new(x, false, &target).map_err(|e: Error| e.code())?;
        let flag = block.is_wrapped(&[sum.i64() as f64 / 2f64.powi(42)]).unwrap();
        Ok(json!({ "flag": flag }))
    });
}
