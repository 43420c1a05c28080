"""Which decoder takes which transfer syntax, and why."""

from __future__ import annotations

from typing import NamedTuple

from dicoxide._backend import backend, core
from dicoxide._fallback_decoders import available_plugins, why_unavailable

_NO_CODEC = (
    "dicoxide has no codec" if backend == "rust" else "no codec in plain NumPy, the compiled extension may have one"
)


class Capability(NamedTuple):
    """The decoder of one transfer syntax."""

    keyword: str
    """Keyword of the transfer syntax (PS3.6 Annex A)."""
    decoder: str | None
    """``"dicoxide"``, the label of the pydicom plugin that is tried first, or None if there is no decoder."""
    why: str
    """Reason, in one line."""


def capabilities() -> dict[str, Capability]:
    """Return the decoder of every transfer syntax for images in PS3.6 Annex A.

    Returns
    -------
    dict of str to Capability
        By UID, in the order of the UIDs.
    """
    table = {}
    for uid, keyword, codec in core.transfer_syntaxes():
        if codec is not None:
            capability = Capability(keyword, "dicoxide", f"codec {codec}, backend {backend}")
        elif plugins := available_plugins(uid):
            capability = Capability(keyword, plugins[0], f"{_NO_CODEC}; pydicom has {', '.join(plugins)}")
        else:
            capability = Capability(keyword, None, f"{_NO_CODEC}; {why_unavailable(uid)}")
        table[uid] = capability
    return table
