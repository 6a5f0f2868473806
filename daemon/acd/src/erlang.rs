//! Erlang's formulas: how much traffic is lost, how long it waits, how much was offered when only the carried
//! part was seen.

/// The part of offered traffic that finds all `channels` busy. Erlang B, by the stable recurrence.
pub fn blocked(offered_erlang: f64, channels: u16) -> f64 {
    if offered_erlang <= 0.0 {
        return if channels == 0 { 1.0 } else { 0.0 };
    }
    (1..=u32::from(channels))
        .fold(1.0, |b, n| offered_erlang * b / (f64::from(n) + offered_erlang * b))
}

/// The part of calls that must wait for one of `agents`. Erlang C; 1 when the agents cannot keep up.
pub fn waits(offered_erlang: f64, agents: u16) -> f64 {
    let n = f64::from(agents);
    if offered_erlang >= n {
        return 1.0;
    }
    let b = blocked(offered_erlang, agents);
    n * b / (n - offered_erlang * (1.0 - b))
}

/// The mean wait over all calls, in units of the mean talk. Erlang C; infinite when the agents cannot keep up.
pub fn mean_wait(offered_erlang: f64, agents: u16) -> f64 {
    let spare = f64::from(agents) - offered_erlang;
    if spare <= 0.0 { f64::INFINITY } else { waits(offered_erlang, agents) / spare }
}

/// The traffic that was offered when `channels` carried so much: the inverse of Erlang B, by bisection. Traffic
/// at or above 99.9 % of the channels tells no more and counts as that.
pub fn offered_from_carried(carried_erlang: f64, channels: u16) -> f64 {
    let carried = carried_erlang.min(f64::from(channels) * 0.999);
    if carried <= 0.0 {
        return 0.0;
    }
    let (mut low, mut high) = (carried, carried.max(1.0));
    while high * (1.0 - blocked(high, channels)) < carried && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if middle * (1.0 - blocked(middle, channels)) < carried {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The channels with which at most `lost` of the traffic finds none.
pub fn channels_for(offered_erlang: f64, lost: f64) -> u16 {
    (1..=u16::MAX / 8).find(|&n| blocked(offered_erlang, n) <= lost).unwrap_or(u16::MAX / 8)
}

#[cfg(test)]
mod tests {
    use super::{blocked, channels_for, mean_wait, offered_from_carried, waits};

    /// Table values: A = 10 on 15 channels loses 3.65 %; A = 8 with 10 agents waits with 40.9 %.
    #[test]
    fn formulas_agree_with_printed_tables() {
        assert!((blocked(10.0, 15) - 0.0365).abs() < 1e-4, "{}", blocked(10.0, 15));
        assert!((waits(8.0, 10) - 0.409).abs() < 1e-3, "{}", waits(8.0, 10));
        assert!((mean_wait(8.0, 10) - 0.2045).abs() < 1e-3);
        assert_eq!(waits(11.0, 10), 1.0);
        assert_eq!(channels_for(10.0, 0.01), 18);
    }

    #[test]
    fn offered_traffic_is_found_again_from_the_carried_part() {
        for channels in [1_u16, 6, 30, 90] {
            for load in [0.2, 0.7, 0.95] {
                let offered = f64::from(channels) * load;
                let carried = offered * (1.0 - blocked(offered, channels));
                let found = offered_from_carried(carried, channels);
                assert!((found - offered).abs() < 1e-6 * offered, "{channels} {load}");
            }
        }
        assert_eq!(offered_from_carried(0.0, 30), 0.0);
        assert!(offered_from_carried(30.0, 30).is_finite());
    }
}
