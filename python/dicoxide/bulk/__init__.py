"""Many objects in one call: `decode_many`, and volumes of series.

Subpackages: ``series`` makes volumes of files, ``runs`` is the bulk decoding of the command line. Import from the
packages, not from their modules. Nothing here imports pydicom.
"""

from dicoxide.bulk._many import decode_many
from dicoxide.bulk._on_error import OnError, check_on_error
from dicoxide.bulk._render_options import render_options
from dicoxide.bulk.series import (
    Finding,
    Geometry,
    SeriesResult,
    Volume,
    VolumePlan,
    decode_slices,
    decode_volume,
    output_dtype,
    plan_series,
    read_attributes,
    read_series,
)

__all__ = [
    "Finding",
    "Geometry",
    "OnError",
    "SeriesResult",
    "Volume",
    "VolumePlan",
    "check_on_error",
    "decode_many",
    "decode_slices",
    "decode_volume",
    "output_dtype",
    "plan_series",
    "read_attributes",
    "read_series",
    "render_options",
]
