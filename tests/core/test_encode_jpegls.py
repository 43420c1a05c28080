"""`jpegls_encode`: read back by the decoder, a reference decoder and CharLS; equal to the codestreams of CharLS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicoxide
from dicoxide import _numpy_backend
from support import reference_jpegls
from support.encoder_inputs import UNSUPPORTED_BY_JPEG, Array, noise
from support.encoders.jpegls_cases import KINDS, samples_of
from support.examples import examples

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="only the compiled extension encodes JPEG-LS")

INTERLEAVES = ("none", "line", "sample")


def interleaves(samples: int) -> tuple[str, ...]:
    return INTERLEAVES if samples > 1 else ("none",)


def assert_jpegls(image: Array, precision: int | None = None, near: int = 0, interleave: str = "sample") -> bytes:
    """Encode and decode with `decode_codestream` and the reference decoder; compare with CharLS, if it is installed."""
    encoded = dicoxide.jpegls_encode(image, near, interleave, precision)
    decoded = dicoxide.decode_codestream(encoded)
    assert decoded.dtype == (np.uint8 if (precision or image.dtype.itemsize * 8) <= 8 else np.uint16)
    assert np.abs(decoded.reshape(image.shape).astype(np.int64) - image).max() <= near
    if image.size <= 2000:
        reference = reference_jpegls.decode(encoded)
        assert reference.precision == (precision or image.dtype.itemsize * 8)
        assert set(reference.near) == {near}
        np.testing.assert_array_equal(decoded, reference.values.reshape(decoded.shape))
    expected = charls_encode(image, precision or image.dtype.itemsize * 8, near, interleave)
    if expected is not None:
        assert encoded == expected
    return encoded


def charls_encode(image: Array, precision: int, near: int, interleave: str) -> bytes | None:
    """Encode with CharLS, or return None if it is not installed or encodes such an image wrongly."""
    try:
        import jpeg_ls
    except ImportError:
        return None
    rows, columns, *rest = image.shape
    samples = rest[0] if rest else 1
    is_quad = samples == 4 and interleave == "sample"
    # CharLS 2.4 encodes two interleaved components wrongly, and ignores changes of the fourth one in run mode.
    if (samples == 2 and interleave != "none") or (is_quad and precision == 8 and near == 0):
        return None
    planes = image.transpose(2, 0, 1) if interleave == "none" and samples > 1 else image
    src = planes.astype(np.uint8 if precision <= 8 else np.uint16).tobytes()
    mode = INTERLEAVES.index(interleave)
    try:
        return bytes(jpeg_ls.encode_buffer(src, rows, columns, samples, precision, near, mode))
    except RuntimeError as error:
        # The wrapper allocates the size of the samples and a little more, which codes of noise can exceed.
        if "destination buffer is too small" in str(error):
            return None
        raise


@needs_core
class TestJpegLs:
    """ITU-T T.87."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("precision", range(2, 17))
    def test_encode_with_every_precision_round_trips(self, precision: int, kind: str) -> None:
        image = samples_of(np.random.default_rng(precision), (16, 20), (1 << precision) - 1, kind)
        for near in {0, 1, ((1 << precision) - 1) // 2, 3} & set(range(min(256, 1 << (precision - 1)))):
            assert_jpegls(image.astype(np.uint16), precision, near)

    @pytest.mark.parametrize("near", [0, 2])
    @pytest.mark.parametrize("interleave", INTERLEAVES)
    @pytest.mark.parametrize("samples", [1, 2, 3, 4])
    @pytest.mark.parametrize("precision", [8, 12])
    def test_encode_with_every_interleave_mode_round_trips(
        self, precision: int, samples: int, interleave: str, near: int
    ) -> None:
        for seed, kind in enumerate(KINDS):
            image = samples_of(np.random.default_rng(seed), (12, 17, samples), (1 << precision) - 1, kind)
            dtype = np.uint8 if precision == 8 else np.uint16
            assert_jpegls(image.astype(dtype), precision, near, interleave)

    @pytest.mark.parametrize(
        "shape", [(1, 1), (1, 2), (2, 1), (1, 65535), (65535, 1), (3, 4, 1), (1, 1, 3), (5, 1, 4), (65535, 1, 3)]
    )
    @pytest.mark.parametrize("near", [0, 5])
    def test_encode_of_extreme_sizes_round_trips(self, shape: tuple[int, ...], near: int) -> None:
        for interleave in interleaves(shape[2] if len(shape) == 3 else 1):
            assert_jpegls(noise(shape, 12), 12, near, interleave)
            assert_jpegls(np.zeros(shape, np.uint8), 8, near, interleave)

    def test_encode_four_components_of_which_one_changes_is_lossless(self) -> None:
        # CharLS loses changes of the fourth component here.
        image = np.full((3, 64, 4), 7, np.uint8)
        image[..., 3] = np.random.default_rng(1).choice([7, 200], (3, 64), p=[0.9, 0.1])
        assert_jpegls(image)

    @pytest.mark.parametrize("size", [(100, 120), (333, 65)])
    @pytest.mark.parametrize(("precision", "dtype"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
    def test_encode_is_as_small_as_imagecodecs(self, size: tuple[int, int], precision: int, dtype: Any) -> None:
        imagecodecs = pytest.importorskip("imagecodecs")
        spiff_header_bytes = 44
        image = np.cumsum(noise(size, precision - 4), axis=1).astype(dtype)
        for near in (0, 3):
            encoded = dicoxide.jpegls_encode(image, near)
            assert len(encoded) == len(imagecodecs.jpegls_encode(image, near)) - spiff_header_bytes
            decoded = imagecodecs.jpegls_decode(encoded)
            assert np.abs(decoded.astype(np.int64) - image).max() <= near

    @pytest.mark.parametrize(
        ("dtype", "precision"), [(np.int8, 8), (np.int8, 11), (np.int16, 16), (np.int16, 12), (np.int16, 2)]
    )
    def test_encode_of_signed_samples_stores_their_bits(self, dtype: Any, precision: int) -> None:
        low = max(-(1 << (precision - 1)), np.iinfo(dtype).min)
        image = np.random.default_rng(3).integers(low, -low, (20, 30)).astype(dtype)
        image[0, 0] = low
        bits = (image.astype(np.int64) & ((1 << precision) - 1)).astype(np.uint16)
        encoded = dicoxide.jpegls_encode(image, precision=precision)
        assert encoded == dicoxide.jpegls_encode(bits, precision=precision)

    @pytest.mark.parametrize(("value", "near"), [(2047, 1), (-2048, 1), (2045, 3), (-2046, 3)])
    def test_encode_of_signed_sample_whose_sign_could_change_raises_value_error(self, value: int, near: int) -> None:
        image = np.array([[0, value]], np.int16)
        with pytest.raises(ValueError, match=f"value {value} of sample 1 found, .* so that no sign changes"):
            dicoxide.jpegls_encode(image, near, precision=12)
        dicoxide.jpegls_encode(image, precision=12)
        dicoxide.jpegls_encode(image // 2, near, precision=12)

    def test_encode_of_any_array_layout_gives_equal_bytes(self) -> None:
        image = noise((12, 16), 16)
        expected = dicoxide.jpegls_encode(image)
        assert dicoxide.jpegls_encode(image.astype(">u2")) == expected
        assert dicoxide.jpegls_encode(np.asfortranarray(image)) == expected
        assert dicoxide.jpegls_encode(np.repeat(image, 2, axis=1)[:, ::2]) == expected
        read_only = image.copy()
        read_only.flags.writeable = False
        assert dicoxide.jpegls_encode(read_only) == expected

    @examples(200)
    @given(st.data())
    def test_encode_of_any_image_round_trips(self, data: st.DataObject) -> None:
        precision = data.draw(st.integers(2, 16))
        shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 4)))
        top = (1 << precision) - 1
        values = st.sampled_from([0, 1, top // 2, top // 2 + 1, top]) | st.integers(0, top)
        few = data.draw(st.lists(values, min_size=1, max_size=24))
        image = np.resize(np.array(few, np.uint16 if precision > 8 else np.uint8), shape)
        near = data.draw(st.integers(0, min(255, top // 2)))
        assert_jpegls(image, precision, near, data.draw(st.sampled_from(interleaves(shape[2]))))

    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"near": -1}, "near must be 0 to 4294967295, not -1"),
            ({"near": 1 << 40}, "near must be"),
            ({"near": 128}, r"near 128 found, 0 to 127 expected \(ITU-T T.87 C.2.3\)"),
            ({"near": 8, "precision": 4}, "0 to 7 expected"),
            ({"interleave": "plane"}, "interleave must be 'none', 'line' or 'sample', not 'plane'"),
            ({"precision": 1}, "precision 1 found, 2 to 16 expected"),
            ({"precision": 17}, "precision 17 found"),
            (
                {"precision": 4},
                r"value 99 of sample 4 needs more than the 4 bits .* \(ITU-T T.87 C.2.2\)",
            ),
        ],
    )
    def test_encode_with_invalid_parameters_raises_value_error(self, parameters: dict[str, Any], words: str) -> None:
        image = np.array([[1, 2, 15], [4, 99, 6]], np.uint8)
        with pytest.raises(ValueError, match=words) as caught:
            dicoxide.jpegls_encode(image, **parameters)
        assert not isinstance(caught.value, dicoxide.DecodeError)

    @pytest.mark.parametrize("parameters", [{"near": 1.0}, {"precision": 8.0}, {"interleave": 2}, {"interleave": None}])
    def test_encode_with_parameters_of_wrong_type_raises_type_error(self, parameters: dict[str, Any]) -> None:
        with pytest.raises(TypeError):
            dicoxide.jpegls_encode(np.zeros((2, 2), np.uint8), **parameters)

    @pytest.mark.parametrize("image", UNSUPPORTED_BY_JPEG, ids=lambda image: f"{image.dtype}-{image.shape}")
    def test_encode_of_unsupported_array_raises_value_error(self, image: Array) -> None:
        with pytest.raises(ValueError, match="expected"):
            dicoxide.jpegls_encode(image)


def test_encode_on_the_numpy_backend_raises_unsupported() -> None:
    with pytest.raises(dicoxide.UnsupportedError, match="compiled extension"):
        _numpy_backend.jpegls_encode(np.zeros((1, 1), np.uint8), 1, 1, 1, 0, 2, None)
