"""`info` and `decode --dry-run` name the codec or the fallback decoder of each series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicoxide._backend import backend
from dicoxide._capabilities import Capability
from dicoxide.cli import _decoders
from support.command_line import dicoxide_command, write_series

NATIVE, JPEG, JPIP = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.94"


def test_decoder_labels_of_several_syntaxes_are_sorted_and_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_decoders, "_CODECS", {NATIVE: "native", "1.2.840.10008.1.2": "native", JPEG: None})
    capabilities = {JPEG: Capability("JPEGBaseline8Bit", "pylibjpeg", ""), JPIP: Capability("JPIPReferenced", None, "")}
    monkeypatch.setattr("dicoxide._capabilities.capabilities", lambda: capabilities)
    assert _decoders.decoder_labels([JPEG, NATIVE, "1.2.840.10008.1.2"]) == ["dicoxide native", "pylibjpeg"]
    assert _decoders.decoder_labels([JPIP, "1.2.3"]) == ["none"]


@pytest.mark.skipif(backend != "rust", reason="the extension decodes JPEG Lossless")
def test_info_and_dry_run_name_the_codec_of_each_series(tmp_path: Path) -> None:
    write_series(tmp_path / "a", 4)
    write_series(tmp_path / "b", 2, series="1.2.3.5", is_jpeg=True)
    expected = {"1.2.3.4": ["dicoxide native"], "1.2.3.5": ["dicoxide jpeg_lossless"]}
    for command in (("info",), ("decode", "--dry-run")):
        text = dicoxide_command(*command, tmp_path).out
        document: dict[str, Any] = dicoxide_command(*command, tmp_path, "--json").document
        assert {series["name"]: series["decoders"] for series in document["series"]} == expected
        lines = text.splitlines()
        for name, decoders in expected.items():
            (line,) = [line for line in lines if name in line]
            assert decoders[0] in line
    (syntax,) = dicoxide_command("info", tmp_path / "b", "--json").document["series"][0]["transfer_syntaxes"]
    assert (syntax["decoder"], syntax["codec"]) == ("dicoxide", "jpeg_lossless")
