//! Computes the geometry of a tile (T.800 B.5 to B.7).

use super::{Band, Block, Coding, NO_CHUNK, PrecinctBand, Resolution, Tile, TileComponent};
use crate::codec::jpeg2000::codestream::{ComponentCoding, Header, Rectangle, TileParameters};
use crate::codec::jpeg2000::tag_tree::{self, Node};
use crate::error::{Result, limit_exceeded, malformed, truncated, unsupported};
use crate::kernel::code_block::{BandKind, Dequantization};
use crate::limits::Limits;
use std::ops::Range;

/// Largest number of code-blocks, precinct-bands or nodes of a tile.
const MAX_COUNT: u64 = 1 << 30;
/// State Lblock of a code-block before its first packet (T.800 B.10.7.1).
const FIRST_LENGTH_BITS: u8 = 3;

impl Tile {
    /// Computes the geometry of tile `index`, without its `reduce` largest resolutions, and forgets the tile before.
    ///
    /// # Errors
    /// `Malformed` if parameters are missing or contradict each other; `Truncated` if the tile-parts have less bytes than the
    /// tile has packets; `Unsupported` if a component has less than `reduce` levels; `LimitExceeded`.
    pub(in crate::codec) fn build(&mut self, header: &Header, index: u32, reduce: u8, limits: &Limits) -> Result<()> {
        let parameters = header.parameters(index);
        let size = &header.main.size;
        self.area = size.tile(index);
        self.components.clear();
        self.resolutions.clear();
        self.bands.clear();
        let mut counts = Counts::default();
        for (component, description) in (0_u16..).zip(&size.components) {
            let area = self.area.divide(description.column_step.into(), description.row_step.into());
            let coding = parameters.coding(component)?;
            if reduce > coding.levels {
                let text = format!("{} decomposition levels found, reduce={reduce} requested", coding.levels);
                return Err(unsupported(text, "ITU-T T.800 A.6.1"));
            }
            let first_resolution = self.resolutions.len();
            for resolution in 0..=coding.levels {
                let is_decoded = resolution + reduce <= coding.levels;
                let context =
                    BandContext { component, precision: description.precision, coding, parameters: &parameters };
                self.add_resolution(&area, &context, (resolution, is_decoded), &mut counts, limits)?;
            }
            let resolutions = first_resolution..self.resolutions.len();
            let roi_shift = parameters.roi_shift(component);
            let (levels, is_reversible, style) = (coding.levels, coding.is_reversible, coding.style);
            let component = TileComponent { levels, is_reversible, style, roi_shift, resolutions };
            limits.push(&mut self.components, component)?;
        }
        self.set_component_transform(header, &parameters)?;
        self.check_counts(header, index, &counts, &parameters)?;
        self.allocate(&counts, limits)
    }

    fn set_component_transform(&mut self, header: &Header, parameters: &TileParameters<'_>) -> Result<()> {
        let style = parameters.style()?;
        self.has_component_transform = false;
        // With less than three components it is a deviation of the header.
        if let (true, [first, second, third, ..]) = (style.has_component_transform, &self.components[..]) {
            let steps = |index: usize| {
                header.main.size.components.get(index).map(|component| (component.column_step, component.row_step))
            };
            let is_alike = |index: usize, other: &TileComponent| {
                steps(index) == steps(0) && other.is_reversible == first.is_reversible
            };
            if !is_alike(1, second) || !is_alike(2, third) {
                let text = "component transform of components with different subsampling or wavelets";
                return Err(malformed(text, "ITU-T T.800 G.1").at(style.transform_offset));
            }
            self.has_component_transform = true;
        }
        Ok(())
    }

    /// Adds a resolution and its bands.
    fn add_resolution(
        &mut self,
        area: &Rectangle,
        context: &BandContext<'_>,
        (index, is_decoded): (u8, bool),
        counts: &mut Counts,
        limits: &Limits,
    ) -> Result<()> {
        let coding = context.coding;
        let levels = coding.levels - index;
        let area_of_resolution = scale(area, levels, (0, 0));
        let exponents = coding.precinct_exponents(index);
        let count = |range: &Range<u32>, exponent: u8| {
            if range.is_empty() { 0 } else { ((range.end - 1) >> exponent) - (range.start >> exponent) + 1 }
        };
        let precincts = match area_of_resolution.is_empty() {
            true => (0, 0),
            false => (count(&area_of_resolution.columns, exponents.0), count(&area_of_resolution.rows, exponents.1)),
        };
        // At resolutions above 0, a precinct has half as many columns and rows of each band.
        let halved = u8::from(index > 0);
        let block_exponents = (
            coding.block_exponents.0.min(exponents.0.saturating_sub(halved)),
            coding.block_exponents.1.min(exponents.1.saturating_sub(halved)),
        );
        let first_band = self.bands.len();
        let kinds: &[_] = if index == 0 { &[BandKind::Ll] } else { &[BandKind::Hl, BandKind::Lh, BandKind::Hh] };
        for kind in kinds {
            let high = (
                u8::from(matches!(kind, BandKind::Hl | BandKind::Hh)),
                u8::from(matches!(kind, BandKind::Lh | BandKind::Hh)),
            );
            let area = scale(area, levels + halved, high);
            let (block_columns, block_rows) = match area.is_empty() {
                true => (0, 0),
                false => (count(&area.columns, block_exponents.0), count(&area.rows, block_exponents.1)),
            };
            let first_block = usize::try_from(counts.blocks).unwrap_or(usize::MAX);
            counts.blocks = counts.blocks.saturating_add(u64::from(block_columns) * u64::from(block_rows));
            let (bit_planes, dequantization) = context.quantization(index, *kind)?;
            let band = Band {
                kind: *kind,
                area,
                bit_planes,
                dequantization,
                block_exponents,
                block_columns,
                block_rows,
                first_block,
            };
            limits.push(&mut self.bands, band)?;
        }
        let resolution = Resolution {
            component: context.component,
            index,
            is_decoded,
            area: area_of_resolution,
            bands: first_band..self.bands.len(),
            precinct_exponents: exponents,
            precincts,
            first_precinct: usize::try_from(counts.precincts).unwrap_or(usize::MAX),
            first_precinct_band: usize::try_from(counts.precinct_bands).unwrap_or(usize::MAX),
        };
        let precinct_count = u64::from(precincts.0) * u64::from(precincts.1);
        counts.precincts = counts.precincts.saturating_add(precinct_count);
        counts.precinct_bands = counts.precinct_bands.saturating_add(precinct_count.saturating_mul(kinds.len() as u64));
        limits.push(&mut self.resolutions, resolution)
    }

    /// Compares the number of packets with the bytes that are there, before memory is allocated for them.
    fn check_counts(
        &self,
        header: &Header,
        index: u32,
        counts: &Counts,
        parameters: &TileParameters<'_>,
    ) -> Result<()> {
        let parts = header.tile_parts(index);
        let packed = parts.iter().flat_map(|part| header.packed_headers(part));
        let bytes = parts.iter().map(|part| &part.data).chain(packed).map(|range| range.len() as u64);
        let bytes = bytes.fold(0, u64::saturating_add);
        let packets = counts.precincts.saturating_mul(parameters.style()?.layers.into());
        if packets > bytes {
            let text =
                format!("{bytes} bytes of tile {index} found, at least one for each of {packets} packets expected");
            let end = parts.iter().map(|part| part.data.end).max().unwrap_or(0);
            return Err(truncated(text, "ITU-T T.800 B.9").at(end));
        }
        let largest = counts.blocks.max(counts.precinct_bands);
        if largest > MAX_COUNT {
            let text = format!("{largest} code-blocks or precincts of a tile found, at most {MAX_COUNT} are decoded");
            return Err(limit_exceeded(text, "ITU-T T.800 B.7"));
        }
        Ok(())
    }

    /// Allocates precincts, tag trees and code-blocks.
    fn allocate(&mut self, counts: &Counts, limits: &Limits) -> Result<()> {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        self.chunks.clear();
        limits.fill(&mut self.precinct_layers, count(counts.precincts), 0)?;
        limits.fill(&mut self.precinct_bands, count(counts.precinct_bands), PrecinctBand::default())?;
        let block = Block {
            first_chunk: NO_CHUNK,
            last_chunk: NO_CHUNK,
            coding: Coding::NotIncluded,
            passes: 0,
            zero_bit_planes: 0,
            length_bits: FIRST_LENGTH_BITS,
        };
        limits.fill(&mut self.blocks, count(counts.blocks), block)?;
        let mut nodes = 0_u64;
        let mut precinct_bands = self.precinct_bands.iter_mut();
        for resolution in &self.resolutions {
            let bands = self.bands.get(resolution.bands.clone()).unwrap_or_default();
            for precinct in 0..resolution.precinct_count() {
                for (band, precinct_band) in bands.iter().zip(&mut precinct_bands) {
                    *precinct_band = resolution.locate(precinct, band);
                    precinct_band.first_node = count(nodes);
                    nodes += 2 * tag_tree::node_count(precinct_band.size.0, precinct_band.size.1);
                }
            }
        }
        limits.fill(&mut self.nodes, count(nodes), Node::default())
    }
}

/// Numbers of elements of a tile.
#[derive(Debug, Default)]
struct Counts {
    precincts: u64,
    precinct_bands: u64,
    blocks: u64,
}

/// Everything that the bands of a component depend on.
struct BandContext<'a> {
    component: u16,
    precision: u8,
    coding: &'a ComponentCoding,
    parameters: &'a TileParameters<'a>,
}

impl BandContext<'_> {
    /// Returns the number of magnitude bit-planes of a band, and its step size (T.800 E-2 to E-5).
    fn quantization(&self, resolution: u8, kind: BandKind) -> Result<(u8, Dequantization)> {
        // Index of the band in its resolution, and the logarithm of its gain (T.800 Table E.1).
        let (band, gain) = match kind {
            BandKind::Ll => (0, 0),
            BandKind::Hl => (1, 1),
            BandKind::Lh => (2, 1),
            BandKind::Hh => (3, 2),
        };
        let quantization = self.parameters.quantization(self.component)?;
        let step = quantization.step(resolution, band)?;
        let bit_planes = (quantization.guard_bits + step.exponent).saturating_sub(1);
        if self.coding.is_reversible {
            return Ok((bit_planes, Dequantization::Reversible));
        }
        let exponent = i32::from(self.precision) + gain - i32::from(step.exponent);
        let step = (1.0 + f32::from(step.mantissa) / 2048.0) * 2_f32.powi(exponent);
        Ok((bit_planes, Dequantization::Irreversible { step }))
    }
}

impl Resolution {
    /// Returns the code-blocks of a band that are in a precinct.
    fn locate(&self, precinct: u32, band: &Band) -> PrecinctBand {
        let halved = u8::from(self.index > 0);
        // First grid column and number of columns; rows alike.
        let blocks =
            |resolution: &Range<u32>, precinct_exponent: u8, index: u32, band: &Range<u32>, block_exponent: u8| {
                let start = u64::from(resolution.start >> precinct_exponent) + u64::from(index);
                let exponent = precinct_exponent.saturating_sub(halved);
                let (start, end) = (start << exponent, (start + 1) << exponent);
                let (start, end) = (start.max(band.start.into()), end.min(band.end.into()));
                if start >= end {
                    return (0, 0);
                }
                let (start, last) = (start >> block_exponent, (end - 1) >> block_exponent);
                let first = start - u64::from(band.start >> block_exponent);
                let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
                (narrow(first), narrow(last - start + 1))
            };
        let (column, row) = (precinct % self.precincts.0, precinct / self.precincts.0);
        let (width, height) = self.precinct_exponents;
        let columns = blocks(&self.area.columns, width, column, &band.area.columns, band.block_exponents.0);
        let rows = blocks(&self.area.rows, height, row, &band.area.rows, band.block_exponents.1);
        let size = if columns.1 == 0 || rows.1 == 0 { (0, 0) } else { (columns.1, rows.1) };
        PrecinctBand { first: (columns.0, rows.0), size, first_node: 0 }
    }
}

/// Returns the samples of a band or resolution after `levels` decompositions (T.800 B-14, B-15). `high` is 1 for
/// high-pass filters of the last one, horizontally and vertically.
fn scale(area: &Rectangle, levels: u8, high: (u8, u8)) -> Rectangle {
    let scale = |range: &Range<u32>, high: u8| {
        let of = |position: u32| {
            let offset = if levels == 0 { 0 } else { u64::from(high) << (levels - 1) };
            let scaled = u64::from(position).saturating_sub(offset).div_ceil(1 << levels);
            u32::try_from(scaled).unwrap_or(u32::MAX)
        };
        of(range.start)..of(range.end)
    };
    Rectangle { columns: scale(&area.columns, high.0), rows: scale(&area.rows, high.1) }
}
