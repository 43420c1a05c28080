"""Many objects at once."""

from dicoxide.bulk._geometry import Finding, Geometry
from dicoxide.bulk._many import decode_many
from dicoxide.bulk._series import Found, VolumePlan, plan_series, read_attributes
from dicoxide.bulk._volume import Volume, decode_slices, decode_volume, output_dtype, read_series

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
