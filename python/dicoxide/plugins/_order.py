"""Puts dicoxide first among pydicom's decoder and encoder plugins, and restores the earlier order exactly.

pydicom tries plugins in the order in which they were added. Plugins are moved by removing and adding them again through
pydicom's public functions. The order itself is private to pydicom; only ``plugin_order`` reads it.
"""

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

__all__ = ["disable", "enable", "enabled", "is_enabled"]

_LABEL = "dicoxide"
_KEYWORDS = {uid: keyword for uid, keyword, _ in core.transfer_syntaxes()}
# Module and function name by which pydicom imports the plugin, for a decoder and for an encoder.
_PLUGIN = ("dicoxide.plugins.pydicom_v3", "decode_frame")
_ENCODER_PLUGIN = ("dicoxide.plugins.pydicom_v3_encoder", "encode_frame")

_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A child has no other thread that could release the lock or complete a change in progress.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
# Calls that keep dicoxide enabled: `enable()` (key _ENABLE_CALL) and each open `enabled()` block, with the number of
# threads that each requests. The latest call with a number is the last entry.
_holders: dict[object, int | None] = {}
_ENABLE_CALL = object()
# Plugin labels before `enable()`, in pydicom's order. The key is (is_encoder, UID).
_original_order: dict[tuple[bool, str], list[str]] = {}
# UIDs for which a decoder was added to pydicom's table, and UIDs that were added to pydicom's dictionary.
_added_decoders: set[str] = set()
_added_uids: set[str] = set()


def enable(*, threads: int | None = None) -> None:
    """Make dicoxide the first plugin of every pydicom decoder and encoder whose transfer syntax it supports.

    Other plugins stay, after dicoxide. A plugin that cannot be added again, because its module and name do not lead to
    it, is not moved. A second call repairs an order that has changed since the first one.

    Parameters
    ----------
    threads : int, optional
        Number of threads that decode frames ahead where pydicom iterates over all frames of an object
        (``pixel_array``, ``iter_pixels``), or that decode one large JPEG Lossless frame together. Values, warnings and
        errors do not depend on it. At most 1 MiB or one frame per thread is buffered, whichever is more, and never
        more than 64 MiB. None keeps the current number, which is 1 at first: nothing is decoded ahead.

    Raises
    ------
    ValueError
        If `threads` is less than 1.

    Warns
    -----
    RuntimeWarning
        If this version of pydicom does not store its plugins as expected. dicoxide is then tried last.
    """
    count = None if threads is None else thread_count(threads)
    with _lock:
        _hold(_ENABLE_CALL, count)


def disable() -> None:
    """Restore pydicom's decoders and encoders exactly as they were before :func:`enable`.

    Plugins that were added to pydicom since then stay, at the end. Has no effect if dicoxide is not enabled.
    """
    with _lock:
        _holders.clear()
        _set_threads()
        _restore()


@contextmanager
def enabled(*, threads: int | None = None) -> Iterator[None]:
    """Enable dicoxide within a ``with`` block, for all threads.

    Blocks may be nested. If dicoxide was already enabled, it stays enabled after the block, with the earlier number of
    threads.

    Parameters
    ----------
    threads : int, optional
        As for :func:`enable`. Among the open blocks, the latest one that gives a number counts.

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
    """Return True if dicoxide is enabled by :func:`enable` or within an :func:`enabled` block."""
    return bool(_holders)


def _hold(holder: object, threads: int | None) -> None:
    """Register `holder` and put dicoxide first; on an error, restore what was before."""
    from dicoxide.plugins.pydicom_v3 import DECODER_DEPENDENCIES
    from dicoxide.plugins.pydicom_v3_encoder import ENCODER_DEPENDENCIES

    holders_before = _holders.copy()
    if threads is not None:
        _holders.pop(holder, None)
        _holders[holder] = threads
    else:
        _holders.setdefault(holder, None)
    try:
        for uid in DECODER_DEPENDENCIES:
            decoder = _get_or_add_decoder(uid)
            if decoder is not None:
                _put_first(decoder, is_encoder=False)
        for uid in ENCODER_DEPENDENCIES:
            # pydicom encodes only transfer syntaxes that it has an encoder for, so none is added.
            with suppress(NotImplementedError):
                _put_first(_coder(uid, is_encoder=True), is_encoder=True)
    except BaseException:
        _holders.clear()
        _holders.update(holders_before)
        if not _holders:
            _restore()
        raise
    _set_threads()


def _release(holder: object) -> None:
    """Remove `holder`; restore pydicom's plugins if it was the last."""
    del _holders[holder]
    _set_threads()
    if not _holders:
        _restore()


def _set_threads() -> None:
    _prefetch.set_threads(next((count for count in reversed(_holders.values()) if count is not None), 1))


def _coder(uid: str, *, is_encoder: bool) -> CoderBase:
    """Return pydicom's encoder or decoder of a transfer syntax; raises NotImplementedError if there is none."""
    from pydicom.pixels import decoders, encoders

    return encoders.base.get_encoder(uid) if is_encoder else decoders.base.get_decoder(uid)


def _put_first(coder: CoderBase, *, is_encoder: bool) -> None:
    """Add dicoxide to `coder` and move it as far forward as the other plugins allow."""
    _original_order.setdefault((is_encoder, str(coder.UID)), list(plugin_order(coder) or coder.available_plugins))
    if _LABEL not in coder.available_plugins:
        coder.add_plugin(_LABEL, _ENCODER_PLUGIN if is_encoder else _PLUGIN)
    plugins = plugin_order(coder)
    if plugins is None:
        warnings.warn(
            f"this version of pydicom does not store its plugins as expected: dicoxide is tried last for "
            f"{coder.UID.name}",
            RuntimeWarning,
            stacklevel=4,
        )
        return
    labels = [label for label in plugins if label != _LABEL]
    # After the last plugin that cannot be moved; otherwise the original order could not be restored.
    position = max(
        (index + 1 for index, label in enumerate(labels) if _import_path(coder, plugins[label]) is None), default=0
    )
    _reorder(coder, [*labels[:position], _LABEL, *labels[position:]])


def _restore() -> None:
    """Undo all that :func:`_hold` has changed in pydicom."""
    while _original_order:
        (is_encoder, uid), original = _original_order.popitem()
        try:
            coder = _coder(uid, is_encoder=is_encoder)
        except NotImplementedError:
            # Other code has removed the coder meanwhile.
            continue
        current = list(plugin_order(coder) or coder.available_plugins)
        remaining = [label for label in original if label in current]
        added = [label for label in current if label not in original and label != _LABEL]
        to_remove = [] if _LABEL in original or _LABEL not in current else [_LABEL]
        # dicoxide is removed last, so that other threads always find a plugin.
        _reorder(coder, [*to_remove, *remaining, *added])
        if _LABEL not in original and _LABEL in coder.available_plugins:
            coder.remove_plugin(_LABEL)
        if not is_encoder and uid in _added_decoders and not coder.available_plugins:
            _remove_added_decoder(uid)
    _added_decoders.clear()
    _added_uids.clear()


def _import_path(coder: CoderBase, function: Callable[..., Any]) -> tuple[str, str] | None:
    """Return module and name by which pydicom can add `function` again, or None if they do not lead to it."""
    module_name, name = getattr(function, "__module__", None), getattr(function, "__name__", None)
    if module_name is None or name is None:
        return None
    module = sys.modules.get(module_name)
    try:
        is_same = getattr(module, name, None) is function and bool(module.is_available(coder.UID))  # type: ignore[union-attr]
    except Exception:
        return None
    return (module_name, name) if is_same else None


def _reorder(coder: CoderBase, labels: list[str]) -> None:
    """Bring the plugins of `coder` into the order `labels`, by moving as few as possible to the end.

    A longest prefix of `labels` is already in order; only the plugins after it are moved. For example, from the current
    order gdcm, pylibjpeg, dicoxide to dicoxide, gdcm, pylibjpeg: the prefix is dicoxide; gdcm and pylibjpeg are each
    removed and added again. Nothing is moved if one of them cannot be added again.
    """
    plugins = plugin_order(coder)
    if plugins is None or sorted(plugins) != sorted(labels):
        return
    prefix_length = next(
        length
        for length in range(len(labels), -1, -1)
        if [label for label in plugins if label not in labels[length:]] == labels[:length]
    )
    moves = [(label, _import_path(coder, plugins[label])) for label in labels[prefix_length:]]
    if any(import_path is None for _, import_path in moves):
        return
    for label, import_path in moves:
        if import_path is not None:
            coder.remove_plugin(label)
            coder.add_plugin(label, import_path)


def _get_or_add_decoder(uid: str) -> CoderBase | None:
    """Return the decoder of a transfer syntax; if pydicom has none, add one whose only plugin is dicoxide.

    pydicom has no public function to add or remove a decoder. Its private table of decoders, and its dictionary of UIDs
    if it does not know the UID, are changed here and in :func:`_remove_added_decoder` only.
    """
    from pydicom import uid as uids
    from pydicom.pixels.decoders import base

    try:
        return base.get_decoder(uid)
    except NotImplementedError:
        pass
    decoders = getattr(base, "_PIXEL_DATA_DECODERS", None)
    uid_dictionary = getattr(uids, "UID_dictionary", None)
    if not isinstance(decoders, dict) or not isinstance(uid_dictionary, dict):
        warnings.warn(
            f"this version of pydicom does not store its decoders as expected: none added for {uid}",
            RuntimeWarning,
            stacklevel=4,
        )
        return None
    if uid not in uid_dictionary:
        _added_uids.add(uid)
        # Columns: name, type, information, retired, keyword (PS3.6 Annex A).
        uid_dictionary[uid] = (_KEYWORDS.get(uid, uid), "Transfer Syntax", "", "", _KEYWORDS.get(uid, ""))
    decoder = base.Decoder(uids.UID(uid))
    # The plugin is added before other threads can find the decoder.
    decoder.add_plugin(_LABEL, _PLUGIN)
    _original_order.setdefault((False, uid), [])
    _added_decoders.add(uid)
    decoders[decoder.UID] = (decoder, "3.0")
    return decoder


def _remove_added_decoder(uid: str) -> None:
    """Undo :func:`_get_or_add_decoder`."""
    from pydicom import uid as uids
    from pydicom.pixels.decoders import base

    getattr(base, "_PIXEL_DATA_DECODERS", {}).pop(uid, None)
    if uid in _added_uids:
        getattr(uids, "UID_dictionary", {}).pop(uid, None)
