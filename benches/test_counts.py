"""The guard of instructions: what fails it, and what does not."""

from __future__ import annotations

import pytest

import counted_calls
import counts
import dicoxide


@pytest.mark.parametrize(("now", "expected"), [(100, 0), (102, 0), (104, 1), (90, 0)])
def test_more_instructions_fail(now: int, expected: int) -> None:
    assert counts._compared({"path": 100}, {"path": now}) == expected


def test_a_new_path_passes() -> None:
    assert counts._compared({}, {"path": 1}) == 0


def test_the_total_of_a_dump_is_counted() -> None:
    assert counts._total("events: Ir\nfn=(1)\n2 totals: 7\nsummary: 12\ntotals: 12\n") == 12
    with pytest.raises(ValueError, match="no count"):
        counts._total("events: Ir\n")


@pytest.mark.skipif(dicoxide.backend != "rust", reason="calls of the compiled core are counted")
def test_calls_from_python_are_listed_and_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Each changes the folder of the process.
    monkeypatch.chdir(counts.ROOT)
    monkeypatch.setattr("sys.argv", ["counted_calls"])
    counted_calls.main()
    _, *names = capsys.readouterr().out.strip().split("\n")
    assert len(names) == 2
    for call in counted_calls.calls().values():
        call()
