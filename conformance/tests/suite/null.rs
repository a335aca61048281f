//! Null targets: none passes a profile, and refusing everything earns no negative PASS.
