"""Random gray images against the float64 reference: types, bits, transforms, windows, padding, inversion, output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from support import reference_rendering
from support.rendering_datasets import item, lut_item, make_dataset, render_both

IMAGES = 12
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4"]
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]


def random_voi(rng: np.random.Generator, low: float, high: float, attributes: dict[str, Any]) -> tuple[Any, ...]:
    """Add a window or a VOI LUT for modality values of a range to `attributes`; return it for the reference."""
    if rng.random() < 0.25:
        bits = int(rng.integers(8, 17))
        entries = rng.integers(0, 1 << bits, rng.integers(1, 400)).astype(np.uint16)
        first = int(np.clip(rng.uniform(low, high), -32768 if low < 0 else 0, 32767))
        table = lut_item(0, entries, bits)
        table.add_new("LUTDescriptor", "SS" if low < 0 else "US", [len(entries), first, bits])
        attributes["VOILUTSequence"] = [table]
        return "LUT", first, entries, bits
    function = str(rng.choice(["LINEAR", "LINEAR_EXACT", "SIGMOID"]))
    center = round(rng.uniform(low, high), int(rng.integers(0, 3)))
    width = round(float(rng.choice([1, 1.5, 2, rng.uniform(1, high - low + 2), 10 * (high - low) + 1])), 2)
    attributes.update(WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    return function, center, width


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("stored", TYPES)
def test_render_random_image_equals_reference(stored: str, dtype: str) -> None:
    rng = np.random.default_rng([TYPES.index(stored), len(dtype)])
    for _ in range(IMAGES):
        size = np.dtype(stored).itemsize * 8
        bits = int(rng.integers(2, size + 1)) if size <= 16 else 32
        limits = (-(1 << bits - 1), 1 << bits - 1) if stored[0] == "i" else (0, 1 << bits)
        count = int(rng.integers(1, 4))
        values = rng.integers(*limits, (count, int(rng.integers(1, 9)), int(rng.integers(1, 9)))).astype(stored)
        slope, intercept = 1.0, 0.0
        attributes: dict[str, Any] = {}
        if rng.random() < 0.7:
            slope, intercept = float(rng.choice([1, 2, 0.5, -1, -0.25])), float(rng.integers(-2000, 2000))
            attributes.update(RescaleSlope=slope, RescaleIntercept=intercept)
        low, high = sorted(end * slope + intercept for end in (limits[0], limits[1] - 1))
        inverted = bool(rng.random() < 0.5)
        if inverted and rng.random() < 0.5:
            attributes["PresentationLUTShape"] = "INVERSE"
        padding = None
        if rng.random() < 0.5 and size <= 16:
            padded = int(rng.choice(values.ravel()))
            padding = (padded, padded)
            attributes["PixelPaddingValue"] = padded
        photometric = "MONOCHROME1" if inverted and "PresentationLUTShape" not in attributes else "MONOCHROME2"
        voi_attributes: dict[str, Any] = {}
        voi = random_voi(rng, low, high, voi_attributes)
        # pydicom's encoder of RLE does not write 32 bits, nor up to 8 bits in 16 as Annex G requires.
        is_common = size == 8 or (size == 16 and bits > 8)
        syntax = SYNTAXES[rng.integers(len(SYNTAXES) if is_common else 2)]
        for table in voi_attributes.get("VOILUTSequence", []):
            if syntax == ExplicitVRBigEndian:
                table.LUTData = np.frombuffer(table.LUTData, np.uint16).byteswap().tobytes()
        if rng.random() < 0.3:
            attributes["PerFrameFunctionalGroupsSequence"] = [
                item(FrameVOILUTSequence=[item(**voi_attributes)]) for _ in range(count)
            ]
        else:
            attributes.update(voi_attributes)
        native = ExplicitVRLittleEndian if syntax == RLELossless else syntax
        dataset = make_dataset(
            values, frames=count, bits_stored=bits, photometric=photometric, syntax=native, **attributes
        )
        if syntax == RLELossless:
            dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
        transform = (slope, intercept)
        reference = reference_rendering.render(
            values, voi, transform=transform, inverted=inverted, padding=padding, dtype=dtype
        )
        rendered = render_both(dataset, dtype=dtype)
        np.testing.assert_array_equal(rendered, reference if count > 1 else reference[0], err_msg=str(attributes))
