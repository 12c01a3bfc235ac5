"""Every error that memkit raises, in one tree.

::

    MemkitError
    ├── InvalidInputError            a field of the call is wrong; nothing was sent
    │   └── InvalidRecordError       a value inside a record cannot be stored; has its path
    ├── ConfigurationError           settings or URL are wrong; lists every problem
    ├── MissingExtraError            an optional package is not installed
    ├── MemoryNotFoundError          the record to update is not there
    ├── VersionConflictError         expected_version is not the stored version
    ├── OwnerMismatchError           the conversation belongs to another user
    ├── ConversationExistsError      the conversation that is to be made is there already
    ├── RevisionConflictError        expected_revision is not that of the conversation
    ├── WindowError                  not even the newest group fits into the window
    ├── TurnHeldError                somebody else has the turn in the conversation
    ├── TurnLostError                the own turn is over
    ├── ErasedError                  the conversation was erased a moment ago
    ├── BatchError                   some inputs of a batch were not stored; says which, and why
    ├── ImportFormatError            a line of an import cannot be read
    ├── CodecError                   stored bytes cannot be turned into a record
    │   ├── CorruptRecordError       they are damaged
    │   ├── UnknownRecordTypeError   their type is not registered here
    │   └── UnsupportedRecordError   what reads them is not here: a package, a dictionary, a newer memkit
    ├── BackendError                 the store behind memkit failed
    │   ├── BackendUnavailableError  not reached, or no answer, before the deadline
    │   ├── AuthenticationError      refused: user, password or permission
    │   ├── CapacityError            the server is out of memory
    │   ├── ServerError              any other error reply; has its code
    │   ├── ContentionError          too many writers on one record
    │   └── OutcomeUnknownError      a write may or may not have been applied; has the id to repeat with
    └── ClosedError                  the manager was closed

No message holds stored content, a password or key material.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "AuthenticationError",
    "BackendError",
    "BackendUnavailableError",
    "BatchError",
    "CapacityError",
    "ClosedError",
    "CodecError",
    "ConfigurationError",
    "ContentionError",
    "ConversationExistsError",
    "CorruptRecordError",
    "ErasedError",
    "ImportFormatError",
    "InvalidInputError",
    "InvalidRecordError",
    "MemkitError",
    "MemoryNotFoundError",
    "MissingExtraError",
    "OutcomeUnknownError",
    "OwnerMismatchError",
    "RevisionConflictError",
    "ServerError",
    "TurnHeldError",
    "TurnLostError",
    "UnknownRecordTypeError",
    "UnsupportedRecordError",
    "VersionConflictError",
    "WindowError",
]


class MemkitError(Exception):
    """Base of every error that memkit raises on purpose."""


class InvalidInputError(MemkitError, ValueError):
    """A field of the call is wrong. Nothing was sent.

    Attributes:
        field: name of the offending field.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.field, self.problem)


class InvalidRecordError(InvalidInputError):
    """A value inside a record cannot be stored losslessly. Nothing was sent.

    Attributes:
        path: where the value is, for example ``data[0].metadata['tags'][2]``.
    """

    @property
    def path(self) -> str:
        """Where the value is; the same as `field`."""
        return self.field


class ConfigurationError(MemkitError, ValueError):
    """Settings, environment or URL are wrong.

    Attributes:
        problems: every problem found, one sentence each.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"memkit is not configured correctly:{lines}")

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)


class MissingExtraError(MemkitError, ImportError):
    """An optional package is needed and not installed.

    Attributes:
        extra: the extra of ``agent-memkit`` that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional package: install agent-memkit[{extra}]")
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.feature, self.extra)


class MemoryNotFoundError(MemkitError, LookupError):
    """The record to update is not there: never stored, deleted, or expired."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was not found: store it first; it may have been deleted or have expired")
        self.what = what

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.what,)


class VersionConflictError(MemkitError):
    """`expected_version` is not the stored version; nothing was changed.

    Attributes:
        expected: the version that the caller expected.
        actual: the version that is stored; 0 means that nothing is stored.
    """

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"expected_version is {expected}, stored is {actual}: retrieve the record and decide again")
        self.expected = expected
        self.actual = actual

    def __reduce__(self) -> tuple[type, tuple[int, int]]:
        return type(self), (self.expected, self.actual)


class OwnerMismatchError(MemkitError):
    """The conversation belongs to another user than `user_id`; nothing was read or changed."""

    def __init__(self) -> None:
        super().__init__("user_id: this conversation belongs to another user")

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()


class ConversationExistsError(MemkitError):
    """The conversation that is to be made has messages already; nothing was changed."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"conversation {conversation_id!r} has messages already: choose another id, or erase it first")
        self.conversation_id = conversation_id

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.conversation_id,)


class RevisionConflictError(MemkitError):
    """The conversation has changed since its revision was read; nothing was changed.

    Attributes:
        expected: the revision that the caller expected.
        actual: the revision of the conversation.
    """

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"expected_revision is {expected}, the conversation is at {actual}: read it and decide again")
        self.expected = expected
        self.actual = actual

    def __reduce__(self) -> tuple[type, tuple[int, int]]:
        return type(self), (self.expected, self.actual)


class WindowError(MemkitError, ValueError):
    """What must be in a window is larger than the window.

    Attributes:
        bound: ``last`` or ``tokens``.
        allowed: how many it allows.
        needed: how many are needed.
    """

    def __init__(self, bound: str, allowed: int, needed: int, what: str) -> None:
        super().__init__(f"{bound}={allowed} is too small: {what} needs {needed}: raise it, or shorten the messages")
        self.bound = bound
        self.allowed = allowed
        self.needed = needed
        self.what = what

    def __reduce__(self) -> tuple[type, tuple[str, int, int, str]]:
        return type(self), (self.bound, self.allowed, self.needed, self.what)


class TurnHeldError(MemkitError):
    """Somebody else has the turn in this conversation; nothing was changed.

    Attributes:
        retry_after: seconds until that turn is over at the latest.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"somebody else has the turn for {retry_after:.3f} s at most: try again then")
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type, tuple[float]]:
        return type(self), (self.retry_after,)


class TurnLostError(MemkitError):
    """The turn in which this was to be done is over; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("the turn is over: take a new one, read what others wrote, and decide again")

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()


class ErasedError(MemkitError):
    """The conversation, or all data of its user, was erased within the last minutes: writes are refused for a while."""

    def __init__(self) -> None:
        super().__init__("the data was erased: writes are refused for some minutes, so that no late one brings it back")

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()


class BatchError(MemkitError):
    """Some inputs of a batch were not stored; the others were.

    Attributes:
        errors: what went wrong, by the number of the input, from 0.
        stored: what `store` would have returned, by the number of each input that was stored.
    """

    def __init__(self, errors: Mapping[int, MemkitError], stored: Mapping[int, str]) -> None:
        self.errors = dict(errors)
        self.stored = dict(stored)
        number, first = next(iter(self.errors.items()))
        count = len(self.errors) + len(self.stored)
        super().__init__(f"{len(self.errors)} of {count} inputs were not stored; input {number}: {first}")

    def __reduce__(self) -> tuple[type, tuple[dict[int, MemkitError], dict[int, str]]]:
        return type(self), (self.errors, self.stored)


class ImportFormatError(MemkitError, ValueError):
    """A line of an import cannot be read.

    Attributes:
        line: its number, from 1.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line} {problem}")
        self.line = line
        self.problem = problem

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return type(self), (self.line, self.problem)


class CodecError(MemkitError):
    """Stored bytes cannot be turned into a record.

    Attributes:
        place: the key or address that holds them.
        record_id: id of the record, where it is known.
    """

    def __init__(self, problem: str, place: str | None = None, record_id: str | None = None) -> None:
        where = "".join(
            [f" in {place!r}" if place is not None else "", f", record {record_id!r}" if record_id is not None else ""]
        )
        super().__init__(f"{problem}{where}")
        self.problem = problem
        self.place = place
        self.record_id = record_id

    def __reduce__(self) -> tuple[type, tuple[str, str | None, str | None]]:
        return type(self), (self.problem, self.place, self.record_id)


class CorruptRecordError(CodecError):
    """Stored bytes are damaged. Read with ``on_corrupt="report"`` to get the records that are not."""


class UnknownRecordTypeError(CodecError):
    """The type of a stored record is not registered in this process: register its class."""


class UnsupportedRecordError(CodecError):
    """What reads a stored record is not here: a package, a dictionary, or a newer memkit. The record is not damaged."""


class BackendError(MemkitError):
    """The store behind memkit failed."""


class BackendUnavailableError(BackendError, ConnectionError):
    """The server was not reached, or gave no answer, before the deadline. Nothing is in doubt."""


class AuthenticationError(BackendError):
    """The server refused the user, the password or the permission. Sent once, never repeated."""


class CapacityError(BackendError):
    """The server is out of memory and refused the write. Sent once, never repeated."""


class ServerError(BackendError):
    """The server replied with an error that repeating does not cure.

    Attributes:
        code: first word of the reply, for example ``WRONGTYPE``.
    """

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(f"{code}: {problem}")
        self.code = code
        self.problem = problem

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.code, self.problem)


class ContentionError(BackendError):
    """Other writers changed the record each time before this write could land; nothing was changed."""


class OutcomeUnknownError(BackendError):
    """The deadline passed and a write may or may not have been applied.

    A `store`: call it again with records that have these ids; what was applied is not stored twice. (With an
    `expected_version` of your own a conflict then means that it was applied.) An `append`: call it again with the same
    `idempotency_key`, or with messages that have these ids. An `update`, `remove` or `delete`: retrieve first, the
    version tells whether it was applied. Anything else: look at the conversation first, for example by `info()`, whose
    revision tells whether its messages changed.

    Attributes:
        operation: the verb, for example ``store``.
        ids: ids of the records of the write, in order.
    """

    def __init__(self, operation: str, ids: Sequence[str] = ()) -> None:
        self.operation = operation
        self.ids = tuple(ids)
        super().__init__(f"{operation}: no answer before the deadline, it may have been applied: {self._cure()}")

    def _cure(self) -> str:
        if self.operation == "store" and self.ids:
            return f"call it again with id {self.ids[-1]!r}"
        if self.operation == "append" and self.ids:
            named = f"id {self.ids[0]!r}" if len(self.ids) == 1 else f"the {len(self.ids)} ids of this error"
            return f"call it again with the same idempotency_key, or with {named}"
        if self.operation in ("store", "update", "delete", "remove"):
            return "retrieve the record, its version tells"
        return "look at the conversation, its revision tells whether its messages changed"

    def __reduce__(self) -> tuple[type, tuple[str, tuple[str, ...]]]:
        return type(self), (self.operation, self.ids)


class ClosedError(MemkitError):
    """The manager was closed, or its process forked; make a new one."""
