"""Locates the frames of a Pixel Data value: by arithmetic in native values, by items in encapsulated ones.

The rules, with an example of offset tables, are those of ``rust/core/src/frames``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise

from dicoxide._deviations import Deviation
from dicoxide._numpy_backend._errors import make_error
from dicoxide._numpy_backend._frame_info import FrameInfo
from dicoxide.errors import CorruptFrameError, TruncatedFrameError

# Byte range (start, end) of a fragment in the value, without its item header.
Fragment = tuple[int, int]

_ITEM = b"\xfe\xff\x00\xe0"
_SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0"
_ITEM_DELIMITER = b"\xfe\xff\x0d\xe0"
# Data Set Trailing Padding (PS3.10 7.2), the only element that follows Pixel Data in practice.
_TRAILING_PADDING = b"\xfc\xff\xfc\xff"
_NOT_ZERO = re.compile(rb"[^\0]")
_ITEM_HEADER_BYTES = 8
_NATIVE_CLAUSE = "PS3.5 8.1.1"
_ENCAPSULATED_CLAUSE = "PS3.5 A.4"
_NUMBER_OF_FRAMES_CLAUSE = "PS3.3 C.7.6.6"


def _declared_frames(number_of_frames: int | None, deviations: list[Deviation]) -> int:
    """Return Number of Frames (0028,0008); absent means 1, and so does the 0 of some non-conformant files."""
    if number_of_frames == 0:
        deviations.append(Deviation(None, "number of frames 0 found, taken as 1", _NUMBER_OF_FRAMES_CLAUSE, None))
    return number_of_frames or 1


class FrameTable:
    """The frames of one value.

    Attributes
    ----------
    count : int
        Number of frames in the value.
    deviations : list of Deviation
        Deviations found when the table was built.
    """

    def __init__(self) -> None:
        self.count = 1
        self.deviations: list[Deviation] = []

    def frame(self, index: int) -> tuple[list[bytes], int]:
        """Return the fragments of a frame, and the number of bits in the first byte that belong to the frame before."""
        raise NotImplementedError

    def lookup_deviations(self) -> list[Deviation]:
        """Return the deviations that were found only when a frame was located."""
        return []


class SingleFrame(FrameTable):
    """A value that is the bytes of one frame."""

    def __init__(self, value: bytes) -> None:
        super().__init__()
        self._value = value

    def frame(self, index: int) -> tuple[list[bytes], int]:
        return [self._value], 0


class NativeFrames(FrameTable):
    """Frames of a native value, one after the other without gaps; a one-bit frame may start within a byte (8.1.1)."""

    def __init__(self, value: bytes, info: FrameInfo, number_of_frames: int | None, word_swapped: bool) -> None:
        super().__init__()
        self.count = declared = _declared_frames(number_of_frames, self.deviations)
        self._value, self._frame_bits, self._word_swapped = value, info.native_frame_bits, word_swapped
        value_bytes, expected_bytes = len(value), -(-self._frame_bits * declared // 8)
        info.check_subsampling(value_bytes, expected_bytes)
        if value_bytes < expected_bytes:
            text = f"{value_bytes} bytes found, {expected_bytes} expected for {declared} frames"
            raise make_error("Truncated", text, _NATIVE_CLAUSE, value_bytes)
        padded_bytes = expected_bytes + expected_bytes % 2
        if info.is_native_422 and value_bytes >= expected_bytes // 2 * 3 and value_bytes > padded_bytes:
            text = (
                f"{value_bytes} bytes found, YBR_FULL_422 has {expected_bytes}: "
                "the colour differences are not at half resolution"
            )
            raise make_error("Mismatch", text, "PS3.3 C.7.6.3.1.2")
        if value_bytes > padded_bytes:
            self.count = max(declared, value_bytes * 8 // self._frame_bits)
            message = f"{value_bytes - expected_bytes} bytes after the last frame"
            if self.count > declared:
                message = f"number of frames is {declared}, {self.count} frames found"
            self.deviations.append(Deviation(None, message, _NATIVE_CLAUSE, None))
        elif value_bytes % 2:
            message = "the value has odd length: its trailing pad byte is missing"
            self.deviations.append(Deviation(None, message, "PS3.5 7.1.1", None))

    def frame(self, index: int) -> tuple[list[bytes], int]:
        start, end = self._frame_bits * index // 8, -(-self._frame_bits * (index + 1) // 8)
        bit_offset = self._frame_bits * index % 8
        if not self._word_swapped:
            return [self._value[start:end]], bit_offset
        # The bytes of each 16-bit word are swapped. A frame may start or end in the middle of a word.
        word_start, word_end = start - start % 2, end + end % 2
        words = self._value[word_start:word_end]
        if len(words) < word_end - word_start:
            text = f"{len(self._value)} bytes found, frame {index} ends at {end}"
            raise make_error("Truncated", text, _NATIVE_CLAUSE)
        swapped = bytearray(words)
        swapped[::2], swapped[1::2] = words[1::2], words[::2]
        return [bytes(swapped[start - word_start : end - word_start])], bit_offset


class EncapsulatedFrames(FrameTable):
    """Frames of an encapsulated value (PS3.5 A.4).

    An entry of an offset table is used only if the items match it, which is verified frame by frame. Otherwise all
    items are walked once and grouped into frames: one item per frame, or a new frame at each item whose first bytes
    `starts_frame` recognises.
    """

    def __init__(
        self,
        value: bytes,
        extended_offsets: tuple[bytes, bytes] | None,
        number_of_frames: int | None,
        starts_frame: Callable[[bytes], bool],
    ) -> None:
        super().__init__()
        self._value, self._starts_frame = value, starts_frame
        self._declared = _declared_frames(number_of_frames, self.deviations)
        basic_table = _read_item(value, 0)
        if basic_table is None:
            raise make_error("Truncated", "basic offset table item is missing", _ENCAPSULATED_CLAUSE, 0)
        # Offset tables count from the first fragment's item.
        self._first_item = basic_table[1]
        self._walked_frames: list[list[Fragment]] | None = None
        self._was_walked = False
        # Deviation for other bytes in place of the sequence delimiter; None until a look-up reaches them.
        self._end_deviation: Deviation | None = None

        offsets, lengths = extended_offsets or (b"", b"")
        self._extended_entries: list[tuple[int, int]] = []
        if len(offsets) == len(lengths) and len(offsets) % 8 == 0:
            self._extended_entries = list(zip(_unpack(offsets, "Q"), _unpack(lengths, "Q"), strict=True))
        self._basic_entries = _unpack(value[basic_table[0] : basic_table[1]], "L")
        # Entries after the first one that does not increase are ignored, so that the frames of a table never overlap.
        self._increasing_extended = _count_increasing([offset for offset, _ in self._extended_entries])
        self._increasing_basic = _count_increasing(self._basic_entries)
        # The method that locates a frame by the table in use, if one is.
        self._by_table: Callable[[int], list[Fragment] | None] | None = None
        if self._is_usable(len(self._extended_entries), self._by_extended_table):
            self._by_table, self.count = self._by_extended_table, len(self._extended_entries)
        else:
            if offsets:
                self.deviations.append(_WRONG_EXTENDED_TABLE)
            if self._is_usable(len(self._basic_entries), self._by_basic_table):
                self._by_table, self.count = self._by_basic_table, len(self._basic_entries)
            else:
                if basic_table[0] < basic_table[1]:
                    self.deviations.append(_WRONG_BASIC_TABLE)
                self.count = len(self._walk())
                self.deviations += [self._end_deviation] if self._end_deviation else []
        if self.count > self._declared:
            message = f"number of frames is {self._declared}, {self.count} frames found"
            self.deviations.append(Deviation(None, message, _NUMBER_OF_FRAMES_CLAUSE, None))

    def lookup_deviations(self) -> list[Deviation]:
        deviations = []
        if self._by_table and self._was_walked:
            is_extended = self._by_table == self._by_extended_table
            deviations.append(_WRONG_EXTENDED_TABLE if is_extended else _WRONG_BASIC_TABLE)
        if self._end_deviation and self._end_deviation not in self.deviations:
            deviations.append(self._end_deviation)
        return deviations

    def frame(self, index: int) -> tuple[list[bytes], int]:
        fragments = self._by_table(index) if self._by_table else None
        if fragments is None:
            frames = self._walk()
            if self._by_table and len(frames) != self._declared:
                # Which of these frames the remaining entries of the table mean is unknown.
                counts = f"{len(frames)} frames, {self._declared} expected"
                text = f"offset table entry of frame {index} does not match the items, which hold {counts}"
                raise make_error("Malformed", text, _ENCAPSULATED_CLAUSE)
            fragments = frames[index]
        return [self._value[start:end] for start, end in fragments], 0

    def _is_usable(self, entry_count: int, by_table: Callable[[int], list[Fragment] | None]) -> bool:
        """Return True if a table has one entry for each frame, or more entries that all match the items.

        With one entry for each declared frame, an entry is verified when its frame is located.
        """
        if entry_count <= self._declared:
            return entry_count == self._declared

        def matches(index: int) -> bool:
            try:
                return by_table(index) is not None
            except CorruptFrameError:
                return True

        return all(matches(index) for index in range(entry_count))

    def _by_extended_table(self, index: int) -> list[Fragment] | None:
        """Locate a frame by the Extended Offset Table (PS3.3 C.7.6.3.1.8); None if the items do not match."""
        entries = self._extended_entries
        if not _increases_to_next(index, self._increasing_extended, len(entries)):
            return None
        offset, length = entries[index]
        try:
            fragment = _read_item(self._value, self._first_item + offset)
        except CorruptFrameError:
            return None
        # The given length is that of the codestream, without the pad byte.
        if fragment is None or fragment[1] - fragment[0] - length not in (0, 1):
            return None
        if index + 1 < len(entries):
            if fragment[1] > self._first_item + entries[index + 1][0]:
                return None
        else:
            self._end_deviation = self._end_deviation or _end_deviation(self._value, fragment[1])
        return [(fragment[0], fragment[0] + length)]

    def _by_basic_table(self, index: int) -> list[Fragment] | None:
        """Locate a frame by the Basic Offset Table; None if the items do not match.

        The frame's fragments must end exactly where the next frame starts, and only the first of them may look like the
        start of a frame.
        """
        entries = self._basic_entries
        offset = entries[index]
        next_offset = entries[index + 1] if index + 1 < len(entries) else None
        if not _increases_to_next(index, self._increasing_basic, len(entries)):
            return None
        start = self._first_item + offset
        try:
            if _read_item(self._value, start) is None:
                return None
        except TruncatedFrameError:
            pass  # the frame itself is truncated: reading its fragments below raises
        except CorruptFrameError:
            return None
        end = None if next_offset is None else self._first_item + next_offset
        fragments = []
        fragment_end = start
        for fragment in _read_items(self._value, start):
            fragments.append(fragment)
            fragment_end = fragment[1]
            if end is not None and fragment_end >= end:
                break
        if end is None:
            self._end_deviation = self._end_deviation or _end_deviation(self._value, fragment_end)
        has_later_start = any(self._starts_frame(self._value[slice(*fragment)]) for fragment in fragments[1:])
        return fragments if (end is None or fragment_end == end) and not has_later_start else None

    def _walk(self) -> list[list[Fragment]]:
        """Return the fragments of each frame, grouped without an offset table."""
        self._was_walked = True
        if self._walked_frames is not None:
            return self._walked_frames
        fragments = list(_read_items(self._value, self._first_item))
        end = fragments[-1][1] if fragments else self._first_item
        self._end_deviation = self._end_deviation or _end_deviation(self._value, end)
        fragment_count, declared = len(fragments), self._declared
        if fragment_count < declared:
            text = f"{fragment_count} fragments found, {declared} frames expected"
            raise make_error("Truncated", text, _ENCAPSULATED_CLAUSE, len(self._value))
        if fragment_count == declared:
            starts = list(range(fragment_count))
        else:
            # Empty fragments before the first bytes belong to the first frame.
            first = next((index for index, (start, end) in enumerate(fragments) if start < end), 0)
            later_starts = [
                index
                for index in range(first + 1, fragment_count)
                if self._starts_frame(self._value[slice(*fragments[index])])
            ]
            starts = [0, *later_starts]
            if len(starts) < declared:
                text = (
                    f"{fragment_count} fragments found for {declared} frames, "
                    f"only {len(starts)} frame starts recognised"
                )
                raise make_error("Malformed", text, _ENCAPSULATED_CLAUSE)
        self._walked_frames = [fragments[start:end] for start, end in pairwise([*starts, fragment_count])]
        return self._walked_frames


_WRONG_EXTENDED_TABLE = Deviation(
    None, "extended offset table does not match the items, ignored", "PS3.3 C.7.6.3.1.8", None
)
_WRONG_BASIC_TABLE = Deviation(
    None, "basic offset table does not match the items, ignored", _ENCAPSULATED_CLAUSE, _ITEM_HEADER_BYTES
)


def _unpack(table: bytes, code: str) -> list[int]:
    """Return the little-endian numbers of an offset table; bytes that are no whole number are dropped."""
    number = struct.Struct(f"<{code}")
    whole_bytes = len(table) - len(table) % number.size
    return [entry for (entry,) in number.iter_unpack(table[:whole_bytes])]


def _count_increasing(offsets: list[int]) -> int:
    """Return the number of leading offsets that start with 0 and increase."""
    if not offsets or offsets[0] != 0:
        return 0
    return next((index for index in range(1, len(offsets)) if offsets[index] <= offsets[index - 1]), len(offsets))


def _increases_to_next(index: int, increasing: int, entry_count: int) -> bool:
    """Return True if the entries from the first one to that of frame `index + 1`, if there is one, increase."""
    return index < increasing and (index + 1 < increasing or index + 1 == entry_count)


def _read_items(value: bytes, offset: int) -> Iterator[Fragment]:
    """Yield the fragments from the item at `offset` to the sequence delimiter, what stands for it, or the end."""
    while not _is_other_end(value, offset) and (fragment := _read_item(value, offset)) is not None:
        yield fragment
        offset = fragment[1]


def _is_other_end(value: bytes, offset: int) -> bool:
    """Return True if the items end at `offset` without a sequence delimiter: with zeros, another delimiter, padding."""
    tag = value[offset : offset + 4]
    return tag in (_ITEM_DELIMITER, _TRAILING_PADDING) or _end_deviation(value, offset) is not None


def _end_deviation(value: bytes, offset: int) -> Deviation | None:
    """Return the deviation of what follows the last fragment; the delimiter itself is not a part of every value."""
    expected = "sequence delimiter (FFFE,E0DD) expected"
    if value[offset : offset + 4] == _ITEM_DELIMITER:
        text = f"item delimiter (FFFE,E00D) found, {expected}"
        return Deviation(None, text, _ENCAPSULATED_CLAUSE, offset)
    if value[offset : offset + 4] == bytes(4) and len(value) - offset >= 8 and not _NOT_ZERO.search(value, offset):
        return Deviation(None, f"zero bytes found, {expected}", _ENCAPSULATED_CLAUSE, offset)
    return None


def _read_item(value: bytes, offset: int) -> Fragment | None:
    """Return the fragment in the item at `offset`; None at the sequence delimiter or at the end of the value."""
    header = value[offset : offset + _ITEM_HEADER_BYTES]
    if not header or header[:4] == _SEQUENCE_DELIMITER:
        return None
    if len(header) < _ITEM_HEADER_BYTES:
        # Some writers pad the whole value instead of the last fragment.
        if not any(header):
            return None
        text = f"{len(header)} bytes found, item header of 8 bytes expected"
        raise make_error("Truncated", text, _ENCAPSULATED_CLAUSE, offset)
    if header[:4] != _ITEM:
        group, element = struct.unpack("<2H", header[:4])
        text = f"tag ({group:04X},{element:04X}) found, item (FFFE,E000) expected"
        raise make_error("Malformed", text, _ENCAPSULATED_CLAUSE, offset)
    (length,) = struct.unpack("<L", header[4:])
    if length == 0xFFFFFFFF:
        text = "item of undefined length found, explicit length expected"
        raise make_error("Malformed", text, _ENCAPSULATED_CLAUSE, offset + 4)
    data_offset = offset + _ITEM_HEADER_BYTES
    remaining_bytes = len(value) - data_offset
    if length > remaining_bytes:
        text = f"item of {length} bytes found, {remaining_bytes} bytes left"
        raise make_error("Truncated", text, _ENCAPSULATED_CLAUSE, len(value))
    return data_offset, data_offset + length
