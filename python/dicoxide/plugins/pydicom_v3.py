"""The decoder plugin: one frame for ``pydicom.pixels.decoders``.

pydicom asks a plugin module for three things: ``DECODER_DEPENDENCIES``, ``is_available`` and a decode function.
Every encapsulated transfer syntax that the core has a codec for is offered; a new codec needs no change here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from pydicom.uid import UID

from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._options import DecodeOptions
from dicoxide.errors import CorruptFrameError, DecodeError, NonConformantWarning, UnsupportedError
from dicoxide.plugins._prefetch import Ahead, threads

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

    DecodeFunction = Callable[[bytes, DecodeRunner], bytes | bytearray]

__all__ = ["DECODER_DEPENDENCIES", "decode_frame", "is_available"]

LABEL = "dicoxide"

# PS3.5 A.1, A.2, A.3 and A.5: pydicom reads these itself, they never reach a plugin.
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
_ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"

DECODER_DEPENDENCIES: dict[UID, tuple[str, ...]] = {
    UID(uid): ("dicoxide",) for uid, _, codec in core.transfer_syntaxes() if codec is not None and uid not in _NATIVE
}


def is_available(uid: str) -> bool:
    """Whether frames of the transfer syntax `uid` are decoded here.

    Parameters
    ----------
    uid : str
        A transfer syntax UID.

    Returns
    -------
    bool
        True for every encapsulated transfer syntax with a codec.
    """
    return uid in DECODER_DEPENDENCIES


@dataclass
class _Memory:
    """What is remembered of a runner from frame to frame."""

    # Option: its value in the data set, and what was reported in its place.
    reported: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    warned: bool = False
    ahead: Ahead = field(default_factory=Ahead)


# A runner is made for each call of pydicom's and lives as long as it.
_MEMORIES: WeakKeyDictionary[Any, _Memory] = WeakKeyDictionary()


def decode_frame(src: bytes, runner: DecodeRunner) -> bytearray | bytes:
    """Decode one frame for pydicom.

    Parameters
    ----------
    src : bytes
        The frame's bytes, fragments joined.
    runner : pydicom.pixels.decoders.base.DecodeRunner
        What the data set says of the frame. Option ``rle_segment_order="<"`` (the same: ``byteorder=">"``) reads
        RLE segments least significant byte first.

    Returns
    -------
    bytearray
        Exactly one frame of samples of Bits Allocated (8 bits where that is 1), little-endian, planar
        configuration 0, bits as they are in the codestream: pydicom masks and extends the sign itself. No colour
        is converted. What is not supported is what the next plugin answered.

    Raises
    ------
    CorruptFrameError
        If the frame breaks a rule of its format. No other plugin is asked then.
    UnsupportedError
        If the frame is valid but not decoded here, nor by another plugin.

    References
    ----------
    PS3.5 Annex A.4, PS3.5 8.1.1.
    """
    memory = _MEMORIES.get(runner)
    if memory is None:
        memory = _MEMORIES[runner] = _Memory()
    try:
        return _decode(src, runner, memory)
    except UnsupportedError:
        frame = _ask_the_next(src, runner)
        if frame is None:
            raise
        return frame
    except DecodeError:
        _stop_the_others(runner)
        raise


def _decode(src: bytes, runner: DecodeRunner, memory: _Memory) -> bytearray:
    uid = str(runner.transfer_syntax)
    samples_per_pixel = runner.samples_per_pixel
    bits_allocated = _stated(memory, "bits_allocated", runner.bits_allocated)
    planar_configuration = _stated(memory, "planar_configuration", runner.get_option("planar_configuration") or 0)
    photometric_interpretation = _stated(
        memory, "photometric_interpretation", str(runner.get_option("photometric_interpretation", ""))
    )
    pixel_representation = _pixel_representation(runner)
    # As if all bits were stored: pydicom shifts unused bits out itself, or leaves them where it is told to.
    spec = FrameSpec(
        uid,
        runner.rows,
        runner.columns,
        samples_per_pixel,
        bits_allocated,
        bits_allocated,
        bits_allocated - 1,
        pixel_representation,
        planar_configuration if samples_per_pixel > 1 else 0,
        photometric_interpretation,
    )
    data = src if type(src) is bytes else bytes(src)
    options = DecodeOptions(threads(), segment_byte_order=_segment_byte_order(runner))
    decoded = memory.ahead.take(data, runner, spec, options.segment_byte_order)
    frame, deviations = decoded or core.decode_frame_bytearray(spec, data, options)

    report = reporter(runner)
    for name, before, after in (
        ("planar_configuration", planar_configuration, 0),
        ("bits_allocated", bits_allocated, max(bits_allocated, 8)),
        ("photometric_interpretation", photometric_interpretation, _decoded_as(uid, photometric_interpretation)),
    ):
        memory.reported[name] = (before, after)
        if before != after or name == "planar_configuration":
            report(name, after)
    if deviations and not memory.warned:
        memory.warned = True
        _, message, clause, _ = deviations[0]
        warnings.warn(f"{message} ({clause})" if clause else message, NonConformantWarning, stacklevel=3)
    return frame


def _pixel_representation(runner: DecodeRunner) -> int:
    """What the data set says; pydicom looks at it itself only where the pixel data are of integers."""
    value: Any = runner.get_option("pixel_representation") or 0
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if not 0 <= number < 1 << 32:
        clause = "PS3.3 C.7.6.3"
        raise CorruptFrameError(
            f"PixelRepresentation is {str(value)[:40]!r}, a number expected ({clause})",
            kind="Mismatch",
            clause=clause,
            transfer_syntax=str(runner.transfer_syntax),
        )
    return number


def reporter(runner: Any) -> Callable[[str, Any], None]:
    """How `runner` is told what one decoded frame is like.

    In pydicom 3.1 ``set_option`` changes what is said of all frames and has no effect on the one being decoded.

    Parameters
    ----------
    runner : pydicom.pixels.decoders.base.DecodeRunner
        The runner of any pydicom 3.

    Returns
    -------
    Callable[[str, Any], None]
        Takes the name and the value of an option.
    """
    if hasattr(type(runner), "set_frame_option"):
        # 3.1 keeps which plugin decoded each frame.
        runner.set_frame_option(runner.index, "decoding_plugin", LABEL)
        return lambda name, value: runner.set_frame_option(runner.index, name, value)
    set_option: Callable[[str, Any], None] = runner.set_option
    return set_option


def _stated(memory: _Memory, name: str, value: Any) -> Any:
    """What the data set says: in pydicom 3.0 what was reported of one frame is still there at the next."""
    before, after = memory.reported.get(name, (value, value))
    return before if value == after else value


def _decoded_as(uid: str, photometric_interpretation: str) -> str:
    # Where samples are not compressed, the colour differences are brought to full resolution as pydicom does for
    # native data, and it reports so (PS3.3 C.7.6.3.1.2).
    if uid == _ENCAPSULATED_UNCOMPRESSED and photometric_interpretation == "YBR_FULL_422":
        return "YBR_FULL"
    return photometric_interpretation


def _segment_byte_order(runner: DecodeRunner) -> Literal["big", "little"]:
    # `byteorder` is the order of pylibjpeg-rle's output, which pydicom reads as little-endian: asking for ">" is how
    # its users read the same files.
    swapped = runner.get_option("rle_segment_order", ">") == "<" or runner.get_option("byteorder", "<") == ">"
    return "little" if swapped else "big"


def _decoders_of(runner: DecodeRunner) -> dict[str, DecodeFunction]:
    """The plugins that pydicom is about to try, in its order; empty where that cannot be known.

    pydicom has no public way to ask. The mapping is this runner's own, so changes end with it.
    """
    decoders = getattr(runner, "_decoders", None)
    if not isinstance(decoders, dict) or not any(function is decode_frame for function in decoders.values()):
        return {}
    return decoders


def _ask_the_next(src: bytes, runner: DecodeRunner) -> bytes | bytearray | None:
    """The frame from the plugins behind this one, without pydicom logging an error for it; None if all refuse."""
    functions = list(_decoders_of(runner).values())
    while functions and functions.pop(0) is not decode_frame:
        pass
    for function in functions:
        try:
            return function(src, runner)
        except Exception:
            # pydicom asks it once more and shows why it failed.
            continue
    return None


def _stop_the_others(runner: DecodeRunner) -> None:
    """Keep pydicom from having the other plugins guess at a frame known to be corrupt.

    pydicom tries all plugins of the runner, whatever the first one raised. The runner's own mapping is changed,
    never the decoder's.
    """
    decoders = _decoders_of(runner)
    if not decoders or decoders is _decoders_of_the_syntax(runner):
        return
    for label, function in decoders.items():
        if function is not decode_frame:
            # Same keys: pydicom may be walking the mapping.
            decoders[label] = _refuse


def _decoders_of_the_syntax(runner: DecodeRunner) -> object:
    from pydicom.pixels.decoders.base import get_decoder

    return getattr(get_decoder(runner.transfer_syntax), "_available", None)


def _refuse(src: bytes, runner: DecodeRunner) -> bytearray:
    raise UnsupportedError("not asked, because dicoxide finds the frame corrupt", kind="Unsupported")
