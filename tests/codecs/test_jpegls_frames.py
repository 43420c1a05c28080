"""JPEG-LS frames of data sets: sign and unused bits as pydicom gives them, and every interface that decodes them."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless

import dicoxide
from dicoxide import CorruptFrameError, FrameSpec, LimitError, NonConformantWarning
from dicoxide.plugins import pydicom_v3
from support.command_line import dicoxide_command
from support.decode_runners import Runner30, Runner31, options_of
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg_lossless_cases import picture
from support.encoders.jpegls import encode, encode_frame

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG-LS")

RNG = np.random.default_rng(80)
ROWS, COLUMNS = 11, 14
GRAY = picture(RNG, (ROWS, COLUMNS), 12).astype(np.uint16)
RGB = picture(RNG, (ROWS, COLUMNS, 3), 8).astype(np.uint8)
FRAMES = np.stack([picture(RNG, (ROWS, COLUMNS), 12).astype(np.uint16) for _ in range(3)])
CINE = [encode(frame, precision=12) for frame in FRAMES]


def object_of(
    array: Any, coded: list[bytes], uid: str = JPEGLSLossless, **options: Any
) -> tuple[pydicom.Dataset, bytes]:
    """Return a data set as pydicom reads it, and its file."""
    data = to_bytes(dataset(array, uid, coded=coded, **options))
    return pydicom.dcmread(io.BytesIO(data)), data


class TestBits:
    """The codestream has no sign; pydicom takes its precision for the stored bits (PS3.5 8.2.3)."""

    @pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
    @pytest.mark.parametrize(
        ("precision", "allocated", "stored"),
        [
            (8, 8, 8),
            (7, 8, 8),
            (6, 8, 7),
            (8, 8, 7),
            (8, 16, 8),
            (8, 16, 12),
            (7, 16, 16),
            (10, 16, 12),
            (12, 16, 12),
            (12, 16, 16),
            (12, 16, 10),
            (16, 16, 12),
            (16, 16, 16),
        ],
    )
    def test_values_equal_pydicom_with_pyjpegls(
        self, precision: int, allocated: int, stored: int, signed: bool
    ) -> None:
        pytest.importorskip("jpeg_ls")
        values = RNG.integers(0, 1 << precision, (ROWS, COLUMNS)).astype(np.uint16 if precision > 8 else np.uint8)
        target = np.zeros((ROWS, COLUMNS), f"{'i' if signed else 'u'}{allocated // 8}")
        ds, data = object_of(target, [encode(values, precision=precision)], bits_stored=stored)
        ds.pixel_array_options(decoding_plugin="pyjpegls")
        expected = ds.pixel_array
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            for src in (ds, data):
                decoded = dicoxide.decode(src, fallback=False)
                assert decoded.dtype == expected.dtype
                assert np.array_equal(decoded, expected)
            ds.pixel_array_options(decoding_plugin="dicoxide")
            with dicoxide.enabled():
                assert np.array_equal(ds.pixel_array, expected)

    @pytest.mark.parametrize("high_bit", [12, 15])
    def test_high_bit_does_not_shift_samples(self, high_bit: int) -> None:
        ds, _ = object_of(GRAY, [encode(GRAY, precision=12)], bits_stored=12, high_bit=high_bit)
        with pytest.warns(NonConformantWarning, match="high bit"):
            assert np.array_equal(dicoxide.decode(ds), GRAY)

    @pytest.mark.parametrize("bits_stored", [10, 11])
    def test_precision_above_bits_stored_is_a_deviation(self, bits_stored: int) -> None:
        ds, data = object_of(GRAY, [encode(GRAY, precision=12)], bits_stored=bits_stored)
        text = f"precision 12 found in the codestream, bits stored {bits_stored}"
        for src in (ds, data):
            with pytest.warns(NonConformantWarning, match=text):
                assert np.array_equal(dicoxide.decode(src), GRAY)
            with pytest.raises(CorruptFrameError, match=text):
                dicoxide.decode(src, strict=True)

    def test_precision_above_bits_allocated_is_a_mismatch(self) -> None:
        spec = FrameSpec(JPEGLSLossless, ROWS, COLUMNS, bits_allocated=8)
        with pytest.raises(CorruptFrameError, match="precision 12 found .* bits allocated 8") as caught:
            dicoxide.decode_frame(CINE[0], spec)
        assert caught.value.kind == "Mismatch"

    @pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
    @pytest.mark.parametrize("allocated", [32, 64])
    def test_wider_samples_hold_16_bits(self, allocated: int, signed: bool) -> None:
        values = RNG.integers(0, 1 << 16, (ROWS, COLUMNS)).astype(np.uint16)
        spec = FrameSpec(
            JPEGLSLossless,
            ROWS,
            COLUMNS,
            bits_allocated=allocated,
            bits_stored=16,
            pixel_representation=int(signed),
        )
        decoded = dicoxide.decode_frame(encode(values), spec)
        expected = values.view(np.int16) if signed else values
        assert decoded.itemsize * 8 == allocated
        assert np.array_equal(decoded, expected)

    @pytest.mark.parametrize(
        ("changed", "text"),
        [
            ({"rows": ROWS + 1}, "rows"),
            ({"columns": COLUMNS - 1}, "columns"),
            ({"samples_per_pixel": 3}, "components"),
        ],
    )
    def test_size_unequal_to_the_attributes_is_a_mismatch(self, changed: dict[str, int], text: str) -> None:
        declared = {"rows": ROWS, "columns": COLUMNS, "bits_allocated": 16, **changed}
        with pytest.raises(CorruptFrameError, match=text) as caught:
            dicoxide.decode_frame(CINE[0], FrameSpec(JPEGLSLossless, **declared))
        assert caught.value.kind == "Mismatch"


class TestSyntax:
    @pytest.mark.parametrize("uid", [JPEGBaseline8Bit, JPEGLosslessSV1, "1.2.840.10008.1.2.4.57"])
    def test_codestream_under_another_syntax_decodes_with_a_deviation(self, uid: str) -> None:
        ds, data = object_of(GRAY, [CINE[0]], uid, bits_stored=12)
        for src in (ds, data):
            with pytest.warns(NonConformantWarning, match="JPEG-LS codestream found, transfer syntax is JPEG"):
                assert np.array_equal(dicoxide.decode(src, fallback=False), FRAMES[0])
            with pytest.raises(CorruptFrameError, match="JPEG-LS codestream found"):
                dicoxide.decode(src, strict=True)

    def test_near_lossless_codestream_under_lossless_syntax_is_a_deviation(self) -> None:
        encoded = encode_frame(GRAY, precision=12, near=3)
        ds, _ = object_of(GRAY, [encoded.src], bits_stored=12)
        with pytest.warns(NonConformantWarning, match="near-lossless JPEG-LS codestream found"):
            assert np.array_equal(dicoxide.decode(ds), encoded.values)
        ds, _ = object_of(GRAY, [encoded.src], JPEGLSNearLossless, bits_stored=12)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(dicoxide.decode(ds, strict=True), encoded.values)

    def test_capabilities_name_the_codec(self) -> None:
        for uid in (JPEGLSLossless, JPEGLSNearLossless):
            assert dicoxide.capabilities()[uid].decoder == "dicoxide"


class TestColour:
    @pytest.mark.parametrize("interleave", ["none", "line", "sample"])
    def test_colour_is_interleaved_and_not_converted(self, interleave: str) -> None:
        ds, data = object_of(RGB, [encode(RGB, interleave=interleave)], samples_per_pixel=3, planar_configuration=1)
        for src in (ds, data):
            assert np.array_equal(dicoxide.decode(src, strict=True), RGB)
        with dicoxide.enabled():
            assert np.array_equal(ds.pixel_array, RGB)

    def test_ybr_full_is_converted_as_pydicom_does(self) -> None:
        coded = [encode(RGB, interleave="sample")]
        ds, _ = object_of(RGB, coded, samples_per_pixel=3, photometric_interpretation="YBR_FULL")
        native = dataset(RGB, samples_per_pixel=3, photometric_interpretation="YBR_FULL")
        assert np.array_equal(dicoxide.decode(ds), dicoxide.decode(native))
        assert np.array_equal(dicoxide.decode(ds, raw=True), RGB)

    @pytest.mark.parametrize("transform", [1, 2, 3])
    @pytest.mark.parametrize("interleave", ["line", "sample"])
    @pytest.mark.parametrize("bits", [8, 16])
    def test_colour_transform_of_hp_is_inverted(self, bits: int, interleave: str, transform: int) -> None:
        values = RNG.integers(0, 1 << bits, (5, 7, 3)).astype(f"u{bits // 8}")
        src = encode(values, interleave=interleave, transform=transform)
        with pytest.warns(NonConformantWarning, match="colour transform of HP"):
            assert np.array_equal(dicoxide.decode_codestream(src), values)
        info = dicoxide.codestream_info(src)
        assert (info.format, info.colour) == ("jpegls", "rgb")


class TestInterfaces:
    def test_frames_decode_alike_everywhere(self, tmp_path: Path) -> None:
        ds, data = object_of(FRAMES, CINE, bits_stored=12)
        path = tmp_path / "cine.dcm"
        path.write_bytes(data)
        for threads in (1, 2, 3):
            assert np.array_equal(dicoxide.decode(path, threads=threads, fallback=False), FRAMES)
        assert np.array_equal(np.stack(list(dicoxide.iter_frames(ds))), FRAMES)
        assert np.array_equal(dicoxide.decode(data, frames=[2, 0]), FRAMES[[2, 0]])
        with dicoxide.open(path) as image:
            assert np.array_equal(image.decode(1), FRAMES[1])
        results = [array for _, array in dicoxide.decode_many([path, path])]
        assert all(np.array_equal(array, FRAMES) for array in results)
        out = np.zeros_like(FRAMES)
        dicoxide.decode(path, out=out)
        assert np.array_equal(out, FRAMES)

    def test_pydicom_interfaces(self) -> None:
        ds, _ = object_of(FRAMES, CINE, bits_stored=12)
        ds.pixel_array_options(decoding_plugin="dicoxide")
        with dicoxide.enabled():
            assert np.array_equal(ds.pixel_array, FRAMES)
        values = dicoxide.pydicom_handler.get_pixeldata(ds)
        assert np.array_equal(values.reshape(FRAMES.shape), FRAMES)

    @pytest.mark.parametrize("kind", [Runner30, Runner31], ids=["pydicom 3.0", "pydicom 3.1"])
    def test_plugin_returns_interleaved_samples_to_each_runner(self, kind: type[Runner30]) -> None:
        ds, _ = object_of(RGB, [], samples_per_pixel=3)
        runner = kind(options_of(ds), JPEGLSLossless)
        frame = pydicom_v3.decode_frame(encode(RGB, interleave="none"), runner)  # type: ignore[arg-type]
        assert bytes(frame) == RGB.tobytes()
        assert runner.reported["planar_configuration"] == 0

    @pytest.mark.parametrize("kind", [Runner30, Runner31], ids=["pydicom 3.0", "pydicom 3.1"])
    def test_plugin_extends_the_sign_from_the_precision(self, kind: type[Runner30]) -> None:
        ds, _ = object_of(GRAY.view(np.int16), [], bits_stored=12)
        runner = kind(options_of(ds), JPEGLSLossless)
        frame = pydicom_v3.decode_frame(encode(GRAY & 1023, precision=10), runner)  # type: ignore[arg-type]
        expected = (GRAY << 6).view(np.int16) >> 6
        assert bytes(frame) == expected.tobytes()

    def test_codestream_functions(self) -> None:
        src = encode(GRAY, precision=12, near=2)
        info = dicoxide.codestream_info(src)
        assert (info.format, info.rows, info.columns, info.components) == ("jpegls", ROWS, COLUMNS, 1)
        assert (info.precision, info.is_signed, info.is_lossy, info.colour) == (12, False, True, "gray")
        assert not dicoxide.codestream_info(CINE[0]).is_lossy
        with pytest.raises(ValueError, match="1 resolution level"):
            dicoxide.decode_codestream(src, reduce=1)

    def test_command_line(self, tmp_path: Path) -> None:
        path = tmp_path / "cine.dcm"
        path.write_bytes(object_of(FRAMES, CINE, bits_stored=12)[1])
        result = dicoxide_command("info", path)
        assert result.code == 0
        assert re.search(r"transfer syntax +1.2.840.10008.1.2.4.80 JPEGLSLossless\n +decoder +dicoxide\n", result.out)
        out = tmp_path / "out"
        assert dicoxide_command("decode", path, "-o", out, "--format", "npy").code == 0
        (array,) = out.glob("*.npy")
        assert np.array_equal(np.load(array), FRAMES)

    def test_read_series_stacks_slices(self, tmp_path: Path) -> None:
        for index, src in enumerate(CINE):
            ds = dataset(FRAMES[index], JPEGLSLossless, coded=[src], bits_stored=12)
            ds.SeriesInstanceUID = "1.2.3"
            ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            ds.ImagePositionPatient = [0, 0, -index]
            ds.PixelSpacing = [1, 1]
            (tmp_path / f"{index}.dcm").write_bytes(to_bytes(ds))
        (volume,) = dicoxide.read_series(tmp_path)
        assert np.array_equal(volume.array, FRAMES[::-1])

    def test_memory_is_counted(self) -> None:
        values = np.zeros((64, 2000), np.uint8)
        ds, _ = object_of(values, [encode(values)])
        assert np.array_equal(dicoxide.decode(ds, max_bytes=1 << 20), values)
        with pytest.raises(LimitError):
            # The output has 128 000 bytes; lines and unstuffed data come on top of it.
            dicoxide.decode(ds, max_bytes=130_000)

    def test_large_size_without_data_is_refused_before_allocation(self) -> None:
        src = bytearray(CINE[0])
        position = src.index(b"\xff\xf7") + 5
        src[position : position + 4] = b"\xff\xff\xff\xff"
        with pytest.raises(dicoxide.TruncatedFrameError, match=r"frame has \d+ bytes, at least \d+ expected"):
            dicoxide.decode_codestream(bytes(src))
