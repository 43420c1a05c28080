"""Volumes from files: find files, read headers, group and sort frames, decode each volume into one array.

    paths ─► headers ─► groups ─► positions ─► fourth axis ─► VolumePlan ─► array
             threads    size,     along the    echo, time,    can be        threads, or tasks
                        type, …   normal       b-value, …     pickled       of dicoxide.dask

Every frame is in one volume, or a finding names it: none is dropped silently. The geometry is that of ITK's series
reader, except that the affine of a sheared stack (gantry tilt) keeps the shear.

Import from this package, not from its modules. It does not use ``dicoxide.bulk.runs``.
"""

from dicoxide.bulk._on_error import OnError
from dicoxide.bulk.series._acquisition import Acquisition, read_acquisition
from dicoxide.bulk.series._discover import (
    CandidateFile,
    FileFinder,
    Paths,
    SkippedFile,
    UnreadableFile,
    has_dicom_suffix,
)
from dicoxide.bulk.series._frame_headers import Slice
from dicoxide.bulk.series._geometry import Finding, Geometry
from dicoxide.bulk.series._grouping import plan_headers, subset_plan
from dicoxide.bulk.series._headers import Header, read_header, read_headers
from dicoxide.bulk.series._plan import SeriesResult, VolumePlan
from dicoxide.bulk.series._planning import plan_series, read_attributes, read_units
from dicoxide.bulk.series._slice_rendering import SliceRendering, render_frames
from dicoxide.bulk.series._slices import SliceSource, check_frame_size, decode_into, real_world_units
from dicoxide.bulk.series._split_options import (
    NO_SPLIT_OPTIONS,
    Keywords,
    SplitOptions,
    parse_split_options,
)
from dicoxide.bulk.series._value_range import ValueRange, check_measurable, join_ranges, measure_slices
from dicoxide.bulk.series._volume import (
    decode_slices,
    decode_volume,
    make_volume,
    output_dtype,
    read_series,
)
from dicoxide.bulk.series._volume_array import Volume

__all__ = [
    "NO_SPLIT_OPTIONS",
    "Acquisition",
    "CandidateFile",
    "FileFinder",
    "Finding",
    "Geometry",
    "Header",
    "Keywords",
    "OnError",
    "Paths",
    "SeriesResult",
    "SkippedFile",
    "Slice",
    "SliceRendering",
    "SliceSource",
    "SplitOptions",
    "UnreadableFile",
    "ValueRange",
    "Volume",
    "VolumePlan",
    "check_frame_size",
    "check_measurable",
    "decode_into",
    "decode_slices",
    "decode_volume",
    "has_dicom_suffix",
    "join_ranges",
    "make_volume",
    "measure_slices",
    "output_dtype",
    "parse_split_options",
    "plan_headers",
    "plan_series",
    "read_acquisition",
    "read_attributes",
    "read_header",
    "read_headers",
    "read_series",
    "read_units",
    "real_world_units",
    "render_frames",
    "subset_plan",
]
