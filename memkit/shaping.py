"""How the small values are made that each call makes several of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

__all__ = ["value"]

if TYPE_CHECKING:
    # Nobody changes one.
    from attrs import frozen as value
else:
    # Setting the fields of a class that is frozen at run time, too, takes twice as long.
    value = attrs.define(unsafe_hash=True)
