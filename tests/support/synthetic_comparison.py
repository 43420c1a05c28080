"""Synthetic documents of comparison runs, computed from their arguments only."""

from __future__ import annotations

import math
import random
from typing import Any

SYNTAXES = {
    "RLELossless": "1.2.840.10008.1.2.5",
    "ExplicitVRLittleEndian": "1.2.840.10008.1.2.1",
    "JPEGLosslessSV1": "1.2.840.10008.1.2.4.70",
    "JPEGBaseline8Bit": "1.2.840.10008.1.2.4.50",
}

# Per decoder: decoded bytes per second, and seconds per call.
_SPEEDS = {
    "dicoxide": (1.9e9, 20e-6),
    "pydicom": (2.1e8, 180e-6),
    "gdcm": (4.2e8, 60e-6),
    "pylibjpeg": (3.1e8, 150e-6),
    "imagecodecs": (2.0e9, 12e-6),
    "SimpleITK": (2.4e8, 900e-6),
    "dicomsdl": (5.0e8, 40e-6),
}
_WEIGHTS = {"RLELossless": 1.0, "ExplicitVRLittleEndian": 4.0, "JPEGLosslessSV1": 0.12, "JPEGBaseline8Bit": 0.3}
_PACKAGES = {"gdcm": "python-gdcm"}

HOSTILE_PATH = "/in/<script>alert('path')</script>/a\"b'&\udcff\x1b[31m.dcm"
HOSTILE_DETAIL = "ValueError: <img src=x onerror=\"alert('detail')\"> & ']]></svg></script>"
HOSTILE_NAME = "ct <b>\"bold\"</b> 'n' & co"
HOSTILE_SET = "all <svg onload=alert(1)> files"


def setup(**fields: Any) -> dict[str, Any]:
    """Return the setup of a run."""
    return {
        "dicoxide": "0.1.0",
        "backend": "rust",
        "cpu_path": "x86-64-v4",
        "cpu": "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
        "cores": 4,
        "mhz": 2700.0,
        "memory_bytes": 25769803776,
        "system": "Linux-6.1 x86_64",
        "python": "3.11.7",
        "numpy": "2.4.6",
        "pydicom": "3.0.2",
        "began": "2026-11-22T12:00:00+00:00",
        "command": "dicoxide bench in --html report.html",
        "environment": {"OMP_NUM_THREADS": "4"},
        "budget_seconds": 150,
        "took_seconds": 141.25,
        "interrupted": False,
        "verify_only": False,
        "threads": [1, 2, 4],
        "noise": {
            "control": {"median": 1.003, "low": 0.968, "high": 1.041},
            "relative_iqr": 0.0437,
            "load": 0.21,
            "mhz_after": 2690.5,
        },
        **fields,
    }


def peer(name: str, status: str = "found", why: str | None = None) -> dict[str, Any]:
    package = _PACKAGES.get(name, name)
    return {
        "name": name,
        "package": package,
        "version": "3.2.6" if status == "found" else None,
        "license": "BSD-3-Clause",
        "status": status,
        "install": f"pip install {package}",
        "why": why,
        "levels": ["pixel_array", "file"],
    }


def case(name: str, keyword: str, rows: int, frames: int = 1, path: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "origin": "generated" if path is None else "file",
        "path": path,
        "transfer_syntax": SYNTAXES[keyword],
        "keyword": keyword,
        "rows": rows,
        "columns": rows,
        "samples_per_pixel": 1,
        "bits_allocated": 16,
        "bits_stored": 12,
        "frames": frames,
        "decoded_bytes": rows * rows * 2 * frames,
        "file_bytes": rows * rows * frames + 1234,
        "is_lossy": keyword == "JPEGBaseline8Bit",
    }


def result(level: str, case: str, peer: str, status: str = "ok", **fields: Any) -> dict[str, Any]:
    return {
        "level": level,
        "case": case,
        "peer": peer,
        "variant": "",
        "threads": 1,
        "status": status,
        "detail": None,
        "wrong": None,
        "seconds": None,
        "bytes_per_second": None,
        "ratio": None,
        "peak_bytes": None,
        "releases_gil": None,
        **fields,
    }


def timed(seconds: float, decoded: float, chance: random.Random, rounds: int = 8) -> dict[str, Any]:
    """Return seconds and throughput with random variation around a median."""
    each = sorted(seconds * math.exp(chance.gauss(0, 0.03)) for _ in range(rounds))
    middle = (each[rounds // 2 - 1] + each[rounds // 2]) / 2
    numbers = {"median": middle, "p25": each[1], "p75": each[-3], "p95": each[-1], "best": each[0]}
    return {"seconds": {**numbers, "rounds": rounds, "all": each}, "bytes_per_second": decoded / middle}


def ratio(median: float, width: float = 0.06) -> dict[str, float]:
    return {"median": median, "low": median * (1 - width), "high": median * (1 + width)}


def document(cases: int = 20, seed: int = 7) -> dict[str, Any]:
    """Return a run with losses, wrong results, crashes, threads, memory and hostile text."""
    chance = random.Random(seed)
    images = [_image(index) for index in range(cases)]
    results: list[dict[str, Any]] = []
    for image in images:
        for level in ("pixel_array", "file"):
            results += _answers(level, image, chance)
    results += _bulk(chance)
    _spoil(results)
    return {
        "schema": "dicoxide-bench/1",
        "setup": setup(),
        "peers": [
            *(peer(name) for name in _SPEEDS),
            peer("openjphpy", "missing"),
            peer("pyjpegls", "broken", f"ImportError: {HOSTILE_DETAIL}"),
        ],
        "cases": images,
        "results": results,
        "disagreements": _disagreements(images),
        "notes": ["20 of 300 files were taken: 5 of each transfer syntax", f"skipped {HOSTILE_PATH}"],
    }


def _image(index: int) -> dict[str, Any]:
    keyword = list(SYNTAXES)[index % len(SYNTAXES)]
    rows = 64 * 2 ** (index // len(SYNTAXES) % 6)
    name = HOSTILE_NAME if index == 5 else f"ct-{rows}-{keyword}-{index}"
    return case(name, keyword, rows, 1 + 2 * (index % 7 == 6), HOSTILE_PATH if index == 1 else None)


def _answers(level: str, image: dict[str, Any], chance: random.Random) -> list[dict[str, Any]]:
    results, times = [], {}
    for name, (speed, call) in _SPEEDS.items():
        weight = _WEIGHTS[image["keyword"]] ** (0.5 if name == "gdcm" else 1)
        seconds = image["decoded_bytes"] / (speed * weight) + call * (1.6 if level == "file" else 1)
        times[name] = seconds
        if name == "dicomsdl" and image["keyword"] == "JPEGLosslessSV1":
            results.append(result(level, image["name"], name, "unsupported"))
            continue
        fields = timed(seconds, image["decoded_bytes"], chance)
        if name != "dicoxide":
            fields["ratio"] = ratio(seconds / times["dicoxide"] * math.exp(chance.gauss(0, 0.05)))
        gil = name in ("dicoxide", "imagecodecs") if level == "pixel_array" else None
        peak = int(image["decoded_bytes"] * (1.02 if name == "dicoxide" else chance.uniform(1.5, 4)))
        results.append(result(level, image["name"], name, peak_bytes=peak, releases_gil=gil, **fields))
    if level == "pixel_array":
        fields = timed(times["dicoxide"] * 0.8, image["decoded_bytes"], chance)
        results.append(result(level, image["name"], "dicoxide", variant="out=", peak_bytes=0, **fields))
    return results


def _bulk(chance: random.Random) -> list[dict[str, Any]]:
    results = []
    for group in ("all RLELossless files", HOSTILE_SET):
        for name, scaling in {"dicoxide": 0.95, "gdcm": 0.35, "imagecodecs": 0.8}.items():
            for threads in (1, 2, 4):
                seconds = {"dicoxide": 0.4, "gdcm": 1.9, "imagecodecs": 0.5}[name] / threads**scaling
                fields = timed(seconds, 4e8, chance, rounds=4)
                if name != "dicoxide":
                    fields["ratio"] = ratio(seconds / (0.4 / threads**0.95))
                peak = int(6e7 * threads * chance.uniform(0.8, 1.4))
                results.append(result("bulk", group, name, threads=threads, peak_bytes=peak, **fields))
    return results


def _spoil(results: list[dict[str, Any]]) -> None:
    """Replace some results by failures of every kind."""
    nothing = {"seconds": None, "bytes_per_second": None, "ratio": None, "peak_bytes": None, "releases_gil": None}
    wrong = {"samples": 17, "of": 262144, "first": [0, 3, 511], "max_difference": 255}
    frame_results = [result for result in results if result["level"] != "bulk"]
    of = {name: [result for result in frame_results if result["peer"] == name] for name in _SPEEDS}
    of["pylibjpeg"][2].update(nothing, status="wrong", wrong=wrong)
    of["SimpleITK"][5].update(nothing, status="error", detail=HOSTILE_DETAIL)
    of["gdcm"][8].update(nothing, status="crashed", detail="signal 11")
    of["pydicom"][11].update(nothing, status="timeout", detail="no answer in 30 s")
    of["imagecodecs"][13].update(nothing, status="disputed")
    of["dicoxide"][4].update(nothing, status="error", detail="CorruptFrameError: code 17 is in no table (offset 812)")
    of["dicomsdl"][6].update(status="unchecked")
    of["gdcm"][10].update(seconds=None, bytes_per_second=None, ratio=None)


def _disagreements(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def answer(peers: list[str], samples: int, digit: str) -> dict[str, Any]:
        return {"peers": peers, "shape": [512, 513], "dtype": "uint16", "sha256": digit * 64, "samples": samples}

    return [
        {
            "case": images[0]["name"],
            "level": "pixel_array",
            "reference": ["dicoxide", "pydicom"],
            "known": True,
            "answers": [answer(["dicoxide", "pydicom"], 0, "a"), answer(["pylibjpeg"], 17, "b")],
        },
        {
            "case": images[-1]["name"],
            "level": "file",
            "reference": None,
            "known": False,
            "answers": [answer(["dicoxide"], 4021, "c"), answer(["imagecodecs"], 4021, "d")],
        },
    ]


def empty(**about: Any) -> dict[str, Any]:
    """Return a run without cases."""
    noise = {"control": None, "relative_iqr": None, "load": None, "mhz_after": None}
    return {
        "schema": "dicoxide-bench/1",
        "setup": setup(noise=noise, mhz=None, memory_bytes=None, environment={}, threads=[], **about),
        "peers": [peer("dicoxide"), peer("gdcm", "missing")],
        "cases": [],
        "results": [],
        "disagreements": [],
        "notes": [],
    }


def verified() -> dict[str, Any]:
    """Return a run that verified results and measured no times."""
    run = document(cases=8)
    run["setup"] |= {
        "verify_only": True,
        "noise": {"control": None, "relative_iqr": None, "load": None, "mhz_after": None},
    }
    run["results"] = [result for result in run["results"] if result["level"] != "bulk"]
    for result in run["results"]:
        result.update(seconds=None, bytes_per_second=None, ratio=None, peak_bytes=None, releases_gil=None)
    return run


def alone() -> dict[str, Any]:
    """Return a run without other decoders."""
    run = document(cases=8)
    run["peers"] = [peer for peer in run["peers"] if peer["name"] == "dicoxide" or peer["status"] != "found"]
    run["results"] = [result for result in run["results"] if result["peer"] == "dicoxide"]
    for result in run["results"]:
        result["status"] = "unchecked" if result["status"] == "ok" else result["status"]
    run["disagreements"] = []
    return run
