//! Groups, hash-to-group, masks, signatures and sealing of Hefu's suites.
