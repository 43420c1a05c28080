//! Code-blocks: input and errors that the block decoders of T.800 ([`super::ebcot`]) and T.814 share.
//!
//! The coefficients of a band are a matrix of `i32` words, row by row. Those of the reversible transform are integers,
//! those of the irreversible transform bit patterns of `f32`. A *job* is a run of rows of code-blocks of one band: one
//! contiguous slice of the matrix, so that threads decode jobs independently.

/// Maximum width and height of a code-block (T.800 Table A.18).
pub(crate) const MAX_SIDE: usize = 1024;
/// Maximum number of coefficients of a code-block (T.800 Table A.18).
pub(crate) const MAX_AREA: usize = 4096;
/// Maximum number of coded bit-planes: a magnitude and one fractional bit fit into 31 bits.
pub(crate) const MAX_BIT_PLANES: u32 = 30;

/// Orientation of a band (T.800 B.5): horizontal, then vertical filter, low-pass or high-pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BandKind {
    Ll,
    Hl,
    Lh,
    Hh,
}

/// Rule that turns decoded magnitudes into coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Dequantization {
    /// Integers, for the 5/3 transform.
    Reversible,
    /// Magnitude × `step` as `f32`, for the 9/7 transform.
    Irreversible { step: f32 },
}

/// Codeword segment: consecutive bytes of a block's data, and the coding passes that they contain (T.800 D.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodewordSegment {
    pub(crate) passes: u32,
    pub(crate) bytes: usize,
}

/// A code-block to decode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeBlock<'a> {
    /// Columns, 1 to [`MAX_SIDE`]. The area is at most [`MAX_AREA`].
    pub(crate) width: usize,
    /// Rows, 1 to [`MAX_SIDE`].
    pub(crate) height: usize,
    /// Index of the first coefficient in the slice of the job.
    pub(crate) offset: usize,
    /// Coded magnitude bit-planes: those of the band without the block's zero bit-planes, 1 to [`MAX_BIT_PLANES`].
    pub(crate) bit_planes: u32,
    /// Maximum shift of the region of interest (T.800 Annex H), 0 if there is none.
    pub(crate) roi_shift: u32,
    /// Bytes of all segments, one after the other.
    pub(crate) data: &'a [u8],
    pub(crate) segments: &'a [CodewordSegment],
}

impl CodeBlock<'_> {
    /// True if the sizes are within the limits of T.800 and the block is inside a slice of `out_len` coefficients whose rows
    /// are `stride` apart.
    pub(crate) fn fits(&self, stride: usize, out_len: usize) -> bool {
        let sides = 1..=MAX_SIDE;
        sides.contains(&self.width)
            && sides.contains(&self.height)
            && self.width * self.height <= MAX_AREA
            && self.width <= stride
            && (self.height - 1)
                .checked_mul(stride)
                .and_then(|rows| rows.checked_add(self.offset)?.checked_add(self.width))
                .is_some_and(|end| end <= out_len)
    }
}

/// Error of a code-block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockError {
    /// Index of the block in its job.
    pub(crate) block: usize,
    pub(crate) reason: BlockErrorReason,
}

/// Reason why a code-block cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockErrorReason {
    /// Width, height or offset is out of range.
    Size,
    /// The number of bit-planes is 0 or more than [`MAX_BIT_PLANES`].
    BitPlanes,
    /// There are more coding passes than the bit-planes have.
    Passes,
    /// The segments are longer than the data, or do not start at the passes that the style requires (T.800 D.4.2, D.6).
    Segments,
    /// The segmentation symbol of a cleanup pass is not 1010 (T.800 D.5).
    SegmentationSymbol,
    /// The length of the MEL and VLC strings of an HT cleanup segment, Scup, is out of range (T.814 7.1.1).
    StringLengths,
    /// The codewords of an HT cleanup segment are longer than its strings.
    Codes,
    /// A magnitude of an HT cleanup pass has more than 31 bits with its fractional bit.
    Magnitude,
    /// There is no memory for the state of the decoder.
    Memory,
}
