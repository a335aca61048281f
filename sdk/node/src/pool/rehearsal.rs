//! Rehearsing a loss: a node that leaves in the middle of a round, to show that the others go on.
use std::sync::OnceLock;

static LEAVE: OnceLock<(u32, fn())> = OnceLock::new();

/// Calls `leave` when this process, as participant, has told its shares in the given round of a pooled job and owes its
/// masked values: the worst moment to leave. For demonstrations; it stays until the process ends.
pub fn leave_at_round(round: u32, leave: fn()) {
    let _ = LEAVE.set((round, leave));
}

/// The participant has told its shares.
pub(super) fn shares_told(round: u32) {
    if let Some((at, leave)) = LEAVE.get()
        && *at == round
    {
        leave();
    }
}
