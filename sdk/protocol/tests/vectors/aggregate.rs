//! The vectors of aggregation that need no machine: values, keys, shares, masks, neighbours, history, documents.
use super::deal::{Dealer, MaskKey, self_mask_key};
use super::graph::Graph;
use super::history::check_label_digest;
use super::mean::{self, Plain};
use super::plan::read_reals;
use super::value;
use super::wire::{read_plain, write_shares};
use super::*;
use crate::Error;
use crate::case::{Hex, each, each_blaming, hex};
use crate::envelope::{Borrowed, encode_borrowed};
use crate::session::{AnyOffer, Keys, check_confirm, check_offer, open_any_offer, open_confirm, transcript};
use hefu_core::{Code, PartyId, Rank, SessionId, Statistic, ValueCodec};
use hefu_crypto::{Agreement, Interpolation, Masks, Secret, Share, Sign, SigningKey, dsse};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Code and culprit of a refusal.
pub(super) fn refusal(error: &Error) -> (Code, Option<u16>) {
    (error.code(), error.culprit().map(|rank| rank.0))
}

/// A plan of any tensors.
pub(super) fn plan_of(round: u32, participants: u16, tensors: Vec<Tensor>) -> Plan {
    Plan::new(&SecureSum, Statistic::Vector, round, participants, tensors)
}

/// Values of one tensor: counts in decimal, reals as the hex of `f64be`.
pub(super) fn values(codec: ValueCodec, texts: &[String]) -> Values {
    match codec {
        ValueCodec::Count => Values::Count(texts.iter().map(|text| text.parse().unwrap()).collect()),
        _ => Values::Real(texts.iter().map(|text| real(text)).collect()),
    }
}

fn real(text: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(text, 16).unwrap())
}

fn decimals<T: ToString>(values: impl IntoIterator<Item = T>) -> Value {
    values.into_iter().map(|value| Value::from(value.to_string())).collect()
}

/// The integers of sums, in decimal, by tensor.
pub(super) fn integers(sums: &Sums) -> Value {
    sums.tensors().iter().map(|total| decimals(total.integers().unwrap())).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encoded {
    codec: ValueCodec,
    clip: u16,
    participants: u16,
    values: Vec<Vec<String>>,
}

// clause: AGG-9, AGG-10
#[test]
fn encodings() {
    each("aggregate_encode", |given: Encoded| {
        let count = given.values[0].len() as u32;
        let tensor = Tensor::new("x", given.codec, given.clip, &[count]);
        let plan = plan_of(0, given.participants, vec![tensor.clone()]);
        if given.participants > MAX_PARTICIPANTS {
            return plan.check(usize::from(given.participants)).map(|()| Value::Null).map_err(|e| e.code());
        }
        let codec = tensor.codec(given.participants).map_err(|e| e.code())?;
        let scale = match codec {
            crate::Codec::SumFixed { scale, .. } | crate::Codec::SumWide { scale, .. } => scale,
            _ => 0,
        };
        let (mut elements, mut sum) = (Vec::new(), vec![0u64; plan.ring_elements()]);
        for texts in &given.values {
            let ring = value::encode(&plan, given.participants, &[values(given.codec, texts)]).map_err(|e| e.code())?;
            sum.iter_mut().zip(ring.iter()).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
            elements.push(decimals(ring.iter()));
        }
        let sums = value::decode(&plan, given.participants, &sum).unwrap();
        let value = integers(&sums)[0].clone();
        Ok(json!({ "scale": scale, "elements": elements, "sum": decimals(&sum), "value": value }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Agreed {
    secret: Hex,
    public: Hex,
    owner: u16,
}

// clause: AGG-8
#[test]
fn agreements() {
    each_blaming("aggregate_agree", |given: Agreed| {
        let secret = Secret::from_bytes(&given.secret.array()).unwrap();
        let shared = Agreement::new(*secret.as_bytes()).agree(&given.public.array());
        shared.map(|shared| json!({ "shared": hex(*shared) })).map_err(|e| (e.code(), Some(given.owner)))
    });
}

/// Ephemeral, mask and signing key of a rank.
type PublicKeys = ([u8; 32], Option<[u8; 32]>, [u8; 32]);

/// A roster of two or more ranks by their ephemeral and mask keys; none where a rank is absent.
pub(super) fn roster(
    plan: Plan,
    hash: [u8; 32],
    own: u16,
    secret: &Agreement,
    parties: &[Option<PublicKeys>],
    forms: Vec<RealTensor>,
) -> Arc<Roster> {
    let ephemerals: Vec<Option<[u8; 32]>> = parties.iter().map(|party| party.map(|p| p.0)).collect();
    let keys = Keys::derive_present(SessionId([0; 16]), Rank(own), hash, secret, &ephemerals).unwrap();
    let member = |(rank, party): (usize, &Option<PublicKeys>)| Member {
        party: PartyId::parse(&format!("lei:R{rank}")).unwrap(),
        signing_key: party.map_or([0; 32], |p| p.2),
        mask: party.and_then(|p| p.1),
    };
    let members = parties.iter().enumerate().map(member).collect();
    Arc::new(Roster::unchecked(plan, Arc::new(keys), members, forms))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairKeys {
    transcript: Hex,
    ranks: [u16; 2],
    ephemeral_secrets: [Hex; 2],
    mask_secrets: [Hex; 2],
    self_mask: Hex,
}

#[test]
fn keys_between_two_ranks() {
    each("aggregate_keys", |given: PairKeys| {
        let ephemeral = [0, 1].map(|i| Agreement::new(given.ephemeral_secrets[i].array()));
        let masks = [0, 1].map(|i| MaskKey::from_bytes(&given.mask_secrets[i].array()).unwrap());
        let count = usize::from(given.ranks[0].max(given.ranks[1])) + 1;
        let mut parties = vec![None; count];
        for i in [0, 1] {
            parties[usize::from(given.ranks[i])] = Some((ephemeral[i].public(), Some(masks[i].public()), [0; 32]));
        }
        let plan = plan_of(0, count as u16, vec![]);
        let roster =
            |i: usize| roster(plan.clone(), given.transcript.array(), given.ranks[i], &ephemeral[i], &parties, vec![]);
        let secret = |i: usize| Agreement::new(given.mask_secrets[i].array());
        let pair = |i: usize| {
            let (own, other) = (Rank(given.ranks[i]), Rank(given.ranks[1 - i]));
            roster(i).pair_mask(&secret(i), own, other).unwrap()
        };
        assert_eq!(pair(0), pair(1));
        let share_key = |i: usize| {
            let (from, to) = (Rank(given.ranks[i]), Rank(given.ranks[1 - i]));
            let (ours, theirs) =
                (roster(i).keys().share_key_bytes(from, to), roster(1 - i).keys().share_key_bytes(from, to));
            assert_eq!(ours, theirs);
            hex(*ours)
        };
        let self_mask = self_mask_key(&Secret::from_bytes(&given.self_mask.array()).unwrap());
        Ok(json!({
            "mask_keys": [hex(masks[0].public()), hex(masks[1].public())],
            "shared": hex(*secret(0).agree(&masks[1].public()).unwrap()),
            "share_keys": [share_key(0), share_key(1)],
            "pair_mask": hex(*pair(0)),
            "self_mask": hex(*self_mask),
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holder {
    rank: u16,
    ephemeral: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dealt {
    transcript: Hex,
    rank: u16,
    self_mask: Vec<Hex>,
    mask: Vec<Hex>,
    ephemeral_secret: Hex,
    signing_seed: Hex,
    holders: Vec<Holder>,
}

/// Coefficients of a polynomial.
pub(super) fn coefficients(given: &[Hex]) -> Vec<[u8; 32]> {
    given.iter().map(Hex::array).collect()
}

#[test]
fn shares() {
    each("aggregate_shares", |given: Dealt| {
        let secret = Agreement::new(given.ephemeral_secret.array());
        let count = given.holders.iter().map(|h| h.rank).chain([given.rank]).max().unwrap() + 1;
        let mut parties = vec![None; usize::from(count)];
        for holder in &given.holders {
            parties[usize::from(holder.rank)] = Some((holder.ephemeral.array(), Some([9; 32]), [0; 32]));
        }
        parties[usize::from(given.rank)] = Some((secret.public(), Some([9; 32]), [0; 32]));
        let plan = plan_of(0, count, vec![]);
        let roster = roster(plan, given.transcript.array(), given.rank, &secret, &parties, vec![]);
        let signing = SigningKey::from_seed(&given.signing_seed.array());
        let (b, s) = (coefficients(&given.self_mask), coefficients(&given.mask));
        let dealer = Dealer::given(roster, signing, &b, &s);
        let holders: Vec<Rank> = given.holders.iter().map(|holder| Rank(holder.rank)).collect();
        let mut everyone: Vec<u16> = holders.iter().map(|rank| rank.0).chain([given.rank]).collect();
        everyone.sort_unstable();
        let share = |rank: u16| {
            let [b, s] = dealer.shares_of(Rank(rank));
            json!({ "rank": rank, "self_mask": hex(b), "mask": hex(s) })
        };
        let payload = write_shares(&dealer.deal(&holders).unwrap());
        Ok(json!({ "shares": everyone.into_iter().map(share).collect::<Vec<_>>(), "payload": hex(payload) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RankShare {
    rank: u16,
    share: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebuilt {
    shares: Vec<RankShare>,
}

#[test]
fn secrets_from_shares() {
    each("aggregate_rebuild", |given: Rebuilt| {
        let ranks: Vec<u16> = given.shares.iter().map(|share| share.rank).collect();
        let shares: Vec<Share> = given.shares.iter().map(|s| Share::from_bytes(&s.share.array()).unwrap()).collect();
        Ok(json!({ "secret": hex(Interpolation::new(&ranks).secret(&shares).as_bytes()) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairMask {
    rank: u16,
    key: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskedValues {
    participants: u16,
    round: u32,
    rank: u16,
    tensors: Vec<Tensor>,
    self_mask: Hex,
    values: Vec<Vec<String>>,
    pair_masks: Vec<PairMask>,
}

#[test]
fn masked_values() {
    each("aggregate_mask", |given: MaskedValues| {
        let plan = plan_of(given.round, given.participants, given.tensors);
        let all: Vec<Values> =
            plan.tensors.iter().zip(&given.values).map(|(t, texts)| values(t.codec, texts)).collect();
        let mut ring = value::encode(&plan, given.participants, &all).unwrap();
        let mut masks = Masks::new();
        masks.push(self_mask_key(&Secret::from_bytes(&given.self_mask.array()).unwrap()), Sign::Plus);
        for pair in &given.pair_masks {
            let key = Zeroizing::new(pair.key.0.as_slice().try_into().unwrap());
            masks.push(key, super::deal::pair_sign(Rank(given.rank), Rank(pair.rank)));
        }
        masks.apply(&mut ring);
        let mut rest = ring.as_slice();
        let forms = plan.forms(given.participants).unwrap();
        let tensors = plan.tensors.iter().zip(forms).map(|(tensor, form)| {
            let part = rest.split_off(..tensor.len() * tensor.limbs()).unwrap();
            (form, Borrowed::U64(part))
        });
        Ok(json!({ "payload": hex(encode_borrowed(given.round, &tensors.collect::<Vec<_>>())) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RosterGraph {
    transcript: Hex,
    roster: Vec<u16>,
    neighbours: u16,
}

#[test]
fn graphs() {
    each("aggregate_graph", |given: RosterGraph| {
        let ranks: Vec<Rank> = given.roster.iter().copied().map(Rank).collect();
        let graph = Graph::ring(&given.transcript.array(), &ranks, given.neighbours);
        let near = |(place, rank): (usize, &Rank)| {
            (rank.0.to_string(), json!(graph.of(&ranks, place).iter().map(|other| other.0).collect::<Vec<u16>>()))
        };
        let order: Vec<u16> =
            Graph::order(&given.transcript.array(), ranks.len()).iter().map(|p| ranks[*p].0).collect();
        Ok(json!({
            "order": order,
            "threshold": graph.sharing_threshold(u16::MAX),
            "graph": ranks.iter().enumerate().map(near).collect::<serde_json::Map<_, _>>(),
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Least {
    size: u16,
    neighbours: u16,
}

// clause: AGG-23
#[test]
fn numbers_of_neighbours() {
    each("aggregate_neighbours", |given: Least| {
        let ranks: Vec<Rank> = (0..given.size).map(Rank).collect();
        Graph::new(&[0; 32], &ranks, given.neighbours).map(|_| json!({})).map_err(|e| e.code())
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Earlier {
    survivors: Vec<PartyId>,
    exact: bool,
    completed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    survivors: Vec<PartyId>,
    exact: bool,
    permitted: bool,
    earlier: Vec<Earlier>,
}

// clause: AGG-25, AGG-26
#[test]
fn differences() {
    each("aggregate_difference", |given: Difference| {
        let past =
            |exact, survivors: Vec<PartyId>| PastRound { round: 0, exact, survivors: survivors.into_iter().collect() };
        let completed = given.earlier.into_iter().filter(|earlier| earlier.completed);
        let rounds = completed.map(|earlier| past(earlier.exact, earlier.survivors)).collect();
        let history = History { rounds, permits_change: given.permitted };
        match history.allows(&past(given.exact, given.survivors)) {
            true => Ok(json!({})),
            false => Err(Code::RosterDifference),
        }
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    good: Vec<u64>,
    bad: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Histogram {
    minimum: u64,
    columns: Vec<Column>,
}

// clause: AGG-27
#[test]
fn small_cells() {
    each("aggregate_histogram", |given: Histogram| {
        let merged =
            |column: &Column| merge_small_cells(&column.good, &column.bad, given.minimum).map_err(|e| e.code());
        let cell = |cell: &Cell| json!({ "first": cell.first, "good": cell.good, "bad": cell.bad });
        let column = |column| Ok(merged(column)?.iter().map(cell).collect::<Vec<_>>());
        Ok(json!({ "columns": given.columns.iter().map(column).collect::<Result<Vec<_>, Code>>()? }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedShape {
    name: String,
    shape: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    rank: u16,
    payload: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mean {
    round: u32,
    tensors: Vec<NamedShape>,
    parts: Vec<Part>,
}

// clause: AGG-29
#[test]
fn plain_means() {
    each_blaming("aggregate_mean", |given: Mean| {
        let tensors = given.tensors.iter().map(|t| Tensor::new(&t.name, ValueCodec::Fixed, 0, &t.shape)).collect();
        let plan = Plan::new(&PlainMean, Statistic::Update, given.round, 3, tensors);
        let (mut parts, mut weights) = (BTreeMap::new(), Vec::new());
        for part in &given.parts {
            let from = Rank(part.rank);
            let read = || {
                let (weight, envelope) = read_plain(&part.payload.0, from)?;
                Ok::<_, Error>((weight, read_reals(envelope, given.round, from, &plan.model_forms())?))
            };
            let (weight, values) = read().map_err(|e| refusal(&e))?;
            weights.push(hex(weight.to_be_bytes()));
            parts.insert(from, Plain::new(weight, values));
        }
        let means = mean::weighted(&parts, &plan).map_err(|e| refusal(&e))?.reals();
        let hexes = |values: &Vec<f64>| values.iter().map(|value| hex(value.to_be_bytes())).collect::<Vec<_>>();
        Ok(json!({ "weights": weights, "mean": means.iter().map(hexes).collect::<Vec<_>>() }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnSide {
    versions: Vec<String>,
    suites: Vec<u16>,
    columns: Vec<String>,
    label_definition: Option<Hex>,
    rounds: Vec<u32>,
    rows: u64,
    minimum_rows: u64,
    plain_parameters: bool,
    trainers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    envelope: String,
    tls_party: PartyId,
    tls_party_key: Hex,
    own_party: PartyId,
    own: OwnSide,
}

/// What a node checks beside the machines, of its dataset and configuration.
fn check_own(plan: &Plan, own: &OwnSide) -> Result<(), Code> {
    if plan.method().unwrap().secrecy() == Secrecy::Plain && !own.plain_parameters {
        return Err(Code::NotAllowed);
    }
    if plan.trainer.as_ref().is_some_and(|name| !own.trainers.contains(name)) {
        return Err(Code::UnsupportedPlan);
    }
    if !plan.columns.iter().all(|column| own.columns.contains(column)) {
        return Err(Code::MissingColumn);
    }
    if plan.statistic.is_of_rows() && own.rows < own.minimum_rows {
        return Err(Code::TooFewRows);
    }
    Ok(())
}

// clause: AGG-1, AGG-2, AGG-3, AGG-4, AGG-6, AGG-7, AGG-9, AGG-24
#[test]
fn offers() {
    each("aggregate_offer", |given: Offered| {
        assert_eq!((given.own.versions.as_slice(), given.own.suites.as_slice()), (&["1.0".to_owned()][..], &[1][..]));
        let offer = open_any_offer(given.envelope.as_bytes(), &given.tls_party_key.array()).map_err(|e| e.code())?;
        let AnyOffer::Aggregate(offer) = offer else { return Err(Code::UnsupportedPlan) };
        let accepted = check_offer(&offer, &given.own_party, &given.tls_party).map_err(|e| e.code())?;
        check_round(given.own.rounds.iter().copied().max(), offer.plan.round).map_err(|e| e.code())?;
        check_label_digest(&offer.plan, given.own.label_definition.as_ref().map(Hex::array)).map_err(|e| e.code())?;
        check_own(&offer.plan, &given.own)?;
        Ok(json!({ "rank": accepted.rank.0, "participants": offer.plan.participants(offer.parties.len()) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirms {
    offer: String,
    keys: Vec<Hex>,
    rank: u16,
    own_confirm: String,
    mask_secret: Hex,
    confirms: Vec<String>,
}

// clause: AGG-1, AGG-3, AGG-5, AGG-8, AGG-23
#[test]
fn confirms() {
    each_blaming("aggregate_confirms", |given: Confirms| {
        let named = |error: Error| refusal(&error);
        let AnyOffer::Aggregate(offer) =
            open_any_offer(given.offer.as_bytes(), &given.keys[0].array()).map_err(named)?
        else {
            panic!("an offer of another kind");
        };
        let own = dsse::digest(given.offer.as_bytes());
        let mut opened = Vec::new();
        for (rank, text) in (1..).zip(&given.confirms) {
            if rank == given.rank && *text != given.own_confirm {
                return Err((Code::TranscriptMismatch, None));
            }
            let key = given.keys[usize::from(rank)].array();
            let confirm = (!text.is_empty()).then(|| open_confirm(text.as_bytes(), &key)).transpose().map_err(named)?;
            opened.push(confirm);
        }
        check_confirms(&own, opened.iter().map(Option::as_ref)).map_err(named)?;
        for (rank, confirm) in (1u16..).map(Rank).zip(&opened) {
            if let Some(confirm) = confirm {
                check_confirm(confirm, given.offer.as_bytes(), &offer, rank, None).map_err(named)?;
            }
        }
        let hash = transcript(given.offer.as_bytes(), &given.confirms);
        let masks = [offer.parties[0].mask].into_iter().chain(opened.iter().map(|c| c.as_ref().and_then(|c| c.mask)));
        let members: Vec<Member> = offer
            .parties
            .iter()
            .zip(masks)
            .map(|(entry, mask)| Member { party: entry.party.clone(), signing_key: [0; 32], mask })
            .collect();
        let ephemerals = vec![None; members.len()];
        let secret = Agreement::new([1; 32]);
        let keys = Keys::derive_present(SessionId([0; 16]), Rank(given.rank), hash, &secret, &ephemerals).unwrap();
        let mask = MaskKey::from_bytes(&given.mask_secret.array()).unwrap();
        assert_eq!(members[usize::from(given.rank)].mask, Some(mask.public()));
        let roster = Roster::new(offer.plan.clone(), Arc::new(keys), members).map_err(named)?;
        let ranks: Vec<u16> = roster.ranks().iter().map(|rank| rank.0).collect();
        Ok(json!({ "transcript": hex(hash), "roster": ranks }))
    });
}
