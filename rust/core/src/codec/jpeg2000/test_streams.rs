//! Marker segments, tag trees and bits of packet headers for tests.

/// Returns a marker segment with its length.
pub(super) fn segment(code: u8, parameters: &[u8]) -> Vec<u8> {
    let length = u16::try_from(parameters.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, code], &length[..], parameters].concat()
}

/// Returns SIZ: ends, start, tile size and tile origin as pairs of column and row; components as depth, column step and row
/// step.
pub(super) fn siz(grid: [u32; 8], components: &[[u8; 3]]) -> Vec<u8> {
    let mut parameters = vec![0, 0];
    grid.iter().for_each(|number| parameters.extend(number.to_be_bytes()));
    parameters.extend(u16::try_from(components.len()).unwrap().to_be_bytes());
    parameters.extend(components.as_flattened());
    segment(0x51, &parameters)
}

/// Returns SIZ of an image without offsets that is one tile, with components of 8 bits.
pub(super) fn one_tile(columns: u32, rows: u32, components: usize) -> Vec<u8> {
    siz([columns, rows, 0, 0, columns, rows, 0, 0], &vec![[7, 1, 1]; components])
}

/// Parameters of COD.
#[derive(Clone)]
pub(super) struct Cod {
    pub(super) order: u8,
    pub(super) layers: u16,
    pub(super) transform: u8,
    pub(super) levels: u8,
    /// As they are stored: 2 less than the exponents.
    pub(super) block: [u8; 2],
    pub(super) style: u8,
    pub(super) wavelet: u8,
    pub(super) precincts: Vec<u8>,
}

impl Default for Cod {
    fn default() -> Self {
        Self { order: 0, layers: 1, transform: 0, levels: 1, block: [4, 4], style: 0, wavelet: 1, precincts: vec![] }
    }
}

impl Cod {
    fn coding(&self) -> Vec<u8> {
        let [width, height] = self.block;
        [&[self.levels, width, height, self.style, self.wavelet][..], &self.precincts].concat()
    }

    pub(super) fn segment(&self) -> Vec<u8> {
        let [high, low] = self.layers.to_be_bytes();
        let flags = u8::from(!self.precincts.is_empty());
        segment(0x52, &[&[flags, self.order, high, low, self.transform][..], &self.coding()].concat())
    }

    /// Returns COC of a component.
    pub(super) fn coc(&self, component: u8) -> Vec<u8> {
        segment(0x53, &[&[component, u8::from(!self.precincts.is_empty())][..], &self.coding()].concat())
    }
}

/// Returns QCD without quantization: 2 guard bits, and exponents that start with 8.
pub(super) fn qcd(levels: u8) -> Vec<u8> {
    let exponents = (0..=3 * levels).map(|band| (8 + band % 4) << 3);
    segment(0x5C, &std::iter::once(2 << 5).chain(exponents).collect::<Vec<_>>())
}

/// Returns the main header with SOC.
pub(super) fn main_header(segments: &[Vec<u8>]) -> Vec<u8> {
    [&[0xFF, 0x4F][..], &segments.concat()].concat()
}

/// Returns a tile-part; `header` is between SOT and SOD.
pub(super) fn tile_part(tile: u16, part: u8, header: &[u8], packets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(12 + header.len() + 2 + packets.len()).unwrap();
    let [t1, t0] = tile.to_be_bytes();
    let [l3, l2, l1, l0] = length.to_be_bytes();
    [&segment(0x90, &[t1, t0, l3, l2, l1, l0, part, 0])[..], header, &[0xFF, 0x93], packets].concat()
}

/// End of codestream.
pub(super) const EOC: [u8; 2] = [0xFF, 0xD9];

/// Node of a tag tree: value, bound, and true if the value is written.
type Node = (u16, u16, bool);

/// Writes leaf values of a tag tree, by the definition of T.800 B.10.2.
pub(super) struct TagTreeEncoder {
    /// Width and nodes of each level.
    levels: Vec<(usize, Vec<Node>)>,
}

impl TagTreeEncoder {
    pub(super) fn new(width: usize, height: usize, values: &[u16]) -> Self {
        let mut levels = vec![(width, values.to_vec())];
        let mut size = (width, height);
        while size.0 * size.1 > 1 {
            let next = (size.0.div_ceil(2), size.1.div_ceil(2));
            let (_, below) = levels.last().unwrap();
            let mut minima = vec![u16::MAX; next.0 * next.1];
            for (index, value) in below.iter().enumerate() {
                let minimum = &mut minima[index / size.0 / 2 * next.0 + index % size.0 / 2];
                *minimum = (*minimum).min(*value);
            }
            levels.push((next.0, minima));
            size = next;
        }
        let levels = levels.into_iter();
        let levels = levels.map(|(width, values)| (width, values.into_iter().map(|value| (value, 0, false)).collect()));
        Self { levels: levels.collect() }
    }

    /// Writes a leaf up to a threshold.
    pub(super) fn encode(&mut self, column: usize, row: usize, threshold: u16, out: &mut Vec<bool>) {
        let mut low = 0;
        for level in (0..self.levels.len()).rev() {
            let (width, nodes) = &mut self.levels[level];
            let (value, bound, is_known) = &mut nodes[(row >> level) * *width + (column >> level)];
            low = low.max(*bound);
            while low < threshold && !*is_known {
                if *value > low {
                    out.push(false);
                    low += 1;
                } else {
                    out.push(true);
                    *is_known = true;
                }
            }
            *bound = low;
        }
    }
}

/// Returns the bytes of a packet header: after FF, the highest bit is 0 (T.800 B.10.1).
pub(super) fn pack(bits: &[bool]) -> Vec<u8> {
    let (mut bytes, mut byte, mut left, mut is_partial) = (Vec::new(), 0_u8, 8, false);
    for bit in bits {
        left -= 1;
        byte |= u8::from(*bit) << left;
        is_partial = left > 0;
        if left == 0 {
            bytes.push(byte);
            left = if byte == 0xFF { 7 } else { 8 };
            byte = 0;
        }
    }
    if is_partial {
        bytes.push(byte);
    }
    if bytes.last() == Some(&0xFF) {
        bytes.push(0);
    }
    bytes
}
