//! What a job will teach whom, said before it runs.
use crate::result::PartyDisclosure;
use hefu_core::Join;
use std::fmt;

/// What each party of a joint training learns (`spec/align.md` section 5, `spec/vlr.md` section 9, `spec/score.md`
/// section 2). Printed, it is one line a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disclosure {
    /// The parties in rank order, the initiator first.
    pub parties: Vec<PartyDisclosure>,
}

const INITIATOR: &[&str] = &[
    "the number of rows of each collaborator's dataset, and which of its own enterprises each of them has",
    "the number of columns of each collaborator and a bound, a whole number, on its part of the predictors",
    "its own coefficients, and its own gradient in every evaluation",
    "the optimiser's scalars of every evaluation, summed over the parties",
    "the final score of every test row",
];
const EVERY_COLLABORATOR: &[&str] = &[
    "the number of the initiator's rows, of training rows and of rows with label 1",
    "its own coefficients, and its own gradient in every evaluation",
    "the coefficients with which the optimiser combines the points and gradients of all evaluations",
    "nothing of predictors, labels, residuals or scores of any row",
];
const INNER: &str = "which of its own rows all parties have in common, and which of these are test rows";
const LEFT: &str = "which of its own rows the initiator has, and which of these are test rows; \
    if it covers every enterprise, this is the initiator's list";
const TWO_PARTIES: &str = "as there is one collaborator: its part of each scalar and of each test row's score";
const TOGETHER: &str = "together with the initiator it could compute the residual of every training row, hence the sum \
    of all predictors";

const PUBLISHED: &str = "the set that each collaborator publishes, and keeps it: whoever learns that collaborator's key \
    of the epoch can find out every enterprise in it";

impl Disclosure {
    /// What unbalanced alignment adds (`spec/oprf.md` section 5).
    pub(crate) fn with_published_sets(mut self) -> Self {
        if let Some(initiator) = self.parties.first_mut() {
            initiator.learns.insert(1, PUBLISHED.to_owned());
        }
        self
    }

    /// Of a job, from the JSON array that a node keeps with it; empty where it keeps none.
    pub fn of_job(json: &str) -> Self {
        Disclosure { parties: serde_json::from_str(json).unwrap_or_default() }
    }

    /// Of a joint logistic regression of `initiator` with `collaborators`, in rank order.
    pub fn of_training<'a>(initiator: &str, collaborators: impl IntoIterator<Item = &'a str>, join: Join) -> Self {
        let own = |text: &&str| (*text).to_owned();
        let mut parties = vec![PartyDisclosure {
            party: initiator.to_owned(),
            role: "initiator".to_owned(),
            learns: INITIATOR.iter().map(own).collect(),
        }];
        for (index, collaborator) in collaborators.into_iter().enumerate() {
            let mut learns: Vec<String> = EVERY_COLLABORATOR.iter().map(own).collect();
            learns.insert(1, if join == Join::Inner { INNER } else { LEFT }.to_owned());
            if index == 0 {
                learns.push(TOGETHER.to_owned());
            }
            let role = if index == 0 { "designated collaborator" } else { "collaborator" }.to_owned();
            parties.push(PartyDisclosure { party: collaborator.to_owned(), role, learns });
        }
        if parties.len() == 2
            && let Some(first) = parties.first_mut()
        {
            first.learns.push(TWO_PARTIES.to_owned());
        }
        Disclosure { parties }
    }
}

impl fmt::Display for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, party) in self.parties.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{} ({}) will learn:", party.party, party.role)?;
            for fact in &party.learns {
                write!(f, "\n  - {fact}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_disclosure_prints_one_line_a_fact() {
        let json =
            r#"[{"party":"tax","role":"collaborator","learns":["a","b"]},{"party":"x","role":"y","learns":"c"}]"#;
        let text = Disclosure::of_job(json).to_string();
        assert_eq!(text, "tax (collaborator) will learn:\n  - a\n  - b\nx (y) will learn:\n  - c");
        assert!(Disclosure::of_job("").parties.is_empty());
    }

    #[test]
    fn join_and_number_of_parties_change_what_is_learned() {
        let two = Disclosure::of_training("bank", ["tax"], Join::Inner).to_string();
        let three = Disclosure::of_training("bank", ["tax", "power"], Join::Left).to_string();
        assert!(two.contains(TWO_PARTIES) && two.contains(INNER) && !two.contains("list"));
        assert!(!three.contains(TWO_PARTIES) && three.contains(LEFT) && three.contains("power (collaborator)"));
        assert_eq!(three.matches(TOGETHER).count(), 1);
    }
}
