"""Headers of NIfTI-1 and NIfTI-2 files, and the 4 bytes after them, which indicate that no extension follows.

NIfTI-1 has 16-bit dimensions; arrays with more than 32 767 elements along an axis need NIfTI-2, whose header has the
same fields with wider types. Fields that are not written are 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dicoxide._arguments import Array

__all__ = ["RGB", "NiftiHeader", "header_bytes", "header_size"]

RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])

# Codes of sample types.
_DATA_TYPES = {
    np.dtype("u1"): 2,
    np.dtype("i2"): 4,
    np.dtype("i4"): 8,
    np.dtype("f4"): 16,
    np.dtype("f8"): 64,
    RGB: 128,
    np.dtype("i1"): 256,
    np.dtype("u2"): 512,
    np.dtype("u4"): 768,
    np.dtype("i8"): 1024,
    np.dtype("u8"): 1280,
}
_MAX_DIMENSION_1 = 32767
_MAX_DESCRIPTION_BYTES = 79
_EXTENSION_BYTES = 4
# Codes of mm, of seconds, and of the coordinate system of the scanner.
_MILLIMETRES, _SECONDS, _SCANNER = 2, 8, 1
# Axes whose cosine is larger are not orthogonal, so that the quaternion of the qform cannot describe them.
_ORTHOGONAL_TOLERANCE = 1e-5


def _layout(size: int, fields: dict[str, tuple[Any, int]]) -> np.dtype[Any]:
    formats, offsets = zip(*fields.values(), strict=True)
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": size})


# Type and byte offset of each field.
_NIFTI_1 = _layout(
    348,
    {
        "sizeof_hdr": ("<i4", 0),
        "regular": ("S1", 38),
        "dim": ("8<i2", 40),
        "datatype": ("<i2", 70),
        "bitpix": ("<i2", 72),
        "pixdim": ("8<f4", 76),
        "vox_offset": ("<f4", 108),
        "scl_slope": ("<f4", 112),
        "scl_inter": ("<f4", 116),
        "xyzt_units": ("u1", 123),
        "descrip": ("S80", 148),
        "qform_code": ("<i2", 252),
        "sform_code": ("<i2", 254),
        "quatern": ("3<f4", 256),
        "qoffset": ("3<f4", 268),
        "srow": ("(3,4)<f4", 280),
        "magic": ("S4", 344),
    },
)
_NIFTI_2 = _layout(
    540,
    {
        "sizeof_hdr": ("<i4", 0),
        "magic": ("S8", 4),
        "datatype": ("<i2", 12),
        "bitpix": ("<i2", 14),
        "dim": ("8<i8", 16),
        "pixdim": ("8<f8", 104),
        "vox_offset": ("<i8", 168),
        "scl_slope": ("<f8", 176),
        "scl_inter": ("<f8", 184),
        "descrip": ("S80", 240),
        "qform_code": ("<i4", 344),
        "sform_code": ("<i4", 348),
        "quatern": ("3<f8", 352),
        "qoffset": ("3<f8", 376),
        "srow": ("(3,4)<f8", 400),
        "xyzt_units": ("<i4", 500),
    },
)


class NiftiHeader(NamedTuple):
    """Values of a header.

    Attributes
    ----------
    shape : tuple of int
        (columns, rows, slices[, repetitions]).
    dtype : dtype
        Type of the samples; `RGB` for colour.
    zooms : tuple of float
        Distances of voxels along the axes, in mm and seconds.
    has_time : bool
        True if the fourth axis is in seconds; otherwise it has no unit.
    affine : ndarray or None
        4×4 matrix from indices to mm in RAS. Without it, the codes of sform and qform are 0.
    scaling : (float, float)
        Slope and intercept.
    description : str
        Text, of which 79 bytes are stored.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    zooms: tuple[float, ...]
    has_time: bool
    affine: Array | None
    scaling: tuple[float, float]
    description: str


def header_size(shape: tuple[int, ...]) -> int:
    """Return the number of bytes before the samples of an array of `shape`."""
    return _version(shape).itemsize + _EXTENSION_BYTES


def header_bytes(header: NiftiHeader, size: int) -> bytes:
    """Return the `size` bytes before the samples.

    `size` is that of the shape, or that of an array with more repetitions or slices.
    """
    layout = _NIFTI_1 if size == _NIFTI_1.itemsize + _EXTENSION_BYTES else _NIFTI_2
    fields = np.zeros((), layout)
    fields["sizeof_hdr"] = layout.itemsize
    if layout is _NIFTI_1:
        fields["magic"], fields["regular"] = b"n+1", b"r"
    else:
        fields["magic"] = b"n+2\0\r\n\032\n"
    dtype = header.dtype.newbyteorder("=")
    fields["datatype"], fields["bitpix"] = _DATA_TYPES[dtype], dtype.itemsize * 8
    rank = len(header.shape)
    fields["dim"] = [rank, *header.shape, *(1,) * (7 - rank)]
    fields["pixdim"] = [1.0, *header.zooms, *(1.0,) * (7 - rank)]
    fields["vox_offset"] = size
    fields["scl_slope"], fields["scl_inter"] = header.scaling
    fields["xyzt_units"] = _MILLIMETRES | (_SECONDS if header.has_time else 0)
    fields["descrip"] = header.description.encode("ascii", "replace")[:_MAX_DESCRIPTION_BYTES]
    if header.affine is not None:
        _set_affine(fields, header.affine)
    return fields.tobytes().ljust(size, b"\0")


def _version(shape: tuple[int, ...]) -> np.dtype[Any]:
    return _NIFTI_1 if max(shape) <= _MAX_DIMENSION_1 else _NIFTI_2


def _set_affine(fields: Array, affine: Array) -> None:
    """Write the sform, and the qform unless the axes are sheared: it has three rotations and no shear."""
    fields["sform_code"] = _SCANNER
    fields["srow"] = affine[:3]
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.abs(axes.T @ axes - np.eye(3)).max() > _ORTHOGONAL_TOLERANCE:
        return
    fields["qform_code"] = _SCANNER
    fields["qoffset"] = affine[:3, 3]
    # The quaternion describes a rotation; the sign of the third axis is in the first element of pixdim.
    if np.linalg.det(axes) < 0:
        axes[:, 2] = -axes[:, 2]
        fields["pixdim"][0] = -1.0
    fields["quatern"] = _quaternion(axes)


def _quaternion(rotation: Array) -> Array:
    """Return the last three components of the unit quaternion of a rotation; the first one is not negative.

    Four formulas are equivalent, each with a division by one component. The largest is at least 1/2.
    """
    r = rotation
    x, y, z = r[0, 0], r[1, 1], r[2, 2]
    # Four times the products of the components with each other.
    products = np.array(
        [
            [1 + x + y + z, r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], 1 + x - y - z, r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], 1 - x + y - z, r[1, 2] + r[2, 1]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 1 - x - y + z],
        ]
    )
    largest = int(np.argmax(np.diagonal(products)))
    quaternion = products[largest] / np.linalg.norm(products[largest])
    components: Array = quaternion[1:] if quaternion[0] >= 0 else -quaternion[1:]
    return components
