"""The compiled extension. `_fallback` has the same names in plain NumPy."""

import os
from collections.abc import Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from dicoxide._deviations import DeviationFields as _DeviationFields

__version__: str
ERROR_KINDS: list[str]
CPU_PATH: str

__all__ = [
    "CPU_PATH",
    "ERROR_KINDS",
    "CancelToken",
    "Elements",
    "Frames",
    "Many",
    "Object",
    "__version__",
    "codestream_size",
    "decode_frame_bytearray",
    "decode_frame_into",
    "jpeg_lossless_dimensions",
    "jpeg_lossless_encode",
    "open_many",
    "pack_bits_into",
    "rescale_into",
    "rle_encode",
    "transfer_syntaxes",
    "unpack_bits_into",
]

_Spec = tuple[str, int, int, int, int, int | None, int | None, int, int, str, str]

@final
class Object:
    def __new__(cls, src: str | os.PathLike[str] | bytes, max_bytes: int | None = None) -> Object: ...
    def spec(self) -> tuple[_Spec, int | None]: ...
    def frames(self, *, foreign: bool = False) -> Frames: ...
    def elements(self) -> Elements: ...
    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]: ...
    def has_modality_lut(self) -> bool: ...
    def value_place(self) -> tuple[int, int, bool]: ...
    def value(self) -> bytes: ...

def open_many(
    sources: Sequence[str | os.PathLike[str] | bytes], threads: int, max_bytes: int | None = None
) -> list[Object | Exception]: ...

@final
class Elements:
    def tags(self) -> list[int]: ...
    def read_common(self, wanted: Sequence[tuple[str, int, str]]) -> tuple[dict[str, Any], list[str]]: ...
    def get(self, tag: int, is_sequence: bool) -> list[Elements] | tuple[str | None, bytes, bool] | None: ...

@final
class Frames:
    def __new__(
        cls,
        transfer_syntax: str,
        value: bytes,
        rows: int,
        columns: int,
        samples_per_pixel: int,
        bits_allocated: int,
        bits_stored: int,
        high_bit: int,
        pixel_representation: int,
        planar_configuration: int,
        photometric_interpretation: str,
        is_float: bool = False,
        number_of_frames: int | None = None,
        extended_offsets: tuple[bytes, bytes] | None = None,
        word_swapped: bool = False,
        whole: bool = False,
        foreign: bool = False,
    ) -> Frames: ...
    def __len__(self) -> int: ...
    def notes(self) -> list[_DeviationFields]: ...
    def check(self, indices: Sequence[int], *, max_bytes: int | None = None) -> None: ...
    def decode_into(
        self,
        out: npt.NDArray[Any],
        indices: Sequence[int],
        *,
        threads: int = 1,
        strict: bool = False,
        to_rgb: bool = False,
        rescales: Sequence[tuple[float, float]] | None = None,
        max_bytes: int | None = None,
        segment_byte_order: str = "big",
        is_warm: bool = False,
        portable: bool = False,
        way: str | None = None,
    ) -> tuple[str, list[_DeviationFields]]: ...
    def decode_bytearrays(
        self, indices: Sequence[int], *, threads: int = 1, segment_byte_order: str = "big"
    ) -> list[tuple[bytearray, list[_DeviationFields]] | None]: ...
    def is_frame(self, index: int, src: bytes) -> bool: ...
    def frame_bytes(self, index: int) -> tuple[bytes, int]: ...

@final
class Many:
    def __new__(
        cls,
        *,
        threads: int,
        room_bytes: int,
        frame: int | None = None,
        rescale: bool = False,
        type_name: str | None = None,
        raw: bool = False,
        max_bytes: int | None = None,
    ) -> Many: ...
    def push(self, sources: Sequence[tuple[int, str | os.PathLike[str] | bytes]]) -> None: ...
    def take(
        self, first: int, freed_bytes: int
    ) -> tuple[int, list[tuple[int, tuple[npt.NDArray[Any], list[_DeviationFields]] | Exception | None]]]: ...
    def call(self) -> None: ...
    def stop(self) -> None: ...

@final
class CancelToken:
    def __new__(cls) -> CancelToken: ...
    def attach_to_thread(self) -> None: ...
    def cancel(self) -> None: ...

def decode_frame_into(
    out: npt.NDArray[Any],
    transfer_syntax: str,
    src: bytes,
    rows: int,
    columns: int,
    samples_per_pixel: int,
    bits_allocated: int,
    bits_stored: int,
    high_bit: int,
    pixel_representation: int,
    planar_configuration: int,
    photometric_interpretation: str,
    is_float: bool = False,
    segment_byte_order: str = "big",
) -> list[_DeviationFields]: ...
def decode_frame_bytearray(
    transfer_syntax: str,
    src: bytes,
    rows: int,
    columns: int,
    samples_per_pixel: int,
    bits_allocated: int,
    bits_stored: int,
    high_bit: int,
    pixel_representation: int,
    planar_configuration: int,
    photometric_interpretation: str,
    is_float: bool = False,
    segment_byte_order: str = "big",
    threads: int = 1,
) -> tuple[bytearray, list[_DeviationFields]]: ...
def codestream_size(src: bytes) -> tuple[int, int] | None: ...
def jpeg_lossless_dimensions(src: bytes) -> tuple[int, int, int, int]: ...
def transfer_syntaxes() -> list[tuple[str, str, str | None]]: ...
def unpack_bits_into(src: bytes, offset_bits: int, out: npt.NDArray[np.uint8]) -> None: ...
def pack_bits_into(src: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None: ...
def rescale_into(
    src: npt.NDArray[Any], slope: float, intercept: float, out: npt.NDArray[Any], is_warm: bool = False
) -> None: ...
def jpeg_lossless_encode(
    src: npt.NDArray[Any],
    rows: int,
    columns: int,
    samples_per_pixel: int,
    selection_value: int,
    point_transform: int,
    restart_interval: int,
    precision: int | None,
) -> bytes: ...
def rle_encode(src: npt.NDArray[Any], rows: int, columns: int, samples_per_pixel: int) -> bytes: ...
