//! Coded data of code-blocks: chunks that packets add, and codeword segments that block decoders read.
//!
//! ```text
//! packets          layer 0: 3 passes │ layer 1: 2 passes │ layer 2: 1 pass
//! chunks           frame bytes 90..97   200..204            310..312      a chain
//! T.800            one segment of 6 passes, 13 bytes; with termination on each pass, a segment for each pass
//! T.814            passes 0, 3, 6, … are cleanup passes, each with refinement passes after it
//! ```
//!
//! Bytes of a block that are consecutive in the frame are borrowed from it; others are joined in a buffer.

use super::{Block, Chunk, Coding, NO_CHUNK, Tile};
use crate::error::{Result, limit_exceeded, malformed};
use crate::kernel::code_block::CodewordSegment;
use crate::limits::Limits;
use std::ops::Range;

/// Byte range of a block's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) enum DataRange {
    /// In the frame.
    Frame(Range<usize>),
    /// In the buffer of joined data.
    Joined(Range<usize>),
}

/// Coded data of a code-block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct CodedData {
    /// True if the block is coded as in T.814: a cleanup segment, and a refinement segment if there is one.
    pub(in crate::codec) is_high_throughput: bool,
    /// Number of bit-planes without a coded bit; in T.814 also those of HT sets before the one that is decoded.
    pub(in crate::codec) zero_bit_planes: u32,
    pub(in crate::codec) data: DataRange,
    /// Indices of the codeword segments in the buffer of segments.
    pub(in crate::codec) segments: Range<usize>,
}

/// Buffers of the data of several code-blocks. They are cleared by the caller.
#[derive(Debug, Default)]
pub(in crate::codec) struct DataBuffers {
    pub(in crate::codec) joined: Vec<u8>,
    pub(in crate::codec) segments: Vec<CodewordSegment>,
}

impl Tile {
    /// Returns the coded data of a code-block, and appends its codeword segments, and bytes that are not consecutive in the
    /// frame, to `buffers`. `None` for a block without data: its coefficients are 0.
    ///
    /// # Errors
    /// `Malformed` for refinement passes of T.814 without their cleanup pass; `LimitExceeded`.
    pub(in crate::codec) fn coded_data(
        &self,
        block: &Block,
        frame: &[u8],
        buffers: &mut DataBuffers,
        limits: &Limits,
    ) -> Result<Option<CodedData>> {
        let first_segment = buffers.segments.len();
        let mut bytes = JoinedBytes { frame, range: None, joined_start: None };
        let is_high_throughput = block.coding == Coding::HighThroughput;
        let mut zero_bit_planes = u32::from(block.zero_bit_planes);
        if is_high_throughput {
            let (set, chunks) = self.last_set(block)?;
            zero_bit_planes += set;
            for chunk in &chunks {
                bytes.append(chunk, &mut buffers.joined, limits)?;
            }
            let [cleanup, refinements @ ..] = &chunks;
            limits.push(&mut buffers.segments, CodewordSegment { passes: 1, bytes: cleanup.bytes as usize })?;
            let refinement = CodewordSegment {
                passes: refinements.iter().map(|chunk| u32::from(chunk.passes)).sum(),
                bytes: refinements.iter().map(|chunk| chunk.bytes as usize).sum(),
            };
            if refinement.bytes > 0 {
                limits.push(&mut buffers.segments, refinement)?;
            }
        } else {
            for chunk in self.chunks(block) {
                bytes.append(chunk, &mut buffers.joined, limits)?;
                let (passes, chunk_bytes) = (u32::from(chunk.passes), chunk.bytes as usize);
                match buffers.segments.get_mut(first_segment..).unwrap_or_default().last_mut() {
                    Some(segment) if !chunk.starts_segment => {
                        segment.passes += passes;
                        segment.bytes += chunk_bytes;
                    }
                    _ => limits.push(&mut buffers.segments, CodewordSegment { passes, bytes: chunk_bytes })?,
                }
            }
        }
        let segments = first_segment..buffers.segments.len();
        let is_empty = block.coding == Coding::Placeholders || segments.is_empty();
        if is_empty {
            buffers.segments.truncate(first_segment);
            return Ok(None);
        }
        let data = bytes.finish(buffers.joined.len());
        Ok(Some(CodedData { is_high_throughput, zero_bit_planes, data, segments }))
    }

    /// Returns the index of the last HT set of a block that has a cleanup segment, and its chunks: cleanup, then one or two
    /// of refinement passes, which may be empty (T.814 B.1). Later sets code more bit-planes than earlier ones.
    fn last_set(&self, block: &Block) -> Result<(u32, [Chunk; 3])> {
        let none = Chunk { offset: 0, bytes: 0, next: NO_CHUNK, passes: 0, starts_segment: false };
        let (mut set, mut chunks) = (None, [none; 3]);
        let mut passes = 0_u32;
        for chunk in self.chunks(block) {
            passes += u32::from(chunk.passes);
            // Set and kind of the chunk's last pass: 0 cleanup, 1 and 2 refinement.
            let (chunk_set, kind) = (passes.saturating_sub(1) / 3, passes.saturating_sub(1) % 3);
            match (chunk.bytes, kind) {
                (0, _) => {}
                (_, 0) => (set, chunks) = (Some(chunk_set), [*chunk, none, none]),
                _ if set == Some(chunk_set) => {
                    let [_, first, second] = &mut chunks;
                    *if first.bytes == 0 { first } else { second } = *chunk;
                }
                _ => {
                    let text = format!("{} bytes of refinement passes without a cleanup pass found", chunk.bytes);
                    return Err(malformed(text, "ITU-T T.814 B.1").at(chunk.offset));
                }
            }
        }
        let set = set.ok_or_else(|| malformed("code-block without a cleanup pass", "ITU-T T.814 B.1"))?;
        Ok((set, chunks))
    }

    /// Returns the chunks of a block in the order of the packets.
    fn chunks(&self, block: &Block) -> impl Iterator<Item = &Chunk> {
        std::iter::successors(self.chunks.get(block.first_chunk as usize), |chunk| self.chunks.get(chunk.next as usize))
    }

    /// Appends a chunk to the chain of code-block `block`.
    ///
    /// # Errors
    /// `LimitExceeded`.
    pub(in crate::codec::jpeg2000) fn add_chunk(
        &mut self,
        block: usize,
        (range, passes, starts_segment): (Range<usize>, u8, bool),
        limits: &Limits,
    ) -> Result<()> {
        let index = u32::try_from(self.chunks.len()).ok().filter(|index| *index < NO_CHUNK);
        let index =
            index.ok_or_else(|| limit_exceeded("more than 2^32 contributions to code-blocks", "ITU-T T.800 B.10"))?;
        let bytes = u32::try_from(range.len()).unwrap_or(u32::MAX);
        limits.push(&mut self.chunks, Chunk { offset: range.start, bytes, next: NO_CHUNK, passes, starts_segment })?;
        let Some(block) = self.blocks.get_mut(block) else {
            debug_assert!(false, "packets refer to code-blocks of the tile");
            return Ok(());
        };
        let last = std::mem::replace(&mut block.last_chunk, index);
        match self.chunks.get_mut(last as usize) {
            Some(last) if block.first_chunk != NO_CHUNK => last.next = index,
            _ => block.first_chunk = index,
        }
        Ok(())
    }
}

/// Bytes of chunks, one after the other.
struct JoinedBytes<'a> {
    frame: &'a [u8],
    /// Bytes of the frame that hold all chunks, as long as they are consecutive.
    range: Option<Range<usize>>,
    /// Start in the buffer, from the first chunk that is not consecutive on.
    joined_start: Option<usize>,
}

impl JoinedBytes<'_> {
    fn append(&mut self, chunk: &Chunk, joined: &mut Vec<u8>, limits: &Limits) -> Result<()> {
        let added = chunk.offset..chunk.offset + chunk.bytes as usize;
        match &mut self.range {
            _ if added.is_empty() => {}
            _ if self.joined_start.is_some() => limits.extend(joined, self.frame.get(added).unwrap_or_default())?,
            Some(range) if range.end == added.start => range.end = added.end,
            Some(range) => {
                self.joined_start = Some(joined.len());
                for part in [range.clone(), added] {
                    limits.extend(joined, self.frame.get(part).unwrap_or_default())?;
                }
            }
            None => self.range = Some(added),
        }
        Ok(())
    }

    fn finish(self, joined_end: usize) -> DataRange {
        match (self.joined_start, self.range) {
            (Some(start), _) => DataRange::Joined(start..joined_end),
            (None, range) => DataRange::Frame(range.unwrap_or_default()),
        }
    }
}
