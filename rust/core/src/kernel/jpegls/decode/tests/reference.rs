//! Plain decoder, one code segment of the standard after the other. All bodies must equal it.

#![allow(clippy::cast_possible_truncation, reason = "samples have at most 16 bits")]

use super::reference_reader::BitReader;
use crate::kernel::jpegls::contexts::{Contexts, MAX_K, RUN_EXPONENTS, quantize_gradient};
use crate::kernel::jpegls::decode::{LineError, MAX_COMPONENTS, Scan};
use crate::kernel::jpegls::parameters::Parameters;

/// A line of one component, or of interleaved components.
struct Line<'a> {
    above: &'a [u16],
    current: &'a mut [u16],
    /// Distance of neighbouring samples of one component.
    stride: usize,
}

/// Neighbours of a sample.
#[derive(Debug, Clone, Copy)]
struct Neighbours {
    a: i32,
    b: i32,
    c: i32,
    d: i32,
}

impl Line<'_> {
    fn neighbours(&self, index: usize) -> Neighbours {
        let sample = |row: &[u16], index: usize| i32::from(row.get(index).copied().unwrap_or(0));
        Neighbours {
            a: sample(self.current, index - self.stride),
            b: sample(self.above, index),
            c: sample(self.above, index - self.stride),
            d: sample(self.above, index + self.stride),
        }
    }

    fn store(&mut self, index: usize, sample: i32) {
        if let Some(stored) = self.current.get_mut(index) {
            *stored = sample as u16;
        }
    }
}

struct Model<'a> {
    parameters: &'a Parameters,
    contexts: &'a mut Contexts,
    reader: BitReader<'a>,
}

/// State of the plain decoder between two lines.
pub(super) struct State {
    contexts: Contexts,
    run_indices: [u8; MAX_COMPONENTS],
    position: usize,
    bit_count: usize,
    /// The line above, of each component, or of all components interleaved; with a pixel before and after it.
    above: Vec<Vec<u16>>,
}

impl State {
    pub(super) fn new(scan: &Scan, bit_count: usize) -> Self {
        let samples = scan.pixel_samples() * (scan.width + 2);
        Self {
            contexts: Contexts::new(&scan.parameters),
            run_indices: [0; MAX_COMPONENTS],
            position: bit_count.next_multiple_of(8),
            bit_count,
            above: vec![vec![0; samples]; scan.rows_per_line()],
        }
    }

    pub(super) fn row(&self, scan: &Scan, index: usize) -> &[u16] {
        let samples = scan.pixel_samples();
        &self.above[index][samples..samples * (scan.width + 1)]
    }

    pub(super) fn bit_offset(&self) -> usize {
        self.bit_count.next_multiple_of(8) - self.position
    }
}

pub(super) fn decode_line(scan: &Scan, data: &[u8], state: &mut State) -> Result<(), LineError> {
    let samples = scan.pixel_samples();
    let mut model = Model {
        parameters: &scan.parameters,
        contexts: &mut state.contexts,
        reader: BitReader::new(data, state.position, state.bit_count),
    };
    for (above, run_index) in state.above.iter_mut().zip(&mut state.run_indices) {
        let end = samples * (scan.width + 1);
        above.copy_within(end - samples..end, end);
        let mut current = vec![0; above.len()];
        current[..samples].copy_from_slice(&above[samples..2 * samples]);
        model.line(Line { above, current: &mut current, stride: samples }, end, run_index)?;
        *above = current;
    }
    state.position = model.reader.position();
    Ok(())
}

impl Model<'_> {
    /// Decodes the samples of a line from the first pixel to index `end`.
    fn line(&mut self, mut line: Line<'_>, end: usize, run_index: &mut u8) -> Result<(), LineError> {
        let stride = line.stride;
        let mut index = stride;
        while index < end {
            let mut contexts = [0; MAX_COMPONENTS];
            for (component, context) in contexts.iter_mut().enumerate().take(stride) {
                *context = self.context(line.neighbours(index + component));
            }
            if contexts == [0; MAX_COMPONENTS] {
                index = self.run(&mut line, index, end, run_index)?;
                continue;
            }
            for (component, context) in contexts.iter().enumerate().take(stride) {
                let sample = self.regular(line.neighbours(index + component), *context)?;
                line.store(index + component, sample);
            }
            index += stride;
        }
        Ok(())
    }

    fn context(&self, neighbours: Neighbours) -> i32 {
        let Neighbours { a, b, c, d } = neighbours;
        let quantize = |gradient| quantize_gradient(self.parameters, gradient);
        81 * quantize(d - b) + 9 * quantize(b - c) + quantize(c - a)
    }

    fn regular(&mut self, neighbours: Neighbours, context: i32) -> Result<i32, LineError> {
        let Neighbours { a, b, c, .. } = neighbours;
        let parameters = self.parameters;
        let sign = if context < 0 { -1 } else { 1 };
        let Some(context) = self.contexts.regular.get_mut(context.unsigned_abs() as usize) else { return Ok(0) };
        let k = context.golomb_parameter();
        let bit_offset = self.reader.bit_offset();
        let median = (a + b - c).clamp(a.min(b), a.max(b));
        let prediction = (median + sign * context.correction).clamp(0, parameters.max_value);
        let mapped = self.reader.golomb(k, parameters.limit, parameters.range_bits)?;
        let mut error = (mapped >> 1).cast_signed() ^ -(mapped & 1).cast_signed();
        if context.is_inverted(parameters, k) {
            error = !error;
        }
        context.update(parameters, error);
        if context.golomb_parameter() >= MAX_K {
            return Err(LineError::Context { bit_offset });
        }
        Ok(reconstruct(parameters, prediction, sign * error))
    }

    /// Decodes a run from `index` on, and the sample that interrupts it; returns the index after them.
    fn run(&mut self, line: &mut Line<'_>, index: usize, end: usize, run_index: &mut u8) -> Result<usize, LineError> {
        let stride = line.stride;
        let bit_offset = self.reader.bit_offset();
        let rest = (end - index) / stride;
        let mut length = 0;
        let exponent = |run_index: u8| RUN_EXPONENTS.get(usize::from(run_index)).copied().unwrap_or(0);
        while length < rest {
            let segment = 1 << exponent(*run_index);
            if self.reader.bits(1)? == 0 {
                length += self.reader.bits(u32::from(exponent(*run_index)))? as usize;
                if length > rest {
                    return Err(LineError::RunLength { bit_offset });
                }
                break;
            }
            if length + segment <= rest {
                *run_index = (*run_index + 1).min(31);
            }
            length = (length + segment).min(rest);
        }
        let run_end = index + length * stride;
        for position in index..run_end {
            line.store(position, i32::from(line.current.get(position - stride).copied().unwrap_or(0)));
        }
        if run_end >= end {
            return Ok(end);
        }
        for position in run_end..run_end + stride {
            let sample = self.interruption(line.neighbours(position), stride, exponent(*run_index))?;
            line.store(position, sample);
        }
        *run_index = run_index.saturating_sub(1);
        Ok(run_end + stride)
    }

    fn interruption(&mut self, neighbours: Neighbours, stride: usize, exponent: u8) -> Result<i32, LineError> {
        let Neighbours { a, b, .. } = neighbours;
        let parameters = self.parameters;
        // With sample interleave the neighbours count as different.
        let is_similar = stride == 1 && (a - b).abs() <= parameters.near;
        let [different, similar] = &mut self.contexts.run;
        let context = if is_similar { similar } else { different };
        let k = context.golomb_parameter(is_similar);
        if k >= MAX_K {
            return Err(LineError::Context { bit_offset: self.reader.bit_offset() });
        }
        let limit = parameters.limit - i32::from(exponent) - 1;
        let mapped = self.reader.golomb(k, limit, parameters.range_bits)?;
        let error = context.unmap(mapped, k, is_similar);
        context.update(parameters, error, mapped, is_similar);
        let (prediction, error) = match (is_similar, b < a) {
            (true, _) => (a, error),
            (false, true) => (b, -error),
            (false, false) => (b, error),
        };
        Ok(reconstruct(parameters, prediction, error))
    }
}

/// Returns the sample of a prediction and a quantized prediction error, modulo the range (T.87 A.4.5).
fn reconstruct(parameters: &Parameters, prediction: i32, error: i32) -> i32 {
    let Parameters { max_value, near, range, step, .. } = *parameters;
    if parameters.is_modular() {
        return (prediction + error) & max_value;
    }
    let sample = prediction + error.wrapping_mul(step);
    let wrapped = if sample < -near {
        sample + range * step
    } else if sample > max_value + near {
        sample - range * step
    } else {
        sample
    };
    wrapped.clamp(0, max_value)
}
