"""Which races could be run, in the order in which they are to be: what the budget leaves out is at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders import LEVELS, OURS, PEERS
from dicoxide.bench._verify import Answer

__all__ = ["Race", "Racing"]

# Files of a set that is decoded in bulk, and bytes of what they decode to.
_BULK_FILES, _BULK_BYTES = 60, 48 << 20


class Race(NamedTuple):
    """Ours and another, or ours alone, at one level of one case, or of a set of them."""

    level: str
    name: str
    cases: tuple[Case, ...]
    peer: str
    variant: str = ""
    threads: int = 1


class Racing:
    """Who may race whom: those whose answers are right.

    How fast ours is every race with it tells; that it races itself shows what chance does.

    Parameters
    ----------
    cases : sequence of Case
        In the order of their importance.
    answers : mapping of (level, case, decoder) to Answer
        What the decoders gave.
    names : sequence of str
        The decoders.
    threads : collection of int
        How many are tried on many files.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        answers: Mapping[tuple[str, str, str], Answer],
        names: Sequence[str],
        threads: Collection[int],
    ) -> None:
        self._cases = cases
        self._answers = answers
        self._names = names
        self._threads = threads

    def is_right(self, level: str, case: Case, name: str) -> bool:
        """Whether nothing speaks against an answer."""
        answer = self._answers.get((level, case.name, name))
        return answer is not None and answer.status in ("ok", "unchecked")

    def has_ours(self, race: Race) -> bool:
        """Whether ours takes part."""
        return race.level == "bulk" or self.is_right(race.level, race.cases[0], OURS)

    def seconds(self, race: Race) -> float:
        """What a round is expected to take, at most: first calls are slower than those after them."""
        level = "file" if race.level == "bulk" else race.level
        # Ours alone runs twice in a round.
        names = [race.peer, OURS] if self.has_ours(race) else [race.peer]
        return sum(self._answers[level, case.name, name].seconds for case in race.cases for name in names)

    def races(self) -> Iterator[Race]:
        """All that could be run: every level, decoder and syntax once, before any of them a second time.

        Levels take turns, so that where the budget ends no level is without a race.
        """
        turns: dict[tuple[str, str, str], list[Race]] = {}
        for case in self._cases:
            for level in LEVELS:
                for name in self._names:
                    if self.is_right(level, case, name):
                        for variant in PEERS[name].variants:
                            race = Race(level, case.name, (case,), name, variant)
                            turns.setdefault((level, name + variant, case.keyword), []).append(race)
        for race in self._of_many():
            turns.setdefault((race.level, f"{race.peer} {race.threads}", race.name), []).append(race)
        longest = max(map(len, turns.values()), default=0)
        for turn in range(longest):
            levels: dict[str, list[Race]] = {level: [] for level in LEVELS}
            for some in turns.values():
                if turn < len(some):
                    levels[some[turn].level].append(some[turn])
            mixed = [race for one in zip_longest(*levels.values()) for race in one if race is not None]
            # First what compares ours with another, or with itself.
            yield from sorted(mixed, key=lambda race: not self.has_ours(race))

    def _of_many(self) -> Iterator[Race]:
        """Sets of files that all are right for all who decode them in bulk."""
        sets: dict[str, list[Case]] = {}
        for case in self._cases:
            if self.is_right("file", case, OURS):
                sets.setdefault(f"{case.keyword} files", []).append(case)
        for name, some in sets.items():
            files: list[Case] = []
            size = 0
            while len(files) < _BULK_FILES and size < _BULK_BYTES:
                files.append(some[len(files) % len(some)])
                size += files[-1].decoded_bytes
            for peer in self._names:
                if "bulk" in PEERS[peer].levels and all(self.is_right("file", one, peer) for one in some):
                    for threads in self._threads:
                        yield Race("bulk", name, tuple(files), peer, "", threads)
