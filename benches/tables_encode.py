"""Tables of encoders: run time and compressed size; every result is decoded and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.pixels import get_encoder
from pydicom.uid import RLELossless

import dicoxide
import generated_datasets
from corpus_jpeg import generated_frame
from dicoxide.bench import DECODERS
from frame_timing import DecoderVariant, missing_reason
from tables_frames import PYLIBJPEG_RLE, check_equal
from tables_jpeg_lossless import LIBJPEG_TURBO, unavailable_reason
from targets import Table, Target
from timing import MedianTimes, time_alternately

CHARLS = DecoderVariant("CharLS", DECODERS["imagecodecs"])

Array = npt.NDArray[Any]
Encoder = Callable[[Array], bytes]


def _time_encoders(
    encoders: Mapping[str, Encoder], frame: Array, decode: Callable[[bytes], Array], rounds: int, near: int = 0
) -> tuple[MedianTimes[str], dict[str, int]]:
    """Return seconds and compressed bytes of each encoder; decoded samples differ by at most `near`."""
    calls = {name: lambda encode=encode: encode(frame) for name, encode in encoders.items()}
    sizes: dict[str, int] = {}

    def check(name: str, result: Any) -> None:
        if name not in sizes:
            decoded = decode(bytes(result))
            if near and decoded.shape == frame.shape and np.abs(decoded.astype(np.int64) - frame).max() <= near:
                decoded = frame
            check_equal(frame, decoded)
        sizes[name] = len(result)

    return MedianTimes(time_alternately(calls, rounds, check=check, use_cpu_time=True)), sizes


def jpeg_lossless(rounds: int) -> Table:
    """JPEG Lossless with predictor 6, which liblj92 always uses, and 1, the default; libjpeg-turbo for information."""
    table = Table(
        "JPEG Lossless, encode one frame (decoded MB/s)", ("frame and encoder", "MB/s", "KiB", "× liblj92", "× best")
    )
    table.skipped = unavailable_reason(LIBJPEG_TURBO)
    if table.skipped:
        return table
    from imagecodecs import jpeg8_decode, ljpeg_encode

    dicoxide_ratios, size_ratios = [], []
    for kind in ("CT 512 × 512", "MR 256 × 256", "XA 1024 × 1024", "CR 2140 × 1760"):
        frame = generated_frame(kind)
        precision = frame.bits_stored
        encoders: dict[str, Encoder] = {
            "dicoxide, SV6": lambda arr, bits=precision: dicoxide.jpeg_lossless_encode(arr, 6, precision=bits),
            "dicoxide, SV1": lambda arr, bits=precision: dicoxide.jpeg_lossless_encode(arr, precision=bits),
            "liblj92, SV6": lambda arr, bits=precision: ljpeg_encode(arr, bitspersample=bits),
            "libjpeg-turbo, SV1": lambda arr, bits=precision: generated_datasets.jpeg_lossless_frame(arr, bits),
        }
        times, sizes = _time_encoders(encoders, frame.reference, jpeg8_decode, rounds)
        for name in encoders:
            ratios = [seconds["liblj92, SV6"] / seconds[name] for seconds in (times, times.best)]
            speed = frame.nominal_bytes / times[name] / 1e6
            table.rows.append((f"{kind}, {name}", speed, sizes[name] / 1024, *ratios))
            if name.startswith("dicoxide"):
                dicoxide_ratios.append(ratios)
        size_ratios.append(sizes["dicoxide, SV6"] / sizes["liblj92, SV6"])
    worst = np.array(dicoxide_ratios).min(0).tolist()
    table.targets += [
        Target("JPEG Lossless, encode, worst frame over liblj92", worst[0], 1.0, worst[1]),
        Target(
            "JPEG Lossless, encode, size relative to liblj92, same predictor, maximum",
            max(size_ratios),
            1.0,
            is_maximum=True,
        ),
    ]
    return table


def jpegls(rounds: int) -> Table:
    """JPEG-LS, lossless and near-lossless, with the precision of the element type, which imagecodecs always uses."""
    table = Table(
        "JPEG-LS, encode one frame (decoded MB/s)", ("frame and encoder", "MB/s", "KiB", "× CharLS", "× best")
    )
    table.skipped = missing_reason(CHARLS)
    if table.skipped:
        return table
    from imagecodecs import jpegls_decode, jpegls_encode

    # imagecodecs writes a SPIFF header before the frame header.
    spiff_header_bytes = 44
    size_ratios = []
    for near in (0, 2):
        name = f"NEAR {near}" if near else "lossless"
        frame_ratios = []
        for kind in ("CT 512 × 512", "MR 256 × 256", "XA 1024 × 1024", "CR 2140 × 1760", "US 480 × 640 RGB"):
            frame = generated_frame(kind)
            encoders: dict[str, Encoder] = {
                "dicoxide": lambda arr, near=near: dicoxide.jpegls_encode(arr, near),
                "CharLS": lambda arr, near=near: jpegls_encode(arr, near),
            }
            times, sizes = _time_encoders(encoders, frame.reference, jpegls_decode, rounds, near)
            sizes["CharLS"] -= spiff_header_bytes
            ratios = [seconds["CharLS"] / seconds["dicoxide"] for seconds in (times, times.best)]
            for encoder in encoders:
                speed = frame.nominal_bytes / times[encoder] / 1e6
                shown = ratios if encoder == "dicoxide" else [1.0, 1.0]
                table.rows.append((f"{kind}, {name}, {encoder}", speed, sizes[encoder] / 1024, *shown))
            frame_ratios.append(ratios)
            size_ratios.append(sizes["dicoxide"] / sizes["CharLS"])
        mean = np.exp(np.log(frame_ratios).mean(0)).tolist()
        table.targets.append(Target(f"JPEG-LS, encode, {name}, geometric mean over CharLS", mean[0], 1.2, mean[1]))
    table.targets.append(
        Target("JPEG-LS, encode, size relative to CharLS, maximum", max(size_ratios), 1.0, is_maximum=True)
    )
    return table


def rle(rounds: int) -> Table:
    """RLE encoding of a CT frame and a colour frame."""
    table = Table(
        "RLE, encode one frame (decoded MB/s)", ("frame and encoder", "MB/s", "KiB", "× of dicoxide", "× best")
    )
    table.skipped = missing_reason(PYLIBJPEG_RLE, LIBJPEG_TURBO)
    if table.skipped:
        return table
    from rle.utils import encode_array

    ratios_by_encoder: dict[str, list[list[float]]] = {}
    size_ratios = []
    pydicom_encoder = get_encoder(RLELossless)
    for kind in ("CT 512 × 512", "US 480 × 640 RGB"):
        frame = generated_frame(kind).reference
        attributes = _attributes(frame)
        encoders: dict[str, Encoder] = {
            "dicoxide": dicoxide.rle_encode,
            "pylibjpeg-rle": lambda arr, attributes=attributes: next(encode_array(arr, **attributes)),
            "pydicom": lambda arr, attributes=attributes: pydicom_encoder.encode(
                arr, encoding_plugin="pydicom", **attributes
            ),
        }

        def decode(src: bytes, frame: Array = frame) -> Array:
            return dicoxide.rle_decode(src, *frame.shape, bits_allocated=frame.itemsize * 8)

        # Few rounds, because pydicom's own encoder takes hundreds of times as long.
        times, sizes = _time_encoders(encoders, frame, decode, max(3, rounds // 6))
        for name in encoders:
            ratios = [seconds[name] / seconds["dicoxide"] for seconds in (times, times.best)]
            speed = frame.nbytes / times[name] / 1e6
            table.rows.append((f"{kind}, {name}", speed, sizes[name] / 1024, *ratios))
            if name != "dicoxide":
                ratios_by_encoder.setdefault(name, []).append(ratios)
                size_ratios.append(sizes["dicoxide"] / sizes[name])
    for name, encoder_ratios in ratios_by_encoder.items():
        worst = np.array(encoder_ratios).min(0).tolist()
        table.targets.append(Target(f"RLE, encode, worst frame over {name}", worst[0], 1.0, worst[1]))
    table.targets.append(
        Target("RLE, encode, size relative to other encoders, maximum", max(size_ratios), 1.0, is_maximum=True)
    )
    return table


def _attributes(frame: Array) -> dict[str, Any]:
    """Return the options of pydicom's encoders for a frame."""
    bits, samples = frame.itemsize * 8, frame.shape[2] if frame.ndim == 3 else 1
    attributes = {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "samples_per_pixel": samples,
        "bits_allocated": bits,
        "bits_stored": bits,
        "pixel_representation": 0,
        "number_of_frames": 1,
        "photometric_interpretation": "RGB" if samples == 3 else "MONOCHROME2",
    }
    return {**attributes, "planar_configuration": 0} if samples == 3 else attributes


TABLES: dict[str, Callable[[int], Table]] = {
    "jpeg_lossless_encode": jpeg_lossless,
    "jpegls_encode": jpegls,
    "rle_encode": rle,
}
