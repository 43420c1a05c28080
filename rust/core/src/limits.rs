//! The memory budget of one call. Memory is reserved here before it is allocated, and allocated here so that a failed
//! allocation is an error instead of the end of the process.

use crate::error::{Result, limit_exceeded};
use bytemuck::Zeroable;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of output and scratch that one call may allocate, counted for all its threads together.
#[derive(Debug, Default)]
pub struct Limits {
    max_bytes: Option<u64>,
    reserved: AtomicU64,
}

impl Limits {
    /// Returns limits without a budget: allocations are bounded by what the input justifies.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self { max_bytes: None, reserved: AtomicU64::new(0) }
    }

    /// Returns limits of `max_bytes` bytes of output and scratch together; without a budget for `None`.
    #[must_use]
    pub const fn new(max_bytes: Option<u64>) -> Self {
        Self { max_bytes, reserved: AtomicU64::new(0) }
    }

    /// True if there is a budget.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.max_bytes.is_some()
    }

    /// Subtracts `bytes` from the budget.
    ///
    /// # Errors
    /// `LimitExceeded` if fewer bytes are left; nothing is subtracted then.
    pub fn reserve(&self, bytes: usize) -> Result<()> {
        let Some(max_bytes) = self.max_bytes else { return Ok(()) };
        let bytes = bytes as u64;
        self.reserved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reserved| {
                reserved.checked_add(bytes).filter(|sum| *sum <= max_bytes)
            })
            .map(|_| ())
            .map_err(|reserved| {
                let needed = reserved.saturating_add(bytes);
                limit_exceeded(format!("{needed} bytes of output and scratch needed, max_bytes is {max_bytes}"), "")
            })
    }

    /// Allocates `count` zeroed elements within the budget. The memory is requested as zeroed from the system, so pages
    /// cost nothing until they are written to.
    ///
    /// # Errors
    /// `LimitExceeded` if the budget or the system has too little memory.
    pub fn zeroed<T: Zeroable>(&self, count: usize) -> Result<Vec<T>> {
        self.reserve(count.saturating_mul(size_of::<T>()))?;
        zeroed(count)
    }

    /// Replaces `memory` by `count` zeroed elements if it has fewer. Only the growth is counted against the budget; the
    /// old content is lost.
    ///
    /// # Errors
    /// As [`Self::zeroed`].
    pub fn grow_zeroed<T: Zeroable>(&self, memory: &mut Vec<T>, count: usize) -> Result<()> {
        if memory.len() < count {
            self.reserve((count - memory.len()).saturating_mul(size_of::<T>()))?;
            *memory = Vec::new();
            *memory = zeroed(count)?;
        }
        Ok(())
    }

    /// Replaces the content of `memory` by `count` copies of `value`. Only the growth of its capacity is counted against
    /// the budget.
    ///
    /// # Errors
    /// As [`Self::zeroed`].
    pub(crate) fn fill<T: Copy>(&self, memory: &mut Vec<T>, count: usize, value: T) -> Result<()> {
        memory.clear();
        self.reserve_more(memory, count, count)?;
        memory.resize(count, value);
        Ok(())
    }

    /// Appends an element. The capacity grows as that of `Vec` does; only the growth is counted against the budget.
    ///
    /// # Errors
    /// As [`Self::zeroed`].
    pub(crate) fn push<T>(&self, memory: &mut Vec<T>, value: T) -> Result<()> {
        self.reserve_more(memory, 1, memory.len().max(8))?;
        memory.push(value);
        Ok(())
    }

    /// Appends bytes, as [`Self::push`].
    ///
    /// # Errors
    /// As [`Self::zeroed`].
    pub(crate) fn extend(&self, memory: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
        self.reserve_more(memory, bytes.len(), bytes.len().max(memory.len()))?;
        memory.extend_from_slice(bytes);
        Ok(())
    }

    /// Grows the capacity of `memory` by `growth` elements if it has no space for `count` more.
    fn reserve_more<T>(&self, memory: &mut Vec<T>, count: usize, growth: usize) -> Result<()> {
        if memory.capacity() - memory.len() < count {
            let old_capacity = memory.capacity();
            let new_capacity = memory.len().saturating_add(growth);
            let bytes = (new_capacity - old_capacity).saturating_mul(size_of::<T>());
            self.reserve(bytes)?;
            let grown = memory.try_reserve_exact(growth);
            grown.map_err(|_| limit_exceeded(format!("no memory for {bytes} bytes"), ""))?;
        }
        Ok(())
    }
}

/// `vec![0; count]` that fails instead of ending the process.
fn zeroed<T: Zeroable>(count: usize) -> Result<Vec<T>> {
    let bytes = count.saturating_mul(size_of::<T>());
    if isize::try_from(bytes).is_err() {
        return Err(limit_exceeded(format!("no memory for {bytes} bytes"), ""));
    }
    match bytemuck::try_zeroed_slice_box(count) {
        Ok(memory) => Ok(memory.into_vec()),
        Err(()) => Err(limit_exceeded(format!("no memory for {bytes} bytes"), "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn limits_reserve_beyond_the_budget_is_an_error_without_effect() {
        let limits = Limits::new(Some(10));
        limits.reserve(6).unwrap();
        assert_eq!(limits.reserve(5).unwrap_err().kind(), ErrorKind::LimitExceeded);
        limits.reserve(4).unwrap();
        assert_eq!(limits.reserve(usize::MAX).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn limits_zeroed_more_than_there_is_is_an_error() {
        let limits = Limits::unbounded();
        assert_eq!(limits.zeroed::<u16>(3).unwrap(), [0; 3]);
        assert!(limits.zeroed::<u64>(0).unwrap().is_empty());
        for count in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 8] {
            assert_eq!(limits.zeroed::<u64>(count).unwrap_err().kind(), ErrorKind::LimitExceeded);
        }
        assert_eq!(Limits::new(Some(15)).zeroed::<u64>(2).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn limits_grow_zeroed_counts_the_growth_only() {
        let limits = Limits::new(Some(16));
        let mut memory = vec![7_u64];
        limits.grow_zeroed(&mut memory, 1).unwrap();
        assert_eq!(memory, [7]);
        limits.grow_zeroed(&mut memory, 3).unwrap();
        assert_eq!(memory, [0; 3]);
        assert_eq!(limits.grow_zeroed(&mut memory, 4).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
    #[test]
    fn limits_fill_push_and_extend_count_growth_only() {
        let limits = Limits::new(Some(100));
        let mut memory = Vec::new();
        limits.fill(&mut memory, 10, 7_u32).unwrap();
        assert_eq!(memory, [7; 10]);
        limits.fill(&mut memory, 3, 1).unwrap();
        limits.push(&mut memory, 2).unwrap();
        assert_eq!(memory, [1, 1, 1, 2]);
        assert_eq!(limits.fill(&mut memory, 26, 0).unwrap_err().kind(), ErrorKind::LimitExceeded);
        let mut bytes = vec![1_u8; 32];
        bytes.shrink_to_fit();
        limits.extend(&mut bytes, &[2; 8]).unwrap();
        limits.extend(&mut bytes, &[3; 24]).unwrap();
        assert_eq!(bytes.len(), 64);
        // 40 bytes of numbers, and 32 of bytes that grew from 32 to 64.
        limits.reserve(28).unwrap();
        assert_eq!(limits.extend(&mut bytes, &[4]).unwrap_err().kind(), ErrorKind::LimitExceeded);
        assert_eq!(limits.push(&mut bytes, 4).unwrap_err().kind(), ErrorKind::LimitExceeded);
        assert_eq!(bytes.len(), 64);
        let error = Limits::unbounded().fill(&mut memory, usize::MAX / 2, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }
}
