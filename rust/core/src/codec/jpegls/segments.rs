//! Parameters of the marker segments in which JPEG-LS differs from T.81: LSE, SOS, DRI, and the size of the image, which
//! three segments can give (T.87 C.2).

use crate::codec::t81::headers::{FrameHeader, MAX_SCAN_COMPONENTS};
use crate::codec::t81::marker::Parameters as SegmentParameters;
use crate::codestream::{CodestreamInfo, FieldOffsets};
use crate::error::{Result, malformed, unsupported};
use crate::kernel::jpegls::{self, Interleave, Parameters, Preset};

/// Content of an LSE segment (T.87 Table C.2).
#[derive(Debug)]
pub(in crate::codec) enum Lse {
    /// Type 1: preset coding parameters of the scans that follow.
    Preset(PresetSegment),
    /// Types 2 and 3: a mapping table or its continuation. It has no effect unless a scan selects it.
    MappingTable,
    /// Type 4: number of lines and samples per line; 0 for one that another segment gives.
    Dimensions(Dimensions),
}

/// Preset coding parameters, all 0 (default values) without an LSE segment of type 1.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::codec) struct PresetSegment {
    values: Preset,
    /// Byte offset of MAXVAL.
    offset: Option<usize>,
}

/// Reads the parameters of an LSE segment.
///
/// # Errors
/// `Malformed` for an unknown type or a wrong length, `Unsupported` for the types of T.870.
pub(in crate::codec) fn parse_lse(mut parameters: SegmentParameters<'_>) -> Result<Lse> {
    let type_offset = parameters.offset();
    match parameters.u8()? {
        1 => {
            let offset = Some(parameters.offset());
            let values = Preset {
                max_value: parameters.u16()?,
                thresholds: [parameters.u16()?, parameters.u16()?, parameters.u16()?],
                reset: parameters.u16()?,
            };
            parameters.end()?;
            Ok(Lse::Preset(PresetSegment { values, offset }))
        }
        2 | 3 => {
            // Table identifier and bytes of an entry; the rest are entries.
            parameters.u16()?;
            Ok(Lse::MappingTable)
        }
        4 => {
            let size_offset = parameters.offset();
            let size = parameters.u8()?;
            if !(2..=4).contains(&size) {
                let text = format!("{size} bytes for a dimension found in LSE, 2 to 4 expected");
                return Err(malformed(text, "ITU-T T.87 C.2.4.1.4").at(size_offset));
            }
            let lines_offset = parameters.offset();
            let lines = big_endian(parameters.take(size.into())?);
            let columns_offset = parameters.offset();
            let columns = big_endian(parameters.take(size.into())?);
            parameters.end()?;
            Ok(Lse::Dimensions(Dimensions { lines, lines_offset, columns, columns_offset }))
        }
        found @ 5..=13 => {
            Err(unsupported(format!("LSE type {found} found (T.870), 1 to 4 expected"), "ITU-T T.87 C.2.4.1")
                .at(type_offset))
        }
        found => {
            Err(malformed(format!("LSE type {found} found, 1 to 4 expected"), "ITU-T T.87 C.2.4.1").at(type_offset))
        }
    }
}

/// Reads the only parameter of DRI (number of lines in a restart interval, 0 for none) or DNL (number of lines), of 2 to 4
/// bytes.
///
/// # Errors
/// `Malformed` for another length.
pub(in crate::codec) fn parse_number(mut parameters: SegmentParameters<'_>) -> Result<u32> {
    let bytes = parameters.rest();
    if matches!(bytes.len(), 3 | 4) {
        return Ok(big_endian(bytes));
    }
    let number = parameters.u16()?;
    parameters.end()?;
    Ok(number.into())
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// Number of restart intervals of a scan of `lines` lines; an interval of 0 lines is the whole scan.
pub(super) fn interval_count(lines: u32, interval_lines: u32) -> usize {
    if interval_lines == 0 { 1 } else { lines.div_ceil(interval_lines) as usize }
}

/// Number of lines and samples per line, 0 while unknown, with their byte offsets.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::codec) struct Dimensions {
    pub(in crate::codec) lines: u32,
    pub(in crate::codec) lines_offset: usize,
    pub(in crate::codec) columns: u32,
    pub(in crate::codec) columns_offset: usize,
}

impl Dimensions {
    /// Records the dimensions of a frame header.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(in crate::codec) fn set_of_frame(&mut self, frame: &FrameHeader) -> Result<()> {
        let (lines_offset, columns_offset) = (frame.offset + 1, frame.offset + 3);
        self.set(Self { lines: frame.lines.into(), lines_offset, columns: frame.columns.into(), columns_offset })
    }

    /// Records dimensions that a segment gives; 0 for those that it does not give.
    ///
    /// # Errors
    /// `Malformed` if another segment has given another value.
    pub(in crate::codec) fn set(&mut self, found: Self) -> Result<()> {
        self.set_lines(found.lines, found.lines_offset)?;
        let Self { columns, columns_offset, .. } = found;
        if columns != 0 && self.columns != 0 && columns != self.columns {
            let text = format!("{columns} samples per line found, {} in the segment before", self.columns);
            return Err(malformed(text, "ITU-T T.87 C.2.4.1.4").at(columns_offset));
        }
        if self.columns == 0 {
            (self.columns, self.columns_offset) = (columns, columns_offset);
        }
        Ok(())
    }

    /// Records the number of lines.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(in crate::codec) fn set_lines(&mut self, lines: u32, offset: usize) -> Result<()> {
        if lines != 0 && self.lines != 0 && lines != self.lines {
            let text = format!("number of lines {lines} found, {} in the segment before", self.lines);
            return Err(malformed(text, "ITU-T T.87 C.2.4.1.4").at(offset));
        }
        if self.lines == 0 {
            (self.lines, self.lines_offset) = (lines, offset);
        }
        Ok(())
    }

    /// Returns `info` with these dimensions.
    pub(in crate::codec) fn describe(&self, info: CodestreamInfo) -> CodestreamInfo {
        let offsets = FieldOffsets { rows: self.lines_offset, columns: self.columns_offset, ..info.offsets };
        CodestreamInfo { rows: self.lines, columns: self.columns, offsets, ..info }
    }

    /// Returns the number of lines; the largest possible number if a DNL segment after the scan gives it.
    pub(super) const fn lines_or_max(&self) -> u32 {
        if self.lines == 0 { u32::MAX } else { self.lines }
    }

    /// Checks that the number of lines is known.
    ///
    /// # Errors
    /// `Malformed` if it is not.
    pub(in crate::codec) fn check_lines(&self) -> Result<()> {
        if self.lines > 0 {
            return Ok(());
        }
        let text = "number of lines is 0 in the frame header, and not given by LSE or DNL";
        Err(malformed(text, "ITU-T T.81 B.2.5").at(self.lines_offset))
    }

    /// Checks that the number of samples per line is known.
    ///
    /// # Errors
    /// `Malformed` if it is not.
    pub(in crate::codec) fn check_columns(&self) -> Result<()> {
        if self.columns > 0 {
            return Ok(());
        }
        let text = "0 samples per line in the frame header, and not given by LSE";
        Err(malformed(text, "ITU-T T.87 C.2.4.1.4").at(self.columns_offset))
    }
}

/// Returns what a scan header declares about the image: number of components, and NEAR.
///
/// # Errors
/// `Malformed` if the segment ends before NEAR.
pub(in crate::codec) fn describe_scan(mut parameters: SegmentParameters<'_>) -> Result<(u8, u8)> {
    let count = parameters.u8()?;
    parameters.take(2 * usize::from(count))?;
    Ok((count, parameters.u8()?))
}

/// One component of a scan header.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanComponent {
    /// Component identifier Ci.
    pub(super) id: u8,
    /// Byte offset of the component's parameters.
    pub(super) offset: usize,
}

/// Parameters of SOS (T.87 C.2.3).
#[derive(Debug)]
pub(super) struct ScanHeader {
    /// Components, 1 to 4.
    pub(super) components: Vec<ScanComponent>,
    /// Largest difference of a decoded sample to the original one; 0 if the scan is lossless.
    pub(super) near: u8,
    pub(super) interleave: Interleave,
    /// Byte offset of NEAR. ILV, and the point transform, follow.
    offset: usize,
}

impl ScanHeader {
    /// # Errors
    /// `Malformed` if a parameter is out of its range, `Unsupported` for a mapping table or a point transform.
    pub(super) fn parse(mut parameters: SegmentParameters<'_>) -> Result<Self> {
        let clause = "ITU-T T.87 C.2.3";
        let count_offset = parameters.offset();
        let count = parameters.u8()?;
        if count == 0 || usize::from(count) > MAX_SCAN_COMPONENTS {
            let text = format!("{count} components in a scan found, 1 to 4 expected");
            return Err(malformed(text, clause).at(count_offset));
        }
        let mut components: Vec<ScanComponent> = Vec::with_capacity(count.into());
        let mut mapping_table = None;
        for _ in 0..count {
            let offset = parameters.offset();
            let (id, table) = (parameters.u8()?, parameters.u8()?);
            if components.iter().any(|component| component.id == id) {
                return Err(malformed(format!("component identifier {id} found twice in a scan"), clause).at(offset));
            }
            if table > 0 {
                mapping_table.get_or_insert((table, offset + 1));
            }
            components.push(ScanComponent { id, offset });
        }
        let offset = parameters.offset();
        let (near, mode) = (parameters.u8()?, parameters.u8()?);
        let (_, point_transform) = parameters.u4_pair()?;
        parameters.end()?;
        let interleave = match (mode, count) {
            (0, 1) | (1, 2..) => Interleave::Line,
            (2, 2..) => Interleave::Sample,
            (3.., _) => {
                return Err(malformed(format!("interleave mode {mode} found, 0 to 2 expected"), clause).at(offset + 1));
            }
            (_, 1) => {
                let text = format!("interleave mode {mode} of a single component found, 0 expected");
                return Err(malformed(text, clause).at(offset + 1));
            }
            _ => {
                let text = format!("interleave mode 0 of {count} components in a scan found, 1 or 2 expected");
                return Err(malformed(text, clause).at(offset + 1));
            }
        };
        if let Some((table, offset)) = mapping_table {
            return Err(unsupported(format!("mapping table {table} selected, none expected"), clause).at(offset));
        }
        if point_transform > 0 {
            let text = format!("point transform {point_transform} found, 0 expected");
            return Err(unsupported(text, clause).at(offset + 2));
        }
        Ok(Self { components, near, interleave, offset })
    }

    /// Returns the coding parameters of the scan.
    ///
    /// # Errors
    /// `Malformed` if NEAR or a preset parameter is out of its range.
    pub(super) fn parameters(&self, precision: u8, preset: PresetSegment) -> Result<Parameters> {
        let precision = u32::from(precision);
        let largest = (1 << precision.min(16)) - 1;
        let PresetSegment { values, offset } = preset;
        let max_value = if values.max_value == 0 { largest } else { values.max_value.into() };
        let near = u32::from(self.near);
        let max_near = jpegls::max_near(max_value);
        if max_value <= largest && near > max_near {
            let text = format!("NEAR {near} found, at most {max_near} expected for samples of 0 to {max_value}");
            return Err(malformed(text, "ITU-T T.87 C.2.3").at(self.offset));
        }
        Parameters::new(precision, near, values).ok_or_else(|| {
            let (text, distance) = invalid_preset(values, max_value, largest, near);
            malformed(text, "ITU-T T.87 C.2.4.1.1").at(offset.map_or(self.offset, |offset| offset + distance))
        })
    }
}

/// Describes the preset parameter that is out of its range. Returns its byte offset from MAXVAL too.
fn invalid_preset(preset: Preset, max_value: u32, largest: u32, near: u32) -> (String, usize) {
    let Preset { thresholds: [t1, t2, t3], reset, .. } = preset;
    if max_value > largest {
        return (format!("MAXVAL {max_value} found, at most {largest} expected"), 0);
    }
    let resets = jpegls::reset_range(max_value);
    if reset != 0 && !resets.contains(&reset.into()) {
        return (format!("RESET {reset} found, {} to {} expected", resets.start(), resets.end()), 8);
    }
    let text = format!(
        "T1 {t1}, T2 {t2} and T3 {t3} found (0 for a default), \
         NEAR {near} < T1 <= T2 <= T3 <= MAXVAL {max_value} expected"
    );
    (text, 2)
}
