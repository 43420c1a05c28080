"""Decodes the entropy-coded data of JPEG-LS (ITU-T T.87 Annexes A and F) for `reference_jpegls`, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass, field

RUN_ORDERS = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, *range(8, 16)]


class InvalidFrameError(Exception):
    """A frame that is invalid, incomplete or not JPEG-LS; `kind` is that of `DecodeError`."""

    def __init__(self, kind: str, reason: str, offset: int) -> None:
        super().__init__(f"{kind}: {reason} at byte {offset}")
        self.kind = kind


def threshold_defaults(maxval: int, near: int) -> list[int]:
    """Return the default T1, T2 and T3 (figure C.3 and its table)."""
    thresholds: list[int] = []
    low = near + 1
    for basic, offset, slope in ((3, 2, 3), (7, 3, 5), (21, 4, 7)):
        if maxval < 128:
            value = max(offset, basic // (256 // (maxval + 1)) + slope * near)
        else:
            value = (min(maxval, 4095) + 128) // 256 * (basic - offset) + offset + slope * near
        low = value if low <= value <= maxval else low
        thresholds.append(low)
    return thresholds


@dataclass
class Coding:
    """Coding parameters of a scan."""

    maxval: int
    near: int
    thresholds: list[int]
    reset: int

    def __post_init__(self) -> None:
        self.step = 1 + 2 * self.near
        self.range = (self.maxval + 2 * self.near) // self.step + 1
        self.error_bits = 0
        while 1 << self.error_bits < self.range:
            self.error_bits += 1
        bits = 2
        while 1 << bits < self.maxval + 1:
            bits += 1
        self.limit = 2 * (bits + max(bits, 8))

    def region(self, gradient: int) -> int:
        if -self.near <= gradient <= self.near:
            return 0
        first, second, third = self.thresholds
        size = abs(gradient)
        region = 1 if size < first else 2 if size < second else 3 if size < third else 4
        return region if gradient > 0 else -region


class BitReader:
    """Reads the bits of an entropy-coded segment that starts at `offset`; a byte after FF has seven bits."""

    def __init__(self, src: bytes, offset: int) -> None:
        self.src, self.offset, self.byte, self.bits_left = src, offset, 0, 0

    def bit(self) -> int:
        if self.bits_left == 0:
            if self.offset >= len(self.src):
                raise InvalidFrameError("truncated", "entropy-coded data end", self.offset)
            self.bits_left = 7 if self.byte == 0xFF else 8
            self.byte = self.src[self.offset]
            if self.bits_left == 7 and self.byte > 0x7F:
                raise InvalidFrameError("malformed", "a marker before the last sample", self.offset - 1)
            if self.byte == 0xFF and self.offset + 1 < len(self.src) and self.src[self.offset + 1] > 0x7F:
                raise InvalidFrameError("malformed", "a marker before the last sample", self.offset)
            self.offset += 1
        self.bits_left -= 1
        return self.byte >> self.bits_left & 1

    def bits(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = 2 * value + self.bit()
        return value

    def end(self) -> int:
        """Return the offset of the marker that should follow the last bit."""
        # Seven bits of padding follow a last byte FF.
        return self.offset + (self.byte == 0xFF)


@dataclass
class Context:
    """Variables of one context: A, B, C, N of regular mode, A, N, Nn of run interruption samples."""

    total: int
    bias: int = 0
    correction: int = 0
    count: int = 1
    negative: int = 0

    def order(self, total: int) -> int:
        order = 0
        while self.count * 2**order < total:
            order += 1
        return order


@dataclass
class State:
    """State of the decoder within a restart interval."""

    coding: Coding
    columns: int
    component_count: int
    reader: BitReader
    contexts: dict[tuple[int, int, int], Context] = field(default_factory=dict)
    run_indices: list[int] = field(default_factory=list)
    above: list[list[int]] = field(default_factory=list)
    # Samples to the left of the first sample of the line above (Rc of the first sample).
    corners: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.initial = max(2, (self.coding.range + 32) // 64)
        self.interruptions = [Context(self.initial), Context(self.initial)]
        self.run_indices = [0] * self.component_count
        self.above = [[0] * self.columns for _ in range(self.component_count)]
        self.corners = [0] * self.component_count

    def neighbours(self, component: int, line: list[int]) -> tuple[int, int, int, int]:
        """Return Ra, Rb, Rc, Rd of the next sample of `line` (figure 3)."""
        x, above = len(line), self.above[component]
        rb = above[x]
        rd = above[x + 1] if x + 1 < self.columns else rb
        if x == 0:
            return rb, rb, self.corners[component], rd
        return line[-1], rb, above[x - 1], rd

    def regions(self, neighbours: tuple[int, int, int, int]) -> tuple[int, int, int]:
        ra, rb, rc, rd = neighbours
        region = self.coding.region
        return region(rd - rb), region(rb - rc), region(rc - ra)

    def golomb(self, order: int, limit: int) -> int:
        zeros, escape = 0, limit - self.coding.error_bits - 1
        while self.reader.bit() == 0:
            zeros += 1
            if zeros > escape:
                raise InvalidFrameError("malformed", "a Golomb code above the limit", self.reader.offset)
        if zeros == escape:
            return self.reader.bits(self.coding.error_bits) + 1
        return zeros * 2**order + self.reader.bits(order)

    def reconstruct(self, prediction: int, error: int) -> int:
        coding = self.coding
        value = prediction + error * coding.step
        if value < -coding.near:
            value += coding.range * coding.step
        elif value > coding.maxval + coding.near:
            value -= coding.range * coding.step
        return max(0, min(value, coding.maxval))

    def regular(self, regions: tuple[int, int, int], neighbours: tuple[int, int, int, int]) -> int:
        """Decode a sample in regular mode."""
        coding = self.coding
        sign = 1 if regions >= (0, 0, 0) else -1
        key = regions[0] * sign, regions[1] * sign, regions[2] * sign
        context = self.contexts.setdefault(key, Context(self.initial))
        ra, rb, rc, _ = neighbours
        # The median of Ra, Rb and Ra + Rb - Rc (A.4.1).
        prediction = sorted((ra, rb, ra + rb - rc))[1] + sign * context.correction
        prediction = max(0, min(prediction, coding.maxval))
        order = context.order(context.total)
        mapped = self.golomb(order, coding.limit)
        error = -(mapped + 1) // 2 if mapped % 2 else mapped // 2
        if coding.near == 0 and order == 0 and 2 * context.bias <= -context.count:
            error = -error - 1
        context.bias += error * coding.step
        context.total += abs(error)
        if context.count == coding.reset:
            context.total //= 2
            context.bias //= 2
            context.count //= 2
        context.count += 1
        if context.bias <= -context.count:
            context.bias += context.count
            context.correction = max(-128, context.correction - 1)
            context.bias = max(context.bias, -context.count + 1)
        elif context.bias > 0:
            context.bias -= context.count
            context.correction = min(127, context.correction + 1)
            context.bias = min(context.bias, 0)
        return self.reconstruct(prediction, sign * error)

    def run_length(self, component: int, remaining: int) -> int:
        """Decode the length of a run (A.7.1.1): at most `remaining` samples."""
        length = 0
        while self.reader.bit():
            whole = 2 ** RUN_ORDERS[self.run_indices[component]]
            length += whole
            if length <= remaining:
                self.run_indices[component] = min(31, self.run_indices[component] + 1)
            if length >= remaining:
                return remaining
        length += self.reader.bits(RUN_ORDERS[self.run_indices[component]])
        if length >= remaining:
            raise InvalidFrameError("malformed", "a run beyond the line", self.reader.offset)
        return length

    def interruption(self, kind: int, ra: int, rb: int, run_index: int) -> int:
        """Decode the sample that ends a run (A.7.2)."""
        context = self.interruptions[kind]
        order = context.order(context.total + (context.count // 2 if kind == 1 else 0))
        mapped = self.golomb(order, self.coding.limit - RUN_ORDERS[run_index] - 1)
        # Invert 2|E| - RItype - map: |E| is half of the sum with either map, and only one of them fits its own map.
        magnitude = (mapped + kind + 1) // 2
        has_map = (mapped + kind) % 2 == 1
        negative_has_map = 2 * context.negative >= context.count or order != 0
        error = -magnitude if has_map == negative_has_map else magnitude
        context.negative += error < 0
        context.total += (mapped + 1 - kind) // 2
        if context.count == self.coding.reset:
            context.total //= 2
            context.count //= 2
            context.negative //= 2
        context.count += 1
        if kind == 1:
            return self.reconstruct(ra, error)
        return self.reconstruct(rb, -error if ra > rb else error)

    def decode_line(self, component: int) -> list[int]:
        """Decode the line of one component."""
        line: list[int] = []
        while len(line) < self.columns:
            neighbours = self.neighbours(component, line)
            regions = self.regions(neighbours)
            if any(regions):
                line.append(self.regular(regions, neighbours))
                continue
            ra = neighbours[0]
            line += [ra] * self.run_length(component, self.columns - len(line))
            if len(line) < self.columns:
                rb = self.above[component][len(line)]
                kind = 1 if abs(ra - rb) <= self.coding.near else 0
                line.append(self.interruption(kind, ra, rb, self.run_indices[component]))
                self.run_indices[component] = max(0, self.run_indices[component] - 1)
        self.corners[component] = self.above[component][0]
        self.above[component] = line
        return line

    def decode_pixels(self) -> list[list[int]]:
        """Decode a line of all components in sample-interleaved mode."""
        components = range(self.component_count)
        lines: list[list[int]] = [[] for _ in components]
        while len(lines[0]) < self.columns:
            neighbours = [self.neighbours(component, lines[component]) for component in components]
            regions = [self.regions(four) for four in neighbours]
            if any(any(three) for three in regions):
                for component in components:
                    lines[component].append(self.regular(regions[component], neighbours[component]))
                continue
            length = self.run_length(0, self.columns - len(lines[0]))
            for component in components:
                lines[component] += [neighbours[component][0]] * length
            if len(lines[0]) < self.columns:
                for component in components:
                    rb = self.above[component][len(lines[component])]
                    lines[component].append(self.interruption(0, neighbours[component][0], rb, self.run_indices[0]))
                self.run_indices[0] = max(0, self.run_indices[0] - 1)
        self.corners = [above[0] for above in self.above]
        self.above = lines
        return lines
