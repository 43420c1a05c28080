//! Kinds and offsets of the errors of broken segments, and the values of valid ones.

use super::entropy::{self, Stuffing};
use super::headers::{FrameHeader, ScanHeader, number};
use super::huffman::{HuffmanTables, TableClass};
use super::marker::{
    EOI, Marker, Parameters, Process, SOS, Segment, Segments, is_informative, is_restart, read_marker,
};
use crate::error::ErrorKind::{self, Malformed, Truncated};
use crate::error::Result;
use crate::kernel::CpuLevel;

/// Byte offset of the first parameter in the frames of these tests: after marker and length.
const PARAMETERS_OFFSET: u64 = 4;

/// Returns a marker segment with `parameters`.
fn segment(parameters: &[u8]) -> Vec<u8> {
    let length = u16::try_from(parameters.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, 0xC3], &length[..], parameters].concat()
}

fn error_of<T: std::fmt::Debug>(result: Result<T>) -> (ErrorKind, u64) {
    let error = result.unwrap_err();
    (error.kind(), error.offset().unwrap())
}

/// Returns the kind of the error of `parse`, and its offset from the first of `parameters`.
fn parse_error<T: std::fmt::Debug>(parameters: &[u8], parse: impl Fn(Parameters<'_>) -> Result<T>) -> (ErrorKind, u64) {
    let frame = segment(parameters);
    let (parameters, end) = Parameters::read("test", &frame, 2).unwrap();
    assert_eq!(end, frame.len());
    let (kind, offset) = error_of(parse(parameters));
    (kind, offset - PARAMETERS_OFFSET)
}

/// Checks that `parse` needs exactly the parameters `good`: every prefix is an error at its end, and so is one byte more.
fn assert_exact_length<T: std::fmt::Debug>(good: &[u8], parse: impl Fn(Parameters<'_>) -> Result<T>) {
    for length in 0..good.len() {
        assert_eq!(parse_error(&good[..length], &parse), (Malformed, length as u64));
    }
    let frame = segment(good);
    parse(Parameters::read("test", &frame, 2).unwrap().0).unwrap();
    assert_eq!(parse_error(&[good, &[0]].concat(), &parse), (Malformed, good.len() as u64));
}

#[test]
fn read_marker_fill_bytes_and_broken_markers() {
    let marker = |code, offset, next| (Marker { code, offset }, next);
    assert_eq!(read_marker(&[7, 0xFF, 0xDA], 1).unwrap(), marker(0xDA, 1, 3));
    assert_eq!(read_marker(&[7, 0xFF, 0xFF, 0xFF, 0xDA, 0], 1).unwrap(), marker(0xDA, 3, 5));
    assert_eq!(error_of(read_marker(&[], 0)), (Truncated, 0));
    assert_eq!(error_of(read_marker(&[1, 2], 9)), (Truncated, 2));
    assert_eq!(error_of(read_marker(&[1, 0xFF, 0xFF], 1)), (Truncated, 3));
    assert_eq!(error_of(read_marker(&[1, 2, 3], 1)), (Malformed, 1));
    assert_eq!(error_of(read_marker(&[1, 0xFF, 0xFF, 0], 1)), (Malformed, 3));
}

#[test]
fn marker_kinds_are_disjoint() {
    for code in 0..=u8::MAX {
        let kinds = [is_restart(code), is_informative(code), Process::of_marker(code).is_some()];
        assert!(kinds.iter().filter(|kind| **kind).count() < 2, "{code:02X}");
        let has_length = matches!(code, 0xC4 | 0xCC | 0xD8..=0xDF | 0xC8);
        assert!(!has_length || kinds == [false; 3], "{code:02X}");
    }
    let frames: Vec<u8> = (0..=u8::MAX).filter(|code| Process::of_marker(*code).is_some()).collect();
    assert_eq!(frames, [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7]);
}

#[test]
fn parameters_read_length_errors_have_their_offsets() {
    let read = |frame: &[u8]| error_of(Parameters::read("test", frame, 2));
    assert_eq!(read(&[0xFF, 0xC4]), (Truncated, 2));
    assert_eq!(read(&[0xFF, 0xC4, 0]), (Truncated, 3));
    assert_eq!(read(&[0xFF, 0xC4, 0, 0]), (Malformed, 2));
    assert_eq!(read(&[0xFF, 0xC4, 0, 1]), (Malformed, 2));
    assert_eq!(read(&[0xFF, 0xC4, 0, 4, 9]), (Truncated, 5));
    assert_eq!(read(&[0xFF]), (Truncated, 1));
    let (parameters, end) = Parameters::read("test", &[0xFF, 0xC4, 0, 2], 2).unwrap();
    assert_eq!((parameters.is_empty(), parameters.offset(), end), (true, 4, 4));
}

#[test]
fn frame_header_parse_values_and_errors() {
    let parse = |parameters: Parameters<'_>| FrameHeader::parse(Process::Extended, parameters);
    let good = [12, 1, 2, 3, 4, 2, 7, 0x11, 0, 9, 0x42, 3];
    assert_exact_length(&good, parse);
    let frame = segment(&good);
    let header = parse(Parameters::read("test", &frame, 2).unwrap().0).unwrap();
    assert_eq!(header.process, Process::Extended);
    assert_eq!((header.precision, header.lines, header.columns, header.offset), (12, 0x102, 0x304, 4));
    let components: Vec<_> =
        header.components.iter().map(|c| (c.id, c.sampling, c.quantization_table, c.offset)).collect();
    assert_eq!(components, [(7, (1, 1), 0, 10), (9, (4, 2), 3, 13)]);
    let with = |offset: usize, byte: u8| {
        let mut bytes = good;
        bytes[offset] = byte;
        parse_error(&bytes, parse)
    };
    assert_eq!(parse_error(&[12, 1, 2, 0, 0, 1, 7, 0x11, 0], parse), (Malformed, 3));
    assert_eq!(with(5, 0), (Malformed, 5));
    assert_eq!(with(5, 1), (Malformed, 9));
    assert_eq!(with(5, 3), (Malformed, 12));
    for sampling in [0x10, 0x01, 0x51, 0x15, 0xFF] {
        assert_eq!(with(7, sampling), (Malformed, 7));
        assert_eq!(with(10, sampling), (Malformed, 10));
    }
    assert_eq!(with(9, 7), (Malformed, 9));
}

#[test]
fn scan_header_parse_values_and_errors() {
    let good = [2, 7, 0x00, 9, 0x31, 6, 1, 0x23];
    assert_exact_length(&good, ScanHeader::parse);
    let frame = segment(&good);
    let header = ScanHeader::parse(Parameters::read("test", &frame, 2).unwrap().0).unwrap();
    let components: Vec<_> = header.components.iter().map(|c| (c.id, c.dc_table, c.ac_table, c.offset)).collect();
    assert_eq!(components, [(7, 0, 0, 5), (9, 3, 1, 7)]);
    let spectral = (header.spectral_start, header.spectral_end, header.offset);
    assert_eq!((spectral, header.approximation_high, header.approximation_low), ((6, 1, 9), 2, 3));
    let with = |offset: usize, byte: u8| {
        let mut bytes = good;
        bytes[offset] = byte;
        parse_error(&bytes, ScanHeader::parse)
    };
    assert_eq!(with(0, 0), (Malformed, 0));
    assert_eq!(with(0, 5), (Malformed, 0));
    assert_eq!(with(2, 0x40), (Malformed, 2));
    assert_eq!(with(4, 0x04), (Malformed, 4));
    assert_eq!(with(3, 7), (Malformed, 3));
}

#[test]
fn number_needs_two_bytes() {
    assert_exact_length(&[1, 2], number);
    let frame = segment(&[1, 2]);
    assert_eq!(number(Parameters::read("test", &frame, 2).unwrap().0).unwrap(), 0x102);
}

/// Returns a table of a DHT segment: class and destination, counts, values.
fn table(class_and_destination: u8, counts: &[u8], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![class_and_destination];
    bytes.extend(counts);
    bytes.resize(17, 0);
    bytes.extend(values);
    bytes
}

#[test]
fn huffman_tables_define_values_and_errors() {
    let define = |bytes: &[u8]| {
        let mut tables = HuffmanTables::default();
        let frame = segment(bytes);
        let result = tables.define(Parameters::read("test", &frame, 2).unwrap().0);
        result.map(|()| tables).map_err(|error| (error.kind(), error.offset().unwrap() - PARAMETERS_OFFSET))
    };
    let dc = |tables: &HuffmanTables, destination| {
        tables.get(TableClass::Dc, destination).map(|(table, offset)| (table.clone(), offset))
    };
    assert!(dc(&define(&[]).unwrap(), 0).is_none());
    // Several in one segment: the last one of a destination counts; classes have destinations of their own.
    let both = [table(1, &[1], &[3]), table(0x11, &[1], &[9]), table(1, &[0, 2], &[4, 5])].concat();
    let tables = define(&both).unwrap();
    let (table_1, values_offset) = dc(&tables, 1).unwrap();
    assert_eq!((&table_1.counts[..2], &table_1.values[..], values_offset), (&[0, 2][..], &[4, 5][..], 4 + 36 + 17));
    assert!((dc(&tables, 0).is_none(), dc(&tables, 2).is_none(), dc(&tables, 9).is_none()) == (true, true, true));
    let (ac_table, values_offset) = tables.get(TableClass::Ac, 1).unwrap();
    assert_eq!((&ac_table.counts[..2], &ac_table.values[..], values_offset), (&[1, 0][..], &[9][..], 4 + 18 + 17));
    assert!(tables.get(TableClass::Ac, 0).is_none());
    // A table with all lengths, and each of its prefixes.
    let good = table(0, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2], &[0; 17]);
    define(&good).unwrap();
    for length in 1..good.len() {
        let end = if length < 17 { length.max(1) } else { length };
        assert_eq!(define(&good[..length]).unwrap_err(), (Malformed, end as u64), "{length}");
    }
    for class_and_destination in [0x20, 0x04, 0xF0, 0x1F] {
        assert_eq!(define(&table(class_and_destination, &[1], &[0])).unwrap_err(), (Malformed, 0));
        assert_eq!(
            define(&[table(0, &[1], &[0]), table(class_and_destination, &[1], &[0])].concat()).unwrap_err(),
            (Malformed, 18)
        );
    }
    // No codes, too many codes, and more codes of a length than there can be.
    assert_eq!(define(&table(0, &[], &[])).unwrap_err(), (Malformed, 1));
    assert_eq!(define(&table(0, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 2], &[0; 257])).unwrap_err(), (Malformed, 1));
    define(&table(0, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 1], &[0; 256])).unwrap();
    assert_eq!(define(&table(0, &[3], &[0; 3])).unwrap_err(), (Malformed, 1));
    assert_eq!(define(&table(0, &[1, 3], &[0; 4])).unwrap_err(), (Malformed, 2));
    assert_eq!(define(&table(0, &[2, 0, 0, 1], &[0; 3])).unwrap_err(), (Malformed, 4));
    define(&table(0, &[2], &[0; 2])).unwrap();
}

#[test]
fn segments_new_without_soi_is_an_error() {
    let error = |frame: &[u8]| error_of(Segments::new(frame));
    assert_eq!(error(&[]), (Truncated, 0));
    assert_eq!(error(&[0xFF]), (Truncated, 1));
    assert_eq!(error(&[0xFF, 0xD9]), (Malformed, 0));
    assert_eq!(error(&[0, 0xFF, 0xD8]), (Malformed, 0));
}

#[test]
fn segments_iterate_to_eoi() {
    let frame =
        [&[0xFF, 0xD8][..], &[0xFF, 0xFF, 0xFE, 0, 3, 7], &[0xFF, SOS, 0, 2], &[1, 2, 3], &[0xFF, EOI], &[9]].concat();
    let mut segments = Segments::new(&frame).unwrap();
    let mut found = Vec::new();
    while let Some(segment) = segments.next() {
        let segment: Segment<'_> = segment.unwrap();
        let marker = segment.marker;
        found.push((marker, segment.parameters().unwrap().rest()));
        if marker.code == SOS {
            segments.seek(segments.offset() + 3);
        }
    }
    let marker = |code, offset| Marker { code, offset };
    assert_eq!(found, [(marker(0xFE, 3), &[7][..]), (marker(SOS, 8), &[]), (marker(EOI, 15), &[])]);
    assert_eq!(segments.offset(), 17);
}

#[test]
fn segments_broken_length_is_an_error_of_the_parameters() {
    let mut segments = Segments::new(&[0xFF, 0xD8, 0xFF, 0xC9, 0, 9, 1]).unwrap();
    let segment = segments.next().unwrap().unwrap();
    assert_eq!(segment.marker.code, 0xC9);
    assert_eq!(error_of(segment.parameters()), (Truncated, 7));
    assert!(segments.next().is_none());
    let mut segments = Segments::new(&[0xFF, 0xD8, 1, 2]).unwrap();
    assert_eq!(error_of(segments.next().unwrap()), (Malformed, 2));
    assert!(segments.next().is_none());
}

#[test]
fn entropy_segments_restart_markers_count_modulo_8() {
    let mut frame: Vec<u8> = Vec::new();
    for index in 0..10 {
        frame.extend([0x11, 0xFF, 0, 0x22, 0xFF, 0xD0 + index % 8]);
    }
    frame.extend([0x33, 0xFF, 0xD9]);
    let expected: Vec<_> = (0..10).map(|index| index * 6..index * 6 + 4).chain(std::iter::once(60..61)).collect();
    for level in CpuLevel::available() {
        assert_eq!(entropy::segments(&frame, 0, 11, Stuffing::ZeroByte, level).unwrap(), (expected.clone(), 61));
        assert_eq!(error_of(entropy::segments(&frame, 0, 10, Stuffing::ZeroByte, level)), (Malformed, 58));
        assert_eq!(error_of(entropy::segments(&frame, 6, 11, Stuffing::ZeroByte, level)), (Malformed, 10));
        let (segments, end) = entropy::segments(&frame[..1], 0, 1, Stuffing::ZeroByte, level).unwrap();
        assert_eq!((segments.first(), segments.len(), end), (Some(&(0..1)), 1, 1));
    }
}

#[test]
fn entropy_segments_of_jpeg_ls_end_at_a_byte_of_80_or_more_after_ff() {
    let frame = [1, 0xFF, 0x7F, 2, 0xFF, 0, 0xFF, 0xD0, 3, 0xFF, 0x12, 0xFF, 0xFF, 0xD9];
    for level in CpuLevel::available() {
        assert_eq!(entropy::segments(&frame, 0, 2, Stuffing::ZeroBit, level).unwrap(), (vec![0..6, 8..11], 11));
        let (segments, end) = entropy::segments(&frame[..3], 0, 1, Stuffing::ZeroBit, level).unwrap();
        assert_eq!((segments.first(), segments.len(), end), (Some(&(0..3)), 1, 3));
        let (segments, end) = entropy::segments(&frame[..2], 0, 1, Stuffing::ZeroBit, level).unwrap();
        assert_eq!((segments.first(), segments.len(), end), (Some(&(0..1)), 1, 1));
    }
}
