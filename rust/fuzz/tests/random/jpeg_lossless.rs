//! Random valid JPEG Lossless frames (ITU-T T.81 process 14) with their samples.
//!
//! Every sequence of differences is a valid frame. So codes and extra bits are drawn at random, and the samples are
//! reconstructed from them by Table H.1, one at a time. No code is shared with the decoder.

use crate::Random;

/// Size of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) components: usize,
    /// Largest precision in bits: 8, or 16 and more.
    pub(crate) bits: usize,
}

/// A codestream and its samples, interleaved by pixel.
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) samples: Vec<u64>,
}

/// Distribution of code lengths and categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Uniformly random lengths and categories.
    Any,
    /// About one bit per sample.
    Constant,
    /// Twelve bits and more per sample.
    Noise,
    /// Longest codes and most extra bits, uniformly distributed.
    Long,
    /// A table with one code.
    Single,
    /// Short codes, interrupted by bursts of hundreds of long ones.
    Bursts,
}

impl Style {
    fn any(random: &mut Random) -> Self {
        [Self::Any, Self::Any, Self::Constant, Self::Noise, Self::Long, Self::Single, Self::Bursts][random.below(7)]
    }
}

/// A Huffman table (T.81 Annex C).
#[derive(Clone)]
struct Table {
    counts: [u8; 16],
    categories: Vec<u8>,
    /// Code and length in bits of each symbol.
    codes: Vec<(u32, u32)>,
    /// Cumulative weights 2^(16 - length): a uniformly random bit string selects codes with these weights.
    weights: Vec<u32>,
}

impl Table {
    fn any(random: &mut Random, style: Style) -> Self {
        let mut counts = [0_u8; 16];
        let single_length = random.below(16);
        let is_complete = random.byte() < 10;
        // Unused codes of the current length, and symbols so far.
        let (mut free, mut total) = (1, 0);
        for (index, count) in counts.iter_mut().enumerate() {
            free = (2 * free).min(1 << 9);
            let code_count = match (style, index) {
                (Style::Single, _) => usize::from(index == single_length),
                (Style::Constant, 0) => 1,
                (Style::Noise, 2..6) => random.below(8),
                (Style::Long | Style::Bursts, 1) => random.below(3),
                (Style::Long | Style::Bursts, 8..) => random.below(6),
                (Style::Any, _) => random.below(4),
                (_, 6..) => random.below(3),
                _ => 0,
            };
            // The code of all ones stays unused, unless the table is complete: then length 16 takes all unused codes.
            let code_count = code_count.min(free - 1).min(256 - total);
            let code_count = if is_complete && index == 15 && free + total <= 256 { free } else { code_count };
            free -= code_count;
            total += code_count;
            *count = u8::try_from(code_count).unwrap();
        }
        if total == 0 {
            (counts[single_length], total) = (1, 1);
        }
        let categories = (0..total).map(|symbol| match (style, symbol) {
            (Style::Constant, 0) => 0,
            (Style::Noise, _) => 10 + random.below(7),
            (Style::Long, _) => 12 + random.below(4),
            _ => random.below(17),
        });
        Self::new(counts, categories.map(|category| u8::try_from(category).unwrap()).collect())
    }

    fn new(counts: [u8; 16], categories: Vec<u8>) -> Self {
        let (mut codes, mut weights) = (Vec::new(), Vec::new());
        let (mut next, mut sum) = (0, 0);
        for (length, count) in (1..).zip(counts) {
            for _ in 0..count {
                codes.push((next, length));
                sum += 1 << (16 - length);
                weights.push(sum);
                next += 1;
            }
            next <<= 1;
        }
        Self { counts, categories, codes, weights }
    }

    /// Draws the index of a code for symbol number `index` of the scan.
    fn draw(&self, random: &mut Random, style: Style, index: usize) -> usize {
        let is_uniform = match style {
            Style::Long => true,
            Style::Bursts => index % 3000 < 300,
            Style::Constant => random.byte() == 0,
            _ => false,
        };
        if is_uniform {
            return random.below(self.codes.len());
        }
        if style == Style::Constant {
            return 0;
        }
        let share = u32::try_from(random.below(*self.weights.last().unwrap() as usize)).unwrap();
        self.weights.iter().position(|weight| share < *weight).unwrap()
    }
}

/// Entropy-coded data: bits, with a stuffed 00 byte after each FF.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    bits: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.bits = self.bits << count | u64::from(value);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            self.byte((self.bits >> self.count) as u8);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 0xFF {
            self.bytes.push(0);
        }
    }

    /// Pads to a whole byte with ones, as the standard requires, or with random bits; sometimes appends superfluous bytes.
    fn finish(mut self, random: &mut Random) -> Vec<u8> {
        let pad = if random.byte() < 200 { 0x7F } else { u32::from(random.byte()) & 0x7F };
        let count = (8 - self.count % 8) % 8;
        self.put(pad >> (7 - count), count);
        if random.byte() < 10 {
            (0..1 + random.below(9)).for_each(|_| self.byte(random.byte()));
        }
        self.bytes
    }
}

/// Appends a marker, sometimes after fill bytes.
fn marker(random: &mut Random, out: &mut Vec<u8>, code: u8) {
    if random.byte() < 20 {
        out.extend([0xFF; 3].iter().take(random.below(4)));
    }
    out.extend([0xFF, code]);
}

/// Appends a marker and its parameters.
fn segment(random: &mut Random, out: &mut Vec<u8>, code: u8, parameters: &[u8]) {
    marker(random, out, code);
    out.extend(u16::try_from(parameters.len() + 2).unwrap().to_be_bytes());
    out.extend(parameters);
}

/// Sometimes appends segments that decoders skip.
fn skippable_segments(random: &mut Random, out: &mut Vec<u8>) {
    while random.byte() < 40 {
        let code = [0xE0, 0xE1, 0xEE, 0xEF, 0xFE, 0xDB, 0xF0, 0xFD][random.below(8)];
        // No byte is FF, so that nothing looks like a marker.
        let parameters: Vec<u8> = (0..random.below(20)).map(|_| random.byte() & 0x7F).collect();
        segment(random, out, code, &parameters);
    }
}

/// The tables of the four destinations.
type Tables = [Option<Table>; 4];

/// Redefines some tables, and defines those of `needed` that are undefined.
fn define_tables(random: &mut Random, out: &mut Vec<u8>, tables: &mut Tables, needed: &[usize], style: Style) {
    let mut parameters = Vec::new();
    for (destination, table) in tables.iter_mut().enumerate() {
        if random.byte() < 10 {
            // A table of class 1 (AC coefficients) with one code.
            parameters.push(0x10 | random.below(4) as u8);
            parameters.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, random.byte()]);
        }
        if random.byte() < 40 || needed.contains(&destination) && table.is_none() {
            let defined = Table::any(random, style);
            parameters.push(u8::try_from(destination).unwrap());
            parameters.extend(defined.counts);
            parameters.extend(&defined.categories);
            *table = Some(defined);
        }
        if !parameters.is_empty() && random.byte() < 128 {
            segment(random, out, 0xC4, &parameters);
            parameters.clear();
        }
    }
    if !parameters.is_empty() {
        segment(random, out, 0xC4, &parameters);
    }
}

/// Returns the components of each scan: all in one scan, one scan each, or a mixture.
fn scans(random: &mut Random, components: usize) -> Vec<Vec<usize>> {
    let kind = random.below(4);
    let mut scans: Vec<Vec<usize>> = Vec::new();
    for component in 0..components {
        match kind {
            0 => scans.push(vec![component]),
            1 if !scans.is_empty() => {
                let scan = random.below(scans.len() + 1);
                if scan == scans.len() {
                    scans.push(Vec::new());
                }
                scans[scan].push(component);
            }
            _ if scans.is_empty() => scans.push(vec![component]),
            _ => scans[0].push(component),
        }
    }
    if random.byte() < 128 {
        scans.reverse();
    }
    scans
}

/// Parameters of one scan.
struct Scan<'a> {
    components: &'a [usize],
    selection_value: u8,
    /// Prediction of the first sample: 2^(precision - point transform - 1).
    initial: i32,
    /// Rows per restart interval; at least all rows without restarts.
    interval_rows: usize,
}

/// Appends the frame header (SOF3).
fn frame_header(
    random: &mut Random,
    out: &mut Vec<u8>,
    shape: Shape,
    precision: usize,
    lines: [u8; 2],
    id: &dyn Fn(usize) -> u8,
) {
    let mut parameters = vec![u8::try_from(precision).unwrap()];
    parameters.extend(lines);
    parameters.extend(u16::try_from(shape.columns).unwrap().to_be_bytes());
    parameters.push(u8::try_from(shape.components).unwrap());
    for component in 0..shape.components {
        // Sampling factors of a single component have no effect.
        let sampling = if shape.components == 1 { [0x11, 0x22, 0x41][random.below(3)] } else { 0x11 };
        parameters.extend([id(component), sampling, random.byte()]);
    }
    segment(random, out, 0xC3, &parameters);
}

/// Draws the rows per restart interval; 0 for no restarts.
fn interval(random: &mut Random, shape: Shape) -> usize {
    let max_rows = (65_535 / shape.columns).min(shape.rows + 1);
    let rows = if random.byte() < 90 { 1 + random.below(max_rows) } else { 0 };
    // Sometimes few rows, so that images with many rows have many intervals.
    if random.byte() < 60 { rows.min(1 + random.below(4)) } else { rows }
}

/// Returns a valid frame of a random style.
pub(crate) fn frame(random: &mut Random, shape: Shape) -> Frame {
    let Shape { rows, columns, components, bits } = shape;
    let style = Style::any(random);
    let precision = 2 + random.below(bits.min(16) - 1);
    let point_transform = if random.byte() < 60 { random.below(precision) } else { 0 };
    let first_id = random.byte();
    let id = |component: usize| first_id.wrapping_add(u8::try_from(component).unwrap().wrapping_mul(61));
    let mut samples = vec![0; rows * columns * components];
    let mut tables: Tables = [const { None }; 4];
    let mut out = vec![0xFF, 0xD8];
    skippable_segments(random, &mut out);
    if random.byte() < 80 {
        define_tables(random, &mut out, &mut tables, &[0], style);
    }
    let has_open_lines = random.byte() < 30;
    let lines = u16::try_from(rows).unwrap().to_be_bytes();
    frame_header(random, &mut out, shape, precision, if has_open_lines { [0, 0] } else { lines }, &id);
    let mut defined = 0;
    for (index, components_of_scan) in scans(random, components).iter().enumerate() {
        let destinations: Vec<usize> = match random.below(3) {
            0 => vec![random.below(4); components_of_scan.len()],
            _ => components_of_scan.iter().map(|_| random.below(4)).collect(),
        };
        skippable_segments(random, &mut out);
        define_tables(random, &mut out, &mut tables, &destinations, style);
        let interval_rows = interval(random, shape);
        if interval_rows * columns != defined || random.byte() < 10 {
            defined = interval_rows * columns;
            segment(random, &mut out, 0xDD, &u16::try_from(defined).unwrap().to_be_bytes());
        }
        skippable_segments(random, &mut out);
        let selection_value = 1 + random.below(7) as u8;
        let mut parameters = vec![u8::try_from(components_of_scan.len()).unwrap()];
        for (component, destination) in components_of_scan.iter().zip(&destinations) {
            parameters.extend([id(*component), u8::try_from(*destination).unwrap() << 4 | random.below(4) as u8]);
        }
        parameters.extend([selection_value, 0, u8::try_from(point_transform).unwrap()]);
        segment(random, &mut out, 0xDA, &parameters);
        let scan = Scan {
            components: components_of_scan,
            selection_value,
            initial: 1 << (precision - point_transform - 1),
            interval_rows: if interval_rows == 0 { rows } else { interval_rows },
        };
        let used: Vec<&Table> = destinations.iter().map(|destination| tables[*destination].as_ref().unwrap()).collect();
        let differences = entropy_coded_data(random, &mut out, shape, &scan, &used, style);
        let reconstructed = reconstruct(&differences, shape, &scan);
        let scan_components = components_of_scan.len();
        for (pixel, scan_samples) in samples.chunks_mut(components).zip(reconstructed.chunks(scan_components)) {
            for (component, sample) in components_of_scan.iter().zip(scan_samples) {
                pixel[*component] = u64::from(*sample) << point_transform & ((1 << precision) - 1);
            }
        }
        if index == 0 && (has_open_lines || random.byte() < 10) {
            segment(random, &mut out, 0xDC, &lines);
        }
    }
    if random.byte() < 240 {
        skippable_segments(random, &mut out);
        marker(random, &mut out, 0xD9);
        if random.byte() < 20 {
            out.resize(out.len() + random.below(6), 0);
        }
    }
    Frame { bytes: out, samples }
}

/// Appends the entropy-coded data of one scan, with restart markers between intervals. Returns its differences.
fn entropy_coded_data(
    random: &mut Random,
    out: &mut Vec<u8>,
    shape: Shape,
    scan: &Scan<'_>,
    tables: &[&Table],
    style: Style,
) -> Vec<u16> {
    let row = shape.columns * scan.components.len();
    let mut differences = Vec::with_capacity(row * shape.rows);
    for (restart, first) in (0..shape.rows).step_by(scan.interval_rows).enumerate() {
        if restart > 0 {
            marker(random, out, 0xD0 + ((restart - 1) % 8) as u8);
        }
        let mut bits = Bits::default();
        for symbol in 0..row * (shape.rows - first).min(scan.interval_rows) {
            let table = tables[symbol % tables.len()];
            let symbol_index = table.draw(random, style, differences.len());
            let (code, length) = table.codes[symbol_index];
            bits.put(code, length);
            let category = u32::from(table.categories[symbol_index]);
            differences.push(match category {
                0 => 0,
                16 => 32768,
                _ => {
                    let extra_bits = (random.next() >> 32) as u32 & ((1 << category) - 1);
                    bits.put(extra_bits, category);
                    // Table H.2 and F.2.2.1: the lower half is negative.
                    let bias = if extra_bits < 1 << (category - 1) { (1 << category) - 1 } else { 0 };
                    extra_bits.wrapping_sub(bias) as u16
                }
            });
        }
        out.extend(bits.finish(random));
    }
    differences
}

/// Returns the samples of one scan by H.1.2.1 and Table H.1, modulo 2^16, before the inverse point transform.
fn reconstruct(differences: &[u16], shape: Shape, scan: &Scan<'_>) -> Vec<u16> {
    let component_count = scan.components.len();
    let row = shape.columns * component_count;
    let mut samples: Vec<u16> = Vec::with_capacity(differences.len());
    for (index, difference) in differences.iter().enumerate() {
        let is_first_row = (index / row).is_multiple_of(scan.interval_rows);
        let is_first_column = index % row < component_count;
        let back = |steps: usize| i32::from(samples[index - steps]);
        let prediction = match (is_first_row, is_first_column) {
            (true, true) => scan.initial,
            (true, false) => back(component_count),
            (false, true) => back(row),
            (false, false) => {
                let (ra, rb, rc) = (back(component_count), back(row), back(row + component_count));
                match scan.selection_value {
                    1 => ra,
                    2 => rb,
                    3 => rc,
                    4 => ra + rb - rc,
                    5 => ra + ((rb - rc) >> 1),
                    6 => rb + ((ra - rc) >> 1),
                    _ => (ra + rb) >> 1,
                }
            }
        };
        samples.push((prediction + i32::from(*difference)).rem_euclid(1 << 16) as u16);
    }
    samples
}
