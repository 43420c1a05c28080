//! CT-like DICOM files for benchmarks and instruction counts, and functions that decode them.
#![allow(dead_code, reason = "each program that includes this module uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "sizes are constants, and a measurement that fails must stop"
)]

mod write;

use dicoxide_core::frames::{FramesOutput, check_frames, decode_frames};
use dicoxide_core::{DecodeOptions, FrameContext, Limits, SamplesBuf, TransferSyntax};
use dicoxide_part10::{Image, Object, Source, open};
use flate2::{Compression, write::DeflateEncoder};
use std::io::Write;
use std::path::PathBuf;
use write::{Style, file_meta};

/// A file with frames of 12-bit samples in 16 bits.
pub(crate) struct Ct<'a> {
    pub(crate) syntax: TransferSyntax,
    /// Rows and columns, in pixels.
    pub(crate) side: u32,
    pub(crate) frame_count: usize,
    /// Number of items of a private sequence; each has two more levels of sequences.
    pub(crate) private_item_count: usize,
    pub(crate) pixels: Pixels<'a>,
}

/// The value of Pixel Data.
#[derive(Clone, Copy)]
pub(crate) enum Pixels<'a> {
    /// Little-endian samples.
    Native(&'a [u8]),
    /// Fragments, after an empty Basic Offset Table.
    Fragments(&'a [Vec<u8>]),
    /// Frames of one fragment each, with an Extended Offset Table.
    Offsets(&'a [Vec<u8>]),
}

impl Ct<'_> {
    /// Returns the bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let style = Style {
            is_implicit: self.syntax == TransferSyntax::IMPLICIT_VR_LITTLE_ENDIAN,
            is_big_endian: self.syntax.is_big_endian(),
            is_undefined: true,
        };
        let mut file = file_meta(self.syntax.uid());
        let data_set = self.data_set(style);
        if self.syntax != TransferSyntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
            file.extend(data_set);
            return file;
        }
        let mut deflated = DeflateEncoder::new(file, Compression::fast());
        deflated.write_all(&data_set).unwrap();
        deflated.finish().unwrap()
    }

    fn data_set(&self, style: Style) -> Vec<u8> {
        let mut out = Vec::new();
        write_texts(style, &mut out, &ELEMENTS_BEFORE_IMAGE_PIXEL);
        if self.private_item_count > 0 {
            self.write_private(style, &mut out);
        }
        let us = |value: u32| style.u16(value as u16);
        style.element(&mut out, 0x0028_0002, b"US", &us(1));
        write_texts(style, &mut out, &[(0x0028_0004, b"CS", "MONOCHROME2")]);
        if self.frame_count > 1 {
            write_texts(style, &mut out, &[(0x0028_0008, b"IS", &self.frame_count.to_string())]);
        }
        for (tag, value) in [(0x10, self.side), (0x11, self.side), (0x100, 16), (0x101, 12), (0x102, 11), (0x103, 0)] {
            style.element(&mut out, 0x0028_0000 + tag, b"US", &us(value));
        }
        write_texts(style, &mut out, &ELEMENTS_AFTER_IMAGE_PIXEL);
        match self.pixels {
            Pixels::Native(samples) => {
                let swapped = samples.as_chunks().0.iter().flat_map(|[low, high]| [*high, *low]);
                let swapped: Option<Vec<u8>> = style.is_big_endian.then(|| swapped.collect());
                style.element(&mut out, 0x7FE0_0010, b"OW", swapped.as_deref().unwrap_or(samples));
            }
            Pixels::Fragments(fragments) => style.fragments(&mut out, std::iter::once(&Vec::new()).chain(fragments)),
            Pixels::Offsets(frames) => {
                let mut offset = 0;
                let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
                for frame in frames {
                    offsets.extend(u64::to_le_bytes(offset));
                    lengths.extend(u64::to_le_bytes(frame.len() as u64));
                    offset += 8 + frame.len().next_multiple_of(2) as u64;
                }
                style.element(&mut out, 0x7FE0_0001, b"OV", &offsets);
                style.element(&mut out, 0x7FE0_0002, b"OV", &lengths);
                style.fragments(&mut out, std::iter::once(&Vec::new()).chain(frames));
            }
        }
        out
    }

    fn write_private(&self, style: Style, out: &mut Vec<u8>) {
        write_texts(style, out, &[(0x0027_0010, b"LO", "PRIVATE HEADER")]);
        style.sequence(out, 0x0027_1010, self.private_item_count, &mut |item| {
            write_texts(style, item, &[(0x0027_0010, b"LO", "PRIVATE HEADER"), (0x0027_1001, b"DS", "0.5")]);
            style.sequence(item, 0x0027_1011, 1, &mut |inner| {
                write_texts(style, inner, &[(0x0027_0010, b"LO", "PRIVATE HEADER"), (0x0027_1002, b"SH", "value")]);
                style.sequence(inner, 0x0027_1012, 1, &mut |innermost| {
                    write_texts(style, innermost, &[(0x0027_1003, b"UI", "1.2.3.4.5.6.7.8.9")]);
                });
            });
        });
    }
}

type Texts<'a> = [(u32, &'a [u8; 2], &'a str)];

fn write_texts(style: Style, out: &mut Vec<u8>, texts: &Texts<'_>) {
    for (tag, vr, text) in texts {
        let mut value = text.as_bytes().to_vec();
        value.resize(text.len().next_multiple_of(2), if *vr == b"UI" { 0 } else { b' ' });
        style.element(out, *tag, vr, &value);
    }
}

/// Attributes of the patient, study, series and acquisition, in the number that is usual for a CT file.
const ELEMENTS_BEFORE_IMAGE_PIXEL: [(u32, &[u8; 2], &str); 55] = [
    (0x0008_0005, b"CS", "ISO_IR 100"),
    (0x0008_0008, b"CS", "ORIGINAL\\PRIMARY\\AXIAL"),
    (0x0008_0016, b"UI", "1.2.840.10008.5.1.4.1.1.2"),
    (0x0008_0018, b"UI", "1.2.826.0.1.3680043.10.1.1.1.1"),
    (0x0008_0020, b"DA", "20260101"),
    (0x0008_0021, b"DA", "20260101"),
    (0x0008_0022, b"DA", "20260101"),
    (0x0008_0023, b"DA", "20260101"),
    (0x0008_0030, b"TM", "101112.130000"),
    (0x0008_0031, b"TM", "101112.130000"),
    (0x0008_0032, b"TM", "101112.130000"),
    (0x0008_0033, b"TM", "101112.130000"),
    (0x0008_0050, b"SH", "A1234567"),
    (0x0008_0060, b"CS", "CT"),
    (0x0008_0070, b"LO", "Manufacturer"),
    (0x0008_0080, b"LO", "Institution"),
    (0x0008_0090, b"PN", "Physician^Referring"),
    (0x0008_1010, b"SH", "STATION1"),
    (0x0008_1030, b"LO", "Thorax and abdomen"),
    (0x0008_103E, b"LO", "Soft tissue 1.0"),
    (0x0008_1090, b"LO", "Model name"),
    (0x0010_0010, b"PN", "Patient^Name"),
    (0x0010_0020, b"LO", "PID1234"),
    (0x0010_0030, b"DA", "19600101"),
    (0x0010_0040, b"CS", "O"),
    (0x0010_1010, b"AS", "066Y"),
    (0x0018_0015, b"CS", "CHEST"),
    (0x0018_0022, b"CS", "HELICAL MODE"),
    (0x0018_0050, b"DS", "1.0"),
    (0x0018_0060, b"DS", "120"),
    (0x0018_0090, b"DS", "500"),
    (0x0018_1020, b"LO", "software 1.2"),
    (0x0018_1030, b"LO", "Protocol"),
    (0x0018_1100, b"DS", "380"),
    (0x0018_1110, b"DS", "1040"),
    (0x0018_1111, b"DS", "570"),
    (0x0018_1120, b"DS", "0"),
    (0x0018_1130, b"DS", "150"),
    (0x0018_1140, b"CS", "CW"),
    (0x0018_1150, b"IS", "500"),
    (0x0018_1151, b"IS", "250"),
    (0x0018_1152, b"IS", "125"),
    (0x0018_1160, b"SH", "BODY FILTER"),
    (0x0018_1210, b"SH", "B31f"),
    (0x0018_5100, b"CS", "FFS"),
    (0x0020_000D, b"UI", "1.2.826.0.1.3680043.10.1.1.2"),
    (0x0020_000E, b"UI", "1.2.826.0.1.3680043.10.1.1.3"),
    (0x0020_0010, b"SH", "1"),
    (0x0020_0011, b"IS", "2"),
    (0x0020_0012, b"IS", "1"),
    (0x0020_0013, b"IS", "17"),
    (0x0020_0032, b"DS", "-190.0\\-190.0\\-310.5"),
    (0x0020_0037, b"DS", "1\\0\\0\\0\\1\\0"),
    (0x0020_0052, b"UI", "1.2.826.0.1.3680043.10.1.1.4"),
    (0x0020_1041, b"DS", "-310.5"),
];

/// Window and rescale attributes.
const ELEMENTS_AFTER_IMAGE_PIXEL: [(u32, &[u8; 2], &str); 5] = [
    (0x0028_1050, b"DS", "40"),
    (0x0028_1051, b"DS", "400"),
    (0x0028_1052, b"DS", "-1024"),
    (0x0028_1053, b"DS", "1"),
    (0x0028_1054, b"LO", "HU"),
];

/// A temporary directory, removed when this is dropped. It is the working directory of the process, so that paths have
/// the same length, and instruction counts are equal, wherever it is.
pub(crate) struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    pub(crate) fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("dicoxide-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        std::env::set_current_dir(&directory).unwrap();
        Self(directory)
    }

    /// Writes a file and returns it as a source.
    #[allow(clippy::unused_self, reason = "the file needs the directory")]
    pub(crate) fn source(&self, name: &str, file: &Ct<'_>) -> Source {
        std::fs::write(name, file.bytes()).unwrap();
        Source::Path(name.into())
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // A directory that cannot be removed is left to the system.
        let _ = std::env::set_current_dir(std::env::temp_dir()).and_then(|()| std::fs::remove_dir_all(&self.0));
    }
}

/// Opens a file and locates its frames; returns their number too.
pub(crate) fn prepare(source: &Source) -> (Object, Image, usize) {
    let (object, image) = open(source, &Limits::unbounded()).expect("a valid file");
    let (_, _, _, table) = image.frames(&object).expect("an image");
    (object, image, table.frame_count())
}

/// Allocates memory for the samples of a file.
pub(crate) fn memory(source: &Source) -> SamplesBuf {
    let (object, image) = open(source, &Limits::unbounded()).expect("a valid file");
    let (_, _, info, table) = image.frames(&object).expect("an image");
    let samples = info.samples() * table.frame_count();
    // Not zeroed, so that the pages are mapped before the measurement.
    SamplesBuf::new(info.sample_type(), samples, |words| Ok(vec![1; words])).unwrap()
}

/// Opens a file and decodes all its frames on one thread, as `dicoxide.decode(path)` does.
pub(crate) fn decode(source: &Source, out: &mut SamplesBuf) {
    let limits = Limits::unbounded();
    let (object, image) = open(source, &limits).expect("a valid file");
    let (syntax, codec, info, table) = image.frames(&object).expect("an image");
    let data = image.pixel_data(&object);
    let indices: Vec<usize> = (0..table.frame_count()).collect();
    check_frames(&table, data, &indices, &info, codec, &limits).expect("frames of sufficient length");
    let context = FrameContext { syntax, info: &info, limits: &limits, options: DecodeOptions::default() };
    let out = FramesOutput { samples: out.as_mut(), transforms: &[], is_warm: true };
    let summary = decode_frames(&context, &table, data, &indices, out, 1, &|| false).expect("valid frames");
    assert!(summary.deviations.is_empty(), "{:?}", summary.deviations);
}
