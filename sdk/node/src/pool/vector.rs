//! Stored vectors: `state/vectors/NAME.f64`, little-endian binary64, put there by a program on the node's machine.
use crate::node::Shared;
use crate::{config, files};
use hefu_core::{Code, Fault, JobId, PartyId, Place, ValueCodec};
use hefu_protocol::aggregate::{Contribution, Plan, Values};
use std::path::PathBuf;

fn folder(shared: &Shared) -> PathBuf {
    shared.config.files.state.join("vectors")
}

/// Whether a vector of this name is there.
pub(crate) fn exists(shared: &Shared, name: &str) -> bool {
    config::is_word(name) && folder(shared).join(format!("{name}.f64")).is_file()
}

/// The stored values as this node's contribution. Blocks.
///
/// # Errors
/// `UNKNOWN_DATASET`, `SHAPE_MISMATCH`.
pub(crate) fn contribution(shared: &Shared, name: &str, plan: &Plan, own: &PartyId) -> Result<Contribution, Fault> {
    let place = Place { dataset: Some(name.to_owned()), ..Place::default() };
    let cause = "state/vectors holds no file of this name with the ending .f64";
    let unknown = || Fault::because(Code::UnknownDataset, cause).by(own).at(place.clone());
    if !config::is_word(name) {
        return Err(unknown());
    }
    let bytes = std::fs::read(folder(shared).join(format!("{name}.f64"))).map_err(|_| unknown())?;
    let (values, rest) = bytes.as_chunks::<8>();
    let expected = plan.tensors.first().map_or(0, hefu_protocol::aggregate::Tensor::len);
    if !rest.is_empty() || values.len() != expected {
        let cause = format!("the stored vector has {} values, the job {expected}", values.len());
        return Err(Fault::because(Code::ShapeMismatch, cause).by(own).at(place));
    }
    debug_assert!(plan.tensors.iter().all(|t| t.codec != ValueCodec::Count));
    Ok(vec![Values::Real(values.iter().map(|b| f64::from_le_bytes(*b)).collect())].into())
}

/// Writes a job's sum beside them; answers the file's name. Blocks.
///
/// # Errors
/// `DISK`.
pub(crate) fn write(shared: &Shared, job: JobId, sum: &[f64]) -> Result<String, Fault> {
    let folder = folder(shared);
    files::create_folder(&folder)?;
    let name = format!("{job}.f64");
    let bytes: Vec<u8> = sum.iter().flat_map(|value| value.to_le_bytes()).collect();
    files::write_private(&folder.join(&name), &bytes)?;
    Ok(name)
}
