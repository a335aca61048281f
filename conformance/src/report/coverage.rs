//! Coverage of the requirements by the cases of a run, as CSV: one line a requirement that the suite knows.

use crate::judge::Verdict;
use crate::registry;
use crate::run::Results;

pub(super) fn render(results: &Results) -> String {
    let mut out = String::from("clause,level,place,cases,passed,verdict\n");
    for id in registry::clause_ids() {
        let Some(clause) = registry::clause(&id) else { continue };
        let own: Vec<_> = results.cases.iter().filter(|case| case.clause == id).collect();
        let verdicts = || own.iter().map(|case| case.finding.verdict);
        let worst = |of: Verdict| verdicts().any(|verdict| verdict == of);
        let verdict = if own.is_empty() {
            "not tested in this run"
        } else if let Some(bad) = [Verdict::Error, Verdict::Fail, Verdict::Inconclusive, Verdict::NotRun, Verdict::Warn]
            .into_iter()
            .find(|bad| worst(*bad))
        {
            bad.name()
        } else if verdicts().all(|verdict| verdict == Verdict::NotApplicable) {
            Verdict::NotApplicable.name()
        } else {
            Verdict::Pass.name()
        };
        let cases: Vec<&str> = own.iter().map(|case| case.id.as_str()).collect();
        let passed = verdicts().filter(|verdict| *verdict == Verdict::Pass).count();
        let (level, place) = (clause.level(), &clause.place);
        out.push_str(&format!("{id},{level},{place},{},{passed},{verdict}\n", cases.join(" ")));
    }
    out
}
