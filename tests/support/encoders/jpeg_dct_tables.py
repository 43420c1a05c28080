"""Tables of JPEG DCT processes: zigzag order (T.81 figure 5), typical tables of Annex K, unusual Huffman tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders.huffman import Table, optimal

Array = npt.NDArray[Any]


def _zigzag() -> list[int]:
    """Return the position in natural order (row x 8 + column) of each coefficient in zigzag order."""

    def order(position: int) -> tuple[int, int]:
        row, column = divmod(position, 8)
        diagonal = row + column
        # Odd diagonals run down to the left, even ones up to the right.
        return diagonal, row if diagonal % 2 else column

    return sorted(range(64), key=order)


ZIGZAG = np.array(_zigzag())

# Tables K.1 and K.2, natural order.
LUMINANCE_QUANTIZATION = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.int64,
).reshape(64)
CHROMINANCE_QUANTIZATION = np.array(
    [17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66]
    + [99] * 38,
    np.int64,
)

DC_LUMINANCE = Table((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0), tuple(range(12)))
DC_CHROMINANCE = Table((0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0), tuple(range(12)))
AC_LUMINANCE = Table(
    (0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125),
    tuple(
        bytes.fromhex(
            "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738"
            "393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5"
            "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
        )
    ),
)
AC_CHROMINANCE = Table(
    (0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119),
    tuple(
        bytes.fromhex(
            "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a353637"
            "38393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3"
            "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
        )
    ),
)
# Tables K.3 to K.6 by class (0: DC, 1: AC) and destination.
TYPICAL = {(0, 0): DC_LUMINANCE, (1, 0): AC_LUMINANCE, (0, 1): DC_CHROMINANCE, (1, 1): AC_CHROMINANCE}


def quantization(table: Array, quality: int, largest: int = 255) -> Array:
    """Return a table of Annex K, scaled for a quality of 1 to 100, values 1 to ``largest``."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, largest)


def huffman_table(name: str, destination: tuple[int, int], symbols: Iterable[int]) -> Table:
    """Return the table of that name for these symbols: ``"optimal"``, ``"typical"`` or ``"long"``."""
    if name == "typical":
        return TYPICAL[destination]
    counts = Counter(symbols)
    if name == "long":
        # The rarest symbols have codes of 1 to 8 bits, all others codes of 16 bits.
        rarest = sorted(counts, key=lambda symbol: (counts[symbol], symbol)) or [0]
        short = min(8, len(rarest) - 1)
        return Table((*[1] * short, *[0] * (15 - short), len(rarest) - short), tuple(rarest))
    assert name == "optimal"
    return optimal([counts[symbol] for symbol in range(256)]) if counts else Table((1, *[0] * 15), (0,))
