//! How fast a CSV file is checked, beside plain parsing of the same file.
//!
//! `cargo run --release -p hefu-data --example check_speed -- FILE TABLE`
use hefu_data::check::{Encoding, RowSchema, check};
use hefu_data::dictionary::table;
use std::error::Error;
use std::fs::File;

/// Seconds of the processor that this thread has used (Linux).
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default();
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, name] = arguments.as_slice() else { return Err("usage: check_speed FILE TABLE".into()) };
    let schema = RowSchema::compile(table(name).ok_or("no such table")?.schema, name)?;

    let begin = cpu_seconds()?;
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 17).from_reader(File::open(file)?);
    let (mut record, mut rows) = (csv::ByteRecord::new(), 0u64);
    while reader.read_byte_record(&mut record)? {
        rows += 1;
    }
    let plain = cpu_seconds()? - begin;

    let begin = cpu_seconds()?;
    let report = check(File::open(file)?, Encoding::Csv, &schema, file, 20, |_| {})?;
    let checked = cpu_seconds()? - begin;

    println!("rows {rows}, valid {}", report.valid);
    println!("plain parsing: {plain:.2} CPU seconds, {:.0} rows a second", rows as f64 / plain);
    println!("checking: {checked:.2} CPU seconds, {:.0} rows a second", rows as f64 / checked);
    println!("ratio {:.2}", checked / plain);
    Ok(())
}
