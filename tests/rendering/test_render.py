"""`render`, `Image.render` and `iter_rendered`: sources, frames, output arrays, limits, colours, fallback decoders."""

from __future__ import annotations

import io
import itertools
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEG2000, RLELossless

import dicoxide
from dicoxide import CorruptFrameError, DecodeError, LimitError, TruncatedFrameError, UnsupportedError
from support import reference_rendering
from support.processes import run_script
from support.real_images import SHARED
from support.rendering_datasets import file_bytes, item, make_dataset, render_both
from support.video_files import UIDS, decoded_by_pyav, video_dataset, video_file, video_stream

FRAMES = np.random.default_rng(1).integers(0, 4096, (5, 12, 10)).astype(np.uint16)
WINDOW = ("LINEAR", 2000, 3000)
EXPECTED = reference_rendering.render(FRAMES, WINDOW)
CT1_RLE = SHARED / "files" / "robyoung+dicom-test-files" / "data" / "WG04" / "RLE" / "CT1_RLE"


def multi_frame(**attributes: Any) -> Any:
    return make_dataset(FRAMES, frames=5, bits_stored=12, WindowCenter=2000, WindowWidth=3000, **attributes)


def test_render_of_any_source_is_equal(tmp_path: Path) -> None:
    dataset = multi_frame()
    data = file_bytes(dataset)
    path = tmp_path / "image.dcm"
    path.write_bytes(data)
    for source in (dataset, data, bytearray(data), path, str(path), io.BytesIO(data)):
        np.testing.assert_array_equal(dicoxide.render(source), EXPECTED)


@pytest.mark.parametrize("frames", [None, 0, -1, slice(1, 4), slice(None, None, -2), [3, 1, 1], [], range(2)], ids=str)
def test_render_of_frames_has_the_shape_of_decode(frames: Any) -> None:
    dataset = multi_frame()
    rendered = render_both(dataset, frames=frames)
    assert rendered.shape == dicoxide.decode(dataset, frames=frames).shape
    np.testing.assert_array_equal(rendered, EXPECTED[slice(None) if frames is None else frames])


@pytest.mark.parametrize("frames", [5, -6, [0, 9]], ids=str)
def test_render_of_frame_out_of_range_raises(frames: Any) -> None:
    with pytest.raises(IndexError, match="out of range for 5 frames"):
        dicoxide.render(multi_frame(), frames=frames)


def test_render_single_frame_with_own_axis() -> None:
    dataset = make_dataset(FRAMES[0], bits_stored=12, WindowCenter=2000, WindowWidth=3000)
    np.testing.assert_array_equal(render_both(dataset), EXPECTED[0])
    np.testing.assert_array_equal(render_both(dataset, frames=[0]), EXPECTED[:1])
    np.testing.assert_array_equal(
        render_both(dataset, frames=[0], window="range")[0], render_both(dataset, window="range")
    )


@pytest.mark.parametrize("window", ["first", "range"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_render_writes_into_out(dtype: str, window: str) -> None:
    out = np.empty(FRAMES.shape, dtype)
    assert dicoxide.render(multi_frame(), out=out, dtype=dtype, window=window) is out
    np.testing.assert_array_equal(out, dicoxide.render(multi_frame(), dtype=dtype, window=window))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty((5, 12, 10), np.uint16), "out has dtype uint16, dtype is uint8"),
        (np.empty((5, 12, 11), np.uint8), "out has shape"),
        (np.empty((5, 12, 20), np.uint8)[..., ::2], "C-contiguous"),
        ([1, 2], "out must be an ndarray"),
    ],
    ids=["dtype", "shape", "strided", "list"],
)
def test_render_into_unsuitable_out_raises(out: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dicoxide.render(multi_frame(), out=out)


@pytest.mark.parametrize("threads", [1, 2, 5, None])
@pytest.mark.parametrize("window", ["first", "range"])
def test_render_on_any_number_of_threads_is_equal(window: str, threads: int | None) -> None:
    expected = (
        EXPECTED if window == "first" else reference_rendering.render(FRAMES, ("RANGE", FRAMES.min(), FRAMES.max()))
    )
    np.testing.assert_array_equal(render_both(multi_frame(), window=window, threads=threads), expected)


def test_render_within_max_bytes() -> None:
    dataset = multi_frame()
    np.testing.assert_array_equal(render_both(dataset, max_bytes=FRAMES.size), EXPECTED)
    with pytest.raises(LimitError):
        dicoxide.render(dataset, max_bytes=FRAMES.size - 1)
    # The stored values of at least one frame are in memory, too.
    in_range = dicoxide.render(dataset, window="range")
    for frames in (5, 2, 1):
        limit = FRAMES.size + frames * FRAMES[0].nbytes
        np.testing.assert_array_equal(dicoxide.render(dataset, window="range", max_bytes=limit), in_range)
    with pytest.raises(LimitError):
        dicoxide.render(dataset, window="range", max_bytes=limit - 1)
    # One full-size frame at least is in memory while frames are reduced.
    reduced = dicoxide.render(dataset, max_size=5)
    limit = reduced.nbytes + FRAMES[0].size
    np.testing.assert_array_equal(dicoxide.render(dataset, max_size=5, max_bytes=limit), reduced)
    with pytest.raises(LimitError):
        dicoxide.render(dataset, max_size=5, max_bytes=limit - 1)


def test_render_of_truncated_frame_raises_as_decode() -> None:
    dataset = multi_frame()
    dataset.PixelData = dataset.PixelData[:-400]
    for window in ("first", "range"):
        with pytest.raises(TruncatedFrameError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dicoxide.render(dataset, window=window)


def test_image_render_reads_attributes_once_and_renders_frames() -> None:
    with dicoxide.open(multi_frame()) as image:
        for index, frame in enumerate(EXPECTED):
            np.testing.assert_array_equal(image.render(index), frame)
        np.testing.assert_array_equal(
            image.render([4, 0], window="full", dtype="uint16")[0], np.rint(FRAMES[4] / 4095 * 65535)
        )
        with pytest.raises(TypeError):
            image.render(0, nonsense=1)  # type: ignore[call-arg]


def test_render_of_file_imports_neither_pydicom_nor_pillow(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(file_bytes(multi_frame()))
    if dicoxide.backend != "rust":
        pytest.skip("the NumPy backend reads files by pydicom")
    assert run_script("render_without_pydicom", path).stdout.strip() == "False"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"frames": slice(3, None, -1)},
        {"window": "range"},
        {"window": ("percentile", 2, 90)},
        {"threads": 1},
        {"max_bytes": 500},
        {"max_size": 6},
    ],
    ids=str,
)
@pytest.mark.parametrize("is_file", [False, True], ids=["data set", "file"])
def test_iter_rendered_equals_render(options: dict[str, Any], is_file: bool) -> None:
    source = file_bytes(multi_frame()) if is_file else multi_frame()
    frames = list(dicoxide.iter_rendered(source, **options))
    expected = dicoxide.render(source, **{key: value for key, value in options.items() if key != "max_bytes"})
    assert len(frames) == len(expected)
    for frame, reference in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(frame, reference)


def test_iter_rendered_yields_frames_before_the_broken_one() -> None:
    dataset = multi_frame()
    encoded = make_dataset(FRAMES, frames=5, bits_stored=12, WindowCenter=2000, WindowWidth=3000)
    encoded.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    data = bytearray(file_bytes(encoded))
    good = [frame.copy() for frame in dicoxide.iter_rendered(bytes(data))]
    np.testing.assert_array_equal(good, dicoxide.render(dataset))
    position = data.rindex(b"\xfe\xff\x00\xe0") + 8
    data[position : position + 4] = b"\x0f\0\0\0"
    frames = dicoxide.iter_rendered(bytes(data))
    np.testing.assert_array_equal(list(itertools.islice(frames, 4)), EXPECTED[:4])
    with pytest.raises(CorruptFrameError):
        next(frames)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(("stored", "bits"), [("u1", 8), ("u1", 5), ("u2", 16), ("u2", 12), ("u4", 32)], ids=str)
def test_render_colors_scales_bits_stored(stored: str, bits: int, dtype: str) -> None:
    samples = np.random.default_rng(2).integers(0, 1 << bits, (2, 6, 5, 3)).astype(stored)
    dataset = make_dataset(samples, frames=2, samples=3, bits_stored=bits)
    reference = reference_rendering.render(samples, ("RANGE", 0, (1 << bits) - 1), dtype=dtype)
    np.testing.assert_array_equal(render_both(dataset, dtype=dtype), reference)


@pytest.mark.parametrize("options", [{"window": (5, 10)}, {"invert": True}, {"window": "range"}], ids=str)
def test_render_colors_ignores_options_of_gray_images(options: dict[str, Any]) -> None:
    samples = np.random.default_rng(3).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(render_both(make_dataset(samples, samples=3), **options), samples)


@pytest.mark.parametrize(("samples", "photometric"), [(4, "CMYK"), (4, "ARGB"), (3, "HSV"), (3, "YBR_PARTIAL_422")])
def test_render_of_unsupported_colors_raises(samples: int, photometric: str) -> None:
    dataset = make_dataset(np.zeros((4, 4, samples), np.uint8), samples=samples, photometric=photometric)
    with pytest.raises(UnsupportedError, match=f"{samples} samples per pixel.*{photometric}"):
        dicoxide.render(dataset)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("batch_bytes", [1, 1 << 10])
def test_render_by_fallback_decoder_in_batches_equals_decode(batch_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicoxide._rendering._renderer._MAX_STORED_BYTES", batch_bytes)
    bits = np.random.default_rng(4).integers(0, 2, (7, 8, 20, 3)).astype(np.uint8)
    dataset = make_dataset(bits, frames=7, samples=3, bits_stored=1)
    dataset.BitsAllocated, dataset.PixelData = 1, np.packbits(bits, bitorder="little").tobytes()
    np.testing.assert_array_equal(dicoxide.render(dataset), bits * 255)
    small = dicoxide.render(dataset, frames=slice(None, None, -1), max_size=10)
    np.testing.assert_array_equal(small, dicoxide.render(dataset, max_size=10)[::-1])


@pytest.mark.parametrize("window", ["range", ("percentile", 3, 80)], ids=str)
def test_render_range_measured_in_batches_is_equal(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [
        item(PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=1, RescaleType="US")])
        for slope in (1, 2, -1, 3, 5)
    ]
    for dataset in (multi_frame(), multi_frame(PerFrameFunctionalGroupsSequence=groups)):
        expected = render_both(dataset, window=window)
        small = render_both(dataset, window=window, max_size=6)
        brighter = make_dataset(FRAMES // 2, frames=5, bits_stored=12, WindowCenter=2000, WindowWidth=3000)
        with monkeypatch.context() as context:
            context.setattr("dicoxide._rendering._renderer._MAX_STORED_BYTES", 2 * FRAMES[0].nbytes)
            # Another image with equal attributes.
            dicoxide.render(brighter, window=window)
            np.testing.assert_array_equal(render_both(dataset, window=window), expected)
            np.testing.assert_array_equal(render_both(dataset, window=window, max_size=6), small)


@pytest.mark.filterwarnings("ignore")
def test_render_by_fallback_decoder_equals_decode() -> None:
    # One-bit samples in colour are decoded by pydicom.
    bits = np.random.default_rng(4).integers(0, 2, (4, 6, 3)).astype(np.uint8)
    dataset = make_dataset(bits, samples=3, bits_stored=1)
    dataset.BitsAllocated, dataset.PixelData = 1, np.packbits(bits, bitorder="little").tobytes() + b"\0"
    np.testing.assert_array_equal(dicoxide.render(dataset), dicoxide.decode(dataset) * 255)
    with pytest.raises(UnsupportedError):
        dicoxide.render(dataset, fallback=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_render_float_pixel_data_by_window_and_range(dtype: str) -> None:
    stored = np.random.default_rng(5).normal(size=(8, 9)).astype(dtype)
    stored[0, 0] = np.nan
    dataset = make_dataset(stored)
    low, high = np.nanmin(stored), np.nanmax(stored)
    np.testing.assert_array_equal(
        render_both(dataset), reference_rendering.render(stored, ("RANGE", float(low), float(high)))
    )
    rendered = render_both(dataset, window=(0, 2), function="LINEAR_EXACT", invert=True)
    np.testing.assert_array_equal(rendered, reference_rendering.render(stored, ("LINEAR_EXACT", 0, 2), inverted=True))


def test_render_dose_uses_the_range() -> None:
    stored = np.random.default_rng(6).integers(0, 1 << 20, (3, 8, 9)).astype(np.uint32)
    dataset = make_dataset(stored, frames=3, DoseGridScaling="0.001")
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    values = stored.astype(np.float64) * 0.001
    reference = reference_rendering.render(values, ("RANGE", values.min(), values.max()))
    np.testing.assert_array_equal(render_both(dataset), reference)


def test_render_rescale_per_frame_is_applied() -> None:
    slopes = [1.0, -2.0, 0.5, 3.0, 1.0]
    groups = [
        item(PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=-10, RescaleType="US")])
        for slope in slopes
    ]
    dataset = multi_frame(PerFrameFunctionalGroupsSequence=groups)
    reference = np.stack(
        [
            reference_rendering.render(frame, WINDOW, transform=(slope, -10.0))
            for frame, slope in zip(FRAMES, slopes, strict=True)
        ]
    )
    np.testing.assert_array_equal(render_both(dataset), reference)
    np.testing.assert_array_equal(render_both(dataset, frames=[3, 1]), reference[[3, 1]])


@pytest.mark.parametrize("is_file", [False, True], ids=["data set", "file"])
def test_render_video_returns_its_colors(is_file: bool) -> None:
    pytest.importorskip("av")
    stream = video_stream("libx264", "mp4", count=9)
    expected = decoded_by_pyav(stream)
    make = video_file if is_file else video_dataset
    source: Any = make(stream, UIDS["libx264"], 9)
    np.testing.assert_array_equal(dicoxide.render(source), expected)
    np.testing.assert_array_equal(dicoxide.render(source, frames=[7, 2]), expected[[7, 2]])
    small = dicoxide.render(source, frames=3, max_size=40)
    assert small.shape == (24, 40, 3)
    np.testing.assert_array_equal(dicoxide.render(source, frames=3, dtype="uint16"), expected[3] * np.uint16(257))
    for index, frame in enumerate(dicoxide.iter_rendered(source)):
        np.testing.assert_array_equal(frame, expected[index])


@pytest.mark.filterwarnings("ignore")
def test_render_real_rle_file_equals_rendered_array(shared: Path) -> None:
    stored = dicoxide.decode(CT1_RLE, rescale=True)
    np.testing.assert_array_equal(
        dicoxide.render(CT1_RLE, window=(40, 400)), dicoxide.apply_window(stored, 40, 400) * (stored > -3000)
    )


def test_render_of_corrupt_codestream_raises_as_decode() -> None:
    dataset = multi_frame()
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = JPEG2000
    with pytest.raises(DecodeError):
        dicoxide.render(dataset)


@pytest.mark.parametrize("is_iterated", [False, True], ids=["render", "iter_rendered"])
def test_range_of_one_image_is_not_used_for_another(is_iterated: bool) -> None:
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    for factor in (3, 70, 1):
        source = file_bytes(make_dataset(values * factor, frames=2))
        rendered = list(dicoxide.iter_rendered(source)) if is_iterated else dicoxide.render(source)
        np.testing.assert_array_equal(rendered, np.rint(values / 23 * 255))


def test_image_rendered_by_several_threads_is_equal() -> None:
    groups = [item(FrameVOILUTSequence=[item(WindowCenter=500 * index, WindowWidth=900)]) for index in range(5)]
    dataset = multi_frame(PerFrameFunctionalGroupsSequence=groups)
    expected = dicoxide.render(dataset)
    for source in (dataset, file_bytes(dataset)):
        with dicoxide.open(source) as image, ThreadPoolExecutor(8) as pool:
            indices = list(range(5)) * 20
            for index, frame in zip(indices, pool.map(image.render, indices), strict=True):
                np.testing.assert_array_equal(frame, expected[index])
