//! The example of the standard, and streams that end or are invalid.

use super::*;
use crate::kernel::jpegls::{PADDING_BYTES, Preset, unstuff};

/// Decodes `lines` lines of a segment to the rows of each, one after the other.
fn decode(scan: &Scan, segment: &[u8], lines: usize, level: CpuLevel) -> Result<Vec<u16>, LineError> {
    let mut data = vec![0xA5; segment.len() + PADDING_BYTES];
    let bit_count = unstuff(segment, &mut data);
    let mut scratch = vec![0xA5A5; scan.scratch_samples()];
    let mut state = ScanState::new(scan);
    state.restart(scan, &mut scratch, bit_count);
    let mut samples = Vec::new();
    for _ in 0..lines {
        decode_line(scan, &data, &mut state, &mut scratch, level)?;
        for index in 0..scan.rows_per_line() {
            samples.extend_from_slice(state.row(scan, &scratch, index));
        }
        assert_eq!(state.bit_offset() + state.bits_left(), bit_count);
    }
    Ok(samples)
}

/// The entropy-coded data of T.87 H.3, an image of 4 × 4 samples.
const EXAMPLE: [u8; 30] = [
    0xC0, 0x00, 0x00, 0x6C, 0x80, 0x20, 0x8E, 0x01, 0xC0, 0x00, 0x00, 0x57, 0x40, 0x00, 0x00, 0x6E, 0xE6, 0x00, 0x00,
    0x01, 0xBC, 0x18, 0x00, 0x00, 0x05, 0xD8, 0x00, 0x00, 0x91, 0x60,
];

fn example_scan() -> Scan {
    Scan::new(Parameters::new(8, 0, Preset::default()).unwrap(), 4, 1, Interleave::Line).unwrap()
}

#[test]
fn decode_line_example_of_the_standard_gives_its_image() {
    let image = [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];
    for level in CpuLevel::available() {
        assert_eq!(decode(&example_scan(), &EXAMPLE, 4, level).as_deref(), Ok(&image[..]), "{}", level.name());
    }
}

#[test]
fn decode_line_cut_segment_is_truncated() {
    for level in CpuLevel::available() {
        for length in 0..EXAMPLE.len() - 1 {
            let result = decode(&example_scan(), &EXAMPLE[..length], 4, level);
            assert_eq!(result, Err(LineError::Truncated), "{length} bytes, {}", level.name());
        }
    }
}

#[test]
fn decode_line_code_beyond_limit_is_an_error() {
    // A run of length 0, then a code with 24 zeros instead of at most 22.
    let segment = [0, 0, 0, 0x40, 0, 0, 0, 0];
    for level in CpuLevel::available() {
        let result = decode(&example_scan(), &segment, 4, level);
        assert_eq!(result, Err(LineError::GolombCode { bit_offset: 1 }), "{}", level.name());
    }
}

#[test]
fn scan_new_refuses_sizes_without_meaning() {
    let parameters = Parameters::new(8, 0, Preset::default()).unwrap();
    for (width, components) in [(0, 1), (1, 0), (1, 5), (usize::MAX, 1), (usize::MAX / 4, 4)] {
        assert!(Scan::new(parameters, width, components, Interleave::Line).is_none(), "{width} × {components}");
    }
}
