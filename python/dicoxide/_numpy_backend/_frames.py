"""Where the frames of a Pixel Data value lie: by arithmetic if it is native, by its items if it is encapsulated."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise

from dicoxide._numpy_backend._errors import Tolerated, fault
from dicoxide._numpy_backend._info import FrameInfo
from dicoxide.errors import CorruptFrameError, TruncatedFrameError

# Start and end of a fragment in the value.
Range = tuple[int, int]

_ITEM = b"\xfe\xff\x00\xe0"
_SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0"
_ENCAPSULATED = "PS3.5 A.4"
_NUMBER = "PS3.3 C.7.6.6"


def _declared_frames(number_of_frames: int | None, tolerated: list[Tolerated]) -> int:
    """Number of Frames (0028,0008) as it is used: absent means one, and so does the 0 that some files have."""
    if number_of_frames == 0:
        tolerated.append(Tolerated("number of frames 0 found, taken as 1", _NUMBER))
    return number_of_frames or 1


class Places:
    """Where frames lie: how many there are, and what was noted when the table was made."""

    def __init__(self) -> None:
        self.count = 1
        self.tolerated: list[Tolerated] = []

    def frame(self, index: int) -> tuple[list[bytes], int]:
        """The pieces of frame ``index``, and the bits of its first byte that belong to the frame before."""
        raise NotImplementedError

    def tolerated_late(self) -> Tolerated | None:
        """What turned out only when frames were looked for."""
        return None


class Whole(Places):
    """A value that is the bytes of one frame."""

    def __init__(self, value: bytes) -> None:
        super().__init__()
        self._value = value

    def frame(self, index: int) -> tuple[list[bytes], int]:
        return [self._value], 0


class Native(Places):
    """Frames one after the other, without gaps (PS3.5 8.1.1)."""

    def __init__(self, value: bytes, info: FrameInfo, number_of_frames: int | None, word_swapped: bool) -> None:
        super().__init__()
        self.count = declared = _declared_frames(number_of_frames, self.tolerated)
        self._value, self._bits, self._word_swapped = value, info.native_frame_bits, word_swapped
        clause = "PS3.5 8.1.1"
        found, expected = len(value), -(-self._bits * declared // 8)
        if found < expected:
            text = f"{found} bytes found, {expected} expected for {declared} frames"
            raise fault("Truncated", text, clause, found)
        padded = expected + expected % 2
        if info.is_native_422 and found >= expected // 2 * 3 and found > padded:
            text = (
                f"{found} bytes found, YBR_FULL_422 has {expected}: the colour differences are not at half resolution"
            )
            raise fault("Mismatch", text, "PS3.3 C.7.6.3.1.2")
        if found > padded:
            self.count = max(declared, found * 8 // self._bits)
            what = f"{found - expected} bytes after the last frame"
            if self.count > declared:
                what = f"number of frames is {declared}, {self.count} frames found"
            self.tolerated.append(Tolerated(what, clause))
        elif found % 2:
            what = "the value has odd length: its trailing pad byte is missing"
            self.tolerated.append(Tolerated(what, "PS3.5 7.1.1"))

    def frame(self, index: int) -> tuple[list[bytes], int]:
        start, end = self._bits * index // 8, -(-self._bits * (index + 1) // 8)
        if not self._word_swapped:
            return [self._value[start:end]], self._bits * index % 8
        # Each pair of bytes is one big-endian word; a frame may begin or end within a pair.
        first = start - start % 2
        words = self._value[first : end + end % 2]
        if len(words) < end + end % 2 - first:
            raise fault("Truncated", f"{len(self._value)} bytes found, frame {index} ends at {end}", "PS3.5 8.1.1")
        swapped = bytearray(words)
        swapped[::2], swapped[1::2] = words[1::2], words[::2]
        return [bytes(swapped[start - first : end - first])], self._bits * index % 8


class Encapsulated(Places):
    """Frames in items (PS3.5 A.4).

    An offset table is believed as far as the items agree with it, frame by frame. Else all items are walked, and
    frames are told apart by their number, or by how they begin.
    """

    def __init__(
        self,
        value: bytes,
        extended_offsets: tuple[bytes, bytes] | None,
        number_of_frames: int | None,
        starts_frame: Callable[[bytes], bool],
    ) -> None:
        self._value, self._starts_frame = value, starts_frame
        super().__init__()
        self._declared = _declared_frames(number_of_frames, self.tolerated)
        basic = _item(value, 0)
        if basic is None:
            raise fault("Truncated", "basic offset table item is missing", _ENCAPSULATED, 0)
        self._first_item = basic[1]
        self._walked: list[list[Range]] | None = None
        self._was_walked = False

        offsets, lengths = extended_offsets or (b"", b"")
        self._extended: list[Range] = []
        if len(offsets) == len(lengths) and len(offsets) % 8 == 0:
            self._extended = list(zip(_numbers(offsets, "Q"), _numbers(lengths, "Q"), strict=True))
        self._basic = _numbers(value[basic[0] : basic[1]], "L")
        self._place: Callable[[int], list[Range] | None] | None = None
        if self._leads_to(len(self._extended), self._extended_place):
            self._place, self.count = self._extended_place, len(self._extended)
        else:
            if offsets:
                self.tolerated.append(_WRONG_EXTENDED_TABLE)
            if self._leads_to(len(self._basic), self._basic_place):
                self._place, self.count = self._basic_place, len(self._basic)
            else:
                if basic[0] < basic[1]:
                    self.tolerated.append(_WRONG_TABLE)
                self.count = len(self._walk())
        if self.count > self._declared:
            what = f"number of frames is {self._declared}, {self.count} frames found"
            self.tolerated.append(Tolerated(what, _NUMBER))

    def tolerated_late(self) -> Tolerated | None:
        if not (self._place and self._was_walked):
            return None
        return _WRONG_EXTENDED_TABLE if self._place == self._extended_place else _WRONG_TABLE

    def frame(self, index: int) -> tuple[list[bytes], int]:
        place = self._place(index) if self._place else None
        if place is None:
            walked = self._walk()
            if self._place and len(walked) != self._declared:
                # Which of these frames the remaining entries of the table mean is unknown.
                found = f"{len(walked)} frames, {self._declared} expected"
                text = f"offset table entry of frame {index} does not match the items, which hold {found}"
                raise fault("Malformed", text, _ENCAPSULATED)
            place = walked[index]
        return [self._value[start:end] for start, end in place], 0

    def _leads_to(self, frames: int, place: Callable[[int], list[Range] | None]) -> bool:
        """One entry for each frame is checked when it is asked for; more frames than declared have to be there."""
        if frames <= self._declared:
            return frames == self._declared

        def is_there(index: int) -> bool:
            try:
                return place(index) is not None
            except CorruptFrameError:
                return True

        return all(is_there(index) for index in range(frames))

    def _extended_place(self, index: int) -> list[Range] | None:
        """The item that the Extended Offset Table names, or None if it is not there (PS3.3 C.7.6.3.1.8)."""
        offset, length = self._extended[index]
        if self._extended[0][0] != 0 or (index > 0 and offset <= self._extended[index - 1][0]):
            return None
        try:
            found = _item(self._value, self._first_item + offset)
        except CorruptFrameError:
            return None
        # A length is that of the codestream: it leaves out the pad byte, never more.
        if found is None or found[1] - found[0] - length not in (0, 1):
            return None
        return [(found[0], found[0] + length)]

    def _basic_place(self, index: int) -> list[Range] | None:
        """The fragments from an entry of the Basic Offset Table to the next, or None if the items disagree."""
        offset = self._basic[index]
        after = self._basic[index + 1] if index + 1 < len(self._basic) else None
        rising = self._basic[0] == 0 and (index == 0 or self._basic[index - 1] < offset)
        if not rising or (after is not None and after <= offset):
            return None
        start = self._first_item + offset
        try:
            if _item(self._value, start) is None:
                return None
        except TruncatedFrameError:
            pass  # the frame's own fault, said below
        except CorruptFrameError:
            return None
        end = None if after is None else self._first_item + after
        fragments = []
        at = start
        for fragment in _items(self._value, start):
            fragments.append(fragment)
            at = fragment[1]
            if end is not None and at >= end:
                break
        begins_within = any(self._starts_frame(self._value[start:end]) for start, end in fragments[1:])
        return fragments if (end is None or at == end) and not begins_within else None

    def _walk(self) -> list[list[Range]]:
        """The fragments of each frame, found without a table."""
        self._was_walked = True
        if self._walked is not None:
            return self._walked
        fragments = list(_items(self._value, self._first_item))
        found, declared = len(fragments), self._declared
        if found < declared:
            text = f"{found} fragments found, {declared} frames expected"
            raise fault("Truncated", text, _ENCAPSULATED, len(self._value))
        if found == declared:
            starts = list(range(found))
        else:
            # A frame has bytes: what is empty before its first ones is no frame of its own.
            first = next((at for at, (start, end) in enumerate(fragments) if start < end), 0)
            later = [at for at in range(first + 1, found) if self._starts_frame(self._value[slice(*fragments[at])])]
            starts = [0, *later]
            if len(starts) < declared:
                text = f"{found} fragments found for {declared} frames, only {len(starts)} frame starts recognised"
                raise fault("Malformed", text, _ENCAPSULATED)
        self._walked = [fragments[start:end] for start, end in pairwise([*starts, found])]
        return self._walked


_WRONG_EXTENDED_TABLE = Tolerated(
    "extended offset table does not match the items, ignored", "PS3.3 C.7.6.3.1.8"
)
_WRONG_TABLE = Tolerated("basic offset table does not match the items, ignored", _ENCAPSULATED, 8)


def _numbers(table: bytes, code: str) -> list[int]:
    """The whole little-endian numbers of ``table``."""
    number = struct.Struct(f"<{code}")
    whole = len(table) - len(table) % number.size
    return [entry for (entry,) in number.iter_unpack(table[:whole])]


def _items(value: bytes, at: int) -> Iterator[Range]:
    """The data of one item after the other, up to the end or the sequence delimiter."""
    while (fragment := _item(value, at)) is not None:
        yield fragment
        at = fragment[1]


def _item(value: bytes, at: int) -> Range | None:
    """Where the data of the item at ``at`` lie; None at the end of the value or at the sequence delimiter."""
    header = value[at : at + 8]
    if not header or header[:4] == _SEQUENCE_DELIMITER:
        return None
    if len(header) < 8:
        # Some writers pad the whole value instead of the last fragment.
        if not any(header):
            return None
        raise fault("Truncated", f"{len(header)} bytes found, item header of 8 bytes expected", _ENCAPSULATED, at)
    if header[:4] != _ITEM:
        group, element = struct.unpack("<2H", header[:4])
        text = f"tag ({group:04X},{element:04X}) found, item (FFFE,E000) expected"
        raise fault("Malformed", text, _ENCAPSULATED, at)
    (length,) = struct.unpack("<L", header[4:])
    if length == 0xFFFFFFFF:
        text = "item of undefined length found, explicit length expected"
        raise fault("Malformed", text, _ENCAPSULATED, at + 4)
    left = len(value) - at - 8
    if length > left:
        raise fault("Truncated", f"item of {length} bytes found, {left} bytes left", _ENCAPSULATED, len(value))
    return at + 8, at + 8 + length
