//! One page, without a network: the cells, then every case; failures open.

use super::escape;
use crate::judge::Verdict;
use crate::registry;
use crate::run::{CaseResult, Results};

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8884;--pass:#1a7f4b;--fail:#c4302b;--warn:#a66b00;--dim:#777}
body{font:15px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}td,th{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--dim);font-size:.85rem}.v{font-weight:700;white-space:nowrap}
.PASS{color:var(--pass)}.FAIL,.ERROR{color:var(--fail)}.WARN,.INCONCLUSIVE,.NOT_RUN{color:var(--warn)}.NA{color:var(--dim)}
details{margin:.2rem 0}summary{cursor:pointer}dl{display:grid;grid-template-columns:6rem 1fr;gap:.15rem .8rem;margin:.4rem 0 .6rem}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}code{font-size:.9em}.dim{color:var(--dim)}
.cells{display:flex;gap:1rem;flex-wrap:wrap;margin:1rem 0}.cell{border:1px solid var(--line);border-radius:.5rem;padding:.7rem 1rem;min-width:12rem}
.cell b{font-size:1.2rem}";

pub(super) fn render(results: &Results) -> String {
    let title = format!("Conformance of {}", escape(&results.target));
    let word = if results.conformant { "conformant in every case run" } else { "not conformant" };
    let class = if results.conformant { "PASS" } else { "FAIL" };
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>\
         <p class=\"v {class}\">{word}</p>"
    );
    out.push_str("<div class=\"cells\">");
    for cell in &results.cells {
        let counts: Vec<String> = cell.counts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
        let (class, verdict) = (class_of(cell.verdict), cell.verdict.name());
        out.push_str(&format!(
            "<div class=\"cell\">{} as {}<br><b class=\"{class}\">{verdict}</b><br><span class=\"dim\">{}</span></div>",
            cell.profile.name(),
            cell.role.name(),
            counts.join(", ")
        ));
    }
    out.push_str("</div>");
    out.push_str(&facts(results));
    let (good, bad): (Vec<_>, Vec<_>) = results.cases.iter().partition(|c| c.finding.verdict.conforms());
    if !bad.is_empty() {
        out.push_str("<h2>What does not conform</h2>");
        bad.iter().for_each(|case| out.push_str(&one(case, results, true)));
    }
    out.push_str("<h2>What does</h2>");
    good.iter().for_each(|case| out.push_str(&one(case, results, false)));
    out.push_str(
        "<p class=\"dim\">Results of a black-box suite over synthetic data and throw-away certificates. It can refute \
         privacy, never prove it. It is not a certification of any authority, and this page is not signed.</p></body></html>",
    );
    out
}

fn facts(results: &Results) -> String {
    let row = |name: &str, value: &str| format!("<dt>{name}</dt><dd><code>{}</code></dd>", escape(value));
    let mut out = String::from("<dl>");
    out.push_str(&row("suite", &format!("{} sha256 {}", results.suite, results.suite_sha256)));
    out.push_str(&row("corpus", &results.corpus));
    out.push_str(&row("program", results.artefact_sha256.as_deref().unwrap_or("not named by the adapter")));
    out.push_str(&row("adapter", &results.adapter));
    out.push_str(&row("seed", &results.seed));
    out.push_str(&row("time", &format!("{} s, round trip {} µs", results.seconds, results.round_trip_us)));
    out + "</dl>"
}

fn class_of(verdict: Verdict) -> &'static str {
    if verdict == Verdict::NotApplicable { "NA" } else { verdict.name() }
}

fn one(case: &CaseResult, results: &Results, open: bool) -> String {
    let (class, verdict) = (class_of(case.finding.verdict), case.finding.verdict.name());
    let mut out = format!(
        "<details{}><summary><span class=\"v {class}\">{verdict}</span> <code>{}</code> {}</summary><dl>",
        if open { " open" } else { "" },
        escape(&case.id),
        escape(&case.title)
    );
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", escape(value)));
        }
    };
    if let Some(clause) = registry::clause(&case.clause) {
        row("requires", &format!("{} ({}): {}", case.clause, clause.place, clause.text));
    }
    row("sent", &case.finding.sent);
    row("expected", &case.finding.expected);
    row("got", &case.finding.got);
    row("reason", &case.finding.reason);
    if open {
        row("rerun", &format!("hefu-conformance run --case {} --seed {}", case.id, results.seed));
    }
    out + "</dl></details>"
}
