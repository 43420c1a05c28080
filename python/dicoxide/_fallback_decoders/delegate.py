"""What pydicom does for us: the transfer syntaxes that we do not decode, and Modality LUTs."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, FrameIndex, select
from dicoxide._backend import core
from dicoxide._deviations import Deviation, DeviationFields
from dicoxide._frame import IMAGE_PIXEL
from dicoxide.errors import CorruptFrameError, DecodeError, LimitError, TruncatedFrameError, UnsupportedError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.pixels.common import CoderBase
    from pydicom.pixels.decoders.base import Decoder

    from dicoxide._core import Frames
    from dicoxide._sources.base import Source

# Of broken bytes they throw what nobody catches, which ends the process: they are asked last, and in one of their own.
_APART = frozenset({"gdcm"})
# Of an integer sample in a codestream: JPEG 2000 has the most, of which arrays of 32 bits are made (T.800 A.5.1).
_MOST_BITS = 32


class Others:
    """The frames of an object that are decoded by who else pydicom knows.

    Each codestream is handed on alone, so that frames are those that are found here, and memory is taken for one.

    Raises
    ------
    DecodeError
        If the frames cannot be found.
    """

    def __init__(self, source: Source, unsupported: UnsupportedError, frames: Frames | None = None) -> None:
        # Why nobody here decodes them.
        self.unsupported = unsupported
        self._source = source
        self._is_encapsulated = _decoder(source.spec.transfer_syntax).is_encapsulated
        if self._is_encapsulated and (source.spec.is_float or source.spec.bits_allocated > _MOST_BITS):
            # Some decoders end the process on what no codestream holds.
            raise unsupported
        if frames is None and self._is_encapsulated:
            frames = source.frames(foreign=True)
        self._frames = frames
        self.notes: list[Deviation] | list[DeviationFields]
        self._count, self.notes = self._counted() if frames is None else (len(frames), frames.notes())

    def __len__(self) -> int:
        return self._count

    def decode(self, frames: FrameIndex, *, raw: bool, max_bytes: int | None) -> Array:
        """Decode; the shapes are those of :func:`dicoxide.decode`.

        Raises
        ------
        UnsupportedError
            The given one, if pydicom does not decode it either.
        """
        spec = self._source.spec
        indices, has_axis = select(self._count, frames)
        needed = len(indices) * math.prod(spec.shape) * spec.dtype.itemsize
        if max_bytes is not None and needed > max_bytes:
            raise LimitError(f"{needed} bytes of output needed, max_bytes is {max_bytes}", kind="LimitExceeded")
        try:
            if not has_axis:
                return self._frame(indices[0], raw)
            target: Array | None = None
            for place, index in enumerate(indices):
                frame = self._frame(index, raw)
                if target is None:
                    target = np.empty((len(indices), *spec.shape), spec.dtype)
                target[place] = frame
            return np.empty((0, *spec.shape), spec.dtype) if target is None else target
        except MemoryError as error:
            text = f"not enough memory for {needed} bytes of output and what pydicom's decoders need"
            raise LimitError(text, kind="LimitExceeded") from error

    def check(self, indices: Sequence[int]) -> None:
        """Refuse codestreams of another size than the data set says, before memory is taken for many of them."""
        for index in indices:
            if self._is_encapsulated:
                self._codestream(index)

    def _counted(self) -> tuple[int, list[Deviation]]:
        """How many frames are in native pixel data that nobody here has a type for."""
        source, spec = self._source, self._source.spec
        declared, clause = source.number_of_frames or 1, "PS3.5 8.1.1"
        bits = spec.rows * spec.columns * (2 if spec.is_422 else spec.samples_per_pixel) * spec.bits_allocated
        found = source.value_bytes
        if bits <= 0 or found * 8 < bits * declared:
            text = f"{found} bytes found, {-(-bits * declared // 8)} expected for {declared} frames ({clause})"
            raise TruncatedFrameError(text, clause=clause, offset=found, transfer_syntax=spec.transfer_syntax)
        # The last byte of an even number may be padding (PS3.5 7.1.1).
        count = declared if found - -(-bits * declared // 8) < 2 else max(declared, found * 8 // bits)
        if count == declared:
            return declared, []
        return count, [Deviation(None, f"number of frames is {declared}, {count} are there", clause, None)]

    def _frame(self, index: int, raw: bool) -> Array:
        spec = self._source.spec
        theirs = self._encapsulated if self._is_encapsulated else self._native
        try:
            decoded = _native_order(theirs(index, raw))
        except (DecodeError, MemoryError):
            raise
        except NotImplementedError as error:
            raise self.unsupported from error
        except Exception as error:
            text = f"pydicom's decoders failed: {' '.join(str(error).split())}"
            raise self._failed(DecodeError, text, "Fallback", index) from error
        if decoded.shape != spec.shape or decoded.dtype != spec.dtype:
            given, expected = f"{decoded.dtype} of {decoded.shape}", f"{spec.dtype} of {spec.shape}"
            text = f"pydicom's decoders gave {given}, {expected} expected"
            raise self._failed(DecodeError, text, "Fallback", index)
        return decoded

    def _encapsulated(self, index: int, raw: bool) -> Array:
        """What pydicom makes of one codestream, with what the data set says of it."""
        from pydicom.encaps import encapsulate

        spec = self._source.spec
        codestream = self._codestream(index)
        said: dict[str, Any] = {
            "rows": spec.rows,
            "columns": spec.columns,
            "samples_per_pixel": spec.samples_per_pixel,
            "bits_allocated": spec.bits_allocated,
            "bits_stored": spec.bits_allocated if spec.bits_stored is None else spec.bits_stored,
            "pixel_representation": spec.pixel_representation,
            "photometric_interpretation": spec.photometric_interpretation,
            "planar_configuration": spec.planar_configuration,
            "number_of_frames": 1,
            "raw": raw,
        }
        failures = []
        for name in available(spec.transfer_syntax):
            try:
                if name in _APART:
                    from dicoxide._fallback_decoders import subprocess

                    return subprocess.decode(spec.transfer_syntax, name, codestream, said, spec.shape, spec.dtype)
                one = encapsulate([codestream])
                decoded, _ = _decoder(spec.transfer_syntax).as_array(one, decoding_plugin=name, **said)
                return decoded
            except MemoryError:
                raise
            except Exception as error:
                failures.append(f"{name}: {_reason(error, name)}")
        if not failures:
            raise self.unsupported
        raise RuntimeError("; ".join(failures))

    def _codestream(self, index: int) -> bytes:
        """One frame, of the size that the data set says."""
        spec = self._source.spec
        assert self._frames is not None
        codestream, _ = self._frames.frame_bytes(index)
        size = core.codestream_size(codestream)
        if size not in (None, (spec.rows, spec.columns)):
            # Memory is taken for what the data set says, and by some decoders for what the codestream says.
            text = (
                f"a codestream of {size[0]} rows and {size[1]} columns found, {spec.rows} and {spec.columns} expected"
            )
            raise self._failed(CorruptFrameError, text, "Mismatch", index, "PS3.5 8.2")
        return codestream

    def _native(self, index: int, raw: bool) -> Array:
        """What pydicom makes of one frame, with all elements that it looks at."""
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import UID

        spec, found = self._source.spec, self._source.dataset
        all_frames = Dataset()
        for keyword in (*IMAGE_PIXEL, spec.pixel_keyword):
            if keyword in found:
                all_frames[keyword] = found[keyword]
        all_frames.NumberOfFrames = self._count
        all_frames.file_meta = FileMetaDataset()
        all_frames.file_meta.TransferSyntaxUID = UID(spec.transfer_syntax)
        decoded, _ = _decoder(spec.transfer_syntax).as_array(all_frames, index=index, raw=raw)
        return decoded

    def _failed(self, error: type[DecodeError], text: str, kind: str, index: int, clause: str = "") -> DecodeError:
        text = f"{text} ({clause})" if clause else text
        uid = self._source.spec.transfer_syntax
        return error(text, kind=kind, clause=clause, transfer_syntax=uid, frame_index=index)


def available(transfer_syntax: str) -> tuple[str, ...]:
    """Names of the decoding plugins, other than ours, that pydicom has for a transfer syntax, as they are asked."""
    try:
        decoder = _decoder(transfer_syntax)
    except NotImplementedError:
        return ()
    if not decoder.is_encapsulated:
        return ("pydicom",)
    names = order_of(decoder) or decoder.available_plugins
    unasked = {"dicoxide"} if _has_processes() else {"dicoxide", *_APART}
    return tuple(sorted((name for name in names if name not in unasked), key=_APART.__contains__))


def order_of(coder: CoderBase) -> dict[str, Callable[..., Any]] | None:
    """The plugins of `coder` by label, in the order in which they are tried; None if that cannot be known.

    ``available_plugins`` is sorted: pydicom says the order nowhere in public.
    """
    plugins = getattr(coder, "_available", None)
    if not isinstance(plugins, dict) or tuple(sorted(plugins)) != coder.available_plugins:
        return None
    return plugins.copy()


def why_not(transfer_syntax: str) -> str:
    """What keeps pydicom from decoding a transfer syntax, in one line."""
    try:
        decoder = _decoder(transfer_syntax)
        missing = decoder.missing_dependencies
    except NotImplementedError:
        return "pydicom has no decoder for it"
    if unasked := _APART.intersection(decoder.available_plugins):
        return f"{', '.join(unasked)} is asked in a process of its own only, which cannot be started here"
    return f"pydicom's plugins are not installed: {'; '.join(missing)}"


def modality_lut(stored: Array, dataset: Dataset) -> Array:
    """The Modality LUT Sequence of `dataset` applied to stored values (PS3.3 C.11.1).

    Raises
    ------
    CorruptFrameError
        If pydicom finds no table in it.
    """
    from pydicom.pixels.processing import apply_modality_lut

    try:
        return apply_modality_lut(stored, dataset)
    except MemoryError:
        raise
    except Exception as error:
        clause = "PS3.3 C.11.1"
        raise CorruptFrameError(f"the Modality LUT cannot be applied: {error} ({clause})", clause=clause) from error


def _decoder(transfer_syntax: str) -> Decoder:
    from pydicom.pixels.decoders.base import get_decoder

    return get_decoder(transfer_syntax)


def _has_processes() -> bool:
    """Whether another process can be started and asked: by an interpreter, and sockets that it can be given."""
    return os.name == "posix" and not getattr(sys, "frozen", False) and bool(sys.executable)


def _reason(error: Exception, name: str) -> str:
    """Why a plugin failed, without what pydicom says around it where it asked one only."""
    text = " ".join((str(error) or type(error).__name__).split())
    return text.rpartition(f"plugins: {name}:")[2].strip() or "no reason given"


def _native_order(arr: Array) -> Array:
    if not arr.dtype.isnative:
        arr = arr.astype(arr.dtype.newbyteorder("="))
    return np.ascontiguousarray(arr)
