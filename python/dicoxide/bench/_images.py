"""Generated images of several modalities, with the entropy per sample of real images of their kind.

The speed of a lossless decoder depends on the size, precision and noise of an image, and not on its other content.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dicoxide import _transfer_syntaxes as syntaxes
from dicoxide._arguments import Array
from dicoxide._encode import jpeg_lossless_encode, jpegls_encode, rle_encode
from dicoxide.errors import UnsupportedError
from dicoxide.plugins import enabled

__all__ = [
    "PEER_SYNTAXES",
    "SYNTAXES",
    "cr",
    "ct",
    "is_lossy",
    "mg",
    "mr",
    "nearly_constant",
    "nm",
    "noise",
    "us_rgb",
    "write_file",
    "xa",
]


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


class _Format(NamedTuple):
    """Encoding of generated images.

    `encode` takes all frames and Bits Stored, and returns the encoded frames, or one stream. `interpretation` is the
    Photometric Interpretation of colour. `fills_samples` is true if the encoder's precision is that of the samples.
    """

    transfer_syntax: str
    encode: Callable[[Array, int], list[bytes]]
    interpretation: str = "RGB"
    is_lossy: bool = False
    fills_samples: bool = False


def write_file(path: str, frames: Array, bits_stored: int, syntax: str) -> None:
    """Write (frames, rows, columns[, samples]) as a DICOM file.

    `syntax` is one of `SYNTAXES` or `PEER_SYNTAXES`. Raises `UnsupportedError` if its encoder is not installed, or does
    not encode such images.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape[:3]
    ds.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    ds.BitsAllocated = frames.dtype.itemsize * 8
    if syntax == "native":
        interpretation = "RGB"
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
        ds["PixelData"].VR = "OW" if frames.dtype.itemsize > 1 else "OB"
    else:
        uid, encode, interpretation, _, fills_samples = _FORMATS[syntax]
        bits_stored = ds.BitsAllocated if fills_samples else bits_stored
        ds.file_meta.TransferSyntaxUID = UID(uid)
        ds.PixelData = encapsulate(encode(frames, bits_stored))
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits_stored, bits_stored - 1, 0
    ds.PhotometricInterpretation = interpretation if frames.ndim == 4 else "MONOCHROME2"
    if frames.ndim == 4:
        ds.PlanarConfiguration = 0
    else:
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "-1024", "HU"
    # pydicom writes only transfer syntaxes that it knows; `enabled` adds the others.
    with enabled():
        if not ds.file_meta.TransferSyntaxUID.is_transfer_syntax:
            raise UnsupportedError(f"pydicom does not write transfer syntax {ds.file_meta.TransferSyntaxUID}")
        ds.save_as(path, enforce_file_format=True)


def _each(encode: Callable[..., bytes], **options: Any) -> Callable[[Array, int], list[bytes]]:
    """Return a function that encodes frame by frame, without the precision."""
    return lambda frames, _: [encode(frame, **options) for frame in frames]


def _each_with_precision(encode: Callable[..., bytes], **options: Any) -> Callable[[Array, int], list[bytes]]:
    """Return a function that encodes frame by frame, with the precision."""
    return lambda frames, bits_stored: [encode(frame, precision=bits_stored, **options) for frame in frames]


def _deflate(frame: Array) -> bytes:
    import zlib

    return zlib.compress(frame.astype(frame.dtype.newbyteorder("<")).tobytes(), wbits=-15)


def _jpeg_encode(frame: Array) -> bytes:
    """Encode by libjpeg-turbo: baseline, colour differences at half the horizontal resolution."""
    if frame.dtype != np.uint8:
        raise UnsupportedError("JPEG Baseline has 8 bits")
    encoded: bytes = _imagecodecs().jpeg8_encode(frame, level=90, subsampling="422")
    return encoded


def _jpeg_2000_encode(frame: Array, precision: int, *, reversible: bool = True) -> bytes:
    """Encode by OpenJPEG: 5/3 wavelet without loss, or 9/7 wavelet; colour transform."""
    encoded: bytes = _imagecodecs().jpeg2k_encode(
        frame,
        level=None if reversible else 45 if precision <= 8 else 70,
        reversible=reversible,
        bitspersample=precision,
        codecformat="j2k",
    )
    return encoded


def _htj2k_encode(frame: Array) -> bytes:
    """Encode without loss by OpenJPH: 5/3 wavelet, colour transform."""
    encoded: bytes = _imagecodecs().htj2k_encode(frame, reversible=True)
    return encoded


def _jpeg_xl_encode(frame: Array, precision: int, *, distance: float = 0) -> bytes:
    """Encode by libjxl: without loss if the distance is 0."""
    encoded: bytes = _imagecodecs().jpegxl_encode(
        frame, lossless=distance == 0, distance=distance, effort=4, bitspersample=precision
    )
    return encoded


def _h264_encode(frames: Array, _: int) -> list[bytes]:
    """Encode by FFmpeg: one stream of all frames, 4:2:0."""
    if frames.ndim != 4 or frames.dtype != np.uint8:
        raise UnsupportedError("H.264 is generated of RGB frames")
    try:
        import av
    except ImportError as error:
        raise UnsupportedError(f"PyAV is not installed: {error}") from error
    stream = io.BytesIO()
    with av.open(stream, "w", format="mpegts") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "qp": "20"})
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(video.encode(None))
    return [stream.getvalue()]


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError as error:
        raise UnsupportedError(f"imagecodecs is not installed: {error}") from error
    return imagecodecs


# Formats by name: those that dicoxide and the standard library encode, and those that other packages encode.
_OWN_FORMATS = {
    "rle": _Format(syntaxes.RLE_LOSSLESS, _each(rle_encode)),
    "deflated": _Format(syntaxes.DEFLATED_IMAGE_FRAME, _each(_deflate)),
    "jpeg-lossless": _Format(syntaxes.JPEG_LOSSLESS_SV1, _each_with_precision(jpeg_lossless_encode)),
    "jpeg-ls": _Format(syntaxes.JPEG_LS_LOSSLESS, _each_with_precision(jpegls_encode)),
}
_PEER_FORMATS = {
    "jpeg": _Format(syntaxes.JPEG_BASELINE, _each(_jpeg_encode), "YBR_FULL_422", is_lossy=True),
    "jpeg-ls-near": _Format(syntaxes.JPEG_LS_NEAR_LOSSLESS, _each_with_precision(jpegls_encode, near=2), is_lossy=True),
    "jpeg-2000": _Format(syntaxes.JPEG_2000_LOSSLESS, _each_with_precision(_jpeg_2000_encode), "YBR_RCT"),
    "jpeg-2000-lossy": _Format(
        syntaxes.JPEG_2000, _each_with_precision(_jpeg_2000_encode, reversible=False), "YBR_ICT", is_lossy=True
    ),
    "htj2k": _Format(syntaxes.HTJ2K_LOSSLESS, _each(_htj2k_encode), "YBR_RCT", fills_samples=True),
    "jpeg-xl": _Format(syntaxes.JPEG_XL_LOSSLESS, _each_with_precision(_jpeg_xl_encode)),
    "jpeg-xl-lossy": _Format(syntaxes.JPEG_XL, _each_with_precision(_jpeg_xl_encode, distance=1.0), is_lossy=True),
    "h264": _Format("1.2.840.10008.1.2.4.102", _h264_encode, "YBR_PARTIAL_420", is_lossy=True),
}
_FORMATS = {**_OWN_FORMATS, **_PEER_FORMATS}
SYNTAXES = ("native", *_OWN_FORMATS)
"""Names that `write_file` takes for every image."""
PEER_SYNTAXES = tuple(_PEER_FORMATS)
"""Names of formats that take long to encode or decode, or that only other packages encode."""


def is_lossy(syntax: str) -> bool:
    """Return True if the samples of a file in the format `syntax` differ from those that were encoded."""
    return syntax in _FORMATS and _FORMATS[syntax].is_lossy


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
