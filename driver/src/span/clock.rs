//! Which line clocks the board. One clock serves all spans of a board: each transmits with it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

/// A port that may clock the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// 0: never; 1: first choice; 2: second…
    pub timing: u8,
    /// Neither red nor blue. A span in recovery or with a remote alarm is healthy.
    pub healthy: bool,
}

/// What clocks the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockChoice {
    /// The port whose recovered clock is selected in the framer.
    pub port: usize,
    /// The board follows it; otherwise it runs on its own oscillator.
    pub recovered: bool,
}

/// The board's own oscillator, before anything is known.
pub const OWN: ClockChoice = ClockChoice { port: 0, recovered: false };

/// Chooses among `ports` (`None`: not used): the healthy port with the lowest timing number from 1 on, the
/// first of equals. Without one the board runs on its own oscillator, and the first healthy port that is
/// never a source is selected in the framer, where it harms nothing.
pub fn choose(ports: impl Iterator<Item = Option<Candidate>> + Clone) -> ClockChoice {
    let healthy =
        ports.enumerate().filter_map(|(port, c)| c.filter(|c| c.healthy).map(|c| (port, c)));
    let source = healthy.clone().filter(|(_, c)| c.timing > 0).min_by_key(|(_, c)| c.timing);
    match source {
        Some((port, _)) => ClockChoice { port, recovered: true },
        None => {
            let mut idle = healthy.filter(|(_, c)| c.timing == 0);
            idle.next().map_or(OWN, |(port, _)| ClockChoice { port, recovered: false })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(ports: &[(u8, bool)]) -> (usize, bool) {
        let choice =
            choose(ports.iter().map(|&(timing, healthy)| Some(Candidate { timing, healthy })));
        (choice.port, choice.recovered)
    }

    #[test]
    fn the_lowest_timing_number_in_health_wins_and_the_first_of_equals() {
        assert_eq!(chosen(&[(2, true), (1, true), (3, true)]), (1, true));
        assert_eq!(chosen(&[(2, true), (1, false), (3, true)]), (0, true));
        assert_eq!(chosen(&[(0, true), (2, true), (2, true)]), (1, true));
    }

    #[test]
    fn without_a_healthy_source_the_board_runs_on_its_own_clock() {
        assert_eq!(chosen(&[(1, false), (0, false), (0, true)]), (2, false));
        assert_eq!(chosen(&[(1, false), (2, false)]), (0, false));
        assert_eq!(choose([None, None].into_iter()), OWN);
    }

    /// The fifth port of an eight-port board is a source like any other.
    #[test]
    fn the_fifth_port_can_be_the_source() {
        let mut ports = [(2, true), (3, true), (0, true), (0, true), (1, true), (0, true)];
        assert_eq!(chosen(&ports), (4, true));
        ports[4].1 = false;
        assert_eq!(chosen(&ports), (0, true));
    }
}
