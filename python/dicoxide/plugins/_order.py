"""Where dicoxide stands among pydicom's decoder and encoder plugins."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dicoxide._arguments import thread_count
from dicoxide._backend import core
from dicoxide._fallback_decoders import plugin_order
from dicoxide.plugins import _prefetch

if TYPE_CHECKING:
    from pydicom.pixels.common import CoderBase

__all__ = ["disable", "enable", "enabled"]

_LABEL = "dicoxide"
_KEYWORDS = {uid: keyword for uid, keyword, _ in core.transfer_syntaxes()}
# Of a decoder and of an encoder: the module and the name that pydicom finds the plugin by.
_PLUGIN = ("dicoxide.plugins.pydicom_v3", "decode_frame")
_ENCODER_PLUGIN = ("dicoxide.plugins.pydicom_v3_encoder", "encode_frame")

_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A child has no thread that could let go of it, nor one that would finish a half-changed order.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
# Who wants dicoxide enabled, the latest last: `enable()` itself, and each open `enabled()`; and on how many threads.
_holders: dict[object, int | None] = {}
_FOR_GOOD = object()
# Whether it is an encoder, and UID: the labels as they were before, in pydicom's order.
_before: dict[tuple[bool, str], list[str]] = {}
# UIDs that pydicom had no decoder for, and those that it had no name for.
_made: set[str] = set()
_named: set[str] = set()


def enable(*, threads: int | None = None) -> None:
    """Make dicoxide the first plugin of every pydicom decoder and encoder whose transfer syntax it knows.

    May be called again: what changed meanwhile is put right. Plugins that others added stay, behind it; one that
    pydicom could not add again (its module and name do not lead to it) stays where it is.

    Parameters
    ----------
    threads : int, optional
        Where pydicom goes through all frames of an object (``pixel_array``, ``iter_pixels``), decode the next ones on
        that many threads, ahead of their turns; one large frame of JPEG Lossless is decoded on them at once. Values,
        warnings and errors stay the same. At most 1 MiB a thread is
        held ahead, or one frame a thread where that is more, and never more than 64 MiB. None leaves it as it is: 1,
        nothing ahead, unless it was set before.

    Raises
    ------
    ValueError
        If `threads` is less than 1.

    Warns
    -----
    RuntimeWarning
        If this pydicom does not keep its plugins as known here: dicoxide is then asked last.
    """
    count = None if threads is None else thread_count(threads)
    with _lock:
        _hold(_FOR_GOOD, count)


def disable() -> None:
    """Restore pydicom's decoders and encoders exactly as they were before :func:`enable`.

    Plugins that others added since stay, at the end. Without effect where dicoxide is not enabled.
    """
    with _lock:
        _holders.clear()
        _set_threads()
        _restore()


@contextmanager
def enabled(*, threads: int | None = None) -> Iterator[None]:
    """Enable dicoxide within a ``with`` block, for all threads.

    May be nested; where dicoxide was enabled before, it stays so, on as many threads as then.

    Parameters
    ----------
    threads : int, optional
        As for :func:`enable`. Of what is open at a time, the latest that says a number counts.

    Examples
    --------
    >>> with dicoxide.enabled():  # doctest: +SKIP
    ...     pixels = ds.pixel_array
    """
    holder = object()
    count = None if threads is None else thread_count(threads)
    with _lock:
        _hold(holder, count)
    try:
        yield
    finally:
        with _lock:
            if holder in _holders:
                _release(holder)


def is_enabled() -> bool:
    """Whether somebody enabled dicoxide and nobody disabled it."""
    return bool(_holders)


def _hold(holder: object, threads: int | None) -> None:
    from dicoxide.plugins.pydicom_v3 import DECODER_DEPENDENCIES
    from dicoxide.plugins.pydicom_v3_encoder import ENCODER_DEPENDENCIES

    before = _holders.copy()
    if threads is not None:
        _holders.pop(holder, None)
        _holders[holder] = threads
    else:
        _holders.setdefault(holder, None)
    try:
        for uid in DECODER_DEPENDENCIES:
            decoder = _decoder_for(uid)
            if decoder is not None:
                _put_first(decoder, is_encoder=False)
        for uid in ENCODER_DEPENDENCIES:
            # Where pydicom has no encoder, nobody would ask for one.
            with suppress(NotImplementedError):
                _put_first(_coder(uid, is_encoder=True), is_encoder=True)
    except BaseException:
        _holders.clear()
        _holders.update(before)
        if not _holders:
            _restore()
        raise
    _set_threads()


def _release(holder: object) -> None:
    del _holders[holder]
    _set_threads()
    if not _holders:
        _restore()


def _set_threads() -> None:
    _prefetch.set_threads(next((count for count in reversed(_holders.values()) if count is not None), 1))


def _coder(uid: str, *, is_encoder: bool) -> CoderBase:
    """pydicom's encoder or decoder of a transfer syntax; a NotImplementedError where there is none."""
    from pydicom.pixels import decoders, encoders

    return encoders.base.get_encoder(uid) if is_encoder else decoders.base.get_decoder(uid)


def _put_first(coder: CoderBase, *, is_encoder: bool) -> None:
    _before.setdefault((is_encoder, str(coder.UID)), list(plugin_order(coder) or coder.available_plugins))
    if _LABEL not in coder.available_plugins:
        coder.add_plugin(_LABEL, _ENCODER_PLUGIN if is_encoder else _PLUGIN)
    plugins = plugin_order(coder)
    if plugins is None:
        warnings.warn(
            f"this pydicom does not keep its plugins as known here: dicoxide is asked last for {coder.UID.name}",
            RuntimeWarning,
            stacklevel=4,
        )
        return
    others = [label for label in plugins if label != _LABEL]
    # Behind the last one that cannot be moved, so that the order before can always be had again.
    place = max((at + 1 for at, label in enumerate(others) if _origin(coder, plugins[label]) is None), default=0)
    _arrange(coder, [*others[:place], _LABEL, *others[place:]])


def _restore() -> None:
    while _before:
        (is_encoder, uid), before = _before.popitem()
        try:
            coder = _coder(uid, is_encoder=is_encoder)
        except NotImplementedError:
            # Somebody else took it away.
            continue
        now = list(plugin_order(coder) or coder.available_plugins)
        kept = [label for label in before if label in now]
        added = [label for label in now if label not in before and label != _LABEL]
        ours = [] if _LABEL in before or _LABEL not in now else [_LABEL]
        # Ours goes last, so that there is always one that answers.
        _arrange(coder, [*ours, *kept, *added])
        if _LABEL not in before and _LABEL in coder.available_plugins:
            coder.remove_plugin(_LABEL)
        if not is_encoder and uid in _made and not coder.available_plugins:
            _forget_decoder(uid)
    _made.clear()
    _named.clear()


def _origin(coder: CoderBase, function: Callable[..., Any]) -> tuple[str, str] | None:
    """The module and the name that pydicom would find `function` by, or None."""
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", None)
    if module is None or name is None:
        return None
    found = sys.modules.get(module)
    try:
        same = getattr(found, name, None) is function and bool(found.is_available(coder.UID))  # type: ignore[union-attr]
    except Exception:
        return None
    return (module, name) if same else None


def _arrange(coder: CoderBase, wanted: list[str]) -> None:
    """Bring the plugins into the order `wanted` by moving as few as possible to the end, one by one.

    Nothing is moved if one of them could not be added again.
    """
    plugins = plugin_order(coder)
    if plugins is None or sorted(plugins) != sorted(wanted):
        return
    place = next(
        place
        for place in range(len(wanted), -1, -1)
        if [label for label in plugins if label not in wanted[place:]] == wanted[:place]
    )
    moves = [(label, _origin(coder, plugins[label])) for label in wanted[place:]]
    if any(origin is None for _, origin in moves):
        return
    for label, origin in moves:
        if origin is not None:
            coder.remove_plugin(label)
            coder.add_plugin(label, origin)


def _decoder_for(uid: str) -> CoderBase | None:
    """The decoder of a transfer syntax; where pydicom has none, one is made that only dicoxide is in.

    pydicom has no public way to add or to take away a decoder: its private table, and its dictionary of UIDs where
    the UID is newer than that, are read and changed here and in `_forget_decoder` alone.
    """
    from pydicom import uid as uids
    from pydicom.pixels.decoders import base

    try:
        return base.get_decoder(uid)
    except NotImplementedError:
        pass
    table = getattr(base, "_PIXEL_DATA_DECODERS", None)
    names = getattr(uids, "UID_dictionary", None)
    if not isinstance(table, dict) or not isinstance(names, dict):
        warnings.warn(
            f"this pydicom does not keep its decoders as known here: none added for {uid}", RuntimeWarning, stacklevel=4
        )
        return None
    if uid not in names:
        _named.add(uid)
        # Columns: name, type, information, retired, keyword (PS3.6 Annex A).
        names[uid] = (_KEYWORDS.get(uid, uid), "Transfer Syntax", "", "", _KEYWORDS.get(uid, ""))
    decoder = base.Decoder(uids.UID(uid))
    # Filled before anybody can find it.
    decoder.add_plugin(_LABEL, _PLUGIN)
    _before.setdefault((False, uid), [])
    _made.add(uid)
    table[decoder.UID] = (decoder, "3.0")
    return decoder


def _forget_decoder(uid: str) -> None:
    """Undo `_decoder_for`."""
    from pydicom import uid as uids
    from pydicom.pixels.decoders import base

    getattr(base, "_PIXEL_DATA_DECODERS", {}).pop(uid, None)
    if uid in _named:
        getattr(uids, "UID_dictionary", {}).pop(uid, None)
