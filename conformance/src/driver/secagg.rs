//! A round of aggregation as coordinator and as every participant but the target (aggregate sections 2 to 5).

use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::Signer;
use hefu_proto::v1::ConfirmResponse;
use prost::Message;
use serde_json::{Value, json};

use super::session::Offered;
use super::stream::Stream;
use super::{Dialogue, Flow, Stop};
use crate::case::pool::PoolFault;
use crate::case::{Operator, Scenario};
use crate::connect::Link;
use crate::pki::Party;
use crate::rng::Rng;
use crate::transcript::{Event, pool::PoolFacts};
use crate::wire::aggregate::{self, Entry, Form};
use crate::wire::aggregate_secret::{self as secret, Deal};
use crate::wire::{dsse, group, h, keys, message};

/// Stage of aggregation.
const STAGE: u32 = 5;
/// Algorithm of every offer.
const SUM: &str = "aggregate-sum-1";
/// Columns of the target's dataset.
const COLUMNS: [&str; 3] = ["f1", "f2", "f3"];

impl Dialogue<'_> {
    pub(super) fn pools(&self) -> bool {
        self.case.scenario == Scenario::Pool
    }

    /// Algorithm of the offer.
    pub(super) fn algorithm(&self) -> &'static str {
        if self.pools() { SUM } else { self.plan().algorithm }
    }

    fn lie(&self) -> Option<PoolFault> {
        match self.operator {
            Some(Operator::Pool { fault }) => Some(*fault),
            _ => None,
        }
    }

    /// Marks the one deviation where it is this one.
    fn lies(&self, fault: PoolFault) -> bool {
        let lies = self.lie() == Some(fault);
        if lies {
            self.deviation(format!("{fault:?}"));
        }
        lies
    }

    fn participants(&self) -> u16 {
        match self.lie() {
            Some(PoolFault::TwoParticipants) => 2,
            _ => self.case.setting.pool.participants,
        }
    }

    /// Every job has its rounds to itself; the second one is that of `again`, or of a lie that rests on a first.
    fn round(&self) -> u32 {
        let later = self.label == "main" && self.lie() == Some(PoolFault::RosterDifference);
        u32::from(later || self.label == "again")
    }

    /// The suite's parties, by rank.
    fn seated(&self) -> Vec<&Party> {
        let all = [self.me, &self.world.second, &self.world.agency.party];
        all.into_iter().take(usize::from(self.participants()).saturating_sub(1)).collect()
    }

    fn drawn(&self, what: &str, rank: u16) -> Rng {
        Rng::new(&self.world.seed, &format!("{} {} {what} {rank}", self.case.id, self.label))
    }

    fn scalars(&self, what: &str, rank: u16) -> Vec<Scalar> {
        let mut rng = self.drawn(what, rank);
        (0..threshold(self.participants())).map(|_| group::scalar(&rng.bytes())).collect()
    }

    fn deal(&self, rank: u16) -> Deal {
        Deal::new(rank, self.scalars("self-mask", rank), self.scalars("mask", rank))
    }

    fn mask_secret(&self, rank: u16) -> [u8; 32] {
        self.scalars("mask", rank).first().map(Scalar::to_bytes).unwrap_or_default()
    }

    /// Names, shapes and values of PARAMETERS.
    fn pooled_parameters(&self) -> Vec<(&'static str, Vec<u32>, Vec<f64>)> {
        if self.case.setting.pool.statistic != "newton" {
            return Vec::new();
        }
        let d = COLUMNS.len() as u32;
        vec![
            ("mean", vec![d], vec![4.25, 3.5, 4.75]),
            ("deviation", vec![d], vec![2.5, 2.25, 3.0]),
            ("coefficients", vec![d], vec![0.5, -0.375, 0.125]),
            ("intercept", vec![], vec![0.25]),
        ]
    }

    /// Makes the offer that of a round.
    pub(super) fn pool_offer(&mut self, offer: &mut Value) {
        let n = self.participants();
        let mut rng = Rng::new(&self.world.seed, &format!("{} job", self.case.id));
        offer["job"] = hex::encode(rng.bytes::<16>()).into();
        let mut parties = vec![offer["parties"][0].clone()];
        parties[0]["mask"] = hex::encode(keys::public(&self.mask_secret(0))).into();
        for party in &self.seated()[1..] {
            parties.push(json!({ "party": party.id, "dataset": "suite" }));
        }
        parties.push(json!({ "party": self.world.target.party, "dataset": self.case.setting.dataset }));
        offer["parties"] = parties.into();
        let parameters = aggregate::parameters(self.round(), &self.pooled_parameters());
        offer["plan"] = json!({
            "stages": ["aggregate"], "algorithm": SUM, "round": self.round(), "coordinator": "participant",
            "threshold": threshold(n), "neighbours": 0, "statistic": self.case.setting.pool.statistic,
            "parameters": hex::encode(h(&[&parameters])), "result": "coordinator",
            "tensors": forms(&self.case.setting.pool.statistic), "columns": COLUMNS, "split": "none",
            "missing": "error", "label_definition": hex::encode(h(&[])),
        });
    }

    /// What of the offer is the case's deviation where it is made of another plan.
    pub(super) fn pool_told(&self) -> Option<String> {
        let fault = self.lie()?;
        let offered = matches!(fault, PoolFault::TwoParticipants) || fault == PoolFault::StaleRound;
        (offered && self.label == "main").then(|| format!("{fault:?}"))
    }

    /// Confirms of the suite's participants, ranks 1 and up.
    pub(super) fn seats(&mut self, offer: &[u8]) -> Vec<Vec<u8>> {
        if !self.pools() {
            return Vec::new();
        }
        let digest = hex::encode(h(&[offer]));
        let one = |(rank, party): (u16, &&Party)| {
            let mut rng = self.drawn("confirm", rank);
            let (mut offer, mut mask) = (digest.clone(), hex::encode(keys::public(&self.mask_secret(rank))));
            if rank == 1 && self.lies(PoolFault::OtherOffer) {
                offer = hex::encode([7; 32]);
            }
            if rank == 1 && self.lies(PoolFault::LowOrderMask) {
                mask = hex::encode([0; 32]);
            }
            let document = json!({
                "type": "hefu/confirm/1", "offer": offer, "rank": rank, "party": party.id,
                "nonce": hex::encode(rng.bytes::<32>()),
                "ephemeral": hex::encode(keys::public(&self.seat_secret(rank))), "mask": mask,
                "version": "1.0", "suite": 1, "algorithm": SUM,
                "allow": hex::encode([1; 32]), "schema": hex::encode([2; 32]),
            });
            dsse::seal(dsse::CONFIRM, document.to_string().as_bytes(), &party.signing)
        };
        (1..).zip(&self.seated()[1..]).map(one).collect()
    }

    /// Ephemeral secret of a participant of the suite's; rank 0's is the session's.
    fn seat_secret(&self, rank: u16) -> [u8; 32] {
        self.drawn("ephemeral", rank).bytes()
    }

    fn ephemeral(&self, offered: &Offered, rank: u16) -> [u8; 32] {
        if rank == 0 { offered.ephemeral } else { self.seat_secret(rank) }
    }

    /// One round with the target, and its end.
    pub(super) async fn pool(&mut self, link: &Link, offered: &Offered) -> Flow<()> {
        let mut stream = self.exchange(link, offered);
        stream.place = (STAGE, self.round());
        self.note_pool(offered);
        self.deal_out(&mut stream, offered).await?;
        self.agree(&mut stream, offered).await?;
        self.finish(link, &mut stream, offered.session).await
    }

    fn note_pool(&self, offered: &Offered) {
        let suite: Vec<u16> = (0..offered.rank()).collect();
        let csv = self.world.datasets.get(&self.case.setting.dataset).map(|d| d.csv.as_str()).unwrap_or_default();
        let table: Vec<Vec<f64>> =
            csv.lines().skip(1).map(|l| l.split(',').skip(1).filter_map(|c| c.parse().ok()).collect()).collect();
        let hexed = |bytes: [u8; 32]| hex::encode(bytes);
        let facts = PoolFacts {
            participants: self.participants(),
            threshold: threshold(self.participants()),
            round: self.round(),
            statistic: self.case.setting.pool.statistic.clone(),
            forms: forms(&self.case.setting.pool.statistic),
            parameters: self.pooled_parameters().into_iter().map(|(_, _, values)| values).collect(),
            labels: table.iter().filter_map(|row| row.last()).map(|label| *label as u8).collect(),
            rows: table.into_iter().map(|row| row.into_iter().take(COLUMNS.len()).collect()).collect(),
            ephemerals: suite.iter().map(|rank| hexed(self.ephemeral(offered, *rank))).collect(),
            masks: suite.iter().map(|rank| hexed(self.mask_secret(*rank))).collect(),
            dealt: suite.iter().map(|rank| self.deal(*rank).shares(offered.rank()).map(hexed)).collect(),
            survivors: self.survivors(offered),
        };
        let max_chunk = self.max_chunk();
        self.record.facts(|all| {
            all.max_chunk = max_chunk;
            all.pool = Some(facts);
        });
    }

    fn survivors(&self, offered: &Offered) -> Vec<u16> {
        (0..=offered.rank()).filter(|rank| *rank != 1 || !self.case.setting.pool.lost).collect()
    }

    /// PARAMETERS to MASKED_SUM.
    async fn deal_out(&mut self, stream: &mut Stream, offered: &Offered) -> Flow<()> {
        let target = offered.rank();
        let mut parameters = self.pooled_parameters();
        if self.lies(PoolFault::OtherParameters) {
            parameters[2].2[0] += 0.125;
        }
        let payload = aggregate::parameters(self.round(), &parameters);
        self.send(stream, aggregate::PARAMETERS, 0, payload).await?;
        let mut roster = self.transcript_signatures(offered);
        if self.lies(PoolFault::ForgedTranscript) {
            roster[1].1[0] ^= 1;
        }
        if self.lies(PoolFault::RosterWithoutTarget) {
            roster.retain(|(rank, _)| *rank != target);
        }
        if self.lies(PoolFault::RosterTooFew) {
            roster.retain(|(rank, _)| *rank != 1);
        }
        self.send(stream, aggregate::ROSTER, 0, aggregate::signatures(&roster)).await?;
        self.hear_message(stream, aggregate::SHARES).await?;
        let mut u2: Vec<u16> = (0..=target).collect();
        if self.lies(PoolFault::SharedWithoutTarget) {
            u2.retain(|rank| *rank != target);
        }
        if self.lies(PoolFault::SharedTooFew) || self.lie() == Some(PoolFault::SurvivorsBeyond) {
            u2.retain(|rank| *rank != 1);
        }
        let shared = aggregate::shared(&u2, &self.entries(offered, &u2));
        self.send(stream, aggregate::SHARED, 0, shared.clone()).await?;
        self.hear_message(stream, aggregate::MASKED_SUM).await?;
        if self.lies(PoolFault::SharedTwice) {
            self.send(stream, aggregate::SHARED, 0, shared).await?;
            return self.hear_message(stream, aggregate::AGREED).await.map(drop);
        }
        Ok(())
    }

    /// SURVIVORS to UNMASK.
    async fn agree(&mut self, stream: &mut Stream, offered: &Offered) -> Flow<()> {
        let target = offered.rank();
        let u2: Vec<u16> = (0..=target).collect();
        let mut u3 = self.survivors(offered);
        if self.lies(PoolFault::SurvivorsWithoutTarget) {
            u3.retain(|rank| *rank != target);
        }
        if self.lies(PoolFault::SurvivorsTooFew) {
            u3.retain(|rank| *rank != 1);
        }
        self.lies(PoolFault::SurvivorsBeyond);
        self.lies(PoolFault::RosterDifference);
        self.send(stream, aggregate::SURVIVORS, 0, aggregate::ranks(&u3)).await?;
        let agreed = self.hear_message(stream, aggregate::AGREED).await?;
        if self.lies(PoolFault::SurvivorsTwice) {
            let fewer: Vec<u16> = u3.iter().copied().filter(|rank| *rank != 1).collect();
            self.send(stream, aggregate::SURVIVORS, 0, aggregate::ranks(&fewer)).await?;
            return self.hear_message(stream, aggregate::UNMASK).await.map(drop);
        }
        let signed_of = if self.lies(PoolFault::AgreementOther) { &u3[1..] } else { &u3[..] };
        let lists = (aggregate::ranks(&u2), aggregate::ranks(signed_of));
        let mut agreement: Vec<(u16, [u8; 64])> = Vec::new();
        for (rank, party) in (0..).zip(self.seated()).filter(|(rank, _)| u3.contains(rank)) {
            let statement = secret::survivors_statement(rank, &offered.transcript, &lists.0, &lists.1);
            agreement.push((rank, party.signing.sign(&statement).to_bytes()));
        }
        agreement.push((target, agreed.try_into().map_err(|_| Stop::Told)?));
        if self.lies(PoolFault::AgreementForged) {
            agreement[0].1[0] ^= 1;
        }
        if self.lies(PoolFault::AgreementTooFew) {
            agreement.remove(0);
        }
        let agreement = aggregate::signatures(&agreement);
        self.send(stream, aggregate::AGREEMENT, 0, agreement.clone()).await?;
        self.hear_message(stream, aggregate::UNMASK).await?;
        if self.lies(PoolFault::AgreementTwice) {
            self.send(stream, aggregate::AGREEMENT, 0, agreement).await?;
            return self.hear_message(stream, aggregate::UNMASK).await.map(drop);
        }
        Ok(())
    }

    /// Everybody's, the target's as it answered Confirm.
    fn transcript_signatures(&self, offered: &Offered) -> Vec<(u16, [u8; 64])> {
        let statement = |rank| keys::transcript_statement(rank, &offered.transcript);
        let sign = |(rank, party): (u16, &Party)| (rank, party.signing.sign(&statement(rank)).to_bytes());
        let mut out: Vec<(u16, [u8; 64])> = (0..).zip(self.seated()).map(sign).collect();
        let events = self.record.snapshot().events;
        let answer = events.iter().rev().find_map(|record| match &record.event {
            Event::Answered { call, response } if call == "Confirm" => hex::decode(response).ok(),
            _ => None,
        });
        let theirs = answer.and_then(|bytes| ConfirmResponse::decode(bytes.as_slice()).ok());
        let theirs = theirs.and_then(|answer| answer.signature.to_vec().try_into().ok());
        out.push((offered.rank(), theirs.unwrap_or([0; 64])));
        out
    }

    /// What the suite's ranks of U2 deal the target.
    fn entries(&self, offered: &Offered, u2: &[u16]) -> Vec<Entry> {
        let (target, transcript) = (offered.rank(), &offered.transcript);
        let one = |(rank, party): (u16, &Party)| {
            let pair = keys::Pair::new(transcript, &self.ephemeral(offered, rank), &offered.peer_ephemeral);
            let (key, deal) = (pair.share_key(rank, target), self.deal(rank));
            let mut entry = deal.entry(transcript, target, &key, &party.signing);
            if rank == 0 {
                self.bad_entry(&mut entry, &key, &deal, (rank, target), transcript, party);
            }
            Entry { rank, ..entry }
        };
        (0..).zip(self.seated()).filter(|(rank, _)| u2.contains(rank)).map(one).collect()
    }

    fn bad_entry(
        &self,
        entry: &mut Entry,
        key: &[u8; 32],
        deal: &Deal,
        ranks: (u16, u16),
        transcript: &[u8; 32],
        party: &Party,
    ) {
        if self.lies(PoolFault::ShareAltered) {
            entry.sealed[0] ^= 1;
        }
        if self.lies(PoolFault::ShareUnopened) {
            entry.sealed[0] ^= 1;
            secret::sign(entry, ranks, transcript, &party.signing);
        }
        if self.lies(PoolFault::ShareUncommitted) {
            let other = secret::entry(ranks, transcript, &deal.shares(ranks.1 + 1), key, &party.signing);
            entry.sealed = other.sealed;
            secret::sign(entry, ranks, transcript, &party.signing);
        }
    }

    /// The target's next message, which has to be of this kind.
    async fn hear_message(&mut self, stream: &mut Stream, kind: u16) -> Flow<Vec<u8>> {
        let (other, payload) = self.receive(stream, &message::name(kind), self.world.deadline).await?;
        if other == kind { Ok(payload) } else { Err(Stop::Told) }
    }
}

/// t of N participants.
fn threshold(participants: u16) -> u16 {
    2 * participants / 3 + 1
}

/// The tensors of a statistic over the columns.
fn forms(statistic: &str) -> Vec<Form> {
    let d = COLUMNS.len() as u32;
    if statistic == "newton" {
        return vec![
            Form::new("gram", "wide", 60, &[(d + 1) * (d + 2) / 2]),
            Form::new("gradient", "wide", 60, &[d + 1]),
            Form::new("loss", "wide", 60, &[]),
        ];
    }
    vec![
        Form::new("rows", "count", 40, &[]),
        Form::new("positive", "count", 40, &[]),
        Form::new("present", "count", 40, &[d]),
        Form::new("sum", "wide", 60, &[d]),
    ]
}
