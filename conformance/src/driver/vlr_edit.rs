//! Deviations of training's messages.

use super::vlr_play::Play;
use super::{Dialogue, Flow};
use crate::case::Operator;
use crate::case::train::{EnvelopeEdit, RingEdit};
use crate::wire::message;
use crate::wire::rlwe::{G, PACKED};
use crate::wire::vlr::{self, Tensor};

impl Play<'_, '_> {
    /// Says a message as rank 0, as the case alters it.
    pub(super) async fn say(&mut self, kind: u16, payload: Vec<u8>) -> Flow<()> {
        self.say_as(0, kind, payload).await
    }

    /// Says a message as rank 0 or 1, as the case alters it.
    pub(super) async fn say_as(&mut self, rank: u16, kind: u16, mut payload: Vec<u8>) -> Flow<()> {
        let number = *self.sent.get(&kind).unwrap_or(&0);
        *self.sent.entry(kind).or_default() += 1;
        let told = self.alter(kind, number, &mut payload);
        self.last.insert(kind, payload.clone());
        if let Some(what) = told {
            self.dialogue.deviation(what);
        }
        let stream = match &mut self.stream.relay {
            Some(relay) if rank == 1 => relay,
            _ => &mut *self.stream,
        };
        match self.dialogue.operator {
            Some(Operator::Omit { message, batch }) if is(message, kind) && *batch == number => {
                self.dialogue.deviation(format!("{message} {number} left out"));
                Ok(())
            }
            Some(Operator::Twice { message, batch }) if is(message, kind) && *batch == number => {
                self.dialogue.send(stream, kind, number, payload.clone()).await?;
                self.dialogue.deviation(format!("{message} {number} again, under the next sequence"));
                self.dialogue.send(stream, kind, number, payload).await
            }
            _ => self.dialogue.send(stream, kind, number, payload).await,
        }
    }

    fn alter(&self, kind: u16, number: usize, payload: &mut Vec<u8>) -> Option<String> {
        let dialogue: &Dialogue<'_> = self.dialogue;
        match dialogue.operator? {
            Operator::Bytes { message, batch, at, hex } if is(message, kind) && *batch == number => {
                let bytes = hex::decode(hex).ok()?;
                payload.get_mut(*at..at + bytes.len())?.copy_from_slice(&bytes);
                Some(format!("{message} {number}: {hex} from byte {at} on"))
            }
            Operator::Parameters { message, batch, edit } if is(message, kind) && *batch == number => {
                *payload = parameters(payload, *edit)?;
                Some(format!("{message} {number}: {edit:?}"))
            }
            Operator::Ring { message, batch, edit } if is(message, kind) && *batch == number => {
                self.ring(kind, payload, *edit)?;
                Some(format!("{message} {number}: {edit:?}"))
            }
            _ => None,
        }
    }

    fn ring(&self, kind: u16, payload: &mut [u8], edit: RingEdit) -> Option<()> {
        match edit {
            RingEdit::Residue => {
                let primes = match kind {
                    vlr::BASIS | vlr::BASIS_KEY => self.sine.ring().primes,
                    vlr::SUMS => G.kept(),
                    _ => G.primes,
                };
                let at = payload.len().checked_sub(PACKED)?;
                let place = payload.get_mut(at..at + 7)?;
                let high = place[6] & !3;
                place.copy_from_slice(&primes.last()?.to_le_bytes()[..7]);
                place[6] |= high;
            }
            RingEdit::SeedWithin => {
                let seed: [u8; 16] = payload.get(6..22)?.try_into().ok()?;
                let at = 6 + self.sine.ring().ciphertext_bytes();
                payload.get_mut(at..at + 16)?.copy_from_slice(&seed);
            }
            RingEdit::SeedBefore => {
                let seed = self.last.get(&kind)?.get(6..22)?;
                payload.get_mut(6..22)?.copy_from_slice(seed);
            }
        }
        Some(())
    }
}

fn is(name: &str, kind: u16) -> bool {
    message::kind(name) == Some(kind)
}

/// An envelope altered; all but `Digest` end with the digest of what they are then.
fn parameters(payload: &[u8], edit: EnvelopeEdit) -> Option<Vec<u8>> {
    let (round, mut tensors) = vlr::read_envelope(payload).ok()?;
    let fewer = |tensor: &mut Tensor| {
        tensor.elements.pop();
        tensor.shape[0] = tensor.elements.len() as u32;
    };
    match edit {
        EnvelopeEdit::Digest => {
            let mut bytes = payload.to_vec();
            *bytes.last_mut()? ^= 1;
            return Some(bytes);
        }
        EnvelopeEdit::Magic => {
            let mut bytes = payload[..payload.len() - 32].to_vec();
            bytes[3] = b'2';
            return Some(vlr::digested(bytes));
        }
        EnvelopeEdit::Codec => tensors[0].codec = 9,
        EnvelopeEdit::Scale => tensors[0].scale = 1,
        EnvelopeEdit::NameTwice => tensors[1].name = tensors[0].name.clone(),
        EnvelopeEdit::Name => tensors[0].name = "pointz".into(),
        EnvelopeEdit::Order => tensors.swap(0, 1),
        EnvelopeEdit::Extra => tensors.push(Tensor::list("extra", 1, 0, Vec::new())),
        EnvelopeEdit::Round => return Some(vlr::envelope(if round == 0 { 1 } else { round - 1 }, &tensors)),
        EnvelopeEdit::NotANumber => *tensors[0].elements.first_mut()? = f64::NAN.to_bits(),
        EnvelopeEdit::Fewer => tensors.iter_mut().for_each(fewer),
        EnvelopeEdit::Uneven => fewer(&mut tensors[1]),
        EnvelopeEdit::More => {
            for tensor in &mut tensors {
                tensor.elements.push(0);
                tensor.shape[0] += 1;
            }
        }
    }
    Some(vlr::envelope(round, &tensors))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_altered_envelope_is_wrong_in_the_way_it_is_called() {
        let step = vlr::step(1, &[1.0], &[-1.0]);
        let read = |edit| vlr::read_envelope(&parameters(&step, edit).unwrap());
        assert_eq!(read(EnvelopeEdit::Digest).unwrap_err(), "BAD_DIGEST");
        for edit in [
            EnvelopeEdit::Magic,
            EnvelopeEdit::Codec,
            EnvelopeEdit::Scale,
            EnvelopeEdit::NameTwice,
            EnvelopeEdit::NotANumber,
        ] {
            assert_eq!(read(edit).unwrap_err(), "MALFORMED_MESSAGE", "{edit:?}");
        }
        assert_eq!(read(EnvelopeEdit::Round).unwrap().0, 0);
        for edit in [EnvelopeEdit::Name, EnvelopeEdit::Order, EnvelopeEdit::Extra, EnvelopeEdit::Fewer] {
            assert_ne!(read(edit).unwrap().1, vlr::read_envelope(&step).unwrap().1, "{edit:?}");
        }
        let shapes = |edit| read(edit).unwrap().1.iter().map(|t| t.shape[0]).collect::<Vec<_>>();
        assert_eq!((shapes(EnvelopeEdit::More), shapes(EnvelopeEdit::Uneven)), (vec![2, 2], vec![1, 0]));
    }
}
