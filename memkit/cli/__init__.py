"""The command `memkit`."""

from __future__ import annotations

import sys

from memkit.errors import MissingExtraError

__all__ = ["main"]

_PACKAGES = {"click", "rich"}
_INTERRUPTED = 130


def main() -> None:
    """Run the command with the arguments of this process."""
    try:
        # Here, so that importing a module of this package by itself needs neither.
        from memkit.cli.app import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        sys.exit(f"memkit: {MissingExtraError('the command line', 'cli')}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    app(prog_name="memkit")
