//! Composition of a grayscale pipeline for stored values of up to 16 bits: outputs of all keys, as a line or a table.
//!
//! A monotone function is evaluated at a few keys only: between two keys with equal outputs all outputs are equal.
//!
//! ```text
//! level 0    key 0, 256, 512, … and the last one
//! level 1    every 16th key between two neighbours whose outputs differ
//! level 2    every key between two of those
//! ```
//!
//! For a window of 400 of 65 536 values, these are some 700 evaluations. The line, which is monotone too, gives every output if
//! it gives those of the evaluated keys.

use super::Method;
use crate::kernel::CpuLevel;
use crate::kernel::render::{self, BLOCK, FRACTION_BITS, IndexMap, KeyMap, Line, LineArithmetic};
use crate::lookup_table::LookupTable;
use crate::rendering::{Grayscale, Modality, OutputRange, PaletteEntries, Voi};
use crate::sample::{Rescale, SamplesMut};

/// Distances of the keys that are evaluated, level by level.
const STRIDES: [usize; 3] = [256, 16, 1];

/// A pipeline and the keys that it is composed for.
#[derive(Clone, Copy)]
pub(super) struct Composer<'a> {
    pub(super) grayscale: &'a Grayscale,
    pub(super) keys: KeyMap,
    /// True if a line would not be faster than a table.
    pub(super) prefers_table: bool,
    pub(super) level: CpuLevel,
}

/// An output type: its samples as the core's.
type Wrap<T> = for<'a> fn(&'a mut [T]) -> SamplesMut<'a>;

/// The keys whose outputs are not those of the first or the last key, with one more on each side.
#[derive(Clone, Copy)]
struct Window {
    /// Change of the output per key.
    slope: f64,
    base: usize,
    end: usize,
}

/// Keys from `start` up to and including `end` with the outputs at both; those between are not evaluated.
#[derive(Clone, Copy)]
struct Segment<T> {
    start: usize,
    end: usize,
    first: T,
    last: T,
}

impl Composer<'_> {
    /// Evaluates the pipeline.
    pub(super) fn compose(self) -> Method {
        match self.grayscale.output() {
            OutputRange::U8 => self.compose_bytes(),
            OutputRange::U16 => self.compose_table(|out| SamplesMut::U16(out), PaletteEntries::U16),
            OutputRange::F32 => self.compose_table(|out| SamplesMut::F32(out), PaletteEntries::F32),
        }
    }

    fn compose_bytes(self) -> Method {
        let wrap: Wrap<u8> = |out| SamplesMut::U8(out);
        if !self.grayscale.is_monotone() {
            return self.compose_table(wrap, PaletteEntries::U8);
        }
        let segments = self.evaluate_monotone(wrap);
        if !self.prefers_table
            && let Some(line) = self.line_of(&segments)
        {
            return Method::Line(line);
        }
        let mut outputs = vec![0; self.count()];
        fill(&segments, &mut outputs);
        self.clear_padding(&mut outputs);
        Method::Table(IndexMap::of_keys(self.keys), PaletteEntries::U8(outputs))
    }

    fn compose_table<T: Copy + Default + PartialEq>(
        self,
        wrap: Wrap<T>,
        entries: fn(Vec<T>) -> PaletteEntries,
    ) -> Method {
        if let Some((table, first_mapped)) = self.shifted_lut() {
            let outputs = self.outputs_of_entries(table, wrap);
            let indices = IndexMap::new(self.keys, first_mapped, outputs.len());
            #[allow(clippy::cast_possible_truncation, reason = "keys have 16 bits")]
            let by_key = (0..self.count()).map(|key| indices.index(key as u16 ^ self.keys.flip));
            let by_key = by_key.map(|index| outputs.get(usize::from(index)).copied().unwrap_or_default());
            return Method::Table(IndexMap::of_keys(self.keys), entries(by_key.collect()));
        }
        let mut outputs = vec![T::default(); self.count()];
        if self.grayscale.is_monotone() {
            fill(&self.evaluate_monotone(wrap), &mut outputs);
        } else {
            self.evaluate_from(self.stored_value(0), wrap(&mut outputs));
        }
        self.clear_padding(&mut outputs);
        Method::Table(IndexMap::of_keys(self.keys), entries(outputs))
    }

    /// Number of keys: a power of two.
    fn count(self) -> usize {
        usize::from(self.keys.mask) + 1
    }

    #[allow(clippy::cast_precision_loss, reason = "below 2^17")]
    fn stored_value(self, key: usize) -> f64 {
        key as f64 + self.keys.first() as f64
    }

    /// The VOI LUT, if it is applied to stored values plus an integer without padding; and the stored value of its first entry.
    fn shifted_lut(&self) -> Option<(&LookupTable, i64)> {
        /// Larger intercepts and first mapped values are not usual.
        const MAX_SHIFT: f64 = 4_294_967_296.0;
        let Voi::Table { table, .. } = self.grayscale.voi() else { return None };
        let intercept = match *self.grayscale.modality() {
            Modality::Identity => 0.0,
            Modality::Linear(Rescale { slope: 1.0, intercept }) if intercept.fract() == 0.0 => intercept,
            _ => return None,
        };
        #[allow(clippy::cast_possible_truncation, reason = "an integer below 2^32")]
        let shift = (intercept.abs() < MAX_SHIFT).then_some(intercept as i64)?;
        let first_mapped = table.first_mapped();
        let is_usual = i32::try_from(first_mapped).is_ok() && self.grayscale.padding().is_none();
        is_usual.then_some((table.as_ref(), first_mapped - shift))
    }

    /// Outputs of the entries of a VOI LUT.
    fn outputs_of_entries<T: Copy + Default>(self, table: &LookupTable, wrap: Wrap<T>) -> Vec<T> {
        let mut values: Vec<f64> = table.entries().iter().copied().map(f64::from).collect();
        let mut outputs = vec![T::default(); values.len()];
        render::scale_entries(&mut values, self.grayscale, self.level);
        render::store(&values, wrap(&mut outputs), self.level);
        outputs
    }

    /// Writes the outputs of `first` and the stored values after it, without regard to padding.
    #[allow(clippy::cast_precision_loss, reason = "below 2^17")]
    fn evaluate_from(self, first: f64, mut out: SamplesMut<'_>) {
        let mut values = [0.0; BLOCK];
        for start in (0..out.len()).step_by(BLOCK) {
            let end = (start + BLOCK).min(out.len());
            let (Some(values), Some(out)) = (values.get_mut(..end - start), out.window(start, end)) else { return };
            values.iter_mut().enumerate().for_each(|(index, value)| *value = first + (start + index) as f64);
            render::evaluate(values, self.grayscale, self.level);
            render::store(values, out, self.level);
        }
    }

    /// Outputs of `keys`, without regard to padding.
    fn evaluate_keys<T: Copy + Default>(self, keys: &[usize], wrap: Wrap<T>) -> Vec<T> {
        let mut values: Vec<f64> = keys.iter().map(|key| self.stored_value(*key)).collect();
        let mut outputs = vec![T::default(); keys.len()];
        render::evaluate(&mut values, self.grayscale, self.level);
        render::store(&values, wrap(&mut outputs), self.level);
        outputs
    }

    /// Segments of all keys in ascending order. Those whose outputs differ have no key between.
    fn evaluate_monotone<T: Copy + Default + PartialEq>(self, wrap: Wrap<T>) -> Vec<Segment<T>> {
        let last = self.count() - 1;
        let ends = self.evaluate_keys(&[0, last], wrap);
        let &[first_output, last_output] = ends.as_slice() else { return Vec::new() };
        let mut segments = vec![Segment { start: 0, end: last, first: first_output, last: last_output }];
        for stride in STRIDES {
            let is_divided =
                |segment: &Segment<T>| segment.first != segment.last && segment.end - segment.start > stride;
            let between = |segment: &Segment<T>| (segment.start + stride..segment.end).step_by(stride);
            let keys: Vec<usize> = segments.iter().filter(|segment| is_divided(segment)).flat_map(between).collect();
            let mut outputs = self.evaluate_keys(&keys, wrap).into_iter();
            let mut divided = Vec::with_capacity(segments.len() + keys.len());
            for segment in segments {
                let mut rest = segment;
                if is_divided(&segment) {
                    for (key, output) in between(&segment).zip(&mut outputs) {
                        divided.push(Segment { end: key, last: output, ..rest });
                        rest = Segment { start: key, first: output, ..rest };
                    }
                }
                divided.push(rest);
            }
            segments = divided;
        }
        segments
    }

    /// Keys of the padding, first and end (exclusive); `None` if there are none.
    fn padding_keys(self) -> Option<(usize, usize)> {
        let (first, last) = self.grayscale.padding().filter(|(first, last)| first <= last)?;
        #[allow(clippy::cast_precision_loss, reason = "below 2^17")]
        let key = |stored: f64| (stored - self.stored_value(0)).clamp(-1.0, self.count() as f64);
        let (first, last) = (key(first.ceil()).max(0.0), key(last.floor()));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the table")]
        (first <= last).then(|| (first as usize, (last as usize + 1).min(self.count())))
    }

    /// Sets the outputs of padding to the smallest one.
    fn clear_padding<T: Default + Copy>(self, out: &mut [T]) {
        if let Some((start, end)) = self.padding_keys()
            && let Some(padding) = out.get_mut(start..end)
        {
            padding.fill(T::default());
        }
    }

    /// The line that gives the outputs of all keys, if there is one and padding needs no other outputs.
    fn line_of(self, segments: &[Segment<u8>]) -> Option<Line> {
        let slope = self.grayscale.line_slope().filter(|slope| slope.is_finite())?;
        let slope = if self.grayscale.is_inverted() { -slope } else { slope };
        if let Some((start, end)) = self.padding_keys()
            && start < end
            && self.evaluate_keys(&[start, end - 1], |out| SamplesMut::U8(out)) != [0, 0]
        {
            return None;
        }
        let (first, last) = (segments.first()?.first, segments.last()?.last);
        // The last of the equal outputs at the start, and the first of those at the end.
        let base = segments.iter().find(|segment| segment.last != first).map_or(0, |segment| segment.start);
        let end = segments.iter().rfind(|segment| segment.first != last).map_or(0, |segment| segment.end);
        let window = Window { slope, base, end: end.max(base) };
        let is_right = |line: &Line| self.gives_outputs(line, segments);
        let fixed = self.fixed_line(segments, window).filter(is_right);
        let float = || self.float_line(window).filter(is_right);
        fixed.or_else(float).or_else(|| self.split_float_line(window).filter(is_right))
    }

    /// A line in `f32` through the output of a key within the window, where it is not clamped.
    fn float_line(self, Window { slope, base, end }: Window) -> Option<Line> {
        let middle = usize::midpoint(base, end);
        let mut value = [self.stored_value(middle)];
        render::evaluate(&mut value, self.grayscale, self.level);
        let [y] = value;
        #[allow(clippy::cast_precision_loss, reason = "below 2^17")]
        let offset = y - slope * (middle - base) as f64;
        #[allow(clippy::cast_possible_truncation, reason = "compared with the outputs")]
        let (slope, offset) = (slope as f32, offset as f32);
        let arithmetic = LineArithmetic::Float { slope, offset };
        let (base, range) = (u16::try_from(base).ok()?, u16::try_from(end - base).ok()?);
        is_convertible(slope, offset, range).then_some(Line { keys: self.keys, base, range, arithmetic })
    }

    /// A line in `f32` with a slope of two parts. Keys of a decreasing function are counted from the end, so that the offset,
    /// whose rounding limits the precision, is small.
    fn split_float_line(self, Window { slope, base, end }: Window) -> Option<Line> {
        let mask = usize::from(self.keys.mask);
        let flip = if slope < 0.0 { self.keys.flip ^ self.keys.mask } else { self.keys.flip };
        let key = |distance: usize| if slope < 0.0 { end - distance } else { base + distance };
        let range = end - base;
        let middle = range / 2;
        let mut value = [self.stored_value(key(middle))];
        render::evaluate(&mut value, self.grayscale, self.level);
        let [y] = value;
        let slope = slope.abs();
        #[allow(clippy::cast_precision_loss, reason = "below 2^17")]
        let offset = y - slope * middle as f64;
        // A distance has as many bits as the range.
        let distance_bits = usize::BITS - range.leading_zeros();
        let dropped_bits = distance_bits + f64::MANTISSA_DIGITS - f32::MANTISSA_DIGITS;
        let high = f64::from_bits(slope.to_bits() >> dropped_bits << dropped_bits);
        #[allow(clippy::cast_possible_truncation, reason = "compared with the outputs")]
        let (high, low, offset) = (high as f32, (slope - high) as f32, offset as f32);
        let first = if flip == self.keys.flip { base } else { mask - end };
        let (base, range) = (u16::try_from(first).ok()?, u16::try_from(range).ok()?);
        let arithmetic = LineArithmetic::SplitFloat { high, low, offset };
        is_convertible(high + low, offset, range).then_some(Line {
            keys: KeyMap { flip, ..self.keys },
            base,
            range,
            arithmetic,
        })
    }

    /// A line in fixed point with the outputs on both sides of every step, if one of some numbers is found:
    ///
    /// ```text
    /// output × 128 ≤ (distance × factor × multiplier >> 16) + offset < (output + 1) × 128        for each step: which offsets?
    /// ```
    fn fixed_line(self, segments: &[Segment<u8>], Window { slope, base, end }: Window) -> Option<Line> {
        /// Three of four windows that scanners write have such a line; most are found within two attempts.
        const MAX_ATTEMPTS: usize = 48;
        /// Distance of the steps that are compared one after the other.
        const SPREAD: usize = 16;
        let mask = usize::from(self.keys.mask);
        // Keys of a decreasing function are counted from the end: its outputs then increase.
        let is_decreasing = slope < 0.0;
        let (slope, base, end) = if is_decreasing { (-slope, mask - end, mask - base) } else { (slope, base, end) };
        let mut steps = Vec::with_capacity(512);
        for segment in segments.iter().filter(|segment| segment.first != segment.last) {
            for (key, output) in [(segment.start, segment.first), (segment.end, segment.last)] {
                let key = if is_decreasing { mask - key } else { key };
                steps.push((u32::try_from(key - base).ok()?, i32::from(output)));
            }
        }
        // Distant steps first: they refuse most numbers.
        let steps: Vec<_> = (0..SPREAD).flat_map(|first| steps.iter().skip(first).step_by(SPREAD).copied()).collect();
        let range = u16::try_from(end - base).ok().filter(|range| *range > 0)?;
        let max_factor = u16::MAX / range;
        let factors = (max_factor / 2 + 1..=max_factor).rev();
        let multipliers = factors.flat_map(|factor| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; compared below")]
            let nearest = (slope * f64::from(1_u32 << (16 + FRACTION_BITS)) / f64::from(factor)) as u32;
            [(factor, nearest), (factor, nearest.saturating_add(1))]
        });
        for (factor, multiplier) in multipliers.take(MAX_ATTEMPTS) {
            let Ok(multiplier) = u16::try_from(multiplier) else { continue };
            let (mut least, mut greatest) = (0, i32::from(u16::MAX));
            for steps in steps.chunks(32) {
                for (distance, output) in steps {
                    #[allow(clippy::cast_possible_wrap, reason = "below 2^16")]
                    let product = ((distance * u32::from(factor) * u32::from(multiplier)) >> 16) as i32;
                    let lowest = (output << FRACTION_BITS) - product;
                    least = least.max(lowest);
                    greatest = greatest.min(lowest + (1 << FRACTION_BITS) - 1);
                }
                if least > greatest {
                    break;
                }
            }
            if least <= greatest {
                let offset = u16::try_from(i32::midpoint(least, greatest)).ok()?;
                let flip = if is_decreasing { self.keys.flip ^ self.keys.mask } else { self.keys.flip };
                let keys = KeyMap { flip, ..self.keys };
                let arithmetic = LineArithmetic::Fixed { factor, multiplier, offset };
                return Some(Line { keys, base: u16::try_from(base).ok()?, range, arithmetic });
            }
        }
        None
    }

    /// True if the kernel computes the outputs of all evaluated keys by the line.
    fn gives_outputs(self, line: &Line, segments: &[Segment<u8>]) -> bool {
        let last = segments.last().map(|segment| (segment.end, segment.last));
        let evaluated = || segments.iter().map(|segment| (segment.start, segment.first)).chain(last);
        #[allow(clippy::cast_possible_truncation, reason = "keys have 16 bits")]
        let samples: Vec<u8> = evaluated().flat_map(|(key, _)| (key as u16 ^ self.keys.flip).to_le_bytes()).collect();
        let mut outputs = vec![0; samples.len() / 2];
        render::map_line(&samples, 2, line, &mut outputs, self.level);
        evaluated().map(|(_, output)| output).eq(outputs)
    }
}

/// True if kernels can convert `distance × slope + offset` to 32-bit integers for all distances up to `range`: a steep line, of
/// a window narrower than the distance of two modality values, has larger values.
fn is_convertible(slope: f32, offset: f32, range: u16) -> bool {
    /// A quarter of the largest 32-bit integer.
    const MAX_VALUE: f32 = 536_870_912.0;
    offset.abs() < MAX_VALUE && (f32::from(range) * slope + offset).abs() < MAX_VALUE
}

/// Writes the outputs of all keys.
fn fill<T: Copy>(segments: &[Segment<T>], out: &mut [T]) {
    for segment in segments {
        if let Some(outputs) = out.get_mut(segment.start..segment.end) {
            outputs.fill(segment.first);
        }
    }
    if let (Some(segment), Some(output)) = (segments.last(), out.last_mut()) {
        *output = segment.last;
    }
}
