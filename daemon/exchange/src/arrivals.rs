//! When callers come: a rate, and bursts beside it.

use tdm::Rng;

use crate::scenario::{Arrivals, Burst, Callers};

/// Millisecond by millisecond, how many callers come.
#[derive(Clone, Debug)]
pub struct Stream {
    mean_gap_millis: Option<f64>,
    arrivals: Arrivals,
    bursts: Vec<Burst>,
    next_millis: f64,
    rng: Rng,
}

impl Stream {
    /// The stream of a scenario.
    pub fn new(callers: &Callers, rng: Rng) -> Self {
        let mut stream = Self {
            mean_gap_millis: (callers.per_second > 0.0).then(|| 1000.0 / callers.per_second),
            arrivals: callers.arrivals,
            bursts: callers.bursts.clone(),
            next_millis: 0.0,
            rng,
        };
        stream.next_millis = stream.gap();
        stream
    }

    /// How many come in the millisecond `at_millis` of the offering. Ask for each once, in order.
    pub fn due(&mut self, at_millis: u64) -> u64 {
        let mut due = self.bursts.iter().map(|burst| share_of(burst, at_millis)).sum();
        while self.next_millis < (at_millis + 1) as f64 {
            due += 1;
            self.next_millis += self.gap();
        }
        due
    }

    fn gap(&mut self) -> f64 {
        match (self.mean_gap_millis, self.arrivals) {
            (None, _) => f64::INFINITY,
            (Some(mean), Arrivals::Poisson) => self.rng.exponential(mean),
            (Some(mean), Arrivals::Regular) => mean,
        }
    }
}

/// The calls of a burst that fall into one millisecond, spread evenly.
fn share_of(burst: &Burst, at_millis: u64) -> u64 {
    let within = burst.within_millis.max(1);
    let Some(step) = at_millis.checked_sub(burst.at_millis).filter(|&step| step < within) else {
        return 0;
    };
    let until = |step: u64| u64::from(burst.calls) * step / within;
    until(step + 1) - until(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    fn count(callers: &Callers, millis: u64) -> u64 {
        let mut stream = Stream::new(callers, Rng::from_seed(5));
        (0..millis).map(|at| stream.due(at)).sum()
    }

    #[test]
    fn a_burst_is_exact_and_lies_where_it_was_put() {
        let mut callers = Scenario::demo().callers;
        callers.per_second = 0.0;
        assert_eq!(count(&callers, 20_000), 0);
        assert_eq!(count(&callers, 20_500), 30);
        assert_eq!(count(&callers, 600_000), 60);
    }

    #[test]
    fn the_rate_is_kept_in_the_mean_and_exactly_when_regular() {
        let mut callers = Scenario::demo().callers;
        callers.bursts.clear();
        callers.per_second = 10.0;
        let poisson = count(&callers, 1_000_000);
        assert!(poisson.abs_diff(10_000) < 400, "{poisson}");
        callers.arrivals = Arrivals::Regular;
        assert_eq!(count(&callers, 1_000_001), 10_000);
    }
}
