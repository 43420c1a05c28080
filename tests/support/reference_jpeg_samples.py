"""Samples of DCT coefficients in plain integers, bit for bit those of libjpeg-turbo on x86-64.

Inverse DCT: the accurate integer transform ("islow"), for 8 bits with the 16-bit arithmetic of its vector code.
Upsampling: the triangle filter. Colour: 16-bit fixed-point factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
CONST_BITS = 13


def fixed(value: float, bits: int = CONST_BITS) -> int:
    """Return a constant as a fixed-point number with this many fraction bits."""
    return int(value * (1 << bits) + 0.5)


def wrap16(values: Array) -> Array:
    """Return numbers as 16-bit two's complement holds them."""
    return (values + 32768) % 65536 - 32768


def saturate16(values: Array) -> Array:
    """Return numbers limited to 16 bits."""
    return np.clip(values, -32768, 32767)


def unchanged(values: Array) -> Array:
    """Return the argument: arithmetic of the C code, in which nothing overflows."""
    return values


def transform8(x: Sequence[Array], wrap: Any) -> list[Array]:
    """Return eight times the one-dimensional inverse DCT of 8 values, with 13 fraction bits (Loeffler et al.)."""
    z1 = (x[2] + x[6]) * fixed(0.541196100)
    even2 = z1 - x[6] * fixed(1.847759065)
    even3 = z1 + x[2] * fixed(0.765366865)
    even0, even1 = wrap(x[0] + x[4]) << CONST_BITS, wrap(x[0] - x[4]) << CONST_BITS
    sums = [even0 + even3, even1 + even2, even1 - even2, even0 - even3]
    z3, z4 = wrap(x[7] + x[3]), wrap(x[5] + x[1])
    z5 = (z3 + z4) * fixed(1.175875602)
    z3, z4 = z5 - z3 * fixed(1.961570560), z5 - z4 * fixed(0.390180644)
    z1, z2 = -(x[7] + x[1]) * fixed(0.899976223), -(x[5] + x[3]) * fixed(2.562915447)
    odd = [
        x[1] * fixed(1.501321110) + z1 + z4,
        x[3] * fixed(3.072711026) + z2 + z3,
        x[5] * fixed(2.053119869) + z2 + z4,
        x[7] * fixed(0.298631336) + z1 + z3,
    ]
    return [a + b for a, b in zip(sums, odd, strict=True)] + [
        a - b for a, b in zip(reversed(sums), reversed(odd), strict=True)
    ]


def transform4(x: Sequence[Array]) -> list[Array]:
    """Return the one-dimensional inverse DCT to 4 values, with 14 fraction bits; coefficient 4 is not used."""
    even0 = x[0] << CONST_BITS + 1
    even2 = x[2] * fixed(1.847759065) - x[6] * fixed(0.765366865)
    odd0 = x[5] * fixed(1.451774981) - x[7] * fixed(0.211164243) - x[3] * fixed(2.172734803) + x[1] * fixed(1.061594337)
    odd2 = x[3] * fixed(0.899976223) - x[7] * fixed(0.509795579) - x[5] * fixed(0.601344887) + x[1] * fixed(2.562915447)
    a, b = even0 + even2, even0 - even2
    return [a + odd2, b + odd0, b - odd0, a - odd2]


def transform2(x: Sequence[Array]) -> list[Array]:
    """Return the one-dimensional inverse DCT to 2 values, with 15 fraction bits."""
    odd = x[5] * fixed(0.850430095) - x[7] * fixed(0.720959822) - x[3] * fixed(1.272758580) + x[1] * fixed(3.624509785)
    even = x[0] << CONST_BITS + 2
    return [even + odd, even - odd]


def descale(values: Array, shift: int) -> Array:
    """Return values divided by a power of two, rounded half up."""
    return (values + (1 << shift - 1)) >> shift


def inverse_dct(blocks: Array, quantizer: Array, precision: int, size: int = 8) -> Array:
    """Return the samples (blocks, size, size) of coefficients (blocks, 64) in natural order."""
    is_8_bit = precision == 8
    # Fraction bits between the passes.
    pass_bits = 2 if is_8_bit else 1
    values = (blocks * quantizer).reshape(-1, 8, 8)
    if is_8_bit and size > 1:
        values = wrap16(values)
    if size == 1:
        return limit(descale(values[:, :1, :1], 3), precision, is_8_bit=False)
    wrap, saturate = (wrap16, saturate16) if is_8_bit else (unchanged, unchanged)
    # Each halving of the size adds a fraction bit.
    extra = {8: 0, 4: 1, 2: 2}[size]

    def transform(x: Sequence[Array]) -> list[Array]:
        return transform8(x, wrap) if size == 8 else (transform4(x) if size == 4 else transform2(x))

    first = transform([values[:, row, :] for row in range(8)])
    columns = np.stack([saturate(descale(part, CONST_BITS - pass_bits + extra)) for part in first], 1)
    if is_8_bit and size == 8:
        # If rows 1 to 7 are zero, the vector code shifts row 0, and wraps where the transform saturates.
        flat = ~blocks.reshape(-1, 8, 8)[:, 1:].any((1, 2))
        columns[flat] = wrap16(values[flat, :1] << pass_bits)
    second = transform([columns[:, :, column] for column in range(8)])
    samples = np.stack([descale(part, CONST_BITS + pass_bits + 3 + extra) for part in second], 2)
    return limit(samples, precision, is_8_bit=is_8_bit)


def limit(values: Array, precision: int, *, is_8_bit: bool) -> Array:
    """Return level-shifted samples within their range.

    The vector code saturates. The C code looks up a table by the lowest ``precision + 2`` bits of the value.
    """
    if not is_8_bit:
        period = 4 << precision
        values = (values + period // 2) % period - period // 2
    half = 1 << precision - 1
    return np.clip(values + half, 0, 2 * half - 1)


def upsample(plane: Array, horizontal: int, vertical: int, *, is_fancy: bool) -> Array:
    """Return the plane enlarged by integer ratios: by the triangle filter for ratios of 2, else by replication."""
    is_smooth = {
        (2, 1): is_fancy and plane.shape[1] > 2,
        (1, 2): is_fancy,
        (2, 2): is_fancy and plane.shape[1] > 2,
    }.get((horizontal, vertical), False)
    if not is_smooth:
        return plane.repeat(vertical, 0).repeat(horizontal, 1)
    if vertical == 2:
        above = np.vstack([plane[:1], plane[:-1]])
        below = np.vstack([plane[1:], plane[-1:]])
        sums = np.stack([3 * plane + above, 3 * plane + below], 1).reshape(-1, plane.shape[1])
        if horizontal == 1:
            bias = np.tile([[1], [2]], (plane.shape[0], 1))
            return (sums + bias) >> 2
        return _horizontal(sums, 8, 7, 4)
    return _horizontal(plane, 1, 2, 2)


def _horizontal(rows: Array, left_bias: int, right_bias: int, shift: int) -> Array:
    left = np.hstack([rows[:, :1], rows[:, :-1]])
    right = np.hstack([rows[:, 1:], rows[:, -1:]])
    pairs = [(3 * rows + left + left_bias) >> shift, (3 * rows + right + right_bias) >> shift]
    return np.stack(pairs, 2).reshape(rows.shape[0], -1)


class Component(NamedTuple):
    """Coefficients (block rows, block columns, 64), quantizer in natural order, sampling factors."""

    blocks: Array
    quantizer: Array
    horizontal: int
    vertical: int


def block_size(component: Component, largest: tuple[int, int], smallest_size: int) -> int:
    """Return the block size of a scaled component: twice as large while that replaces upsampling."""
    size = smallest_size
    while (
        size < 8
        and largest[0] * smallest_size % (component.horizontal * size * 2) == 0
        and largest[1] * smallest_size % (component.vertical * size * 2) == 0
    ):
        size *= 2
    return size


def reconstruct(components: Sequence[Component], rows: int, columns: int, precision: int, reduce: int = 0) -> Array:
    """Return the samples (rows, columns, components) of all components at full resolution."""
    smallest_size = 8 >> reduce
    largest = max(part.horizontal for part in components), max(part.vertical for part in components)
    height, width = -(-rows // (1 << reduce)), -(-columns // (1 << reduce))
    planes = []
    for part in components:
        size = block_size(part, largest, smallest_size)
        block_rows, block_columns = part.blocks.shape[:2]
        blocks = inverse_dct(part.blocks.reshape(-1, 64), part.quantizer, precision, size)
        plane = blocks.reshape(block_rows, block_columns, size, size).swapaxes(1, 2)
        plane = plane.reshape(block_rows * size, block_columns * size)
        # The samples of the component, without those that complete its blocks.
        plane = plane[: -(-rows * part.vertical * size // (largest[1] * 8))]
        plane = plane[:, : -(-columns * part.horizontal * size // (largest[0] * 8))]
        ratios = [
            maximum * smallest_size // (factor * size)
            for maximum, factor in zip(largest, (part.horizontal, part.vertical), strict=True)
        ]
        planes.append(upsample(plane, *ratios, is_fancy=smallest_size > 1)[:height, :width])
    return np.stack(planes, 2).astype(np.uint8 if precision == 8 else np.uint16)


def ybr_to_rgb(samples: Array, precision: int) -> Array:
    """Return RGB of YCbCr (T.871, table of jdcolor): factors with 16 fraction bits."""
    values = samples.astype(np.int64)
    luminance = values[..., 0]
    half = 1 << precision - 1
    blue, red = values[..., 1] - half, values[..., 2] - half
    rounding = 1 << 15
    rgb = [
        luminance + ((fixed(1.40200, 16) * red + rounding) >> 16),
        luminance + ((-fixed(0.34414, 16) * blue - fixed(0.71414, 16) * red + rounding) >> 16),
        luminance + ((fixed(1.77200, 16) * blue + rounding) >> 16),
    ]
    return np.clip(np.stack(rgb, -1), 0, 2 * half - 1).astype(samples.dtype)
