"""Prints, as JSON, what the backend reports of each transfer syntax that it cannot decode.

Per UID: decoder, reason, True if a pydicom plugin or handler accepts it, and the error message of `decode_frame`.
"""

from __future__ import annotations

import json
import warnings

warnings.simplefilter("ignore")
import dicoxide
from dicoxide.plugins import pydicom_v3

report = {}
for uid, (_, decoder, why) in dicoxide.capabilities().items():
    accepts = uid in pydicom_v3.DECODER_DEPENDENCIES, dicoxide.pydicom_handler.supports_transfer_syntax(uid)
    try:
        dicoxide.decode_frame(bytes(2), dicoxide.FrameSpec(uid, 1, 1, bits_allocated=8))
    except dicoxide.UnsupportedError as error:
        report[uid] = decoder, why, any(accepts), str(error)
    except dicoxide.DecodeError:
        pass
print(json.dumps(report))
