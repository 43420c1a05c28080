"""The NumPy backend: encapsulated Pixel Data (PS3.5 A.4)."""

from __future__ import annotations

import struct

import pytest
from pydicom.uid import RLELossless

from dicoxide import _numpy_backend
from dicoxide._numpy_backend import _frame_table
from dicoxide.errors import (
    CorruptFrameError,
    TruncatedFrameError,
)
from support.encoders import encapsulate
from support.numpy_frames import (
    MONO_8,
    decode_frames,
    kind_and_offset,
    open_numpy_frames,
    rle_frame,
)


class TestEncapsulated:
    """PS3.5 A.4: offset tables that are correct, wrong or absent."""

    # No-ops make frames long enough to be split into fragments, the first with the whole RLE header.
    FRAMES = tuple(rle_frame(b"\x80" * 600 + bytes([0xFD, byte])) for byte in (1, 2, 3))

    def open(self, coded: encapsulate.Encapsulated, declared: int | None = 3) -> _numpy_backend.Frames:
        return open_numpy_frames(RLELossless, coded.value, number_of_frames=declared, extended_offsets=coded.extended)

    @pytest.mark.parametrize("fragments", [1, 2, 5])
    @pytest.mark.parametrize("table", ["none", "basic", "wrong"])
    @pytest.mark.parametrize("delimiter", [False, True])
    def test_offset_table_of_any_kind_locates_frames(self, table: str, fragments: int, delimiter: bool) -> None:
        coded = encapsulate.encapsulate(list(self.FRAMES), table=table, fragments=fragments, delimiter=delimiter)
        opened = self.open(coded)
        out, notes = decode_frames(opened, "u1", 4, [2, 0, 1])
        assert out.tolist() == [[3] * 4, [1] * 4, [2] * 4]
        assert [opened.frame_bytes(index) for index in range(3)] == [(frame, 0) for frame in self.FRAMES]
        what = "basic offset table does not match the items, ignored"
        assert notes == ([(None, what, "PS3.5 A.4", 8)] if table == "wrong" else [])
        assert opened.deviations() == []

    def test_extended_offset_table_takes_precedence(self) -> None:
        odd = [*self.FRAMES[:2], self.FRAMES[2] + b"\x80"]
        coded = encapsulate.encapsulate(odd, table="extended")
        opened = self.open(coded)
        assert opened.frame_bytes(2) == (odd[2], 0)
        assert opened.deviations() == []
        assert coded.extended is not None
        opened = self.open(encapsulate.Encapsulated(coded.value, (coded.extended[0], coded.extended[1][:8])))
        assert opened.frame_bytes(2) == (odd[2] + b"\0", 0)
        what = "extended offset table does not match the items, ignored"
        assert opened.deviations() == [(None, what, "PS3.3 C.7.6.3.1.8", None)]

    def test_cut_frame_does_not_affect_others(self) -> None:
        coded = encapsulate.encapsulate(list(self.FRAMES), table="basic")
        opened = open_numpy_frames(RLELossless, coded.value[:-3], number_of_frames=3)
        assert decode_frames(opened, "u1", 4, [0, 1])[0].tolist() == [[1] * 4, [2] * 4]
        with pytest.raises(TruncatedFrameError, match="item of 666 bytes found, 663 bytes left") as error:
            decode_frames(opened, "u1", 4)
        assert (error.value.frame_index, error.value.offset) == (2, len(coded.value) - 3)

    def test_wrong_offset_is_reported_when_its_frame_is_read(self) -> None:
        value = bytearray(encapsulate.encapsulate(list(self.FRAMES), table="basic").value)
        value[12:16] = struct.pack("<L", 2)
        opened = open_numpy_frames(RLELossless, bytes(value), number_of_frames=3)
        assert opened.deviations() == []
        note = (None, "basic offset table does not match the items, ignored", "PS3.5 A.4", 8)
        assert decode_frames(opened, "u1", 4, [1])[1] == [note]
        assert opened.deviations() == []
        with pytest.raises(CorruptFrameError, match="does not match the items") as error:
            decode_frames(opened, "u1", 4, [1], strict=True)
        assert (kind_and_offset(error), error.value.frame_index) == (("Malformed", 8), 1)

    def test_table_with_overlapping_entries_takes_linear_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        count, item = 300, encapsulate.item(self.FRAMES[0])
        # Every third entry would give all fragments but the first and the last.
        offsets = [0, len(item), (count - 1) * len(item)] * (count // 3)
        value = encapsulate.item(struct.pack(f"<{count}L", *offsets)) + item * count
        reads = []
        read_item = _frame_table._read_item
        monkeypatch.setattr(_frame_table, "_read_item", lambda *args: (reads.append(1), read_item(*args))[1])
        opened = open_numpy_frames(RLELossless, value, number_of_frames=count)
        assert all(opened.frame_bytes(index) == (self.FRAMES[0], 0) for index in range(2, count))
        assert len(reads) < 10 * count

    def test_more_frames_than_declared_is_a_deviation(self) -> None:
        opened = self.open(encapsulate.encapsulate(list(self.FRAMES)), declared=1)
        assert len(opened) == 3
        assert opened.deviations() == [(None, "number of frames is 1, 3 frames found", "PS3.3 C.7.6.6", None)]

    @pytest.mark.parametrize("empty", [1, 2])
    def test_empty_fragments_are_not_frames(self, empty: int) -> None:
        value = encapsulate.item(b"") * (1 + empty) + encapsulate.item(self.FRAMES[0])
        opened = open_numpy_frames(RLELossless, value, MONO_8)
        assert len(opened) == 1
        assert opened.frame_bytes(0)[0] == self.FRAMES[0]

    def test_fragments_without_recognisable_starts_raise(self) -> None:
        pieces = [encapsulate.item(b"ab")] * 3
        with pytest.raises(CorruptFrameError, match="only 1 frame starts recognised"):
            open_numpy_frames(RLELossless, encapsulate.item(b"") + b"".join(pieces), number_of_frames=2)
        with pytest.raises(TruncatedFrameError, match="3 fragments found, 4 frames expected"):
            open_numpy_frames(RLELossless, encapsulate.item(b"") + b"".join(pieces), number_of_frames=4)

    @pytest.mark.parametrize(
        ("value", "kind", "offset", "text"),
        [
            (b"", "Truncated", 0, "basic offset table item is missing"),
            (b"\xfe\xff\0", "Truncated", 0, "3 bytes found, item header of 8 bytes expected"),
            (bytes(8), "Malformed", 0, "tag (0000,0000) found, item (FFFE,E000) expected"),
            (encapsulate.item(b"") + b"\x28\0\x10\0abcd", "Malformed", 8, "tag (0028,0010) found"),
            (b"\xfe\xff\0\xe0\xff\xff\xff\xff", "Malformed", 4, "item of undefined length"),
            (
                encapsulate.item(b"") + encapsulate.item(b"abcd")[:-1],
                "Truncated",
                19,
                "item of 4 bytes found, 3 bytes left",
            ),
            (encapsulate.item(b""), "Truncated", 8, "0 fragments found, 1 frames expected"),
        ],
    )
    def test_invalid_items_raise_with_the_offset(self, value: bytes, kind: str, offset: int, text: str) -> None:
        with pytest.raises(CorruptFrameError) as error:
            open_numpy_frames(RLELossless, value)
        assert kind_and_offset(error) == (kind, offset)
        assert str(error.value).startswith(text)

    def test_zero_bytes_after_the_last_item_are_padding(self) -> None:
        value = encapsulate.encapsulate([self.FRAMES[0]]).value
        assert len(open_numpy_frames(RLELossless, value + b"\0")) == 1
