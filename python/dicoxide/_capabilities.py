"""Which decoder takes which transfer syntax, and why."""

from __future__ import annotations

from typing import NamedTuple

from dicoxide._backend import backend, core
from dicoxide._fallback_decoders import delegate

_NOT_HERE = "no codec here" if backend == "rust" else "no codec in plain NumPy, the compiled extension may have one"


class Capability(NamedTuple):
    """Who decodes a transfer syntax."""

    keyword: str
    """The keyword of PS3.6 Annex A."""
    decoder: str | None
    """``"dicoxide"``, the name of the pydicom plugin that is asked first, or None."""
    why: str
    """One line."""


def capabilities() -> dict[str, Capability]:
    """Tell for every image transfer syntax of PS3.6 Annex A who decodes it.

    Returns
    -------
    dict of str to Capability
        By UID, in the order of the UIDs.
    """
    found = {}
    for uid, keyword, codec in core.transfer_syntaxes():
        if codec is not None:
            entry = Capability(keyword, "dicoxide", f"codec {codec}, backend {backend}")
        elif plugins := delegate.available(uid):
            entry = Capability(keyword, plugins[0], f"{_NOT_HERE}; pydicom has {', '.join(plugins)}")
        else:
            entry = Capability(keyword, None, f"{_NOT_HERE}; {delegate.why_not(uid)}")
        found[uid] = entry
    return found
