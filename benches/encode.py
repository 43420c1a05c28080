"""Encoding: ours against the encoders that Python has, by time and by size; what comes out is decoded and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.pixels import get_encoder
from pydicom.uid import RLELossless

import dicoxide
import generated
from claims import Claim, Table
from clock import Times, in_turns
from corpus_jpeg import generated_frame
from decoders import missing
from jpeg_lossless import TURBO, lacking
from tables import PYLIBJPEG_RLE, equals

Array = npt.NDArray[Any]
Encoder = Callable[[Array], bytes]


def _race(
    encoders: Mapping[str, Encoder], frame: Array, decode: Callable[[bytes], Array], rounds: int
) -> tuple[Times[str], dict[str, int]]:
    """Seconds and bytes of each encoder."""
    calls = {name: lambda encode=encode: encode(frame) for name, encode in encoders.items()}
    sizes: dict[str, int] = {}

    def check(name: str, result: Any) -> None:
        if name not in sizes:
            equals(frame, decode(bytes(result)))
        sizes[name] = len(result)

    return Times(in_turns(calls, rounds, check=check, cpu=True)), sizes


def jpeg_lossless(rounds: int) -> Table:
    """With the predictor that liblj92 always takes, and with our default; libjpeg-turbo as information."""
    table = Table(
        "JPEG Lossless, encode one frame (decoded MB/s)", ("frame and encoder", "MB/s", "KiB", "× liblj92", "× best")
    )
    table.skipped = lacking(TURBO)
    if table.skipped:
        return table
    from imagecodecs import jpeg8_decode, ljpeg_encode

    speeds, sizes = [], []
    for kind in ("CT 512 × 512", "MR 256 × 256", "XA 1024 × 1024", "CR 2140 × 1760"):
        frame = generated_frame(kind)
        precision = frame.bits_stored
        encoders: dict[str, Encoder] = {
            "dicoxide, SV6": lambda arr, bits=precision: dicoxide.jpeg_lossless_encode(arr, 6, precision=bits),
            "dicoxide, SV1": lambda arr, bits=precision: dicoxide.jpeg_lossless_encode(arr, precision=bits),
            "liblj92, SV6": lambda arr, bits=precision: ljpeg_encode(arr, bitspersample=bits),
            "libjpeg-turbo, SV1": lambda arr, bits=precision: generated.jpeg_lossless_frame(arr, bits),
        }
        took, length = _race(encoders, frame.reference, jpeg8_decode, rounds)
        for name in encoders:
            ratios = [of["liblj92, SV6"] / of[name] for of in (took, took.best)]
            speed = frame.counted_bytes / took[name] / 1e6
            table.rows.append((f"{kind}, {name}", speed, length[name] / 1024, *ratios))
            if name.startswith("dicoxide"):
                speeds.append(ratios)
        sizes.append(length["dicoxide, SV6"] / length["liblj92, SV6"])
    worst = np.array(speeds).min(0).tolist()
    table.claims += [
        Claim("JPEG Lossless, encode, worst frame over liblj92", worst[0], 1.0, worst[1]),
        Claim("JPEG Lossless, encode, largest file of liblj92's, same predictor", max(sizes), 1.0, at_most=True),
    ]
    return table


def rle(rounds: int) -> Table:
    """A frame of CT, and of colour; pydicom's encoders by name."""
    table = Table("RLE, encode one frame (decoded MB/s)", ("frame and encoder", "MB/s", "KiB", "here is ×", "× best"))
    table.skipped = missing(PYLIBJPEG_RLE, TURBO)
    if table.skipped:
        return table
    from rle.utils import encode_array

    ratios_of: dict[str, list[list[float]]] = {}
    sizes = []
    encoder = get_encoder(RLELossless)
    for kind in ("CT 512 × 512", "US 480 × 640 RGB"):
        frame = generated_frame(kind).reference
        about = _attributes(frame)
        encoders: dict[str, Encoder] = {
            "dicoxide": dicoxide.rle_encode,
            "pylibjpeg-rle": lambda arr, about=about: next(encode_array(arr, **about)),
            "pydicom": lambda arr, about=about: encoder.encode(arr, encoding_plugin="pydicom", **about),
        }

        def decode(src: bytes, frame: Array = frame) -> Array:
            return dicoxide.rle_decode(src, *frame.shape, bits_allocated=frame.itemsize * 8)

        # pydicom's own takes hundreds of times as long.
        took, length = _race(encoders, frame, decode, max(3, rounds // 6))
        for name in encoders:
            ratios = [of[name] / of["dicoxide"] for of in (took, took.best)]
            speed = frame.nbytes / took[name] / 1e6
            table.rows.append((f"{kind}, {name}", speed, length[name] / 1024, *ratios))
            if name != "dicoxide":
                ratios_of.setdefault(name, []).append(ratios)
                sizes.append(length["dicoxide"] / length[name])
    for name, ratios in ratios_of.items():
        worst = np.array(ratios).min(0).tolist()
        table.claims.append(Claim(f"RLE, encode, worst frame over {name}", worst[0], 1.0, worst[1]))
    table.claims.append(Claim("RLE, encode, largest file of any peer's", max(sizes), 1.0, at_most=True))
    return table


def _attributes(frame: Array) -> dict[str, Any]:
    bits, samples = frame.itemsize * 8, frame.shape[2] if frame.ndim == 3 else 1
    about = {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "samples_per_pixel": samples,
        "bits_allocated": bits,
        "bits_stored": bits,
        "pixel_representation": 0,
        "number_of_frames": 1,
        "photometric_interpretation": "RGB" if samples == 3 else "MONOCHROME2",
    }
    return {**about, "planar_configuration": 0} if samples == 3 else about


TABLES: dict[str, Callable[[int], Table]] = {"jpeg_lossless_encode": jpeg_lossless, "rle_encode": rle}
