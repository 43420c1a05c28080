"""Small series written with pydicom, whose sample values identify the slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from dicoxide import Volume

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
ROWS, COLUMNS = 5, 7


def normal(orientation: Sequence[float]) -> np.ndarray:
    return np.cross(orientation[:3], orientation[3:])


def position_along_normal(
    orientation: Sequence[float], distance: float, start: Sequence[float] = (-10.5, 20.25, 3.0)
) -> list[float]:
    """Return the position `distance` mm along the normal from `start`."""
    return [round(float(value), 9) for value in np.array(start) + distance * normal(orientation)]


def image(value: int = 0, **attributes: Any) -> Dataset:
    """Return a CT slice of int16 samples: 100 * `value` plus 0 to 30. Attributes that are None are omitted."""
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.4"
    dataset.FrameOfReferenceUID = "1.2.3.5"
    dataset.Modality = "CT"
    dataset.SeriesNumber = 2
    dataset.SeriesDescription = "made"
    dataset.ImageOrientationPatient = list(AXIAL)
    dataset.ImagePositionPatient = [0.0, 0.0, 0.0]
    dataset.PixelSpacing = [0.5, 0.75]
    dataset.SliceThickness = 2.0
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.InstanceNumber = value
    for keyword, attribute in attributes.items():
        if attribute is not None:
            setattr(dataset, keyword, attribute)
        elif keyword in dataset:
            delattr(dataset, keyword)
    count = int(dataset.get("NumberOfFrames", 1))
    shape = (count, dataset.Rows, dataset.Columns) + ((3,) if dataset.SamplesPerPixel == 3 else ())
    kind = "i" if dataset.PixelRepresentation else "u"
    samples = np.arange(np.prod(shape), dtype="i8").reshape(shape) % 31 + 100 * value
    samples = samples.astype(f"<{kind}{dataset.BitsAllocated // 8}")
    dataset.PixelData = samples.tobytes() + b"\0" * (samples.nbytes % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    return dataset


def write(dataset: Dataset, path: Path, *, compress: bool = False) -> Path:
    """Write a file with preamble and file meta information."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    if compress:
        dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_all(
    datasets: Sequence[Dataset], folder: Path, names: Callable[[int], str] = "{:03}.dcm".format
) -> list[Path]:
    """Write files into `folder`; `names` returns the file name of an index."""
    return [write(dataset, folder / names(index)) for index, dataset in enumerate(datasets)]


def slices(count: int, orientation: Sequence[float] = AXIAL, spacing: float = 2.5, **attributes: Any) -> list[Dataset]:
    """Return slices in ascending order along the normal; the value of each is its index."""
    return [
        image(
            index,
            ImageOrientationPatient=list(orientation),
            ImagePositionPatient=position_along_normal(orientation, index * spacing),
            **attributes,
        )
        for index in range(count)
    ]


def item(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def enhanced_object(
    frames: Sequence[dict[str, Any]], shared: dict[str, Any] | None = None, **attributes: Any
) -> Dataset:
    """Return an enhanced multi-frame object; `frames` maps sequence keywords of functional groups to their item."""
    omitted = {
        "ImagePositionPatient": None,
        "ImageOrientationPatient": None,
        "PixelSpacing": None,
        "SliceThickness": None,
    }
    dataset = image(NumberOfFrames=len(frames), **(omitted | attributes))
    sequences = [{keyword: Items([group]) for keyword, group in groups.items()} for groups in (*frames, shared or {})]
    dataset.PerFrameFunctionalGroupsSequence = Items([item(**groups) for groups in sequences[:-1]])
    dataset.SharedFunctionalGroupsSequence = Items([item(**sequences[-1])])
    return dataset


def slice_indices(array: Any) -> list[Any]:
    """Return the slice index of each slice of `array`, from the values that `image` wrote."""
    return (np.asarray(array)[..., 0, 0] // 100).tolist()


def finding_kinds(volume: Any) -> list[str]:
    return [finding.kind for finding in volume.findings]


def only_volume(volumes: list[Volume]) -> Volume:
    assert len(volumes) == 1, volumes
    return volumes[0]


def enhanced_frames(count: int, **groups: Any) -> list[dict[str, Any]]:
    return [
        {"PlanePositionSequence": item(ImagePositionPatient=position_along_normal(CORONAL, 2.0 * index)), **groups}
        for index in range(count)
    ]


SHARED = {
    "PlaneOrientationSequence": item(ImageOrientationPatient=list(CORONAL)),
    "PixelMeasuresSequence": item(PixelSpacing=[0.5, 0.75], SliceThickness=2),
}


def repeated_slices(count: int, tags: list[dict[str, Any]]) -> list[Dataset]:
    """Return one slice per element of `tags` and position, of value 10 * index in `tags` + index of the position."""
    return [
        image(10 * tag_index + index, ImagePositionPatient=position_along_normal(AXIAL, 2.5 * index), **attributes)
        for tag_index, attributes in enumerate(tags)
        for index in range(count)
    ]
