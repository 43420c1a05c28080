"""JPEG 2000 frames for tests: one per feature, and random ones, each reproduced by its seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders import jpeg2000
from support.encoders import jpeg2000_ebcot as ebcot
from support.encoders.jpeg2000 import Encoded
from support.encoders.jpeg2000_packets import PROGRESSIONS, Progression
from support.encoders.jpeg2000_segments import Coding, comment
from support.encoders.jpeg2000_tiles import LayerOptions

Array = npt.NDArray[Any]

STYLES = {
    "bypass": ebcot.BYPASS,
    "reset": ebcot.RESET,
    "terminate": ebcot.TERMINATE,
    "causal": ebcot.CAUSAL,
    "predictable": ebcot.PREDICTABLE,
    "segmentation": ebcot.SEGMENTATION,
}
ALL_STYLES = sum(STYLES.values())
CHANGES = (
    Progression("RLCP", resolutions=(0, 2), layers=2),
    Progression("CPRL", resolutions=(0, 3), layers=1),
    Progression("LRCP", resolutions=(0, 33), layers=3),
)
# Layers and precincts.
PARTED: dict[str, Any] = {
    "layer_count": 3,
    "layer_seed": 1,
    "block_exponents": (3, 3),
    "precincts": ((3, 4), (4, 3), (5, 5)),
}


@dataclass(frozen=True)
class Frame:
    """Samples and options of an encoded frame; a random one has a seed."""

    samples: Array
    options: dict[str, Any]
    seed: int | None = None

    @cached_property
    def encoded(self) -> Encoded:
        return jpeg2000.encode_frame(self.samples, **self.options)

    @property
    def src(self) -> bytes:
        return self.encoded.src

    @property
    def is_lossless(self) -> bool:
        """True if all decoders reconstruct the same samples, which are those of `encoded`."""
        return all(coding.wavelet == "5/3" for coding in self.codings)

    @property
    def precision(self) -> int:
        """Maximum precision of the components."""
        bits = self.options.get("precision") or 8 * self.samples.dtype.itemsize
        return bits if isinstance(bits, int) else max(bits)

    @property
    def tolerance(self) -> int:
        """Maximum difference of samples of 9/7; OpenJPEG's K has a relative error of 3.3e-5."""
        return max(1, (1 << self.precision) * 7 // 100_000)

    @property
    def min_levels(self) -> int:
        """Wavelet levels that all components have."""
        return min(coding.levels for coding in self.codings)

    def reduced(self, reduce: int) -> Frame:
        """Return the frame with reconstructed samples of a lower resolution."""
        return Frame(self.samples, {**self.options, "reduce": reduce}, self.seed)

    @property
    def has_eoc(self) -> bool:
        return self.options.get("eoc", True)

    @property
    def has_placeholders(self) -> bool:
        return any(coding.ht_placeholders for coding in self.codings)

    @property
    def is_decoded_by_openjpeg(self) -> bool:
        """True if OpenJPEG decodes the frame.

        It reads packed packet headers in the order of the tiles, not of the tile-parts, and refuses tiles that have
        only packed headers.
        """
        return not self.options.get("packed_headers") or ("tile_size" not in self.options and np.ptp(self.samples) > 3)

    @property
    def encoder_options(self) -> jpeg2000.Options:
        return jpeg2000.make_options(
            **{name: value for name, value in self.options.items() if name not in FRAME_OPTIONS}
        )

    @property
    def main_codings(self) -> list[Coding]:
        """Coding of the components in the main header."""
        return [self.encoder_options.coding, *self.encoder_options.components.values()]

    @property
    def codings(self) -> list[Coding]:
        """Coding of the components in the main header and in tile-part headers."""
        return [*self.main_codings, *self.encoder_options.tiles.values()]

    @property
    def is_ht(self) -> bool:
        return any(coding.style & ebcot.HT for coding in self.codings)


FRAME_OPTIONS = {"precision", "is_signed", "subsampling", "file"}


def samples_of(
    rng: np.random.Generator, shape: tuple[int, ...], precision: int, kind: str = "smooth", *, is_signed: bool = False
) -> Array:
    """Return samples of a precision: noise, a smooth surface with noise, edges, one value, or both extremes."""
    minimum = -(1 << precision - 1) if is_signed else 0
    maximum = minimum + (1 << precision) - 1
    rows, columns = np.indices(shape)[:2]
    if kind == "constant":
        values = np.full(shape, rng.integers(minimum, maximum, endpoint=True))
    elif kind == "extremes":
        values = np.where(rng.integers(0, 2, shape) > 0, maximum, minimum)
    elif kind == "noise":
        values = rng.integers(minimum, maximum, shape, endpoint=True)
    elif kind == "edges":
        values = np.where((rows // 7 + columns // 5) % 3 > 0, minimum + maximum >> 1, maximum)
    else:
        phase = rng.uniform(0, 6, shape[2:])
        wave = np.sin(rows / 9 + phase) + np.cos(columns / 7 - phase)
        noise = rng.normal(0, 0.03, shape)
        values = np.rint((minimum + maximum) / 2 + (maximum - minimum) * (wave / 5 + noise / 2))
    values = np.clip(values, minimum, maximum)
    width = 1 if precision <= 8 else 2 if precision <= 16 else 4
    return values.astype(f"{'i' if is_signed else 'u'}{width}")


def _frame(shape: tuple[int, ...] = (50, 61), bits: int = 8, kind: str = "smooth", **options: Any) -> Frame:
    rng = np.random.default_rng([*shape, bits])
    return Frame(samples_of(rng, shape, bits, kind, is_signed=options.get("is_signed") is True), options)


RGB = (41, 50, 3)

FEATURES: dict[str, Frame] = {
    "5/3": _frame(),
    "9/7": _frame(wavelet="9/7"),
    "9/7 derived": _frame(wavelet="9/7", is_derived=True),
    "9/7 coarse": _frame(wavelet="9/7", step=4.0),
    "RCT": _frame(RGB, has_transform=True),
    "ICT": _frame(RGB, has_transform=True, wavelet="9/7"),
    "RGB without transform": _frame(RGB),
    "four components": _frame((30, 33, 4), has_transform=True),
    "two components": _frame((30, 33, 2)),
    **{f"{levels} levels": _frame(levels=levels) for levels in (0, 1, 2, 5, 9)},
    "one row": _frame((1, 70), levels=2),
    "one column": _frame((70, 1), levels=2),
    "one sample": _frame((1, 1), levels=4),
    "9/7 one row": _frame((1, 70), levels=2, wavelet="9/7"),
    **{f"{name} style": _frame(kind="noise", style=style) for name, style in STYLES.items()},
    "all styles": _frame(kind="noise", style=ALL_STYLES),
    "bypass and predictable termination": _frame(kind="noise", style=ebcot.BYPASS | ebcot.PREDICTABLE),
    "bypass and termination": _frame(kind="noise", style=ebcot.BYPASS | ebcot.TERMINATE),
    "bypass in layers": _frame(kind="noise", style=ebcot.BYPASS, layer_count=5, layer_seed=3),
    "termination in layers": _frame(kind="noise", style=ebcot.TERMINATE, layer_count=5, layer_seed=4),
    "causal 16 bits": _frame(bits=16, kind="noise", style=ebcot.CAUSAL),
    "truncated blocks": _frame(max_passes=9),
    "truncated 9/7 blocks": _frame(max_passes=9, wavelet="9/7"),
    "more zero bit-planes": _frame(exponent_bits=7),
    "seven guard bits": _frame(guard_bits=7),
    **{
        f"blocks of {1 << x} by {1 << y}": _frame((70, 90), block_exponents=(x, y))
        for x, y in ((2, 2), (10, 2), (2, 10), (3, 5), (5, 7))
    },
    "5/3 noise of 16 bits": _frame(bits=16, kind="noise"),
    "extremes": _frame(kind="extremes"),
    "constant": _frame(kind="constant"),
    **{f"{order} of precincts and layers": _frame((60, 70, 3), progression=order, **PARTED) for order in PROGRESSIONS},
    **{
        f"{order} of subsampled components": _frame(
            (61, 70, 3), progression=order, subsampling=[(1, 2), (2, 1), (3, 1)], offset=(5, 3), **PARTED
        )
        for order in PROGRESSIONS
    },
    **{
        f"{order} of other levels": _frame(
            (61, 70, 2), progression=order, components={1: Coding(levels=1, precincts=((3, 4),))}, **PARTED
        )
        for order in PROGRESSIONS
    },
    "progression changes": _frame((60, 70, 3), progressions=CHANGES, **PARTED),
    "progression changes in tiles": _frame(
        (60, 70, 3), progressions=CHANGES, poc_in_tiles=True, tile_size=(40, 33), **PARTED
    ),
    "layers": _frame(layer_count=4),
    "random layers": _frame((90, 120), layer_count=6, layer_seed=1, block_exponents=(3, 3)),
    "many layers": _frame(layer_count=40, layer_seed=2, block_exponents=(4, 4)),
    "empty packets with headers": _frame(layers=LayerOptions(9, 5, marks_empty=False), block_exponents=(4, 4)),
    "precincts of one sample": _frame((9, 11), levels=2, precincts=((0, 0), (1, 1), (1, 1))),
    "wide precincts": _frame((40, 90), levels=2, precincts=((6, 2), (7, 3), (5, 4))),
    "tiles": _frame((70, 90), tile_size=(32, 25)),
    "tiles of one sample": _frame((3, 4), tile_size=(1, 1), levels=1),
    "tiles RCT": _frame((45, 50, 3), tile_size=(20, 30), has_transform=True),
    "tiles 9/7": _frame((70, 90), tile_size=(32, 25), wavelet="9/7"),
    "offset": _frame(offset=(7, 11)),
    "offset 9/7": _frame(offset=(7, 11), wavelet="9/7"),
    "tile offset": _frame((70, 90), offset=(9, 13), tile_offset=(3, 5), tile_size=(31, 27)),
    "large offset": _frame(offset=(65537, 99991), levels=5, precincts=((4, 5),), progression="RPCL"),
    "tile-parts": _frame((70, 90), tile_size=(50, 50), tile_parts=3, layer_count=3),
    "mixed tile-parts": _frame((70, 90), tile_size=(50, 50), tile_parts=4, mixes_tile_parts=True, layer_count=4),
    "empty tile-parts": _frame(tile_parts=9),
    "open tile-part": _frame((70, 90), tile_size=(50, 50), has_open_end=True),
    "SOP": _frame(sop=True, layer_count=3),
    "EPH": _frame(eph=True, layer_count=3),
    "SOP and EPH": _frame(sop=True, eph=True, layer_count=3),
    **{
        f"{kind}{' and marks' if marks else ''}": _frame(
            (70, 90),
            tile_size=(50, 50),
            tile_parts=2,
            layer_count=3,
            packed_headers=kind.lower(),
            packed_bytes=size,
            sop=marks,
            eph=marks,
        )
        for kind, size in (("PPM", 65000), ("PPT", 65000))
        for marks in (False, True)
    },
    "PPM of small segments": _frame(
        (70, 90), tile_size=(50, 50), tile_parts=2, layer_count=3, packed_headers="ppm", packed_bytes=13
    ),
    "PPT of small segments": _frame((70, 90), layer_count=3, packed_headers="ppt", packed_bytes=7),
    "PLT": _frame(plt=True, layer_count=3),
    "PLT and SOP": _frame(plt=True, sop=True, tile_size=(33, 30)),
    "PLM": _frame(plm=True, layer_count=2),
    "TLM": _frame(tlm=True, tile_size=(33, 30)),
    "comment": _frame(main=comment(b"comment"), tile_header=comment(b"of a tile")),
    "no EOC": _frame(eoc=False),
    "other quantization of a component": _frame(RGB, components={1: Coding(guard_bits=4)}),
    "other wavelet of a component": _frame(RGB, components={2: Coding(wavelet="9/7")}),
    "other style of a component": _frame(RGB, components={1: Coding(style=ALL_STYLES, block_exponents=(3, 4))}),
    "other coding of a tile": _frame(
        (70, 90), tile_size=(50, 50), tiles={1: Coding(levels=1, block_exponents=(4, 5)), 2: Coding(wavelet="9/7")}
    ),
    "region of interest": _frame(roi_shift=13),
    "region of interest 9/7": _frame(roi_shift=15, wavelet="9/7", step=0.25),
    "region of interest of a component": _frame(RGB, components={1: Coding(roi_shift=12)}),
    **{f"precision {bits}": _frame(bits=bits) for bits in (1, 2, 7, 9, 12, 15, 16)},
    **{f"precision {bits} signed": _frame(bits=bits, is_signed=True) for bits in (1, 2, 8, 12, 16)},
    "9/7 precision 16": _frame(bits=16, wavelet="9/7", step=0.5),
    "9/7 precision 12 signed": _frame(bits=12, wavelet="9/7", is_signed=True),
    "precision 24": _frame(bits=24, precision=24),
    "RCT of 16 bits": _frame(RGB, bits=16, has_transform=True),
    "ICT of 12 bits": _frame(RGB, bits=12, has_transform=True, wavelet="9/7"),
    "components of other precision": _frame(RGB, bits=5, precision=(8, 5, 12)),
    "JP2": _frame(file={}),
    "JP2 RGB": _frame(RGB, file={}, has_transform=True),
    "JP2 of open length": _frame(file={"length": "open"}),
    "JP2 of extended length": _frame(file={"length": "extended"}),
}


def _ht(shape: tuple[int, ...] = (50, 61), **options: Any) -> Frame:
    return _frame(shape, style=options.pop("style", 0) | ebcot.HT, **options)


HT_FEATURES: dict[str, Frame] = {
    "HT": _ht(),
    "HT noise": _ht(kind="noise"),
    "HT extremes": _ht(kind="extremes"),
    "HT constant": _ht(kind="constant"),
    "HT 9/7": _ht(wavelet="9/7"),
    "HT 9/7 coarse": _ht(wavelet="9/7", step=4.0),
    "HT RCT": _ht(RGB, has_transform=True),
    "HT ICT": _ht(RGB, has_transform=True, wavelet="9/7"),
    "HT 16 bits": _ht(bits=16, kind="noise"),
    "HT 16 bits signed": _ht(bits=16, is_signed=True),
    "HT 1 bit": _ht(bits=1, kind="noise"),
    "HT tiles": _ht((70, 90), tile_size=(32, 25)),
    "HT precincts": _ht((70, 90), progression="RPCL", precincts=((4, 4), (5, 5)), sop=True, eph=True),
    "HT offset": _ht(offset=(7, 11)),
    "HT one row": _ht((1, 70), levels=2),
    "HT one column": _ht((70, 1), levels=2),
    **{
        f"HT blocks of {1 << x} by {1 << y}": _ht((70, 90), block_exponents=(x, y))
        for x, y in ((2, 2), (10, 2), (2, 10))
    },
    "HT JPH": _ht(file={"brand": "jph "}),
    "HT SigProp": _ht(ht_plane=1, ht_passes=2),
    "HT SigProp and MagRef": _ht(kind="noise", ht_plane=1, ht_passes=3),
    "HT SigProp and MagRef of 16 bits": _ht(bits=16, ht_plane=1, ht_passes=3),
    "HT SigProp and MagRef 9/7": _ht(wavelet="9/7", ht_plane=1, ht_passes=3),
    "HT layers": _ht(ht_plane=1, ht_passes=3, layer_count=4, layer_seed=1, block_exponents=(3, 3)),
    "HT causal": _ht(kind="noise", ht_plane=1, ht_passes=3, style=ebcot.CAUSAL),
    **{
        f"HT {sets} placeholder sets": _ht(ht_plane=1, ht_passes=3, ht_placeholders=sets, exponent_bits=sets)
        for sets in (1, 2, 12)
    },
    "HT and EBCOT components": _ht(RGB, components={1: Coding()}),
}


def random_coding(rng: np.random.Generator, precision: int, *, is_ht: bool, wavelet: str) -> dict[str, Any]:
    """Return random fields of `Coding` for samples of a precision."""
    x = int(rng.integers(2, 8))
    style = ebcot.HT if is_ht else int(rng.choice([0, 0, ALL_STYLES, rng.integers(64)]))
    fields: dict[str, Any] = {
        "levels": int(rng.integers(0, 6)),
        "wavelet": wavelet,
        "block_exponents": (x, int(rng.integers(2, min(12 - x, 7), endpoint=True))),
        "style": style,
        "guard_bits": int(rng.integers(3, 6)),
        "is_derived": bool(rng.integers(2)),
        # The exponents of the steps that are derived for five levels are positive.
        "step": float(2.0 ** min(int(rng.integers(-5, 3)), precision - 5)),
        "exponent_bits": int(rng.integers(0, 3)),
    }
    if rng.random() < 0.4:
        exponents = rng.integers(1, 8, (int(rng.integers(1, 4)), 2)).tolist()
        fields["precincts"] = tuple(map(tuple, exponents))
    if is_ht and rng.random() < 0.4:
        fields |= {"ht_plane": 1, "ht_passes": int(rng.choice([2, 3, 3]))}
        fields["style"] |= ebcot.CAUSAL * int(rng.integers(2))
    return fields


def random_frame(seed: int, *, is_ht: bool | None = None, max_side: int = 60) -> Frame:
    """Return a random frame without subsampled components and regions of interest."""
    rng = np.random.default_rng([seed, 2000])
    is_ht = bool(rng.integers(4) == 0) if is_ht is None else is_ht
    count = int(rng.choice([1, 1, 1, 2, 3, 3, 4]))
    rows, columns = rng.integers(1, max_side, 2, endpoint=True).tolist()
    is_signed = bool(rng.integers(3) == 0)
    precision = int(rng.integers(1, 17))
    wavelet = str(rng.choice(["5/3", "5/3", "9/7"]))
    kind = str(rng.choice(["smooth", "smooth", "noise", "edges", "extremes", "constant"]))
    samples = samples_of(rng, (rows, columns, count)[: 2 + (count > 1)], precision, kind, is_signed=is_signed)
    offset = tuple(rng.integers(0, 20, 2).tolist()) if rng.random() < 0.3 else (0, 0)
    options: dict[str, Any] = {
        "precision": precision,
        "offset": offset,
        "has_transform": count >= 3 and bool(rng.integers(2)),
        "layers": LayerOptions(int(rng.choice([1, 1, 2, 5])), int(rng.integers(99)), bool(rng.integers(2))),
        "progressions": (Progression(str(rng.choice(PROGRESSIONS))),),
        "sop": bool(rng.integers(4) == 0),
        "eph": bool(rng.integers(4) == 0),
        "packed_headers": str(rng.choice(["", "", "", "ppm", "ppt"])),
        "packed_bytes": int(rng.choice([65000, 200])),
        "plt": bool(rng.integers(5) == 0),
        "tlm": bool(rng.integers(5) == 0),
        **random_coding(rng, precision, is_ht=is_ht, wavelet=wavelet),
    }
    if rng.random() < 0.3:
        tile_offset = tuple(int(rng.integers(0, side, endpoint=True)) for side in offset)
        sizes = [
            int(rng.integers(far - near + 1, far - near + 40)) for far, near in zip(offset, tile_offset, strict=True)
        ]
        options |= {"tile_offset": tile_offset, "tile_size": tuple(sizes)}
        options["tile_parts"] = int(rng.choice([1, 1, 2, 3]))
        options["mixes_tile_parts"] = bool(rng.integers(2))
    if count > 1 and not options["has_transform"] and rng.random() < 0.3:
        options["components"] = {1: Coding(**random_coding(rng, precision, is_ht=is_ht, wavelet=wavelet))}
    return Frame(samples, options, seed)


def random_blocks(seed: int, *, is_ht: bool) -> Frame:
    """Return a random frame of one tile without precincts and derived steps, which OpenJPH decodes."""
    frame = random_frame(seed, is_ht=is_ht)
    names = {"precision", "has_transform", *Coding.__dataclass_fields__} - {"precincts", "is_derived"}
    return Frame(frame.samples, {name: value for name, value in frame.options.items() if name in names}, seed)
