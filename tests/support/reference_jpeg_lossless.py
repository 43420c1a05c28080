"""Reference decoder for JPEG Lossless: follows ITU-T T.81 symbol by symbol, is slow, and ignores errors of encoders.

It shares no code with the package or with the test encoder. `decode` returns the samples and the deviations, or raises
`InvalidFrameError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

SOI, EOI, SOS, DHT, DRI, DNL, TEM = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD, 0xDC, 0x01
# All but SOF3: other processes, arithmetic coding, hierarchical frames and their DHP and EXP, arithmetic conditioning.
OTHER_PROCESSES = {*range(0xC0, 0xD0), 0xDE, 0xDF, 0xF7} - {0xC3, DHT, 0xC8}
# Application data, comments, quantization tables, reserved markers.
SKIPPED = {*range(0xE0, 0xFF), 0xDB} - {0xF7}


class InvalidFrameError(Exception):
    """A frame that is invalid, incomplete or not of process 14; `kind` is that of `DecodeError`."""

    def __init__(self, kind: str, reason: str, offset: int) -> None:
        super().__init__(f"{kind}: {reason} at byte {offset}")
        self.kind = kind


@dataclass
class Component:
    """A component of the frame header, and its samples once its scan is decoded."""

    identifier: int
    lines: list[list[int]] | None = None


@dataclass
class Decoded:
    """Samples of shape (rows, columns[, components]), and the deviations from T.81."""

    values: npt.NDArray[Any]
    precision: int
    deviations: list[str]


@dataclass
class HuffmanTable:
    """A Huffman table (F.2.2.3).

    `rows` has one entry per code length: the first code, the last code + 1, and the index of the first code's value.
    """

    bits: list[int]
    values: list[int]
    rows: list[tuple[int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        code = index = 0
        for length, count in enumerate(self.bits, 1):
            self.rows.append((code, code + count, index))
            code += count
            index += count
            if code > 1 << length:
                raise InvalidFrameError("malformed", "more codes than the length allows", 0)
            code <<= 1


class BitReader:
    """Reads the bits of an entropy-coded segment that starts at `offset`, up to the marker that ends it."""

    def __init__(self, src: bytes, offset: int) -> None:
        self.src, self.offset, self.byte, self.bits_left = src, offset, 0, 0

    def bit(self) -> int:
        if self.bits_left == 0:
            if self.offset >= len(self.src):
                raise InvalidFrameError("truncated", "entropy-coded data end", self.offset)
            self.byte = self.src[self.offset]
            if self.byte == 0xFF:
                if self.offset + 1 >= len(self.src):
                    raise InvalidFrameError("truncated", "entropy-coded data end", self.offset)
                if self.src[self.offset + 1] != 0:
                    raise InvalidFrameError("malformed", "a marker before the last sample", self.offset)
                self.offset += 1
            self.offset += 1
            self.bits_left = 8
        self.bits_left -= 1
        return self.byte >> self.bits_left & 1

    def bits(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self.bit()
        return value

    def symbol(self, table: HuffmanTable) -> int:
        code = 0
        for first, end, index in table.rows:
            code = code << 1 | self.bit()
            if code < end:
                return table.values[index + code - first]
        raise InvalidFrameError("malformed", "an undefined code", self.offset)

    def difference(self, table: HuffmanTable) -> int:
        """Decode a difference (H.1.2.2, and EXTEND of F.2.2.1)."""
        category = self.symbol(table)
        if category > 16:
            raise InvalidFrameError("malformed", f"category {category}", self.offset)
        if category == 16:
            return 32768
        value = self.bits(category)
        return value if category == 0 or value >> category - 1 else value - (1 << category) + 1

    def end(self) -> tuple[int, int]:
        """Return the offset of the marker that ends the segment, and the number of unread bytes before it."""
        offset, unread_bytes = self.offset, 0
        while offset < len(self.src):
            if self.src[offset] == 0xFF and offset + 1 == len(self.src):
                break
            if self.src[offset] == 0xFF and self.src[offset + 1] != 0:
                return offset, unread_bytes
            unread_bytes += 1
            offset += 2 if self.src[offset] == 0xFF else 1
        return len(self.src), unread_bytes


class Decoder:
    """Decodes one frame."""

    def __init__(self, src: bytes) -> None:
        self.src, self.offset = src, 0
        self.tables: dict[int, HuffmanTable] = {}
        self.components: list[Component] = []
        self.precision = self.rows = self.columns = self.interval = 0
        self.has_frame = False
        self.scan_count = 0
        self.deviations: list[str] = []

    def read_bytes(self, count: int) -> bytes:
        if self.offset + count > len(self.src):
            raise InvalidFrameError("truncated", "the frame ends", len(self.src))
        self.offset += count
        return self.src[self.offset - count : self.offset]

    def read_number(self, count: int) -> int:
        return int.from_bytes(self.read_bytes(count), "big")

    def read_marker(self) -> int:
        """Read the next marker and any number of fill bytes before it (B.1.1.2)."""
        if self.read_bytes(1)[0] != 0xFF:
            raise InvalidFrameError("malformed", "no marker", self.offset - 1)
        code = 0xFF
        while code == 0xFF:
            code = self.read_bytes(1)[0]
        if code == 0:
            raise InvalidFrameError("malformed", "no marker", self.offset - 1)
        return code

    def read_payload(self) -> bytes:
        length = self.read_number(2)
        if length < 2:
            raise InvalidFrameError("malformed", "a length that does not include itself", self.offset - 2)
        return self.read_bytes(length - 2)

    def run(self) -> Decoded:
        if self.read_bytes(2) != b"\xff\xd8":
            raise InvalidFrameError("malformed", "no SOI", 0)
        code = -1
        while code != EOI:
            is_complete, code = self.is_complete(), -1
            try:
                code = self.read_marker()
                if code != EOI:
                    self.read_segment(code)
            except InvalidFrameError as error:
                # All samples are decoded, so a missing marker or a truncated segment means only that EOI is missing.
                if not is_complete or (code >= 0 and error.kind != "truncated"):
                    raise
                self.deviations.append("no EOI")
                return self.finish()
        if not self.is_complete():
            raise InvalidFrameError("truncated", "EOI before all components are decoded", self.offset)
        rest = self.src[self.offset :]
        # One byte is padding if it is zero, or makes the length even (PS3.5 A.4).
        if len(rest) > 1 or (rest not in (b"", b"\0") and len(self.src) % 2 == 1):
            self.deviations.append("bytes after EOI")
        return self.finish()

    def is_complete(self) -> bool:
        return self.has_frame and all(component.lines is not None for component in self.components)

    def read_segment(self, code: int) -> None:
        if code == 0xC3 and not self.has_frame:
            self.read_frame_header(self.read_payload())
        elif code == DHT:
            self.read_huffman_tables(self.read_payload())
        elif code == DRI:
            payload = self.read_payload()
            if len(payload) != 2:
                raise InvalidFrameError("malformed", "length of DRI", self.offset)
            self.interval = int.from_bytes(payload, "big")
        elif code == SOS:
            self.read_scan(self.read_payload())
        elif code == DNL:
            # `read_scan` reads DNL after the first scan; it is invalid anywhere else (B.2.5).
            raise InvalidFrameError("malformed", "DNL not after the first scan", self.offset)
        elif code in OTHER_PROCESSES:
            raise InvalidFrameError("unsupported", f"marker {code:02X}", self.offset)
        elif code in SKIPPED:
            self.read_payload()
        else:
            raise InvalidFrameError("malformed", f"marker {code:02X}", self.offset)

    def read_frame_header(self, payload: bytes) -> None:
        if len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
            raise InvalidFrameError("malformed", "length of SOF3", self.offset)
        self.precision = payload[0]
        self.rows = int.from_bytes(payload[1:3], "big")
        self.columns = int.from_bytes(payload[3:5], "big")
        if not 2 <= self.precision <= 16 or self.columns == 0 or payload[5] == 0:
            raise InvalidFrameError("malformed", "precision, columns or components of SOF3", self.offset)
        if payload[5] > 4:
            raise InvalidFrameError("unsupported", "more than four components", self.offset)
        for offset in range(6, len(payload), 3):
            horizontal, vertical = divmod(payload[offset + 1], 16)
            if not (1 <= horizontal <= 4 and 1 <= vertical <= 4):
                raise InvalidFrameError("malformed", "sampling factors", self.offset)
            if payload[offset] in [component.identifier for component in self.components]:
                raise InvalidFrameError("malformed", "two components with the same identifier", self.offset)
            self.components.append(Component(payload[offset]))
        # A.1.1: factors are relative to each other, so those of a single component have no effect.
        if len(self.components) > 1 and any(payload[offset + 1] != 0x11 for offset in range(6, len(payload), 3)):
            raise InvalidFrameError("unsupported", "sampling factors other than one", self.offset)
        self.has_frame = True

    def read_huffman_tables(self, payload: bytes) -> None:
        offset = 0
        while offset < len(payload):
            table_class, destination = divmod(payload[offset], 16)
            bits = list(payload[offset + 1 : offset + 17])
            values = list(payload[offset + 17 : offset + 17 + sum(bits)])
            if (
                len(bits) < 16
                or len(values) < sum(bits)
                or table_class > 1
                or destination > 3
                or not 1 <= sum(bits) <= 256
            ):
                raise InvalidFrameError("malformed", "Huffman table", self.offset)
            table = HuffmanTable(bits, values)
            if table_class == 0:
                self.tables[destination] = table
            offset += 17 + sum(bits)

    def read_scan(self, payload: bytes) -> None:
        if not self.has_frame:
            raise InvalidFrameError("malformed", "a scan before the frame header", self.offset)
        if not payload or len(payload) != 4 + 2 * payload[0] or not 1 <= payload[0] <= 4:
            raise InvalidFrameError("malformed", "length of SOS", self.offset)
        scan_components: list[tuple[Component, HuffmanTable]] = []
        last_index = -1
        for offset in range(1, 1 + 2 * payload[0], 2):
            indices = [
                index for index, component in enumerate(self.components) if component.identifier == payload[offset]
            ]
            # B.2.3: a scan has components in the order of the frame header, each at most once.
            if not indices or indices[0] <= last_index or self.components[indices[0]].lines is not None:
                raise InvalidFrameError("malformed", "components of a scan", self.offset)
            last_index = indices[0]
            # The low half is Ta (0 to 3), which the lossless process does not use.
            table = self.tables.get(payload[offset + 1] >> 4)
            if table is None or max(table.values) > 16 or payload[offset + 1] & 15 > 3:
                raise InvalidFrameError("malformed", "an undefined table, or one with categories above 16", self.offset)
            scan_components.append((self.components[last_index], table))
        selection_value, spectral_end, shift = payload[-3], payload[-2], payload[-1] & 15
        if not 1 <= selection_value <= 7 or spectral_end or payload[-1] >> 4 or shift >= self.precision:
            raise InvalidFrameError("malformed", "parameters of SOS", self.offset)
        if self.interval % self.columns:
            raise InvalidFrameError("malformed", "restart interval within a line", self.offset)
        self.scan_count += 1
        if self.rows == 0:
            self.rows = self.find_dnl_lines()
        self.decode_scan(scan_components, selection_value, shift)
        if self.scan_count == 1:
            self.read_dnl()

    def find_dnl_lines(self) -> int:
        """Return the number of lines of the DNL segment after the scan that starts here (B.2.5)."""
        bits = BitReader(self.src, self.offset)
        code, lookahead = 0xD0, Decoder(self.src)
        while 0xD0 <= code <= 0xD7:
            lookahead.offset = bits.end()[0]
            code = lookahead.read_marker()
            bits = BitReader(self.src, lookahead.offset)
        if code != DNL:
            raise InvalidFrameError("malformed", "no number of lines", lookahead.offset)
        lines = int.from_bytes(lookahead.read_payload(), "big")
        if lines == 0:
            raise InvalidFrameError("malformed", "no lines", lookahead.offset)
        return lines

    def read_dnl(self) -> None:
        if self.src[self.offset :].lstrip(b"\xff")[:1] != bytes([DNL]):
            return
        self.read_marker()
        payload = self.read_payload()
        if len(payload) != 2 or int.from_bytes(payload, "big") != self.rows:
            raise InvalidFrameError("malformed", "a number of lines other than that of the frame header", self.offset)

    def decode_scan(
        self, scan_components: list[tuple[Component, HuffmanTable]], selection_value: int, shift: int
    ) -> None:
        initial_prediction = 1 << self.precision - shift - 1
        lines_per_interval = self.interval // self.columns
        bits = BitReader(self.src, self.offset)
        planes: list[list[list[int]]] = [[] for _ in scan_components]
        for row in range(self.rows):
            is_first_line = row == 0
            if row and lines_per_interval and row % lines_per_interval == 0:
                self.end_segment(bits)
                code = self.read_marker()
                if code != 0xD0 + (row // lines_per_interval - 1) % 8:
                    raise InvalidFrameError(
                        "malformed", f"marker {code:02X} where a restart marker belongs", self.offset
                    )
                bits = BitReader(self.src, self.offset)
                is_first_line = True
            lines: list[list[int]] = [[] for _ in scan_components]
            for column in range(self.columns):
                for line, plane, (_, table) in zip(lines, planes, scan_components, strict=True):
                    if is_first_line:
                        prediction = line[-1] if column else initial_prediction
                    elif column == 0:
                        prediction = plane[-1][0]
                    else:
                        prediction = self.predict(selection_value, line[-1], plane[-1][column], plane[-1][column - 1])
                    line.append((prediction + bits.difference(table)) % 65536)
            for line, plane in zip(lines, planes, strict=True):
                plane.append(line)
        self.end_segment(bits)
        if self.src[self.offset :].lstrip(b"\xff")[:1] in [bytes([0xD0 + number]) for number in range(8)]:
            raise InvalidFrameError("malformed", "a restart marker after the last sample", self.offset)
        for plane, (component, _) in zip(planes, scan_components, strict=True):
            component.lines = [[(value << shift) % (1 << self.precision) for value in line] for line in plane]

    @staticmethod
    def predict(selection_value: int, ra: int, rb: int, rc: int) -> int:
        """Return the prediction of a sample from its neighbours Ra, Rb and Rc (Table H.1)."""
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

    def end_segment(self, bits: BitReader) -> None:
        self.offset, unread_bytes = bits.end()
        if unread_bytes:
            self.deviations.append("unread bytes before a marker")

    def finish(self) -> Decoded:
        planes = [component.lines for component in self.components]
        values = np.array(planes, np.uint8 if self.precision <= 8 else np.uint16)
        shaped = values[0] if len(planes) == 1 else np.moveaxis(values, 0, -1)
        return Decoded(np.ascontiguousarray(shaped), self.precision, self.deviations)


def decode(src: bytes) -> Decoded:
    """Decode one frame.

    Raises
    ------
    InvalidFrameError
        If the frame is invalid, incomplete or not of process 14.
    """
    return Decoder(src).run()
