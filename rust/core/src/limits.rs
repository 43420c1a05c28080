//! The budget of one call: memory is reserved here before it is allocated.

use crate::error::{Result, limit_exceeded};
use bytemuck::Zeroable;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes of output and scratch one call may take; shared by all its threads.
#[derive(Debug, Default)]
pub struct Limits {
    max_bytes: Option<u64>,
    reserved: AtomicU64,
}

impl Limits {
    /// No bound but those that the data justify.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self { max_bytes: None, reserved: AtomicU64::new(0) }
    }

    /// At most `max_bytes` bytes of output and scratch together.
    #[must_use]
    pub const fn new(max_bytes: Option<u64>) -> Self {
        Self { max_bytes, reserved: AtomicU64::new(0) }
    }

    /// Whether there is a budget at all.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.max_bytes.is_some()
    }

    /// Takes `bytes` out of the budget.
    ///
    /// # Errors
    /// `LimitExceeded` if that much is not left; nothing is taken then.
    pub fn reserve(&self, bytes: usize) -> Result<()> {
        let Some(max) = self.max_bytes else { return Ok(()) };
        let bytes = bytes as u64;
        self.reserved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |have| {
                have.checked_add(bytes).filter(|sum| *sum <= max)
            })
            .map(|_| ())
            .map_err(|have| {
                limit_exceeded(
                    format!("{} bytes of output and scratch needed, max_bytes is {max}", have.saturating_add(bytes)),
                    "",
                )
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
