"""Encoding of code-blocks by bit-planes for tests, written from ITU-T T.800 Annex D."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders.jpeg2000_mq import RUN_LENGTH, UNIFORM, Contexts, MqEncoder, StuffedBits

Array = npt.NDArray[Any]

# Code-block style (Table A.19).
BYPASS, RESET, TERMINATE, CAUSAL, PREDICTABLE, SEGMENTATION, HT = (1 << bit for bit in range(7))
# Passes before the first raw one: those of the four most significant bit-planes (D.6).
ARITHMETIC_PASSES = 10

# Bits of a sample's neighbours that are significant.
WEST, EAST, NORTH, SOUTH, NORTH_WEST, NORTH_EAST, SOUTH_WEST, SOUTH_EAST = (1 << bit for bit in range(8))

FIRST_SIGN_CONTEXT, FIRST_REFINEMENT_CONTEXT = 9, 14
# Context and inversion of the sign, of the horizontal and vertical contribution (Table D.3).
SIGNS = {
    (1, 1): (13, 0),
    (1, 0): (12, 0),
    (1, -1): (11, 0),
    (0, 1): (10, 0),
    (0, 0): (9, 0),
    (0, -1): (10, 1),
    (-1, 1): (11, 1),
    (-1, 0): (12, 1),
    (-1, -1): (13, 1),
}


def zero_context(horizontal: int, vertical: int, diagonal: int, band: str) -> int:
    """Return the context of a significance decision (Table D.1)."""
    if band == "HH":
        sides = min(horizontal + vertical, 2)
        return 8 if diagonal >= 3 else 6 + min(sides, 1) if diagonal == 2 else 3 * diagonal + sides
    if band == "HL":
        horizontal, vertical = vertical, horizontal
    if horizontal == 2:
        return 8
    if horizontal == 1:
        return 7 if vertical else 6 if diagonal else 5
    return 2 + vertical if vertical else min(diagonal, 2)


def zero_contexts(band: str) -> list[int]:
    """Return the contexts of all sets of significant neighbours."""
    groups = WEST | EAST, NORTH | SOUTH, NORTH_WEST | NORTH_EAST | SOUTH_WEST | SOUTH_EAST
    return [zero_context(*((word & group).bit_count() for group in groups), band) for word in range(256)]


ZERO_CONTEXTS = {band: zero_contexts(band) for band in ("LL", "HL", "LH", "HH")}


@dataclass
class CodedBlock:
    """Codeword segments of a code-block.

    Attributes
    ----------
    bit_planes : int
        Coded magnitude bit-planes; the number of missing ones is in the packet header.
    segments : list of bytes
        Codeword segments.
    passes : list of (int, int)
        For each pass the index of its segment, and the bytes of that segment which a decoder needs for the pass.
    lowest_planes : ndarray or int
        Lowest coded bit-plane of each sample.
    """

    bit_planes: int
    segments: list[bytes] = field(default_factory=list)
    passes: list[tuple[int, int]] = field(default_factory=list)
    lowest_planes: Array | int = 0


def doubled_midpoints(coefficients: Array, lowest_planes: Array | int) -> Array:
    """Return twice the middle of the interval that the coded bit-planes give (E.1.1, r = 0.5)."""
    magnitudes = np.abs(coefficients) >> lowest_planes
    return np.where(magnitudes > 0, np.sign(coefficients) * (2 * magnitudes + 1 << lowest_planes), 0)


class BlockModel:
    """Significance of the samples of a code-block, and the symbols of its coding passes (D.3)."""

    def __init__(self, coefficients: Array, band: str, *, is_causal: bool) -> None:
        rows, columns = coefficients.shape
        # A border of one sample, so that neighbours always exist.
        padded = np.pad(coefficients, 1)
        self.stride = columns + 2
        self.magnitudes: list[int] = np.abs(padded).ravel().tolist()
        self.is_negative: list[int] = (padded < 0).astype(int).ravel().tolist()
        self.neighbours = [0] * len(self.magnitudes)
        # 1 or -1 for a significant sample of that sign.
        self.significant = [0] * len(self.magnitudes)
        self.is_refined = [False] * len(self.magnitudes)
        self.is_visited = [False] * len(self.magnitudes)
        self.is_causal = is_causal
        self.contexts = ZERO_CONTEXTS[band]
        # Columns of the stripes of four rows, in scan order (D.1).
        self.columns = [
            [(row + 1) * self.stride + column + 1 for row in range(top, min(top + 4, rows))]
            for top in range(0, rows, 4)
            for column in range(columns)
        ]
        self.tops = {column[0] for column in self.columns}
        self.samples = [sample for column in self.columns for sample in column]

    def sign(self, sample: int) -> int:
        """Return the symbol of a sample's sign (D.3.2)."""
        significant, word, stride = self.significant, self.neighbours[sample], self.stride
        horizontal = significant[sample - 1] + significant[sample + 1]
        # The sample below is not seen from the last row of a stripe if contexts are vertically causal.
        below = significant[sample + stride] if word & SOUTH else 0
        vertical = significant[sample - stride] + below
        contributions = min(max(horizontal, -1), 1), min(max(vertical, -1), 1)
        context, inversion = SIGNS[contributions]
        return 2 * context | self.is_negative[sample] ^ inversion

    def make_significant(self, sample: int) -> None:
        stride, words = self.stride, self.neighbours
        self.significant[sample] = -1 if self.is_negative[sample] else 1
        words[sample + 1] |= WEST
        words[sample - 1] |= EAST
        words[sample + stride] |= NORTH
        words[sample + stride + 1] |= NORTH_WEST
        words[sample + stride - 1] |= NORTH_EAST
        if not (self.is_causal and sample in self.tops):
            words[sample - stride] |= SOUTH
            words[sample - stride + 1] |= SOUTH_WEST
            words[sample - stride - 1] |= SOUTH_EAST

    def significance_pass(self, plane: int, *, is_raw: bool) -> list[int]:
        """Return the symbols (or raw bits) of a significance propagation pass (D.3.1)."""
        out: list[int] = []
        words, significant, magnitudes, contexts = self.neighbours, self.significant, self.magnitudes, self.contexts
        for sample in self.samples:
            word = words[sample]
            if word and not significant[sample]:
                bit = magnitudes[sample] >> plane & 1
                self.is_visited[sample] = True
                out.append(bit if is_raw else 2 * contexts[word] | bit)
                if bit:
                    out.append(self.is_negative[sample] if is_raw else self.sign(sample))
                    self.make_significant(sample)
        return out

    def refinement_pass(self, plane: int, *, is_raw: bool) -> list[int]:
        """Return the symbols (or raw bits) of a magnitude refinement pass (D.3.3)."""
        out: list[int] = []
        significant, magnitudes, visited, refined = self.significant, self.magnitudes, self.is_visited, self.is_refined
        for sample in self.samples:
            if significant[sample] and not visited[sample]:
                bit = magnitudes[sample] >> plane & 1
                context = FIRST_REFINEMENT_CONTEXT + (2 if refined[sample] else bool(self.neighbours[sample]))
                refined[sample] = True
                out.append(bit if is_raw else 2 * context | bit)
        return out

    def cleanup_pass(self, plane: int) -> list[int]:
        """Return the symbols of a cleanup pass (D.3.4), which ends the bit-plane."""
        out: list[int] = []
        words, significant, magnitudes, visited = self.neighbours, self.significant, self.magnitudes, self.is_visited
        for column in self.columns:
            rest = column
            is_run_coded = len(column) == 4 and not any(words[sample] or significant[sample] for sample in column)
            if is_run_coded:
                run = next((row for row, sample in enumerate(column) if magnitudes[sample] >> plane & 1), 4)
                out.append(2 * RUN_LENGTH | (run < 4))
                if run == 4:
                    continue
                out += [2 * UNIFORM | run >> 1, 2 * UNIFORM | run & 1, self.sign(column[run])]
                self.make_significant(column[run])
                rest = column[run + 1 :]
            for sample in rest:
                if not significant[sample] and not visited[sample]:
                    bit = magnitudes[sample] >> plane & 1
                    out.append(2 * self.contexts[words[sample]] | bit)
                    if bit:
                        out.append(self.sign(sample))
                        self.make_significant(sample)
        return out

    def coded_in_last_plane(self, kind: int) -> Array:
        """Return true for the samples with a bit in the passes of the current bit-plane up to one of this kind."""
        if kind == 0:
            mask = np.ones(len(self.is_visited), bool)
        else:
            mask = np.array(self.is_visited) | (kind == 2) & (np.array(self.significant) != 0)
        return mask.reshape(-1, self.stride)[1:-1, 1:-1]


def is_raw_pass(index: int, style: int) -> bool:
    """Return true if a pass bypasses arithmetic coding (Table D.9)."""
    return bool(style & BYPASS) and index >= ARITHMETIC_PASSES and index % 3 != 0


def ends_segment(index: int, style: int) -> bool:
    """Return true if a codeword segment ends after a pass (D.4.2, Table D.9)."""
    if style & TERMINATE:
        return True
    is_last_before_change = index >= ARITHMETIC_PASSES - 1 and index % 3 != 1
    return bool(style & BYPASS) and is_last_before_change


def encode_block(coefficients: Array, band: str, style: int, *, max_passes: int | None = None) -> CodedBlock:
    """Encode a code-block of signed integers; `max_passes` truncates it."""
    bit_planes = int(np.abs(coefficients).max(initial=0)).bit_length()
    coded = CodedBlock(bit_planes)
    pass_count = min(3 * bit_planes - 2, 10**6 if max_passes is None else max_passes)
    if pass_count <= 0:
        coded.lowest_planes = bit_planes
        return coded
    model = BlockModel(coefficients, band, is_causal=bool(style & CAUSAL))
    contexts = Contexts()
    mq, raw = MqEncoder(), StuffedBits()
    for index in range(pass_count):
        plane, kind, is_raw = bit_planes - 1 - (index + 2) // 3, index % 3, is_raw_pass(index, style)
        if kind == 0:
            symbols = model.cleanup_pass(plane)
            if style & SEGMENTATION:
                symbols += [2 * UNIFORM | bit for bit in (1, 0, 1, 0)]
        elif kind == 1:
            model.is_visited[:] = [False] * len(model.is_visited)
            symbols = model.significance_pass(plane, is_raw=is_raw)
        else:
            symbols = model.refinement_pass(plane, is_raw=is_raw)
        if is_raw:
            for bit in symbols:
                raw.put(bit)
        else:
            mq.encode(symbols, contexts)
        if style & RESET:
            contexts.reset()
        # Five more bytes hold all bits of the code register.
        coded.passes.append((len(coded.segments), len(raw.out) + 1 if is_raw else len(mq) + 5))
        if index == pass_count - 1 or ends_segment(index, style):
            end_segment(coded, mq, raw, is_raw=is_raw, style=style)
            mq, raw = MqEncoder(), StuffedBits()
    coded.lowest_planes = plane + 1 - model.coded_in_last_plane(kind)
    return coded


def end_segment(coded: CodedBlock, mq: MqEncoder, raw: StuffedBits, *, is_raw: bool, style: int) -> None:
    """Terminate the current segment, and bound the lengths of its passes by its own."""
    data = raw.flush_raw() if is_raw else mq.flush_predictably() if style & PREDICTABLE else mq.flush()
    coded.segments.append(data)
    last = len(coded.segments) - 1
    coded.passes = [(s, min(length, len(data)) if s == last else length) for s, length in coded.passes]
    coded.passes[-1] = last, len(data)
