//! The vectors of pooled models (pooled.md): fits, histograms, bins, averages.
use super::value;
use super::vectors::plan_of;
use super::{Tensor, Values, merge_small_cells};
use crate::case::{Hex, decimals, digits, double, each};
use hefu_core::{Code, ValueCodec};
use hefu_model::pooled::{
    Cell, Moments, Newton, NewtonSums, Progress, bin, check_rows, deviations, evidence, histogram, moments, newton,
    pooled_scales,
};
use hefu_model::{Columns, Error, Source, Standardiser};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fit {
    columns: usize,
    lambda: String,
    max_rounds: u32,
    missing: String,
    few_rows: bool,
    participants: Vec<Vec<Vec<Option<i32>>>>,
}

/// One participant's rows.
struct Part {
    cells: Vec<Vec<f64>>,
    labels: Vec<u8>,
    rows: Vec<u32>,
}

impl Part {
    fn new(rows: &[Vec<Option<i32>>], columns: usize) -> Self {
        let cell = |row: &Vec<Option<i32>>, j: usize| row[j + 1].map_or(f64::NAN, f64::from);
        Part {
            cells: (0..columns).map(|j| rows.iter().map(|row| cell(row, j)).collect()).collect(),
            labels: rows.iter().map(|row| u8::try_from(row[0].unwrap()).unwrap()).collect(),
            rows: (0..u32::try_from(rows.len()).unwrap()).collect(),
        }
    }

    fn sources(&self) -> Vec<Source<'_>> {
        self.cells.iter().map(|values| Source { name: "x", values }).collect()
    }
}

/// The exact sum of what every participant rounds to codec `wide`.
fn summed(parts: &[Vec<f64>]) -> Vec<f64> {
    let count = u32::try_from(parts[0].len()).unwrap();
    let tensor = Tensor::new("x", ValueCodec::Wide, 60, &[count]);
    let plan = plan_of(0, 3, vec![tensor]);
    let mut sum = vec![0u64; plan.ring_elements()];
    for part in parts {
        let ring = value::encode(&plan, 3, &[Values::Real(part.clone())]).unwrap();
        sum.iter_mut().zip(ring.iter()).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
    }
    value::decode(&plan, 3, &sum).unwrap().reals().remove(0)
}

/// Rounds 0 and 1: what all rows hold, and the sums of squares about the mean.
fn first_rounds(parts: &[Part]) -> Result<(Moments, Vec<f64>, Vec<f64>), Error> {
    let own: Vec<Moments> =
        parts.iter().map(|p| moments(&p.sources(), &p.labels, &p.rows)).collect::<Result<_, _>>()?;
    let all = Moments {
        rows: own.iter().map(|m| m.rows).sum(),
        positive: own.iter().map(|m| m.positive).sum(),
        present: (0..own[0].present.len()).map(|j| own.iter().map(|m| m.present[j]).sum()).collect(),
        sum: summed(&own.into_iter().map(|m| m.sum).collect::<Vec<_>>()),
    };
    let mean: Vec<f64> = all.sum.iter().zip(&all.present).map(|(sum, n)| sum / *n as f64).collect();
    let squares = parts.iter().map(|p| deviations(&p.sources(), &p.rows, &mean)).collect::<Result<Vec<_>, _>>()?;
    // An empty column has no mean; the coordinator refuses it before this round.
    let squares = if mean.iter().all(|m| m.is_finite()) { summed(&squares) } else { vec![0.0; mean.len()] };
    Ok((all, mean, squares))
}

fn fitted(given: &Fit) -> Result<Value, Code> {
    let parts: Vec<Part> = given.participants.iter().map(|rows| Part::new(rows, given.columns)).collect();
    if given.missing == "error" && parts.iter().any(|p| p.cells.iter().flatten().any(|x| x.is_nan())) {
        return Err(Code::EmptyCell);
    }
    let (all, mean, squares) = first_rounds(&parts).map_err(|e| e.code())?;
    check_rows(&all, given.few_rows).map_err(|e| e.code())?;
    let mut fit = Newton::new(&all, given.lambda.parse().unwrap()).map_err(|e| e.code())?;
    let names = vec!["x".to_owned(); given.columns];
    let scales = pooled_scales(&names, &all, &squares).map_err(|e| e.code())?;
    let deviation: Vec<String> = scales.iter().map(|scale| digits(scale.deviation)).collect();
    let standardiser = Standardiser::from_parts(scales, None);
    let tables: Vec<Columns> =
        parts.iter().map(|p| standardiser.apply(&p.sources(), &p.rows)).collect::<Result<_, _>>().unwrap();
    let mut objective;
    let mut round = 2;
    loop {
        if round >= given.max_rounds {
            return Err(Code::TooManyRounds);
        }
        let (coefficients, intercept) = fit.point();
        let own = tables.iter().zip(&parts).map(|(x, p)| newton(x, &p.labels, coefficients, intercept).unwrap());
        let own: Vec<NewtonSums> = own.collect();
        let of = |part: fn(&NewtonSums) -> Vec<f64>| summed(&own.iter().map(part).collect::<Vec<_>>());
        let sums = NewtonSums {
            gram: of(|s| s.gram.clone()),
            gradient: of(|s| s.gradient.clone()),
            loss: of(|s| vec![s.loss])[0],
        };
        let penalty: f64 = coefficients.iter().map(|b| b * b).sum();
        objective = sums.loss + given.lambda.parse::<f64>().unwrap() / 2.0 * penalty;
        round += 1;
        if fit.advance(&sums, true).map_err(|e| e.code())? == Progress::Done {
            break;
        }
    }
    let (coefficients, intercept) = fit.point();
    Ok(json!({
        "rows": all.rows, "positive": all.positive, "present": all.present,
        "sum": decimals(all.sum.iter().map(|sum| *sum as i64)),
        "mean": mean.into_iter().map(digits).collect::<Vec<_>>(), "deviation": deviation,
        "coefficients": coefficients.iter().copied().map(digits).collect::<Vec<_>>(), "intercept": digits(intercept),
        "objective": digits(objective), "rounds": round,
    }))
}

// clause: POOL-3, POOL-4
#[test]
fn fits() {
    each("pooled_newton", |given: Fit| fitted(&given));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    bins: Vec<(u64, u64)>,
}

#[test]
fn weights_of_evidence() {
    each("pooled_woe", |given: Counts| {
        let (woe, iv) = evidence(&given.bins);
        Ok(json!({ "woe": woe.into_iter().map(digits).collect::<Vec<_>>(), "iv": digits(iv) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    low: Hex,
    width: Hex,
    good: Vec<u64>,
    bad: Vec<u64>,
    bins: usize,
    minimum: u64,
}

// clause: AGG-27
#[test]
fn bins() {
    each("pooled_bins", |given: Column| {
        let merged = merge_small_cells(&given.good, &given.bad, given.minimum).map_err(|e| e.code())?;
        let cells: Vec<Cell> =
            merged.iter().map(|cell| Cell { first: cell.first, good: cell.good, bad: cell.bad }).collect();
        let binning = bin("x", given.low.double(), given.width.double(), &cells, given.bins);
        let of = |count: fn(&hefu_model::pooled::Bin) -> u64| binning.bins.iter().map(count).collect::<Vec<_>>();
        Ok(json!({
            "edges": binning.bins.iter().filter_map(|b| b.from).map(digits).collect::<Vec<_>>(),
            "good": of(|b| b.good), "bad": of(|b| b.bad),
            "woe": binning.bins.iter().map(|b| digits(b.woe)).collect::<Vec<_>>(), "iv": digits(binning.iv),
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Buckets {
    mean: Hex,
    deviation: Hex,
    buckets: usize,
    rows: Vec<(u8, Option<Hex>)>,
}

#[test]
fn histograms() {
    each("pooled_buckets", |given: Buckets| {
        let (mean, deviation) = (given.mean.double(), given.deviation.double());
        let (low, width) = (mean - 4.0 * deviation, 8.0 * deviation / given.buckets as f64);
        let cells: Vec<f64> = given.rows.iter().map(|(_, x)| x.as_ref().map_or(f64::NAN, Hex::double)).collect();
        let labels: Vec<u8> = given.rows.iter().map(|(label, _)| *label).collect();
        let rows: Vec<u32> = (0..u32::try_from(cells.len()).unwrap()).collect();
        let column = [Source { name: "x", values: &cells }];
        let counts = histogram(&column, &labels, &rows, &[low], &[width], given.buckets).map_err(|e| e.code())?;
        Ok(json!({ "low": double(low), "width": double(width), "good": counts.good, "bad": counts.bad }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    weight: u64,
    tensors: Vec<Vec<Hex>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Average {
    clip: u16,
    participants: u16,
    parts: Vec<Update>,
}

// clause: AGG-10
#[test]
fn averages() {
    each("pooled_update", |given: Average| {
        let shapes = given.parts[0].tensors.iter().map(|tensor| tensor.len() as u32);
        let tensors = shapes.map(|n| Tensor::new("x", ValueCodec::Fixed, given.clip, &[n])).collect();
        let plan = plan_of(0, given.participants, tensors);
        let (mut elements, mut sum) = (Vec::new(), vec![0u64; plan.ring_elements()]);
        for part in &given.parts {
            let weighted =
                |tensor: &Vec<Hex>| Values::Real(tensor.iter().map(|x| part.weight as f64 * x.double()).collect());
            let values: Vec<Values> = part.tensors.iter().map(weighted).collect();
            let ring = value::encode(&plan, given.participants, &values).map_err(|e| e.code())?;
            sum.iter_mut().zip(ring.iter()).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
            let mut rest = ring.iter();
            let cut = |tensor: &Vec<Hex>| decimals(rest.by_ref().take(tensor.len()));
            elements.push(part.tensors.iter().map(cut).collect::<Vec<_>>());
        }
        let total: u64 = given.parts.iter().map(|part| part.weight).sum();
        let sums = value::decode(&plan, given.participants, &sum).unwrap().reals();
        let mean = |tensor: Vec<f64>| tensor.into_iter().map(|x| digits(x / total as f64)).collect::<Vec<_>>();
        Ok(json!({ "elements": elements, "mean": sums.into_iter().map(mean).collect::<Vec<_>>() }))
    });
}
