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
//! What an agency offers, before a job asks for it; and an agency's own side of it, approvals and usage:
//!
//! ```no_run
//! # async fn f() -> hefu::Result<()> {
//! let bank = hefu::Node::connect("bank.toml").await?;
//! for dataset in bank.catalogue("tax").await? {
//!     println!("{} {} rows, steward {}, schema {}", dataset.name, dataset.rows, dataset.steward, dataset.schema);
//! }
//! let tax = hefu::Node::connect("tax.toml").await?;
//! for waiting in tax.approvals().await?.iter().filter(|d| d.approval == hefu::Approval::Waiting) {
//!     println!("{} asks for {} ({})", waiting.party, waiting.dataset, waiting.purpose);
//! }
//! tax.approve("tax-2026", "bank").await?;
//! for used in tax.usage("tax-2026").await? {
//!     println!("{} {} for {} in job {}", used.party, used.kind, used.purpose, used.job);
//! }
//! # Ok(()) }
//! ```
//!
//! Every failure tells code, party, place, cause and next step; see [`Error`].
mod align;
mod catalogue;
mod channel;
mod config;
mod dataset;
mod disclosure;
mod error;
mod job;
mod node;
mod pool;
pub mod result;

pub use align::{Aligned, Card, Logistic, Terms};
pub use catalogue::{Approval, Decision, Offered, Permission, Use};
pub use dataset::{Dataset, KeyFormat, Published};
pub use disclosure::Disclosure;
pub use error::{Error, Failure, Result};
pub use hefu_core::{Alignment, Code, Join, Missing, Output, Place, Purpose, Split};
pub use job::{Collaborator, Job, JobKind, JobPlan, JobState, JobStatus, JobWatch};
pub use node::{Node, Party, Status};
pub use pool::{Aggregation, Lost, OwnModel, OwnScore, OwnScores, PoolMethod, PoolPlan, PoolReport, Round, Tensor};
pub use result::{Matches, Report, Scores};
