"""BIDS keys in JSON files, times of slices, and the repetition time in NIfTI headers."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from support.command_line import dicoxide_command
from support.mosaics import csa_header, siemens_mosaic, stack
from support.synthetic_series import image, item, write

DEPTH, VOLUMES = 4, 3


def slices(
    folder: Path,
    change: Callable[[Dataset, int, int], None] | None = None,
    *,
    is_reversed: bool = False,
    **attributes: Any,
) -> None:
    """Write axial volumes of DEPTH slices, 2.5 mm apart; `change` modifies slice and volume."""
    for volume in range(VOLUMES):
        for index in range(DEPTH):
            number = DEPTH - 1 - index if is_reversed else index
            defaults: dict[str, Any] = {
                "Modality": "MR",
                "ImagePositionPatient": [0.0, 0.0, 2.5 * index],
                "InstanceNumber": volume * DEPTH + number + 1,
                "TemporalPositionIdentifier": volume + 1,
                "RepetitionTime": 2000,
                "MRAcquisitionType": "2D",
            }
            dataset = image(volume, **defaults | attributes)
            if change is not None:
                change(dataset, index, volume)
            write(dataset, folder / f"{volume}-{index}.dcm")


def convert(folder: Path, out: Path) -> tuple[Any, dict[str, Any]]:
    """Return the header of the only NIfTI file, read by NiBabel, and the metadata."""
    nibabel = pytest.importorskip("nibabel")
    done = dicoxide_command("decode", folder, "-o", out, "--format", "nifti", "--uncompressed")
    assert done.code == 0, done.err
    (path,) = out.glob("*.nii")
    return nibabel.load(path).header, json.loads(path.with_suffix(".json").read_text())


def test_keys_have_the_names_and_units_of_bids(tmp_path: Path) -> None:
    attributes: dict[str, Any] = {
        "Manufacturer": "SIEMENS",
        "ManufacturerModelName": "Scanner",
        "MagneticFieldStrength": 3,
        "EchoTime": 30.1,
        "InversionTime": 900,
        "FlipAngle": 70,
        "SpacingBetweenSlices": 2.5,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "EchoTrainLength": 63,
        "SeriesNumber": 7,
        "SoftwareVersions": ["27", "LX"],
        "PatientPosition": "HFS",
        "InPlanePhaseEncodingDirection": "ROW",
        "PixelBandwidth": "2005.5",
    }
    slices(tmp_path / "in", **attributes)
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    expected = {
        "Manufacturer": "Siemens",
        "ManufacturersModelName": "Scanner",
        "Modality": "MR",
        "MagneticFieldStrength": 3,
        "RepetitionTime": 2.0,
        "EchoTime": 0.0301,
        "InversionTime": 0.9,
        "FlipAngle": 70,
        "SliceThickness": 2.0,
        "SpacingBetweenSlices": 2.5,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "EchoTrainLength": 63,
        "SeriesNumber": 7,
        "SoftwareVersions": "27\\LX",
        "PatientPosition": "HFS",
        "PhaseEncodingAxis": "i",
        "PixelBandwidth": 2005.5,
        "MRAcquisitionType": "2D",
    }
    assert {key: metadata.get(key) for key in expected} == expected
    assert "PhaseEncodingDirection" not in metadata
    assert "SliceTiming" not in metadata


@pytest.mark.parametrize("form", ["zarr", "npy", "png"])
def test_every_format_has_the_keys(tmp_path: Path, form: str) -> None:
    slices(tmp_path / "in", EchoTime=30)
    done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", form)
    assert done.code == 0, done.err
    path = {"zarr": "1.2.3.4/zarr.json", "npy": "1.2.3.4.json", "png": "1.2.3.4/series.json"}[form]
    metadata = json.loads((tmp_path / "out" / path).read_text())
    metadata = metadata.get("attributes", metadata) if form == "zarr" else metadata
    assert (metadata["EchoTime"], metadata["RepetitionTime"]) == (0.03, 2.0)


def test_keys_of_enhanced_images_are_read_from_functional_groups(tmp_path: Path) -> None:
    shared = item(
        MRTimingAndRelatedParametersSequence=[item(RepetitionTime=1500, FlipAngle=60, EchoTrainLength=5)],
        MRModifierSequence=[item(InversionTimes=[800.0, 900.0])],
        MRFOVGeometrySequence=[item(InPlanePhaseEncodingDirection="COLUMN")],
        MRImagingModifierSequence=[item(PixelBandwidth=300, TransmitterFrequency=123.25)],
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=3, SpacingBetweenSlices=3.5)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    frames = [
        item(
            MREchoSequence=[item(EffectiveEchoTime=12.5)],
            MRImageFrameTypeSequence=[item(FrameType=["ORIGINAL", "PRIMARY", "PERFUSION", "NONE"])],
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 3.5 * index])],
        )
        for index in range(DEPTH)
    ]
    dataset = image(
        0,
        Modality="MR",
        NumberOfFrames=DEPTH,
        SliceThickness=None,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )
    write(dataset, tmp_path / "in.dcm")
    _, metadata = convert(tmp_path / "in.dcm", tmp_path / "out")
    expected = {
        "RepetitionTime": 1.5,
        "FlipAngle": 60,
        "EchoTrainLength": 5,
        "InversionTime": 0.8,
        "PhaseEncodingAxis": "j",
        "PixelBandwidth": 300,
        "ImagingFrequency": 123.25,
        "SliceThickness": 3,
        "SpacingBetweenSlices": 3.5,
        "EchoTime": 0.0125,
        "ImageType": ["ORIGINAL", "PRIMARY", "PERFUSION", "NONE"],
    }
    assert {key: metadata.get(key) for key in expected} == expected


@pytest.mark.parametrize(("positive", "sign"), [("1", ""), ("0", "-")])
@pytest.mark.parametrize(("keyword", "axis"), [("ROW", "i"), ("COL", "j")])
def test_phase_encoding_direction_of_siemens_is_relative_to_the_array(
    tmp_path: Path, keyword: str, axis: str, positive: str, sign: str
) -> None:
    def change(dataset: Dataset, *_: int) -> None:
        header = csa_header({"PhaseEncodingDirectionPositive": [positive]})
        dataset.private_block(0x29, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", header)

    slices(tmp_path / "in", change, Manufacturer="SIEMENS", InPlanePhaseEncodingDirection=keyword)
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata["PhaseEncodingDirection"] == axis + sign


def ge_user_data(*, flags: int, order: int, version: float, is_echo_planar: bool = True) -> bytes:
    """Return the record (0043,xx2A) with its known fields."""
    start, shift = 100, 0x4C if version >= 25.002 else 0
    data = bytearray(2000)
    struct.pack_into("<H", data, 24, start)
    struct.pack_into("<f", data, start, version)
    struct.pack_into("<h", data, start + shift + 0x30, flags)
    struct.pack_into("<h", data, start + shift + 0x3A, 0x800 if is_echo_planar else 0)
    struct.pack_into("<h", data, start + shift + 0x394 - (0x8C if shift else 0), order)
    return bytes(data)


@pytest.mark.parametrize("version", [20.0, 27.0])
@pytest.mark.parametrize(("flags", "order", "expected"), [(0, 0, "j"), (4, 0, "j-"), (0, 2, "j-"), (4, 2, "j")])
def test_phase_encoding_direction_of_ge(tmp_path: Path, flags: int, order: int, expected: str, version: float) -> None:
    def change(dataset: Dataset, *_: int) -> None:
        record = ge_user_data(flags=flags, order=order, version=version)
        dataset.private_block(0x43, "GEMS_PARM_01", create=True).add_new(0x2A, "OB", record)

    slices(tmp_path / "in", change, Manufacturer="GE MEDICAL SYSTEMS", InPlanePhaseEncodingDirection="COL")
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata["PhaseEncodingDirection"] == expected


@pytest.mark.parametrize(
    "record",
    [b"", b"\0" * 30, b"\xff" * 2000, ge_user_data(flags=0, order=0, version=27.0, is_echo_planar=False)],
    ids=["empty", "short", "ones", "not echo-planar"],
)
def test_phase_encoding_of_ge_with_unknown_user_data_has_no_polarity(tmp_path: Path, record: bytes) -> None:
    def change(dataset: Dataset, *_: int) -> None:
        dataset.private_block(0x43, "GEMS_PARM_01", create=True).add_new(0x2A, "OB", record)

    slices(tmp_path / "in", change, Manufacturer="GE MEDICAL SYSTEMS", InPlanePhaseEncodingDirection="COL")
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata["PhaseEncodingAxis"] == "j"
    assert "PhaseEncodingDirection" not in metadata


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_slice_timing_of_mosaics_is_in_the_order_of_slices(tmp_path: Path, direction: float) -> None:
    times = [1100.0, 0.0, 1650.0, 550.0]
    for volume in range(VOLUMES):
        dataset = siemens_mosaic(stack(DEPTH), direction=direction, times=times, InstanceNumber=volume + 1)
        dataset.Manufacturer, dataset.RepetitionTime = "SIEMENS", 2200
        dataset.AcquisitionTime = f"1000{volume:02}"
        write(dataset, tmp_path / "in" / f"{volume}.dcm")
    header, metadata = convert(tmp_path / "in", tmp_path / "out")
    expected = [1.1, 0.0, 1.65, 0.55]
    assert metadata["SliceTiming"] == (expected if direction > 0 else expected[::-1])
    # Mosaics are 1 s apart according to Acquisition Time.
    assert header["pixdim"][4] == np.float32(2.2)


@pytest.mark.parametrize("manufacturer", ["SIEMENS", "UIH"])
def test_slice_timing_of_single_slices_is_that_of_acquisition_times(tmp_path: Path, manufacturer: str) -> None:
    offsets = [1.0, 0.0, 1.5, 0.5]

    def change(dataset: Dataset, index: int, volume: int) -> None:
        # The first volume is acquired around midnight.
        seconds = 59.25 + 2 * volume + offsets[index]
        dataset.AcquisitionTime = f"2359{seconds:05.2f}" if seconds < 60 else f"0000{seconds - 60:05.2f}"

    slices(tmp_path / "in", change, Manufacturer=manufacturer)
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata["SliceTiming"] == offsets


def siemens_frame(time: float, positive: int) -> Dataset:
    """Return an item with private elements of XA software: Time After Start, and polarity of the phase encoding."""
    inner = Dataset()
    block = inner.private_block(0x21, "SIEMENS MR SDI 02", create=True)
    block.add_new(0x04, "DS", f"{time:.4f}")
    block.add_new(0x1C, "IS", positive)
    outer = Dataset()
    outer.private_block(0x21, "SIEMENS MR SDI 02", create=True).add_new(0xFE, "SQ", Sequence([inner]))
    return outer


@pytest.mark.parametrize("is_enhanced", [False, True])
def test_siemens_xa_images_have_slice_timing_of_the_second_volume(tmp_path: Path, is_enhanced: bool) -> None:
    offsets = [[0.0, 0.0, 0.0, 0.0], [3.0, 2.0, 3.5, 2.5], [5.0, 4.0, 5.5, 4.5]]
    common = {"Manufacturer": "Siemens Healthineers", "InPlanePhaseEncodingDirection": "COL"}
    if is_enhanced:
        frames = []
        for volume in range(VOLUMES):
            for index in range(DEPTH):
                frame = siemens_frame(offsets[volume][index], 0)
                frame.PlanePositionSequence = [item(ImagePositionPatient=[0, 0, 2.5 * index])]
                frame.FrameContentSequence = [item(TemporalPositionIndex=volume + 1)]
                frames.append(frame)
        shared = item(PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])])
        groups = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": frames}
        attributes: dict[str, Any] = {"Modality": "MR", "MRAcquisitionType": "2D", "RepetitionTime": 2000}
        dataset = image(0, NumberOfFrames=len(frames), **attributes, **common, **groups)
        write(dataset, tmp_path / "in" / "a.dcm")
    else:

        def change(dataset: Dataset, index: int, volume: int) -> None:
            dataset.update(siemens_frame(offsets[volume][index], 0))

        slices(tmp_path / "in", change, **common)
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata["SliceTiming"] == [1.0, 0.0, 1.5, 0.5]
    assert metadata["PhaseEncodingDirection"] == "j-"


def test_slice_timing_beyond_the_repetition_time_is_left_out(tmp_path: Path) -> None:
    def change(dataset: Dataset, index: int, volume: int) -> None:
        dataset.AcquisitionTime = f"10{volume:02}{10 * index:02}"

    slices(tmp_path / "in", change, Manufacturer="SIEMENS")
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert "SliceTiming" not in metadata


def ge_protocol(**values: str) -> bytes:
    text = "".join(f'set {name} "{value}"\n' for name, value in values.items()).encode()
    packed = gzip.compress(text)
    return struct.pack("<I", len(packed)) + packed


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ({"IOPT": "EPI, FMRI", "SLICEORDER": "1"}, [0.0, 1.0, 0.5, 1.5]),
        ({"IOPT": "EPI, FMRI", "SLICEORDER": "0"}, [0.0, 0.5, 1.0, 1.5]),
        ({"IOPT": "EPI, MPh", "SLICEORDER": "0"}, [0.0, 1.0, 0.5, 1.5]),
        ({"IOPT": "EPI, FMRI", "SLICEORDER": "0", "MBACCEL": "2"}, None),
        ({"IOPT": "FAST"}, None),
    ],
    ids=["interleaved", "sequential", "multi-phase", "simultaneous", "other"],
)
def test_slice_timing_of_ge_is_that_of_the_protocol(
    tmp_path: Path, protocol: dict[str, str], expected: list[float] | None, is_reversed: bool
) -> None:
    def change(dataset: Dataset, *_: int) -> None:
        dataset.private_block(0x25, "GEMS_SERS_01", create=True).add_new(0x1B, "OB", ge_protocol(**protocol))

    slices(tmp_path / "in", change, is_reversed=is_reversed, Manufacturer="GE MEDICAL SYSTEMS")
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata.get("SliceTiming") == (expected and list(expected[::-1] if is_reversed else expected))


@pytest.mark.parametrize(("delay", "expected"), [(0.033, 2.033), (3.0, 5.0), (0.0, 2.0), (-1.0, 2.0), (np.nan, 2.0)])
def test_repetition_time_of_ge_includes_the_group_delay(tmp_path: Path, delay: float, expected: float) -> None:
    def change(dataset: Dataset, _index: int, _volume: int) -> None:
        dataset.private_block(0x43, "GEMS_PARM_01", create=True).add_new(0x7C, "FL", delay)
        protocol = ge_protocol(IOPT="EPI, FMRI", SLICEORDER="1")
        dataset.private_block(0x25, "GEMS_SERS_01", create=True).add_new(0x1B, "OB", protocol)

    slices(tmp_path / "in", change, Manufacturer="GE MEDICAL SYSTEMS")
    header, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata["RepetitionTime"] == pytest.approx(expected, rel=1e-6)
    assert header["pixdim"][4] == pytest.approx(expected, rel=1e-6)
    # Slices are distributed over the time without the pause.
    assert metadata["SliceTiming"] == pytest.approx([0.0, 1.0, 0.5, 1.5])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1f\x8b", b"\0" * 4 + b"\x1f\x8bxxxx", ge_protocol(IOPT="FMRI")[:20]],
    ids=["none", "magic", "bad", "cut"],
)
def test_slice_timing_of_ge_with_a_damaged_protocol_is_left_out(tmp_path: Path, data: bytes) -> None:
    def change(dataset: Dataset, *_: int) -> None:
        dataset.private_block(0x25, "GEMS_SERS_01", create=True).add_new(0x1B, "OB", data)

    slices(tmp_path / "in", change, Manufacturer="GE MEDICAL SYSTEMS")
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert "SliceTiming" not in metadata


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, 2.0),
        ({"RepetitionTime": None}, None),
        ({"TemporalPositionIdentifier": None, "axis": "TriggerTime"}, 0.25),
        ({"TemporalPositionIdentifier": None, "axis": "AcquisitionTime"}, 2.0),
        ({"TemporalPositionIdentifier": None, "axis": "AcquisitionTime", "RepetitionTime": None}, 3.0),
        ({"TemporalPositionIdentifier": None, "axis": "AcquisitionTime", "MRAcquisitionType": "3D"}, 3.0),
        ({"TemporalPositionIdentifier": None, "axis": "FrameReferenceTime", "RepetitionTime": None}, 0.5),
    ],
    ids=["repetition", "unknown", "trigger", "acquisition 2-D", "no repetition", "acquisition 3-D", "frame"],
)
def test_step_of_the_fourth_axis_is_in_seconds(
    tmp_path: Path, attributes: dict[str, Any], expected: float | None
) -> None:
    attributes = dict(attributes)
    axis = attributes.pop("axis", None)

    def change(dataset: Dataset, index: int, volume: int) -> None:
        if axis is not None:
            values = {
                "TriggerTime": 250 * volume + index,
                "AcquisitionTime": f"1000{3 * volume:02}",
                "FrameReferenceTime": 500 * volume,
            }
            setattr(dataset, axis, values[axis])

    slices(tmp_path / "in", change, **attributes)
    header, _ = convert(tmp_path / "in", tmp_path / "out")
    assert header["pixdim"][4] == np.float32(expected or 1.0)
    assert header.get_xyzt_units() == ("mm", "unknown" if expected is None else "sec")


def test_repetition_time_of_segmented_3d_acquisitions_is_that_of_volumes(tmp_path: Path) -> None:
    def change(dataset: Dataset, index: int, volume: int) -> None:
        dataset.AcquisitionTime = f"1000{12 * volume:02}"

    slices(tmp_path / "in", change, TemporalPositionIdentifier=None, MRAcquisitionType="3D")
    header, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert (metadata["RepetitionTime"], metadata["RepetitionTimeExcitation"]) == (12.0, 2.0)
    assert header["pixdim"][4] == 12.0


def test_echo_times_along_the_fourth_axis_are_a_list(tmp_path: Path) -> None:
    def change(dataset: Dataset, index: int, volume: int) -> None:
        dataset.EchoTime = [4.6, 7.06, 9.52][volume]

    slices(tmp_path / "in", change, TemporalPositionIdentifier=None)
    _, metadata = convert(tmp_path / "in", tmp_path / "out")
    assert metadata["EchoTime"] == [0.0046, 0.00706, 0.00952]
