"""Tables of RLE frames, native pixel data, packed bits, rescale and threads; every result is checked."""

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
import generated_datasets
import tables_processes
from dicoxide.bench import DECODERS, DICOXIDE
from dicoxide.bench._decoders._base import Call, LoadedCase
from dicoxide.bench._decoders._imagecodecs import Imagecodecs
from frame_timing import DecoderVariant, missing_reason, time_frames
from targets import Table, Target
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]
MIB = 1 << 20
_HASHED = bytes(8 * MIB)


class _InterleavedImagecodecs(Imagecodecs):
    """imagecodecs, and a copy of the planes of colour frames to the layout that dicoxide returns."""

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        shape = loaded.frame_shape
        if len(shape) == 2:
            return super().bind(level, loaded, "out=", threads)
        import imagecodecs

        src, dtype, out = loaded.frame, np.dtype(loaded.case.dtype), loaded.out(level)
        planes = np.ones((shape[2], *shape[:2]), dtype)
        plane_bytes = planes.reshape(-1).view(np.uint8)

        def call() -> Array:
            imagecodecs.dicomrle_decode(src, dtype, out=plane_bytes)
            # A quarter of the time of `np.ascontiguousarray(np.moveaxis(planes, 0, -1))`.
            for sample, plane in enumerate(planes):
                out[..., sample] = plane
            return out

        return call

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        return result if len(loaded.frame_shape) == 3 else super().to_array(level, loaded, result)


PYLIBJPEG_RLE = DecoderVariant("pylibjpeg-rle", DECODERS["pylibjpeg"], module="rle.rle")
RLE_DECODERS = (
    DecoderVariant(DICOXIDE, DECODERS[DICOXIDE], variant="out="),
    DecoderVariant("imagecodecs", DECODERS["imagecodecs"]),
    DecoderVariant("imagecodecs out=", DECODERS["imagecodecs"], variant="out="),
    PYLIBJPEG_RLE,
    DecoderVariant("imagecodecs interleaved", _InterleavedImagecodecs()),
)


def check_equal(expected: Array, result: Any, tolerance: int = 0) -> None:
    """Raise an AssertionError, which ends the run, if a sample of a result differs by more than `tolerance`."""
    if isinstance(result, np.ndarray) and result.shape == expected.shape:
        if np.array_equal(result, expected):
            return
        if tolerance and np.abs(result.astype(np.int64) - expected).max() <= tolerance:
            return
    raise AssertionError("a timed call returned a wrong result")


def rle(rounds: int) -> Table:
    """RLE frames into mapped memory, on one thread.

    dicoxide interleaves colour; the other decoders return planes. In the columns "interleaved", imagecodecs interleaves
    them too, by NumPy.
    """
    table = Table(
        "RLE frame, reused out=, one thread (decoded MB/s; imagecodecs with or without out=, whichever is faster)",
        (
            "frame",
            "KiB",
            "dicoxide",
            "imagecodecs",
            "pylibjpeg-rle",
            "× imagecodecs",
            "× best",
            "× pylibjpeg-rle",
            "× best",
            "× imagecodecs, interleaved",
            "× best",
        ),
    )
    table.skipped = missing_reason(*RLE_DECODERS)
    if table.skipped:
        return table
    frames = corpus.rle_frames()
    times = time_frames(frames, RLE_DECODERS, rounds, use_cpu_time=False)
    ratios = {}
    for index, frame in enumerate(frames):
        dicoxide_seconds, *others = _rle_seconds(times, index)
        dicoxide_best, *others_best = _rle_seconds(times.best, index)
        ratios[frame] = np.array(
            [
                ratio
                for seconds, best in zip(others, others_best, strict=True)
                for ratio in (seconds / dicoxide_seconds, best / dicoxide_best)
            ]
        )
        speeds = (frame.reference.nbytes / seconds / 1e6 for seconds in (dicoxide_seconds, *others[:2]))
        table.rows.append((frame.name, frame.reference.nbytes / 1024, *speeds, *ratios[frame].tolist()))
    large = np.array([ratios[frame] for frame in frames if frame.is_large()])
    small = np.array([ratios[frame] for frame in frames if not frame.is_large()])
    mean, worst = np.exp(np.log(large).mean(0)).tolist(), large.min(0).tolist()
    table.targets += [
        Target("RLE ≥ 256 KiB, geometric mean over imagecodecs", mean[0], 3.8, mean[1]),
        Target("RLE ≥ 256 KiB, geometric mean over pylibjpeg-rle", mean[2], 6.0, mean[3]),
        Target("RLE ≥ 256 KiB, worst file over imagecodecs", worst[0], 1.25, worst[1]),
        Target("RLE ≥ 256 KiB, worst file over imagecodecs, interleaved", worst[4], 2.5, worst[5]),
    ]
    if small.size:
        worst = small.min(0).tolist()
        table.targets.append(Target("RLE < 256 KiB, worst file over imagecodecs", worst[0], 1.25, worst[1]))
    return table


def _rle_seconds(times: Mapping[tuple[int, DecoderVariant], float], index: int) -> tuple[float, float, float, float]:
    """Return the seconds of dicoxide, imagecodecs, pylibjpeg-rle, and imagecodecs with interleaving, for a frame."""
    dicoxide_seconds, fresh, reused, pylibjpeg_seconds, interleaved = (
        times[index, decoder] for decoder in RLE_DECODERS
    )
    imagecodecs_seconds = min(fresh, reused)
    return dicoxide_seconds, imagecodecs_seconds, pylibjpeg_seconds, interleaved


def pixel_array_plugin(rounds: int) -> Table:
    """`ds.pixel_array` with the plugin of dicoxide, and with the fastest other plugin."""
    table = Table(
        "ds.pixel_array of one RLE frame, 1024 × 1024, 16 bit (ms)",
        ("frame", "dicoxide", "pylibjpeg-rle", "×", "× best"),
    )
    table.skipped = missing_reason(PYLIBJPEG_RLE)
    if table.skipped:
        return table
    frames = [frame for frame in corpus.rle_frames() if frame.is_real and frame.reference.shape == (1024, 1024)]
    samples = generated_datasets.ct_frames(1, 1024, 1024)[0]
    src = generated_datasets.rle_frame(samples)
    frames.append(corpus.rle_frame("generated CT", src, samples, is_real=False))
    with dicoxide.enabled():
        for frame in frames:
            ds = generated_datasets.dataset(frame.reference[None], rle=True)
            times = _time_plugins(ds, frame.reference, rounds)
            table.add_comparison(f"ds.pixel_array after enable(), {frame.name}", times, "", "pylibjpeg", 2.5)
    return table


def _time_plugins(ds: Dataset, expected: Array, rounds: int) -> MedianTimes[str]:
    calls = dict.fromkeys(("", "pylibjpeg"), lambda: ds.pixel_array)
    return MedianTimes(
        time_alternately(
            calls,
            rounds,
            # Also discards the array that the data set has cached.
            before=lambda plugin: ds.pixel_array_options(decoding_plugin=plugin),
            check=lambda _, result: check_equal(expected, result),
        )
    )


def native(rounds: int) -> Table:
    """Native pixel data, 12 bits stored in 16: the cost of masking and copying."""
    table = Table("Native, 12 in 16 bit, 512 × 512 (ms)", ("call", "dicoxide", "pydicom", "×", "× best"))
    frames = generated_datasets.ct_frames(200)
    multi_frame, single_frame = (generated_datasets.dataset(subset, bits_stored=12) for subset in (frames, frames[:1]))
    out = np.empty_like(frames)
    times = MedianTimes(
        time_alternately(
            {
                "reused": lambda: dicoxide.decode(multi_frame, out=out, threads=1),
                "fresh": lambda: dicoxide.decode(multi_frame),
                "pydicom": lambda: pixel_array(multi_frame),
            },
            max(5, rounds // 3),
            check=lambda _, result: check_equal(frames, result),
        )
    )
    table.add_comparison("native 200 frames, reused out=, 1 thread", times, "reused", "pydicom", 2.5)
    table.add_comparison("native 200 frames, new array, all cores", times, "fresh", "pydicom", 2.5)
    times = MedianTimes(
        time_alternately(
            {DICOXIDE: lambda: dicoxide.decode(single_frame), "pydicom": lambda: pixel_array(single_frame)},
            rounds * 10,
            check=lambda _, result: check_equal(frames[0], result),
        )
    )
    table.add_comparison("native, one frame", times, DICOXIDE, "pydicom", 2.5)
    # Both decode the same sequence of frames, spread over the file.
    frame_indices = {key: itertools.cycle(range(0, 200, 37)) for key in (DICOXIDE, "pydicom")}
    current = dict.fromkeys(frame_indices, 0)

    def before(key: str) -> None:
        current[key] = next(frame_indices[key])

    times = MedianTimes(
        time_alternately(
            {
                DICOXIDE: lambda: dicoxide.decode(multi_frame, frames=current[DICOXIDE]),
                "pydicom": lambda: pixel_array(multi_frame, index=current["pydicom"]),
            },
            rounds * 10,
            before=before,
            check=lambda key, result: check_equal(frames[current[key]], result),
        )
    )
    table.add_comparison("native, one frame of 200 by index", times, DICOXIDE, "pydicom", 3.0)
    return table


def level_2_cache_bytes() -> int:
    """Return the size of the second-level cache of a core; 1 MiB if the system does not report it."""
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(text.removesuffix("K")) << 10
    except (OSError, ValueError):
        return MIB


def bits(rounds: int) -> Table:
    """Packed bits (Bits Allocated 1), against `np.unpackbits`, which has no `out` argument."""
    table = Table("Packed bits (ms)", ("call", "dicoxide", "other", "×", "× best"))
    cache_bytes = level_2_cache_bytes()
    random = np.random.default_rng(1)
    ratios: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for kib in (16, 64, 256, 1024, 8192, 65536):
        samples = random.integers(0, 2, kib << 10, dtype=np.uint8)
        packed = np.packbits(samples, bitorder="little")
        src, out = packed.tobytes(), np.empty_like(samples)
        fits_cache = samples.nbytes + packed.nbytes <= cache_bytes

        def before(key: str, src: bytes = src, out: Array = out) -> None:
            # Both write to memory in the cache: NumPy's allocator returns the memory that was freed last.
            (out if key == DICOXIDE else np.empty_like(out)).fill(0xAA)
            zlib.crc32(src)

        times = MedianTimes(
            time_alternately(
                {
                    DICOXIDE: lambda src=src, out=out: dicoxide.unpack_bits(src, out.size, out=out),
                    "numpy": lambda packed=packed: np.unpackbits(packed, bitorder="little"),
                },
                rounds * 10 if fits_cache else rounds,
                before=before,
                check=lambda _, result, samples=samples: check_equal(samples, result),
            )
        )
        name = f"unpack_bits to {kib} KiB, {'within' if fits_cache else 'beyond'} L2, over np.unpackbits"
        ratios[fits_cache].append(table.add_comparison(name, times, DICOXIDE, "numpy", None))
    within, beyond = ([min(pair) for pair in zip(*ratios[fits], strict=True)] for fits in (True, False))
    table.targets += [
        Target("unpack_bits within L2, minimum over np.unpackbits", within[0], 2.0, within[1]),
        Target("unpack_bits beyond L2, minimum over np.unpackbits", beyond[0], 1.0, beyond[1]),
    ]
    _add_unaligned_bits(table, rounds * 10, random)
    return table


def _add_unaligned_bits(table: Table, rounds: int, random: np.random.Generator) -> None:
    """Add rows of a frame that does not start at a byte: of 511 × 511 samples, only every eighth frame does."""
    frames = random.integers(0, 2, (16, 511, 511), dtype=np.uint8).astype(bool)
    ds = generated_datasets.dataset(frames)
    src, sample_count, frame_index = ds.PixelData, 511 * 511, 3
    expected = frames[frame_index].astype(np.uint8)
    byte_offset, bit_offset = divmod(frame_index * sample_count, 8)
    frame_bytes = src[byte_offset : byte_offset + -(-(bit_offset + sample_count) // 8)]
    out = np.empty((511, 511), np.uint8)

    def unpack_as_pydicom() -> Array:
        unpacked = np.unpackbits(np.frombuffer(frame_bytes, np.uint8), bitorder="little")
        return unpacked[bit_offset : bit_offset + sample_count].reshape(511, 511)

    calls = {
        "unpack_bits": lambda: dicoxide.unpack_bits(frame_bytes, sample_count, bit_offset, out=out),
        "np.unpackbits": unpack_as_pydicom,
        "decode": lambda: dicoxide.decode(ds, frames=frame_index),
        "pixel_array": lambda: pixel_array(ds, index=frame_index),
    }
    times = MedianTimes(time_alternately(calls, rounds, check=lambda _, result: check_equal(expected, result)))
    name = "unpack_bits at a bit offset, 511 × 511, over np.unpackbits as in pydicom"
    table.add_comparison(name, times, "unpack_bits", "np.unpackbits", 3.0)
    table.add_comparison("decode(ds, frames=3) at a bit offset, over pydicom", times, "decode", "pixel_array", None)


def rescale(rounds: int) -> Table:
    """int16 to float32 into mapped memory; pydicom calculates in float64 and allocates."""
    table = Table("Rescale of 100 × 512 × 512 int16 (ms)", ("call", "dicoxide", "other", "×", "× best"))
    stored = generated_datasets.ct_frames(100).astype(np.int16)
    ds = generated_datasets.dataset(stored)
    expected = (stored.astype(np.float64) * 1 - 1024).astype(np.float32)
    out, copied = np.empty_like(expected), np.empty_like(expected)

    def copy() -> Array:
        np.copyto(copied, expected)
        return copied

    times = MedianTimes(
        time_alternately(
            {
                DICOXIDE: lambda: dicoxide.rescale(stored, 1, -1024, out=out),
                "pydicom": lambda: apply_rescale(stored, ds),
                "copy": copy,
            },
            max(5, rounds // 2),
            check=lambda _, result: check_equal(expected, result),
        )
    )
    table.add_comparison("rescale int16 → float32, reused out=, over apply_rescale", times, DICOXIDE, "pydicom", 4.0)
    table.add_comparison("rescale int16 → float32, relative to np.copyto", times, DICOXIDE, "copy", 0.8)
    return table


def hash_twice(thread_count: int) -> None:
    """Hash twice 8 MiB: what two threads gain shows what the machine can gain at that moment."""
    with ThreadPoolExecutor(thread_count) as executor:
        list(executor.map(hashlib.sha256, [_HASHED, _HASHED]))


def threads(rounds: int) -> Table:
    """Scaling with two threads, compared with hashing."""
    table = Table("RLE, 50 × 512 × 512, 16 bit, reused out= (ms)", ("call", "2 threads", "1 thread", "×", "× best"))
    frames = generated_datasets.ct_frames(50)
    ds = generated_datasets.dataset(frames, rle=True, bits_stored=12)
    out = np.empty_like(frames)

    def check(key: tuple[str, int], result: object) -> None:
        if key[0] == DICOXIDE:
            check_equal(frames, result)

    calls: dict[tuple[str, int], Callable[[], object]] = {}
    for count in (1, 2):
        calls[DICOXIDE, count] = lambda count=count: dicoxide.decode(ds, out=out, threads=count)
        calls["sha256", count] = lambda count=count: hash_twice(count)
    times = MedianTimes(time_alternately(calls, rounds, before=lambda _: out.fill(0xAAAA), check=check))
    table.add_comparison("RLE 50 frames, 2 threads over 1", times, (DICOXIDE, 2), (DICOXIDE, 1), 1.8)
    table.add_comparison("SHA-256, 2 threads over 1 (control)", times, ("sha256", 2), ("sha256", 1), None)
    return table


TABLES: dict[str, Callable[[int], Table]] = {
    "rle": rle,
    "pixel_array": pixel_array_plugin,
    "native": native,
    "bits": bits,
    "rescale": rescale,
    "threads": threads,
    "import": tables_processes.imports,
    "memory": tables_processes.memory,
}
