//! Helpers of the unit tests: loop sizes under Miri, and reproducible random numbers.

/// Returns `few` under Miri, whose interpreter runs code some thousand times slower than the CPU; otherwise `all`.
pub(crate) const fn miri_or<T: Copy>(all: T, few: T) -> T {
    if cfg!(miri) { few } else { all }
}

/// Xorshift generator: the same seed gives the same numbers on every machine. The seed must not be 0.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a number from 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}
