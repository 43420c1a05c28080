//! Colour transforms of HP's encoders (APP8 `mrfx`). T.87 does not define them, but CharLS writes and inverts them.

use crate::error::{Result, unsupported};

/// No clause defines the transforms; the standard only reserves the segment for applications.
const CLAUSE: &str = "PS3.5 8.2.3";

/// Colour transform of the first three components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourTransform {
    /// R - G, G, B - G.
    Hp1,
    /// R - G, G, B - (R + G) / 2.
    Hp2,
    /// G + (B + R - 2 G) / 4, B - G, R - G.
    Hp3,
}

impl ColourTransform {
    /// Returns transform `number`, whose byte offset is `offset`, for components of `precision` bits; `None` if it does not
    /// apply to them, and then without a precision.
    ///
    /// # Errors
    /// `Unsupported` for transforms that CharLS does not know either, and for samples that do not fill one or two bytes.
    pub(super) fn new(number: u8, precision: Option<u8>, offset: usize) -> Result<Option<Self>> {
        let transform = match number {
            1 => Self::Hp1,
            2 => Self::Hp2,
            3 => Self::Hp3,
            _ => {
                let text = format!("colour transform {number} of HP found, 0 to 3 expected");
                return Err(unsupported(text, CLAUSE).at(offset));
            }
        };
        match precision {
            None => Ok(None),
            Some(8 | 16) => Ok(Some(transform)),
            Some(precision) => {
                let text = format!("precision {precision} found with a colour transform of HP, 8 or 16 expected");
                Err(unsupported(text, CLAUSE).at(offset))
            }
        }
    }

    /// Inverts the transform of a row of interleaved pixels of `components` samples, 3 or 4, with `bits` bits, 8 or 16.
    pub(super) fn invert(self, row: &mut [u16], components: usize, bits: u32) {
        let half = 1_u32 << (bits - 1);
        let mask = 2 * half - 1;
        for pixel in row.chunks_exact_mut(components.max(3)) {
            let [first, second, third, ..] = pixel else { continue };
            let (v1, v2, v3) = (u32::from(*first), u32::from(*second), u32::from(*third));
            let (red, green, blue) = match self {
                Self::Hp1 => (v1.wrapping_add(v2).wrapping_sub(half), v2, v3.wrapping_add(v2).wrapping_sub(half)),
                Self::Hp2 => {
                    let red = v1.wrapping_add(v2).wrapping_sub(half) & mask;
                    (red, v2, v3.wrapping_add((red + v2) >> 1).wrapping_sub(half))
                }
                Self::Hp3 => {
                    let green = v1.wrapping_sub((v2 + v3) >> 2).wrapping_add(half >> 1);
                    (v3.wrapping_add(green).wrapping_sub(half), green, v2.wrapping_add(green).wrapping_sub(half))
                }
            };
            for (sample, value) in [first, second, third].into_iter().zip([red, green, blue]) {
                #[allow(clippy::cast_possible_truncation, reason = "the mask has at most 16 bits")]
                let value = (value & mask) as u16;
                *sample = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Transforms a pixel as an encoder does.
    fn forward(transform: ColourTransform, [r, g, b]: [i32; 3], bits: u32) -> [u16; 3] {
        let (range, mask) = (1 << bits, (1 << bits) - 1);
        let values = match transform {
            ColourTransform::Hp1 => [r - g + range / 2, g, b - g + range / 2],
            ColourTransform::Hp2 => [r - g + range / 2, g, b - ((r + g) >> 1) - range / 2],
            ColourTransform::Hp3 => {
                let (v2, v3) = ((b - g + range / 2) & mask, (r - g + range / 2) & mask);
                [g + ((v2 + v3) >> 2) - range / 4, v2, v3]
            }
        };
        values.map(|value| u16::try_from(value & mask).unwrap())
    }

    #[test]
    fn invert_gives_the_transformed_pixels_and_leaves_the_fourth_component() {
        for transform in [ColourTransform::Hp1, ColourTransform::Hp2, ColourTransform::Hp3] {
            for bits in [8, 16] {
                let top = (1 << bits) - 1;
                let values = [0, 1, 77, top / 2, top / 2 + 1, top - 1, top];
                for r in values {
                    for g in values {
                        for b in values {
                            let [v1, v2, v3] = forward(transform, [r, g, b], bits);
                            let expected = [r, g, b, 9].map(|value| u16::try_from(value).unwrap());
                            let mut row = [v1, v2, v3, 9];
                            transform.invert(&mut row, 4, bits);
                            assert_eq!(row, expected, "{transform:?} {bits}");
                            let mut row = [v1, v2, v3];
                            transform.invert(&mut row, 3, bits);
                            assert_eq!(row, expected[..3], "{transform:?} {bits}");
                        }
                    }
                }
            }
        }
    }
}
