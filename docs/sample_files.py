"""Writes the files that the code of the pages uses: small images, of pydicom's test files and generated samples.

    python docs/sample_files.py FOLDER

| name | content |
|---|---|
| `image.dcm` | 20 gray frames of 128 × 128, native, with a window |
| `map.dcm` | 20 frames of 64 × 64, JPEG 2000, with a real-world value map "ADC" |
| `folder/` | a CT series of 24 slices, JPEG Lossless, and a text file |
| `archive/` | that series, an MR image, ultrasound in colour |
| `damaged/` | that series, two slices cut short |
| `damaged.dcm` | one of these slices |
| `deviating.dcm` | a slice without the sequence delimiter after its pixel data |
| `slide/` | a whole-slide image of 512 × 768 pixels in three levels, tiles of 128 × 128, RLE |
| `video.dcm` | 1100 frames of 48 × 64, H.264; if PyAV is installed |
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    MPEG4HP41,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
    VLWholeSlideMicroscopyImageStorage,
)

import dicoxide

__all__ = ["write_sample_files"]

Array = npt.NDArray[Any]

# Instances have fixed UIDs, so that pages can show them.
_UID_ROOT = "1.2.826.0.1.3680043.8.498.1"
_SLICES, _SIDE = 24, 128
_TILE = 128


def write_sample_files(folder: Path) -> None:
    """Write all files into an empty folder."""
    _write_image(folder / "image.dcm")
    _write_map(folder / "map.dcm")
    _write_series(folder / "folder")
    _write_archive(folder / "archive", folder / "folder")
    _write_damaged(folder)
    _write_slide(folder / "slide")
    if find_spec("av") is not None:
        _write_video(folder / "video.dcm")


def _dataset(sop_class: str, number: int, series: int, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """Return a data set with the attributes that all samples have."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{_UID_ROOT}.{series}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _UID_ROOT, f"{_UID_ROOT}.{series}"
    ds.FrameOfReferenceUID = f"{_UID_ROOT}.0"
    ds.PatientID, ds.PatientName, ds.StudyDate = "SAMPLE-1", "Sample^One", "20260102"
    ds.SeriesNumber, ds.InstanceNumber = series, number
    return ds


def _set_pixels(ds: Dataset, samples: Array, *, bits_stored: int | None = None, value: bytes | None = None) -> None:
    """Set the Image Pixel attributes, and Pixel Data to `value` (encapsulated) or to the samples (native)."""
    *frames, rows, columns, last = (*samples.shape, 1) if samples.shape[-1] != 3 else samples.shape
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, last
    ds.PhotometricInterpretation = "RGB" if last == 3 else "MONOCHROME2"
    if last == 3:
        ds.PlanarConfiguration = 0
    if frames:
        ds.NumberOfFrames = frames[0]
    ds.BitsAllocated = samples.dtype.itemsize * 8
    ds.BitsStored = bits_stored or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = 1 if samples.dtype.kind == "i" else 0
    ds.PixelData = samples.tobytes() if value is None else value
    ds["PixelData"].VR = "OW" if value is None else "OB"
    ds["PixelData"].is_undefined_length = value is not None


def _write_image(path: Path) -> None:
    frame = dicoxide.decode(get_testdata_file("CT_small.dcm"))
    ds = _dataset(CTImageStorage, 1, 1)
    ds.Modality, ds.PixelSpacing, ds.WindowCenter, ds.WindowWidth = "CT", [0.66, 0.66], 40, 400
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    _set_pixels(ds, np.stack([np.roll(frame, index, axis=1) for index in range(20)]))
    ds.save_as(path, enforce_file_format=True)


def _write_map(path: Path) -> None:
    source = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    (frame,) = generate_frames(source.PixelData, number_of_frames=1)
    ds = _dataset("1.2.840.10008.5.1.4.1.1.4.1", 1, 2, source.file_meta.TransferSyntaxUID)
    ds.Modality, ds.PixelSpacing = "MR", [1.0, 1.0]
    _set_pixels(ds, np.zeros((20, source.Rows, source.Columns), np.int16), value=encapsulate([frame] * 20))
    ds.BitsStored, ds.HighBit = source.BitsStored, source.HighBit
    units, item = Dataset(), Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = "um2/s", "UCUM", "square micrometre per second"
    item.LUTExplanation, item.LUTLabel = "apparent diffusion coefficient", "ADC"
    item.MeasurementUnitsCodeSequence = [units]
    item.add_new("RealWorldValueFirstValueMapped", "SS", -32768)
    item.add_new("RealWorldValueLastValueMapped", "SS", 32767)
    item.RealWorldValueSlope, item.RealWorldValueIntercept = 0.5, 0.0
    ds.RealWorldValueMappingSequence = [item]
    ds.save_as(path, enforce_file_format=True)


def _write_series(folder: Path) -> None:
    """Write a phantom: a body of soft tissue with two lungs and a spine, in Hounsfield units + 1024."""
    folder.mkdir()
    y, x = np.mgrid[-1 : 1 : _SIDE * 1j, -1 : 1 : _SIDE * 1j]  # type: ignore[misc]
    noise = np.random.default_rng(1)
    for index in range(_SLICES):
        samples = np.zeros((_SIDE, _SIDE))
        samples[(x / 0.9) ** 2 + (y / 0.7) ** 2 < 1] = 1064
        for side in (-0.42, 0.42):
            lung = 0.35 * np.sin(np.pi * (index + 1) / (_SLICES + 1))
            samples[((x - side) / lung) ** 2 + (y / (lung * 1.3)) ** 2 < 1] = 224
        samples[x**2 + ((y - 0.5) / 0.8) ** 2 < 0.015] = 1724
        stored = np.clip(samples + noise.normal(0, 12, samples.shape), 0, 4095).astype(np.uint16)
        ds = _dataset(CTImageStorage, index + 1, 3, JPEGLosslessSV1)
        ds.Modality, ds.SeriesDescription, ds.SliceThickness = "CT", "Thorax", 5.0
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [-160.0, -160.0, 5.0 * index], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.WindowCenter, ds.WindowWidth = [2.5, 2.5], 40, 400
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
        codestream = dicoxide.jpeg_lossless_encode(stored, precision=12)
        _set_pixels(ds, stored, bits_stored=12, value=encapsulate([codestream]))
        ds.save_as(folder / f"{index:02}.dcm", enforce_file_format=True)
    (folder / "notes.txt").write_text("Files that are not DICOM are skipped.\n", encoding="utf-8")


def _write_archive(folder: Path, series: Path) -> None:
    shutil.copytree(series, folder / "ct")
    shutil.copyfile(get_testdata_file("MR_small.dcm"), folder / "mr.dcm")
    source = dicoxide.decode(get_testdata_file("examples_ybr_color.dcm"), frames=[0, 10, 20])[:, ::2, ::2]
    ds = _dataset(UltrasoundMultiFrameImageStorage, 1, 4, RLELossless)
    ds.Modality, ds.SeriesDescription = "US", "Heart"
    _set_pixels(ds, source, value=encapsulate([dicoxide.rle_encode(frame) for frame in source]))
    ds.save_as(folder / "us.dcm", enforce_file_format=True)


def _write_damaged(folder: Path) -> None:
    shutil.copytree(folder / "folder", folder / "damaged")
    for index in (4, 11):
        path = folder / "damaged" / f"{index:02}.dcm"
        path.write_bytes(path.read_bytes()[:-4000])
    shutil.copyfile(folder / "damaged" / "04.dcm", folder / "damaged.dcm")
    # The last 8 bytes of the other file are the sequence delimiter (PS3.5 A.4).
    (folder / "deviating.dcm").write_bytes((folder / "folder" / "00.dcm").read_bytes()[:-8])


def _write_slide(folder: Path) -> None:
    """Write the levels of a generated slide, each of half the size, as TILED_FULL (PS3.3 C.8.12.14)."""
    folder.mkdir()
    y, x = np.mgrid[:512, :768]
    tissue = np.hypot(x - 380, 1.4 * (y - 250)) < 240
    texture = 40 * np.sin(x / 9) * np.cos(y / 7)
    level = np.full((512, 768, 3), 245, np.uint8)
    for channel, base in enumerate((190, 110, 170)):
        level[..., channel] = np.where(tissue, base + texture, level[..., channel])
    for number in range(3):
        rows, columns = level.shape[:2]
        padded = np.pad(level, ((0, -rows % _TILE), (0, -columns % _TILE), (0, 0)), constant_values=255)
        across = padded.shape[1] // _TILE
        tiles = padded.reshape(-1, _TILE, across, _TILE, 3).swapaxes(1, 2).reshape(-1, _TILE, _TILE, 3)
        ds = _dataset(VLWholeSlideMicroscopyImageStorage, number + 1, 5, RLELossless)
        ds.Modality, ds.ImageType = "SM", ["ORIGINAL" if number == 0 else "DERIVED", "PRIMARY", "VOLUME", "NONE"]
        ds.TotalPixelMatrixRows, ds.TotalPixelMatrixColumns = rows, columns
        ds.DimensionOrganizationType = "TILED_FULL"
        measures, shared = Dataset(), Dataset()
        measures.PixelSpacing, measures.SliceThickness = [0.0005 * 2**number] * 2, 0.001
        shared.PixelMeasuresSequence = [measures]
        ds.SharedFunctionalGroupsSequence = [shared]
        _set_pixels(ds, tiles, value=encapsulate([dicoxide.rle_encode(tile) for tile in tiles]))
        ds.save_as(folder / f"level-{number}.dcm", enforce_file_format=True)
        level = level[::2, ::2]


def _write_video(path: Path) -> None:
    import io

    import av

    rows, columns, count = 48, 64, 1100
    stream_bytes = io.BytesIO()
    y, x = np.mgrid[:rows, :columns]
    with av.open(stream_bytes, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = columns, rows, "yuv420p"
        for index in range(count):
            picture = np.stack([x * 4, y * 5, np.full_like(x, index)], axis=-1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    ds = _dataset("1.2.840.10008.5.1.4.1.1.77.1.1.1", 1, 6, MPEG4HP41)
    ds.Modality = "ES"
    fragment = stream_bytes.getvalue()
    _set_pixels(ds, np.zeros((count, rows, columns, 3), np.uint8), value=encapsulate([fragment], has_bot=False))
    ds.PhotometricInterpretation = "YBR_PARTIAL_420"
    ds.save_as(path, enforce_file_format=True)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_sample_files(target)
