"""Table of JPEG XL: codestreams by kind against libjxl, and two threads against one.

Every result is compared with that of libjxl, exactly if it is lossless. Both decoders write into the same mapped array.
"""

from __future__ import annotations

from collections.abc import Callable

import corpus_jpegxl
import dicoxide
from codestream_timing import TimedCodestream, geometric_mean, ratios_to_other, speeds, time_codestreams
from corpus_jpegxl import JpegXlFrame, libjxl
from dicoxide.bench import DECODERS
from frame_timing import DecoderVariant, missing_reason
from targets import Table, Target

LIBJXL = DecoderVariant("libjxl", DECODERS["imagecodecs"], module="imagecodecs")
JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
MIN_RATIO = 0.8


def unavailable_reason() -> str | None:
    """Return why the table cannot be measured: no compiled extension, or libjxl is not installed; or None."""
    if dicoxide.capabilities()[JPEG_XL_LOSSLESS].decoder != "dicoxide":
        return f"the {dicoxide.backend} backend does not decode JPEG XL"
    return missing_reason(LIBJXL)


def timed(frame: JpegXlFrame) -> TimedCodestream:
    """Return the calls that decode a frame."""
    return TimedCodestream(
        frame.reference,
        lambda out: dicoxide.decode_codestream(frame.src, out),
        lambda out: libjxl(frame.src, out),
        0 if frame.kind.startswith("lossless") else 1,
    )


def codestreams(rounds: int) -> Table:
    """Codestreams of each kind on one thread, into mapped memory."""
    table = Table(
        "JPEG XL codestream, reused out=, one thread (decoded MB/s)",
        ("kind and codestream", "bits/sample", "dicoxide", "libjxl", "× libjxl", "× best"),
    )
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    for kind in dict.fromkeys(frame.kind for frame in corpus_jpegxl.frames()):
        frames = [frame for frame in corpus_jpegxl.frames() if frame.kind == kind]
        times = time_codestreams([timed(frame) for frame in frames], max(3, rounds // 3))
        ratios, best = map(ratios_to_other, (times, times.best))
        for index, frame in enumerate(frames):
            bits = 8 * len(frame.src) / frame.reference.size
            values = (*speeds(times, index, frame.reference.nbytes), ratios[index], best[index])
            table.rows.append((f"{kind}: {frame.name}", bits, *values))
        mean, best_mean = geometric_mean(ratios), geometric_mean(best)
        table.rows.append((f"{kind}: geometric mean", "", "", "", mean, best_mean))
        table.targets.append(Target(f"JPEG XL, {kind}, over libjxl", mean, MIN_RATIO, best_mean))
    return table


TABLES: dict[str, Callable[[int], Table]] = {"jpegxl": codestreams}
