//! Marker segments for tests.

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
