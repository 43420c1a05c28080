//! Encoding of JPEG-LS, line by line.
//!
//! ```text
//! samples of a line ─► contexts, predictions ─► codes, unstuffed ─► stuffed bytes
//!                      model                    lossless, near      stuffing
//!                                               run, regular, golomb
//! ```
//!
//! Reasons for its speed:
//!
//! - The neighbours of a sample are known before it is encoded: of lossless scans all, of near-lossless ones those of the
//!   line above. So vector instructions quantize gradients and predict for a whole line at a time.
//! - A sample waits for the one before only through the state of its context, which is updated with few branches.
//! - Codes are appended without stuffing, which needs no branch either. Stuffing then moves 7 bytes at a time.

/// Runs a block for components 0 to `$count` - 1, at most [`MAX_COMPONENTS`].
///
/// Unrolled by hand: the compiler keeps a loop, and with it the arrays of a pixel in memory. 1.2 times as fast.
macro_rules! for_each_component {
    ($count:expr, |$component:ident| $block:block) => {
        for_each_component!($count, $component, $block, 0, 1, 2, 3)
    };
    ($count:expr, $component:ident, $block:block, $($index:literal),*) => {
        $(if $index < $count {
            let $component = $index;
            $block
        })*
    };
}

mod bits;
mod golomb;
mod lossless;
mod model;
mod near;
mod regular;
mod run;
mod scalar;
mod stuffing;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

use super::super::CpuLevel;
use super::super::cpu::dispatch;
use super::{Interleave, Parameters};
use bits::BitPosition;
use model::{Line, Model};
use stuffing::Stuffing;

/// Most components of a scan.
const MAX_COMPONENTS: usize = 4;
/// Bytes that the codes of a sample have at most: 64 bits of the longest code, and one bit of a run.
const MAX_SAMPLE_BYTES: usize = 9;
/// Bytes for bits that are left over from the line before, and for one store after the last code.
const SPARE_BYTES: usize = 32;

/// State of the encoding of a scan.
pub(crate) struct ScanEncoder {
    scan: Scan,
    stuffing: Stuffing,
    stuffed: Vec<u8>,
}

/// The part of the state that the kernels use.
struct Scan {
    /// Lines of each component.
    lines: Vec<Line>,
    /// Run index of each component; the first one is that of the scan if samples are interleaved.
    run_indices: [usize; MAX_COMPONENTS],
    model: Model,
    /// Codes without stuffing.
    codes: Vec<u8>,
    /// Position in `codes`.
    bits: BitPosition,
    is_sample_interleaved: bool,
}

impl ScanEncoder {
    /// Creates the state at the start of a scan of 1 to 4 components.
    ///
    /// `parameters` have no presets.
    pub(crate) fn new(parameters: Parameters, width: usize, components: usize, interleave: Interleave) -> Self {
        debug_assert!((1..=MAX_COMPONENTS).contains(&components));
        let bytes = width * components * MAX_SAMPLE_BYTES + SPARE_BYTES;
        let scan = Scan {
            lines: (0..components).map(|_| Line::new(width)).collect(),
            run_indices: [0; MAX_COMPONENTS],
            model: Model::new(parameters),
            codes: vec![0; bytes],
            bits: BitPosition::default(),
            is_sample_interleaved: interleave == Interleave::Sample && components > 1,
        };
        Self { scan, stuffing: Stuffing::default(), stuffed: vec![0; Stuffing::max_bytes(bytes)] }
    }

    /// Returns the samples of the next line of a component, for the caller to write. They are at most MAXVAL.
    pub(crate) fn samples_mut(&mut self, component: usize) -> &mut [u16] {
        self.scan.lines.get_mut(component).map(Line::samples_mut).unwrap_or_default()
    }

    /// Encodes the line that was written to `samples_mut`, and advances to the next one. Returns bytes of the scan.
    pub(crate) fn encode_line(&mut self, level: CpuLevel) -> &[u8] {
        encode_line(&mut self.scan, level);
        let Self { scan: Scan { lines, codes, bits, .. }, stuffing, stuffed } = self;
        lines.iter_mut().for_each(Line::advance);
        let complete = bits.count() / 8;
        let written = stuffing.write(codes.get(..complete).unwrap_or_default(), stuffed);
        let removed = stuffing.remove_read(codes, complete);
        *bits = bits.removed(removed);
        stuffed.get(..written).unwrap_or_default()
    }

    /// Returns the last bytes of the scan.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.stuffing.finish(&self.scan.codes, self.scan.bits.count())
    }
}

/// Encodes a line of all components.
fn encode_line(scan: &mut Scan, level: CpuLevel) {
    dispatch!(level, encode_line(scan))
}
