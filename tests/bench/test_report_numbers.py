"""Numbers and texts of the HTML report: group summaries, escapes, and ids of embedded charts."""

from __future__ import annotations

import pytest

from dicoxide.bench import _summary
from dicoxide.bench._report import _charts
from dicoxide.bench._report._filters import printable
from support import synthetic_comparison


@pytest.fixture(scope="module", autouse=True)
def _drawing() -> None:
    for package in ("altair", "jinja2", "vl_convert"):
        pytest.importorskip(package)


def test_ratios_of_a_group_are_geometric_means() -> None:
    document = synthetic_comparison.empty()
    document["cases"] = [
        synthetic_comparison.case("a", "RLELossless", 8),
        synthetic_comparison.case("b", "RLELossless", 8),
    ]
    halves = {"a": {"median": 0.5, "low": 0.25, "high": 1.0}, "b": {"median": 8.0, "low": 4.0, "high": 16.0}}
    document["results"] = [
        synthetic_comparison.result("file", case, "gdcm", ratio=interval) for case, interval in halves.items()
    ]
    ((key, (row,)),) = _summary.ratios(document).items()
    assert key == ("file", "RLELossless")
    assert row == _summary.Ratio("gdcm", pytest.approx(2.0), pytest.approx(1.0), pytest.approx(4.0), 0.5, 8.0, 2)
    assert [loss["case"] for loss in _summary.losses(document)] == ["a"]


def test_throughput_is_over_all_images_of_a_group() -> None:
    document = synthetic_comparison.empty()
    document["cases"] = [
        synthetic_comparison.case("a", "RLELossless", 8),
        synthetic_comparison.case("b", "RLELossless", 8),
    ]
    times = {"a": (1.0, 100.0), "b": (3.0, 20.0)}
    document["results"] = [
        synthetic_comparison.result(
            "file", case, "gdcm", seconds={"median": seconds, "all": []}, bytes_per_second=speed
        )
        for case, (seconds, speed) in times.items()
    ]
    ((_, (row,)),) = _summary.throughput(document).items()
    assert row == ("gdcm", 40.0, 2)


def test_printable_escapes_control_characters_and_surrogates() -> None:
    assert printable("a\udcff\x00\n") == "a\\udcff\\x00\n"


def test_embedded_chart_ids_have_its_prefix() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9"><g id="clip0" class="x" clip-path="url(#clip0)">'
        '<text x="1.23456">id="a" 1.23456</text><text opacity="0">hidden</text></g></svg>'
    )
    assert _charts._embeddable(svg, "chart7", "0 0 9 9", "a < b", "c") == (
        '<svg class="chart" role="img" viewBox="0 0 9 9" aria-labelledby="chart7-title" aria-describedby="chart7-desc">'
        '<title id="chart7-title">a &lt; b</title><desc id="chart7-desc">c</desc>'
        '<g id="chart7-clip0" clip-path="url(#chart7-clip0)"><text x="1.23">id="a" 1.23456</text></g></svg>'
    )
