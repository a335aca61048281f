//! The plan of a round (section 2), and what follows from it alone.
use super::method::{self, Method};
use super::statistic;
use crate::envelope::{Borrowed, Codec, Form, encode_borrowed};
use crate::session::{Offer, OfferedPlan};
use crate::{Elements, Error, decode_envelope, encode_envelope};
use hefu_core::{Code, CoordinatorRole, Missing, Rank, Split, Stage, Statistic, SumTo, ValueCodec};
use hefu_crypto::sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most participants of a plan (AGG-9).
pub const MAX_PARTICIPANTS: u16 = 1024;
/// Fewest participants of a plan and of a roster (AGG-1).
pub const MIN_PARTICIPANTS: u16 = 3;
/// Scale of codec `wide`, and largest of codec `fixed`.
const WIDE_SCALE: u8 = 40;
/// Smallest scale of codec `fixed` (AGG-9).
const MIN_SCALE: u8 = 8;

/// What one round does: the members of section 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// `["aggregate"]`.
    pub stages: Vec<Stage>,
    /// Registry name of the method.
    pub algorithm: String,
    /// From 0; the round of every frame and envelope of the session.
    pub round: u32,
    /// Whether rank 0 contributes.
    pub coordinator: CoordinatorRole,
    /// t: ⌊2N/3⌋ + 1.
    pub threshold: u16,
    /// k; 0: everyone is everyone's neighbour.
    pub neighbours: u16,
    /// What is summed.
    pub statistic: Statistic,
    /// H of the payload of PARAMETERS.
    #[serde(with = "hex::serde")]
    pub parameters: [u8; 32],
    /// Who is sent the sum.
    pub result: SumTo,
    /// The values, in order.
    pub tensors: Vec<Tensor>,
    /// H of the label definition's text, for statistics that use a label.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::session::hex32")]
    pub label_definition: Option<[u8; 32]>,
    /// Columns of a statistic of rows, by name, in order (spec/pooled.md).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Which rows train, for a statistic of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// What an empty cell means, for a statistic of rows; an error where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// The participants' trainer, by the name that their configurations give a meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trainer: Option<String>,
    /// Local epochs of a trainer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Weight of FedProx's term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proximal: Option<f64>,
}

/// One tensor of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// 1 to 64 of `[a-z0-9_.]`.
    pub name: String,
    /// How values become ring elements.
    pub codec: ValueCodec,
    /// c: values are at most 2^c.
    #[serde(default)]
    pub clip: u16,
    /// At most four dimensions; none: one value.
    pub shape: Vec<u32>,
}

impl Tensor {
    /// A tensor of values up to 2^clip.
    pub fn new(name: &str, codec: ValueCodec, clip: u16, shape: &[u32]) -> Self {
        Tensor { name: name.to_owned(), codec, clip, shape: shape.to_vec() }
    }

    /// The number of its values.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |count: usize, dimension| count.saturating_mul(*dimension as usize))
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ring elements of a value.
    pub(super) fn limbs(&self) -> usize {
        if self.codec == ValueCodec::Wide { 2 } else { 1 }
    }

    /// The envelope's codec among `participants`.
    ///
    /// # Errors
    /// `CLIP_TOO_LARGE` (AGG-9).
    pub fn codec(&self, participants: u16) -> Result<Codec, Error> {
        let refused = Error::refused(Code::ClipTooLarge, "AGG-9", "a tensor's clip leaves no room for the sum");
        let clip = u8::try_from(self.clip).map_err(|_| refused.clone())?;
        match self.codec {
            ValueCodec::Fixed => {
                let bits = 62i32 - ceil_log2(participants) - i32::from(clip);
                let scale = u8::try_from(bits.min(i32::from(WIDE_SCALE))).ok().filter(|scale| *scale >= MIN_SCALE);
                Ok(Codec::SumFixed { scale: scale.ok_or(refused)?, clip })
            }
            ValueCodec::Wide if clip <= 60 => Ok(Codec::SumWide { scale: WIDE_SCALE, clip }),
            ValueCodec::Count if clip <= 40 => Ok(Codec::SumCount { clip }),
            _ => Err(refused),
        }
    }
}

/// ⌈log2 n⌉, 0 for n = 0.
fn ceil_log2(n: u16) -> i32 {
    (u16::BITS - n.saturating_sub(1).leading_zeros()).cast_signed()
}

/// t of N participants (AGG-3); T of section 6 is that of k + 1.
pub fn threshold(participants: u16) -> u16 {
    u16::try_from(u32::from(participants) * 2 / 3 + 1).unwrap_or(u16::MAX)
}

impl Plan {
    /// The plan of one round among `participants`, without neighbours, parameters or a label; the coordinator
    /// participates and is alone to learn the sum. Its public members are changed as the job needs.
    pub fn new(method: &dyn Method, statistic: Statistic, round: u32, participants: u16, tensors: Vec<Tensor>) -> Self {
        Plan {
            stages: vec![Stage::Aggregate],
            algorithm: method.name().to_owned(),
            round,
            coordinator: CoordinatorRole::Participant,
            threshold: threshold(participants),
            neighbours: 0,
            statistic,
            parameters: sha256(&[&encode_envelope(round, &[])]),
            result: SumTo::Coordinator,
            tensors,
            label_definition: None,
            columns: Vec::new(),
            split: None,
            missing: None,
            trainer: None,
            epochs: None,
            proximal: None,
        }
    }

    /// The plan with the digest of these parameters, which are those of [`Plan::parameter_forms`].
    pub fn with_parameters(mut self, parameters: &[Vec<f64>]) -> Self {
        self.parameters = sha256(&[&write_reals(self.round, &self.parameter_forms(), parameters)]);
        self
    }

    /// The tensors of PARAMETERS that the statistic needs, in order.
    pub fn parameter_forms(&self) -> Vec<RealTensor> {
        statistic::parameters(self)
    }

    /// The tensors whose values `aggregate-mean-1` averages, in order: the plan's but `weight`.
    pub fn model_forms(&self) -> Vec<RealTensor> {
        statistic::model(self).collect()
    }

    /// The method.
    ///
    /// # Errors
    /// `UNSUPPORTED_PLAN` for a name that the registry does not list.
    pub fn method(&self) -> Result<&'static dyn Method, Error> {
        method::method(&self.algorithm).ok_or(unsupported("SESS-11", "the plan's algorithm is not supported"))
    }

    /// Whether a rank of `parties` contributes.
    pub fn participates(&self, rank: Rank) -> bool {
        rank != Rank::INITIATOR || self.coordinator == CoordinatorRole::Participant
    }

    /// N among so many parties.
    pub fn participants(&self, parties: usize) -> u16 {
        let silent = usize::from(self.coordinator == CoordinatorRole::Only);
        u16::try_from(parties.saturating_sub(silent)).unwrap_or(u16::MAX)
    }

    /// Forms of MASKED_SUM and SUM among N participants.
    ///
    /// # Errors
    /// `CLIP_TOO_LARGE` (AGG-9).
    pub fn forms(&self, participants: u16) -> Result<Vec<Form<'_>>, Error> {
        self.tensors.iter().map(|t| Ok(Form::new(&t.name, t.codec(participants)?, &t.shape))).collect()
    }

    /// Ring elements of all values.
    pub fn ring_elements(&self) -> usize {
        self.tensors.iter().map(|tensor| tensor.limbs().saturating_mul(tensor.len())).fold(0, usize::saturating_add)
    }

    /// Checks the plan for an offer to `parties` parties, rank 0 among them.
    ///
    /// # Errors
    /// `TOO_FEW_PARTICIPANTS` (AGG-1), `UNSUPPORTED_PLAN` (AGG-3, AGG-6, SESS-11), `CLIP_TOO_LARGE` (AGG-9),
    /// `NOT_ALLOWED` (AGG-24).
    pub fn check(&self, parties: usize) -> Result<(), Error> {
        if self.stages != [Stage::Aggregate] {
            return Err(unsupported("SESS-11", "the plan's stages are not supported"));
        }
        let method = self.method()?;
        let participants = self.participants(parties);
        if participants < MIN_PARTICIPANTS {
            let cause = "an aggregation has fewer than three participants";
            return Err(Error::refused(Code::TooFewParticipants, "AGG-1", cause));
        }
        if participants > MAX_PARTICIPANTS {
            return Err(Error::refused(Code::ClipTooLarge, "AGG-9", "an aggregation has more than 1024 participants"));
        }
        if self.threshold != threshold(participants) {
            return Err(unsupported("AGG-3", "the plan's threshold is not two thirds of its participants plus one"));
        }
        method.check(self)?;
        statistic::check(self)?;
        self.forms(participants).map(|_| ())
    }
}

/// A tensor of codec 1: of the parameters, or of values in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealTensor {
    /// 1 to 64 of `[a-z0-9_.]`.
    pub name: String,
    /// At most four dimensions; none: one value.
    pub shape: Vec<u32>,
}

impl RealTensor {
    /// Its form.
    pub(super) fn form(&self) -> Form<'_> {
        Form::new(&self.name, Codec::F64, &self.shape)
    }

    /// The number of its values.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |count: usize, dimension| count.saturating_mul(*dimension as usize))
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An envelope of codec 1.
pub(super) fn write_reals<V: AsRef<[f64]>>(round: u32, tensors: &[RealTensor], values: &[V]) -> Vec<u8> {
    let forms = tensors.iter().map(RealTensor::form).zip(values.iter().map(|values| Borrowed::F64(values.as_ref())));
    encode_borrowed(round, &forms.collect::<Vec<_>>())
}

/// The values of an envelope of codec 1 that has exactly these tensors.
pub(super) fn read_reals(
    payload: &[u8],
    round: u32,
    from: Rank,
    tensors: &[RealTensor],
) -> Result<Vec<Vec<f64>>, Error> {
    let forms: Vec<Form<'_>> = tensors.iter().map(RealTensor::form).collect();
    let real = |elements| if let Elements::F64(values) = elements { values } else { Vec::new() };
    Ok(decode_envelope(payload, round, from, &forms)?.into_iter().map(real).collect())
}

/// A plan that is refused as such.
pub(super) fn unsupported(requirement: &'static str, cause: &'static str) -> Error {
    Error::refused(Code::UnsupportedPlan, requirement, cause)
}

impl OfferedPlan for Plan {
    fn algorithm(&self) -> &str {
        &self.algorithm
    }

    fn check(offer: &Offer<Self>) -> Result<(), Error> {
        let mut seen = std::collections::BTreeSet::new();
        if !offer.parties.iter().all(|entry| seen.insert(&entry.party)) {
            return Err(Error::refused(Code::DuplicateParticipant, "AGG-2", "the offer lists a party twice"));
        }
        let masks = (0u16..)
            .map(Rank)
            .zip(&offer.parties)
            .all(|(rank, entry)| entry.mask.is_some() == (rank == Rank::INITIATOR && offer.plan.participates(rank)));
        if !masks {
            let cause = "the offer has not the mask key of rank 0, or one of another rank";
            return Err(Error::refused(Code::MalformedDocument, "CONV-10", cause));
        }
        offer.plan.check(offer.parties.len())
    }
}

/// Refuses words of a plan that no registry lists, before the plan is read: it is not malformed but not supported.
pub(crate) fn check_words<'a>(plan: impl Fn(&str) -> Option<&'a Value>) -> Result<(), Error> {
    let one = |value: Option<&Value>, known: fn(&str) -> bool| value.and_then(Value::as_str).is_none_or(known);
    let tensors = plan("tensors").and_then(Value::as_array).into_iter().flatten();
    let supported = one(plan("coordinator"), |word| CoordinatorRole::parse(word).is_some())
        && one(plan("result"), |word| SumTo::parse(word).is_some())
        && tensors.into_iter().all(|tensor| one(tensor.get("codec"), |word| ValueCodec::parse(word).is_some()));
    if !supported {
        return Err(unsupported("SESS-11", "the plan has a word that is not known here"));
    }
    if one(plan("statistic"), |word| Statistic::parse(word).is_some()) {
        return Ok(());
    }
    Err(unsupported("AGG-6", "the plan's statistic is not known here"))
}
