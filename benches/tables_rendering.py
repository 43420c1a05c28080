"""Tables of rendering: windows, VOI LUTs and palettes of arrays, and windows of decoded frames; results are checked."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_rescale, apply_voi, apply_windowing
from pydicom.uid import JPEGBaseline8Bit

import dicoxide
import generated_datasets
from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._options import DecodeOptions
from dicoxide.bench import DICOXIDE
from tables_frames import check_equal
from targets import Table, Target
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]
CENTER, WIDTH = 40.0, 400.0
NUMPY, COPY, PYDICOM = "NumPy float32", "copy", "pydicom"


def expected_window(stored: Array, intercept: float = -1024.0) -> Array:
    """Return the LINEAR window of modality values in float64 (PS3.3 C.11.2.1.2)."""
    values = stored.astype(np.float64) + intercept
    output = ((values - (CENTER - 0.5)) / (WIDTH - 1) + 0.5) * 255
    return np.rint(np.clip(output, 0, 255)).astype(np.uint8)


def window_by_pydicom(stored: Array, ds: Dataset) -> Array:
    """Return 8 bits by pydicom's functions, whose window has the range of the rescaled stored values."""
    windowed = apply_windowing(apply_rescale(stored, ds), ds)
    lowest, largest = -1024.0, 4095.0 - 1024.0
    return np.asarray(((windowed - lowest) * (255 / (largest - lowest))).round().astype(np.uint8))


def window(rounds: int) -> Table:
    """Native 12-bit frames in memory to 8 bits, into mapped memory, on one thread."""
    table = Table(
        "Window of 200 × 512 × 512 uint16 of 12 bits to uint8 (ms)", ("call", "dicoxide", "other", "×", "× best")
    )
    stored = generated_datasets.ct_frames(200)
    ds = generated_datasets.dataset(stored[:1], bits_stored=12)
    ds.WindowCenter, ds.WindowWidth = CENTER, WIDTH
    expected = expected_window(stored)
    out, numpy_out = np.zeros_like(expected), np.zeros_like(expected)
    floats = np.zeros(stored.shape, np.float32)
    # Copying reads and writes as many bytes as the window in all.
    copied = np.ones((stored.nbytes + out.nbytes) // 2, np.uint8)
    copy_out = np.zeros_like(copied)
    rendering = core.Rendering.grayscale("uint16", 12, ("LINEAR", CENTER, WIDTH), transform=(1.0, -1024.0))

    def render() -> Array:
        core.render_into(stored, rendering, out, 1, True)
        return out

    def by_numpy() -> Array:
        np.subtract(stored, np.float32(CENTER - 0.5 + 1024 - (WIDTH - 1) / 2), out=floats, dtype=np.float32)
        np.multiply(floats, np.float32(255 / (WIDTH - 1)), out=floats)
        np.clip(floats, 0, 255, out=floats)
        np.rint(floats, out=floats)
        np.copyto(numpy_out, floats, casting="unsafe")
        return numpy_out

    calls: dict[str, Callable[[], Any]] = {
        DICOXIDE: render,
        NUMPY: by_numpy,
        COPY: lambda: np.copyto(copy_out, copied),
    }

    def check(key: str, result: Any) -> None:
        if key != COPY:
            check_equal(expected, result, tolerance=0 if key == DICOXIDE else 1)

    times = MedianTimes(time_alternately(calls, max(5, rounds // 2), check=check))
    # pydicom takes seconds for all frames.
    few = slice(0, 20)
    pydicom_times = MedianTimes(
        time_alternately(
            {PYDICOM: lambda: window_by_pydicom(stored[few], ds)},
            max(3, rounds // 8),
            check=lambda _, result: check_equal(expected[few], result, tolerance=1),
        )
    )
    times[PYDICOM] = pydicom_times[PYDICOM] * 10
    times.best[PYDICOM] = pydicom_times.best[PYDICOM] * 10
    table.add_comparison("window → uint8, over pydicom", times, DICOXIDE, PYDICOM, 40.0)
    table.add_comparison("window → uint8, over NumPy float32", times, DICOXIDE, NUMPY, 4.0)
    table.add_comparison("window → uint8, relative to np.copyto", times, DICOXIDE, COPY, 0.8)
    return table


def tables(rounds: int) -> Table:
    """Palettes and VOI LUTs of single frames, and other outputs of windows."""
    table = Table("One frame of 512 × 512 in memory (ms)", ("call", "dicoxide", "pydicom", "×", "× best"))
    stored = generated_datasets.ct_frames(1)[0]
    indices = (stored >> 4).astype(np.uint8)
    rng = np.random.default_rng(1)
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    ds = generated_datasets.dataset(indices[None])
    ds.PhotometricInterpretation = "PALETTE COLOR"
    for index, colour in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        words = palette[:, index].astype("<u2") * 257
        setattr(ds, f"{colour}PaletteColorLookupTableData", words.tobytes())
    rgb = np.zeros((512, 512, 3), np.uint8)
    colours = core.Rendering.table(0, palette)
    add_row(
        table,
        "palette of 8-bit values → RGB",
        lambda: _rendered(indices, colours, rgb),
        lambda: (apply_color_lut(indices, ds) >> 8).astype(np.uint8),
        palette[indices],
        rounds,
    )
    entries = np.rint(4095 * (np.arange(4096) / 4095) ** 0.5).astype(np.uint16)
    ds = generated_datasets.dataset(stored[None], bits_stored=12)
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4096, 0, 12], entries.tolist()
    ds.VOILUTSequence = [item]
    out = np.zeros((512, 512), np.uint8)
    lut = core.Rendering.grayscale("uint16", 12, (core.LookupTable(0, entries), 12))
    add_row(
        table,
        "VOI LUT of 4096 entries → uint8",
        lambda: _rendered(stored, lut, out),
        lambda: (apply_voi(stored, ds) * (255 / 4095)).round().astype(np.uint8),
        np.rint(entries[stored] / 4095 * 255).astype(np.uint8),
        rounds,
    )
    return table


def _rendered(stored: Array, rendering: Any, out: Array) -> Array:
    core.render_into(stored, rendering, out, 1, True)
    return out


def add_row(
    table: Table, name: str, ours: Callable[[], Array], pydicom: Callable[[], Array], expected: Array, rounds: int
) -> None:
    """Time dicoxide and pydicom alternately; add the target of 20 times."""
    times = MedianTimes(
        time_alternately(
            {DICOXIDE: ours, PYDICOM: pydicom},
            rounds,
            check=lambda key, result: check_equal(expected, result, tolerance=0 if key == DICOXIDE else 1),
            use_cpu_time=True,
        )
    )
    table.add_comparison(f"{name}, over pydicom", times, DICOXIDE, PYDICOM, 20.0)


def decoding(rounds: int) -> Table:
    """One frame decoded into mapped memory, with and without a window: the time with it relative to that without."""
    table = Table(
        "Decoding with a window, relative to without, 512 × 512, one thread (ms)",
        ("frame", "with", "without", "×", "× best"),
    )
    stored = generated_datasets.ct_frames(1)
    data_sets = {
        "native, 12 bits": generated_datasets.dataset(stored, bits_stored=12),
        "RLE, 12 bits": generated_datasets.dataset(stored, rle=True, bits_stored=12),
        "JPEG Lossless, 12 bits": generated_datasets.dataset(
            stored, jpeg_lossless=lambda frame: dicoxide.jpeg_lossless_encode(frame, precision=12), bits_stored=12
        ),
        "JPEG, 8 bits": jpeg_dataset(expected_window(stored)),
    }
    for name, ds in data_sets.items():
        add_decoding_row(table, name, ds, rounds)
        add_path_row(table, name, ds, rounds)
    return table


def jpeg_dataset(gray: Array) -> Dataset:
    """Return JPEG Baseline of (frames, rows, columns) of uint8, of quality 90."""
    from PIL import Image

    ds = generated_datasets.dataset(gray)
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    codestreams = []
    for frame in gray:
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "jpeg", quality=90)
        codestreams.append(stream.getvalue())
    ds.PixelData = encapsulate(codestreams)
    return ds


def add_path_row(table: Table, name: str, ds: Dataset, rounds: int) -> None:
    """Time `render` and `decode` of a file; add a target, but for native frames."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.dcm"
        ds.save_as(path, enforce_file_format=True)
        values = dicoxide.decode(path, rescale=True)
        window = (float(values.mean()), WIDTH)
        calls: dict[str, Callable[[], Any]] = {
            "with": lambda: dicoxide.render(path, window=window, threads=1),
            "without": lambda: dicoxide.decode(path, threads=1),
        }
        check_equal(dicoxide.apply_window(values, *window), calls["with"]())
        times = MedianTimes(time_alternately(calls, rounds * 5, use_cpu_time=True))
    ratio, best = times["with"] / times["without"], times.best["with"] / times.best["without"]
    table.rows.append((f"{name}, from a path", times["with"] * 1e3, times["without"] * 1e3, ratio, best))
    if not name.startswith("native"):
        table.targets.append(Target(f"{name}: render(path) over decode(path)", ratio, 1.15, best, is_maximum=True))


def add_decoding_row(table: Table, name: str, ds: Dataset, rounds: int) -> None:
    """Time decoding of the only frame with and without a window; add a target, but for native frames."""
    spec = FrameSpec(
        ds.file_meta.TransferSyntaxUID,
        rows=ds.Rows,
        columns=ds.Columns,
        samples_per_pixel=1,
        bits_allocated=ds.BitsAllocated,
        bits_stored=ds.BitsStored,
        photometric_interpretation="MONOCHROME2",
        pixel_representation=0,
        planar_configuration=0,
    )
    frames = core.Frames(spec, ds.PixelData, 1)
    plain = np.zeros((ds.Rows, ds.Columns), f"uint{ds.BitsAllocated}")
    out = np.zeros(plain.shape, np.uint8)
    voi = ("LINEAR", CENTER, WIDTH)
    # The window of 8-bit values is wider than their range, on both sides.
    intercept = -1024.0 if ds.BitsStored > 8 else -88.0
    rendering = core.Rendering.grayscale(plain.dtype.name, ds.BitsStored, voi, transform=(1.0, intercept))
    calls: dict[str, Callable[[], Any]] = {
        "with": lambda: frames.decode_into(out, [0], DecodeOptions(), transforms=[rendering], is_warm=True),
        "without": lambda: frames.decode_into(plain, [0], DecodeOptions(), is_warm=True),
    }
    times = MedianTimes(time_alternately(calls, rounds * 5, use_cpu_time=True))
    check_equal(expected_window(plain, intercept), out)
    ratio, best = times["with"] / times["without"], times.best["with"] / times.best["without"]
    table.rows.append((name, times["with"] * 1e3, times["without"] * 1e3, ratio, best))
    if not name.startswith("native"):
        table.targets.append(Target(f"{name}: decoding with a window", ratio, 1.15, best, is_maximum=True))


TABLES: dict[str, Callable[[int], Table]] = {
    "rendering_window": window,
    "rendering_tables": tables,
    "rendering_decoding": decoding,
}
