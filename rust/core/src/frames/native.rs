//! Frames of a native value: one after the other, each `Rows × Columns × Samples per Pixel × Bits Allocated` bits.

use crate::codec::native_frame_bits;
use crate::error::{DecodeError, Result, mismatch, truncated};
use crate::frame::{Deviation, FrameBytes, FrameInfo};
use crate::limits::Limits;
use crate::value::{Value, room};
use std::ops::Range;

#[derive(Debug)]
pub(super) struct NativeFrames {
    frame_bits: u64,
    word_swapped: bool,
}

const CLAUSE: &str = "PS3.5 8.1.1";

impl NativeFrames {
    /// The places and the number of frames that `value_bytes` bytes hold.
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
        let mut frames = declared;
        if found > padded {
            let fit = usize::try_from(found * 8 / u128::from(frame_bits)).unwrap_or(usize::MAX);
            let what = if fit > declared {
                frames = fit;
                format!("number of frames is {declared}, {fit} are there")
            } else {
                format!("{} bytes after the last frame", found - expected)
            };
            deviations.push(Deviation::new(what, CLAUSE));
        } else if found == expected && expected % 2 == 1 {
            deviations
                .push(Deviation::new("the value has odd length: its trailing pad byte is missing", "PS3.5 7.1.1"));
        }
        Ok((Self { frame_bits, word_swapped }, frames))
    }

    pub(super) fn frame<'a>(
        &self,
        value: Value<'a>,
        index: usize,
        limits: &Limits,
        scratch: &'a mut Vec<u8>,
    ) -> Result<FrameBytes<'a>> {
        let (place, offset_bits) = self.place(value.len(), index)?;
        if !self.word_swapped {
            return Ok(FrameBytes { bytes: value.bytes(place, limits, scratch)?, offset_bits });
        }
        // Each pair of bytes is one big-endian word; a frame may begin or end within a pair.
        let words = place.start & !1..place.end + place.end % 2;
        if words.end > value.len() {
            return Err(short(value.len(), index, words.end));
        }
        let swapped = room(scratch, words.len(), limits)?;
        value.read(words.clone(), swapped)?;
        swapped.as_chunks_mut::<2>().0.iter_mut().for_each(|word| word.swap(0, 1));
        let bytes = swapped.get(place.start - words.start..place.end - words.start).unwrap_or_default();
        Ok(FrameBytes { bytes, offset_bits })
    }

    /// How many bytes a frame has, those that it shares with its neighbours included.
    pub(super) fn frame_bytes(&self, value_bytes: usize, index: usize) -> Result<usize> {
        self.place(value_bytes, index).map(|(place, _)| place.len())
    }

    /// Where a frame lies whose bytes are in the order of the samples, and which begins on a byte.
    pub(super) fn plain_place(&self, value_bytes: usize, index: usize) -> Option<Range<usize>> {
        let (place, offset_bits) = self.place(value_bytes, index).ok()?;
        (!self.word_swapped && offset_bits == 0).then_some(place)
    }

    /// Where a frame lies, and the bits of its first byte that belong to the frame before.
    fn place(&self, value_bytes: usize, index: usize) -> Result<(Range<usize>, u32)> {
        let start_bit = u128::from(self.frame_bits) * index as u128;
        let end_bit = start_bit + u128::from(self.frame_bits);
        let byte = |bits: u128| usize::try_from(bits).unwrap_or(usize::MAX);
        let (start, end) = (byte(start_bit / 8), byte(end_bit.div_ceil(8)));
        if end > value_bytes {
            return Err(short(value_bytes, index, end));
        }
        Ok((start..end, (start_bit % 8) as u32))
    }
}

fn short(value_bytes: usize, index: usize, end: usize) -> DecodeError {
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
    fn frames_of_packed_bits_need_not_start_on_a_byte() {
        let info = info(3, 3, 1, 1, "MONOCHROME2");
        let value = [0xAA, 0xBB, 0xCC, 0xDD];
        let table = FrameTable::native(&info, value.len(), Some(3), false).unwrap();
        assert_eq!(bytes_of(&table, &value, 0), (vec![0xAA, 0xBB], 0));
        assert_eq!(bytes_of(&table, &value, 1), (vec![0xBB, 0xCC], 1));
        assert_eq!(bytes_of(&table, &value, 2), (vec![0xCC, 0xDD], 2));
        assert!(table.deviations().is_empty());
    }

    #[test]
    fn an_odd_frame_of_big_endian_words_starts_within_a_pair() {
        // PS3.5 7.3: OW in big endian swaps each pair, across the border of two frames as well.
        let info = info(1, 3, 1, 8, "MONOCHROME2");
        let value = [2, 1, 4, 3, 6, 5];
        let table = FrameTable::native(&info, value.len(), Some(2), true).unwrap();
        assert_eq!(bytes_of(&table, &value, 0), (vec![1, 2, 3], 0));
        assert_eq!(bytes_of(&table, &value, 1), (vec![4, 5, 6], 0));
    }

    #[test]
    fn a_short_value_is_truncated_and_a_long_one_has_more_frames() {
        let info = info(2, 2, 1, 16, "MONOCHROME2");
        let error = FrameTable::native(&info, 15, Some(2), false).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Truncated, Some(15)));
        let table = FrameTable::native(&info, 26, Some(2), false).unwrap();
        assert_eq!((table.frames(), table.deviations().len()), (3, 1));
        let table = FrameTable::native(&info, 20, Some(2), false).unwrap();
        assert_eq!((table.frames(), table.deviations().len()), (2, 1));
    }

    #[test]
    fn full_resolution_colour_called_422_is_a_mismatch() {
        let info = info(2, 2, 3, 8, "YBR_FULL_422");
        let error = FrameTable::native(&info, 12, None, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        assert!(FrameTable::native(&info, 8, None, false).is_ok());
    }
}
