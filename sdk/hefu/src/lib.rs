//! Hefu for bank engineers: publish, align, train and score through one's own node.
