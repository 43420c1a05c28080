//! Header and attributes → everything that the decoding loop needs, validated.

use super::header::{Header, Scan};
use super::segments::interval_count;
use super::transform::ColourTransform;
use crate::error::{Result, malformed, truncated};
use crate::frame::{Deviation, FrameInfo};
use crate::kernel::jpegls;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of SOI, SOF55 and SOS, without their components.
const MIN_HEADER_BYTES: u64 = 2 + 10 + 8;
/// Bytes that one component adds to SOF55 and SOS.
const COMPONENT_BYTES: u64 = 3 + 2;
/// Most samples that one bit codes: those of the longest segment of a run (T.87 A.7.1.2, J[31]).
const MAX_SAMPLES_PER_BIT: u64 = 1 << 15;
/// Kernel parameters that are cached from frame to frame: the frames of an object often have the same. Their tables took
/// a quarter of the time of a frame of 64 × 64 samples.
const MAX_CACHED_SCANS: usize = 4;

/// One scan.
#[derive(Debug)]
pub(super) struct ScanPlan {
    /// Indices in the frame header of the scan's components, increasing.
    pub(super) components: Vec<usize>,
    /// True if the kernel's rows have all components of the scan, pixel by pixel; else there is a row per component.
    pub(super) is_interleaved: bool,
    /// Parameters of the kernel.
    pub(super) kernel: Arc<jpegls::Scan>,
    /// Lines of a restart interval; all lines if there are none.
    pub(super) interval_lines: usize,
    /// Byte ranges of the entropy-coded segments in the frame: one per restart interval.
    pub(super) segments: Vec<Range<usize>>,
}

impl ScanPlan {
    /// Bytes of the longest entropy-coded segment.
    pub(super) fn max_segment_bytes(&self) -> usize {
        self.segments.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }
}

/// Kernel parameters of the last scans of one thread.
#[derive(Debug, Default)]
pub(super) struct KernelScans(Vec<CachedScan>);

#[derive(Debug)]
struct CachedScan {
    parameters: jpegls::Parameters,
    columns: u32,
    component_count: usize,
    interleave: jpegls::Interleave,
    kernel: Arc<jpegls::Scan>,
}

impl KernelScans {
    /// Returns the kernel parameters of a scan whose lines have `columns` samples per component, made if they are not
    /// cached. `None` if the kernel has no such lines.
    fn of_scan(&mut self, scan: &Scan, columns: u32) -> Option<Arc<jpegls::Scan>> {
        let key = (scan.parameters, columns, scan.components.len(), scan.interleave);
        let is_same = |cached: &&CachedScan| {
            (cached.parameters, cached.columns, cached.component_count, cached.interleave) == key
        };
        if let Some(cached) = self.0.iter().find(is_same) {
            return Some(Arc::clone(&cached.kernel));
        }
        let (parameters, columns, component_count, interleave) = key;
        let kernel = Arc::new(jpegls::Scan::new(parameters, columns as usize, component_count, interleave)?);
        if self.0.len() >= MAX_CACHED_SCANS {
            self.0.clear();
        }
        self.0.push(CachedScan { parameters, columns, component_count, interleave, kernel: Arc::clone(&kernel) });
        Some(kernel)
    }
}

/// One frame.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The bytes of the frame.
    pub(super) frame: &'a [u8],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) components: usize,
    /// Bits of a sample, 2 to 16.
    pub(super) precision: u32,
    /// Bytes of a stored sample; more than two if Bits Allocated is more than 16.
    pub(super) sample_bytes: usize,
    pub(super) transform: Option<ColourTransform>,
    pub(super) scans: Vec<ScanPlan>,
    pub(super) deviations: Vec<Deviation>,
}

/// Returns the size of the shortest codestream of such a frame: headers, and the bits of each line. A line has at least
/// one bit, and the components of a pixel may be in one run.
pub(super) fn min_frame_bytes(info: &FrameInfo) -> u64 {
    let attributes = info.attributes();
    let line_bits = u64::from(attributes.columns).div_ceil(MAX_SAMPLES_PER_BIT);
    let bits = u64::from(attributes.rows) * line_bits;
    MIN_HEADER_BYTES + COMPONENT_BYTES * info.samples_per_pixel() as u64 + bits.div_ceil(8)
}

impl<'a> Plan<'a> {
    /// Plans the decoding of a frame whose header agrees with the attributes.
    ///
    /// # Errors
    /// `Truncated` and `Malformed` if a scan has another number of restart intervals than its lines need, or too few bytes.
    pub(super) fn new(frame: &'a [u8], header: Header, info: &FrameInfo, kernels: &mut KernelScans) -> Result<Self> {
        let (rows, columns) = (header.dimensions.lines, header.dimensions.columns);
        let scans =
            header.scans.into_iter().map(|scan| plan_scan(scan, rows, columns, kernels)).collect::<Result<_>>()?;
        Ok(Self {
            frame,
            rows: rows as usize,
            columns: columns as usize,
            components: header.frame.components.len(),
            precision: header.frame.precision.into(),
            sample_bytes: info.sample_bytes(),
            transform: header.transform,
            scans,
            deviations: header.deviations,
        })
    }
}

fn plan_scan(scan: Scan, lines: u32, columns: u32, kernels: &mut KernelScans) -> Result<ScanPlan> {
    let end = scan.segments.last().map_or(0, |last| last.end);
    let expected = interval_count(lines, scan.restart_interval);
    if scan.segments.len() != expected {
        let text = format!("{} restart intervals found, {expected} expected", scan.segments.len());
        let error = if scan.segments.len() > expected { malformed } else { truncated };
        return Err(error(text, "ITU-T T.87 C.2.5").at(end));
    }
    let bytes: u64 = scan.segments.iter().map(|segment| segment.len() as u64).sum();
    let min_bytes = (u64::from(lines) * u64::from(columns).div_ceil(MAX_SAMPLES_PER_BIT)).div_ceil(8);
    if bytes < min_bytes {
        let text = format!("{bytes} entropy-coded bytes found, at least {min_bytes} expected for {lines} lines");
        return Err(truncated(text, "ITU-T T.87 A.7.1").at(end));
    }
    let kernel = kernels.of_scan(&scan, columns);
    let kernel = kernel.ok_or_else(|| malformed(format!("a line of {columns} samples is too long"), "").at(end))?;
    Ok(ScanPlan {
        is_interleaved: scan.interleave == jpegls::Interleave::Sample,
        components: scan.components,
        kernel,
        interval_lines: if scan.restart_interval == 0 { lines as usize } else { scan.restart_interval as usize },
        segments: scan.segments,
    })
}
