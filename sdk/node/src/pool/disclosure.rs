//! What a pooled job will teach each party, in words, before any row is used (spec/aggregate.md, section 10;
//! spec/pooled.md, section 6).
use super::plan::{Aggregation, Method};
use crate::job::Disclosure;

/// One entry a party, by rank.
pub(crate) fn of(method: Method, contributes: bool, aggregation: Aggregation, names: &[String]) -> Vec<Disclosure> {
    let others = names.len().saturating_sub(1);
    let coordinator = match (aggregation, contributes) {
        (Aggregation::Plain, _) => "the values of every participant, in the clear".to_owned(),
        (Aggregation::Masked, true) => {
            format!("the sum over all participants of every statistic; less its own values, the sum of {others} others")
        }
        (Aggregation::Masked, false) => "the sum over all participants of every statistic".to_owned(),
    };
    let sums = match method {
        Method::Logistic => {
            "in the rounds: rows, positive rows, column sums, squares, and at each point the weighted products of \
             columns, the gradient and the loss"
        }
        Method::Bins => "in the rounds: rows, positive rows, column sums, squares, and counts of 64 buckets a column",
        Method::Average => "in the rounds: rows, positive rows, column sums, squares, and the weighted models",
        Method::Vector => "in one round: the vector",
    };
    let role = if contributes { "coordinator and participant" } else { "coordinator" };
    let learns = vec![coordinator, sums.to_owned(), "who took part in each round".to_owned()];
    let first = Disclosure { party: names.first().cloned().unwrap_or_default(), role: role.to_owned(), learns };
    let participant = match method {
        Method::Logistic => "means, deviations, the coefficients on the way, and the model",
        Method::Bins => "means and deviations",
        Method::Average => "means, deviations, and the model of every round",
        Method::Vector => "nothing of the others",
    };
    let rest = names.iter().skip(1).map(|name| Disclosure {
        party: name.clone(),
        role: "participant".to_owned(),
        learns: vec![participant.to_owned(), "who took part in each round".to_owned()],
    });
    std::iter::once(first).chain(rest).collect()
}
