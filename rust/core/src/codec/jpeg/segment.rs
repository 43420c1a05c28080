//! Entropy-coded segments without stuffed bytes, as the kernels read them.

use crate::error::Result;
use crate::kernel::{CpuLevel, unstuff};
use crate::limits::Limits;
use std::ops::Range;

/// Zero bytes after the data of a segment, at least as many as `kernel::coefficients` requires.
pub(super) const PADDING_BYTES: usize = 64;

/// Memory for the bytes of one segment, reused from segment to segment.
#[derive(Debug, Default)]
pub(super) struct SegmentBuffer(Vec<u8>);

/// Bytes of one segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentData<'a> {
    /// The bytes, and zeros after them.
    pub(super) bytes: &'a [u8],
    /// Number of bits without the zeros.
    pub(super) end_bit: usize,
}

impl SegmentBuffer {
    /// Copies the bytes of `segment`, a range of the frame, without the stuffed ones.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(super) fn load(
        &mut self,
        frame: &[u8],
        segment: &Range<usize>,
        limits: &Limits,
        level: CpuLevel,
    ) -> Result<SegmentData<'_>> {
        let stuffed = frame.get(segment.clone()).unwrap_or_default();
        limits.grow_zeroed(&mut self.0, stuffed.len() + PADDING_BYTES)?;
        let length = unstuff::unstuff(stuffed, &mut self.0, level);
        let bytes = self.0.get_mut(..length + PADDING_BYTES).unwrap_or_default();
        if let Some(padding) = bytes.get_mut(length..) {
            padding.fill(0);
        }
        Ok(SegmentData { bytes, end_bit: length * 8 })
    }
}

/// Returns the offset in the frame of a byte of `segment`, which has the index `unstuffed_index` without the stuffed bytes.
pub(super) fn frame_offset(frame: &[u8], segment: &Range<usize>, unstuffed_index: usize) -> usize {
    let stuffed = frame.get(segment.clone()).unwrap_or_default();
    let mut offset = 0;
    for _ in 0..unstuffed_index {
        // A 00 follows each FF.
        let step = if stuffed.get(offset) == Some(&0xFF) { 2 } else { 1 };
        if offset + step > stuffed.len() {
            break;
        }
        offset += step;
    }
    segment.start + offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_buffer_load_removes_stuffed_bytes_and_pads() {
        let frame = [9, 1, 0xFF, 0, 2, 0xFF, 0, 0xFF, 0, 3, 9];
        let (limits, mut buffer) = (Limits::unbounded(), SegmentBuffer::default());
        let long = [0xAA; 100];
        for level in CpuLevel::available() {
            buffer.load(&long, &(0..100), &limits, level).unwrap();
            let data = buffer.load(&frame, &(1..10), &limits, level).unwrap();
            assert_eq!(data.end_bit, 6 * 8);
            assert_eq!(data.bytes[..6], [1, 0xFF, 2, 0xFF, 0xFF, 3]);
            assert_eq!(data.bytes[6..], [0; PADDING_BYTES]);
        }
    }

    #[test]
    fn frame_offset_counts_stuffed_bytes() {
        let frame = [9, 1, 0xFF, 0, 2, 0xFF, 0, 0xFF, 0, 3, 9];
        let offsets: Vec<_> = (0..8).map(|index| frame_offset(&frame, &(1..10), index)).collect();
        assert_eq!(offsets, [1, 2, 4, 5, 7, 9, 10, 10]);
    }
}
