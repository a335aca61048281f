//! Aggregation (spec/aggregate.md): participants add what their samples teach; the coordinator learns the sum.
//!
//! Everything here is pure: keys, seeds, history and the passing of time are arguments. One round is one session.
//!
//! # Before the round
//!
//! ```text
//! Plan                                   the offer's plan (section 2); `Offer<Plan>` in session/
//!   Plan::new(Method, Statistic, round, participants, tensors) → Plan, with threshold; change its public members
//!   session::open_any_offer(envelope, key)    → AnyOffer::{Joint(Offer), Aggregate(Box<Offer<aggregate::Plan>>)}
//!   session::check_offer(&offer, own, peer)   → Acceptance      either kind; AGG-1 to AGG-3, AGG-6, AGG-9, AGG-24 in
//! part
//!   session::seal_offer, seal_confirm, check_confirm             either kind; `mask` in OfferedParty and Confirm
//!   session::transcript(offer, confirms)      an absent party's confirm is the empty string
//!   session::Keys::derive_present(…, &[Option<[u8; 32]>])        the keys where some are absent
//!   check_confirms(own offer digest, confirms) AGG-5
//! MaskKey::new(&Seed) → MaskKey; .public() → [u8; 32]            section 2: the second key, fresh for the session
//! check_round(last confirmed round, round)                       AGG-4; the node persists the number
//! check_label(plan, own label definition text)                   AGG-7
//! Method: trait; METHODS: registry; method("aggregate-sum-1") → Option<&'static dyn Method>
//! Statistic::{Moments, Deviations, Newton, Histogram, Update, Vector}: .is_exact(), .is_of_rows(), parameters(&Plan)
//! ```
//!
//! # The round
//!
//! ```text
//! Member { party, signing_key: [u8; 32], mask: Option<[u8; 32]> }  by rank, from trusted descriptors and confirms;
//!                                        mask: none where a rank is absent or does not participate
//! Roster::new(Plan, Arc<Keys>, Vec<Member>) → Result<Roster>     AGG-1, AGG-3, AGG-8, AGG-16 (U0), AGG-23
//! Own { mask: MaskKey, signing: Arc<SigningKey>, seed: Seed }      the own secrets of a participant
//! History { rounds: Vec<PastRound>, permits_change: bool }         AGG-25, AGG-26; the node persists PastRound
//!
//! Participant::new(Arc<Roster>, Own, History): Machine<Output = Joined>
//!   PARAMETERS, ROSTER in; SHARES out
//! Joined.parameters() → &[Vec<f64>]      of the plan's statistic, in the order of Statistic::parameters
//! Joined.contribute(Contribution) → Result<Contributor>            NOT_FINITE, BEYOND_CLIP: the part ends (AGG-10)
//!   Contribution { values: Vec<Values>, weight: f64 }; Values::{Real(Vec<f64>), Count(Vec<u64>)} in the plan's order
//! Contributor: Machine<Output = Answering>
//!   SHARED in, MASKED_SUM out; SURVIVORS in, AGREED out; AGREEMENT in
//! Answering.past() → Option<&PastRound>  write it down now: with the next step the round counts as completed (AGG-25)
//! Answering: Machine<Output = Contributed>
//!   UNMASK out (aggregate-mean-1: PLAIN out); SUM in, where the plan's result is all
//! Contributed: .survivors(), .sum() → Option<&Sums>; .refuse(from, &message) → Error: what to say when anything but
//!   the session's end comes afterwards (AGG-18)
//!
//! Coordinator::new(Arc<Roster>, parameters: &[Vec<f64>], signatures: Vec<Option<[u8; 64]>>, Option<Own>, History)
//!   → Result<Coordinator>                signatures: the transcript signatures that came, by rank
//! coordinator.step(Event) → Moved        Event::{Start, Message(Rank, Message), Lost(Rank), Values(Contribution)}
//!   Moved { send: Vec<Outgoing>, blamed: Vec<(Rank, Error)>, progress,
//!           next: Moving::{Await(Box<Coordinator>), Done(Box<Outcome>), Failed(Error)} }
//! coordinator.awaited() → Vec<Rank>      whose message the step waits for: report Lost for each at the step's deadline
//! coordinator.waiting() → Waiting        which step; a deadline starts anew when it changes
//! Outcome { sums: Sums, survivors: Vec<Rank>, lost: Vec<Rank>, blamed: Vec<(Rank, Error)>, past: PastRound }
//! Sums: by tensor in the plan's order; .reals() → Vec<Vec<f64>>; .tensors() → &[Total], exact integers and scale
//! merge_small_cells(good, bad, min_rows) → Result<Vec<Cell>>     AGG-27, for one column of a histogram
//! ```
//!
//! A participant that the coordinator blames counts as lost: tell it by an ERROR if you like, its messages are ignored
//! from then on, and the round goes on while the threshold holds. Rank 0's own
//! values come by `Event::Values`, at any time after `Start`; its own failure is `Event::Lost(Rank(0))`.
mod contributor;
mod coordinator;
mod deal;
mod graph;
mod histogram;
mod history;
mod mean;
mod method;
mod participant;
mod plan;
mod rebuild;
mod roster;
mod statistic;
mod value;
mod wire;

#[cfg(test)]
#[path = "../../tests/vectors/pooled.rs"]
mod pooled_vectors;
#[cfg(test)]
#[path = "../../tests/vectors/aggregate_round.rs"]
mod round_vectors;
#[cfg(test)]
#[path = "../../tests/vectors/aggregate.rs"]
mod vectors;

pub use contributor::{Answering, Contributed, Contributor};
pub use coordinator::{Coordinator, Event, Moved, Moving, Outcome, Waiting};
pub use deal::{MaskKey, Own};
pub use graph::{NEIGHBOURS, least_neighbours};
pub use histogram::{Cell, merge_small_cells};
pub use history::{History, PastRound, check_confirms, check_label, check_round};
pub use method::{METHODS, Method, PlainMean, Secrecy, SecureHistogram, SecureSum, method};
pub use participant::{Joined, Participant};
pub(crate) use plan::check_words;
pub use plan::{MAX_PARTICIPANTS, MIN_PARTICIPANTS, Plan, RealTensor, Tensor, threshold};
pub use roster::{Member, Roster};
pub use statistic::tensors_of_rows;
pub use value::{Contribution, Sums, Total, Values};
