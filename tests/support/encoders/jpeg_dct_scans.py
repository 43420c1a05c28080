"""Entropy coding of scans of DCT coefficients: sequential (ITU-T T.81 F.1.2) and progressive (G.1.2).

A scan becomes a list of tokens. Their Huffman codes follow later, because tables may be derived from the tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from support.encoders.huffman import Table
from support.encoders.jpeg_lossless import pack

Array = npt.NDArray[Any]
# Class (0: DC, 1: AC) and destination of a Huffman table.
Destination = tuple[int, int]
MAX_EOB_RUN = 0x7FFF


class Token(NamedTuple):
    """A Huffman code, or none, and the bits that follow it."""

    table: Destination | None
    symbol: int
    bits: int
    count: int


@dataclass(frozen=True)
class Scan:
    """A scan: indices of components, spectral selection, successive approximation, destinations of tables.

    ``written`` replaces Ss, Se, Ah and Al in the header only. ``segments`` precede the scan header. ``interval``
    changes the restart interval before the scan.
    """

    components: tuple[int, ...]
    start: int = 0
    end: int = 63
    high: int = 0
    low: int = 0
    written: tuple[int, int, int, int] | None = None
    segments: bytes = b""
    interval: int | None = None


@dataclass
class _Coder:
    """Tokens of one restart interval."""

    scan: Scan
    is_progressive: bool
    max_eob_run: int
    tokens: list[Token] = field(default_factory=list)
    predictions: dict[int, int] = field(default_factory=dict)
    eob_run: int = 0
    # Correction bits of the blocks of the run (G.1.2.3).
    run_bits: list[int] = field(default_factory=list)
    ac_table: Destination = (1, 0)

    def code(self, table: Destination, symbol: int, bits: int = 0, count: int = 0) -> None:
        self.tokens.append(Token(table, symbol, bits, count))

    def raw(self, bits: Sequence[int]) -> None:
        self.tokens += [Token(None, 0, bit, 1) for bit in bits]

    def value(self, table: Destination, run: int, value: int) -> None:
        """Code a category and the extra bits of a value (tables F.1 and F.2), after a run of zeros."""
        category = abs(value).bit_length()
        extra = value if value >= 0 else value + (1 << category) - 1
        # A difference of 32768 has no extra bits; JPEG DCT has none that large.
        self.code(table, run << 4 | category, extra, category)

    def dc(self, component: int, table: Destination, value: int) -> None:
        value >>= self.scan.low
        self.value(table, 0, value - self.predictions.get(component, 0))
        self.predictions[component] = value

    def sequential(self, component: int, tables: tuple[int, int], block: list[int]) -> None:
        self.dc(component, (0, tables[0]), block[0])
        self.ac_table = 1, tables[1]
        run = 0
        for value in block[1:]:
            if value == 0:
                run += 1
                continue
            while run > 15:
                self.code(self.ac_table, 0xF0)
                run -= 16
            self.value(self.ac_table, run, value)
            run = 0
        if run:
            self.code(self.ac_table, 0)

    def end_run(self) -> None:
        """Code the run of blocks that end here, and their correction bits."""
        if self.eob_run:
            category = self.eob_run.bit_length() - 1
            self.code(self.ac_table, category << 4, self.eob_run - (1 << category), category)
            self.raw(self.run_bits)
        self.eob_run, self.run_bits = 0, []

    def extend_run(self, bits: Sequence[int]) -> None:
        self.eob_run += 1
        self.run_bits += bits
        if self.eob_run == self.max_eob_run:
            self.end_run()

    def ac_first(self, block: list[int]) -> None:
        run = 0
        for index in range(self.scan.start, self.scan.end + 1):
            # Point transform of AC coefficients: division that rounds to zero (G.1.2.1).
            value = block[index]
            value = -(-value >> self.scan.low) if value < 0 else value >> self.scan.low
            if value == 0:
                run += 1
                continue
            self.end_run()
            while run > 15:
                self.code(self.ac_table, 0xF0)
                run -= 16
            self.value(self.ac_table, run, value)
            run = 0
        if run:
            self.extend_run([])

    def ac_refinement(self, block: list[int]) -> None:
        values = [abs(value) >> self.scan.low for value in block]
        indices = range(self.scan.start, self.scan.end + 1)
        last_new = max((index for index in indices if values[index] == 1), default=-1)
        run, corrections = 0, list[int]()
        for index in indices:
            value = values[index]
            if value == 0:
                run += 1
                continue
            while run > 15 and index <= last_new:
                self.end_run()
                self.code(self.ac_table, 0xF0)
                self.raw(corrections)
                run, corrections = run - 16, []
            if value > 1:
                corrections.append(value & 1)
                continue
            self.end_run()
            self.code(self.ac_table, run << 4 | 1, int(block[index] > 0), 1)
            self.raw(corrections)
            run, corrections = 0, []
        if run or corrections:
            self.extend_run(corrections)

    def block(self, component: int, tables: tuple[int, int], block: list[int]) -> None:
        self.ac_table = 1, tables[1]
        if not self.is_progressive:
            self.sequential(component, tables, block)
        elif self.scan.start == 0:
            if self.scan.high:
                self.raw([block[0] >> self.scan.low & 1])
            else:
                self.dc(component, (0, tables[0]), block[0])
        elif self.scan.high:
            self.ac_refinement(block)
        else:
            self.ac_first(block)


class CodedComponent(NamedTuple):
    """Coefficients of a component, and the parameters that its scans depend on."""

    # Coefficients in zigzag order: block rows, block columns, 64.
    blocks: Array
    sampling: tuple[int, int]
    # Block rows and columns of a scan of this component alone (A.2.2).
    own_size: tuple[int, int]
    # Destinations of the DC and the AC table.
    tables: tuple[int, int]


def _mcus(scan: Scan, components: Sequence[CodedComponent]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield the blocks of each MCU: component, block row, block column (A.2)."""
    if len(scan.components) == 1:
        index = scan.components[0]
        rows, columns = components[index].own_size
        yield from ([(index, row, column)] for row in range(rows) for column in range(columns))
        return
    first = components[scan.components[0]]
    rows = first.blocks.shape[0] // first.sampling[1]
    columns = first.blocks.shape[1] // first.sampling[0]
    for row in range(rows):
        for column in range(columns):
            yield [
                (index, row * vertical + y, column * horizontal + x)
                for index in scan.components
                for horizontal, vertical in [components[index].sampling]
                for y in range(vertical)
                for x in range(horizontal)
            ]


def scan_tokens(
    scan: Scan,
    components: Sequence[CodedComponent],
    *,
    is_progressive: bool,
    restart_interval: int,
    max_eob_run: int = MAX_EOB_RUN,
) -> list[list[Token]]:
    """Return the tokens of each restart interval."""
    lists = {index: components[index].blocks.tolist() for index in scan.components}
    intervals: list[list[Token]] = []
    coder = _Coder(scan, is_progressive, max_eob_run)
    for number, mcu in enumerate(_mcus(scan, components)):
        if restart_interval and number and number % restart_interval == 0:
            coder.end_run()
            intervals.append(coder.tokens)
            coder = _Coder(scan, is_progressive, max_eob_run)
        for index, row, column in mcu:
            coder.block(index, components[index].tables, lists[index][row][column])
    coder.end_run()
    return [*intervals, coder.tokens]


def entropy_coded(tokens: Sequence[Token], tables: dict[Destination, Table], pad_bit: int = 1) -> bytes:
    """Return the entropy-coded segment of one restart interval, with stuffed bytes."""
    codes = {destination: table.codes() for destination, table in tables.items()}
    values, lengths = [], []
    for token in tokens:
        code, length = codes[token.table][token.symbol] if token.table is not None else (0, 0)
        values.append(code << token.count | token.bits)
        lengths.append(length + token.count)
    if not tokens:
        return b""
    return pack(np.array(values, np.int64), np.array(lengths, np.int64), pad_bit)
