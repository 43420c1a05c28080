//! The loop over the quads of a code-block, which the bodies of all CPU levels share.

use super::coefficients::Output;
use super::mel::MelReader;
use super::quads::QuadReader;
use super::unstuff::{BLOCK_BYTES, PADDING_BYTES, Pending, unstuff_backward, unstuff_forward};
use crate::kernel::code_block::{BlockErrorReason, MAX_SIDE};
use std::cell::Cell;

/// Samples of a step in a row.
pub(super) const STEP_COLUMNS: usize = 8;
/// Quads of a step.
const STEP_QUADS: usize = 4;
/// Samples above a step that decide its exponent bounds: one more on the left, two more on the right.
pub(super) const ABOVE_COLUMNS: usize = STEP_COLUMNS + 3;
/// Samples before the first one of a row of words, and after the last one; only their zeros are used.
const BORDER: usize = STEP_COLUMNS;
/// Samples of a row of words.
pub(super) const ROW_SAMPLES: usize = BORDER + MAX_SIDE + BORDER;
/// Bytes of the significances of a row: one for each step, one before the first one, and two after the last one.
pub(super) const MAX_STEPS: usize = MAX_SIDE / STEP_COLUMNS;
pub(super) const SIGNIFICANCE_BYTES: usize = MAX_STEPS + 4;
/// Most bytes of MagSgn and VLC strings that valid blocks have; the rest of longer ones has no effect.
const MAX_MAGNITUDE_BYTES: usize = 4096 * 31 / 8;
/// Bytes of ones after a MagSgn string for each quad of a line, so that a line whose samples have up to 15 bits does not pass them.
const QUAD_PADDING_BYTES: usize = 8;
/// Selects the offset of a byte of a VLC string, of which `Scup`, at most 4079, is the largest length.
pub(super) const CODE_BUFFER_MASK: usize = 4095;
/// Bytes of the buffers for unstuffed strings.
pub(super) const MAGNITUDE_BUFFER: usize =
    (MAX_MAGNITUDE_BYTES + BLOCK_BYTES + 8 + QUAD_PADDING_BYTES * MAX_SIDE / 2 + PADDING_BYTES).next_multiple_of(4);
pub(super) const CODE_BUFFER: usize = (CODE_BUFFER_MASK + 1 + BLOCK_BYTES + 8 + PADDING_BYTES).next_multiple_of(4);

/// Memory of the cleanup pass.
pub(super) struct Buffers<'a, Word> {
    pub magnitudes: &'a mut [u8; MAGNITUDE_BUFFER],
    pub codes: &'a mut [u8; CODE_BUFFER],
    /// Words of the quads of each step of a line.
    pub quads: &'a mut [[u64; 2]; MAX_STEPS],
    /// The row above a line of quads, which is replaced by the bottom row of the line.
    pub words: &'a mut [Word; ROW_SAMPLES],
    /// Significances of the bottom row of a line.
    pub significant: &'a mut [u8; SIGNIFICANCE_BYTES],
    /// Coefficients of the row below the last one of a block.
    pub spare: &'a mut [i32; MAX_SIDE],
}

/// A code-block and its cleanup segment.
#[derive(Clone, Copy)]
pub(super) struct Cleanup<'a> {
    pub width: usize,
    pub height: usize,
    /// The strings MagSgn, and MEL and VLC: all bytes before the last `Scup` ones, and those.
    pub magnitudes: &'a [u8],
    pub codes: &'a [u8],
    /// Largest permitted bound of magnitude exponents.
    pub max_bound: u32,
    pub output: Output,
    /// True if the last block before this one needed more than the narrowest words.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only vector bodies have words of two sizes"))]
    pub was_wide: &'a Cell<bool>,
}

/// Reason to end a block early.
pub(super) enum Stop {
    Invalid(BlockErrorReason),
    /// Exponent bounds exceed those of the vector body.
    Wide,
}

/// An unstuffed MagSgn string. A bit 0 precedes it in the buffer.
#[derive(Clone, Copy)]
pub(super) struct Magnitudes<'a> {
    pub buffer: &'a [u8; MAGNITUDE_BUFFER],
    /// Bits of the string.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only positions of 16 bits are limited"))]
    pub bits: usize,
    /// Bytes with the bits of the string and the ones after it.
    pub bytes: usize,
}

/// Functions that decode the samples of four quads, and their state.
pub(super) struct SampleDecoder<State, Begin, Decode, EndLine> {
    pub state: State,
    /// Computes numbers of bits from the words of four quads, two each, and from the words above them.
    pub begin: Begin,
    /// Decodes the samples of a step from its numbers of bits. Stores the bottom row of the step before.
    pub decode: Decode,
    /// Stores the bottom row of the last step of a line, and returns the largest bound of exponents so far.
    pub end_line: EndLine,
    /// Largest bound that the functions support.
    pub max_bound: u32,
}

/// The words of the row above the quads of a step: those of the step before, of the step, and of two more samples.
pub(super) type RowWindow<Word> = [Word; STEP_COLUMNS + STEP_COLUMNS + 2];

/// Returns the words that decide exponent bounds, from one sample before the first one of the step.
#[inline(always)]
pub(super) fn words_above<Word>(row: &RowWindow<Word>) -> &[Word; ABOVE_COLUMNS] {
    let [_, _, _, _, _, _, _, above @ ..] = row;
    above
}

/// Returns the words of the step before.
#[inline(always)]
pub(super) fn words_before<Word>(row: &mut RowWindow<Word>) -> &mut [Word; STEP_COLUMNS] {
    let [before @ .., _, _, _, _, _, _, _, _, _, _] = row;
    before
}

/// Decodes the cleanup pass of a block (T.814 7.3), and writes its coefficients. Returns the largest bound of exponents.
///
/// `convert_row` completes rows of what the decoder writes; `append_forward` and `append_backward` are those of
/// [`unstuff_forward`] and [`unstuff_backward`].
///
/// ```text
/// quads = read_quads()                                 line 0: strings MEL and VLC, see quads.rs
/// for each line of quads, 2 rows of samples
///     for each step, 4 quads
///         bits = begin(quads[step])                    numbers and offsets of bits
///         quads[step] = read_quads()                   next line
///         decode(bits)                                 string MagSgn, and conversion to coefficients
/// ```
///
/// Reading quads is a chain of dependent instructions, and so are numbers of bits and samples. Quads do not depend on samples, so
/// the chains overlap in this order: with the quads of the same line, in the order read, begin, decode, they took 1.2 times as
/// long, because the instructions of a step fill the reorder buffer of the CPU.
#[inline(always)]
pub(super) fn decode_cleanup<Word: Copy + Default, State, Begun, Begin, Decode, EndLine>(
    cleanup: &Cleanup<'_>,
    (out, stride): (&mut [i32], usize),
    buffers: Buffers<'_, Word>,
    mut decoder: SampleDecoder<State, Begin, Decode, EndLine>,
    (significance, convert_row): (impl Fn([u64; 2]) -> u8, impl Fn(&mut [i32])),
    (append_forward, append_backward): (
        impl Fn(&[u8; BLOCK_BYTES], &mut [u8; BLOCK_BYTES], Pending) -> Option<u32>,
        impl Fn(&[u8; BLOCK_BYTES + 1], &mut [u8; BLOCK_BYTES], Pending) -> Option<u32>,
    ),
) -> Result<u32, Stop>
where
    Begin: Fn(&mut State, Magnitudes<'_>, [u64; 2], &RowWindow<Word>) -> Begun,
    Decode: Fn(&mut State, Magnitudes<'_>, Begun, &mut RowWindow<Word>, [&mut [i32; STEP_COLUMNS]; 2]),
    EndLine: Fn(&mut State, Magnitudes<'_>, &mut [Word; STEP_COLUMNS]) -> u32,
{
    let Buffers { magnitudes, codes, quads, words, significant, spare } = buffers;
    let quad_count = cleanup.width.div_ceil(2);
    let string = cleanup.magnitudes.get(..MAX_MAGNITUDE_BYTES).unwrap_or(cleanup.magnitudes);
    let padding = QUAD_PADDING_BYTES * quad_count + PADDING_BYTES;
    let (bits, bytes) = unstuff_forward(string, magnitudes.as_mut_slice(), padding, append_forward);
    let magnitudes = Magnitudes { buffer: magnitudes, bits, bytes };
    let code_bits = unstuff_backward(cleanup.codes, codes.as_mut_slice(), append_backward);
    let (mut reader, mut mel) = (QuadReader::new(codes), MelReader::new(cleanup.codes));
    let step_count = quad_count.div_ceil(STEP_QUADS);
    words.iter_mut().take(BORDER + STEP_COLUMNS * step_count + BORDER).for_each(|word| *word = Word::default());
    let mut line = Line { quads, words, significant, quad_count };
    line.read_initial(&mut reader, &mut mel, &significance);
    if reader.bits_read() > code_bits {
        return Err(Stop::Invalid(BlockErrorReason::Codes));
    }
    let mut bound = 0;
    for row in (0..cleanup.height).step_by(2) {
        let rest = out.get_mut(row * stride..).unwrap_or_default();
        let (top, lower) = match rest.split_at_mut_checked(stride) {
            Some((top, lower)) if row + 1 < cleanup.height => (top, lower),
            _ => (rest, &mut spare[..]),
        };
        let [top, lower] = [top, lower].map(|row| row.get_mut(..cleanup.width).unwrap_or_default());
        let out = [&mut *top, &mut *lower];
        let reads = row + 2 < cleanup.height;
        line.decode(reads, (&mut reader, &mut mel), magnitudes, out, &mut decoder, &significance);
        convert_row(top);
        convert_row(lower);
        let last = line.words.get_mut(BORDER + STEP_COLUMNS * (step_count - 1)..).and_then(|row| row.first_chunk_mut());
        bound = last.map_or(u32::MAX, |last| (decoder.end_line)(&mut decoder.state, magnitudes, last));
        if bound > decoder.max_bound {
            return Err(Stop::Wide);
        }
        if bound > cleanup.max_bound {
            return Err(Stop::Invalid(BlockErrorReason::Magnitude));
        }
        // The quads and samples of a line that exceeds its strings are arbitrary.
        if reader.bits_read() > code_bits {
            return Err(Stop::Invalid(BlockErrorReason::Codes));
        }
    }
    Ok(bound)
}

/// State of a line of quads.
struct Line<'a, Word> {
    /// Words of the quads of each step: those of the line to decode, then of the next one.
    quads: &'a mut [[u64; 2]; MAX_STEPS],
    /// Words of the row above the line.
    words: &'a mut [Word; ROW_SAMPLES],
    /// Bit i of byte 1 + j: sample 8 j + i of the bottom row of the last line whose quads are read.
    significant: &'a mut [u8; SIGNIFICANCE_BYTES],
    quad_count: usize,
}

impl<Word> Line<'_, Word> {
    const fn step_count(&self) -> usize {
        self.quad_count.div_ceil(STEP_QUADS)
    }

    /// Reads the quads of the initial line.
    #[inline(always)]
    fn read_initial(
        &mut self,
        reader: &mut QuadReader<'_>,
        mel: &mut MelReader<'_>,
        significance: impl Fn([u64; 2]) -> u8,
    ) {
        let full = self.quad_count / STEP_QUADS;
        let mut bytes = self.significant.iter_mut().skip(1);
        for (quads, byte) in self.quads.iter_mut().take(full).zip(&mut bytes) {
            *quads = reader.step::<true>(mel, 0);
            *byte = significance(*quads);
        }
        if let (Some(quads), Some(byte), left @ 1..) =
            (self.quads.get_mut(full), bytes.next(), self.quad_count % STEP_QUADS)
        {
            *quads = reader.last_step::<true>(mel, 0, left);
            *byte = significance(*quads);
        }
        self.add_border();
    }

    /// Marks the samples before and after the bottom row as insignificant.
    #[inline(always)]
    fn add_border(&mut self) {
        let end = 1 + self.step_count();
        for index in [0, end, end + 1] {
            if let Some(byte) = self.significant.get_mut(index) {
                *byte = 0;
            }
        }
    }

    /// Decodes the samples of a line, and reads the quads of the next one if `reads`.
    #[inline(always)]
    fn decode<State, Begun, Begin, Decode, EndLine>(
        &mut self,
        reads: bool,
        (reader, mel): (&mut QuadReader<'_>, &mut MelReader<'_>),
        magnitudes: Magnitudes<'_>,
        [top, bottom]: [&mut [i32]; 2],
        decoder: &mut SampleDecoder<State, Begin, Decode, EndLine>,
        significance: impl Fn([u64; 2]) -> u8,
    ) where
        Begin: Fn(&mut State, Magnitudes<'_>, [u64; 2], &RowWindow<Word>) -> Begun,
        Decode: Fn(&mut State, Magnitudes<'_>, Begun, &mut RowWindow<Word>, [&mut [i32; STEP_COLUMNS]; 2]),
    {
        reader.start_line();
        let (top_steps, top_rest) = top.as_chunks_mut();
        let (bottom_steps, bottom_rest) = bottom.as_chunks_mut();
        let mut last = [[0; STEP_COLUMNS]; 2];
        let mut before = 0;
        let full = top_steps.len().min(bottom_steps.len());
        let step_count = self.step_count();
        for index in 0..step_count {
            let index = index & (MAX_STEPS - 1);
            let (Some(row), Some(significant), Some(quads)) = (
                self.words.get_mut(STEP_COLUMNS * index..).and_then(|row| row.first_chunk_mut()),
                self.significant.get_mut(index..).and_then(|bytes| bytes.first_chunk_mut()),
                self.quads.get_mut(index),
            ) else {
                return debug_assert!(false, "rows have a border");
            };
            let begun = (decoder.begin)(&mut decoder.state, magnitudes, *quads, row);
            let out = if index < full
                && let (Some(top), Some(bottom)) = (top_steps.get_mut(index), bottom_steps.get_mut(index))
            {
                [top, bottom]
            } else {
                let [top, bottom] = &mut last;
                [top, bottom]
            };
            if reads {
                let contexts = contexts_below(significant);
                *quads = if index < full {
                    reader.step::<false>(mel, contexts)
                } else {
                    let left = self.quad_count.wrapping_sub(STEP_QUADS * index);
                    reader.last_step::<false>(mel, contexts, left)
                };
                let [first, ..] = significant;
                *first = before;
                before = significance(*quads);
            }
            (decoder.decode)(&mut decoder.state, magnitudes, begun, row, out);
        }
        if let Some(byte) = self.significant.get_mut(step_count) {
            *byte = before;
        }
        let [top, bottom] = last;
        top_rest.iter_mut().zip(top).for_each(|(out, coefficient)| *out = coefficient);
        bottom_rest.iter_mut().zip(bottom).for_each(|(out, coefficient)| *out = coefficient);
    }
}

/// Returns the contributions of a row to the contexts of the four quads of a step below: those of quad q in bits 2 q + 7 and
/// 2 q + 9. Bit i of `significant` is column i - 8 of the step.
#[inline(always)]
fn contexts_below(significant: &[u8; 4]) -> u32 {
    const MASK: u32 = 0xAA80;
    let columns = u32::from_le_bytes(*significant);
    (columns | columns << 1) >> 1 & MASK
}
