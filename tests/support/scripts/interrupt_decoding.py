"""Interrupts a decoding loop five times; checks that it ends soon and leaves no threads and no open files.

Arguments: path of a file with 8 frames of 512 columns, and the name of one of the functions below.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np

import dicoxide

path, function_name = sys.argv[1:]


def one_frame(count: int) -> None:
    # The frames of the file, one below the other, make a large one.
    for _ in range(count):
        dicoxide.jpeg_lossless_decode(large)


def frames(count: int) -> None:
    for _ in range(count):
        dicoxide.decode(path, frames=[index % 8 for index in range(200)], threads=2)


def iter_frames(count: int) -> None:
    for _ in range(count):
        for _ in dicoxide.iter_frames(path, frames=[index % 8 for index in range(200)], threads=2):
            pass


def decode_many(count: int) -> None:
    for _ in dicoxide.decode_many([path] * (25 * count), threads=2):
        pass


def resources() -> tuple[int, int, int]:
    """Return the number of Python threads, of system threads and of file descriptors."""
    return threading.active_count(), len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def has_more_than(before: tuple[int, int, int]) -> bool:
    # A thread that was about to end before may have ended since.
    return any(now > then for now, then in zip(resources(), before, strict=True))


class Interrupt(threading.Thread):
    """Sends SIGINT to this process after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.sent_at = 0.0

    def run(self) -> None:
        time.sleep(self.seconds)
        self.sent_at = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)


if function_name == "one_frame":
    image = dicoxide.decode(path).reshape(-1, 512)
    large = dicoxide.jpeg_lossless_encode(np.ascontiguousarray(np.tile(image, (1, 16))), precision=12)
function = globals()[function_name]
begin = time.perf_counter()
function(1)
whole_seconds = time.perf_counter() - begin

shortest = 1.0
for _ in range(5):
    before = resources()
    interrupt = Interrupt(whole_seconds / 4)
    try:
        interrupt.start()
        function(1000)
    except KeyboardInterrupt:
        seconds = time.perf_counter() - interrupt.sent_at
    else:
        sys.exit("not interrupted")
    interrupt.join()
    # The kernel takes a moment to remove a thread that has ended.
    deadline = time.perf_counter() + 5
    while has_more_than(before) and time.perf_counter() < deadline:
        time.sleep(0.001)
    assert not has_more_than(before), (before, resources())
    shortest = min(shortest, seconds / whole_seconds)
# A function that ignored the interrupt would take 1000 times `whole_seconds`.
assert shortest < 0.5, (shortest, whole_seconds)
function(1)
print("passed", shortest, whole_seconds)
