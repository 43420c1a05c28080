//! Division of an output into bands of rows, which several threads write at the same time.

use super::{Cancel, Output, ScratchBlock, StoreHint};
use crate::kernel::CpuLevel;
use crate::kernel::ybr::RgbConversion;
use crate::sample::{SamplesMut, StoredBits};
use std::sync::atomic::AtomicBool;

/// Rows of an output, for one thread. Unlike [`Output`] it can be sent there.
#[derive(Debug)]
pub struct Band<'a> {
    out: SamplesMut<'a>,
    stop: &'a AtomicBool,
    store: StoreHint,
    cpu_level: CpuLevel,
    stored_bits: Option<StoredBits>,
    columns: usize,
    samples_per_pixel: usize,
    rgb_conversion: Option<RgbConversion>,
}

impl<'a> Band<'a> {
    /// Returns an output stage for the rows. `poll` is that of the frame's output on the calling thread, `None` on others.
    pub fn into_output(self, scratch: &'a mut ScratchBlock, poll: Option<&'a dyn Fn() -> bool>) -> Output<'a> {
        Output {
            sample_type: self.out.sample_type(),
            samples: self.out.len(),
            samples_per_value: 1,
            is_rendered: false,
            out: self.out,
            scratch,
            cancel: Cancel { stop: self.stop, poll },
            store: self.store,
            transform: None,
            cpu_level: self.cpu_level,
            stored_bits: self.stored_bits,
            columns: self.columns,
            samples_per_pixel: self.samples_per_pixel,
            rgb_conversion: self.rgb_conversion,
            is_staged: false,
            position: 0,
            finished_samples: 0,
            unchecked_bytes: 0,
        }
    }
}

impl<'a> Output<'a> {
    /// Divides the frame into bands for several threads: rows of pixels, as many as `row_counts` gives for each band, which
    /// are all rows. `None` if the samples are converted, or if some are finished.
    pub fn bands(&mut self, row_counts: &[usize]) -> Option<Vec<Band<'_>>> {
        if self.is_staged || self.position > 0 {
            return None;
        }
        let mut bands = Vec::with_capacity(row_counts.len());
        let mut rest = self.out.reborrow();
        for rows in row_counts {
            let out;
            (out, rest) = rest.split_at(rows * self.columns * self.samples_per_pixel)?;
            bands.push(Band {
                out,
                stop: self.cancel.stop,
                store: self.store,
                cpu_level: self.cpu_level,
                stored_bits: self.stored_bits,
                columns: self.columns,
                samples_per_pixel: self.samples_per_pixel,
                rgb_conversion: self.rgb_conversion,
            });
        }
        rest.is_empty().then_some(bands)
    }

    /// Marks all pixels as finished: the outputs of all bands have none left.
    pub fn finish_bands(&mut self) {
        self.position = self.samples;
        self.finished_samples = self.samples;
    }

    /// Cancellation of the call, to be checked by the calling thread.
    pub(crate) const fn cancel(&self) -> Cancel<'a> {
        self.cancel
    }

    /// The function that the calling thread calls at cancellation checks.
    pub(crate) const fn poll(&self) -> Option<&'a dyn Fn() -> bool> {
        self.cancel.poll
    }
}
