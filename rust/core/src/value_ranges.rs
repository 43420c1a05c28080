//! Ranges of stored values, each with real-world values of its own (PS3.3 C.7.6.16.2.11).

use crate::error::{DecodeError, Result, malformed};
use crate::sample::Rescale;

const CLAUSE: &str = "PS3.3 C.7.6.16.2.11";
/// Up to here `f64` holds every integer, so that a stored value selects its entry exactly.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Real-world values of one range of stored values.
#[derive(Debug, Clone, PartialEq)]
pub enum RangeValues {
    /// Slope and intercept.
    Linear(Rescale),
    /// One value per integer of the range.
    Entries(Vec<f64>),
}

/// One range of stored values.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueRange {
    /// First stored value.
    pub first: f64,
    /// Last stored value, included.
    pub last: f64,
    /// Real-world values.
    pub values: RangeValues,
}

/// Disjoint ranges in ascending order. Stored values in none of them have no real-world value: NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueRanges {
    /// Not empty.
    ranges: Vec<ValueRange>,
}

impl ValueRanges {
    /// Checks and sorts `ranges`, which may be in any order.
    ///
    /// # Errors
    /// `Malformed` if there are no ranges, one ends before it starts, two overlap, a slope or intercept is not finite, or a
    /// range with entries does not start and end at integers, or has not one entry per integer.
    ///
    /// # Standard
    /// PS3.3 C.7.6.16.2.11.1.2.
    pub fn new(mut ranges: Vec<ValueRange>) -> Result<Self> {
        if ranges.is_empty() {
            return Err(malformed("no range of real-world values, at least one expected", CLAUSE));
        }
        ranges.iter().try_for_each(ValueRange::check)?;
        ranges.sort_by(|a, b| a.first.total_cmp(&b.first));
        for (range, next) in ranges.iter().zip(ranges.iter().skip(1)) {
            if next.first <= range.last {
                let text = format!(
                    "ranges of real-world values overlap: {} to {} and {} to {}",
                    range.first, range.last, next.first, next.last
                );
                return Err(malformed(text, CLAUSE));
            }
        }
        Ok(Self { ranges })
    }

    /// Disjoint ranges in ascending order; at least one.
    #[must_use]
    pub fn ranges(&self) -> &[ValueRange] {
        &self.ranges
    }

    /// True if a range has entries, which only integers select.
    #[must_use]
    pub fn has_entries(&self) -> bool {
        self.ranges.iter().any(|range| matches!(range.values, RangeValues::Entries(_)))
    }
}

impl ValueRange {
    fn check(&self) -> Result<()> {
        let Self { first, last, values } = self;
        // False for NaN too.
        let is_range = first <= last;
        if !is_range {
            return Err(malformed(format!("range of real-world values from {first} to {last}"), CLAUSE));
        }
        match values {
            RangeValues::Linear(Rescale { slope, intercept }) if slope.is_finite() && intercept.is_finite() => Ok(()),
            RangeValues::Linear(Rescale { slope, intercept }) => {
                Err(self.error(&format!("slope {slope} and intercept {intercept} found, finite numbers expected")))
            }
            RangeValues::Entries(_) if [first, last].iter().any(|end| end.fract() != 0.0 || end.abs() > MAX_EXACT) => {
                Err(self.error("entries of a range whose ends are not integers"))
            }
            #[allow(clippy::cast_precision_loss, reason = "the number of entries in memory is below 2^53")]
            RangeValues::Entries(entries) if entries.len() as f64 != last - first + 1.0 => {
                Err(self.error(&format!("{} entries found, one per stored value expected", entries.len())))
            }
            RangeValues::Entries(_) => Ok(()),
        }
    }

    fn error(&self, problem: &str) -> DecodeError {
        malformed(format!("range of real-world values from {} to {}: {problem}", self.first, self.last), CLAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(first: f64, last: f64) -> ValueRange {
        ValueRange { first, last, values: RangeValues::Linear(Rescale { slope: 1.0, intercept: 0.0 }) }
    }

    fn entries(first: f64, last: f64, count: usize) -> ValueRange {
        ValueRange { first, last, values: RangeValues::Entries(vec![0.5; count]) }
    }

    #[test]
    fn value_ranges_in_any_order_are_sorted() {
        let ranges = ValueRanges::new(vec![linear(10.0, 20.0), linear(-5.0, 9.5), entries(21.0, 22.0, 2)]).unwrap();
        let firsts: Vec<f64> = ranges.ranges().iter().map(|range| range.first).collect();
        assert_eq!(firsts, [-5.0, 10.0, 21.0]);
        assert!(ranges.has_entries());
    }

    #[test]
    fn value_ranges_that_are_invalid_are_errors() {
        let slope =
            |slope| ValueRange { values: RangeValues::Linear(Rescale { slope, intercept: 0.0 }), ..linear(0.0, 1.0) };
        let invalid = [
            (vec![], "no range"),
            (vec![linear(1.0, 0.0)], "from 1 to 0"),
            (vec![linear(f64::NAN, 0.0)], "from NaN to 0"),
            (vec![linear(0.0, 5.0), linear(5.0, 6.0)], "overlap: 0 to 5 and 5 to 6"),
            (vec![slope(f64::INFINITY)], "slope inf"),
            (vec![slope(f64::NAN)], "slope NaN"),
            (vec![entries(0.0, 2.0, 2)], "2 entries found"),
            (vec![entries(0.5, 1.5, 2)], "not integers"),
            (vec![entries(f64::NEG_INFINITY, f64::INFINITY, 2)], "not integers"),
        ];
        for (ranges, message) in invalid {
            let error = ValueRanges::new(ranges).unwrap_err();
            assert!(error.message().contains(message), "{}", error.message());
        }
    }
}
