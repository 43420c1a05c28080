//! Options of a call, and the context that a decoder gets besides the bytes of a frame.

use super::EntropyMode;
use crate::frame::FrameInfo;
use crate::kernel::CpuLevel;
use crate::limits::Limits;
use crate::output::OutputOptions;
use crate::syntax::TransferSyntax;

/// Order of the byte planes of an RLE sample. Only `Big` conforms to the standard (PS3.5 G.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SegmentByteOrder {
    /// Most significant byte first.
    #[default]
    Big,
    /// Least significant byte first, as some non-conformant files have it.
    Little,
}

/// Options that only some codecs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodecOptions {
    /// RLE: order of a sample's byte planes.
    pub segment_byte_order: SegmentByteOrder,
    /// JPEG Lossless: mode of entropy decoding.
    pub entropy_mode: EntropyMode,
}

impl From<SegmentByteOrder> for CodecOptions {
    fn from(segment_byte_order: SegmentByteOrder) -> Self {
        Self { segment_byte_order, ..Self::default() }
    }
}

impl From<EntropyMode> for CodecOptions {
    fn from(entropy_mode: EntropyMode) -> Self {
        Self { entropy_mode, ..Self::default() }
    }
}

/// Options of a call. Only `output`, `reduce` and `codec.segment_byte_order` change values.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions {
    /// Processing of the stored samples.
    pub output: OutputOptions,
    /// Resolutions to discard: each halves rows and columns, rounded up.
    pub reduce: u32,
    /// Options of single codecs.
    pub codec: CodecOptions,
    /// Deviations are errors.
    pub strict: bool,
    /// Instructions that kernels may use.
    pub cpu_level: CpuLevel,
    /// Threads that may decode one frame, including the calling thread.
    pub threads: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            output: OutputOptions::default(),
            reduce: 0,
            codec: CodecOptions::default(),
            strict: false,
            cpu_level: CpuLevel::best(),
            threads: 1,
        }
    }
}

/// Everything that the frames of one object have in common.
#[derive(Debug, Clone, Copy)]
pub struct FrameContext<'a> {
    /// Transfer syntax that the data set declares.
    pub syntax: TransferSyntax,
    /// Attributes of the data set, checked.
    pub info: &'a FrameInfo,
    /// Memory budget of the call.
    pub limits: &'a Limits,
    /// Options of the call.
    pub options: DecodeOptions,
}

impl FrameContext<'_> {
    /// The attributes of a decoded frame: those of the data set, or of a lower resolution.
    #[must_use]
    pub fn output_info(&self) -> FrameInfo {
        if self.options.reduce == 0 { *self.info } else { self.info.reduced(self.options.reduce) }
    }
}
