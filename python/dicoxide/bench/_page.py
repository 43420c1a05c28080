"""The page around the sections: its head, its look, its links."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dicoxide.bench._markup import Html, joined, plain, tag

__all__ = ["Section", "page"]


class Section(NamedTuple):
    """A part of the page with a heading, to which the page's head links."""

    anchor: str
    title: str
    content: Html


def page(title: str, head: Html, sections: Iterable[Section], foot: Html) -> str:
    """One HTML document that needs nothing else."""
    parts = list(sections)
    links = [tag("li", tag("a", part.title, href=f"#{part.anchor}")) for part in parts]
    body = joined(
        [
            tag("a", "Skip to the results", class_="skip", href=f"#{parts[0].anchor}"),
            tag("header", head, tag("nav", tag("ul", *links), aria_label="Sections")),
            tag("main", *(_section(part) for part in parts)),
            tag("footer", foot),
        ]
    )
    meta = joined(
        [
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", title),
            tag("style", Html(_STYLE)),
        ]
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{meta}</head>\n<body>{body}</body></html>\n'


def _section(part: Section) -> Html:
    heading = tag("h2", part.title, id=f"{part.anchor}-title")
    return tag("section", heading, part.content, id=plain(part.anchor), aria_labelledby=f"{part.anchor}-title")


# Nothing is fetched, and nothing runs, whatever the page says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

# Colours are those of Okabe and Ito, darker or lighter where the ground asks for it.
_STYLE = """
:root{color-scheme:light dark;
--ground:#fdfdfb;--raised:#f4f4f0;--ink:#1b1e23;--muted:#5b626d;--soft:#9aa0a8;--line:#e2e2dc;--band:#e9e8e1;
--link:#00588a;--faster:#0072b2;--slower:#c04a00;--unclear:#6f757e;--other:#9da3ab;
--good:#e3f2ec;--bad:#fbe4d8;--odd:#efeeea;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b5739d;--c4:#b98300;--c5:#23272e;--c6:#6b7078}
@media screen and (prefers-color-scheme:dark){:root{
--ground:#14171b;--raised:#1d2126;--ink:#e8e8e4;--muted:#a3aab4;--soft:#737a84;--line:#2f343b;--band:#262b31;
--link:#7cc4f0;--faster:#56b4e9;--slower:#f0874a;--unclear:#a0a6ae;--other:#565d66;
--good:#15342a;--bad:#4a2414;--odd:#2a2e34;
--c0:#56b4e9;--c1:#f0874a;--c2:#2fc79b;--c3:#dd9cc4;--c4:#e6b53c;--c5:#f2f2ee;--c6:#a9afb7}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-padding-top:1rem}
body{margin:0;background:var(--ground);color:var(--ink);
font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header,main,footer{max-width:76rem;margin:0 auto;padding:0 clamp(1rem,4vw,3rem)}
header{padding-top:clamp(2rem,6vw,4.5rem)}
footer{padding-block:4rem 3rem;color:var(--muted);font-size:.875rem}
section{padding-top:clamp(3rem,7vw,5rem)}
h1,h2,h3{line-height:1.2;font-weight:650;text-wrap:balance;overflow-wrap:anywhere}
h1{margin:0;font-size:clamp(1.9rem,5vw,2.9rem);letter-spacing:-.025em}
h2{margin:0 0 1rem;padding-top:1.1rem;border-top:1px solid var(--ink);font-size:1.5rem;letter-spacing:-.015em}
h3{margin:2.5rem 0 .75rem;font-size:1.0625rem}
h3 small{margin-left:.6em;font-size:1em;font-weight:400;color:var(--muted)}
p,main ul{max-width:44rem;margin:.75rem 0}
p{overflow-wrap:anywhere;text-wrap:pretty}
main ul{padding-left:1.2rem}
a{color:var(--link);text-underline-offset:.2em;text-decoration-thickness:1px}
:focus-visible{outline:3px solid var(--faster);outline-offset:3px;border-radius:2px}
code{font:.9em/1.5 ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
overflow-wrap:anywhere}
.skip{position:absolute;left:-99rem;padding:.5rem 1rem;background:var(--ground)}
.skip:focus{left:1rem;top:1rem}
.kicker{margin:0 0 .6rem;color:var(--muted);font-size:.9375rem}
.lead{max-width:48rem;margin:1rem 0 0;font-size:1.1875rem;line-height:1.55;color:var(--muted)}
.lead strong{color:var(--ink)}
.muted{color:var(--muted)}
.notice{max-width:44rem;margin:1.5rem 0 0;padding:.8rem 1rem;border-left:4px solid var(--slower);
background:var(--raised)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.75rem,1fr));gap:1.5rem clamp(1rem,3vw,2.5rem);
margin:2.5rem 0 0}
.tiles div{border-top:1px solid var(--line);padding-top:.7rem}
.tiles dt{color:var(--muted);font-size:.875rem}
.tiles dd{margin:0}
.tiles .big{font-size:clamp(1.4rem,4.5vw,1.875rem);line-height:1.3;font-weight:600;letter-spacing:-.02em}
.tiles .more{color:var(--muted);font-size:.875rem;line-height:1.45}
nav{margin-top:2.5rem;font-size:.9375rem}
nav ul{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;list-style:none;margin:0;padding:0}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20.5rem),1fr));gap:2rem 3rem;
margin-top:1.25rem}
figure{margin:0;max-width:27rem;min-width:0;break-inside:avoid}
figcaption{margin-bottom:.35rem;font-size:.9375rem;font-weight:600;overflow-wrap:anywhere;line-height:1.35}
figcaption small{display:block;font-size:.8125rem;font-weight:400;color:var(--muted)}
.plot{display:block;width:100%;height:auto;overflow:visible;font-family:inherit;font-variant-numeric:tabular-nums}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;max-width:none;list-style:none;
font-size:.875rem}
main .legend{padding:0}
.legend li{overflow-wrap:anywhere;min-width:0}
.key{width:.8em;height:.8em;margin-right:.15em;vertical-align:-.05em}
.box{overflow-x:auto;margin:1.25rem 0;position:relative}
table{border-collapse:collapse;font-size:.875rem;line-height:1.45;min-width:min(100%,36rem)}
caption{text-align:left;font-weight:600;padding-bottom:.5rem;position:sticky;left:0}
th,td{padding:.4rem 1.4rem .4rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
white-space:nowrap}
th:last-child,td:last-child{padding-right:.25rem}
thead th{color:var(--muted);font-weight:500;vertical-align:bottom;border-bottom-color:var(--soft)}
tbody th{font-weight:500}
.t{min-width:14rem;max-width:34rem;white-space:normal;overflow-wrap:anywhere}
.n{text-align:right;font-variant-numeric:tabular-nums}
.matrix td{padding:.3rem .3rem .3rem 0;border:0}
.matrix tbody th{padding-block:.55rem;border:0;white-space:normal;overflow-wrap:anywhere;
min-width:9.25rem;max-width:18rem}
.matrix tr>:first-child{position:sticky;left:0;background:var(--ground)}
.matrix .part th{padding-top:1.4rem;max-width:none;color:var(--muted);font-weight:400}
.matrix .part span{position:sticky;left:0}
.matrix thead th{padding-right:1rem}
.mark{display:block;min-width:6.4rem;padding:.25rem .6rem;border-radius:3px;background:var(--odd)}
.mark+.mark{margin-top:.2rem}
.mark b{display:inline-block;width:1.25em;font-weight:700}
.mark.good{background:var(--good)}
.mark.bad{background:var(--bad)}
@media (min-width:40rem){.wide tr>:first-child{position:sticky;left:0;background:var(--ground)}}
.about th,.about td{white-space:normal;overflow-wrap:anywhere;min-width:8rem}
.calls .t{min-width:26rem;font-variant-numeric:tabular-nums}
details{margin:1rem 0;border-bottom:1px solid var(--line)}
summary{padding:.55rem 0;cursor:pointer;font-weight:550;overflow-wrap:anywhere}
summary small{font-size:.875rem;font-weight:400;color:var(--muted);margin-left:.3em}
details>:last-child{margin-bottom:2rem}
@media (max-width:40rem){th,td{padding-right:1rem}.t{min-width:24rem}.box{margin-right:-1rem}.lead{font-size:1.0625rem}}
@media print{body{font-size:10pt}nav,.skip{display:none}section{padding-top:2rem}.box{overflow:visible}
h2,h3,figcaption{break-after:avoid}tr,.tiles div{break-inside:avoid}
table{font-size:8pt}.mark{min-width:0;padding-inline:.3rem}th,td{padding-right:.7rem}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
