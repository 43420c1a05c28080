"""What the pytest-benchmark files decode: images made once, and who decodes them right, decided before any time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

import corpus
from dicoxide._threads import ThreadPool
from dicoxide.bench._cases import Case, cases_from_paths, generated_cases
from dicoxide.bench._decoders import DECODERS, DICOXIDE, LoadedCase
from dicoxide.bench._process import WorkerProcess
from dicoxide.bench._verify import CaseResult, Verifier

__all__ = ["REAL", "SYNTAXES", "Suite"]

SYNTAXES = ("native", "rle", "jpeg-lossless")
# A small and a large one of each syntax, by the names of their files.
REAL = {
    path.name: path
    for path in (corpus.SHARED / row["path"] for row in corpus.manifest())
    if path.name in ("CT1_RLE", "RG2_RLE", "CT1_JPLL", "RG2_JPLL.dcm")
}


class Suite:
    """Cases by name, and verdicts on them; a process a decoder, as some end it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._workers = {name: WorkerProcess(lambda: math.inf) for name in DECODERS}
        self._asking = ThreadPool(2, "suite")
        self._verdicts = Verifier(folder, self._workers, self._asking)
        self._opened: dict[str, LoadedCase | None] = {}
        self._answers: dict[tuple[str, str], dict[str, CaseResult]] = {}

    def stop(self) -> None:
        """End threads and processes."""
        self._asking.stop()
        for worker in self._workers.values():
            worker.stop()

    def opened(self, name: str) -> LoadedCase:
        """A case; skips the test where nobody can make it."""
        if name not in self._opened:
            self._opened.update({case.name: LoadedCase(case) for case in self._made(name)})
        opened = self._opened.setdefault(name)
        if opened is None:
            pytest.skip(f"nothing here encodes {name}")
        return opened

    def _made(self, name: str) -> Iterator[Case]:
        if name in REAL:
            yield from cases_from_paths([str(REAL[name])])[0]
        else:
            image = next(name.removesuffix(f"-{syntax}") for syntax in SYNTAXES if name.endswith(f"-{syntax}"))
            yield from generated_cases(self._folder, [image])

    def answer(self, level: str, name: str, peer: str) -> CaseResult:
        """What a decoder gave; skips the test where it is nothing that has a speed, or fails it where it is ours."""
        if not DECODERS[peer].is_installed():
            pytest.skip(f"{peer} is not installed")
        if (level, name) not in self._answers:
            case = self.opened(name).case
            here = [one for one in DECODERS if level in DECODERS[one].levels and DECODERS[one].is_installed()]
            self._answers[level, name] = self._verdicts.verify(level, case, here)
        answer = self._answers[level, name][peer]
        if answer.status == "unsupported":
            pytest.skip(f"{peer} does not decode such a case at level {level}")
        if answer.status not in ("ok", "unchecked"):
            reason = ": ".join(filter(None, (f"{peer}, {level} of {name}", answer.status, answer.detail)))
            if peer == DICOXIDE:
                pytest.fail(reason)
            pytest.skip(reason)
        return answer
