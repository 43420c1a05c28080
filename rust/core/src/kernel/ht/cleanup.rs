//! The loop over the quads of a code-block, which the bodies of all CPU levels share.

use super::coefficients::{Output, write_row};
use super::mel::MelReader;
use super::quads::QuadReader;
use super::unstuff::{BLOCK_BYTES, PADDING_BYTES, Pending, unstuff_backward, unstuff_forward};
use crate::kernel::code_block::{BlockErrorReason, MAX_SIDE};

/// Samples of a step in a row.
pub(super) const STEP_COLUMNS: usize = 8;
/// Quads of a step.
const STEP_QUADS: usize = 4;
/// Samples above a step that decide its exponent bounds: one more on the left, two more on the right.
pub(super) const ABOVE_COLUMNS: usize = STEP_COLUMNS + 3;
/// Samples before the first one of a row buffer, and after the last one; only their zeros are used.
const BORDER: usize = STEP_COLUMNS;
/// Samples of a row buffer.
pub(super) const ROW_SAMPLES: usize = BORDER + MAX_SIDE + BORDER;
/// Most bytes of MagSgn and VLC strings that valid blocks have; the rest of longer ones has no effect.
const MAX_MAGNITUDE_BYTES: usize = 4096 * 31 / 8;
/// Selects the offset of a byte of a VLC string, of which `Scup`, at most 4079, is the largest length.
pub(super) const CODE_BUFFER_MASK: usize = 4095;
/// Bytes of the buffers for unstuffed strings.
pub(super) const MAGNITUDE_BUFFER: usize = (MAX_MAGNITUDE_BYTES + 8 + PADDING_BYTES).next_multiple_of(4);
pub(super) const CODE_BUFFER: usize = (CODE_BUFFER_MASK + 1 + 8 + PADDING_BYTES).next_multiple_of(4);
/// Quads and samples of a word of significances.
const WORD_QUADS: usize = 16;
const WORD_COLUMNS: usize = 32;
/// Words of a row, and one after the last.
const ROW_WORDS: usize = MAX_SIDE / WORD_COLUMNS + 1;

/// Memory of the cleanup pass.
pub(super) struct Buffers<'a> {
    pub magnitudes: &'a mut [u8; MAGNITUDE_BUFFER],
    pub codes: &'a mut [u8; CODE_BUFFER],
    pub top: &'a mut [u32; ROW_SAMPLES],
    pub bottoms: [&'a mut [u32; ROW_SAMPLES]; 2],
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
}

/// Reason to end a block early.
pub(super) enum Stop {
    Invalid(BlockErrorReason),
    /// Exponent bounds exceed those of the vector body.
    Wide,
}

/// Functions that decode the samples of four quads, and their state.
pub(super) struct SampleDecoder<State, Decode, Bound> {
    pub state: State,
    /// Decodes the words of samples from the words of four quads, and returns the significance of the bottom row.
    pub decode: Decode,
    /// Returns the largest bound of exponents so far.
    pub bound: Bound,
    /// Largest bound that the functions support.
    pub max_bound: u32,
}

/// Samples of a step.
pub(super) struct Step<'a> {
    /// The words of four quads, two each.
    pub pairs: [u64; 2],
    /// The samples of the row above the quads, from one column before their first one.
    pub above: &'a [u32; ABOVE_COLUMNS],
    pub top: &'a mut [u32; STEP_COLUMNS],
    pub bottom: &'a mut [u32; STEP_COLUMNS],
}

/// Decodes the cleanup pass of a block (T.814 7.3), and writes its coefficients. For `append_bytes` see
/// [`unstuff_forward`]; `convert` may convert the first samples of a row, and returns their number.
///
/// ```text
/// for each line of quads, 2 rows of samples
///     for each step, 4 quads
///         quads = read_quads()          strings MEL and VLC, see quads.rs
///         samples = decode(quads)       string MagSgn
///     for each row
///         write_row(samples)            coefficients
/// ```
///
/// Both strings depend on their own bits before, so their chains of dependent instructions overlap in this order.
#[inline(always)]
pub(super) fn decode_cleanup<State, Decode, Bound>(
    cleanup: &Cleanup<'_>,
    (out, stride): (&mut [i32], usize),
    buffers: &mut Buffers<'_>,
    mut decoder: SampleDecoder<State, Decode, Bound>,
    (append_bytes, convert): (
        impl Fn(&[u8; BLOCK_BYTES], &mut [u8; BLOCK_BYTES], Pending) -> Option<u64>,
        impl Fn(&Output, &[u32], &mut [i32]) -> usize,
    ),
) -> Result<(), Stop>
where
    Decode: Fn(&mut State, &[u8], Step<'_>) -> u32,
    Bound: Fn(&State) -> u32,
{
    let magnitudes = cleanup.magnitudes.get(..MAX_MAGNITUDE_BYTES).unwrap_or(cleanup.magnitudes);
    let magnitude_bytes = unstuff_forward(magnitudes, buffers.magnitudes.as_mut_slice(), append_bytes);
    let code_bits = unstuff_backward(cleanup.codes, buffers.codes.as_mut_slice());
    let magnitudes = buffers.magnitudes.get(..magnitude_bytes).unwrap_or_default();
    let (mut reader, mut mel) = (QuadReader::new(buffers.codes), MelReader::new(cleanup.codes));
    let quad_count = cleanup.width.div_ceil(2);
    let [bottom, above] = &mut buffers.bottoms;
    let (mut bottom, mut above): (&mut [u32; ROW_SAMPLES], &mut [u32; ROW_SAMPLES]) = (bottom, above);
    let row_end = (BORDER + quad_count.next_multiple_of(4) * 2 + BORDER).min(ROW_SAMPLES);
    above.iter_mut().take(row_end).for_each(|word| *word = 0);
    bottom.iter_mut().take(row_end).for_each(|word| *word = 0);
    let mut significant = [0; ROW_WORDS];
    for row in (0..cleanup.height).step_by(2) {
        let rows = Rows { above, top: buffers.top, bottom, significant: &mut significant };
        if row == 0 {
            decode_line::<true, _, _, _>((&mut reader, &mut mel), quad_count, magnitudes, rows, &mut decoder);
        } else {
            decode_line::<false, _, _, _>((&mut reader, &mut mel), quad_count, magnitudes, rows, &mut decoder);
        }
        // The quads and samples of a line that exceeds its strings are arbitrary.
        if reader.bits_read() > code_bits {
            return Err(Stop::Invalid(BlockErrorReason::Codes));
        }
        let bound = (decoder.bound)(&decoder.state);
        if bound > decoder.max_bound {
            return Err(Stop::Wide);
        }
        if bound > cleanup.max_bound {
            return Err(Stop::Invalid(BlockErrorReason::Magnitude));
        }
        for (row, samples) in (row..cleanup.height).zip([&*buffers.top, &*bottom]) {
            let start = row * stride;
            let out = out.get_mut(start..start + cleanup.width).unwrap_or_default();
            let samples = samples.get(BORDER..BORDER + cleanup.width).unwrap_or_default();
            let converted = convert(&cleanup.output, samples, out);
            let (samples, out) = (samples.get(converted..), out.get_mut(converted..));
            write_row(&cleanup.output, samples.unwrap_or_default(), out.unwrap_or_default());
        }
        std::mem::swap(&mut bottom, &mut above);
    }
    Ok(())
}

/// Row buffers of a line of quads.
struct Rows<'a> {
    above: &'a [u32; ROW_SAMPLES],
    top: &'a mut [u32; ROW_SAMPLES],
    bottom: &'a mut [u32; ROW_SAMPLES],
    /// Significance of the row above, bit i of word j for column 32 j + i; replaced by that of the bottom row.
    significant: &'a mut [u32; ROW_WORDS],
}

#[inline(always)]
fn decode_line<const IS_INITIAL: bool, State, Decode, Bound>(
    (reader, mel): (&mut QuadReader<'_>, &mut MelReader<'_>),
    quad_count: usize,
    magnitudes: &[u8],
    rows: Rows<'_>,
    decoder: &mut SampleDecoder<State, Decode, Bound>,
) where
    Decode: Fn(&mut State, &[u8], Step<'_>) -> u32,
{
    reader.start_line();
    let mut left = 0;
    let mut quads_left = quad_count;
    for word in 0..quad_count.div_ceil(WORD_QUADS) {
        let Some([here, next]) = rows.significant.get_mut(word..).and_then(|words| words.first_chunk_mut()) else {
            return debug_assert!(false, "a block has at most 1024 columns");
        };
        // Bit i: column i or i - 1 of the word is significant. A quad's contributions are bits 2 q and 2 q + 2.
        let joined = u64::from(*here) | u64::from(*next) << WORD_COLUMNS;
        let mut contexts = (joined | joined << 1 | u64::from(left)) << 7;
        left = *here >> 31;
        let mut bits = 0;
        for step in 0..WORD_QUADS / STEP_QUADS {
            let pairs = if quads_left >= STEP_QUADS {
                let first = reader.pair::<IS_INITIAL, false>(mel, &mut contexts);
                [first, reader.pair::<IS_INITIAL, false>(mel, &mut contexts)]
            } else {
                last_pairs::<IS_INITIAL>(reader, mel, &mut contexts, quads_left)
            };
            let start = (word * WORD_COLUMNS + step * STEP_COLUMNS) & (MAX_SIDE - STEP_COLUMNS);
            let (Some(above), Some(top), Some(bottom)) = (
                rows.above.get(BORDER - 1 + start..).and_then(|row| row.first_chunk()),
                rows.top.get_mut(BORDER + start..).and_then(|row| row.first_chunk_mut()),
                rows.bottom.get_mut(BORDER + start..).and_then(|row| row.first_chunk_mut()),
            ) else {
                return debug_assert!(false, "rows have a border");
            };
            let step_bits = (decoder.decode)(&mut decoder.state, magnitudes, Step { pairs, above, top, bottom });
            bits |= step_bits << (STEP_COLUMNS * step);
            quads_left = quads_left.saturating_sub(STEP_QUADS);
            if quads_left == 0 {
                break;
            }
        }
        *here = bits;
    }
}

/// Reads the last quads of a line, fewer than those of a step.
#[inline(always)]
fn last_pairs<const IS_INITIAL: bool>(
    reader: &mut QuadReader<'_>,
    mel: &mut MelReader<'_>,
    contexts: &mut u64,
    quads_left: usize,
) -> [u64; 2] {
    let first = match quads_left {
        0 => 0,
        1 => reader.pair::<IS_INITIAL, true>(mel, contexts),
        _ => reader.pair::<IS_INITIAL, false>(mel, contexts),
    };
    [first, if quads_left == 3 { reader.pair::<IS_INITIAL, true>(mel, contexts) } else { 0 }]
}
