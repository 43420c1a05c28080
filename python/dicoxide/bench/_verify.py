"""Who is exact: every decoder's answer to every case, and what they agree on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dicoxide._threads import ThreadPool
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders import JPEG, OURS, PEERS, RLE
from dicoxide.bench._process import Worker

__all__ = ["Answer", "Question", "Verdicts", "asked"]

# For one decoding, its file read and its libraries imported.
_SECONDS = 60.0


class Question(NamedTuple):
    """What one decoder is asked."""

    level: str
    case: Case
    peer: str


class Answer(NamedTuple):
    """What became of it."""

    # ``"ok"``, ``"wrong"``, ``"error"``, ``"crashed"``, ``"timeout"``, ``"unsupported"``, ``"unchecked"`` where nobody
    # else decodes it, ``"disputed"`` where decoders disagree and none has more on its side.
    status: str
    detail: str | None = None
    wrong: dict[str, Any] | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    sha256: str = ""
    # Of the one call.
    seconds: float = 0.0


class Verdicts:
    """Asks, and decides who is right.

    Where the samples are known, these are right. Else it is the answer that most decoders give: those who share a
    library count once, somebody who hands a case on to another does not count, and answers to a lossy case that
    differ by rounding are one. Whoever gave the same samples from a Dataset confirms those from a path. Where none has
    more than the others, it is disputed.
    """

    def __init__(self, folder: str, workers: Mapping[str, Worker], threads: ThreadPool) -> None:
        self._folder = folder
        self._workers = workers
        self._threads = threads
        self._saved = 0
        # Of stored values, by case and checksum; where there is colour, a path's answer may be converted.
        self._votes: dict[tuple[str, str], set[str]] = {}
        self.disagreements: list[dict[str, Any]] = []

    def of_case(self, level: str, case: Case, peers: Iterable[str]) -> dict[str, Answer]:
        """The answers of `peers`, each decided; by their names."""
        # Those who read a path give the samples of all frames, a codec those of the first: each level is by itself.
        known = case.truth if level != "rescaled" else None
        asked = {name: self._threads.submit(self._ask, Question(level, case, name), known) for name in peers}
        answers = {name: task.result() for name, task in asked.items()}
        given = {name: answer for name, answer in answers.items() if answer.sha256}
        if not given:
            return answers
        if level in ("pixel_array", "file") and (case.samples_per_pixel == 1 or case.transfer_syntax == RLE):
            for name, answer in given.items():
                if who := PEERS[name].votes(case, level):
                    self._votes.setdefault((case.name, answer.sha256), set()).add(who)
        right, reference = ("", known) if known else self._agreed(level, case, given)
        if reference is None:
            status = "unchecked" if len({answer.sha256 for answer in given.values()}) == 1 else "disputed"
            decided = {name: answer._replace(status=status, wrong=None) for name, answer in given.items()}
        elif known:
            decided = {name: _decided(answer, answer.wrong) for name, answer in given.items()}
        else:
            decided = {}
            for name, answer in given.items():
                if answer.sha256 == right:
                    decided[name] = _decided(answer, None)
                else:
                    decided[name] = self._ask(Question(level, case, name), reference)
        self._disagree(level, case, decided, is_known=known is not None)
        return {**answers, **decided}

    def _ask(self, question: Question, reference: str | None, save: str | None = None) -> Answer:
        level, case, peer = question
        request = {
            "do": "answer",
            "peer": peer,
            "level": level,
            "variant": "",
            "threads": 1,
            "cases": [case],
            "reference": reference,
            "save": save,
        }
        answer = self._workers[peer].ask(request, _SECONDS)
        for status in ("crashed", "timeout", "error"):
            if status in answer:
                return Answer(status, answer[status])
        if "unsupported" in answer:
            return Answer("unsupported", answer["unsupported"] or None)
        found = Answer(
            "unchecked",
            wrong=answer["wrong"],
            shape=tuple(answer["shape"]),
            dtype=answer["dtype"],
            sha256=answer["sha256"],
            seconds=answer["seconds"],
        )
        return _decided(found, answer["wrong"]) if answer["is_compared"] else found

    def _agreed(self, level: str, case: Case, given: Mapping[str, Answer]) -> tuple[str, str | None]:
        """The checksum that most give, and a file with these samples; None where nobody confirms another."""
        votes: dict[str, set[str]] = {}
        for name, answer in given.items():
            if who := PEERS[name].votes(case, level):
                votes.setdefault(answer.sha256, set()).add(who)
            if level == "file" and (others := self._votes.get((case.name, answer.sha256))):
                votes.setdefault(answer.sha256, set()).update(others)
        saved: dict[str, str | None] = {}
        if case.is_lossy:
            # Answers that differ by rounding confirm each other.
            for sha256, voters in votes.items():
                path = saved[sha256] = self._save(level, case, given, sha256)
                if path is None:
                    continue
                for name, answer in given.items():
                    who = PEERS[name].votes(case, level)
                    if answer.sha256 != sha256 and who and self._ask(Question(level, case, name), path).status == "ok":
                        voters.add(who)
        ranked = sorted(votes.items(), key=lambda item: -len(item[1]))
        if not ranked or len(ranked[0][1]) < 2:
            return "", None
        right, voters = ranked[0]
        if any(len(others) == len(voters) and not others & voters for _, others in ranked[1:]):
            return "", None
        path = saved[right] if right in saved else self._save(level, case, given, right)
        return ("", None) if path is None else (right, path)

    def _save(self, level: str, case: Case, given: Mapping[str, Answer], sha256: str) -> str | None:
        """A file with the samples of an answer: who gives it is asked again, as all answers would be too much to keep.

        None where nobody gives it again.
        """
        self._saved += 1
        path = os.path.join(self._folder, f"agreed-{self._saved}.npy")
        for name, answer in given.items():
            if answer.sha256 == sha256 and self._ask(Question(level, case, name), None, path).sha256 == sha256:
                return path
        return None

    def _disagree(self, level: str, case: Case, decided: Mapping[str, Answer], *, is_known: bool) -> None:
        answers: dict[str, list[str]] = {}
        for name, answer in decided.items():
            answers.setdefault(answer.sha256, []).append(name)
        if not any(answer.status in ("wrong", "disputed") for answer in decided.values()):
            return
        right = [name for name, answer in decided.items() if answer.status == "ok"]
        self.disagreements.append(
            {
                "case": case.name,
                "level": level,
                "reference": right or None,
                "known": is_known,
                "answers": [_told(decided[names[0]], names) for names in answers.values()],
            }
        )


def _told(answer: Answer, names: Sequence[str]) -> dict[str, Any]:
    return {
        "peers": list(names),
        "shape": list(answer.shape),
        "dtype": answer.dtype,
        "sha256": answer.sha256,
        "samples": 0 if answer.wrong is None else answer.wrong["samples"],
    }


def _decided(answer: Answer, wrong: dict[str, Any] | None) -> Answer:
    if wrong is None:
        return answer._replace(status="ok", wrong=None)
    if wrong["max_difference"] is None:
        shape = "×".join(map(str, answer.shape))
        return answer._replace(status="wrong", detail=f"{shape} samples where there are {wrong['of']}", wrong=wrong)
    where = "×".join(map(str, wrong["first"]))
    detail = f"{wrong['samples']} of {wrong['of']} samples differ, the first at {where}"
    return answer._replace(status="wrong", detail=detail, wrong=wrong)


def asked(cases: Sequence[Case], peers: Sequence[str], levels: Sequence[str]) -> Iterator[tuple[str, Case, list[str]]]:
    """Every level of every case with the decoders that have it; a level after the other for each case."""
    for case in cases:
        for level in levels:
            if level == "bulk" or (level == "rescaled" and not case.is_rescalable):
                continue
            if level == "codec" and case.samples_per_pixel > 1 and case.transfer_syntax in JPEG:
                # Whether colour is to be converted is told by the data set, not by the frame.
                continue
            having = [name for name in peers if level in PEERS[name].levels]
            if having != [OURS]:
                yield level, case, having
