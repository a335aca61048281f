//! Negotiation: signed offer and confirms, the selection function, transcript and keys (spec/session.md).
mod document;
mod keys;
mod negotiate;

pub use document::{
    Confirm, Descriptor, Extension, Offer, OfferedParty, PARTY_TYPE, Plan, SessionLimits, parse_strict,
};
pub use keys::{Keys, MaskUse, transcript, transcript_message};
pub use negotiate::{
    ALGORITHMS, Acceptance, VERSIONS, check_confirm, check_offer, offer_signer, open_confirm, open_descriptor,
    open_offer, seal_confirm, seal_descriptor, seal_offer, select_version,
};

#[cfg(test)]
mod tests;
