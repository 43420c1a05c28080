//! Geometry of tiles against Annex B applied sample by sample, and refused bombs.

use super::super::codestream::Header;
use super::super::test_streams::{Cod, EOC, main_header, one_tile, qcd, segment, siz, tile_part};
use super::*;
use crate::error::ErrorKind;
use crate::limits::Limits;
use crate::testing::{Random, miri_or};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

fn parse(bytes: &[u8]) -> Header {
    Header::parse(bytes, 0..bytes.len()).unwrap()
}

fn range(numbers: impl Iterator<Item = u32>) -> Range<u32> {
    let numbers: Vec<_> = numbers.collect();
    numbers.first().map_or(0..0, |first| *first..numbers[numbers.len() - 1] + 1)
}

/// Splits the coordinates of a signal into those of its low-pass and high-pass samples (T.800 F.3.3).
fn split(signal: &Range<u32>) -> (Range<u32>, Range<u32>) {
    let low = signal.clone().filter(|position| position % 2 == 0).map(|position| position / 2);
    let high = signal.clone().filter(|position| position % 2 == 1).map(|position| position / 2);
    (range(low), range(high))
}

fn same(a: &Range<u32>, b: &Range<u32>) -> bool {
    a == b || a.is_empty() && b.is_empty()
}

/// Areas of the bands by resolution, the largest last.
fn bands_of(area: &Rectangle, levels: u8) -> Vec<Vec<Rectangle>> {
    let (mut columns, mut rows) = (area.columns.clone(), area.rows.clone());
    let mut resolutions = Vec::new();
    for _ in 0..levels {
        let (low_columns, high_columns) = split(&columns);
        let (low_rows, high_rows) = split(&rows);
        let band = |columns: &Range<u32>, rows: &Range<u32>| Rectangle { columns: columns.clone(), rows: rows.clone() };
        resolutions.push(vec![
            band(&high_columns, &low_rows),
            band(&low_columns, &high_rows),
            band(&high_columns, &high_rows),
        ]);
        (columns, rows) = (low_columns, low_rows);
    }
    resolutions.push(vec![Rectangle { columns, rows }]);
    resolutions.reverse();
    resolutions
}

/// Code-blocks of a band in each precinct: the areas of their samples, by precinct, row and column.
type Blocks = BTreeMap<(u32, u32), BTreeMap<(u32, u32), BTreeSet<(u32, u32)>>>;

fn blocks_of(area: &Rectangle, precinct: (u8, u8), block: (u8, u8)) -> Blocks {
    let mut blocks = Blocks::new();
    for row in area.rows.clone() {
        for column in area.columns.clone() {
            let of_precinct = blocks.entry((row >> precinct.1, column >> precinct.0)).or_default();
            of_precinct.entry((row >> block.1, column >> block.0)).or_default().insert((row, column));
        }
    }
    blocks
}

fn check_band(tile: &Tile, resolution: &Resolution, band_index: usize, coding: &Cod) {
    let band = &tile.bands[resolution.bands.start + band_index];
    let halved = u8::from(resolution.index > 0);
    let exponents = coding.precincts.get(usize::from(resolution.index)).map_or((15, 15), |p| (p & 15, p >> 4));
    let precinct = (exponents.0 - halved, exponents.1 - halved);
    let block = ((coding.block[0] + 2).min(precinct.0), (coding.block[1] + 2).min(precinct.1));
    let mut expected = blocks_of(&band.area, precinct, block);
    for index in 0..resolution.precinct_count() {
        let precinct_band = &tile.precinct_bands[resolution.precinct_band(index) + band_index];
        let column = index % resolution.precincts.0 + (resolution.area.columns.start >> exponents.0);
        let row = index / resolution.precincts.0 + (resolution.area.rows.start >> exponents.1);
        let blocks = expected.remove(&(row, column)).unwrap_or_default();
        assert_eq!(precinct_band.size.0 as usize * precinct_band.size.1 as usize, blocks.len());
        let positions =
            (0..precinct_band.size.1).flat_map(|row| (0..precinct_band.size.0).map(move |column| (row, column)));
        for ((row, column), samples) in positions.zip(blocks.values()) {
            let area = band.block_area(precinct_band.first.0 + column, precinct_band.first.1 + row);
            let shift = |range: &Range<u32>, start: u32| range.start + start..range.end + start;
            let (columns, rows) =
                (shift(&area.columns, band.area.columns.start), shift(&area.rows, band.area.rows.start));
            let found: BTreeSet<_> = rows.flat_map(|row| columns.clone().map(move |column| (row, column))).collect();
            assert_eq!(&found, samples);
        }
    }
    assert!(expected.is_empty(), "each code-block is in a precinct");
    let rows = (0..band.block_rows).map(|row| tile.block_row(band, row).len());
    assert_eq!(rows.sum::<usize>(), (band.block_columns * band.block_rows) as usize);
}

#[test]
fn build_small_tiles_have_the_geometry_of_annex_b() {
    let mut random = Random(11);
    let mut tile = Tile::default();
    for _ in 0..miri_or(120, 2) {
        let mut below = |end: usize| u32::try_from(random.below(end)).unwrap();
        let origin = (below(9), below(9));
        let start = (origin.0 + below(5), origin.1 + below(5));
        let end = (start.0 + 1 + below(40), start.1 + 1 + below(40));
        let size = (start.0 - origin.0 + 1 + below(40), start.1 - origin.1 + 1 + below(40));
        let components: Vec<_> =
            (0..2).map(|_| [7, 1 + below(3).to_le_bytes()[0], 1 + below(3).to_le_bytes()[0]]).collect();
        let levels = below(4).to_le_bytes()[0];
        let precincts = (0..=levels).map(|resolution| {
            let least = u32::from(resolution > 0);
            ((least + below(6)) << 4 | (least + below(6))).to_le_bytes()[0]
        });
        let precincts: Vec<_> = precincts.collect();
        let block = [below(3).to_le_bytes()[0], below(3).to_le_bytes()[0]];
        let cod = Cod { levels, block, precincts, ..Cod::default() };
        let grid = [end.0, end.1, start.0, start.1, size.0, size.1, origin.0, origin.1];
        let mut bytes = main_header(&[siz(grid, &components), cod.segment(), qcd(levels)]);
        let tiles = u16::try_from((end.0 - origin.0).div_ceil(size.0) * (end.1 - origin.1).div_ceil(size.1)).unwrap();
        (0..tiles).for_each(|index| bytes.extend(tile_part(index, 0, &[], &[0; 20_000])));
        bytes.extend(EOC);
        let header = parse(&bytes);
        for index in 0..tiles.into() {
            tile.build(&header, index, 0, &Limits::unbounded()).unwrap();
            for (component, [_, column_step, row_step]) in tile.components.iter().zip(&components) {
                let on_grid = |range: &Range<u32>, step: u8| {
                    let step = u32::from(step);
                    super::tests::range(range.clone().filter(|position| position % step == 0).map(|p| p / step))
                };
                let columns = on_grid(&tile.area.columns, *column_step);
                let rows = on_grid(&tile.area.rows, *row_step);
                let area = &tile.resolutions[component.resolutions.end - 1].area;
                assert!(same(&area.columns, &columns) && same(&area.rows, &rows));
                let expected = bands_of(area, levels);
                for (resolution, areas) in tile.resolutions[component.resolutions.clone()].iter().zip(&expected) {
                    assert_eq!(resolution.bands.len(), areas.len());
                    for (band_index, area) in areas.iter().enumerate() {
                        let band = &tile.bands[resolution.bands.start + band_index];
                        if !area.is_empty() || !band.area.is_empty() {
                            assert_eq!(&band.area, area);
                        }
                        check_band(&tile, resolution, band_index, &cod);
                    }
                }
            }
        }
    }
}

#[test]
fn build_quantization_gives_bit_planes_and_step_of_each_band() {
    // Irreversible, 2 guard bits; exponents 8 to 11, mantissas 0, 1024, 0, 512.
    let steps = [0x40, 0, 0x4C, 0, 0x50, 0, 0x5A, 0];
    let cod = Cod { wavelet: 0, ..Cod::default() };
    let qcd = segment(0x5C, &[&[0x42][..], &steps].concat());
    let bytes = [main_header(&[one_tile(8, 8, 1), cod.segment(), qcd]), tile_part(0, 0, &[], &[0; 2]), EOC.to_vec()];
    let mut tile = Tile::default();
    tile.build(&parse(&bytes.concat()), 0, 0, &Limits::unbounded()).unwrap();
    let found: Vec<_> = tile.bands.iter().map(|band| (band.bit_planes, band.dequantization)).collect();
    let irreversible = |step| Dequantization::Irreversible { step };
    // 2^(8 + gain - exponent) × (1 + mantissa / 2048).
    let expected =
        [(9, irreversible(1.0)), (10, irreversible(1.5)), (11, irreversible(0.5)), (12, irreversible(0.625))];
    assert_eq!(found, expected);
}

#[test]
fn build_reduced_tile_does_not_decode_the_largest_resolutions() {
    let cod = Cod { levels: 3, ..Cod::default() };
    let bytes = [main_header(&[one_tile(9, 9, 1), cod.segment(), qcd(3)]), tile_part(0, 0, &[], &[0; 4]), EOC.to_vec()]
        .concat();
    let (header, mut tile) = (parse(&bytes), Tile::default());
    tile.build(&header, 0, 2, &Limits::unbounded()).unwrap();
    let decoded: Vec<_> = tile.resolutions.iter().map(|resolution| resolution.is_decoded).collect();
    assert_eq!(decoded, [true, true, false, false]);
    assert_eq!(tile.resolutions[1].area, Rectangle { columns: 0..3, rows: 0..3 });
    let error = tile.build(&header, 0, 4, &Limits::unbounded()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn build_component_transform_needs_components_that_are_alike() {
    let header = |components: &[[u8; 3]], coc: Vec<u8>| {
        let size = siz([16, 16, 0, 0, 16, 16, 0, 0], components);
        let cod = Cod { transform: 1, ..Cod::default() };
        parse(&[main_header(&[size, cod.segment(), coc, qcd(1)]), tile_part(0, 0, &[], &[0; 9]), EOC.to_vec()].concat())
    };
    let mut tile = Tile::default();
    let none = segment(0x64, &[]);
    tile.build(&header(&[[7, 1, 1]; 3], none.clone()), 0, 0, &Limits::unbounded()).unwrap();
    assert!(tile.has_component_transform);
    let limits = Limits::unbounded();
    let error = tile.build(&header(&[[7, 1, 1], [7, 2, 1], [7, 1, 1]], none), 0, 0, &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let other_wavelet = Cod { wavelet: 0, ..Cod::default() }.coc(2);
    let error = tile.build(&header(&[[7, 1, 1]; 3], other_wavelet), 0, 0, &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[test]
fn build_tile_with_more_packets_than_bytes_is_refused_at_once() {
    let bomb = |cod: Cod, columns: u32| {
        let main = main_header(&[one_tile(columns, columns, 1), cod.segment(), qcd(cod.levels)]);
        parse(&[main, tile_part(0, 0, &[], &[0; 150]), EOC.to_vec()].concat())
    };
    let cases = [
        bomb(Cod { levels: 0, precincts: vec![0], ..Cod::default() }, 10_000),
        bomb(Cod { levels: 0, precincts: vec![0], ..Cod::default() }, u32::MAX),
        bomb(Cod { levels: 0, layers: 65_535, ..Cod::default() }, 10_000),
        bomb(Cod { levels: 1, precincts: vec![0x11, 0x11], ..Cod::default() }, 10_000),
    ];
    for header in cases {
        let start = Instant::now();
        let error = Tile::default().build(&header, 0, 0, &Limits::unbounded()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
        assert!(start.elapsed() < Duration::from_millis(50));
    }
    // One packet for 2^28 code-blocks.
    let header = bomb(Cod { levels: 0, block: [0, 0], ..Cod::default() }, 65_536);
    let start = Instant::now();
    let error = Tile::default().build(&header, 0, 0, &Limits::new(Some(1 << 30))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    let header = bomb(Cod { levels: 0, block: [0, 0], ..Cod::default() }, 1 << 18);
    let error = Tile::default().build(&header, 0, 0, &Limits::unbounded()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(start.elapsed() < Duration::from_millis(50));
}
