//! Description of a codestream by its headers.

use super::size::image_sides;
use super::{Header, MainHeader, SIGNATURE};
use crate::codestream::{Codestream, CodestreamFormat, CodestreamInfo, Colour, ColourClaim, FieldOffsets};
use crate::error::Result;
use std::ops::Range;

impl MainHeader {
    /// Returns the declarations of the main header.
    pub(in crate::codec) fn info(&self) -> CodestreamInfo {
        let (size, parameters) = (&self.size, &self.parameters);
        let components = || size.components.iter();
        let is_signed = components().next().map(|component| component.is_signed);
        let style = parameters.style();
        let has_transform = size.components.len() >= 3 && style.is_some_and(|style| style.has_component_transform);
        let colour_claim = has_transform.then_some(ColourClaim {
            // The transform's inverse gives RGB (T.800 Annex G).
            colour: Colour::Rgb,
            evidence: "a multiple component transform",
            overrides_data_set: true,
        });
        let indices = 0..u16::try_from(size.components.len()).unwrap_or(u16::MAX);
        let codings = indices.filter_map(|component| parameters.coding(component));
        let is_irreversible = codings.clone().map(|coding| !coding.is_reversible);
        let min_levels = codings.map(|coding| coding.levels).min();
        CodestreamInfo {
            rows: size.image.height(),
            columns: size.image.width(),
            components: u32::try_from(size.components.len()).unwrap_or(u32::MAX),
            precision: components().map(|component| component.precision).max().unwrap_or(0).into(),
            // As pydicom: it converts the sign from the precision, and does not mask to Bits Stored.
            precision_gives_stored_bits: true,
            // Components of both kinds have no sign in common.
            is_signed: is_signed.filter(|is_signed| components().all(|component| component.is_signed == *is_signed)),
            colour_claims: [colour_claim, None, None],
            assumed_colour: None,
            decodes_to_rgb: false,
            is_lossy: is_irreversible.reduce(|any, one| any || one),
            resolution_levels: u32::from(min_levels.unwrap_or(0)) + 1,
            tile: (size.tile_count() > 1).then_some((size.tile_height, size.tile_width)),
            offsets: FieldOffsets {
                rows: size.offset + 6,
                columns: size.offset + 2,
                components: size.offset + 34,
                precision: size.offset + 36,
                colour: style.map_or(size.offset, |style| style.transform_offset),
            },
        }
    }

    /// Returns the format of the codestream.
    pub(in crate::codec) fn format(&self) -> CodestreamFormat {
        if self.is_high_throughput { CodestreamFormat::Htj2k } else { CodestreamFormat::Jpeg2000 }
    }
}

impl Header {
    /// Returns the declarations of all headers: tiles may have fewer levels than the main header declares, or lossy coding.
    pub(in crate::codec) fn info(&self) -> CodestreamInfo {
        let info = self.main.info();
        let sets = self.tiles.values().filter_map(|tile| tile.parameters.as_deref());
        sets.flat_map(|set| set.codings()).fold(info, |info, coding| CodestreamInfo {
            is_lossy: Some(info.is_lossy == Some(true) || !coding.is_reversible),
            resolution_levels: info.resolution_levels.min(u32::from(coding.levels) + 1),
            ..info
        })
    }
}

/// Reads the main header of the codestream at `range` of a frame.
///
/// # Errors
/// `Truncated`, `Malformed`, `Unsupported`.
pub(in crate::codec) fn identify(frame: &[u8], range: Range<usize>) -> Result<Codestream> {
    let (header, _) = MainHeader::parse(frame, range)?;
    Ok(Codestream { format: header.format(), info: Some(header.info()) })
}

/// Returns rows and columns that a bare codestream declares, without reading the rest of its header.
pub(in crate::codec) fn image_size(codestream: &[u8]) -> Option<(u32, u32)> {
    // The parameters are after the length.
    image_sides(codestream.strip_prefix(SIGNATURE)?.get(2..)?)
}
