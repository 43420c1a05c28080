"""VOI LUT Sequence (PS3.3 C.11.2.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import CorruptFrameError
from support import reference_rendering
from support.rendering_datasets import item, lut_item, make_dataset, render_both

STORED = np.arange(0, 4096, 9, dtype=np.uint16).reshape(4, -1)
CURVE = (np.sqrt(np.arange(4096) / 4095) * 4095).astype(np.uint16)


def test_render_voi_lut_replaces_the_window() -> None:
    dataset = make_dataset(
        STORED, bits_stored=12, VOILUTSequence=[lut_item(0, CURVE, 12)], WindowCenter=40, WindowWidth=400
    )
    reference = reference_rendering.render(STORED, ("LUT", 0, CURVE, 12))
    np.testing.assert_array_equal(render_both(dataset), reference)
    window = reference_rendering.render(STORED, ("LINEAR", 40, 400))
    np.testing.assert_array_equal(render_both(dataset, voi_lut=False), window)
    np.testing.assert_array_equal(render_both(dataset, window=0), window)


def test_render_voi_lut_by_explanation_uses_that_table() -> None:
    tables = [lut_item(0, CURVE, 12, explanation="NORMAL"), lut_item(0, CURVE[::-1], 12, explanation="HARDER")]
    dataset = make_dataset(STORED, bits_stored=12, VOILUTSequence=tables)
    reference = reference_rendering.render(STORED, ("LUT", 0, CURVE[::-1], 12))
    np.testing.assert_array_equal(render_both(dataset, window="harder"), reference)
    with pytest.raises(ValueError, match="VOI LUT 'NORMAL'; VOI LUT 'HARDER'"):
        dicoxide.render(dataset, window="softer")


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_render_voi_lut_clamps_values_outside_the_table(dtype: str, inverted: bool) -> None:
    entries = np.array([100, 900, 300, 1023], np.uint16)
    dataset = make_dataset(STORED, bits_stored=12, VOILUTSequence=[lut_item(1000, entries, 10)])
    rendered = render_both(dataset, dtype=dtype, invert=inverted)
    reference = reference_rendering.render(STORED, ("LUT", 1000, entries, 10), inverted=inverted, dtype=dtype)
    np.testing.assert_array_equal(rendered, reference)


@pytest.mark.parametrize(("first", "vr"), [(-1024, "SS"), (64512, "US")], ids=["signed", "wrong VR"])
def test_render_voi_lut_first_value_is_signed_like_modality_values(first: int, vr: str) -> None:
    table = lut_item(0, CURVE, 12)
    table.add_new("LUTDescriptor", vr, [4096, first, 12])
    dataset = make_dataset(STORED, bits_stored=12, RescaleSlope=1, RescaleIntercept=-1024, VOILUTSequence=[table])
    reference = reference_rendering.render(STORED, ("LUT", -1024, CURVE, 12), transform=(1.0, -1024.0))
    np.testing.assert_array_equal(render_both(dataset), reference)


def test_render_voi_lut_with_65536_entries_reads_0_as_their_number() -> None:
    stored = np.arange(-32768, 32768, 97, dtype=np.int16).reshape(1, -1)
    entries = np.arange(65536, dtype=np.uint16)
    table = lut_item(0, entries, 16)
    table.add_new("LUTDescriptor", "SS", [0, -32768, 16])
    dataset = make_dataset(stored, VOILUTSequence=[table])
    reference = reference_rendering.render(stored, ("LUT", -32768, entries, 16))
    np.testing.assert_array_equal(render_both(dataset), reference)


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "words"])
def test_render_voi_lut_with_entries_of_8_bits(packed: bool) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    entries = np.arange(255, -1, -1, dtype=np.uint8)
    table = lut_item(0, entries.astype(np.uint16), 8)
    if packed:
        table.LUTData = entries.tobytes()
    dataset = make_dataset(stored, VOILUTSequence=[table])
    np.testing.assert_array_equal(render_both(dataset), entries[stored])


def test_render_voi_lut_of_frames_is_applied_per_frame() -> None:
    frames = np.stack([STORED, STORED])
    groups = [item(FrameVOILUTSequence=[item(VOILUTSequence=[lut_item(0, CURVE, 12)])]), item()]
    dataset = make_dataset(
        frames, frames=2, bits_stored=12, PerFrameFunctionalGroupsSequence=groups, WindowCenter=40, WindowWidth=400
    )
    rendered = render_both(dataset)
    np.testing.assert_array_equal(rendered[0], reference_rendering.render(STORED, ("LUT", 0, CURVE, 12)))
    np.testing.assert_array_equal(rendered[1], reference_rendering.render(STORED, ("LINEAR", 40, 400)))


def test_render_voi_lut_after_modality_lut_maps_its_entries() -> None:
    modality = (np.arange(4096, dtype=np.uint16) * 2 + 5).astype(np.uint16)
    table = lut_item(0, modality, 16)
    table.ModalityLUTType = "US"
    voi = np.arange(8197, dtype=np.uint16)
    dataset = make_dataset(STORED, bits_stored=12, ModalityLUTSequence=[table], VOILUTSequence=[lut_item(0, voi, 14)])
    reference = reference_rendering.render(STORED, ("LUT", 0, voi, 14), transform=(0, modality))
    np.testing.assert_array_equal(render_both(dataset), reference)
    rendered = render_both(dataset, window="range")
    reference = reference_rendering.render(STORED, ("RANGE", 5, 2.0 * STORED.max() + 5), transform=(0, modality))
    np.testing.assert_array_equal(rendered, reference)


@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize("kind", ["ascending", "descending", "oscillating"])
def test_render_range_of_modality_lut_is_that_of_present_values(kind: str, is_padded: bool) -> None:
    modality = {
        "ascending": np.arange(4096) * 3,
        "descending": 60000 - np.arange(4096) * 3,
        "oscillating": (np.arange(4096) * 7919) % 5000,
    }[kind].astype(np.uint16)
    table = lut_item(0, modality, 16)
    table.ModalityLUTType = "US"
    dataset = make_dataset(STORED[:, 3:50], bits_stored=12, ModalityLUTSequence=[table])
    stored = STORED[:, 3:50]
    padding = None
    if is_padded:
        dataset.PixelPaddingValue = int(stored.min())
        padding = (int(stored.min()), int(stored.min()))
    values = modality[stored][stored != stored.min()] if is_padded else modality[stored]
    reference = reference_rendering.render(
        stored, ("RANGE", float(values.min()), float(values.max())), transform=(0, modality), padding=padding
    )
    np.testing.assert_array_equal(render_both(dataset), reference)


def _short(table: Any) -> None:
    table.LUTData = table.LUTData[:100]


def _no_data(table: Any) -> None:
    del table.LUTData


def _short_descriptor(table: Any) -> None:
    table.LUTDescriptor = [4096, 0]


def _too_many_bits(table: Any) -> None:
    table.LUTDescriptor = [4096, 0, 17]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_short, "LUT Data has 100 bytes, at least 8192 expected"),
        (_no_data, "LUT Data is missing"),
        (_short_descriptor, "LUT Descriptor is .*three numbers expected"),
        (_too_many_bits, "17 bits for each entry"),
    ],
    ids=["short", "missing", "descriptor", "bits"],
)
def test_render_invalid_voi_lut_raises_unless_windows_are_requested(damage: Any, message: str) -> None:
    table = lut_item(0, CURVE, 12, explanation="CURVE")
    damage(table)
    dataset = make_dataset(STORED, bits_stored=12, VOILUTSequence=[table], WindowCenter=40, WindowWidth=400)
    for window in ("first", "curve"):
        with pytest.raises(CorruptFrameError, match=f"VOI LUT: {message}.*PS3.3 C.11.2.1.1"):
            dicoxide.render(dataset, window=window)
    rendered = dicoxide.render(dataset, voi_lut=False)
    np.testing.assert_array_equal(rendered, reference_rendering.render(STORED, ("LINEAR", 40, 400)))
