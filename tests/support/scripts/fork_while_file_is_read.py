"""Forks while a thread reads a file object; the child decodes the same object."""

from __future__ import annotations

import io
import os
import threading

import numpy as np

import dicoxide
from support.single_frame_files import frames, image

frame = frames(1)[0]
data = image(frame)
is_reading, may_end = threading.Event(), threading.Event()


class SlowFile(io.BytesIO):
    is_slow = False

    def read(self, count: int | None = -1) -> bytes:
        if self.is_slow:
            is_reading.set()
            may_end.wait()
        return super().read(count)


file = SlowFile(data)
opened = dicoxide.open(file)
file.is_slow = True
thread = threading.Thread(target=dicoxide.decode, args=(file,))
thread.start()
is_reading.wait()
if (child := os.fork()) == 0:
    file.is_slow = False
    file.seek(0)
    is_equal = np.array_equal(opened[0], frame) and np.array_equal(dicoxide.decode(file), frame)
    os._exit(0 if is_equal else 1)
_, status = os.waitpid(child, 0)
may_end.set()
thread.join()
print("decoded" if status == 0 else f"status {status}")
