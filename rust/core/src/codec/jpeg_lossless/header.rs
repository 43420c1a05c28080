//! Codestream → header: frame header, scans with their tables, and the byte ranges of their entropy-coded segments.

use crate::codec::t81::colour::Application;
use crate::codec::t81::entropy;
use crate::codec::t81::headers::{FrameHeader, MAX_SCAN_COMPONENTS, ScanHeader, number};
use crate::codec::t81::huffman::{HuffmanTable, HuffmanTables, TableClass};
use crate::codec::t81::marker::{
    APP0, APP14, DAC, DHP, DHT, DNL, DQT, DRI, EOI, EXP, Marker, Process, SOS, Segment, Segments, is_informative,
};
use crate::error::{DecodeError, ErrorKind, Result, malformed, truncated, unsupported};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;
use std::ops::Range;

/// Largest category of a difference (T.81 Table H.2).
const MAX_CATEGORY: u8 = 16;

/// One scan of a lossless process.
#[derive(Debug)]
pub(super) struct Scan {
    /// Indices of its components in the frame header, increasing.
    pub(super) components: Vec<usize>,
    /// Huffman table of each component.
    pub(super) tables: Vec<HuffmanTable>,
    /// Selection value of the predictor, 1 to 7 (Table H.1).
    pub(super) selection_value: u8,
    /// Number of low bits that every sample lost before coding.
    pub(super) point_transform: u8,
    /// Pixels between restart markers, a multiple of the columns; 0 for none.
    pub(super) restart_interval: u16,
    /// Byte ranges of the entropy-coded segments: one per restart interval.
    pub(super) segments: Vec<Range<usize>>,
}

/// The header of a codestream.
#[derive(Debug)]
pub(in crate::codec) struct Header {
    pub(super) frame: FrameHeader,
    /// Number of lines, from the frame header or DNL.
    pub(super) lines: u16,
    /// Byte offset of the number of lines.
    pub(super) lines_offset: usize,
    /// Scans in the order of the codestream. Every component is in exactly one.
    pub(super) scans: Vec<Scan>,
    /// Application data before the frame header that declares colour.
    pub(super) application: Application,
    pub(super) deviations: Vec<Deviation>,
}

/// A header that is being read.
#[derive(Default)]
struct HeaderReader {
    tables: HuffmanTables,
    restart_interval: u16,
    frame: Option<FrameHeader>,
    /// Number of lines, 0 if it is not known yet, and its byte offset.
    lines: (u16, usize),
    scans: Vec<Scan>,
    application: Application,
}

impl Header {
    /// Reads all segments up to EOI.
    ///
    /// A codestream without EOI, or with bytes that are no marker after the last scan, is a deviation: all samples are present.
    ///
    /// # Errors
    /// `Unsupported` for processes other than lossless with Huffman coding; `Truncated` and `Malformed`.
    pub(super) fn parse(bytes: &[u8], level: CpuLevel) -> Result<Self> {
        let mut segments = Segments::new(bytes)?;
        let mut reader = HeaderReader::default();
        loop {
            let offset = segments.offset();
            let segment = segments.next().unwrap_or_else(|| {
                debug_assert!(false, "reading ends at EOI and at errors");
                Err(truncated("frame ends, marker expected", "ITU-T T.81 B.2.1").at(bytes.len()))
            });
            let is_marker = segment.is_ok();
            let is_eoi = segment.as_ref().is_ok_and(|segment| segment.marker.code == EOI);
            if is_eoi {
                let deviation = bytes_after_eoi(bytes, segments.offset());
                return reader.finish(offset, deviation);
            }
            match segment.and_then(|segment| reader.read_segment(bytes, segment, &mut segments, level)) {
                Ok(()) => {}
                Err(error) if reader.is_complete() && (!is_marker || error.kind() == ErrorKind::Truncated) => {
                    let text = match bytes.len() - offset {
                        0 => "no EOI marker FFD9 after the last scan".to_owned(),
                        rest => format!("{rest} bytes after the last scan found, EOI marker FFD9 expected"),
                    };
                    return reader.finish(offset, Some(Deviation::new(text, "ITU-T T.81 B.2.1").at(offset)));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Checks that no component is subsampled. The sampling factors of a single component have no effect (A.2.2).
fn check_sampling(frame: &FrameHeader) -> Result<()> {
    match frame.components.iter().find(|component| component.sampling != (1, 1)) {
        Some(component) if frame.components.len() > 1 => {
            let (horizontal, vertical) = component.sampling;
            let text = format!("sampling factors {horizontal} and {vertical} found, 1 and 1 expected");
            Err(unsupported(text, "ITU-T T.81 A.1.1").at(component.offset + 1))
        }
        _ => Ok(()),
    }
}

/// Returns the deviation of bytes after EOI, which end at `offset`. A zero byte and a byte that makes the length even are
/// padding: some encoders write FF or a space there.
fn bytes_after_eoi(bytes: &[u8], offset: usize) -> Option<Deviation> {
    match bytes.get(offset..)? {
        [] | [0] => None,
        [_] if bytes.len().is_multiple_of(2) => None,
        rest => {
            let text = format!("{} bytes follow the EOI marker", rest.len());
            Some(Deviation::new(text, "PS3.5 A.4").at(offset))
        }
    }
}

impl HeaderReader {
    /// Reads one segment, and the entropy-coded data after SOS.
    fn read_segment<'a>(
        &mut self,
        bytes: &'a [u8],
        segment: Segment<'a>,
        segments: &mut Segments<'a>,
        level: CpuLevel,
    ) -> Result<()> {
        let Marker { code, offset } = segment.marker;
        match (code, Process::of_marker(code)) {
            (_, Some(Process::Lossless)) if self.frame.is_none() => {
                let frame = FrameHeader::parse(Process::Lossless, segment.parameters()?)?;
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
            }
            (DHT, _) => self.tables.define(segment.parameters()?)?,
            (DRI, _) => self.restart_interval = number(segment.parameters()?)?,
            (SOS, _) => {
                let header = ScanHeader::parse(segment.parameters()?)?;
                let (scan, end) = self.read_scan(bytes, header, segments.offset(), offset, level)?;
                segments.seek(end);
                if self.scans.is_empty() {
                    self.read_number_of_lines(segments)?;
                }
                self.scans.push(scan);
            }
            (APP0 | APP14, _) => {
                let parameters = segment.parameters()?;
                if self.frame.is_none() {
                    self.application.record(code, parameters.rest());
                }
            }
            (code, _) if is_informative(code) || code == DQT => {
                segment.parameters()?;
            }
            _ => return Err(self.unexpected_marker(code).at(offset)),
        }
        Ok(())
    }

    /// Returns the error of a marker that is not expected.
    fn unexpected_marker(&self, code: u8) -> DecodeError {
        let other_process = |name: &str| {
            let text = format!("marker FF{code:02X} found ({name}), lossless process with huffman coding expected");
            unsupported(text, "ITU-T T.81 B.1.1.3")
        };
        match Process::of_marker(code) {
            Some(process @ (Process::Hierarchical | Process::Arithmetic)) => other_process(process.name()),
            Some(process @ Process::JpegLs) => {
                let text = format!("marker FF{code:02X} found ({}), lossless process expected", process.name());
                unsupported(text, "ITU-T T.87 C.1.1")
            }
            Some(process) if self.frame.is_none() => other_process(process.name()),
            _ => match code {
                DHP | EXP => other_process(Process::Hierarchical.name()),
                DAC => other_process(Process::Arithmetic.name()),
                _ => malformed(format!("marker FF{code:02X} is not expected here"), "ITU-T T.81 B.2.1"),
            },
        }
    }

    /// Checks a scan header against frame header and tables, and finds the segments of its data, which start at
    /// `data_offset`. Returns the offset after them too.
    fn read_scan(
        &self,
        bytes: &[u8],
        header: ScanHeader,
        data_offset: usize,
        marker_offset: usize,
        level: CpuLevel,
    ) -> Result<(Scan, usize)> {
        let clause = "ITU-T T.81 B.2.3";
        let Some(frame) = &self.frame else {
            return Err(malformed("scan found before the frame header", "ITU-T T.81 B.2.1").at(marker_offset));
        };
        let mut components = Vec::new();
        let mut tables = Vec::new();
        for component in &header.components {
            let Some(index) = frame.components.iter().position(|in_frame| in_frame.id == component.id) else {
                let text = format!("component {} of a scan is not in the frame header", component.id);
                return Err(malformed(text, clause).at(component.offset));
            };
            if components.last().is_some_and(|last| *last > index) {
                let text = "components of a scan are not in the order of the frame header";
                return Err(malformed(text, clause).at(component.offset));
            }
            if self.scans.iter().any(|scan| scan.components.contains(&index)) {
                let text = format!("component {} is in two scans", component.id);
                return Err(malformed(text, clause).at(component.offset));
            }
            components.push(index);
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
            let text = format!(
                "point transform {point_transform} found, less than the precision of {} bits expected",
                frame.precision
            );
            return Err(malformed(text, clause).at(header.offset + 2));
        }
        let restart_interval = self.restart_interval;
        if !restart_interval.is_multiple_of(frame.columns) {
            let text =
                format!("restart interval {restart_interval} found, a multiple of {} columns expected", frame.columns);
            return Err(malformed(text, "ITU-T T.81 H.1.1").at(marker_offset));
        }
        let lines = if self.lines.0 == 0 { u16::MAX } else { self.lines.0 };
        let max_segments = match restart_interval / frame.columns {
            0 => 1,
            interval_rows => usize::from(lines.div_ceil(interval_rows)),
        };
        let (segments, end) = entropy::segments(bytes, data_offset, max_segments, level)?;
        Ok((Scan { components, tables, selection_value, point_transform, restart_interval, segments }, end))
    }

    /// Returns the table at a destination that the component at `offset` selects.
    fn table(&self, destination: u8, offset: usize) -> Result<HuffmanTable> {
        let Some((table, values_offset)) = self.tables.get(TableClass::Dc, destination) else {
            let text = format!("huffman table {destination} is not defined");
            return Err(malformed(text, "ITU-T T.81 B.2.4.2").at(offset + 1));
        };
        if let Some((index, category)) = (0..).zip(&table.values).find(|(_, category)| **category > MAX_CATEGORY) {
            let text = format!("category {category} found, 0 to 16 expected");
            return Err(malformed(text, "ITU-T T.81 H.1.2.2").at(values_offset + index));
        }
        Ok(table.clone())
    }

    /// Reads a DNL segment after the first scan, which is required if the frame header has no number of lines (B.2.5).
    fn read_number_of_lines(&mut self, segments: &mut Segments<'_>) -> Result<()> {
        let clause = "ITU-T T.81 B.2.5";
        let (frame_lines, frame_lines_offset) = self.lines;
        let mut after = segments.clone();
        if let Some(Ok(segment)) = after.next()
            && segment.marker.code == DNL
        {
            let parameters = segment.parameters()?;
            self.lines = (number(parameters)?, parameters.offset());
            *segments = after;
        }
        let (lines, lines_offset) = self.lines;
        if lines == 0 {
            let text = "number of lines is 0 in the frame header, and not given by DNL";
            return Err(malformed(text, clause).at(frame_lines_offset));
        }
        if frame_lines != 0 && lines != frame_lines {
            let text = format!("number of lines {lines} found in DNL, {frame_lines} in the frame header");
            return Err(malformed(text, clause).at(lines_offset));
        }
        Ok(())
    }

    /// True if every component is in a scan.
    fn is_complete(&self) -> bool {
        let coded = self.scans.iter().map(|scan| scan.components.len()).sum::<usize>();
        self.frame.as_ref().is_some_and(|frame| frame.components.len() == coded)
    }

    /// Returns the header, whose segments end at `end`.
    fn finish(self, end: usize, deviation: Option<Deviation>) -> Result<Header> {
        let is_complete = self.is_complete();
        let Self { frame, lines: (lines, lines_offset), scans, application, .. } = self;
        let Some(frame) = frame else {
            return Err(truncated("EOI found before the frame header", "ITU-T T.81 B.2.1").at(end));
        };
        if !is_complete {
            let is_coded = |index: usize| scans.iter().any(|scan| scan.components.contains(&index));
            let missing = frame.components.iter().enumerate().find(|(index, _)| !is_coded(*index));
            let id = missing.map_or(0, |(_, component)| component.id);
            return Err(truncated(format!("component {id} is in no scan"), "ITU-T T.81 B.2.3").at(end));
        }
        Ok(Header { frame, lines, lines_offset, scans, application, deviations: deviation.into_iter().collect() })
    }
}
