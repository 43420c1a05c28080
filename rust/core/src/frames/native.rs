//! Frames of a native value: contiguous, `Rows × Columns × Samples per Pixel × Bits Allocated` bits each (PS3.5 8.1.1).
//!
//! Frame `i` is bits `i × frame_bits` to `(i + 1) × frame_bits`. With Bits Allocated 1 a frame may start within a byte:
//!
//! ```text
//! 3 × 3 pixels of 1 bit, 3 frames:    bits 0 to 8    bits 9 to 17    bits 18 to 26
//! bytes of the frame:                 0 and 1        1 and 2         2 and 3
//! bit offset in the first byte:       0              1               2
//! ```

use crate::codec::{native_frame_bits, subsampled_error};
use crate::error::{DecodeError, Result, mismatch, truncated};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::value::{Value, scratch_slice};
use std::ops::Range;

const CLAUSE: &str = "PS3.5 8.1.1";

/// Locates the frames of one native value.
#[derive(Debug)]
pub(super) struct NativeFrames {
    frame_bits: u64,
    /// True if the bytes of each 16-bit word are swapped: 8-bit samples or packed bits as OW in big endian.
    word_swapped: bool,
}

impl NativeFrames {
    /// Checks the length of the value against the attributes. Also returns the number of frames in the value.
    pub(super) fn new(
        info: &FrameInfo,
        value_bytes: usize,
        declared: usize,
        word_swapped: bool,
        deviations: &mut Vec<Deviation>,
    ) -> Result<(Self, usize)> {
        let frame_bits = native_frame_bits(info);
        let expected = u128::from(frame_bits).saturating_mul(declared as u128).div_ceil(8);
        let found = value_bytes as u128;
        if let Some(error) = subsampled_error(info, found, expected) {
            return Err(error);
        }
        if found < expected {
            let error = truncated(format!("{found} bytes found, {expected} expected for {declared} frames"), CLAUSE);
            return Err(error.at(value_bytes));
        }
        let padded = expected + expected % 2;
        if info.is_native_422() && found >= expected / 2 * 3 && found > padded {
            let text = format!(
                "{found} bytes found, YBR_FULL_422 has {expected}: the colour differences are not at half resolution"
            );
            return Err(mismatch(text, "PS3.3 C.7.6.3.1.2"));
        }
        let mut frame_count = declared;
        if found > padded {
            let fitting = usize::try_from(found * 8 / u128::from(frame_bits)).unwrap_or(usize::MAX);
            let text = if fitting > declared {
                frame_count = fitting;
                format!("number of frames is {declared}, {fitting} frames found")
            } else {
                format!("{} bytes after the last frame", found - expected)
            };
            deviations.push(Deviation::new(text, CLAUSE));
        } else if found == expected && expected % 2 == 1 {
            deviations
                .push(Deviation::new("the value has odd length: its trailing pad byte is missing", "PS3.5 7.1.1"));
        }
        Ok((Self { frame_bits, word_swapped }, frame_count))
    }

    /// Returns the bytes of frame `index`, in `scratch` if their words are swapped or they are not in memory.
    pub(super) fn frame<'a>(
        &self,
        value: Value<'a>,
        index: usize,
        limits: &Limits,
        scratch: &'a mut Vec<u8>,
    ) -> Result<FrameBytes<'a>> {
        let (range, offset_bits) = self.locate(value.len(), index)?;
        if !self.word_swapped {
            return Ok(FrameBytes { bytes: value.bytes(range, limits, scratch)?, offset_bits });
        }
        // A frame of an odd number of bytes starts or ends within a word: read whole words.
        let words = range.start & !1..range.end + range.end % 2;
        if words.end > value.len() {
            return Err(too_short(value.len(), index, words.end));
        }
        let swapped = scratch_slice(scratch, words.len(), limits)?;
        value.read(words.clone(), swapped)?;
        swapped.as_chunks_mut::<2>().0.iter_mut().for_each(|word| word.swap(0, 1));
        let Some(bytes) = swapped.get(range.start - words.start..range.end - words.start) else {
            debug_assert!(false, "the words include every byte of the frame");
            return Err(too_short(value.len(), index, range.end));
        };
        Ok(FrameBytes { bytes, offset_bits })
    }

    /// Returns the size of frame `index` in bytes, including bytes that it shares with its neighbours.
    pub(super) fn frame_bytes(&self, value_bytes: usize, index: usize) -> Result<usize> {
        self.locate(value_bytes, index).map(|(range, _)| range.len())
    }

    /// Returns the byte range of frame `index` if it starts at a byte and its bytes are not swapped.
    pub(super) fn direct_range(&self, value_bytes: usize, index: usize) -> Option<Range<usize>> {
        let (range, offset_bits) = self.locate(value_bytes, index).ok()?;
        (!self.word_swapped && offset_bits == 0).then_some(range)
    }

    /// Returns the byte range of frame `index`, and the bit offset (0 to 7) of its first sample in the first byte.
    fn locate(&self, value_bytes: usize, index: usize) -> Result<(Range<usize>, u32)> {
        let start_bit = u128::from(self.frame_bits) * index as u128;
        let end_bit = start_bit + u128::from(self.frame_bits);
        let byte = |byte: u128| usize::try_from(byte).unwrap_or(usize::MAX);
        let (start, end) = (byte(start_bit / 8), byte(end_bit.div_ceil(8)));
        if end > value_bytes {
            return Err(too_short(value_bytes, index, end));
        }
        Ok((start..end, (start_bit % 8) as u32))
    }
}

fn too_short(value_bytes: usize, index: usize, end: usize) -> DecodeError {
    truncated(format!("{value_bytes} bytes found, frame {index} ends at {end}"), CLAUSE)
}

#[cfg(test)]
mod tests {
    use super::super::{FrameTable, PixelData};
    use super::*;
    use crate::{Attributes, ErrorKind, PhotometricInterpretation, SampleKind};

    fn info(rows: u32, columns: u32, samples_per_pixel: u32, bits_allocated: u32, term: &str) -> FrameInfo {
        FrameInfo::new(Attributes {
            rows,
            columns,
            samples_per_pixel,
            bits_allocated,
            bits_stored: bits_allocated,
            high_bit: bits_allocated - 1,
            sample_kind: SampleKind::Unsigned,
            planar_configuration: 0,
            photometric_interpretation: PhotometricInterpretation::from_term(term),
        })
        .unwrap()
    }

    fn bytes_of(table: &FrameTable, value: &[u8], index: usize) -> (Vec<u8>, u32) {
        let mut scratch = Vec::new();
        let frame = table
            .frame(PixelData { value: value.into(), extended: None }, index, &Limits::unbounded(), &mut scratch)
            .unwrap();
        (frame.bytes.to_vec(), frame.offset_bits)
    }

    #[test]
    fn packed_bits_frame_start_has_bit_offset() {
        let info = info(3, 3, 1, 1, "MONOCHROME2");
        let value = [0xAA, 0xBB, 0xCC, 0xDD];
        let table = FrameTable::native(&info, value.len(), Some(3), false).unwrap();
        assert_eq!(bytes_of(&table, &value, 0), (vec![0xAA, 0xBB], 0));
        assert_eq!(bytes_of(&table, &value, 1), (vec![0xBB, 0xCC], 1));
        assert_eq!(bytes_of(&table, &value, 2), (vec![0xCC, 0xDD], 2));
        assert!(table.deviations().is_empty());
    }

    #[test]
    fn big_endian_words_odd_frame_size_are_swapped_across_frames() {
        // PS3.5 7.3: OW in big endian swaps each pair of bytes, even if the pair belongs to two frames.
        let info = info(1, 3, 1, 8, "MONOCHROME2");
        let value = [2, 1, 4, 3, 6, 5];
        let table = FrameTable::native(&info, value.len(), Some(2), true).unwrap();
        assert_eq!(bytes_of(&table, &value, 0), (vec![1, 2, 3], 0));
        assert_eq!(bytes_of(&table, &value, 1), (vec![4, 5, 6], 0));
    }

    #[test]
    fn native_short_value_is_truncated() {
        let info = info(2, 2, 1, 16, "MONOCHROME2");
        let error = FrameTable::native(&info, 15, Some(2), false).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Truncated, Some(15)));
    }

    #[test]
    fn native_long_value_has_more_frames_or_trailing_bytes() {
        let info = info(2, 2, 1, 16, "MONOCHROME2");
        // Bytes of the value → frames, deviations; two frames have 16 bytes.
        for (value_bytes, frame_count, deviation_count) in [(16, 2, 0), (20, 2, 1), (26, 3, 1)] {
            let table = FrameTable::native(&info, value_bytes, Some(2), false).unwrap();
            assert_eq!(
                (table.frame_count(), table.deviations().len()),
                (frame_count, deviation_count),
                "{value_bytes} bytes"
            );
        }
    }

    #[test]
    fn ybr_full_422_full_resolution_length_is_a_mismatch() {
        let info = info(2, 2, 3, 8, "YBR_FULL_422");
        let error = FrameTable::native(&info, 12, None, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        assert!(FrameTable::native(&info, 8, None, false).is_ok());
    }
}
