"""Results of a comparison as a CSV table."""

from __future__ import annotations

import csv
from typing import Any

__all__ = ["write_csv"]

_FIELDS = (
    *("level", "case", "peer", "variant", "threads", "status", "detail"),
    *("keyword", "rows", "columns", "samples_per_pixel", "bits_allocated", "frames", "decoded_bytes"),
    *("median_seconds", "p25_seconds", "p75_seconds", "p95_seconds", "best_seconds", "rounds"),
    *("bytes_per_second", "ratio", "ratio_low", "ratio_high", "peak_bytes", "releases_gil", "wrong_samples"),
)


def write_csv(document: dict[str, Any], path: str) -> None:
    """Write one row per result, with the attributes of its case."""
    cases = {case["name"]: case for case in document["cases"]}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _FIELDS)
        writer.writeheader()
        for result in document["results"]:
            case = cases.get(result["case"], {})
            seconds, ratio, wrong = result["seconds"] or {}, result["ratio"] or {}, result["wrong"] or {}
            row = {field: result.get(field, case.get(field)) for field in _FIELDS}
            for name in ("median", "p25", "p75", "p95", "best"):
                row[f"{name}_seconds"] = seconds.get(name)
            row |= {"rounds": seconds.get("rounds"), "wrong_samples": wrong.get("samples")}
            row |= {"ratio": ratio.get("median"), "ratio_low": ratio.get("low"), "ratio_high": ratio.get("high")}
            writer.writerow(row)
