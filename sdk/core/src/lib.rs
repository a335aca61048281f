//! Ids, terms, units, error codes and canonical bytes of Hefu.
