"""Decode the images inside the pydicom package, check every value against pydicom, show the speed, draw them.

Runs with NumPy, pydicom and Pillow alone; what other decoders are installed is used and named. Nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.uid import UID, JPEGLossless

import dicoxide
import generated
from clock import Times, in_turns
from demo_files import show_files

Array = npt.NDArray[Any]

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SHEET = Path("demo-output") / "contact-sheet.png"
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# Below either, both sides spend their time on the data set and not on samples.
OVERHEAD_MS = 0.3
OVERHEAD_BYTES = 16 << 10
TILE, LABEL, GAP, TILES_ACROSS = 168, 30, 10, 9
BACKGROUND, INK, FAINT = (24, 26, 30), (232, 232, 232), (140, 146, 156)

SHORT_NAMES = {
    "1.2.840.10008.1.2": "Implicit LE",
    "1.2.840.10008.1.2.1": "Explicit LE",
    "1.2.840.10008.1.2.1.99": "Deflated LE",
    "1.2.840.10008.1.2.2": "Explicit BE",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless P14",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless SV1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-L.",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}


@dataclass
class Decoded:
    """One image that was decoded here, and how it compares."""

    name: str
    dataset: Dataset
    array: Array
    decoded_by: str
    exact: bool
    here_ms: float
    # None where no plugin of pydicom's decodes it: there is nothing to compare with.
    pydicom_ms: float | None

    @property
    def syntax(self) -> str:
        """Transfer syntax, in few letters."""
        uid = self.dataset.file_meta.TransferSyntaxUID
        return SHORT_NAMES.get(uid, uid.name)

    @property
    def shape(self) -> str:
        """What a reader calls the size: frames, rows × columns, samples, bits."""
        ds = self.dataset
        frames = f"{ds.NumberOfFrames} × " if ds.get("NumberOfFrames") and int(ds.NumberOfFrames) > 1 else ""
        samples = f" × {ds.SamplesPerPixel}" if ds.SamplesPerPixel > 1 else ""
        return f"{frames}{ds.Rows} × {ds.Columns}{samples}, {ds.BitsAllocated} bit"


@dataclass
class LeftOut:
    """One image that was not decoded."""

    name: str
    dataset: Dataset
    error: dicoxide.DecodeError
    decoded_elsewhere: bool

    @property
    def lacks_decoder(self) -> bool:
        """Whether the bytes may be well and no decoder is there that takes them."""
        return isinstance(self.error, dicoxide.UnsupportedError) or self.error.kind == "Fallback"


def median_ms(*calls: Callable[[], object], rounds: int = 31) -> list[float]:
    """Median time of each call, taken in turns."""
    took = Times(in_turns(dict(enumerate(calls)), rounds, at_least_seconds=0.06))
    return [took[index] * 1e3 for index in range(len(calls))]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hush what decoders say about broken files: C libraries write to the process's own standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    logging.disable(logging.CRITICAL)
    try:
        os.dup2(nothing, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
        logging.disable(logging.NOTSET)


def find_images() -> list[tuple[str, Dataset]]:
    """Every data set with pixel data and a transfer syntax inside the pydicom package, by name."""
    found = []
    for path in sorted(FILES.rglob("*")):
        if path.is_file() and path.suffix in ("", ".dcm"):
            with quiet():
                ds = pydicom.dcmread(path, force=True)
            has_syntax = "TransferSyntaxUID" in getattr(ds, "file_meta", ())
            if has_syntax and "Rows" in ds and any(keyword in ds for keyword in PIXEL_KEYWORDS):
                found.append((str(path.relative_to(FILES)), ds))
    return found


def same(ours: Array, reference: Array) -> bool:
    """Equal shape, type up to byte order, and every bit of every value."""
    return (
        ours.shape == reference.shape
        and ours.dtype == reference.dtype.newbyteorder("=")
        and ours.tobytes() == np.ascontiguousarray(reference, ours.dtype).tobytes()
    )


def decode_all(images: list[tuple[str, Dataset]]) -> tuple[list[Decoded], list[LeftOut]]:
    """Decode, check and time each image."""
    decoded, left_out = [], []
    for name, ds in images:
        with quiet():
            try:
                array = dicoxide.decode(ds)
            except dicoxide.DecodeError as error:
                left_out.append(LeftOut(name, ds, error, is_decoded_elsewhere(ds)))
                continue
            if not is_decoded_elsewhere(ds):
                (here_ms,) = median_ms(lambda ds=ds: dicoxide.decode(ds))
                decoded.append(Decoded(name, ds, array, "dicoxide", True, here_ms, None))
                continue
            exact = same(array, pixel_array(ds))
            here_ms, pydicom_ms = median_ms(lambda ds=ds: dicoxide.decode(ds), lambda ds=ds: pixel_array(ds))
            decoded.append(Decoded(name, ds, array, taker(ds, array), exact, here_ms, pydicom_ms))
    return decoded, left_out


def is_decoded_elsewhere(ds: Dataset) -> bool:
    """Whether pydicom decodes an image."""
    try:
        pixel_array(ds)
    except Exception:
        return False
    return True


def taker(ds: Dataset, array: Array) -> str:
    """Who decoded `ds`; a plugin of pydicom only where it is seen to give the same values."""
    name = dicoxide.capabilities()[ds.file_meta.TransferSyntaxUID].decoder
    if name == "dicoxide":
        return name
    try:
        return f"pydicom: {name}" if same(array, pixel_array(ds, decoding_plugin=name or "")) else "pydicom"
    except RuntimeError:
        return "pydicom"


def fold(decoded: list[Decoded]) -> list[list[Decoded]]:
    """Rows of the table: a file each, those of a sub-folder (thumbnails of a file-set) together."""
    rows: dict[str, list[Decoded]] = {}
    for one in decoded:
        folder = one.name.partition(os.sep)[0]
        rows.setdefault(folder, []).append(one)
    return sorted(rows.values(), key=lambda row: (row[0].decoded_by != "dicoxide", row[0].syntax, row[0].name))


def print_table(decoded: list[Decoded]) -> None:
    """One row a file: ours first, then what was passed on."""
    header = ("file", "transfer syntax", "frames × rows × columns", "exact", "ms here", "ms pydicom", "×", "decoded by")
    table = []
    for row in fold(decoded):
        first = row[0]
        here, theirs = sum(one.here_ms for one in row), sum(one.pydicom_ms or 0 for one in row)
        alone = first.pydicom_ms is None
        passed_on = first.decoded_by != "dicoxide"
        small = all((one.pydicom_ms or 0) < OVERHEAD_MS or one.array.nbytes < OVERHEAD_BYTES for one in row)
        ratio = "same" if passed_on else "overhead" if small else f"{theirs / here:.1f}"
        name = first.name if len(row) == 1 else f"{first.name.partition(os.sep)[0]}{os.sep} ({len(row)} files)"
        exact = "yes" if all(one.exact for one in row) else "NO"
        if alone:
            exact, ratio = "–", "alone"
        cost = "–" if alone else f"{theirs:.2f}"
        cells = (name, first.syntax, first.shape, exact, f"{here:.2f}", cost, ratio, first.decoded_by)
        table.append(cells)
    widths = [max(len(cells[column]) for cells in [header, *table]) for column in range(len(header))]
    right = {4, 5, 6}

    def line(cells: tuple[str, ...]) -> str:
        justified = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  " + "  ".join(justified).rstrip()

    print(line(header))
    print("  " + "  ".join("─" * width for width in widths))
    passed_on = False
    for cells in table:
        if cells[-1] != "dicoxide" and not passed_on:
            passed_on = True
            print()
        print(line(cells))
    print()
    print("  overhead  too little to decode: the time goes into reading attributes")
    if any(one.pydicom_ms is None for one in decoded):
        print("  alone     no decoder of pydicom's takes it here: there is nothing to compare with")
    if passed_on:
        print("  same      not decoded here, but by the named plugin of pydicom: equal by construction")


def print_left_out(left_out: list[LeftOut]) -> None:
    """What is in the folder and not in the table, and why."""
    refused = [one for one in left_out if not one.lacks_decoder]
    if refused:
        print("\nRefused")
    for one in refused:
        print(f"  {one.name}: {one.error}; pydicom {'DECODES it' if one.decoded_elsewhere else 'refuses it too'}")
    by_syntax: dict[UID, list[str]] = {}
    for one in left_out:
        if one.lacks_decoder:
            by_syntax.setdefault(one.dataset.file_meta.TransferSyntaxUID, []).append(one.name)
    if by_syntax:
        print("\nNo installed decoder takes")
    for uid, names in by_syntax.items():
        decoder = get_decoder(uid)
        plugins = [f"{plugin} cannot" for plugin in decoder.available_plugins]
        # «name - requires this and that»
        missing = [f"{text.partition(' - ')[0]} is not installed" for text in decoder.missing_dependencies]
        files = ", ".join(names) if len(names) < 3 else f"{len(names)} files"
        print(f"  {SHORT_NAMES.get(uid, uid.name)}: {files} ({', '.join(plugins + missing)})")


def series() -> Iterator[tuple[str, Dataset, Array]]:
    """Generated series: name of the transfer syntax, data set, values."""
    frames = generated.ct_frames(50)
    yield "RLE Lossless", generated.dataset(frames, rle=True, bits_stored=12), frames
    if dicoxide.capabilities()[JPEGLossless].decoder == "dicoxide":
        encode = functools.partial(dicoxide.jpeg_lossless_encode, precision=12)
        yield "JPEG Lossless", generated.dataset(frames, jpeg_lossless=encode, bits_stored=12), frames


def show_series(name: str, ds: Dataset, frames: Array) -> bool:
    """Throughput on a generated series; whether every way gave the same values."""
    out = np.empty_like(frames)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ways: dict[str, Callable[[], Array]] = {}
    for plugin in get_decoder(ds.file_meta.TransferSyntaxUID).available_plugins:
        ways[f"pixel_array, pydicom's plugin «{plugin}»"] = lambda plugin=plugin: pixel_array(
            ds, decoding_plugin=plugin
        )
    peers = list(ways)
    ways["decode(ds), 1 thread"] = lambda: dicoxide.decode(ds, threads=1)
    ways[f"decode(ds), {cores} threads"] = lambda: dicoxide.decode(ds)
    ways["decode(ds, out=), 1 thread"] = lambda: dicoxide.decode(ds, out=out, threads=1)
    ways[f"decode(ds, out=), {cores} threads"] = lambda: dicoxide.decode(ds, out=out)

    def enabled() -> Array:
        with dicoxide.enabled():
            return pixel_array(ds)

    ways["pixel_array after dicoxide.enable()"] = enabled
    all_exact = True
    for way in ways.values():
        out.fill(0xAAAA)
        all_exact = same(way(), frames) and all_exact
    took = dict(zip(ways, median_ms(*ways.values(), rounds=9), strict=True))
    quickest = min((took[peer] for peer in peers), default=None)
    print(f"\nOne generated series, 50 × 512 × 512, 16 bit, {name}: {len(ds.PixelData) / 1e6:.0f} MB in,")
    against = "× is against the quickest pydicom plugin installed" if quickest else "no plugin of pydicom takes it here"
    print(f"{frames.nbytes / 1e6:.0f} MB out; {against}\n")
    width = max(map(len, ways))
    print(f"  {'':{width}}  {'ms':>7}  {'MB/s':>7}  {'frames/s':>8}  {'×' if quickest else '':>5}".rstrip())
    print("  " + "─" * (width + 35))
    for way, ms in took.items():
        speed = frames.nbytes / ms / 1e3
        ratio = f"{quickest / ms:5.1f}" if quickest else ""
        print(f"  {way:{width}}  {ms:7.1f}  {speed:7.0f}  {50e3 / ms:8.0f}  {ratio}".rstrip())
    return all_exact


def picture(one: Decoded) -> Image.Image:
    """The first frame as it would hang on a wall: colour as it is, the rest from its 1st to its 99th percentile."""
    ds = one.dataset
    array = one.array[0] if one.array.ndim > 2 + (ds.SamplesPerPixel > 1) else one.array
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        array = apply_color_lut(array, ds)
    if array.ndim == 3:
        shift = 8 * array.dtype.itemsize - 8
        return Image.fromarray((array >> shift).astype(np.uint8))
    values = array.astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    if low == high:
        low, high = values.min(), max(values.max(), values.min() + 1)
    shades = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return Image.fromarray(255 - shades if ds.PhotometricInterpretation == "MONOCHROME1" else shades)


def contact_sheet(decoded: list[Decoded]) -> Image.Image:
    """All pictures on one sheet, each with its file's name."""
    font = ImageFont.load_default(11)
    shown = [one for row in fold(decoded) for one in row[:1]]
    across = min(TILES_ACROSS, len(shown))
    down = math.ceil(len(shown) / across)
    step_x, step_y = TILE + GAP, TILE + LABEL + GAP
    sheet = Image.new("RGB", (across * step_x + GAP, down * step_y + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, one in enumerate(shown):
        x, y = GAP + index % across * step_x, GAP + index // across * step_y
        tile = picture(one).convert("RGB")
        scale = TILE / max(tile.size)
        size = tuple(max(1, round(side * scale)) for side in tile.size)
        # Small images show their pixels as they are.
        tile = tile.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
        sheet.paste(tile, (x + (TILE - size[0]) // 2, y + (TILE - size[1]) // 2))
        folder, inside, name = one.name.rpartition(os.sep)
        name = f"{folder.partition(os.sep)[0]}{inside}…{inside}{name}" if inside else name
        while draw.textlength(name, font) > TILE:
            name = name.removesuffix("…")[:-1] + "…"
        draw.text((x, y + TILE + 2), name, INK, font)
        draw.text((x, y + TILE + 15), f"{one.dataset.get('Modality') or '-'}  {one.syntax}", FAINT, font)
    return sheet


def main() -> int:
    """Run the demo; 1 if any value differs."""
    images = find_images()
    print(f"dicoxide {dicoxide.__version__} ({dicoxide.backend} backend), pydicom {pydicom.__version__}: ", end="")
    print(f"the {len(images)} images inside the pydicom package\n")
    decoded, left_out = decode_all(images)
    print_table(decoded)
    print_left_out(left_out)
    are_exact = [show_series(*one) for one in series()]
    series_exact = all([*are_exact, show_files()])
    SHEET.parent.mkdir(exist_ok=True)
    contact_sheet(decoded).save(SHEET)
    print(f"\nContact sheet: {SHEET}")
    wrong = [one.name for one in decoded if not one.exact] + [one.name for one in left_out if one.decoded_elsewhere]
    ours = sum(one.decoded_by == "dicoxide" for one in decoded)
    exact = (
        "every value equal to pydicom's where it has one"
        if not wrong
        else f"DIFFERENT FROM PYDICOM: {', '.join(wrong)}"
    )
    print(
        f"{len(images)} images: {ours} decoded here, {len(decoded) - ours} by pydicom's plugins, "
        f"{len(left_out)} by nobody; {exact}; series and files {'exact' if series_exact else 'DIFFERENT'}"
    )
    return int(bool(wrong) or not series_exact)


if __name__ == "__main__":
    sys.exit(main())
