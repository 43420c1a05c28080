//! Packets of an encoder that follows the text of Annex B: all orders, styles and layers; broken and cut packets.

mod encoder;
mod order;

use super::super::codestream::Header;
use super::super::test_streams::{Cod, EOC, main_header, pack, qcd, segment, siz, tile_part};
use super::super::tile::{DataBuffers, DataRange, Tile};
use super::*;
use crate::error::ErrorKind;
use crate::testing::{Random, miri_or};
use encoder::Encoder;
use order::packets_in_order;

/// A tile of two components with offsets, four resolutions, and small precincts and code-blocks.
struct Example {
    components: [[u8; 3]; 2],
    cod: Cod,
}

impl Example {
    fn new(order: u8, style: u8, layers: u16) -> Self {
        let precincts = vec![0x22, 0x33, 0x43, 0x55];
        let cod = Cod { order, layers, levels: 3, block: [0, 1], style, precincts, ..Cod::default() };
        Self { components: [[7, 1, 1], [7, 2, 1]], cod }
    }

    fn main(&self, more: &[Vec<u8>]) -> Vec<u8> {
        let size = siz([93, 81, 37, 29, 128, 128, 3, 2], &self.components);
        let coc = Cod { levels: 2, precincts: vec![0x33, 0x33, 0x34], ..self.cod.clone() }.coc(1);
        main_header(&[&[size, self.cod.segment(), coc, qcd(3)], more].concat())
    }

    /// Returns the geometry, from a codestream without packets.
    fn tile(&self) -> Tile {
        let mut tile = Tile::default();
        let bytes = [self.main(&[]), tile_part(0, 0, &[], &[0; 10_000]), EOC.to_vec()].concat();
        let header = Header::parse(&bytes, 0..bytes.len()).unwrap();
        tile.build(&header, 0, 0, &Limits::unbounded()).unwrap();
        tile
    }
}

/// Reads all packets of a codestream.
fn read_all(bytes: &[u8], reduce: u8) -> Result<(Tile, Vec<Deviation>)> {
    let header = Header::parse(bytes, 0..bytes.len())?;
    let (mut tile, limits) = (Tile::default(), Limits::unbounded());
    tile.build(&header, 0, reduce, &limits)?;
    let deviations = read(&header, 0, bytes, &mut tile, &mut PacketBuffers::default(), &limits)?;
    Ok((tile, deviations))
}

/// Compares the data of each code-block with those that were encoded.
fn assert_same_data(bytes: &[u8], tile: &Tile, encoder: &Encoder) {
    for (index, (block, expected)) in tile.blocks.iter().zip(&encoder.blocks).enumerate() {
        let mut buffers = DataBuffers::default();
        let data = tile.coded_data(block, bytes, &mut buffers, &Limits::unbounded()).unwrap();
        let is_high_throughput = encoder.style & 0x40 != 0;
        let mut segments = expected.segments.clone();
        let mut zero_planes = u32::from(expected.zero_planes);
        if is_high_throughput {
            segments.retain(|(_, bytes)| !bytes.is_empty());
            if let Some(cleanup) = segments.first_mut() {
                cleanup.0 = 1;
            }
            zero_planes += u32::try_from(expected.placeholders).unwrap();
        }
        let Some(data) = data else {
            assert!(segments.is_empty(), "block {index}");
            continue;
        };
        assert_eq!((data.is_high_throughput, data.zero_bit_planes), (is_high_throughput, zero_planes));
        let found: Vec<_> =
            buffers.segments[data.segments].iter().map(|segment| (segment.passes as usize, segment.bytes)).collect();
        let lengths: Vec<_> = segments.iter().map(|(passes, bytes)| (*passes, bytes.len())).collect();
        assert_eq!(found, lengths, "block {index}");
        let found = match data.data {
            DataRange::Frame(range) => &bytes[range],
            DataRange::Joined(range) => &buffers.joined[range],
        };
        assert_eq!(found, segments.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<_>>(), "block {index}");
    }
}

#[test]
fn read_packets_of_each_order_and_style_gives_the_encoded_segments() {
    for order in 0..5 {
        for style in miri_or(&[0, 1, 4, 5, 0x40][..], &[1]) {
            for (seed, layers) in [(1, 1), (2, 2), (3, 5)] {
                let example = Example::new(order, *style, layers);
                let tile = example.tile();
                let mut encoder = Encoder::new(&tile, *style, layers, seed);
                let order = packets_in_order(&tile, order, layers, &example.components);
                assert_eq!(order.len(), tile.precinct_layers.len() * usize::from(layers));
                // Two tile-parts.
                let mut parts = [Vec::new(), Vec::new()];
                for (index, (resolution, precinct, layer)) in order.iter().enumerate() {
                    let packet = encoder.packet(&tile, *resolution, *precinct, *layer);
                    encoder.write(packet, &mut parts[usize::from(index > order.len() / 3)], None);
                }
                let [first, second] = parts;
                let parts = [tile_part(0, 0, &[], &first), tile_part(0, 1, &[], &second), EOC.to_vec()];
                let bytes = [example.main(&[]), parts.concat()].concat();
                let (found, deviations) = read_all(&bytes, 0).unwrap();
                assert_eq!(deviations, []);
                assert_same_data(&bytes, &found, &encoder);
            }
        }
    }
}

#[test]
fn read_packed_packet_headers_gives_the_encoded_segments() {
    for is_main in [false, true] {
        let example = Example::new(2, 4, 3);
        let tile = example.tile();
        let mut encoder = Encoder::new(&tile, 4, 3, 9);
        let (mut bodies, mut headers) = (Vec::new(), Vec::new());
        for (resolution, precinct, layer) in packets_in_order(&tile, 2, 3, &example.components) {
            let packet = encoder.packet(&tile, resolution, precinct, layer);
            encoder.write(packet, &mut bodies, Some(&mut headers));
        }
        let packed = |code: u8, headers: &[u8]| -> Vec<u8> {
            let chunks = headers.chunks(1000).zip(0_u8..);
            chunks.flat_map(|(chunk, index)| segment(code, &[&[index], chunk].concat())).collect()
        };
        let length = u32::try_from(headers.len()).unwrap().to_be_bytes();
        let bytes = if is_main {
            let ppm = packed(0x60, &[&length[..], &headers].concat());
            [example.main(&[ppm]), tile_part(0, 0, &[], &bodies), EOC.to_vec()].concat()
        } else {
            [example.main(&[]), tile_part(0, 0, &packed(0x61, &headers), &bodies), EOC.to_vec()].concat()
        };
        let (found, deviations) = read_all(&bytes, 0).unwrap();
        assert_eq!(deviations, []);
        assert_same_data(&bytes, &found, &encoder);
    }
}

#[test]
fn read_progression_order_changes_do_not_repeat_packets() {
    let example = Example::new(0, 0, 4);
    let tile = example.tile();
    let mut encoder = Encoder::new(&tile, 0, 4, 5);
    // Two layers of resolutions 0 and 1 by position, the rest by resolution.
    let poc = segment(0x5F, &[0, 0, 0, 2, 2, 0, 3, 0, 0, 0, 4, 9, 0, 1]);
    let is_first = |(resolution, _, layer): &(usize, u32, u16)| tile.resolutions[*resolution].index < 2 && *layer < 2;
    let first = packets_in_order(&tile, 3, 4, &example.components).into_iter().filter(is_first);
    let second = packets_in_order(&tile, 1, 4, &example.components).into_iter().filter(|packet| !is_first(packet));
    let mut packets = Vec::new();
    for (resolution, precinct, layer) in first.chain(second) {
        let packet = encoder.packet(&tile, resolution, precinct, layer);
        encoder.write(packet, &mut packets, None);
    }
    let stream = |poc: Vec<u8>| [example.main(&[poc]), tile_part(0, 0, &[], &packets), EOC.to_vec()].concat();
    let bytes = stream(poc);
    let (found, deviations) = read_all(&bytes, 0).unwrap();
    assert_eq!(deviations, []);
    assert_same_data(&bytes, &found, &encoder);
    let error = read_all(&stream(segment(0x5F, &[0, 0, 0, 2, 2, 0, 3])), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.message().contains("leave out"), "{error}");
}

/// Returns a codestream of one tile-part in LRCP, and its encoder.
fn example_stream() -> (Vec<u8>, Encoder) {
    let example = Example::new(0, 0, 2);
    let tile = example.tile();
    let mut encoder = Encoder::new(&tile, 0, 2, 6);
    let mut packets = Vec::new();
    for (resolution, precinct, layer) in packets_in_order(&tile, 0, 2, &example.components) {
        let packet = encoder.packet(&tile, resolution, precinct, layer);
        encoder.write(packet, &mut packets, None);
    }
    ([example.main(&[]), tile_part(0, 0, &[], &packets)].concat(), encoder)
}

#[test]
fn read_reduced_tile_skips_the_bodies_of_discarded_resolutions() {
    let (bytes, encoder) = example_stream();
    let (tile, deviations) = read_all(&bytes, 1).unwrap();
    assert_eq!(deviations, []);
    for resolution in &tile.resolutions {
        for band in &tile.bands[resolution.bands.clone()] {
            for index in band.first_block..band.first_block + (band.block_columns * band.block_rows) as usize {
                let mut buffers = DataBuffers::default();
                let block = &tile.blocks[index];
                let data = tile.coded_data(block, &bytes, &mut buffers, &Limits::unbounded()).unwrap();
                let is_coded = resolution.is_decoded && !encoder.blocks[index].segments.is_empty();
                assert_eq!(data.is_some(), is_coded);
            }
        }
    }
}

#[test]
fn read_cut_packets_are_truncated_but_for_two_bytes_of_the_last_body() {
    let (bytes, encoder) = example_stream();
    let (_, deviations) = read_all(&bytes, 0).unwrap();
    assert_eq!(deviations, []);
    let last_body = encoder
        .blocks
        .iter()
        .filter_map(|block| block.segments.last())
        .any(|(_, data)| data.len() > 2 && bytes.ends_with(data));
    assert!(last_body, "the last packet ends with a body of more than two bytes");
    for missing in 1..=2 {
        let (_, deviations) = read_all(&bytes[..bytes.len() - missing], 0).unwrap();
        let messages: Vec<_> = deviations.iter().map(|found| found.message.to_string()).collect();
        assert_eq!(messages, [format!("{missing} bytes of the last packet missing")]);
    }
    let data = bytes.len() - 3 - miri_or(3000, 30)..bytes.len() - 2;
    for end in data {
        let error = read_all(&bytes[..end], 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{end}: {error}");
    }
}

#[test]
fn read_changed_bytes_never_panics() {
    let mut random = Random(3);
    for style in [0, 1, 4, 0x40, 0xC0] {
        let example = Example::new(1, style, 3);
        let tile = example.tile();
        let mut encoder = Encoder::new(&tile, style & 0x7F, 3, 8);
        let mut packets = Vec::new();
        for (resolution, precinct, layer) in packets_in_order(&tile, 1, 3, &example.components) {
            let packet = encoder.packet(&tile, resolution, precinct, layer);
            encoder.write(packet, &mut packets, None);
        }
        let bytes = [example.main(&[]), tile_part(0, 0, &[], &packets), EOC.to_vec()].concat();
        for _ in 0..miri_or(400, 2) {
            let mut changed = bytes.clone();
            for _ in 0..1 + random.below(3) {
                let index = random.below(changed.len());
                changed[index] = random.next().to_le_bytes()[0];
            }
            let Ok((tile, _)) = read_all(&changed, 0) else { continue };
            let mut buffers = DataBuffers::default();
            for block in &tile.blocks {
                _ = tile.coded_data(block, &changed, &mut buffers, &Limits::unbounded());
            }
        }
    }
}

#[test]
fn read_bytes_after_the_last_packet_are_a_deviation_if_they_are_few() {
    let (bytes, _) = example_stream();
    let with_bytes = |count: usize| {
        let mut bytes = [&bytes[..], &vec![0; count]].concat();
        let start = bytes.windows(2).position(|marker| marker == [0xFF, 0x90]).unwrap();
        let length = u32::try_from(bytes.len() - start).unwrap();
        bytes[start + 6..start + 10].copy_from_slice(&length.to_be_bytes());
        read_all(&bytes, 0).map(|(_, deviations)| deviations.into_iter().map(|found| found.message.to_string()))
    };
    let found: Vec<_> = with_bytes(16).unwrap().collect();
    assert_eq!(found, ["16 bytes after the last packet of tile 0 found"]);
    let error = with_bytes(17).map(Iterator::count).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[test]
fn read_packets_after_a_cut_body_are_truncated() {
    let size = siz([1, 1, 0, 0, 1, 1, 0, 0], &[[7, 1, 1]]);
    let cod = Cod { levels: 0, layers: 2, ..Cod::default() };
    // Included, 0 zero bit-planes, 1 pass, 4 bytes; then an empty packet.
    let included = pack(&[true, true, true, false, false, true, false, false]);
    let stream = |headers: &[u8], layers: u16, body: &[u8]| {
        let main = main_header(&[size.clone(), Cod { layers, ..cod.clone() }.segment(), qcd(0)]);
        let ppt = segment(0x61, &[&[0], headers].concat());
        let mut part = tile_part(0, 0, &ppt, &[1, 2, 3, 4]);
        part.truncate(part.len() - 4 + body.len());
        [main, part].concat()
    };
    let empty = [&included[..], &[0]].concat();
    let (tile, deviations) = read_all(&stream(&empty, 2, &[1, 2, 3, 4]), 0).unwrap();
    assert_eq!((deviations.len(), tile.blocks.len()), (0, 1));
    assert_eq!(read_all(&stream(&included, 1, &[1, 2, 3]), 0).unwrap().1.len(), 1);
    let error = read_all(&stream(&empty, 2, &[1, 2, 3]), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn read_more_zero_bit_planes_than_the_band_has_are_malformed() {
    let size = siz([1, 1, 0, 0, 1, 1, 0, 0], &[[7, 1, 1]]);
    let main = main_header(&[size, Cod { levels: 0, ..Cod::default() }.segment(), qcd(0)]);
    // The band has 2 + 8 - 1 bit-planes.
    for (zero_planes, is_valid) in [(9, true), (10, false)] {
        let planes = std::iter::repeat_n(false, zero_planes).chain([true]);
        let bits: Vec<_> = [true, true].into_iter().chain(planes).chain([false; 5]).collect();
        let bytes = [&main[..], &tile_part(0, 0, &[], &pack(&bits)), &EOC].concat();
        let result = read_all(&bytes, 0);
        match result {
            Ok(_) => assert!(is_valid),
            Err(error) => assert_eq!((error.kind(), is_valid), (ErrorKind::Malformed, false), "{error}"),
        }
    }
}
