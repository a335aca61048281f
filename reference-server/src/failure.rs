//! How a failure leaves the program: its exit code, its words in the reader's language, its JSON object.
use crate::language::Language;
use hefu::{Code, Failure, Place};
use hefu_core::registry;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// A result of a command.
pub type Result<T> = std::result::Result<T, Failure>;

/// Exit codes of the command: 1 job failed, 2 usage or configuration, 3 peer unreachable, 4 refused, 5 data, 70
/// internal.
pub fn exit_number(code: Code) -> u8 {
    match code {
        Code::PortTaken | Code::Configuration | Code::Usage | Code::Disk => 2,
        Code::UnknownJob | Code::UnknownSession | Code::BadPartyId | Code::MalformedDocument => 2,
        Code::PeerUnreachable | Code::PeerSlow | Code::LinkCut | Code::ControlUnreachable => 3,
        Code::UntrustedCertificate | Code::BadSignature | Code::TooManyJobs | Code::NodeMemory => 4,
        Code::NormTooLarge | Code::ScalarTooLarge | Code::PredictorTooLarge | Code::TooManyRows => 5,
        Code::Internal => 70,
        code => match code.number() / 1000 {
            1 => 3,
            2 | 3 => 4,
            6 => 5,
            _ => 1,
        },
    }
}

/// Tells a failure: words on standard error; with `--json` also one object on standard output.
pub fn tell(failure: &Failure, json: bool, language: Language) -> ExitCode {
    eprint!("{}", words(failure, language));
    if json {
        let _ = writeln!(std::io::stdout().lock(), "{}", object(failure, language));
    }
    ExitCode::from(exit_number(failure.code))
}

/// The words of a failure, one line each.
pub fn words(failure: &Failure, language: Language) -> String {
    let (cause, next) = texts(failure, language);
    let word = |en: &'static str, zh: &'static str| language.pick(en, zh);
    let mut out = format!("{} {} {}\n", word("error", "错误"), failure.code.number(), failure.code.name());
    let mut line = |name: &str, text: &str| out.push_str(&format!("  {name}: {text}\n"));
    if let Some(party) = &failure.party {
        line(word("party", "参与方"), party);
    }
    if failure.place != Place::default() {
        line(word("place", "位置"), &place_words(&failure.place, language));
    }
    line(word("cause", "原因"), &cause);
    line(word("next", "处理"), &next);
    out
}

fn place_words(place: &Place, language: Language) -> String {
    match language {
        Language::English => place.to_string(),
        Language::Chinese => [
            place.dataset.clone(),
            place.row.map(|row| format!("第 {row} 行")),
            place.column.as_ref().map(|column| format!("列 {column}")),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("，"),
    }
}

/// Cause and next step. Chinese comes from the registry; a cause in its own words follows it as it is.
fn texts(failure: &Failure, language: Language) -> (String, String) {
    let entry = registry::entry(failure.code);
    match language {
        Language::English => (failure.cause.clone(), failure.next.clone()),
        Language::Chinese if failure.cause == entry.cause.en => (entry.cause.zh.to_owned(), entry.next.zh.to_owned()),
        Language::Chinese => (format!("{}({})", entry.cause.zh, failure.cause), entry.next.zh.to_owned()),
    }
}

/// The object of `--json`.
pub fn object(failure: &Failure, language: Language) -> Value {
    let (cause, next) = texts(failure, language);
    json!({"error": {
        "code": failure.code.number(),
        "name": failure.code.name(),
        "party": failure.party,
        "place": {
            "dataset": failure.place.dataset,
            "row": failure.place.row,
            "column": failure.place.column,
        },
        "cause": cause,
        "next": next,
    }})
}

/// A failure of the command line.
pub fn usage(cause: impl Into<String>) -> Failure {
    Failure::because(Code::Usage, cause)
}

/// A file that cannot be read or written.
pub fn file(code: Code, path: &std::path::Path, error: &std::io::Error) -> Failure {
    let mut failure = Failure::because(code, format!("{error}."));
    failure.place.dataset = Some(path.display().to_string());
    failure
}

/// Makes sure that a result can be written before the work for it begins; what the file holds stays.
///
/// # Errors
/// `CONFIGURATION` naming the path.
pub fn writable(path: &std::path::Path) -> Result<()> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|e| file(Code::Configuration, path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_exit_code_of_the_contract() {
        for code in Code::ALL {
            assert!(matches!(exit_number(*code), 1..=5 | 70), "{}", code.name());
        }
        let expected = [
            (Code::MissingColumn, 5),
            (Code::NotAllowed, 4),
            (Code::NoCommonVersion, 4),
            (Code::PeerUnreachable, 3),
            (Code::PortTaken, 2),
            (Code::Cancelled, 1),
            (Code::Internal, 70),
            (Code::Usage, 2),
            (Code::UntrustedCertificate, 4),
        ];
        for (code, number) in expected {
            assert_eq!(exit_number(code), number, "{}", code.name());
        }
    }

    #[test]
    fn a_failure_tells_everything_in_both_languages() {
        let mut failure = Failure::because(Code::NotANumber, "Row 7 has a cell that is no number.");
        failure.party = Some("tax".to_owned());
        failure.place = Place { dataset: Some("tax.csv".into()), row: Some(7), column: Some("vat".into()) };
        let en = words(&failure, Language::English);
        for part in ["6002 NOT_A_NUMBER", "party: tax", "tax.csv, row 7, column vat", "cause: Row 7", "next: "] {
            assert!(en.contains(part), "{part} in {en}");
        }
        let zh = words(&failure, Language::Chinese);
        assert!(zh.contains("单元格不是十进制数") && zh.contains("第 7 行") && zh.contains("请修正"), "{zh}");
        let object = object(&failure, Language::English);
        assert_eq!(object["error"]["code"], 6002);
        assert_eq!(object["error"]["place"]["row"], 7);
    }
}
