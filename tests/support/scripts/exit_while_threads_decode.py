"""Ends the interpreter while daemon threads decode.

Arguments: path, the name of the function that decodes, and seconds until the end.
"""

from __future__ import annotations

import sys
import threading
import time

import dicoxide

path, function, seconds = sys.argv[1:]
barrier = threading.Barrier(4)


def decode() -> None:
    barrier.wait()
    while True:
        if function == "decode":
            dicoxide.decode(path, threads=2)
        elif function == "iter_frames":
            list(dicoxide.iter_frames(path, threads=2))
        elif function == "decode_many":
            list(dicoxide.decode_many([path] * 4, threads=2))
        else:
            import pydicom

            dicoxide.enable(threads=2)
            _ = pydicom.dcmread(path).pixel_array


for _ in range(3):
    threading.Thread(target=decode, daemon=True).start()
barrier.wait()
time.sleep(float(seconds))
print("the end")
