"""Marker segments and boxes of JPEG 2000 for tests (ITU-T T.800 Annexes A and I, T.814 Annex A)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from support.encoders.jpeg2000_ebcot import HT
from support.encoders.jpeg2000_geometry import Band

SOC, SIZ, CAP, COD, COC, TLM, PLM, PLT = 0x4F, 0x51, 0x50, 0x52, 0x53, 0x55, 0x57, 0x58
QCD, QCC, RGN, POC, PPM, PPT, CRG, COM = 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63, 0x64
SOT, SOP, EPH, SOD, EOC = 0x90, 0x91, 0x92, 0x93, 0xD9
# Rsiz and Pcap bits of T.814.
HT_CAPABILITY, PART_15 = 0x4000, 1 << 17
MAX_EXPONENT = 31


def marker(code: int) -> bytes:
    return bytes([0xFF, code])


def segment(code: int, payload: bytes) -> bytes:
    return marker(code) + struct.pack(">H", len(payload) + 2) + payload


@dataclass(frozen=True)
class Coding:
    """Coding style and quantization of a component.

    Attributes
    ----------
    wavelet : str
        "5/3" (reversible) or "9/7".
    block_exponents : tuple of int
        Binary logarithms of the width and height of code-blocks.
    style : int
        Code-block style (Table A.19).
    precincts : tuple of (int, int)
        Binary logarithms of the width and height of the precincts of each resolution, the last for all others.
    step : float
        Quantization step of 9/7; each band has a slightly larger one, or the derived one.
    exponent_bits : int
        Added to the exponents of 5/3, so that blocks have more zero bit-planes.
    roi_shift : int
        Maximum shift (RGN); the region of interest is the middle of each band.
    max_passes : int or None
        Truncates each code-block.
    ht_plane, ht_passes : int
        Bit-plane of the HT cleanup pass, and number of HT passes.
    ht_placeholders : int
        HT sets without data before the coded ones, where zero bit-planes are left for them (T.814 B.1).
    """

    levels: int = 3
    wavelet: str = "5/3"
    block_exponents: tuple[int, int] = (6, 6)
    style: int = 0
    precincts: tuple[tuple[int, int], ...] = ()
    guard_bits: int = 2
    step: float = 1 / 32
    is_derived: bool = False
    exponent_bits: int = 0
    roi_shift: int = 0
    max_passes: int | None = None
    ht_plane: int = 0
    ht_passes: int = 1
    ht_placeholders: int = 0

    @property
    def precinct_exponents(self) -> tuple[tuple[int, int], ...]:
        """Exponents of the precincts of all resolutions; none without explicit ones."""
        if not self.precincts:
            return ()
        return tuple(self.precincts[min(index, len(self.precincts) - 1)] for index in range(self.levels + 1))

    @property
    def style_bytes(self) -> bytes:
        """Parameters of COD and COC after the number of layers (Table A.20)."""
        width, height = self.block_exponents
        fixed = bytes([self.levels, width - 2, height - 2, self.style, int(self.wavelet == "5/3")])
        return fixed + bytes(y << 4 | x for x, y in self.precinct_exponents)

    def band_steps(self, precision: int) -> list[tuple[int, int]]:
        """Return exponent and mantissa of each band, the lowest first (Table A.28)."""
        gains = [0] + [1, 1, 2] * self.levels
        if self.wavelet == "5/3":
            return [(min(precision + gain + self.exponent_bits, MAX_EXPONENT), 0) for gain in gains]
        steps = []
        for index, gain in enumerate(gains):
            fraction, power = math.frexp(self.step * (1 + index / 16))
            steps.append((precision + gain + 1 - power, int((2 * fraction - 1) * 2048)))
        return steps

    def band_step(self, band: Band, precision: int) -> tuple[int, int]:
        """Return exponent and mantissa of a band, from which a decoder derives its step (E.1.1)."""
        steps = self.band_steps(precision)
        if band.kind == "LL":
            return steps[0]
        if self.is_derived and self.wavelet == "9/7":
            return steps[0][0] - self.levels + band.level, steps[0][1]
        return steps[1 + 3 * (self.levels - band.level) + ("HL", "LH", "HH").index(band.kind)]

    def quantization_bytes(self, precision: int) -> bytes:
        """Parameters of QCD and QCC (Table A.27)."""
        steps = self.band_steps(precision)
        guard = self.guard_bits << 5
        if self.wavelet == "5/3":
            return bytes([guard, *(exponent << 3 for exponent, _ in steps)])
        written = steps[:1] if self.is_derived else steps
        return bytes([guard | 2 - self.is_derived]) + b"".join(struct.pack(">H", e << 11 | m) for e, m in written)


@dataclass(frozen=True)
class Component:
    """Precision, sign and subsampling of a component (Table A.11)."""

    precision: int
    is_signed: bool = False
    subsampling: tuple[int, int] = (1, 1)

    @property
    def size_bytes(self) -> bytes:
        return bytes([self.is_signed << 7 | self.precision - 1, *self.subsampling])


def siz(areas: Sequence[int], components: Sequence[Component], capabilities: int = 0) -> bytes:
    """Return the SIZ segment; `areas` are Xsiz, Ysiz, XOsiz, YOsiz, XTsiz, YTsiz, XTOsiz, YTOsiz."""
    fixed = struct.pack(">H8LH", capabilities, *areas, len(components))
    return segment(SIZ, fixed + b"".join(component.size_bytes for component in components))


def cap(codings: Iterable[Coding], bits: int = 0) -> bytes:
    """Return the CAP segment of an HT codestream (T.814 A.3)."""
    used = list(codings)
    irreversible = any(coding.wavelet == "9/7" for coding in used) << 5
    region = any(coding.roi_shift for coding in used) << 12
    heterogeneous = (not all(coding.style & HT for coding in used)) << 11
    # The magnitude bound is 2^27 at least.
    return segment(CAP, struct.pack(">LH", PART_15, irreversible | region | heterogeneous | 20 | bits))


def cod(coding: Coding, progression: int, layers: int, *, has_transform: bool, sop: bool, eph: bool) -> bytes:
    flags = bool(coding.precincts) | sop << 1 | eph << 2
    general = struct.pack(">BBHB", flags, progression, layers, has_transform)
    return segment(COD, general + coding.style_bytes)


def component_number(index: int, count: int) -> bytes:
    return index.to_bytes(1 if count < 257 else 2, "big")


def coc(index: int, count: int, coding: Coding) -> bytes:
    flags = bytes([bool(coding.precincts)])
    return segment(COC, component_number(index, count) + flags + coding.style_bytes)


def qcd(coding: Coding, precision: int) -> bytes:
    return segment(QCD, coding.quantization_bytes(precision))


def qcc(index: int, count: int, coding: Coding, precision: int) -> bytes:
    return segment(QCC, component_number(index, count) + coding.quantization_bytes(precision))


def rgn(index: int, count: int, shift: int) -> bytes:
    return segment(RGN, component_number(index, count) + bytes([0, shift]))


def comment(text: bytes) -> bytes:
    return segment(COM, b"\0\1" + text)


def packet_lengths(lengths: Iterable[int]) -> bytes:
    """Return lengths in groups of seven bits, of which the last has a zero upper bit (A.7.2)."""
    out = bytearray()
    for length in lengths:
        groups = [length & 0x7F]
        while length := length >> 7:
            groups.append(length & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return bytes(out)


def segment_count(data: bytes, size: int) -> int:
    """Return the number of segments that `numbered_segments` writes without breaks."""
    return max(1, -(-len(data) // size))


def numbered_segments(code: int, data: bytes, size: int, number: int = 0, *, breaks: Iterable[int] = ()) -> bytes:
    """Return segments of at most `size` bytes, numbered from `number`.

    They do not divide the four bytes at `breaks`.
    """
    starts = list(breaks)
    out, offset = b"", 0
    while offset < len(data) or not out:
        end = min(offset + size, len(data))
        end = next((start for start in starts if offset < start < end < start + 4), end)
        out += segment(code, bytes([number]) + data[offset:end])
        offset, number = end, number + 1
    return out


def bare_codestream(
    width: int,
    height: int,
    coding: Coding,
    tile_parts: Iterable[tuple[int, bytes]],
    *,
    tile: tuple[int, int] | None = None,
    layers: int = 1,
) -> bytes:
    """Return a codestream of one component of 8 bits; each tile-part is the index of its tile, and its packets."""
    areas = (width, height, 0, 0, *(tile or (width, height)), 0, 0)
    style = cod(coding, 0, layers, has_transform=False, sop=False, eph=False)
    out = [marker(SOC), siz(areas, [Component(8)]), style, qcd(coding, 8)]
    counts: dict[int, int] = {}
    for index, packets in tile_parts:
        number = counts[index] = counts.get(index, -1) + 1
        out.append(segment(SOT, struct.pack(">HLBB", index, 14 + len(packets), number, 0)) + marker(SOD) + packets)
    return b"".join(out) + marker(EOC)


def box(kind: bytes, payload: bytes, *, length: str = "short") -> bytes:
    """Return a box whose length is `short`, `extended` (64 bits) or `open` (0: to the end of the file)."""
    if length == "extended":
        return struct.pack(">L4sQ", 1, kind, len(payload) + 16) + payload
    return struct.pack(">L4s", 0 if length == "open" else len(payload) + 8, kind) + payload


def jp2(codestream: bytes, rows: int, columns: int, components: Sequence[Component], **options: str) -> bytes:
    """Return a JP2 (or JPH) file; options are `brand`, and `length` of the codestream's box."""
    brand = options.get("brand", "jp2 ").encode()
    depths = [component.size_bytes[0] for component in components]
    is_uniform = len(set(depths)) == 1
    header = box(
        b"ihdr", struct.pack(">LLHBBBB", rows, columns, len(components), depths[0] if is_uniform else 255, 7, 0, 0)
    )
    if not is_uniform:
        header += box(b"bpcc", bytes(depths))
    header += box(b"colr", struct.pack(">BBBL", 1, 0, 0, 16 if len(components) >= 3 else 17))
    return (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", brand + bytes(4) + brand)
        + box(b"jp2h", header)
        + box(b"jp2c", codestream, length=options.get("length", "short"))
    )
