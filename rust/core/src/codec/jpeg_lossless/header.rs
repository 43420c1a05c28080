//! Codestream → what it says of itself: frame header, scans with their tables, and where their entropy-coded data lie.

use crate::codec::t81::colour::is_jfif;
use crate::codec::t81::headers::{FrameHeader, MAX_SCAN_COMPONENTS, ScanHeader, number};
use crate::codec::t81::huffman::{HuffmanTable, HuffmanTables};
use crate::codec::t81::marker::{
    self, APP0, DAC, DHP, DHT, DNL, DRI, EOI, EXP, Marker, Parameters, RST0, SOF3, SOF55, SOI, SOS, read_marker,
};
use crate::error::{DecodeError, ErrorKind, Result, malformed, truncated, unsupported};
use crate::frame::Deviation;
use crate::kernel::{CpuLevel, unstuff};
use std::ops::Range;

/// A code stands for the number of further bits of a difference, 16 for none and the difference 32768 (Table H.2).
const MAX_CATEGORY: u8 = 16;

/// One scan of a lossless process.
#[derive(Debug)]
pub(super) struct Scan {
    /// Its components, as places in the frame header, rising.
    pub(super) components: Vec<usize>,
    /// The table of each.
    pub(super) tables: Vec<HuffmanTable>,
    /// 1 to 7 (Table H.1).
    pub(super) selection_value: u8,
    /// Bits that were dropped from every sample.
    pub(super) point_transform: u8,
    /// Pixels to the next restart marker, 0 where there is none.
    pub(super) restart_interval: u16,
    /// The entropy-coded segments: one, or one for each restart interval.
    pub(super) segments: Vec<Range<usize>>,
}

/// All that a codestream says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) frame: FrameHeader,
    /// Number of lines, from the frame header or DNL.
    pub(super) lines: u16,
    /// Where that is.
    pub(super) lines_offset: usize,
    /// In the order of the codestream; every component is in one.
    pub(super) scans: Vec<Scan>,
    /// Whether it says that it is a JFIF file.
    pub(super) is_jfif: bool,
    pub(super) deviations: Vec<Deviation>,
}

/// What is read before it is whole.
#[derive(Default)]
struct Reader {
    tables: HuffmanTables,
    restart_interval: u16,
    frame: Option<FrameHeader>,
    /// Number of lines and where it was found.
    lines: (u16, usize),
    scans: Vec<Scan>,
    is_jfif: bool,
}

impl Header {
    /// Reads all markers up to EOI.
    ///
    /// # Errors
    /// `Unsupported` for other processes than the lossless one with Huffman coding; `Truncated` and `Malformed`.
    pub(super) fn parse(bytes: &[u8], tier: CpuLevel) -> Result<Self> {
        let mut reader = Reader::begin(bytes)?;
        let mut deviations = Vec::new();
        let mut at = 2;
        loop {
            let before = at;
            let marker = read_marker(bytes, at);
            let is_marker = marker.is_ok();
            match marker.and_then(|(marker, next)| reader.take(bytes, marker, next, tier)) {
                Ok(Some(next)) => at = next,
                Ok(None) => {
                    deviations.extend(rest_after_eoi(bytes, before));
                    break;
                }
                // All samples are there: what is missing is the end.
                Err(error) if reader.is_complete() && (!is_marker || error.kind() == ErrorKind::Truncated) => {
                    let text = match bytes.len() - before {
                        0 => "no EOI marker FFD9 behind the last scan".to_owned(),
                        rest => format!("no EOI marker FFD9 behind the last scan, but {rest} bytes"),
                    };
                    deviations.push(Deviation::new(text, "ITU-T T.81 B.2.1").at(before));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        reader.finish(at.min(bytes.len()), deviations)
    }
}

/// The size of a codestream's image, as the codestream has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Number of lines.
    pub rows: u16,
    /// Samples per line.
    pub columns: u16,
    /// Components.
    pub components: usize,
    /// Bits of a sample, 2 to 16.
    pub precision: u8,
}

/// Reads as much of a codestream as says how large its image is.
///
/// # Errors
/// As decoding it would fail.
///
/// # Standard
/// ITU-T T.81 B.2.2, B.2.5.
pub fn dimensions(bytes: &[u8]) -> Result<Dimensions> {
    let tier = CpuLevel::best();
    let mut reader = Reader::begin(bytes)?;
    let mut at = 2;
    while reader.frame.is_none()
        && let (marker, next) = read_marker(bytes, at)?
        && let Some(next) = reader.take(bytes, marker, next, tier)?
    {
        at = next;
    }
    let (lines, frame) = match reader.frame {
        Some(frame) if frame.lines > 0 => (frame.lines, frame),
        _ => Header::parse(bytes, tier).map(|header| (header.lines, header.frame))?,
    };
    let FrameHeader { columns, precision, components, .. } = frame;
    Ok(Dimensions { rows: lines, columns, components: components.len(), precision })
}

/// Refuses components of different sizes. One alone is as large as the image, whatever its factors (A.2.2).
fn check_sampling(frame: &FrameHeader) -> Result<()> {
    match frame.components.iter().find(|component| component.sampling != (1, 1)) {
        Some(other) if frame.components.len() > 1 => {
            let (horizontal, vertical) = other.sampling;
            let text = format!("sampling factors {horizontal} and {vertical} of a component found, 1 and 1 expected");
            Err(unsupported(text, "ITU-T T.81 A.1.1").at(other.offset + 1))
        }
        _ => Ok(()),
    }
}

/// What follows EOI, whose marker is at `at` or after fill bytes, beyond a zero or the byte that makes the length even:
/// encoders are known that leave FF or a blank there.
fn rest_after_eoi(bytes: &[u8], at: usize) -> Option<Deviation> {
    let (_, end) = read_marker(bytes, at).ok()?;
    match bytes.get(end..)? {
        [] | [0] => None,
        [_] if bytes.len().is_multiple_of(2) => None,
        rest => {
            let text = format!("{} bytes follow the EOI marker", rest.len());
            Some(Deviation::new(text, "PS3.5 A.4").at(end))
        }
    }
}

impl Reader {
    fn begin(bytes: &[u8]) -> Result<Self> {
        match bytes {
            [0xFF, SOI, ..] => Ok(Self::default()),
            [] | [0xFF] => Err(truncated("the frame ends in the SOI marker FFD8", "ITU-T T.81 B.2.1").at(bytes.len())),
            _ => Err(malformed("no SOI marker FFD8 at the start", "ITU-T T.81 B.2.1").at(0)),
        }
    }

    /// Takes the marker and what belongs to it; returns the offset behind, or `None` at EOI.
    fn take(&mut self, bytes: &[u8], marker: Marker, next: usize, tier: CpuLevel) -> Result<Option<usize>> {
        let Marker { code, offset } = marker;
        let read = |name| Parameters::read(name, bytes, next);
        let next = match code {
            EOI => return Ok(None),
            SOF3 if self.frame.is_none() => {
                let (parameters, next) = read("SOF3")?;
                let frame = FrameHeader::parse(parameters)?;
                if !(2..=16).contains(&frame.precision) {
                    let text = format!("precision {} found, 2 to 16 expected", frame.precision);
                    return Err(malformed(text, "ITU-T T.81 B.2.2").at(frame.offset));
                }
                if frame.components.len() > MAX_SCAN_COMPONENTS {
                    let text = format!("{} components found, 1 to 4 expected", frame.components.len());
                    return Err(unsupported(text, "PS3.3 C.7.6.3.1.1").at(frame.offset + 5));
                }
                check_sampling(&frame)?;
                self.lines = (frame.lines, frame.offset + 1);
                self.frame = Some(frame);
                next
            }
            DHT => {
                let (parameters, next) = read("DHT")?;
                self.tables.define(parameters)?;
                next
            }
            DRI => {
                let (parameters, next) = read("DRI")?;
                self.restart_interval = number(parameters)?;
                next
            }
            SOS => {
                let (parameters, next) = read("SOS")?;
                let (scan, next) = self.scan(bytes, ScanHeader::parse(parameters)?, next, offset, tier)?;
                let next = if self.scans.is_empty() { self.number_of_lines(bytes, next)? } else { next };
                self.scans.push(scan);
                next
            }
            APP0 => {
                let (parameters, next) = read("APP0")?;
                self.is_jfif |= self.frame.is_none() && is_jfif(parameters.rest());
                next
            }
            _ if marker::is_skipped(code) => read("a marker segment")?.1,
            _ => return Err(self.refused(code).at(offset)),
        };
        Ok(Some(next))
    }

    /// Why a marker is not taken.
    fn refused(&self, code: u8) -> DecodeError {
        let process = |what: &str| unsupported(format!("marker FF{code:02X} found: {what}"), "ITU-T T.81 B.1.1.3");
        match code {
            DHP | EXP | 0xC5..=0xC7 | 0xCD..=0xCF => process("a hierarchical process"),
            0xC9..=0xCB | DAC => process("arithmetic coding"),
            SOF55 => unsupported("marker FFF7 found: JPEG-LS", "ITU-T T.87 C.1.1"),
            _ if self.frame.is_none() && marker::is_start_of_frame(code) => process("not the lossless process"),
            _ => malformed(format!("marker FF{code:02X} found where none such belongs"), "ITU-T T.81 B.2.1"),
        }
    }

    /// What a scan header says together with frame header and tables, and the data behind it.
    fn scan(
        &self,
        bytes: &[u8],
        header: ScanHeader,
        data_at: usize,
        marker_at: usize,
        tier: CpuLevel,
    ) -> Result<(Scan, usize)> {
        let clause = "ITU-T T.81 B.2.3";
        let Some(frame) = &self.frame else {
            return Err(malformed("a scan before the frame header", "ITU-T T.81 B.2.1").at(marker_at));
        };
        let mut components = Vec::new();
        let mut tables = Vec::new();
        for component in &header.components {
            let Some(place) = frame.components.iter().position(|other| other.id == component.id) else {
                let text = format!("component {} of a scan is not in the frame header", component.id);
                return Err(malformed(text, clause).at(component.offset));
            };
            if components.last().is_some_and(|last| *last > place) {
                let text = "components of a scan in another order than in the frame header";
                return Err(malformed(text, clause).at(component.offset));
            }
            if self.scans.iter().any(|scan| scan.components.contains(&place)) {
                let text = format!("component {} is in two scans", component.id);
                return Err(malformed(text, clause).at(component.offset));
            }
            components.push(place);
            tables.push(self.table(component.dc_table, component.offset)?);
        }
        let (selection_value, point_transform) = (header.spectral_start, header.approximation_low);
        if !(1..=7).contains(&selection_value) {
            let text = format!("selection value {selection_value} found, 1 to 7 expected");
            return Err(malformed(text, "ITU-T T.81 H.1.2.1").at(header.offset));
        }
        if (header.spectral_end, header.approximation_high) != (0, 0) {
            let text = format!("Se {} and Ah {} found, 0 expected", header.spectral_end, header.approximation_high);
            return Err(malformed(text, clause).at(header.offset + 1));
        }
        if point_transform >= frame.precision {
            let text = format!("point transform {point_transform} found, less than precision expected");
            return Err(malformed(text, clause).at(header.offset + 2));
        }
        if !self.restart_interval.is_multiple_of(frame.columns) {
            let interval = self.restart_interval;
            let text = format!("restart interval {interval} found, a multiple of {} columns expected", frame.columns);
            return Err(malformed(text, "ITU-T T.81 H.1.1").at(marker_at));
        }
        let (segments, next) = self.segments(bytes, data_at, frame.columns, tier)?;
        let restart_interval = self.restart_interval;
        Ok((Scan { components, tables, selection_value, point_transform, restart_interval, segments }, next))
    }

    /// The table that a scan's component names.
    fn table(&self, destination: u8, offset: usize) -> Result<HuffmanTable> {
        let Some((table, values_at)) = self.tables.dc(destination) else {
            let text = format!("no Huffman table {destination} is defined");
            return Err(malformed(text, "ITU-T T.81 B.2.4.2").at(offset + 1));
        };
        if let Some(index) = table.values.iter().position(|value| *value > MAX_CATEGORY) {
            let text = format!("category {} found, 0 to 16 expected", table.values.get(index).unwrap_or(&0));
            return Err(malformed(text, "ITU-T T.81 H.1.2.2").at(values_at + index));
        }
        Ok(table.clone())
    }

    /// The entropy-coded segments from `at` on, and the offset of the marker behind them or the end of the frame.
    fn segments(
        &self,
        bytes: &[u8],
        mut at: usize,
        columns: u16,
        tier: CpuLevel,
    ) -> Result<(Vec<Range<usize>>, usize)> {
        let lines = if self.lines.0 == 0 { u16::MAX } else { self.lines.0 };
        let most = match self.restart_interval / columns {
            0 => 1,
            rows => usize::from(lines.div_ceil(rows)),
        };
        let mut segments = Vec::new();
        loop {
            let end = unstuff::find_marker(bytes, at, tier).unwrap_or(bytes.len());
            segments.push(at..end);
            let Ok((marker, next)) = read_marker(bytes, end) else { return Ok((segments, end)) };
            if !marker::is_restart(marker.code) {
                return Ok((segments, end));
            }
            if segments.len() >= most {
                let text = format!("a restart marker behind the last of {most} restart intervals");
                return Err(malformed(text, "ITU-T T.81 E.1.4").at(marker.offset));
            }
            let (found, expected) = (usize::from(marker.code - RST0), (segments.len() - 1) % 8);
            if found != expected {
                let text = format!("restart marker RST{found} found, RST{expected} expected");
                return Err(malformed(text, "ITU-T T.81 B.1.1.3").at(marker.offset));
            }
            at = next;
        }
    }

    /// DNL behind the first scan, where it has to be if the frame header leaves the number of lines open (B.2.5).
    fn number_of_lines(&mut self, bytes: &[u8], at: usize) -> Result<usize> {
        let clause = "ITU-T T.81 B.2.5";
        let (lines, lines_offset) = self.lines;
        let (found, next) = match read_marker(bytes, at) {
            Ok((Marker { code: DNL, .. }, next)) => {
                let (parameters, end) = Parameters::read("DNL", bytes, next)?;
                let found = number(parameters)?;
                self.lines = (found, next + 2);
                (found, end)
            }
            _ => (lines, at),
        };
        if found == 0 {
            return Err(
                malformed("no number of lines, neither in the frame header nor in DNL", clause).at(lines_offset)
            );
        }
        if lines != 0 && found != lines {
            let text = format!("number of lines {found} found, {lines} in the frame header");
            return Err(malformed(text, clause).at(self.lines.1));
        }
        Ok(next)
    }

    /// Whether every component is in a scan.
    fn is_complete(&self) -> bool {
        let coded = self.scans.iter().map(|scan| scan.components.len()).sum::<usize>();
        self.frame.as_ref().is_some_and(|frame| frame.components.len() == coded)
    }

    fn finish(self, end: usize, deviations: Vec<Deviation>) -> Result<Header> {
        let is_complete = self.is_complete();
        let Self { frame, lines: (lines, lines_offset), scans, is_jfif, .. } = self;
        let Some(frame) = frame else {
            return Err(truncated("EOI before the frame header", "ITU-T T.81 B.2.1").at(end));
        };
        if !is_complete {
            let coded = |place: &usize| scans.iter().any(|scan| scan.components.contains(place));
            let missing = (0..frame.components.len()).find(|place| !coded(place)).unwrap_or(0);
            let id = frame.components.get(missing).map_or(0, |component| component.id);
            return Err(truncated(format!("component {id} is in no scan"), "ITU-T T.81 B.2.3").at(end));
        }
        Ok(Header { frame, lines, lines_offset, scans, is_jfif, deviations })
    }
}
