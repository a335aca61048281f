//! Settings and deviations of aggregation.

use serde::{Deserialize, Serialize};

/// What is summed. Only scenario `pool` looks at it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Participants, the coordinator and the target among them: 3 or 4.
    pub participants: u16,
    /// `moments` or `newton`.
    pub statistic: String,
    /// Rank 1 deals its shares and is not heard of again.
    pub lost: bool,
}

impl Default for Pool {
    fn default() -> Self {
        Pool { participants: 3, statistic: "moments".into(), lost: false }
    }
}

/// A lie of a coordinator, or of a participant that it stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolFault {
    /// The coordinator and the target alone.
    TwoParticipants,
    /// The number of a round that was completed before.
    StaleRound,
    /// Rank 1's confirm names another offer.
    OtherOffer,
    /// Rank 1's mask key is all zero.
    LowOrderMask,
    /// PARAMETERS of another digest than the plan's.
    OtherParameters,
    /// One bit of rank 1's transcript signature.
    ForgedTranscript,
    /// ROSTER without the target.
    RosterWithoutTarget,
    /// ROSTER without rank 1, below the threshold.
    RosterTooFew,
    /// U2 without the target.
    SharedWithoutTarget,
    /// U2 without rank 1, below the threshold.
    SharedTooFew,
    /// One bit of a sealed share, after it was signed.
    ShareAltered,
    /// A signed entry whose seal does not hold.
    ShareUnopened,
    /// A signed entry whose shares are not those of its commitments.
    ShareUncommitted,
    /// SHARED a second time, in place of SURVIVORS.
    SharedTwice,
    /// U3 without the target.
    SurvivorsWithoutTarget,
    /// U3 without rank 1, below the threshold.
    SurvivorsTooFew,
    /// U3 with rank 1, which U2 does not have.
    SurvivorsBeyond,
    /// U3 that lacks one party of the round before.
    RosterDifference,
    /// SURVIVORS a second time, with rank 1 lost, in place of AGREEMENT.
    SurvivorsTwice,
    /// One bit of rank 0's signature in AGREEMENT.
    AgreementForged,
    /// AGREEMENT with fewer signatures than the threshold.
    AgreementTooFew,
    /// AGREEMENT with signatures over another U3.
    AgreementOther,
    /// AGREEMENT a second time, after UNMASK.
    AgreementTwice,
}

impl PoolFault {
    /// Whether a round of the same job has to be completed first.
    pub fn rests_on_a_round(self) -> bool {
        matches!(self, PoolFault::StaleRound | PoolFault::RosterDifference)
    }
}
