//! Colour that a codestream declares. T.81 gives component identifiers no meaning and leaves colour to other standards; a
//! codestream that declares it controls the decompression, not the data set (PS3.5 8.2.1).

use super::headers::FrameHeader;
use super::marker::{APP0, APP8, APP14, Process};
use crate::codestream::{CodestreamInfo, Colour, ColourClaim, FieldOffsets};

/// First bytes of the APP0 parameters of a JFIF file, whose colour is luminance and two colour differences
/// (ITU-T T.871 10.1).
const JFIF: &[u8] = b"JFIF\0";
/// First bytes of the APP14 parameters that Adobe's encoders write; byte 11 is the colour transform.
const ADOBE: &[u8] = b"Adobe";
const ADOBE_TRANSFORM_OFFSET: usize = 11;
/// First bytes of the APP8 parameters that HP's JPEG-LS encoders write; byte 4, the last one, is the colour transform.
const HP: &[u8] = b"mrfx";
/// Offset of HP's colour transform from the first parameter.
pub(in crate::codec) const HP_TRANSFORM_OFFSET: usize = HP.len();
/// HP's colour transform in messages.
pub(in crate::codec) const HP_TRANSFORM: &str = "a colour transform of HP";

/// Colour that application data segments declare.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::codec) struct Application {
    /// True if there is a JFIF APP0 segment.
    pub(in crate::codec) is_jfif: bool,
    /// Transform of Adobe's APP14 segment. 0: none, the components are R, G, B; 1: YCbCr.
    pub(in crate::codec) adobe_transform: Option<u8>,
    /// Transform of HP's APP8 segment, 1 or more: its inverse gives R, G, B.
    pub(in crate::codec) hp_transform: Option<u8>,
}

impl Application {
    /// Records the parameters of an APP0, APP8 or APP14 segment.
    pub(in crate::codec) fn record(&mut self, code: u8, parameters: &[u8]) {
        self.is_jfif |= code == APP0 && is_jfif(parameters);
        if code == APP14 && parameters.starts_with(ADOBE) {
            self.adobe_transform = parameters.get(ADOBE_TRANSFORM_OFFSET).copied();
        }
        if code == APP8
            && let Some([transform]) = parameters.strip_prefix(HP)
        {
            self.hp_transform = Some(*transform).filter(|transform| *transform > 0);
        }
    }
}

/// True if the parameters of an APP0 segment are those of JFIF.
fn is_jfif(parameters: &[u8]) -> bool {
    parameters.starts_with(JFIF)
}

/// Returns the colours that a codestream declares, the decisive one first, in the order of libjpeg-turbo.
///
/// Adobe's segment is no part of a standard that DICOM refers to. But for a DCT process (`is_dct`) all decoders follow it, so
/// encoders do too, and it overrides the data set. There, only the first claim does, as in libjpeg-turbo. Lossless
/// processes do not transform colour: identifiers R, G and B override a JFIF segment too, as in pydicom.
pub(in crate::codec) fn claims(
    frame: &FrameHeader,
    application: &Application,
    is_dct: bool,
) -> [Option<ColourClaim>; 3] {
    let [first, second, third] = frame.components.as_slice() else { return [None; 3] };
    let claim = |colour, evidence, overrides_data_set| Some(ColourClaim { colour, evidence, overrides_data_set });
    let jfif = if application.is_jfif { claim(Colour::Ybr, "JFIF (colour differences)", true) } else { None };
    let adobe = match application.adobe_transform {
        Some(0) => claim(Colour::Rgb, "Adobe transform 0 (RGB)", is_dct && jfif.is_none()),
        Some(1) => claim(Colour::Ybr, "Adobe transform 1 (colour differences)", is_dct && jfif.is_none()),
        // Not defined for three components. libjpeg-turbo takes it for 1, so a bare codestream has that colour.
        Some(2..) => claim(Colour::Ybr, "Adobe transform above 1 (colour differences)", false),
        None => None,
    };
    // Encoders use these identifiers for RGB; no standard gives them this meaning.
    let is_decided = is_dct && (jfif.is_some() || adobe.is_some());
    let has_rgb_ids = matches!(&[first.id, second.id, third.id], b"RGB" | b"rgb");
    let ids = if has_rgb_ids { claim(Colour::Rgb, "component identifiers R, G and B", !is_decided) } else { None };
    if frame.process == Process::JpegLs && application.hp_transform.is_some() {
        return [claim(Colour::Rgb, HP_TRANSFORM, true), jfif, ids];
    }
    [jfif, adobe, ids]
}

/// Returns the description of a codestream by its frame header, with the number of lines and its byte offset.
pub(in crate::codec) fn codestream_info(
    frame: &FrameHeader,
    (lines, lines_offset): (u32, usize),
    colour_claims: [Option<ColourClaim>; 3],
) -> CodestreamInfo {
    CodestreamInfo {
        rows: lines,
        columns: frame.columns.into(),
        components: u32::try_from(frame.components.len()).unwrap_or(u32::MAX),
        precision: frame.precision.into(),
        is_signed: None,
        colour_claims,
        assumed_colour: None,
        decodes_to_rgb: false,
        precision_gives_stored_bits: frame.process == Process::JpegLs,
        is_lossy: Some(false),
        resolution_levels: 1,
        tile: None,
        offsets: FieldOffsets {
            rows: lines_offset,
            columns: frame.offset + 3,
            components: frame.offset + 5,
            precision: frame.offset,
            colour: frame.components.first().map_or(frame.offset, |component| component.offset),
        },
    }
}
