//! Description of a codestream by its own header, before any sample is decoded.

/// Format of a codestream, recognised by its first bytes; in the JPEG family by the start-of-frame marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodestreamFormat {
    /// A DCT process of ITU-T T.81: SOF0, SOF1 or SOF2.
    Jpeg,
    /// The lossless process of ITU-T T.81 with Huffman coding: SOF3.
    JpegLossless,
    /// A process of ITU-T T.81 with arithmetic coding: SOF9, SOF10 or SOF11.
    JpegArithmetic,
    /// A hierarchical process of ITU-T T.81: SOF5 to SOF7, SOF13 to SOF15.
    JpegHierarchical,
    /// JPEG-LS, ITU-T T.87: SOF55.
    JpegLs,
    /// JPEG 2000, ITU-T T.800: bare, or in JP2 boxes.
    Jpeg2000,
    /// High-throughput JPEG 2000, ITU-T T.814: bare, or in JPH boxes.
    Htj2k,
    /// JPEG XL, ISO/IEC 18181: bare, or in boxes.
    JpegXl,
}

impl CodestreamFormat {
    /// Returns the name of the format: that of its decoder, if there is one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg | Self::JpegArithmetic | Self::JpegHierarchical => "jpeg",
            Self::JpegLossless => "jpeg_lossless",
            Self::JpegLs => "jpegls",
            Self::Jpeg2000 => "jpeg2000",
            Self::Htj2k => "htj2k",
            Self::JpegXl => "jpegxl",
        }
    }

    /// Returns the clause that defines how the format is recognised.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Jpeg | Self::JpegLossless | Self::JpegArithmetic | Self::JpegHierarchical => "ITU-T T.81 B.1.1.3",
            Self::JpegLs => "ITU-T T.87 C.1.1",
            Self::Jpeg2000 => "ITU-T T.800 A.4.1",
            Self::Htj2k => "ITU-T T.814 A.2",
            Self::JpegXl => "ISO/IEC 18181-1",
        }
    }

    /// Returns the name of the format for messages.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG (DCT)",
            Self::JpegLossless => "JPEG Lossless",
            Self::JpegArithmetic => "arithmetic-coded JPEG",
            Self::JpegHierarchical => "hierarchical JPEG",
            Self::JpegLs => "JPEG-LS",
            Self::Jpeg2000 => "JPEG 2000",
            Self::Htj2k => "HTJ2K",
            Self::JpegXl => "JPEG XL",
        }
    }
}

/// Colour of the samples of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// One component.
    Gray,
    /// Red, green and blue.
    Rgb,
    /// Luminance and two colour differences.
    Ybr,
}

impl Colour {
    /// Returns `gray`, `rgb` or `ybr`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gray => "gray",
            Self::Rgb => "rgb",
            Self::Ybr => "ybr",
        }
    }
}

/// A colour that a part of the header declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColourClaim {
    /// The colour.
    pub colour: Colour,
    /// The part of the header, for messages.
    pub evidence: &'static str,
    /// True if it takes precedence over Photometric Interpretation (PS3.5 8.2.1).
    pub overrides_data_set: bool,
}

/// Byte offsets of header fields from the start of the frame, for errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FieldOffsets {
    /// Offset of the number of rows.
    pub rows: usize,
    /// Offset of the number of columns.
    pub columns: usize,
    /// Offset of the number of components.
    pub components: usize,
    /// Offset of the precision.
    pub precision: usize,
    /// Offset of the parameters of the first component.
    pub colour: usize,
}

/// Attributes that a codestream declares in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodestreamInfo {
    /// Rows of the image.
    pub rows: u32,
    /// Columns of the image.
    pub columns: u32,
    /// Components of each pixel.
    pub components: u32,
    /// Bits of a sample.
    pub precision: u32,
    /// True for two's complement; `None` if the format does not distinguish (the JPEG family).
    pub is_signed: Option<bool>,
    /// Colours that the header declares, the decisive one first; empty if it declares none.
    pub colour_claims: [Option<ColourClaim>; 3],
    /// Colour of components whose colour the header does not declare, where the format's decoders assume one.
    pub assumed_colour: Option<Colour>,
    /// True if its decoders return red, green and blue, whatever Photometric Interpretation declares.
    pub decodes_to_rgb: bool,
    /// True if the precision, and not Bits Stored and High Bit, gives the bits of a sample that its value has.
    pub precision_gives_stored_bits: bool,
    /// True if the coding process loses information; `None` if the header does not determine it.
    pub is_lossy: Option<bool>,
    /// Resolutions that can be decoded, each half as wide and high as the one before; at least 1.
    pub resolution_levels: u32,
    /// Rows and columns of a tile, if the image has several.
    pub tile: Option<(u32, u32)>,
    /// Offsets of the declarations in the header.
    pub offsets: FieldOffsets,
}

impl CodestreamInfo {
    /// Returns the colour that the codestream declares by itself.
    #[must_use]
    pub fn colour(&self) -> Option<Colour> {
        if self.components == 1 {
            return Some(Colour::Gray);
        }
        self.colour_claims.iter().flatten().next().map(|claim| claim.colour)
    }
}

/// A recognised codestream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codestream {
    /// Its format.
    pub format: CodestreamFormat,
    /// Its header; `None` if it is not read.
    pub info: Option<CodestreamInfo>,
}
