"""Images of the pytest-benchmark files, generated once, and the verified result of each decoder."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

import corpus
from dicoxide._threads import ThreadPool
from dicoxide.bench import DECODERS, DICOXIDE, cases_from_paths
from dicoxide.bench._cases import Case, generated_cases
from dicoxide.bench._decoders import LoadedCase
from dicoxide.bench._images import SYNTAXES
from dicoxide.bench._process import WorkerProcess
from dicoxide.bench._verify import CaseResult, Verifier

__all__ = ["REAL_FILES", "SYNTAXES", "Suite"]

# A small and a large real file of each encapsulated syntax, by file name.
REAL_FILES = {
    path.name: path
    for path in (corpus.SHARED / row["path"] for row in corpus.manifest())
    if path.name in ("CT1_RLE", "RG2_RLE", "CT1_JPLL", "RG2_JPLL.dcm", "CT1_J2KR", "RG2_J2KI", "CT1_JPH", "RG2_JPH")
}


class Suite:
    """Cases by name, with verified results; each decoder has its own process, because some crash."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._workers = {name: WorkerProcess(lambda: math.inf) for name in DECODERS}
        self._threads = ThreadPool(2, "suite")
        self._verifier = Verifier(folder, self._workers, self._threads)
        self._loaded: dict[str, LoadedCase | None] = {}
        self._results: dict[tuple[str, str], dict[str, CaseResult]] = {}

    def stop(self) -> None:
        """End all threads and processes."""
        self._threads.stop()
        for worker in self._workers.values():
            worker.stop()

    def load(self, name: str) -> LoadedCase:
        """Return a case; skip the test if no installed package can encode it."""
        if name not in self._loaded:
            self._loaded.update({case.name: LoadedCase(case) for case in self._cases(name)})
        loaded = self._loaded.setdefault(name)
        if loaded is None:
            pytest.skip(f"no installed encoder for {name}")
        return loaded

    def _cases(self, name: str) -> Iterator[Case]:
        if name in REAL_FILES:
            yield from cases_from_paths([str(REAL_FILES[name])])[0]
        else:
            image = next(name.removesuffix(f"-{syntax}") for syntax in SYNTAXES if name.endswith(f"-{syntax}"))
            yield from generated_cases(self._folder, [image])

    def result(self, level: str, name: str, decoder: str) -> CaseResult:
        """Return the result of a decoder; skip the test unless it is correct, or fail it for dicoxide."""
        if not DECODERS[decoder].is_installed():
            pytest.skip(f"{decoder} is not installed")
        if (level, name) not in self._results:
            available = [
                candidate.name
                for candidate in DECODERS.values()
                if level in candidate.levels and candidate.is_installed()
            ]
            self._results[level, name] = self._verifier.verify(level, self.load(name).case, available)
        result = self._results[level, name][decoder]
        if result.status == "unsupported":
            pytest.skip(f"{decoder} does not support {name} at level {level}")
        if result.status not in ("ok", "unchecked"):
            reason = ": ".join(filter(None, (f"{decoder}, {level} of {name}", result.status, result.detail)))
            if decoder == DICOXIDE:
                pytest.fail(reason)
            pytest.skip(reason)
        return result
