//! What people and machines say: recordings inside the binary. Origin and licences: `voices/ORIGIN.md`.

/// The recordings a network's people speak with.
#[derive(Clone, Debug, Default)]
pub struct Voices {}

impl Voices {
    /// The recordings that come with the source.
    pub fn embedded() -> Self {
        Self {}
    }
}
