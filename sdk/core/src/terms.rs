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
    }
);

impl Stage {
    /// The stage number of frames and mask labels (spec/session.md, section 5).
    pub fn number(self) -> u32 {
        match self {
            Stage::Align => 1,
            Stage::Train => 2,
            Stage::Evaluate => 3,
            Stage::Score => 4,
        }
    }
}
