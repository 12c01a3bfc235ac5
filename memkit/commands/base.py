"""What every command shares. A command is a value: what to do to which data structure, never how."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Generic, TypeVar

from attrs import field

from memkit.ids import unpack_id
from memkit.shaping import value

__all__ = ["Command", "Effect", "InTurn", "Outcome", "Owned", "Place", "Write", "texts"]

T = TypeVar("T")


class Effect(Enum):
    """What repeating a command does.

    READ changes nothing. REPEATABLE may be sent again as it is: a backend recognises what was applied already, by the
    ids in the command or by a token that it adds itself.
    """

    READ = "read"
    REPEATABLE = "repeatable"


@value
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


@value
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


@value
class Owned(Command[T]):
    """A command that is refused with `OwnerMismatchError` where the place belongs to another user.

    Attributes:
        owner: the user on whose behalf it is done; None does not ask. A write claims a place that has no owner.
    """

    owner: str | None


@value
class Write(Owned[T]):
    """A command that changes something.

    Attributes:
        ttl_ms: milliseconds to live from now on; 0 is for ever.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    ttl_ms: int


@value
class InTurn(Owned[T]):
    """A change of a log: refused while somebody else's turn lasts, and where its own turn is over.

    Raises `TurnHeldError` and `TurnLostError` in any backend.

    Attributes:
        turn: number of the turn in which it is done; None: in no turn.
    """

    effect: ClassVar[Effect] = Effect.REPEATABLE

    turn: int | None = field(default=None, kw_only=True)


class Outcome(Enum):
    """What became of a change that depends on what is there.

    DONE it was made. MISSING a record that it names is not there. CONFLICT the log has changed since it was read.
    INSIDE it would cut a tool call from its results. EXISTS a record that it adds is there already.
    """

    DONE = "done"
    MISSING = "missing"
    CONFLICT = "conflict"
    INSIDE = "inside"
    EXISTS = "exists"


def texts(ids: list[bytes | str]) -> tuple[str, ...]:
    """Ids as a caller knows them."""
    return tuple(unpack_id(wire) for wire in ids)
