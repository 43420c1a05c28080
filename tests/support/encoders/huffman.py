"""Huffman tables of JPEG (ITU-T T.81 Annexes C and K.2), common and unusual ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Table:
    """Numbers of codes of 1 to 16 bits, and the symbols in code order (C.1)."""

    bits: tuple[int, ...]
    values: tuple[int, ...]

    def codes(self) -> dict[int, tuple[int, int]]:
        """Return code and length in bits of each symbol (C.2, figures C.1 and C.2)."""
        out, code, offset = {}, 0, 0
        for length, count in enumerate(self.bits, 1):
            for value in self.values[offset : offset + count]:
                out[value] = code, length
                code += 1
            offset += count
            code <<= 1
        return out

    def arrays(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return codes and lengths indexed by symbol; symbols without code have a large negative length."""
        code = np.zeros(256, np.int64)
        length = np.full(256, -(1 << 40), np.int64)
        for value, (bits, count) in self.codes().items():
            code[value], length[value] = bits, count
        return code, length


# K.3.1 with five more categories at the end.
FIXED = Table((0, 1, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0), tuple(range(17)))
# 17 codes of 5 bits; 15 of the 32 codes are undefined.
FLAT = Table((0, 0, 0, 0, 17, *[0] * 11), tuple(range(17)))
# 14 codes of 1 to 14 bits and 3 of 16 bits; the all-ones code is unused.
SKEWED = (*[1] * 14, 0, 3)


def table_for(name: str, categories: npt.NDArray[Any]) -> Table:
    """Return the table of that name for these categories."""
    if name == "fixed":
        return FIXED
    if name == "flat":
        return FLAT
    counts = np.bincount(categories, minlength=17).tolist()
    if name == "skewed":
        # The most frequent categories have the longest codes.
        return Table(SKEWED, tuple(sorted(range(17), key=lambda value: counts[value])))
    assert name == "optimal"
    return optimal(counts)


def optimal(counts: list[int]) -> Table:
    """Return the optimal table of K.2: codes have at most 16 bits and are not all ones."""
    used = [value for value, count in enumerate(counts) if count]
    # An additional symbol, the rarest, reserves the all-ones code.
    groups = [(count, -1, [value]) for value, count in enumerate(counts) if count] + [(1, -2, [len(counts)])]
    lengths = dict.fromkeys([*used, len(counts)], 0)
    while len(groups) > 1:
        groups.sort(key=lambda group: (-group[0], -group[1], -max(group[2])))
        (count, _, some), (more, _, others) = groups.pop(), groups.pop()
        for value in some + others:
            lengths[value] += 1
        groups.append((count + more, -1, some + others))
    bits = [0] * 64
    for length in lengths.values():
        bits[length] += 1
    # Figure K.3: a pair of too long codes becomes one code shorter by one bit and splits a shorter code in two.
    for length in range(63, 16, -1):
        while bits[length]:
            shorter = max(index for index in range(1, length - 1) if bits[index])
            bits[length] -= 2
            bits[length - 1] += 1
            bits[shorter + 1] += 2
            bits[shorter] -= 1
    longest = max(index for index in range(17) if bits[index])
    bits[longest] -= 1
    # Figure K.4: symbols keep the order of the unlimited lengths.
    return Table(tuple(bits[1:17]), tuple(sorted(used, key=lambda value: (lengths[value], value))))
