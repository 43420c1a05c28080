"""The stream of a video: the fragments of encapsulated Pixel Data, one after the other, as a file that FFmpeg reads."""

from __future__ import annotations

import os
import struct
from array import array
from bisect import bisect_right

from dicoxide._deviations import Deviation
from dicoxide._sources import ValueFile
from dicoxide.errors import CorruptFrameError, TruncatedFrameError

_CLAUSE = "PS3.5 A.4"
_ITEM = b"\xfe\xff\x00\xe0"
_SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0"
_ITEM_HEADER_BYTES = 8
_UNDEFINED_LENGTH = 0xFFFFFFFF
# Item headers are read in blocks of this size, because fragments may be short.
_BLOCK_BYTES = 1 << 16


class FragmentTable:
    """Byte ranges of the fragments in the value; the Basic Offset Table and empty fragments are left out.

    Attributes
    ----------
    size : int
        Bytes of all fragments together.
    deviations : list of Deviation
        Deviations found in the items.
    """

    def __init__(self, value: ValueFile, transfer_syntax: str) -> None:
        self.size = 0
        self.deviations: list[Deviation] = []
        self._transfer_syntax = transfer_syntax
        # Machine integers, because a value may have one fragment per ten bytes.
        self._starts = array("Q")
        self._offsets = array("Q")
        self._find(value)

    def locate(self, position: int) -> tuple[int, int]:
        """Return the offset in the value of a position in the stream, and the number of contiguous bytes there."""
        index = bisect_right(self._starts, position) - 1
        end = self._starts[index + 1] if index + 1 < len(self._starts) else self.size
        return self._offsets[index] + position - self._starts[index], end - position

    def _find(self, value: ValueFile) -> None:
        """Walk the items to the sequence delimiter or the end of the value."""
        offset, is_table = 0, True
        block, block_start = b"", 0
        while True:
            if offset + _ITEM_HEADER_BYTES > block_start + len(block):
                block, block_start = value.read_at(offset, _BLOCK_BYTES), offset
            header = block[offset - block_start : offset - block_start + _ITEM_HEADER_BYTES]
            if header[:4] != _ITEM and not is_table and self._is_end(header, offset):
                return
            if len(header) < _ITEM_HEADER_BYTES:
                text = f"{len(header)} bytes found, item header of 8 bytes expected"
                raise self._error(TruncatedFrameError, text, offset)
            if header[:4] != _ITEM:
                group, element = struct.unpack("<2H", header[:4])
                text = f"tag ({group:04X},{element:04X}) found, item (FFFE,E000) expected"
                raise self._error(CorruptFrameError, text, offset)
            (length,) = struct.unpack("<L", header[4:])
            if length == _UNDEFINED_LENGTH:
                text = "item of undefined length found, explicit length expected"
                raise self._error(CorruptFrameError, text, offset + 4)
            offset += _ITEM_HEADER_BYTES
            if length > value.size - offset:
                text = f"item of {length} bytes found, {max(0, value.size - offset)} bytes left"
                raise self._error(TruncatedFrameError, text, value.size)
            if length and not is_table:
                self._starts.append(self.size)
                self._offsets.append(offset)
                self.size += length
            is_table = False
            offset += length

    def _is_end(self, header: bytes, offset: int) -> bool:
        """Return True if the items end at `offset`: with their delimiter, with the value, or with zero bytes."""
        if not header or header[:4] == _SEQUENCE_DELIMITER:
            return True
        if any(header):
            return False
        if len(header) == _ITEM_HEADER_BYTES:
            text = "zero bytes found, sequence delimiter (FFFE,E0DD) expected"
            self.deviations.append(Deviation(None, text, _CLAUSE, offset))
        return True

    def _error(self, error_class: type[CorruptFrameError], text: str, offset: int) -> CorruptFrameError:
        return error_class(
            f"{text} at byte {offset} ({_CLAUSE})", clause=_CLAUSE, offset=offset, transfer_syntax=self._transfer_syntax
        )


class FragmentStream:
    """A file object over the fragments, with the methods that FFmpeg calls.

    FFmpeg swallows exceptions that are not errors of a file, such as an interrupt. They are stored in `error`, for the
    caller to raise.
    """

    def __init__(self, value: ValueFile, table: FragmentTable) -> None:
        self.error: BaseException | None = None
        self._value = value
        self._table = table
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._table.size}[whence]
        if start + offset < 0:
            raise ValueError(f"seek to byte {start + offset}")
        self._position = start + offset
        return self._position

    def read(self, count: int) -> bytes:
        """Read at most `count` bytes, of one fragment; none at the end or after an error."""
        try:
            if self.error is not None or self._position >= self._table.size:
                return b""
            offset, contiguous = self._table.locate(self._position)
            expected = min(count, contiguous)
            data = self._value.read_at(offset, expected)
            if len(data) < expected:
                text = f"{len(data)} bytes found at byte {offset}, {expected} expected ({_CLAUSE})"
                raise TruncatedFrameError(text, clause=_CLAUSE, offset=offset)
            self._position += len(data)
            return data
        except BaseException as error:
            self.error = error
            return b""

    def raise_stored(self) -> None:
        """Raise the exception of a read, if there was one."""
        if self.error is not None:
            raise self.error
