"""Access units at which decoding can start: headers of MPEG-2, H.264 and HEVC.

Only units after which every frame is exact are access points:

    closed   no unit from here on refers to an earlier one, and no frame of an earlier unit follows in output order:
             IDR (H.264, HEVC), MPEG-2 group of pictures with closed_gop
    open     frames that precede this one in output order may refer to earlier units; the others do not:
             CRA and BLA (HEVC), MPEG-2 intra picture, H.264 recovery point that is exact at once
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

_START_CODE = b"\x00\x00\x01"
_MPEG2_SEQUENCE_HEADER = b"\x00\x00\x01\xb3"
_MPEG2_GROUP_HEADER = b"\x00\x00\x01\xb8"
# NAL unit types: H.264 Table 7-1, HEVC Table 7-1.
_H264_SLICE_TYPES = (1, 2)
_H264_IDR, _H264_SEI = 5, 6
_H264_RECOVERY_POINT = 6
_HEVC_IDR = (19, 20)
_HEVC_OPEN = (16, 17, 18, 21)
_HEVC_VCL_TYPES = range(32)
# NAL units before the first slice of an access unit: parameter sets, SEI.
_MAX_UNITS = 64


class AccessPoint(Enum):
    """Kind of an access unit at which decoding can start."""

    CLOSED = "closed"
    OPEN = "open"


def classify(data: bytes, codec: str, extradata: bytes | None) -> AccessPoint | None:
    """Return the kind of an access unit with a key frame, or None if decoding cannot start exactly there.

    Parameters
    ----------
    data : bytes
        The access unit.
    codec : str
        FFmpeg's name of the codec.
    extradata : bytes, optional
        Configuration record of the container (ISO/IEC 14496-15), which gives the size of length fields.
    """
    if codec == "h264":
        return _classify_h264(_units(data, _length_bytes(extradata, 4)))
    if codec == "hevc":
        return _classify_hevc(_units(data, _length_bytes(extradata, 21)))
    if codec == "mpeg2video":
        return _classify_mpeg2(data)
    return None


def _classify_mpeg2(data: bytes) -> AccessPoint | None:
    if _MPEG2_SEQUENCE_HEADER not in data:
        return None
    group = data.find(_MPEG2_GROUP_HEADER)
    # 25 bits of time code, then closed_gop (ISO/IEC 13818-2, 6.2.2.6).
    is_closed = 0 <= group < len(data) - 7 and data[group + 7] & 0x40
    return AccessPoint.CLOSED if is_closed else AccessPoint.OPEN


def _classify_h264(units: Iterator[bytes]) -> AccessPoint | None:
    is_exact_recovery = False
    for unit in units:
        unit_type = unit[0] & 0x1F
        if unit_type == _H264_IDR:
            return AccessPoint.CLOSED
        if unit_type == _H264_SEI:
            is_exact_recovery = is_exact_recovery or _has_exact_recovery_point(unit)
        elif unit_type in _H264_SLICE_TYPES:
            break
    return AccessPoint.OPEN if is_exact_recovery else None


def _has_exact_recovery_point(unit: bytes) -> bool:
    """Return True if a SEI unit holds a recovery point with recovery_frame_cnt 0 and exact_match_flag 1 (H.264 D.1.8).

    recovery_frame_cnt is Exp-Golomb coded: 0 is the bit 1. The flag follows.
    """
    offset = 1
    while offset + 2 < len(unit):
        fields = []
        for _ in range(2):
            value = 0
            while offset < len(unit) and unit[offset] == 0xFF:
                value, offset = value + 255, offset + 1
            if offset >= len(unit):
                return False
            fields.append(value + unit[offset])
            offset += 1
        payload_type, payload_bytes = fields
        if payload_type == _H264_RECOVERY_POINT:
            return offset < len(unit) and unit[offset] & 0xC0 == 0xC0
        offset += payload_bytes
    return False


def _classify_hevc(units: Iterator[bytes]) -> AccessPoint | None:
    for unit in units:
        unit_type = unit[0] >> 1 & 0x3F
        if unit_type in _HEVC_VCL_TYPES:
            if unit_type in _HEVC_IDR:
                return AccessPoint.CLOSED
            return AccessPoint.OPEN if unit_type in _HEVC_OPEN else None
    return None


def _length_bytes(extradata: bytes | None, offset: int) -> int:
    """Return the bytes of a length field before each NAL unit; 0 if units follow start codes (Annex B)."""
    if extradata is None or len(extradata) <= offset or extradata[0] != 1:
        return 0
    return (extradata[offset] & 3) + 1


def _units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """Yield the first bytes of the first NAL units, at least one byte of each."""
    offset = 0
    for _ in range(_MAX_UNITS):
        if length_bytes:
            start = offset + length_bytes
            length = int.from_bytes(data[offset:start], "big")
            offset = end = start + length
        else:
            start = data.find(_START_CODE, offset) + len(_START_CODE)
            if start < len(_START_CODE):
                return
            offset = data.find(_START_CODE, start)
            end = len(data) if offset < 0 else offset
            offset = end
        if start >= len(data):
            return
        if end > start:
            yield data[start : min(end, start + 1024)]
