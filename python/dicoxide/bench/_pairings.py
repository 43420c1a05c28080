"""Pairings: which decoder is timed with dicoxide on which case, in the order in which they are measured.

The time budget is usually spent before all pairings are measured, so the order determines what is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders import DECODERS, DICOXIDE, LEVELS
from dicoxide.bench._verify import CaseResult

__all__ = ["Pairing", "Pairings"]

# Limits of a set of files at the level ``bulk``.
_MAX_BULK_FILES, _MAX_BULK_BYTES = 60, 48 << 20


class Pairing(NamedTuple):
    """A decoder that is timed alternately with dicoxide on one case, or on a set of cases at the level ``bulk``."""

    level: str
    name: str
    cases: tuple[Case, ...]
    decoder: str
    variant: str = ""
    threads: int = 1


class Pairings:
    """The pairings of decoders whose results are correct or cannot be checked.

    dicoxide is also paired with itself, which measures the noise.

    Parameters
    ----------
    cases : sequence of Case
        In the order of their importance.
    results : mapping of (level, case name, decoder) to CaseResult
        Verified results.
    decoders : sequence of str
        Names of decoders.
    thread_counts : collection of int
        Thread counts at the level ``bulk``.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        results: Mapping[tuple[str, str, str], CaseResult],
        decoders: Sequence[str],
        thread_counts: Collection[int],
    ) -> None:
        self._cases = cases
        self._results = results
        self._decoders = decoders
        self._thread_counts = thread_counts

    def is_correct(self, level: str, case: Case, decoder: str) -> bool:
        """True if the result is correct, or no other decoder has one."""
        result = self._results.get((level, case.name, decoder))
        return result is not None and result.status in ("ok", "unchecked")

    def includes_dicoxide(self, pairing: Pairing) -> bool:
        """True if dicoxide decodes the case correctly; otherwise the decoder is timed alone."""
        return pairing.level == "bulk" or self.is_correct(pairing.level, pairing.cases[0], DICOXIDE)

    def round_seconds(self, pairing: Pairing) -> float:
        """Return an upper estimate of the duration of one round, from the first calls, which are the slowest."""
        level = "file" if pairing.level == "bulk" else pairing.level
        decoders = [pairing.decoder, DICOXIDE] if self.includes_dicoxide(pairing) else [pairing.decoder]
        return sum(self._results[level, case.name, name].seconds for case in pairing.cases for name in decoders)

    def ordered(self) -> Iterator[Pairing]:
        """Yield all pairings: each combination of level, decoder and syntax once before any a second time.

        Levels are interleaved, so that each level has results wherever the budget ends.
        """
        queues: dict[tuple[str, str, str], list[Pairing]] = {}
        for case in self._cases:
            for level in LEVELS:
                for decoder in self._decoders:
                    if self.is_correct(level, case, decoder):
                        for variant in DECODERS[decoder].variants:
                            pairing = Pairing(level, case.name, (case,), decoder, variant)
                            queues.setdefault((level, decoder + variant, case.keyword), []).append(pairing)
        for pairing in self._bulk_pairings():
            queues.setdefault((pairing.level, f"{pairing.decoder} {pairing.threads}", pairing.name), []).append(pairing)
        for index in range(max(map(len, queues.values()), default=0)):
            by_level: dict[str, list[Pairing]] = {level: [] for level in LEVELS}
            for queue in queues.values():
                if index < len(queue):
                    by_level[queue[index].level].append(queue[index])
            interleaved = [
                pairing for group in zip_longest(*by_level.values()) for pairing in group if pairing is not None
            ]
            # A decoder without dicoxide gives no ratio.
            yield from sorted(interleaved, key=lambda pairing: not self.includes_dicoxide(pairing))

    def _bulk_pairings(self) -> Iterator[Pairing]:
        """Yield sets of files of one transfer syntax, with the decoders that decode all of them correctly."""
        cases_by_set: dict[str, list[Case]] = {}
        for case in self._cases:
            if self.is_correct("file", case, DICOXIDE):
                cases_by_set.setdefault(f"{case.keyword} files", []).append(case)
        for name, cases in cases_by_set.items():
            files: list[Case] = []
            decoded_bytes = 0
            while len(files) < _MAX_BULK_FILES and decoded_bytes < _MAX_BULK_BYTES:
                files.append(cases[len(files) % len(cases)])
                decoded_bytes += files[-1].decoded_bytes
            for decoder in self._decoders:
                if "bulk" in DECODERS[decoder].levels and all(self.is_correct("file", case, decoder) for case in cases):
                    for threads in self._thread_counts:
                        yield Pairing("bulk", name, tuple(files), decoder, "", threads)
