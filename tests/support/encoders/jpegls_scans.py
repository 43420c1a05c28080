"""Entropy coding of JPEG-LS scans for tests, written from ITU-T T.87 Annex A (encoding procedures).

`encode_scan` returns the bytes of one scan, with restart markers, and the samples that a decoder reconstructs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Lines = list[list[int]]

# Orders of the run lengths, code segment A.15.
J = (*[0] * 4, *[1] * 4, *[2] * 4, *[3] * 4, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15)
MIN_C, MAX_C = -128, 127


@dataclass(frozen=True)
class Presets:
    """Preset coding parameters of an LSE segment of type 1; zero selects the default value (C.2.4.1.1)."""

    maxval: int = 0
    t1: int = 0
    t2: int = 0
    t3: int = 0
    reset: int = 0


def default_thresholds(maxval: int, near: int) -> tuple[int, int, int]:
    """Return the default T1, T2 and T3 (C.2.4.1.1.1)."""

    def clamp(value: int, low: int) -> int:
        return low if value > maxval or value < low else value

    if maxval >= 128:
        factor = (min(maxval, 4095) + 128) // 256
        raw = [factor * (basic - start) + start for basic, start in ((3, 2), (7, 3), (21, 4))]
        t1 = clamp(raw[0] + 3 * near, near + 1)
        t2 = clamp(raw[1] + 5 * near, t1)
        return t1, t2, clamp(raw[2] + 7 * near, t2)
    factor = 256 // (maxval + 1)
    t1 = clamp(max(2, 3 // factor + 3 * near), near + 1)
    t2 = clamp(max(3, 7 // factor + 5 * near), t1)
    return t1, t2, clamp(max(4, 21 // factor + 7 * near), t2)


class Parameters:
    """Coding parameters of a scan with their derived values (A.2.1)."""

    def __init__(self, precision: int, near: int, presets: Presets) -> None:
        self.near = near
        self.maxval = presets.maxval or (1 << precision) - 1
        defaults = default_thresholds(self.maxval, near)
        given = presets.t1, presets.t2, presets.t3
        self.thresholds = [value or default for value, default in zip(given, defaults, strict=True)]
        self.reset = presets.reset or 64
        self.step = 2 * near + 1
        self.range = (self.maxval + 2 * near) // self.step + 1
        self.qbpp = (self.range - 1).bit_length()
        bpp = max(2, self.maxval.bit_length())
        self.limit = 2 * (bpp + max(8, bpp))


class BitWriter:
    """Collects bits and writes them with a zero bit after each byte FF (A.1)."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def put(self, value: int, count: int) -> None:
        if count:
            self.parts.append(f"{value:0{count}b}")

    def golomb(self, k: int, limit: int, qbpp: int, value: int) -> None:
        """Append a limited-length Golomb code (A.5.3)."""
        high = value >> k
        if high < limit - qbpp - 1:
            self.parts.append("0" * high + "1")
            self.put(value & (1 << k) - 1, k)
        else:
            self.parts.append("0" * (limit - qbpp - 1) + "1")
            self.put(value - 1, qbpp)

    def finish(self, pad_bit: int) -> bytes:
        bits, out, offset = "".join(self.parts), bytearray(), 0
        # A last byte FF would be read as the start of a marker, so a byte of padding follows it.
        while offset < len(bits) or (out and out[-1] == 0xFF):
            count = 7 if out and out[-1] == 0xFF else 8
            chunk = bits[offset : offset + count]
            out.append(int(chunk.ljust(count, str(pad_bit if chunk else 0)), 2))
            offset += count
        return bytes(out)


class IntervalEncoder:
    """Encodes the lines of one restart interval. Its context variables are those of A.2.1 and A.7."""

    def __init__(self, parameters: Parameters, columns: int, component_count: int) -> None:
        self.parameters, self.columns = parameters, columns
        self.bits = BitWriter()
        initial = max(2, (parameters.range + 32) // 64)
        self.a, self.n = [initial] * 367, [1] * 367
        self.b, self.c, self.negative = [0] * 365, [0] * 365, [0] * 2
        self.run_index = [0] * component_count
        # Reconstructed line above, with the samples to the left and to the right of it (A.2.1).
        self.above = [[0] * (columns + 2) for _ in range(component_count)]

    def quantize_gradient(self, difference: int) -> int:
        """Return the region of a gradient (A.3.3)."""
        size = abs(difference)
        if size <= self.parameters.near:
            return 0
        region = 1 + sum(size >= threshold for threshold in self.parameters.thresholds)
        return region if difference > 0 else -region

    def context(self, above: list[int], line: list[int], x: int) -> int:
        """Return the context of the sample at ``x`` as 81 Q1 + 9 Q2 + Q3; its sign is SIGN (A.3.4)."""
        rb, rc = above[x], above[x - 1]
        gradients = above[x + 1] - rb, rb - rc, rc - line[x - 1]
        q1, q2, q3 = (self.quantize_gradient(value) for value in gradients)
        return 81 * q1 + 9 * q2 + q3

    def quantize_error(self, error: int) -> int:
        """Quantise a prediction error for near-lossless coding (A.4.4)."""
        near, step = self.parameters.near, self.parameters.step
        return (error + near) // step if error > 0 else -((near - error) // step)

    def reconstruct(self, prediction: int, error: int) -> int:
        return min(max(prediction + error * self.parameters.step, 0), self.parameters.maxval)

    def reduce(self, error: int) -> int:
        """Reduce an error modulo RANGE (A.4.5)."""
        if error < 0:
            error += self.parameters.range
        return error - self.parameters.range if error >= (self.parameters.range + 1) // 2 else error

    def golomb_order(self, index: int, total: int) -> int:
        k = 0
        while self.n[index] << k < total:
            k += 1
        return k

    def regular(self, context: int, above: list[int], line: list[int], x: int) -> None:
        """Encode a sample in regular mode (A.4 to A.6)."""
        parameters, sign, q = self.parameters, -1 if context < 0 else 1, abs(context)
        ra, rb, rc = line[x - 1], above[x], above[x - 1]
        prediction = min(ra, rb) if rc >= max(ra, rb) else max(ra, rb) if rc <= min(ra, rb) else ra + rb - rc
        prediction = min(max(prediction + sign * self.c[q], 0), parameters.maxval)
        error = self.quantize_error(sign * (line[x] - prediction))
        line[x] = self.reconstruct(prediction, sign * error)
        error = self.reduce(error)
        k = self.golomb_order(q, self.a[q])
        if parameters.near == 0 and k == 0 and 2 * self.b[q] <= -self.n[q]:
            mapped = 2 * error + 1 if error >= 0 else -2 * (error + 1)
        else:
            mapped = 2 * error if error >= 0 else -2 * error - 1
        self.bits.golomb(k, parameters.limit, parameters.qbpp, mapped)
        self.update(q, error)

    def update(self, q: int, error: int) -> None:
        """Update the variables of a context (code segments A.12 and A.13)."""
        self.b[q] += error * self.parameters.step
        self.a[q] += abs(error)
        if self.n[q] == self.parameters.reset:
            self.a[q] >>= 1
            self.b[q] >>= 1
            self.n[q] >>= 1
        self.n[q] += 1
        if self.b[q] <= -self.n[q]:
            self.c[q] = max(self.c[q] - 1, MIN_C)
            self.b[q] = max(self.b[q] + self.n[q], 1 - self.n[q])
        elif self.b[q] > 0:
            self.c[q] = min(self.c[q] + 1, MAX_C)
            self.b[q] = min(self.b[q] - self.n[q], 0)

    def run_length(self, component: int, length: int, is_interrupted: bool) -> None:
        """Append the length of a run (A.7.1.2)."""
        while length >= 1 << J[self.run_index[component]]:
            self.bits.put(1, 1)
            length -= 1 << J[self.run_index[component]]
            self.run_index[component] = min(self.run_index[component] + 1, 31)
        if is_interrupted:
            self.bits.put(0, 1)
            self.bits.put(length, J[self.run_index[component]])
        elif length:
            self.bits.put(1, 1)

    def interruption(self, ra: int, rb: int, value: int, run_index: int, kind: int) -> int:
        """Encode the sample after a run (A.7.2) with RItype ``kind``; return the reconstructed sample."""
        parameters = self.parameters
        prediction = ra if kind else rb
        sign = -1 if kind == 0 and ra > rb else 1
        error = self.quantize_error(sign * (value - prediction))
        reconstructed = self.reconstruct(prediction, sign * error)
        error = self.reduce(error)
        q = 365 + kind
        k = self.golomb_order(q, self.a[q] + (self.n[q] >> 1) * kind)
        is_mostly_negative = 2 * self.negative[kind] >= self.n[q]
        is_mapped = (error > 0 and k == 0 and not is_mostly_negative) or (error < 0 and (is_mostly_negative or k != 0))
        mapped = 2 * abs(error) - kind - is_mapped
        self.bits.golomb(k, parameters.limit - J[run_index] - 1, parameters.qbpp, mapped)
        self.negative[kind] += error < 0
        self.a[q] += (mapped + 1 - kind) >> 1
        if self.n[q] == parameters.reset:
            self.a[q] >>= 1
            self.n[q] >>= 1
            self.negative[kind] >>= 1
        self.n[q] += 1
        return reconstructed

    def start(self, lines: Sequence[list[int]]) -> Lines:
        """Return lines with the sample to the left; extend the lines above to the right."""
        for above in self.above:
            above[-1] = above[-2]
        return [[above[1], *line] for above, line in zip(self.above, lines, strict=True)]

    def finish(self, lines: Lines) -> Lines:
        self.above = [[*line, 0] for line in lines]
        return [line[1:] for line in lines]

    def encode_lines(self, samples: Sequence[list[int]]) -> Lines:
        """Encode a line of each component, one after the other; return the reconstructed lines."""
        lines = self.start(samples)
        for component, (above, line) in enumerate(zip(self.above, lines, strict=True)):
            x = 1
            while x <= self.columns:
                context = self.context(above, line, x)
                if context:
                    self.regular(context, above, line, x)
                    x += 1
                    continue
                ra, start = line[x - 1], x
                while x <= self.columns and abs(line[x] - ra) <= self.parameters.near:
                    line[x] = ra
                    x += 1
                self.run_length(component, x - start, x <= self.columns)
                if x <= self.columns:
                    kind = int(abs(ra - above[x]) <= self.parameters.near)
                    line[x] = self.interruption(ra, above[x], line[x], self.run_index[component], kind)
                    self.run_index[component] = max(self.run_index[component] - 1, 0)
                    x += 1
        return self.finish(lines)

    def encode_pixels(self, samples: Sequence[list[int]]) -> Lines:
        """Encode one line in sample-interleaved mode, where a run is a run of all components."""
        lines, near = self.start(samples), self.parameters.near
        pairs = list(zip(self.above, lines, strict=True))
        x = 1
        while x <= self.columns:
            contexts = [self.context(above, line, x) for above, line in pairs]
            if any(contexts):
                for context, (above, line) in zip(contexts, pairs, strict=True):
                    self.regular(context, above, line, x)
                x += 1
                continue
            start = x
            values = [line[x - 1] for line in lines]
            while x <= self.columns and all(
                abs(line[x] - value) <= near for line, value in zip(lines, values, strict=True)
            ):
                for line, value in zip(lines, values, strict=True):
                    line[x] = value
                x += 1
            self.run_length(0, x - start, x <= self.columns)
            if x <= self.columns:
                for (above, line), value in zip(pairs, values, strict=True):
                    line[x] = self.interruption(value, above[x], line[x], self.run_index[0], 0)
                self.run_index[0] = max(self.run_index[0] - 1, 0)
                x += 1
        return self.finish(lines)


@dataclass(frozen=True)
class Coded:
    """Entropy-coded segments of a scan, one per restart interval, and the reconstructed lines of each component."""

    segments: list[bytes]
    lines: list[Lines]


def encode_scan(
    planes: Sequence[Lines], parameters: Parameters, *, is_by_sample: bool, lines_per_interval: int, pad_bit: int
) -> Coded:
    """Encode the lines of the components of one scan."""
    rows, columns = len(planes[0]), len(planes[0][0])
    rebuilt: list[Lines] = [[] for _ in planes]
    segments = []
    for start in range(0, rows, lines_per_interval or rows):
        interval = IntervalEncoder(parameters, columns, len(planes))
        for row in range(start, min(start + (lines_per_interval or rows), rows)):
            encode = interval.encode_pixels if is_by_sample else interval.encode_lines
            for lines, line in zip(rebuilt, encode([plane[row] for plane in planes]), strict=True):
                lines.append(line)
        segments.append(interval.bits.finish(pad_bit))
    return Coded(segments, rebuilt)
