//! Reads all segments of a codestream with Huffman coding, up to EOI (T.81 B.2). [`ProcessRules`] adds what holds for the
//! processes of one codec: lossless, or those with a DCT.
//!
//! ```text
//! SOI │ tables, APPn, COM │ SOF │ tables │ SOS, data │ DNL │ tables │ SOS, data │ … │ EOI
//!                           check_frame    read_scan                  read_scan     missing_scan
//! ```

use super::colour::Application;
use super::entropy::{self, Stuffing};
use super::headers::{FrameHeader, MAX_SCAN_COMPONENTS, ScanHeader, number};
use super::huffman::HuffmanTables;
use super::marker::{
    APP0, APP14, DAC, DHP, DHT, DNL, DQT, DRI, EOI, EXP, Marker, Process, SOS, Segment, Segments, is_informative,
};
use super::quantization::QuantizationTables;
use crate::error::{DecodeError, ErrorKind, Result, malformed, truncated, unsupported};
use crate::frame::Deviation;
use crate::kernel::CpuLevel;
use std::ops::Range;

/// Rules of the processes that one codec decodes. A value of the type is the state that they need from scan to scan.
pub(in crate::codec) trait ProcessRules: Default {
    /// Parameters of a scan that depend on the process.
    type Parameters;

    /// The processes, for messages.
    const EXPECTED: &'static str;
    /// True if the processes use quantization tables. The tables of others are not evaluated.
    const HAS_QUANTIZATION: bool;

    /// True for a process that the codec decodes.
    fn accepts(process: Process) -> bool;

    /// Checks the frame header, which is one of an accepted process.
    ///
    /// # Errors
    /// `Malformed` and `Unsupported`.
    fn check_frame(&mut self, frame: &FrameHeader, deviations: &mut Vec<Deviation>) -> Result<()>;

    /// Checks a scan header. Returns its parameters, and the number of MCUs of the scan.
    ///
    /// # Errors
    /// `Malformed` and `Unsupported`.
    fn read_scan(
        &mut self,
        scan: &ScanContext<'_>,
        deviations: &mut Vec<Deviation>,
    ) -> Result<(Self::Parameters, usize)>;

    /// Describes data that no scan has coded, for a message. `None` if the scans are complete.
    fn missing_data(&self, frame: &FrameHeader) -> Option<String>;
}

/// Everything that is known of a scan when its header is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct ScanContext<'a> {
    pub(in crate::codec) frame: &'a FrameHeader,
    /// Number of lines; the largest possible number if a DNL segment after this scan gives it.
    pub(in crate::codec) lines: u16,
    pub(in crate::codec) header: &'a ScanHeader,
    /// Indices in the frame header of the scan's components, increasing.
    pub(in crate::codec) components: &'a [usize],
    pub(in crate::codec) huffman: &'a HuffmanTables,
    pub(in crate::codec) quantization: &'a QuantizationTables,
    /// MCUs between restart markers; 0 for none.
    pub(in crate::codec) restart_interval: u16,
    /// Byte offset of the SOS marker.
    pub(in crate::codec) marker_offset: usize,
}

/// One scan.
#[derive(Debug)]
pub(in crate::codec) struct Scan<P> {
    /// Indices in the frame header of its components, increasing.
    pub(in crate::codec) components: Vec<usize>,
    /// MCUs between restart markers; 0 for none.
    pub(in crate::codec) restart_interval: u16,
    /// Byte ranges of the entropy-coded segments: one per restart interval.
    pub(in crate::codec) segments: Vec<Range<usize>>,
    /// Parameters that depend on the process.
    pub(in crate::codec) parameters: P,
}

/// All headers of a codestream.
#[derive(Debug)]
pub(in crate::codec) struct Codestream<P> {
    pub(in crate::codec) frame: FrameHeader,
    /// Number of lines, from the frame header or DNL.
    pub(in crate::codec) lines: u16,
    /// Byte offset of the number of lines.
    pub(in crate::codec) lines_offset: usize,
    /// Scans in the order of the codestream.
    pub(in crate::codec) scans: Vec<Scan<P>>,
    /// Application data before the first scan that declares colour.
    pub(in crate::codec) application: Application,
    pub(in crate::codec) deviations: Vec<Deviation>,
}

/// A codestream that is being read.
struct Reader<R: ProcessRules> {
    rules: R,
    huffman: HuffmanTables,
    quantization: QuantizationTables,
    restart_interval: u16,
    frame: Option<FrameHeader>,
    /// Number of lines, 0 if it is not known yet, and its byte offset.
    lines: (u16, usize),
    scans: Vec<Scan<R::Parameters>>,
    application: Application,
    deviations: Vec<Deviation>,
}

/// Reader of the segments of a codestream.
pub(in crate::codec) trait SegmentReader {
    /// Reads one segment, and the entropy-coded data after SOS. `segments` continues after them.
    ///
    /// # Errors
    /// `Unsupported`, `Truncated` and `Malformed`.
    fn read_segment<'a>(
        &mut self,
        bytes: &'a [u8],
        segment: Segment<'a>,
        segments: &mut Segments<'a>,
        level: CpuLevel,
    ) -> Result<()>;

    /// True if the scans that are read code the whole image.
    fn is_complete(&self) -> bool;
}

/// Passes all segments up to EOI to `reader`. Returns the byte offset of their end, and a deviation there.
///
/// A codestream without EOI, or with bytes that are no marker after the last scan, is a deviation: all samples are present.
///
/// # Errors
/// Those of the reader and of the segments.
pub(in crate::codec) fn read_segments(
    bytes: &[u8],
    reader: &mut impl SegmentReader,
    level: CpuLevel,
) -> Result<(usize, Option<Deviation>)> {
    let mut segments = Segments::new(bytes)?;
    loop {
        let offset = segments.offset();
        let segment = segments.next().unwrap_or_else(|| {
            debug_assert!(false, "reading ends at EOI and at errors");
            Err(truncated("frame ends, marker expected", "ITU-T T.81 B.2.1").at(bytes.len()))
        });
        let is_marker = segment.is_ok();
        if segment.as_ref().is_ok_and(|segment| segment.marker.code == EOI) {
            return Ok((offset, bytes_after_eoi(bytes, segments.offset())));
        }
        // Not after the segment: an error in DNL leaves the only scan without a number of lines.
        let was_complete = reader.is_complete();
        match segment.and_then(|segment| reader.read_segment(bytes, segment, &mut segments, level)) {
            Ok(()) => {}
            Err(error) if was_complete && (!is_marker || error.kind() == ErrorKind::Truncated) => {
                let text = match bytes.len() - offset {
                    0 => "no EOI marker FFD9 after the last scan".to_owned(),
                    rest => format!("{rest} bytes after the last scan found, EOI marker FFD9 expected"),
                };
                return Ok((offset, Some(Deviation::new(text, "ITU-T T.81 B.2.1").at(offset))));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads all segments up to EOI, as [`read_segments`].
///
/// # Errors
/// `Unsupported` for processes that the rules do not accept; `Truncated` and `Malformed`.
pub(in crate::codec) fn read<R: ProcessRules>(bytes: &[u8], level: CpuLevel) -> Result<Codestream<R::Parameters>> {
    let mut reader = Reader::<R>::new();
    let (end, deviation) = read_segments(bytes, &mut reader, level)?;
    reader.finish(end, deviation)
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

impl<R: ProcessRules> SegmentReader for Reader<R> {
    fn read_segment<'a>(
        &mut self,
        bytes: &'a [u8],
        segment: Segment<'a>,
        segments: &mut Segments<'a>,
        level: CpuLevel,
    ) -> Result<()> {
        let Marker { code, offset } = segment.marker;
        match (code, Process::of_marker(code)) {
            (_, Some(process)) if self.frame.is_none() && R::accepts(process) => {
                let frame = FrameHeader::parse(process, segment.parameters()?)?;
                self.rules.check_frame(&frame, &mut self.deviations)?;
                self.lines = (frame.lines, frame.offset + 1);
                self.frame = Some(frame);
            }
            (DHT, _) => self.huffman.define(segment.parameters()?)?,
            (DQT, _) if R::HAS_QUANTIZATION => self.quantization.define(segment.parameters()?)?,
            (DRI, _) => self.restart_interval = number(segment.parameters()?)?,
            (SOS, _) => {
                let header = ScanHeader::parse(segment.parameters()?)?;
                let (scan, end) = self.read_scan(bytes, &header, segments.offset(), offset, level)?;
                segments.seek(end);
                if self.scans.is_empty() {
                    self.read_number_of_lines(segments)?;
                }
                self.scans.push(scan);
            }
            (APP0 | APP14, _) => {
                let parameters = segment.parameters()?;
                if self.scans.is_empty() {
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

    fn is_complete(&self) -> bool {
        !self.scans.is_empty() && self.frame.as_ref().is_some_and(|frame| self.rules.missing_data(frame).is_none())
    }
}

impl<R: ProcessRules> Reader<R> {
    fn new() -> Self {
        Self {
            rules: R::default(),
            huffman: HuffmanTables::default(),
            quantization: QuantizationTables::default(),
            restart_interval: 0,
            frame: None,
            lines: (0, 0),
            scans: Vec::new(),
            application: Application::default(),
            deviations: Vec::new(),
        }
    }

    /// Returns the error of a marker that is not expected.
    fn unexpected_marker(&self, code: u8) -> DecodeError {
        let other_process = |name: &str, clause: &'static str| {
            unsupported(format!("marker FF{code:02X} found ({name}), {} expected", R::EXPECTED), clause)
        };
        let clause = "ITU-T T.81 B.1.1.3";
        let not_supported = |process: Process, marker: &str| {
            let name = process.name();
            unsupported(format!("{name} ({marker}, marker FF{code:02X}) is not supported"), clause)
        };
        match Process::of_marker(code) {
            Some(process @ (Process::Hierarchical | Process::Arithmetic | Process::ArithmeticLossless)) => {
                not_supported(process, &format!("SOF{}", code & 0xF))
            }
            Some(process @ Process::JpegLs) => other_process(process.name(), "ITU-T T.87 C.1.1"),
            Some(process) if self.frame.is_none() => other_process(process.name(), clause),
            _ => match code {
                DHP => not_supported(Process::Hierarchical, "DHP"),
                EXP => not_supported(Process::Hierarchical, "EXP"),
                DAC => not_supported(Process::Arithmetic, "DAC"),
                _ => malformed(format!("marker FF{code:02X} is not expected here"), "ITU-T T.81 B.2.1"),
            },
        }
    }

    /// Checks a scan header, and finds the segments of its data, which start at `data_offset`. Returns the offset after
    /// them too.
    fn read_scan(
        &mut self,
        bytes: &[u8],
        header: &ScanHeader,
        data_offset: usize,
        marker_offset: usize,
        level: CpuLevel,
    ) -> Result<(Scan<R::Parameters>, usize)> {
        let clause = "ITU-T T.81 B.2.3";
        let Some(frame) = &self.frame else {
            return Err(malformed("scan found before the frame header", "ITU-T T.81 B.2.1").at(marker_offset));
        };
        let mut components = Vec::with_capacity(MAX_SCAN_COMPONENTS);
        for component in &header.components {
            let Some(index) = frame.components.iter().position(|in_frame| in_frame.id == component.id) else {
                let text = format!("component {} of a scan is not in the frame header", component.id);
                return Err(malformed(text, clause).at(component.offset));
            };
            if components.last().is_some_and(|last| *last > index) {
                let text = "components of a scan are not in the order of the frame header";
                return Err(malformed(text, clause).at(component.offset));
            }
            components.push(index);
        }
        let restart_interval = self.restart_interval;
        let context = ScanContext {
            frame,
            lines: if self.lines.0 == 0 { u16::MAX } else { self.lines.0 },
            header,
            components: &components,
            huffman: &self.huffman,
            quantization: &self.quantization,
            restart_interval,
            marker_offset,
        };
        let (parameters, mcus) = self.rules.read_scan(&context, &mut self.deviations)?;
        let max_segments = if restart_interval == 0 { 1 } else { mcus.div_ceil(restart_interval.into()) };
        let (segments, end) = entropy::segments(bytes, data_offset, max_segments, Stuffing::ZeroByte, level)?;
        Ok((Scan { components, restart_interval, segments, parameters }, end))
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

    /// Returns the codestream, whose segments end at `end`.
    fn finish(self, end: usize, deviation: Option<Deviation>) -> Result<Codestream<R::Parameters>> {
        let Self { rules, frame, lines: (lines, lines_offset), scans, application, mut deviations, .. } = self;
        let Some(frame) = frame else {
            return Err(truncated("EOI found before the frame header", "ITU-T T.81 B.2.1").at(end));
        };
        if let Some(missing) = rules.missing_data(&frame) {
            return Err(truncated(missing, "ITU-T T.81 B.2.3").at(end));
        }
        // A missing EOI is reported first: other deviations may follow from it.
        deviations.splice(0..0, deviation);
        Ok(Codestream { frame, lines, lines_offset, scans, application, deviations })
    }
}
