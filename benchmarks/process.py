"""What the system says of this process."""

from __future__ import annotations

import os
import sys


def resident():
    """Bytes of memory that this process has now; where the system does not say, the most that it had."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - loads nothing that would count
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # noqa: PLC0415 - only there

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
