"""Plain decoder of JPEG DCT codestreams (ITU-T T.81), the oracle of the tests: marker segments and coefficients.

It reads valid codestreams of the sequential and progressive Huffman processes; `reference_jpeg_samples` computes the
samples as libjpeg-turbo does, whose rounding T.81 leaves open.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from support import reference_jpeg_samples
from support.encoders.jpeg_dct_tables import TYPICAL, ZIGZAG

Array = npt.NDArray[Any]
NATURAL_ORDER = [*ZIGZAG.tolist(), *[63] * 16]


class InvalidStreamError(ValueError):
    """The codestream is damaged, or of another process."""


@dataclass
class Component:
    """A component of the frame. Its quantization table is that in force at its first scan."""

    identifier: int
    horizontal: int
    vertical: int
    quantization_id: int
    # Block rows, block columns, 64 coefficients in natural order.
    blocks: Array = field(default_factory=lambda: np.zeros((0, 0, 64), np.int64))
    # Block rows and columns of a scan of this component alone.
    own_size: tuple[int, int] = (0, 0)
    quantizer: Array | None = None


@dataclass
class Frame:
    """The frame header, the coefficients, and the declarations of colour."""

    marker: int
    precision: int
    rows: int
    columns: int
    components: list[Component]
    has_jfif: bool = False
    adobe_transform: int | None = None

    @property
    def is_ybr(self) -> bool:
        """Return True if the colour is YCbCr by libjpeg's rules: JFIF, Adobe, component identifiers."""
        if len(self.components) != 3:
            return False
        if self.has_jfif:
            return True
        if self.adobe_transform is not None:
            return self.adobe_transform != 0
        return bytes(component.identifier for component in self.components) != b"RGB"


class Bits:
    """Bits of one restart interval, from its first bit on."""

    def __init__(self, stuffed: bytes) -> None:
        data = stuffed.replace(b"\xff\x00", b"\xff")
        self.end = 8 * len(data)
        self.position = 0
        octets = np.frombuffer(data + bytes(40), np.uint8).astype(np.int64)
        windows = octets[:-2] << 16 | octets[1:-1] << 8 | octets[2:]
        # The 16 bits from each position on.
        self._windows = (windows[:, None] >> (8 - np.arange(8)) & 0xFFFF).reshape(-1).tolist()

    def read(self, count: int) -> int:
        value: int = self._windows[self.position] >> (16 - count)
        self.position += count
        self._check()
        return value

    def symbol(self, table: list[int]) -> int:
        entry = table[self._windows[self.position]]
        if not entry:
            raise InvalidStreamError("unassigned code")
        self.position += entry >> 8
        self._check()
        return entry & 0xFF

    def value(self, category: int) -> int:
        """Return the value with this category (F.2.2.1, EXTEND)."""
        if category == 0:
            return 0
        bits = self.read(category)
        return bits if bits >> category - 1 else bits - (1 << category) + 1

    def _check(self) -> None:
        if self.position > self.end:
            raise InvalidStreamError("the segment ends early")


@lru_cache(maxsize=64)
def lookup(bits: tuple[int, ...], values: tuple[int, ...]) -> list[int]:
    """Return length x 256 + symbol of the code at the start of each 16-bit number, 0 if there is none."""
    out, code, index = [0] * 65536, 0, 0
    for length, count in enumerate(bits, 1):
        for value in values[index : index + count]:
            first = code << 16 - length
            width = 1 << 16 - length
            out[first : first + width] = [length << 8 | value] * width
            code += 1
        index += count
        code <<= 1
    assert len(out) == 65536, "over-subscribed codes"
    return out


@dataclass
class _Scan:
    """Scan header, and the state of one restart interval."""

    components: list[tuple[Component, int, int]]
    start: int
    end: int
    high: int
    low: int
    eob_run: int = 0
    predictions: dict[int, int] = field(default_factory=dict)


class _Decoder:
    """Reads marker segments in order."""

    def __init__(self, src: bytes) -> None:
        self.src = src
        self.offset = 2
        self.tables = {key: (table.bits, table.values) for key, table in TYPICAL.items()}
        self.quantizers: dict[int, Array] = {}
        self.interval = 0
        self.frame: Frame | None = None
        self.has_jfif = False
        self.adobe: int | None = None

    def frame_header(self, marker: int, payload: bytes) -> None:
        precision, rows, columns, count = struct.unpack(">BHHB", payload[:6])
        parts = [payload[6 + 3 * index : 9 + 3 * index] for index in range(count)]
        components = [Component(part[0], part[1] >> 4, part[1] & 15, part[2]) for part in parts]
        self.frame = Frame(marker, precision, rows or self.dnl_lines(), columns, components)
        self.allocate(self.frame)

    def allocate(self, frame: Frame) -> None:
        largest_h = max(component.horizontal for component in frame.components)
        largest_v = max(component.vertical for component in frame.components)
        for component in frame.components:
            height = -(-frame.rows * component.vertical // largest_v)
            width = -(-frame.columns * component.horizontal // largest_h)
            component.own_size = -(-height // 8), -(-width // 8)
            block_rows = -(-frame.rows // (8 * largest_v)) * component.vertical
            block_columns = -(-frame.columns // (8 * largest_h)) * component.horizontal
            if len(frame.components) == 1:
                # The blocks of a single component are in raster order, whatever its factors (A.2.2).
                block_rows, block_columns = component.own_size
            component.blocks = np.zeros((block_rows, block_columns, 64), np.int64)

    def dnl_lines(self) -> int:
        """Return the number of lines of the DNL segment."""
        return int.from_bytes(self.src[self.src.index(b"\xff\xdc\0\4") + 4 :][:2], "big")

    def define_huffman(self, payload: bytes) -> None:
        while payload:
            bits = tuple(payload[1:17])
            values = tuple(payload[17 : 17 + sum(bits)])
            self.tables[payload[0] >> 4, payload[0] & 15] = bits, values
            payload = payload[17 + sum(bits) :]

    def define_quantizers(self, payload: bytes) -> None:
        while payload:
            dtype = ">u2" if payload[0] >> 4 else ">u1"
            size = 64 * np.dtype(dtype).itemsize
            natural = np.zeros(64, np.int64)
            natural[ZIGZAG] = np.frombuffer(payload[1 : 1 + size], dtype)
            self.quantizers[payload[0] & 15] = natural
            payload = payload[1 + size :]

    def scan(self, payload: bytes) -> None:
        assert self.frame is not None
        count = payload[0]
        by_identifier = {component.identifier: component for component in self.frame.components}
        selected = [
            (by_identifier[payload[1 + 2 * index]], payload[2 + 2 * index] >> 4, payload[2 + 2 * index] & 15)
            for index in range(count)
        ]
        start, end, approximation = payload[1 + 2 * count : 4 + 2 * count]
        if self.frame.marker != 0xC2:
            # The parameters of sequential scans are fixed (B.2.3); five real files have others.
            start, end, approximation = 0, 63, 0
        for component, _, _ in selected:
            if component.quantizer is None:
                component.quantizer = self.quantizers[component.quantization_id]
        segments = self.segments()
        mcus = list(self.mcus(selected))
        step = self.interval or len(mcus)
        if len(segments) != -(-len(mcus) // step):
            raise InvalidStreamError("restart markers are missing or superfluous")
        for number, segment in enumerate(segments):
            bits = Bits(segment)
            scan = _Scan(selected, start, end, approximation >> 4, approximation & 15)
            for mcu in mcus[number * step : (number + 1) * step]:
                for index, row, column in mcu:
                    component, dc, ac = selected[index]
                    self.block(bits, scan, index, dc, ac, component.blocks[row, column])

    def segments(self) -> list[bytes]:
        """Return the entropy-coded segments up to the next marker that is not RST."""
        found, first = [], self.offset
        position = first
        while True:
            position = self.src.find(b"\xff", position)
            if position < 0 or position + 1 >= len(self.src):
                found.append(self.src[first:])
                self.offset = len(self.src)
                return found
            code = self.src[position + 1]
            if code == 0:
                position += 2
            elif code == 0xFF and self.src[position + 1 :].lstrip(b"\xff")[:1] != b"\0":
                # Fill bytes before a marker.
                self.src = self.src[:position] + b"\xff" + self.src[position:].lstrip(b"\xff")
            elif 0xD0 <= code <= 0xD7:
                if code & 7 != len(found) & 7:
                    raise InvalidStreamError("restart markers out of order")
                found.append(self.src[first:position])
                position = first = position + 2
            else:
                found.append(self.src[first:position])
                self.offset = position
                return found

    def mcus(self, selected: list[tuple[Component, int, int]]) -> Any:
        """Yield the blocks of each MCU: index in the scan, block row, block column."""
        if len(selected) == 1:
            rows, columns = selected[0][0].own_size
            yield from ([(0, row, column)] for row in range(rows) for column in range(columns))
            return
        first = selected[0][0]
        for row in range(first.blocks.shape[0] // first.vertical):
            for column in range(first.blocks.shape[1] // first.horizontal):
                yield [
                    (index, row * component.vertical + y, column * component.horizontal + x)
                    for index, (component, _, _) in enumerate(selected)
                    for y in range(component.vertical)
                    for x in range(component.horizontal)
                ]

    def block(self, bits: Bits, scan: _Scan, index: int, dc: int, ac: int, out: Array) -> None:
        assert self.frame is not None
        is_progressive = self.frame.marker == 0xC2
        if scan.start == 0 and scan.high:
            out[0] |= bits.read(1) << scan.low
            return
        if scan.start == 0:
            category = bits.symbol(lookup(*self.tables[0, dc]))
            scan.predictions[index] = scan.predictions.get(index, 0) + bits.value(category)
            out[0] = wrap16(scan.predictions[index] << scan.low)
        if not is_progressive:
            self.sequential(bits, lookup(*self.tables[1, ac]), out)
        elif scan.start and scan.high:
            self.ac_refinement(bits, scan, ac, out)
        elif scan.start:
            self.ac_first(bits, scan, ac, out)

    def sequential(self, bits: Bits, table: list[int], out: Array) -> None:
        index = 1
        while index < 64:
            symbol = bits.symbol(table)
            run, category = symbol >> 4, symbol & 15
            if category == 0:
                if run != 15:
                    return
                index += 16
                continue
            index += run
            # libjpeg-turbo stores a value beyond the block as coefficient 63.
            out[NATURAL_ORDER[index]] = wrap16(bits.value(category))
            index += 1

    def ac_first(self, bits: Bits, scan: _Scan, ac: int, out: Array) -> None:
        if scan.eob_run:
            scan.eob_run -= 1
            return
        table, index = lookup(*self.tables[1, ac]), scan.start
        while index <= scan.end:
            symbol = bits.symbol(table)
            run, category = symbol >> 4, symbol & 15
            if category == 0:
                if run != 15:
                    scan.eob_run = (1 << run) - 1 + (bits.read(run) if run else 0)
                    return
                index += 16
                continue
            index += run
            out[NATURAL_ORDER[index]] = wrap16(bits.value(category) << scan.low)
            index += 1

    def ac_refinement(self, bits: Bits, scan: _Scan, ac: int, out: Array) -> None:
        """Decode correction bits and new coefficients (G.1.2.3)."""
        table, index, step = lookup(*self.tables[1, ac]), scan.start, 1 << scan.low

        def correct(position: int) -> None:
            if bits.read(1):
                out[position] += step if out[position] > 0 else -step

        while index <= scan.end and not scan.eob_run:
            symbol = bits.symbol(table)
            run, category = symbol >> 4, symbol & 15
            value = 0
            if category:
                value = step if bits.read(1) else -step
            elif run != 15:
                scan.eob_run = (1 << run) + (bits.read(run) if run else 0)
                break
            while index <= scan.end:
                position = NATURAL_ORDER[index]
                index += 1
                if out[position]:
                    correct(position)
                elif run == 0:
                    out[position] = value
                    break
                else:
                    run -= 1
        if scan.eob_run:
            for position in NATURAL_ORDER[index : scan.end + 1]:
                if out[position]:
                    correct(position)
            scan.eob_run -= 1

    def run(self) -> Frame:
        while self.offset < len(self.src):
            while self.src[self.offset + 1 : self.offset + 2] == b"\xff":
                self.offset += 1
            marker = self.src[self.offset + 1]
            if marker == 0xD9:
                break
            length = int.from_bytes(self.src[self.offset + 2 : self.offset + 4], "big")
            payload = self.src[self.offset + 4 : self.offset + 2 + length]
            self.offset += 2 + length
            self.segment(marker, payload)
        if self.frame is None:
            raise InvalidStreamError("no frame header")
        self.frame.has_jfif, self.frame.adobe_transform = self.has_jfif, self.adobe
        return self.frame

    def segment(self, marker: int, payload: bytes) -> None:
        if marker in (0xC0, 0xC1, 0xC2):
            self.frame_header(marker, payload)
        elif marker == 0xC4:
            self.define_huffman(payload)
        elif marker == 0xDB:
            self.define_quantizers(payload)
        elif marker == 0xDD:
            self.interval = int.from_bytes(payload, "big")
        elif marker == 0xDA:
            self.scan(payload)
        elif marker == 0xE0:
            self.has_jfif = self.has_jfif or payload.startswith(b"JFIF\0")
        elif marker == 0xEE and payload.startswith(b"Adobe") and len(payload) >= 12:
            self.adobe = payload[11]
        elif 0xC3 <= marker <= 0xCF:
            raise InvalidStreamError(f"marker {marker:02X} is of another process")


def wrap16(value: int) -> int:
    """Return the value as a 16-bit two's complement number holds it."""
    return (value + 32768) % 65536 - 32768


def coefficients(src: bytes) -> Frame:
    """Return the frame with its quantised coefficients."""
    return _Decoder(src).run()


def decode(src: bytes, *, to_rgb: bool = False, reduce: int = 0) -> Array:
    """Return the samples (rows, columns[, components]) as libjpeg-turbo reconstructs them.

    With ``to_rgb``, YCbCr is converted to RGB; ``reduce`` halves the size that many times by scaled transforms.
    """
    frame = coefficients(src)
    components = []
    for component in frame.components:
        assert component.quantizer is not None
        factors = (1, 1) if len(frame.components) == 1 else (component.horizontal, component.vertical)
        components.append(reference_jpeg_samples.Component(component.blocks, component.quantizer, *factors))
    samples = reference_jpeg_samples.reconstruct(components, frame.rows, frame.columns, frame.precision, reduce)
    if to_rgb and frame.is_ybr:
        samples = reference_jpeg_samples.ybr_to_rgb(samples, frame.precision)
    return samples[..., 0] if samples.shape[2] == 1 else samples
