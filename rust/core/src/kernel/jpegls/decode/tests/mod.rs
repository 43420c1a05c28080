//! All CPU levels against the plain decoder, the example of the standard, and segments that end early or are invalid.

mod reference;
mod reference_reader;

use super::*;
use crate::kernel::jpegls::{PADDING_BYTES, Preset, unstuff};
use crate::testing::{Random, miri_or};

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

fn describe(scan: &Scan) -> String {
    let Scan { parameters, width, components, interleave, .. } = scan;
    format!("{width} × {components}, {interleave:?}, {parameters:?}")
}

/// Decodes up to `lines` lines of `segment` with the plain decoder and at each CPU level. Returns the number of lines.
fn check(scan: &Scan, segment: &[u8], lines: usize) -> usize {
    let mut data = vec![0; segment.len() + PADDING_BYTES];
    let bit_count = unstuff(segment, &mut data);
    let levels = CpuLevel::available();
    let mut scratches = vec![vec![0x5A5A; scan.scratch_samples()]; levels.len()];
    let mut states = vec![ScanState::new(scan); levels.len()];
    for (state, scratch) in states.iter_mut().zip(&mut scratches) {
        state.restart(scan, scratch, bit_count);
    }
    let mut reference = reference::State::new(scan, bit_count);
    for line in 0..lines {
        let expected = reference::decode_line(scan, &data, &mut reference);
        for ((level, state), scratch) in levels.iter().zip(&mut states).zip(&mut scratches) {
            let result = decode_line(scan, &data, state, scratch, *level);
            assert_eq!(result, expected, "line {line}, {}, {}", level.name(), describe(scan));
            if expected.is_err() {
                continue;
            }
            for index in 0..scan.rows_per_line() {
                let (row, expected) = (state.row(scan, scratch, index), reference.row(scan, index));
                assert_eq!(row, expected, "line {line}, {}, {}", level.name(), describe(scan));
            }
            assert_eq!(state.bit_offset(), reference.bit_offset());
        }
        if expected.is_err() {
            return line;
        }
    }
    lines
}

/// Returns any parameters that the standard permits.
fn random_parameters(random: &mut Random) -> Parameters {
    loop {
        // Scans of 8 bits are decoded by code of their own.
        let precision = if random.below(3) == 0 { 8 } else { 2 + random.below(15) };
        let largest = (1_u32 << precision) - 1;
        let value = |random: &mut Random, end: u32| u16::try_from(random.below(end as usize + 1)).unwrap();
        let mut preset = Preset::default();
        if random.below(3) == 0 {
            preset.max_value = value(random, largest);
        }
        if random.below(3) == 0 {
            preset.thresholds = [(); 3].map(|()| value(random, largest));
            preset.thresholds.sort_unstable();
        }
        if random.below(2) == 0 {
            let end = [10, 300, 65535][random.below(3)];
            preset.reset = value(random, end);
        }
        let near = [0, 0, 1, 3, 255][random.below(5)].min(largest / 2);
        let near = u32::try_from(random.below(near as usize + 1)).unwrap();
        if let Some(parameters) = Parameters::new(precision.try_into().unwrap(), near, preset) {
            return parameters;
        }
    }
}

/// Returns a segment of `length` bytes, in which ones (runs) or zeros (long codes) may prevail.
fn random_segment(random: &mut Random, length: usize) -> Vec<u8> {
    let style = random.below(4);
    let byte = |random: &mut Random| {
        let [first, second, ..] = random.next().to_le_bytes();
        match style {
            0 => first,
            1 => first | second,
            2 if random.below(20) == 0 => first & second,
            2 => [0xFF, 0x7F][random.below(2)],
            _ => first & second,
        }
    };
    let mut segment: Vec<u8> = (0..length).map(|_| byte(random)).collect();
    for index in 1..length {
        if segment[index - 1] == 0xFF {
            segment[index] &= 0x7F;
        }
    }
    segment
}

#[test]
fn decode_line_any_segment_equals_plain_decoder() {
    let mut random = Random(11);
    let mut line_count = 0;
    for _ in 0..miri_or(6000, 3) {
        let parameters = random_parameters(&mut random);
        let components = 1 + random.below(4);
        let interleave = [Interleave::Line, Interleave::Sample][random.below(2)];
        let widest = [1, 3, 40, 300][random.below(4)];
        let width = 1 + random.below(widest);
        let scan = Scan::new(parameters, width, components, interleave).unwrap();
        let length = random.below(3000);
        let segment = random_segment(&mut random, length);
        line_count += check(&scan, &segment, 40);
    }
    assert!(line_count > miri_or(20_000, 1), "{line_count} lines");
}
