"""`dicoxide bench`: verification by majority, and isolation of decoders that crash."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEGLosslessSV1, JPEGLSLossless

import dicoxide
from dicoxide import cli
from dicoxide._threads import ThreadPool
from dicoxide.bench import (
    DECODERS,
    DICOXIDE,
    BenchOptions,
    BenchProgress,
    cases_from_paths,
    report_lines,
    sampling_order,
)
from dicoxide.bench import run as run_comparison
from dicoxide.bench._array_comparison import checksum, difference, normalise
from dicoxide.bench._cases import Case, generated_cases
from dicoxide.bench._decoders._base import LoadedCase
from dicoxide.bench._images import SYNTAXES, ct, write_file
from dicoxide.bench._process import BudgetExceededError
from dicoxide.bench._stats import ratio, summarise
from dicoxide.bench._verify import CaseResult, Verifier
from dicoxide.cli._live_table import _table
from support import processes
from support.encoder_inputs import noise
from support.encoders.dataset import dataset, to_bytes
from support.processes import environment, run, started

pytestmark = pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")
needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="the core encodes and decodes")

# Python finds these packages before the real ones.
STAND_INS = ("dicomsdl", "highdicom", "SimpleITK")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    frames = ct(3, 48, 64)
    for syntax in SYNTAXES if dicoxide.backend == "rust" else ("native", "rle"):
        write_file(str(folder / f"{syntax}.dcm"), frames[:1], 12, syntax)
        write_file(str(folder / f"{syntax}-3.dcm"), frames, 12, syntax)
    (folder / "readme.txt").write_text("no image")
    return folder


def bench(*arguments: str | Path, stand_ins: Path | None = None) -> Any:
    folders = [] if stand_ins is None else [stand_ins]
    command = [sys.executable, "-m", "dicoxide", "bench", *arguments, "--json", "-"]
    done = run(command, env=environment(*folders), check=True)
    return json.loads(done.stdout), done.stderr


def of(document: dict[str, Any], peer: str, level: str = "file") -> dict[str, Any]:
    return {
        result["case"]: result for result in document["results"] if (result["peer"], result["level"]) == (peer, level)
    }


@pytest.fixture
def stand_ins() -> Path:
    return processes.STAND_INS / "comparison"


@pytest.mark.slow
@needs_core
def test_run_reports_exactness_and_times(images: Path) -> None:
    document, output = bench(images, "--budget", "80", "--peer", "pydicom")
    assert document["schema"] == "dicoxide-bench/1"
    assert {case["name"] for case in document["cases"]} == {path.name for path in images.glob("*.dcm")}
    assert "1 file skipped" in output
    decoded, reference = of(document, DICOXIDE), of(document, "pydicom")
    assert {item["status"] for item in (decoded["native.dcm"], reference["native.dcm"])} == {"ok"}
    raced = [result for result in document["results"] if result["ratio"]]
    assert raced
    for result in raced:
        assert result["peer"] == "pydicom"
        assert result["ratio"]["low"] <= result["ratio"]["median"] <= result["ratio"]["high"]
        assert result["seconds"]["best"] <= result["seconds"]["median"] <= result["seconds"]["p95"]
        assert result["seconds"]["rounds"] == len(result["seconds"]["all"]) >= 3
    bulk = [result for result in document["results"] if result["level"] == "bulk"]
    assert {result["threads"] for result in bulk} <= set(document["setup"]["threads"])
    assert document["setup"]["noise"]["control"] is not None


@pytest.mark.serial
@needs_core
def test_run_ends_within_its_budget(images: Path) -> None:
    document, _ = bench(images, "--budget", "4", "--peer", "pydicom")
    # Ending may be slow, but no decoder is awaited.
    assert document["setup"]["took_seconds"] < 20
    assert any("within the budget" in note for note in document["notes"])


@needs_core
def test_run_reports_crashing_failing_and_wrong_decoders(images: Path, stand_ins: Path) -> None:
    peers = [f"--peer={name}" for name in ("pydicom", *STAND_INS)]
    document, output = bench(images, "--verify", "--budget", "60", *peers, stand_ins=stand_ins)
    status = {peer["name"]: peer["status"] for peer in document["peers"]}
    assert (status["dicomsdl"], status["highdicom"], status["SimpleITK"]) == ("found", "found", "broken")
    for name in ("native.dcm", "rle.dcm", "native-3.dcm"):
        crashed, wrong = of(document, "dicomsdl")[name], of(document, "highdicom")[name]
        assert crashed["status"] == "crashed"
        assert "SIGABRT" in crashed["detail"] or os.name != "posix"
        # Two agree against one, whose times are omitted.
        assert (wrong["status"], of(document, DICOXIDE)[name]["status"]) == ("wrong", "ok")
        assert (wrong["wrong"]["samples"], wrong["wrong"]["max_difference"]) == (1, 1.0)
        assert wrong["wrong"]["first"] == [*(() if "-3" not in name else (0,)), 0, 7]
        error = of(document, "highdicom", "rescaled")[name]
        assert (error["status"], error["detail"]) == ("error", "ValueError: no such <thing>")
    assert not [result for result in document["results"] if result["seconds"]]
    (first, *_) = [
        disagreement
        for disagreement in document["disagreements"]
        if disagreement["case"] == "native.dcm" and disagreement["level"] == "file"
    ]
    assert first["reference"] == [DICOXIDE, "pydicom"]
    assert not first["known"]
    assert "SimpleITK cannot be imported" in output
    assert "crashed" in output


@needs_core
def test_generated_cases_have_the_same_samples_in_each_transfer_syntax(tmp_path: Path) -> None:
    cases = list(generated_cases(str(tmp_path), ["ct-64"]))
    assert [case.keyword for case in cases] == [
        "ExplicitVRLittleEndian",
        "RLELossless",
        "DeflatedImageFrameCompression",
        "JPEGLosslessSV1",
        "JPEGLSLossless",
    ]
    for case in cases:
        assert np.array_equal(dicoxide.decode(case.path), np.load(case.reference))


@needs_core
@pytest.mark.parametrize("variant", ["", "out="])
@pytest.mark.parametrize("uid", [JPEGLosslessSV1, JPEGLSLossless])
def test_codec_level_ignores_the_sign_as_other_codecs_do(tmp_path: Path, uid: str, variant: str) -> None:
    image = (noise((6, 7), 12) - 2048).astype(np.int16)
    encode = dicoxide.jpegls_encode if uid == JPEGLSLossless else dicoxide.jpeg_lossless_encode
    path = tmp_path / "signed.dcm"
    path.write_bytes(to_bytes(dataset(image, uid, bits_stored=12, coded=[encode(image, precision=12)])))
    (case,), _ = cases_from_paths([str(path)])
    for name in (DICOXIDE, "imagecodecs", "pylibjpeg", "pyjpegls"):
        if not DECODERS[name].is_installed():
            continue
        loaded = LoadedCase(case)
        call = DECODERS[name].bind("codec", loaded, variant if name == DICOXIDE else "", 1)
        if call is not None:
            assert np.array_equal(DECODERS[name].normalised("codec", loaded, call()), image & 4095), name


@pytest.mark.slow
@needs_core
def test_run_of_generated_images_knows_their_values(tmp_path: Path, stand_ins: Path) -> None:
    document, _ = bench("--verify", "--budget", "25", "--peer", "highdicom", stand_ins=stand_ins)
    output = [case["name"] for case in document["cases"] if case["origin"] == "generated" and case["frames"] == 1]
    assert output
    for name in set(output) & of(document, "highdicom").keys():
        is_lossy = name.endswith(("-jpeg", "-near", "-lossy", "-h264"))
        assert of(document, DICOXIDE)[name]["status"] in ({"ok", "unchecked"} if is_lossy else {"ok"})
        if not name.endswith(("native", "rle")):
            # The stand-in decodes with pydicom, which may have no plugin for JPEG Lossless and JPEG-LS.
            continue
        # One against one would be disputed, but the correct values are known.
        assert of(document, "highdicom")[name]["status"] in ("wrong", "unsupported")
    assert all(case["path"] is None for case in document["cases"])


@needs_core
@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_run_interrupted_writes_partial_results(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    command = [sys.executable, "-m", "dicoxide", "bench", str(images), "--json", str(out), "--peer", "pydicom"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (line := process.stderr.readline()).startswith(("speed", "memory")):
            assert line
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=processes.TIMEOUT_SECONDS)
    assert process.returncode == 130
    document = json.loads(out.read_text())
    assert document["setup"]["interrupted"]
    assert document["cases"]
    assert "interrupted" in output


def test_bench_with_invalid_arguments_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--peer", "nobody"]) == 2
    assert "known decoders are dicoxide" in capsys.readouterr().err
    assert cli.main(["bench", str(tmp_path), "--json", str(tmp_path / "no" / "x.json")]) == 2
    assert "the folder does not exist" in capsys.readouterr().err
    assert cli.main(["bench", str(tmp_path)]) == 1
    assert "no images in" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", "--budget", "0"])
    assert caught.value.code == 2


@needs_core
def test_csv_has_one_row_per_result(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.csv"
    document, _ = bench(images / "rle.dcm", "--budget", "5", "--peer", "pydicom", "--csv", out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["results"])
    for row, result in zip(rows, document["results"], strict=True):
        assert (row["level"], row["peer"], row["status"]) == (result["level"], result["peer"], result["status"])
        assert float(row["ratio"] or 0) == (result["ratio"] or {"median": 0})["median"]


class TestAnswers:
    case = Case("x", "file", "", "1.2.840.10008.1.2.1", "", "", 2, 3, 1, 16, 12, 0, 1, "<u2", 12, 12)

    def test_normalise_gives_the_declared_shape_and_dtype(self) -> None:
        values = np.arange(6, dtype=np.uint16)
        assert normalise(values, (2, 3), "<u2").shape == (2, 3)
        assert normalise(values.astype("i4"), (2, 3), "<u2").dtype == np.uint16
        # Codecs return unsigned samples.
        signed = normalise(np.full(6, 65535, np.uint16), (2, 3), "<i2")
        assert (signed == -1).all()
        # Byte order does not matter.
        assert (normalise(values.astype(">i2"), (2, 3), "<i2") == values.reshape(2, 3)).all()
        assert (normalise(values.astype(">u2"), (2, 3), "<i2") == values.reshape(2, 3)).all()
        # A result that does not fit is unchanged, and wrong.
        assert normalise(values[:5], (2, 3), "<u2").shape == (5,)
        assert normalise(np.full(6, 70000), (2, 3), "<u2").dtype == np.int64

    def test_checksum_depends_on_values_shape_and_dtype(self) -> None:
        values = np.arange(6, dtype=np.uint16)
        assert checksum(values) == checksum(values.astype(">u2").astype("u2"))
        assert (
            len({checksum(values), checksum(values.astype("u4")), checksum(values[::-1]), checksum(values[None])}) == 4
        )

    def test_difference_reports_count_and_first_index(self) -> None:
        reference = np.arange(6, dtype=np.uint16).reshape(2, 3)
        assert difference(reference.copy(), reference, self.case) is None
        other = reference.copy()
        other[1, 0], other[1, 2] = 65535, 0
        result = difference(other, reference, self.case)
        assert result == {"samples": 2, "of": 6, "first": [1, 0], "max_difference": 65532.0}
        assert difference(reference[:1], reference, self.case)["samples"] == 6  # type: ignore[index]

    def test_difference_of_lossy_syntax_tolerates_rounding(self) -> None:
        reference = np.full((2, 3), 100, np.uint8)
        lossy = self.case._replace(transfer_syntax="1.2.840.10008.1.2.4.50")
        assert difference(reference + 2, reference, lossy) is None
        assert difference(reference + 3, reference, lossy) is not None
        assert difference(reference + 1, reference, self.case) is not None

    def test_difference_of_floats_tolerates_the_last_place(self) -> None:
        reference = np.array([[-1024.0, 0.5, np.nan]], np.float32)
        result = difference(np.array([[-1024.0001, 0.5, 1.0]], np.float32), reference, self.case)
        assert result is not None
        assert (result["samples"], result["first"]) == (1, [0, 2])


class FakeWorker:
    """A worker with a fixed answer: a letter; two letters differ by rounding if they are at most two apart."""

    def __init__(self, letter: str) -> None:
        self._letter = letter

    def request(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        if request["save"]:
            Path(request["save"]).write_text(self._letter)
        reference = request["reference"] and Path(request["reference"]).read_text()
        apart = abs(ord(self._letter) - ord(reference)) if reference else 0
        is_wrong = apart > (2 if Case(*request["cases"][0]).is_lossy else 0)
        wrong = {"samples": 1, "of": 6, "first": [0, 0], "max_difference": float(apart)} if is_wrong else None
        compared = {"wrong": wrong, "is_compared": reference is not None}
        return {"shape": [2, 3], "dtype": "uint16", "sha256": self._letter, "seconds": 0.1, **compared}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"dicoxide": "a", "pydicom": "a", "gdcm": "a"}, {"dicoxide": "ok", "pydicom": "ok", "gdcm": "ok"}),
        ({"dicoxide": "a", "pydicom": "b", "gdcm": "b"}, {"dicoxide": "wrong", "pydicom": "ok", "gdcm": "ok"}),
        ({"dicoxide": "a", "pydicom": "a", "gdcm": "b"}, {"dicoxide": "ok", "pydicom": "ok", "gdcm": "wrong"}),
        ({"dicoxide": "a", "gdcm": "b"}, {"dicoxide": "disputed", "gdcm": "disputed"}),
        ({"dicoxide": "a"}, {"dicoxide": "unchecked"}),
        # One library under two names has one vote.
        (
            {"dicoxide": "a", "gdcm": "b", "SimpleITK": "b"},
            {"dicoxide": "disputed", "gdcm": "disputed", "SimpleITK": "disputed"},
        ),
        # Two against two.
        (
            {"dicoxide": "a", "pydicom": "a", "gdcm": "b", "dicomsdl": "b"},
            {"dicoxide": "disputed", "pydicom": "disputed", "gdcm": "disputed", "dicomsdl": "disputed"},
        ),
    ],
)
def test_verifier_decides_by_majority_or_disputes(
    answers: dict[str, str], expected: dict[str, str], tmp_path: Path
) -> None:
    workers = {name: FakeWorker(sha256) for name, sha256 in answers.items()}
    with ThreadPool(2) as threads:
        verifier = Verifier(str(tmp_path), workers, threads)  # type: ignore[arg-type]
        result = verifier.verify("file", TestAnswers.case, answers)
    assert {name: answer.status for name, answer in result.items()} == expected
    is_disputed = {"wrong", "disputed"} & set(expected.values())
    assert len(verifier.disagreements) == bool(is_disputed)


def test_verifier_uses_data_set_results_for_files(tmp_path: Path) -> None:
    rle = TestAnswers.case._replace(transfer_syntax="1.2.840.10008.1.2.5")
    with ThreadPool(2) as threads:
        # At the level "file" pydicom has no vote, because its plugin is not known: dicoxide and gdcm have one each.
        workers = {
            "dicoxide": FakeWorker("a"),
            "pydicom": FakeWorker("a"),
            "pylibjpeg": FakeWorker("a"),
            "gdcm": FakeWorker("b"),
        }
        verifier = Verifier(str(tmp_path), workers, threads)  # type: ignore[arg-type]
        result = verifier.verify("file", rle, ["dicoxide", "pydicom", "gdcm"])
        assert {answer.status for answer in result.values()} == {"disputed"}
        verifier.verify("pixel_array", rle, ["pylibjpeg"])
        result = verifier.verify("file", rle, ["dicoxide", "pydicom", "gdcm"])
    assert [answer.status for answer in result.values()] == ["ok", "ok", "wrong"]


def test_verifier_of_lossy_syntax_groups_rounded_results(tmp_path: Path) -> None:
    lossy = TestAnswers.case._replace(transfer_syntax="1.2.840.10008.1.2.4.50")
    workers = {"pydicom": FakeWorker("a"), "gdcm": FakeWorker("b"), "dicomsdl": FakeWorker("f")}
    with ThreadPool(2) as threads:
        result = Verifier(str(tmp_path), workers, threads).verify("pixel_array", lossy, workers)  # type: ignore[arg-type]
    assert {name: answer.status for name, answer in result.items()} == {
        "pydicom": "ok",
        "gdcm": "ok",
        "dicomsdl": "wrong",
    }


@pytest.mark.parametrize(("letter", "status"), [("b", "unchecked"), ("f", "disputed")])
def test_verifier_without_majority_disputes_only_more_than_rounding(letter: str, status: str, tmp_path: Path) -> None:
    lossy = TestAnswers.case._replace(transfer_syntax="1.2.840.10008.1.2.4.91")
    # pydicom has no vote, because its plugin is not known.
    workers = {"dicoxide": FakeWorker("a"), "pydicom": FakeWorker(letter)}
    with ThreadPool(2) as threads:
        result = Verifier(str(tmp_path), workers, threads).verify("file", lossy, workers)  # type: ignore[arg-type]
    assert {answer.status for answer in result.values()} == {status}


def test_run_omits_cases_beyond_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[str] = []

    def verify(self: Verifier, level: str, case: Case, decoders: list[str]) -> dict[str, CaseResult]:
        levels.append(level)
        if len(levels) == 3:
            raise BudgetExceededError
        return {name: CaseResult("ok", sha256="a") for name in decoders}

    monkeypatch.setattr(Verifier, "verify", verify)
    cases = [TestAnswers.case._replace(name=name, photometric_interpretation="PALETTE COLOR") for name in ("a", "b")]
    document = run_comparison(cases, BenchOptions(decoders=("pydicom",)), [], lambda progress: None)
    assert len(levels) == 3
    assert [case["name"] for case in document["cases"]] == ["a"]
    assert {result["case"] for result in document["results"]} == {"a"}
    assert document["notes"] == ["1 of 2 images verified within the budget"]


def test_ratio_has_a_confidence_interval() -> None:
    times = np.random.default_rng(2).uniform(0.9, 1.1, 40)
    result = ratio((times * 3).tolist(), times.tolist())
    assert result == pytest.approx({"median": 3.0, "low": 3.0, "high": 3.0})
    result = ratio(np.random.default_rng(3).uniform(0.5, 1.5, 40).tolist(), times.tolist())
    assert result["low"] < 1 < result["high"]
    assert ratio([1.0, 2.0], [1.0, 1.0]) == {"median": 1.5, "low": 1.0, "high": 2.0}
    summary = summarise([3.0, 1.0, 2.0])
    assert (summary["median"], summary["best"], summary["rounds"]) == (2.0, 1.0, 3)


def test_sampling_order_starts_with_every_syntax(images: Path) -> None:
    cases, others = cases_from_paths([str(images)])
    assert others == 1
    every = sampling_order(cases)
    assert len({case.keyword for case in every[:3]}) == min(3, len({case.keyword for case in cases}))
    assert sorted(every) == sorted(cases)


def test_decoder_table_is_complete() -> None:
    for name, peer in DECODERS.items():
        assert (peer.name, bool(peer.license), bool(peer.levels)) == (name, True, True)
        assert peer.install.startswith("pip install ")
        assert not peer.is_installed() or peer.version() is not None or name == DICOXIDE


def test_terminal_report_lists_losses_first() -> None:
    def raced(peer: str, median: float) -> dict[str, Any]:
        ratio = {"median": median, "low": median - 0.01, "high": median + 0.01}
        return {
            **{"level": "file", "case": "x.dcm", "peer": peer, "variant": "", "threads": 1, "status": "ok"},
            **{"detail": None, "ratio": ratio, "bytes_per_second": 1e9},
        }

    document = {
        "setup": {"dicoxide": "1", "backend": "rust", "cpu_path": "", "cpu": "c", "cores": 2, "interrupted": False}
        | {"noise": {"control": None, "relative_iqr": None, "load": None, "mhz_after": None}},
        "peers": [],
        "cases": [{"name": "x.dcm", "keyword": "RLELossless"}],
        "results": [raced("slow", 3.0), raced("fast", 0.5)],
        "notes": [],
    }
    output = "\n".join(report_lines(document))
    assert "(1 of 2 comparisons)" in output
    assert "0.50×" in output
    assert output.index("fast") < output.index("3.00×")


def test_live_table_shows_ratios_so_far() -> None:
    rich = pytest.importorskip("rich.console", reason="rich draws it")
    console = rich.Console(file=io.StringIO(), width=100, record=True)
    ratios = {("file", "gdcm"): [2.0, 8.0], ("codec", "pylibjpeg"): [0.5]}
    console.print(_table(BenchProgress("speed", 40.0, 150.0, ratios), "speed (at most 40 s left)"))
    output = console.export_text()
    assert [line.split()[0] for line in output.splitlines()][1:4] == ["decoder", "gdcm", "pylibjpeg"]
    assert "4.00× of 2" in output
    assert "0.50× of 1" in output
    assert "at most 40 s left" in output
