"""Sources of pixel data: a file, bytes or a pydicom Dataset, with one interface.

:func:`open_source` returns a :class:`Source`: ``FileSource`` for files and bytes, which the extension reads, or
``DatasetSource`` for data sets, which pydicom has read. Both give the frame description, the frames, the attributes and
the rescale coefficients of an object.
"""

from __future__ import annotations

from dicoxide._sources.attributes import KEYWORDS, SEQUENCES, Attributes
from dicoxide._sources.base import Readable, Source, Transform
from dicoxide._sources.file_object import SeekableFile, read_to_end, seekable_file
from dicoxide._sources.lut_data import lut_bytes, lut_entries, lut_words
from dicoxide._sources.not_dicom import HEAD_BYTES, has_preamble, looks_like_dicom, not_dicom_error
from dicoxide._sources.open import open_and_decode, open_many, open_source, read_incomplete
from dicoxide._sources.real_world_value_mapping import RealWorldMapping, RealWorldValueMap
from dicoxide._sources.value_file import ValueFile

__all__ = [
    "HEAD_BYTES",
    "KEYWORDS",
    "SEQUENCES",
    "Attributes",
    "Readable",
    "RealWorldMapping",
    "RealWorldValueMap",
    "SeekableFile",
    "Source",
    "Transform",
    "ValueFile",
    "has_preamble",
    "looks_like_dicom",
    "lut_bytes",
    "lut_entries",
    "lut_words",
    "not_dicom_error",
    "open_and_decode",
    "open_many",
    "open_source",
    "read_incomplete",
    "read_to_end",
    "seekable_file",
]
