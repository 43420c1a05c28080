//! The ring against whole planes: every component is upsampled as one image, then pixels are converted one by one.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test images are small, sums are clipped")]

use super::*;
use crate::output::{Cancel, OutputOptions, ScratchBlock};
use crate::sample::{SampleType, SamplesMut};
use crate::testing::{Random, miri_or};
use crate::{Attributes, FrameInfo, PhotometricInterpretation, SampleKind};
use std::sync::atomic::AtomicBool;

/// A frame: size, sampling factors (horizontal, vertical) of the components, and bits of its samples.
#[derive(Debug, Clone)]
struct Frame {
    columns: usize,
    rows: usize,
    factors: Vec<(usize, usize)>,
    bits: u32,
    /// Samples per block side.
    block: usize,
}

impl Frame {
    fn max_factors(&self) -> (usize, usize) {
        let horizontal = self.factors.iter().map(|factors| factors.0).max().unwrap();
        (horizontal, self.factors.iter().map(|factors| factors.1).max().unwrap())
    }

    fn mcu_rows(&self) -> usize {
        self.rows.div_ceil(self.max_factors().1 * self.block)
    }

    fn layouts(&self) -> Vec<ComponentLayout> {
        let (max_horizontal, max_vertical) = self.max_factors();
        let mcus = self.columns.div_ceil(max_horizontal * self.block);
        let layout = |(horizontal, vertical): (usize, usize)| ComponentLayout {
            horizontal: max_horizontal / horizontal,
            vertical: max_vertical / vertical,
            width: (self.columns * horizontal).div_ceil(max_horizontal),
            height: (self.rows * vertical).div_ceil(max_vertical),
            padded_width: mcus * horizontal * self.block,
            mcu_rows: vertical * self.block,
        };
        self.factors.iter().copied().map(layout).collect()
    }

    fn random_planes(&self, random: &mut Random) -> Vec<Vec<u16>> {
        let max = (1 << self.bits) - 1;
        let mut sample = || match random.below(6) {
            0 => 0,
            1 => max,
            _ => random.below(usize::from(max) + 1) as u16,
        };
        let layouts = self.layouts();
        layouts.iter().map(|layout| (0..layout.width * layout.height).map(|_| sample()).collect()).collect()
    }
}

/// One component at the size of the image.
fn upsampled(plane: &[u16], layout: &ComponentLayout, frame: &Frame, interpolates: bool) -> Vec<u16> {
    let ComponentLayout { horizontal, vertical, width, height, .. } = *layout;
    let sample = |x: usize, y: usize| u32::from(plane[y.min(height - 1) * width + x.min(width - 1)]);
    let pixel = |(x, y): (usize, usize)| {
        let (near_x, near_y) = (x / horizontal, y / vertical);
        let far_x = if x.is_multiple_of(2) { near_x.saturating_sub(1) } else { near_x + 1 };
        let far_y = if y.is_multiple_of(2) { near_y.saturating_sub(1) } else { near_y + 1 };
        let odd = |index: usize, even: u32, odd: u32| if index.is_multiple_of(2) { even } else { odd };
        match (horizontal, vertical) {
            (2, 1) if interpolates && width > 2 => {
                (3 * sample(near_x, near_y) + sample(far_x, near_y) + odd(x, 1, 2)) >> 2
            }
            (1, 2) if interpolates => (3 * sample(near_x, near_y) + sample(near_x, far_y) + odd(y, 1, 2)) >> 2,
            (2, 2) if interpolates && width > 2 => {
                let sum = |x: usize| 3 * sample(x, near_y) + sample(x, far_y);
                (3 * sum(near_x) + sum(far_x) + odd(x, 8, 7)) >> 4
            }
            _ => sample(near_x, near_y),
        }
    };
    let pixels = (0..frame.rows).flat_map(|y| (0..frame.columns).map(move |x| (x, y)));
    pixels.map(|position| pixel(position) as u16).collect()
}

fn t871([y, cb, cr]: [u16; 3], bits: u32) -> [u16; 3] {
    let (y, middle) = (i64::from(y), 1_i64 << (bits - 1));
    let (cb, cr) = (i64::from(cb) - middle, i64::from(cr) - middle);
    [91_881 * cr, -22_554 * cb - 46_802 * cr, 116_130 * cb]
        .map(|sum| (y + ((sum + 32_768) >> 16)).clamp(0, 2 * middle - 1) as u16)
}

fn reference(frame: &Frame, planes: &[Vec<u16>], interpolates: bool, conversion: Option<RgbConversion>) -> Vec<u16> {
    let layouts = frame.layouts();
    let upsampled: Vec<Vec<u16>> =
        planes.iter().zip(&layouts).map(|(plane, layout)| upsampled(plane, layout, frame, interpolates)).collect();
    let pixel = |index: usize| {
        let pixel: Vec<u16> = upsampled.iter().map(|plane| plane[index]).collect();
        match (conversion, pixel.as_slice()) {
            (Some(RgbConversion::T871), [y, cb, cr]) => t871([*y, *cb, *cr], frame.bits).to_vec(),
            (Some(RgbConversion::Dicom), [y, cb, cr]) => {
                let mut pixel = [*y, *cb, *cr].map(|sample| sample as u8);
                crate::kernel::ybr::full_to_rgb(&mut pixel, CpuLevel::PORTABLE);
                pixel.map(u16::from).to_vec()
            }
            _ => pixel,
        }
    };
    (0..frame.rows * frame.columns).flat_map(pixel).collect()
}

/// Stores one MCU row of the planes, and 0xA5 to the samples that only fill blocks.
fn fill(ring: &mut RowRing<'_>, frame: &Frame, planes: &[Vec<u16>], mcu_row: usize) {
    let bytes = if frame.bits > 8 { 2 } else { 1 };
    for (index, (plane, layout)) in planes.iter().zip(frame.layouts()).enumerate() {
        let (offset, stride) = ring.placement(index, mcu_row);
        let first = mcu_row * layout.mcu_rows;
        for row in 0..layout.mcu_rows {
            let memory = &mut ring.samples_mut()[offset + row * stride..][..layout.padded_width * bytes];
            memory.fill(0xA5);
            let samples = plane.chunks(layout.width).nth(first + row).unwrap_or_default();
            for (memory, sample) in memory.chunks_exact_mut(bytes).zip(samples) {
                memory.copy_from_slice(&sample.to_le_bytes()[..bytes]);
            }
        }
    }
}

/// Runs the ring over all MCU rows; the output as numbers.
#[allow(clippy::too_many_arguments, reason = "the dimensions of the test")]
fn run(
    frame: &Frame,
    planes: &[Vec<u16>],
    interpolates: bool,
    to_rgb: Option<RgbConversion>,
    allocated: u32,
    target: SampleType,
    buffers: &mut RowBuffers,
    level: CpuLevel,
) -> Vec<u16> {
    let info = FrameInfo::new(Attributes {
        rows: frame.rows as u32,
        columns: frame.columns as u32,
        samples_per_pixel: planes.len() as u32,
        bits_allocated: allocated,
        bits_stored: allocated,
        high_bit: allocated - 1,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
    .unwrap();
    let mut memory = vec![0x5A5A_5A5A_5A5A_5A5A_u64; info.samples()];
    let mut scratch = ScratchBlock::default();
    let stop = AtomicBool::new(false);
    let cancel = Cancel { stop: &stop, poll: None };
    let out = SamplesMut::in_words(target, &mut memory, info.samples()).unwrap();
    let options = OutputOptions { to_rgb, ..OutputOptions::default() };
    let mut output = Output::new(&info, true, options, out, &mut scratch, cancel, level).unwrap();
    let limits = Limits::unbounded();
    let precision = if frame.bits > 8 { Precision::Twelve } else { Precision::Eight };
    let (columns, rows) = (frame.columns, frame.rows);
    let mut ring = RowRing::new(&frame.layouts(), precision, interpolates, columns, rows, buffers, &limits).unwrap();
    for mcu_row in 0..frame.mcu_rows() {
        fill(&mut ring, frame, planes, mcu_row);
        ring.emit(mcu_row, &mut output).unwrap();
    }
    assert_eq!(output.pixels_left(), 0, "{frame:?}");
    let mut out = SamplesMut::in_words(target, &mut memory, info.samples()).unwrap();
    let samples = out.bytes_mut().chunks_exact(target.bytes());
    samples.map(|sample| u16::from_le_bytes([sample[0], sample.get(1).copied().unwrap_or(0)])).collect()
}

/// Compares all conversions and CPU levels of one frame with the reference.
fn check(frame: &Frame, interpolates: bool, random: &mut Random, buffers: &mut RowBuffers) {
    let planes = frame.random_planes(random);
    let (allocated, target) = if frame.bits > 8 { (16, SampleType::U16) } else { (8, SampleType::U8) };
    let conversions: &[_] = match (planes.len(), frame.bits) {
        (3, 8) => &[None, Some(RgbConversion::T871), Some(RgbConversion::Dicom)],
        (3, _) => &[None, Some(RgbConversion::T871)],
        _ => &[None],
    };
    for conversion in conversions {
        let expected = reference(frame, &planes, interpolates, *conversion);
        for level in CpuLevel::available() {
            let found = run(frame, &planes, interpolates, *conversion, allocated, target, buffers, level);
            assert!(found == expected, "{frame:?}, {conversion:?}, {}", level.name());
        }
    }
}

const SAMPLINGS: [&[(usize, usize)]; 18] = [
    &[(1, 1)],
    &[(1, 1), (1, 1)],
    &[(2, 2), (1, 1)],
    &[(1, 1), (1, 1), (1, 1)],
    &[(2, 1), (1, 1), (1, 1)],
    &[(2, 2), (1, 1), (1, 1)],
    &[(1, 2), (1, 1), (1, 1)],
    &[(4, 1), (1, 1), (1, 1)],
    &[(1, 4), (1, 1), (1, 1)],
    &[(4, 2), (2, 1), (2, 1)],
    &[(2, 2), (2, 1), (1, 2)],
    &[(2, 2), (1, 2), (1, 1)],
    &[(1, 1), (2, 2), (2, 2)],
    &[(1, 2), (2, 1), (2, 2)],
    &[(3, 1), (1, 1), (1, 1)],
    &[(3, 3), (1, 3), (3, 1)],
    &[(1, 1), (1, 1), (1, 1), (1, 1)],
    &[(2, 2), (1, 1), (1, 1), (2, 2)],
];

#[test]
fn rows_every_sampling_equals_reference() {
    let (mut random, mut buffers) = (Random(4), RowBuffers::default());
    for (index, factors) in SAMPLINGS.iter().enumerate().step_by(miri_or(1, 5)) {
        for bits in [8, 12] {
            for size in 0..miri_or(14, 2) {
                // Sizes up to 8, then up to 70.
                let max = if size < 6 { 8 } else { 70 };
                let (columns, rows) = (1 + random.below(max), 1 + random.below(max));
                let frame = Frame { columns, rows, factors: factors.to_vec(), bits, block: 8 };
                check(&frame, (size + index) % 7 != 0, &mut random, &mut buffers);
            }
        }
    }
}

#[test]
fn rows_every_width_equals_reference() {
    let (mut random, mut buffers) = (Random(5), RowBuffers::default());
    for columns in (1..=70).step_by(miri_or(1, 23)) {
        for factors in SAMPLINGS.iter().filter(|factors| factors.len() == 3).take(8) {
            let frame = Frame { columns, rows: 1 + columns % 19, factors: factors.to_vec(), bits: 8, block: 8 };
            check(&frame, true, &mut random, &mut buffers);
        }
    }
}

#[test]
fn rows_of_scaled_blocks_equal_reference() {
    let (mut random, mut buffers) = (Random(6), RowBuffers::default());
    for block in [1, 2, 4] {
        for factors in SAMPLINGS {
            let frame = Frame { columns: 23, rows: 21, factors: factors.to_vec(), bits: 8, block };
            check(&frame, block > 1, &mut random, &mut buffers);
        }
    }
}

/// Output of wider samples than the components have, and rows longer than the blocks of the output stage.
#[test]
fn rows_to_wider_samples_and_long_rows_equal_reference() {
    let (mut random, mut buffers) = (Random(7), RowBuffers::default());
    let long = miri_or(33_001, 1001);
    let cases = [
        (1, 8, 37, 16, SampleType::U16),
        (3, 8, 37, 16, SampleType::U16),
        (3, 8, 37, 32, SampleType::U32),
        (3, 12, 37, 32, SampleType::U32),
        (3, 12, 37, 16, SampleType::U32),
        (1, 8, long, 16, SampleType::U16),
        (1, 12, long, 16, SampleType::U32),
        (3, 8, long, 8, SampleType::U16),
    ];
    for (components, bits, columns, allocated, target) in cases {
        let factors = [(2, 2), (1, 1), (1, 1)][..components].to_vec();
        let frame = Frame { columns, rows: 18, factors, bits, block: 8 };
        let planes = frame.random_planes(&mut random);
        for level in CpuLevel::available() {
            let found = run(&frame, &planes, true, None, allocated, target, &mut buffers, level);
            assert!(found == reference(&frame, &planes, true, None), "{columns} columns, {allocated} bits");
        }
    }
}

#[test]
fn rows_beyond_the_budget_are_an_error() {
    let frame = Frame { columns: 1000, rows: 16, factors: SAMPLINGS[5].to_vec(), bits: 8, block: 8 };
    let mut buffers = RowBuffers::default();
    let new = |buffers: &mut RowBuffers, max_bytes| {
        RowRing::new(&frame.layouts(), Precision::Eight, true, 1000, 16, buffers, &Limits::new(Some(max_bytes)))
            .map(|_| ())
    };
    assert_eq!(new(&mut buffers, 40_000).unwrap_err().kind(), ErrorKind::LimitExceeded);
    new(&mut buffers, 100_000).unwrap();
    // Memory that exists is not counted again.
    new(&mut buffers, 0).unwrap();
}
