//! Reading, validating and splitting rows; the synthetic world of enterprises.
