"""Colours of segmentations (PS3.3 C.8.20.2, C.10.7.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicoxide._rendering._segments import cielab_to_rgb, cycle_color
from support.rendering_datasets import item, make_dataset, render_both


def encoded(lightness: float, a: float, b: float) -> list[int]:
    """Return a CIELab value as 16-bit numbers."""
    return [round(lightness / 100 * 65535), round((a + 128) / 255 * 65535), round((b + 128) / 255 * 65535)]


# sRGB colours and their CIELab values under D65.
@pytest.mark.parametrize(
    ("lab", "rgb"),
    [
        ((100, 0, 0), (255, 255, 255)),
        ((0, 0, 0), (0, 0, 0)),
        ((53.585, 0, 0), (128, 128, 128)),
        ((53.24, 80.09, 67.20), (255, 0, 0)),
        ((87.73, -86.18, 83.18), (0, 255, 0)),
        ((32.30, 79.19, -107.86), (0, 0, 255)),
        ((0.5, 0, 0), (2, 2, 2)),
    ],
    ids=["white", "black", "gray", "red", "green", "blue", "dark"],
)
def test_cielab_to_rgb_of_known_color_is_within_1(lab: tuple[float, ...], rgb: tuple[int, ...]) -> None:
    color = cielab_to_rgb(encoded(*lab))
    assert color is not None
    np.testing.assert_allclose(color * 255, rgb, atol=1)


# As DCMTK and dcmqi write colours.
@pytest.mark.parametrize(
    ("value", "rgb"),
    [
        ([34886, 53484, 50172], (255, 0, 0)),
        ([16732, 45246, 42677], (128, 0, 0)),
        ([4987, 33336, 32853], (25, 22, 23)),
        ([1797, 32896, 32896], (10, 10, 10)),
    ],
    ids=str,
)
def test_cielab_to_rgb_of_numbers_in_files_is_the_color_of_their_writer(value: list[int], rgb: Any) -> None:
    color = cielab_to_rgb(value)
    assert color is not None
    np.testing.assert_array_equal(np.rint(color * 255), rgb)


@pytest.mark.parametrize("value", [None, "", [1, 2], [1, 2, None], 5])
def test_cielab_to_rgb_of_another_form_returns_none(value: Any) -> None:
    assert cielab_to_rgb(value) is None


def test_cycle_color_of_first_segments_differ() -> None:
    colors = np.array([cycle_color(number) for number in range(1, 13)])
    distances = np.abs(colors[:, None] - colors[None]).sum(axis=-1) + np.eye(12)
    assert distances.min() > 0.1
    assert ((colors >= 0) & (colors <= 1)).all()


def segmentation(stored: np.ndarray[Any, Any], kind: str, segments: dict[int, Any], **attributes: Any) -> Dataset:
    """Return a segmentation with the CIELab value, or None, of each segment number."""
    items = []
    for number, value in segments.items():
        segment = item(SegmentNumber=number)
        if value is not None:
            segment.RecommendedDisplayCIELabValue = value
        items.append(segment)
    return make_dataset(stored, SegmentationType=kind, SegmentSequence=items, **attributes)


def numbered(*numbers: int) -> list[Dataset]:
    """Return per-frame functional groups with Referenced Segment Number."""
    return [item(SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)]) for number in numbers]


RED, GREEN = encoded(53.24, 80.09, 67.20), encoded(87.73, -86.18, 83.18)


def levels(value: Any, dtype: str = "uint8") -> np.ndarray[Any, Any]:
    color = cielab_to_rgb(value)
    assert color is not None
    return np.rint(color * 255).astype(np.uint8) if dtype == "uint8" else color.astype(dtype)


def test_render_label_map_gives_each_segment_its_color() -> None:
    stored = np.array([[0, 1, 2], [5, 7, 300]], np.uint16)
    dataset = segmentation(stored, "LABELMAP", {1: RED, 5: GREEN, 2: None})
    rendered = render_both(dataset)
    cycle = np.rint(cycle_color(2) * 255)
    others = [np.rint(cycle_color(number) * 255) for number in (7, 300)]
    reference = [[[0, 0, 0], levels(RED), cycle], [levels(GREEN), *others]]
    np.testing.assert_array_equal(rendered, reference)


@pytest.mark.parametrize("numbers", [(1, 2, 1), (2, 2, 2)], ids=["several", "one"])
def test_render_binary_segments_have_the_color_of_their_frame(numbers: tuple[int, ...]) -> None:
    frames = np.random.default_rng(3).integers(0, 2, (3, 8, 8)).astype(np.uint8)
    dataset = segmentation(
        frames,
        "BINARY",
        {1: RED, 2: GREEN},
        frames=3,
        bits_stored=1,
        PerFrameFunctionalGroupsSequence=numbered(*numbers),
    )
    dataset.BitsAllocated = 1
    dataset.PixelData = np.packbits(frames, bitorder="little").tobytes()
    colors = {1: levels(RED), 2: levels(GREEN)}
    reference = np.stack([frame[..., None] * colors[number] for frame, number in zip(frames, numbers, strict=True)])
    np.testing.assert_array_equal(render_both(dataset), reference)
    np.testing.assert_array_equal(render_both(dataset, frames=1), reference[1])
    np.testing.assert_array_equal(render_both(dataset, palette=False), frames * 255)


def test_render_fractional_segment_scales_its_color() -> None:
    stored = np.arange(0, 101, dtype=np.uint8).reshape(1, -1)
    dataset = segmentation(
        stored,
        "FRACTIONAL",
        {4: RED},
        MaximumFractionalValue=100,
        SharedFunctionalGroupsSequence=numbered(4),
    )
    color = cielab_to_rgb(RED)
    assert color is not None
    reference = np.rint(stored[..., None] / 100 * color * 255)
    np.testing.assert_array_equal(render_both(dataset), reference)
    np.testing.assert_array_equal(render_both(dataset, palette=False), np.rint(stored / 100 * 255))


def test_render_label_map_without_segments_has_colors_of_the_cycle() -> None:
    stored = np.array([[0, 1, 255]], np.uint8)
    rendered = render_both(make_dataset(stored, SegmentationType="LABELMAP"))
    np.testing.assert_array_equal(rendered, [[[0, 0, 0], *(np.rint(cycle_color(label) * 255) for label in (1, 255))]])


def test_render_with_several_segmentation_types_is_gray() -> None:
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    rendered = render_both(make_dataset(stored, SegmentationType=["BINARY", "LABELMAP"]))
    np.testing.assert_array_equal(rendered, stored * 51)
