"""Headers of NIfTI files, read by NiBabel."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from dicoxide.bulk.runs._formats._nifti_header import RGB, NiftiHeader, header_bytes, header_size

nibabel = pytest.importorskip("nibabel")

SIGNS = [(x, y, z) for x in (1, -1) for y in (1, -1) for z in (1, -1)]


def read(header: NiftiHeader, size: int | None = None) -> Any:
    """Return NiBabel's image of a header that is followed by no samples."""
    data = header_bytes(header, size or header_size(header.shape))
    kind = nibabel.Nifti2Image if header_size(header.shape) == 544 else nibabel.Nifti1Image
    parsed = kind.header_class.from_fileobj(io.BytesIO(data))
    assert int(parsed["vox_offset"]) == len(data)
    return parsed


def make(**values: Any) -> NiftiHeader:
    defaults: dict[str, Any] = {
        "shape": (7, 5, 4),
        "dtype": np.dtype("<i2"),
        "zooms": (0.75, 0.5, 2.5),
        "has_time": False,
        "affine": None,
        "scaling": (1.0, 0.0),
        "description": "made",
    }
    return NiftiHeader(**defaults | values)


def rotation(seed: int) -> np.ndarray:
    """Return a random rotation matrix."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diagonal(r))
    q[:, 0] *= np.sign(np.linalg.det(q))
    return q


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8"])
@pytest.mark.parametrize("columns", [7, 32767, 32768])
def test_header_has_shape_type_zooms_and_scaling(dtype: str, columns: int) -> None:
    shape = (columns, 5, 4, 3)
    parsed = read(
        make(shape=shape, dtype=np.dtype(dtype), zooms=(0.75, 0.5, 2.5, 1.25), has_time=True, scaling=(2.0, -1024.0))
    )
    assert parsed.get_data_shape() == shape
    assert parsed.get_data_dtype() == np.dtype(dtype)
    assert parsed["bitpix"] == np.dtype(dtype).itemsize * 8
    assert parsed.get_zooms() == (0.75, 0.5, 2.5, 1.25)
    assert parsed.get_slope_inter() == (2.0, -1024.0)
    assert parsed.get_xyzt_units() == ("mm", "sec")
    assert parsed["descrip"].item() == b"made"


def test_header_of_colour_has_its_type() -> None:
    parsed = read(make(dtype=RGB))
    assert (parsed["datatype"], parsed["bitpix"]) == (128, 24)


def test_header_with_long_description_keeps_the_null_byte() -> None:
    data = header_bytes(make(description="é" * 100), 352)
    assert data[148:228] == b"?" * 79 + b"\0"


def test_header_of_removed_repetitions_keeps_version_and_size() -> None:
    data = header_bytes(make(shape=(7, 5, 4)), header_size((7, 5, 40000)))
    assert len(data) == 544
    assert data[:12] == (540).to_bytes(4, "little") + b"n+2\0\r\n\x1a\n"


@pytest.mark.parametrize("signs", SIGNS, ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_qform_and_sform_are_the_affine(seed: int, signs: tuple[int, int, int]) -> None:
    affine = np.eye(4)
    # Seeds 0 to 2 are half turns about an axis, where one component of the quaternion is 0.
    turn = rotation(seed) if seed > 2 else 2 * np.diag(np.eye(3)[seed]) - np.eye(3)
    affine[:3, :3] = turn * signs * (0.75, 0.5, 2.5)
    affine[:3, 3] = -10.25, 20.5, 300.125
    parsed = read(make(affine=affine))
    assert (parsed["qform_code"], parsed["sform_code"]) == (1, 1)
    np.testing.assert_allclose(parsed.get_sform(), affine, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(parsed.get_qform(), affine, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("shear", "code"), [(1e-7, 1), (1e-3, 0), (0.3, 0)])
def test_sheared_affine_has_a_qform_only_up_to_rounding(shear: float, code: int) -> None:
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    affine[1, 2] = 3 * shear
    parsed = read(make(affine=affine))
    assert (parsed["qform_code"], parsed["sform_code"]) == (code, 1)
    np.testing.assert_allclose(parsed.get_sform(), affine, rtol=1e-6)


def test_header_without_affine_has_no_codes() -> None:
    parsed = read(make())
    assert (parsed["qform_code"], parsed["sform_code"]) == (0, 0)
    assert parsed.get_zooms() == (0.75, 0.5, 2.5)
