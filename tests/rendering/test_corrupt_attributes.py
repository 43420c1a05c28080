"""Corrupt attributes that rendering reads: deviations, or errors for functional groups and other sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from support.rendering_datasets import file_bytes, item, make_dataset

STORED = (np.arange(24).reshape(4, 6) * 171).astype(np.uint16)


def test_window_that_is_not_a_number_is_reported_by_each_call() -> None:
    data = file_bytes(make_dataset(STORED, WindowCenter="4321", WindowWidth="4322"))
    corrupt = data.replace(b"4322", b"AAAA")
    expected = dicoxide.render(data, window="range")
    for _ in range(2):
        with (
            pytest.warns(NonConformantWarning, match="equal numbers expected"),
            pytest.warns(NonConformantWarning, match=r"AAAA.*not used.*PS3\.5 6\.2"),
        ):
            np.testing.assert_array_equal(dicoxide.render(corrupt), expected)
    with pytest.raises(CorruptFrameError, match="AAAA"):
        dicoxide.render(corrupt, strict=True)


@pytest.mark.parametrize("sequence", ["PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"])
def test_functional_groups_without_an_item_header_are_an_error(sequence: str) -> None:
    dataset = make_dataset(STORED, WindowCenter="40", WindowWidth="400")
    setattr(dataset, sequence, [item(FrameVOILUTSequence=[item(WindowCenter="1000", WindowWidth="2")])])
    data = file_bytes(dataset)
    assert set(np.unique(dicoxide.render(data))) == {0, 255}
    start = data.index(b"\xfe\xff\x00\xe0")
    with pytest.raises(CorruptFrameError, match=r"item \(FFFE,E000\) expected"):
        dicoxide.render(data[: start + 2] + b"\x00\xe8" + data[start + 4 :])


def test_function_without_a_window_applies_to_the_window_of_the_call() -> None:
    dataset = make_dataset(STORED, VOILUTFunction="SIGMOID")
    expected = dicoxide.apply_window(STORED, 1000, 500, "SIGMOID")
    np.testing.assert_array_equal(dicoxide.render(dataset, window=(1000, 500)), expected)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"PresentationLUTShape": "LIN OD"}, "Presentation LUT Shape 'LIN OD' found.*C.11.6.1.2"),
        ({"PresentationLUTShape": ["INVERSE", "INVERSE"]}, "Presentation LUT Shape .* found.*C.11.6.1.2"),
        ({"PixelPaddingValue": [1, 2]}, "Pixel Padding Value is .1, 2., one integer expected.*C.7.5.1.1.2"),
        ({"PixelPaddingValue": 1, "PixelPaddingRangeLimit": [2, 3]}, "Pixel Padding Range Limit is"),
    ],
    ids=["unknown shape", "two shapes", "two paddings", "two limits"],
)
def test_render_with_unusable_attribute_warns_and_ignores_it(attributes: dict[str, Any], message: str) -> None:
    stored = np.arange(12, dtype=np.uint8).reshape(3, 4)
    dataset = make_dataset(stored, photometric="MONOCHROME1", WindowCenter=6, WindowWidth=12, **attributes)
    with pytest.warns(NonConformantWarning, match=message):
        rendered = dicoxide.render(dataset)
    keyword = list(attributes)[-1]
    delattr(dataset, keyword)
    np.testing.assert_array_equal(rendered, dicoxide.render(dataset))
    setattr(dataset, keyword, attributes[keyword])
    with pytest.raises(CorruptFrameError, match=message):
        dicoxide.render(dataset, strict=True)


def test_element_that_ends_after_its_item_is_reported() -> None:
    groups = [item(FrameVOILUTSequence=[item(WindowCenter="1000", WindowWidth="2")], FrameLabel="LABEL")]
    dataset = make_dataset(STORED, PerFrameFunctionalGroupsSequence=groups)
    data = file_bytes(dataset)
    # The window, which follows the label, is no element of the item then.
    expected = dicoxide.render(data, window="range")
    label = data.index(b"LABEL")
    corrupt = data[: label - 2] + b"\x66\0" + data[label:]
    with pytest.warns(NonConformantWarning, match=r"element \(0020,9453\) at byte .* its item at byte"):
        np.testing.assert_array_equal(dicoxide.render(corrupt), expected)
    with pytest.raises(CorruptFrameError, match=r"PS3\.5 7\.5"):
        dicoxide.render(corrupt, strict=True)
