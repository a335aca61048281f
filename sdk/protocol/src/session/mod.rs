//! Negotiation: signed offer and confirms, the selection function, transcript and keys (spec/session.md).
mod document;
mod keys;
mod negotiate;
mod open;

pub(crate) use document::hex32;
pub use document::{Confirm, Descriptor, Extension, Offer, OfferedParty, PARTY_TYPE, Plan, SessionLimits};
pub use keys::{Keys, MaskUse, transcript, transcript_message};
pub use negotiate::{
    ALGORITHMS, Acceptance, OfferedPlan, Supported, VERSIONS, check_confirm, check_offer, seal_confirm,
    seal_descriptor, seal_offer, select,
};
pub use open::{AnyOffer, offer_signer, open_any_offer, open_confirm, open_descriptor, open_offer};

#[cfg(test)]
mod tests;
