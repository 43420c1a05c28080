//! Lines of a component, and the state that adapts to them: contexts and predictions (T.87 A.3 and A.4.1).
//!
//! ```text
//! above   c b d        D1 = d - b    D2 = b - c    D3 = c - a        prediction: the median of a, b and a + b - c
//! row     a x
//! ```
//!
//! Lines have one more sample at each end, so that the neighbours of sample i are at a fixed distance: a and c at index i,
//! b and x at i + 1, d at i + 2.

use super::super::{Context, Contexts, Parameters, RunContext};
use super::regular::Constants;

/// Number of contexts in an array that is indexed by 9 bits.
pub(super) const CONTEXT_INDICES: usize = 512;

/// Samples before and after those of the image.
const PADDING: usize = 2;

/// Two lines of a component, and what is computed ahead for the lower one.
pub(super) struct Line {
    /// Samples of the line, and after near-lossless encoding their reconstructions.
    pub(super) row: Vec<u16>,
    /// The line above.
    pub(super) above: Vec<u16>,
    /// Context and prediction of each sample. Lossless: twice the index of the context, plus 1 if prediction errors are
    /// negated, in the low 16 bits; the prediction above them. Near-lossless: 81 × Q(D1) + 9 × Q(D2), in two's complement.
    pub(super) models: Vec<u32>,
}

impl Line {
    /// Creates the first line of a scan; the line above is 0.
    pub(super) fn new(width: usize) -> Self {
        let padded = vec![0; width + PADDING];
        Self { row: padded.clone(), above: padded, models: vec![0; width] }
    }

    /// The samples of the image.
    pub(super) fn samples_mut(&mut self) -> &mut [u16] {
        let end = self.row.len() - 1;
        self.row.get_mut(1..end).unwrap_or_default()
    }

    /// Makes the line the one above.
    pub(super) fn advance(&mut self) {
        std::mem::swap(&mut self.row, &mut self.above);
    }

    /// Sets the samples at the ends (T.87 A.2.1): to the left of a line is the first sample of the line above, to the
    /// right of the line above its last sample.
    pub(super) fn pad(&mut self) {
        if let ([left, ..], [_, first, ..]) = (&mut self.row[..], &self.above[..]) {
            *left = *first;
        }
        if let [.., last, right] = &mut self.above[..] {
            *right = *last;
        }
    }

    /// Computes contexts and predictions of a lossless line.
    #[inline(always)]
    pub(super) fn predict(&mut self, steps: Steps) {
        let Self { row, above, models } = self;
        let (Some(b), Some(d)) = (above.get(1..), above.get(2..)) else { return };
        let neighbours = row.iter().zip(b).zip(above.iter().zip(d));
        for (((a, b), (c, d)), model) in neighbours.zip(models) {
            let index = steps.context_above(*b, *c, *d).wrapping_add(steps.quantize(*c, *a));
            let context = (index.wrapping_abs().cast_unsigned() << 1) | (index.cast_unsigned() >> 15);
            *model = u32::from(median(*a, *b, *c)) << 16 | u32::from(context);
        }
    }

    /// Computes the part of the contexts that the line above determines.
    #[inline(always)]
    pub(super) fn quantize_above(&mut self, steps: Steps) {
        let Self { above, models, .. } = self;
        let (Some(b), Some(d)) = (above.get(1..), above.get(2..)) else { return };
        for ((c, (b, d)), model) in above.iter().zip(b.iter().zip(d)).zip(models) {
            *model = i32::from(steps.context_above(*b, *c, *d)).cast_unsigned();
        }
    }
}

/// Returns the median of a, b and a + b - c.
#[inline(always)]
pub(super) fn median(a: u16, b: u16, c: u16) -> u16 {
    let (low, high) = (a.min(b), a.max(b));
    // a + b = low + high: limiting c to low … high limits the sum to high … low, and keeps it within 16 bits.
    low.wrapping_add(high).wrapping_sub(c.max(low).min(high))
}

/// Steps of the quantization of gradients: NEAR + 1, T1, T2, T3.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps([i16; 4]);

impl Steps {
    /// Differences saturate at 32767, which default thresholds never reach.
    fn new(parameters: &Parameters) -> Self {
        let [first, second, third] = parameters.thresholds;
        Self([parameters.near + 1, first, second, third].map(|step| i16::try_from(step).unwrap_or(i16::MAX)))
    }

    /// Returns 81 × Q(D1) + 9 × Q(D2).
    #[inline(always)]
    fn context_above(self, b: u16, c: u16, d: u16) -> i16 {
        self.quantize(d, b).wrapping_mul(81).wrapping_add(self.quantize(b, c).wrapping_mul(9))
    }

    /// Returns the quantized difference of two samples, -4 to 4.
    #[inline(always)]
    fn quantize(self, sample: u16, subtracted: u16) -> i16 {
        // Less 32768, so that the difference saturates at the limits of i16.
        let centre = |sample: u16| (sample ^ 0x8000).cast_signed();
        let difference = centre(sample).saturating_sub(centre(subtracted));
        let magnitude = difference.max(0_i16.saturating_sub(difference));
        let level = self.0.iter().fold(0_i16, |level, step| level.wrapping_add(i16::from(magnitude >= *step)));
        let sign = difference >> 15;
        (level ^ sign).wrapping_sub(sign)
    }
}

/// Quantized differences of samples, for near-lossless scans: c - a is known too late for vectors.
pub(super) struct GradientTable {
    levels: Vec<i8>,
    max_value: usize,
}

impl GradientTable {
    fn new(parameters: &Parameters, steps: Steps) -> Self {
        let max_value = usize::try_from(parameters.max_value).unwrap_or_default();
        let mut levels = vec![0; 2 * max_value + 1];
        // Steps ascend, so that each overwrites the end of the ones before.
        for (level, step) in (1_i8..).zip(steps.0) {
            let step = usize::from(step.unsigned_abs());
            levels.get_mut(max_value + step..).unwrap_or_default().fill(level);
            if let Some(last) = max_value.checked_sub(step) {
                levels.get_mut(..=last).unwrap_or_default().fill(-level);
            }
        }
        Self { levels, max_value }
    }

    /// Returns the quantized difference of two samples, -4 to 4.
    #[inline(always)]
    pub(super) fn quantize(&self, sample: u16, subtracted: u16) -> i32 {
        let index = usize::from(sample).wrapping_add(self.max_value).wrapping_sub(usize::from(subtracted));
        self.levels.get(index).copied().map_or(0, i32::from)
    }
}

/// Parameters and adaptive state of a scan.
pub(super) struct Model {
    pub(super) parameters: Parameters,
    pub(super) constants: Constants,
    pub(super) steps: Steps,
    /// Empty for lossless scans.
    pub(super) gradients: GradientTable,
    /// Contexts of regular mode. There are more than are used, so that a masked index needs no check.
    pub(super) regular: Box<[Context; CONTEXT_INDICES]>,
    pub(super) run: [RunContext; 2],
}

impl Model {
    pub(super) fn new(parameters: Parameters) -> Self {
        let steps = Steps::new(&parameters);
        let gradients = if parameters.near == 0 {
            GradientTable { levels: Vec::new(), max_value: 0 }
        } else {
            GradientTable::new(&parameters, steps)
        };
        let constants = Constants::new(&parameters);
        let Contexts { regular: [first, ..], run } = Contexts::new(&parameters);
        Self { parameters, constants, steps, gradients, regular: Box::new([first; CONTEXT_INDICES]), run }
    }

    pub(super) const fn is_lossless(&self) -> bool {
        self.parameters.near == 0
    }
}
