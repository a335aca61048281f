//! Hefu for bank engineers: publish, align, train and score through one's own node.
//!
//! A bank's program talks to its *own* node (`hefu serve`), on the control side, over mutual TLS on loopback. The node
//! talks to the agencies' nodes; rows never pass through this crate.
//!
//! ```no_run
//! use hefu::{Dataset, Logistic, Node, Result};
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let bank = Node::connect("bank.toml").await?;
//!     let loans = bank.publish(Dataset::csv("loans.csv")?.key("uscc").label("default_12m")).await?;
//!
//!     let aligned = bank.align(&loans, ["tax", "power"]).await?;
//!     println!("{}", aligned.disclosure());
//!     let card = aligned.train(Logistic::default()).await?;
//!     println!("AUC {:.3} alone {:.3}", card.report().auc, card.report().auc_alone);
//!     card.save("sme-2026.model.json")
//! }
//! ```
//!
//! Training before aligning does not compile:
//!
//! ```compile_fail
//! # async fn f(bank: hefu::Node, loans: hefu::Published) -> hefu::Result<()> {
//! loans.train(hefu::Logistic::default()).await?;
//! # Ok(()) }
//! ```
//!
//! Nor does training twice on one alignment: another model is another job, with its own disclosure.
//!
//! ```compile_fail
//! # async fn f(aligned: hefu::Aligned) -> hefu::Result<()> {
//! aligned.train(hefu::Logistic::default()).await?;
//! aligned.train(hefu::Logistic::default()).await?;
//! # Ok(()) }
//! ```
//!
//! Every failure tells code, party, place, cause and next step; see [`Error`].
mod align;
mod channel;
mod config;
mod dataset;
mod disclosure;
mod error;
mod job;
mod node;
pub mod result;

pub use align::{Aligned, Card, Logistic, Terms};
pub use dataset::{Dataset, KeyFormat, Published};
pub use disclosure::Disclosure;
pub use error::{Error, Failure, Result};
pub use hefu_core::{Alignment, Code, Join, Missing, Output, Place, Purpose};
pub use job::{Collaborator, Job, JobKind, JobPlan, JobState, JobStatus, JobWatch};
pub use node::{Node, Party, Status};
pub use result::{Matches, Report, Scores};
