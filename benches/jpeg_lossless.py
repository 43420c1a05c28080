"""JPEG Lossless: ours against the peers, from a codestream, from a file, from a data set and from many frames.

GB/s counts two bytes a sample at every precision. It tells the machine as much as the decoder: targets are ratios.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import JPEGLossless

import dicoxide
import generated
from claims import Claim, Table
from clock import Times, in_turns
from corpus_jpeg import generated_frame, real_frames
from decoders import Decoder, from_frame_to_frame, missing
from dicoxide.bench import _images
from dicoxide.bench._decoders import DECODERS, Call, Imagecodecs, LoadedCase, SimpleItk
from tables import equals

Array = npt.NDArray[Any]
Ratios = tuple[float, float]


class OfImagecodecs(Imagecodecs):
    """Another decoder of the same package, slower than the one that the peer takes."""

    def __init__(self, function: str) -> None:
        self._function = function

    def bind(self, level: str, opened: LoadedCase, variant: str, threads: int) -> Call | None:
        import imagecodecs

        decode = getattr(imagecodecs, self._function)
        return partial(decode, opened.frame, out=opened.out(level) if variant else None)


class StoredSimpleItk(SimpleItk):
    """Of a file without rescale, what it gives are stored values; not asked for another type, it is faster."""

    def bind(self, level: str, opened: LoadedCase, variant: str, threads: int) -> Call | None:
        import SimpleITK

        path = opened.case.path
        return lambda: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))


DICOXIDE = Decoder("dicoxide", DECODERS["dicoxide"], variant="out=")
TURBO = Decoder("libjpeg-turbo", DECODERS["imagecodecs"])
TURBO_OUT = Decoder("libjpeg-turbo out=", DECODERS["imagecodecs"], variant="out=")
TURBOS = (TURBO, TURBO_OUT)
VS_TURBO = (DICOXIDE, *TURBOS)
CODECS = (
    TURBO,
    Decoder("liblj92", OfImagecodecs("ljpeg_decode"), variant="out="),
    Decoder("jpegsof3", OfImagecodecs("jpegsof3_decode")),
    Decoder("pylibjpeg-libjpeg", DECODERS["pylibjpeg"], module="libjpeg"),
)
"""From the bytes of a frame to an array."""
OURS_FILE = Decoder("dicoxide", DECODERS["dicoxide"], "file", "out=")
FILES = (
    Decoder("gdcm", DECODERS["gdcm"], "file"),
    Decoder("dicomsdl", DECODERS["dicomsdl"], "file", "out="),
    Decoder("SimpleITK", StoredSimpleItk(), "file"),
)
"""From a file to an array. gdcm ends the process at some precisions below 8, of which there are none here."""


def lacking(*peers: Decoder) -> str | None:
    """Why a table cannot be made: a peer is missing, or the core, which alone decodes JPEG Lossless."""
    if dicoxide.capabilities()[JPEGLossless].decoder != "dicoxide":
        return f"the {dicoxide.backend} backend does not decode JPEG Lossless"
    return missing(*peers)


def over_turbo(took: Times[tuple[int, Decoder]], index: int) -> Ratios:
    """How many times as fast as libjpeg-turbo, with or without `out=`: by medians, and by best times."""
    ratios = [min(of[index, turbo] for turbo in TURBOS) / of[index, DICOXIDE] for of in (took, took.best)]
    return ratios[0], ratios[1]


def geometric_mean(ratios: Sequence[Ratios]) -> list[float]:
    """Of medians and of bests."""
    return np.exp(np.log(np.array(ratios)).mean(0)).tolist()


def real(rounds: int) -> Table:
    """Whole calls on real frames, on one thread."""
    table = Table(
        "JPEG Lossless, real frame into warm out, one thread (GB/s; libjpeg-turbo with or without out=, the better)",
        ("frame", "bits", "SV", "bits/sample", "here", "libjpeg-turbo", "× libjpeg-turbo", "× best"),
    )
    table.skipped = lacking(*TURBOS)
    if table.skipped:
        return table
    frames = real_frames()
    took = from_frame_to_frame(frames, VS_TURBO, rounds, cpu=True)
    wg04, others = [], []
    for index, frame in enumerate(frames):
        ratios = over_turbo(took, index)
        (wg04 if frame.is_wg04 else others).append(ratios)
        seconds = took[index, DICOXIDE], min(took[index, turbo] for turbo in TURBOS)
        speeds = (frame.counted_bytes / some / 1e9 for some in seconds)
        name = f"{frame.name} (WG04)" if frame.is_wg04 else frame.name
        about = (name, str(frame.bits_stored), str(frame.selection_value), frame.bits_a_sample)
        table.rows.append((*about, *speeds, *ratios))
    if wg04:
        mean, worst = geometric_mean(wg04), np.array(wg04).min(0).tolist()
        table.claims += [
            Claim("JPEG Lossless, WG04 frames, geometric mean over libjpeg-turbo", mean[0], 5.0, mean[1]),
            Claim("JPEG Lossless, worst WG04 frame over libjpeg-turbo", worst[0], 3.0, worst[1]),
        ]
    if others:
        worst = np.array(others).min(0).tolist()
        table.claims.append(Claim("JPEG Lossless, worst other real frame over libjpeg-turbo", worst[0], 2.0, worst[1]))
    return table


def peers(rounds: int) -> Table:
    """Every other decoder that is installed, on the same frames: codecs from bytes, readers from a file."""
    found = {
        ours: [decoder for decoder in others if not decoder.missing()]
        for ours, others in ((DICOXIDE, CODECS), (OURS_FILE, FILES))
    }
    codecs, readers = ([decoder.name for decoder in some] for some in found.values())
    table = Table(
        "JPEG Lossless, every decoder, one thread (MB/s; × is over the quickest beside it)",
        ("frame", "here", *codecs, "×", "here from a file", *readers, "×"),
    )
    table.skipped = lacking() or (None if codecs else "no other codec is installed")
    if table.skipped:
        return table
    frames = real_frames()
    decoders = [decoder for ours, some in found.items() for decoder in (ours, *some)]
    took = from_frame_to_frame(frames, decoders, max(3, rounds // 6), cpu=True)
    for index, frame in enumerate(frames):
        row: list[str | float] = [frame.name]
        for ours, some in found.items():
            seconds = {decoder: took[index, decoder] for decoder in (ours, *some) if (index, decoder) in took}
            for decoder in (ours, *some):
                at = seconds.get(decoder)
                row.append(frame.counted_bytes / at / 1e6 if at else decoder.verdict(frame) or "")
            quickest = min((seconds[decoder] for decoder in some if decoder in seconds), default=None)
            row.append(quickest / seconds[ours] if quickest else "")
        table.rows.append(tuple(row))
    for decoder in found[DICOXIDE]:
        indices = [index for index in range(len(frames)) if (index, decoder) in took]
        worst, best = (min(of[index, decoder] / of[index, DICOXIDE] for index in indices) for of in (took, took.best))
        table.claims.append(Claim(f"JPEG Lossless, worst frame over {decoder.name}", worst, 2.0, best))
    return table


# Kind, selection value, how many times libjpeg-turbo, GB/s.
GOALS: tuple[tuple[str, int, float | None, float | None], ...] = (
    *(("CT 512 × 512", value, 5.0, 1.0) for value in (1, 2, 3, 4, 5)),
    *(("CT 512 × 512", value, None, 0.7) for value in (6, 7)),
    ("CT 512 × 512, as a window shows it", 1, 5.0, 1.0),
    ("MR 256 × 256", 1, 5.0, 1.0),
    ("XA 1024 × 1024", 1, 5.0, 1.0),
    ("CR 2140 × 1760", 1, None, 0.9),
    ("MG 4084 × 3328", 1, None, 0.9),
    ("noise 512 × 512", 1, None, 0.5),
    ("US 480 × 640 RGB", 1, 3.0, None),
    ("nearly constant 512 × 512", 1, 2.0, None),
)


def goals(rounds: int) -> Table:
    """Whole calls on generated frames of every kind, on one thread."""
    table = Table(
        "JPEG Lossless, generated frame into warm out, one thread (decoded GB/s)",
        ("frame", "bits", "bits/sample", "here", "goal", "libjpeg-turbo", "× libjpeg-turbo", "× best"),
    )
    table.skipped = lacking(*TURBOS)
    if table.skipped:
        return table
    frames = [generated_frame(kind, value) for kind, value, _, _ in GOALS]
    took = from_frame_to_frame(frames, VS_TURBO, rounds, cpu=True)
    for index, (frame, (kind, value, times, speed)) in enumerate(zip(frames, GOALS, strict=True)):
        name, ratios = f"{kind}, SV{value}", over_turbo(took, index)
        theirs = min(took[index, turbo] for turbo in TURBOS)
        speeds = (frame.counted_bytes / took[index, DICOXIDE] / 1e9, speed or "", frame.counted_bytes / theirs / 1e9)
        table.rows.append((name, str(frame.bits_stored), frame.bits_a_sample, *speeds, *ratios))
        if times is not None:
            table.claims.append(Claim(f"JPEG Lossless, {name}, over libjpeg-turbo", ratios[0], times, ratios[1]))
    return table


# What is forced on a process, and how many times as fast as libjpeg-turbo it has to be.
PATHS: dict[str, tuple[dict[str, str], float | None]] = {
    "portable": ({"DICOXIDE_CPU": "portable"}, 3.0),
    "serial": ({"DICOXIDE_ENTROPY_MODE": "serial"}, None),
    "lanes": ({"DICOXIDE_ENTROPY_MODE": "lanes"}, None),
    "speculative": ({"DICOXIDE_ENTROPY_MODE": "speculative"}, None),
}


def path_ratios(rounds: int) -> list[tuple[str, float, Ratios]]:
    """Name, our GB/s, and the ratios on frames of every size: to be called where an environment forces a path."""
    frames = [frame for frame in real_frames() if frame.is_wg04]
    frames += [generated_frame(kind) for kind in ("CT 512 × 512", "MR 256 × 256", "CR 2140 × 1760")]
    took = from_frame_to_frame(frames, VS_TURBO, rounds, cpu=True)
    return [
        (frame.name, frame.counted_bytes / took[index, DICOXIDE] / 1e9, over_turbo(took, index))
        for index, frame in enumerate(frames)
    ]


def paths(rounds: int) -> Table:
    """Each path in a process of its own, where an environment variable forces it."""
    table = Table(
        "JPEG Lossless by path, one thread (GB/s, and × libjpeg-turbo in the same process)",
        ("frame", *(title for path in PATHS for title in (path, "×"))),
    )
    table.skipped = lacking(*TURBOS)
    if table.skipped:
        return table
    code = f"import json, jpeg_lossless; print(json.dumps(jpeg_lossless.path_ratios({max(3, rounds // 2)})))"
    command = [sys.executable, "-W", "ignore", "-c", code]
    rows: dict[str, list[str | float]] = {}
    for path, (forced, target) in PATHS.items():
        variables = {**os.environ, **forced, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        measured = json.loads(subprocess.run(command, check=True, env=variables, stdout=subprocess.PIPE).stdout)
        for name, speed, ratios in measured:
            rows.setdefault(name, [name]).extend((speed, ratios[0]))
        mean = geometric_mean([ratios for *_, ratios in measured])
        rows.setdefault("geometric mean", ["geometric mean"]).extend(("", mean[0]))
        if target is not None:
            what = f"JPEG Lossless, {path}, geometric mean over libjpeg-turbo"
            table.claims.append(Claim(what, mean[0], target, mean[1]))
    table.rows += [tuple(rows[name]) for name in sorted(rows, key="geometric mean".__eq__)]
    return table


def plugin(rounds: int) -> Table:
    """`ds.pixel_array` with our plugin, against those that pydicom finds today."""
    table = Table(
        "ds.pixel_array of one JPEG Lossless frame, CT 512 × 512 (ms)",
        ("frame and plugin", "here", "theirs", "×", "× best"),
    )
    table.skipped = lacking(TURBO)
    if table.skipped:
        return table
    available = get_decoder(JPEGLossless).available_plugins
    rivals = {name: target for name, target in (("gdcm", 8.0), ("pylibjpeg", 12.0)) if name in available}
    found = [frame for frame in real_frames() if frame.name == "CT1_JPLL"] + [generated_frame("CT 512 × 512")]
    with dicoxide.enabled():
        for frame in found:
            ds = frame.dataset
            took = Times(
                in_turns(
                    dict.fromkeys(("", *rivals), lambda ds=ds: ds.pixel_array),
                    rounds,
                    # Also forgets the array of the call before.
                    before=lambda plugin, ds=ds: ds.pixel_array_options(decoding_plugin=plugin),
                    check=lambda _, result, frame=frame: equals(frame.reference, result),
                    cpu=True,
                )
            )
            for rival, target in rivals.items():
                what = f"ds.pixel_array after enable(), {frame.name}, over {rival}"
                table.race(what, took, "", rival, target)
    return table


@cache
def ct_series() -> tuple[Dataset, Array]:
    """200 frames of 512 × 512, 12 bits."""
    frames = generated.ct_frames(200)
    return generated.dataset(frames, jpeg_lossless=generated.jpeg_lossless_12, bits_stored=12), frames


def series(rounds: int) -> Table:
    """Many frames: on one thread against libjpeg-turbo, on all cores against pydicom."""
    table = Table("JPEG Lossless, many frames (ms)", ("what", "here", "theirs", "×", "× best"))
    table.skipped = lacking(TURBO)
    if table.skipped:
        return table
    ds, frames = ct_series()
    few = max(3, rounds // 6)
    calls: dict[Any, Callable[[], object]] = {"fresh": lambda: dicoxide.decode(ds)}
    for rival in ("gdcm", "pylibjpeg"):
        if rival in get_decoder(JPEGLossless).available_plugins:
            calls[rival] = lambda rival=rival: pixel_array(ds, decoding_plugin=rival)
    took = Times(in_turns(calls, few, check=lambda _, result: equals(frames, result)))
    for rival, target in (("gdcm", 25.0), ("pylibjpeg", None)):
        if rival in calls:
            what = f"decode(ds), 200 × 512 × 512, all cores, over pydicom with {rival}"
            table.race(what, took, "fresh", rival, target)
    speed, best = _one_and_two(table, "200 × 512 × 512", ds, frames, few, 5.0, 1.9)
    table.rows.append(("the same on 1 thread in GB/s, and the goal", speed, 1.2, speed / 1.2, best / 1.2))
    small = _images.nm(500)
    ds = generated.dataset(small, jpeg_lossless=generated.jpeg_lossless_12, bits_stored=12)
    _one_and_two(table, "500 × 64 × 64", ds, small, rounds, 5.0, None)
    large = generated_frame("MG 4084 × 3328")
    _one_and_two(table, "one frame of 4084 × 3328", large.dataset, large.reference, few, None, None)
    return table


def _one_and_two(
    table: Table, name: str, ds: Dataset, frames: Array, rounds: int, over_turbo: float | None, over_one: float | None
) -> tuple[float, float]:
    """Rows of one thread over libjpeg-turbo and of two threads over one; GB/s of one, by median and at best."""
    from imagecodecs import jpeg8_decode

    sources = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    out = np.zeros_like(frames)
    each = out if len(sources) > 1 else out[None]

    def turbo() -> Array:
        for index, src in enumerate(sources):
            jpeg8_decode(src, out=each[index])
        return out

    def race(calls: Mapping[Any, Callable[[], Array]], cpu: bool) -> Times[Any]:
        return Times(
            in_turns(
                calls,
                rounds,
                before=lambda _: out.fill(0xAAAA),
                check=lambda _, result: equals(frames, result),
                cpu=cpu,
            )
        )

    ours = {count: lambda count=count: dicoxide.decode(ds, out=out, threads=count) for count in (1, 2)}
    took = race({1: ours[1], "turbo": turbo}, cpu=True)
    table.race(f"{name}, warm out, 1 thread, over libjpeg-turbo frame by frame", took, 1, "turbo", over_turbo)
    both = race(ours, cpu=False)
    table.race(f"{name}, warm out, 2 threads over 1", both, 2, 1, over_one)
    return frames.size * 2 / took[1] / 1e9, frames.size * 2 / took.best[1] / 1e9


def fused(rounds: int) -> Table:
    """Rescale on the way out, against decoding alone."""
    table = Table("JPEG Lossless and rescale in one (ms)", ("what", "with", "without", "× time", "× best"))
    table.skipped = lacking(TURBO)
    if table.skipped:
        return table
    many, frames = ct_series()
    one = generated.dataset(frames[:1], jpeg_lossless=generated.jpeg_lossless_12, bits_stored=12)
    del one.NumberOfFrames
    for name, ds, stored, some in (
        ("512 × 512", one, frames[0], rounds * 3),
        ("200 × 512 × 512", many, frames, max(5, rounds // 3)),
    ):
        values = stored.astype(np.float32) - 1024
        outs = {"stored": np.zeros_like(stored), "rescaled": np.zeros_like(values)}
        expected = {"stored": stored, "rescaled": values}
        took = Times(
            in_turns(
                {
                    ("stored", "fresh"): lambda ds=ds: dicoxide.decode(ds),
                    ("rescaled", "fresh"): lambda ds=ds: dicoxide.decode(ds, rescale=True),
                    ("stored", "warm"): lambda ds=ds, outs=outs: dicoxide.decode(ds, out=outs["stored"]),
                    ("rescaled", "warm"): lambda ds=ds, outs=outs: dicoxide.decode(
                        ds, rescale=True, out=outs["rescaled"]
                    ),
                },
                some,
                check=lambda key, result, expected=expected: equals(expected[key[0]], result),
            )
        )
        for memory, call in (("fresh", "decode(ds, rescale=True)"), ("warm", "decode(ds, rescale=True, out=)")):
            longer, best = (of["rescaled", memory] / of["stored", memory] for of in (took, took.best))
            what = f"{call} over decode(ds{', out=' if memory == 'warm' else ''}), {name}"
            table.rows.append((what, took["rescaled", memory] * 1e3, took["stored", memory] * 1e3, longer, best))
            table.claims.append(Claim(what, longer, 1.25, best, at_most=True))
    return table


TABLES: dict[str, Callable[[int], Table]] = {
    "jpeg_lossless": real,
    "jpeg_lossless_peers": peers,
    "jpeg_lossless_goals": goals,
    "jpeg_lossless_paths": paths,
    "jpeg_lossless_pixel_array": plugin,
    "jpeg_lossless_series": series,
    "jpeg_lossless_rescale": fused,
}
