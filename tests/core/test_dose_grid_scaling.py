"""Dose Grid Scaling of RT Dose, by every function that rescales (PS3.3 C.8.8.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, RTDoseStorage

import dicoxide
from support.encoders.dataset import to_bytes


def dose(frames: np.ndarray, uid: str = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """Return an RT Dose data set."""
    ds = Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = RTDoseStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.SeriesInstanceUID, ds.Modality, ds.DoseUnits, ds.DoseGridScaling = "1.2.4", "RTDOSE", "GY", "0.0015"
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape
    ds.GridFrameOffsetVector = [float(2 * index) for index in range(len(frames))]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [1, 1]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = frames.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(frames.dtype.kind == "i")
    if uid == RLELossless:
        ds.PixelData = encapsulate([dicoxide.rle_encode(frame) for frame in frames])
        ds["PixelData"].VR = "OB"
    else:
        ds.PixelData = frames.tobytes()
        ds["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("uid", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize("dtype", ["<u2", "<u4", "<i2", "<i4"])
def test_dose_is_stored_value_times_scaling(uid: str, dtype: str, tmp_path: Path) -> None:
    limits = np.iinfo(dtype)
    frames = np.linspace(limits.min, limits.max, 24).astype(dtype).reshape(2, 3, 4)
    ds = dose(frames, uid)
    expected = (frames.astype(np.float64) * 0.0015).astype(np.float32)
    path = tmp_path / "dose.dcm"
    path.write_bytes(to_bytes(ds))
    for source in (ds, path, path.read_bytes()):
        assert np.array_equal(dicoxide.decode(source, rescale=True), expected)
        assert np.array_equal(list(dicoxide.iter_frames(source, rescale=True)), expected)
        assert np.array_equal(dicoxide.decode(source), frames)
        ((_, values),) = dicoxide.decode_many([source], rescale=True, dtype="f8")
        assert np.array_equal(values, frames * 0.0015)
    (volume,) = dicoxide.read_series(tmp_path, rescale=True)
    assert np.array_equal(volume.array, expected)
    assert volume.plan.rescale == (0.0015, 0.0)
    assert dicoxide.open(path).attributes["DoseUnits"] == "GY"


def test_identity_rescale_besides_scaling_is_ignored() -> None:
    ds = dose(np.full((1, 2, 2), 1000, "<u2"), RescaleSlope="1", RescaleIntercept="0")
    for source in (ds, to_bytes(ds)):
        assert np.array_equal(dicoxide.decode(source, rescale=True), np.full((2, 2), 1.5, "f4"))


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ({"DoseGridScaling": None}, "Dose Grid Scaling .* found, a number expected"),
        ({"DoseGridScaling": ["1", "2"]}, "Dose Grid Scaling .* found, a number expected"),
        ({"RescaleSlope": "2", "RescaleIntercept": "0"}, "Dose Grid Scaling and another rescale found"),
    ],
    ids=["empty", "two-values", "rescale"],
)
def test_contradicting_scaling_is_an_error(attributes: dict[str, Any], match: str) -> None:
    ds = dose(np.ones((1, 2, 2), "<u2"), **attributes)
    for source in (ds, to_bytes(ds)):
        with pytest.raises(dicoxide.CorruptFrameError, match=match) as caught:
            dicoxide.decode(source, rescale=True)
        assert caught.value.clause == "PS3.3 C.8.8.3"
        assert np.array_equal(dicoxide.decode(source), np.ones((2, 2)))


def test_dose_without_scaling_is_an_error() -> None:
    ds = dose(np.ones((1, 2, 2), "<u2"))
    del ds.DoseGridScaling
    for source in (ds, to_bytes(ds)):
        with pytest.raises(dicoxide.CorruptFrameError, match="Dose Grid Scaling is missing"):
            dicoxide.decode(source, rescale=True)
