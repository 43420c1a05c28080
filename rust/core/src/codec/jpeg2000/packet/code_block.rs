//! Codeword segments of a code-block in a packet, and the number of bits of their lengths (T.800 B.10.7, D.4.2; T.814 B).
//!
//! ```text
//! passes                      0 1 2 3 4 5 6 7 8 9 │ 10 11 │ 12 │ 13 14 │ 15 …
//! T.800                       one segment
//! … termination on each pass  0 │ 1 │ 2 │ 3 │ …
//! … bypass                    one segment         │ raw   │    │ raw   │
//! T.814, HT set k: 3k, …      0 │ 1 2 │ 3 │ 4 5 │ …       cleanup │ refinement
//! … placeholders before       one segment up to the first cleanup pass that has bytes
//!
//! length of a segment with n passes in this packet: Lblock + floor(log2(n)) bits
//! ```
//!
//! A code-block of T.814 may start with placeholder passes: empty HT sets, whose bit-planes are not coded. In tile-components
//! of both kinds, the first length that is not 0 shows which one a code-block is: that of T.814 is declared with more bits
//! than it needs, so that its first bit is 0.

use super::{CLAUSE, bits::BitReader};
use crate::codec::jpeg2000::codestream::BlockStyle;
use crate::codec::jpeg2000::tile::{Block, Coding};
use crate::error::{Result, malformed};

/// Clause of HT sets.
const HT_CLAUSE: &str = "ITU-T T.814 B.3";
/// Largest number of coding passes: 3 for each of 55 bit-planes, without two.
const MAX_PASSES: u32 = 164;
/// Largest state Lblock, and number of bits of a length.
const MAX_LENGTH_BITS: u32 = 32;
/// Number of passes before the first one without arithmetic coding (T.800 Table D.9).
const PASSES_BEFORE_BYPASS: u32 = 10;

/// Style of the code-blocks, as far as segments depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentRules {
    style: BlockStyle,
}

impl SegmentRules {
    pub(super) const fn new(style: BlockStyle) -> Self {
        Self { style }
    }

    /// Returns the coding of a code-block when it is included.
    pub(super) const fn first_coding(self) -> Coding {
        if self.style.is_high_throughput() { Coding::Placeholders } else { Coding::Ebcot }
    }
}

/// Number of passes of a codeword segment in a packet, and of its bytes.
struct Segment {
    passes: u32,
    starts: bool,
    bytes: u32,
}

/// Reads the state Lblock and the lengths of the segments of `passes` new passes of a code-block. Passes each segment to
/// `add`: passes, true if they are its first, bytes.
///
/// # Errors
/// `Malformed`, and those of `add`.
pub(super) fn read_lengths(
    block: &mut Block,
    passes: u32,
    rules: SegmentRules,
    bits: &mut BitReader<'_>,
    mut add: impl FnMut(u8, bool, u32) -> Result<()>,
) -> Result<()> {
    let mut length_bits = u32::from(block.length_bits);
    while bits.bit() {
        length_bits += 1;
        if length_bits > MAX_LENGTH_BITS {
            return Err(malformed(format!("lengths of more than {MAX_LENGTH_BITS} bits"), "ITU-T T.800 B.10.7"));
        }
    }
    block.length_bits = length_bits.to_le_bytes()[0];
    let all_passes = u32::from(block.passes) + passes;
    if all_passes > MAX_PASSES {
        let text = format!("{all_passes} coding passes of a code-block found, at most {MAX_PASSES} expected");
        return Err(malformed(text, CLAUSE));
    }
    let mut left = passes;
    while left > 0 {
        let segment = match block.coding {
            Coding::NotIncluded | Coding::Ebcot => {
                let (max_passes, starts) = rules.ebcot_segment(block.passes.into());
                let passes = left.min(max_passes);
                Segment { passes, starts, bytes: read_length(bits, length_bits, passes)? }
            }
            Coding::Placeholders => rules.read_placeholders(block, left, bits)?,
            Coding::HighThroughput => read_high_throughput(block, left, bits)?,
        };
        // Not more than `left`, so that the sum is at most 164.
        left -= segment.passes;
        let passes = segment.passes.to_le_bytes()[0];
        block.passes += passes;
        add(passes, segment.starts, segment.bytes)?;
    }
    Ok(())
}

fn read_length(bits: &mut BitReader<'_>, length_bits: u32, passes: u32) -> Result<u32> {
    let count = length_bits + passes.max(1).ilog2();
    if count > MAX_LENGTH_BITS {
        let text = format!("length of {count} bits found, at most {MAX_LENGTH_BITS} expected");
        return Err(malformed(text, "ITU-T T.800 B.10.7"));
    }
    Ok(bits.bits(count))
}

impl SegmentRules {
    /// Returns the largest number of passes from pass `index` on that are in one segment, and true if `index` starts it.
    fn ebcot_segment(self, index: u32) -> (u32, bool) {
        if self.style.has(BlockStyle::TERMINATE_EACH_PASS) {
            return (1, true);
        }
        if !self.style.has(BlockStyle::BYPASS) {
            return (u32::MAX, index == 0);
        }
        match index.checked_sub(PASSES_BEFORE_BYPASS) {
            None => (PASSES_BEFORE_BYPASS - index, index == 0),
            Some(index) => match index % 3 {
                0 => (2, true),
                1 => (1, false),
                _ => (1, true),
            },
        }
    }

    /// Reads the length of passes before the first cleanup pass that has bytes, and of this one.
    fn read_placeholders(self, block: &mut Block, left: u32, bits: &mut BitReader<'_>) -> Result<Segment> {
        let length_bits = u32::from(block.length_bits);
        let starts = block.passes == 0;
        // Passes after the last cleanup pass of the packet.
        let refinements = (u32::from(block.passes) + left - 1) % 3;
        let up_to_cleanup = left.saturating_sub(refinements);
        let mut bytes = 0;
        if up_to_cleanup > 0 {
            bytes = read_length(bits, length_bits, up_to_cleanup)?;
            let count = length_bits + up_to_cleanup.ilog2();
            let is_mixed = self.style.has(BlockStyle::MIXED);
            let is_high_throughput = !is_mixed || length_bits > 3 && bytes > 1 && bytes >> (count - 1) == 0;
            if bytes > 0 && is_high_throughput {
                check_cleanup(bytes)?;
                block.coding = Coding::HighThroughput;
                return Ok(Segment { passes: up_to_cleanup, starts, bytes });
            }
        }
        // All passes in one segment: more bits of its length.
        let count = if up_to_cleanup > 0 { left.ilog2() - up_to_cleanup.ilog2() } else { length_bits + left.ilog2() };
        if length_bits + left.ilog2() > MAX_LENGTH_BITS {
            let text = format!("length of more than {MAX_LENGTH_BITS} bits found");
            return Err(malformed(text, "ITU-T T.800 B.10.7"));
        }
        let more = bits.bits(count);
        bytes = if count < u32::BITS { bytes << count | more } else { more };
        if bytes > 0 {
            if !self.style.has(BlockStyle::MIXED) {
                return Err(malformed(format!("{bytes} bytes of placeholder passes found"), HT_CLAUSE));
            }
            block.coding = Coding::Ebcot;
        }
        Ok(Segment { passes: left, starts, bytes })
    }
}

/// Reads the length of the next segment after the first cleanup segment.
fn read_high_throughput(block: &Block, left: u32, bits: &mut BitReader<'_>) -> Result<Segment> {
    let kind = block.passes % 3;
    let passes = if kind == 1 { left.min(2) } else { 1 };
    let bytes = read_length(bits, block.length_bits.into(), passes)?;
    if kind == 0 {
        check_cleanup(bytes)?;
    }
    Ok(Segment { passes, starts: kind < 2, bytes })
}

/// Checks the length of a cleanup segment: empty, or at least the two bytes of its own length.
fn check_cleanup(bytes: u32) -> Result<()> {
    if bytes == 1 {
        return Err(malformed("cleanup segment of 1 byte found, 2 or more expected", HT_CLAUSE));
    }
    Ok(())
}
