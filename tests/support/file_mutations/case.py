"""A case of a mutation, its result, and changes of bytes that several mutators make."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from support.file_mutations.file_layout import Layout

NUMBERS = [0, 1, 2, 3, 8, 12, 16, 24, 32, 64, 255, 256, 32767, 65535]
_VALUES = [0, 1, 2, 0x10, 0x40, 0x7F, 0x80, 0xC3, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDD, 0xFE, 0xFF]


class Expectation(Enum):
    """Expected outcome of decoding a mutant."""

    ANY = "any"
    # Only bytes that decoding does not use were changed: the array of the unchanged file.
    UNCHANGED = "unchanged"
    # Bytes are missing: the array of the unchanged file, or an error.
    UNCHANGED_OR_ERROR = "unchanged or error"


@dataclass(frozen=True)
class Mutant:
    """The bytes of a case, the name of their mutator, and the expected outcome."""

    data: bytes
    mutator: str
    expectation: Expectation


@dataclass
class Case:
    """A file, the number of a case, and its random generator; `donor` is a file to take bytes from."""

    layout: Layout
    number: int
    rng: random.Random
    donor: Layout

    @property
    def data(self) -> bytes:
        return self.layout.data

    def random_offset(self) -> int:
        """Return an offset: of a structure of the file, a few bytes from one, or a random one."""
        if self.rng.random() < 0.2:
            return self.rng.randrange(len(self.data) + 1)
        near = self.rng.choice(self.layout.structure_offsets) + self.rng.choice([0, 0, 0, 1, -1, 2, 7])
        return min(max(near, 0), len(self.data))


def change_byte(data: bytearray, rng: random.Random, start: int, stop: int) -> None:
    """Flips one bit of a byte in [start, stop), or replaces the byte."""
    stop = min(stop, len(data))
    if start >= stop:
        return
    offset = rng.randrange(start, stop)
    if rng.random() < 0.6:
        data[offset] ^= 1 << rng.randrange(8)
    else:
        data[offset] = rng.choice(_VALUES)
