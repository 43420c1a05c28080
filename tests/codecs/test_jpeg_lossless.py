"""JPEG Lossless through every public interface: frames of the test encoder decode to their shape, dtype and values."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels import convert_color_space, iter_pixels, pixel_array
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from support import reference_jpeg_lossless as reference
from support.encoders import jpeg_lossless, jpeg_lossless_cases
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg_lossless_cases import picture
from support.examples import examples

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless")

RNG = np.random.default_rng(41)
SYNTAXES = [JPEGLossless, JPEGLosslessSV1]


def assert_equal(found: Any, expected: Any) -> None:
    assert found.dtype == expected.dtype
    assert found.dtype.isnative
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)


class TestStream:
    """`jpeg_lossless_decode`: the codestream declares everything."""

    @examples(300)
    @given(jpeg_lossless_cases.frames())
    def test_decode_of_encoded_frames_round_trips(self, frame: jpeg_lossless_cases.Frame) -> None:
        assert_equal(dicoxide.jpeg_lossless_decode(frame.src), frame.values)

    @examples(60)
    @given(jpeg_lossless_cases.frames(max_side=70))
    def test_decode_of_larger_encoded_frames_round_trips(self, frame: jpeg_lossless_cases.Frame) -> None:
        assert_equal(dicoxide.jpeg_lossless_decode(frame.src), frame.values)

    @pytest.mark.parametrize("precision", range(2, 17))
    def test_decode_of_every_precision_predictor_and_point_transform(self, precision: int) -> None:
        for selection_value, kind in itertools.product(range(1, 8), jpeg_lossless_cases.KINDS):
            samples = picture(RNG, (33, 41), precision, kind)
            for shift in {0, 1, precision // 2, precision - 1}:
                src = jpeg_lossless.encode(
                    samples, precision=precision, selection_value=selection_value, point_transform=shift
                )
                assert_equal(dicoxide.jpeg_lossless_decode(src), samples >> shift << shift)

    @pytest.mark.parametrize("selection_value", range(1, 8))
    @pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000])
    @pytest.mark.parametrize("rows", [1, 2, 3, 5, 17])
    def test_decode_of_every_width_around_simd_sizes(self, columns: int, selection_value: int, rows: int) -> None:
        samples = picture(RNG, (rows, columns), 12)
        src = jpeg_lossless.encode(samples, precision=12, selection_value=selection_value)
        assert_equal(dicoxide.jpeg_lossless_decode(src), samples)

    @pytest.mark.parametrize("shape", [(1, 65535), (65535, 1), (2, 65535)])
    @pytest.mark.parametrize("selection_value", [1, 4, 7])
    def test_decode_of_extreme_sizes(self, shape: Any, selection_value: int) -> None:
        samples = picture(RNG, shape, 10)
        src = jpeg_lossless.encode(samples, precision=10, selection_value=selection_value)
        assert_equal(dicoxide.jpeg_lossless_decode(src), samples)

    @pytest.mark.parametrize("components", [2, 3, 4])
    @pytest.mark.parametrize("selection_value", range(1, 8))
    @pytest.mark.parametrize("precision", [8, 12])
    def test_decode_of_components_in_any_scan_layout(
        self, components: int, selection_value: int, precision: int
    ) -> None:
        samples = picture(RNG, (19, 23, components), precision)
        for scans, lines in itertools.product(jpeg_lossless_cases.scan_layouts(components), (0, 1, 4)):
            src = jpeg_lossless.encode(
                samples,
                precision=precision,
                selection_value=selection_value,
                restart_interval=lines * 23,
                scans=scans,
            )
            assert_equal(dicoxide.jpeg_lossless_decode(src), samples)

    @pytest.mark.parametrize("dtype", ["u2", "u4", "i4", "u8", "i8"])
    def test_decode_into_wider_out_keeps_values(self, dtype: str) -> None:
        samples = picture(RNG, (20, 30), 12)
        out = np.full((20, 30), 99, dtype)
        assert dicoxide.jpeg_lossless_decode(jpeg_lossless.encode(samples, precision=12), out=out) is out
        assert np.array_equal(out, samples)

    def test_decode_colour_into_out(self) -> None:
        colour = picture(RNG, (20, 30, 3), 8)
        out = np.zeros((20, 30, 3), np.uint8)
        assert dicoxide.jpeg_lossless_decode(jpeg_lossless.encode(colour), out=out) is out
        assert np.array_equal(out, colour)

    @pytest.mark.parametrize(
        "out",
        [
            np.zeros((30, 20), np.uint16),
            np.zeros((20, 30), np.uint8),
            np.zeros((20, 30), np.float32),
            np.zeros((20, 60), np.uint16)[:, ::2],
            np.zeros((20, 30), ">u2"),
            np.frombuffer(bytes(1200), np.uint16).reshape(20, 30),
        ],
        ids=["shape", "narrow", "float", "strided", "big endian", "read-only"],
    )
    def test_decode_into_unsuitable_out_raises_value_error(self, out: Any) -> None:
        src = jpeg_lossless.encode(picture(RNG, (20, 30), 12), precision=12)
        with pytest.raises(ValueError) as caught:
            dicoxide.jpeg_lossless_decode(src, out=out)
        assert not isinstance(caught.value, dicoxide.DecodeError)

    def test_decode_of_bytes_like_objects(self) -> None:
        samples = picture(RNG, (20, 30), 12)
        src = jpeg_lossless.encode(samples, precision=12)
        for like in (bytearray(src), memoryview(src), np.frombuffer(src, np.uint8), memoryview(src + src)[: len(src)]):
            assert_equal(dicoxide.jpeg_lossless_decode(like), samples)

    @pytest.mark.parametrize("src", [None, 5, "ab", ["a"]])
    def test_decode_of_other_types_raises_type_error(self, src: Any) -> None:
        with pytest.raises(TypeError):
            dicoxide.jpeg_lossless_decode(src)


class TestObject:
    """`decode` and `decode_frame`: attributes of the data set are checked against the codestream."""

    @examples(300)
    @given(jpeg_lossless_cases.frames(), st.sampled_from(SYNTAXES))
    def test_decode_of_encoded_objects_round_trips(self, frame: jpeg_lossless_cases.Frame, syntax: str) -> None:
        ds = frame.dataset
        ds.file_meta.TransferSyntaxUID = syntax
        assert_equal(dicoxide.decode(ds, fallback=False), frame.values)
        spec = dicoxide.FrameSpec(
            transfer_syntax=syntax,
            rows=ds.Rows,
            columns=ds.Columns,
            samples_per_pixel=ds.SamplesPerPixel,
            bits_allocated=ds.BitsAllocated,
            bits_stored=ds.BitsStored,
            photometric_interpretation=ds.PhotometricInterpretation,
        )
        assert_equal(dicoxide.decode_frame(frame.src, spec), frame.values)

    @examples(300)
    @given(jpeg_lossless_cases.frames())
    def test_encoded_frame_decodes_with_the_reference_decoder(self, frame: jpeg_lossless_cases.Frame) -> None:
        options = {
            "selection_value": 1 + frame.precision % 7,
            "point_transform": frame.options["point_transform"],
            "restart_interval": frame.options["restart_interval"],
        }
        samples = frame.samples if frame.samples.ndim == 2 or frame.samples.shape[2] == 3 else frame.samples[..., 0]
        src = dicoxide.jpeg_lossless_encode(samples, precision=frame.precision, **options)
        decoded = reference.decode(src)
        assert decoded.deviations == []
        shift = options["point_transform"]
        assert_equal(decoded.values, samples >> shift << shift)

    def test_decode_of_file_bytes(self) -> None:
        samples = picture(RNG, (20, 30), 12)
        ds = dataset(samples, JPEGLosslessSV1, bits_stored=12)
        assert_equal(dicoxide.decode(to_bytes(ds), fallback=False), samples)

    def test_capabilities_name_dicoxide_for_jpeg_lossless(self) -> None:
        for syntax in SYNTAXES:
            assert dicoxide.capabilities()[syntax].decoder == "dicoxide"

    @pytest.mark.parametrize("precision", range(2, 17))
    def test_decode_of_signed_samples_follows_pixel_representation(self, precision: int) -> None:
        # The codestream stores bits; Pixel Representation gives their sign (PS3.5 8.2.1).
        half = 1 << precision - 1
        dtype = "i1" if precision <= 8 else "i2"
        values = RNG.integers(-half, half, (15, 16)).astype(dtype)
        src = jpeg_lossless.encode(values, precision=precision, selection_value=4)
        ds = dataset(values, JPEGLossless, bits_stored=precision, coded=[src])
        assert_equal(dicoxide.decode(ds, fallback=False), values)

    @pytest.mark.parametrize("signed", [False, True])
    def test_decode_with_bits_stored_unequal_to_precision_masks_bits(self, signed: bool) -> None:
        coded = picture(RNG, (15, 16), 12, "noise")
        src = jpeg_lossless.encode(coded, precision=12)
        dtype = "i2" if signed else "u2"
        for stored in range(1, 17):
            # PS3.5 8.1.1: bits above High Bit are not part of the value; a codestream has none above its precision.
            unused = 16 - stored
            expected = (coded << unused).astype(dtype) >> unused
            ds = dataset(expected, JPEGLossless, bits_stored=stored, coded=[src])
            if stored >= 12:
                assert_equal(dicoxide.decode(ds, fallback=False, strict=True), expected)
                continue
            message = f"precision 12 found in the codestream, bits stored {stored} in the data set"
            with pytest.warns(NonConformantWarning, match=message):
                assert_equal(dicoxide.decode(ds, fallback=False), expected)
            with pytest.raises(CorruptFrameError, match=message):
                dicoxide.decode(ds, fallback=False, strict=True)

    @pytest.mark.parametrize(("precision", "allocated"), [(8, 16), (6, 8), (2, 8), (9, 16), (12, 32), (5, 64)])
    def test_decode_with_precision_below_bits_allocated(self, precision: int, allocated: int) -> None:
        samples = picture(RNG, (15, 16), precision, "noise")
        expected = samples.astype(f"u{allocated // 8}")
        coded = [jpeg_lossless.encode(samples, precision=precision)]
        for stored in (precision, allocated):
            ds = dataset(expected, JPEGLossless, bits_stored=stored, coded=coded)
            assert_equal(dicoxide.decode(ds, fallback=False), expected)

    def test_decode_ignores_planar_configuration(self) -> None:
        # PS3.5 8.2.1: the codestream declares how components are stored.
        samples = picture(RNG, (14, 15, 3), 8)
        for planar_configuration, interleaved in itertools.product((0, 1), (True, False)):
            coded = [jpeg_lossless.encode(samples, interleaved=interleaved)]
            ds = dataset(
                samples, JPEGLossless, samples_per_pixel=3, planar_configuration=planar_configuration, coded=coded
            )
            assert_equal(dicoxide.decode(ds, fallback=False), samples)

    @pytest.mark.parametrize("photometric_interpretation", ["YBR_FULL", "YBR_FULL_422"])
    def test_decode_converts_colour_by_photometric_interpretation(self, photometric_interpretation: str) -> None:
        samples = picture(RNG, (14, 16, 3), 8, "noise")
        # Pairs of differences that pydicom's matrix product may round up or down.
        samples[(abs(samples[..., 1] - 128.0) == 50) & (abs(samples[..., 2] - 128.0) == 50)] = 0
        # PS3.5 8.2.1: the codestream declares subsampling; this one has none.
        ds = dataset(samples, JPEGLossless, samples_per_pixel=3, coded=[jpeg_lossless.encode(samples)])
        ds.PhotometricInterpretation = photometric_interpretation
        assert_equal(dicoxide.decode(ds, raw=True, fallback=False), samples)
        assert_equal(dicoxide.decode(ds, fallback=False), convert_color_space(samples, "YBR_FULL", "RGB"))

    @pytest.mark.parametrize(("precision", "dtype"), [(8, "u1"), (12, "u2"), (16, "i2")])
    def test_decode_with_rescale_equals_rescale_of_the_result(self, precision: int, dtype: str) -> None:
        values = picture(RNG, (70, 80), precision).astype(dtype)
        src = jpeg_lossless.encode(values, precision=precision, selection_value=6)
        attributes = {"RescaleSlope": "0.3", "RescaleIntercept": "-1024"}
        ds = dataset(values, JPEGLossless, bits_stored=precision, coded=[src], attributes=attributes)
        for expected in ("float32", "float64"):
            after = dicoxide.rescale(dicoxide.decode(ds, fallback=False), 0.3, -1024, dtype=expected)
            assert_equal(dicoxide.decode(ds, rescale=True, dtype=expected, fallback=False), after)
        ds.RescaleSlope = "1"
        expected = values.astype("int32") - 1024
        assert_equal(dicoxide.decode(ds, rescale=True, dtype="int32", fallback=False), expected)

    @pytest.mark.parametrize(("precision", "dtype"), [(8, "u1"), (12, "u2"), (16, "i2")])
    def test_decode_object_into_wider_out(self, precision: int, dtype: str) -> None:
        values = picture(RNG, (3, 40, 50), precision).astype(dtype)
        coded = [jpeg_lossless.encode(frame, precision=precision) for frame in values]
        ds = dataset(values, JPEGLossless, bits_stored=precision, coded=coded)
        for wider in (dtype, "i4", "i8"):
            out = np.empty(values.shape, wider)
            assert dicoxide.decode(ds, out=out, fallback=False) is out
            assert np.array_equal(out, values)

    @pytest.mark.parametrize("table", ["none", "basic", "extended"])
    def test_decode_of_frames_with_any_offset_table(self, table: str) -> None:
        values = picture(RNG, (5, 11, 13), 12)
        ds = dataset(values, JPEGLossless, bits_stored=12, table=table)
        assert_equal(dicoxide.decode(ds, fallback=False), values)
        assert_equal(dicoxide.decode(ds, frames=[4, 0, 2], fallback=False), values[[4, 0, 2]])
        assert_equal(np.stack(list(dicoxide.iter_frames(ds))), values)

    @pytest.mark.parametrize("fragments", [2, 3, 7])
    def test_decode_of_frame_in_several_fragments(self, fragments: int) -> None:
        # PS3.5 A.4: fragments may end anywhere, also between 0xFF and its stuffed zero byte.
        values = picture(RNG, (4, 31, 33), 12, "noise")
        for table in ("basic", "none"):
            ds = dataset(values, JPEGLossless, bits_stored=12, table=table, fragments=fragments)
            assert_equal(dicoxide.decode(ds, fallback=False), values)
        single = dataset(values[0], JPEGLossless, bits_stored=12, fragments=fragments)
        assert_equal(dicoxide.decode(single, fallback=False), values[0])


class TestPydicom:
    """The plugin and the v2 handler."""

    @pytest.fixture
    def _enabled(self) -> Iterator[None]:
        with dicoxide.enabled():
            yield

    @pytest.mark.usefixtures("_enabled")
    @examples(60)
    @given(jpeg_lossless_cases.frames(), st.sampled_from(SYNTAXES))
    def test_plugin_of_pydicom_round_trips(self, frame: jpeg_lossless_cases.Frame, syntax: str) -> None:
        # pydicom supports 1 and 3 samples per pixel.
        samples = frame.values if frame.values.ndim == 2 or frame.values.shape[2] == 3 else frame.values[..., 0]
        ds = dataset(
            samples,
            syntax,
            samples_per_pixel=1 if samples.ndim == 2 else 3,
            bits_stored=frame.precision,
            coded=[frame.src if samples is frame.values else jpeg_lossless.encode(samples, precision=frame.precision)],
        )
        with warnings.catch_warnings():
            # pydicom warns of compressed frames that are not smaller than native ones.
            warnings.filterwarnings("ignore", message="The number of bytes of compressed")
            assert_equal(pixel_array(ds, decoding_plugin="dicoxide"), samples)

    @pytest.mark.usefixtures("_enabled")
    @pytest.mark.parametrize("signed", [False, True])
    @pytest.mark.parametrize(("precision", "allocated"), [(8, 8), (8, 16), (6, 8), (12, 16), (16, 16)])
    def test_plugin_of_pydicom_decodes_frames_by_index(self, precision: int, allocated: int, signed: bool) -> None:
        half = 1 << precision - 1 if signed else 0
        values = picture(RNG, (3, 17, 19), precision, "noise").astype("i8") - half
        values = values.astype(f"{'i' if signed else 'u'}{allocated // 8}")
        coded = [jpeg_lossless.encode(frame, precision=precision) for frame in values]
        ds = dataset(values, JPEGLossless, bits_stored=precision, coded=coded, table="basic")
        assert_equal(ds.pixel_array, values)
        assert_equal(pixel_array(ds, index=1), values[1])
        assert_equal(np.stack(list(iter_pixels(ds, indices=[2, 0]))), values[[2, 0]])

    @pytest.mark.usefixtures("_enabled")
    def test_plugin_of_pydicom_decodes_colour(self) -> None:
        values = picture(RNG, (3, 17, 19, 3), 8)
        for interleaved, planar in itertools.product((True, False), (0, 1)):
            coded = [jpeg_lossless.encode(frame, interleaved=interleaved) for frame in values]
            ds = dataset(
                values,
                JPEGLosslessSV1,
                samples_per_pixel=3,
                planar_configuration=planar,
                coded=coded,
                table="basic",
            )
            assert_equal(ds.pixel_array, values)
            assert_equal(pixel_array(ds, index=2), values[2])

    def test_handler_of_pydicom_2_round_trips(self) -> None:
        before = list(pydicom.config.pixel_data_handlers)
        pydicom.config.pixel_data_handlers[:] = [dicoxide.pydicom_handler]
        try:
            for precision, allocated, signed, samples in itertools.product((6, 8, 12), (8, 16), (False, True), (1, 3)):
                if precision > allocated:
                    continue
                shape = (3, 17, 19, 3) if samples == 3 else (3, 17, 19)
                half = 1 << precision - 1 if signed else 0
                values = picture(RNG, shape, precision, "noise").astype("i8") - half
                values = values.astype(f"{'i' if signed else 'u'}{allocated // 8}")
                coded = [jpeg_lossless.encode(frame, precision=precision) for frame in values]
                ds = dataset(
                    values, JPEGLossless, samples_per_pixel=samples, bits_stored=precision, coded=coded, table="basic"
                )
                ds.pixel_array_options(use_v2_backend=True)
                assert_equal(ds.pixel_array, values)
        finally:
            pydicom.config.pixel_data_handlers[:] = before
        assert all(map(dicoxide.pydicom_handler.supports_transfer_syntax, SYNTAXES))
