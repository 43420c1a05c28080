"""Generated images of several modalities, with the entropy per sample of real images of their kind.

The speed of a lossless decoder depends on the size, precision and noise of an image, and not on its other content.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide._encode import jpeg_lossless_encode, jpegls_encode, rle_encode
from dicoxide.errors import UnsupportedError

__all__ = [
    "IMAGECODECS_SYNTAXES",
    "SYNTAXES",
    "cr",
    "ct",
    "mg",
    "mr",
    "nearly_constant",
    "nm",
    "noise",
    "us_rgb",
    "write_file",
    "xa",
]

# Names of the transfer syntaxes that `write_file` writes: by the encoders of dicoxide, and by imagecodecs.
SYNTAXES = ("native", "rle", "jpeg-lossless", "jpeg-ls")
IMAGECODECS_SYNTAXES = ("jpeg-2000", "htj2k")


def ct(count: int, rows: int = 512, columns: int = 512, *, seed: int = 1) -> Array:
    """Return computed tomography, (count, rows, columns) of 12 bits; all frames differ.

    Constant outside the field of view, noisy air, smooth tissue with noise, and sharp edges of bone.
    """
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j].astype(np.float32)
    frames = np.zeros((count, rows, columns), np.uint16)
    noise = random.standard_normal((rows, columns), np.float32)
    for index in range(count):
        position = index / max(1, count)
        body = (x / 0.85) ** 2 + (y / (0.55 + 0.1 * position)) ** 2 < 1
        lungs = ((np.abs(x) - 0.4) / 0.22) ** 2 + ((y + 0.05) / (0.4 - 0.2 * position)) ** 2 < 1
        spine = (x / 0.1) ** 2 + ((y - 0.35) / 0.1) ** 2 < 1
        vessel = ((x - 0.1 * position) / 0.16) ** 2 + ((y + 0.05) / 0.2) ** 2 < 1
        values = np.where(body, 1040 + 40 * np.cos(3 * x + 4 * position) * np.cos(2 * y), 24)
        values[lungs & body] = 180
        values[vessel] = 1220
        values[spine] = 1900
        # Shifting one noise field costs much less than generating noise for each frame.
        shifted = np.roll(noise, tuple(random.integers(0, rows, 2)), (0, 1))
        values += shifted * np.where(body, 14, 5)
        values[x**2 + y**2 > 1] = 0
        np.clip(values, 0, 4095, out=values)
        frames[index] = values
    return frames


def mr() -> Array:
    """Return magnetic resonance, (256, 256) of 12 bits: bright tissue in noise, without constant regions."""
    x, y = _grid(256, 256)
    tissue = np.where(x**2 / 0.6 + y**2 / 0.8 < 1, 900 + 500 * np.cos(5 * x) * np.cos(4 * y) * (1 - x**2 / 2), 30)
    return _noisy(tissue, 12, 12)


def nm(count: int) -> Array:
    """Return nuclear medicine, (count, 64, 64) of 12 bits: Poisson noise with low counts, most in the centre."""
    x, y = _grid(64, 64)
    random = np.random.default_rng(1)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)[:, None, None]
    rate = 0.4 + 40 * np.exp(-12 * ((x - 0.3 * np.cos(angles)) ** 2 + y**2)) + 12 * np.exp(-3 * (x**2 + y**2))
    counts: Array = random.poisson(rate).astype(np.uint16)
    return counts


def xa() -> Array:
    """Return angiography, (1024, 1024) of 10 bits: smooth, with dark vessels."""
    x, y = _grid(1024, 1024)
    vessels = 120 * (np.abs(np.sin(6 * x + 2 * np.sin(4 * y))) < 0.06)
    return _noisy(560 + 180 * np.cos(1.5 * x) * np.cos(1.2 * y) - vessels, 1.8, 10)


def cr() -> Array:
    """Return computed radiography, (2140, 1760) of 10 bits."""
    x, y = _grid(2140, 1760)
    ribs = 60 * (np.sin(24 * y + 3 * x**2) > 0.3) * (np.abs(x) < 0.7)
    return _noisy(420 + 260 * np.cos(2 * x) * np.cos(y) + ribs, 3.5, 10)


def mg() -> Array:
    """Return mammography, (4084, 3328) of 12 bits: half of it is constant air."""
    x, y = _grid(4084, 3328)
    breast = ((x + 1) / 1.2) ** 2 + (y / 0.85) ** 2 < 1
    values = _noisy(1400 + 500 * np.cos(4 * x) * np.cos(5 * y), 12, 12)
    values[~breast] = 0
    return values


def us_rgb() -> Array:
    """Return ultrasound, (480, 640, 3) of 8 bits: a grey speckled sector on black, with a coloured patch of flow."""
    x, y = _grid(480, 640)
    random = np.random.default_rng(1)
    depth = np.hypot(x, y + 1)
    sector = (depth < 1.9) & (np.abs(x) < 0.7 * (y + 1))
    coarse = random.rayleigh(1.0, (480, 320)).repeat(2, axis=1)
    speckle = np.where(sector, 55 * coarse * np.exp(-0.5 * depth) + 10, 0)
    colour = np.repeat(speckle[..., None], 3, axis=2)
    flow = sector & (x**2 + (y - 0.1) ** 2 < 0.03)
    colour[flow, 2] *= 0.3
    pixels: Array = np.clip(colour, 0, 255).astype(np.uint8)
    return pixels


def noise() -> Array:
    """Return noise, (512, 512) of 16 bits, with an entropy of more than 12 bits per sample."""
    return _noisy(np.full((512, 512), 32768.0), 1200, 16)


def nearly_constant() -> Array:
    """Return a mask, (512, 512) of 12 bits: flat with few edges and specks, less than 2 bits per sample encoded."""
    x, y = _grid(512, 512)
    random = np.random.default_rng(1)
    values = np.where(x**2 + y**2 < 0.4, 1000, 0).astype(np.uint16)
    values += random.random(values.shape) < 0.01
    return values


def write_file(path: str, frames: Array, bits_stored: int, syntax: str) -> None:
    """Write (frames, rows, columns[, samples]) as a DICOM file.

    `syntax` is one of `SYNTAXES` or `IMAGECODECS_SYNTAXES`. Raises `UnsupportedError` if its encoder is not installed.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import (
        UID,
        ExplicitVRLittleEndian,
        HTJ2KLossless,
        JPEG2000Lossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        RLELossless,
        SecondaryCaptureImageStorage,
        generate_uid,
    )

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape[:3]
    ds.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    colour = "YBR_RCT" if syntax in IMAGECODECS_SYNTAXES else "RGB"
    ds.PhotometricInterpretation = colour if frames.ndim == 4 else "MONOCHROME2"
    if frames.ndim == 4:
        ds.PlanarConfiguration = 0
    else:
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "-1024", "HU"
    ds.BitsAllocated = frames.dtype.itemsize * 8
    if syntax == "htj2k":
        # The precision that imagecodecs writes.
        bits_stored = ds.BitsAllocated
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits_stored, bits_stored - 1, 0
    if syntax == "native":
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
        ds["PixelData"].VR = "OW" if frames.dtype.itemsize > 1 else "OB"
    else:
        encoders: dict[str, tuple[UID, Callable[[Array], bytes]]] = {
            "rle": (RLELossless, rle_encode),
            "jpeg-lossless": (JPEGLosslessSV1, partial(jpeg_lossless_encode, precision=bits_stored)),
            "jpeg-ls": (JPEGLSLossless, partial(jpegls_encode, precision=bits_stored)),
            "jpeg-2000": (JPEG2000Lossless, partial(_jpeg_2000_encode, precision=bits_stored)),
            "htj2k": (HTJ2KLossless, _htj2k_encode),
        }
        ds.file_meta.TransferSyntaxUID, encode = encoders[syntax]
        ds.PixelData = encapsulate([encode(frame) for frame in frames])
        ds["PixelData"].VR = "OB"
    ds.save_as(path, enforce_file_format=True)


def _jpeg_2000_encode(frame: Array, precision: int) -> bytes:
    """Encode without loss by OpenJPEG: 5/3 wavelet, colour transform."""
    encoded: bytes = _imagecodecs().jpeg2k_encode(frame, reversible=True, bitspersample=precision, codecformat="j2k")
    return encoded


def _htj2k_encode(frame: Array) -> bytes:
    """Encode without loss by OpenJPH: 5/3 wavelet, colour transform."""
    encoded: bytes = _imagecodecs().htj2k_encode(frame, reversible=True)
    return encoded


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError as error:
        raise UnsupportedError(f"imagecodecs is not installed: {error}") from error
    return imagecodecs


def _grid(rows: int, columns: int) -> tuple[Array, Array]:
    """Return coordinates x (1, columns) and y (rows, 1), from -1 to 1."""
    y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return x.astype(np.float32), y.astype(np.float32)


def _noisy(values: Array, sigma: float, bits: int) -> Array:
    """Return `values` with Gaussian noise, clipped to `bits` bits."""
    random = np.random.default_rng(1)
    noise = random.standard_normal(values.shape, np.float32)
    noisy: Array = np.clip(values + sigma * noise, 0, 2**bits - 1).astype(np.uint16)
    return noisy
