//! Codestream → header: marker segments of JPEG-LS (T.87 Annex C), with the iterator that the JPEG family shares.
//!
//! ```text
//! SOI │ LSE, DRI, APPn, COM │ SOF55 │ LSE, DRI, … │ SOS, data │ DNL │ LSE, DRI, … │ SOS, data │ … │ EOI
//! ```

use super::segments::{self, Dimensions, PresetSegment, ScanHeader};
use super::transform::ColourTransform;
use crate::codec::t81::codestream::{SegmentReader, read_segments};
use crate::codec::t81::colour::{Application, HP_TRANSFORM, HP_TRANSFORM_OFFSET};
use crate::codec::t81::entropy::{self, Stuffing};
use crate::codec::t81::headers::{FrameHeader, MAX_SCAN_COMPONENTS};
use crate::codec::t81::marker::{COM, DNL, DRI, LSE, Process, SOS, Segment, Segments};
use crate::error::{DecodeError, Result, malformed, truncated, unsupported};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;
use crate::kernel::jpegls::{Interleave, Parameters};
use std::ops::Range;

/// One scan.
#[derive(Debug)]
pub(in crate::codec) struct Scan {
    /// Indices in the frame header of its components, increasing.
    pub(super) components: Vec<usize>,
    pub(super) interleave: Interleave,
    pub(super) parameters: Parameters,
    /// Lines between restart markers; 0 for none.
    pub(super) restart_interval: u32,
    /// Byte ranges of the entropy-coded segments: one per restart interval.
    pub(super) segments: Vec<Range<usize>>,
}

/// The headers of a codestream. Every component is in exactly one scan.
#[derive(Debug)]
pub(in crate::codec) struct Header {
    pub(super) frame: FrameHeader,
    /// Number of lines and samples per line, from the frame header, LSE or DNL.
    pub(super) dimensions: Dimensions,
    /// Scans in the order of the codestream.
    pub(super) scans: Vec<Scan>,
    /// Application data before the first scan that declares colour.
    pub(super) application: Application,
    pub(super) transform: Option<ColourTransform>,
    /// True if a scan is near-lossless.
    pub(super) is_lossy: bool,
    pub(super) deviations: Vec<Deviation>,
}

/// Reads all headers of a frame: [`read_segments`] finds its end.
///
/// # Errors
/// `Unsupported` for other processes, subsampled components, mapping tables, point transforms and T.870; `Truncated` and
/// `Malformed`.
pub(super) fn parse(bytes: &[u8], level: CpuLevel) -> Result<Header> {
    let mut reader = Reader::default();
    let (end, deviation) = read_segments(bytes, &mut reader, level)?;
    reader.finish(end, deviation)
}

/// A codestream that is being read.
#[derive(Default)]
struct Reader {
    frame: Option<FrameHeader>,
    dimensions: Dimensions,
    preset: PresetSegment,
    restart_interval: u32,
    scans: Vec<Scan>,
    /// True if a scan has a NEAR above 0.
    is_lossy: bool,
    application: Application,
    /// Byte offset of HP's colour transform.
    hp_offset: usize,
}

impl SegmentReader for Reader {
    fn read_segment<'a>(
        &mut self,
        bytes: &'a [u8],
        segment: Segment<'a>,
        segments: &mut Segments<'a>,
        level: CpuLevel,
    ) -> Result<()> {
        let (code, offset) = (segment.marker.code, segment.marker.offset);
        match (code, Process::of_marker(code)) {
            (_, Some(process @ Process::JpegLs)) if self.frame.is_none() => {
                let frame = FrameHeader::parse(process, segment.parameters()?)?;
                check_frame(&frame)?;
                self.dimensions.set_of_frame(&frame)?;
                self.frame = Some(frame);
            }
            (LSE, _) => match segments::parse_lse(segment.parameters()?)? {
                segments::Lse::Preset(preset) => self.preset = preset,
                segments::Lse::MappingTable => {}
                segments::Lse::Dimensions(dimensions) => self.dimensions.set(dimensions)?,
            },
            (DRI, _) => self.restart_interval = segments::parse_number(segment.parameters()?)?,
            (SOS, _) => {
                let header = ScanHeader::parse(segment.parameters()?)?;
                let (scan, end) = self.read_scan(bytes, &header, segments.offset(), offset, level)?;
                segments.seek(end);
                if self.scans.is_empty() {
                    self.read_number_of_lines(segments)?;
                }
                self.is_lossy |= header.near > 0;
                self.scans.push(scan);
            }
            (0xE0..=0xEF, _) => {
                let parameters = segment.parameters()?;
                if self.scans.is_empty() {
                    let before = self.application.hp_transform;
                    self.application.record(code, parameters.rest());
                    if self.application.hp_transform != before {
                        self.hp_offset = parameters.offset() + HP_TRANSFORM_OFFSET;
                    }
                }
            }
            (COM, _) => {
                segment.parameters()?;
            }
            _ => return Err(self.unexpected_marker(code).at(offset)),
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.frame.as_ref().is_some_and(|frame| missing_component(frame, &self.scans).is_none())
    }
}

impl Reader {
    /// Returns the error of a marker that T.87 C.1.1 does not allow here.
    fn unexpected_marker(&self, code: u8) -> DecodeError {
        let clause = "ITU-T T.87 C.1.1";
        match Process::of_marker(code) {
            Some(process) if self.frame.is_none() => {
                unsupported(format!("marker FF{code:02X} found ({}), SOF55 expected", process.name()), clause)
            }
            _ => malformed(format!("marker FF{code:02X} is not expected here"), clause),
        }
    }

    /// Checks a scan header, and finds the segments of its data, which start at `data_offset`. Returns the offset after
    /// them too.
    fn read_scan(
        &self,
        bytes: &[u8],
        header: &ScanHeader,
        data_offset: usize,
        marker_offset: usize,
        level: CpuLevel,
    ) -> Result<(Scan, usize)> {
        let Some(frame) = &self.frame else {
            return Err(malformed("scan found before the frame header", "ITU-T T.81 B.2.1").at(marker_offset));
        };
        self.dimensions.check_columns()?;
        let mut components = Vec::with_capacity(MAX_SCAN_COMPONENTS);
        for component in &header.components {
            components.push(
                self.component_index(frame, component.id, &components)
                    .map_err(|text| malformed(text, "ITU-T T.81 B.2.3").at(component.offset))?,
            );
        }
        let parameters = header.parameters(frame.precision, self.preset)?;
        let intervals = segments::interval_count(self.dimensions.lines_or_max(), self.restart_interval);
        let (segments, end) = entropy::segments(bytes, data_offset, intervals, Stuffing::ZeroBit, level)?;
        let scan = Scan {
            components,
            interleave: header.interleave,
            parameters,
            restart_interval: self.restart_interval,
            segments,
        };
        Ok((scan, end))
    }

    /// Returns the index in the frame header of component `id` of a scan, which has the components `previous` before it.
    fn component_index(&self, frame: &FrameHeader, id: u8, previous: &[usize]) -> std::result::Result<usize, String> {
        let Some(index) = frame.components.iter().position(|in_frame| in_frame.id == id) else {
            return Err(format!("component {id} of a scan is not in the frame header"));
        };
        if previous.last().is_some_and(|last| *last > index) {
            return Err("components of a scan are not in the order of the frame header".to_owned());
        }
        if self.scans.iter().any(|scan| scan.components.contains(&index)) {
            return Err(format!("component {id} is in two scans"));
        }
        Ok(index)
    }

    /// Reads a DNL segment after the first scan, which is required if no segment before has given the number of lines
    /// (T.81 B.2.5).
    fn read_number_of_lines(&mut self, segments: &mut Segments<'_>) -> Result<()> {
        let mut after = segments.clone();
        if let Some(Ok(segment)) = after.next()
            && segment.marker.code == DNL
        {
            let parameters = segment.parameters()?;
            self.dimensions.set_lines(segments::parse_number(parameters)?, parameters.offset())?;
            *segments = after;
        }
        self.dimensions.check_lines()
    }

    /// Returns the codestream, whose segments end at `end`.
    fn finish(self, end: usize, deviation: Option<Deviation>) -> Result<Header> {
        let Self { frame, dimensions, scans, is_lossy, mut application, hp_offset, .. } = self;
        let Some(frame) = frame else {
            return Err(truncated("EOI found before the frame header", "ITU-T T.81 B.2.1").at(end));
        };
        if let Some(id) = missing_component(&frame, &scans) {
            return Err(truncated(format!("component {id} is in no scan"), "ITU-T T.81 B.2.3").at(end));
        }
        // A missing EOI is reported first: other deviations may follow from it.
        let mut deviations: Vec<_> = deviation.into_iter().collect();
        let mut transform = None;
        if let Some(number) = application.hp_transform {
            // As CharLS: the components of separate scans are not transformed.
            let is_applied = scans.len() == 1 && frame.components.len() >= 3;
            transform = ColourTransform::new(number, is_applied.then_some(frame.precision), hp_offset)?;
            let end = if is_applied { "which T.87 does not define" } else { "not applied to separate scans" };
            let text = format!("{HP_TRANSFORM} found in the codestream, {end}");
            deviations.push(Deviation::new(text, "PS3.5 8.2.3").at(hp_offset));
            application.hp_transform.take_if(|_| !is_applied);
        }
        Ok(Header { frame, dimensions, scans, application, transform, is_lossy, deviations })
    }
}

/// Returns the identifier of a component that is in no scan.
fn missing_component(frame: &FrameHeader, scans: &[Scan]) -> Option<u8> {
    let is_coded = |index| scans.iter().any(|scan| scan.components.contains(&index));
    let mut components = frame.components.iter().enumerate();
    components.find(|(index, _)| !is_coded(*index)).map(|(_, component)| component.id)
}

/// Checks the parameters of the frame header (T.87 C.2.2).
fn check_frame(frame: &FrameHeader) -> Result<()> {
    if !(2..=16).contains(&frame.precision) {
        let text = format!("precision {} found, 2 to 16 expected", frame.precision);
        return Err(malformed(text, "ITU-T T.87 C.2.2").at(frame.offset));
    }
    if frame.components.len() > MAX_SCAN_COMPONENTS {
        let text = format!("{} components found, 1 to 4 expected", frame.components.len());
        return Err(unsupported(text, "PS3.3 C.7.6.3.1.1").at(frame.offset + 5));
    }
    // The sampling factors of a single component have no effect (T.81 A.2.2).
    match frame.components.iter().find(|component| component.sampling != (1, 1)) {
        Some(component) if frame.components.len() > 1 => {
            let (horizontal, vertical) = component.sampling;
            let text = format!("sampling factors {horizontal} and {vertical} found, 1 and 1 expected");
            Err(unsupported(text, "ITU-T T.87 C.2.2").at(component.offset + 1))
        }
        _ => Ok(()),
    }
}
