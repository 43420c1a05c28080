"""Decoders of pydicom: tests with dicoxide as the only plugin, compared with other plugins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import ExplicitVRLittleEndian

import dicoxide


@contextmanager
def only_dicoxide(monkeypatch: pytest.MonkeyPatch, syntax: str) -> Iterator[None]:
    """Enable dicoxide, and hide the other plugins of the decoder of a transfer syntax."""
    with dicoxide.enabled(), monkeypatch.context() as patch:
        if syntax != ExplicitVRLittleEndian:
            decoder = get_decoder(syntax)
            patch.setattr(decoder, "_available", {"dicoxide": decoder._available["dicoxide"]})
        yield


def require_decoder(syntax: str) -> None:
    """Skip a test if pydicom has no other decoder of a transfer syntax to compare with."""
    if syntax != ExplicitVRLittleEndian and not get_decoder(syntax).is_available:
        pytest.skip("no other decoder is installed")
