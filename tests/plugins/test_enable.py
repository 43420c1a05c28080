"""Plugin tables of pydicom before, while and after dicoxide is enabled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders import base
from pydicom.pixels.encoders import base as encoders
from pydicom.uid import UID, JPEGLSLossless, JPEGLSNearLossless, RLELossless, UID_dictionary

import dicoxide
from dicoxide.plugins import _order, pydicom_v3
from support.encoders.dataset import ENCAPSULATED_UNCOMPRESSED, dataset
from support.processes import run_script

JPEG_XL = "1.2.840.10008.1.2.4.110"
# Of pydicom's encoders, those that the package has too; the NumPy backend has RLE Lossless only.
ENCODED_SYNTAXES = [RLELossless, JPEGLSLossless, JPEGLSNearLossless][: 3 if dicoxide.backend == "rust" else 1]


def tables() -> dict[str, list[tuple[str, Any]]]:
    """Return the plugins of each decoder by UID, and of each encoder by UID and "encoder"."""
    decoders = {str(uid): list(row[0]._available.items()) for uid, row in base._PIXEL_DATA_DECODERS.items()}
    return decoders | {
        f"{uid} encoder": list(row[0]._available.items()) for uid, row in encoders._PIXEL_DATA_ENCODERS.items()
    }


def labels(uid: str = RLELossless) -> list[str]:
    return list(get_decoder(uid)._available)


@pytest.fixture(autouse=True)
def before() -> Iterator[dict[str, list[tuple[str, Any]]]]:
    result = tables()
    yield result
    dicoxide.disable()
    assert tables() == result


@pytest.fixture
def plugin() -> Iterator[ModuleType]:
    """Add an importable module with a third-party plugin."""
    module: Any = ModuleType("third_party_plugin")

    def decode(src: bytes, runner: Any) -> bytearray:
        raise NotImplementedError

    decode.__module__ = module.__name__
    module.decode, module.is_available, module.DECODER_DEPENDENCIES = decode, lambda uid: True, {}
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_enable_puts_the_decoder_first_and_disable_restores(before: dict[str, Any]) -> None:
    assert dicoxide.enable() is None
    dicoxide.enable()
    for uid in pydicom_v3.DECODER_DEPENDENCIES:
        assert labels(uid)[0] == "dicoxide"
    assert labels()[1:] == [label for label, _ in before[RLELossless]]
    dicoxide.disable()
    assert tables() == before
    dicoxide.disable()


@pytest.mark.parametrize("syntax", ENCODED_SYNTAXES, ids=lambda uid: uid.keyword)
def test_enable_puts_the_encoder_first_and_disable_restores(
    before: dict[str, Any], plugin: ModuleType, syntax: str
) -> None:
    encoder = encoders.get_encoder(syntax)
    original = encoder._available.copy()
    dicoxide.enable()
    assert list(encoder._available) == ["dicoxide", *original]
    assert not [
        uid
        for uid, row in encoders._PIXEL_DATA_ENCODERS.items()
        if uid not in ENCODED_SYNTAXES and "dicoxide" in row[0]._available
    ]
    encoder.add_plugin("other", (plugin.__name__, "decode"))
    dicoxide.disable()
    try:
        assert list(encoder._available.items()) == [*original.items(), ("other", plugin.decode)]
    finally:
        encoder.remove_plugin("other")
    assert tables() == before


def test_enable_without_the_encoder_of_pydicom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(encoders._PIXEL_DATA_ENCODERS, RLELossless)
    with dicoxide.enabled():
        assert labels()[0] == "dicoxide"
        assert RLELossless not in encoders._PIXEL_DATA_ENCODERS
    monkeypatch.undo()
    assert "dicoxide" not in encoders.get_encoder(RLELossless)._available


def test_enable_adds_missing_decoders_temporarily() -> None:
    image = np.arange(20, dtype=np.uint16).reshape(4, 5)
    ds = dataset(image, ENCAPSULATED_UNCOMPRESSED)
    with dicoxide.enabled():
        assert np.array_equal(ds.pixel_array, image)
    with pytest.raises(NotImplementedError):
        get_decoder(ENCAPSULATED_UNCOMPRESSED)


def test_enable_adds_unknown_uids_temporarily(monkeypatch: pytest.MonkeyPatch) -> None:
    if JPEG_XL in UID_dictionary:
        pytest.skip("this pydicom knows JPEG XL")
    monkeypatch.setitem(pydicom_v3.DECODER_DEPENDENCIES, UID(JPEG_XL), ())
    with dicoxide.enabled():
        assert get_decoder(JPEG_XL).is_encapsulated
        assert labels(JPEG_XL) == ["dicoxide"]
    assert JPEG_XL not in UID_dictionary


def test_enabled_contexts_nest(before: dict[str, Any]) -> None:
    with dicoxide.enabled():
        with dicoxide.enabled():
            assert labels()[0] == "dicoxide"
        assert labels()[0] == "dicoxide"
    assert tables() == before
    dicoxide.enable()
    with dicoxide.enabled():
        pass
    assert labels()[0] == "dicoxide"


def test_enabled_contexts_may_overlap(before: dict[str, Any]) -> None:
    first, second = dicoxide.enabled(), dicoxide.enabled()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert labels()[0] == "dicoxide"
    second.__exit__(None, None, None)
    assert tables() == before


def test_disable_within_enabled_context_is_final(before: dict[str, Any]) -> None:
    with dicoxide.enabled():
        dicoxide.disable()
        assert tables() == before
    assert tables() == before


def test_enabled_context_restores_after_an_exception(before: dict[str, Any]) -> None:
    with pytest.raises(KeyError), dicoxide.enabled():
        raise KeyError
    assert tables() == before


def test_disable_keeps_plugins_added_meanwhile(before: dict[str, Any], plugin: ModuleType) -> None:
    decoder = get_decoder(RLELossless)
    dicoxide.enable()
    decoder.add_plugin("other", (plugin.__name__, "decode"))
    dicoxide.enable()
    output = get_decoder(ENCAPSULATED_UNCOMPRESSED)
    output.add_plugin("other", (plugin.__name__, "decode"))
    dicoxide.disable()
    try:
        assert labels() == [*(label for label, _ in before[RLELossless]), "other"]
        assert labels(ENCAPSULATED_UNCOMPRESSED) == ["other"]
    finally:
        decoder.remove_plugin("other")
        del base._PIXEL_DATA_DECODERS[UID(ENCAPSULATED_UNCOMPRESSED)]


def test_disable_does_not_restore_removed_plugins(plugin: ModuleType) -> None:
    decoder = get_decoder(RLELossless)
    decoder.add_plugin("other", (plugin.__name__, "decode"))
    with dicoxide.enabled():
        decoder.remove_plugin("other")
        decoder.remove_plugin("dicoxide")
    assert "other" not in labels()


@pytest.mark.parametrize("position", [0, 1])
def test_enable_keeps_plugins_without_module_in_place(position: int) -> None:
    decoder = get_decoder(RLELossless)
    original = decoder._available.copy()
    order = list(original.items())
    order.insert(position, ("lost", lambda src, runner: bytearray()))
    decoder._available.clear()
    decoder._available.update(order)
    try:
        names = [label for label, _ in order]
        with dicoxide.enabled():
            assert labels() == [*names[: position + 1], "dicoxide", *names[position + 1 :]]
        assert list(decoder._available.items()) == order
    finally:
        decoder._available.clear()
        decoder._available.update(original)


def test_disable_keeps_the_plugin_added_by_the_user(before: dict[str, Any]) -> None:
    decoder = get_decoder(RLELossless)
    decoder.add_plugin("dicoxide", _order._PLUGIN)
    names = labels()
    with dicoxide.enabled():
        assert labels()[0] == "dicoxide"
    assert labels() == names
    decoder.remove_plugin("dicoxide")


def test_enable_never_leaves_a_decoder_without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = get_decoder(RLELossless)
    remove = type(decoder).remove_plugin

    def checked(self: Any, label: str) -> None:
        remove(self, label)
        assert self is not decoder or self.available_plugins

    monkeypatch.setattr(type(decoder), "remove_plugin", checked)
    with dicoxide.enabled():
        pass


def test_enable_with_unknown_order_warns_and_appends(monkeypatch: pytest.MonkeyPatch, before: dict[str, Any]) -> None:
    monkeypatch.setattr(_order, "plugin_order", lambda decoder: None)
    with pytest.warns(RuntimeWarning, match="tried last"):
        dicoxide.enable()
    assert labels()[-1] == "dicoxide"
    dicoxide.disable()
    assert tables() == before


def test_enable_with_unknown_table_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    retained = base._PIXEL_DATA_DECODERS
    known = {uid: row[0] for uid, row in retained.items()}

    def get(uid: str) -> Any:
        if uid in known:
            return known[UID(uid)]
        raise NotImplementedError

    with monkeypatch.context() as patch:
        patch.setattr(base, "get_decoder", get)
        patch.setattr(base, "_PIXEL_DATA_DECODERS", None)
        with pytest.warns(RuntimeWarning, match="none added for"), dicoxide.enabled():
            assert next(iter(known[RLELossless]._available)) == "dicoxide"


def test_import_does_not_import_pydicom() -> None:
    assert "pydicom" not in run_script("print_imported_modules").stdout.split()
