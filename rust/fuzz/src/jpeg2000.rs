//! JPEG 2000 codestreams around any packets, and around the data of one code-block, so that inputs reach these stages
//! without a valid header of their own.

use crate::{CHOICE_BYTES, Coverage, decode_codestream_all_paths_equal};

/// Bytes before the packets of [`packets_decode_alike`], or before the data of [`code_block_decodes_alike`].
const OPTION_BYTES: usize = 8;
/// Bit of the code-block style for HT code-blocks (ITU-T T.814 Table A.1).
const HIGH_THROUGHPUT: u8 = 0x40;
/// Code-block styles (ITU-T T.800 Table A.19).
const BYPASS: u8 = 1;
const TERMINATE_EACH_PASS: u8 = 4;

/// Property: the packets of a valid header are decoded alike on all paths. The first bytes choose the header:
///
/// ```text
/// byte  content                        byte  content
///    0  rows - 1, modulo 64               4  width (bits 0-2) and height of code-blocks
///    1  columns - 1, modulo 64            5  code-block style
///    2  bits 0-1 components - 1,          6  bits 0-1 layers - 1, bit 2 precincts of 8 samples,
///       bits 2-4 progression,                bits 3-4 levels, bit 5 SOP, bit 6 EPH,
///       bit 5 component transform            bit 7 wavelet 9/7
///    3  bits 0-5 tile size                7  bit-planes
/// ```
pub fn packets_decode_alike(bytes: &[u8]) -> Coverage {
    let Some((&[rows, columns, planes, tile, block, style, coding, exponent], packets)) =
        bytes.split_first_chunk::<OPTION_BYTES>()
    else {
        return Coverage::Skipped;
    };
    let (rows, columns) = (rows % 64 + 1, columns % 64 + 1);
    let header = Header {
        rows,
        columns,
        tile: if tile & 63 == 0 { rows.max(columns) } else { tile & 63 },
        components: planes % 4 + 1,
        progression: (planes >> 2) % 5,
        has_transform: planes >> 5 & 1,
        layers: coding % 4 + 1,
        has_precincts: coding >> 2 & 1,
        levels: coding >> 3 & 3,
        marks: coding >> 5 & 3,
        is_irreversible: coding >> 7 == 1,
        block_exponents: (block & 7, block >> 3 & 7),
        style,
        bit_planes: exponent % 31,
        roi_shift: 0,
    };
    header.decode(packets)
}

/// Property: any data of one code-block are decoded alike on all paths; `HT` chooses the decoder. The first bytes choose:
///
/// ```text
/// byte  content                        byte  content
///    0  rows - 1, modulo 64               4  coding passes - 1
///    1  columns - 1, modulo 64            5  shift of the region of interest
///    2  bit-planes - 1, modulo 30         6  bit 0 wavelet 9/7
///    3  code-block style                  7  bytes of the first codeword segment, for two HT segments
/// ```
pub fn code_block_decodes_alike<const HT: bool>(bytes: &[u8]) -> Coverage {
    let Some((&[rows, columns, bit_planes, style, passes, shift, wavelet, first], data)) =
        bytes.split_first_chunk::<OPTION_BYTES>()
    else {
        return Coverage::Skipped;
    };
    let bit_planes = bit_planes % 30 + 1;
    let max_passes = if HT { 3 } else { 3 * bit_planes - 2 };
    let passes = passes % max_passes + 1;
    let style = if HT { style & 8 | HIGH_THROUGHPUT } else { style & 0x3F };
    let header = Header {
        rows: rows % 64 + 1,
        columns: columns % 64 + 1,
        tile: 64,
        components: 1,
        progression: 0,
        has_transform: 0,
        layers: 1,
        has_precincts: 0,
        levels: 0,
        marks: 0,
        is_irreversible: wavelet & 1 == 1,
        block_exponents: (4, 4),
        style,
        bit_planes,
        roi_shift: shift % 8,
    };
    let segments = segments(passes, style, data.len(), first.into());
    let mut packet = PacketHeader::default();
    packet.write(&segments, passes);
    let mut packets = packet.finish();
    packets.extend(data);
    header.decode(&packets)
}

/// Returns the passes and bytes of each codeword segment (ITU-T T.800 Table D.9, T.814 B.2).
fn segments(passes: u8, style: u8, bytes: usize, first_bytes: usize) -> Vec<(u8, usize)> {
    let mut passes_of = Vec::new();
    let mut pass = 0;
    while pass < passes {
        // Pass 0 is a cleanup pass, then the three passes of each bit-plane follow; raw ones begin with pass 10.
        let length = match style {
            style if style & HIGH_THROUGHPUT != 0 => 1 + u8::from(pass != 0),
            style if style & TERMINATE_EACH_PASS != 0 => 1,
            style if style & BYPASS != 0 && pass < 10 => 10,
            style if style & BYPASS != 0 => 2 - u8::from((pass - 10) % 3 != 0),
            _ => passes,
        };
        passes_of.push(length.min(passes - pass));
        pass += length;
    }
    let count = passes_of.len();
    let mut rest = bytes;
    let split = |(index, passes): (usize, u8)| {
        let part = match (index + 1 == count, style & HIGH_THROUGHPUT != 0) {
            (true, _) => rest,
            (false, true) => first_bytes.min(rest),
            (false, false) => rest / (count - index),
        };
        rest -= part;
        (passes, part)
    };
    passes_of.into_iter().enumerate().map(split).collect()
}

/// Bits of a packet header (ITU-T T.800 B.10).
#[derive(Default)]
struct PacketHeader {
    bytes: Vec<u8>,
    current: u8,
    /// Free bits of `current`; 0 before the first bit.
    free: u32,
}

impl PacketHeader {
    /// Writes a packet of one code-block, whose bit-planes are all coded.
    fn write(&mut self, segments: &[(u8, usize)], passes: u8) {
        /// Increments of Lblock from 3, so that lengths of 16 bits can be written.
        const LENGTH_INCREMENTS: u32 = 13;
        // The packet is not empty; the block is included; it has no zero bit-planes.
        self.push(0b111, 3);
        match u32::from(passes) {
            1 => self.push(0, 1),
            2 => self.push(0b10, 2),
            count @ 3..=5 => self.push(0b1100 | (count - 3), 4),
            count @ 6..=36 => self.push((0b1111 << 5) | (count - 6), 9),
            count => self.push((0x1FF << 7) | (count - 37), 16),
        }
        self.push((1 << LENGTH_INCREMENTS) - 1, LENGTH_INCREMENTS);
        self.push(0, 1);
        for (passes, bytes) in segments {
            self.push(u32::try_from(*bytes).unwrap_or(0), 3 + LENGTH_INCREMENTS + passes.ilog2());
        }
    }

    fn push(&mut self, value: u32, bits: u32) {
        for bit in (0..bits).rev() {
            if self.free == 0 {
                // A zero bit follows a byte FF.
                self.free = if self.current == 0xFF { 7 } else { 8 };
                self.current = 0;
            }
            self.free -= 1;
            self.current |= u8::from(value >> bit & 1 == 1) << self.free;
            if self.free == 0 {
                self.bytes.push(self.current);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.free != 0 {
            self.bytes.push(self.current);
        } else if self.current == 0xFF {
            self.bytes.push(0);
        }
        self.bytes
    }
}

/// Parameters of a codestream of 8-bit components.
struct Header {
    rows: u8,
    columns: u8,
    tile: u8,
    components: u8,
    progression: u8,
    has_transform: u8,
    layers: u8,
    has_precincts: u8,
    levels: u8,
    /// Bit 0 SOP, bit 1 EPH.
    marks: u8,
    is_irreversible: bool,
    /// Binary logarithms of width and height minus 2 (Table A.18).
    block_exponents: (u8, u8),
    style: u8,
    bit_planes: u8,
    roi_shift: u8,
}

impl Header {
    /// Decodes `packets` after this header, on all paths.
    fn decode(&self, packets: &[u8]) -> Coverage {
        // MONOCHROME2 or RGB.
        let photometric = 3 - u8::from(self.components == 3);
        let frames = 1;
        // The first transfer syntax of a codec is lossless.
        let syntax = 2 * u8::from(self.is_irreversible);
        let input: [u8; CHOICE_BYTES] =
            [0, syntax, self.rows, self.columns, self.components, 1, 8, 0, 4, frames, 0, photometric];
        let codec = if self.style & HIGH_THROUGHPUT == 0 { "jpeg2000" } else { "htj2k" };
        decode_codestream_all_paths_equal(codec, &[&input, &*self.codestream(packets)].concat())
    }

    fn codestream(&self, packets: &[u8]) -> Vec<u8> {
        let is_ht = self.style & HIGH_THROUGHPUT != 0;
        let word = |value: u8| u32::from(value).to_be_bytes();
        let mut size = vec![if is_ht { 0x40 } else { 0 }, 0];
        for value in [self.columns, self.rows, 0, 0, self.tile, self.tile, 0, 0] {
            size.extend(word(value));
        }
        size.extend([0, self.components]);
        size.extend([7, 1, 1].repeat(self.components.into()));
        let mut out = vec![0xFF, 0x4F];
        append_segment(&mut out, 0x51, &size);
        if is_ht {
            append_segment(&mut out, 0x50, &[0, 2, 0, 0, 0, 20]);
        }
        let (width, height) = self.block_exponents;
        let mut coding = vec![self.has_precincts | self.marks << 1, self.progression, 0, self.layers];
        coding.extend([self.has_transform, self.levels, width, height, self.style, u8::from(!self.is_irreversible)]);
        if self.has_precincts == 1 {
            coding.extend(vec![0x33; usize::from(self.levels) + 1]);
        }
        append_segment(&mut out, 0x52, &coding);
        // One guard bit: a band has as many bit-planes as its exponent (Equation E-2).
        let bands = 3 * usize::from(self.levels) + 1;
        let quantization = match self.is_irreversible {
            true => [vec![0x22], [self.bit_planes << 3, 0].repeat(bands)].concat(),
            false => [vec![0x20], vec![self.bit_planes << 3; bands]].concat(),
        };
        append_segment(&mut out, 0x5C, &quantization);
        if self.roi_shift != 0 {
            append_segment(&mut out, 0x5E, &[0, 0, self.roi_shift]);
        }
        // The length of the tile-part is 0: to the end of the codestream.
        append_segment(&mut out, 0x90, &[0, 0, 0, 0, 0, 0, 0, 1]);
        out.extend([0xFF, 0x93]);
        out.extend(packets);
        out.extend([0xFF, 0xD9]);
        out
    }
}

fn append_segment(out: &mut Vec<u8>, code: u8, parameters: &[u8]) {
    out.extend([0xFF, code]);
    out.extend(u16::try_from(parameters.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(parameters);
}
