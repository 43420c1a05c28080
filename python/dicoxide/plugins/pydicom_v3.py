"""Decoder plugin for ``pydicom.pixels.decoders``.

pydicom uses three names of a plugin module: ``DECODER_DEPENDENCIES``, ``is_available`` and a decode function. The
plugin supports every encapsulated transfer syntax that the core has a codec for; a new codec needs no change here. It
is also tried for the other transfer syntaxes of the JPEG family, whose frames may be lossless codestreams.
``docs/plugins.md`` describes the interplay with pydicom.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from pydicom.uid import UID, JPEGTransferSyntaxes

from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._options import DecodeOptions
from dicoxide._transfer_syntaxes import (
    NATIVE,
    NATIVE_FRAMES,
    RLE_LOSSLESS,
)
from dicoxide.errors import CorruptFrameError, DecodeError, NonConformantWarning, UnsupportedError
from dicoxide.plugins._planes import called_for_array, to_planes
from dicoxide.plugins._prefetch import FramePrefetcher, threads
from dicoxide.plugins._supported import SUPPORTED

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

    DecodeFunction = Callable[[bytes, DecodeRunner], bytes | bytearray]

__all__ = ["DECODER_DEPENDENCIES", "decode_frame", "is_available"]

LABEL = "dicoxide"

_CODECS = {uid: codec for uid, _, codec in core.transfer_syntaxes()}
# Codecs whose frames have no header with a precision.
_WITHOUT_HEADER = frozenset({"native", "rle", "deflated"})

# Without the native ones, which pydicom decodes itself.
DECODER_DEPENDENCIES: dict[UID, tuple[str, ...]] = {UID(uid): ("dicoxide",) for uid in SUPPORTED if uid not in NATIVE}


def is_available(uid: str) -> bool:
    """Return True if the plugin decodes frames of the transfer syntax `uid`.

    Parameters
    ----------
    uid : str
        A transfer syntax UID.

    Returns
    -------
    bool
        True for every encapsulated transfer syntax that the core has a codec for, and for those of the JPEG family.
    """
    return uid in DECODER_DEPENDENCIES


@dataclass
class _RunnerState:
    """State that the plugin keeps for a runner from frame to frame."""

    # Options reported to pydicom by name: the value of the data set, and the reported value.
    reported: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    has_warned: bool = False
    # Planar configuration of the result; 1 for a buffer of RLE colour frames.
    planar_configuration: int = 0
    prefetcher: FramePrefetcher = field(default_factory=FramePrefetcher)


# pydicom creates a runner for each of its decoding calls, and drops it afterwards.
_RUNNER_STATES: WeakKeyDictionary[Any, _RunnerState] = WeakKeyDictionary()


def decode_frame(src: bytes, runner: DecodeRunner) -> bytearray | bytes:
    """Decode one frame for pydicom.

    Parameters
    ----------
    src : bytes
        The codestream: the joined fragments of the frame.
    runner : pydicom.pixels.decoders.base.DecodeRunner
        Options of the call: the Image Pixel attributes, and ``rle_segment_order="<"`` (or ``byteorder=">"``) for RLE
        segments in the order least significant byte first.

    Returns
    -------
    bytearray
        Exactly one frame: samples of Bits Allocated bits (8 if that is 1), little-endian. The planar configuration is
        0; it is 1 for RLE Lossless, as with pydicom's own plugin, unless pydicom makes an array of the frame. Bits
        above Bits Stored are those of the codestream, because pydicom masks them and extends the sign itself. No colour
        is converted. If dicoxide does not support the frame, the result of the next plugin that does.

    Raises
    ------
    CorruptFrameError
        If the frame violates its format. No other plugin is tried then.
    UnsupportedError
        If the frame is valid, but neither dicoxide nor a plugin after it supports it.

    Notes
    -----
    PS3.5 Annex A.4, PS3.5 8.1.1.
    """
    state = _RUNNER_STATES.get(runner)
    if state is None:
        state = _RUNNER_STATES[runner] = _RunnerState()
        if runner.transfer_syntax == RLE_LOSSLESS and runner.samples_per_pixel > 1:
            state.planar_configuration = 0 if called_for_array(sys._getframe(1)) else 1
    try:
        return _decode(src, runner, state)
    except UnsupportedError:
        frame = _decode_by_next_plugin(src, runner)
        if frame is None:
            raise
        return frame
    except DecodeError:
        _disable_other_plugins(runner)
        raise


def _decode(src: bytes, runner: DecodeRunner, state: _RunnerState) -> bytearray:
    uid = str(runner.transfer_syntax)
    samples_per_pixel = runner.samples_per_pixel
    bits_allocated = _data_set_value(state, "bits_allocated", runner.bits_allocated)
    planar_configuration = _data_set_value(
        state, "planar_configuration", runner.get_option("planar_configuration") or 0
    )
    photometric_interpretation = _data_set_value(
        state, "photometric_interpretation", str(runner.get_option("photometric_interpretation", ""))
    )
    pixel_representation = _pixel_representation(runner)
    # Bits Stored is Bits Allocated, because pydicom masks unused bits itself (unless correct_unused_bits=False).
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
    prefetched = state.prefetcher.take(data, runner, spec, options.segment_byte_order)
    frame, deviations = prefetched or core.decode_frame_bytearray(spec, data, options)
    if state.planar_configuration == 1:
        frame = to_planes(frame, samples_per_pixel, max(bits_allocated // 8, 1))

    report = reporter(runner)
    decoded_interpretation = _decoded_interpretation(uid, photometric_interpretation, samples_per_pixel, data)
    for name, declared, decoded in (
        ("planar_configuration", planar_configuration, state.planar_configuration),
        ("bits_allocated", bits_allocated, max(bits_allocated, 8)),
        ("photometric_interpretation", photometric_interpretation, decoded_interpretation),
    ):
        state.reported[name] = (declared, decoded)
        if declared != decoded or name == "planar_configuration":
            report(name, decoded)
    if not state.has_warned:
        problems = [(message, clause) for _, message, clause, _ in deviations]
        if _CODECS[uid] not in _WITHOUT_HEADER:
            problems += _precision_problems(data, runner)
        state.has_warned = bool(problems)
        for message, clause in problems:
            warnings.warn(f"{message} ({clause})" if clause else message, NonConformantWarning, stacklevel=3)
    return frame


def _precision_problems(codestream: bytes, runner: DecodeRunner) -> list[tuple[str, str]]:
    """Return the deviation of a precision over Bits Stored, of which the core is not informed, as it masks nothing."""
    precision = core.codestream_info(codestream)[4]
    if precision is None or precision <= runner.bits_stored:
        return []
    text = f"precision {precision} found in the codestream, bits stored {runner.bits_stored} in the data set"
    return [(text, "PS3.5 8.2.1")]


def _pixel_representation(runner: DecodeRunner) -> int:
    """Return Pixel Representation, validated; pydicom validates it for integer pixel data only."""
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
    """Return the function that reports to `runner` how the current frame differs from the data set.

    In pydicom 3.1 this is ``set_frame_option``; ``set_option`` sets an option of all frames there, and has no effect on
    the frame being decoded. In pydicom 3.0 only ``set_option`` exists.

    Parameters
    ----------
    runner : pydicom.pixels.decoders.base.DecodeRunner
        Runner of pydicom 3.0 or 3.1.

    Returns
    -------
    Callable[[str, Any], None]
        Function of an option's name and value.
    """
    if hasattr(type(runner), "set_frame_option"):
        # pydicom 3.1 records the plugin that decoded each frame.
        runner.set_frame_option(runner.index, "decoding_plugin", LABEL)
        return lambda name, value: runner.set_frame_option(runner.index, name, value)
    set_option: Callable[[str, Any], None] = runner.set_option
    return set_option


def _data_set_value(state: _RunnerState, name: str, value: Any) -> Any:
    """Return the data set's value of an option whose current value is `value`.

    In pydicom 3.0, the value that was reported for one frame is still set at the next one.
    """
    declared, reported = state.reported.get(name, (value, value))
    return declared if value == reported else value


def _decoded_interpretation(uid: str, declared: str, samples_per_pixel: int, data: bytes) -> str:
    # Chrominance of uncompressed samples is expanded to full resolution, as pydicom does for native data
    # (PS3.3 C.7.6.3.1.2).
    if uid in NATIVE_FRAMES and declared == "YBR_FULL_422":
        return "YBR_FULL"
    # The decoder of JPEG XL converts all colours to RGB (PS3.5 8.2.15).
    if samples_per_pixel == 3 and _CODECS[uid] == "jpegxl":
        return "RGB"
    # The component transforms of JPEG 2000 are undone (PS3.5 8.2.4).
    if declared in ("YBR_ICT", "YBR_RCT") and _CODECS[uid] in ("jpeg2000", "htj2k"):
        return "RGB"
    # The colour that a JPEG codestream declares comes first. pydicom itself compares it, but not for retired syntaxes.
    if samples_per_pixel == 3 and _CODECS[uid] == "jpeg" and uid not in JPEGTransferSyntaxes:
        info = core.codestream_info(data)
        if info[0] == "jpeg" and info[6] == "rgb":
            return "RGB"
        if info[0] == "jpeg" and info[6] == "ybr" and "YBR" not in declared:
            return "YBR_FULL"
    return declared


def _segment_byte_order(runner: DecodeRunner) -> Literal["big", "little"]:
    # `byteorder` is the byte order of pylibjpeg-rle's output, which pydicom reads as little-endian. So users of
    # pylibjpeg-rle decode files with swapped segments by ">".
    is_swapped = runner.get_option("rle_segment_order", ">") == "<" or runner.get_option("byteorder", "<") == ">"
    return "little" if is_swapped else "big"


def _plugin_functions(runner: DecodeRunner) -> dict[str, DecodeFunction]:
    """Return the runner's plugin functions by label, in the order in which pydicom tries them.

    They are in a private attribute; the result is empty if that is not as expected. The dictionary belongs to the
    runner, so a change affects this call of pydicom only.
    """
    functions = getattr(runner, "_decoders", None)
    if not isinstance(functions, dict) or not any(function is decode_frame for function in functions.values()):
        return {}
    return functions


def _decode_by_next_plugin(src: bytes, runner: DecodeRunner) -> bytes | bytearray | None:
    """Return the frame decoded by a plugin after this one, or None if all fail.

    Done here, because pydicom logs an error with a traceback for each plugin that raises.
    """
    functions = list(_plugin_functions(runner).values())
    while functions and functions.pop(0) is not decode_frame:
        pass
    for function in functions:
        try:
            return function(src, runner)
        except Exception:
            # pydicom will try this plugin again, and log its error.
            continue
    return None


def _disable_other_plugins(runner: DecodeRunner) -> None:
    """Prevent pydicom from trying other plugins for a corrupt frame, for which some return arbitrary samples.

    pydicom tries all plugins of the runner, whatever the first one raised. Only the runner's own dictionary is changed,
    never the decoder's, which all calls share.
    """
    functions = _plugin_functions(runner)
    if not functions or functions is _shared_plugin_functions(runner):
        return
    for label, function in functions.items():
        if function is not decode_frame:
            # The keys stay the same, because pydicom may be iterating over the dictionary.
            functions[label] = _refuse


def _shared_plugin_functions(runner: DecodeRunner) -> object:
    from pydicom.pixels.decoders.base import get_decoder

    return getattr(get_decoder(runner.transfer_syntax), "_available", None)


def _refuse(src: bytes, runner: DecodeRunner) -> bytearray:
    raise UnsupportedError("not tried, because dicoxide found the frame corrupt", kind="Unsupported")
