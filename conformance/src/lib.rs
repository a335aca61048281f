//! The conformance suite: proves an implementation of Hefu from outside.
