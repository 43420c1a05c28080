"""highdicom reads its own objects equally with dicoxide as pydicom's only decoder and without dicoxide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    VLWholeSlideMicroscopyImageStorage,
)

import dicoxide
from support.highdicom_arguments import new_instance
from support.pydicom_decoders import only_dicoxide, require_decoder
from support.real_images import ROOT
from support.synthetic_series import item, slices

hd: Any = pytest.importorskip("highdicom", reason="highdicom is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

ENCAPSULATED = [RLELossless, JPEG2000Lossless, JPEGLSLossless]
SLICE_COUNT, ROWS, COLUMNS = 6, 40, 48
PATIENT = {
    "PatientID": "1",
    "PatientName": "A^B",
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyID": "1",
    "StudyDate": "20200101",
    "StudyTime": "120000",
    "AccessionNumber": "1",
    "ReferringPhysicianName": "",
}


def source_series() -> list[pydicom.Dataset]:
    datasets = slices(SLICE_COUNT, Rows=ROWS, Columns=COLUMNS, **PATIENT)
    for dataset in datasets:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return datasets


def segment_masks(kind: str) -> np.ndarray:
    """Return masks of two segments; the segmentation omits the slices without both."""
    labels = np.zeros((SLICE_COUNT, ROWS, COLUMNS), np.uint8)
    labels[1:4, 5:20, 8:31] = 1
    labels[2:5, 22:37, 3:40] = 2
    if kind != "FRACTIONAL":
        return labels
    noise = np.random.default_rng(5).integers(0, 256, (*labels.shape, 2)) / 255
    return np.stack([labels == 1, labels == 2], axis=-1) * noise


def write_segmentation(path: Path, kind: str, syntax: str) -> Path:
    codes = hd.sr.CodedConcept("85756007", "SCT", "Tissue")
    algorithm = hd.AlgorithmIdentificationSequence("a", codes, "1")
    segments = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=str(number),
            segmented_property_category=codes,
            segmented_property_type=codes,
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
        )
        for number in (1, 2)
    ]
    try:
        segmentation = hd.seg.Segmentation(
            source_series(), segment_masks(kind), kind, segments, transfer_syntax_uid=syntax, **new_instance()
        )
    except (ValueError, RuntimeError, ImportError) as error:
        pytest.skip(f"highdicom cannot encode it: {error}")
    segmentation.save_as(path)
    return path


def read_segmentation(path: Path) -> dict[str, np.ndarray]:
    segmentation = hd.seg.segread(path)
    is_labels = segmentation.segmentation_type.value == "LABELMAP"
    options: dict[str, Any] = (
        {} if is_labels else {"combine_segments": segmentation.segmentation_type.value == "BINARY"}
    )
    lazy = hd.imread(path, lazy_frame_retrieval=True)
    return {
        "stored": segmentation.get_stored_frames(),
        "lazy": lazy.get_stored_frames(),
        "last": lazy.get_stored_frame(lazy.number_of_frames),
        "volume": segmentation.get_volume(**options).array,
    }


def require_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        np.testing.assert_array_equal(found[name], array, err_msg=name)


SEGMENTATIONS = [
    # Highdicom does not compress binary ones.
    ("BINARY", ExplicitVRLittleEndian),
    *((kind, syntax) for kind in ("FRACTIONAL", "LABELMAP") for syntax in (ExplicitVRLittleEndian, *ENCAPSULATED)),
]


@pytest.mark.parametrize(("kind", "syntax"), SEGMENTATIONS, ids=lambda value: getattr(value, "keyword", value))
def test_segmentation_is_read_equally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, syntax: Any) -> None:
    path = write_segmentation(tmp_path / "a", kind, syntax)
    require_decoder(syntax)
    expected = read_segmentation(path)
    assert expected["stored"].any()
    with only_dicoxide(monkeypatch, syntax):
        require_equal(read_segmentation(path), expected)
    np.testing.assert_array_equal(dicoxide.decode(path), expected["stored"])


def write_slide(path: Path, syntax: Any, *, colour: bool = True) -> tuple[Path, np.ndarray]:
    """Write a whole-slide image of 3 × 4 tiles, organised TILED_FULL; return its matrix too."""
    matrix = np.random.default_rng(3).integers(0, 256, (96, 128, 3) if colour else (96, 128), np.uint8)
    # Smooth, so that lossy compression keeps the content.
    matrix = np.sort(matrix, axis=1)
    tiles = [matrix[row : row + 32, column : column + 32] for row in range(0, 96, 32) for column in range(0, 128, 32)]
    dataset = slices(1, **PATIENT)[0]
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = VLWholeSlideMicroscopyImageStorage
    dataset.Modality = "SM"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.ContainerIdentifier = "1"
    dataset.DimensionOrganizationType = "TILED_FULL"
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = 96, 128
    dataset.TotalPixelMatrixFocalPlanes = 1
    dataset.NumberOfOpticalPaths = 1
    dataset.OpticalPathSequence = [item(OpticalPathIdentifier="1", IlluminationTypeCodeSequence=[])]
    dataset.ImageOrientationSlide = [0.0, -1.0, 0.0, -1.0, 0.0, 0.0]
    dataset.TotalPixelMatrixOriginSequence = [
        item(XOffsetInSlideCoordinateSystem=0.0, YOffsetInSlideCoordinateSystem=0.0)
    ]
    measures = item(PixelSpacing=[0.001, 0.001], SliceThickness=0.001)
    dataset.SharedFunctionalGroupsSequence = [item(PixelMeasuresSequence=[measures])]
    dataset.NumberOfFrames = len(tiles)
    dataset.Rows = dataset.Columns = 32
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    if colour:
        dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
        dataset.PhotometricInterpretation = "RGB"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if syntax == ExplicitVRLittleEndian:
        dataset.PixelData = np.stack(tiles).tobytes()
    else:
        try:
            frames = [encode(tile, syntax, dataset) for tile in tiles]
        except (ValueError, RuntimeError, ImportError) as error:
            pytest.skip(f"highdicom cannot encode it: {error}")
        dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset.save_as(path, enforce_file_format=True)
    return path, matrix


def encode(tile: np.ndarray, syntax: str, dataset: pydicom.Dataset) -> bytes:
    if syntax == JPEGBaseline8Bit:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    return hd.frame.encode_frame(
        tile,
        syntax,
        bits_allocated=8,
        bits_stored=8,
        photometric_interpretation=dataset.PhotometricInterpretation,
        planar_configuration=dataset.get("PlanarConfiguration"),
    )


def read_slide(path: Path) -> dict[str, np.ndarray]:
    image = hd.imread(path)
    lazy = hd.imread(path, lazy_frame_retrieval=True)
    return {
        "matrix": image.get_total_pixel_matrix(),
        "region": lazy.get_total_pixel_matrix(row_start=20, row_end=80, column_start=30, column_end=101),
        "stored": image.get_stored_frames(),
        "frame": lazy.get_frame(7),
        "volume": image.get_volume().array,
    }


@pytest.mark.parametrize(
    ("syntax", "colour"),
    [(ExplicitVRLittleEndian, True), (RLELossless, True), (JPEG2000Lossless, False), (JPEGLSLossless, True)],
    ids=lambda value: getattr(value, "keyword", "colour" if value else "gray"),
)
def test_slide_is_read_equally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: Any, colour: bool) -> None:
    path, matrix = write_slide(tmp_path / "a", syntax, colour=colour)
    require_decoder(syntax)
    expected = read_slide(path)
    np.testing.assert_array_equal(expected["matrix"], matrix)
    with only_dicoxide(monkeypatch, syntax):
        require_equal(read_slide(path), expected)


def test_slide_of_jpeg_baseline_is_read_as_by_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = write_slide(tmp_path / "a", JPEGBaseline8Bit)
    decoder = get_decoder(JPEGBaseline8Bit)
    if "pillow" not in decoder.available_plugins:
        pytest.skip("Pillow is not installed")
    with monkeypatch.context() as patch:
        # The samples of other decoders differ from those of libjpeg-turbo.
        patch.setattr(decoder, "_available", {"pillow": decoder._available["pillow"]})
        expected = read_slide(path)
    with only_dicoxide(monkeypatch, JPEGBaseline8Bit):
        require_equal(read_slide(path), expected)


def test_slide_of_another_writer_is_read_equally(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "tests" / "vectors" / "sm_image_jpegls.dcm"
    require_decoder(JPEGLSLossless)
    expected = hd.imread(path).get_total_pixel_matrix()
    with only_dicoxide(monkeypatch, JPEGLSLossless):
        np.testing.assert_array_equal(hd.imread(path).get_total_pixel_matrix(), expected)
