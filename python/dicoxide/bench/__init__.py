"""Benchmark: verifies and times dicoxide and the other installed decoders on any images.

`run` compares decoders on cases, which `cases_from_paths` or `built_in_cases` provide, and returns a document.
`report_lines`, `write_csv` and `write_html` present it. docs/bench.md describes method and document.
"""

from __future__ import annotations

from dicoxide.bench._cases import built_in_cases, cases_from_paths, sampling_order
from dicoxide.bench._csv import write_csv
from dicoxide.bench._decoders import DECODERS, DICOXIDE, LEVELS
from dicoxide.bench._report import require_report_packages, write_html
from dicoxide.bench._run import BenchOptions, BenchProgress, run
from dicoxide.bench._text_report import report_lines

__all__ = [
    "DECODERS",
    "DICOXIDE",
    "LEVELS",
    "BenchOptions",
    "BenchProgress",
    "built_in_cases",
    "cases_from_paths",
    "report_lines",
    "require_report_packages",
    "run",
    "sampling_order",
    "write_csv",
    "write_html",
]
