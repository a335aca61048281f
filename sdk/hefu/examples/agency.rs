//! An agency's whole program: publish features by a schema, decide who may use them, see who did.
//!
//! Run beside a node that trusts `bank` and allows it: `cargo run -p hefu --example agency` in the folder of
//! `tax.toml`.
use hefu::{Approval, Dataset, Node, Purpose, Result};

/// Public so that a test can run it as it stands.
#[tokio::main]
pub async fn main() -> Result<()> {
    let tax = Node::connect("tax.toml").await?;
    let schema = std::fs::read_to_string("tax-features.schema.json").unwrap_or_default();
    let features = Dataset::csv("tax-features.csv")?.name("tax-2026").key("uscc").schema(schema);
    let features = features.steward("Data office, ext. 4711").purpose(Purpose::Origination).period("202501-202512");
    let published = tax.publish(features).await?;
    println!("{}: {} rows, schema {}", published.name, published.rows, published.schema);

    for waiting in tax.approvals().await?.iter().filter(|d| d.approval == Approval::Waiting) {
        println!("{} asks for {} to {} ({})", waiting.party, waiting.dataset, waiting.kind, waiting.purpose);
    }
    let decision = tax.approve("tax-2026", "bank").await?;
    println!("{} may use it: {}", decision.party, decision.approval);

    for used in tax.usage("tax-2026").await? {
        println!("{} {} for {} in job {}: {}", used.party, used.kind, used.purpose, used.job, used.state);
    }
    Ok(())
}
