//! Good JPEG Lossless frames (ITU-T T.81 process 14), and the samples that they stand for.
//!
//! Any differences make a frame: codes and further bits are drawn, and the samples follow from them, one by one, by
//! Table H.1. What decodes them has no line in common with this.

use crate::Random;

/// What a frame is to fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) components: usize,
    /// Most bits of a sample: 8, or 16 and more.
    pub(crate) bits: usize,
}

/// Bytes and samples, component after component of each pixel.
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) samples: Vec<u64>,
}

/// What codes a frame has, and which of them it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Whatever comes.
    Any,
    /// Hardly more than a bit for a sample.
    Constant,
    /// Twelve bits and more for a sample.
    Noise,
    /// Codes and further bits as long as they can be, all as frequent.
    Long,
    /// One code.
    Single,
    /// Short codes, and now and then hundreds of long ones.
    Bursts,
}

impl Style {
    fn any(random: &mut Random) -> Self {
        [Self::Any, Self::Any, Self::Constant, Self::Noise, Self::Long, Self::Single, Self::Bursts][random.below(7)]
    }
}

/// A Huffman table and its codes (Annex C).
#[derive(Clone)]
struct Table {
    counts: [u8; 16],
    categories: Vec<u8>,
    codes: Vec<(u32, u32)>,
    /// The codes' shares of all bits, summed.
    weights: Vec<u32>,
}

impl Table {
    fn any(random: &mut Random, style: Style) -> Self {
        let mut counts = [0_u8; 16];
        let only = random.below(16);
        let is_complete = random.byte() < 10;
        // Codes that are left, and may be given away, of each length.
        let (mut room, mut total) = (1, 0);
        for (index, count) in counts.iter_mut().enumerate() {
            room = (2 * room).min(1 << 9);
            let wanted = match (style, index) {
                (Style::Single, _) => usize::from(index == only),
                (Style::Constant, 0) => 1,
                (Style::Noise, 2..6) => random.below(8),
                (Style::Long | Style::Bursts, 1) => random.below(3),
                (Style::Long | Style::Bursts, 8..) => random.below(6),
                (Style::Any, _) => random.below(4),
                (_, 6..) => random.below(3),
                _ => 0,
            };
            // The code of all ones stays free, or all are given away with the longest.
            let wanted = wanted.min(room - 1).min(256 - total);
            let wanted = if is_complete && index == 15 && room + total <= 256 { room } else { wanted };
            room -= wanted;
            total += wanted;
            *count = u8::try_from(wanted).unwrap();
        }
        if total == 0 {
            (counts[only], total) = (1, 1);
        }
        let categories = (0..total).map(|place| match (style, place) {
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

    /// The place of a code, for the symbol `index`.
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

/// Entropy-coded data: bits, and a 00 behind each FF.
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

    /// Ones, as the standard has it, or anything, to a whole byte; and now and then bytes that nobody asks for.
    fn end(mut self, random: &mut Random) -> Vec<u8> {
        let pad = if random.byte() < 200 { 0x7F } else { u32::from(random.byte()) & 0x7F };
        let count = (8 - self.count % 8) % 8;
        self.put(pad >> (7 - count), count);
        if random.byte() < 10 {
            (0..1 + random.below(9)).for_each(|_| self.byte(random.byte()));
        }
        self.bytes
    }
}

/// Appends a marker, which fill bytes may precede.
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

/// Appends what decoders pass over, seldom.
fn skipped(random: &mut Random, out: &mut Vec<u8>) {
    while random.byte() < 40 {
        let code = [0xE0, 0xE1, 0xEE, 0xEF, 0xFE, 0xDB, 0xF0, 0xFD][random.below(8)];
        // Nothing within looks as if a frame began.
        let parameters: Vec<u8> = (0..random.below(20)).map(|_| random.byte() & 0x7F).collect();
        segment(random, out, code, &parameters);
    }
}

/// The four destinations.
type Tables = [Option<Table>; 4];

/// Defines some tables anew, and those of `needed` that are not there.
fn define(random: &mut Random, out: &mut Vec<u8>, tables: &mut Tables, needed: &[usize], style: Style) {
    let mut parameters = Vec::new();
    for (destination, slot) in tables.iter_mut().enumerate() {
        if random.byte() < 10 {
            // A table for AC coefficients, of one code.
            parameters.push(0x10 | random.below(4) as u8);
            parameters.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, random.byte()]);
        }
        if random.byte() < 40 || needed.contains(&destination) && slot.is_none() {
            let table = Table::any(random, style);
            parameters.push(u8::try_from(destination).unwrap());
            parameters.extend(table.counts);
            parameters.extend(&table.categories);
            *slot = Some(table);
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

/// The components of each scan: all in one, each in its own, or anything between.
fn scans(random: &mut Random, components: usize) -> Vec<Vec<usize>> {
    let kind = random.below(4);
    let mut scans: Vec<Vec<usize>> = Vec::new();
    for component in 0..components {
        match kind {
            0 => scans.push(vec![component]),
            1 if !scans.is_empty() => {
                let at = random.below(scans.len() + 1);
                if at == scans.len() {
                    scans.push(Vec::new());
                }
                scans[at].push(component);
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

/// One scan as it is coded.
struct Scan<'a> {
    components: &'a [usize],
    selection_value: u8,
    /// Prediction of the first sample.
    initial: i32,
    /// Rows of a restart interval, or more than there are.
    interval_rows: usize,
}

/// Appends SOF3.
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
        // One component alone may say what it likes.
        let sampling = if shape.components == 1 { [0x11, 0x22, 0x41][random.below(3)] } else { 0x11 };
        parameters.extend([id(component), sampling, random.byte()]);
    }
    segment(random, out, 0xC3, &parameters);
}

/// Rows of a restart interval, or 0 for none.
fn interval(random: &mut Random, shape: Shape) -> usize {
    let most = (65_535 / shape.columns).min(shape.rows + 1);
    let rows = if random.byte() < 90 { 1 + random.below(most) } else { 0 };
    // Small ones, too, where there are many rows.
    if random.byte() < 60 { rows.min(1 + random.below(4)) } else { rows }
}

/// A good frame.
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
    skipped(random, &mut out);
    if random.byte() < 80 {
        define(random, &mut out, &mut tables, &[0], style);
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
        skipped(random, &mut out);
        define(random, &mut out, &mut tables, &destinations, style);
        let interval_rows = interval(random, shape);
        if interval_rows * columns != defined || random.byte() < 10 {
            defined = interval_rows * columns;
            segment(random, &mut out, 0xDD, &u16::try_from(defined).unwrap().to_be_bytes());
        }
        skipped(random, &mut out);
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
        let differences = entropy(random, &mut out, shape, &scan, &used, style);
        let reconstructed = reconstruct(&differences, shape, &scan);
        let own = components_of_scan.len();
        for (pixel, of_scan) in samples.chunks_mut(components).zip(reconstructed.chunks(own)) {
            for (component, sample) in components_of_scan.iter().zip(of_scan) {
                pixel[*component] = u64::from(*sample) << point_transform & ((1 << precision) - 1);
            }
        }
        if index == 0 && (has_open_lines || random.byte() < 10) {
            segment(random, &mut out, 0xDC, &lines);
        }
    }
    if random.byte() < 240 {
        skipped(random, &mut out);
        marker(random, &mut out, 0xD9);
        if random.byte() < 20 {
            out.resize(out.len() + random.below(6), 0);
        }
    }
    Frame { bytes: out, samples }
}

/// Appends the codes of one scan, with restart markers between intervals; returns the differences they stand for.
fn entropy(
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
            let place = table.draw(random, style, differences.len());
            let (code, length) = table.codes[place];
            bits.put(code, length);
            let category = u32::from(table.categories[place]);
            differences.push(match category {
                0 => 0,
                16 => 32768,
                _ => {
                    let further = (random.next() >> 32) as u32 & ((1 << category) - 1);
                    bits.put(further, category);
                    // Table H.2 and F.2.2.1: the lower half is negative.
                    let lower = if further < 1 << (category - 1) { (1 << category) - 1 } else { 0 };
                    further.wrapping_sub(lower) as u16
                }
            });
        }
        out.extend(bits.end(random));
    }
    differences
}

/// Samples of one scan by H.1.2.1 and Table H.1, modulo 2^16, before the point transform is undone.
fn reconstruct(differences: &[u16], shape: Shape, scan: &Scan<'_>) -> Vec<u16> {
    let own = scan.components.len();
    let row = shape.columns * own;
    let mut samples: Vec<u16> = Vec::with_capacity(differences.len());
    for (index, difference) in differences.iter().enumerate() {
        let is_first_row = (index / row).is_multiple_of(scan.interval_rows);
        let is_first_column = index % row < own;
        let back = |steps: usize| i32::from(samples[index - steps]);
        let prediction = match (is_first_row, is_first_column) {
            (true, true) => scan.initial,
            (true, false) => back(own),
            (false, true) => back(row),
            (false, false) => {
                let (ra, rb, rc) = (back(own), back(row), back(row + own));
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
