"""Fallback to pydicom's plugins: dicoxide locates the frames, passes them on one by one, and keeps memory limits."""

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
from dicoxide._fallback_decoders import available_plugins
from support.codestream_headers import FRAMES, RNG, jpeg_2000, jpeg_arithmetic, jpeg_ls
from support.encoders.dataset import dataset, to_bytes
from support.encoders.encapsulate import item
from support.processes import run_script


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Add a pydicom plugin for stand-in codestreams; return the codestreams that it was called with."""
    requested: list[bytes] = []

    def decode(src: bytes, runner: Any) -> bytearray:
        requested.append(src)
        head = 49 if src.startswith(b"\xff\x4f") else 14
        return bytearray(src[head : head + runner.rows * runner.columns])

    for uid in (JPEG2000, JPEGBaseline8Bit, JPEGLSLossless):
        monkeypatch.setattr(get_decoder(uid), "_available", {"other": decode})
    return requested


def series(count: int = 4, **options: Any) -> bytes:
    coded = [jpeg_2000(frame) for frame in FRAMES[:count]]
    return to_bytes(dataset(FRAMES[:count], JPEG2000, coded=coded, **options))


def test_fallback_decoder_gets_one_frame_per_call(requested: list[bytes]) -> None:
    data = series()
    assert np.array_equal(dicoxide.decode(data), FRAMES)
    assert [src.rstrip(b"\0") for src in requested] == [jpeg_2000(frame).rstrip(b"\0") for frame in FRAMES]
    requested.clear()
    assert np.array_equal(dicoxide.decode(data, frames=[2, 0]), FRAMES[[2, 0]])
    assert len(requested) == 2
    assert dicoxide.decode(data, frames=[]).shape == (0, 5, 7)


@pytest.mark.parametrize("table", ["none", "basic", "extended"])
@pytest.mark.parametrize("declared", [None, 1, 3])
def test_fallback_of_more_frames_than_declared_warns_and_gives_all(
    requested: list[bytes], table: Any, declared: int | None
) -> None:
    data = series(number_of_frames=declared or 1, table=table)
    for src in (data, io.BytesIO(data)):
        with pytest.warns(NonConformantWarning, match=f"number of frames is {declared or 1}, 4 frames found"):
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


def test_fallback_of_fewer_frames_than_declared_raises_truncated(requested: list[bytes]) -> None:
    with pytest.raises(TruncatedFrameError, match="4 fragments found, 5 frames expected"):
        dicoxide.decode(series(number_of_frames=5))
    with pytest.raises(IndexError):
        dicoxide.decode(series(), frames=4)
    assert requested == []


def test_fallback_decoder_gets_joined_fragments(requested: list[bytes]) -> None:
    ds = dataset(FRAMES[0], JPEG2000, coded=[b"\0\0"])
    whole = jpeg_2000(FRAMES[0])
    ds.PixelData = item(b"") + item(b"") + item(whole[:20]) + item(whole[20:])
    assert np.array_equal(dicoxide.decode(to_bytes(ds)), FRAMES[0])
    assert requested == [whole]


@pytest.mark.parametrize(
    ("uid", "coded"), [(JPEG2000, jpeg_2000), (JPEGBaseline8Bit, jpeg_arithmetic), (JPEGLSLossless, jpeg_ls)]
)
@pytest.mark.parametrize(("rows", "columns"), [(65535, 65535), (7, 5), (5, 8)])
def test_fallback_of_codestream_with_other_size_raises_mismatch(
    requested: list[bytes], uid: str, coded: Any, rows: int, columns: int
) -> None:
    # The other decoder would allocate the declared size and return another image.
    ds = dataset(FRAMES[0], uid, coded=[coded(FRAMES[0])])
    ds.Rows, ds.Columns = rows, columns
    for src in (ds, to_bytes(ds)):
        with pytest.raises(CorruptFrameError, match=r"(rows 5|columns 7) found in the codestream") as caught:
            dicoxide.decode(src)
        assert caught.value.kind == "Mismatch"
    assert requested == []


@pytest.mark.parametrize(("bits", "keyword"), [(32, "FloatPixelData"), (64, "DoubleFloatPixelData"), (64, "PixelData")])
def test_fallback_of_float_or_64_bit_data_raises_unsupported(requested: list[bytes], bits: int, keyword: str) -> None:
    ds = dataset(FRAMES[0], JPEG2000, coded=[jpeg_2000(FRAMES[0])])
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    if keyword != "PixelData":
        setattr(ds, keyword, ds.PixelData)
        del ds.PixelData
    with pytest.raises(UnsupportedError):
        dicoxide.decode(ds)
    assert requested == []


def test_fallback_does_not_ask_gdcm(monkeypatch: pytest.MonkeyPatch) -> None:
    # GDCM ends the process on some corrupt codestreams.
    def decode(src: bytes, runner: Any) -> bytearray:
        pytest.fail("GDCM is asked")

    decoder = get_decoder(JPEG2000)
    monkeypatch.setattr(decoder, "_available", {"gdcm": decode, "other": decode, "dicoxide": decode})
    assert available_plugins(JPEG2000) == ("other",)
    monkeypatch.setattr(decoder, "_available", {"gdcm": decode})
    assert available_plugins(JPEG2000) == ()
    with pytest.raises(UnsupportedError):
        dicoxide.decode(series(1))


def test_fallback_result_of_wrong_size_raises_fallback_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_decoder(JPEG2000), "_available", {"other": lambda src, runner: bytearray(20)})
    monkeypatch.setattr("dicoxide._image._SYNTAXES_WITH_CODEC", frozenset())
    with pytest.raises(dicoxide.DecodeError) as caught:
        dicoxide.decode(series(1))
    assert caught.value.kind == "Fallback"
    assert caught.value.frame_index == 0


def test_fallback_without_codec_and_failing_plugins_names_their_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(src: bytes, runner: Any) -> bytearray:
        raise ValueError("marker 5 is odd")

    monkeypatch.setattr(get_decoder(JPEG2000), "_available", {"other": decode})
    monkeypatch.setattr("dicoxide._image._SYNTAXES_WITH_CODEC", frozenset())
    data = to_bytes(dataset(FRAMES[0], JPEG2000, coded=[jpeg_2000(FRAMES[0])]))
    with pytest.raises(dicoxide.DecodeError, match="other: marker 5 is odd") as caught:
        dicoxide.decode(data)
    assert caught.value.kind == "Fallback"


def test_fallback_decoder_memory_error_raises_decode_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(src: bytes, runner: Any) -> bytearray:
        raise MemoryError

    monkeypatch.setattr(get_decoder(JPEG2000), "_available", {"other": decode})
    # pydicom reports it like any other failure of a plugin.
    with pytest.raises(dicoxide.DecodeError):
        dicoxide.decode(series(1))


def test_fallback_of_packed_colour_bits_decodes() -> None:
    # Packed bits with three samples per pixel: pydicom decodes them, dicoxide does not.
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
def test_read_series_with_huge_declared_size_allocates_little(tmp_path: Path) -> None:
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
