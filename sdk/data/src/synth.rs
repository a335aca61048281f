//! The synthetic world of enterprises, for a demonstration without files.

/// A world.
pub struct World {
    seed: u64,
    enterprises: u32,
}

impl World {
    /// A world.
    pub fn new(seed: u64, enterprises: u32) -> World {
        World { seed, enterprises }
    }

    /// The bank's file.
    pub fn bank(&self) -> String {
        format!("{} {}", self.seed, self.enterprises)
    }
}
