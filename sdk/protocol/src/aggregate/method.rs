//! The registry of methods (section 1): tensors go in at every participant, their sum comes out at the coordinator.
use super::plan::{Plan, unsupported};
use crate::Error;
use hefu_core::{Code, ValueCodec};

/// How values travel to the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Under masks that cancel in the sum of the survivors (section 5).
    Masked,
    /// In the clear, with a weight (section 7).
    Plain,
}

/// A way to add.
pub trait Method: Sync {
    /// Registry name, `algorithms.json`.
    fn name(&self) -> &'static str;

    /// What the coordinator sees of one participant's values.
    fn secrecy(&self) -> Secrecy;

    /// Whether a tensor's values may have this codec.
    fn takes(&self, codec: ValueCodec) -> bool;

    /// What else the method asks of a plan.
    ///
    /// # Errors
    /// `UNSUPPORTED_PLAN`, and what the method's section names.
    fn check(&self, plan: &Plan) -> Result<(), Error> {
        if plan.tensors.iter().all(|tensor| self.takes(tensor.codec)) {
            return Ok(());
        }
        Err(unsupported("AGG-6", "the method has not the codec of a tensor"))
    }
}

/// `aggregate-sum-1`: values under masks.
#[derive(Debug)]
pub struct SecureSum;
/// `aggregate-histogram-1`: counts under masks; small cells are merged before they are used (section 9).
#[derive(Debug)]
pub struct SecureHistogram;
/// `aggregate-mean-1`: parameters that are public anyway, weighted.
#[derive(Debug)]
pub struct PlainMean;

/// Every method.
pub const METHODS: &[&dyn Method] = &[&SecureSum, &SecureHistogram, &PlainMean];

/// The method of a registry name.
pub fn method(name: &str) -> Option<&'static dyn Method> {
    METHODS.iter().copied().find(|method| method.name() == name)
}

impl Method for SecureSum {
    fn name(&self) -> &'static str {
        "aggregate-sum-1"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::Masked
    }

    fn takes(&self, _: ValueCodec) -> bool {
        true
    }
}

impl Method for SecureHistogram {
    fn name(&self) -> &'static str {
        "aggregate-histogram-1"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::Masked
    }

    fn takes(&self, codec: ValueCodec) -> bool {
        codec == ValueCodec::Count
    }
}

impl Method for PlainMean {
    fn name(&self) -> &'static str {
        "aggregate-mean-1"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::Plain
    }

    fn takes(&self, _: ValueCodec) -> bool {
        true
    }

    fn check(&self, plan: &Plan) -> Result<(), Error> {
        if plan.statistic.is_of_rows() {
            let cause = "a statistic of rows is never sent in the clear";
            return Err(Error::refused(Code::NotAllowed, "AGG-24", cause));
        }
        if plan.neighbours > 0 {
            return Err(unsupported("AGG-23", "a sum without masks has no neighbours"));
        }
        Ok(())
    }
}
