"""MR images with the diffusion attributes of each vendor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from support.mosaics import csa_header
from support.synthetic_series import image, item, position_along_normal

# Rows and columns are turned about two axes.
OBLIQUE = (0.96, 0.0, -0.28, 0.168, 0.8, 0.576)
MANUFACTURERS = {
    "standard": "",
    "siemens": "SIEMENS",
    "siemens_csa": "SIEMENS",
    "siemens_matrix": "SIEMENS",
    "philips": "Philips Medical Systems",
    "uih": "UIH",
    "ge": "GE MEDICAL SYSTEMS",
    "canon": "CANON_MEC",
}


def axes(orientation: Sequence[float]) -> np.ndarray:
    """Return unit vectors along rows, columns and the normal, as rows of a matrix."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    return np.stack([row, column, np.cross(row, column)])


def diffusion_image(
    vendor: str,
    b_value: float | None,
    gradient: Sequence[float] | None,
    *,
    orientation: Sequence[float] = OBLIQUE,
    slice_index: int = 0,
    volume: int = 0,
    count: int = 3,
    **attributes: Any,
) -> Dataset:
    """Return a slice with `b_value`, and `gradient` in LPS, as the vendor writes them."""
    values: dict[str, Any] = {
        "Modality": "MR",
        "Manufacturer": MANUFACTURERS[vendor],
        "ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"],
        "ImageOrientationPatient": list(orientation),
        "ImagePositionPatient": position_along_normal(orientation, 2.5 * slice_index),
        "InstanceNumber": volume * count + slice_index + 1,
        "InPlanePhaseEncodingDirection": "COL",
    }
    dataset = image(volume * count + slice_index, **values | attributes)
    _WRITERS[vendor](dataset, b_value, None if gradient is None else np.array(gradient, float), axes(orientation))
    return dataset


def _block(dataset: Dataset, group: int, creator: str, values: dict[int, tuple[str, Any]]) -> None:
    block = dataset.private_block(group, creator, create=True)
    for offset, (vr, value) in values.items():
        if value is not None:
            block.add_new(offset, vr, value)


def _standard(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    if b_value is not None:
        dataset.DiffusionBValue = b_value
    if gradient is not None:
        dataset.DiffusionGradientOrientation = gradient.tolist()


def _siemens(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    vector = None if gradient is None else gradient.tolist()
    _block(dataset, 0x19, "SIEMENS MR HEADER", {0x0C: ("IS", b_value), 0x0E: ("FD", vector)})


def _siemens_csa(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    values = {"B_value": [f"{b_value}"], "DiffusionGradientDirection": []}
    if gradient is not None:
        values["DiffusionGradientDirection"] = [f"{component:.8f}" for component in gradient]
    _block(dataset, 0x29, "SIEMENS CSA HEADER", {0x10: ("OB", csa_header(values))})


def _siemens_matrix(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    values: dict[int, tuple[str, Any]] = {0x0C: ("IS", b_value), 0x0D: ("CS", "NONE")}
    if gradient is not None:
        matrix = b_value * np.outer(gradient, gradient) + 5 * np.eye(3)
        values |= {0x0D: ("CS", "DIRECTIONAL"), 0x27: ("FD", matrix[np.triu_indices(3)].tolist())}
    _block(dataset, 0x19, "SIEMENS MR HEADER", values)


def _philips(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    _block(dataset, 0x2001, "Philips Imaging DD 001", {0x03: ("FL", b_value)})
    vector = [0.0, 0.0, 0.0] if gradient is None else gradient.tolist()
    components = {0xB0 + axis: ("FL", value) for axis, value in enumerate(vector)}
    _block(dataset, 0x2005, "Philips MR Imaging DD 001", components)


def _uih(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    vector = None if gradient is None else (local @ gradient).tolist()
    _block(dataset, 0x65, "Image Private Header", {0x09: ("FD", b_value), 0x37: ("FD", vector)})
    if gradient is not None:
        dataset.DiffusionGradientOrientation = vector


def _relative_to_phase(gradient: np.ndarray | None, local: np.ndarray, phase: str) -> list[float]:
    """Return components along frequency, phase and slice; the last is along the reverse of the normal."""
    if gradient is None:
        return [0.0, 0.0, 0.0]
    along_row, along_column, along_normal = local @ gradient
    if abs(local[2, 1]) > 0.7:
        # Coronal slices.
        along_column = -along_column
    frequency, phase_component = (along_row, along_column) if phase == "COL" else (-along_column, along_row)
    return [float(frequency), float(phase_component), float(-along_normal)]


def _ge(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    vector = _relative_to_phase(gradient, local, dataset.InPlanePhaseEncodingDirection)
    components = {0xBB + axis: ("DS", f"{value:.9f}") for axis, value in enumerate(vector)}
    _block(dataset, 0x19, "GEMS_ACQU_01", components)
    stored = [int(b_value) + 10**9 if b_value else 0, 8, 0, 0]
    _block(dataset, 0x43, "GEMS_PARM_01", {0x39: ("IS", stored)})


def _canon(dataset: Dataset, b_value: Any, gradient: Any, local: np.ndarray) -> None:
    frequency, phase, slices = _relative_to_phase(gradient, local, dataset.InPlanePhaseEncodingDirection)
    if gradient is not None:
        dataset.ImageComments = f"b={b_value:.0f}({phase:.7f},{frequency:.7f},{slices:.7f})"
    if b_value:
        dataset.DiffusionBValue = float(b_value)


_WRITERS = {
    "standard": _standard,
    "siemens": _siemens,
    "siemens_csa": _siemens_csa,
    "siemens_matrix": _siemens_matrix,
    "philips": _philips,
    "uih": _uih,
    "ge": _ge,
    "canon": _canon,
}


def enhanced(b_values: Sequence[float], gradients: Sequence[Sequence[float] | None], depth: int) -> Dataset:
    """Return an enhanced MR image: volumes of `depth` frames, the first axis of the frames."""
    frames = []
    for b_value, gradient in zip(b_values, gradients, strict=True):
        for index in range(depth):
            directional = gradient is not None
            diffusion: dict[str, Any] = {"DiffusionDirectionality": "DIRECTIONAL" if directional else "NONE"}
            if directional:
                direction = item(DiffusionGradientOrientation=list(gradient or ()))
                diffusion |= {"DiffusionBValue": b_value, "DiffusionGradientDirectionSequence": [direction]}
            position = position_along_normal(OBLIQUE, 2.5 * index)
            frames.append(
                item(
                    MRDiffusionSequence=[item(**diffusion)],
                    PlanePositionSequence=[item(ImagePositionPatient=position)],
                    FrameContentSequence=[item(FrameAcquisitionNumber=1)],
                )
            )
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(OBLIQUE))],
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=2.5)],
    )
    return image(
        0,
        Modality="MR",
        NumberOfFrames=len(frames),
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        PixelSpacing=None,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )
