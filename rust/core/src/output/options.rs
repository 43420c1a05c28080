//! Options of an output stage, and cancellation.

use super::RgbConversion;
use crate::error::{DecodeError, ErrorKind, Result};
use crate::lookup_table::ValueTransform;
use crate::rendering::Rendering;
use crate::sample::Rescale;
use std::sync::atomic::{AtomicBool, Ordering};

/// Warm output of at least this many bytes bypasses the caches: it would be evicted before it is read.
const STREAM_BYTES: usize = 32 << 20;

/// Destination of the first store of output bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StoreHint {
    /// The caches.
    #[default]
    Cached,
    /// Memory: for output larger than the caches that has been written to before.
    Streamed,
}

impl StoreHint {
    /// The hint for an output of `bytes` bytes. `is_warm` is true if it has been written to before.
    #[must_use]
    pub const fn of(bytes: usize, is_warm: bool) -> Self {
        if is_warm && bytes >= STREAM_BYTES { Self::Streamed } else { Self::Cached }
    }
}

/// Processing of the stored samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OutputOptions {
    /// Convert luminance and colour differences to RGB.
    pub to_rgb: Option<RgbConversion>,
    /// Rescale to modality values.
    pub rescale: Option<Rescale>,
    /// Destination of the first store.
    pub store: StoreHint,
}

/// Last step of the output stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputTransform<'a> {
    /// Transform to modality or real-world values.
    Values(ValueTransform<'a>),
    /// Rendering for display.
    Rendering(&'a Rendering),
}

impl OutputTransform<'_> {
    /// Output samples per stored sample: 1 or 3.
    #[must_use]
    pub fn samples_per_value(&self) -> usize {
        match self {
            Self::Values(_) => 1,
            Self::Rendering(rendering) => rendering.samples_per_value(),
        }
    }
}

impl<'a> From<ValueTransform<'a>> for OutputTransform<'a> {
    fn from(transform: ValueTransform<'a>) -> Self {
        Self::Values(transform)
    }
}

/// Output options of one frame, which may have a transform of its own.
#[derive(Debug, Clone, Copy)]
pub struct FrameOutputOptions<'a> {
    /// Those of the call.
    pub call: OutputOptions,
    /// Transform of the stored values; takes precedence over the rescale of the call.
    pub transform: Option<OutputTransform<'a>>,
}

impl From<OutputOptions> for FrameOutputOptions<'_> {
    fn from(call: OutputOptions) -> Self {
        Self { call, transform: None }
    }
}

/// Cancels a running call.
#[derive(Clone, Copy)]
pub struct Cancel<'a> {
    /// Set to stop all threads of the call.
    pub stop: &'a AtomicBool,
    /// Called by the calling thread at each check; `true` stops the call.
    pub poll: Option<&'a dyn Fn() -> bool>,
}

impl Cancel<'_> {
    /// Checks for cancellation.
    ///
    /// # Errors
    /// `Interrupted` if the call is cancelled.
    pub fn check(&self) -> Result<()> {
        if self.poll.is_some_and(|poll| poll()) {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(DecodeError::new(ErrorKind::Interrupted, "interrupted", ""));
        }
        Ok(())
    }
}
