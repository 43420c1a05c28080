"""Arguments that every constructor of highdicom requires."""

from __future__ import annotations

from typing import Any

from pydicom.uid import generate_uid


def new_instance() -> dict[str, Any]:
    """Return identifiers of a new series and instance, and a device."""
    return {
        "series_instance_uid": generate_uid(),
        "series_number": 1,
        "sop_instance_uid": generate_uid(),
        "instance_number": 1,
        "manufacturer": "manufacturer",
        "manufacturer_model_name": "model",
        "software_versions": "1",
        "device_serial_number": "1",
    }
