"""Tables of JPEG DCT: codestreams by kind, whole objects, the portable CPU level, files and pixel_array.

Every result is compared with that of libjpeg-turbo, sample by sample. Both decoders write into the same mapped array.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGBaseline8Bit

import corpus_jpeg_dct
import dicoxide
from codestream_timing import (
    TimedCodestream,
    add_levels,
    add_object,
    geometric_mean,
    mean_pair,
    mean_ratios,
    ratios_to_other,
    speeds,
    time_codestreams,
)
from corpus_jpeg_dct import JpegFrame, libjpeg_turbo
from dicoxide.bench import DECODERS
from frame_timing import DecoderVariant, missing_reason
from tables_frames import check_equal
from targets import Table, Target
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]
LIBJPEG_TURBO = DecoderVariant("libjpeg-turbo", DECODERS["imagecodecs"])

# Kinds of codestreams, whether to RGB, minimum ratio to libjpeg-turbo, and the ratio to aim for.
CLASSES: dict[str, tuple[tuple[str, ...], bool, float, float]] = {
    "12-bit extended": (("12 bits",), False, 3.0, 3.5),
    "8-bit gray": (("gray",), False, 2.0, 2.5),
    "4:4:4, 4:2:2, 4:2:0 to RGB": (("444", "422", "420"), True, 1.7, 2.0),
    "4:4:4, 4:2:2, 4:2:0 to components": (("444", "422", "420"), False, 1.7, 2.0),
    "4:4:0 to RGB": (("440",), True, 1.8, 2.2),
    "4:1:1 to RGB": (("411",), True, 1.8, 2.2),
    "4:4:0, 4:1:1 to components": (("440", "411"), False, 1.8, 2.2),
    "progressive": (("progressive",), True, 1.4, 1.8),
}
PORTABLE = (0.9, 1.2)


def unavailable_reason(*variants: DecoderVariant) -> str | None:
    """Return why a table cannot be measured: no compiled extension, or a decoder is not installed; or None."""
    if dicoxide.capabilities()[JPEGBaseline8Bit].decoder != "dicoxide":
        return f"the {dicoxide.backend} backend does not decode JPEG"
    return missing_reason(LIBJPEG_TURBO, *variants)


def timed(frame: JpegFrame, to_rgb: bool) -> TimedCodestream:
    """Return the calls that decode a frame."""
    is_rgb = to_rgb and frame.is_colour
    return TimedCodestream(
        frame.rgb if is_rgb else frame.reference,
        lambda out: dicoxide.decode_codestream(frame.src, out, to_rgb=is_rgb),
        lambda out: libjpeg_turbo(frame.src, out, to_rgb=is_rgb),
    )


def codestreams(rounds: int) -> Table:
    """Codestreams of each kind on one thread, into mapped memory."""
    table = Table(
        "JPEG DCT codestream, reused out=, one thread (decoded MB/s; mixed: all frames of the class in random order)",
        ("class and codestream", "KiB", "dicoxide", "libjpeg-turbo", "× libjpeg-turbo", "× best", "× mixed", "goal"),
    )
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    for name, (kinds, to_rgb, gate, goal) in CLASSES.items():
        frames = [frame for frame in corpus_jpeg_dct.frames() if frame.kind in kinds]
        if not frames:
            continue
        timed_frames = [timed(frame, to_rgb) for frame in frames]
        times = time_codestreams(timed_frames, rounds)
        mixed_times = time_codestreams(timed_frames, max(3, rounds // 2), mixed=True)
        ratios, best, mixed = map(ratios_to_other, (times, times.best, mixed_times))
        for index, frame in enumerate(frames):
            values = (
                *speeds(times, index, timed_frames[index].expected.nbytes),
                ratios[index],
                best[index],
                mixed[index],
            )
            table.rows.append((f"{name}: {frame.name}", f"{len(frame.src) >> 10}", *values, ""))
        mean, best_mean, mixed_mean = map(geometric_mean, (ratios, best, mixed))
        table.rows.append((f"{name}: geometric mean", "", "", "", mean, best_mean, mixed_mean, goal))
        table.targets.append(Target(f"JPEG DCT, {name}, over libjpeg-turbo", mean, gate, best_mean))
        if name == "progressive":
            target = "JPEG DCT, slowest progressive file over libjpeg-turbo"
            table.targets.append(Target(target, min(ratios), 1.0, min(best)))
    return table


def class_means(rounds: int) -> dict[str, tuple[float, float]]:
    """Return the geometric means of each class; runs in a process whose CPU level environment variables choose."""
    means = {}
    for name, (kinds, to_rgb, _, _) in CLASSES.items():
        frames = [frame for frame in corpus_jpeg_dct.frames() if frame.kind in kinds]
        if frames:
            means[name] = mean_ratios(time_codestreams([timed(frame, to_rgb) for frame in frames], rounds))
    return means


def levels(rounds: int) -> Table:
    """Each CPU level, in a process that environment variables restrict to it."""
    table = Table("JPEG DCT by CPU level (× libjpeg-turbo with AVX2)", ("class", "portable", "x86-64-v3"))
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    mean, best = mean_pair(add_levels(table, __file__, ("portable", "x86-64-v3"), rounds).values())
    table.rows.append(("geometric mean of classes (goal 1.2)", mean, ""))
    table.targets.append(Target("JPEG DCT, portable level, over libjpeg-turbo", mean, PORTABLE[0], best))
    return table


def objects(rounds: int) -> Table:
    """Whole objects: one thread against libjpeg-turbo frame by frame, two threads against one."""
    table = Table("JPEG DCT, whole objects, reused out= (ms)", ("call", "dicoxide", "other", "×", "× best"))
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    ratios = []
    for object_ in corpus_jpeg_dct.objects():
        by_turbo = ("libjpeg-turbo", libjpeg_turbo)
        ratios.append(add_object(table, object_, by_turbo, rounds, min_two_threads=1.9))
    mean, best = mean_pair(ratios)
    table.targets.append(Target("JPEG DCT, whole objects over libjpeg-turbo (goal 2.2)", mean, 1.8, best))
    return table


def files(rounds: int) -> Table:
    """A file to an array against dicomsdl, and `pixel_array` after `enable()` against pydicom with Pillow."""
    dicomsdl = DecoderVariant("dicomsdl", DECODERS["dicomsdl"], "file")
    table = Table("JPEG DCT, a file or a data set to an array (ms)", ("call", "dicoxide", "other", "×", "× best"))
    table.skipped = unavailable_reason(dicomsdl)
    if table.skipped:
        return table
    with tempfile.TemporaryDirectory() as folder:
        ratios = []
        for number, (name, ds, _) in enumerate(corpus_jpeg_dct.objects()):
            path = str(Path(folder, f"{number}.dcm"))
            ds.save_as(path, enforce_file_format=True)
            rgb = dicoxide.decode(ds)
            label = f"decode(path), {name}, over dicomsdl"
            if _finds_frames(path, rgb):
                times = _file_times(path, rgb, rounds)
                ratios.append(table.add_comparison(label, times, "dicoxide", "dicomsdl", None))
            else:
                table.rows.append((label, "", "error", "", ""))
            if "pillow" in get_decoder(JPEGBaseline8Bit).available_plugins:
                times = _pixel_array_times(ds, rgb, rounds)
                label = f"ds.pixel_array after enable(), {name}, over Pillow"
                table.add_comparison(label, times, "", "pillow", 2.0)
        mean, best = mean_pair(ratios)
        table.targets.append(Target("JPEG DCT, decode(path) over dicomsdl (goal 2)", mean, 1.5, best))
    return table


def _finds_frames(path: str, rgb: Array) -> bool:
    """Return True if dicomsdl finds all frames, which it does not without an offset table."""
    import dicomsdl

    try:
        dicomsdl.open(path).copyFrameData(len(rgb) - 1, np.empty_like(rgb[0]))
    except Exception:
        return False
    return True


def _file_times(path: str, rgb: Array, rounds: int) -> MedianTimes[str]:
    import dicomsdl

    def by_dicomsdl() -> Array:
        # The result has RGB, converted by libjpeg-turbo's factors.
        source = dicomsdl.open(path)
        out = np.empty_like(rgb)
        for index, frame in enumerate(out):
            source.copyFrameData(index, frame)
        return out

    def check(decoder: str, result: object) -> None:
        if decoder == "dicoxide":
            check_equal(rgb, result)
        elif not isinstance(result, np.ndarray) or np.abs(result.astype(int) - rgb).max() > 3:
            raise AssertionError("wrong result of dicomsdl")

    calls: dict[str, Callable[[], object]] = {
        "dicoxide": lambda: dicoxide.decode(path, threads=1),
        "dicomsdl": by_dicomsdl,
    }
    return MedianTimes(time_alternately(calls, rounds, check=check, use_cpu_time=True, seed=rounds))


def _pixel_array_times(ds: Dataset, rgb: Array, rounds: int) -> MedianTimes[str]:
    with dicoxide.enabled():
        return MedianTimes(
            time_alternately(
                dict.fromkeys(("", "pillow"), lambda: ds.pixel_array),
                max(3, rounds // 3),
                # Also discards the array that the data set has cached.
                before=lambda plugin: ds.pixel_array_options(decoding_plugin=plugin),
                check=lambda _, result: check_equal(rgb, result),
                use_cpu_time=True,
                seed=rounds,
            )
        )


TABLES: dict[str, Callable[[int], Table]] = {
    "jpeg_dct": codestreams,
    "jpeg_dct_levels": levels,
    "jpeg_dct_objects": objects,
    "jpeg_dct_files": files,
}

if __name__ == "__main__":
    # `levels` starts this file.
    print(json.dumps(class_means(int(sys.argv[1]))))
