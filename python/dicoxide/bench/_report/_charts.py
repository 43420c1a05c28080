"""Charts of the report: Altair chart objects, converted by vl-convert to SVG that is embedded in the page.

Colours are CSS variables of the page (``var(--ink)``), so that one SVG serves the light and the dark colour scheme. All
charts have the same width, narrow enough for a phone, so that their text has the same size wherever they are shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import count
from typing import Any, NamedTuple
from xml.etree import ElementTree

from dicoxide._text_format import format_count, format_ratio
from dicoxide.bench._decoders import DICOXIDE
from dicoxide.bench._report._filters import printable
from dicoxide.bench._summary import Bar, Point, Ratio, outcome

__all__ = ["Charts", "LegendEntry"]

# All in SVG user units, which are CSS pixels at the chart's natural width.
_WIDTH = 352
_LABEL_WIDTH = 134
_ROW_HEIGHT = 24
_FONT_SIZE = 12

# Marker shapes as SVG paths in the square from -1 to 1; each is recognisable without its colour.
_CIRCLE = "M-0.8,0A0.8,0.8,0,1,1,0.8,0A0.8,0.8,0,1,1,-0.8,0Z"
_SQUARE = "M-0.75,-0.75H0.75V0.75H-0.75Z"
_TRIANGLE_UP = "M0,-0.95L0.95,0.75H-0.95Z"
_DIAMOND = "M0,-1L1,0L0,1L-1,0Z"
_TRIANGLE_DOWN = "M0,0.95L0.95,-0.75H-0.95Z"
_CROSS = "M-0.3,-0.9H0.3V-0.3H0.9V0.3H0.3V0.9H-0.3V0.3H-0.9V-0.3H-0.3Z"
_SALTIRE = "M-0.9,-0.5L-0.5,-0.9L0,-0.4L0.5,-0.9L0.9,-0.5L0.4,0L0.9,0.5L0.5,0.9L0,0.4L-0.5,0.9L-0.9,0.5L-0.4,0Z"
_SHAPES = (_CIRCLE, _SQUARE, _TRIANGLE_UP, _DIAMOND, _TRIANGLE_DOWN, _CROSS, _SALTIRE)
# Colours of decoders in the style sheet: --c0 to --c6.
_COLOUR_COUNT = 7
_OUTCOME_SHAPES = {"slower": _TRIANGLE_DOWN, "unclear": _DIAMOND, "faster": _CIRCLE}
_OUTCOME_TEXTS = {
    "faster": "dicoxide is faster",
    "unclear": "the interval contains 1",
    "slower": "dicoxide is slower",
}

_BINARY_SIZE_LABEL = (
    "datum.value >= 1073741824 ? format(datum.value / 1073741824, '.3~g') + ' GiB'"
    " : datum.value >= 1048576 ? format(datum.value / 1048576, '.3~g') + ' MiB'"
    " : datum.value >= 1024 ? format(datum.value / 1024, '.3~g') + ' KiB'"
    " : format(datum.value, 'd') + ' B'"
)

_SVG_NAMESPACE = "{http://www.w3.org/2000/svg}"
# Attributes that the page sets itself or does not need.
_OMITTED_ATTRIBUTES = frozenset(
    {"class", "pointer-events", "aria-hidden", "aria-roledescription", "font-family", "stroke-miterlimit"}
)
_EXCESS_DIGITS = re.compile(r"(\.\d\d)\d+")


class LegendEntry(NamedTuple):
    """One line of a legend: a marker and its meaning."""

    colour: str
    shape: str
    text: str


class Charts:
    """Draws the charts of one report; element ids are unique among all charts of an instance.

    Parameters
    ----------
    series : sequence of str
        All decoders with their variants that any chart shows. A decoder has the same colour and shape in every chart.
    control : dict, optional
        Interval of the ratio of dicoxide to itself, drawn as a band.
    """

    def __init__(self, series: Sequence[str], control: dict[str, float] | None) -> None:
        self._series = list(series)
        self._control = control
        self._chart_numbers = count(1)

    def ratios(self, title: str, rows: Sequence[Ratio], domain: tuple[float, float]) -> str:
        """Return points with intervals on a logarithmic axis, one row per decoder, with a line at 1."""
        import altair as alt

        values = [
            {
                "row": _row_key(index, row.series),
                "median": row.median,
                "low": row.low,
                "high": row.high,
                "smallest": row.smallest,
                "largest": row.largest,
                "text": format_ratio(row.median),
                "outcome": outcome(row.low, row.high),
            }
            for index, row in enumerate(rows)
        ]
        y = _row_axis(values)
        scale = alt.Scale(type="log", domain=list(domain), nice=False, clamp=True)
        axis = alt.Axis(title=None, grid=True, format=".3~g", labelExpr="datum.label + '×'", **_log_ticks(*domain))
        outcomes = list(_OUTCOME_SHAPES)
        colour = alt.Color("outcome:N", legend=None).scale(
            domain=outcomes, range=[f"var(--{outcome})" for outcome in outcomes]
        )
        shape = alt.Shape("outcome:N", legend=None).scale(domain=outcomes, range=list(_OUTCOME_SHAPES.values()))
        reference = alt.Chart(alt.InlineData(values=[{}]))
        chart = alt.Chart()
        layers = [
            reference.mark_rule(stroke="var(--ink)").encode(x=alt.XDatum(1, scale=scale)),
            chart.mark_rule(strokeWidth=1.25, strokeCap="round", stroke="var(--soft)").encode(
                x=alt.X("smallest:Q", scale=scale, axis=axis), x2="largest:Q", y=y
            ),
            chart.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.45).encode(
                x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q", y=y, color=colour
            ),
            chart.mark_point(filled=True, size=48, opacity=1).encode(
                x=alt.X("median:Q", scale=scale, axis=axis), y=y, color=colour, shape=shape
            ),
            _value_column(y),
        ]
        if self._control:
            low, high = self._control["low"], self._control["high"]
            band = reference.mark_rect(fill="var(--band)").encode(x=alt.XDatum(low, scale=scale), x2=alt.X2Datum(high))
            layers.insert(0, band)
        descriptions = [f"{row.series} {format_ratio(row.median)} ({row.low:.2f} to {row.high:.2f})" for row in rows]
        return self._svg(
            title, descriptions, values, layers, height=_ROW_HEIGHT * len(rows), left=_LABEL_WIDTH, right=48
        )

    def bars(self, title: str, rows: Sequence[Bar], format_value: Callable[[float], str]) -> str:
        """Return horizontal bars from zero, one row per decoder."""
        import altair as alt

        max_case_count = max(row.case_count for row in rows)
        values = [
            {
                "row": _row_key(
                    index,
                    row.series
                    if row.case_count == max_case_count
                    else f"{row.series} ({row.case_count} of {max_case_count})",
                ),
                "value": row.value,
                "text": format_value(row.value),
                "is_dicoxide": _decoder_name(row.series) == DICOXIDE,
            }
            for index, row in enumerate(rows)
        ]
        y = _row_axis(values)
        x = alt.X("value:Q", axis=None).scale(domain=[0, max(row.value for row in rows) or 1], nice=False)
        fill = alt.Fill("is_dicoxide:N", legend=None).scale(domain=[True, False], range=["var(--c0)", "var(--other)"])
        layers = [
            alt.Chart().mark_bar(height=alt.RelativeBandSize(0.62)).encode(x=x, y=y, fill=fill),
            _value_column(y),
        ]
        descriptions = [f"{row.series} {format_value(row.value)}" for row in rows]
        return self._svg(
            title,
            descriptions,
            values,
            layers,
            height=_ROW_HEIGHT * len(rows),
            left=_LABEL_WIDTH,
            right=64,
            bottom=4,
        )

    def thread_scaling(self, title: str, points: Sequence[Point], format_value: Callable[[float], str]) -> str:
        """Return throughput by thread count, from zero, with a dotted line for linear scaling of dicoxide."""
        import altair as alt

        thread_counts = sorted({point.x for point in points})
        domain = [thread_counts[0], thread_counts[-1]]
        x = alt.X("x:Q").scale(domain=domain, nice=False)
        x = x.axis(title="threads", values=thread_counts, format="d", labelFlush=False, grid=False)
        y = alt.Y("speed:Q").scale(zero=True).axis(title="MB/s", tickCount=4, format=",~f")
        layers = []
        first = next((point for point in points if point.series == DICOXIDE), None)
        if first is not None:
            linear = [{"x": threads, "speed": first.speed / 1e6 * threads / first.x} for threads in domain]
            layers.append(
                alt.Chart(alt.InlineData(values=linear))
                .mark_line(stroke="var(--soft)", strokeDash=[2, 4], strokeWidth=1.5)
                .encode(x=x, y=y)
            )
        descriptions = [
            f"{point.series} with {format_count(int(point.x), 'thread')} {format_value(point.speed)}"
            for point in points
        ]
        return self._line_chart(title, descriptions, points, layers, x, y)

    def size_scaling(self, title: str, points: Sequence[Point], format_value: Callable[[float], str]) -> str:
        """Return throughput by the size of the decoded image, both axes logarithmic."""
        import altair as alt

        sizes = sorted({point.x for point in points})
        x = alt.X("x:Q").scale(type="log", base=2, domain=[sizes[0], sizes[-1]], nice=False)
        x = x.axis(
            title="decoded size",
            values=sizes,
            labelExpr=_BINARY_SIZE_LABEL,
            labelFlush=False,
            labelOverlap="greedy",
            labelSeparation=8,
            grid=False,
        )
        speeds = [point.speed / 1e6 for point in points]
        low, high = min(speeds) / 1.2, max(speeds) * 1.2
        y = alt.Y("speed:Q").scale(type="log", domain=[low, high], nice=False)
        y = y.axis(title="MB/s", format=",.3~r", **_log_ticks(low, high))
        descriptions = [f"{point.series} at {_binary_size(point.x)} {format_value(point.speed)}" for point in points]
        return self._line_chart(title, descriptions, points, [], x, y)

    def outcome_legend(self, *outcomes: str) -> list[LegendEntry]:
        """Return the colours and shapes of the points of `ratios`."""
        return [
            LegendEntry(f"var(--{outcome})", _OUTCOME_SHAPES[outcome], _OUTCOME_TEXTS[outcome]) for outcome in outcomes
        ]

    def series_legend(self, series: Iterable[str]) -> list[LegendEntry]:
        """Return the colours and shapes of lines."""
        return [
            LegendEntry(self._colour(name), self._shape(name), name)
            for name in sorted(set(series), key=self._series.index)
        ]

    def _colour(self, name: str) -> str:
        """Return the colour of the decoder, which its variants share."""
        decoders = list(dict.fromkeys([DICOXIDE, *map(_decoder_name, self._series)]))
        return f"var(--c{decoders.index(_decoder_name(name)) % _COLOUR_COUNT})"

    def _shape(self, name: str) -> str:
        # The quotient shifts the cycle, so that after _COLOUR_COUNT series no pair of colour and shape repeats.
        index = self._series.index(name)
        return _SHAPES[(index + index // _COLOUR_COUNT) % len(_SHAPES)]

    def _line_chart(
        self, title: str, descriptions: Sequence[str], points: Sequence[Point], background: list[Any], x: Any, y: Any
    ) -> str:
        import altair as alt

        values = [
            {
                "series": printable(point.series),
                "x": point.x,
                "speed": point.speed / 1e6,
                "is_dicoxide": point.series == DICOXIDE,
            }
            for point in points
        ]
        domain = [printable(name) for name in self._series]
        colour = alt.Color("series:N", legend=None).scale(
            domain=domain, range=[self._colour(name) for name in self._series]
        )
        shape = alt.Shape("series:N", legend=None).scale(
            domain=domain, range=[self._shape(name) for name in self._series]
        )
        width = alt.condition("datum.is_dicoxide", alt.value(3), alt.value(1.5))
        layers = [
            *background,
            alt.Chart().mark_line().encode(x=x, y=y, color=colour, strokeWidth=width),
            alt.Chart().mark_point(filled=True, size=58, opacity=1).encode(x=x, y=y, color=colour, shape=shape),
        ]
        return self._svg(title, descriptions, values, layers, height=180, left=52, right=24, bottom=48, top=30)

    def _svg(
        self,
        title: str,
        descriptions: Sequence[str],
        values: Sequence[dict[str, Any]],
        layers: Sequence[Any],
        *,
        height: float,
        left: float,
        right: float,
        top: float = 4,
        bottom: float = 26,
    ) -> str:
        import altair as alt
        import vl_convert

        chart = alt.layer(*layers, data=alt.InlineData(values=list(values))).properties(
            width=_WIDTH - left - right,
            height=height,
            autosize="none",
            padding={"left": left, "right": right, "top": top, "bottom": bottom},
            config=_config(),
        )
        # Without validation against the JSON schema, which adds a quarter of the time (54 charts: 1.3 s to 5.5 s).
        svg = vl_convert.vegalite_to_svg(chart.to_dict(validate=False), allowed_base_urls=[])
        return _embeddable(
            svg,
            f"chart{next(self._chart_numbers)}",
            f"0 0 {_WIDTH} {height + top + bottom:g}",
            title,
            "; ".join(descriptions),
        )


@cache
def _config() -> dict[str, Any]:
    import altair as alt

    config = alt.Config(
        aria=False,
        background="transparent",
        font="Helvetica, Arial, sans-serif",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            domain=False,
            ticks=False,
            labelColor="var(--ink)",
            labelFontSize=_FONT_SIZE,
            labelPadding=6,
            labelLimit=_LABEL_WIDTH - 10,
            titleColor="var(--muted)",
            titleFontSize=_FONT_SIZE,
            titleFontWeight="normal",
            titlePadding=10,
            gridColor="var(--line)",
        ),
        axisX=alt.AxisConfig(labelColor="var(--muted)"),
        axisY=alt.AxisConfig(titleAngle=0, titleAlign="right", titleAnchor="end", titleX=-6, titleY=-14),
        axisQuantitative=alt.AxisConfig(labelColor="var(--muted)"),
        text=alt.MarkConfig(fill="var(--ink)", fontSize=_FONT_SIZE),
    )
    result: dict[str, Any] = config.to_dict()
    return result


def _log_ticks(low: float, high: float) -> dict[str, Any]:
    """Return axis arguments for a logarithmic scale: ticks at round numbers if there are several, else Vega's own."""
    span = high / low
    mantissas = (1, 2, 5) if span < 16 else (1, 3) if span < 1000 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{mantissa}e{exponent}") for exponent in exponents for mantissa in mantissas]
    ticks = [tick for tick in ticks if low <= tick <= high]
    # Vega hides labels that would overlap.
    return {
        "labelOverlap": "greedy",
        "labelSeparation": 8,
        **({"values": ticks} if len(ticks) > 1 else {"tickCount": 3}),
    }


def _row_axis(values: Sequence[dict[str, Any]]) -> Any:
    """Return the y channel of one row per value, in their order; the label omits the number of `_row_key`."""
    import altair as alt

    axis = alt.Axis(title=None, labelExpr="slice(datum.value, 5)", grid=False)
    return alt.Y("row:N", sort=[value["row"] for value in values], axis=axis)


def _row_key(index: int, text: str) -> str:
    """Return a key that is unique even if two rows have the same text."""
    return f"{index:04} {printable(text)}"


def _value_column(y: Any) -> Any:
    """Return a layer with the formatted values, right-aligned at the edge of the chart."""
    import altair as alt

    mark = alt.Chart().mark_text(align="right", baseline="middle")
    return mark.encode(x=alt.value(_WIDTH - _LABEL_WIDTH), y=y, text="text:N")


def _decoder_name(name: str) -> str:
    """Return the name without the variant."""
    return name.removesuffix(" out=")


def _binary_size(byte_count: float) -> str:
    """Format a size with binary units (``512 KiB``), because image sizes are often powers of two."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if byte_count >= size:
            return f"{byte_count / size:.3g} {unit}"
    return f"{byte_count:.0f} B"


def _embeddable(svg: str, prefix: str, view_box: str, title: str, description: str) -> str:
    """Return an SVG document as an element of an HTML page.

    Ids get `prefix`, because several charts share a page. Title and description make the chart accessible. The
    namespace declaration, attributes that the page sets and elements that Vega has hidden are removed.
    """
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for child in list(element):
            if child.get("opacity") == "0":
                element.remove(child)
        element.tag = element.tag.removeprefix(_SVG_NAMESPACE)
        for name, value in list(element.attrib.items()):
            if name in _OMITTED_ATTRIBUTES:
                del element.attrib[name]
            elif name == "id":
                element.set(name, f"{prefix}-{value}")
            else:
                element.set(name, _EXCESS_DIGITS.sub(r"\1", value.replace("url(#", f"url(#{prefix}-")))
    root.attrib = {
        "class": "chart",
        "role": "img",
        "viewBox": view_box,
        "aria-labelledby": f"{prefix}-title",
        "aria-describedby": f"{prefix}-desc",
    }
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, id=f"{prefix}-{tag}")
        element.text = printable(text)
        root.insert(index, element)
    return ElementTree.tostring(root, encoding="unicode")
