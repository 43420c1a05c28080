//! Every CPU level against the formulas of T.800 Annex F, evaluated sample by sample for extended signals.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small sizes, random values"
)]

use super::*;
use crate::testing::{Random, miri_or};
use Wavelet::{Irreversible97, Reversible53};

const ALPHA: f64 = -1.586_134_342_059_924;
const BETA: f64 = -0.052_980_118_572_961;
const GAMMA: f64 = 0.882_911_075_530_934;
const DELTA: f64 = 0.443_506_852_043_971;
const K: f64 = 1.230_174_104_914_001;

/// A signal whose first sample has coordinate `start`.
struct Signal {
    start: i64,
    samples: Vec<f64>,
}

impl Signal {
    /// Sample at any coordinate, by symmetric extension (F.3.7).
    fn at(&self, coordinate: i64) -> f64 {
        let last = self.samples.len() as i64 - 1;
        if last == 0 {
            return self.samples[0];
        }
        let index = (coordinate - self.start).rem_euclid(2 * last);
        self.samples[index.min(2 * last - index) as usize]
    }

    /// Replaces each sample with coordinate parity `parity` by `step(sample, sum of its neighbours)`.
    fn lift(&mut self, parity: i64, step: impl Fn(f64, f64) -> f64) {
        for index in 0..self.samples.len() {
            let coordinate = self.start + index as i64;
            if coordinate.rem_euclid(2) == parity {
                self.samples[index] = step(self.at(coordinate), self.at(coordinate - 1) + self.at(coordinate + 1));
            }
        }
    }

    /// `1D_SR` (F.3.6): interleaved coefficients to samples.
    fn synthesize(&mut self, wavelet: Wavelet) {
        if self.samples.len() == 1 {
            if self.start % 2 == 1 {
                let half = self.samples[0] / 2.0;
                self.samples[0] = if wavelet == Reversible53 { half.trunc() } else { half };
            }
            return;
        }
        match wavelet {
            Reversible53 => {
                self.lift(0, |sample, sum| sample - ((sum + 2.0) / 4.0).floor());
                self.lift(1, |sample, sum| sample + (sum / 2.0).floor());
            }
            Irreversible97 => {
                self.lift(0, |sample, _| sample * K);
                self.lift(1, |sample, _| sample / K);
                for (parity, factor) in [(0, DELTA), (1, GAMMA), (0, BETA), (1, ALPHA)] {
                    self.lift(parity, |sample, sum| sample - factor * sum);
                }
            }
        }
    }

    /// `1D_SD` (F.4.6): samples to interleaved coefficients.
    fn analyze(&mut self, wavelet: Wavelet) {
        if self.samples.len() == 1 {
            if self.start % 2 == 1 {
                self.samples[0] *= 2.0;
            }
            return;
        }
        match wavelet {
            Reversible53 => {
                self.lift(1, |sample, sum| sample - (sum / 2.0).floor());
                self.lift(0, |sample, sum| sample + ((sum + 2.0) / 4.0).floor());
            }
            Irreversible97 => {
                for (parity, factor) in [(1, ALPHA), (0, BETA), (1, GAMMA), (0, DELTA)] {
                    self.lift(parity, |sample, sum| sample + factor * sum);
                }
                self.lift(0, |sample, _| sample / K);
                self.lift(1, |sample, _| sample * K);
            }
        }
    }
}

/// A level of random coefficients, or of the coefficients of an image.
struct Level {
    geometry: LevelGeometry,
    /// Interleaved coefficients, row by row.
    values: Vec<f64>,
}

impl Level {
    fn new(start: [u32; 2], size: [u32; 2], value: impl FnMut() -> f64) -> Self {
        let [rows, columns] = [0, 1].map(|axis| start[axis]..start[axis] + size[axis]);
        let values = std::iter::repeat_with(value).take(rows.len() * columns.len()).collect();
        Self { geometry: LevelGeometry { columns, rows }, values }
    }

    fn map_rows(&mut self, transform: impl Fn(&mut Signal)) {
        for row in self.values.chunks_mut(self.geometry.width()) {
            let mut signal = Signal { start: self.geometry.columns.start.into(), samples: row.to_vec() };
            transform(&mut signal);
            row.copy_from_slice(&signal.samples);
        }
    }

    fn map_columns(&mut self, transform: impl Fn(&mut Signal)) {
        let width = self.geometry.width();
        for column in 0..width {
            let samples = self.values.iter().skip(column).step_by(width).copied().collect();
            let mut signal = Signal { start: self.geometry.rows.start.into(), samples };
            transform(&mut signal);
            self.values
                .iter_mut()
                .skip(column)
                .step_by(width)
                .zip(signal.samples)
                .for_each(|(to, sample)| *to = sample);
        }
    }

    /// `2D_SR` (F.3.2).
    fn synthesized(&self, wavelet: Wavelet) -> Vec<f64> {
        let mut level = Self { geometry: self.geometry.clone(), values: self.values.clone() };
        level.map_rows(|signal| signal.synthesize(wavelet));
        level.map_columns(|signal| signal.synthesize(wavelet));
        level.values
    }

    /// Coefficients of LL, HL, LH and HH as words.
    fn bands(&self, wavelet: Wavelet) -> [Vec<i32>; 4] {
        let mut bands = [const { Vec::new() }; 4];
        for (index, value) in self.values.iter().enumerate() {
            let column = self.geometry.columns.start as usize + index % self.geometry.width();
            let row = self.geometry.rows.start as usize + index / self.geometry.width();
            bands[row % 2 * 2 + column % 2].push(match wavelet {
                Reversible53 => *value as i32,
                Irreversible97 => (*value as f32).to_bits() as i32,
            });
        }
        bands
    }

    /// Rows `rows` of the level at `cpu_level`, as words.
    fn rows(&self, wavelet: Wavelet, rows: Range<usize>, cpu_level: CpuLevel) -> Vec<i32> {
        let [ll, hl, lh, hh] = self.bands(wavelet);
        let bands = Bands { ll: &ll, hl: &hl, lh: &lh, hh: &hh };
        let mut scratch = vec![0x55AA_55AA; scratch_words(self.geometry.width())];
        let mut out = vec![0; rows.len() * self.geometry.width()];
        synthesize(wavelet, &self.geometry, bands, rows, &mut out, &mut scratch, cpu_level).unwrap();
        out
    }

    /// Compares all CPU levels, and divisions of the rows at `cuts`, with the formulas.
    fn check(&self, wavelet: Wavelet, cuts: &[usize]) {
        let (width, height) = (self.geometry.width(), self.geometry.height());
        let portable = self.rows(wavelet, 0..height, CpuLevel::PORTABLE);
        let expected = self.synthesized(wavelet);
        let largest = expected.iter().chain(&self.values).fold(1.0_f64, |largest, value| largest.max(value.abs()));
        for (word, expected) in portable.iter().zip(&expected) {
            match wavelet {
                Reversible53 => assert_eq!(f64::from(*word), *expected, "{:?}", self.geometry),
                Irreversible97 => {
                    let value = f64::from(f32::from_bits(*word as u32));
                    assert!((value - expected).abs() <= 2e-6 * largest, "{value}, {expected}, {:?}", self.geometry);
                }
            }
        }
        for cpu_level in CpuLevel::available() {
            assert!(self.rows(wavelet, 0..height, cpu_level) == portable, "{:?}, {cpu_level:?}", self.geometry);
            for cut in cuts {
                for rows in [0..*cut, *cut..height, *cut..(cut + 1).min(height)] {
                    let part = self.rows(wavelet, rows.clone(), cpu_level);
                    let expected = &portable[rows.start * width..rows.end * width];
                    assert!(part == expected, "{rows:?} of {:?}, {cpu_level:?}", self.geometry);
                }
            }
        }
    }
}

/// Integers of `bits` bits, two's complement.
fn values(random: &mut Random, bits: u32) -> impl FnMut() -> f64 {
    move || ((random.next() as i64) >> (64 - bits)) as f64
}

#[test]
fn synthesizer_every_small_size_and_parity_equals_formulas() {
    let mut random = Random(53);
    for wavelet in [Reversible53, Irreversible97] {
        for height in (1..=20).step_by(miri_or(1, 7)) {
            for width in (1..=20).step_by(miri_or(1, 9)) {
                for start in [[0, 0], [0, 1], [1, 0], [1, 1], [u32::MAX - 20; 2]] {
                    let level = Level::new(start, [height, width], values(&mut random, 16));
                    level.check(wavelet, &[random.below(height as usize)]);
                }
            }
        }
    }
}

#[test]
fn synthesizer_larger_sizes_equal_formulas() {
    let mut random = Random(97);
    for wavelet in [Reversible53, Irreversible97] {
        for _ in 0..miri_or(40, 1) {
            let size = [1 + random.below(miri_or(70, 12)) as u32, 1 + random.below(miri_or(600, 40)) as u32];
            let start = [random.below(1000) as u32, random.below(1000) as u32];
            let cuts: Vec<usize> = (0..size[0] as usize).step_by(miri_or(5, 9)).collect();
            Level::new(start, size, values(&mut random, 20)).check(wavelet, &cuts);
        }
    }
}

#[test]
fn synthesizer_inverts_the_forward_transform() {
    let mut random = Random(800);
    for wavelet in [Reversible53, Irreversible97] {
        for (start, size) in
            [([0, 0], [33, 40]), ([3, 5], [16, 17]), ([7, 2], [1, 9]), ([1, 1], [12, 1]), ([1, 1], [1, 1])]
        {
            let image = Level::new(start, size, || f64::from(random.next() as u16));
            let mut level = Level { geometry: image.geometry.clone(), values: image.values.clone() };
            level.map_columns(|signal| signal.analyze(wavelet));
            level.map_rows(|signal| signal.analyze(wavelet));
            let words = level.rows(wavelet, 0..size[0] as usize, CpuLevel::best());
            for (word, sample) in words.into_iter().zip(&image.values) {
                match wavelet {
                    Reversible53 => assert_eq!(f64::from(word), *sample),
                    Irreversible97 => assert!((f64::from(f32::from_bits(word as u32)) - sample).abs() < 0.2),
                }
            }
        }
    }
}

/// Low-pass coefficients 10, 20 and high-pass coefficients 4, -3.
#[test]
fn synthesizer_53_worked_example() {
    // 10 - ((4 + 4 + 2) >> 2) = 8, 20 - ((4 - 3 + 2) >> 2) = 20; 4 + ((8 + 20) >> 1) = 18, -3 + ((20 + 20) >> 1) = 17.
    let level = Level { geometry: LevelGeometry { columns: 0..4, rows: 0..1 }, values: vec![10.0, 4.0, 20.0, -3.0] };
    assert_eq!(level.rows(Reversible53, 0..1, CpuLevel::best()), [8, 18, 20, 17]);
    // From an odd coordinate: 10 - ((4 - 3 + 2) >> 2) = 10, 20 - ((-3 - 3 + 2) >> 2) = 21; 4 + ((10 + 10) >> 1) = 14, -3 + 15.
    let level = Level { geometry: LevelGeometry { columns: 1..5, rows: 0..1 }, values: vec![4.0, 10.0, -3.0, 20.0] };
    assert_eq!(level.rows(Reversible53, 0..1, CpuLevel::best()), [14, 10, 12, 21]);
}

#[test]
fn synthesizer_53_halves_single_odd_samples_toward_zero() {
    for (start, value, expected) in [([0, 1], -7.0, -3), ([1, 0], 7.0, 3), ([1, 1], -7.0, -1), ([0, 0], -7.0, -7)] {
        let level = Level::new(start, [1, 1], || value);
        assert_eq!(level.rows(Reversible53, 0..1, CpuLevel::best()), [expected], "{start:?}");
    }
}

/// Damaged codestreams can have any coefficients: no overflow check fails, and all CPU levels agree.
#[test]
fn synthesizer_extreme_coefficients_are_equal_on_all_levels() {
    let mut random = Random(31);
    let geometry = LevelGeometry { columns: 0..67, rows: 1..24 };
    let [[low_columns, high_columns], [low_rows, high_rows]] = [&geometry.columns, &geometry.rows].map(band_extents);
    for wavelet in [Reversible53, Irreversible97] {
        let mut words = |count: usize| -> Vec<i32> {
            let word = |bits: u64| match wavelet {
                Reversible53 => [i32::MIN, i32::MAX, bits as i32, 0][bits as usize >> 4 & 3],
                Irreversible97 => [f32::MAX, f32::MIN, 1e30, -0.0][bits as usize >> 4 & 3].to_bits() as i32,
            };
            std::iter::repeat_with(|| word(random.next())).take(count).collect()
        };
        let bands =
            [low_columns * low_rows, high_columns * low_rows, low_columns * high_rows, high_columns * high_rows];
        let [ll, hl, lh, hh] = bands.map(&mut words);
        let bands = Bands { ll: &ll, hl: &hl, lh: &lh, hh: &hh };
        let results = CpuLevel::available().into_iter().map(|cpu_level| {
            let mut scratch = vec![0; scratch_words(geometry.width())];
            let mut out = vec![0; geometry.width() * geometry.height()];
            let rows = 0..geometry.height();
            synthesize(wavelet, &geometry, bands, rows, &mut out, &mut scratch, cpu_level).unwrap();
            // The sign and the payload of a NaN depend on the order of operands.
            out.into_iter()
                .map(|word| if wavelet == Irreversible97 && f32::from_bits(word as u32).is_nan() { 0 } else { word })
                .collect::<Vec<_>>()
        });
        let results: Vec<_> = results.collect();
        assert!(results.iter().all(|result| *result == results[0]), "{wavelet:?}");
    }
}

#[test]
fn synthesizer_without_columns_or_rows_returns_empty_rows() {
    let geometry = LevelGeometry { columns: 3..3, rows: 0..4 };
    let bands = Bands { ll: &[], hl: &[], lh: &[], hh: &[] };
    let mut scratch = vec![0; scratch_words(0)];
    let mut synthesizer =
        Synthesizer::new(Reversible53, &geometry, bands, 0..4, &mut scratch, CpuLevel::PORTABLE).unwrap();
    for _ in 0..4 {
        assert_eq!(synthesizer.next_row(), Some(&[][..]));
    }
    assert_eq!(synthesizer.next_row(), None);
    assert_eq!(synthesize(Reversible53, &geometry, bands, 0..4, &mut [], &mut scratch, CpuLevel::PORTABLE), Some(()));
    let geometry = LevelGeometry { columns: 0..1, rows: 5..5 };
    let mut synthesizer =
        Synthesizer::new(Irreversible97, &geometry, bands, 0..0, &mut scratch, CpuLevel::PORTABLE).unwrap();
    assert_eq!(synthesizer.next_row(), None);
}

#[test]
fn synthesizer_new_lengths_that_do_not_fit_return_none() {
    let geometry = LevelGeometry { columns: 0..3, rows: 0..3 };
    let words = [0; 4];
    let bands = Bands { ll: &words, hl: &words[..2], lh: &words[..2], hh: &words[..1] };
    let mut scratch = vec![0; scratch_words(3)];
    let mut is_some = |bands, rows, scratch_count: usize| {
        let scratch = &mut scratch[..scratch_count];
        Synthesizer::new(Reversible53, &geometry, bands, rows, scratch, CpuLevel::PORTABLE).is_some()
    };
    let count = scratch_words(3);
    assert!(is_some(bands, 0..3, count));
    assert!(!is_some(bands, 0..4, count));
    assert!(!is_some(bands, 0..3, count / 2));
    assert!(!is_some(Bands { ll: &words[..3], ..bands }, 0..3, count));
    assert!(!is_some(Bands { hl: &words, ..bands }, 0..3, count));
    assert!(!is_some(Bands { lh: &[], ..bands }, 0..3, count));
    assert!(!is_some(Bands { hh: &[], ..bands }, 0..3, count));
}
