"""Derives an image from the bytes of a fuzzer: the first 12 bytes select its attributes, the rest is Pixel Data.

The layout is that of `choose` in rust/fuzz/src/lib.rs, so that both read the same corpus. Bits that are unused there
select the offset table and an attribute to corrupt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag

from dicoxide._backend import core
from support.encoders import encapsulate

CHOICE_BYTES = 12
# Small images, so that a target runs many inputs per second.
MAX_SAMPLES = 1 << 16
# Entries of a look-up table, which are the first bytes of the value.
MAX_ENTRIES = 300

_FIRST_CODECS = ("native", "rle", "jpeg_lossless")
_TERMS = ("YBR_FULL", "YBR_FULL_422", "MONOCHROME2", "RGB", "PALETTE COLOR", "YBR_PARTIAL_420", "YBR_RCT", "")
_TABLES = ("", "none", "basic", "wrong", "extended")
_CORRUPTIBLE = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
_VRS = ("US", "IS", "LO", "UN", "SQ")


def _syntaxes() -> list[list[str]]:
    """Return the UIDs of each codec, with new codecs last, so that the corpus keeps its meaning."""
    by_codec: dict[str, list[str]] = {codec: [] for codec in _FIRST_CODECS}
    for uid, _, codec in core.transfer_syntaxes():
        if codec is not None:
            by_codec.setdefault(codec, []).append(uid)
    return [uids for uids in by_codec.values() if uids]


SYNTAXES = _syntaxes()


@dataclass
class Choice:
    """Attributes of an image, of any value that their elements can hold, and its Pixel Data.

    Attributes
    ----------
    options : int
        Bits that targets use to select options of a call.
    table : str
        Offset table that is added to the Pixel Data; empty if `value` has its own items.
    fault : int
        Selects the attribute to corrupt and how; 0 for none.
    """

    transfer_syntax: str
    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_float: bool
    pixel_representation: int
    planar_configuration: int
    photometric_interpretation: str
    number_of_frames: int | None
    word_swapped: bool
    options: int
    table: str
    fault: int
    value: bytes
    extended: tuple[bytes, bytes] | None = None

    @property
    def is_native(self) -> bool:
        """True if Pixel Data are not encapsulated."""
        return self.transfer_syntax in SYNTAXES[0] and not self.transfer_syntax.endswith(".98")

    @property
    def dtype(self) -> str:
        """Dtype of the stored values."""
        kind = "f" if self.is_float else "ui"[self.pixel_representation == 1 and self.bits_allocated > 1]
        return f"{kind}{max(1, self.bits_allocated // 8)}"

    @property
    def pixel_keyword(self) -> str:
        """Keyword of the element that holds the pixel data."""
        if not self.is_float:
            return "PixelData"
        return "FloatPixelData" if self.bits_allocated == 32 else "DoubleFloatPixelData"

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `support.backend_comparison.open_frames`."""
        return {
            "transfer_syntax": self.transfer_syntax,
            "value": self.value,
            "rows": self.rows,
            "columns": self.columns,
            "samples_per_pixel": self.samples_per_pixel,
            "bits_allocated": self.bits_allocated,
            "bits_stored": self.bits_stored,
            "high_bit": self.high_bit,
            "pixel_representation": self.pixel_representation,
            "planar_configuration": self.planar_configuration,
            "photometric_interpretation": self.photometric_interpretation,
            "pixel_keyword": self.pixel_keyword,
            "number_of_frames": self.number_of_frames,
            "extended_offsets": self.extended,
            "word_swapped": self.word_swapped and self.is_native,
        }

    def dataset(self) -> Dataset:
        """Return the image as a Dataset, with one attribute corrupted unless `fault` is 0."""
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = self.transfer_syntax
        ds.SamplesPerPixel = self.samples_per_pixel
        ds.PhotometricInterpretation = self.photometric_interpretation
        if self.samples_per_pixel > 1:
            ds.PlanarConfiguration = self.planar_configuration
        if self.number_of_frames is not None:
            ds.NumberOfFrames = self.number_of_frames
        ds.Rows, ds.Columns, ds.BitsAllocated = self.rows, self.columns, self.bits_allocated
        if not self.is_float:
            ds.BitsStored, ds.HighBit = self.bits_stored, self.high_bit
            ds.PixelRepresentation = self.pixel_representation
        if self.extended is not None:
            ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = self.extended
        setattr(ds, self.pixel_keyword, self.value)
        if not self.is_float:
            ds["PixelData"].VR = "OW" if self.word_swapped or self.bits_allocated > 8 else "OB"
        ds[self.pixel_keyword].is_undefined_length = not self.is_native
        self._corrupt(ds)
        return ds

    def _corrupt(self, ds: Dataset) -> None:
        if not self.fault:
            return
        mode, index = divmod(self.fault, len(_CORRUPTIBLE))
        tag = Tag(_CORRUPTIBLE[index])
        if mode == 0:
            ds.pop(tag, None)
            return
        # A raw element, as pydicom reads one of a corrupt file.
        size = 2 * mode - (self.options >> 1 & 1)
        raw = self.value[-size:] if mode < len(_VRS) else b""
        ds._dict[tag] = RawDataElement(tag, _VRS[mode % len(_VRS)], len(raw), raw, 0, False, True)


def choose(data: bytes) -> Choice | None:
    """Return the image that `data` select; None if `data` are too short or the image too large."""
    if len(data) < CHOICE_BYTES:
        return None
    codec, syntax, rows, columns, samples, allocated, stored, shift, kind, frames, options, term = data[:CHOICE_BYTES]
    uids = SYNTAXES[codec % len(SYNTAXES)]
    bits_allocated = (1, 8, 8, 16, 16, 16, 32, 64)[allocated % 8]
    bits_stored = stored % (bits_allocated + 1)
    terms = (*_TERMS[:2], "RGB" if samples % 5 == 3 else "MONOCHROME2", _TERMS[term >> 3 & 7])
    choice = Choice(
        transfer_syntax=uids[syntax % len(uids)],
        rows=rows + 256 * (frames >> 3 & 3),
        columns=columns + 256 * (frames >> 5 & 3),
        samples_per_pixel=samples % 5,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=max(0, bits_stored + shift % 4 - 1),
        is_float=kind % 8 == 0 and bits_allocated in (32, 64),
        pixel_representation=int(1 <= kind % 8 < 4),
        planar_configuration=options & 1,
        photometric_interpretation=terms[term & 3],
        number_of_frames=None if frames & 128 else frames % 8,
        word_swapped=bool(term & 4),
        options=options,
        table=_TABLES[samples // 5 % len(_TABLES)],
        fault=shift >> 2,
        value=data[CHOICE_BYTES:],
    )
    count = max(1, choice.number_of_frames or 1)
    if math.prod((choice.rows, choice.columns, choice.samples_per_pixel, count)) > MAX_SAMPLES:
        return None
    if not choice.is_native:
        _wrap(choice, count)
    return choice


def _wrap(choice: Choice, count: int) -> None:
    """Encapsulate the value in `count` frames, or split an Extended Offset Table from its end."""
    if choice.table:
        size = -(-len(choice.value) // count)
        frames = [choice.value[index * size : (index + 1) * size] for index in range(count)]
        encapsulated = encapsulate.encapsulate(frames, table=choice.table)
        choice.value, choice.extended = encapsulated.value, encapsulated.extended
    elif choice.word_swapped and len(choice.value) >= 32:
        # The last bytes are an Extended Offset Table of two frames.
        choice.value, table = choice.value[:-32], choice.value[-32:]
        choice.extended = table[:16], table[16:]
