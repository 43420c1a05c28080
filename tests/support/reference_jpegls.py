"""Reference decoder for JPEG-LS: follows ITU-T T.87 bit by bit, is slow, and ignores errors of encoders.

It shares no code with the package or with the test encoder. `decode` returns the samples, or raises
`InvalidFrameError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from support.reference_jpegls_scan import BitReader, Coding, InvalidFrameError, State, threshold_defaults

SOI, EOI, SOS, DRI, DNL, SOF55, LSE, APP8 = 0xD8, 0xD9, 0xDA, 0xDD, 0xDC, 0xF7, 0xF8, 0xE8
SKIPPED = {*range(0xE0, 0xF0), 0xFE}


@dataclass
class Decoded:
    """Samples of shape (rows, columns[, components]), and what the headers declare."""

    values: npt.NDArray[Any]
    precision: int
    near: list[int]
    interleave: list[int]
    table_ids: list[int]
    tables: dict[int, list[int]]


class Decoder:
    """Decodes one frame."""

    def __init__(self, src: bytes) -> None:
        self.src, self.offset = src, 0
        self.precision = self.rows = self.columns = self.interval = self.transform = 0
        self.presets = [0] * 5
        self.identifiers: list[int] = []
        self.planes: dict[int, list[list[int]]] = {}
        self.near: dict[int, int] = {}
        self.interleave: dict[int, int] = {}
        self.table_ids: dict[int, int] = {}
        self.tables: dict[int, tuple[int, bytes]] = {}

    def read_bytes(self, count: int) -> bytes:
        if self.offset + count > len(self.src):
            raise InvalidFrameError("truncated", "the frame ends", len(self.src))
        self.offset += count
        return self.src[self.offset - count : self.offset]

    def read_marker(self) -> int:
        """Read the next marker and any number of fill bytes before it."""
        code = self.read_bytes(1)[0]
        is_marker = code == 0xFF
        while code == 0xFF:
            code = self.read_bytes(1)[0]
        if not is_marker or code == 0:
            raise InvalidFrameError("malformed", "no marker", self.offset - 1)
        return code

    def read_payload(self) -> bytes:
        length = int.from_bytes(self.read_bytes(2), "big")
        if length < 2:
            raise InvalidFrameError("malformed", "a length that does not include itself", self.offset - 2)
        return self.read_bytes(length - 2)

    def run(self) -> Decoded:
        if self.read_bytes(2) != bytes([0xFF, SOI]):
            raise InvalidFrameError("malformed", "no SOI", 0)
        while (code := self.read_marker()) != EOI:
            self.read_segment(code, self.read_payload())
        if not self.identifiers or len(self.planes) < len(self.identifiers):
            raise InvalidFrameError("truncated", "EOI before all components are decoded", self.offset)
        return self.result()

    def read_segment(self, code: int, payload: bytes) -> None:
        if code == SOF55:
            self.read_frame_header(payload)
        elif code == LSE:
            self.read_presets(payload)
        elif code == DRI:
            self.interval = int.from_bytes(payload, "big")
        elif code == DNL:
            self.rows = int.from_bytes(payload, "big")
        elif code == SOS:
            self.read_scan(payload)
        elif code in SKIPPED:
            if code == APP8 and payload[:4] == b"mrfx" and len(payload) == 5:
                self.transform = payload[4]
        else:
            raise InvalidFrameError("unsupported", f"marker {code:02X}", self.offset)

    def read_frame_header(self, payload: bytes) -> None:
        if self.identifiers or len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
            raise InvalidFrameError("malformed", "SOF55", self.offset)
        self.precision = payload[0]
        rows, columns = int.from_bytes(payload[1:3], "big"), int.from_bytes(payload[3:5], "big")
        self.rows, self.columns = rows or self.rows, columns or self.columns
        self.identifiers = list(payload[6::3])
        if any(factors != 0x11 for factors in payload[7::3]) and len(self.identifiers) > 1:
            raise InvalidFrameError("unsupported", "subsampled components", self.offset)

    def read_presets(self, payload: bytes) -> None:
        """Read an LSE segment (C.2.4)."""
        if payload[0] == 1:
            self.presets = [int.from_bytes(payload[offset : offset + 2], "big") for offset in range(1, 11, 2)]
        elif payload[0] == 2:
            self.tables[payload[1]] = payload[2], payload[3:]
        elif payload[0] == 3:
            self.tables[payload[1]] = payload[2], self.tables[payload[1]][1] + payload[3:]
        elif payload[0] == 4:
            size = payload[1]
            self.rows = int.from_bytes(payload[2 : 2 + size], "big")
            self.columns = int.from_bytes(payload[2 + size : 2 + 2 * size], "big")
        else:
            raise InvalidFrameError("unsupported", f"LSE type {payload[0]}", self.offset)

    def find_rows(self) -> int:
        """Return the number of lines of the DNL segment after the scan that starts here."""
        offset = self.offset
        while offset + 1 < len(self.src):
            if self.src[offset] == 0xFF and self.src[offset + 1] == DNL:
                lookahead = Decoder(self.src)
                lookahead.offset = offset + 2
                return int.from_bytes(lookahead.read_payload(), "big")
            offset += 1
        raise InvalidFrameError("malformed", "no number of lines", self.offset)

    def read_scan(self, payload: bytes) -> None:
        count = payload[0]
        if len(payload) != 4 + 2 * count:
            raise InvalidFrameError("malformed", "length of SOS", self.offset)
        indices = [self.identifiers.index(identifier) for identifier in payload[1 : 1 + 2 * count : 2]]
        near, interleave, _ = payload[1 + 2 * count :]
        self.rows = self.rows or self.find_rows()
        maxval = self.presets[0] or (1 << self.precision) - 1
        defaults = threshold_defaults(maxval, near)
        thresholds = [value or default for value, default in zip(self.presets[1:4], defaults, strict=True)]
        coding = Coding(maxval, near, thresholds, self.presets[4] or 64)
        planes: list[list[list[int]]] = [[] for _ in indices]
        interval = self.interval or self.rows
        for start in range(0, self.rows, interval):
            if start and (code := self.read_marker()) != 0xD0 + (start // interval - 1) % 8:
                raise InvalidFrameError("malformed", f"marker {code:02X} instead of a restart", self.offset)
            state = State(coding, self.columns, count, BitReader(self.src, self.offset))
            for _ in range(start, min(start + interval, self.rows)):
                lines = state.decode_pixels() if interleave == 2 else [state.decode_line(i) for i in range(count)]
                for plane, line in zip(planes, lines, strict=True):
                    plane.append(line)
            self.offset = state.reader.end()
        for position, index in enumerate(indices):
            self.planes[index] = planes[position]
            self.near[index], self.interleave[index] = near, interleave
            self.table_ids[index] = payload[2 + 2 * position]

    def result(self) -> Decoded:
        order = range(len(self.identifiers))
        samples = np.array([self.planes[index] for index in order], np.int64)
        if self.transform:
            samples = np.stack(inverse_transform(samples, self.transform, 8 if self.precision <= 8 else 16))
        values = samples.transpose(1, 2, 0).astype(np.uint8 if self.precision <= 8 else np.uint16)
        tables = {
            identifier: [
                int.from_bytes(entries[offset : offset + size], "big") for offset in range(0, len(entries), size)
            ]
            for identifier, (size, entries) in self.tables.items()
        }
        return Decoded(
            values[..., 0] if len(order) == 1 else values,
            self.precision,
            [self.near[index] for index in order],
            [self.interleave[index] for index in order],
            [self.table_ids[index] for index in order],
            tables,
        )


def inverse_transform(samples: npt.NDArray[Any], transform: int, bits: int) -> list[npt.NDArray[Any]]:
    """Return red, green and blue of a colour transform of Hewlett-Packard."""
    first, second, third = samples
    half, modulus = 2 ** (bits - 1), 2**bits
    if transform == 1:
        return [(first + second - half) % modulus, second, (third + second - half) % modulus]
    if transform == 2:
        red = (first + second - half) % modulus
        return [red, second, (third + (red + second) // 2 - half) % modulus]
    # As CharLS: green is not reduced before it is added.
    green = first - (third + second) // 4 + half // 2
    return [(third + green - half) % modulus, green % modulus, (second + green - half) % modulus]


def decode(src: bytes) -> Decoded:
    """Decode one frame."""
    return Decoder(src).run()
