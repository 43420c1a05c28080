"""Mutations of real files: a short campaign, and planted faults that it has to find.

`make mutations` runs long campaigns.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide._numpy_backend import _samples
from support.file_mutations import checks, interfaces, source_files
from support.file_mutations.campaign import WORKER, Campaign
from support.file_mutations.case import Expectation, Mutant
from support.file_mutations.file_layout import layout_of
from support.file_mutations.worker import FALLBACK_OPTION
from support.processes import run_script, script

CT = "pydicom/test_files/CT_small.dcm"
RLE = "pydicom/test_files/SC_rgb_rle_2frame.dcm"


def test_mutated_files_decode_exactly_or_raise_documented_errors() -> None:
    names = list(source_files.files(shared=False))
    summary = Campaign().run(source_files.shares(names, 1200))
    assert summary.cases >= 1200
    assert not summary.failures
    # Many cases have to get past the header.
    for function in ("decode", "dataset", "plugin", "handler"):
        assert summary.outcomes[function]["array"] > 200
    assert summary.outcomes["decode"]["CorruptFrameError"] > 200
    assert summary.outcomes["decode"]["TruncatedFrameError"] > 50


def test_mutated_files_with_fallback_decoders_end_no_process() -> None:
    names = [name for name in source_files.files(shared=False) if source_files.needs_fallback(name)]
    summary = Campaign(worker=(*WORKER, FALLBACK_OPTION)).run(source_files.shares(names, 150))
    assert summary.cases >= 150
    assert not summary.failures
    assert summary.outcomes["decode"]["CorruptFrameError"] > 20


def test_mutant_bytes_are_reproducible() -> None:
    printed = run_script("hash_mutants", RLE).stdout.strip()
    decoded = hashlib.sha256(b"".join(source_files.mutant(RLE, number).data for number in range(40))).hexdigest()
    assert printed == decoded


def test_layout_finds_the_parts_of_a_file() -> None:
    layout = layout_of(source_files.files()[RLE].read_bytes())
    assert layout.pixels is not None
    assert layout.transfer_syntax == "1.2.840.10008.1.2.5"
    assert len(layout.fragments) == 2
    for start, stop in layout.fragments:
        assert layout.data[start : start + 4] == b"\3\0\0\0"
        assert layout.data[stop : stop + 2] == b"\xfe\xff"
    deflated = layout_of(source_files.files()["pydicom/test_files/image_dfl.dcm"].read_bytes())
    again = layout_of(deflated.to_file(deflated.data))
    assert again.data == deflated.data
    assert again.elements == deflated.elements


class TestCheck:
    """Planted faults: each one is reported."""

    @staticmethod
    def failures(
        tmp_path: Path, number: int = 0, expectation: Expectation = Expectation.ANY, name: str = CT
    ) -> list[str]:
        data = source_files.files()[name].read_bytes()
        mutant = Mutant(data, "none", expectation)
        return checks.Check(mutant, interfaces.Outcome(array=CT_VALUES), tmp_path / "case.dcm", number).failures()

    @pytest.fixture(autouse=True)
    def _enabled(self) -> Any:
        with dicoxide.enabled():
            yield

    def test_check_without_fault_reports_nothing(self, tmp_path: Path) -> None:
        for number in range(12):
            assert self.failures(tmp_path, number, Expectation.UNCHANGED) == []

    @pytest.mark.parametrize(
        ("error", "number"),
        [(ZeroDivisionError("x"), 0), (MemoryError(), 1), (dicoxide.InternalError("x"), 2), (KeyError("Rows"), 3)],
    )
    def test_check_reports_undocumented_exceptions(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, number: int
    ) -> None:
        def decode(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(dicoxide, "decode", decode)
        assert any(text.startswith("decode raises") for text in self.failures(tmp_path, number))

    @pytest.mark.parametrize(
        ("when", "what"),
        [
            (lambda src, options: options.get("threads") == 2, "two threads gives"),
            (lambda src, options: isinstance(src, Path), "a path gives"),
            (lambda src, options: options.get("strict"), "strict gives"),
            (lambda src, options: options.get("copy") is False, "a view gives"),
            (lambda src, options: options.get("frames") == -1, "the last frame gives"),
            (lambda src, options: not isinstance(src, bytes | Path) and not options, "a Dataset gives"),
            (lambda src, options: options.get("raw"), "handler gives"),
            (lambda src, options: options.get("rescale") and isinstance(src, Path), "rescale of a path gives"),
            (lambda src, options: options.get("rescale") and "strict" in options, "strict rescale gives"),
            (lambda src, options: options.get("dtype") == "f8", "rescale gives float64 (128, 128), the standard"),
            (lambda src, options: True, "nothing of the image was changed"),
        ],
    )
    def test_check_reports_one_wrong_sample(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: Any, what: str
    ) -> None:
        right = dicoxide.decode

        def decode(src: Any, **options: Any) -> Any:
            samples = right(src, **options)
            if when(src, options):
                samples = samples.copy()
                samples[-1, -1] += 1
            return samples

        monkeypatch.setattr(dicoxide, "decode", decode)
        monkeypatch.setattr(interfaces, "by_handler", lambda ds: interfaces.outcome(lambda: right(ds, raw=True)))
        assert any(text.startswith(what) for text in self.failures(tmp_path, 1, Expectation.UNCHANGED))

    def test_check_reports_another_sample_of_the_numpy_backend(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        right = _samples.transform

        def transform(samples: Any, transform: Any, out: Any) -> None:
            right(samples, transform, out)
            out[-1] += 1

        monkeypatch.setattr(_samples, "transform", transform)
        assert any("with rescale" in text for text in self.failures(tmp_path))

    def test_check_reports_a_partial_image(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        right = dicoxide.decode
        monkeypatch.setattr(dicoxide, "decode", lambda src, **options: right(src, **options)[:64])
        result = self.failures(tmp_path, 0, Expectation.UNCHANGED_OR_ERROR)
        assert any(text.startswith("a part of the file gives") for text in result)
        assert any(text.startswith("shape (64, 128), 1 frames of (128, 128) declared") for text in result)

    def test_check_reports_exceptions_that_pydicom_hides(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        error = ZeroDivisionError("within the plugin")
        try:
            dicoxide.decode_frame(b"", None)  # type: ignore[arg-type]
        except Exception as raised:
            error = error.with_traceback(raised.__traceback__)
        result = interfaces.Outcome(error=RuntimeError("pydicom's"), logged=[error])
        monkeypatch.setattr(interfaces, "by_plugin", lambda ds, **_: result)
        assert any(text.startswith("plugin raises ZeroDivisionError") for text in self.failures(tmp_path))


class TestWorkers:
    """Workers that end: the campaign reports the case and continues with the others."""

    @staticmethod
    def outcome(fault: str, seconds: float = 20) -> Any:
        worker = tuple(map(str, script("faulty_mutation_worker", fault)))
        return Campaign(worker=worker, seconds=seconds).run({CT: 3})

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ("abort", "Aborted"),
            ("exit", "exit code 3"),
            ("sleep", "Timeout"),
            ("allocate", "MemoryError"),
        ],
    )
    def test_campaign_reports_the_case_that_ends_its_worker(self, fault: str, words: str) -> None:
        summary = self.outcome(fault, seconds=2)
        assert summary.cases == 3
        [(name, number, _, text)] = summary.failures
        assert (name, number) == (CT, 1)
        assert words in text


CT_VALUES: np.ndarray[Any, Any] = dicoxide.decode(source_files.files()[CT])
