//! Switchable faults: each takes one check out of a node, to prove that the conformance suite notices.
//!
//! They exist in the build `hefu-faulty` alone (feature `faulty`). In every other build [`is_on`] is constant false,
//! and nothing can switch a fault on. Names and clauses are those of the suite's catalogue.

macro_rules! switches {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $clause:literal;)+) => {
        /// One fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u64)]
        pub enum Switch { $($(#[$doc])* $variant),+ }

        impl Switch {
            /// Every fault.
            pub const ALL: &'static [Switch] = &[$(Switch::$variant),+];

            /// Its name on the command line and in the suite's catalogue.
            pub fn id(self) -> &'static str {
                match self { $(Switch::$variant => $id),+ }
            }

            /// The requirement that it violates.
            pub fn clause(self) -> &'static str {
                match self { $(Switch::$variant => $clause),+ }
            }
        }
    };
}

switches! {
    /// The first of two party names in a certificate counts.
    AcceptsTwoNames = "accepts-two-names", "TLS-4";
    /// Certificates are verified as of a day long past.
    AcceptsExpired = "accepts-expired", "TLS-5";
    /// A session id that was seen before is accepted.
    ForgetsSessions = "forgets-sessions", "SESS-9";
    /// A critical extension that is not known is ignored.
    IgnoresCriticalExtension = "ignores-critical-extension", "SESS-10";
    /// A job that no entry permits is accepted.
    SkipsAllowCheck = "skips-allow-check", "SESS-12";
    /// A schema digest that is not the dataset's is accepted.
    IgnoresCitedSchema = "ignores-cited-schema", "SESS-13";
    /// A wrong transcript signature is accepted.
    AcceptsBadTranscriptSignature = "accepts-bad-transcript-signature", "SESS-15";
    /// A list of confirms without the own one is accepted.
    IgnoresOwnConfirm = "ignores-own-confirm", "SESS-16";
    /// The model of a training that was aborted after its last stage is kept.
    KeepsAbortedModel = "keeps-aborted-model", "SESS-18";
    /// Reserved bytes of a frame header may hold anything.
    IgnoresReservedBytes = "ignores-reserved-bytes", "FRAME-1";
    /// A message may be of any size.
    NoLengthCap = "no-length-cap", "FRAME-5";
    /// A changed repetition of a frame is ignored.
    IgnoresConflict = "ignores-conflict", "FRAME-8";
    /// A missing frame is passed over.
    AcceptsGap = "accepts-gap", "FRAME-9";
    /// The identity is accepted as a blinded key.
    AcceptsIdentity = "accepts-identity", "ALIGN-2";
    /// The same element may come twice.
    AcceptsRepeatedElement = "accepts-repeated-element", "ALIGN-3";
    /// Every session blinds with the same scalar.
    StaticScalar = "static-scalar", "ALIGN-5";
    /// The same position may come twice.
    AcceptsRepeatedPosition = "accepts-repeated-position", "ALIGN-8";
    /// The digest of an envelope is not compared.
    IgnoresEnvelopeDigest = "ignores-envelope-digest", "ENV-1";
    /// Names of tensors are not compared.
    IgnoresTensorNames = "ignores-tensor-names", "ENV-3";
    /// The round inside an envelope is not compared.
    IgnoresEnvelopeRound = "ignores-envelope-round", "ENV-4";
    /// Set G has the same secret and error in every round.
    StaticResidualKey = "static-residual-key", "RLWE-1";
    /// Values of public keys and blocks may reach their prime and more.
    AcceptsLargeResidues = "accepts-large-residues", "RLWE-2";
    /// Sums are answered without a mask.
    OmitsMask = "omits-mask", "RLWE-3";
    /// Slots are answered without a flood.
    OmitsFlood = "omits-flood", "RLWE-3";
    /// One key opens any number of sums.
    OpensAnyNumber = "opens-any-number", "RLWE-5";
    /// Seeds are not remembered.
    ForgetsSeeds = "forgets-seeds", "RLWE-6";
    /// Rows are not counted against columns and evaluations.
    SkipsRowCount = "skips-row-count", "VLR-2";
    /// Columns with rare values are taken.
    SkipsRareValues = "skips-rare-values", "VLR-3";
    /// Any number of columns will do.
    SkipsColumnCount = "skips-column-count", "VLR-4";
    /// Every round draws what round 0 drew.
    RepeatsRoundZero = "repeats-round-zero", "VLR-5";
    /// High bits of opened sums are cut off.
    CutsOpenedSums = "cuts-opened-sums", "VLR-8";
    /// Evaluations are not counted.
    NoRoundLimit = "no-round-limit", "VLR-10";
    /// Scalars may be of any size.
    NoScalarLimit = "no-scalar-limit", "VLR-11";
    /// A step is filled up, or cut, to one coefficient an evaluation.
    FillsStep = "fills-step", "VLR-12";
    /// The numbers of TRAIN_PLAN are not compared.
    IgnoresPlanNumbers = "ignores-plan-numbers", "VLR-16";
    /// The round of a frame is not compared.
    IgnoresFrameRound = "ignores-frame-round", "VLR-17";
    /// An unknown sine set is taken for the first one.
    TakesAnySineSet = "takes-any-sine-set", "VLR-18";
    /// The index of a block is not compared.
    IgnoresBlockIndex = "ignores-block-index", "VLR-19";
    /// The last evaluation stands for one that there was not.
    EndsWithLast = "ends-with-last", "VLR-20";
    /// A wrapped share is not noticed.
    NeverFlags = "never-flags", "VLR-21";
    /// A round may come again.
    AcceptsAnyRound = "accepts-any-round", "AGG-4";
    /// The digest of PARAMETERS is not compared.
    AcceptsOtherParameters = "accepts-other-parameters", "AGG-12";
    /// Transcript signatures of a roster are not verified.
    AcceptsUnsignedRoster = "accepts-unsigned-roster", "AGG-13";
    /// Every round deals the same self-mask.
    StaticSelfMask = "static-self-mask", "AGG-15";
    /// A list of survivors need not have the own rank.
    AcceptsBeingDropped = "accepts-being-dropped", "AGG-16";
    /// Signatures over the survivors are not verified.
    AcceptsUnsignedSurvivors = "accepts-unsigned-survivors", "AGG-17";
    /// Signatures of entries are not verified.
    AcceptsUnsignedShares = "accepts-unsigned-shares", "AGG-28";
    /// Earlier rounds of a job are not compared.
    IgnoresRosterDifference = "ignores-roster-difference", "AGG-25";
}

#[cfg(feature = "faulty")]
static ON: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Whether a fault is switched on.
#[cfg(feature = "faulty")]
pub fn is_on(switch: Switch) -> bool {
    ON.load(std::sync::atomic::Ordering::Relaxed) & (1 << switch as u64) != 0
}

/// Whether a fault is switched on: never, in this build.
#[cfg(not(feature = "faulty"))]
#[inline(always)]
pub const fn is_on(_: Switch) -> bool {
    false
}

/// Switches a fault on by its name; false where there is none of this name.
#[cfg(feature = "faulty")]
pub fn switch_on(id: &str) -> bool {
    let found = Switch::ALL.iter().find(|switch| switch.id() == id);
    if let Some(switch) = found {
        ON.fetch_or(1 << *switch as u64, std::sync::atomic::Ordering::Relaxed);
    }
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(feature = "faulty"))]
    fn no_fault_is_on_in_this_build() {
        assert!(!Switch::ALL.iter().any(|switch| is_on(*switch)));
    }

    #[test]
    fn names_differ_and_fit_the_word() {
        let mut ids: Vec<_> = Switch::ALL.iter().map(|switch| switch.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Switch::ALL.len());
        assert!(Switch::ALL.len() <= 64);
    }
}
