//! Headers of codestreams: precedence of parameters, tile-parts, packed packet headers, and broken ones.

use super::super::test_streams::{Cod, EOC, main_header, one_tile, qcd, segment, siz, tile_part};
use super::*;
use crate::error::{DecodeError, ErrorKind};
use std::time::{Duration, Instant};

/// A header of four tiles of 8 × 8, two components, and `segments`.
fn four_tiles(segments: &[Vec<u8>]) -> Vec<u8> {
    let size = siz([16, 16, 0, 0, 8, 8, 0, 0], &[[7, 1, 1]; 2]);
    main_header(&[&[size, Cod::default().segment(), qcd(1)], segments].concat())
}

fn parse(bytes: &[u8]) -> Header {
    Header::parse(bytes, 0..bytes.len()).unwrap()
}

fn error(bytes: &[u8]) -> DecodeError {
    Header::parse(bytes, 0..bytes.len()).unwrap_err()
}

fn four_parts(header: &[u8]) -> Vec<u8> {
    let parts = [2_u16, 0, 3, 1].map(|tile| tile_part(tile, 0, header, &[tile.to_le_bytes()[0]]));
    parts.concat()
}

#[test]
fn parse_tile_parts_in_any_order_are_found_by_tile() {
    let bytes = [four_tiles(&[]), four_parts(&[]), tile_part(0, 1, &[], &[7, 8]), EOC.to_vec()].concat();
    let header = parse(&bytes);
    assert_eq!(header.deviations, []);
    for tile in 0..4_u8 {
        let parts = header.tile_parts(tile.into());
        assert_eq!(bytes[parts[0].data.clone()], [tile]);
        assert_eq!(parts.len(), if tile == 0 { 2 } else { 1 });
    }
    assert_eq!(bytes[header.tile_parts(0)[1].data.clone()], [7, 8]);
    assert_eq!(header.tile_parts(4), []);
}

#[test]
fn parse_parameters_of_a_tile_take_precedence() {
    let with_levels = |levels| Cod { levels, ..Cod::default() };
    let main = four_tiles(&[with_levels(2).coc(1)]);
    let tile_0 = [with_levels(3).segment(), with_levels(4).coc(0)].concat();
    let tile_1 = with_levels(5).coc(1);
    let tile_2 = segment(0x5E, &[1, 0, 9]);
    let parts = [
        tile_part(0, 0, &tile_0, &[]),
        tile_part(1, 0, &tile_1, &[]),
        tile_part(2, 0, &tile_2, &[]),
        tile_part(3, 0, &[], &[]),
    ];
    let bytes = [main, parts.concat(), EOC.to_vec()].concat();
    let header = parse(&bytes);
    let levels = |tile, component| header.parameters(tile).coding(component).unwrap().levels;
    let found: Vec<_> = (0..4).map(|tile| (levels(tile, 0), levels(tile, 1))).collect();
    assert_eq!(found, [(4, 3), (1, 5), (1, 2), (1, 2)]);
    let shift = |tile, component| header.parameters(tile).roi_shift(component);
    assert_eq!((shift(2, 1), shift(2, 0), shift(3, 1)), (9, 0, 0));
    assert_eq!(header.info().resolution_levels, 2);
    assert_eq!(header.main.info().resolution_levels, 2);
}

#[test]
fn parse_progression_order_changes_of_a_tile_replace_those_of_the_main_header() {
    let change = |layers: u8| segment(0x5F, &[0, 0, 0, layers, 2, 0, 1]);
    let parts = [0_u16, 1, 2, 3].map(|tile| tile_part(tile, 0, &[], &[]));
    let second = [tile_part(1, 1, &change(6), &[]), tile_part(1, 2, &change(7), &[])];
    let bytes = [four_tiles(&[change(5)]), parts.concat(), second.concat(), EOC.to_vec()].concat();
    let header = parse(&bytes);
    let layers = |tile| header.parameters(tile).progressions().iter().map(|found| found.layers_end).collect::<Vec<_>>();
    assert_eq!((layers(0), layers(1)), (vec![5], vec![6, 7]));
    // A cut tile-part header changes nothing.
    let cut = [tile_part(1, 3, &[change(8), segment(0x64, &[])].concat(), &[]), EOC.to_vec()].concat();
    let cut = [&bytes[..bytes.len() - 2], &cut[..12 + 9 + 3]].concat();
    assert_eq!(parse(&cut).parameters(1).progressions().len(), 2);
    // 0 components: all.
    assert_eq!(header.parameters(0).progressions()[0].components, 0..u16::MAX);
}

#[test]
fn parse_packed_packet_headers_may_continue_in_the_next_segment() {
    // Two bytes of tile-part 0, none of 1, three of 2, one of 3; in three segments in the order of their indices.
    let packed = [0, 0, 0, 2, 10, 11, 0, 0, 0, 0, 0, 0, 0, 3, 12, 13, 14, 0, 0, 0, 1, 15];
    let ppm = |index: u8, range: Range<usize>| segment(0x60, &[&[index], &packed[range]].concat());
    let main = four_tiles(&[ppm(2, 16..22), ppm(0, 0..5), ppm(1, 5..16)]);
    let bytes = [main, four_parts(&[]), EOC.to_vec()].concat();
    let header = parse(&bytes);
    assert!(header.has_packed_headers);
    let packed = |tile| {
        let ranges = header.packed_headers(&header.tile_parts(tile)[0]).iter();
        ranges.flat_map(|range| bytes[range.clone()].to_vec()).collect::<Vec<_>>()
    };
    // Tiles are stored in the order 2, 0, 3, 1.
    assert_eq!([2, 0, 3, 1].map(packed), [vec![10, 11], vec![], vec![12, 13, 14], vec![15]]);
    let short = [four_tiles(&[segment(0x60, &[0, 0, 0, 0, 2, 10])]), four_parts(&[]), EOC.to_vec()].concat();
    assert_eq!(error(&short).kind(), ErrorKind::Truncated);
    let twice = [four_tiles(&[segment(0x60, &[0]), segment(0x60, &[0])]), four_parts(&[])].concat();
    assert_eq!(error(&twice).kind(), ErrorKind::Malformed);
    let ppt = [segment(0x61, &[1, 3]), segment(0x61, &[0, 1, 2])].concat();
    let bytes = [four_tiles(&[]), four_parts(&ppt), EOC.to_vec()].concat();
    let header = parse(&bytes);
    let ranges = header.packed_headers(&header.tile_parts(3)[0]).iter();
    assert_eq!(ranges.flat_map(|range| bytes[range.clone()].to_vec()).collect::<Vec<_>>(), [1, 2, 3]);
    let both = [four_tiles(&[segment(0x60, &[0])]), four_parts(&ppt)].concat();
    assert_eq!(error(&both).kind(), ErrorKind::Malformed);
}

#[test]
fn parse_recoverable_violations_are_deviations() {
    let whole = [four_tiles(&[]), four_parts(&[])].concat();
    let deviations = |end: &[u8]| {
        let bytes = [&whole[..], end].concat();
        parse(&bytes).deviations.iter().map(|found| found.message.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(deviations(&EOC), [""; 0]);
    assert_eq!(deviations(&[0xFF, 0xD9, 0]), [""; 0]);
    assert_eq!(deviations(&[0xFF, 0xD9, 0, 0, 0]), [""; 0]);
    assert_eq!(deviations(&[0xFF, 0xD9, 0, 1]), ["2 bytes follow the EOC marker"]);
    assert_eq!(deviations(&[]), ["no EOC marker FFD9 after the last tile-part"]);
    assert_eq!(deviations(&[0xFF]), ["1 bytes after the last tile-part found, EOC marker FFD9 expected"]);
    assert_eq!(deviations(&[1, 2, 3]), ["3 bytes after the last tile-part found, EOC marker FFD9 expected"]);
    let again = [tile_part(1, 3, &[], &[]), tile_part(1, 0, &[], &[]), EOC.to_vec()].concat();
    assert_eq!(deviations(&again), ["index 3 of a tile-part of tile 1 found, 1 expected"]);
    let cut = &whole[..whole.len() - 1];
    let header = parse(cut);
    assert_eq!(header.deviations[0].message, "tile-part ends 1 bytes after the codestream");
    assert_eq!(header.deviations.len(), 1);
    let cut: Vec<_> = (0..4).map(|tile| header.tile_parts(tile)[0].is_cut).collect();
    assert_eq!(cut, [false, true, false, false]);
}

#[test]
fn parse_component_transform_of_one_component_is_a_deviation() {
    let cod = Cod { transform: 1, ..Cod::default() };
    let main = main_header(&[one_tile(4, 4, 1), cod.segment(), qcd(1)]);
    let header = parse(&[main, tile_part(0, 0, &[], &[]), EOC.to_vec()].concat());
    assert_eq!(header.deviations.len(), 1);
    assert_eq!(header.main.info().colour_claims, [None; 3]);
}

#[test]
fn parse_tile_part_without_length_ends_at_the_end_of_the_codestream() {
    let mut part = tile_part(0, 0, &[], &[1, 2, 3]);
    part[6..10].fill(0);
    let start = main_header(&[one_tile(4, 4, 1), Cod::default().segment(), qcd(1)]);
    for (end, count) in [(&EOC[..], 0), (&[0xFF, 0xD9, 0], 0), (&[], 1)] {
        let bytes = [&start[..], &part, end].concat();
        let header = parse(&bytes);
        assert_eq!(bytes[header.tile_parts(0)[0].data.clone()], [1, 2, 3]);
        assert_eq!(header.deviations.len(), count);
    }
}

#[test]
fn parse_cut_header_is_truncated() {
    let bytes = [four_tiles(&[]), four_parts(&[])].concat();
    for end in 0..bytes.len() - 1 {
        let error = error(&bytes[..end]);
        assert_eq!(error.kind(), ErrorKind::Truncated, "{end}: {error}");
        assert!(error.offset().is_some_and(|offset| offset <= end as u64), "{end}: {error}");
    }
}

#[test]
fn parse_broken_segments_are_errors_at_their_offset() {
    use ErrorKind::{Malformed, Unsupported};
    let size = |grid, component| main_header(&[siz(grid, &[component])]);
    let grid = [16, 16, 0, 0, 8, 8, 0, 0];
    let cod = |cod: Cod| four_tiles(&[cod.segment()]);
    let default = Cod::default;
    let cases = [
        (size([0, 16, 0, 0, 8, 8, 0, 0], [7, 1, 1]), Malformed, "image columns end at 0"),
        (size([16, 16, 0, 16, 8, 8, 0, 0], [7, 1, 1]), Malformed, "image rows end at 16"),
        (size([16, 16, 0, 0, 0, 8, 0, 0], [7, 1, 1]), Malformed, "0 columns of the first tile"),
        (size([16, 16, 8, 0, 8, 8, 0, 0], [7, 1, 1]), Malformed, "8 columns of the first tile"),
        (size([16, 16, 0, 0, 8, 8, 0, 1], [7, 1, 1]), Malformed, "8 rows of the first tile start at 1"),
        (size([u32::MAX, u32::MAX, 0, 0, 1, 1, 0, 0], [7, 1, 1]), Malformed, "18446744065119617025 tiles"),
        (size([65_536, 1, 0, 0, 1, 1, 0, 0], [7, 1, 1]), Malformed, "65536 tiles found"),
        (size(grid, [38, 1, 1]), Malformed, "precision 39"),
        (size(grid, [7, 0, 1]), Malformed, "subsampling 0 and 1"),
        (main_header(&[siz(grid, &[])]), Malformed, "0 components"),
        (cod(Cod { order: 5, ..default() }), Malformed, "progression order 5"),
        (cod(Cod { layers: 0, ..default() }), Malformed, "0 layers"),
        (cod(Cod { transform: 2, ..default() }), Unsupported, "component transform 2"),
        (cod(Cod { levels: 33, ..default() }), Malformed, "33 decomposition levels"),
        (cod(Cod { levels: 129, ..default() }), Unsupported, "129 decomposition levels"),
        (cod(Cod { block: [9, 0], ..default() }), Malformed, "code-block exponents 9 and 0"),
        (cod(Cod { block: [5, 4], ..default() }), Malformed, "code-block exponents 5 and 4"),
        (cod(Cod { style: 0x80, ..default() }), Malformed, "code-block style 0x80"),
        (cod(Cod { style: 0x44, ..default() }), Unsupported, "code-block style 0x44"),
        (cod(Cod { wavelet: 2, ..default() }), Unsupported, "wavelet 2"),
        (cod(Cod { precincts: vec![0x00, 0x01], ..default() }), Malformed, "precinct exponent 0 found at resolution 1"),
        (cod(Cod { precincts: vec![0x11], ..default() }), Malformed, "COD segment ends 1 bytes early"),
        (four_tiles(&[segment(0x53, &[2, 0, 1, 4, 4, 0, 1])]), Malformed, "component index 2"),
        (four_tiles(&[segment(0x5C, &[3, 1])]), Malformed, "quantization style 3"),
        (four_tiles(&[segment(0x5C, &[2, 1])]), Malformed, "no step size"),
        (four_tiles(&[segment(0x5E, &[0, 1, 1])]), Unsupported, "region of interest of style 1"),
        (four_tiles(&[segment(0x5E, &[0, 0, 38])]), Unsupported, "region of interest of style 0 and shift 38"),
        (four_tiles(&[segment(0x5F, &[0; 7].repeat(65))]), Unsupported, "more than 64 progression"),
        (four_tiles(&[segment(0x74, &[])]), Unsupported, "marker FF74 of T.801"),
        (four_tiles(&[vec![0xFF, 0x93]]), Malformed, "SOD marker is not expected"),
        (four_tiles(&[vec![0xFF, 0x64, 0, 1]]), Malformed, "length 1 of the COM"),
        (four_tiles(&[vec![0x12]]), Malformed, "byte 12 found"),
        ([four_tiles(&[]), tile_part(4, 0, &[], &[])].concat(), Malformed, "tile index 4"),
        ([four_tiles(&[]), tile_part(0, 0, &EOC, &[])].concat(), Malformed, "EOC marker is not expected"),
        ([four_tiles(&[]), tile_part(0, 0, &[], &[]), vec![0xFF, 0x52]].concat(), Malformed, "marker FF52 found"),
    ];
    for (bytes, kind, text) in cases {
        let error = error(&bytes);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().starts_with(text), "{error}");
        assert!(error.offset().is_some(), "{error}");
    }
    let second = [four_tiles(&[]), tile_part(0, 0, &[], &[]), tile_part(0, 1, &qcd(1), &[])].concat();
    assert_eq!(error(&second).message(), "QCD segment found after the first tile-part of tile 0");
    let mut short = [four_tiles(&[]), tile_part(0, 0, &qcd(1), &[])].concat();
    let length = short.len() - 14 - qcd(1).len() + 6;
    short[length..length + 4].copy_from_slice(&15_u32.to_be_bytes());
    assert!(error(&short).message().starts_with("length 15 of a tile-part found, its header has"));
    short[length..length + 4].copy_from_slice(&13_u32.to_be_bytes());
    assert!(error(&short).message().starts_with("length 13 of a tile-part found, 14 or more"));
}

#[test]
fn parse_header_that_claims_many_tiles_is_refused_at_once() {
    let size = siz([65_535, 1, 0, 0, 1, 1, 0, 0], &[[7, 1, 1]]);
    let bytes =
        [main_header(&[size, Cod::default().segment(), qcd(1)]), tile_part(0, 0, &[], &[]), EOC.to_vec()].concat();
    let start = Instant::now();
    let error = error(&bytes);
    assert_eq!((error.kind(), error.message()), (ErrorKind::Truncated, "tile 1 has no tile-part"));
    assert!(start.elapsed() < Duration::from_millis(100));
}

#[test]
fn tile_covers_its_part_of_the_image() {
    let size = siz([17, 20, 5, 6, 8, 7, 2, 3], &[[7, 1, 1]]);
    let bytes = main_header(&[size, segment(0x64, &[]), vec![0xFF, 0x90]]);
    let size = MainHeader::parse(&bytes, 0..bytes.len()).unwrap().0.size;
    assert_eq!((size.tile_columns(), size.tile_rows(), size.tile_count()), (2, 3, 6));
    let tile = |index| (size.tile(index).columns, size.tile(index).rows);
    assert_eq!(tile(0), (5..10, 6..10));
    assert_eq!(tile(1), (10..17, 6..10));
    assert_eq!(tile(5), (10..17, 17..20));
}

#[test]
fn step_is_given_by_band_or_derived_from_the_first() {
    let quantization = |qcd: Vec<u8>| {
        let bytes = main_header(&[one_tile(4, 4, 1), Cod::default().segment(), qcd]);
        parse(&[bytes, tile_part(0, 0, &[], &[]), EOC.to_vec()].concat()).parameters(0).quantization(0).unwrap().clone()
    };
    let step = |step: quantization::Step| (step.exponent, step.mantissa);
    let derived = quantization(segment(0x5C, &[0x41, 0x18, 0x07]));
    assert_eq!(derived.guard_bits, 2);
    let found =
        [(0, 0), (1, 1), (2, 3), (5, 1)].map(|(resolution, band)| step(derived.step(resolution, band).unwrap()));
    assert_eq!(found, [(3, 7), (3, 7), (2, 7), (0, 7)]);
    let expounded = quantization(segment(0x5C, &[0x22, 0x08, 1, 0x10, 2, 0x18, 3, 0x20, 4, 0x28, 5]));
    assert_eq!(step(expounded.step(1, 2).unwrap()), (3, 3));
    assert_eq!(step(expounded.step(2, 1).unwrap()), (5, 5));
    assert_eq!(expounded.step(2, 2).unwrap_err().kind(), ErrorKind::Malformed);
    let reversible = quantization(qcd(1));
    assert_eq!(step(reversible.step(1, 3).unwrap()), (11, 0));
}
