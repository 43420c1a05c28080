"""Print a digest of rendered samples, which has to be equal at every CPU level."""

import hashlib

import numpy as np

from dicoxide._backend import core

digest = hashlib.sha256()
rng = np.random.default_rng(5)
for name in ("uint8", "int16", "uint16", "int32", "float32"):
    for voi in (("LINEAR", 40, 400), ("LINEAR", 100.25, 77.7), ("SIGMOID", 40, 400), ("RANGE", -100, 3000)):
        for dtype in ("uint8", "uint16", "float32"):
            src = rng.integers(-3000, 5000, 70003).astype(name)
            bits = src.itemsize * 8
            out = np.empty(src.shape, dtype)
            core.render_into(src, core.Rendering.grayscale(name, bits, voi, transform=(0.7, -30.0), dtype=dtype), out)
            digest.update(out)
print(digest.hexdigest())
