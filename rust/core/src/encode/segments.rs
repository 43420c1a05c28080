//! Marker segments that the encoders of the JPEG family share (T.81 B.1.1.4 and B.2).

pub(super) const SOI: u16 = 0xFFD8;
pub(super) const SOS: u16 = 0xFFDA;
pub(super) const EOI: u16 = 0xFFD9;

/// Parameters of a frame header. Components are not subsampled and have no quantization table, as in lossless processes
/// and JPEG-LS.
pub(super) struct FrameHeader {
    pub(super) precision: u8,
    pub(super) rows: u16,
    pub(super) columns: u16,
    /// Number of components, whose identifiers count from 1.
    pub(super) components: u8,
}

impl FrameHeader {
    /// Writes the frame header with marker `sof`.
    pub(super) fn write(&self, sof: u16, out: &mut Vec<u8>) {
        let mut parameters = vec![self.precision];
        parameters.extend(self.rows.to_be_bytes());
        parameters.extend(self.columns.to_be_bytes());
        parameters.push(self.components);
        for component in 1..=self.components {
            // Sampling factors 1 x 1, quantization table 0.
            parameters.extend([component, 0x11, 0]);
        }
        write_segment(sof, &parameters, out);
    }
}

/// Writes a marker that is no segment: SOI or EOI.
pub(super) fn write_marker(marker: u16, out: &mut Vec<u8>) {
    out.extend(marker.to_be_bytes());
}

/// Writes a marker segment: marker, length, parameters, of which encoders write fewer than 200 bytes.
pub(super) fn write_segment(marker: u16, parameters: &[u8], out: &mut Vec<u8>) {
    out.extend(marker.to_be_bytes());
    out.extend(u16::try_from(parameters.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(parameters);
}
