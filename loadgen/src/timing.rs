//! When answers came: a histogram of how long they took, and a series of how many came when.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A series has one point for each such stretch of time.
pub const SLICE: Duration = Duration::from_millis(100);

/// An hour: no answer takes longer, or it is counted as this long.
const MICROSECONDS_MAX: u64 = 3_600_000_000;

/// What happened in one slice of time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Slice {
    /// Transfers answered.
    pub done: u64,
    /// The longest that one of these answers took, in microseconds.
    pub latency_max: u64,
}

/// The times of many answers.
#[derive(Clone, Debug)]
pub struct Timing {
    histogram: Histogram<u64>,
    slices: Vec<Slice>,
}

/// The times of many answers, as another process tells them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// Microseconds, and how many answers took so long.
    values: Vec<(u64, u64)>,
    slices: Vec<Slice>,
}

impl Default for Timing {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MICROSECONDS_MAX, 3);
        Self { histogram: histogram.expect("the bounds are in range"), slices: Vec::new() }
    }
}

impl Timing {
    /// An answer for `done` transfers came `at` after the start and took `latency`.
    pub fn record(&mut self, at: Duration, latency: Duration, done: u64) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(MICROSECONDS_MAX);
        self.histogram.saturating_record(microseconds);
        let slice = usize::try_from(at.as_millis() / SLICE.as_millis()).unwrap_or(usize::MAX);
        if self.slices.len() <= slice {
            self.slices.resize(slice + 1, Slice::default());
        }
        let slice = &mut self.slices[slice];
        slice.done += done;
        slice.latency_max = slice.latency_max.max(microseconds);
    }

    /// Adds what another thread saw.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("the bounds are the same");
        if self.slices.len() < other.slices.len() {
            self.slices.resize(other.slices.len(), Slice::default());
        }
        for (mine, theirs) in self.slices.iter_mut().zip(&other.slices) {
            mine.done += theirs.done;
            mine.latency_max = mine.latency_max.max(theirs.latency_max);
        }
    }

    /// To be told to another process.
    pub fn counted(&self) -> Counted {
        let values = self.histogram.iter_recorded();
        let values = values.map(|value| (value.value_iterated_to(), value.count_at_value())).collect();
        Counted { values, slices: self.slices.clone() }
    }

    /// As another process has told it.
    pub fn of(counted: &Counted) -> Self {
        let mut timing = Self { slices: counted.slices.clone(), ..Self::default() };
        for (value, count) in &counted.values {
            timing.histogram.saturating_record_n(*value, *count);
        }
        timing
    }

    /// Adds what happened later, `after` the start of what is here.
    pub fn append(&mut self, later: &Self, after: Duration) {
        let shift = usize::try_from(after.as_millis() / SLICE.as_millis()).unwrap_or(0);
        let mut slices = vec![Slice::default(); shift];
        slices.extend_from_slice(&later.slices);
        self.merge(&Self { histogram: later.histogram.clone(), slices });
    }

    /// How many answers there were.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The tail.
    pub fn latency(&self) -> Latency {
        let at = |quantile: f64| milliseconds(self.histogram.value_at_quantile(quantile));
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: milliseconds(self.histogram.max()),
        }
    }

    /// The slices, in order.
    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// Transfers answered in each second.
    pub fn per_second(&self) -> Vec<u64> {
        self.slices.chunks(10).map(|second| second.iter().map(|slice| slice.done).sum()).collect()
    }
}

/// Milliseconds, to the microsecond.
pub fn milliseconds(microseconds: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64() * 1_000.0
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Half were at most this.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// All but one in a hundred.
    pub p99: f64,
    /// All but one in a thousand.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_where_they_came() {
        let mut one = Timing::default();
        one.record(Duration::from_millis(50), Duration::from_millis(2), 10);
        let mut other = Timing::default();
        other.record(Duration::from_millis(1_950), Duration::from_millis(8), 5);
        other.record(Duration::from_millis(60), Duration::from_millis(1), 1);
        one.merge(&other);
        let one = Timing::of(&one.counted());
        assert_eq!((one.per_second(), one.count()), (vec![11, 5], 3));
        assert_eq!(one.slices()[0], Slice { done: 11, latency_max: 2_000 });
        assert!((one.latency().max - 8.0).abs() < 0.01);
    }
}
