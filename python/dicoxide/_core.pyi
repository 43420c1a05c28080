"""The compiled extension. `_numpy_backend` has the same names in NumPy, but for those that read files."""

import os
from collections.abc import Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from dicoxide._deviations import Deviation as _Deviation
from dicoxide._frame import FrameSpec as _FrameSpec
from dicoxide._options import DecodeOptions as _DecodeOptions
from dicoxide._sources import SeekableFile as _SeekableFile

__version__: str
ERROR_KINDS: list[str]
CPU_PATH: str

__all__ = [
    "CPU_PATH",
    "ERROR_KINDS",
    "BatchDecoder",
    "CancelToken",
    "Codestream",
    "Elements",
    "Frames",
    "LookupTable",
    "Object",
    "Rendering",
    "ValueRanges",
    "__version__",
    "burn_overlay",
    "codestream_info",
    "compare_codestream",
    "decode_frame",
    "decode_frame_bytearray",
    "decode_frame_into",
    "jpeg_lossless_encode",
    "jpegls_encode",
    "open_and_decode",
    "open_many",
    "pack_bits_into",
    "read_elements",
    "render_into",
    "rescale_into",
    "rle_encode",
    "transfer_syntaxes",
    "unpack_bits_into",
    "unsupported_feature",
    "value_range",
]

_CodestreamFields = tuple[
    str,
    int | None,
    int | None,
    int | None,
    int | None,
    bool | None,
    str | None,
    bool | None,
    int | None,
]
_SpecFields = tuple[str, int, int, int, int, int | None, int | None, int, int, str, str]

@final
class Object:
    def __new__(cls, src: str | os.PathLike[str] | bytes | _SeekableFile, max_bytes: int | None = None) -> Object: ...
    def spec(self) -> tuple[_SpecFields, int | None]: ...
    def frames(self, *, find_only: bool = False) -> Frames: ...
    def elements(self) -> Elements: ...
    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]: ...
    def has_modality_lut(self) -> bool: ...
    def modality_lut(self) -> tuple[LookupTable, list[_Deviation]] | None: ...
    def item_deviations(self) -> list[_Deviation]: ...
    def value_range(self) -> tuple[int, int, bool]: ...
    def value(self) -> bytes: ...

def open_and_decode(
    src: str | os.PathLike[str] | bytes | _SeekableFile, rescale: bool, to_rgb: bool, reduce: int
) -> tuple[npt.NDArray[Any], list[_Deviation]] | Object: ...
def open_many(
    sources: Sequence[str | os.PathLike[str] | bytes], threads: int, max_bytes: int | None = None
) -> list[Object | Exception]: ...
def read_elements(
    src: str | os.PathLike[str] | bytes | _SeekableFile, max_bytes: int | None = None
) -> tuple[Elements, bool]: ...

@final
class Elements:
    def tags(self) -> list[int]: ...
    def read_common(self, wanted: Sequence[tuple[str, int, str]]) -> tuple[dict[str, Any], list[str]]: ...
    def get(self, tag: int, is_sequence: bool) -> list[Elements] | tuple[str | None, bytes, bool] | None: ...

@final
class Frames:
    def __new__(
        cls,
        spec: _FrameSpec,
        value: bytes,
        number_of_frames: int | None = None,
        extended_offsets: tuple[bytes, bytes] | None = None,
        *,
        word_swapped: bool = False,
        whole: bool = False,
        find_only: bool = False,
    ) -> Frames: ...
    def __len__(self) -> int: ...
    def deviations(self) -> list[_Deviation]: ...
    def lookup_deviations(self) -> list[_Deviation]: ...
    def check(self, indices: Sequence[int], *, max_bytes: int | None = None) -> None: ...
    def decode_into(
        self,
        out: npt.NDArray[Any],
        indices: Sequence[int],
        options: _DecodeOptions | None = None,
        *,
        transforms: Sequence[_Transform | Rendering] | None = None,
        is_warm: bool = False,
    ) -> tuple[str, list[_Deviation]]: ...
    def decode_bytearrays(
        self, indices: Sequence[int], options: _DecodeOptions | None = None
    ) -> list[tuple[bytearray, list[_Deviation]] | None]: ...
    def is_frame(self, index: int, src: bytes) -> bool: ...
    def frame_bytes(self, index: int) -> tuple[bytes, int]: ...

@final
class LookupTable:
    def __new__(cls, first_mapped: int, entries: npt.NDArray[np.uint16]) -> LookupTable: ...
    @property
    def first_mapped(self) -> int: ...
    @property
    def entries(self) -> list[float]: ...

@final
class ValueRanges:
    def __new__(
        cls, ranges: Sequence[tuple[float, float, tuple[float, float] | npt.NDArray[np.float64]]]
    ) -> ValueRanges: ...

_Transform = tuple[float, float] | LookupTable | ValueRanges

@final
class Rendering:
    @staticmethod
    def grayscale(
        stored: str,
        bits_stored: int,
        voi: tuple[str, float, float] | tuple[LookupTable, int],
        *,
        transform: _Transform | None = None,
        inverted: bool = False,
        padding: tuple[float, float] | None = None,
        dtype: str = "uint8",
    ) -> Rendering: ...
    @staticmethod
    def table(first_mapped: int, entries: npt.NDArray[Any]) -> Rendering: ...

@final
class BatchDecoder:
    def __new__(
        cls,
        options: _DecodeOptions,
        *,
        buffer_bytes: int,
        frame: int | None = None,
        rescale: bool = False,
        type_name: str | None = None,
    ) -> BatchDecoder: ...
    def push(self, sources: Sequence[tuple[int, str | os.PathLike[str] | bytes | _SeekableFile]]) -> None: ...
    def take_results(
        self, next_index: int, freed_bytes: int
    ) -> tuple[int, list[tuple[int, tuple[npt.NDArray[Any], list[_Deviation]] | Exception | None]]]: ...
    def wake(self) -> None: ...
    def cancel(self) -> None: ...

@final
class CancelToken:
    def __new__(cls) -> CancelToken: ...
    def attach_to_thread(self) -> None: ...
    def cancel(self) -> None: ...

def decode_frame(
    spec: _FrameSpec, src: bytes, options: _DecodeOptions | None = None
) -> tuple[npt.NDArray[Any], list[_Deviation]]: ...
def decode_frame_into(
    out: npt.NDArray[Any], spec: _FrameSpec, src: bytes, options: _DecodeOptions | None = None
) -> list[_Deviation]: ...
def decode_frame_bytearray(
    spec: _FrameSpec, src: bytes, options: _DecodeOptions | None = None
) -> tuple[bytearray, list[_Deviation]]: ...
def compare_codestream(spec: _FrameSpec, src: bytes, *, to_rgb: bool) -> tuple[bool, list[_Deviation]]: ...
def codestream_info(src: bytes) -> _CodestreamFields: ...

@final
class Codestream:
    def __new__(cls, src: bytes, *, jpeg_lossless: bool = False) -> Codestream: ...
    def layout(self, reduce: int = 0) -> tuple[int, int, int, str]: ...
    def check(self) -> None: ...
    def decode_into(
        self, out: npt.NDArray[Any], *, to_rgb: bool = False, reduce: int = 0, threads: int = 1
    ) -> list[_Deviation]: ...

def unsupported_feature(uid: str) -> str | None: ...
def transfer_syntaxes() -> list[tuple[str, str, str | None]]: ...
def unpack_bits_into(src: bytes, offset_bits: int, out: npt.NDArray[np.uint8]) -> None: ...
def pack_bits_into(src: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None: ...
def rescale_into(
    src: npt.NDArray[Any], transform: _Transform, out: npt.NDArray[Any], is_warm: bool = False
) -> None: ...
def render_into(
    src: npt.NDArray[Any], rendering: Rendering, out: npt.NDArray[Any], threads: int = 1, is_warm: bool = False
) -> None: ...
def value_range(src: npt.NDArray[Any], padding: tuple[float, float] | None = None) -> tuple[float, float] | None: ...
def burn_overlay(
    frame: npt.NDArray[Any],
    plane: bytes,
    rows: int,
    columns: int,
    row: int,
    column: int,
    value: float,
    bit_offset: int = 0,
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
def jpegls_encode(
    src: npt.NDArray[Any],
    rows: int,
    columns: int,
    samples_per_pixel: int,
    near: int,
    interleave_mode: int,
    precision: int | None,
) -> bytes: ...
def rle_encode(src: npt.NDArray[Any], rows: int, columns: int, samples_per_pixel: int) -> bytes: ...
