"""JPEG XL: codestreams of libjxl, their headers, frames of data sets, errors and bounds.

The codestreams are those of `support.jpegxl_streams`. If imagecodecs is installed, random images of all depths are
encoded and compared, too.
"""

from __future__ import annotations

import hashlib
import warnings
from csv import DictReader
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import CorruptFrameError, LimitError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from dicoxide._frame import FrameSpec
from support.encoders.dataset import dataset
from support.jpegxl_streams import (
    FOLDER,
    JPEG_XL,
    LOSSLESS,
    RECOMPRESSED,
    REFUSED,
    STREAMS,
    Stream,
    picture,
    refused,
    split,
    to_file,
)

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="JPEG XL needs the compiled extension")

by_name = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)


def largest_difference(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> int:
    assert found.shape == expected.shape
    return int(np.abs(found.astype(np.int64) - expected.astype(np.int64)).max())


def data_set(stream: Stream, frames: int = 1, **options: Any) -> Any:
    samples = stream.samples if frames == 1 else np.stack([stream.samples] * frames)
    settings: dict[str, Any] = {
        "samples_per_pixel": stream.components,
        "bits_stored": stream.precision,
        "coded": [stream.codestream] * frames,
    }
    return dataset(samples, options.pop("syntax", stream.syntax), **{**settings, **options})


def spec(stream: Stream, **attributes: Any) -> FrameSpec:
    rows, columns = stream.image.shape[:2]
    bits_allocated = 8 * stream.image.dtype.itemsize
    fields: dict[str, Any] = {
        "transfer_syntax": stream.syntax,
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": stream.components,
        "bits_allocated": bits_allocated,
        "bits_stored": stream.precision,
        "high_bit": stream.precision - 1,
        "photometric_interpretation": "RGB" if stream.components == 3 else "MONOCHROME2",
    }
    return FrameSpec(**{**fields, **attributes})


class TestCodestreams:
    @by_name
    def test_decode_codestream_samples_are_those_of_libjxl(self, stream: Stream) -> None:
        found = dicoxide.decode_codestream(stream.codestream)
        assert found.dtype == stream.samples.dtype
        assert largest_difference(found, stream.samples) <= (0 if stream.is_lossless else 1)

    @by_name
    def test_decode_codestream_threads_give_equal_samples(self, stream: Stream) -> None:
        one = dicoxide.decode_codestream(stream.codestream, threads=1)
        for threads in (2, 3):
            assert np.array_equal(dicoxide.decode_codestream(stream.codestream, threads=threads), one)

    @by_name
    def test_codestream_info_is_that_of_the_image(self, stream: Stream) -> None:
        info = dicoxide.codestream_info(stream.codestream)
        rows, columns = stream.image.shape[:2]
        assert info[:5] == ("jpegxl", rows, columns, stream.components, stream.precision)
        assert (info.colour, info.resolution_levels) == ("gray" if stream.components == 1 else "rgb", 1)
        # The modular mode of lossless codestreams may be lossy, too.
        assert info.is_lossy is (None if stream.is_lossless else True)

    @pytest.mark.parametrize("name", ["gray_16", "rgb_8_groups", "lossy_rgb_8"])
    @pytest.mark.parametrize("offsets", [(), (1,), (2, 3), (5, 40, 41)], ids=str)
    def test_decode_codestream_in_boxes_is_that_of_the_bare_one(self, name: str, offsets: tuple[int, ...]) -> None:
        bare = STREAMS[name].codestream
        bare = bare[bare.index(b"\xff\x0a") :]
        boxed = split(bare, *offsets)
        expected = dicoxide.decode_codestream(STREAMS[name].codestream)
        # A bare codestream declares no level; one of 16 bits is of level 10.
        assert np.array_equal(dicoxide.decode_codestream(bare), expected)
        assert np.array_equal(dicoxide.decode_codestream(boxed), expected)
        assert dicoxide.codestream_info(boxed) == dicoxide.codestream_info(bare)

    @by_name
    def test_manifest_has_the_digest_of_libjxl(self, stream: Stream) -> None:
        rows = {row["file"]: row for row in DictReader((FOLDER / "manifest.csv").read_text().splitlines())}
        row, samples = rows[f"{stream.name}.jxl"], stream.samples
        little_endian = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
        assert row["shape"] == " ".join(map(str, samples.shape))
        assert hashlib.sha256(little_endian.tobytes()).hexdigest() == row["sha256_of_libjxl"]
        assert set(rows) == {path.name for path in FOLDER.glob("*.jxl")}

    @pytest.mark.parametrize("name", REFUSED)
    def test_decode_codestream_other_features_are_unsupported(self, name: str) -> None:
        with pytest.raises(UnsupportedError, match=REFUSED[name][0]):
            dicoxide.decode_codestream(refused(name))

    def test_decode_codestream_small_after_large_reuses_the_thread(self) -> None:
        for name in ("rgb_8_groups", "gray_1", "lossy_rgb_8", "gray_16_groups", "gray_1"):
            self.test_decode_codestream_samples_are_those_of_libjxl(STREAMS[name])


class TestDataSets:
    @by_name
    def test_decode_data_set_without_warnings(self, stream: Stream) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = dicoxide.decode(to_file(data_set(stream)), strict=True)
        assert largest_difference(found, stream.samples) <= (0 if stream.is_lossless else 1)

    @pytest.mark.parametrize("source", ["file", "data set"])
    def test_decode_several_frames_without_offset_table(self, source: str) -> None:
        ds = data_set(STREAMS["gray_12"], 3, table="none")
        found = dicoxide.decode(to_file(ds) if source == "file" else ds, threads=2)
        assert np.array_equal(found, np.stack([STREAMS["gray_12"].image] * 3))

    def test_decode_frame_in_wider_and_converted_types(self) -> None:
        stream = STREAMS["gray_12"]
        ds = data_set(stream, attributes={"RescaleSlope": "2", "RescaleIntercept": "-1"})
        assert np.array_equal(dicoxide.decode(ds, rescale=True), stream.image * 2.0 - 1)
        out = np.zeros(stream.image.shape, np.uint32)
        dicoxide.decode(ds, out=out)
        assert np.array_equal(out, stream.image)

    def test_decode_8_bits_in_16_allocated(self) -> None:
        stream = STREAMS["gray_8"]
        found = dicoxide.decode_frame(stream.codestream, spec(stream, bits_allocated=16))
        assert found.dtype == np.uint16
        assert np.array_equal(found, stream.image)

    @pytest.mark.parametrize("name", ["gray_8", "gray_12", "gray_16"])
    def test_decode_signed_samples_have_the_bits_of_the_codestream(self, name: str) -> None:
        stream = STREAMS[name]
        found = dicoxide.decode_frame(stream.codestream, spec(stream, pixel_representation=1))
        sign = 1 << stream.precision - 1
        assert np.array_equal(found, (stream.image.astype(int) ^ sign) - sign)

    @pytest.mark.parametrize("colour", ["RGB", "YBR_FULL", "YBR_FULL_422", "XYB"])
    @pytest.mark.parametrize("name", ["recompressed_420", "lossy_rgb_8", "rgb_8"])
    def test_decode_colour_is_rgb_whatever_the_data_set_declares(self, name: str, colour: str) -> None:
        stream = STREAMS[name]
        ds = data_set(stream, photometric_interpretation=colour)
        for raw in (False, True):
            found = dicoxide.decode(ds, raw=raw, strict=True)
            assert largest_difference(found, stream.samples) <= (0 if stream.is_lossless else 1)

    def test_decode_lossy_codestream_under_lossless_syntax_is_a_deviation(self) -> None:
        ds = data_set(STREAMS["lossy_gray_8"], syntax=LOSSLESS)
        with pytest.warns(NonConformantWarning, match="lossy JPEG XL"):
            dicoxide.decode(ds)

    def test_decode_many_and_plugin_give_the_samples(self) -> None:
        streams = [STREAMS[name] for name in ("gray_16", "rgb_8", "recompressed_420")]
        sources = [
            to_file(data_set(stream, photometric_interpretation="YBR_FULL_422" if stream.is_recompressed else None))
            for stream in streams
        ]
        for stream, (_, found) in zip(streams, dicoxide.decode_many(sources, ordered=True), strict=True):
            assert largest_difference(found, stream.samples) <= (0 if stream.is_lossless else 1)
        import io

        from pydicom import dcmread

        with dicoxide.enabled():
            for stream, source in zip(streams, sources, strict=True):
                found = dcmread(io.BytesIO(source)).pixel_array
                assert largest_difference(found, stream.samples) <= (0 if stream.is_lossless else 1)

    def test_capabilities_name_this_package(self) -> None:
        for uid in (LOSSLESS, RECOMPRESSED, JPEG_XL):
            assert dicoxide.capabilities()[uid].decoder == "dicoxide"


class TestErrors:
    @pytest.mark.parametrize(
        "name", ["gray_8", "gray_16", "rgb_8", "lossy_rgb_8", "recompressed_420", "gray_8_patches"]
    )
    def test_decode_truncated_codestream_is_an_error_at_any_length(self, name: str) -> None:
        codestream = STREAMS[name].codestream
        for end in range(2, len(codestream)):
            with pytest.raises(TruncatedFrameError):
                dicoxide.decode_frame(codestream[:end], spec(STREAMS[name]))

    def test_decode_truncated_groups_are_errors(self) -> None:
        codestream = STREAMS["rgb_8_groups"].codestream
        for end in range(50, len(codestream), 97):
            with pytest.raises(TruncatedFrameError, match="ends before the image is complete"):
                dicoxide.decode_codestream(codestream[:end])

    @by_name
    def test_decode_bytes_after_the_codestream_are_ignored(self, stream: Stream) -> None:
        expected = dicoxide.decode_codestream(stream.codestream)
        for padding in (b"\0", b"\0\0\0", b"\xff\x0a" * 50):
            assert np.array_equal(dicoxide.decode_codestream(stream.codestream + padding), expected)

    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ({"rows": 20}, "rows 19 found in the codestream, 20 in the data set"),
            ({"columns": 22}, "columns 23 found in the codestream, 22 in the data set"),
            (
                {"samples_per_pixel": 3, "photometric_interpretation": "RGB"},
                "components 1 found in the codestream, 3 in the data set",
            ),
            ({"bits_allocated": 8, "bits_stored": 8, "high_bit": 7}, "precision 12 found"),
        ],
        ids=["rows", "columns", "components", "bits allocated"],
    )
    def test_decode_frame_other_attributes_are_a_mismatch(self, attributes: dict[str, Any], message: str) -> None:
        stream = STREAMS["gray_12"]
        with pytest.raises(CorruptFrameError, match=message):
            dicoxide.decode_frame(stream.codestream, spec(stream, **attributes))

    def test_decode_frame_of_32_bits_is_unsupported(self) -> None:
        stream = STREAMS["gray_12"]
        with pytest.raises(UnsupportedError, match="bits allocated 32"):
            dicoxide.decode_frame(stream.codestream, spec(stream, bits_allocated=32))

    def test_decode_flipped_bits_are_errors_or_whole_images(self, capfd: pytest.CaptureFixture[str]) -> None:
        for name in ("gray_16", "rgb_8", "lossy_rgb_8", "recompressed_420", "gray_8_patches", "gray_8_fast"):
            codestream = STREAMS[name].codestream
            for offset in range(2, len(codestream)):
                broken = bytearray(codestream)
                broken[offset] ^= 1 << offset % 8
                try:
                    dicoxide.decode_frame(bytes(broken), spec(STREAMS[name]))
                except (CorruptFrameError, UnsupportedError, LimitError):
                    continue
        # Panics of the decoder are contained without a message.
        assert capfd.readouterr().err == ""

    def test_decode_max_bytes_counts_the_decoder(self) -> None:
        ds = data_set(STREAMS["rgb_8_groups"])
        size = STREAMS["rgb_8_groups"].image.nbytes
        with pytest.raises(LimitError, match="max_bytes"):
            dicoxide.decode(ds, max_bytes=size + 100_000)
        dicoxide.decode(ds, max_bytes=size + 32_000_000)

    def test_decode_size_of_the_data_set_is_compared_before_memory_is_allocated(self) -> None:
        # 40 frames of 3 GiB.
        ds = data_set(STREAMS["lossy_rgb_8"], frames=40, attributes={"Rows": 32767, "Columns": 32767})
        with pytest.raises(CorruptFrameError, match="32767 in the data set"):
            dicoxide.decode(ds)

    @pytest.mark.parametrize("side", [1 << 15, 65535])
    def test_decode_large_size_in_a_small_codestream_is_an_error(self, side: int) -> None:
        # Size of `side` × `side`, default metadata (8 bits, XYB) and a default frame header, whose groups are missing.
        fields = [(0, 1), (3, 2), (side - 1, 30), (1, 3), (1, 1), (1, 1), (1, 1)]
        bits = "".join(format(value, f"0{count}b")[::-1] for value, count in fields)
        codestream = b"\xff\x0a" + int(bits[::-1], 2).to_bytes(50, "little")
        assert dicoxide.codestream_info(codestream)[1:3] == (side, side)
        with pytest.raises((TruncatedFrameError, CorruptFrameError)):
            dicoxide.decode_codestream(codestream)


class TestAgainstLibjxl:
    @pytest.fixture
    def imagecodecs(self) -> Any:
        imagecodecs = pytest.importorskip("imagecodecs", reason="an encoder and a decoder to compare with")
        if not imagecodecs.JPEGXL.available:
            pytest.skip("imagecodecs has no JPEG XL")
        return imagecodecs

    @pytest.mark.parametrize("components", [1, 3])
    @pytest.mark.parametrize("precision", range(1, 17))
    def test_decode_random_lossless_images_are_exact(self, imagecodecs: Any, precision: int, components: int) -> None:
        random = np.random.default_rng(precision)
        for rows, columns in ((1, 1), (7, 300), (257, 30)):
            image = random.integers(0, 1 << precision, (rows, columns, components), np.uint16)
            image = image.astype(np.uint8 if precision <= 8 else np.uint16)
            image = image[..., 0] if components == 1 else image
            codestream = imagecodecs.jpegxl_encode(image, lossless=True, bitspersample=precision)
            assert np.array_equal(dicoxide.decode_codestream(codestream), image)

    @pytest.mark.parametrize("components", [1, 3])
    @pytest.mark.parametrize("precision", [8, 12, 16])
    @pytest.mark.parametrize("distance", [0.5, 1.0, 4.0])
    def test_decode_lossy_images_differ_by_rounding(
        self, imagecodecs: Any, precision: int, components: int, distance: float
    ) -> None:
        image = picture(300, 280, components, precision)
        codestream = imagecodecs.jpegxl_encode(image, distance=distance, lossless=False, bitspersample=precision)
        expected = imagecodecs.jpegxl_decode(codestream)
        # Of 65535, libjxl and jxl differ by 2.
        assert largest_difference(dicoxide.decode_codestream(codestream), expected) <= (1 if precision < 16 else 3)
