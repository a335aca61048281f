//! The vectors of the transcript and of every key that hangs on it.
use super::{Keys, MaskUse, transcript, transcript_message};
use crate::case::{Hex, each, each_without, hex};
use hefu_core::{Code, Rank, SessionId, Stage};
use hefu_crypto::{Agreement, SigningKey, verify};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mask {
    ranks: [u16; 2],
    stage: u32,
    round: u32,
    #[serde(rename = "use")]
    mask_use: u16,
}

impl Mask {
    fn stage(&self) -> Stage {
        *Stage::ALL.iter().find(|stage| stage.number() == self.stage).unwrap()
    }

    fn mask_use(&self) -> MaskUse {
        let all = [MaskUse::Share, MaskUse::Scalars, MaskUse::Score, MaskUse::ShareToInitiator];
        all.into_iter().find(|known| *known as u16 == self.mask_use).unwrap()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    offer: String,
    confirms: Vec<String>,
    ephemeral_secrets: Vec<Hex>,
    signing_seeds: Vec<Hex>,
    masks: Vec<Mask>,
}

#[test]
fn transcripts_and_keys() {
    each("transcript", |given: Session| {
        let hash = transcript(given.offer.as_bytes(), &given.confirms);
        let secrets: Vec<Agreement> = given.ephemeral_secrets.iter().map(|s| Agreement::new(s.array())).collect();
        let ephemerals: Vec<[u8; 32]> = secrets.iter().map(Agreement::public).collect();
        let derive = |(rank, secret)| Keys::derive(SessionId([0; 16]), Rank(rank), hash, secret, &ephemerals).unwrap();
        let keys: Vec<Keys> = (0..).zip(&secrets).map(derive).collect();
        let mut pairs = Vec::new();
        for (j, high) in (0u16..).zip(&keys) {
            pairs.extend((0u16..j).zip(&keys).map(|(i, low)| pair(i, low, j, high)));
        }
        let masks = given.masks.iter().map(|mask| {
            let [low, high] = mask.ranks.map(Rank);
            let key =
                |own: Rank, other| hex(keys[own.index()].mask_key(other, mask.stage(), mask.round, mask.mask_use()));
            assert_eq!(key(low, high), key(high, low));
            key(low, high)
        });
        let signatures = (0..)
            .zip(&given.signing_seeds)
            .map(|(rank, seed)| hex(SigningKey::from_seed(&seed.array()).sign(&transcript_message(Rank(rank), &hash))));
        Ok(json!({
            "transcript": hex(hash),
            "ephemerals": ephemerals.iter().map(hex).collect::<Vec<_>>(),
            "keys": pairs,
            "masks": masks.collect::<Vec<_>>(),
            "signatures": signatures.collect::<Vec<_>>(),
        }))
    });
}

/// The keys of two ranks; both derive the same.
fn pair(i: u16, low: &Keys, j: u16, high: &Keys) -> Value {
    let (i, j) = (Rank(i), Rank(j));
    assert_eq!(low.pair(j), high.pair(i));
    for (from, to) in [(i, j), (j, i)] {
        assert_eq!(*low.frame_key_bytes(from, to), *high.frame_key_bytes(from, to));
    }
    json!({
        "ranks": [i.0, j.0],
        "pair": hex(low.pair(j)),
        "frame_up": hex(*low.frame_key_bytes(i, j)),
        "frame_down": hex(*low.frame_key_bytes(j, i)),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    key: Hex,
    rank: u16,
    transcript: Hex,
    signature: Hex,
}

// clause: SESS-15
#[test]
fn transcript_signatures() {
    each("transcript_signature", |given: Signature| {
        let message = transcript_message(Rank(given.rank), &given.transcript.array());
        verify(&given.key.array(), &message, &given.signature.0).map_err(|e| e.code())?;
        Ok(json!({}))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKey {
    set: String,
    transcript: Hex,
    owner: u16,
    round: u32,
    #[serde(rename = "secret")]
    _secret: Value,
    #[serde(rename = "error")]
    _error: Value,
}

/// The crate of ring-LWE makes the keys and answers for them.
#[test]
fn seeds_of_public_keys() {
    each_without("rlwe_key", &["p0", "p1"], |given: PublicKey| -> Result<_, Code> {
        let set = ["S", "S'", "G"].iter().position(|name| *name == given.set).unwrap() as u8 + 1;
        let secret = Agreement::new([1; 32]);
        let ephemerals = [secret.public(), Agreement::new([2; 32]).public()];
        let keys = Keys::derive(SessionId([0; 16]), Rank(0), given.transcript.array(), &secret, &ephemerals).unwrap();
        Ok(json!({ "stream_key": hex(keys.rlwe_seed(set, Rank(given.owner), given.round)) }))
    });
}
