//! The protocol as pure state machines: session, alignment, training, scoring.
