//! Parameters of the main header and of tile-part headers, and which of them hold for a tile-component (T.800 A.6).
//!
//! ```text
//! coding         COC of the tile  >  COD of the tile  >  COC of the main header  >  COD of the main header
//! quantization   QCC, QCD alike
//! order          POC of the tile  >  POC of the main header  >  COD of the tile  >  COD of the main header
//! ```
//!
//! A tile has only the parameters of its own headers, so that memory is bounded by the bytes of the headers.

use super::coding::{self, CodingStyle, ComponentCoding, ProgressionOrder};
use super::marker::{COC, COD, POC, QCC, QCD, RGN, Segment};
use super::quantization::Quantization;
use crate::error::{Result, malformed, unsupported};
use std::collections::BTreeMap;
use std::ops::Range;

/// Largest number of progression order changes of a header. Each needs a pass over the packets of the tile.
const MAX_PROGRESSIONS: usize = 64;
/// Largest shift of a region of interest in bits.
const MAX_ROI_SHIFT: u8 = 37;

/// Values by component index.
type ByComponent<T> = BTreeMap<u16, T>;

/// A part of the packets of a tile, and their order (T.800 A.6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::codec) struct Progression {
    pub(in crate::codec) order: ProgressionOrder,
    pub(in crate::codec) resolutions: Range<u8>,
    pub(in crate::codec) components: Range<u16>,
    /// Number of the layer after the last.
    pub(in crate::codec) layers_end: u16,
}

/// Parameters of the main header, or of the headers of a tile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::codec) struct ParameterSet {
    style: Option<CodingStyle>,
    coding: Option<ComponentCoding>,
    coding_of: ByComponent<ComponentCoding>,
    quantization: Option<Quantization>,
    quantization_of: ByComponent<Quantization>,
    roi_shift_of: ByComponent<u8>,
    progressions: Vec<Progression>,
}

impl ParameterSet {
    /// Reads a segment if it has parameters of this kind. Returns true if so.
    ///
    /// # Errors
    /// `Malformed` and `Unsupported`.
    pub(super) fn read(&mut self, segment: &Segment<'_>, component_count: usize) -> Result<bool> {
        let mut parameters = segment.parameters;
        let mut component = || -> Result<u16> {
            let offset = parameters.offset();
            let component = parameters.component(component_count)?;
            if usize::from(component) < component_count {
                return Ok(component);
            }
            let text = format!("component index {component} is out of range for {component_count} components");
            Err(malformed(text, "ITU-T T.800 A.6").at(offset))
        };
        match segment.code {
            COD => {
                let (style, coding) = coding::parse_cod(parameters)?;
                (self.style, self.coding) = (Some(style), Some(coding));
            }
            COC => {
                let component = component()?;
                self.coding_of.insert(component, coding::parse_coc(&mut parameters)?);
            }
            QCD => self.quantization = Some(Quantization::parse(parameters)?),
            QCC => {
                let component = component()?;
                self.quantization_of.insert(component, Quantization::parse(parameters)?);
            }
            RGN => {
                let component = component()?;
                let offset = parameters.offset();
                let (style, shift) = (parameters.u8()?, parameters.u8()?);
                if style != 0 || shift > MAX_ROI_SHIFT {
                    let text = format!("region of interest of style {style} and shift {shift} found");
                    return Err(unsupported(text, "ITU-T T.800 A.6.3").at(offset));
                }
                self.roi_shift_of.insert(component, shift);
            }
            POC => self.read_progressions(segment, component_count)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_progressions(&mut self, segment: &Segment<'_>, component_count: usize) -> Result<()> {
        const CLAUSE: &str = "ITU-T T.800 A.6.6";
        let mut parameters = segment.parameters;
        while !parameters.rest().is_empty() {
            if self.progressions.len() == MAX_PROGRESSIONS {
                let text = format!("more than {MAX_PROGRESSIONS} progression order changes found");
                return Err(unsupported(text, CLAUSE).at(parameters.offset()));
            }
            let resolutions_start = parameters.u8()?;
            let components_start = parameters.component(component_count)?;
            let layers_end = parameters.u16()?;
            let resolutions_end = parameters.u8()?;
            // 0 is the number of components that the field cannot hold: all.
            let components_end = match parameters.component(component_count)? {
                0 => u16::MAX,
                end => end,
            };
            let order = ProgressionOrder::parse(&mut parameters)?;
            self.progressions.push(Progression {
                order,
                resolutions: resolutions_start..resolutions_end,
                components: components_start..components_end,
                layers_end,
            });
        }
        Ok(())
    }

    /// Returns the parameters of COD that hold for all components, if there is a COD.
    pub(in crate::codec) fn style(&self) -> Option<&CodingStyle> {
        self.style.as_ref()
    }

    /// Returns the coding of a component.
    pub(super) fn coding(&self, component: u16) -> Option<&ComponentCoding> {
        self.coding_of.get(&component).or(self.coding.as_ref())
    }

    /// Returns the coding parameters of COD and of each COC.
    pub(super) fn codings(&self) -> impl Iterator<Item = &ComponentCoding> {
        self.coding.iter().chain(self.coding_of.values())
    }

    fn quantization(&self, component: u16) -> Option<&Quantization> {
        self.quantization_of.get(&component).or(self.quantization.as_ref())
    }
}

/// Parameters that hold for a tile.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct TileParameters<'a> {
    pub(super) main: &'a ParameterSet,
    pub(super) tile: Option<&'a ParameterSet>,
}

impl<'a> TileParameters<'a> {
    /// Returns the first value that the tile's headers or the main header have.
    fn find<T>(&self, get: impl Fn(&'a ParameterSet) -> Option<&'a T>) -> Option<&'a T> {
        self.tile.and_then(&get).or_else(|| get(self.main))
    }

    /// Returns the parameters of COD that hold for all components.
    ///
    /// # Errors
    /// `Malformed` without COD.
    pub(in crate::codec) fn style(&self) -> Result<&'a CodingStyle> {
        let found = self.find(|set| set.style.as_ref());
        found.ok_or_else(|| malformed("no COD segment in the main header", "ITU-T T.800 A.6.1"))
    }

    /// Returns the coding of a component.
    ///
    /// # Errors
    /// `Malformed` if no segment gives it.
    pub(in crate::codec) fn coding(&self, component: u16) -> Result<&'a ComponentCoding> {
        let found = self.find(|set| set.coding(component));
        found.ok_or_else(|| malformed(format!("no COD or COC segment of component {component}"), "ITU-T T.800 A.6.1"))
    }

    /// Returns the quantization of a component.
    ///
    /// # Errors
    /// `Malformed` if no segment gives it.
    pub(in crate::codec) fn quantization(&self, component: u16) -> Result<&'a Quantization> {
        let found = self.find(|set| set.quantization(component));
        found.ok_or_else(|| malformed(format!("no QCD or QCC segment of component {component}"), "ITU-T T.800 A.6.4"))
    }

    /// Returns the shift in bits of the region of interest of a component; 0 for none.
    pub(in crate::codec) fn roi_shift(&self, component: u16) -> u8 {
        self.find(|set| set.roi_shift_of.get(&component)).copied().unwrap_or(0)
    }

    /// Returns the progressions of POC segments, in order; empty if the order of COD holds for all packets.
    pub(in crate::codec) fn progressions(&self) -> &'a [Progression] {
        let of_tile = self.tile.map(|set| &set.progressions).filter(|progressions| !progressions.is_empty());
        of_tile.unwrap_or(&self.main.progressions)
    }
}
