//! Tests of the memory budget: it may change the speed, but samples and errors are equal in all entropy modes.

use super::stream::WINDOW_BYTES;
use crate::*;
use std::sync::atomic::AtomicBool;

const ROWS: u16 = 300;
const COLUMNS: u16 = 200;

/// Returns a frame of noise: fifteen codes of 4 bits, for the categories 0 to 14.
fn frame() -> Vec<u8> {
    let mut frame = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 11, 16];
    frame.extend([ROWS.to_be_bytes(), COLUMNS.to_be_bytes()].concat());
    frame.extend([1, 1, 0x11, 0, 0xFF, 0xC4, 0, 34, 0]);
    frame.extend([0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend(0..15);
    frame.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0]);
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    // The masks keep the unassigned code 1111 from occurring.
    frame.extend((0..u32::from(ROWS) * u32::from(COLUMNS) * 2).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0] & 0xBB & 0xEE
    }));
    frame.extend([0xFF, 0xD9]);
    frame
}

/// Returns the attributes of an image of 16-bit samples.
pub(super) fn info_of(rows: u32, columns: u32, samples_per_pixel: u32) -> FrameInfo {
    FrameInfo::new(Attributes {
        rows,
        columns,
        samples_per_pixel,
        bits_allocated: 16,
        bits_stored: 16,
        high_bit: 15,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
    .unwrap()
}

fn decode(frame: &[u8], max_bytes: u64, level: CpuLevel, mode: EntropyMode) -> Result<(Vec<u16>, &'static str)> {
    let info = info_of(ROWS.into(), COLUMNS.into(), 1);
    let limits = Limits::new(Some(max_bytes));
    let options = DecodeOptions { cpu_level: level, codec: mode.into(), ..DecodeOptions::default() };
    let context = FrameContext { syntax: TransferSyntax::JPEG_LOSSLESS, info: &info, limits: &limits, options };
    let mut out = vec![0; info.samples()];
    let cancel = Cancel { stop: &AtomicBool::new(false), poll: None };
    let decoded = decode_frame(&context, frame.into(), SamplesMut::U16(&mut out), &mut Workspace::default(), cancel)?;
    Ok((out, decoded.code_path))
}

#[test]
fn decode_any_budget_gives_the_same_result_in_every_mode() {
    let frame = frame();
    for max_bytes in (0..1_500_000).step_by(14_983) {
        let expected = decode(&frame, max_bytes, CpuLevel::PORTABLE, EntropyMode::Serial).map(|(samples, _)| samples);
        for level in CpuLevel::available() {
            for mode in EntropyMode::ALL {
                let result = decode(&frame, max_bytes, level, mode).map(|(samples, _)| samples);
                assert!(result == expected, "{max_bytes} {mode:?}");
            }
        }
    }
}

#[test]
fn decode_small_budget_does_not_speculate() {
    let frame = frame();
    let path =
        |max_bytes| decode(&frame, max_bytes, CpuLevel::PORTABLE, EntropyMode::Speculative).map(|(_, path)| path);
    assert_eq!(path(1 << 24).unwrap(), "portable, speculative");
    // Enough to decode, but not for the differences of a whole window.
    assert_eq!(path(100_000).unwrap(), "portable, lanes");
    let chunks_fit = WINDOW_BYTES + 3 * 400 + 2 * (WINDOW_BYTES * 8 + 16 * 1024);
    for max_bytes in (WINDOW_BYTES + 8_000..chunks_fit).step_by(9973) {
        assert!(path(max_bytes as u64).is_ok(), "{max_bytes}");
    }
}
