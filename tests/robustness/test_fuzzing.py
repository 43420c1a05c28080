"""Targets of `make fuzz-python` on random bytes without a fuzzer, and planted faults that they have to find."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array

import dicoxide
from dicoxide._sources.attributes import _DICTIONARY
from support.file_mutations import interfaces
from support.fuzzing import decode_checks, image_choice, seed_inputs, targets
from support.processes import run
from support.real_images import PYDICOM_FILES, ROOT

CT = bytes(4) + (PYDICOM_FILES / "test_files" / "CT_small.dcm").read_bytes()
# Two frames of RLE Lossless in 4 × 4 pixels of 8 bits.
RLE = bytes([1, 0, 4, 4, 1, 1, 8, 0, 4, 2, 0, 2])
FRAME = b"\1\0\0\0\x40\0\0\0" + bytes(56) + b"\xf1\5"

pytestmark = pytest.mark.skipif(
    dicoxide.backend == "numpy", reason="files are pydicom's there, which asks for what lengths say"
)


def test_fuzz_targets_find_nothing_in_random_bytes() -> None:
    # A process of its own: pydicom's other decoders are taken away in it.
    done = run([sys.executable, "-m", "support.fuzzing", "all", "--random", "100"], check=True)
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == list(targets.TARGETS)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        # Escape sequences without a declared character set that has them.
        ("PatientName", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        ("PatientID", b"a\x1b(Bb \x1b$B;3"),
        ("SOPInstanceUID", b"\n1.2.3\r"),
        ("SOPInstanceUID", b" 1.2\\\t3 \0"),
        ("FrameIncrementPointer", b"\x54\0\x80\0"),
        ("FrameIncrementPointer", b"\x54\0\x80\0\x54\0"),
        ("FrameIncrementPointer", b"\x54\0"),
        ("RedPaletteColorLookupTableData", b""),
    ],
)
def test_odd_values_equal_pydicom(keyword: str, value: bytes) -> None:
    assert targets.run("values", bytes([list(_DICTIONARY).index(keyword), 0]) + value) == []


@pytest.fixture
def _alone() -> Iterator[None]:
    """Remove all other decoders from pydicom."""
    handlers = list(pydicom.config.pixel_data_handlers)
    pydicom.config.pixel_data_handlers[:] = [dicoxide.pydicom_handler]
    with dicoxide.enabled():
        yield
    pydicom.config.pixel_data_handlers[:] = handlers


class TestChoice:
    @pytest.mark.parametrize("length", range(image_choice.CHOICE_BYTES))
    def test_choose_of_too_few_bytes_is_none(self, length: int) -> None:
        assert image_choice.choose(bytes(length)) is None

    def test_choose_of_too_large_image_is_none(self) -> None:
        assert image_choice.choose(bytes([1, 0, 255, 255, 3, 1, 8, 0, 4, 0x79, 0, 2])) is None

    def test_choose_wraps_frames(self) -> None:
        head = bytearray(RLE)
        # Frames without items, which are put around them.
        head[4] += 5
        choice = image_choice.choose(bytes(head) + FRAME * 2)
        assert choice is not None
        ds = choice.dataset()
        with dicoxide.enabled():
            result = pixel_array(ds, decoding_plugin="dicoxide")
        assert np.array_equal(result, dicoxide.decode(ds))
        assert result.tolist() == np.full((2, 4, 4), 5).tolist()

    def test_choose_breaks_attributes(self) -> None:
        result = set()
        for fault in range(1, 64):
            head = bytearray(RLE)
            head[7] = fault << 2
            choice = image_choice.choose(bytes(head) + FRAME)
            assert choice is not None
            ds, sound = choice.dataset(), choice
            sound.fault = 0
            expected = sound.dataset()
            if any(ds.get_item(tag) != expected.get_item(tag) for tag in {*ds.keys(), *expected.keys()}):
                result.add(fault)
        # What is not there cannot be taken away.
        assert len(result) == 60

    def test_choose_reads_the_rust_corpus_alike(self) -> None:
        decoded = 0
        for data in seed_inputs.seeds("handler", 4096):
            choice = image_choice.choose(data)
            if choice is not None:
                decoded += (
                    interfaces.outcome(lambda choice=choice: dicoxide.decode(choice.dataset(), fallback=False)).array
                    is not None
                )
        assert decoded > 20


class TestPlanted:
    """Bugs: each is seen."""

    @staticmethod
    def plant(monkeypatch: pytest.MonkeyPatch, when: Any) -> None:
        """Another value of one sample in some calls."""
        right = dicoxide.decode

        def decode(src: Any, **options: Any) -> Any:
            samples = right(src, **options)
            if when(src, options):
                samples = samples if "out" in options else samples.copy()
                samples.reshape(-1)[-1] += 1
            return samples

        monkeypatch.setattr(dicoxide, "decode", decode)

    @pytest.mark.parametrize("way", range(len(decode_checks.CHECKS)))
    @pytest.mark.usefixtures("_alone")
    @pytest.mark.parametrize("first", [0, 1, 8, 250])
    def test_target_without_fault_reports_nothing(self, way: int, first: int) -> None:
        for second in range(6):
            assert targets.run("decode", bytes([way, first, second, 0]) + CT[4:]) == []

    @pytest.mark.parametrize(
        ("way", "when"),
        [
            ("_threads", lambda src, options: options.get("threads") == 2),
            ("_sources", lambda src, options: isinstance(src, Path)),
            ("_max_bytes", lambda src, options: "max_bytes" in options),
            ("_frames", lambda src, options: "frames" in options),
            ("_iter", lambda src, options: True),
            ("_out", lambda src, options: "out" in options),
            ("_strict", lambda src, options: options.get("strict")),
            ("_raw", lambda src, options: options.get("raw")),
            ("_rescale", lambda src, options: options.get("dtype") == "f8"),
            ("_view", lambda src, options: "copy" in options),
            ("_pydicom", lambda src, options: isinstance(src, pydicom.Dataset)),
        ],
    )
    @pytest.mark.usefixtures("_alone")
    def test_target_reports_one_wrong_sample(self, monkeypatch: pytest.MonkeyPatch, way: str, when: Any) -> None:
        self.plant(monkeypatch, when)
        number = next(index for index, function in enumerate(decode_checks.CHECKS) if function.__name__ == way)
        # The first frame alone, or a limit that is none.
        chosen = (8, 0) if way == "_frames" else (255, 12)
        decoded = targets.run("decode", bytes([number, *chosen, 0]) + CT[4:])
        assert any(text.startswith(way[1:]) for text in decoded)

    def test_target_reports_missing_frames(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dicoxide, "iter_frames", lambda *_, **__: iter(()))
        number = next(index for index, function in enumerate(decode_checks.CHECKS) if function.__name__ == "_iter")
        decoded = targets.run("decode", bytes([number, 0, 0, 0]) + CT[4:])
        assert any("0 frames" in text for text in decoded)

    @pytest.mark.parametrize("name", ["decode", "decode_many", "open", "read_series", "iter_frames"])
    def test_target_reports_undocumented_exceptions(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("x")

        with monkeypatch.context() as patch:
            patch.setattr(dicoxide, name, fail)
            target = {"open": "header", "read_series": "series"}.get(name, "decode")
            heads = [bytes([function, 0, 0, 0]) for function in range(len(decode_checks.CHECKS))]
            result = [text for head in heads for text in targets.run(target, head + CT[4:])]
            assert any("ZeroDivisionError" in text for text in result), name

    @pytest.mark.parametrize("target", ["plugin", "handler"])
    def test_target_reports_errors_through_pydicom(self, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
        error = interfaces.Outcome(error=MemoryError())
        for name in ("by_plugin", "by_handler"):
            monkeypatch.setattr(interfaces, name, lambda ds, **_: error)
        monkeypatch.setattr(interfaces, "is_raised_in_package", lambda error: True)
        head = bytes([*RLE[:4], 6, *RLE[5:]])
        assert targets.run(target, head + FRAME * 2) == [f"{target} raises MemoryError: "]

    def test_target_reports_backend_differences(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = bytes([*RLE[:4], 6, *RLE[5:]]) + FRAME * 2
        assert targets.run("backends", data) == []
        right = targets.backend_comparison.outcome
        monkeypatch.setattr(
            targets.backend_comparison, "outcome", lambda core, *args, **options: (core, right(core, *args, **options))
        )
        assert len(targets.run("backends", data)) == 1

    def test_target_reports_wrong_values(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = next(data for data in seed_inputs.seeds("values", 64) if data.endswith(b"MR"))
        assert targets.run("values", data) == []
        monkeypatch.setattr(targets, "value_of", lambda *_: "CT")
        assert targets.run("values", data) == ["CS of '' is 'CT', pydicom gives 'MR'"]


def test_command_without_atheris_names_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from support.fuzzing import __main__ as command

    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["fuzzing", "decode", "--seconds", "1"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 3
    assert "atheris is not installed" in capsys.readouterr().err


def test_every_target_has_seeds_and_is_listed() -> None:
    for target in targets.TARGETS:
        assert len(list(seed_inputs.seeds(target, 8192))) > 50, target
    assert (ROOT / ".ci" / "fuzz-python").exists()
