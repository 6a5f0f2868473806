//! What a verdict tends to while it is open: told when that has moved, and not often.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

/// The probability is told anew once it has moved so far. It begins at one half, of which nobody learns anything.
const MOVES: f32 = 0.15;
/// How often it is told before a verdict, at most. Whoever follows calls gets no flood, whatever a line does.
pub const TELLS_MAX: u8 = 8;

/// What was told so far of one answer.
#[derive(Clone, Copy, Debug)]
pub struct Tends {
    told: f32,
    count: u8,
}

impl Default for Tends {
    fn default() -> Self {
        Self { told: 0.5, count: 0 }
    }
}

impl Tends {
    /// Takes the probability of a machine as it is now; gives it when it is to be told.
    pub fn take(&mut self, machine: f32) -> Option<f32> {
        if self.count >= TELLS_MAX || (machine - self.told).abs() < MOVES {
            return None;
        }
        self.count = self.count.saturating_add(1);
        self.told = machine;
        Some(machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_told_once_and_what_swings_not_for_ever() {
        let told = |heard: &mut dyn Iterator<Item = f32>| {
            let mut tends = Tends::default();
            heard.filter_map(|machine| tends.take(machine)).count()
        };
        assert_eq!(told(&mut [0.5, 0.55, 0.45, 0.6].into_iter()), 0);
        assert_eq!(told(&mut [0.5, 0.7, 0.75, 0.71, 0.99, 0.98].into_iter()), 2);
        let swings = &mut [0.1, 0.9].into_iter().cycle().take(1000);
        assert_eq!(told(swings), usize::from(TELLS_MAX));
    }
}
