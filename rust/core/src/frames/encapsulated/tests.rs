//! Values with matching, wrong and absent offset tables. The test codec recognises a frame by its first byte `S`.

use super::items::{ITEM, SEQUENCE_DELIMITER};
use super::*;
use crate::frames::ExtendedOffsets;
use crate::value::ReadAt;
use crate::{Attributes, ErrorKind, PhotometricInterpretation, SampleKind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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

/// A frame format whose frames start with `S`.
struct StartsWithS;

impl FrameFormat for StartsWithS {
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
}

fn info() -> Result<FrameInfo> {
    FrameInfo::new(Attributes {
        rows: 1,
        columns: 1,
        samples_per_pixel: 1,
        bits_allocated: 8,
        bits_stored: 8,
        high_bit: 7,
        sample_kind: SampleKind::Unsigned,
        planar_configuration: 0,
        photometric_interpretation: PhotometricInterpretation::Other,
    })
}

/// Returns the bytes of all frames, which are looked up last to first, and the number of deviations.
fn open(value: &[u8], declared: usize, extended: Option<ExtendedOffsets<'_>>) -> Result<(Vec<Vec<u8>>, usize)> {
    let info = info()?;
    let mut deviations = Vec::new();
    let data = PixelData { value: value.into(), extended };
    let (table, frame_count) = Encapsulated::new(data, declared, &info, &StartsWithS, &mut deviations)?;
    let frame =
        |index| table.frame(data, index, &Limits::unbounded(), &mut Vec::new()).map(|frame| frame.bytes.to_vec());
    let mut frames = (0..frame_count).rev().map(frame).collect::<Result<Vec<_>>>()?;
    frames.reverse();
    deviations.extend(table.lookup_deviations());
    Ok((frames, deviations.len()))
}

#[test]
fn basic_table_matching_locates_frames_of_several_fragments() {
    let value = value(&[0, 20], &[b"S1", b"aa", b"S2", b"bb"]);
    assert_eq!(open(&value, 2, None).unwrap(), (vec![b"S1aa".to_vec(), b"S2bb".to_vec()], 0));
}

#[test]
fn basic_table_not_matching_is_ignored_with_a_deviation() {
    for offsets in [&[0, 12][..], &[2, 20], &[0, 0], &[20, 0], &[0], &[0, 10, 20, 30, 40], &[0, 4_000_000_000]] {
        let value = value(offsets, &[b"S1", b"aa", b"S2", b"bb"]);
        assert_eq!(open(&value, 2, None).unwrap(), (vec![b"S1aa".to_vec(), b"S2bb".to_vec()], 1), "{offsets:?}");
    }
}

#[test]
fn basic_table_with_overlapping_entries_is_ignored() {
    // Entry 4 would give frame 4 the same fragments as frame 1: 10 to 40.
    let value = value(&[0, 10, 40, 0, 10, 40], &[b"S1", b"a2", b"a3", b"a4", b"S5", b"S6"]);
    let frames: Vec<_> = [b"S1", b"a2", b"a3", b"a4", b"S5", b"S6"].iter().map(|frame| frame.to_vec()).collect();
    let (found, deviation_count) = open(&value, 6, None).unwrap();
    assert_eq!((&found[2..], deviation_count), (&frames[2..], 1));
    // The entries up to the first decrease are used: frame 1 ends where frame 2 starts.
    assert_eq!(found[..2], [b"S1".to_vec(), b"a2a3a4".to_vec()]);
}

/// A source that counts its reads.
struct CountingReader {
    bytes: Vec<u8>,
    read_count: AtomicUsize,
}

impl ReadAt for CountingReader {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
        self.read_count.fetch_add(1, Relaxed);
        self.bytes.as_slice().read_at(offset, out)
    }
}

#[test]
fn table_with_overlapping_entries_takes_linear_time() {
    let count = 300;
    let fragments = vec![&b"ab"[..]; count];
    // Every third entry would give all fragments but the first and the last.
    let last = u32::try_from(10 * (count - 1)).unwrap();
    let offsets = [0, 10, last].repeat(count / 3);
    let value = value(&offsets, &fragments);
    let bytes = value.len();
    let reader = CountingReader { bytes: value, read_count: AtomicUsize::new(0) };
    let data = PixelData { value: Value::Stored { from: &reader, start: 0, bytes }, extended: None };
    let (table, frame_count) = Encapsulated::new(data, count, &info().unwrap(), &StartsWithS, &mut Vec::new()).unwrap();
    assert_eq!(frame_count, count);
    (0..count).for_each(|index| assert!(table.frame_bytes(data, index).is_ok()));
    let read_count = reader.read_count.load(Relaxed);
    assert!(read_count < 10 * count, "{read_count} reads");
}

#[test]
fn basic_table_not_matching_and_frame_count_differing_is_an_error() {
    let value = value(&[0, 12], &[b"S1", b"S2", b"S3"]);
    let error = open(&value, 2, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("which hold 3 frames, 2 expected"), "{error}");
}

#[test]
fn no_table_fragments_are_grouped_by_count_or_by_frame_start() {
    type Fragments = &'static [&'static [u8]];
    // Fragments, declared frames → frames, deviations.
    let cases: [(Fragments, usize, Fragments, usize); 3] = [
        (&[b"xx", b"yy"], 2, &[b"xx", b"yy"], 0),
        (&[b"S1", b"yy"], 1, &[b"S1yy"], 0),
        (&[b"S1", b"S2"], 1, &[b"S1", b"S2"], 1),
    ];
    for (fragments, declared, frames, deviation_count) in cases {
        let expected = (frames.iter().map(|frame| frame.to_vec()).collect(), deviation_count);
        assert_eq!(open(&value(&[], fragments), declared, None).unwrap(), expected, "{fragments:?}");
    }
}

#[test]
fn no_table_too_few_frames_is_an_error() {
    // Fragments for two declared frames → error.
    let cases: [(&[&[u8]], ErrorKind); 2] =
        [(&[b"aa", b"bb", b"cc"], ErrorKind::Malformed), (&[b"S1"], ErrorKind::Truncated)];
    for (fragments, kind) in cases {
        assert_eq!(open(&value(&[], fragments), 2, None).unwrap_err().kind(), kind, "{fragments:?}");
    }
}

#[test]
fn no_table_empty_fragments_start_no_frame() {
    let frames = |fragments: &[&[u8]], declared| open(&value(&[], fragments), declared, None).unwrap().0;
    assert_eq!(frames(&[b"", b"S1"], 1), [b"S1"]);
    assert_eq!(frames(&[b"", b"", b"S1", b"aa", b"", b"S2"], 2), [&b"S1aa"[..], b"S2"]);
    assert_eq!(frames(&[b"", b""], 1), [b""]);
}

#[test]
fn extended_table_is_preferred_and_excludes_padding() {
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
fn truncated_value_is_an_error_or_gives_an_incomplete_frame() {
    for offsets in [&[][..], &[0, 20]] {
        let value = value(offsets, &[b"S1", b"aa", b"S2", b"bb"]);
        for end in 0..value.len() {
            if let Ok((frames, _)) = open(&value[..end], 2, None) {
                let whole = frames[0] == b"S1aa" && frames[1] == b"S2bb";
                let is_incomplete = frames.iter().any(|frame| frame.len() < 4 || frame[0] != b'S');
                assert!(!whole && is_incomplete, "{end} {frames:?}");
            }
        }
    }
}

#[test]
fn items_end_at_delimiter_or_padding() {
    let mut value = value(&[], &[b"S1"]);
    value.extend([0]);
    assert!(open(&value, 1, None).is_ok());
    value.pop();
    value.extend(SEQUENCE_DELIMITER);
    value.extend([0; 4]);
    value.extend(b"bytes after the delimiter are not read");
    assert_eq!(open(&value, 1, None).unwrap().0, [b"S1".to_vec()]);
}
