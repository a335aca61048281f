//! What a job will teach each party, in words with this job's numbers, before any row is used
//! (the disclosure tables of spec/align.md, spec/vlr.md and spec/score.md).
use super::record::{Disclosure, JobKind};
use hefu_core::{Alignment, Join};

/// The numbers of a job as one party knows them beforehand.
pub(crate) struct Facts {
    pub(crate) kind: JobKind,
    pub(crate) alignment: Alignment,
    pub(crate) join: Join,
    /// Short names by rank.
    pub(crate) names: Vec<String>,
    /// The rank of the party that writes this down.
    pub(crate) own: usize,
    /// Its valid rows.
    pub(crate) rows: u64,
    /// Its feature columns.
    pub(crate) columns: usize,
    pub(crate) max_evaluations: u32,
}

/// One entry a party, by rank, and one for ranks 0 and 1 together.
pub(crate) fn disclosure(facts: &Facts) -> Vec<Disclosure> {
    let mut entries: Vec<Disclosure> = facts
        .names
        .iter()
        .enumerate()
        .map(|(rank, name)| Disclosure { party: name.clone(), role: role(rank).into(), learns: learns(facts, rank) })
        .collect();
    if facts.kind == JobKind::Train {
        entries.push(Disclosure {
            party: format!("{} + {}", facts.names[0], facts.names[1]),
            role: "initiator and designated collaborator, if they put their notes together".into(),
            learns: together(facts),
        });
    }
    entries
}

fn role(rank: usize) -> &'static str {
    match rank {
        0 => "initiator",
        1 => "designated collaborator",
        _ => "collaborator",
    }
}

fn learns(facts: &Facts, rank: usize) -> Vec<String> {
    let mut texts = vec![alignment(facts, rank)];
    match facts.kind {
        JobKind::Align | JobKind::Pool => {}
        JobKind::Train => texts.extend(training(facts, rank)),
        JobKind::Score => texts.push(scoring(facts, rank)),
    }
    texts
}

fn own_keys(facts: &Facts, rank: usize) -> String {
    if rank == facts.own { format!("{} keys", facts.rows) } else { "keys".to_owned() }
}

fn alignment(facts: &Facts, rank: usize) -> String {
    let keys = own_keys(facts, rank);
    match (rank, facts.join) {
        (0, _) => {
            let kept = match facts.alignment {
                Alignment::Ecdh => "",
                Alignment::Oprf => {
                    ". It keeps each collaborator's published set: whoever learns that collaborator's key of the epoch \
                     can find out every key in it"
                }
            };
            format!("the number of keys of every collaborator, and which of its own {keys} each collaborator has{kept}")
        }
        (_, Join::Inner) => format!(
            "the initiator's number of keys, and which of its own {keys} all parties have; which of these are test rows"
        ),
        (_, Join::Left) => format!(
            "the initiator's number of keys, and which of its own {keys} the initiator has; which of these are test rows. \
             A party that covers every enterprise learns the initiator's list"
        ),
    }
}

fn training(facts: &Facts, rank: usize) -> Vec<String> {
    let evaluations = facts.max_evaluations;
    let gradients = if rank == facts.own {
        let count = u64::from(evaluations) * facts.columns as u64;
        format!("its own gradient in every evaluation: at most {evaluations} x {} = {count} numbers", facts.columns)
    } else {
        format!("its own gradient in every evaluation: at most {evaluations} x its number of columns")
    };
    let common =
        "the number of training rows, how many of them are positive, and the optimiser's scalars of every evaluation";
    let mut texts = vec![common.to_owned(), gradients];
    texts.push(match rank {
        0 => initiator_extra(facts),
        1 => "the number of columns of every party; nothing of predictors, labels or residuals of any row".to_owned(),
        _ => "nothing of predictors, labels or residuals of any row".to_owned(),
    });
    if rank == facts.own {
        texts.push(hiding(facts));
    }
    texts
}

fn initiator_extra(facts: &Facts) -> String {
    let scalars = if facts.names.len() == 2 { "the other party's scalars" } else { "the sum of all parties' scalars" };
    format!(
        "the number of columns and the bound of every party, {scalars} of every evaluation, and the joint score of every \
         test row{}",
        if facts.names.len() == 2 { ", hence the other party's part of it" } else { "" }
    )
}

/// How well answers are hidden: an upper bound by the writing party's own rows.
fn hiding(facts: &Facts) -> String {
    let columns = u32::try_from(facts.columns.max(1) * facts.names.len()).unwrap_or(u32::MAX);
    let budget = hefu_protocol::train::budget(facts.rows, facts.max_evaluations, columns);
    format!(
        "of what encrypted answers hide, at most a statistical distance of 2^{:.0} (for {} rows, {} evaluations and {} \
         columns, were every party as wide as this one)",
        budget.statistical_distance_log2, facts.rows, facts.max_evaluations, columns
    )
}

fn together(facts: &Facts) -> Vec<String> {
    let others = match facts.names.len() {
        2 => "",
        3 => ", hence the remaining party's predictor of it",
        _ => ", hence the sum of the remaining parties' predictors of it",
    };
    vec![format!("the residual of every training row, hence the sum of all predictors of it{others}")]
}

fn scoring(facts: &Facts, rank: usize) -> String {
    match (rank, facts.names.len()) {
        (0, 2) => "the joint score of every row it asks for, hence the collaborator's part of it".into(),
        (0, _) => "the joint score of every row it asks for".into(),
        _ => "nothing of scores".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: JobKind, own: usize, parties: usize) -> Facts {
        let names = ["bank", "tax", "power"][..parties].iter().map(|n| (*n).to_owned()).collect();
        Facts {
            kind,
            alignment: Alignment::Ecdh,
            join: Join::Inner,
            names,
            own,
            rows: 30_000,
            columns: 13,
            max_evaluations: 40,
        }
    }

    #[test]
    fn a_party_reads_its_own_numbers() {
        let entries = disclosure(&facts(JobKind::Train, 1, 3));
        assert_eq!(entries.len(), 4);
        assert_eq!((entries[1].party.as_str(), entries[1].role.as_str()), ("tax", "designated collaborator"));
        let text = entries[1].learns.join("\n");
        assert!(text.contains("30000 keys") && text.contains("40 x 13 = 520") && text.contains("2^-"), "{text}");
        assert!(text.contains("nothing of predictors"));
        assert!(!entries[2].learns.join("\n").contains("30000"));
        assert!(entries[3].learns[0].contains("remaining party's predictor"));
    }

    #[test]
    fn a_published_set_is_disclosed() {
        let published = Facts { alignment: Alignment::Oprf, ..facts(JobKind::Align, 0, 2) };
        assert!(disclosure(&published)[0].learns[0].contains("published set"));
        assert!(!disclosure(&facts(JobKind::Align, 0, 2))[0].learns[0].contains("published set"));
    }

    #[test]
    fn scoring_teaches_the_initiator_only() {
        let entries = disclosure(&facts(JobKind::Score, 0, 2));
        assert_eq!(entries.len(), 2);
        assert!(entries[0].learns[1].contains("collaborator's part"));
        assert_eq!(entries[1].learns[1], "nothing of scores");
    }
}
