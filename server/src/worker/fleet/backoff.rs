//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// The wait after the first failure; it doubles with each that follows.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// What lasted so long was healthy: the next failure is a first one.
pub(super) const HEALTHY: Duration = Duration::from_mins(1);

/// The wait after so many failures in a row, the last included. `random`, from 0 to 1, takes up to a quarter off or adds
/// as much, so that what failed together does not come back together.
pub(super) fn delay(failures: u32, random: f64) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    let delay = FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
    delay.min(LONGEST).mul_f64(0.75 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let millis = |failures| delay(failures, 0.5).as_millis();
        assert_eq!(
            [0, 1, 2, 3, 7, 8, 100].map(millis),
            [0, 250, 500, 1_000, 16_000, 30_000, 30_000]
        );
    }

    proptest! {
        #[test]
        fn waits_stay_in_bounds(failures in any::<u32>(), random in any::<f64>()) {
            let random = if random.is_nan() { 0.0 } else { random };
            prop_assert!(delay(failures, random) <= LONGEST.mul_f64(1.25));
        }
    }
}
