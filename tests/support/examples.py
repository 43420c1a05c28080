"""Numbers of Hypothesis examples: all in `make test-all`, a fifth in `make test`.

``DICOXIDE_EXAMPLES`` sets the number for every test.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

IS_FULL_RUN = os.environ.get("DICOXIDE_TEST_ALL") == "1"
_QUICK_DIVISOR = 5
_MIN_QUICK = 20


def count(full: int) -> int:
    """Return the number of examples to try instead of `full`."""
    if "DICOXIDE_EXAMPLES" in os.environ:
        return int(os.environ["DICOXIDE_EXAMPLES"])
    return full if IS_FULL_RUN else min(full, max(_MIN_QUICK, full // _QUICK_DIVISOR))


def examples(full: int) -> settings:
    """Return Hypothesis settings for a property of which `full` examples are tried in a full run.

    There is no deadline, because a loaded machine may need long for an example.
    """
    return settings(max_examples=count(full), deadline=None, suppress_health_check=[HealthCheck.too_slow])
