"""High-throughput encoding of code-blocks for tests, written from ITU-T T.814 clause 7."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders.jpeg2000_ebcot import CodedBlock
from support.encoders.jpeg2000_ht_tables import TABLES, Code

Array = npt.NDArray[Any]

# Exponents of the run lengths of the MEL code (Table 2).
MEL_EXPONENTS = (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5)
MAX_SUFFIX_BYTES = 4079


class ForwardBits:
    """Collects bits, least significant bit first; a zero bit follows each byte FF (7.1.2, 7.1.4)."""

    def __init__(self) -> None:
        self.out, self.value, self.used, self.size = bytearray(), 0, 0, 8

    def put(self, value: int, count: int) -> None:
        for shift in range(count):
            self.value |= (value >> shift & 1) << self.used
            self.used += 1
            if self.used == self.size:
                self.out.append(self.value)
                self.size = 7 if self.value == 0xFF else 8
                self.value = self.used = 0

    def finish_with_ones(self) -> bytes:
        """Fill the last byte with ones, and drop a last FF, which decoders supply (MagSgn)."""
        if self.used:
            value = self.value | (1 << self.size) - (1 << self.used)
            if value != 0xFF:
                self.out.append(value)
        elif self.size == 7:
            del self.out[-1]
        return bytes(self.out)

    def finish_with_zeros(self) -> bytes:
        """Fill the last byte with zeros, and append a byte after a last FF (SigProp)."""
        if self.used or self.size == 7:
            self.out.append(self.value)
        return bytes(self.out)


class BackwardBits:
    """Collects bits of a segment that is read from its end; a zero bit precedes seven ones before a byte over 8F.

    The VLC segment starts with the upper half of its last but one byte (7.1.3); the MagRef segment is whole (7.1.5).
    """

    def __init__(self, *, used: int) -> None:
        self.out, self.value, self.used, self.is_after_high = bytearray(), (1 << used) - 1, used, True

    def put(self, bits: str) -> None:
        """Append bits in the order of the stream."""
        for bit in bits:
            self.value |= (bit == "1") << self.used
            self.used += 1
            if self.used == 8 or (self.used == 7 and self.is_after_high and self.value == 0x7F):
                self.end_byte()

    def end_byte(self) -> None:
        self.out.append(self.value)
        self.is_after_high = self.value > 0x8F
        self.value = self.used = 0

    def finish(self) -> bytes:
        """Fill the first byte with zeros; return the bytes in the order of the codestream."""
        if self.used:
            self.end_byte()
        return bytes(reversed(self.out))


class MelEncoder:
    """Adaptive run-length code of events (7.1.1, 7.3.3); bits are packed from the most significant one."""

    def __init__(self) -> None:
        self.out, self.value, self.free = bytearray(), 0, 8
        self.run = self.index = 0

    def put(self, bit: int) -> None:
        self.value = self.value << 1 | bit
        self.free -= 1
        if not self.free:
            self.out.append(self.value)
            self.free = 7 if self.value == 0xFF else 8
            self.value = 0

    def encode(self, event: int) -> None:
        exponent = MEL_EXPONENTS[self.index]
        if not event:
            self.run += 1
            if self.run == 1 << exponent:
                self.put(1)
                self.run, self.index = 0, min(self.index + 1, 12)
            return
        self.put(0)
        for shift in range(exponent - 1, -1, -1):
            self.put(self.run >> shift & 1)
        self.run, self.index = 0, max(self.index - 1, 0)

    def finish(self) -> bytes:
        if self.run:
            self.put(1)
        while self.free != 8:
            self.put(0)
        return bytes(self.out)


def prefix_and_suffix(u: int) -> tuple[str, str]:
    """Return the prefix of the U-VLC code of u > 0, and the bits that follow all prefixes (7.3.6)."""
    if u <= 2:
        return ("1", "01")[u - 1], ""
    if u <= 4:
        return "001", str(u - 3)
    return "000", f"{min(u - 5, 28 + (u - 33) % 4):05b}"[::-1]


def extension(u: int) -> str:
    return f"{(u - 33) // 4:04b}"[::-1] if u >= 33 else ""


def exponent_residuals(first: int, second: int, mel: MelEncoder, *, is_first_row: bool) -> str:
    """Return the U-VLC codes of a pair of quads; zero has no code (7.3.6)."""
    values = [first, second]
    short = ""
    if is_first_row and first and second:
        are_both_large = first > 2 and second > 2
        mel.encode(int(are_both_large))
        if are_both_large:
            values = [first - 2, second - 2]
        elif first > 2:
            values, short = [first], str(second - 1)
    codes = [prefix_and_suffix(u) for u in values if u]
    prefixes = "".join(prefix for prefix, _ in codes) + short
    return prefixes + "".join(suffix for _, suffix in codes) + "".join(extension(u) for u in values)


def best_code(codes: list[Code], pattern: int) -> Code:
    """Return the code that declares most exponent bits among those that agree with the pattern of maximum exponents."""
    return max((code for code in codes if pattern & code.known == code.ones), key=lambda code: code.known.bit_count())


class CleanupEncoder:
    """Encodes the cleanup pass (7.3). Magnitudes and exponents have one further row and column on each side."""

    def __init__(self, magnitudes: Array, is_negative: Array) -> None:
        self.rows, self.columns = (side + side % 2 for side in magnitudes.shape)
        # Two further columns on the right: the quad after the last one is empty.
        borders = ((1, 1 + magnitudes.shape[0] % 2), (1, 3 + magnitudes.shape[1] % 2))
        self.magnitudes: list[list[int]] = np.pad(magnitudes, borders).tolist()
        self.is_negative: list[list[int]] = np.pad(is_negative.astype(int), borders).tolist()
        self.exponents = [[(2 * value - 1).bit_length() if value else 0 for value in row] for row in self.magnitudes]
        self.mel, self.vlc, self.signs = MelEncoder(), BackwardBits(used=4), ForwardBits()

    def context(self, y: int, x: int) -> int:
        """Return the context of the quad with this top left sample (7.3.5)."""
        above, top, bottom = self.magnitudes[y - 1 : y + 2]
        if y == 1:
            if x == 1:
                return 0
            # Left quad.
            return bool(top[x - 2] or bottom[x - 2]) | bool(top[x - 1]) << 1 | bool(bottom[x - 1]) << 2
        west = bool(top[x - 1] or bottom[x - 1])
        return bool(above[x - 1] or above[x]) | west << 1 | bool(above[x + 1] or above[x + 2]) << 2

    def quad(self, y: int, x: int) -> tuple[str, int]:
        """Encode the samples of a quad; return its VLC codeword and its exponent residual u."""
        samples = (y, x), (y + 1, x), (y, x + 1), (y + 1, x + 1)
        exponents = [self.exponents[row][column] for row, column in samples]
        rho = sum(bool(exponent) << index for index, exponent in enumerate(exponents))
        context, predictor = self.context(y, x), 1
        if y > 1 and rho.bit_count() > 1:
            predictor = max(1, max(self.exponents[y - 1][x - 1 : x + 3]) - 1)
        if context == 0:
            self.mel.encode(int(rho > 0))
            if not rho:
                return "", 0
        maximum = max(predictor, *exponents)
        u = maximum - predictor
        pattern = sum((exponent == maximum) << index for index, exponent in enumerate(exponents)) if u else 0
        code = best_code(TABLES[y > 1][context][rho, u > 0], pattern)
        for index, (row, column) in enumerate(samples):
            if rho >> index & 1:
                value = 2 * (self.magnitudes[row][column] - 1) + self.is_negative[row][column]
                self.signs.put(value, maximum - (code.known >> index & 1))
        return code.bits, u

    def encode(self) -> bytes:
        for y in range(1, self.rows, 2):
            for x in range(1, self.columns, 4):
                first_bits, first = self.quad(y, x)
                second_bits, second = self.quad(y, x + 2) if x + 2 <= self.columns else ("", 0)
                residuals = exponent_residuals(first, second, self.mel, is_first_row=y == 1)
                self.vlc.put(first_bits + second_bits + residuals)
        magnitudes_and_signs = self.signs.finish_with_ones()
        suffix = bytearray(self.mel.finish() + self.vlc.finish() + b"\xff")
        # The length of the suffix replaces its last 12 bits.
        assert 2 <= len(suffix) <= MAX_SUFFIX_BYTES
        suffix[-1] = len(suffix) >> 4
        suffix[-2] = suffix[-2] & 0xF0 | len(suffix) & 0xF
        return magnitudes_and_signs + bytes(suffix)


def scan(rows: int, columns: int, width: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the samples of each group of `width` columns of each stripe of four rows, column by column."""
    for top in range(0, rows, 4):
        for left in range(0, columns, width):
            yield [
                (row, column)
                for column in range(left, min(left + width, columns))
                for row in range(top, min(top + 4, rows))
            ]


def significance_pass(
    bits: Array, is_negative: Array, is_significant: Array, *, is_causal: bool
) -> tuple[bytes, Array]:
    """Return the SigProp segment (7.4), and true for the samples that it codes.

    For each group of four columns it has the bits of the neighbours of significant samples, and then the signs.
    """
    out = ForwardBits()
    padded, is_coded = np.pad(is_significant, 1), np.zeros_like(is_significant)
    for group in scan(*bits.shape, 4):
        members = []
        for row, column in group:
            # The row below a stripe is not seen if contexts are vertically causal.
            end = row + 2 if is_causal and row % 4 == 3 else row + 3
            if not is_significant[row, column] and padded[row:end, column : column + 3].any():
                out.put(int(bits[row, column]), 1)
                is_coded[row, column] = True
                if bits[row, column]:
                    padded[row + 1, column + 1] = True
                    members.append((row, column))
        for sample in members:
            out.put(int(is_negative[sample]), 1)
    return out.finish_with_zeros(), is_coded


def refinement_pass(bits: Array, is_significant: Array) -> bytes:
    """Return the MagRef segment (7.5): bits of the samples that are significant after the cleanup pass."""
    out = BackwardBits(used=0)
    for group in scan(*bits.shape, 1):
        out.put("".join(str(int(bits[sample])) for sample in group if is_significant[sample]))
    return out.finish()


def encode_block(coefficients: Array, *, plane: int = 0, pass_count: int = 1, is_causal: bool = False) -> CodedBlock:
    """Encode a code-block of signed integers.

    The cleanup pass codes the magnitudes from bit-plane `plane`; two further passes add bits of the plane below.
    """
    magnitudes = np.abs(coefficients)
    if not magnitudes.any():
        return CodedBlock(0)
    is_negative, quantized = coefficients < 0, magnitudes >> plane
    coded = CodedBlock(plane + 1, [CleanupEncoder(quantized, is_negative).encode()], lowest_planes=plane)
    coded.passes.append((0, len(coded.segments[0])))
    if pass_count == 1:
        return coded
    bits, is_significant = magnitudes >> plane - 1 & 1, quantized > 0
    data, is_coded = significance_pass(bits, is_negative, is_significant, is_causal=is_causal)
    if pass_count == 3:
        data += refinement_pass(bits, is_significant)
        is_coded |= is_significant
    if data:
        coded.segments.append(data)
        coded.passes += [(1, len(data))] * (pass_count - 1)
        coded.lowest_planes = plane - is_coded
    return coded
