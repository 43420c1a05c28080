"""Palette Color Lookup Tables, plain, segmented and supplemental (PS3.3 C.7.6.3.1.5, C.7.9.2)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import ExplicitVRBigEndian

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from support import reference_rendering
from support.rendering_datasets import make_dataset, render_both

COLORS = ("Red", "Green", "Blue")
STORED = np.arange(256, dtype=np.uint8).reshape(16, 16)
RAMP = np.arange(256)
# One table per colour, 8-bit values.
TABLES = np.stack([RAMP, RAMP[::-1], (RAMP * 7) % 256], axis=-1)
DISCRETE, LINEAR, INDIRECT = 0, 1, 2


def palette_dataset(
    stored: np.ndarray[Any, Any], tables: Any, bits: int, *, first: int = 0, packed: bool = False, **options: Any
) -> Dataset:
    """Return a PALETTE COLOR image with `tables`, (entries, 3)."""
    dataset = make_dataset(stored, photometric=options.pop("photometric", "PALETTE COLOR"), **options)
    vr = "SS" if dataset.PixelRepresentation else "US"
    is_big_endian = not dataset.file_meta.TransferSyntaxUID.is_little_endian
    for color, table in zip(COLORS, np.asarray(tables).T, strict=True):
        dataset.add_new(f"{color}PaletteColorLookupTableDescriptor", vr, [len(table) & 0xFFFF, first, bits])
        words = table.astype("u1").tobytes() if packed else table.astype(">u2" if is_big_endian else "<u2").tobytes()
        dataset.add_new(f"{color}PaletteColorLookupTableData", "OW", words)
    return dataset


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    ("bits", "factor", "packed"),
    [(16, 257, False), (16, 256, False), (16, 1, False), (8, 1, False), (8, 1, True), (16, 1, True)],
    ids=["replicated", "shifted", "8 bits declared 16", "8 bits in words", "packed", "packed declared 16"],
)
def test_render_palette_of_any_encoding_gives_8_bit_colors(bits: int, factor: int, packed: bool, dtype: str) -> None:
    dataset = palette_dataset(STORED, TABLES * factor, bits, packed=packed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonConformantWarning)
        rendered = render_both(dataset, dtype=dtype)
    if dtype == "uint8":
        reference = TABLES[STORED]
    elif dtype == "uint16":
        reference = TABLES[STORED] * (257 if factor == 1 else factor)
    else:
        reference = (TABLES[STORED] * factor / (255 if factor == 1 else 65535)).astype(np.float32)
    np.testing.assert_array_equal(rendered, reference)


def test_render_palette_declared_16_bits_with_packed_entries_warns() -> None:
    dataset = palette_dataset(STORED, TABLES, 16, packed=True)
    with pytest.warns(NonConformantWarning, match="palette has 256 bytes for 256 entries of 16 bits"):
        dicoxide.render(dataset)


def test_render_palette_in_big_endian_words() -> None:
    dataset = palette_dataset(STORED, TABLES * 257, 16, syntax=ExplicitVRBigEndian)
    np.testing.assert_array_equal(render_both(dataset), TABLES[STORED])


@pytest.mark.parametrize(("dtype", "first"), [(np.int16, -100), (np.uint16, 1000)], ids=["signed", "unsigned"])
def test_render_palette_clamps_stored_values(dtype: type, first: int) -> None:
    stored = np.arange(first - 50, first + 350, dtype=dtype).reshape(20, 20)
    dataset = palette_dataset(stored, TABLES * 257, 16, first=first)
    indices = np.clip(stored.astype(int) - first, 0, 255)
    np.testing.assert_array_equal(render_both(dataset), TABLES[indices])


def test_render_palette_with_65536_entries_of_signed_values() -> None:
    stored = np.arange(-32768, 32767, 255, dtype=np.int16).reshape(1, -1)
    tables = np.stack([np.arange(65536), np.arange(65536)[::-1], np.arange(65536) ^ 0x5555], axis=-1)
    dataset = palette_dataset(stored, tables, 16, first=-32768)
    np.testing.assert_array_equal(render_both(dataset, dtype="uint16"), tables[stored.astype(int) + 32768])


def test_render_palette_false_scales_indices_to_gray() -> None:
    dataset = palette_dataset(STORED, TABLES, 8, packed=True)
    np.testing.assert_array_equal(render_both(dataset, palette=False), STORED)
    reference = reference_rendering.render(STORED, ("RANGE", 0, 255), dtype="float32")
    np.testing.assert_array_equal(render_both(dataset, palette=False, dtype="float32"), reference)


def test_render_frames_of_palette_have_a_frame_axis() -> None:
    frames = np.stack([STORED, STORED[::-1]])
    dataset = palette_dataset(frames, TABLES, 8, packed=True, frames=2)
    np.testing.assert_array_equal(render_both(dataset), TABLES[frames])
    np.testing.assert_array_equal(render_both(dataset, frames=[1]), TABLES[frames[1:]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: delattr(ds, "GreenPaletteColorLookupTableData"), "Green palette data are missing"),
        (lambda ds: delattr(ds, "RedPaletteColorLookupTableDescriptor"), "Red palette descriptor is None"),
        (lambda ds: setattr(ds, "BluePaletteColorLookupTableData", b"12"), "Blue palette has 2 bytes, 512 expected"),
        (lambda ds: setattr(ds, "BluePaletteColorLookupTableData", bytes(300)), "Blue palette has 300 bytes, 512 exp"),
        (lambda ds: setattr(ds, "RedPaletteColorLookupTableDescriptor", [256, 0, 7]), "7 bits per entry"),
        (lambda ds: setattr(ds, "RedPaletteColorLookupTableDescriptor", [256, 0]), "three numbers expected"),
    ],
    ids=["no data", "no descriptor", "short", "truncated", "bits", "two values"],
)
def test_render_invalid_palette_raises(change: Any, message: str) -> None:
    dataset = palette_dataset(STORED, TABLES * 257, 16)
    change(dataset)
    with pytest.raises(CorruptFrameError, match=message) as info:
        dicoxide.render(dataset)
    assert info.value.kind == "Malformed"


def test_render_different_descriptors_warn() -> None:
    dataset = palette_dataset(STORED, TABLES * 257, 16)
    dataset.GreenPaletteColorLookupTableDescriptor = [256, 3, 16]
    with pytest.warns(NonConformantWarning, match="Green palette descriptor is"):
        rendered = dicoxide.render(dataset)
    np.testing.assert_array_equal(rendered, TABLES[STORED])


def segmented_dataset(segments: list[int], bits: int, count: int = 256) -> Dataset:
    """Return an image with the same segmented table for each colour."""
    dataset = make_dataset(STORED, photometric="PALETTE COLOR")
    data = np.array(segments, "<u2" if bits == 16 else "u1").tobytes()
    for color in COLORS:
        dataset.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", [count, 0, bits])
        dataset.add_new(f"Segmented{color}PaletteColorLookupTableData", "OW", data + b"\0" * (len(data) % 2))
    return dataset


# Discrete values, a ramp up, a ramp down, and both ramps once more.
SEGMENTS_16 = [DISCRETE, 2, 0, 100, LINEAR, 99, 65535, LINEAR, 27, 77, INDIRECT, 2, 8, 0, DISCRETE, 2, 5, 6]
SEGMENTS_8 = [DISCRETE, 2, 0, 100, LINEAR, 99, 255, LINEAR, 27, 77, INDIRECT, 2, 4, 0, 0, 0, DISCRETE, 2, 5, 6]


@pytest.mark.parametrize(("segments", "bits"), [(SEGMENTS_16, 16), (SEGMENTS_8, 8)], ids=["16", "8"])
def test_render_segmented_palette_equals_pydicom(segments: list[int], bits: int) -> None:
    dataset = segmented_dataset(segments, bits)
    rendered = render_both(dataset, dtype="uint16")
    if bits == 16:
        # pydicom counts the offset of an indirect segment in words, the standard in bytes (PS3.3 C.7.9.2.3).
        dataset = segmented_dataset([*segments[:12], segments[12] // 2, *segments[13:]], bits)
    reference = apply_color_lut(STORED, dataset).astype(np.uint16)
    np.testing.assert_array_equal(rendered, reference * (257 if bits == 8 else 1))


def test_render_segmented_palette_ramp_rounds_each_value() -> None:
    dataset = segmented_dataset([DISCRETE, 1, 0, LINEAR, 255, 1000], 16)
    rendered = render_both(dataset, dtype="uint16")[..., 0].ravel()
    np.testing.assert_array_equal(rendered, np.rint(np.arange(256) * 1000 / 255))


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([3, 1, 0], "has a segment of type 3, 0, 1 or 2 expected at byte 0"),
        ([LINEAR, 256, 9], "starts with a linear segment"),
        ([DISCRETE, 0, LINEAR, 256, 9], "has a segment without entries at byte 0"),
        ([DISCRETE, 2, 1], "ends within a segment of 2 entries"),
        ([DISCRETE], "ends within a segment"),
        ([DISCRETE, 1, 5, LINEAR, 300, 9], "has more than 256 entries at byte 6"),
        ([DISCRETE, 1, 5, LINEAR, 3, 9], "has 4 entries, 256 expected"),
        ([DISCRETE, 1, 5, INDIRECT, 1, 6, 0], "has an indirect segment with byte offset 6"),
        ([DISCRETE, 1, 5, INDIRECT, 1, 1, 0], "has an indirect segment with byte offset 1"),
        ([DISCRETE, 1, 5, INDIRECT, 1, 0, 9], "has an indirect segment with byte offset 589824"),
        ([DISCRETE, 1, 5, INDIRECT, 0, 0, 0], "has an indirect segment without segments"),
        ([DISCRETE, 1, 5, INDIRECT, 2, 0, 0], "has a segment of type 2, 0 or 1 expected at byte 6"),
        ([DISCRETE, 1, 5, INDIRECT, 1], "ends within a segment"),
    ],
    ids=lambda value: value.replace(" ", "_")[:40] if isinstance(value, str) else "",
)
def test_render_segmented_palette_with_invalid_segment_raises(segments: list[int], message: str) -> None:
    with pytest.raises(CorruptFrameError, match=f"segmented Red palette {message}.*PS3.3 C.7.9.2"):
        dicoxide.render(segmented_dataset(segments, 16))


def test_render_segmented_palette_with_items_after_the_end_warns() -> None:
    with pytest.warns(NonConformantWarning, match="2 items after the last entry"):
        dicoxide.render(segmented_dataset([DISCRETE, 1, 5, LINEAR, 255, 9, 1, 1], 16))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("presentation", ["COLOR", "MIXED"])
def test_render_supplemental_palette_colors_values_from_the_first_mapped(presentation: str, dtype: str) -> None:
    stored = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)
    dataset = palette_dataset(
        stored,
        TABLES * 257,
        16,
        first=3500,
        photometric="MONOCHROME2",
        PixelPresentation=presentation,
        WindowCenter=1500,
        WindowWidth=2500,
    )
    gray = reference_rendering.render(stored, ("LINEAR", 1500, 2500), dtype=dtype)
    reference = np.repeat(gray[..., None], 3, axis=-1)
    mapped = stored >= 3500
    colors = TABLES[np.clip(stored[mapped].astype(int) - 3500, 0, 255)]
    if dtype != "uint8":
        colors = colors * 257 if dtype == "uint16" else (colors * 257 / 65535).astype(np.float32)
    reference[mapped] = colors
    np.testing.assert_array_equal(render_both(dataset, dtype=dtype), reference)
    np.testing.assert_array_equal(render_both(dataset, dtype=dtype, palette=False), gray)
