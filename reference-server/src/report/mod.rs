//! The report of a run: one HTML file with everything inside, for a risk modeller and for an agency's officer.
mod facts;
mod figures;
mod method;
mod parties;
mod plot;
mod pooled;
mod sections;
mod words;

use crate::demo::outcome::Outcome;
use crate::language::Language;
use words::both;

const STYLE: &str = include_str!("style.css");

pub use pooled::render as render_pooled;

/// The whole page, opened in the given language.
pub fn render(outcome: &Outcome, language: Language) -> String {
    let body = [
        sections::headline(outcome),
        sections::quality(outcome),
        sections::model(outcome),
        sections::rows(outcome),
        sections::learned(outcome),
        sections::cost(outcome),
        method::method(outcome),
    ]
    .concat();
    page(&sections::title(outcome), &body, &footer(outcome), language)
}

/// A page with everything inside: title, body and footer are HTML.
fn page(title: &str, body: &str, footer: &str, language: Language) -> String {
    let (en, zh) = match language {
        Language::English => ("checked", ""),
        Language::Chinese => ("", "checked"),
    };
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light \
          dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<div class=\"switch\" role=\"radiogroup\" aria-label=\"Language\">\
         <label><input type=\"radio\" name=\"lang\" id=\"lang-en\" {en}><span>English</span></label>\
         <label><input type=\"radio\" name=\"lang\" id=\"lang-zh\" {zh}><span>中文</span></label></div>\n\
         <main>\n{body}</main>\n<footer>{footer}</footer>\n</body>\n</html>\n",
        language.tag(),
    )
}

fn footer(outcome: &Outcome) -> String {
    let (software, job) = (words::escape(&outcome.settings.software), words::escape(&outcome.result.job));
    both(
        &format!("{software} · job {job} · every figure of this page was computed by the nodes of this run"),
        &format!("{software} · 作业 {job} · 本页数字均由本次运行的各节点计算"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample() -> Outcome {
        serde_json::from_str(include_str!("sample.json")).unwrap()
    }

    #[test]
    fn the_page_needs_nothing_from_outside() {
        let page = render(&sample(), Language::English);
        for outside in ["http://", "https://", "src=", "@import", "url(", "<script", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("lang-en\" checked"));
        assert!(render(&sample(), Language::Chinese).contains("lang-zh\" checked"));
    }

    #[test]
    fn every_part_is_there() {
        let outcome = sample();
        let page = render(&outcome, Language::English);
        assert!(page.matches("<svg").count() >= 9 + outcome.parties.len());
        for party in &outcome.parties {
            assert!(page.contains(&party.alias), "{}", party.alias);
        }
        for text in ["ROC", "KS", "2<sup>−24</sup>", "avx512-ifma", "X25519MLKEM768", "2,119", "learns"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("NaN"));
    }

    #[test]
    fn an_empty_result_does_not_break_the_page() {
        let mut outcome = sample();
        outcome.result = serde_json::from_str("{}").unwrap();
        outcome.parties.iter_mut().for_each(|party| party.columns.clear());
        let page = render(&outcome, Language::Chinese);
        assert!(page.ends_with("</html>\n") && !page.contains("NaN"));
    }

    #[test]
    fn names_of_parties_are_escaped() {
        let mut outcome = sample();
        outcome.parties[1].alias = "<img>".to_owned();
        assert!(!render(&outcome, Language::English).contains("<img>"));
    }
}
