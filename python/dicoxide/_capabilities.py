"""Which decoder takes which transfer syntax, and why."""

from __future__ import annotations

from typing import NamedTuple

from dicoxide._backend import backend, core
from dicoxide._fallback_decoders import available_plugins, why_unavailable
from dicoxide._transfer_syntaxes import VIDEO_CODECS
from dicoxide._video import pyav_version, unavailable_reason

_NO_CODEC = (
    "dicoxide has no codec" if backend == "rust" else "no codec in plain NumPy, the compiled extension may have one"
)


class Capability(NamedTuple):
    """The decoder of one transfer syntax."""

    keyword: str
    """Keyword of the transfer syntax (PS3.6 Annex A)."""
    decoder: str | None
    """``"dicoxide"``, the label of the pydicom plugin that is tried first, ``"pyav"`` for video, or None."""
    why: str
    """Reason, in one line; with features of the transfer syntax that `decoder` does not decode."""


def capabilities() -> dict[str, Capability]:
    """Return the decoder of every transfer syntax for images in PS3.6 Annex A.

    Returns
    -------
    dict of str to Capability
        By UID, in the order of the UIDs.
    """
    return {uid: Capability(keyword, *_decoder(uid, codec)) for uid, keyword, codec in core.transfer_syntaxes()}


def _decoder(uid: str, codec: str | None) -> tuple[str | None, str]:
    """Return the decoder of a transfer syntax, or None, and the reason."""
    if codec is None and uid in VIDEO_CODECS:
        reason = unavailable_reason()
        decoder = "pyav" if reason is None else None
        return decoder, f"dicoxide has no codec; {reason or f'FFmpeg through PyAV {pyav_version()}'}"
    # The NumPy backend does not know which of them the extension decodes.
    feature = core.unsupported_feature(uid) if backend == "rust" else None
    plugins = available_plugins(uid)
    if codec is not None:
        why = f"codec {codec}, backend {backend}"
        if feature is not None and plugins:
            why += f"; asked for {feature}: {', '.join(plugins)}"
        elif feature is not None:
            why += f"; not supported: {feature}"
        return "dicoxide", why
    if plugins:
        return plugins[0], f"{_NO_CODEC}; pydicom has {', '.join(plugins)}"
    if feature is not None:
        return None, f"not supported: {feature}"
    return None, f"{_NO_CODEC}; {why_unavailable(uid)}"
