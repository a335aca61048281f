//! The vectors of envelopes, and the lengths of messages as a training sends them. Those of everything that only a
//! state machine knows are beside its code, in `tests/vectors/`.
#![allow(clippy::unwrap_used, clippy::panic)]
#[path = "../../core/tests/vectors/case.rs"]
mod case;
mod sim;

use case::{Hex, decimals, double, each};
use hefu_core::Rank;
use hefu_crypto::Stream;
use hefu_he::{Backend, Set};
use hefu_model::Columns;
use hefu_protocol::train::{Collaborator, Initiator, Sine, TrainPlan};
use hefu_protocol::{Codec, Elements, Form, Kind, Outgoing, decode_envelope, encode_envelope};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    name: String,
    codec: u8,
    scale: u8,
    clip: Option<u8>,
    shape: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    envelope: Hex,
    round: u32,
    expected: Vec<Tensor>,
}

impl Tensor {
    fn form(&self) -> Form<'_> {
        // a format can expect no codec that does not exist
        let (scale, clip) = (self.scale, self.clip.unwrap_or(0));
        let codec = match self.codec {
            2 => Codec::Fixed(scale),
            3 => Codec::U32,
            4 => Codec::SumFixed { scale, clip },
            5 => Codec::SumWide { scale, clip },
            6 => Codec::SumCount { clip },
            _ => Codec::F64,
        };
        Form { name: &self.name, codec, shape: &self.shape }
    }

    fn with(&self, elements: &Elements) -> Value {
        let elements = match elements {
            Elements::F64(values) => values.iter().copied().map(double).collect(),
            Elements::Fixed(values) => decimals(values.iter().map(|v| v.cast_signed())),
            Elements::U32(values) => decimals(values),
            Elements::Ring(values) => decimals(values),
        };
        let mut tensor = json!({
            "name": self.name, "codec": self.codec, "scale": self.scale, "shape": self.shape, "elements": elements,
        });
        if let Some(clip) = self.clip {
            tensor["clip"] = clip.into();
        }
        tensor
    }
}

// clause: ENV-1, ENV-2, ENV-3, ENV-4, CONV-1, CONV-2
#[test]
fn envelopes() {
    each("envelope", |given: Envelope| {
        let forms: Vec<Form<'_>> = given.expected.iter().map(Tensor::form).collect();
        let tensors = decode_envelope(&given.envelope.0, given.round, Rank(1), &forms).map_err(|e| e.code())?;
        let output: Vec<Value> = given.expected.iter().zip(&tensors).map(|(tensor, e)| tensor.with(e)).collect();
        let again: Vec<(Form<'_>, Elements)> = forms.into_iter().zip(tensors).collect();
        assert_eq!(encode_envelope(given.round, &again), given.envelope.0);
        Ok(json!({ "tensors": output }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetName {
    set: String,
}

#[test]
fn lengths_of_long_messages() {
    let lengths = trained_lengths();
    each("message_length", |SetName { set }| Ok(json!(lengths[set.as_str()])));
}

/// The lengths that a small training has sent, by set and message type; each type has one length in a set.
fn trained_lengths() -> BTreeMap<&'static str, BTreeMap<&'static str, usize>> {
    let mut stream = Stream::new([7; 16]);
    let mut column = || {
        let values: Vec<f64> = (0..200).map(|_| (stream.u64() % 1000) as f64 / 289.0 - 1.73).collect();
        Columns::from_columns(200, vec![("x".to_owned(), values)]).unwrap()
    };
    let (x, z) = (column(), column());
    let labels = (0..200).map(|i| u8::from(x.column(0)[i] + z.column(0)[i] > 0.5 || i % 5 == 0)).collect();
    let sessions = sim::session(3, b"lengths");
    let plan = TrainPlan { max_evaluations: 30, lambda: 1.0, backend: Backend::detect() };
    let initiator = Initiator::new(sessions[0].clone(), plan, x, labels, true, sim::seed(1));
    let collaborator = |r: usize, x| Collaborator::new(sessions[r].clone(), plan, x, true, sim::seed(r as u8 + 1));
    let mut found: BTreeMap<&str, BTreeMap<&str, BTreeSet<usize>>> = BTreeMap::new();
    let mut slots = Set::S;
    let mut tamper = |_, outgoing: &mut Outgoing| {
        let message = &outgoing.message;
        let set = match message.kind {
            Kind::Eval => {
                let id = u16::from_be_bytes([message.payload[0], message.payload[1]]);
                slots = Sine::by_id(id).unwrap().set;
                return;
            }
            Kind::BasisKey | Kind::Basis | Kind::Masked => slots,
            Kind::ResidualKey | Kind::Residual | Kind::Sums => Set::G,
            _ => return,
        };
        let of_set = found.entry(set.name()).or_default();
        of_set.entry(message.kind.name()).or_default().insert(message.payload.len());
    };
    let collaborators = vec![collaborator(1, z), collaborator(2, column())];
    sim::run(initiator, collaborators, 1, &mut tamper).map(|_| ()).unwrap();
    let one = |lengths: BTreeSet<usize>| {
        assert_eq!(lengths.len(), 1);
        lengths.into_iter().next().unwrap()
    };
    let each_kind = |kinds: BTreeMap<&'static str, BTreeSet<usize>>| {
        kinds.into_iter().map(|(kind, lengths)| (kind, one(lengths))).collect()
    };
    found.into_iter().map(|(set, kinds)| (set, each_kind(kinds))).collect()
}
