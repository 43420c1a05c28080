"""Rendering equals pydicom's processing within rounding on every file that pydicom handles; deviations by clause."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_palette_files
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

import dicoxide
from support.real_images import SHARED, manifest_rows, path_parameters, pydicom_files
from support.rendering_datasets import lut_item, make_dataset

ROWS = [row for row in manifest_rows() if row["kind"] == "dicom"]
PYDICOM_FILES = [pytest.param(path, id=path.name) for path in pydicom_files()]


def read(path: Path) -> tuple[Dataset, np.ndarray[Any, Any]]:
    """Return the data set and its decoded pixels, or skip."""
    try:
        dataset = pydicom.dcmread(path, force=True)
        return dataset, dicoxide.decode(dataset)
    except Exception as error:
        pytest.skip(f"not an image: {error}")


def has_group_voi(dataset: Dataset) -> bool:
    groups = [*dataset.get("SharedFunctionalGroupsSequence", []), *dataset.get("PerFrameFunctionalGroupsSequence", [])]
    return any("FrameVOILUTSequence" in group or "PixelValueTransformationSequence" in group for group in groups)


def voi_fractions(dataset: Dataset, stored: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return pydicom's display values of gray images, scaled to 0 to 1."""
    values = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    if dataset.get("VOILUTSequence"):
        return values / (2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1)
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if dataset.get("ModalityLUTSequence"):
        low, high = 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    if dataset.get("RescaleSlope") is not None and dataset.get("RescaleIntercept") is not None:
        low, high = (end * dataset.RescaleSlope + dataset.RescaleIntercept for end in (low, high))
    return (values - low) / (high - low)


@pytest.mark.parametrize("path", [*path_parameters(ROWS), *PYDICOM_FILES])
@pytest.mark.filterwarnings("ignore")
def test_render_real_file_equals_pydicom_within_rounding(path: Path) -> None:
    dataset, stored = read(path)
    interpretation = dataset.get("PhotometricInterpretation", "")
    if dataset.SamplesPerPixel == 3:
        rendered = dicoxide.render(path)
        scale = 255 / (2**dataset.BitsStored - 1)
        np.testing.assert_array_equal(rendered, np.rint(stored * scale))
    elif interpretation == "PALETTE COLOR":
        rendered = dicoxide.render(path)
        reference = apply_color_lut(stored, dataset)
        if reference.dtype == np.uint16 and reference.max() > 0xFF:
            reference = reference >> 8
        np.testing.assert_array_equal(rendered, reference)
    else:
        has_voi = ("WindowCenter" in dataset and "WindowWidth" in dataset) or dataset.get("VOILUTSequence")
        if not has_voi or has_group_voi(dataset) or "SegmentSequence" in dataset or "DoseGridScaling" in dataset:
            pytest.skip("pydicom does not apply a window to it")
        if "ModalityLUTSequence" in dataset and not dataset.ModalityLUTSequence[0].get("LUTDescriptor"):
            pytest.skip("pydicom does not read its Modality LUT")
        rendered = dicoxide.render(path)
        reference = voi_fractions(dataset, stored)
        if dataset.get("PresentationLUTShape", interpretation) in ("INVERSE", "MONOCHROME1"):
            reference = 1 - reference
        if "PixelPaddingValue" in dataset:
            padding = dataset.PixelPaddingValue & 2**dataset.BitsStored - 1
            reference = np.where(stored.astype(int) & 2**dataset.BitsStored - 1 == padding, 0, reference)
        assert np.abs(rendered - reference * 255).max() <= 0.5 + 1e-9


@pytest.mark.filterwarnings("ignore")
def test_palettes_of_the_standard_differ_from_pydicom_where_it_swaps_two() -> None:
    # PS3.6 Annex A: FALL is 1.2.840.10008.1.5.7, WINTER 1.2.840.10008.1.5.8. pydicom has the reverse.
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    dataset = make_dataset(stored, photometric="PALETTE COLOR")
    palette = pydicom.dcmread(get_palette_files("fall.dcm")[0])
    assert palette.SOPInstanceUID == "1.2.840.10008.1.5.7"
    dataset.update({element.tag: element for element in palette if element.tag.group == 0x0028})
    fall = dicoxide.render(dataset)
    np.testing.assert_array_equal(apply_color_lut(stored, palette="1.2.840.10008.1.5.7"), fall)
    assert not np.array_equal(apply_color_lut(stored, palette="FALL"), fall)
    np.testing.assert_array_equal(apply_color_lut(stored, palette="WINTER"), fall)


def test_modality_lut_of_65536_entries_differs_from_pydicom_where_int16_wraps() -> None:
    # Stored value - first value mapped does not fit int16 (PS3.3 C.11.1.1.1).
    stored = np.array([[-32768, -1, 0, 1, 32767]], np.int16)
    entries = np.arange(65536, dtype=np.uint16)
    table = lut_item(0, entries, 16)
    table.add_new("LUTDescriptor", "SS", [0, -32768, 16])
    table.ModalityLUTType = "US"
    dataset = make_dataset(stored, ModalityLUTSequence=[table])
    rendered = dicoxide.render(dataset, window="full", dtype="uint16")
    np.testing.assert_array_equal(rendered, stored.astype(int) + 32768)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrapped = apply_modality_lut(stored, dataset)
    except OverflowError:
        return
    assert not np.array_equal(wrapped, rendered)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared images are not available")
def test_manifest_has_images_of_every_kind_for_the_comparison() -> None:
    interpretations = {row["PhotometricInterpretation"] for row in ROWS}
    assert {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL_422"} <= interpretations
