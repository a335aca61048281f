//! The suite's confirm (session section 4), as the case alters it.

use serde_json::{Value, json};

use super::super::deviate::{flip, member_set, twice_signed};
use super::Host;
use crate::case::{EnvelopeFault, Operator};
use crate::control::Control;
use crate::wire::{dsse, h};

impl<C: Control> Host<'_, C> {
    /// The signed confirm's exact bytes.
    pub(super) fn confirm_document(&mut self, offer: &Value, envelope: &[u8], ephemeral: &[u8; 32]) -> Vec<u8> {
        let mut document = json!({
            "type": "hefu/confirm/1", "offer": hex::encode(h(&[envelope])), "rank": 1,
            "party": self.dialogue.me.id, "nonce": hex::encode(self.dialogue.rng.bytes::<32>()),
            "ephemeral": hex::encode(ephemeral), "version": "1.0", "suite": 1,
            "algorithm": offer["plan"]["algorithm"], "allow": hex::encode(self.dialogue.rng.bytes::<32>()),
            "schema": hex::encode(self.dialogue.rng.bytes::<32>()),
        });
        let told = self.alter_confirm(&mut document);
        let mut text = document.to_string();
        let told = match self.dialogue.operator {
            Some(Operator::ConfirmText { find, replace }) => {
                text = text.replacen(find, replace, 1);
                Some(format!("{replace} in place of {find}"))
            }
            _ => told,
        };
        let (sealed, told_too) = self.confirm_envelope(text.as_bytes());
        if let Some(what) = told.or(told_too) {
            self.dialogue.deviation(format!("confirm: {what}"));
        }
        sealed
    }

    fn alter_confirm(&self, document: &mut Value) -> Option<String> {
        match self.dialogue.operator? {
            Operator::ConfirmSet { pointer, value } => {
                let value = self.dialogue.words(value);
                member_set(document, pointer, value.clone())?;
                Some(format!("{pointer} = {value}"))
            }
            Operator::ConfirmRemove { pointer } => {
                document.as_object_mut()?.remove(pointer.trim_start_matches('/'))?;
                Some(format!("{pointer} left out"))
            }
            _ => None,
        }
    }

    /// Signs the confirm, and alters the envelope where the case does.
    fn confirm_envelope(&self, payload: &[u8]) -> (Vec<u8>, Option<String>) {
        let kind = match self.dialogue.operator {
            Some(Operator::ConfirmType { payload_type }) => payload_type.as_str(),
            _ => dsse::CONFIRM,
        };
        let signer = match self.dialogue.operator {
            Some(Operator::ConfirmSignedBy { party }) if *party == self.dialogue.world.second.name => {
                &self.dialogue.world.second.signing
            }
            _ => &self.dialogue.me.signing,
        };
        let sealed = dsse::seal(kind, payload, signer);
        match self.dialogue.operator {
            Some(Operator::ConfirmType { .. }) => (sealed, Some(format!("signed as {kind}"))),
            Some(Operator::ConfirmSignedBy { party }) => (sealed, Some(format!("signed by {party}"))),
            Some(Operator::ConfirmFlip { part }) => flip(&sealed, *part),
            Some(Operator::ConfirmEnvelope { fault: EnvelopeFault::NotJson }) => {
                (sealed[1..].to_vec(), Some("an envelope without its first byte".into()))
            }
            Some(Operator::ConfirmEnvelope { fault: EnvelopeFault::TwoSignatures }) => twice_signed(&sealed),
            _ => (sealed, None),
        }
    }
}
