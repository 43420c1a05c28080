"""JPEG Lossless as ITU-T T.81 tells it, symbol by symbol: slow, without care for anybody's mistakes.

It shares no line with the product or with the encoder. `decode` gives the samples and what was tolerated on the
way, or raises `BadError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

SOI, EOI, SOS, DHT, DRI, DNL, TEM = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD, 0xDC, 0x01
# SOF3 apart: other processes, arithmetic coding, hierarchical frames and their DHP and EXP, arithmetic conditioning.
OTHER_PROCESSES = {*range(0xC0, 0xD0), 0xDE, 0xDF, 0xF7} - {0xC3, DHT, 0xC8}
# Application data, comments, quantization tables, what is reserved for extensions.
SKIPPED = {*range(0xE0, 0xFF), 0xDB} - {0xF7}


class BadError(Exception):
    """No frame of process 14, or not all of one."""

    def __init__(self, kind: str, what: str, at: int) -> None:
        super().__init__(f"{kind}: {what} at byte {at}")
        self.kind = kind


@dataclass
class Component:
    """A component of the frame header, and its samples once its scan is through."""

    number: int
    lines: list[list[int]] | None = None


@dataclass
class Decoded:
    """Samples as (rows, columns[, components]), and what was not as it should be."""

    values: npt.NDArray[Any]
    precision: int
    notes: list[str]


@dataclass
class Tables:
    """The code tables of F.2.2.3: by length the least and the greatest code, and where their values begin."""

    bits: list[int]
    values: list[int]
    rows: list[tuple[int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        code = offset = 0
        for length, count in enumerate(self.bits, 1):
            self.rows.append((code, code + count, offset))
            code += count
            offset += count
            if code > 1 << length:
                raise BadError("malformed", "more codes than there can be", 0)
            code <<= 1


class Bits:
    """The entropy-coded segment from a place on: bit by bit, up to the marker that ends it."""

    def __init__(self, src: bytes, at: int) -> None:
        self.src, self.at, self.byte, self.left = src, at, 0, 0

    def bit(self) -> int:
        if self.left == 0:
            if self.at >= len(self.src):
                raise BadError("truncated", "entropy-coded data end", self.at)
            self.byte = self.src[self.at]
            if self.byte == 0xFF:
                if self.at + 1 >= len(self.src):
                    raise BadError("truncated", "entropy-coded data end", self.at)
                if self.src[self.at + 1] != 0:
                    raise BadError("malformed", "a marker before the last sample", self.at)
                self.at += 1
            self.at += 1
            self.left = 8
        self.left -= 1
        return self.byte >> self.left & 1

    def bits(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self.bit()
        return value

    def symbol(self, table: Tables) -> int:
        code = 0
        for least, end, at in table.rows:
            code = code << 1 | self.bit()
            if code < end:
                return table.values[at + code - least]
        raise BadError("malformed", "a code that no symbol has", self.at)

    def difference(self, table: Tables) -> int:
        """H.1.2.2 and the EXTEND of F.2.2.1."""
        category = self.symbol(table)
        if category > 16:
            raise BadError("malformed", f"category {category}", self.at)
        if category == 16:
            return 32768
        value = self.bits(category)
        return value if category == 0 or value >> category - 1 else value - (1 << category) + 1

    def end(self) -> tuple[int, int]:
        """Where the marker lies that ends the segment, and the bytes left over before it."""
        offset, left = self.at, 0
        while offset < len(self.src):
            if self.src[offset] == 0xFF and offset + 1 == len(self.src):
                break
            if self.src[offset] == 0xFF and self.src[offset + 1] != 0:
                return offset, left
            left += 1
            offset += 2 if self.src[offset] == 0xFF else 1
        return len(self.src), left


class Decoder:
    """One frame."""

    def __init__(self, src: bytes) -> None:
        self.src, self.at = src, 0
        self.tables: dict[int, Tables] = {}
        self.components: list[Component] = []
        self.precision = self.rows = self.columns = self.interval = 0
        self.has_frame = False
        self.scans = 0
        self.notes: list[str] = []

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.src):
            raise BadError("truncated", "the frame ends", len(self.src))
        self.at += count
        return self.src[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def marker(self) -> int:
        """The next marker, whatever number of fill bytes is before it (B.1.1.2)."""
        if self.take(1)[0] != 0xFF:
            raise BadError("malformed", "no marker", self.at - 1)
        code = 0xFF
        while code == 0xFF:
            code = self.take(1)[0]
        if code == 0:
            raise BadError("malformed", "no marker", self.at - 1)
        return code

    def payload(self) -> bytes:
        length = self.number(2)
        if length < 2:
            raise BadError("malformed", "a length that does not count itself", self.at - 2)
        return self.take(length - 2)

    def run(self) -> Decoded:
        if self.take(2) != b"\xff\xd8":
            raise BadError("malformed", "no SOI", 0)
        code = -1
        while code != EOI:
            done, code = self.done(), -1
            try:
                code = self.marker()
                if code != EOI:
                    self.one(code)
            except BadError as error:
                # All samples are there: where no marker follows, or half a segment, nothing is lost but EOI.
                if not done or (code >= 0 and error.kind != "truncated"):
                    raise
                self.notes.append("no EOI")
                return self.finish()
        if not self.done():
            raise BadError("truncated", "EOI before all components are decoded", self.at)
        rest = self.src[self.at :]
        # One byte is padding if it is zero, or makes the length even (PS3.5 A.4).
        if len(rest) > 1 or (rest not in (b"", b"\0") and len(self.src) % 2 == 1):
            self.notes.append("bytes after EOI")
        return self.finish()

    def done(self) -> bool:
        return self.has_frame and all(component.lines is not None for component in self.components)

    def one(self, code: int) -> None:
        if code == 0xC3 and not self.has_frame:
            self.frame(self.payload())
        elif code == DHT:
            self.huffman(self.payload())
        elif code == DRI:
            payload = self.payload()
            if len(payload) != 2:
                raise BadError("malformed", "length of DRI", self.at)
            self.interval = int.from_bytes(payload, "big")
        elif code == SOS:
            self.scan(self.payload())
        elif code == DNL:
            # Taken behind the first scan; anywhere else it has no place (B.2.5).
            raise BadError("malformed", "DNL that follows no first scan", self.at)
        elif code in OTHER_PROCESSES:
            raise BadError("unsupported", f"marker {code:02X}", self.at)
        elif code in SKIPPED:
            self.payload()
        else:
            raise BadError("malformed", f"marker {code:02X}", self.at)

    def frame(self, payload: bytes) -> None:
        if len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
            raise BadError("malformed", "length of SOF3", self.at)
        self.precision = payload[0]
        self.rows = int.from_bytes(payload[1:3], "big")
        self.columns = int.from_bytes(payload[3:5], "big")
        if not 2 <= self.precision <= 16 or self.columns == 0 or payload[5] == 0:
            raise BadError("malformed", "precision, columns or components of SOF3", self.at)
        if payload[5] > 4:
            raise BadError("unsupported", "more than four components", self.at)
        for offset in range(6, len(payload), 3):
            horizontal, vertical = divmod(payload[offset + 1], 16)
            if not (1 <= horizontal <= 4 and 1 <= vertical <= 4):
                raise BadError("malformed", "sampling factors", self.at)
            if payload[offset] in [component.number for component in self.components]:
                raise BadError("malformed", "two components of one identifier", self.at)
            self.components.append(Component(payload[offset]))
        # A.1.1: factors are relative to each other, so that those of a single component say nothing.
        if len(self.components) > 1 and any(payload[offset + 1] != 0x11 for offset in range(6, len(payload), 3)):
            raise BadError("unsupported", "sampling factors other than one", self.at)
        self.has_frame = True

    def huffman(self, payload: bytes) -> None:
        offset = 0
        while offset < len(payload):
            kind, start = divmod(payload[offset], 16)
            bits = list(payload[offset + 1 : offset + 17])
            values = list(payload[offset + 17 : offset + 17 + sum(bits)])
            if len(bits) < 16 or len(values) < sum(bits) or kind > 1 or start > 3 or not 1 <= sum(bits) <= 256:
                raise BadError("malformed", "Huffman table", self.at)
            table = Tables(bits, values)
            if kind == 0:
                self.tables[start] = table
            offset += 17 + sum(bits)

    def scan(self, payload: bytes) -> None:
        if not self.has_frame:
            raise BadError("malformed", "a scan before the frame header", self.at)
        if not payload or len(payload) != 4 + 2 * payload[0] or not 1 <= payload[0] <= 4:
            raise BadError("malformed", "length of SOS", self.at)
        chosen: list[tuple[Component, Tables]] = []
        last = -1
        for offset in range(1, 1 + 2 * payload[0], 2):
            start = [number for number, component in enumerate(self.components) if component.number == payload[offset]]
            # B.2.3: in the order of the frame header, each once.
            if not start or start[0] <= last or self.components[start[0]].lines is not None:
                raise BadError("malformed", "components of a scan", self.at)
            last = start[0]
            # The low half is Ta, 0 to 3, of no meaning here.
            table = self.tables.get(payload[offset + 1] >> 4)
            if table is None or max(table.values) > 16 or payload[offset + 1] & 15 > 3:
                raise BadError("malformed", "no such table, or one of categories over 16", self.at)
            chosen.append((self.components[last], table))
        selection_value, spectral_end, shift = payload[-3], payload[-2], payload[-1] & 15
        if not 1 <= selection_value <= 7 or spectral_end or payload[-1] >> 4 or shift >= self.precision:
            raise BadError("malformed", "parameters of SOS", self.at)
        if self.interval % self.columns:
            raise BadError("malformed", "restart interval within a line", self.at)
        self.scans += 1
        if self.rows == 0:
            self.rows = self.lines_by_dnl()
        self.decode_scan(chosen, selection_value, shift)
        if self.scans == 1:
            self.take_dnl()

    def lines_by_dnl(self) -> int:
        """The number of lines, read ahead of the scan that it ends (B.2.5)."""
        bits = Bits(self.src, self.at)
        code, ahead = 0xD0, Decoder(self.src)
        while 0xD0 <= code <= 0xD7:
            ahead.at = bits.end()[0]
            code = ahead.marker()
            bits = Bits(self.src, ahead.at)
        if code != DNL:
            raise BadError("malformed", "no number of lines", ahead.at)
        lines = int.from_bytes(ahead.payload(), "big")
        if lines == 0:
            raise BadError("malformed", "no lines", ahead.at)
        return lines

    def take_dnl(self) -> None:
        if self.src[self.at :].lstrip(b"\xff")[:1] != bytes([DNL]):
            return
        self.marker()
        payload = self.payload()
        if len(payload) != 2 or int.from_bytes(payload, "big") != self.rows:
            raise BadError("malformed", "another number of lines", self.at)

    def decode_scan(self, chosen: list[tuple[Component, Tables]], selection_value: int, shift: int) -> None:
        origin = 1 << self.precision - shift - 1
        per_interval = self.interval // self.columns
        bits = Bits(self.src, self.at)
        planes: list[list[list[int]]] = [[] for _ in chosen]
        for row in range(self.rows):
            first = row == 0
            if row and per_interval and row % per_interval == 0:
                self.leave(bits)
                code = self.marker()
                if code != 0xD0 + (row // per_interval - 1) % 8:
                    raise BadError("malformed", f"marker {code:02X} where a restart belongs", self.at)
                bits = Bits(self.src, self.at)
                first = True
            now: list[list[int]] = [[] for _ in chosen]
            for column in range(self.columns):
                for line, plane, (_, table) in zip(now, planes, chosen, strict=True):
                    if first:
                        prediction = line[-1] if column else origin
                    elif column == 0:
                        prediction = plane[-1][0]
                    else:
                        prediction = self.predict(selection_value, line[-1], plane[-1][column], plane[-1][column - 1])
                    line.append((prediction + bits.difference(table)) % 65536)
            for line, plane in zip(now, planes, strict=True):
                plane.append(line)
        self.leave(bits)
        if self.src[self.at :].lstrip(b"\xff")[:1] in [bytes([0xD0 + number]) for number in range(8)]:
            raise BadError("malformed", "a restart behind the last sample", self.at)
        for plane, (component, _) in zip(planes, chosen, strict=True):
            component.lines = [[(value << shift) % (1 << self.precision) for value in line] for line in plane]

    @staticmethod
    def predict(selection_value: int, ra: int, rb: int, rc: int) -> int:
        """Table H.1."""
        match selection_value:
            case 1 | 2 | 3:
                return (ra, rb, rc)[selection_value - 1]
            case 4:
                return ra + rb - rc
            case 5:
                return ra + ((rb - rc) >> 1)
            case 6:
                return rb + ((ra - rc) >> 1)
        return (ra + rb) >> 1

    def leave(self, bits: Bits) -> None:
        self.at, left = bits.end()
        if left:
            self.notes.append("bytes left before a marker")

    def finish(self) -> Decoded:
        planes = [component.lines for component in self.components]
        values = np.array(planes, np.uint8 if self.precision <= 8 else np.uint16)
        shaped = values[0] if len(planes) == 1 else np.moveaxis(values, 0, -1)
        return Decoded(np.ascontiguousarray(shaped), self.precision, self.notes)


def decode(src: bytes) -> Decoded:
    """The samples of one frame, or `BadError`."""
    return Decoder(src).run()
