"""Video (PS3.5 8.2.5 to 8.2.11) through PyAV, which is imported when the first video is decoded.

.. code-block:: text

    fragments ──► one stream ──► container, packets ──► frames ──────────────► RGB or grey ──► the array
    _fragments    FFmpeg reads   _reader: PyAV          _frames: a cursor      _conversion
                  by position    _index: seek points    decodes in order       swscale
"""

from __future__ import annotations

from dicoxide._video._image import VideoImage
from dicoxide._video._reader import pyav_version, unavailable_reason

__all__ = ["VideoImage", "pyav_version", "unavailable_reason"]
