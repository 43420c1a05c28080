//! COD and COC: progression, layers, component transform, and the coding of tile-components (T.800 A.6.1, A.6.2).

use super::marker::Parameters;
use crate::error::{Result, malformed, unsupported};

const CLAUSE: &str = "ITU-T T.800 A.6.1";

/// Largest number of decomposition levels.
const MAX_LEVELS: u8 = 32;
/// Exponent of the precinct sizes if none are declared: larger than any resolution can use.
const MAX_PRECINCT: u8 = 15;

/// Order of the packets of a tile (T.800 B.12.1): nested loops, the outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum ProgressionOrder {
    /// Layer, resolution, component, position.
    Lrcp,
    /// Resolution, layer, component, position.
    Rlcp,
    /// Resolution, position, component, layer.
    Rpcl,
    /// Position, component, resolution, layer.
    Pcrl,
    /// Component, position, resolution, layer.
    Cprl,
}

impl ProgressionOrder {
    /// Reads the parameter (T.800 Table A.16).
    ///
    /// # Errors
    /// `Malformed` for numbers above 4.
    pub(super) fn parse(parameters: &mut Parameters<'_>) -> Result<Self> {
        let offset = parameters.offset();
        Ok(match parameters.u8()? {
            0 => Self::Lrcp,
            1 => Self::Rlcp,
            2 => Self::Rpcl,
            3 => Self::Pcrl,
            4 => Self::Cprl,
            order => {
                let text = format!("progression order {order} found, 0 to 4 expected");
                return Err(malformed(text, CLAUSE).at(offset));
            }
        })
    }
}

/// Parameters of COD that hold for all components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct CodingStyle {
    pub(in crate::codec) order: ProgressionOrder,
    /// Number of layers: 1 to 65535.
    pub(in crate::codec) layers: u16,
    /// True if the first three components are transformed (T.800 Annex G).
    pub(in crate::codec) has_component_transform: bool,
    /// Byte offset in the frame of the component transform.
    pub(in crate::codec) transform_offset: usize,
}

/// Style of the code-blocks (T.800 Table A.19, T.814 Table A.4): the bits of the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) struct BlockStyle(u8);

impl BlockStyle {
    /// Selective arithmetic coding bypass.
    pub(in crate::codec) const BYPASS: u8 = 1;
    /// Reset of context probabilities after each coding pass.
    pub(in crate::codec) const RESET_CONTEXTS: u8 = 2;
    /// Termination on each coding pass.
    pub(in crate::codec) const TERMINATE_EACH_PASS: u8 = 4;
    /// Vertically causal context.
    pub(in crate::codec) const VERTICALLY_CAUSAL: u8 = 8;
    /// Segmentation symbols.
    pub(in crate::codec) const SEGMENTATION_SYMBOLS: u8 = 32;
    /// Code-blocks of T.814.
    pub(in crate::codec) const HIGH_THROUGHPUT: u8 = 64;
    /// Code-blocks of T.800 and T.814 in one tile-component.
    pub(in crate::codec) const MIXED: u8 = 128;

    /// True if `flag`, one of the constants, is set.
    pub(in crate::codec) const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// True if some code-blocks are coded as in T.814.
    pub(in crate::codec) const fn is_high_throughput(self) -> bool {
        self.has(Self::HIGH_THROUGHPUT)
    }
}

/// Coding of a tile-component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct ComponentCoding {
    /// Number of decomposition levels: 0 to 32.
    pub(in crate::codec) levels: u8,
    /// Exponents of the width and height of code-blocks: 2 to 10, their sum at most 12.
    pub(in crate::codec) block_exponents: (u8, u8),
    pub(in crate::codec) style: BlockStyle,
    /// True for the 5/3 wavelet, false for 9/7.
    pub(in crate::codec) is_reversible: bool,
    /// Exponents of the precinct sizes by resolution, as they are stored: height × 16 + width. Empty: 2^15 each.
    precincts: Box<[u8]>,
}

impl ComponentCoding {
    /// Returns the exponents of width and height of the precincts of a resolution, 0 to 15.
    pub(in crate::codec) fn precinct_exponents(&self, resolution: u8) -> (u8, u8) {
        let found = self.precincts.get(usize::from(resolution));
        found.map_or((MAX_PRECINCT, MAX_PRECINCT), |exponents| (exponents & 15, exponents >> 4))
    }

    /// Reads SPcod or SPcoc.
    fn parse(parameters: &mut Parameters<'_>, has_precincts: bool) -> Result<Self> {
        let offset = parameters.offset();
        let levels = parameters.u8()?;
        if levels > MAX_LEVELS {
            let text = format!("{levels} decomposition levels found, 0 to {MAX_LEVELS} expected");
            // Numbers from 128 on select a decomposition of T.801.
            let error = if levels < 128 { malformed(text, CLAUSE) } else { unsupported(text, CLAUSE) };
            return Err(error.at(offset));
        }
        let (width, height) = (parameters.u8()?, parameters.u8()?);
        if width > 8 || height > 8 || width + height > 8 {
            let text = format!("code-block exponents {width} and {height} found, 0 to 8 with a sum of 8 expected");
            return Err(malformed(text, "ITU-T T.800 Table A.18").at(offset + 1));
        }
        let style = parse_block_style(parameters)?;
        let is_reversible = match parameters.u8()? {
            0 => false,
            1 => true,
            wavelet => {
                let text = format!("wavelet {wavelet} found, 0 or 1 expected");
                return Err(unsupported(text, "ITU-T T.800 Table A.20").at(offset + 4));
            }
        };
        let precincts = (0..=levels).filter(|_| has_precincts).map(|resolution| {
            let offset = parameters.offset();
            let exponents = parameters.u8()?;
            if resolution > 0 && (exponents & 15 == 0 || exponents >> 4 == 0) {
                let text = format!("precinct exponent 0 found at resolution {resolution}, 1 to 15 expected");
                return Err(malformed(text, "ITU-T T.800 Table A.21").at(offset));
            }
            Ok(exponents)
        });
        let precincts = precincts.collect::<Result<_>>()?;
        Ok(Self { levels, block_exponents: (width + 2, height + 2), style, is_reversible, precincts })
    }
}

fn parse_block_style(parameters: &mut Parameters<'_>) -> Result<BlockStyle> {
    let offset = parameters.offset();
    let style = BlockStyle(parameters.u8()?);
    if style.has(BlockStyle::MIXED) && !style.is_high_throughput() {
        let text = format!("code-block style {:#04x} found, less than 0x80 or more than 0xbf expected", style.0);
        return Err(malformed(text, "ITU-T T.814 A.4").at(offset));
    }
    // T.814 codes no passes without arithmetic coding and has its own terminations.
    if style.is_high_throughput() && style.has(BlockStyle::BYPASS | BlockStyle::TERMINATE_EACH_PASS) {
        let text = format!("code-block style {:#04x} of T.814 with bypass or termination on each pass", style.0);
        return Err(unsupported(text, "ITU-T T.814 A.4").at(offset));
    }
    Ok(style)
}

/// Reads the parameters of COD.
///
/// # Errors
/// `Malformed`; `Unsupported` for coding that T.801 defines.
pub(super) fn parse_cod(mut parameters: Parameters<'_>) -> Result<(CodingStyle, ComponentCoding)> {
    let offset = parameters.offset();
    let flags = parameters.u8()?;
    // Bit 0: precincts. Bits 1 and 2, SOP and EPH markers, need no evaluation: no packet starts as a marker does.
    if flags > 7 {
        let text = format!("coding style {flags:#04x} found, 0 to 7 expected");
        return Err(unsupported(text, "ITU-T T.800 Table A.13").at(offset));
    }
    let order = ProgressionOrder::parse(&mut parameters)?;
    let layers = parameters.u16()?;
    if layers == 0 {
        return Err(malformed("0 layers found, 1 to 65535 expected", CLAUSE).at(offset + 2));
    }
    let transform_offset = parameters.offset();
    let has_component_transform = match parameters.u8()? {
        0 => false,
        1 => true,
        transform => {
            let text = format!("component transform {transform} found, 0 or 1 expected");
            return Err(unsupported(text, "ITU-T T.800 Table A.17").at(transform_offset));
        }
    };
    let coding = ComponentCoding::parse(&mut parameters, flags & 1 != 0)?;
    Ok((CodingStyle { order, layers, has_component_transform, transform_offset }, coding))
}

/// Reads the parameters of COC after the component index.
///
/// # Errors
/// As [`parse_cod`].
pub(super) fn parse_coc(parameters: &mut Parameters<'_>) -> Result<ComponentCoding> {
    let offset = parameters.offset();
    let flags = parameters.u8()?;
    if flags > 1 {
        let text = format!("coding style {flags:#04x} of a component found, 0 or 1 expected");
        return Err(unsupported(text, "ITU-T T.800 Table A.23").at(offset));
    }
    ComponentCoding::parse(parameters, flags & 1 != 0)
}
