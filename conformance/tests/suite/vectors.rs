//! The specification's vectors, read by the suite's own codec.
