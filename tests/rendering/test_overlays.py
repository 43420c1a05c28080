"""Overlay planes (PS3.3 C.9.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from support.rendering_datasets import make_dataset, render_both

STORED = np.arange(48, dtype=np.uint8).reshape(6, 8)
PLANE = np.random.default_rng(4).integers(0, 2, (3, 5)).astype(np.uint8)


def add_overlay(
    dataset: Dataset,
    planes: np.ndarray[Any, Any],
    *,
    group: int = 0x6000,
    origin: tuple[int, int] | None = (1, 1),
    frame_count: int | None = None,
    first_frame: int | None = None,
) -> None:
    """Add the planes, ([frames,] rows, columns), to a data set."""
    rows, columns = planes.shape[-2:]
    dataset.add_new(group << 16 | 0x0010, "US", rows)
    dataset.add_new(group << 16 | 0x0011, "US", columns)
    if frame_count is not None:
        dataset.add_new(group << 16 | 0x0015, "IS", frame_count)
    dataset.add_new(group << 16 | 0x0040, "CS", "G")
    if origin is not None:
        dataset.add_new(group << 16 | 0x0050, "SS", list(origin))
    if first_frame is not None:
        dataset.add_new(group << 16 | 0x0051, "US", first_frame)
    dataset.add_new(group << 16 | 0x0100, "US", 1)
    dataset.add_new(group << 16 | 0x0102, "US", 0)
    packed = np.packbits(planes, bitorder="little")
    packed = np.append(packed, np.zeros(len(packed) % 2, np.uint8))
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        packed = packed.view(np.uint16).byteswap().view(np.uint8)
    dataset.add_new(group << 16 | 0x3000, "OW", packed.tobytes())


def burned(image: np.ndarray[Any, Any], plane: np.ndarray[Any, Any], row: int, column: int, value: float) -> Any:
    """Return a copy of `image` with `value` where the plane, at a zero-based position, is 1."""
    result = image.copy()
    for (plane_row, plane_column), bit in np.ndenumerate(plane):
        y, x = row + plane_row, column + plane_column
        if bit and 0 <= y < image.shape[0] and 0 <= x < image.shape[1]:
            result[y, x] = value
    return result


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    "origin", [(1, 1), (2, 3), (-1, -2), (5, 7), (0, 1), (100, 1), (-100, -100), (32767, -32768)], ids=str
)
def test_render_overlay_at_origin_is_clipped_to_the_image(origin: tuple[int, int], dtype: str) -> None:
    dataset = make_dataset(STORED, WindowCenter=24, WindowWidth=100)
    image = render_both(dataset, dtype=dtype)
    add_overlay(dataset, PLANE, origin=origin)
    np.testing.assert_array_equal(render_both(dataset, dtype=dtype), image)
    highest = {"uint8": 255, "uint16": 65535, "float32": 1.0}[dtype]
    reference = burned(image, PLANE, origin[0] - 1, origin[1] - 1, highest)
    np.testing.assert_array_equal(render_both(dataset, dtype=dtype, overlays=True), reference)


def test_render_overlay_larger_than_the_image_is_clipped() -> None:
    dataset = make_dataset(STORED, WindowCenter=24, WindowWidth=100)
    image = render_both(dataset)
    plane = np.random.default_rng(5).integers(0, 2, (20, 30)).astype(np.uint8)
    add_overlay(dataset, plane, origin=(-3, -4))
    np.testing.assert_array_equal(render_both(dataset, overlays=True), burned(image, plane, -4, -5, 255))


def test_render_several_overlays_on_colors_are_white() -> None:
    colors = np.random.default_rng(6).integers(0, 200, (6, 8, 3)).astype(np.uint8)
    dataset = make_dataset(colors, samples=3)
    add_overlay(dataset, PLANE)
    add_overlay(dataset, PLANE[::-1], group=0x601E, origin=(3, 2))
    reference = burned(burned(colors, PLANE, 0, 0, 255), PLANE[::-1], 2, 1, 255)
    np.testing.assert_array_equal(render_both(dataset, overlays=True), reference)


def test_render_overlay_of_big_endian_words() -> None:
    dataset = make_dataset(STORED, syntax=ExplicitVRBigEndian, WindowCenter=24, WindowWidth=100)
    image = render_both(dataset)
    add_overlay(dataset, PLANE)
    np.testing.assert_array_equal(render_both(dataset, overlays=True), burned(image, PLANE, 0, 0, 255))


@pytest.mark.parametrize(
    ("frame_count", "first_frame", "planes"),
    [(None, None, (0, 0, 0)), (2, 2, (None, 0, 1)), (3, None, (0, 1, 2)), (None, 3, (None, None, 0)), (9, 3, None)],
    ids=["all frames", "from the second", "from the first", "one frame", "beyond the last"],
)
def test_render_overlay_of_frames_applies_to_those(
    frame_count: int | None, first_frame: int | None, planes: tuple[int | None, ...] | None
) -> None:
    frames = np.stack([STORED] * 3)
    dataset = make_dataset(frames, frames=3, WindowCenter=24, WindowWidth=100)
    image = render_both(dataset)
    bits = np.random.default_rng(7).integers(0, 2, (frame_count or 1, 3, 5)).astype(np.uint8)
    add_overlay(dataset, bits, frame_count=frame_count, first_frame=first_frame)
    planes = (None, None, 0) if planes is None else planes
    reference = np.stack([image[0] if plane is None else burned(image[0], bits[plane], 0, 0, 255) for plane in planes])
    np.testing.assert_array_equal(render_both(dataset, overlays=True), reference)
    np.testing.assert_array_equal(render_both(dataset, overlays=True, frames=[2, 1]), reference[[2, 1]])


@pytest.mark.parametrize("position", [12, 15])
def test_render_overlay_in_unused_bits_of_pixel_data(position: int) -> None:
    stored = np.arange(48, dtype=np.uint16).reshape(1, 6, 8).repeat(2, axis=0)
    bits = np.random.default_rng(8).integers(0, 2, stored.shape).astype(np.uint16)
    dataset = make_dataset(stored | bits << position, frames=2, bits_stored=12, WindowCenter=24, WindowWidth=100)
    image = render_both(dataset)
    for element, vr, value in ((0x10, "US", 6), (0x11, "US", 8), (0x40, "CS", "G"), (0x50, "SS", [1, 1])):
        dataset.add_new(0x60000000 | element, vr, value)
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", position)
    reference = np.stack([burned(*pair, 0, 0, 255) for pair in zip(image, bits, strict=True)])
    np.testing.assert_array_equal(render_both(dataset, overlays=True), reference)


def _short(dataset: Dataset) -> None:
    dataset[0x60003000].value = b"\0"


def _no_size(dataset: Dataset) -> None:
    del dataset[0x60000010]


def _no_data(dataset: Dataset) -> None:
    del dataset[0x60003000]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_short, "overlay group 6000 has . bytes, 2 expected for 3 × 5 bits: not applied"),
        (_no_size, "overlay group 6000 has None rows and 5 columns: not applied"),
        (_no_data, "overlay group 6000 has no data, and bit position 0 is not an unused bit"),
    ],
    ids=["short", "no size", "no data"],
)
def test_render_invalid_overlay_warns(damage: Any, message: str) -> None:
    dataset = make_dataset(STORED, WindowCenter=24, WindowWidth=100)
    image = render_both(dataset)
    add_overlay(dataset, PLANE)
    damage(dataset)
    with pytest.warns(NonConformantWarning, match=message):
        rendered = dicoxide.render(dataset, overlays=True)
    np.testing.assert_array_equal(rendered, image)
    with pytest.raises(CorruptFrameError, match=message):
        dicoxide.render(dataset, overlays=True, strict=True)


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_render_big_endian_overlay_swaps_words_only(vr: str) -> None:
    dataset = make_dataset(STORED, syntax=ExplicitVRBigEndian, WindowCenter=24, WindowWidth=48)
    add_overlay(dataset, PLANE)
    element = dataset[0x60003000]
    if vr == "OB":
        element.value = np.frombuffer(element.value, np.uint16).byteswap().tobytes()
        element.VR = "OB"
    reference = burned(render_both(dataset), PLANE, 0, 0, 255)
    np.testing.assert_array_equal(render_both(dataset, overlays=True), reference)
