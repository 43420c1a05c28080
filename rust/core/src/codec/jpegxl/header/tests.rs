use super::*;
use crate::error::ErrorKind;

/// Writes fields of (value, number of bits), the least significant bit first.
fn codestream(fields: &[(u64, u32)]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    let mut count = 0;
    for &(value, bits) in fields {
        for bit in 0..bits {
            if count % 8 == 0 {
                bytes.push(0);
            }
            *bytes.last_mut().unwrap() |= u8::from(value >> bit & 1 == 1) << (count % 8);
            count += 1;
        }
    }
    bytes
}

/// Size 5 × 7, not divisible by 8, without an aspect ratio.
const SIZE: [(u64, u32); 6] = [(0, 1), (0, 2), (4, 9), (0, 3), (0, 2), (6, 9)];

#[test]
fn header_default_metadata_is_8_bit_xyb() {
    let frame = codestream(&[&SIZE[..], &[(1, 1), (1, 1)]].concat());
    let header = Header::parse(&frame).unwrap();
    let CodestreamInfo { rows, columns, components, precision, is_lossy, .. } = header.info;
    assert_eq!((rows, columns, components, precision, is_lossy), (5, 7, 3, 8, Some(true)));
    assert_eq!((header.extra_channel_count, header.is_float), (0, false));
    assert_eq!(header.info.colour(), Some(Colour::Rgb));
}

#[test]
fn header_all_fields_are_read() {
    let preview = [(1, 1), (1, 1), (1, 2), (1, 3)];
    let animation = [(1, 1), (0, 2), (0, 2), (3, 2), (7, 32), (0, 1)];
    let channel = [(0, 1), (2, 2), (0, 4), (0, 1), (1, 2), (0, 2), (1, 2), (2, 4), (97, 8), (98, 8), (0, 64)];
    let colour = [(0, 1), (0, 1), (1, 2), (2, 2), (0, 4), (0, 2), (1, 19), (1, 2), (2, 19), (1, 1), (4, 24), (1, 2)];
    let fields = [
        // Small size: 16 rows, 3:2.
        &[(1, 1), (1, 5), (4, 3), (0, 1), (1, 1), (2, 3), (1, 1)],
        &SIZE[..],
        &preview,
        &animation,
        &[(0, 1), (3, 2), (13, 6), (0, 1), (1, 2)],
        &channel,
        &[(0, 1)],
        &colour,
        &[(0, 1), (1, 16), (2, 16), (1, 1), (3, 16), (1, 2), (0, 4), (1, 2), (4, 4), (21, 5)],
    ];
    let header = Header::parse(&codestream(&fields.concat())).unwrap();
    let CodestreamInfo { rows, columns, components, precision, is_lossy, .. } = header.info;
    assert_eq!((rows, columns, components, precision, is_lossy), (16, 24, 2, 14, None));
    assert_eq!(header.extra_channel_count, 1);
    // Each byte is needed.
    let frame = codestream(&fields.concat());
    for end in 0..frame.len() - 1 {
        let error = Header::parse(&frame[..end]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{end} bytes: {error}");
    }
}

#[test]
fn header_dct_frame_without_xyb_is_lossy() {
    let image = [&SIZE[..], &[(0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (0, 1), (1, 1), (0, 2)]].concat();
    let padded = |frame: &[(u64, u32)]| {
        let fields = [&image[..], &[(1, 1), (0, 1)], frame].concat();
        assert_eq!((image.iter().map(|field| field.1).sum::<u32>() + 2) % 8, 0);
        Header::parse(&codestream(&fields)).unwrap().info.is_lossy
    };
    assert_eq!(padded(&[(1, 1)]), Some(true));
    assert_eq!(padded(&[(0, 1), (0, 2), (0, 1)]), Some(true));
    assert_eq!(padded(&[(0, 1), (0, 2), (1, 1)]), None);
    assert_eq!(padded(&[(0, 1), (1, 2), (0, 1)]), None);
}

#[test]
fn header_invalid_values_are_errors() {
    let parse = |fields: &[(u64, u32)]| Header::parse(&codestream(fields)).unwrap_err();
    // 2^30 rows at 2:1.
    let error = parse(&[(0, 1), (3, 2), ((1 << 30) - 1, 30), (7, 3)]);
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    let error = parse(&[&SIZE[..], &[(0, 1), (0, 1), (0, 1), (3, 2), (31, 6)]].concat());
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    let error = parse(
        &[&SIZE[..], &[(0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (0, 1), (0, 1), (0, 1), (2, 2), (0, 4)]]
            .concat(),
    );
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unsupported, "colour space XYB found, grey or RGB expected")
    );
    // An extension that claims 2^64 bits.
    let extensions = [(1, 2), (0, 4), (3, 2), (0xFFF, 12)];
    let groups = [(0x1FF, 9); 6];
    let fields = [
        &SIZE[..],
        &[(0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (0, 1), (1, 1)],
        &extensions,
        &groups,
        &[(1, 1), (15, 4), (0, 32)],
    ];
    assert_eq!(parse(&fields.concat()).kind(), ErrorKind::Truncated);
    let error = Header::parse(b"\xFF\x0B").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}
