"""JPEG 2000 frames of data sets: sign, precision and colour as pydicom returns them, and every interface."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEG2000MC,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEG2000MCLossless,
)

import dicoxide
from dicoxide import CorruptFrameError, FrameSpec, LimitError, NonConformantWarning
from dicoxide.plugins import pydicom_v3
from support.command_line import dicoxide_command
from support.decode_runners import Runner30, Runner31, options_of
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg2000 import encode, encode_frame
from support.encoders.jpeg2000_cases import samples_of
from support.encoders.jpeg2000_ebcot import HT

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG 2000")

RNG = np.random.default_rng(90)
ROWS, COLUMNS = 21, 34
GRAY = samples_of(RNG, (ROWS, COLUMNS), 12)
RGB = samples_of(RNG, (ROWS, COLUMNS, 3), 8)
FRAMES = np.stack([samples_of(RNG, (ROWS, COLUMNS), 12, kind) for kind in ("smooth", "noise", "edges")])
CINE = [encode(frame, precision=12) for frame in FRAMES]
LOSSLESS = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)


def object_of(
    array: Any, coded: list[bytes], uid: str = JPEG2000Lossless, **options: Any
) -> tuple[pydicom.Dataset, bytes]:
    """Return a data set as pydicom reads it, and its file."""
    data = to_bytes(dataset(array, uid, coded=coded, **options))
    return pydicom.dcmread(io.BytesIO(data)), data


class TestBits:
    """Precision and sign of the codestream, and those of the data set (PS3.5 8.2.4)."""

    @pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
    @pytest.mark.parametrize(
        ("precision", "allocated", "stored"),
        [
            (8, 8, 8),
            (7, 8, 8),
            (6, 8, 7),
            (8, 16, 8),
            (8, 16, 12),
            (10, 16, 12),
            (12, 16, 12),
            (12, 16, 16),
            (16, 16, 16),
            (1, 8, 1),
        ],
    )
    def test_values_equal_pydicom_with_pylibjpeg(
        self, precision: int, allocated: int, stored: int, signed: bool
    ) -> None:
        pytest.importorskip("openjpeg")
        values = samples_of(RNG, (ROWS, COLUMNS), precision, "noise", is_signed=signed)
        target = np.zeros((ROWS, COLUMNS), f"{'i' if signed else 'u'}{allocated // 8}")
        ds, data = object_of(target, [encode(values, precision=precision)], bits_stored=stored)
        ds.pixel_array_options(decoding_plugin="pylibjpeg")
        expected = ds.pixel_array
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            for src in (ds, data):
                decoded = dicoxide.decode(src, fallback=False)
                assert decoded.dtype == expected.dtype
                assert np.array_equal(decoded, expected)
                assert np.array_equal(decoded, values)
            ds.pixel_array_options(decoding_plugin="dicoxide")
            with dicoxide.enabled():
                assert np.array_equal(ds.pixel_array, expected)

    @pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
    @pytest.mark.parametrize("precision", [8, 12, 13, 16])
    def test_sign_unequal_to_the_data_set_is_a_deviation(self, precision: int, signed: bool) -> None:
        pytest.importorskip("openjpeg")
        values = samples_of(RNG, (ROWS, COLUMNS), precision, "noise", is_signed=signed)
        target = np.zeros((ROWS, COLUMNS), f"{'u' if signed else 'i'}{values.itemsize}")
        ds, data = object_of(target, [encode(values, precision=precision)], bits_stored=precision)
        ds.pixel_array_options(decoding_plugin="pylibjpeg")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = ds.pixel_array
        for src in (ds, data):
            with pytest.warns(NonConformantWarning, match="sign"):
                decoded = dicoxide.decode(src, fallback=False)
            assert decoded.dtype == expected.dtype
            assert np.array_equal(decoded, expected)
            with pytest.raises(CorruptFrameError, match="sign"):
                dicoxide.decode(src, fallback=False, strict=True)

    def test_precision_above_bits_stored_is_a_deviation(self) -> None:
        ds, data = object_of(GRAY, [CINE[0]], bits_stored=10)
        text = "precision 12 found in the codestream, bits stored 10"
        for src in (ds, data):
            with pytest.warns(NonConformantWarning, match=text):
                assert np.array_equal(dicoxide.decode(src, fallback=False), FRAMES[0])
            with pytest.raises(CorruptFrameError, match=text):
                dicoxide.decode(src, strict=True)

    def test_precision_above_bits_allocated_is_a_mismatch(self) -> None:
        spec = FrameSpec(JPEG2000Lossless, ROWS, COLUMNS, bits_allocated=8)
        with pytest.raises(CorruptFrameError, match="precision 12 found .* bits allocated 8") as caught:
            dicoxide.decode_frame(CINE[0], spec)
        assert caught.value.kind == "Mismatch"

    @pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
    @pytest.mark.parametrize("precision", [16, 20, 24])
    def test_samples_of_32_bits(self, precision: int, signed: bool) -> None:
        values = samples_of(RNG, (ROWS, COLUMNS), precision, "noise", is_signed=signed)
        spec = FrameSpec(
            JPEG2000Lossless,
            ROWS,
            COLUMNS,
            bits_allocated=32,
            bits_stored=precision,
            pixel_representation=int(signed),
        )
        decoded = dicoxide.decode_frame(encode(values, precision=precision), spec)
        assert decoded.dtype == np.dtype("i4" if signed else "u4")
        assert np.array_equal(decoded, values)

    @pytest.mark.parametrize(
        "changed",
        [{"rows": ROWS + 1}, {"columns": COLUMNS - 1}, {"samples_per_pixel": 3}],
        ids=["rows", "columns", "components"],
    )
    def test_size_unequal_to_the_attributes_is_a_mismatch(self, changed: dict[str, int]) -> None:
        declared = {"rows": ROWS, "columns": COLUMNS, "bits_allocated": 16, **changed}
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.decode_frame(CINE[0], FrameSpec(JPEG2000Lossless, **declared))
        assert caught.value.kind == "Mismatch"


class TestSyntax:
    @pytest.mark.parametrize("uid", [*LOSSLESS, JPEG2000MC, JPEG2000MCLossless])
    def test_capabilities_name_the_codec(self, uid: str) -> None:
        assert dicoxide.capabilities()[uid].decoder == "dicoxide"

    @pytest.mark.parametrize("uid", LOSSLESS)
    def test_reversible_codestream_is_decoded_under_each_syntax(self, uid: str) -> None:
        options = {"style": HT, "progression": "RPCL"} if uid in (HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K) else {}
        ds, data = object_of(GRAY, [encode(GRAY, precision=12, **options)], uid, bits_stored=12)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for src in (ds, data):
                assert np.array_equal(dicoxide.decode(src, fallback=False, strict=True), GRAY)

    @pytest.mark.parametrize("uid", [JPEG2000MC, JPEG2000MCLossless])
    def test_codestream_without_part_2_is_decoded_under_its_syntaxes(self, uid: str) -> None:
        ds, _ = object_of(GRAY, [CINE[0]], uid, bits_stored=12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            assert np.array_equal(dicoxide.decode(ds, fallback=False), FRAMES[0])

    def test_codestream_under_another_syntax_is_a_deviation(self) -> None:
        ds, data = object_of(GRAY, [CINE[0]], HTJ2KLossless, bits_stored=12)
        for src in (ds, data):
            with pytest.warns(NonConformantWarning, match="JPEG 2000"):
                assert np.array_equal(dicoxide.decode(src, fallback=False), FRAMES[0])

    def test_irreversible_codestream_under_lossless_syntax_is_a_deviation(self) -> None:
        encoded = encode_frame(GRAY, precision=12, wavelet="9/7", step=4.0)
        ds, _ = object_of(GRAY, [encoded.src], bits_stored=12)
        with pytest.warns(NonConformantWarning, match="lossy|irreversible"):
            found = dicoxide.decode(ds, fallback=False)
        assert np.abs(found.astype(int) - encoded.values).max() <= 1
        ds, _ = object_of(GRAY, [encoded.src], JPEG2000, bits_stored=12)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(dicoxide.decode(ds, fallback=False, strict=True), found)

    def test_codestream_in_boxes_is_a_deviation(self) -> None:
        ds, _ = object_of(GRAY, [encode(GRAY, precision=12, file={})], bits_stored=12)
        with pytest.warns(NonConformantWarning, match="JP2|box"):
            assert np.array_equal(dicoxide.decode(ds, fallback=False), GRAY)


class TestColour:
    """The component transform of the codestream, and the photometric interpretation (PS3.5 8.2.4)."""

    @pytest.mark.parametrize("photometric", ["RGB", "YBR_RCT"])
    def test_rct_returns_rgb(self, photometric: str) -> None:
        ds, data = object_of(
            RGB, [encode(RGB, has_transform=True)], samples_per_pixel=3, photometric_interpretation=photometric
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            for src in (ds, data):
                assert np.array_equal(dicoxide.decode(src, fallback=False), RGB)
                assert np.array_equal(dicoxide.decode(src, fallback=False, raw=True), RGB)
            with dicoxide.enabled():
                assert np.array_equal(ds.pixel_array, RGB)

    def test_ict_returns_rgb(self) -> None:
        encoded = encode_frame(RGB, has_transform=True, wavelet="9/7")
        ds, _ = object_of(RGB, [encoded.src], JPEG2000, samples_per_pixel=3, photometric_interpretation="YBR_ICT")
        found = dicoxide.decode(ds, fallback=False, strict=True)
        assert np.abs(found.astype(int) - encoded.values).max() <= 1

    @pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
    def test_transformed_codestream_of_ybr_is_converted_once(self, photometric: str) -> None:
        coded = [encode(RGB, has_transform=True)]
        ds, _ = object_of(RGB, coded, samples_per_pixel=3, photometric_interpretation=photometric)
        with pytest.warns(NonConformantWarning, match="transform"):
            assert np.array_equal(dicoxide.decode(ds, fallback=False), RGB)

    def test_codestream_of_ybr_without_transform_is_converted_as_native(self) -> None:
        ds, _ = object_of(RGB, [encode(RGB)], samples_per_pixel=3, photometric_interpretation="YBR_FULL")
        native = dataset(RGB, samples_per_pixel=3, photometric_interpretation="YBR_FULL")
        assert np.array_equal(dicoxide.decode(ds, fallback=False), dicoxide.decode(native))
        assert np.array_equal(dicoxide.decode(ds, fallback=False, raw=True), RGB)

    def test_planar_configuration_is_ignored(self) -> None:
        ds, _ = object_of(RGB, [encode(RGB)], samples_per_pixel=3, planar_configuration=1)
        assert np.array_equal(dicoxide.decode(ds, fallback=False), RGB)


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

    @pytest.mark.parametrize("reduce", [1, 2, 3])
    def test_reduced_frames_decode_alike_everywhere(self, tmp_path: Path, reduce: int) -> None:
        ds, data = object_of(FRAMES, CINE, bits_stored=12)
        path = tmp_path / "cine.dcm"
        path.write_bytes(data)
        expected = np.stack([encode_frame(frame, precision=12, reduce=reduce).values for frame in FRAMES])
        for src in (ds, data, path):
            found = dicoxide.decode(src, reduce=reduce, fallback=False)
            assert found.dtype == np.uint16
            assert np.array_equal(found, expected)
        assert np.array_equal(np.stack(list(dicoxide.iter_frames(ds, reduce=reduce))), expected)
        with pytest.raises(ValueError, match="level"):
            dicoxide.decode(path, reduce=4, fallback=False)

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
        runner = kind(options_of(ds), JPEG2000Lossless)
        frame = pydicom_v3.decode_frame(encode(RGB, has_transform=True), runner)  # type: ignore[arg-type]
        assert bytes(frame) == RGB.tobytes()
        assert runner.reported["planar_configuration"] == 0

    def test_codestream_functions(self) -> None:
        info = dicoxide.codestream_info(CINE[0])
        assert (info.format, info.rows, info.columns, info.components) == ("jpeg2000", ROWS, COLUMNS, 1)
        assert (info.precision, info.is_signed, info.is_lossy, info.colour) == (12, False, False, "gray")
        assert info.resolution_levels == 4
        coded = dicoxide.codestream_info(encode(RGB, has_transform=True, wavelet="9/7", style=HT))
        assert (coded.format, coded.components, coded.is_lossy, coded.colour) == ("htj2k", 3, True, "rgb")

    def test_command_line(self, tmp_path: Path) -> None:
        path = tmp_path / "cine.dcm"
        path.write_bytes(object_of(FRAMES, CINE, bits_stored=12)[1])
        result = dicoxide_command("info", path)
        assert result.code == 0
        assert re.search(r"transfer syntax +1.2.840.10008.1.2.4.90 JPEG2000Lossless\n +decoder +dicoxide\n", result.out)
        out = tmp_path / "out"
        assert dicoxide_command("decode", path, "-o", out, "--format", "npy").code == 0
        (array,) = out.glob("*.npy")
        assert np.array_equal(np.load(array), FRAMES)

    def test_memory_is_counted(self) -> None:
        values = np.zeros((512, 512), np.uint8)
        ds, _ = object_of(values, [encode(values)])
        assert np.array_equal(dicoxide.decode(ds, max_bytes=8 << 20, fallback=False), values)
        with pytest.raises(LimitError):
            # The output has 262 144 bytes; coefficients come on top of it.
            dicoxide.decode(ds, max_bytes=270_000, fallback=False)

    def test_damaged_frame_names_its_index(self) -> None:
        ds, _ = object_of(FRAMES, [CINE[0], CINE[1][:200], CINE[2]], bits_stored=12, table="basic")
        with pytest.raises(dicoxide.TruncatedFrameError) as caught:
            dicoxide.decode(ds, fallback=False)
        assert caught.value.frame_index == 1
