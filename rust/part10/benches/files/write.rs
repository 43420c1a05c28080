//! Writes DICOM files, element by element.
#![allow(clippy::cast_possible_truncation, reason = "halves of tags, and lengths of short values")]

/// Encoding of a data set.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) is_implicit: bool,
    pub(crate) is_big_endian: bool,
    /// True if sequences and items have undefined length.
    pub(crate) is_undefined: bool,
}

impl Style {
    pub(crate) fn u16(self, value: u16) -> [u8; 2] {
        if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(crate) fn u32(self, value: u32) -> [u8; 4] {
        if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(crate) fn tag(self, out: &mut Vec<u8>, tag: u32) {
        out.extend(self.u16((tag >> 16) as u16));
        out.extend(self.u16(tag as u16));
    }

    pub(crate) fn element(self, out: &mut Vec<u8>, tag: u32, vr: &[u8; 2], value: &[u8]) {
        self.header(out, tag, vr, value.len() as u32);
        out.extend(value);
    }

    pub(crate) fn header(self, out: &mut Vec<u8>, tag: u32, vr: &[u8; 2], length: u32) {
        self.tag(out, tag);
        if self.is_implicit {
            out.extend(self.u32(length));
        } else if matches!(vr, b"OB" | b"OV" | b"OW" | b"SQ" | b"UN") {
            out.extend(vr);
            out.extend([0, 0]);
            out.extend(self.u32(length));
        } else {
            out.extend(vr);
            out.extend(self.u16(length as u16));
        }
    }

    /// Writes a sequence of items; `content` writes the elements of each.
    pub(crate) fn sequence(
        self,
        out: &mut Vec<u8>,
        tag: u32,
        item_count: usize,
        content: &mut dyn FnMut(&mut Vec<u8>),
    ) {
        let mut value = Vec::new();
        for _ in 0..item_count {
            let mut item = Vec::new();
            content(&mut item);
            self.tag(&mut value, 0xFFFE_E000);
            value.extend(self.u32(if self.is_undefined { u32::MAX } else { item.len() as u32 }));
            value.extend(item);
            if self.is_undefined {
                self.tag(&mut value, 0xFFFE_E00D);
                value.extend([0; 4]);
            }
        }
        if self.is_undefined {
            self.tag(&mut value, 0xFFFE_E0DD);
            value.extend([0; 4]);
        }
        self.header(out, tag, b"SQ", if self.is_undefined { u32::MAX } else { value.len() as u32 });
        out.extend(value);
    }

    /// Writes encapsulated pixel data. The first item is the Basic Offset Table.
    pub(crate) fn fragments<'a>(self, out: &mut Vec<u8>, items: impl IntoIterator<Item = &'a Vec<u8>>) {
        self.header(out, 0x7FE0_0010, b"OB", u32::MAX);
        for item in items {
            self.tag(out, 0xFFFE_E000);
            out.extend(self.u32((item.len() + item.len() % 2) as u32));
            out.extend(item);
            out.resize(out.len() + item.len() % 2, 0);
        }
        self.tag(out, 0xFFFE_E0DD);
        out.extend([0; 4]);
    }
}

/// Returns the preamble and File Meta Information with the transfer syntax only.
pub(crate) fn file_meta(uid: &str) -> Vec<u8> {
    let mut out = vec![0; 128];
    out.extend(b"DICM");
    let mut padded = uid.as_bytes().to_vec();
    padded.resize(uid.len() + uid.len() % 2, 0);
    Style { is_implicit: false, is_big_endian: false, is_undefined: false }.element(
        &mut out,
        0x0002_0010,
        b"UI",
        &padded,
    );
    out
}
