//! Large frames are decoded on several threads; any number of threads gives the same samples and errors.

#![allow(clippy::cast_possible_truncation, reason = "test images are small")]

use super::{DecoderState, bands};
use crate::encode::{self, Image, jpegls};
use crate::testing::{Random, miri_or};
use crate::{
    Attributes, Cancel, DecodeOptions, ErrorKind, FrameContext, FrameInfo, Limits, PhotometricInterpretation, Result,
    SampleKind, Samples, SamplesMut, TransferSyntax, Workspace, decode_frame,
};
use std::sync::atomic::AtomicBool;

const COLUMNS: u32 = 256;
/// Rows of a component that two threads decode.
const ROWS: u32 = (2 * bands::MIN_BAND_SAMPLES).div_ceil(COLUMNS as usize) as u32;

struct Frame {
    bytes: Vec<u8>,
    samples: Vec<u8>,
    info: FrameInfo,
}

/// Returns a frame with one scan per component.
fn separate_scans(rows: u32, components: u32) -> Frame {
    let mut random = Random(7);
    let count = rows * COLUMNS * components;
    let samples: Vec<u8> = (0..count).map(|index| (index / 64 % 200) as u8 + random.below(4) as u8).collect();
    let attributes = Attributes {
        rows,
        columns: COLUMNS,
        samples_per_pixel: components,
        bits_allocated: 8,
        bits_stored: 8,
        high_bit: 7,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    };
    Frame { bytes: encoded(&samples, rows, components), samples, info: FrameInfo::new(attributes).unwrap() }
}

fn encoded(samples: &[u8], rows: u32, samples_per_pixel: u32) -> Vec<u8> {
    let image = Image { samples: Samples::U8(samples), rows, columns: COLUMNS, samples_per_pixel };
    let parameters = jpegls::Parameters { interleave: jpegls::Interleave::None, ..jpegls::Parameters::default() };
    encode::jpegls(&image, parameters, Cancel { stop: &AtomicBool::new(false), poll: None }).unwrap()
}

/// Returns a frame of one component with restart intervals, each of which is coded as an image of its own would be.
fn with_restarts(rows: u32, interval: u16) -> Frame {
    let Frame { samples, info, .. } = separate_scans(rows, 1);
    let interval_samples = usize::from(interval) * COLUMNS as usize;
    let mut bytes = Vec::new();
    for (index, samples) in samples.chunks(interval_samples).enumerate() {
        let image = encoded(samples, samples.len() as u32 / COLUMNS, 1);
        let scan = image.windows(2).position(|bytes| bytes == [0xFF, 0xDA]).unwrap();
        // A scan header of one component has 8 bytes.
        let data = &image[scan + 10..image.len() - 2];
        if index == 0 {
            bytes.extend(&image[..scan]);
            let lines = bytes.windows(2).position(|bytes| bytes == [0xFF, 0xF7]).unwrap() + 5;
            bytes[lines..lines + 2].copy_from_slice(&(rows as u16).to_be_bytes());
            bytes.extend([0xFF, 0xDD, 0, 4]);
            bytes.extend(interval.to_be_bytes());
            bytes.extend(&image[scan..scan + 10]);
        } else {
            bytes.extend([0xFF, 0xD0 + ((index - 1) % 8) as u8]);
        }
        bytes.extend(data);
    }
    bytes.extend([0xFF, 0xD9]);
    Frame { bytes, samples, info }
}

impl Frame {
    /// Returns the outcome, and `true` if several threads were used.
    fn decode(&self, threads: usize, max_bytes: Option<u64>) -> (Result<Vec<u8>>, bool) {
        let limits = Limits::new(max_bytes);
        let options = DecodeOptions { threads, ..DecodeOptions::default() };
        let context =
            FrameContext { syntax: TransferSyntax::JPEG_LS_LOSSLESS, info: &self.info, limits: &limits, options };
        let (mut out, mut workspace) = (vec![0; self.info.samples()], Workspace::default());
        let (samples, stop) = (SamplesMut::U8(&mut out), AtomicBool::new(false));
        let cancel = Cancel { stop: &stop, poll: None };
        let result = decode_frame(&context, self.bytes.as_slice().into(), samples, &mut workspace, cancel);
        let is_parallel =
            workspace.state.with(|state: &mut DecoderState| !state.workers.is_empty() || !state.blocks.is_empty());
        (result.map(|_| out), is_parallel)
    }

    fn check(&self, threads: usize, is_parallel: bool) {
        let (samples, found) = self.decode(threads, None);
        assert!(samples.unwrap() == self.samples, "{threads} threads");
        assert_eq!(found, is_parallel, "{threads} threads");
    }
}

#[test]
fn decode_large_frame_on_several_threads_gives_its_samples() {
    for frame in [with_restarts(ROWS, 5), with_restarts(ROWS, 200), separate_scans(ROWS, 3), separate_scans(ROWS, 2)] {
        frame.check(1, false);
        (2..miri_or(5, 3)).for_each(|threads| frame.check(threads, true));
    }
}

#[test]
fn decode_small_or_single_segment_on_one_thread() {
    for frame in
        [with_restarts(ROWS / 2, 5), separate_scans(ROWS / 4, 3), with_restarts(ROWS, 2000), separate_scans(ROWS, 1)]
    {
        frame.check(2, false);
    }
}

#[test]
fn decode_within_the_budget_of_one_thread_uses_one_thread() {
    for frame in [with_restarts(ROWS, 5), separate_scans(ROWS, 3)] {
        let is_enough = |threads, max_bytes| match frame.decode(threads, Some(max_bytes)) {
            (Ok(samples), is_parallel) => Some((samples == frame.samples, is_parallel)),
            (Err(error), _) => {
                assert_eq!(error.kind(), ErrorKind::LimitExceeded);
                None
            }
        };
        let smallest = (0..).map(|step| step * 256).find(|max_bytes| is_enough(1, *max_bytes).is_some()).unwrap();
        assert_eq!(is_enough(2, smallest), Some((true, false)));
        assert_eq!(is_enough(2, 64 * smallest), Some((true, true)));
    }
}
