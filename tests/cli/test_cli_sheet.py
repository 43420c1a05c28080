"""``dicoxide sheet``: contact sheets of archives, with broken files among good ones."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicoxide import cli
from dicoxide.cli._text import window_argument
from support.command_line import dicoxide_arguments, dicoxide_command, truncate_frame, write_series
from support.processes import TIMEOUT_SECONDS, run_script, started
from support.synthetic_series import image, write

pillow = pytest.importorskip("PIL.Image")

COLOURS = [(200, 30, 40), (30, 200, 50), (60, 70, 210)]


def write_colour(path: Path, colour: tuple[int, int, int], **attributes: Any) -> Path:
    """Write an RGB image of one colour, 8 × 8 pixels."""
    more = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, "Rows": 8, "Columns": 8}
    more |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    more |= {"PixelSpacing": [0.5, 0.5]} | attributes
    dataset = image(0, **more)
    dataset.PixelData = np.tile(np.array(colour, np.uint8), 64).tobytes()
    return write(dataset, path)


def sheet(*arguments: object, code: int = 0) -> dict[str, Any]:
    """Run the command and return its JSON document."""
    done = dicoxide_command("sheet", *arguments, "--json")
    assert done.code == code, done.err
    document: dict[str, Any] = done.document
    return document


def load(path: Path | str) -> tuple[np.ndarray[Any, Any], str]:
    """Return the pixels of a picture in RGB, and the name of its format."""
    with pillow.open(path) as picture:
        return np.asarray(picture.convert("RGB")), picture.format


def count_pixels(path: Path | str, colour: tuple[int, ...]) -> int:
    return int((load(path)[0] == colour).all(axis=2).sum())


def test_sheet_has_one_thumbnail_per_series(tmp_path: Path) -> None:
    for number, colour in enumerate(COLOURS):
        study, series = f"1.2.{number // 2}", f"1.2.3.{number}"
        for index in range(2):
            # Of two images the second one is the middle slice.
            write_colour(
                tmp_path / "in" / f"{number}-{index}.dcm",
                colour if index else (1, 2, 3),
                StudyInstanceUID=study,
                SeriesInstanceUID=series,
                SeriesNumber=3 - number,
                ImagePositionPatient=[0, 0, 2.0 * index],
            )
    document = sheet(tmp_path / "in", "-o", tmp_path / "a.png", "--size", 64)
    [page] = document["pages"]
    assert page["path"] == str(tmp_path / "a.png")
    for colour in COLOURS:
        assert count_pixels(page["path"], colour) == 64 * 64
    # Studies by path, series by number.
    assert [tile["name"] for tile in page["tiles"]] == ["1.2.3.1", "1.2.3.0", "1.2.3.2"]
    assert [(tile["row"], tile["column"]) for tile in page["tiles"]] == [(0, 0), (0, 1), (0, 2)]
    assert {tile["frames"] for tile in page["tiles"]} == {2}
    assert (document["series"], document["files"], document["failures"]) == (3, 6, [])


def test_sheet_of_several_pages_numbers_them(tmp_path: Path) -> None:
    for number in range(5):
        write_colour(tmp_path / "in" / f"{number}.dcm", COLOURS[number % 3], SeriesInstanceUID=f"1.2.3.{number}")
    document = sheet(tmp_path / "in", "-o", tmp_path / "a.png", "--size", 32, "--columns", 2, "--rows", 1)
    names = ["a-001.png", "a-002.png", "a-003.png"]
    assert [os.path.basename(page["path"]) for page in document["pages"]] == names
    assert sorted(path.name for path in tmp_path.glob("a*")) == names
    assert [len(page["tiles"]) for page in document["pages"]] == [2, 2, 1]
    assert len({load(tmp_path / name)[0].shape for name in names}) == 1


@pytest.mark.parametrize(("suffix", "form"), [(".png", "PNG"), (".JPG", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP")])
def test_sheet_format_is_that_of_the_suffix(tmp_path: Path, suffix: str, form: str) -> None:
    write_colour(tmp_path / "in" / "a.dcm", COLOURS[0])
    sheet(tmp_path / "in", "-o", tmp_path / f"a{suffix}")
    assert load(tmp_path / f"a{suffix}")[1] == form


def test_sheet_of_a_series_with_several_volumes_has_the_middle_of_the_largest(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 5, rows=40, columns=50)
    write_series(tmp_path / "in", 2, rows=20, columns=20, suffix=".small.dcm", seed=1, InstanceNumber=(7, 8))
    document = sheet(tmp_path / "in", "-o", tmp_path / "a.png")
    [tile] = document["pages"][0]["tiles"]
    assert (tile["slice_shape"], tile["frames"], tile["volumes"]) == ([40, 50], 7, 2)
    assert pydicom.dcmread(tile["path"]).ImagePositionPatient[2] == 5.0


def test_sheet_with_a_named_window_uses_the_first_of_other_images(tmp_path: Path) -> None:
    windows = {"WindowCenter": [50, 2000], "WindowWidth": [2, 2], "WindowCenterWidthExplanation": ["a", "b"]}
    square = {"Rows": 8, "Columns": 8, "PixelSpacing": [1, 1]}
    write(image(1, **windows, **square), tmp_path / "in" / "a.dcm")
    write(image(1, SeriesInstanceUID="1.2.9", WindowCenter=50, WindowWidth=2, **square), tmp_path / "in" / "b.dcm")
    # All values are white in the first window, and black in the other.
    for name, count in (("first", 2), ("b", 1), ("1", 1), ("50,2", 2), ("2000,2", 0)):
        sheet(tmp_path / "in", "-o", tmp_path / "a.png", "--size", 64, "--window", name)
        assert count_pixels(tmp_path / "a.png", (255, 255, 255)) == count * 64 * 64
    sheet(tmp_path / "in", "-o", tmp_path / "a.png", "--window", "50,0", code=1)


def test_sheet_of_pixels_that_are_not_square_keeps_the_aspect_ratio(tmp_path: Path) -> None:
    write_colour(tmp_path / "in" / "a.dcm", COLOURS[0], PixelSpacing=[0.5, 1.0])
    write_colour(tmp_path / "in" / "b.dcm", COLOURS[1], SeriesInstanceUID="1.2.9", PixelSpacing=["1e-9", "1e9"])
    sheet(tmp_path / "in", "-o", tmp_path / "a.png", "--size", 64)
    assert count_pixels(tmp_path / "a.png", COLOURS[0]) == 32 * 64
    assert count_pixels(tmp_path / "a.png", COLOURS[1]) == 64 * 64


def test_sheet_with_unreadable_files_has_placeholders(tmp_path: Path) -> None:
    write_colour(tmp_path / "in" / "good.dcm", COLOURS[0])
    [broken] = write_series(tmp_path / "in", 1, series="1.2.3.8", is_jpeg=True, rows=64, columns=64)
    truncate_frame(broken)
    (tmp_path / "in" / "text.dcm").write_text("no image")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    report = Dataset()
    report.StudyInstanceUID, report.SeriesInstanceUID, report.Modality = "1.2.3", "1.2.4", "SR"
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.5"
    write(report, tmp_path / "in" / "report.dcm")
    done = dicoxide_command("sheet", tmp_path / "in", "-o", tmp_path / "a.png", "--json")
    assert done.code == 1
    tiles = {os.path.basename(tile["path"]): tile["failure"] for tile in done.document["pages"][0]["tiles"]}
    assert tiles == {
        "good.dcm": None,
        broken.name: "Truncated",
        "report.dcm": "NoImage",
        "text.dcm": "NotDicom",
    }
    for name in (broken.name, "report.dcm", "text.dcm"):
        assert f"{name}: {tiles[name]}: " in done.err or f"{name}, frame 0: {tiles[name]}: " in done.err
    assert (done.document["series"], done.document["skipped"], len(done.document["failures"])) == (2, 1, 3)
    assert count_pixels(tmp_path / "a.png", COLOURS[0]) == 192 * 192


def test_sheet_of_mutated_files_names_each_failure(tmp_path: Path) -> None:
    rng = random.Random(7)
    good = write_series(tmp_path / "good", 1, rows=64, columns=64, is_jpeg=True)
    good.append(write_colour(tmp_path / "good" / "colour.dcm", COLOURS[0]))
    good.append(write(image(1, NumberOfFrames=3, WindowCenter=100, WindowWidth=50), tmp_path / "good" / "frames.dcm"))
    (tmp_path / "in").mkdir()
    for number in range(120):
        data = bytearray(rng.choice(good).read_bytes())
        for _ in range(rng.choice((1, 4, 30))):
            data[rng.randrange(132, len(data))] = rng.randrange(256)
        (tmp_path / "in" / f"{number:03}.dcm").write_bytes(data[: rng.choice((None, rng.randrange(200, len(data))))])
    done = dicoxide_command("sheet", tmp_path / "in", "-o", tmp_path / "a.png", "--overlays", "--json")
    assert done.code == 1
    document = done.document
    assert not {"Internal", "Request"} & {failure["kind"] for failure in document["failures"]}
    tiles = [tile for page in document["pages"] for tile in page["tiles"]]
    assert sum(tile["failure"] is not None for tile in tiles) == len(document["failures"])
    assert len(tiles) >= 20
    assert all(Path(page["path"]).exists() for page in document["pages"])


def test_sheet_of_sources_without_dicom_files_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = dicoxide_command("sheet", tmp_path / "in", "-o", tmp_path / "a.png")
    assert (done.code, list(tmp_path.glob("*.png"))) == (1, [])
    assert "no DICOM files" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.tif"], "the suffix must be one of .png"),
        (["-o", "a"], "the suffix must be one of .png"),
        (["-o", "missing/a.png"], "no such folder"),
        (["-o", "in.png"], "is a folder"),
        (["-o", "a.webp", "--size", "2048", "--columns", "9"], "WEBP has at most 16383 per side"),
        (["-o", "a.png", "--size", "31"], "must be at least 32"),
        (["-o", "a.png", "--columns", "101"], "must be at most 100"),
        (["-o", "a.png", "--window", "99%,1%"], "percentiles must be ascending"),
        ([], "the following arguments are required: -o/--out"),
    ],
)
def test_sheet_with_unusable_options_exits_with_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    for number in range(9):
        write_colour(tmp_path / "in.png" / f"{number}.dcm", COLOURS[0], SeriesInstanceUID=f"1.2.3.{number}")
    done = dicoxide_command("sheet", tmp_path / "in.png", *arguments, cwd=tmp_path)
    assert done.code == 2
    assert message in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user with limited rights")
def test_sheet_into_a_folder_without_permission_exits_with_2(tmp_path: Path) -> None:
    write_colour(tmp_path / "in" / "a.dcm", COLOURS[0])
    (tmp_path / "out").mkdir(mode=0o500)
    assert dicoxide_command("sheet", tmp_path / "in", "-o", tmp_path / "out" / "a.png").code == 2


def test_sheet_that_cannot_be_written_reports_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    write_colour(tmp_path / "in" / "a.dcm", COLOURS[0])

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    assert cli.main(["sheet", str(tmp_path / "in"), "-o", str(tmp_path / "a.png")]) == 1
    assert "a.png: Write: cannot write the page: no space left on device" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "description",
    ["two\nlines", "\x1b[31mred", "x" * 60_000, "日本語 Ünïcödé", "", " \0 "],
    ids=["newline", "escape", "long", "unicode", "empty", "zero"],
)
def test_sheet_of_hostile_texts_is_written(tmp_path: Path, description: str) -> None:
    write_colour(
        tmp_path / "in" / "a.dcm",
        COLOURS[0],
        SpecificCharacterSet="ISO_IR 192",
        SeriesDescription=description,
        StudyDescription=description,
        PatientID=description,
        Modality="CT",
    )
    sheet(tmp_path / "in", "-o", tmp_path / "a.png", "--size", 64, "--title", description.replace("\0", ""))
    assert count_pixels(tmp_path / "a.png", COLOURS[0]) == 64 * 64


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_sheet_interrupted_keeps_complete_pages(tmp_path: Path) -> None:
    for number in range(60):
        write_series(tmp_path / "in", 1, series=f"1.2.3.{number}", rows=700, columns=700, is_jpeg=True)
    arguments = ("-o", tmp_path / "a.png", "--columns", 1, "--rows", 1, "--threads", 1, "--size", 512, "--json")
    command = dicoxide_arguments("sheet", tmp_path / "in", *arguments)
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "a-03.png").exists() and not (tmp_path / "a-003.png").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    if process.returncode == 0:
        pytest.skip("the run was over before it was interrupted")
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted; complete pages are kept" in errors
    document = json.loads(printed)
    assert document["interrupted"] is True
    written = sorted(path for path in tmp_path.iterdir() if path.name != "in")
    assert 3 <= len(written) < 60
    assert not [path for path in written if path.suffix != ".png"]
    for path in written:
        load(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc reports peak memory")
def test_sheet_peak_memory_does_not_grow_with_thumbnails(tmp_path: Path) -> None:
    path = write_colour(tmp_path / "a.dcm", COLOURS[0])
    # Thumbnails of 256 × 256 pixels in RGB: 2000 of them would have 375 MiB.
    growth_mib = float(run_script("sheet_peak_memory", path, tmp_path / "out.png").stdout)
    assert growth_mib < 60


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("40,400", (40.0, 400.0)),
        ("-600, 1.5e3", (-600.0, 1500.0)),
        ("1%,99.5%", ("percentile", 1.0, 99.5)),
        ("1", 1),
        ("first", "first"),
        ("Lung", "Lung"),
        ("1,2,3", "1,2,3"),
        ("²", "²"),
    ],
)
def test_window_argument_returns_the_argument_of_render(text: str, window: Any) -> None:
    assert window_argument(text) == window
