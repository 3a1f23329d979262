//! Random times from a random number that is an argument: uniform in `[0, 1)`.

use std::time::Duration;

/// Uniform in `[0, span)`; zero when `span` is.
pub(super) fn below(span: Duration, random: f64) -> Duration {
    let drawn = Duration::try_from_secs_f64(span.as_secs_f64() * random).unwrap_or_default();
    // Rounding may reach the end of a long span.
    drawn.min(span.saturating_sub(Duration::from_nanos(1)))
}

/// Uniform in `[low, high)`; `low` when there is nothing between.
pub(super) fn between(low: Duration, high: Duration, random: f64) -> Duration {
    low.saturating_add(below(high.saturating_sub(low), random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_inside_also_at_the_ends_and_with_numbers_that_are_none() {
        let span = Duration::from_secs(u64::from(u32::MAX));
        let almost_one = 1.0 - f64::EPSILON / 2.0;
        for random in [0.0, 0.5, almost_one, 1.0, 2.0, -1.0, f64::NAN] {
            assert!(below(span, random) < span, "{random}");
            assert_eq!(below(Duration::ZERO, random), Duration::ZERO);
        }
        assert_eq!(between(span, Duration::ZERO, 0.5), span);
        assert_eq!(between(Duration::from_secs(10), Duration::from_secs(20), 0.25), Duration::from_millis(12_500));
    }
}
