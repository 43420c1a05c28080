//! Recognises codestreams by their first bytes and reads what their headers declare, whether a codec here decodes them
//! or not.

use super::jpeg;
use super::jpeg2000;
use super::jpegls::segments::{Dimensions, Lse, describe_scan, parse_lse, parse_number};
use super::jpegxl;
use super::t81::colour::{self, Application};
use super::t81::entropy::Stuffing;
use super::t81::headers::{FrameHeader, number};
use super::t81::marker::{
    self, APP0, APP8, APP14, DNL, EOI, LSE, Parameters, Process, SOI, SOS, Segments, read_marker,
};
use crate::codestream::{Codestream, CodestreamFormat, CodestreamInfo};
use crate::error::{Result, malformed, truncated, unsupported};
use crate::kernel::CpuLevel;

const J2K: &[u8] = jpeg2000::SIGNATURE;
const JXL: &[u8] = jpegxl::SIGNATURE;
const JP2: &[u8] = jpeg2000::SIGNATURE_BOX;
const JXL_BOX: &[u8] = jpegxl::SIGNATURE_BOX;
/// SOI and the FF of the next marker (T.81, T.87).
const JPEG: &[u8] = &[0xFF, SOI, 0xFF];

/// First bytes of the codestreams that are recognised.
pub(super) const SIGNATURES: [&[u8]; 5] = [JPEG, J2K, JXL, JP2, JXL_BOX];

/// Recognises a codestream and reads its header.
///
/// # Errors
/// `Unsupported` for bytes without a known signature; `Truncated` or `Malformed` for a broken header.
pub fn identify(bytes: &[u8]) -> Result<Codestream> {
    if bytes.starts_with(&[0xFF, SOI]) {
        return identify_jpeg(bytes);
    }
    if bytes.starts_with(J2K) || bytes.starts_with(JP2) {
        return jpeg2000::identify(bytes);
    }
    if bytes.starts_with(JXL) || bytes.starts_with(JXL_BOX) {
        return jpegxl::identify(bytes);
    }
    let head: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02X}")).collect();
    let head = if head.is_empty() { "no bytes".to_owned() } else { format!("bytes {}", head.join(" ")) };
    Err(unsupported(
        format!("{head} found, the signature of a JPEG, JPEG 2000 or JPEG XL codestream expected"),
        "PS3.5 8.2",
    ))
}

/// Rows and columns that a bare codestream of JPEG, JPEG-LS or JPEG 2000 declares; `None` for other bytes, a broken header,
/// or a number of lines in a later marker. It reads no more of the header than that, for every frame that a fallback
/// decoder gets.
#[must_use]
pub fn codestream_size(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.starts_with(&[0xFF, SOI]) {
        let (_, frame) = start_of_frame(&mut Segments::new(bytes).ok()?, &mut Application::default()).ok()?;
        return (frame.lines > 0 && frame.columns > 0).then_some((frame.lines.into(), frame.columns.into()));
    }
    jpeg2000::image_size(bytes)
}

/// Format of a codestream by its first bytes, and the offset of the marker that decides: in the JPEG family the
/// start-of-frame marker. HTJ2K counts as JPEG 2000.
pub(super) fn format_of(bytes: &[u8]) -> Option<(CodestreamFormat, usize)> {
    jpeg_format(bytes).or_else(|| other_family(bytes).map(|format| (format, 0)))
}

/// Format of a codestream that has a signature of another family than JPEG.
fn other_family(bytes: &[u8]) -> Option<CodestreamFormat> {
    let formats = [(J2K, CodestreamFormat::Jpeg2000), (JP2, CodestreamFormat::Jpeg2000)];
    let formats = formats.into_iter().chain([JXL, JXL_BOX].map(|signature| (signature, CodestreamFormat::JpegXl)));
    formats.into_iter().find(|(signature, _)| bytes.starts_with(signature)).map(|(_, format)| format)
}

/// Format of a JPEG or JPEG-LS codestream by its start-of-frame marker, and the marker's offset. Every frame of the JPEG
/// family is looked at, so segments are skipped by their lengths and not read.
fn jpeg_format(bytes: &[u8]) -> Option<(CodestreamFormat, usize)> {
    let mut rest = bytes.strip_prefix(&[0xFF, SOI])?;
    loop {
        let [0xFF, after @ ..] = rest else { return None };
        rest = after;
        // A marker may be preceded by any number of fill bytes FF (T.81 B.1.1.2).
        let Some(code) = rest.first().filter(|code| **code != 0xFF) else { continue };
        if let Some(process) = Process::of_marker(*code) {
            return Some((format_of_process(process), bytes.len() - rest.len() - 1));
        }
        let [_, high, low, ..] = rest else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low])).max(2);
        rest = rest.get(1 + length..)?;
    }
}

fn format_of_process(process: Process) -> CodestreamFormat {
    match process {
        Process::Baseline | Process::Extended | Process::Progressive => CodestreamFormat::Jpeg,
        Process::Lossless => CodestreamFormat::JpegLossless,
        Process::Arithmetic | Process::ArithmeticLossless => CodestreamFormat::JpegArithmetic,
        Process::Hierarchical => CodestreamFormat::JpegHierarchical,
        Process::JpegLs => CodestreamFormat::JpegLs,
    }
}

/// Reads the segments up to the frame header. Application data before it is recorded.
fn start_of_frame(segments: &mut Segments<'_>, application: &mut Application) -> Result<(Process, FrameHeader)> {
    while let Some(segment) = segments.next().transpose()? {
        let marker = segment.marker;
        if let Some(process) = Process::of_marker(marker.code) {
            return Ok((process, FrameHeader::parse(process, segment.parameters()?)?));
        }
        match marker.code {
            EOI | SOS => {
                let text = "no frame header found before the first scan";
                return Err(malformed(text, "ITU-T T.81 B.2.1").at(marker.offset));
            }
            APP0 | APP8 | APP14 => application.record(marker.code, segment.parameters()?.rest()),
            _ => _ = segment.parameters()?,
        }
    }
    Err(truncated("the codestream ends before the frame header", "ITU-T T.81 B.2.1").at(segments.offset()))
}

fn identify_jpeg(bytes: &[u8]) -> Result<Codestream> {
    let mut application = Application::default();
    let mut segments = Segments::new(bytes)?;
    let (process, frame) = start_of_frame(&mut segments, &mut application)?;
    let format = format_of_process(process);
    record_application(segments.clone(), &mut application);
    if format == CodestreamFormat::JpegLs {
        let info = jpeg_ls_info(bytes, &frame, application)?;
        return Ok(Codestream { format, info: Some(info) });
    }
    let mut lines = (frame.lines, frame.offset + 1);
    let is_lossy = match format {
        CodestreamFormat::Jpeg => Some(true),
        CodestreamFormat::JpegLossless => Some(false),
        _ => None,
    };
    if lines.0 == 0 {
        first_scan(&mut segments)?;
        let parameters = number_of_lines(bytes, segments.offset(), Stuffing::ZeroByte);
        let found = parameters.and_then(|parameters| Some((number(parameters).ok()?, parameters.offset())));
        let text = "no number of lines found, in frame header or DNL";
        let missing = || malformed(text, "ITU-T T.81 B.2.5").at(lines.1);
        lines = found.filter(|(lines, _)| *lines > 0).ok_or_else(missing)?;
    }
    let resolution_levels = if format == CodestreamFormat::Jpeg { jpeg::RESOLUTION_LEVELS } else { 1 };
    let is_dct = format == CodestreamFormat::Jpeg || process == Process::Arithmetic;
    let claims = colour::claims(&frame, &application, is_dct);
    let info = CodestreamInfo {
        is_lossy,
        resolution_levels,
        ..colour::codestream_info(&frame, (lines.0.into(), lines.1), claims)
    };
    Ok(Codestream { format, info: Some(info) })
}

/// Records the application data up to the first scan header, or to a broken segment.
fn record_application(segments: Segments<'_>, application: &mut Application) {
    for segment in segments.map_while(Result::ok) {
        let code = segment.marker.code;
        match (code, segment.parameters()) {
            (SOS, _) | (_, Err(_)) => break,
            (APP0 | APP8 | APP14, Ok(parameters)) => application.record(code, parameters.rest()),
            _ => {}
        }
    }
}

/// Reads the segments up to the first scan header. Returns its parameters.
fn first_scan<'a>(segments: &mut Segments<'a>) -> Result<Parameters<'a>> {
    while let Some(segment) = segments.next().transpose()? {
        let code = segment.marker.code;
        let parameters = segment.parameters()?;
        if code == SOS {
            return Ok(parameters);
        }
    }
    Err(truncated("the codestream ends before the first scan", "ITU-T T.81 B.2.1").at(segments.offset()))
}

/// Reads what JPEG-LS declares after or before the frame header: dimensions in LSE segments, NEAR in the scan header.
fn jpeg_ls_info(bytes: &[u8], frame: &FrameHeader, mut application: Application) -> Result<CodestreamInfo> {
    let mut dimensions = Dimensions::default();
    dimensions.set_of_frame(frame)?;
    let mut segments = Segments::new(bytes)?;
    let scan = first_scan(&mut segments)?;
    let before_scan = Segments::new(bytes)?.map_while(Result::ok).take_while(|segment| segment.marker.code != SOS);
    for segment in before_scan.filter(|segment| segment.marker.code == LSE) {
        if let Ok(Lse::Dimensions(found)) = segment.parameters().and_then(parse_lse) {
            dimensions.set(found)?;
        }
    }
    if dimensions.lines == 0
        && let Some(parameters) = number_of_lines(bytes, segments.offset(), Stuffing::ZeroBit)
    {
        dimensions.set_lines(parse_number(parameters)?, parameters.offset())?;
    }
    dimensions.check_lines()?;
    dimensions.check_columns()?;
    let (component_count, near) = describe_scan(scan)?;
    // The components of separate scans are not transformed.
    application.hp_transform.take_if(|_| usize::from(component_count) < frame.components.len());
    let claims = colour::claims(frame, &application, false);
    let info = dimensions.describe(colour::codestream_info(frame, (0, 0), claims));
    Ok(CodestreamInfo { is_lossy: Some(near > 0), ..info })
}

/// Parameters of a DNL segment after the first scan, whose data start at `offset`.
fn number_of_lines(bytes: &[u8], mut offset: usize, stuffing: Stuffing) -> Option<Parameters<'_>> {
    loop {
        offset = stuffing.find_marker(bytes, offset, CpuLevel::best())?;
        let (marker, next) = read_marker(bytes, offset).ok()?;
        if marker::is_restart(marker.code) {
            offset = next;
            continue;
        }
        if marker.code != DNL {
            return None;
        }
        return Parameters::read("DNL", bytes, next).ok().map(|(parameters, _)| parameters);
    }
}

#[cfg(test)]
mod tests;
