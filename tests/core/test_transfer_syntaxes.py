"""UIDs of transfer syntaxes: those that the package names are those of the core, which lists PS3.6 Annex A."""

from __future__ import annotations

import pytest

from dicoxide import _transfer_syntaxes
from dicoxide._backend import core

KEYWORDS = {uid: keyword for uid, keyword, _ in core.transfer_syntaxes()}
UIDS = {name: uid for name, uid in vars(_transfer_syntaxes).items() if name.isupper() and isinstance(uid, str)}


@pytest.mark.parametrize("name", UIDS)
def test_uid_of_the_package_has_the_keyword_of_the_core(name: str) -> None:
    keyword = KEYWORDS[UIDS[name]].lower()
    # JPEG_LS_NEAR_LOSSLESS is JPEGLSNearLossless, JPEG_BASELINE is JPEGBaseline8Bit.
    assert keyword.startswith(name.replace("_", "").lower())


def test_native_uids_are_the_core_s_without_items() -> None:
    native = {uid for uid, _, codec in core.transfer_syntaxes() if codec == "native"}
    assert native == _transfer_syntaxes.NATIVE | {_transfer_syntaxes.ENCAPSULATED_UNCOMPRESSED}
