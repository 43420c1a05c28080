"""JPEG DCT objects through every public interface: shapes, dtypes, colour, threads, pydicom, command line."""

from __future__ import annotations

import functools
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import convert_color_space, iter_pixels, pixel_array
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, TruncatedFrameError
from dicoxide.plugins import pydicom_v3
from support import reference_jpeg_dct as reference
from support.command_line import decode_to_npy, dicoxide_command
from support.decode_runners import Runner30, Runner31, options_of
from support.encoders import jpeg_dct, jpeg_lossless
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg_dct import EXTENDED, PROGRESSIVE, SAMPLINGS, encode_image, progressive_scans
from support.encoders.jpeg_lossless_cases import picture

pytestmark = [
    pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG"),
    # Objects with frames of several processes.
    pytest.mark.filterwarnings("ignore:.*JPEG .* codestream found:dicoxide.NonConformantWarning"),
]

THREADS = [1, 2, None]
COUNT = 12
PREFIX = "1.2.840.10008.1.2.4."
RETIRED = [PREFIX + number for number in ("52", "53", "54", "55")]


@functools.cache
def gray(precision: int = 8) -> tuple[list[bytes], Any]:
    """Return codestreams of equal size with different processes and tables, and their samples."""
    rng = np.random.default_rng(61)
    options: list[dict[str, Any]] = [
        {},
        {"restart_interval": 3},
        {"tables": "long"},
        {"marker": PROGRESSIVE, "scans": progressive_scans(1)},
        {"quality": 95},
        {"use_dnl": True},
    ]
    coded = [
        encode_image(picture(rng, (37, 45), precision), precision=precision, **options[index % len(options)])
        for index in range(COUNT)
    ]
    return coded, np.stack([reference.decode(src) for src in coded])


@functools.cache
def colour() -> tuple[list[bytes], Any]:
    """Return codestreams of YCbCr of equal size with different samplings, and their components."""
    rng = np.random.default_rng(67)
    names = list(SAMPLINGS)
    coded = [
        encode_image(picture(rng, (33, 50, 3), 8), sampling=names[index % len(names)], quality=60 + 3 * index)
        for index in range(COUNT)
    ]
    return coded, np.stack([reference.decode(src) for src in coded])


def gray_object(precision: int = 8, uid: str = JPEGExtended12Bit, **options: Any) -> Dataset:
    coded, values = gray(precision)
    return dataset(values, uid, bits_stored=precision, coded=coded, table="basic", **options)


def colour_object(interpretation: str = "YBR_FULL_422", uid: str = JPEGBaseline8Bit, **options: Any) -> Dataset:
    coded, values = colour()
    return dataset(values, uid, samples_per_pixel=3, photometric_interpretation=interpretation, coded=coded, **options)


@functools.cache
def colour_rgb() -> Any:
    """Return the frames of `colour`, converted by pydicom."""
    return np.stack([convert_color_space(frame, "YBR_FULL", "RGB") for frame in colour()[1]])


class TestDecode:
    @pytest.mark.parametrize("threads", THREADS)
    @pytest.mark.parametrize("precision", [8, 12])
    def test_decode_of_gray_frames_of_different_processes(self, precision: int, threads: int | None) -> None:
        ds, (_, values) = gray_object(precision), gray(precision)
        for src in (ds, to_bytes(ds)):
            decoded = dicoxide.decode(src, threads=threads, fallback=False)
            assert decoded.dtype == values.dtype
            assert np.array_equal(decoded, values)

    @pytest.mark.parametrize("threads", THREADS)
    @pytest.mark.parametrize("interpretation", ["YBR_FULL", "YBR_FULL_422"])
    def test_decode_of_colour_frames_converts_as_pydicom(self, interpretation: str, threads: int | None) -> None:
        ds = colour_object(interpretation)
        for src in (ds, to_bytes(ds)):
            assert np.array_equal(dicoxide.decode(src, threads=threads, fallback=False), colour_rgb())
            assert np.array_equal(dicoxide.decode(src, raw=True, threads=threads, fallback=False), colour()[1])

    def test_decode_with_out_frames_and_iteration(self) -> None:
        ds, values = colour_object(), colour_rgb()
        out = np.zeros(values.shape, np.uint16)
        assert dicoxide.decode(ds, out=out) is out
        assert np.array_equal(out, values)
        assert np.array_equal(dicoxide.decode(ds, frames=[5, 0, -1]), values[[5, 0, -1]])
        assert np.array_equal(dicoxide.decode(ds, frames=3), values[3])
        assert np.array_equal(np.stack(list(dicoxide.iter_frames(ds))), values)
        with dicoxide.open(to_bytes(ds)) as image:
            assert image.shape == values.shape
            assert np.array_equal(image[7], values[7])

    @pytest.mark.parametrize("precision", [8, 12])
    @pytest.mark.parametrize("threads", THREADS)
    def test_decode_with_rescale(self, precision: int, threads: int | None) -> None:
        ds = gray_object(precision, attributes={"RescaleSlope": "0.5", "RescaleIntercept": "-100"})
        expected = dicoxide.rescale(gray(precision)[1], 0.5, -100)
        assert np.array_equal(dicoxide.decode(ds, rescale=True, threads=threads), expected)

    def test_decode_of_signed_samples_keeps_pixel_representation(self) -> None:
        # The codestream does not declare a sign; 12 bits are sign-extended from bit 11.
        coded, values = gray(12)
        ds = dataset(values.astype(np.int16), JPEGExtended12Bit, bits_stored=12, coded=coded)
        expected = (values.astype(np.int16) << 4) >> 4
        assert np.array_equal(dicoxide.decode(ds), expected)

    @pytest.mark.parametrize("uid", RETIRED)
    def test_retired_transfer_syntaxes_decode(self, uid: str) -> None:
        assert dicoxide.capabilities()[uid].decoder == "dicoxide"
        for precision in (8, 12):
            ds = gray_object(precision, uid)
            for src in (ds, to_bytes(ds)):
                assert np.array_equal(dicoxide.decode(src, fallback=False), gray(precision)[1])

    def test_capabilities_name_the_codec(self) -> None:
        for uid in (JPEGBaseline8Bit, JPEGExtended12Bit):
            assert dicoxide.capabilities()[uid].decoder == "dicoxide"
            assert "codec jpeg" in dicoxide.capabilities()[uid].why

    def test_decode_many_equals_decode(self) -> None:
        sources = [to_bytes(colour_object()), to_bytes(gray_object()), to_bytes(gray_object(12))] * 3
        expected = [colour_rgb(), gray()[1], gray(12)[1]] * 3
        for threads in (1, 2):
            results = list(dicoxide.decode_many(sources, threads=threads, fallback=False))
            assert all(np.array_equal(array, wanted) for (_, array), wanted in zip(results, expected, strict=True))

    def test_decode_with_max_bytes(self) -> None:
        ds, values = colour_object(), colour_rgb()
        assert np.array_equal(dicoxide.decode(ds, max_bytes=values.nbytes + (16 << 20)), values)
        with pytest.raises(dicoxide.LimitError):
            dicoxide.decode(ds, max_bytes=values.nbytes - 1)

    @pytest.mark.parametrize("threads", THREADS)
    def test_decode_with_corrupt_frames_raises_the_first(self, threads: int | None) -> None:
        coded = list(colour()[0])
        for broken in (9, 4):
            coded[broken] = coded[broken][:-40] + b"\xff\xd9"
            coded[broken] += b"\0" * (len(coded[broken]) % 2)
        ds = colour_object()
        ds.PixelData = dataset(colour()[1], JPEGBaseline8Bit, samples_per_pixel=3, coded=coded).PixelData
        with pytest.raises(TruncatedFrameError) as caught:
            dicoxide.decode(ds, threads=threads)
        assert caught.value.frame_index == 4
        assert caught.value.offset is not None
        good = [index for index in range(COUNT) if index not in (4, 9)]
        assert np.array_equal(dicoxide.decode(ds, frames=good, threads=threads), colour_rgb()[good])

    def test_frames_of_jpeg_processes_and_lossless_mix(self) -> None:
        coded, values = gray()
        mixed = [coded[0], jpeg_lossless.encode(values[1]), coded[2]]
        ds = dataset(values[:3], JPEGBaseline8Bit, coded=mixed)
        with pytest.warns(NonConformantWarning, match="JPEG Lossless codestream found"):
            assert np.array_equal(dicoxide.decode(ds), values[:3])

    @pytest.mark.parametrize("reduce", [1, 2, 3])
    def test_reduced_decode_of_objects(self, reduce: int) -> None:
        coded, _ = colour()
        stored = np.stack([reference.decode(src, reduce=reduce) for src in coded])
        rgb = np.stack([convert_color_space(frame, "YBR_FULL", "RGB") for frame in stored])
        ds = colour_object()
        for threads in THREADS:
            assert np.array_equal(dicoxide.decode(ds, reduce=reduce, raw=True, threads=threads), stored)
        assert np.array_equal(dicoxide.decode(to_bytes(ds), reduce=reduce), rgb)
        assert np.array_equal(np.stack(list(dicoxide.iter_frames(ds, reduce=reduce))), rgb)
        assert np.array_equal(dicoxide.open(ds).decode(4, reduce=reduce), rgb[4])
        ((_, many),) = dicoxide.decode_many([to_bytes(ds)], reduce=reduce, fallback=False)
        assert np.array_equal(many, rgb)
        out = np.zeros(rgb.shape, np.uint8)
        assert np.array_equal(dicoxide.decode(ds, reduce=reduce, out=out), rgb)
        with pytest.raises(ValueError, match="4 resolution level"):
            dicoxide.decode(ds, reduce=4)
        with pytest.raises(ValueError, match="shape"):
            dicoxide.decode(ds, reduce=reduce, out=np.zeros(colour_rgb().shape, np.uint8))

    def test_reduced_decode_with_rescale(self) -> None:
        ds = gray_object(12, attributes={"RescaleSlope": "2", "RescaleIntercept": "-5"})
        stored = np.stack([reference.decode(src, reduce=2) for src in gray(12)[0]])
        assert np.array_equal(dicoxide.decode(ds, reduce=2, rescale=True), dicoxide.rescale(stored, 2, -5))


class TestColour:
    """The codestream decides the colour where it declares one (PS3.5 8.2.1)."""

    SOURCE = picture(np.random.default_rng(71), (24, 31, 3), 8)

    @pytest.mark.parametrize(
        ("segments", "identifiers", "is_ybr"),
        [
            pytest.param(jpeg_dct.JFIF, None, True, id="JFIF"),
            pytest.param(jpeg_dct.adobe(0), None, False, id="Adobe RGB"),
            pytest.param(jpeg_dct.adobe(1), None, True, id="Adobe YCbCr"),
            pytest.param(b"", (82, 71, 66), False, id="identifiers RGB"),
        ],
    )
    @pytest.mark.parametrize("interpretation", ["RGB", "YBR_FULL", "YBR_FULL_422"])
    def test_colour_of_the_codestream_applies(
        self, segments: bytes, identifiers: Any, is_ybr: bool, interpretation: str
    ) -> None:
        src = encode_image(self.SOURCE, segments=segments, identifiers=identifiers)
        stored = reference.decode(src)
        rgb = convert_color_space(stored, "YBR_FULL", "RGB") if is_ybr else stored
        ds = dataset(
            stored, JPEGBaseline8Bit, samples_per_pixel=3, photometric_interpretation=interpretation, coded=[src]
        )
        contradicts = is_ybr == (interpretation == "RGB")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", NonConformantWarning)
            assert np.array_equal(dicoxide.decode(ds, fallback=False), rgb)
        assert any("found in the codestream, photometric" in str(warning.message) for warning in caught) == contradicts
        assert np.array_equal(dicoxide.decode(ds, raw=True, fallback=False), stored)
        if contradicts:
            with pytest.raises(CorruptFrameError, match="photometric interpretation"):
                dicoxide.decode(ds, strict=True, fallback=False)

    @pytest.mark.filterwarnings("error::dicoxide.NonConformantWarning")
    @pytest.mark.parametrize("interpretation", ["RGB", "YBR_FULL", "YBR_FULL_422"])
    def test_photometric_interpretation_applies_where_the_codestream_declares_nothing(
        self, interpretation: str
    ) -> None:
        src = encode_image(self.SOURCE)
        stored = reference.decode(src)
        ds = dataset(
            stored, JPEGBaseline8Bit, samples_per_pixel=3, photometric_interpretation=interpretation, coded=[src]
        )
        rgb = stored if interpretation == "RGB" else convert_color_space(stored, "YBR_FULL", "RGB")
        assert np.array_equal(dicoxide.decode(ds, fallback=False), rgb)

    def test_four_components_are_not_converted(self) -> None:
        source = picture(np.random.default_rng(73), (16, 17, 4), 8)
        src = encode_image(source, segments=jpeg_dct.adobe(2))
        ds = dataset(source, JPEGBaseline8Bit, samples_per_pixel=4, photometric_interpretation="CMYK", coded=[src])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            assert np.array_equal(dicoxide.decode(ds, fallback=False), reference.decode(src))


class TestPydicom:
    @pytest.mark.parametrize("kind", [Runner30, Runner31])
    @pytest.mark.parametrize("make", [colour_object, gray_object, lambda: gray_object(12)])
    def test_plugin_returns_stored_components_to_each_runner(self, kind: type[Runner30], make: Any) -> None:
        ds = make()
        coded = gray(12)[0] if ds.BitsStored == 12 else (colour() if ds.SamplesPerPixel == 3 else gray())[0]
        runner = kind(options_of(ds), ds.file_meta.TransferSyntaxUID)
        for src in coded[:4]:
            frame = pydicom_v3.decode_frame(src, runner)  # type: ignore[arg-type]
            assert isinstance(frame, bytearray)
            assert bytes(frame) == reference.decode(src).tobytes()
        # Photometric Interpretation stays: pydicom converts the colour.
        reported = {name: value for name, value in runner.reported.items() if name != "decoding_plugin"}
        assert reported == {"planar_configuration": 0}

    @pytest.mark.parametrize("source", ["dataset", "file"])
    def test_pixel_array_equals_decode(self, source: str) -> None:
        objects = {colour_object: colour_rgb(), gray_object: gray()[1]}
        for make, expected in objects.items():
            ds = make()
            if source == "file":
                ds = pydicom.dcmread(io.BytesIO(to_bytes(ds)))
            with dicoxide.enabled():
                assert np.array_equal(ds.pixel_array, expected)
                assert np.array_equal(np.stack(list(iter_pixels(ds))), expected)
                raw = pixel_array(ds, raw=True)
            assert np.array_equal(raw, dicoxide.decode(ds, raw=True))

    def test_pixel_array_of_12_bits_equals_decode(self) -> None:
        with dicoxide.enabled():
            assert np.array_equal(gray_object(12).pixel_array, gray(12)[1])

    @pytest.mark.filterwarnings("ignore:The .0028,0004.")
    @pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, *RETIRED])
    def test_pixel_array_follows_the_codestream_as_pydicom_does(self, syntax: str) -> None:
        # pydicom compares no colour for retired transfer syntaxes, but the plugin does.
        source = picture(np.random.default_rng(79), (20, 22, 3), 8)
        for segments, identifiers in ((jpeg_dct.JFIF, None), (b"", (82, 71, 66))):
            src = encode_image(source, segments=segments, identifiers=identifiers)
            interpretation = "YBR_FULL" if identifiers else "RGB"
            ds = dataset(source, syntax, samples_per_pixel=3, photometric_interpretation=interpretation, coded=[src])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = dicoxide.decode(ds)
                with dicoxide.enabled():
                    assert np.array_equal(ds.pixel_array, expected)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_handler_returns_stored_components(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pydicom.config, "pixel_data_handlers", [dicoxide.pydicom_handler])
        for ds, expected in ((colour_object(), colour()[1]), (gray_object(12), gray(12)[1])):
            assert np.array_equal(dicoxide.pydicom_handler.get_pixeldata(ds), expected.reshape(-1))
            ds.pixel_array_options(use_v2_backend=True)
            assert np.array_equal(ds.pixel_array, expected)

    def test_plugin_of_corrupt_frame_raises_and_asks_no_other_plugin(self) -> None:
        coded = [src[:-30] + b"\xff\xd9" for src in colour()[0][:1]]
        ds = dataset(colour()[1][0], JPEGBaseline8Bit, samples_per_pixel=3, coded=coded)
        with dicoxide.enabled(), pytest.raises((CorruptFrameError, RuntimeError), match="end before|entropy-coded"):
            _ = ds.pixel_array


class TestTools:
    def test_read_series_of_jpeg_slices(self, tmp_path: Path) -> None:
        coded, values = gray(12)
        for index in range(4):
            ds = dataset(values[index], JPEGExtended12Bit, bits_stored=12, coded=[coded[index]])
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.5"
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.6.{index + 1}"
            ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [1, 1]
            ds.ImagePositionPatient = [0, 0, index * 2.0]
            (tmp_path / f"{index}.dcm").write_bytes(to_bytes(ds))
        (volume,) = dicoxide.read_series(tmp_path)
        assert np.array_equal(volume.array, values[:4])

    def test_command_line_reads_and_decodes(self, tmp_path: Path) -> None:
        path = tmp_path / "cine.dcm"
        path.write_bytes(to_bytes(colour_object()))
        (file,) = dicoxide_command("info", path, "--json").document["files"]
        assert file["decoder"] == "dicoxide"
        done = decode_to_npy(path, tmp_path / "out")
        assert done.code == 0, done.err
        (result,) = (tmp_path / "out").rglob("*.npy")
        assert np.array_equal(np.load(result).reshape(colour_rgb().shape), colour_rgb())

    @pytest.mark.slow
    def test_bench_times_jpeg(self, tmp_path: Path) -> None:
        path = tmp_path / "cine.dcm"
        path.write_bytes(to_bytes(colour_object()))
        done = dicoxide_command("bench", path, "--verify", "--budget", "60")
        assert done.code == 0, done.err
        assert "pixel_array  dicoxide" in done.out


@pytest.mark.parametrize("process", ["sequential", "restarts", "progressive"])
def test_decode_of_large_frames_on_threads_is_equal(process: str) -> None:
    options: dict[str, Any] = {
        "sequential": {},
        "restarts": {"restart_interval": 32},
        "progressive": {"marker": PROGRESSIVE, "scans": progressive_scans(3)},
    }[process]
    source = picture(np.random.default_rng(83), (420, 512, 3), 8)
    src = encode_image(source, sampling="420", **options)
    expected = reference.decode(src)
    ds = dataset(expected, JPEGBaseline8Bit, samples_per_pixel=3, photometric_interpretation="YBR_FULL", coded=[src])
    for threads in (1, 2, 4):
        assert np.array_equal(dicoxide.decode(ds, raw=True, threads=threads), expected)
    cut = dataset(expected, JPEGBaseline8Bit, samples_per_pixel=3, coded=[src[: len(src) * 2 // 3 & ~1]])
    errors = set()
    for threads in (1, 2, 4):
        with pytest.raises(TruncatedFrameError) as caught:
            dicoxide.decode(cut, threads=threads)
        errors.add((str(caught.value), caught.value.offset))
    assert len(errors) == 1


def test_extended_frame_of_8_bits_decodes_under_both_syntaxes() -> None:
    source = picture(np.random.default_rng(89), (15, 18), 8)
    src = encode_image(source, marker=EXTENDED)
    for uid in (JPEGBaseline8Bit, JPEGExtended12Bit):
        assert np.array_equal(dicoxide.decode(dataset(source, uid, coded=[src])), reference.decode(src))
