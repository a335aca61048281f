//! The words of a job's plan.
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$item])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in registry order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word in documents and on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The value of a word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    /// What a job is for (registry `purposes.json`).
    Purpose {
        /// Granting a loan.
        Origination = "origination",
        /// Watching a granted loan.
        Monitoring = "monitoring",
        /// Setting a rate.
        Pricing = "pricing",
        /// Loss provisions.
        Provisioning = "provisioning",
        /// Collecting overdue debt.
        Collection = "collection",
        /// Detecting fraud.
        Fraud = "fraud",
    }
);
words!(
    /// What a party may receive from a job.
    Output {
        /// Its own part of a joint model.
        Model = "model",
        /// Scores of enterprises.
        Score = "score",
    }
);
words!(
    /// Which rows a job keeps.
    Join {
        /// Rows that every collaborator has.
        Inner = "inner",
        /// All of the initiator's rows.
        Left = "left",
    }
);
words!(
    /// How rows are matched.
    Alignment {
        /// Both sides blind all their keys (spec/align.md).
        Ecdh = "ecdh",
        /// Collaborators publish their evaluated keys once per epoch (spec/oprf.md).
        Oprf = "oprf",
    }
);
words!(
    /// What an empty feature cell means.
    Missing {
        /// An error.
        Error = "error",
        /// The column's training mean.
        Mean = "mean",
    }
);
words!(
    /// How rows are split into training and test rows.
    Split {
        /// A row is a test row when the first 8 bytes of SHA-256 of its key modulo 10 are below 3.
        Hash = "sha256-mod10-3",
        /// All rows are test rows (scoring).
        None = "none",
    }
);
words!(
    /// A stage of a job.
    Stage {
        /// Private matching.
        Align = "align",
        /// Joint training.
        Train = "train",
        /// Scores of the test rows.
        Evaluate = "evaluate",
        /// Scores of a scoring job.
        Score = "score",
        /// One sum over many participants.
        Aggregate = "aggregate",
    }
);

words!(
    /// What an aggregation sums (registry `statistics.json`).
    Statistic {
        /// Counts and sums of the columns.
        Moments = "moments",
        /// Sums of squared deviations of the columns.
        Deviations = "deviations",
        /// Gram matrix, gradient and loss of a logistic regression at one point.
        Newton = "newton",
        /// Good and bad rows by column and bucket.
        Histogram = "histogram",
        /// A trainer's model, weighted.
        Update = "update",
        /// A vector that the participant stores.
        Vector = "vector",
    }
);
words!(
    /// Whether rank 0 of an aggregation contributes (spec/aggregate.md, section 2).
    CoordinatorRole {
        /// It contributes too.
        Participant = "participant",
        /// It only coordinates.
        Only = "only",
    }
);
words!(
    /// Who is sent the sum of an aggregation.
    SumTo {
        /// Nobody but the coordinator, who makes it.
        Coordinator = "coordinator",
        /// Every participant.
        All = "all",
    }
);
words!(
    /// How a tensor's values become elements of a sum (spec/aggregate.md, section 3).
    ValueCodec {
        /// Reals at a scale that follows from the clip and the number of participants.
        Fixed = "fixed",
        /// Reals at scale 2^40, up to 2^60.
        Wide = "wide",
        /// Integers from 0.
        Count = "count",
    }
);

impl Statistic {
    /// Whether it depends on a label (spec/pooled.md, section 1).
    pub fn uses_label(self) -> bool {
        matches!(self, Statistic::Moments | Statistic::Newton | Statistic::Histogram)
    }

    /// Whether two of its sums over rosters that differ by one party give that party away (spec/aggregate.md, section
    /// 8).
    pub fn is_exact(self) -> bool {
        self.is_of_rows()
    }

    /// Whether it is made of rows of a dataset.
    pub fn is_of_rows(self) -> bool {
        !matches!(self, Statistic::Update | Statistic::Vector)
    }
}

impl Stage {
    /// The stage number of frames and mask labels (spec/session.md, section 5).
    pub fn number(self) -> u32 {
        match self {
            Stage::Align => 1,
            Stage::Train => 2,
            Stage::Evaluate => 3,
            Stage::Score => 4,
            Stage::Aggregate => 5,
        }
    }
}
