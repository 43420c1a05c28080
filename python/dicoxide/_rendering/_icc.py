"""Conversion of colours to sRGB by the ICC profile of a data set (PS3.3 C.11.15), through Pillow."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide._deviations import Deviation
from dicoxide._extras import require
from dicoxide._rendering._attribute_values import read_values
from dicoxide._sources import Attributes

__all__ = ["read_profile", "srgb_transform", "to_srgb"]

_CLAUSE = "PS3.3 C.11.15"


def read_profile(attributes: Attributes, deviations: list[Deviation]) -> bytes | None:
    """Return ICC Profile (0028,2000) of the data set, or of its first optical path; None if there is none."""
    values = read_values(attributes, ("ICCProfile", "OpticalPathSequence"), deviations)
    profile = values.get("ICCProfile")
    for item in values.get("OpticalPathSequence") or ():
        profile = profile or read_values(item, ("ICCProfile",), deviations).get("ICCProfile")
    return bytes(profile) if isinstance(profile, (bytes, bytearray)) else None


def srgb_transform(profile: bytes) -> tuple[Any, Deviation | None]:
    """Return Pillow's transform from a profile to sRGB, or None with the deviation if the profile cannot be used."""
    require("pillow", feature="icc=True")
    return _cached_transform(profile)


@lru_cache(maxsize=8)
def _cached_transform(profile: bytes) -> tuple[Any, Deviation | None]:
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, SyntaxError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        return None, Deviation(None, f"ICC Profile cannot be used: {text[:120]}: not applied", _CLAUSE, None)
    return transform, None


def to_srgb(frame: Array, transform: Any) -> None:
    """Convert a frame in place: (rows, columns, 3), uint8."""
    from PIL import Image, ImageCms

    converted = ImageCms.applyTransform(Image.fromarray(frame), transform)
    frame[...] = np.asarray(converted)
