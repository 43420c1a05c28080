"""Tables of JPEG Lossless: from a codestream, from a file, from a data set and of many frames.

Throughput counts two bytes per sample at every precision. It depends on the machine as much as on the decoder, so
targets are ratios.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import JPEGLossless

import dicoxide
import generated_datasets
from corpus_jpeg import generated_frame, real_frames
from dicoxide.bench import DECODERS, DICOXIDE, _images
from dicoxide.bench._decoders import Call, Imagecodecs, LoadedCase, SimpleItk
from frame_timing import DecoderVariant, missing_reason, time_frames
from tables_frames import check_equal
from targets import Table, Target
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]
# A ratio of medians, and of minimum times.
Ratios = tuple[float, float]
FrameTimes = MedianTimes[tuple[int, DecoderVariant]]


class ImagecodecsFunction(Imagecodecs):
    """Another decoder of imagecodecs than the one that `dicoxide.bench` uses, which is the fastest."""

    def __init__(self, function: str) -> None:
        self._function = function

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        import imagecodecs

        decode = getattr(imagecodecs, self._function)
        return partial(decode, loaded.frame, out=loaded.out(level) if variant else None)


class StoredSimpleItk(SimpleItk):
    """SimpleITK without conversion to float32, for files without rescale: it returns stored values."""

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        import SimpleITK

        path = loaded.case.path
        return lambda: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))


DICOXIDE_CODEC = DecoderVariant("dicoxide", DECODERS[DICOXIDE], variant="out=")
LIBJPEG_TURBO = DecoderVariant("libjpeg-turbo", DECODERS["imagecodecs"])
LIBJPEG_TURBO_VARIANTS = (
    LIBJPEG_TURBO,
    DecoderVariant("libjpeg-turbo out=", DECODERS["imagecodecs"], variant="out="),
)
COMPARED_WITH_LIBJPEG_TURBO = (DICOXIDE_CODEC, *LIBJPEG_TURBO_VARIANTS)
# From the bytes of a frame to an array.
OTHER_CODECS = (
    LIBJPEG_TURBO,
    DecoderVariant("liblj92", ImagecodecsFunction("ljpeg_decode"), variant="out="),
    DecoderVariant("jpegsof3", ImagecodecsFunction("jpegsof3_decode")),
    DecoderVariant("pylibjpeg-libjpeg", DECODERS["pylibjpeg"], module="libjpeg"),
)
DICOXIDE_READER = DecoderVariant("dicoxide", DECODERS[DICOXIDE], "file", "out=")
# From a file to an array. gdcm crashes at some precisions below 8 bits, which these tables do not contain.
OTHER_READERS = (
    DecoderVariant("gdcm", DECODERS["gdcm"], "file"),
    DecoderVariant("dicomsdl", DECODERS["dicomsdl"], "file", "out="),
    DecoderVariant("SimpleITK", StoredSimpleItk(), "file"),
)


def unavailable_reason(*variants: DecoderVariant) -> str | None:
    """Return why a table cannot be measured: no compiled extension, or a decoder is not installed; or None."""
    if dicoxide.capabilities()[JPEGLossless].decoder != "dicoxide":
        return f"the {dicoxide.backend} backend does not decode JPEG Lossless"
    return missing_reason(*variants)


def ratios_to_libjpeg_turbo(times: FrameTimes, index: int) -> Ratios:
    """Return run times of libjpeg-turbo, with or without `out=`, relative to dicoxide: medians and minimum times."""
    median, best = (
        min(seconds[index, variant] for variant in LIBJPEG_TURBO_VARIANTS) / seconds[index, DICOXIDE_CODEC]
        for seconds in (times, times.best)
    )
    return median, best


def geometric_mean(ratios: Sequence[Ratios]) -> list[float]:
    """Return the geometric means of medians and of minimum times."""
    return np.exp(np.log(np.array(ratios)).mean(0)).tolist()


def real(rounds: int) -> Table:
    """Real frames on one thread."""
    table = Table(
        "JPEG Lossless, real frame, reused out=, one thread (GB/s; libjpeg-turbo with or without out=, the faster)",
        ("frame", "bits", "SV", "bits/sample", "dicoxide", "libjpeg-turbo", "× libjpeg-turbo", "× best"),
    )
    table.skipped = unavailable_reason(*LIBJPEG_TURBO_VARIANTS)
    if table.skipped:
        return table
    frames = real_frames()
    times = time_frames(frames, COMPARED_WITH_LIBJPEG_TURBO, rounds, use_cpu_time=True)
    wg04_ratios, other_ratios = [], []
    for index, frame in enumerate(frames):
        ratios = ratios_to_libjpeg_turbo(times, index)
        (wg04_ratios if frame.is_wg04 else other_ratios).append(ratios)
        seconds = times[index, DICOXIDE_CODEC], min(times[index, variant] for variant in LIBJPEG_TURBO_VARIANTS)
        speeds = (frame.nominal_bytes / duration / 1e9 for duration in seconds)
        name = f"{frame.name} (WG04)" if frame.is_wg04 else frame.name
        columns = (name, str(frame.bits_stored), str(frame.selection_value), frame.bits_per_sample)
        table.rows.append((*columns, *speeds, *ratios))
    if wg04_ratios:
        mean, worst = geometric_mean(wg04_ratios), np.array(wg04_ratios).min(0).tolist()
        table.targets += [
            Target("JPEG Lossless, WG04 frames, geometric mean over libjpeg-turbo", mean[0], 5.0, mean[1]),
            Target("JPEG Lossless, worst WG04 frame over libjpeg-turbo", worst[0], 3.0, worst[1]),
        ]
    if other_ratios:
        worst = np.array(other_ratios).min(0).tolist()
        table.targets.append(
            Target("JPEG Lossless, worst other real frame over libjpeg-turbo", worst[0], 2.0, worst[1])
        )
    return table


def all_decoders(rounds: int) -> Table:
    """All installed decoders on real frames: codecs from bytes, readers from a file."""
    installed = {
        dicoxide_variant: [variant for variant in others if not variant.missing_reason()]
        for dicoxide_variant, others in ((DICOXIDE_CODEC, OTHER_CODECS), (DICOXIDE_READER, OTHER_READERS))
    }
    codec_names, reader_names = ([variant.name for variant in others] for others in installed.values())
    table = Table(
        "JPEG Lossless, every decoder, one thread (MB/s; × relative to the fastest other decoder)",
        ("frame", "dicoxide", *codec_names, "×", "dicoxide from a file", *reader_names, "×"),
    )
    table.skipped = unavailable_reason() or (None if codec_names else "no other codec is installed")
    if table.skipped:
        return table
    frames = real_frames()
    variants = [variant for first, others in installed.items() for variant in (first, *others)]
    times = time_frames(frames, variants, max(3, rounds // 6), use_cpu_time=True)
    for index, frame in enumerate(frames):
        row: list[str | float] = [frame.name]
        for dicoxide_variant, others in installed.items():
            for variant in (dicoxide_variant, *others):
                seconds = times.get((index, variant))
                row.append(frame.nominal_bytes / seconds / 1e6 if seconds else variant.failure(frame) or "")
            fastest = min((times[index, variant] for variant in others if (index, variant) in times), default=None)
            row.append(fastest / times[index, dicoxide_variant] if fastest else "")
        table.rows.append(tuple(row))
    for variant in installed[DICOXIDE_CODEC]:
        indices = [index for index in range(len(frames)) if (index, variant) in times]
        worst, best = (
            min(seconds[index, variant] / seconds[index, DICOXIDE_CODEC] for index in indices)
            for seconds in (times, times.best)
        )
        table.targets.append(Target(f"JPEG Lossless, worst frame over {variant.name}", worst, 2.0, best))
    return table


# Kind of frame, selection value, minimum ratio to libjpeg-turbo, and throughput to aim for in GB/s.
GENERATED: tuple[tuple[str, int, float | None, float | None], ...] = (
    *(("CT 512 × 512", selection_value, 5.0, 1.0) for selection_value in (1, 2, 3, 4, 5)),
    *(("CT 512 × 512", selection_value, None, 0.7) for selection_value in (6, 7)),
    ("CT 512 × 512, windowed to 8 bits", 1, 5.0, 1.0),
    ("MR 256 × 256", 1, 5.0, 1.0),
    ("XA 1024 × 1024", 1, 5.0, 1.0),
    ("CR 2140 × 1760", 1, None, 0.9),
    ("MG 4084 × 3328", 1, None, 0.9),
    ("noise 512 × 512", 1, None, 0.5),
    ("US 480 × 640 RGB", 1, 3.0, None),
    ("nearly constant 512 × 512", 1, 2.0, None),
)


def generated(rounds: int) -> Table:
    """Generated frames of all kinds, on one thread."""
    table = Table(
        "JPEG Lossless, generated frame, reused out=, one thread (decoded GB/s)",
        ("frame", "bits", "bits/sample", "dicoxide", "aim", "libjpeg-turbo", "× libjpeg-turbo", "× best"),
    )
    table.skipped = unavailable_reason(*LIBJPEG_TURBO_VARIANTS)
    if table.skipped:
        return table
    frames = [generated_frame(kind, selection_value) for kind, selection_value, _, _ in GENERATED]
    times = time_frames(frames, COMPARED_WITH_LIBJPEG_TURBO, rounds, use_cpu_time=True)
    for index, (frame, (kind, selection_value, min_ratio, aim)) in enumerate(zip(frames, GENERATED, strict=True)):
        name, ratios = f"{kind}, SV{selection_value}", ratios_to_libjpeg_turbo(times, index)
        turbo_seconds = min(times[index, variant] for variant in LIBJPEG_TURBO_VARIANTS)
        speed = frame.nominal_bytes / times[index, DICOXIDE_CODEC] / 1e9
        turbo_speed = frame.nominal_bytes / turbo_seconds / 1e9
        columns = (name, str(frame.bits_stored), frame.bits_per_sample)
        table.rows.append((*columns, speed, aim or "", turbo_speed, *ratios))
        if min_ratio is not None:
            table.targets.append(Target(f"JPEG Lossless, {name}, over libjpeg-turbo", ratios[0], min_ratio, ratios[1]))
    return table


# Code path, the environment variables that force it, and its minimum ratio to libjpeg-turbo.
CODE_PATHS: dict[str, tuple[dict[str, str], float | None]] = {
    "portable": ({"DICOXIDE_CPU": "portable"}, 3.0),
    "serial": ({"DICOXIDE_ENTROPY_MODE": "serial"}, None),
    "lanes": ({"DICOXIDE_ENTROPY_MODE": "lanes"}, None),
    "speculative": ({"DICOXIDE_ENTROPY_MODE": "speculative"}, None),
}


def code_path_ratios(rounds: int) -> list[tuple[str, float, Ratios]]:
    """Return name, throughput of dicoxide in GB/s and ratios of frames of several sizes.

    Runs in a process in which environment variables force a code path.
    """
    frames = [frame for frame in real_frames() if frame.is_wg04]
    frames += [generated_frame(kind) for kind in ("CT 512 × 512", "MR 256 × 256", "CR 2140 × 1760")]
    times = time_frames(frames, COMPARED_WITH_LIBJPEG_TURBO, rounds, use_cpu_time=True)
    return [
        (frame.name, frame.nominal_bytes / times[index, DICOXIDE_CODEC] / 1e9, ratios_to_libjpeg_turbo(times, index))
        for index, frame in enumerate(frames)
    ]


def code_paths(rounds: int) -> Table:
    """Each code path, in a process in which environment variables force it."""
    table = Table(
        "JPEG Lossless by code path, one thread (GB/s, and × libjpeg-turbo in the same process)",
        ("frame", *(title for path in CODE_PATHS for title in (path, "×"))),
    )
    table.skipped = unavailable_reason(*LIBJPEG_TURBO_VARIANTS)
    if table.skipped:
        return table
    command = [sys.executable, "-W", "ignore", str(Path(__file__)), str(max(3, rounds // 2))]
    rows: dict[str, list[str | float]] = {}
    for path, (variables, min_ratio) in CODE_PATHS.items():
        environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        measured = json.loads(subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout)
        for name, speed, ratios in measured:
            rows.setdefault(name, [name]).extend((speed, ratios[0]))
        mean = geometric_mean([ratios for *_, ratios in measured])
        rows.setdefault("geometric mean", ["geometric mean"]).extend(("", mean[0]))
        if min_ratio is not None:
            name = f"JPEG Lossless, {path}, geometric mean over libjpeg-turbo"
            table.targets.append(Target(name, mean[0], min_ratio, mean[1]))
    # The mean is the last row.
    table.rows += [tuple(rows[name]) for name in sorted(rows, key="geometric mean".__eq__)]
    return table


def plugin(rounds: int) -> Table:
    """`ds.pixel_array` with the plugin of dicoxide, and with other plugins."""
    table = Table(
        "ds.pixel_array of one JPEG Lossless frame, CT 512 × 512 (ms)",
        ("frame and plugin", "dicoxide", "other", "×", "× best"),
    )
    table.skipped = unavailable_reason(LIBJPEG_TURBO)
    if table.skipped:
        return table
    available = get_decoder(JPEGLossless).available_plugins
    min_ratios = {name: ratio for name, ratio in (("gdcm", 8.0), ("pylibjpeg", 12.0)) if name in available}
    frames = [frame for frame in real_frames() if frame.name == "CT1_JPLL"] + [generated_frame("CT 512 × 512")]
    with dicoxide.enabled():
        for frame in frames:
            ds = frame.dataset
            times = MedianTimes(
                time_alternately(
                    dict.fromkeys(("", *min_ratios), lambda ds=ds: ds.pixel_array),
                    rounds,
                    # Also discards the array that the data set has cached.
                    before=lambda plugin, ds=ds: ds.pixel_array_options(decoding_plugin=plugin),
                    check=lambda _, result, frame=frame: check_equal(frame.reference, result),
                    use_cpu_time=True,
                )
            )
            for other, min_ratio in min_ratios.items():
                name = f"ds.pixel_array after enable(), {frame.name}, over {other}"
                table.add_comparison(name, times, "", other, min_ratio)
    return table


@cache
def ct_series() -> tuple[Dataset, Array]:
    """Return a data set of 200 frames of 512 × 512, 12 bits, and its samples."""
    frames = generated_datasets.ct_frames(200)
    encode = generated_datasets.jpeg_lossless_12
    return generated_datasets.dataset(frames, jpeg_lossless=encode, bits_stored=12), frames


def series(rounds: int) -> Table:
    """Many frames: on all cores against pydicom, on one thread against libjpeg-turbo."""
    table = Table("JPEG Lossless, many frames (ms)", ("call", "dicoxide", "other", "×", "× best"))
    table.skipped = unavailable_reason(LIBJPEG_TURBO)
    if table.skipped:
        return table
    ds, frames = ct_series()
    few_rounds = max(3, rounds // 6)
    calls: dict[Any, Callable[[], object]] = {DICOXIDE: lambda: dicoxide.decode(ds)}
    for other in ("gdcm", "pylibjpeg"):
        if other in get_decoder(JPEGLossless).available_plugins:
            calls[other] = lambda other=other: pixel_array(ds, decoding_plugin=other)
    times = MedianTimes(time_alternately(calls, few_rounds, check=lambda _, result: check_equal(frames, result)))
    for other, min_ratio in (("gdcm", 25.0), ("pylibjpeg", None)):
        if other in calls:
            name = f"decode(ds), 200 × 512 × 512, all cores, over pydicom with {other}"
            table.add_comparison(name, times, DICOXIDE, other, min_ratio)
    speed, best_speed = _add_thread_rows(table, "200 × 512 × 512", ds, frames, few_rounds, 5.0, 1.9)
    table.rows.append(("the same on 1 thread in GB/s, and the aim", speed, 1.2, speed / 1.2, best_speed / 1.2))
    small = _images.nm(500)
    ds = generated_datasets.dataset(small, jpeg_lossless=generated_datasets.jpeg_lossless_12, bits_stored=12)
    _add_thread_rows(table, "500 × 64 × 64", ds, small, rounds, 5.0, None)
    large = generated_frame("MG 4084 × 3328")
    _add_thread_rows(table, "one frame of 4084 × 3328", large.dataset, large.reference, few_rounds, None, None)
    return table


def _add_thread_rows(
    table: Table,
    name: str,
    ds: Dataset,
    frames: Array,
    rounds: int,
    min_ratio_to_turbo: float | None,
    min_scaling: float | None,
) -> tuple[float, float]:
    """Add rows of one thread against libjpeg-turbo and of two threads against one.

    Returns
    -------
    tuple of float
        Throughput on one thread in GB/s, from the median and from the minimum time.
    """
    from imagecodecs import jpeg8_decode

    sources = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    out = np.zeros_like(frames)
    frame_outs = out if len(sources) > 1 else out[None]

    def turbo() -> Array:
        for index, src in enumerate(sources):
            jpeg8_decode(src, out=frame_outs[index])
        return out

    def time_calls(calls: Mapping[Any, Callable[[], Array]], use_cpu_time: bool) -> MedianTimes[Any]:
        return MedianTimes(
            time_alternately(
                calls,
                rounds,
                before=lambda _: out.fill(0xAAAA),
                check=lambda _, result: check_equal(frames, result),
                use_cpu_time=use_cpu_time,
            )
        )

    calls = {count: lambda count=count: dicoxide.decode(ds, out=out, threads=count) for count in (1, 2)}
    times = time_calls({1: calls[1], "turbo": turbo}, use_cpu_time=True)
    turbo_name = f"{name}, reused out=, 1 thread, over libjpeg-turbo frame by frame"
    table.add_comparison(turbo_name, times, 1, "turbo", min_ratio_to_turbo)
    scaling_times = time_calls(calls, use_cpu_time=False)
    table.add_comparison(f"{name}, reused out=, 2 threads over 1", scaling_times, 2, 1, min_scaling)
    return frames.size * 2 / times[1] / 1e9, frames.size * 2 / times.best[1] / 1e9


def fused_rescale(rounds: int) -> Table:
    """Decoding with rescale, against decoding alone."""
    table = Table("JPEG Lossless and rescale in one call (ms)", ("call", "with", "without", "× time", "× best"))
    table.skipped = unavailable_reason(LIBJPEG_TURBO)
    if table.skipped:
        return table
    multi_frame, frames = ct_series()
    encode = generated_datasets.jpeg_lossless_12
    single_frame = generated_datasets.dataset(frames[:1], jpeg_lossless=encode, bits_stored=12)
    del single_frame.NumberOfFrames
    for name, ds, stored, case_rounds in (
        ("512 × 512", single_frame, frames[0], rounds * 3),
        ("200 × 512 × 512", multi_frame, frames, max(5, rounds // 3)),
    ):
        values = stored.astype(np.float32) - 1024
        outs = {"stored": np.zeros_like(stored), "rescaled": np.zeros_like(values)}
        expected = {"stored": stored, "rescaled": values}
        times = MedianTimes(
            time_alternately(
                {
                    ("stored", "fresh"): lambda ds=ds: dicoxide.decode(ds),
                    ("rescaled", "fresh"): lambda ds=ds: dicoxide.decode(ds, rescale=True),
                    ("stored", "reused"): lambda ds=ds, outs=outs: dicoxide.decode(ds, out=outs["stored"]),
                    ("rescaled", "reused"): lambda ds=ds, outs=outs: dicoxide.decode(
                        ds, rescale=True, out=outs["rescaled"]
                    ),
                },
                case_rounds,
                check=lambda key, result, expected=expected: check_equal(expected[key[0]], result),
            )
        )
        for memory, call in (("fresh", "decode(ds, rescale=True)"), ("reused", "decode(ds, rescale=True, out=)")):
            ratio, best = (seconds["rescaled", memory] / seconds["stored", memory] for seconds in (times, times.best))
            label = f"{call} relative to decode(ds{', out=' if memory == 'reused' else ''}), {name}"
            milliseconds = times["rescaled", memory] * 1e3, times["stored", memory] * 1e3
            table.rows.append((label, *milliseconds, ratio, best))
            table.targets.append(Target(label, ratio, 1.25, best, is_maximum=True))
    return table


TABLES: dict[str, Callable[[int], Table]] = {
    "jpeg_lossless": real,
    "jpeg_lossless_decoders": all_decoders,
    "jpeg_lossless_generated": generated,
    "jpeg_lossless_paths": code_paths,
    "jpeg_lossless_pixel_array": plugin,
    "jpeg_lossless_series": series,
    "jpeg_lossless_rescale": fused_rescale,
}

if __name__ == "__main__":
    # `code_paths` starts this file.
    print(json.dumps(code_path_ratios(int(sys.argv[1]))))
