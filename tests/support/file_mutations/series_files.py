"""Small files with the elements that series are sorted by: mosaics, functional groups, segmentations, dose grids."""

from __future__ import annotations

import io
from collections.abc import Iterator

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, SegmentationStorage

from support.mosaics import siemens_mosaic, stack, uih_grid
from support.synthetic_series import enhanced_object, image, item

_UID = "1.2.3.4.6"


def files() -> Iterator[tuple[str, bytes]]:
    """Yield files by name; their content is equal on every machine."""
    slices = stack(5)
    times = [0.0, 2.5, 1.0, 3.5, 86_399_990.0]
    yield "mosaic", _bytes(siemens_mosaic(slices, times=times, SOPInstanceUID=_UID))
    yield "mosaic_csa_1", _bytes(siemens_mosaic(slices, header=False, csa_version=1, SOPInstanceUID=_UID))
    yield "mosaic_csa_2", _bytes(siemens_mosaic(slices, header=False, direction=-1, SOPInstanceUID=_UID))
    yield "uih_grid", _bytes(uih_grid(slices, SOPInstanceUID=_UID))
    yield "functional_groups", _bytes(_functional_groups())
    yield "segmentation", _bytes(_segmentation())
    dose = image(0, NumberOfFrames=3, SOPClassUID=RTDoseStorage, Modality="RTDOSE", SOPInstanceUID=_UID)
    dose.GridFrameOffsetVector = ["0", "2.5", "5"]
    yield "dose_grid", _bytes(dose)


def _segmentation() -> Dataset:
    """Return a segmentation of two segments without its empty frames."""
    frames = [
        {
            "PlanePositionSequence": item(ImagePositionPatient=[0, 0, 3.0 * position]),
            "SegmentIdentificationSequence": item(ReferencedSegmentNumber=segment),
        }
        for segment, position in ((1, 0), (1, 1), (2, 4))
    ]
    shared = {
        "PlaneOrientationSequence": item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "PixelMeasuresSequence": item(PixelSpacing=[0.5, 0.75], SliceThickness=3.0, SpacingBetweenSlices=3.0),
    }
    return enhanced_object(frames, shared, SOPInstanceUID=_UID, SOPClassUID=SegmentationStorage, Modality="SEG")


def _functional_groups() -> Dataset:
    """Return an object of two b-values at two positions, in two stacks."""
    frames = [
        {
            "PlanePositionSequence": item(ImagePositionPatient=[0, 0, 3.0 * position]),
            "FrameContentSequence": item(
                TemporalPositionIndex=time + 1, DimensionIndexValues=[1, position + 1, time + 1], StackID=str(position)
            ),
            "MRDiffusionSequence": item(
                DiffusionBValue=1000.0 * time,
                DiffusionGradientDirectionSequence=Sequence([item(DiffusionGradientOrientation=[0.0, 0.6, 0.8])]),
            ),
        }
        for position in range(2)
        for time in range(2)
    ]
    shared = {
        "PlaneOrientationSequence": item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "PixelMeasuresSequence": item(PixelSpacing=[0.5, 0.75], SliceThickness=3.0),
    }
    return enhanced_object(frames, shared, SOPInstanceUID=_UID)


def _bytes(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
