"""The measurements behind `ratios.py`: each table runs ours and theirs in turns, and checks every answer."""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels import apply_rescale, pixel_array

import corpus
import dicoxide
import generated
import processes
from claims import Claim, Table
from clock import Times, in_turns
from decoders import Decoder, from_frame_to_frame, missing
from dicoxide.bench._decoders import DECODERS, DICOXIDE

Array = npt.NDArray[Any]
MIB = 1 << 20

PYLIBJPEG_RLE = Decoder("pylibjpeg-rle", DECODERS["pylibjpeg"], module="rle.rle")
RLE_DECODERS = (
    Decoder(DICOXIDE, DECODERS[DICOXIDE], variant="out="),
    Decoder("imagecodecs", DECODERS["imagecodecs"]),
    Decoder("imagecodecs out=", DECODERS["imagecodecs"], variant="out="),
    PYLIBJPEG_RLE,
)


def equals(expected: Array, result: Any) -> None:
    """Stop the run where an answer is wrong: its time would mean nothing."""
    if not (isinstance(result, np.ndarray) and result.shape == expected.shape and np.array_equal(result, expected)):
        raise AssertionError("a wrong answer was measured")


def rle(rounds: int) -> Table:
    """RLE into warm memory on one thread, from file to file: nobody decodes a frame that it has just decoded.

    Colour is interleaved by us, and left in planes by the peers.
    """
    table = Table(
        "RLE frame into warm out, one thread (decoded MB/s; imagecodecs with or without out=, the better)",
        (
            "frame",
            "KiB",
            "here",
            "imagecodecs",
            "pylibjpeg-rle",
            "× imagecodecs",
            "× best",
            "× pylibjpeg-rle",
            "× best",
        ),
    )
    table.skipped = missing(*RLE_DECODERS)
    if table.skipped:
        return table
    frames = corpus.rle_frames()
    took = from_frame_to_frame(frames, RLE_DECODERS, rounds, cpu=False)
    ratios = {}
    for index, frame in enumerate(frames):
        ours, imagecodecs, pylibjpeg = _rle_seconds(took, index)
        best = _rle_seconds(took.best, index)
        ratios[frame] = np.array([imagecodecs / ours, best[1] / best[0], pylibjpeg / ours, best[2] / best[0]])
        speeds = (frame.reference.nbytes / seconds / 1e6 for seconds in (ours, imagecodecs, pylibjpeg))
        table.rows.append((frame.name, frame.reference.nbytes / 1024, *speeds, *ratios[frame].tolist()))
    large = np.array([ratios[frame] for frame in frames if frame.is_large()])
    small = np.array([ratios[frame] for frame in frames if not frame.is_large()])
    mean, worst = np.exp(np.log(large).mean(0)).tolist(), large.min(0).tolist()
    table.claims += [
        Claim("RLE ≥ 256 KiB, geometric mean over imagecodecs", mean[0], 3.5, mean[1]),
        Claim("RLE ≥ 256 KiB, geometric mean over pylibjpeg-rle", mean[2], 6.0, mean[3]),
        Claim("RLE ≥ 256 KiB, worst file over imagecodecs", worst[0], 1.25, worst[1]),
    ]
    if small.size:
        worst = small.min(0).tolist()
        table.claims.append(Claim("RLE < 256 KiB, worst file over imagecodecs", worst[0], 1.25, worst[1]))
    return table


def _rle_seconds(took: Mapping[tuple[int, Decoder], float], index: int) -> tuple[float, float, float]:
    ours, fresh, warm, pylibjpeg = (took[index, decoder] for decoder in RLE_DECODERS)
    return ours, min(fresh, warm), pylibjpeg


def pixel_array_plugin(rounds: int) -> Table:
    """`ds.pixel_array` with our plugin, against the fastest plugin that pydicom finds today."""
    table = Table(
        "ds.pixel_array of one RLE frame, 1024 × 1024, 16 bit (ms)", ("frame", "here", "pylibjpeg-rle", "×", "× best")
    )
    table.skipped = missing(PYLIBJPEG_RLE)
    if table.skipped:
        return table
    found = [frame for frame in corpus.rle_frames() if frame.is_real and frame.reference.shape == (1024, 1024)]
    made = generated.ct_frames(1, 1024, 1024)[0]
    found.append(corpus.rle_frame("generated CT", generated.rle_frame(made), made, is_real=False))
    with dicoxide.enabled():
        for frame in found:
            ds = generated.dataset(frame.reference[None], rle=True)
            took = _plugin_race(ds, frame.reference, rounds)
            table.race(f"ds.pixel_array after enable(), {frame.name}", took, "", "pylibjpeg", 2.5)
    return table


def _plugin_race(ds: Dataset, expected: Array, rounds: int) -> Times[str]:
    calls = dict.fromkeys(("", "pylibjpeg"), lambda: ds.pixel_array)
    return Times(
        in_turns(
            calls,
            rounds,
            # Also forgets the array of the call before.
            before=lambda plugin: ds.pixel_array_options(decoding_plugin=plugin),
            check=lambda _, result: equals(expected, result),
        )
    )


def native(rounds: int) -> Table:
    """12 bits stored in 16, uncompressed: what only masking and copying cost."""
    table = Table("Native, 12 in 16 bit, 512 × 512 (ms)", ("what", "here", "pydicom", "×", "× best"))
    frames = generated.ct_frames(200)
    many, one = (generated.dataset(some, bits_stored=12) for some in (frames, frames[:1]))
    out = np.empty_like(frames)
    took = Times(
        in_turns(
            {
                "warm": lambda: dicoxide.decode(many, out=out, threads=1),
                "fresh": lambda: dicoxide.decode(many),
                "pydicom": lambda: pixel_array(many),
            },
            max(5, rounds // 3),
            check=lambda _, result: equals(frames, result),
        )
    )
    table.race("native 200 frames, warm out, 1 thread", took, "warm", "pydicom", 2.5)
    table.race("native 200 frames, fresh, all cores", took, "fresh", "pydicom", 2.5)
    took = Times(
        in_turns(
            {"ours": lambda: dicoxide.decode(one), "pydicom": lambda: pixel_array(one)},
            rounds * 10,
            check=lambda _, result: equals(frames[0], result),
        )
    )
    table.race("native, one frame", took, "ours", "pydicom", 2.5)
    # Frames all over the file, the same ones for both.
    indices = {who: itertools.cycle(range(0, 200, 37)) for who in ("ours", "pydicom")}
    current = dict.fromkeys(indices, 0)

    def before(who: str) -> None:
        current[who] = next(indices[who])

    took = Times(
        in_turns(
            {
                "ours": lambda: dicoxide.decode(many, frames=current["ours"]),
                "pydicom": lambda: pixel_array(many, index=current["pydicom"]),
            },
            rounds * 10,
            before=before,
            check=lambda who, result: equals(frames[current[who]], result),
        )
    )
    table.race("native, one frame of 200 by index", took, "ours", "pydicom", 3.0)
    return table


def level_2_bytes() -> int:
    """Size of a core's second cache; 1 MiB where the system does not tell."""
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(text.removesuffix("K")) << 10
    except (OSError, ValueError):
        return MIB


def bits(rounds: int) -> Table:
    """Bits Allocated 1: `np.unpackbits` allocates its result always, which is all that it offers."""
    table = Table("Packed bits (ms)", ("what", "here", "theirs", "×", "× best"))
    level_2 = level_2_bytes()
    random = np.random.default_rng(1)
    inside, beyond = [], []
    for kib in (16, 64, 256, 1024, 8192, 65536):
        samples = random.integers(0, 2, kib << 10, dtype=np.uint8)
        packed = np.packbits(samples, bitorder="little")
        src, out = packed.tobytes(), np.empty_like(samples)
        fits = samples.nbytes + packed.nbytes <= level_2

        def before(who: str, src: bytes = src, out: Array = out) -> None:
            # The output of either is in the cache: NumPy's, too, gets the memory that was freed last.
            (out if who == "ours" else np.empty_like(out)).fill(0xAA)
            zlib.crc32(src)

        took = Times(
            in_turns(
                {
                    "ours": lambda src=src, out=out: dicoxide.unpack_bits(src, out.size, out=out),
                    "numpy": lambda packed=packed: np.unpackbits(packed, bitorder="little"),
                },
                rounds * 10 if fits else rounds,
                before=before,
                check=lambda _, result, samples=samples: equals(samples, result),
            )
        )
        what = f"unpack_bits to {kib} KiB, {'within' if fits else 'beyond'} L2, over np.unpackbits"
        (inside if fits else beyond).append(table.race(what, took, "ours", "numpy", None))
    inside, beyond = ([min(ratios) for ratios in zip(*some, strict=True)] for some in (inside, beyond))
    table.claims += [
        Claim("unpack_bits within L2, least over np.unpackbits", inside[0], 2.0, inside[1]),
        Claim("unpack_bits beyond L2, least over np.unpackbits", beyond[0], 1.0, beyond[1]),
    ]
    # 511 × 511 samples: no frame but every eighth begins on a byte.
    frames = random.integers(0, 2, (16, 511, 511), dtype=np.uint8).astype(bool)
    ds = generated.dataset(frames)
    src, count, index = ds.PixelData, 511 * 511, 3
    expected = frames[index].astype(np.uint8)
    start, offset = divmod(index * count, 8)
    window = src[start : start + -(-(offset + count) // 8)]
    out = np.empty((511, 511), np.uint8)

    def pydicom_way() -> Array:
        unpacked = np.unpackbits(np.frombuffer(window, np.uint8), bitorder="little")
        return unpacked[offset : offset + count].reshape(511, 511)

    calls = {
        "ours": lambda: dicoxide.unpack_bits(window, count, offset, out=out),
        "pydicom": pydicom_way,
        "ours, frame": lambda: dicoxide.decode(ds, frames=index),
        "pydicom, frame": lambda: pixel_array(ds, index=index),
    }
    took = Times(in_turns(calls, rounds * 10, check=lambda _, result: equals(expected, result)))
    table.race("unpack_bits off the byte grid, 511 × 511, over pydicom's way", took, "ours", "pydicom", 3.0)
    table.race("decode(ds, frames=3) off the byte grid", took, "ours, frame", "pydicom, frame", None)
    return table


def rescale(rounds: int) -> Table:
    """int16 to float32, into warm memory; pydicom's way is float64 and fresh memory always."""
    table = Table("Rescale of 100 × 512 × 512 int16 (ms)", ("what", "here", "theirs", "×", "× best"))
    stored = generated.ct_frames(100).astype(np.int16)
    ds = generated.dataset(stored)
    expected = (stored.astype(np.float64) * 1 - 1024).astype(np.float32)
    out, copied = np.empty_like(expected), np.empty_like(expected)

    def copy() -> Array:
        np.copyto(copied, expected)
        return copied

    took = Times(
        in_turns(
            {
                "ours": lambda: dicoxide.rescale(stored, 1, -1024, out=out),
                "pydicom": lambda: apply_rescale(stored, ds),
                "copy": copy,
            },
            max(5, rounds // 2),
            check=lambda _, result: equals(expected, result),
        )
    )
    table.race("rescale int16 → float32, warm out, over apply_rescale", took, "ours", "pydicom", 4.0)
    table.race("rescale int16 → float32, share of np.copyto's speed", took, "ours", "copy", 0.8)
    return table


def threads(rounds: int) -> Table:
    """Frames across cores, and what the machine has to give: two threads that only hash, beside one that does both."""
    table = Table("RLE, 50 × 512 × 512, 16 bit, warm out (ms)", ("what", "2 threads", "1 thread", "×", "× best"))
    frames = generated.ct_frames(50)
    ds = generated.dataset(frames, rle=True, bits_stored=12)
    out = np.empty_like(frames)
    hashed = bytes(8 * MIB)

    def hash_twice(count: int) -> None:
        with ThreadPoolExecutor(count) as executor:
            list(executor.map(hashlib.sha256, [hashed, hashed]))

    def check(key: tuple[str, int], result: object) -> None:
        if key[0] == "ours":
            equals(frames, result)

    calls: dict[tuple[str, int], Callable[[], object]] = {}
    for count in (1, 2):
        calls["ours", count] = lambda count=count: dicoxide.decode(ds, out=out, threads=count)
        calls["sha256", count] = lambda count=count: hash_twice(count)
    took = Times(in_turns(calls, rounds, before=lambda _: out.fill(0xAAAA), check=check))
    table.race("RLE 50 frames, 2 threads over 1", took, ("ours", 2), ("ours", 1), 1.8)
    table.race("hashing, 2 threads over 1: what is free of the machine", took, ("sha256", 2), ("sha256", 1), None)
    return table


TABLES: dict[str, Callable[[int], Table]] = {
    "rle": rle,
    "pixel_array": pixel_array_plugin,
    "native": native,
    "bits": bits,
    "rescale": rescale,
    "threads": threads,
    "import": processes.imports,
    "memory": processes.memory,
}
