"""Tests of the instruction counts: when the comparison fails, and that the counted calls run."""

from __future__ import annotations

import pytest

import counts
import counts_from_python
import dicoxide


@pytest.mark.parametrize(("count", "expected"), [(100, 0), (102, 0), (104, 1), (90, 0)])
def test_compare_more_instructions_fails(count: int, expected: int) -> None:
    assert counts._compare({"path": 100}, {"path": count}) == expected


def test_compare_new_path_passes() -> None:
    assert counts._compare({}, {"path": 1}) == 0


def test_total_is_read_from_a_dump() -> None:
    assert counts._total("events: Ir\nfn=(1)\n2 totals: 7\nsummary: 12\ntotals: 12\n") == 12
    with pytest.raises(ValueError, match="no count"):
        counts._total("events: Ir\n")


@pytest.mark.skipif(dicoxide.backend != "rust", reason="calls of the compiled core are counted")
def test_calls_from_python_are_listed_and_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # calls() changes the working directory; monkeypatch restores it.
    monkeypatch.chdir(counts.ROOT)
    monkeypatch.setattr("sys.argv", ["counts_from_python"])
    counts_from_python.main()
    _, *names = capsys.readouterr().out.strip().split("\n")
    assert len(names) == 2
    for call in counts_from_python.calls().values():
        call()
