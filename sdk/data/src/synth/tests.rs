#![allow(clippy::unwrap_used)]
use super::*;
use crate::check::{Encoding, RowSchema, check};
use crate::facts::ENTERPRISE;
use crate::{KeyFormat, Layout, Schema, Table, is_test_row, read};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

fn table(text: &str, label: Option<&str>) -> Table {
    let layout = Layout { format: KeyFormat::Uscc, label: label.map(str::to_owned), ..Layout::new("synthetic", KEY) };
    read(text.as_bytes(), &layout).unwrap()
}

#[test]
fn the_bytes_are_fixed() {
    let world = World::new(1, 500);
    let digest =
        |text: String| Sha256::digest(text.as_bytes()).iter().take(8).fold(0u64, |v, b| v << 8 | u64::from(*b));
    assert_eq!([digest(world.bank()), digest(world.tax()), digest(world.power())], DIGESTS);
    assert_ne!(digest(World::new(2, 500).bank()), DIGESTS[0]);
}

/// The first 8 bytes of SHA-256, as this program first made them.
const DIGESTS: [u64; 3] = [5_665_642_915_390_927_795, 7_911_658_959_056_663_712, 3_263_578_585_738_733_351];

#[test]
fn a_small_world_is_the_beginning_of_a_larger_one() {
    let (small, large) = (World::new(3, 200), World::new(3, 1000));
    assert!(large.bank().starts_with(&small.bank()));
    assert!(large.tax().starts_with(&small.tax()));
    assert!(large.power().starts_with(&small.power()));
}

#[test]
fn ten_thousand_enterprises_have_counts_worth_showing() {
    let world = World::new(1, 10_000);
    let (bank, tax, power) =
        (table(&world.bank(), Some(LABEL)), table(&world.tax(), None), table(&world.power(), None));
    for (table, coverage) in [(&bank, 0.90), (&tax, 0.92), (&power, 0.85)] {
        assert!((table.counts.valid as f64 / 10_000.0 - coverage).abs() < 0.02, "{:?}", table.counts);
        assert!(table.counts.duplicate > 5 && table.counts.invalid > 5, "{:?}", table.counts);
    }
    assert_eq!((bank.columns.len(), tax.columns.len(), power.columns.len()), (6, 7, 5));
    let known: [HashSet<&String>; 2] = [tax.keys.iter().collect(), power.keys.iter().collect()];
    let labels = bank.label.as_ref().unwrap();
    let joint: Vec<(&String, u8)> =
        bank.keys.iter().zip(labels.iter().copied()).filter(|(k, _)| known.iter().all(|s| s.contains(k))).collect();
    let bad = joint.iter().filter(|(_, y)| *y == 1).count() as f64 / joint.len() as f64;
    let test_events = joint.iter().filter(|(k, y)| *y == 1 && is_test_row(k)).count();
    assert!((0.04..0.10).contains(&bad), "{bad}");
    assert!(test_events >= 100, "{test_events}");
}

#[test]
fn no_column_is_rare_or_led_by_one_row() {
    let world = World::new(1, 10_000);
    for table in [table(&world.bank(), Some(LABEL)), table(&world.tax(), None), table(&world.power(), None)] {
        for column in &table.columns {
            let n = column.values.len() as f64;
            let mean = column.values.iter().sum::<f64>() / n;
            let squares: Vec<f64> = column.values.iter().map(|v| (v - mean) * (v - mean)).collect();
            let share = squares.iter().copied().fold(0.0, f64::max) / squares.iter().sum::<f64>();
            assert!(share < 0.011, "{}: {share}", column.name);
            let zeros = column.values.iter().filter(|v| **v == 0.0).count() as f64;
            assert!(zeros < 0.95 * n, "{}", column.name);
        }
    }
}

#[test]
fn a_world_has_a_largest_size() {
    assert_eq!(World::new(1, u32::MAX).enterprises(), MOST);
}

#[test]
fn every_file_keeps_to_its_schema_and_brings_the_same_features() {
    let world = World::new(1, 10_000);
    let files = [
        (BANK_SCHEMA, world.bank(), Some(LABEL)),
        (TAX_SCHEMA, world.tax(), None),
        (POWER_SCHEMA, world.power(), None),
    ];
    for (schema, text, label) in files {
        let mut rules = RowSchema::compile(schema, "synthetic").unwrap();
        assert!(rules.leave(KEY));
        let report = check(text.as_bytes(), Encoding::Csv, &rules, "synthetic", 3, |_| ()).unwrap();
        assert_eq!(report.invalid, 0, "{:?}", report.first);
        let facts = Schema::from_text(schema).facts().unwrap();
        let features: Vec<_> = facts.features(KEY, label).map(|c| c.name.as_str()).collect();
        assert_eq!(features, table(&text, label).columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>());
        assert_eq!((facts.grain.as_str(), facts.label.as_deref()), (ENTERPRISE, label));
    }
}
