//! JUnit: FAIL is a failure; INCONCLUSIVE, ERROR and NOT_RUN are errors; N/A is skipped.

use super::escape;
use crate::judge::Verdict;
use crate::run::{CaseResult, Results};

pub(super) fn render(results: &Results) -> String {
    let count = |of: &[Verdict]| results.cases.iter().filter(|c| of.contains(&c.finding.verdict)).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"hefu-conformance\" tests=\"{}\" failures=\"{}\" \
         errors=\"{}\" skipped=\"{}\" time=\"{}\">\n",
        results.cases.len(),
        count(&[Verdict::Fail]),
        count(&[Verdict::Inconclusive, Verdict::Error, Verdict::NotRun]),
        count(&[Verdict::NotApplicable]),
        results.seconds
    );
    for case in &results.cases {
        out.push_str(&one(case));
    }
    out.push_str("</testsuite>\n");
    out
}

fn one(case: &CaseResult) -> String {
    let head = format!(
        "  <testcase classname=\"{}.{}.{}\" name=\"{} {}\" time=\"{}\"",
        case.profile.name(),
        case.role.name(),
        escape(&case.clause),
        escape(&case.id),
        escape(&case.title),
        case.seconds
    );
    let reason = escape(&case.finding.reason);
    let body = escape(&format!("expected {}\ngot {}", case.finding.expected, case.finding.got));
    match case.finding.verdict {
        Verdict::Pass | Verdict::Warn => format!("{head}/>\n"),
        Verdict::NotApplicable => format!("{head}><skipped message=\"{reason}\"/></testcase>\n"),
        Verdict::Fail => format!("{head}><failure message=\"{reason}\">{body}</failure></testcase>\n"),
        verdict => format!("{head}><error message=\"{} {reason}\">{body}</error></testcase>\n", verdict.name()),
    }
}
