"""The HTML report of comparison runs: self-contained, complete, accessible, and safe with hostile text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from dicoxide import _extras
from dicoxide._text_format import format_bytes, format_ratio, format_seconds
from dicoxide.bench import _summary
from dicoxide.bench._report import _charts, write_html
from dicoxide.bench._report._filters import printable
from support import synthetic_comparison

VOID = {"br", "meta", "wbr"}


class Page(HTMLParser):
    """Elements with their attributes and the text in them, in the order of the page; fails where they don't nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._parts: list[list[str]] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert not self._open
        self.texts = ["".join(parts) for parts in self._parts]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        self._parts.append([])
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self._parts[index].append(data)

    def of(self, name: str, **attributes: str) -> list[str]:
        """The texts of elements of a name."""
        return [text for _, text in self.found(name, **attributes)]

    def found(self, name: str, **attributes: str) -> Iterator[tuple[dict[str, str], str]]:
        for (kind, there), text in zip(self.elements, self.texts, strict=True):
            if kind == name and attributes.items() <= there.items():
                yield there, text


@pytest.fixture(scope="module", autouse=True)
def _drawing() -> None:
    for package in ("altair", "jinja2", "vl_convert"):
        pytest.importorskip(package)


def written(document: dict[str, Any], folder: Path) -> str:
    path = folder / "report.html"
    write_html(document, str(path))
    return path.read_text(encoding="utf-8")


DOCUMENTS = {
    "everything": synthetic_comparison.document,
    "one image": lambda: synthetic_comparison.document(cases=8),
    "empty": synthetic_comparison.empty,
    "verified": synthetic_comparison.verified,
    "alone": synthetic_comparison.alone,
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: written(make(), tmp_path_factory.mktemp("report")) for name, make in DOCUMENTS.items()}


@pytest.fixture(scope="module")
def pages(texts: dict[str, str]) -> dict[str, Page]:
    return {name: Page(text) for name, text in texts.items()}


@pytest.fixture(scope="module")
def text(texts: dict[str, str]) -> str:
    return texts["everything"]


@pytest.fixture(scope="module")
def page(pages: dict[str, Page]) -> Page:
    return pages["everything"]


@pytest.mark.parametrize("document_name", DOCUMENTS)
def test_report_has_no_scripts_and_no_external_references(
    document_name: str, texts: dict[str, str], pages: dict[str, Page]
) -> None:
    text, page = texts[document_name], pages[document_name]
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "iframe", "img", "image", "object", "embed", "use", "foreignobject", "base"}
    for name, attributes in page.elements:
        for key, value in attributes.items():
            assert not key.startswith("on"), (name, key)
            if key in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
                assert value.startswith("#"), (name, key, value)
    for inside in re.findall(r"url\(([^)]*)\)", text):
        assert inside.startswith("#"), inside
    assert "@import" not in text
    assert "http:" not in text
    assert "https:" not in text


@pytest.mark.parametrize("document_name", DOCUMENTS)
def test_report_ids_are_unique_and_links_resolve(document_name: str, pages: dict[str, Page]) -> None:
    page = pages[document_name]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for key in ("aria-labelledby", "aria-describedby"):
            assert set(attributes.get(key, "").split()) <= set(ids)
        if "href" in attributes:
            assert attributes["href"][1:] in ids


def test_report_charts_and_tables_have_labels(page: Page) -> None:
    plots = [attributes for attributes, _ in page.found("svg", **{"class": "chart"})]
    assert len(plots) > 20
    assert len(page.of("title")) == len(plots) + 1
    assert len(page.of("desc")) == len(plots)
    assert all(plot["role"] == "img" and plot["aria-labelledby"] and plot["viewbox"] for plot in plots)
    assert not [plot for plot in plots if "width" in plot or "height" in plot]
    assert all(page.of("desc"))
    captions = page.of("caption")
    assert len(captions) == len(page.of("table"))
    assert all(captions)
    boxes = list(page.found("div", **{"class": "scroll"}))
    assert len(boxes) == len(captions)
    assert all(box["tabindex"] == "0" and box["aria-label"] for box, _ in boxes)
    assert all(cell.get("scope") for cell, _ in page.found("th"))


def test_report_charts_use_colours_of_the_page(text: str, page: Page) -> None:
    for name, attributes in page.elements:
        for key in ("fill", "stroke", "color"):
            value = attributes.get(key, "none")
            assert value in ("none", "currentColor", "transparent") or value.startswith("var(--"), (name, key, value)
    used = set(re.findall(r"var\((--[a-z0-9]+)\)", text))
    light, dark = re.findall(r":root \{[^}]*\}", text)
    for colour in used:
        assert f"{colour}: #" in light
        assert f"{colour}: #" in dark
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "all":
                yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


@pytest.mark.parametrize("document_name", DOCUMENTS)
def test_report_tables_have_every_number(document_name: str, pages: dict[str, Page]) -> None:
    document, page = DOCUMENTS[document_name](), pages[document_name]
    # Shapes, positions and thread counts are text; all other numbers have a value attribute.
    there = {float(item) for text in page.of("td") for item in re.findall(r"\b\d+\b", text)}
    there |= {float(attributes["value"]) for attributes, _ in page.found("data")}
    for figure in numbers(document):
        assert float(f"{figure:.9g}") in there or figure in there, figure
    tables = "".join(page.of("table"))
    for peer in document["peers"]:
        for key in ("name", "package", "version", "license", "install", "why"):
            assert peer[key] is None or printable(peer[key]) in tables
    for case in document["cases"]:
        for key in ("name", "path", "keyword", "transfer_syntax", "origin"):
            assert case[key] is None or printable(case[key]) in tables
    for disagreement in document["disagreements"]:
        assert all(answer["sha256"] in tables and answer["dtype"] in tables for answer in disagreement["answers"])
    for key in ("cpu", "cpu_path", "system", "python", "numpy", "pydicom", "began", "command", "backend"):
        assert document["setup"][key] in tables


def test_report_has_one_row_per_result(page: Page) -> None:
    document = synthetic_comparison.document()
    rows = {tuple(cells) for cells in _rows(page)}
    for result in document["results"]:
        seconds, ratio = result["seconds"] or {}, result["ratio"] or {}
        start = (printable(result["case"]), _summary.series_name(result), str(result["threads"]), result["status"])
        median = format_seconds(seconds.get("median"))
        middle = f"{ratio['median']:.4g}" if ratio else "–"
        peak = format_bytes(result["peak_bytes"])
        assert any(
            row[:5] == (*start, median) and row[11] == middle and row[14] == peak for row in rows if len(row) > 14
        )
    calls = "".join(text for attributes, text in page.found("table") if "calls" in attributes.get("class", ""))
    for result in document["results"]:
        if result["seconds"]:
            assert " ".join(f"{1e6 * time:.4g}" for time in result["seconds"]["all"]) in calls


def _rows(page: Page) -> Iterator[list[str]]:
    row: list[str] = []
    for (name, _), text in zip(page.elements, page.texts, strict=True):
        if name == "tr":
            yield row
            row = []
        elif name in ("td", "th"):
            row.append(text)
    yield row


def test_report_escapes_hostile_text(text: str, page: Page) -> None:
    for hostile in (
        synthetic_comparison.HOSTILE_PATH,
        synthetic_comparison.HOSTILE_DETAIL,
        synthetic_comparison.HOSTILE_NAME,
        synthetic_comparison.HOSTILE_SET,
    ):
        assert hostile not in text
        assert any(printable(hostile) in shown for shown in page.of("table")), hostile
    assert not {"script", "img"} & {name for name, _ in page.elements}
    # Also in charts.
    assert synthetic_comparison.HOSTILE_SET in "".join(page.of("desc") + page.of("title"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]", text)


def test_report_escapes_hostile_decoder_names_in_charts(tmp_path: Path) -> None:
    document = synthetic_comparison.document(cases=8)
    name = "<i on=x>'&\udc80"
    for peer in [*document["peers"], *document["results"]]:
        for key in ("name", "peer"):
            if peer.get(key) == "gdcm":
                peer[key] = name
    text = written(document, tmp_path)
    assert "<i on" not in text
    assert any(printable(name) in shown for shown in Page(text).of("text"))


def test_report_lists_losses_before_wins(text: str) -> None:
    document = synthetic_comparison.document()
    lost = [loss["ratio"]["median"] for loss in _summary.losses(document)]
    assert len(lost) > 12
    assert lost == sorted(lost)
    assert max(lost) < 1
    headings = re.findall(r"<h2[^>]*>([^<]*)", text)
    assert headings[0] == "Failures and losses of dicoxide"
    first, rest = text.split('<section id="exactness"')
    table = first.split("Comparisons in which dicoxide is slower")[-1]
    positions = [table.index(f">{format_ratio(ratio)}<") for ratio in sorted(set(lost))[:3]]
    assert positions == sorted(positions)
    wins = {item["ratio"]["median"] for item in _summary.compared(document)} - set(lost)
    assert not [ratio for ratio in wins if f'value="{ratio:.9g}"' in first]
    assert all(f'value="{ratio:.9g}"' in first for ratio in lost)
    assert [ratio for ratio in wins if f'value="{ratio:.9g}"' in rest]


def test_report_lists_failures_of_dicoxide_first(page: Page) -> None:
    owed = _summary.failures(synthetic_comparison.document())
    assert [(item["peer"], item["status"]) for item in owed] == [("dicoxide", "error")]
    captions = page.of("caption")
    assert captions[:2] == ["Failures of dicoxide", "Comparisons in which dicoxide is slower"]
    assert "code 17 is in no table" in page.of("table")[0]


def test_report_without_losses_states_it(tmp_path: Path) -> None:
    document = synthetic_comparison.document(cases=8)
    for result in document["results"]:
        if result["ratio"]:
            result["ratio"] = synthetic_comparison.ratio(2.0)
        if result["peer"] == "dicoxide":
            result["status"] = "ok"
    short = Page(written(document, tmp_path)).of("section", id="losses")[0]
    assert "No other decoder was faster" in short
    assert "No result of dicoxide is wrong" in short
    assert "Comparisons in which dicoxide is slower" not in short


def test_report_matrix_has_words_signs_and_counts(page: Page) -> None:
    (matrix,) = page.of("table", **{"class": "matrix"})
    for shown in (
        "✓5 ok",
        "≠1 wrong",
        "!1 error",
        "✕1 crashed",
        "…1 timeout",
        "–5 unsupported",
        "?1 unchecked",
        "⇄1 disputed",
    ):
        assert shown in matrix
    statuses = {result["status"] for result in synthetic_comparison.document()["results"]}
    assert len(statuses) == 8
    explained = page.of("section", id="exactness")[0]
    assert all(f"{status}: " in explained for status in statuses)


def test_report_names_missing_decoders_with_install_command(page: Page) -> None:
    decoders = page.of("section", id="decoders")[0]
    assert "openjphpy (not installed) pip install openjphpy" in decoders
    assert "pyjpegls (cannot be imported: ImportError" in decoders
    assert "pip install pyjpegls" in decoders


def test_report_has_notes_noise_and_setup(page: Page) -> None:
    about = page.of("section", id="setup")[0]
    assert "1.00 (0.97 to 1.04)" in about
    assert "4.4 %" in about
    assert "OMP_NUM_THREADS=4" in about
    assert "20 of 300 files were taken" in about


def test_report_of_empty_run(pages: dict[str, Page]) -> None:
    page = pages["empty"]
    assert not page.of("svg", **{"class": "chart"})
    assert any("No other decoder was found" in text for text in page.of("p"))
    assert "No times were compared" in page.of("header")[0]
    assert "pip install python-gdcm" in page.of("section", id="decoders")[0]


def test_report_of_verify_only_run(pages: dict[str, Page]) -> None:
    page = pages["verified"]
    assert not page.of("svg", **{"class": "chart"})
    assert any("results were compared, and nothing was timed" in text for text in page.of("p"))
    assert "≠1 wrong" in page.of("table", **{"class": "matrix"})[0]


def test_report_of_interrupted_run_states_it(tmp_path: Path) -> None:
    document = synthetic_comparison.empty()
    assert "was interrupted" not in written(document, tmp_path)
    document["setup"]["interrupted"] = True
    assert "was interrupted" in written(document, tmp_path)


def test_report_without_other_decoders(pages: dict[str, Page]) -> None:
    page = pages["alone"]
    assert any("No other decoder was found" in text for text in page.of("p"))
    assert page.of("section", id="throughput")
    assert page.of("svg", **{"class": "chart"})


def test_report_of_many_images_has_equally_many_charts(tmp_path: Path) -> None:
    few, many = (Page(written(synthetic_comparison.document(cases), tmp_path)) for cases in (24, 144))
    assert len(few.of("desc")) == len(many.of("desc"))
    assert sum(name == "path" for name, _ in many.elements) < 2 * sum(name == "path" for name, _ in few.elements)


def test_report_of_non_finite_numbers_shows_dashes(tmp_path: Path) -> None:
    document = synthetic_comparison.document(cases=8)
    for result, odd in zip(document["results"], [math.nan, math.inf, 0.0, -1.0] * 99, strict=False):
        if result["ratio"]:
            result["ratio"] = {"median": odd, "low": odd, "high": odd}
        if result["seconds"]:
            result["seconds"] = {**result["seconds"], "median": odd}
            result["bytes_per_second"] = odd
    page = Page(written(document, tmp_path))
    assert not re.search(r"\b(nan|inf)\b", "".join(page.of("table")))
    drawn = "".join(attributes.get("d", "") + attributes.get("transform", "") for _, attributes in page.elements)
    assert "NaN" not in drawn


def test_report_is_reproducible(text: str, tmp_path: Path) -> None:
    assert written(synthetic_comparison.document(), tmp_path) == text


@pytest.mark.parametrize("package", ["altair", "jinja2", "vl-convert-python"])
def test_report_without_package_names_the_extra(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = package.removesuffix("-python").replace("-", "_")
    monkeypatch.setattr(_extras, "find_spec", lambda name: None if name == module else object())
    sentence = rf'^--html needs the package {package}: pip install "dicoxide\[bench\]"$'
    with pytest.raises(_extras.MissingExtraError, match=sentence):
        write_html(synthetic_comparison.document(), str(tmp_path / "report.html"))
    assert not list(tmp_path.iterdir())


def test_report_templates_are_package_data() -> None:
    templates = resources.files("dicoxide.bench._report") / "templates"
    assert (templates / "report.html.j2").is_file()
    assert (templates / "report.css").is_file()
    assert {path.name for path in (templates / "sections").iterdir()} >= {"losses.html.j2", "measurements.html.j2"}


@pytest.mark.parametrize(
    ("low", "high"), [(0.45, 2.2), (0.28, 55.0), (0.001, 1000.0), (90.0, 110.0), (0.9, 1.1), (3.1, 3.9), (61.0, 79.0)]
)
def test_ratio_chart_ticks_are_within_the_axis(low: float, high: float) -> None:
    row = _summary.Ratio("gdcm", low, low, high, low, high, 1)
    page = Page(_charts.Charts(["dicoxide", "gdcm"], None).ratios("title", [row], (low, high)))
    texts = [text for text in page.of("text") if text.endswith("×") and text != format_ratio(low)]
    ticks = [float(text.removesuffix("×").replace(",", "")) for text in texts]
    assert 1 <= len(ticks) <= 6
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(ticks)
