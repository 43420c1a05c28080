"""Many objects at once."""

from dicoxide.bulk._many import decode_many
from dicoxide.bulk.series._geometry import Finding, Geometry
from dicoxide.bulk.series._plans import Found, VolumePlan, plan_series, read_attributes
from dicoxide.bulk.series._volume import Volume, decode_slices, decode_volume, output_dtype, read_series

__all__ = [
    "Finding",
    "Found",
    "Geometry",
    "Volume",
    "VolumePlan",
    "decode_many",
    "decode_slices",
    "decode_volume",
    "output_dtype",
    "plan_series",
    "read_attributes",
    "read_series",
]
