"""`max_size`, `reduce` and `icc` of `render`."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from dicoxide._rendering._resize import limited_shape, reductions
from support.real_images import SHARED
from support.rendering_datasets import item, make_dataset, render_both

WG04 = SHARED / "files" / "robyoung+dicom-test-files" / "data" / "WG04"


@pytest.mark.parametrize(
    ("shape", "max_size", "expected"),
    [
        ((512, 512), 512, (512, 512)),
        ((512, 512), 100, (100, 100)),
        ((512, 256, 3), 128, (128, 64, 3)),
        ((3, 1000), 10, (1, 10)),
        ((333, 1000), 10, (3, 10)),
    ],
)
def test_limited_shape_has_the_aspect_ratio(shape: Any, max_size: int, expected: Any) -> None:
    assert limited_shape(shape, max_size) == expected


@pytest.mark.parametrize(
    ("side", "max_size", "expected"), [(512, 512, [0]), (512, 256, [1, 0]), (512, 100, [2, 1, 0]), (9, 20, [0])]
)
def test_reductions_leave_at_least_the_maximum_size(side: int, max_size: int, expected: list[int]) -> None:
    assert list(reductions((side, 3), max_size)) == expected


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("samples", [1, 3])
def test_render_max_size_is_the_mean_of_areas(samples: int, dtype: str) -> None:
    shape = (2, 12, 20) if samples == 1 else (2, 12, 20, 3)
    stored = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    dataset = make_dataset(stored, frames=2, samples=samples)
    full = dicoxide.render(dataset, dtype=dtype, window="full").astype(np.float64)
    rendered = render_both(dataset, dtype=dtype, window="full", max_size=10)
    mean = full.reshape(2, 6, 2, 10, 2, *shape[3:]).mean(axis=(2, 4))
    assert rendered.shape == mean.shape
    tolerance = {"uint8": 1.01, "uint16": 0.51, "float32": 1e-6}[dtype]
    assert np.abs(rendered - mean).max() <= tolerance
    one = dicoxide.render(dataset, frames=1, dtype=dtype, window="full", max_size=10)
    np.testing.assert_array_equal(one, rendered[1])


def test_render_max_size_of_small_image_does_not_enlarge() -> None:
    dataset = make_dataset(np.arange(12, dtype=np.uint8).reshape(3, 4))
    np.testing.assert_array_equal(render_both(dataset, max_size=100), render_both(dataset))


def test_render_max_size_writes_into_out() -> None:
    dataset = make_dataset(np.arange(256, dtype=np.uint8).reshape(16, 16))
    out = np.empty((4, 4), np.uint8)
    assert dicoxide.render(dataset, max_size=4, out=out) is out
    np.testing.assert_array_equal(out, render_both(dataset, max_size=4))


@pytest.mark.parametrize(("name", "size"), [("J2KR/CT1_J2KR", 128), ("J2KI/VL1_J2KI", 100), ("RLE/CT1_RLE", 128)])
@pytest.mark.filterwarnings("ignore")
def test_render_max_size_of_real_file_is_near_the_full_size(name: str, size: int, shared: Any) -> None:
    full = dicoxide.render(WG04 / name)
    small = dicoxide.render(WG04 / name, max_size=size)
    assert max(small.shape[:2]) == size
    assert abs(small.mean() - full.mean()) < 3


def _mean_of_areas(pixels: Any, size: int) -> Any:
    """Return the means of the square areas of a square image that become one pixel each."""
    step = len(pixels) // size
    return pixels.astype(np.float64).reshape(size, step, size, step, *pixels.shape[2:]).mean(axis=(1, 3))


@pytest.mark.filterwarnings("ignore")
def test_render_max_size_of_signed_values_in_unsigned_codestream_uses_the_full_size() -> None:
    path = get_testdata_file("J2K_pixelrep_mismatch.dcm")
    small = dicoxide.render(path, max_size=128)
    assert np.abs(small - _mean_of_areas(dicoxide.render(path), 128)).max() <= 1.01


@pytest.mark.skipif(dicoxide.backend != "rust", reason="the NumPy backend has no JPEG 2000")
def test_render_max_size_of_palette_indices_uses_the_full_size() -> None:
    dataset = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "PALETTE COLOR", 0
    entries = np.random.default_rng(3).integers(0, 65536, (3, 65536)).astype("<u2")
    for index, color in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{color}PaletteColorLookupTableDescriptor", [0, 0, 16])
        setattr(dataset, f"{color}PaletteColorLookupTableData", entries[index].tobytes())
    with pytest.warns(dicoxide.NonConformantWarning, match="signed samples found"):
        full, small = dicoxide.render(dataset), dicoxide.render(dataset, max_size=16)
    assert np.abs(small - _mean_of_areas(full, 16)).max() <= 1.01


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["J2KR/MR1_J2KR", "J2KI/RG2_J2KI", "JPLL/MR1_JPLL"])
def test_iter_rendered_of_max_size_equals_render(name: str, shared: Any) -> None:
    for window in ("range", ("percentile", 1, 99)):
        (frame,) = dicoxide.iter_rendered(WG04 / name, window=window, max_size=100)
        np.testing.assert_array_equal(frame, dicoxide.render(WG04 / name, window=window, max_size=100))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(dicoxide.backend != "rust", reason="the NumPy backend has no JPEG 2000")
def test_render_reduce_has_the_size_of_decode(shared: Any) -> None:
    path = WG04 / "J2KR" / "CT1_J2KR"
    assert dicoxide.render(path, reduce=2).shape == dicoxide.decode(path, reduce=2).shape
    with pytest.raises(ValueError, match="resolution"):
        dicoxide.render(WG04 / "RLE" / "CT1_RLE", reduce=1)


def icc_profile(*, is_swapped: bool) -> bytes:
    """Return a matrix profile of sRGB's primaries and a gamma of 2.2, with red and blue exchanged if `is_swapped`."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)

    primaries = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]
    if is_swapped:
        primaries.reverse()
    tags = [
        (b"desc", b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + b"\0" * 78),
        (b"cprt", b"text\0\0\0\0x\0\0\0"),
        (b"wtpt", b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)),
    ]
    for name, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags.append((name + b"XYZ", b"XYZ \0\0\0\0" + fixed(*primary)))
        tags.append((name + b"TRC", b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"))
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + fixed(0.9642, 1, 0.8249)
    return header + b"\0" * (128 - len(header)) + table + body


COLORS = np.random.default_rng(2).integers(0, 256, (8, 9, 3)).astype(np.uint8)


@pytest.mark.parametrize("is_optical_path", [False, True], ids=["data set", "optical path"])
def test_render_icc_converts_to_srgb(is_optical_path: bool) -> None:
    profile = icc_profile(is_swapped=True)
    attributes = {"OpticalPathSequence": [item(ICCProfile=profile)]} if is_optical_path else {"ICCProfile": profile}
    dataset = make_dataset(COLORS, samples=3, **attributes)
    np.testing.assert_array_equal(render_both(dataset), COLORS)
    converted = render_both(dataset, icc=True)
    # Gamma 2.2 differs from sRGB's transfer function in dark colours.
    assert np.abs(converted.astype(int) - COLORS[..., ::-1]).max() <= 12
    assert np.abs(converted.astype(int) - COLORS).max() > 100


def test_render_icc_without_profile_returns_the_colors() -> None:
    np.testing.assert_array_equal(render_both(make_dataset(COLORS, samples=3), icc=True), COLORS)


@pytest.mark.parametrize(
    "profile", [b"not a profile!", icc_profile(is_swapped=False)[:200], b"\0" * 500], ids=["text", "truncated", "zeros"]
)
def test_render_icc_with_invalid_profile_warns(profile: bytes) -> None:
    dataset = make_dataset(COLORS, samples=3, ICCProfile=profile)
    with pytest.warns(NonConformantWarning, match="ICC Profile cannot be used.*PS3.3 C.11.15"):
        rendered = dicoxide.render(dataset, icc=True)
    np.testing.assert_array_equal(rendered, COLORS)
    with pytest.raises(CorruptFrameError, match="ICC Profile"):
        dicoxide.render(dataset, icc=True, strict=True)


def test_render_icc_of_gray_image_has_no_effect() -> None:
    stored = np.arange(20, dtype=np.uint8).reshape(4, 5)
    dataset = make_dataset(stored, ICCProfile=icc_profile(is_swapped=True))
    np.testing.assert_array_equal(render_both(dataset, icc=True), render_both(dataset))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (5, 3)], ids=str)
def test_render_max_size_of_one_pixel_returns_one_pixel(shape: tuple[int, int]) -> None:
    dataset = make_dataset(np.full(shape, 7, np.uint8), WindowCenter=8, WindowWidth=16)
    np.testing.assert_array_equal(render_both(dataset, max_size=1), [[dicoxide.render(dataset)[0, 0]]])
