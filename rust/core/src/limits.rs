//! The budget of one call: memory is reserved here before it is allocated.

use crate::error::{Result, limit_exceeded};
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
}
