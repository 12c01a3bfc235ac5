"""What every command shares. A command is a value: what to do to which data structure, never how."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Generic, TypeVar

from attrs import frozen

from memkit.ids import unpack_id

__all__ = ["Command", "Effect", "Owned", "Place", "Write", "texts"]

T = TypeVar("T")


class Effect(Enum):
    """What repeating a command does.

    READ changes nothing. REPEATABLE may be sent again as it is: a backend recognises what was applied already, by the
    ids in the command or by a token that it adds itself.
    """

    READ = "read"
    REPEATABLE = "repeatable"


@frozen
class Place:
    """Where a data structure is kept.

    Attributes:
        scope: kind of thing that it belongs to; ``c`` is a conversation.
        name: which one; any text.
        part: which data structure of it.
    """

    scope: str
    name: str
    part: str

    def __str__(self) -> str:
        return f"{self.scope}:{self.name}:{self.part}"


@frozen
class Command(Generic[T]):
    """A request to a backend; `T` is the type of its result.

    Attributes:
        place: what it works on.
    """

    effect: ClassVar[Effect] = Effect.READ

    place: Place

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the records that it writes, to repeat the call with."""
        return ()


@frozen
class Owned(Command[T]):
    """A command that is refused with `OwnerMismatchError` where the place belongs to another user.

    Attributes:
        owner: the user on whose behalf it is done; None does not ask. A write claims a place that has no owner.
    """

    owner: str | None


@frozen
class Write(Owned[T]):
    """A command that changes something.

    Attributes:
        ttl_ms: milliseconds to live from now on; 0 is for ever.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    ttl_ms: int


def texts(ids: list[bytes | str]) -> tuple[str, ...]:
    """Ids as a caller knows them."""
    return tuple(unpack_id(wire) for wire in ids)
