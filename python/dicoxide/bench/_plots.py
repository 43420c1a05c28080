"""Plots as SVG that takes its colours from the page: drawn by Vega-Lite, without a script in what comes out.

All have one width in units, whatever their labels, so that text is of one size in all of them. They are as narrow as a
phone, and stand beside one another where there is room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from dicoxide._extras import require
from dicoxide.bench._axis_ticks import apart, binary, ticks
from dicoxide.bench._markup import Html, counted, plain, shown_ratio, tag
from dicoxide.bench._summary import OURS, Bar, Ratio, Spot, side

__all__ = ["Plots"]

Spec = dict[str, Any]

_WIDTH = 352
_LABELS = 134
_ROW = 24
_FONT = 12

# Shapes around (0, 0) in the square from -1 to 1, each told apart without its colour.
_SHAPES = (
    "M-0.8,0A0.8,0.8,0,1,1,0.8,0A0.8,0.8,0,1,1,-0.8,0Z",
    "M-0.75,-0.75H0.75V0.75H-0.75Z",
    "M0,-0.95L0.95,0.75H-0.95Z",
    "M0,-1L1,0L0,1L-1,0Z",
    "M0,0.95L0.95,-0.75H-0.95Z",
    "M-0.3,-0.9H0.3V-0.3H0.9V0.3H0.3V0.9H-0.3V0.3H-0.9V-0.3H-0.3Z",
    "M-0.9,-0.5L-0.5,-0.9L0,-0.4L0.5,-0.9L0.9,-0.5L0.4,0L0.9,0.5L0.5,0.9L0,0.4L-0.5,0.9L-0.9,0.5L-0.4,0Z",
)
_COLOURS = 7
_SIDES = {"slower": _SHAPES[4], "unclear": _SHAPES[3], "faster": _SHAPES[0]}

# What the page says better, or once.
_NEEDLESS = re.compile(r' (?:class|pointer-events|aria-hidden|font-family|stroke-miterlimit)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")


class Plots:
    """Draws; identifiers of the plots of one of these never meet.

    Parameters
    ----------
    peers : sequence of str
        All that will be drawn, each with its variant: they keep their colours and shapes.
    control : dict, optional
        The interval that chance alone gives.
    """

    def __init__(self, peers: Sequence[str], control: dict[str, float] | None) -> None:
        require("vl-convert-python", feature="--html")
        self._decoders = list(peers)
        self._control = control
        self._numbers = count(1)

    def ratios(self, title: str, rows: Sequence[Ratio], domain: tuple[float, float]) -> Html:
        """Points with intervals on a logarithmic scale, one row a peer, and a line at 1."""
        values = [
            {
                "row": _unique(at, row.peer),
                "median": row.median,
                "low": row.low,
                "high": row.high,
                "least": row.least,
                "most": row.most,
                "shown": shown_ratio(row.median),
                "side": side(row.low, row.high),
            }
            for at, row in enumerate(rows)
        ]
        scale = {"type": "log", "domain": list(domain), "nice": False, "clamp": True}
        axis = {
            "values": ticks(*domain, room=_WIDTH - _LABELS - 48),
            "labelExpr": "format(datum.value, '.3~g') + '×'",
            "title": None,
            "grid": True,
        }
        x = {"field": "median", "type": "quantitative", "scale": scale, "axis": axis}
        kind = {"field": "side", "type": "nominal", "legend": None}
        sides = ["slower", "unclear", "faster"]
        colour = {**kind, "scale": {"domain": sides, "range": [f"var(--{one})" for one in sides]}}
        shape = {**kind, "scale": {"domain": sides, "range": [_SIDES[one] for one in sides]}}
        layers: list[Spec] = []
        if self._control:
            ends = {"x": {"datum": self._control["low"], "scale": scale}, "x2": {"datum": self._control["high"]}}
            layers.append({"mark": {"type": "rect", "fill": "var(--band)"}, "data": {"values": [{}]}, "encoding": ends})
        one = {"x": {"datum": 1, "scale": scale}}
        layers.append({"mark": {"type": "rule", "stroke": "var(--ink)"}, "data": {"values": [{}]}, "encoding": one})
        for low, high, width, stroke in (("least", "most", 1.25, "var(--soft)"), ("low", "high", 4, None)):
            ends = {"x": {**x, "field": low}, "x2": {"field": high}, "y": _rows(values)}
            mark = {"type": "rule", "strokeWidth": width, "strokeCap": "round"}
            if stroke:
                layers.append({"mark": {**mark, "stroke": stroke}, "encoding": ends})
            else:
                layers.append({"mark": {**mark, "opacity": 0.45}, "encoding": {**ends, "color": colour}})
        point = {"type": "point", "filled": True, "size": 48, "opacity": 1}
        layers.append({"mark": point, "encoding": {"x": x, "y": _rows(values), "color": colour, "shape": shape}})
        layers.append(_column(values))
        said = [f"{row.peer} {shown_ratio(row.median)} ({row.low:.2f} to {row.high:.2f})" for row in rows]
        return self._drawn(title, said, values, layers, height=_ROW * len(rows), left=_LABELS, right=48)

    def bars(self, title: str, rows: Sequence[Bar], shown: Callable[[float], str]) -> Html:
        """Bars from zero, one row a peer."""
        most = max(row.cases for row in rows)
        values = [
            {
                "row": _unique(at, row.peer if row.cases == most else f"{row.peer} ({row.cases} of {most})"),
                "value": row.value,
                "shown": shown(row.value),
                "ours": _decoder(row.peer) == OURS,
            }
            for at, row in enumerate(rows)
        ]
        domain = [0, max(row.value for row in rows) or 1]
        x = {"field": "value", "type": "quantitative", "scale": {"domain": domain, "nice": False}, "axis": None}
        fills = {"domain": [True, False], "range": ["var(--c0)", "var(--other)"]}
        fill = {"field": "ours", "type": "nominal", "scale": fills, "legend": None}
        bar = {
            "mark": {"type": "bar", "height": {"band": 0.62}},
            "encoding": {"x": x, "y": _rows(values), "fill": fill},
        }
        said = [f"{row.peer} {shown(row.value)}" for row in rows]
        layers = [bar, _column(values)]
        return self._drawn(title, said, values, layers, height=_ROW * len(rows), left=_LABELS, right=64, bottom=4)

    def threads(self, title: str, spots: Sequence[Spot], shown: Callable[[float], str]) -> Html:
        """Speed by threads, from zero, with what perfect scaling of dicoxide would be."""
        places = sorted({spot.at for spot in spots})
        axis = {"title": "threads", "values": places, "format": "d", "labelFlush": False}
        across = {"axis": axis, "scale": {"domain": [places[0], places[-1]], "nice": False}}
        upward = {"axis": {"title": "MB/s", "tickCount": 4, "format": ",~f"}, "scale": {"zero": True}}
        layers: list[Spec] = []
        first = next((spot for spot in spots if spot.peer == OURS), None)
        if first is not None:
            ideal = [{"at": at, "speed": first.speed / 1e6 * at / first.at} for at in (places[0], places[-1])]
            mark = {"type": "line", "stroke": "var(--soft)", "strokeDash": [2, 4], "strokeWidth": 1.5}
            layers.append({"data": {"values": ideal}, "mark": mark, "encoding": _plane(across, upward)})
        said = [f"{spot.peer} with {counted(int(spot.at), 'thread')} {shown(spot.speed)}" for spot in spots]
        return self._lines(title, said, spots, layers, across, upward)

    def sizes(self, title: str, spots: Sequence[Spot], shown: Callable[[float], str]) -> Html:
        """Speed by the size of the decoded image, both logarithmic."""
        places = sorted({spot.at for spot in spots})
        names = [f"datum.value == {place!r} ? '{binary(place)}'" for place in places]
        axis = {
            "title": "decoded size",
            "values": apart(places),
            "labelExpr": " : ".join([*names, "''"]),
            "labelFlush": False,
        }
        across = {
            "axis": axis,
            "scale": {"type": "log", "base": 2, "domain": [places[0], places[-1]], "nice": False},
        }
        speeds = [spot.speed / 1e6 for spot in spots]
        low, high = min(speeds) / 1.2, max(speeds) * 1.2
        upward = {
            "axis": {"title": "MB/s", "values": ticks(low, high, room=180), "format": ",.3~r"},
            "scale": {"type": "log", "domain": [low, high], "nice": False},
        }
        said = [f"{spot.peer} at {binary(spot.at)} {shown(spot.speed)}" for spot in spots]
        return self._lines(title, said, spots, [], across, upward)

    def _lines(
        self, title: str, said: Sequence[str], spots: Sequence[Spot], below: list[Spec], across: Spec, upward: Spec
    ) -> Html:
        values = [
            {"peer": plain(spot.peer), "at": spot.at, "speed": spot.speed / 1e6, "ours": spot.peer == OURS}
            for spot in spots
        ]
        safe = [plain(peer) for peer in self._decoders]
        colours = {"domain": safe, "range": [f"var(--c{self._colour(peer)})" for peer in self._decoders]}
        shapes = {"domain": safe, "range": [self._shape(peer) for peer in self._decoders]}
        look = _plane(across, upward) | {
            "color": {"field": "peer", "type": "nominal", "scale": colours, "legend": None}
        }
        width = {"condition": {"test": "datum.ours", "value": 3}, "value": 1.5}
        shape = {"field": "peer", "type": "nominal", "scale": shapes, "legend": None}
        layers = [
            *below,
            {"mark": "line", "encoding": {**look, "strokeWidth": width}},
            {"mark": {"type": "point", "filled": True, "size": 58, "opacity": 1}, "encoding": {**look, "shape": shape}},
        ]
        return self._drawn(title, said, values, layers, height=180, left=52, right=24, bottom=48, top=30)

    def sides(self, *sides: str) -> Html:
        """What the points of ratios say by colour and shape."""
        texts = {"faster": "dicoxide is faster", "unclear": "the interval holds 1", "slower": "dicoxide is slower"}
        return _legend((f"var(--{one})", _SIDES[one], texts[one]) for one in sides)

    def legend(self, peers: Iterable[str]) -> Html:
        """Colours and shapes of the lines."""
        known = sorted(set(peers), key=self._decoders.index)
        return _legend((f"var(--c{self._colour(peer)})", self._shape(peer), peer) for peer in known)

    def _colour(self, peer: str) -> int:
        """That of the decoder, which its variants share."""
        decoders = list(dict.fromkeys([OURS, *map(_decoder, self._decoders)]))
        return decoders.index(_decoder(peer)) % _COLOURS

    def _shape(self, peer: str) -> str:
        # Where shapes begin again colours don't begin with the same one.
        at = self._decoders.index(peer)
        return _SHAPES[(at + at // _COLOURS) % len(_SHAPES)]

    def _drawn(
        self,
        title: str,
        said: Sequence[str],
        values: Sequence[Spec],
        layers: Sequence[Spec],
        *,
        height: float,
        left: float,
        right: float,
        top: float = 4,
        bottom: float = 26,
    ) -> Html:
        import vl_convert

        spec = {
            "width": _WIDTH - left - right,
            "height": height,
            "autosize": "none",
            "padding": {"left": left, "right": right, "top": top, "bottom": bottom},
            "data": {"values": list(values)},
            "layer": list(layers),
            "config": _CONFIG,
        }
        drawn = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
        ours = f"plot{next(self._numbers)}"
        return tag(
            "svg",
            tag("title", title, id=f"{ours}-title"),
            tag("desc", "; ".join(said), id=f"{ours}-desc"),
            Html(_inner(drawn, ours)),
            class_="plot",
            role="img",
            viewBox=f"0 0 {_WIDTH} {height + top + bottom:g}",
            aria_labelledby=f"{ours}-title",
            aria_describedby=f"{ours}-desc",
        )


_AXIS: Spec = {
    "domain": False,
    "ticks": False,
    "labelColor": "var(--ink)",
    "labelFontSize": _FONT,
    "labelPadding": 6,
    "labelLimit": _LABELS - 10,
    "titleColor": "var(--muted)",
    "titleFontSize": _FONT,
    "titleFontWeight": "normal",
    "titlePadding": 10,
    "gridColor": "var(--line)",
}
_CONFIG: Spec = {
    "aria": False,
    "background": None,
    "font": "Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": _AXIS,
    "axisY": {"titleAngle": 0, "titleAlign": "right", "titleAnchor": "end", "titleX": -6, "titleY": -14},
    "axisX": {"labelColor": "var(--muted)"},
    "axisQuantitative": {"labelColor": "var(--muted)"},
    "text": {"fill": "var(--ink)", "fontSize": _FONT},
}


def _rows(values: Sequence[Spec]) -> Spec:
    """One row a value, in their order. Rows are told apart by a number before the name, which is not shown."""
    shown = {"title": None, "labelExpr": "slice(datum.value, 5)", "grid": False}
    return {"field": "row", "type": "nominal", "sort": [one["row"] for one in values], "axis": shown}


def _decoder(peer: str) -> str:
    """The name without the variant."""
    return peer.removesuffix(" out=")


def _unique(at: int, peer: str) -> str:
    return f"{at:04} {plain(peer)}"


def _column(values: Sequence[Spec]) -> Spec:
    """The numbers, flush right."""
    place = {"x": {"value": _WIDTH - _LABELS}, "y": _rows(values), "text": {"field": "shown"}}
    return {"mark": {"type": "text", "align": "right", "baseline": "middle"}, "encoding": place}


def _plane(across: Spec, upward: Spec) -> Spec:
    return {
        "x": {"field": "at", "type": "quantitative", **across, "axis": {"grid": False, **across["axis"]}},
        "y": {"field": "speed", "type": "quantitative", **upward},
    }


def _legend(entries: Iterable[tuple[str, str, str]]) -> Html:
    items = []
    for colour, shape, text in entries:
        path = tag("path", d=shape, fill=colour)
        key = tag("svg", path, class_="key", viewBox="-1.1 -1.1 2.2 2.2", aria_hidden="true")
        items.append(tag("li", key, " ", text))
    return tag("ul", *items, class_="legend")


def _inner(drawn: str, ours: str) -> str:
    """What lies in an SVG, with identifiers of its own and no more digits than one sees."""

    def lean(found: re.Match[str]) -> str:
        element = _NEEDLESS.sub("", found[0])
        element = element.replace('id="', f'id="{ours}-').replace("url(#", f"url(#{ours}-")
        return _DIGITS.sub(r"\1", element)

    return re.sub(r"<[^>]*>", lean, drawn[drawn.index(">") + 1 : drawn.rindex("</svg>")])
