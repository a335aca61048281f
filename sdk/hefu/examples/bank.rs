//! A bank's whole program: publish loans, align with two agencies, train, keep the model.
//!
//! Run beside a node that trusts `tax` and `power`: `cargo run -p hefu --example bank` in the folder of `bank.toml`.
use hefu::{Dataset, Logistic, Node, Result};

/// Public so that a test can run it as it stands.
#[tokio::main]
pub async fn main() -> Result<()> {
    let bank = Node::connect("bank.toml").await?;
    let loans = bank.publish(Dataset::csv("loans.csv")?.key("uscc").label("default_12m")).await?;

    let aligned = bank.align(&loans, ["tax", "power"]).await?;
    println!("{}", aligned.disclosure());
    let card = aligned.train(Logistic::default()).await?;
    println!("AUC {:.3} alone {:.3}", card.report().auc, card.report().auc_alone);
    card.save("sme-2026.model.json")
}
