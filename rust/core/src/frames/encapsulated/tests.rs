//! Offset tables, right, wrong and absent, of frames that begin with an S.

use super::super::ExtendedOffsets;
use super::*;
use crate::{Attributes, ErrorKind, PhotometricInterpretation, SampleKind};

fn push_item(value: &mut Vec<u8>, data: &[u8]) {
    value.extend(ITEM);
    value.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    value.extend(data);
}

fn value(offsets: &[u32], fragments: &[&[u8]]) -> Vec<u8> {
    let mut value = Vec::new();
    push_item(&mut value, &offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect::<Vec<_>>());
    fragments.iter().for_each(|fragment| push_item(&mut value, fragment));
    value
}

/// Frames of these tests begin with an S.
struct BeginsWithS;

impl Codec for BeginsWithS {
    fn name(&self) -> &'static str {
        "s"
    }
    fn syntaxes(&self) -> &'static [crate::TransferSyntax] {
        &[]
    }
    fn starts_frame(&self, head: &[u8], _fragment_bytes: usize, _info: &FrameInfo) -> bool {
        head.first() == Some(&b'S')
    }
    fn min_frame_bytes(&self, _info: &FrameInfo) -> u64 {
        0
    }
    fn decode(
        &self,
        _frame: FrameBytes<'_>,
        _context: &crate::FrameContext<'_>,
        _scratch: &mut crate::codec::Scratch,
        _sink: &mut crate::output::Output<'_>,
    ) -> Result<crate::Decoded> {
        Ok(crate::Decoded::default())
    }
}

/// All frames, asked for last to first, and how many departures were noted.
fn open(value: &[u8], declared: usize, extended: Option<ExtendedOffsets<'_>>) -> Result<(Vec<Vec<u8>>, usize)> {
    let info = FrameInfo::new(Attributes {
        rows: 1,
        columns: 1,
        samples_per_pixel: 1,
        bits_allocated: 8,
        bits_stored: 8,
        high_bit: 7,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })?;
    let mut deviations = Vec::new();
    let data = PixelData { value: value.into(), extended };
    let (table, frames) = Encapsulated::new(data, declared, &info, &BeginsWithS, &mut deviations)?;
    let frame =
        |index| table.frame(data, index, &Limits::unbounded(), &mut Vec::new()).map(|frame| frame.bytes.to_vec());
    let mut frames = (0..frames).rev().map(frame).collect::<Result<Vec<_>>>()?;
    frames.reverse();
    deviations.extend(table.deviations());
    Ok((frames, deviations.len()))
}

#[test]
fn a_right_table_leads_to_frames_of_any_number_of_fragments() {
    let value = value(&[0, 20], &[b"S1", b"aa", b"S2", b"bb"]);
    assert_eq!(open(&value, 2, None).unwrap(), (vec![b"S1aa".to_vec(), b"S2bb".to_vec()], 0));
}

#[test]
fn a_wrong_table_is_not_believed() {
    for offsets in [&[0, 12][..], &[2, 20], &[0, 0], &[20, 0], &[0], &[0, 10, 20, 30, 40], &[0, 4_000_000_000]] {
        let value = value(offsets, &[b"S1", b"aa", b"S2", b"bb"]);
        assert_eq!(open(&value, 2, None).unwrap(), (vec![b"S1aa".to_vec(), b"S2bb".to_vec()], 1), "{offsets:?}");
    }
}

#[test]
fn a_wrong_table_of_another_number_of_frames_than_there_are_is_an_error() {
    let value = value(&[0, 12], &[b"S1", b"S2", b"S3"]);
    let error = open(&value, 2, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("3 frames are there, 2 expected"), "{error}");
}

#[test]
fn without_a_table_the_number_or_the_beginnings_tell_frames_apart() {
    assert_eq!(open(&value(&[], &[b"xx", b"yy"]), 2, None).unwrap(), (vec![b"xx".to_vec(), b"yy".to_vec()], 0));
    assert_eq!(open(&value(&[], &[b"S1", b"yy"]), 1, None).unwrap(), (vec![b"S1yy".to_vec()], 0));
    assert_eq!(open(&value(&[], &[b"S1", b"S2"]), 1, None).unwrap(), (vec![b"S1".to_vec(), b"S2".to_vec()], 1));
    let error = open(&value(&[], &[b"aa", b"bb", b"cc"]), 2, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let error = open(&value(&[], &[b"S1"]), 2, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn empty_fragments_make_no_frame() {
    let frames = |fragments: &[&[u8]], declared| open(&value(&[], fragments), declared, None).unwrap().0;
    assert_eq!(frames(&[b"", b"S1"], 1), [b"S1"]);
    assert_eq!(frames(&[b"", b"", b"S1", b"aa", b"", b"S2"], 2), [&b"S1aa"[..], b"S2"]);
    assert_eq!(frames(&[b"", b""], 1), [b""]);
}

#[test]
fn the_extended_table_comes_first_and_leaves_out_padding() {
    let value = value(&[], &[b"S1a\0", b"S2"]);
    let le = |numbers: &[u64]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
    let right = (le(&[0, 12]), le(&[3, 2]));
    let extended = ExtendedOffsets { offsets: &right.0, lengths: &right.1 };
    assert_eq!(open(&value, 2, Some(extended)).unwrap(), (vec![b"S1a".to_vec(), b"S2".to_vec()], 0));
    for (offsets, lengths) in [
        (&[0, 13][..], &[3, 2][..]),
        (&[0, 12], &[3]),
        (&[0, 12], &[3, 9]),
        (&[0, u64::MAX], &[3, 2]),
        (&[0, u64::MAX - 8], &[3, 2]),
        (&[0, 12], &[3, u64::MAX]),
    ] {
        let wrong = (le(offsets), le(lengths));
        let extended = ExtendedOffsets { offsets: &wrong.0, lengths: &wrong.1 };
        let (frames, deviations) = open(&value, 2, Some(extended)).unwrap();
        assert!(frames[0].starts_with(b"S1a") && frames[1] == b"S2" && deviations == 1, "{offsets:?} {lengths:?}");
    }
}

#[test]
fn every_prefix_is_an_error_or_lacks_what_the_codec_needs() {
    for offsets in [&[][..], &[0, 20]] {
        let value = value(offsets, &[b"S1", b"aa", b"S2", b"bb"]);
        for end in 0..value.len() {
            if let Ok((frames, _)) = open(&value[..end], 2, None) {
                let whole = frames[0] == b"S1aa" && frames[1] == b"S2bb";
                let refused = frames.iter().any(|frame| frame.len() < 4 || frame[0] != b'S');
                assert!(!whole && refused, "{end} {frames:?}");
            }
        }
    }
}

#[test]
fn the_delimiter_and_padding_end_the_items() {
    let mut value = value(&[], &[b"S1"]);
    value.extend([0]);
    assert!(open(&value, 1, None).is_ok());
    value.pop();
    value.extend(SEQUENCE_DELIMITER);
    value.extend([0; 4]);
    value.extend(b"what follows is not looked at");
    assert_eq!(open(&value, 1, None).unwrap().0, [b"S1".to_vec()]);
}
