//! Encoded lines are decoded again, by the kernel of the decoder; the CPU levels give the same bytes.

#![allow(clippy::cast_possible_truncation, reason = "test data are any bits")]

use super::stuffing::Stuffing;
use super::*;
use crate::kernel::jpegls::{PADDING_BYTES, Preset, Scan as DecoderScan, ScanState, decode_line, unstuff};
use crate::testing::Random;

/// Encodes lines; each has the samples of its components one after the other.
fn encode(parameters: Parameters, lines: &[Vec<Vec<u16>>], interleave: Interleave, level: CpuLevel) -> Vec<u8> {
    let mut scan = ScanEncoder::new(parameters, lines[0][0].len(), lines[0].len(), interleave);
    let mut out = Vec::new();
    for line in lines {
        for (component, samples) in line.iter().enumerate() {
            scan.samples_mut(component).copy_from_slice(samples);
        }
        out.extend_from_slice(scan.encode_line(level));
    }
    out.extend(scan.finish());
    out
}

/// Decodes a segment to lines of components.
fn decode(
    parameters: Parameters,
    segment: &[u8],
    (lines, components, width): (usize, usize, usize),
    interleave: Interleave,
) -> Vec<Vec<Vec<u16>>> {
    let scan = DecoderScan::new(parameters, width, components, interleave).unwrap();
    let mut data = vec![0; segment.len() + PADDING_BYTES];
    let bit_count = unstuff(segment, &mut data);
    let mut scratch = vec![0; scan.scratch_samples()];
    let mut state = ScanState::new(&scan);
    state.restart(&scan, &mut scratch, bit_count);
    (0..lines)
        .map(|_| {
            decode_line(&scan, &data, &mut state, &mut scratch, CpuLevel::PORTABLE).unwrap();
            let rows: Vec<_> = (0..scan.rows_per_line()).map(|row| state.row(&scan, &scratch, row).to_vec()).collect();
            if rows.len() == components {
                return rows;
            }
            (0..components).map(|first| rows[0].iter().skip(first).step_by(components).copied().collect()).collect()
        })
        .collect()
}

/// Returns lines of one kind: noise, two values, constant with exceptions, slopes.
fn image(
    random: &mut Random,
    kind: usize,
    precision: u32,
    (lines, components, width): (usize, usize, usize),
) -> Vec<Vec<Vec<u16>>> {
    let max_value = (1_usize << precision) - 1;
    let base = random.below(max_value + 1);
    let mut sample = |x: usize, y: usize| match kind {
        0 => random.below(max_value + 1),
        1 => random.below(2) * max_value,
        2 if random.below(20) > 0 => base,
        2 => random.below(max_value + 1),
        _ => (base + 3 * x + 5 * y + random.below(3)) % (max_value + 1),
    };
    let mut line = |y| (0..components).map(|_| (0..width).map(|x| sample(x, y) as u16).collect()).collect();
    (0..lines).map(&mut line).collect()
}

#[test]
fn encode_line_decodes_to_its_samples_within_near() {
    let mut random = Random(11);
    for case in 0..if cfg!(miri) { 20 } else { 3000 } {
        let precision = 2 + random.below(15) as u32;
        let near = [0, 0, 1, random.below(256)][random.below(4)].min(((1 << precision) - 1) / 2) as u32;
        let parameters = Parameters::new(precision, near, Preset::default()).unwrap();
        let size = (1 + random.below(6), 1 + random.below(4), 1 + random.below(70));
        let interleave = [Interleave::Line, Interleave::Sample][random.below(2).min(size.1 - 1)];
        let lines = image(&mut random, case % 4, precision, size);
        let [portable, others @ ..] = &CpuLevel::available()[..] else { unreachable!() };
        let segment = encode(parameters, &lines, interleave, *portable);
        for level in others {
            assert_eq!(encode(parameters, &lines, interleave, *level), segment, "case {case}, {}", level.name());
        }
        assert!(segment.windows(2).all(|pair| pair[0] != 0xFF || pair[1] < 0x80), "case {case} contains a marker");
        assert_ne!(segment.last(), Some(&0xFF));
        let decoded = decode(parameters, &segment, size, interleave);
        let differences = lines.iter().flatten().flatten().zip(decoded.iter().flatten().flatten());
        let largest = differences.map(|(sample, decoded)| sample.abs_diff(*decoded)).max();
        assert!(
            largest.map(u32::from) <= Some(near),
            "case {case}: {parameters:?} {size:?} {interleave:?} {largest:?}"
        );
    }
}

#[test]
fn encode_line_long_run_uses_every_segment_length() {
    let parameters = Parameters::new(8, 0, Preset::default()).unwrap();
    let lines = vec![vec![vec![0; 65535]]; 3];
    for level in CpuLevel::available() {
        let segment = encode(parameters, &lines, Interleave::Line, level);
        assert!(segment.len() < 10);
        assert_eq!(decode(parameters, &segment, (3, 1, 65535), Interleave::Line), lines);
    }
}

#[test]
fn stuffing_inserts_a_zero_bit_after_each_ff() {
    let mut random = Random(3);
    for length in 0..200 {
        let src: Vec<u8> = (0..length).map(|_| if random.below(3) == 0 { 0xFF } else { random.next() as u8 }).collect();
        let mut stuffing = Stuffing::default();
        let mut out = vec![0; Stuffing::max_bytes(src.len())];
        let written = stuffing.write(&src, &mut out);
        out.truncate(written);
        out.extend(stuffing.finish(&src, 8 * src.len()));
        let mut bits = src.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
        for (index, byte) in out.iter().enumerate() {
            let is_stuffed = index > 0 && out[index - 1] == 0xFF;
            assert!(!is_stuffed || *byte < 0x80, "no stuffed bit");
            let count = if is_stuffed { 7 } else { 8 };
            assert!((0..count).rev().all(|bit| bits.next().unwrap_or_default() == (byte >> bit & 1 == 1)));
        }
        assert_eq!(bits.next(), None, "bits are missing");
    }
}
