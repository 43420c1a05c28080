"""Decodes the images inside the pydicom package, compares every value with pydicom, shows the speed, draws them.

Needs NumPy, pydicom and Pillow. Other installed decoders are used through pydicom and named. Downloads nothing.
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
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.uid import JPEG2000, UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless

import dicoxide
import generated_datasets
from demo_files import show_files
from dicoxide._text_format import table_lines
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
CONTACT_SHEET = Path("demo-output") / "contact-sheet.png"
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# Below either limit, the time is spent on reading attributes, and the ratio is not shown.
MIN_MS = 0.3
MIN_BYTES = 16 << 10
# Sizes of the contact sheet in pixels.
TILE_SIZE, LABEL_HEIGHT, GAP, TILES_PER_ROW = 168, 30, 10, 9
BACKGROUND, FOREGROUND, MUTED = (24, 26, 30), (232, 232, 232), (140, 146, 156)

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
class DecodedImage:
    """An image that `dicoxide.decode` decodes, with times and the comparison with pydicom."""

    name: str
    dataset: Dataset
    array: Array
    decoded_by: str
    # Or different from pydicom only by rounding.
    is_exact: bool
    dicoxide_ms: float
    # None if pydicom cannot decode the image.
    pydicom_ms: float | None
    # True if pydicom's decoder rounds samples of a lossy codestream in another manner.
    is_rounded: bool = False

    @property
    def syntax(self) -> str:
        """Short name of the transfer syntax."""
        uid = self.dataset.file_meta.TransferSyntaxUID
        return SHORT_NAMES.get(uid, uid.name)

    @property
    def shape(self) -> str:
        """Frames, rows × columns, samples and bits, as text."""
        ds = self.dataset
        frames = f"{ds.NumberOfFrames} × " if ds.get("NumberOfFrames") and int(ds.NumberOfFrames) > 1 else ""
        samples = f" × {ds.SamplesPerPixel}" if ds.SamplesPerPixel > 1 else ""
        return f"{frames}{ds.Rows} × {ds.Columns}{samples}, {ds.BitsAllocated} bit"


@dataclass
class FailedImage:
    """An image that `dicoxide.decode` does not decode."""

    name: str
    dataset: Dataset
    error: dicoxide.DecodeError
    is_decoded_by_pydicom: bool

    @property
    def lacks_decoder(self) -> bool:
        """True if no installed decoder supports the image; it need not be corrupt."""
        return isinstance(self.error, dicoxide.UnsupportedError) or self.error.kind == "Fallback"


def median_ms(*calls: Callable[[], object], rounds: int = 31) -> list[float]:
    """Return the median time of each call; the calls alternate."""
    times = MedianTimes(time_alternately(dict(enumerate(calls)), rounds, min_seconds=0.06))
    return [times[index] * 1e3 for index in range(len(calls))]


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Suppress warnings, logging and stderr, to which C libraries write messages about corrupt files."""
    sys.stderr.flush()
    stderr_copy = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    logging.disable(logging.CRITICAL)
    try:
        os.dup2(null, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)
        os.close(null)
        logging.disable(logging.NOTSET)


def find_images() -> list[tuple[str, Dataset]]:
    """Return all data sets inside the pydicom package that have pixel data and a transfer syntax, by name."""
    images = []
    for path in sorted(FILES.rglob("*")):
        if path.is_file() and path.suffix in ("", ".dcm"):
            with silenced():
                ds = pydicom.dcmread(path, force=True)
            has_syntax = "TransferSyntaxUID" in getattr(ds, "file_meta", ())
            if has_syntax and "Rows" in ds and any(keyword in ds for keyword in PIXEL_KEYWORDS):
                images.append((str(path.relative_to(FILES)), ds))
    return images


def is_same(array: Array, reference: Array) -> bool:
    """True if shape, type (up to byte order) and every bit of every value are equal."""
    return (
        array.shape == reference.shape
        and array.dtype == reference.dtype.newbyteorder("=")
        and array.tobytes() == np.ascontiguousarray(reference, array.dtype).tobytes()
    )


def differs_by_rounding(array: Array, reference: Array, ds: Dataset) -> bool:
    """True if samples of a lossy codestream of JPEG or JPEG 2000 differ by 1 at most.

    T.81 does not fix the rounding of the inverse DCT, nor T.800 that of the 9/7 wavelet. dicoxide gives the samples of
    libjpeg-turbo; pylibjpeg, pydicom's only plugin for 12 bits, rounds in another manner, as OpenJPEG does in the 9/7
    wavelet.
    """
    uid = ds.file_meta.TransferSyntaxUID
    if uid not in (JPEGBaseline8Bit, JPEGExtended12Bit, JPEG2000) or array.shape != reference.shape:
        return False
    frame = next(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    if not dicoxide.codestream_info(frame).is_lossy:
        return False
    return int(np.abs(array.astype(np.int64) - reference).max()) == 1


def decode_all(images: list[tuple[str, Dataset]]) -> tuple[list[DecodedImage], list[FailedImage]]:
    """Decode, compare and time each image."""
    decoded, failed = [], []
    for name, ds in images:
        with silenced():
            try:
                array = dicoxide.decode(ds)
            except dicoxide.DecodeError as error:
                failed.append(FailedImage(name, ds, error, is_decoded_by_pydicom(ds)))
                continue
            if not is_decoded_by_pydicom(ds):
                (dicoxide_ms,) = median_ms(lambda ds=ds: dicoxide.decode(ds))
                decoded.append(DecodedImage(name, ds, array, "dicoxide", True, dicoxide_ms, None))
                continue
            plugin = fallback_plugin(ds)
            reference = pixel_array(ds, decoding_plugin=plugin)
            is_rounded = differs_by_rounding(array, reference, ds)
            is_exact = is_rounded or is_same(array, reference)
            dicoxide_ms, pydicom_ms = median_ms(
                lambda ds=ds: dicoxide.decode(ds), lambda ds=ds, plugin=plugin: pixel_array(ds, decoding_plugin=plugin)
            )
            own = decoder_name(ds) == "dicoxide"
            decoder = "dicoxide" if own else f"pydicom: {plugin}" if plugin else "pydicom"
            decoded.append(DecodedImage(name, ds, array, decoder, is_exact, dicoxide_ms, pydicom_ms, is_rounded))
    return decoded, failed


def is_decoded_by_pydicom(ds: Dataset) -> bool:
    """True if pydicom decodes an image."""
    try:
        pixel_array(ds)
    except Exception:
        return False
    return True


def decoder_name(ds: Dataset) -> str:
    """Return the first decoder of the transfer syntax of `ds`: dicoxide, or a plugin of pydicom."""
    return dicoxide.capabilities()[ds.file_meta.TransferSyntaxUID].decoder or ""


def fallback_plugin(ds: Dataset) -> str:
    """Return the plugin of pydicom that decodes `ds` for dicoxide; empty if dicoxide decodes it, or the plugin fails.

    pydicom may use another one by default, and the plugins for lossy JPEG differ by a few values (T.81 A.3.3 leaves the
    precision of the inverse DCT open). The comparison of dicoxide with pydicom is exact for the same plugin.
    """
    plugin = decoder_name(ds)
    if plugin in ("", "dicoxide"):
        return ""
    try:
        pixel_array(ds, decoding_plugin=plugin)
    except RuntimeError:
        return ""
    return plugin


def group_by_folder(decoded: list[DecodedImage]) -> list[list[DecodedImage]]:
    """Group the files of each sub-folder (thumbnails of a file-set); other files are alone."""
    groups: dict[str, list[DecodedImage]] = {}
    for image in decoded:
        groups.setdefault(image.name.partition(os.sep)[0], []).append(image)
    return sorted(groups.values(), key=_row_order)


def _row_order(group: list[DecodedImage]) -> tuple[bool, str, str]:
    """Return the sort key of a group: images that dicoxide decodes itself come first."""
    return group[0].decoded_by != "dicoxide", group[0].syntax, group[0].name


def print_table(decoded: list[DecodedImage]) -> None:
    """Print one row per file: files that dicoxide decodes itself, then those of fallback decoders."""
    header = ("file", "transfer syntax", "frames × rows × columns", "exact", "ms", "ms pydicom", "×", "decoded by")
    rows = [_row(group) for group in group_by_folder(decoded)]
    lines = list(table_lines(rows, header, right_aligned={4, 5, 6}))
    own_row_count = sum(row[-1] == "dicoxide" for row in rows)
    has_fallback_rows = own_row_count < len(rows)
    if has_fallback_rows:
        # The first two lines are the header and its rule.
        lines.insert(2 + own_row_count, "")
    print("\n".join(lines))
    print()
    print("  overhead  little to decode: the time is spent on reading attributes")
    if any(image.pydicom_ms is None for image in decoded):
        print("  alone     not decoded by pydicom with the installed plugins: nothing to compare with")
    if any(image.is_rounded for image in decoded):
        print("  ± 1       lossy: pylibjpeg rounds the inverse DCT, and OpenJPEG the 9/7 wavelet, in another manner")
    if has_fallback_rows:
        print("  same      decoded by the named plugin of pydicom, and compared with it")


def _row(group: list[DecodedImage]) -> tuple[str, ...]:
    first = group[0]
    dicoxide_ms, pydicom_ms = sum(image.dicoxide_ms for image in group), sum(image.pydicom_ms or 0 for image in group)
    is_small = all((image.pydicom_ms or 0) < MIN_MS or image.array.nbytes < MIN_BYTES for image in group)
    exact, pydicom_text = "yes" if all(image.is_exact for image in group) else "NO", f"{pydicom_ms:.2f}"
    if any(image.is_rounded for image in group):
        exact = "± 1"
    if first.pydicom_ms is None:
        exact, pydicom_text, ratio = "–", "–", "alone"
    elif first.decoded_by != "dicoxide":
        ratio = "same"
    else:
        ratio = "overhead" if is_small else f"{pydicom_ms / dicoxide_ms:.1f}"
    name = first.name if len(group) == 1 else f"{first.name.partition(os.sep)[0]}{os.sep} ({len(group)} files)"
    return name, first.syntax, first.shape, exact, f"{dicoxide_ms:.2f}", pydicom_text, ratio, first.decoded_by


def print_failed(failed: list[FailedImage]) -> None:
    """Print the images that are not decoded, with the reason."""
    rejected = [image for image in failed if not image.lacks_decoder]
    if rejected:
        print("\nRejected")
    for image in rejected:
        pydicom_text = "pydicom DECODES it" if image.is_decoded_by_pydicom else "pydicom rejects it too"
        print(f"  {image.name}: {image.error}; {pydicom_text}")
    names_by_syntax: dict[UID, list[str]] = {}
    for image in failed:
        if image.lacks_decoder:
            names_by_syntax.setdefault(image.dataset.file_meta.TransferSyntaxUID, []).append(image.name)
    if names_by_syntax:
        print("\nNot supported by any installed decoder")
    for uid, names in names_by_syntax.items():
        decoder = get_decoder(uid)
        plugins = [f"{plugin} failed" for plugin in decoder.available_plugins]
        # Each text is "name - requires package".
        missing = [f"{text.partition(' - ')[0]} is not installed" for text in decoder.missing_dependencies]
        files = ", ".join(names) if len(names) < 3 else f"{len(names)} files"
        print(f"  {SHORT_NAMES.get(uid, uid.name)}: {files} ({', '.join(plugins + missing)})")


def generated_series() -> Iterator[tuple[str, Dataset, Array]]:
    """Yield transfer syntax, data set and samples of generated series."""
    frames = generated_datasets.ct_frames(50)
    yield "RLE Lossless", generated_datasets.dataset(frames, rle=True, bits_stored=12), frames
    if dicoxide.capabilities()[JPEGLossless].decoder == "dicoxide":
        encode = functools.partial(dicoxide.jpeg_lossless_encode, precision=12)
        yield "JPEG Lossless", generated_datasets.dataset(frames, jpeg_lossless=encode, bits_stored=12), frames


def show_series(syntax: str, ds: Dataset, frames: Array) -> bool:
    """Print the throughput on a generated series; return True if all results are exact."""
    out = np.empty_like(frames)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    plugin_calls: dict[str, Callable[[], Array]] = {
        f"pixel_array, plugin {plugin}": lambda plugin=plugin: pixel_array(ds, decoding_plugin=plugin)
        for plugin in get_decoder(ds.file_meta.TransferSyntaxUID).available_plugins
    }

    def enabled() -> Array:
        with dicoxide.enabled():
            return pixel_array(ds)

    calls: dict[str, Callable[[], Array]] = {
        **plugin_calls,
        "decode(ds), 1 thread": lambda: dicoxide.decode(ds, threads=1),
        f"decode(ds), {cores} threads": lambda: dicoxide.decode(ds),
        "decode(ds, out=), 1 thread": lambda: dicoxide.decode(ds, out=out, threads=1),
        f"decode(ds, out=), {cores} threads": lambda: dicoxide.decode(ds, out=out),
        "pixel_array after dicoxide.enable()": enabled,
    }
    are_exact = []
    for call in calls.values():
        out.fill(0xAAAA)
        are_exact.append(is_same(call(), frames))
    times_ms = dict(zip(calls, median_ms(*calls.values(), rounds=9), strict=True))
    fastest_ms = min((times_ms[name] for name in plugin_calls), default=None)
    compressed_mb, decoded_mb = len(ds.PixelData) / 1e6, frames.nbytes / 1e6
    baseline = "× relative to the fastest other plugin" if fastest_ms else "no installed plugin of pydicom decodes it"
    print(f"\nGenerated series, 50 × 512 × 512, 16 bit, {syntax}: {compressed_mb:.0f} MB compressed,")
    print(f"{decoded_mb:.0f} MB decoded; {baseline}\n")
    rows = [
        (
            name,
            f"{ms:.1f}",
            f"{frames.nbytes / ms / 1e3:.0f}",
            f"{50e3 / ms:.0f}",
            f"{fastest_ms / ms:.1f}" if fastest_ms else "",
        )
        for name, ms in times_ms.items()
    ]
    header = ("", "ms", "MB/s", "frames/s", "×" if fastest_ms else "")
    print("\n".join(table_lines(rows, header, right_aligned={1, 2, 3, 4})))
    return all(are_exact)


def render(decoded: DecodedImage) -> Image.Image:
    """Return the first frame as a picture: colour unchanged, other values windowed to the 1st to 99th percentile."""
    ds = decoded.dataset
    array = decoded.array[0] if decoded.array.ndim > 2 + (ds.SamplesPerPixel > 1) else decoded.array
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


def contact_sheet(decoded: list[DecodedImage]) -> Image.Image:
    """Return all images on one sheet, with file name, modality and transfer syntax."""
    font = ImageFont.load_default(11)
    images = [group[0] for group in group_by_folder(decoded)]
    column_count = min(TILES_PER_ROW, len(images))
    row_count = math.ceil(len(images) / column_count)
    step_x, step_y = TILE_SIZE + GAP, TILE_SIZE + LABEL_HEIGHT + GAP
    sheet = Image.new("RGB", (column_count * step_x + GAP, row_count * step_y + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        x, y = GAP + index % column_count * step_x, GAP + index // column_count * step_y
        tile = render(image).convert("RGB")
        scale = TILE_SIZE / max(tile.size)
        size = tuple(max(1, round(side * scale)) for side in tile.size)
        # Enlarged images show their pixels as squares.
        tile = tile.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
        sheet.paste(tile, (x + (TILE_SIZE - size[0]) // 2, y + (TILE_SIZE - size[1]) // 2))
        folder, separator, name = image.name.rpartition(os.sep)
        name = f"{folder.partition(os.sep)[0]}{separator}…{separator}{name}" if separator else name
        while draw.textlength(name, font) > TILE_SIZE:
            name = name.removesuffix("…")[:-1] + "…"
        draw.text((x, y + TILE_SIZE + 2), name, FOREGROUND, font)
        draw.text((x, y + TILE_SIZE + 15), f"{image.dataset.get('Modality') or '-'}  {image.syntax}", MUTED, font)
    return sheet


def main() -> int:
    """Run the demo; return 1 if a value differs."""
    images = find_images()
    print(f"dicoxide {dicoxide.__version__} ({dicoxide.backend} backend), pydicom {pydicom.__version__}: ", end="")
    print(f"the {len(images)} images inside the pydicom package\n")
    decoded, failed = decode_all(images)
    print_table(decoded)
    print_failed(failed)
    are_exact = [show_series(*series) for series in generated_series()]
    are_exact.append(show_files())
    CONTACT_SHEET.parent.mkdir(exist_ok=True)
    contact_sheet(decoded).save(CONTACT_SHEET)
    print(f"\nContact sheet: {CONTACT_SHEET}")
    wrong = [image.name for image in decoded if not image.is_exact]
    wrong += [image.name for image in failed if image.is_decoded_by_pydicom]
    own_count = sum(image.decoded_by == "dicoxide" for image in decoded)
    verdict = f"DIFFERENT FROM PYDICOM: {', '.join(wrong)}" if wrong else "all values that pydicom decodes are equal"
    print(
        f"{len(images)} images: {own_count} decoded by dicoxide, {len(decoded) - own_count} by plugins of pydicom, "
        f"{len(failed)} not decoded; {verdict}; series and files {'exact' if all(are_exact) else 'DIFFERENT'}"
    )
    return int(bool(wrong) or not all(are_exact))


if __name__ == "__main__":
    sys.exit(main())
