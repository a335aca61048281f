//! What earlier rounds of a job forbid (section 8, AGG-4, AGG-5, AGG-7). The node remembers; the checks are here.
use super::plan::Plan;
use crate::Error;
use crate::session::Confirm;
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, PartyId, Rank};
use hefu_crypto::sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A round of a job that was completed as far as a party knows: at a participant, one for which it sends shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRound {
    /// Its number.
    pub round: u32,
    /// Whether its statistic was an exact one.
    pub exact: bool,
    /// Whose values are in its sum.
    pub survivors: BTreeSet<PartyId>,
}

/// The completed rounds of a job, and what the other side permits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// In any order.
    pub rounds: Vec<PastRound>,
    /// At a participant: its configuration permits `roster-change` to the coordinator. At a coordinator: the job says
    /// that all agreements permit it.
    pub permits_change: bool,
}

impl History {
    /// Whether a round may be added: none of the same kind differs from it by one party alone.
    pub(super) fn allows(&self, round: &PastRound) -> bool {
        let differs = |past: &&PastRound| past.survivors.symmetric_difference(&round.survivors).count() == 1;
        let permitted = self.permits_change || is_on(Switch::IgnoresRosterDifference);
        permitted || !round.exact || !self.rounds.iter().filter(|past| past.exact).any(|past| differs(&past))
    }
}

/// Refuses a round that is not above the last one of this job in which this party confirmed (AGG-4).
///
/// # Errors
/// `STALE_ROUND` by the coordinator.
pub fn check_round(last: Option<u32>, round: u32) -> Result<(), Error> {
    if last.is_none_or(|last| round > last) {
        return Ok(());
    }
    let cause = "this party confirmed this round of the job, or a later one, before";
    Err(Error::peer(Rank::INITIATOR, Code::StaleRound, "AGG-4", cause))
}

/// Refuses a label definition that is not the dataset's (AGG-7); `own` is the text of the own one. A statistic that
/// uses
/// no label takes any.
///
/// # Errors
/// `LABEL_MISMATCH`.
pub fn check_label(plan: &Plan, own: Option<&str>) -> Result<(), Error> {
    check_label_digest(plan, own.map(|text| sha256(&[text.as_bytes()])))
}

pub(super) fn check_label_digest(plan: &Plan, own: Option<[u8; 32]>) -> Result<(), Error> {
    match plan.label_definition {
        _ if !plan.statistic.uses_label() => Ok(()),
        Some(digest) if own == Some(digest) => Ok(()),
        _ => Err(Error::refused(
            Code::LabelMismatch,
            "AGG-7",
            "the label definition is not that of this party's dataset",
        )),
    }
}

/// Refuses a list of confirms in which one answers another offer than the own one, of this digest (AGG-5). Absent
/// ranks have none.
///
/// # Errors
/// `ROSTER_MISMATCH` by the coordinator.
pub fn check_confirms<'a>(
    offer: &[u8; 32],
    confirms: impl IntoIterator<Item = Option<&'a Confirm>>,
) -> Result<(), Error> {
    if confirms.into_iter().flatten().all(|confirm| confirm.offer == *offer) {
        return Ok(());
    }
    let cause = "the coordinator made another offer to another participant";
    Err(Error::peer(Rank::INITIATOR, Code::RosterMismatch, "AGG-5", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(names: &[&str], exact: bool) -> PastRound {
        let survivors = names.iter().map(|name| PartyId::parse(&format!("lei:{name}")).unwrap()).collect();
        PastRound { round: 0, exact, survivors }
    }

    // clause: AGG-25, AGG-26
    #[test]
    fn one_party_more_or_less_between_exact_sums_is_refused() {
        let history = History { rounds: vec![round(&["A", "B", "C", "D"], true)], permits_change: false };
        assert!(history.allows(&round(&["A", "B", "C", "D"], true)));
        assert!(!history.allows(&round(&["A", "B", "C"], true)));
        assert!(!history.allows(&round(&["A", "B", "C", "D", "E"], true)));
        assert!(history.allows(&round(&["A", "B", "C", "E"], true)), "one left and one came: two differ");
        assert!(history.allows(&round(&["A", "B"], true)));
        assert!(history.allows(&round(&["A", "B", "C"], false)));
        let permitted = History { permits_change: true, ..history.clone() };
        assert!(permitted.allows(&round(&["A", "B", "C"], true)));
        let inexact = History { rounds: vec![round(&["A", "B", "C", "D"], false)], permits_change: false };
        assert!(inexact.allows(&round(&["A", "B", "C"], true)));
    }

    // clause: AGG-4
    #[test]
    fn a_round_comes_once() {
        assert_eq!(check_round(None, 0), Ok(()));
        assert_eq!(check_round(Some(3), 4), Ok(()));
        for round in [0, 3] {
            assert_eq!(check_round(Some(3), round).unwrap_err().code(), Code::StaleRound);
        }
    }
}
