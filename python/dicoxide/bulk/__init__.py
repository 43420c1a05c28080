"""Many objects at once."""

from dicoxide.bulk._many import decode_many

__all__ = ["decode_many"]
