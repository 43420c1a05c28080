"""Names of the decoders of transfer syntaxes, as `info` and `decode --dry-run` show them."""

from __future__ import annotations

from collections.abc import Iterable

from dicoxide._backend import core
from dicoxide.bulk.runs import ArrayTask

__all__ = ["codec_of", "decoder_labels", "task_decoders"]

_CODECS = {uid: codec for uid, _, codec in core.transfer_syntaxes()}


def codec_of(uid: str) -> str | None:
    """Return the name of dicoxide's codec for a transfer syntax, or None."""
    return _CODECS.get(uid)


def decoder_labels(uids: Iterable[str]) -> list[str]:
    """Return the decoders of transfer syntaxes, sorted: ``"dicoxide jpeg2000"``, a plugin's label, or ``"none"``."""
    return sorted({_label(uid) for uid in uids})


def task_decoders(task: ArrayTask) -> list[str]:
    """Return the decoders of the slices of an array, sorted."""
    return decoder_labels({frame.file.transfer_syntax for frame in task.slices})


def _label(uid: str) -> str:
    if codec := codec_of(uid):
        return f"dicoxide {codec}"
    # Imported here, because the plugins of pydicom take long to import, and most archives need none.
    from dicoxide._capabilities import capabilities

    capability = capabilities().get(uid)
    return (capability.decoder if capability else None) or "none"
