//! `hefu data check`.
use super::Screen;
use super::screen::columns;
use crate::failure::{self, Result};
use crate::language::Language;
use clap::{Args, Subcommand, ValueEnum};
use hefu::{Code, Failure, Place};
use hefu_data::check::{self, Encoding, Report, RowSchema};
use hefu_data::dictionary;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(2);

/// What to do with files of rows.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Check every row of a CSV or NDJSON file against a schema; nothing leaves this machine, no node is needed.
    #[command(after_help = "Examples:
  hefu data check contributions.csv --schema si_contribution_month
  hefu data check rows.ndjson --schema our-table.schema.json --max-errors 100 --json

SCHEMA is a file, or a table of the data dictionary: biz_registration, si_contribution_month, utility_usage_month,
tax_payment_period, tax_credit_rating_year, vat_invoice, property_event, patent, gov_subsidy, judicial_event,
customs_month, loan_outcome.

In CSV an empty cell is null and a truth value is true or false. A report names rows, columns and rules, never a value.
Exit codes: 0 every row is valid, 5 some are not or the file cannot be read to its end, 2 usage.")]
    Check(CheckArgs),
}

/// Which file, against what.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The file: CSV with a header line, or one JSON object a line.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A JSON Schema (2020-12) of one row, or the name of a table of the data dictionary.
    #[arg(long, value_name = "SCHEMA")]
    schema: String,
    /// How rows are written; else by the file's name: .ndjson and .jsonl are NDJSON.
    #[arg(long, value_enum)]
    encoding: Option<EncodingArg>,
    /// How many violations to list; all are counted.
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_errors: usize,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EncodingArg {
    /// RFC 4180, with a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

pub fn run(command: DataCommand, screen: Screen) -> ExitCode {
    let DataCommand::Check(args) = command;
    match check(&args, screen) {
        Ok(report) => tell(&args, &report, screen),
        Err(failure) => failure::tell(&failure, screen.json, screen.language),
    }
}

fn check(args: &CheckArgs, screen: Screen) -> Result<Report> {
    let schema = schema(&args.schema)?;
    let dataset = args.file.display().to_string();
    let file = File::open(&args.file).map_err(|e| failure::file(Code::BadFile, &args.file, &e))?;
    let bytes = file.metadata().map(|m| m.len()).unwrap_or(0);
    let (begin, mut told) = (Instant::now(), Instant::now());
    let mut last = None;
    let report = check::check(file, encoding(args), &schema, &dataset, args.max_errors, |at| {
        last = Some(at);
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            let percent = (100 * at.bytes).checked_div(bytes).unwrap_or(0).min(100);
            eprintln!("{}: {} ({percent} %)", screen.pick("rows", "行"), at.rows);
        }
    });
    if let Some(at) = last {
        let seconds = begin.elapsed().as_secs_f64();
        let rate = at.rows as f64 / seconds.max(1e-6);
        match screen.language {
            Language::English => eprintln!("{} rows in {seconds:.1} s, {rate:.0} rows/s", at.rows),
            Language::Chinese => eprintln!("{} 行，用时 {seconds:.1} 秒，每秒 {rate:.0} 行", at.rows),
        }
    }
    report.map_err(|e| of_data(&e))
}

fn encoding(args: &CheckArgs) -> Encoding {
    if is_ndjson(&args.file, args.encoding) { Encoding::Ndjson } else { Encoding::Csv }
}

/// Whether rows are JSON objects, as asked for or by the file's name.
pub fn is_ndjson(file: &Path, asked: Option<EncodingArg>) -> bool {
    let extension = file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    matches!((asked, extension.as_deref()), (Some(EncodingArg::Ndjson), _) | (None, Some("ndjson" | "jsonl")))
}

fn schema(named: &str) -> Result<RowSchema> {
    RowSchema::compile(&schema_text(named)?, named).map_err(|e| of_data(&e))
}

/// The schema of a file, or of a table of the dictionary where no file has this name; exact text.
pub fn schema_text(named: &str) -> Result<String> {
    let path = Path::new(named);
    if let Some(table) = dictionary::table(named).filter(|_| !path.exists()) {
        return Ok(table.schema.to_owned());
    }
    let text = std::fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            failure::usage(format!("{named} is neither a file nor a table of the data dictionary."))
        }
        _ => failure::file(Code::BadSchema, path, &e),
    })?;
    String::from_utf8(text).map_err(|_| {
        let problem = Failure::because(Code::BadSchema, "The schema is not UTF-8.");
        Failure { place: Place { dataset: Some(named.to_owned()), ..Place::default() }, ..problem }
    })
}

fn of_data(error: &hefu_data::Error) -> Failure {
    let mut failure = Failure::because(error.code(), format!("{error}."));
    failure.place = error.place();
    failure
}

/// Tells a report; exit code 5 where a row is invalid.
fn tell(args: &CheckArgs, report: &Report, screen: Screen) -> ExitCode {
    let mut object = object(args, report);
    if report.invalid == 0 {
        screen.answer(&object, || summary(report, screen));
        return ExitCode::SUCCESS;
    }
    let cause = format!("{} of {} rows break a rule of the schema.", report.invalid, report.rows);
    let mut failure = Failure::because(Code::SchemaViolation, cause);
    let first = report.first.first();
    failure.place = Place {
        dataset: Some(args.file.display().to_string()),
        row: first.map(|v| v.row),
        column: first.and_then(|v| v.column.clone()),
    };
    object["error"] = failure::object(&failure, screen.language)["error"].take();
    screen.answer(&object, || summary(report, screen));
    eprint!("{}", failure::words(&failure, screen.language));
    ExitCode::from(failure::exit_number(Code::SchemaViolation))
}

fn object(args: &CheckArgs, report: &Report) -> Value {
    let counts = report.counts.iter().map(|((column, rule), count)| {
        let (meaning, _) = meaning(*rule);
        json!({"column": column, "rule": rule.as_str(), "meaning": meaning, "count": count})
    });
    let listed = report.first.iter().map(|v| json!({"row": v.row, "column": v.column, "rule": v.rule.as_str()}));
    json!({
        "file": args.file.display().to_string(), "schema": args.schema,
        "rows": report.rows, "valid": report.valid, "invalid": report.invalid,
        "counts": counts.collect::<Vec<_>>(), "violations": listed.collect::<Vec<_>>(),
    })
}

fn summary(report: &Report, screen: Screen) -> String {
    let head = match screen.language {
        Language::English => {
            format!("{} rows: {} valid, {} invalid", report.rows, report.valid, report.invalid)
        }
        Language::Chinese => format!("共 {} 行：有效 {} 行，无效 {} 行", report.rows, report.valid, report.invalid),
    };
    if report.invalid == 0 {
        return head;
    }
    let whole = screen.pick("(whole row)", "（整行）");
    let mut counts = vec![
        [("column", "列"), ("rule", "规则"), ("meaning", "含义"), ("count", "次数")]
            .map(|(en, zh)| screen.pick(en, zh).to_owned())
            .to_vec(),
    ];
    for ((column, rule), count) in &report.counts {
        let (en, zh) = meaning(*rule);
        let column = column.as_deref().unwrap_or(whole).to_owned();
        counts.push(vec![column, rule.as_str().to_owned(), screen.pick(en, zh).to_owned(), count.to_string()]);
    }
    let mut listed = vec![
        [("row", "行"), ("column", "列"), ("rule", "规则")].map(|(en, zh)| screen.pick(en, zh).to_owned()).to_vec(),
    ];
    for violation in &report.first {
        let column = violation.column.as_deref().unwrap_or(whole).to_owned();
        listed.push(vec![violation.row.to_string(), column, violation.rule.as_str().to_owned()]);
    }
    let total: u64 = report.counts.values().sum();
    let shown = match screen.language {
        Language::English => format!("the first {} of {total} violations:", report.first.len()),
        Language::Chinese => format!("{total} 处违规中的前 {} 处：", report.first.len()),
    };
    let listed = if report.first.is_empty() { String::new() } else { format!("\n{shown}\n{}", columns(&listed)) };
    format!("{head}\n\n{}{listed}", columns(&counts))
}

/// What a rule asks, for a person.
fn meaning(rule: check::Rule) -> (&'static str, &'static str) {
    use check::Rule;
    match rule {
        Rule::Fields => ("as many cells as the header", "单元格数与表头一致"),
        Rule::Quotes => ("quotes only around a whole cell", "引号须包住整个单元格"),
        Rule::Json => ("one JSON object a line", "每行一个 JSON 对象"),
        Rule::Duplicate => ("each member once", "每个字段只出现一次"),
        Rule::Required => ("must be there", "字段不得缺少"),
        Rule::AdditionalProperties => ("no other members", "不得有模式之外的字段"),
        Rule::Null => ("must not be empty", "不得为空"),
        Rule::Type => ("of the schema's type", "类型须与模式一致"),
        Rule::Enum => ("one of the listed codes", "须为所列代码之一"),
        Rule::Format => {
            ("a code with a valid check character, a day, a month, a decimal", "校验位、日期、月份或小数格式有效")
        }
        Rule::Pattern => ("matches the pattern", "须符合模式中的正则"),
        Rule::MinLength => ("not so short", "长度不足"),
        Rule::MaxLength => ("not so long", "长度超限"),
        Rule::Minimum => ("not so small", "数值过小"),
        Rule::Maximum => ("not so large", "数值过大"),
        other => (other.as_str(), other.as_str()),
    }
}
