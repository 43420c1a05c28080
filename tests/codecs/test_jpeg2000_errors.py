"""Invalid and damaged JPEG 2000 codestreams: errors with kind, clause and offset, deviations, and bounded work."""

from __future__ import annotations

import pickle
import struct
import time
import warnings
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import CorruptFrameError, DecodeError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from support.encoders.jpeg2000 import EOC, encode
from support.encoders.jpeg2000_cases import ALL_STYLES, FEATURES, HT_FEATURES, samples_of
from support.encoders.jpeg2000_ebcot import HT, SEGMENTATION
from support.encoders.jpeg2000_segments import (
    COC,
    COD,
    POC,
    QCC,
    QCD,
    RGN,
    SIZ,
    SOD,
    SOT,
    Coding,
    Component,
    bare_codestream,
    box,
    cod,
    marker,
    qcd,
    segment,
    siz,
)
from support.examples import count
from support.processor_time import processor_seconds

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG 2000")

RNG = np.random.default_rng(15444)
ROWS, COLUMNS = 40, 51
GRAY = samples_of(RNG, (ROWS, COLUMNS), 8)
RGB = samples_of(RNG, (ROWS, COLUMNS, 3), 8)
CODING = Coding()
PLAIN = encode(GRAY)
COLOUR = encode(RGB, has_transform=True)
TILES = encode(GRAY, tile_size=(30, 30))
HIGH_THROUGHPUT = encode(GRAY, style=HT)
# Sizes up to which changed frames are decoded: about 500 times as many pixels as `GRAY` has.
MAX_PIXELS = 1 << 20
# Maximum processor time of a changed frame, relative to that of `PLAIN`.
MAX_TIME_RATIO = 10_000
AREAS = (COLUMNS, ROWS, 0, 0, COLUMNS, ROWS, 0, 0)


def part(src: bytes, code: int) -> bytes:
    """Return the first marker segment of a code."""
    start = src.index(marker(code))
    return src[start : start + 2 + int.from_bytes(src[start + 2 : start + 4], "big")]


def replaced(src: bytes, code: int, new: bytes) -> bytes:
    """Return the codestream with its first segment of a code replaced."""
    return src.replace(part(src, code), new, 1)


def changed(src: bytes, code: int, index: int, value: int) -> bytes:
    """Return the codestream with another byte in the parameters of a segment."""
    old = part(src, code)
    return src.replace(old, old[: 4 + index] + bytes([value]) + old[5 + index :], 1)


def sized(*areas: int, precision: int = 8, subsampling: tuple[int, int] = (1, 1), components: int = 1) -> bytes:
    """Return `PLAIN` with another SIZ segment."""
    return replaced(PLAIN, SIZ, siz(areas, [Component(precision, False, subsampling)] * components))


def inserted(src: bytes, data: bytes, code: int = SOT) -> bytes:
    """Return the codestream with data before its first marker of a code."""
    return src.replace(marker(code), data + marker(code), 1)


def with_tile_part_length(length: int) -> bytes:
    return replaced(PLAIN, SOT, segment(SOT, struct.pack(">HLBB", 0, length, 0, 1)))


MALFORMED: dict[str, bytes] = {
    # A.5.1.
    "no SIZ": replaced(PLAIN, SIZ, b""),
    "SIZ twice": inserted(PLAIN, part(PLAIN, SIZ), COD),
    "SIZ too short": replaced(PLAIN, SIZ, segment(SIZ, part(PLAIN, SIZ)[4:-1])),
    "no columns": sized(0, *AREAS[1:]),
    "image ends at its start": sized(COLUMNS, ROWS, COLUMNS, *AREAS[3:]),
    "no components": sized(*AREAS, components=0),
    "tile of no columns": sized(*AREAS[:4], 0, ROWS, 0, 0),
    "tiles start after the image": sized(*AREAS[:6], 1, 0),
    "first tile ends before the image": sized(COLUMNS, ROWS, 20, 0, 10, ROWS, 0, 0),
    "more than 65535 tiles": sized(70000, 2, 0, 0, 1, 1, 0, 0),
    "subsampling of 0": sized(*AREAS, subsampling=(0, 1)),
    "precision over 38": sized(*AREAS, precision=39),
    # A.6.
    "no COD": replaced(PLAIN, COD, b""),
    "no QCD": replaced(PLAIN, QCD, b""),
    "33 levels": changed(PLAIN, COD, 5, 33),
    "no layers": replaced(PLAIN, COD, cod(CODING, 0, 0, has_transform=False, sop=False, eph=False)),
    "progression order 5": changed(PLAIN, COD, 1, 5),
    "code-blocks of 2048 columns": changed(PLAIN, COD, 6, 9),
    "code-blocks of 8192 samples": changed(changed(PLAIN, COD, 6, 7), COD, 7, 2),
    "COD too short": replaced(PLAIN, COD, segment(COD, part(PLAIN, COD)[4:-1])),
    "precincts of one sample above the lowest resolution": replaced(
        PLAIN,
        COD,
        cod(Coding(precincts=((1, 1), (0, 0))), 0, 1, has_transform=False, sop=False, eph=False),
    ),
    "quantization style 3": changed(PLAIN, QCD, 0, 0x43),
    "too few exponents": replaced(PLAIN, QCD, qcd(Coding(levels=2), 8)),
    "COC of unknown component": inserted(PLAIN, segment(COC, b"\7\0" + CODING.style_bytes), QCD),
    "QCC of unknown component": inserted(PLAIN, segment(QCC, b"\7" + CODING.quantization_bytes(8))),
    "RGN of unknown component": inserted(PLAIN, segment(RGN, b"\7\0\5")),
    "progression changes leave out packets": inserted(PLAIN, segment(POC, bytes([0, 0, 0, 1, 2, 1, 0]))),
    # A.4.2.
    "tile out of range": changed(PLAIN, SOT, 1, 1),
    "tile-part of 13 bytes": with_tile_part_length(13),
    "no tile-part": PLAIN[: PLAIN.index(marker(SOT))] + EOC,
    "no SOD": PLAIN.replace(marker(SOD), b"\xff\x00", 1),
    "code 0 for a marker": inserted(PLAIN, b"\xff\x00"),
    "no marker": inserted(PLAIN, b"\x12\x34"),
    # D.5.
    "wrong segmentation symbol": encode(GRAY).replace(part(PLAIN, COD), part(encode(GRAY, style=SEGMENTATION), COD), 1),
}

TRUNCATED: dict[str, bytes] = {
    "empty": b"",
    "half of SIZ": PLAIN[:20],
    "no data": PLAIN[: PLAIN.index(marker(SOD)) + 2],
    "half of the data": PLAIN[: len(PLAIN) // 2],
    "last of four tiles is missing": TILES[: TILES.rindex(marker(SOT))] + EOC,
}

UNSUPPORTED: dict[str, bytes] = {
    # A.5.1: columns 3 to 51 have no multiple of 129.
    "component without samples": sized(COLUMNS + 3, ROWS, 3, 0, COLUMNS + 3, ROWS, 0, 0, subsampling=(129, 1)),
    "extended capabilities of Part 2": inserted(changed(PLAIN, SIZ, 0, 0x80), segment(0x74, bytes(8))),
}


def caught_in(src: bytes) -> DecodeError:
    """Return the error of decoding; deviations do not count."""
    with pytest.raises(DecodeError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore", NonConformantWarning)
        dicoxide.decode_codestream(src)
    return caught.value


def assert_describes(error: DecodeError, src: bytes) -> None:
    """Check clause, offset and form of an error."""
    assert error.clause.startswith(("ITU-T T.800", "ITU-T T.814", "PS3.5", "PS3.3"))
    assert str(error).endswith(f"({error.clause})")
    assert "\n" not in str(error)
    assert error.offset is None or 0 <= error.offset <= len(src)
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_codestream_is_refused(name: str) -> None:
    error = caught_in(MALFORMED[name])
    assert isinstance(error, CorruptFrameError | UnsupportedError)
    assert_describes(error, MALFORMED[name])


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_codestream_is_refused(name: str) -> None:
    if not TRUNCATED[name]:
        with pytest.raises(DecodeError):
            dicoxide.decode_codestream(TRUNCATED[name])
        return
    error = caught_in(TRUNCATED[name])
    assert isinstance(error, TruncatedFrameError)
    assert_describes(error, TRUNCATED[name])


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_codestream_is_refused(name: str) -> None:
    error = caught_in(UNSUPPORTED[name])
    assert isinstance(error, UnsupportedError)
    assert_describes(error, UNSUPPORTED[name])


DEVIATIONS: dict[str, bytes] = {
    "no EOC": PLAIN[:-2],
    "half of EOC": PLAIN[:-1],
    "bytes after EOC": PLAIN + b"\1\2\3",
    "tile-part longer than the data": with_tile_part_length(len(PLAIN) + 99),
    "transform of one component": changed(PLAIN, COD, 4, 1),
    "tile-parts out of order": TILES.replace(part(TILES, SOT), part(TILES, SOT)[:-2] + b"\1\2", 1),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviation_is_reported_and_decoded(name: str) -> None:
    with pytest.warns(NonConformantWarning):
        assert np.array_equal(dicoxide.decode_codestream(DEVIATIONS[name]), GRAY)


def test_zero_byte_after_eoc_is_padding() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(dicoxide.decode_codestream(PLAIN + b"\0"), GRAY)


@pytest.mark.parametrize("name", ["gray", "RGB", "tiles", "HT"])
def test_codestream_cut_anywhere_is_refused(name: str) -> None:
    src = {"gray": PLAIN, "RGB": COLOUR, "tiles": TILES, "HT": HIGH_THROUGHPUT}[name]
    # Two bytes of the last packet, and EOC, may be missing.
    for end in [*range(2, 200), *range(200, len(src) - 4, 17)]:
        error = caught_in(src[:end])
        assert isinstance(error, DecodeError)
        if end > src.index(marker(SOD)):
            assert isinstance(error, TruncatedFrameError), (end, error)
        assert_describes(error, src[:end])


BASES = {
    "5/3": FEATURES["5/3"].src,
    "9/7": FEATURES["9/7"].src,
    "all styles": encode(GRAY, style=ALL_STYLES),
    "RCT": COLOUR,
    "layers": FEATURES["bypass in layers"].src,
    "precincts": FEATURES["RPCL of precincts and layers"].src,
    "tiles": TILES,
    "region of interest": FEATURES["region of interest"].src,
    "PPM": FEATURES["PPM and marks"].src,
    "PPT": FEATURES["PPT and marks"].src,
    "JP2": FEATURES["JP2 RGB"].src,
    "HT": HIGH_THROUGHPUT,
    "HT refinement": HT_FEATURES["HT SigProp and MagRef"].src,
}


def damage(rng: np.random.Generator, base: bytes, start: int) -> bytes:
    """Change, remove or insert one to three bytes."""
    src = bytearray(base)
    for _ in range(rng.integers(1, 4)):
        position, change = int(rng.integers(start, len(src) - 2)), rng.integers(5)
        if change == 0:
            src[position] ^= 1 << int(rng.integers(8))
        elif change == 1:
            src[position] = int(rng.integers(256))
        elif change == 2:
            del src[position]
        elif change == 3:
            src.insert(position, int(rng.integers(256)))
        else:
            src[position] = 0xFF
    return bytes(src)


@pytest.mark.parametrize("place", ["header", "data"])
@pytest.mark.parametrize("name", BASES)
def test_damaged_codestream_is_decoded_or_refused_in_time(name: str, place: str) -> None:
    base = BASES[name]
    rng = np.random.default_rng([102, *name.encode(), *place.encode()])
    start = base.index(marker(SOD)) + 2 if place == "data" else 2
    max_seconds = MAX_TIME_RATIO * processor_seconds(lambda: dicoxide.decode_codestream(PLAIN))
    for _ in range(count(500)):
        src = damage(rng, base, start)
        try:
            info = dicoxide.codestream_info(src)
        except DecodeError:
            continue
        if info.rows * info.columns > MAX_PIXELS:
            continue
        start_time = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            try:
                found = dicoxide.decode_codestream(src)
            except DecodeError as error:
                assert_describes(error, src)
            else:
                assert found.shape[:2] == (info.rows, info.columns)
        assert time.process_time() - start_time < max_seconds, src.hex()


@pytest.mark.parametrize("name", ["5/3", "RCT", "HT", "all styles", "HT refinement"])
def test_damaged_codestream_decodes_alike_on_threads(name: str) -> None:
    rng = np.random.default_rng([103, *name.encode()])
    base = BASES[name]
    for _ in range(count(200)):
        src = damage(rng, base, base.index(marker(SOD)) + 2)
        outcomes = []
        for threads in (1, 3):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NonConformantWarning)
                try:
                    outcomes.append(dicoxide.decode_codestream(src, threads=threads).tobytes())
                except DecodeError as error:
                    outcomes.append(str(error))
        assert outcomes[0] == outcomes[1], src.hex()


def bomb(width: int, height: int, coding: Coding, **options: Any) -> bytes:
    """Return a codestream of a large image with one tile-part of empty packets."""
    return bare_codestream(width, height, coding, [(0, bytes(64))], **options)


PIXEL_BOMBS: dict[str, bytes] = {
    "10^8 pixels": bomb(10_000, 10_000, Coding()),
    "2^32 columns": bomb((1 << 32) - 1, 1, Coding()),
    "2^64 pixels": bomb((1 << 32) - 1, (1 << 32) - 1, Coding()),
    "65535 tiles": bomb(65535, 1, Coding(), tile=(1, 1)),
    "65535 large tiles": bomb(65535 * 1000, 1000, Coding(), tile=(1000, 1000)),
    "32 levels": bomb(30_000, 30_000, Coding(levels=32)),
}
# Precincts, code-blocks and packets of 16 million pixels.
STRUCTURE_BOMBS: dict[str, bytes] = {
    "precincts of two samples": bomb(4000, 4000, Coding(precincts=((1, 1),))),
    "code-blocks of 16 samples": bomb(4000, 4000, Coding(block_exponents=(2, 2))),
    "65535 layers": bomb(4000, 4000, Coding(precincts=((4, 4),)), layers=65535),
    "tiles of one sample": bomb(255, 257, Coding(), tile=(1, 1)),
    "33 resolutions of small precincts": bomb(4000, 4000, Coding(levels=32, precincts=((1, 1),))),
}


def refuse(src: bytes, spec: dicoxide.FrameSpec | None) -> None:
    """Decode a codestream that is refused, with or without the attributes of a data set."""
    with pytest.raises(DecodeError), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonConformantWarning)
        if spec is None:
            dicoxide.decode_codestream(src)
        else:
            dicoxide.decode_frame(src, spec)


@pytest.mark.serial
@pytest.mark.parametrize("name", PIXEL_BOMBS)
def test_frame_of_another_size_than_the_data_set_is_refused_sooner_than_a_frame_is_decoded(name: str) -> None:
    spec = dicoxide.FrameSpec("1.2.840.10008.1.2.4.90", 64, 64)
    decoded = processor_seconds(lambda: dicoxide.decode_codestream(PLAIN))
    assert processor_seconds(lambda: refuse(PIXEL_BOMBS[name], spec)) < 10 * decoded


@pytest.mark.serial
@pytest.mark.parametrize("name", STRUCTURE_BOMBS)
def test_work_is_bounded_by_the_number_of_bytes_and_pixels(name: str) -> None:
    decoded = processor_seconds(lambda: dicoxide.decode_codestream(PLAIN))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            found = dicoxide.decode_codestream(STRUCTURE_BOMBS[name])
    except DecodeError:
        assert processor_seconds(lambda: refuse(STRUCTURE_BOMBS[name], None)) < 100 * decoded
    else:
        # Empty packets are a uniform image.
        assert (found == 128).all()


class TestBoxes:
    """JP2 boxes (Annex I)."""

    JP2 = FEATURES["JP2"].src
    SAMPLES = FEATURES["JP2"].samples

    def test_codestream_is_found_by_the_boxes_not_by_its_bytes(self) -> None:
        decoy = box(b"free", PLAIN)
        position = self.JP2.index(b"jp2c") - 4
        src = self.JP2[:position] + decoy + self.JP2[position:]
        assert np.array_equal(dicoxide.decode_codestream(src), self.SAMPLES)

    @pytest.mark.parametrize("length", [1, 7])
    def test_box_of_impossible_length_is_refused(self, length: int) -> None:
        position = self.JP2.index(b"jp2h") - 4
        src = self.JP2[:position] + struct.pack(">L", length) + self.JP2[position + 4 :]
        with pytest.raises(DecodeError):
            dicoxide.decode_codestream(src)

    def test_file_without_codestream_is_refused(self) -> None:
        error = caught_in(self.JP2[: self.JP2.index(b"jp2c") - 4])
        assert_describes(error, self.JP2)


def test_header_of_more_components_than_the_data_set_is_a_mismatch() -> None:
    spec: Any = dicoxide.FrameSpec("1.2.840.10008.1.2.4.90", ROWS, COLUMNS)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.decode_frame(COLOUR, spec)
    assert caught.value.kind == "Mismatch"
    large = dicoxide.FrameSpec("1.2.840.10008.1.2.4.90", ROWS, COLUMNS + 1)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.decode_frame(PLAIN, large)
    assert caught.value.kind == "Mismatch"
