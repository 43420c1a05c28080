"""Bit and arithmetic coding of JPEG 2000 code-blocks and packet headers, written from ITU-T T.800 (Annex C, B.10.1)."""

from __future__ import annotations

from collections.abc import Iterable

# Qe, next index after the more and the less probable symbol, switch of the more probable symbol (Table C.2).
STATES = (
    (0x5601, 1, 1, 1),
    (0x3401, 2, 6, 0),
    (0x1801, 3, 9, 0),
    (0x0AC1, 4, 12, 0),
    (0x0521, 5, 29, 0),
    (0x0221, 38, 33, 0),
    (0x5601, 7, 6, 1),
    (0x5401, 8, 14, 0),
    (0x4801, 9, 14, 0),
    (0x3801, 10, 14, 0),
    (0x3001, 11, 17, 0),
    (0x2401, 12, 18, 0),
    (0x1C01, 13, 20, 0),
    (0x1601, 29, 21, 0),
    (0x5601, 15, 14, 1),
    (0x5401, 16, 14, 0),
    (0x5101, 17, 15, 0),
    (0x4801, 18, 16, 0),
    (0x3801, 19, 17, 0),
    (0x3401, 20, 18, 0),
    (0x3001, 21, 19, 0),
    (0x2801, 22, 19, 0),
    (0x2401, 23, 20, 0),
    (0x2201, 24, 21, 0),
    (0x1C01, 25, 22, 0),
    (0x1801, 26, 23, 0),
    (0x1601, 27, 24, 0),
    (0x1401, 28, 25, 0),
    (0x1201, 29, 26, 0),
    (0x1101, 30, 27, 0),
    (0x0AC1, 31, 28, 0),
    (0x09C1, 32, 29, 0),
    (0x08A1, 33, 30, 0),
    (0x0521, 34, 31, 0),
    (0x0441, 35, 32, 0),
    (0x02A1, 36, 33, 0),
    (0x0221, 37, 34, 0),
    (0x0141, 38, 35, 0),
    (0x0111, 39, 36, 0),
    (0x0085, 40, 37, 0),
    (0x0049, 41, 38, 0),
    (0x0025, 42, 39, 0),
    (0x0015, 43, 40, 0),
    (0x0009, 44, 41, 0),
    (0x0005, 45, 42, 0),
    (0x0001, 45, 43, 0),
    (0x5601, 46, 46, 0),
)
# Contexts with an initial index other than 0 (Table D.7).
CONTEXT_COUNT, RUN_LENGTH, UNIFORM = 19, 17, 18
INITIAL_INDICES = {0: 4, RUN_LENGTH: 3, UNIFORM: 46}


class Contexts:
    """Index and more probable symbol of each context, together as 2 · index + symbol."""

    def __init__(self) -> None:
        self.states = [0] * CONTEXT_COUNT
        self.reset()

    def reset(self) -> None:
        self.states[:] = [2 * INITIAL_INDICES.get(context, 0) for context in range(CONTEXT_COUNT)]


class MqEncoder:
    """Arithmetic encoder of one codeword segment (C.2); its first byte stands for the byte before the segment."""

    def __init__(self) -> None:
        self.a, self.c, self.ct, self.out = 0x8000, 0, 12, bytearray(1)

    def __len__(self) -> int:
        return len(self.out) - 1

    def encode(self, symbols: Iterable[int], contexts: Contexts) -> None:
        """Encode symbols, each as 2 · context + decision."""
        a, c, ct, states = self.a, self.c, self.ct, contexts.states
        for symbol in symbols:
            context = symbol >> 1
            state = states[context]
            qe, after_mps, after_lps, switch = STATES[state >> 1]
            a -= qe
            if symbol & 1 == state & 1:
                if a & 0x8000:
                    c += qe
                    continue
                if a < qe:
                    a = qe
                else:
                    c += qe
                states[context] = 2 * after_mps | state & 1
            else:
                if a < qe:
                    c += qe
                else:
                    a = qe
                states[context] = 2 * after_lps | (state & 1) ^ switch
            while not a & 0x8000:
                a <<= 1
                c <<= 1
                ct -= 1
                if not ct:
                    c, ct = self.byte_out(c)
        self.a, self.c, self.ct = a, c, ct

    def byte_out(self, c: int) -> tuple[int, int]:
        """Append a byte of the code register; return the rest and the bits to shift until the next byte (C.2.7)."""
        out = self.out
        if out[-1] != 0xFF and c >= 0x8000000:
            out[-1] += 1
            c &= 0x7FFFFFF
        if out[-1] == 0xFF:
            out.append(c >> 20)
            return c & 0xFFFFF, 7
        out.append(c >> 19)
        return c & 0x7FFFF, 8

    def flush(self) -> bytes:
        """Terminate the segment (C.2.9)."""
        limit = self.c + self.a
        self.c |= 0xFFFF
        if self.c >= limit:
            self.c -= 0x8000
        for _ in range(2):
            self.c, self.ct = self.byte_out(self.c << self.ct)
        return self.finish()

    def flush_predictably(self) -> bytes:
        """Terminate the segment so that a decoder can detect errors (D.4.2, predictable termination)."""
        remaining = 12 - self.ct
        while remaining > 0:
            self.c, self.ct = self.byte_out(self.c << self.ct)
            remaining -= self.ct
        if self.out[-1] != 0xFF:
            self.byte_out(self.c << self.ct)
        return self.finish()

    def finish(self) -> bytes:
        if self.out[-1] == 0xFF:
            del self.out[-1]
        return bytes(self.out[1:])


class StuffedBits:
    """Collects bits, most significant bit first; a zero bit follows each byte FF (B.10.1, D.6)."""

    def __init__(self) -> None:
        self.out, self.value, self.free = bytearray(), 0, 8

    def put(self, value: int, count: int = 1) -> None:
        for shift in range(count - 1, -1, -1):
            self.value = self.value << 1 | value >> shift & 1
            self.free -= 1
            if not self.free:
                self.out.append(self.value)
                self.free = 7 if self.value == 0xFF else 8
                self.value = 0

    @property
    def is_aligned(self) -> bool:
        """True if no bits are pending, and no stuffed bit."""
        return self.free == 8

    def flush_header(self) -> bytes:
        """Fill the last byte of a packet header with zeros."""
        while not self.is_aligned:
            self.put(0)
        return bytes(self.out)

    def flush_raw(self) -> bytes:
        """Fill the last byte of a raw codeword segment with 0 and 1 in turn, which predictable termination needs."""
        bit = 0
        while not self.is_aligned:
            self.put(bit)
            bit ^= 1
        return bytes(self.out)
