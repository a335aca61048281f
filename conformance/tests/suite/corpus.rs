//! The corpus is what it says: ids, clauses, controls, closed sets of codes.

use std::collections::HashSet;

use hefu_conformance::case::{Corpus, Kind};
use hefu_conformance::registry;

#[test]
fn ids_are_unique_and_say_what_kind_a_case_is() {
    let corpus = Corpus::embedded().unwrap();
    let ids: HashSet<&str> = corpus.cases.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids.len(), corpus.cases.len());
    for case in &corpus.cases {
        let mark = if case.kind == Kind::Positive { "-P-" } else { "-N-" };
        assert!(case.id.contains(mark), "{}", case.id);
    }
    assert!(corpus.cases.iter().filter(|c| c.kind == Kind::Negative).count() >= 40);
}

#[test]
fn every_negative_case_has_one_operator_and_a_positive_control() {
    let corpus = Corpus::embedded().unwrap();
    for case in corpus.cases.iter().filter(|c| c.kind == Kind::Negative) {
        assert!(case.operator.is_some(), "{} has no operator", case.id);
        let control = corpus.case(case.control.as_deref().unwrap_or_default());
        let control = control.unwrap_or_else(|| panic!("{} has no control", case.id));
        assert!(control.kind == Kind::Positive && control.operator.is_none(), "{}: {}", case.id, control.id);
        assert_eq!(control.scenario, case.scenario, "{}: {} goes another way", case.id, control.id);
        assert!(case.expect.transport || !case.expect.codes.is_empty(), "{} expects nothing", case.id);
    }
}

#[test]
fn expected_codes_are_in_the_closed_set_of_the_clause() {
    let corpus = Corpus::embedded().unwrap();
    for case in &corpus.cases {
        let clause = registry::clause(&case.clause).unwrap_or_else(|| panic!("{}: no {}", case.id, case.clause));
        let mut allowed = clause.codes();
        for also in &case.also {
            allowed.extend(registry::clause(also).unwrap_or_else(|| panic!("{}: no {also}", case.id)).codes());
        }
        for code in &case.expect.codes {
            assert!(allowed.contains(code), "{}: {code} is not in {allowed:?} of {}", case.id, case.clause);
        }
        assert_eq!(case.should, clause.level() == "SHOULD", "{}: level of {}", case.id, case.clause);
    }
}
