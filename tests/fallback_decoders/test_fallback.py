"""Frames that pydicom's plugins decode for us: found here, handed on one by one, never more memory than is allowed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import JPEG2000, ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGLSLossless

import dicoxide
from dicoxide import CorruptFrameError, LimitError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from support.codestream_headers import FRAMES, RNG, jpeg, jpeg_2000
from support.encoders.dataset import dataset, to_bytes
from support.encoders.encapsulate import item
from support.processes import run_script


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The codestreams that a plugin of pydicom's was asked for, which reads those above."""
    requested: list[bytes] = []

    def decode(src: bytes, runner: Any) -> bytearray:
        requested.append(src)
        head = 40 if src.startswith(b"\xff\x4f") else 14
        return bytearray(src[head : head + runner.rows * runner.columns])

    for uid in (JPEG2000, JPEGBaseline8Bit, JPEGLSLossless):
        monkeypatch.setattr(get_decoder(uid), "_available", {"theirs": decode})
    return requested


def series(count: int = 4, **options: Any) -> bytes:
    coded = [jpeg_2000(frame) for frame in FRAMES[:count]]
    return to_bytes(dataset(FRAMES[:count], JPEG2000, coded=coded, **options))


def test_each_frame_is_handed_on_alone(theirs: list[bytes]) -> None:
    data = series()
    assert np.array_equal(dicoxide.decode(data), FRAMES)
    assert [src.rstrip(b"\0") for src in theirs] == [jpeg_2000(frame).rstrip(b"\0") for frame in FRAMES]
    theirs.clear()
    assert np.array_equal(dicoxide.decode(data, frames=[2, 0]), FRAMES[[2, 0]])
    assert len(theirs) == 2
    assert dicoxide.decode(data, frames=[]).shape == (0, 5, 7)


@pytest.mark.parametrize("table", ["none", "basic", "extended"])
@pytest.mark.parametrize("said", [None, 1, 3])
def test_more_frames_than_said_are_all_given(theirs: list[bytes], table: Any, said: int | None) -> None:
    data = series(number_of_frames=said or 1, table=table)
    for src in (data, io.BytesIO(data)):
        with pytest.warns(NonConformantWarning, match=f"number of frames is {said or 1}, 4 frames found"):
            assert np.array_equal(dicoxide.decode(src), FRAMES)
    image = dicoxide.open(data)
    with pytest.warns(NonConformantWarning):
        assert image.shape == FRAMES.shape
    assert image.number_of_frames == 4
    assert np.array_equal(image.decode(out=np.empty(image.shape, image.dtype)), FRAMES)
    assert np.array_equal(image[3], FRAMES[3])
    with pytest.warns(NonConformantWarning):
        assert np.array_equal(np.stack(list(dicoxide.iter_frames(data))), FRAMES)
    with pytest.raises(CorruptFrameError, match="4 frames found"):
        dicoxide.decode(data, strict=True)
    with pytest.warns(NonConformantWarning), pytest.raises(LimitError):
        dicoxide.decode(data, max_bytes=FRAMES.nbytes - 1)
    with pytest.warns(NonConformantWarning):
        assert dicoxide.decode(data, max_bytes=FRAMES.nbytes).nbytes == FRAMES.nbytes


def test_fewer_frames_than_said_are_an_error(theirs: list[bytes]) -> None:
    with pytest.raises(TruncatedFrameError, match="4 fragments found, 5 frames expected"):
        dicoxide.decode(series(number_of_frames=5))
    with pytest.raises(IndexError):
        dicoxide.decode(series(), frames=4)
    assert theirs == []


def test_fragments_are_joined(theirs: list[bytes]) -> None:
    ds = dataset(FRAMES[0], JPEG2000, coded=[b"\0\0"])
    whole = jpeg_2000(FRAMES[0]) + b"\0"
    ds.PixelData = item(b"") + item(b"") + item(whole[:20]) + item(whole[20:])
    assert np.array_equal(dicoxide.decode(to_bytes(ds)), FRAMES[0])
    assert theirs == [whole]


@pytest.mark.parametrize(("uid", "coded"), [(JPEG2000, jpeg_2000), (JPEGBaseline8Bit, jpeg), (JPEGLSLossless, jpeg)])
def test_a_codestream_of_another_size_is_not_handed_on(theirs: list[bytes], uid: str, coded: Any) -> None:
    # Memory would be taken for what the header says, and another image be made of it.
    for rows, columns in ((65535, 65535), (7, 5), (5, 8)):
        ds = dataset(FRAMES[0], uid, coded=[coded(FRAMES[0])])
        ds.Rows, ds.Columns = rows, columns
        for src in (ds, to_bytes(ds)):
            with pytest.raises(CorruptFrameError, match="codestream has 5 rows and 7 columns") as caught:
                dicoxide.decode(src)
            assert caught.value.kind == "Mismatch"
    assert theirs == []


def test_what_no_codestream_holds_is_not_handed_on(theirs: list[bytes]) -> None:
    for count, keyword in ((32, "FloatPixelData"), (64, "DoubleFloatPixelData"), (64, "PixelData")):
        ds = dataset(FRAMES[0], JPEG2000, coded=[jpeg_2000(FRAMES[0])])
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = count, count, count - 1
        if keyword != "PixelData":
            setattr(ds, keyword, ds.PixelData)
            del ds.PixelData
        with pytest.raises(UnsupportedError):
            dicoxide.decode(ds)
    assert theirs == []


def test_samples_of_another_number_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_decoder(JPEG2000), "_available", {"theirs": lambda src, runner: bytearray(20)})
    with pytest.raises(dicoxide.DecodeError) as caught:
        dicoxide.decode(series(1))
    assert caught.value.kind == "Fallback"
    assert caught.value.frame_index == 0


def test_memory_that_their_decoders_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(src: bytes, runner: Any) -> bytearray:
        raise MemoryError

    monkeypatch.setattr(get_decoder(JPEG2000), "_available", {"theirs": decode})
    # pydicom tells of it as of any failure of a plugin's.
    with pytest.raises(dicoxide.DecodeError):
        dicoxide.decode(series(1))


def test_native_samples_without_a_type_here() -> None:
    # Bits of three samples: pydicom decodes them, we do not.
    bits = RNG.integers(0, 2, (4, 5, 8, 3), np.uint8)
    ds = dataset(FRAMES[0], ExplicitVRLittleEndian)
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PlanarConfiguration = 5, 8, 3, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    ds.PhotometricInterpretation, ds.NumberOfFrames = "RGB", 4
    ds.PixelData = np.packbits(bits, bitorder="little").tobytes()
    data = to_bytes(ds)
    with pytest.raises(UnsupportedError):
        dicoxide.decode(data, fallback=False)
    assert np.array_equal(dicoxide.decode(data), bits)
    assert np.array_equal(dicoxide.decode(data, frames=-1), bits[3])
    with pytest.raises(LimitError):
        dicoxide.decode(data, max_bytes=bits.nbytes - 1)
    ds.NumberOfFrames = 3
    with pytest.warns(NonConformantWarning, match="number of frames is 3, 4 frames found"):
        assert np.array_equal(dicoxide.decode(to_bytes(ds)), bits)
    with pytest.warns(NonConformantWarning), pytest.raises(LimitError):
        dicoxide.decode(to_bytes(ds), max_bytes=bits.nbytes - 1)
    ds.NumberOfFrames = 5
    with pytest.raises(TruncatedFrameError):
        dicoxide.decode(to_bytes(ds))


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS as on Linux")
def test_volumes_take_no_memory_for_claims(tmp_path: Path) -> None:
    files = {"native.dcm": to_bytes(dataset(FRAMES[0])), "j2k.dcm": series(1)}
    ds = dataset(FRAMES[0])
    ds.Rows = ds.Columns = 65535
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = [0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 1]
    files["native.dcm"] = to_bytes(ds)
    lies = dataset(FRAMES[0], JPEG2000, coded=[jpeg_2000(FRAMES[0])])
    lies.Rows = lies.Columns = 65535
    files["j2k.dcm"] = to_bytes(lies)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in files]
    done = run_script("read_volumes_within_256_mib", *paths)
    assert set(done.stdout.split()) <= {"TruncatedFrameError", "CorruptFrameError", "UnsupportedError"}
