//! Headers of codestreams: complete, truncated and corrupt.

use super::*;
use crate::codestream::Colour;
use crate::error::ErrorKind;

fn jpeg(segments: &[u8], sof: u8, frame_parameters: &[u8]) -> Vec<u8> {
    let length = u16::try_from(frame_parameters.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, 0xD8], segments, &[0xFF, sof], &length, frame_parameters].concat()
}

/// 3 rows of 256 columns, 8 bits, one component.
const GRAY: [u8; 9] = [8, 0, 3, 1, 0, 1, 1, 0x11, 0];

fn with_ids(ids: [u8; 3]) -> Vec<u8> {
    let mut parameters = vec![8, 0, 3, 1, 0, 3];
    ids.iter().for_each(|id| parameters.extend([*id, 0x11, 0]));
    parameters
}

const APP0_JFIF: [u8; 18] = *b"\xFF\xE0\0\x10JFIF\0\x01\x02\0\0\x01\0\x01\0\0";

fn adobe(transform: u8) -> Vec<u8> {
    [b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0", &[transform][..]].concat()
}

fn info(bytes: &[u8]) -> (CodestreamFormat, CodestreamInfo) {
    let found = identify(bytes).unwrap();
    (found.format, found.info.unwrap())
}

/// Main header of a codestream of 5 rows, 7 columns and 3 components, which share `depth`.
fn jpeg_2000(before_cod: &[u8], depth: u8, transform: u8, levels: u8, wavelet: u8) -> Vec<u8> {
    let siz = [0, 47, 0, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 4];
    let components = [0, 0, 0, 0, 0, 0, 0, 0, 0, 3, depth, 1, 1, depth, 1, 1, depth, 1, 1];
    let cod = [0xFF, 0x52, 0, 12, 0, 0, 0, 1, transform, levels, 4, 4, 0, wavelet];
    [&[0xFF, 0x4F, 0xFF, 0x51][..], &siz, &components, before_cod, &cod, &[0xFF, 0x90, 0, 10]].concat()
}

#[test]
fn identify_start_of_frame_decides_the_jpeg_format() {
    use CodestreamFormat::{Jpeg, JpegArithmetic, JpegHierarchical, JpegLossless};
    let decoded = [(0xC0, Jpeg), (0xC1, Jpeg), (0xC2, Jpeg), (0xC3, JpegLossless)];
    let others = [(0xC9, JpegArithmetic), (0xCA, JpegArithmetic), (0xCB, JpegArithmetic), (0xC5, JpegHierarchical)];
    let formats = decoded.into_iter().chain(others);
    for (sof, format) in formats {
        let bytes = jpeg(&[0xFF, 0xFF, 0xE0, 0, 4, 0xFF, 0xC0], sof, &GRAY);
        let (found, info) = info(&bytes);
        assert_eq!(found, format);
        assert_eq!((info.rows, info.columns, info.components, info.precision), (3, 256, 1, 8));
        assert_eq!((info.is_signed, info.colour(), info.tile), (None, Some(Colour::Gray), None));
        assert_eq!(info.resolution_levels, if format == Jpeg { 4 } else { 1 });
        assert_eq!(jpeg_format(&bytes), Some((format, 9)));
    }
}

#[test]
fn identify_jpeg_ls_reads_near_from_the_first_scan() {
    let frame = jpeg(&[], 0xF7, &GRAY);
    for near in [0, 3] {
        let scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, near, 0, 0];
        let (format, info) = info(&[&frame[..], &scan].concat());
        assert_eq!((format, info.is_lossy), (CodestreamFormat::JpegLs, Some(near > 0)));
    }
    assert_eq!(identify(&frame).unwrap_err().kind(), ErrorKind::Truncated);
    // Its size needs no scan.
    assert_eq!(codestream_size(&frame), Some((3, 256)));
}

#[test]
fn identify_jpeg_ls_dimensions_may_be_in_lse_or_dnl() {
    let scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0, 0x12, 0xFF, 0x7F, 0xFF, 0xD0, 0x34];
    let lse = [0xFF, 0xF8, 0, 10, 4, 3, 1, 0, 1, 2, 0, 2];
    let frame = jpeg(&lse, 0xF7, &[8, 0, 0, 0, 0, 1, 1, 0x11, 0]);
    let (_, found) = info(&[&frame[..], &scan].concat());
    assert_eq!((found.rows, found.offsets.rows), (0x1_0001, 8));
    assert_eq!((found.columns, found.offsets.columns), (0x2_0002, 11));
    assert_eq!(codestream_size(&frame), None);
    let frame = jpeg(&[], 0xF7, &[8, 0, 0, 1, 0, 1, 1, 0x11, 0]);
    let whole = [&frame[..], &scan, &[0xFF, 0xFF, 0xDC, 0, 5, 1, 2, 3]].concat();
    let (_, found) = info(&whole);
    assert_eq!((found.rows, found.offsets.rows), (0x1_0203, whole.len() - 3));
    let error = identify(&[&frame[..], &scan, &[0xFF, 0xD9]].concat()).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Malformed, Some(7)));
    let other_lines = [&jpeg(&lse, 0xF7, &[8, 0, 1, 0, 0, 1, 1, 0x11, 0])[..], &scan].concat();
    assert_eq!(identify(&other_lines).unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn identify_colour_transform_of_hp_is_rgb_unless_components_are_in_separate_scans() {
    let transform = |number| [b"\xFF\xE8\0\x07mrfx", &[number][..]].concat();
    let colour = |number, sof, components: &[u8]| {
        let count = u8::try_from(components.len()).unwrap();
        let mut scan = vec![0xFF, 0xDA, 0, 6 + 2 * count, count];
        components.iter().for_each(|id| scan.extend([*id, 0]));
        scan.extend([0, 2, 0]);
        let segments = [&transform(number)[..], &APP0_JFIF].concat();
        info(&[jpeg(&segments, sof, &with_ids([1, 2, 3])), scan].concat()).1.colour()
    };
    assert_eq!(colour(2, 0xF7, &[1, 2, 3]), Some(Colour::Rgb));
    assert_eq!(colour(0, 0xF7, &[1, 2, 3]), Some(Colour::Ybr));
    assert_eq!(colour(2, 0xF7, &[1]), Some(Colour::Ybr));
    assert_eq!(colour(2, 0xC3, &[1, 2, 3]), Some(Colour::Ybr));
}

#[test]
fn identify_colour_follows_jfif_then_adobe_then_component_ids() {
    let colour = |segments: &[u8], ids: [u8; 3]| info(&jpeg(segments, 0xC3, &with_ids(ids))).1.colour();
    assert_eq!(colour(&[], [1, 2, 3]), None);
    assert_eq!(colour(&[], *b"RGB"), Some(Colour::Rgb));
    assert_eq!(colour(&[], *b"rgb"), Some(Colour::Rgb));
    assert_eq!(colour(&APP0_JFIF, [1, 2, 3]), Some(Colour::Ybr));
    assert_eq!(colour(&adobe(0), [1, 2, 3]), Some(Colour::Rgb));
    assert_eq!(colour(&adobe(1), [1, 2, 3]), Some(Colour::Ybr));
    assert_eq!(colour(&adobe(1), *b"RGB"), Some(Colour::Ybr));
    assert_eq!(colour(&[&adobe(0)[..], &APP0_JFIF].concat(), *b"RGB"), Some(Colour::Ybr));
}

#[test]
fn identify_number_of_lines_may_be_in_dnl_after_the_first_scan() {
    let frame = jpeg(&[], 0xC3, &[8, 0, 0, 1, 0, 1, 1, 0x11, 0]);
    let scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0, 0x12, 0xFF, 0, 0xFF, 0xD0, 0x34];
    let whole = [&frame[..], &scan, &[0xFF, 0xFF, 0xDC, 0, 4, 1, 2]].concat();
    let (_, found) = info(&whole);
    assert_eq!((found.rows, found.offsets.rows), (0x102, whole.len() - 2));
    assert_eq!(codestream_size(&whole), None);
    let error = identify(&[&frame[..], &scan, &[0xFF, 0xD9]].concat()).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Malformed, Some(7)));
}

#[test]
fn identify_jpeg_2000_reads_size_depth_transform_and_levels() {
    let (format, info) = info(&jpeg_2000(&[], 0x8B, 1, 5, 0));
    assert_eq!(format, CodestreamFormat::Jpeg2000);
    assert_eq!((info.rows, info.columns, info.components, info.precision), (5, 7, 3, 12));
    assert_eq!((info.is_signed, info.is_lossy, info.resolution_levels), (Some(true), Some(true), 6));
    assert_eq!((info.tile, info.colour()), (Some((4, 4)), Some(Colour::Rgb)));
    let cap = [0xFF, 0x50, 0, 8, 0, 2, 0, 0, 0, 0];
    let high_throughput = jpeg_2000(&cap, 7, 0, 0, 1);
    let (format, info) = self::info(&high_throughput);
    assert_eq!(format, CodestreamFormat::Htj2k);
    assert_eq!(
        (info.is_signed, info.is_lossy, info.resolution_levels, info.colour()),
        (Some(false), Some(false), 1, None)
    );
    let boxed = [b"\0\0\0\x0CjP  \r\n\x87\n\0\0\0\x09ftypX\0\0\0\0jp2c".to_vec(), high_throughput.clone()].concat();
    let (format, info) = self::info(&boxed);
    assert_eq!((format, info.rows, info.columns), (CodestreamFormat::Htj2k, 5, 7));
    assert_eq!(info.offsets.rows, 12 + 9 + 8 + 4 + 8);
    assert_eq!(codestream_size(&high_throughput), Some((5, 7)));
}

#[test]
fn identify_jpeg_xl_reads_the_header_of_bare_and_boxed_codestreams() {
    for signature in [JXL, JXL_BOX] {
        assert_eq!(identify(signature).unwrap_err().kind(), ErrorKind::Truncated);
        assert_eq!(codestream_size(signature), None);
    }
    // 8 × 8 pixels, default metadata.
    let bare = [JXL, &[0x41, 0x0E]].concat();
    for frame in [bare.clone(), [JXL_BOX, b"\0\0\0\x0Cjxlc", &bare].concat()] {
        let Codestream { format, info } = identify(&frame).unwrap();
        let info = info.unwrap();
        assert_eq!(format, CodestreamFormat::JpegXl);
        assert_eq!((info.rows, info.columns, info.components, info.precision), (8, 8, 3, 8));
        assert_eq!(format_of(&frame), Some((CodestreamFormat::JpegXl, 0)));
    }
}

#[test]
fn identify_other_or_cut_bytes_are_errors() {
    assert_eq!(identify(b"RIFF").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(identify(b"").unwrap_err().kind(), ErrorKind::Unsupported);
    let frame = jpeg(&APP0_JFIF, 0xC3, &GRAY);
    for end in 2..frame.len() {
        assert_eq!(identify(&frame[..end]).unwrap_err().kind(), ErrorKind::Truncated, "{end}");
        assert_eq!(codestream_size(&frame[..end]), None);
    }
    let siz = jpeg_2000(&[], 7, 0, 0, 1);
    for end in 4..49 {
        let error = identify(&siz[..end]).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Truncated, Some(end as u64)), "{end}");
        assert_eq!(codestream_size(&siz[..end]).is_some(), end >= 24);
    }
    let boxes = b"\0\0\0\x0CjP  \r\n\x87\n\0\0\0\0ftyp";
    for end in 12..boxes.len() {
        assert_eq!(identify(&boxes[..end]).unwrap_err().kind(), ErrorKind::Truncated);
    }
    let before_scan = [&[0xFF, 0xD8][..], &[0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0]].concat();
    assert_eq!(identify(&before_scan).unwrap_err().kind(), ErrorKind::Malformed);
    let mut larger_offset = siz;
    larger_offset[19] = 12;
    assert_eq!(identify(&larger_offset).unwrap_err().kind(), ErrorKind::Malformed);
}
