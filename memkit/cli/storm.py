"""A run of writes from several threads, in the middle of which the server is killed."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from memkit.cli.talk import percentile
from memkit.embedded import Attachment
from memkit.errors import BackendUnavailableError
from memkit.inputs import MemoryInput
from memkit.interfaces import IMemoryManager
from memkit.records import Memory, UserMessage

__all__ = ["WRITERS", "Result", "Storm", "Write", "judge"]

WRITERS = 4
"""How many threads write."""

_CONVERSATION = "storm"
_MIDDLE = (0.3, 0.6)
_TICK = 0.05
_PATIENCE = 30.0

Progress = Callable[[float, str], None]
"""Called with the seconds so far and what is going on."""


@frozen
class Write:
    """One acknowledged write; times are those of `time.perf_counter`."""

    writer: int
    number: int
    record_id: str
    began: float
    ended: float


@frozen
class Result:
    """What became of the run. All times are in seconds.

    Attributes:
        acknowledged: writes whose call returned an id.
        stored: records that came back.
        duplicates: records of a write that was stored already.
        losses: acknowledged writes that did not come back.
        order_breaks: records that stand before an earlier one of their writer.
        errors: calls that raised.
        first_error: what the first of them raised, if one did.
        interrupted: calls that were running while the server was away, and were acknowledged when it was back.
        recovery: from the kill to the first acknowledgement of the new server.
        p50: latency that half of the calls did not exceed.
        p99: latency that 99 % of them did not exceed.
        longest: longest call.
        took: length of the run.
    """

    acknowledged: int
    stored: int
    duplicates: int
    losses: int
    order_breaks: int
    errors: int
    first_error: str | None
    interrupted: int
    recovery: float
    p50: float
    p99: float
    longest: float
    took: float

    @property
    def flawless(self) -> bool:
        """Whether nothing was lost, doubled or out of order, and no caller saw an error."""
        return not (self.duplicates or self.losses or self.order_breaks or self.errors)


class _Writer(threading.Thread):
    def __init__(self, number: int, manager: IMemoryManager, stop: threading.Event) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self._number = number
        self._manager = manager
        self._stopped = stop
        self.writes: list[Write] = []
        self.errors: list[str] = []

    def run(self) -> None:
        for count in itertools.count():
            if self._stopped.is_set():
                return
            self._write(count)

    def _write(self, count: int) -> None:
        metadata = {"writer": self._number, "number": count}
        message = UserMessage(f"message {count} of writer {self._number}", metadata=metadata)
        began = time.perf_counter()
        try:
            record_id = self._manager.store(MemoryInput(_CONVERSATION, data=[message]))
        except Exception as error:  # noqa: BLE001 - whatever a caller sees is counted
            self.errors.append(f"{type(error).__name__}: {error}")
        else:
            self.writes.append(Write(self._number, count, record_id, began, time.perf_counter()))


class Storm:
    """The run. The supervisor of the embedded server starts it again; the writers know nothing of it.

    Args:
        manager: what all threads write through.
        attachment: the server to kill.
        seconds: how long to write.
    """

    def __init__(self, manager: IMemoryManager, attachment: Attachment, seconds: float) -> None:
        self._manager = manager
        self._attachment = attachment
        self._seconds = seconds
        self._stop = threading.Event()
        self._writers = [_Writer(number, manager, self._stop) for number in range(WRITERS)]
        self._killed = 0
        self._killed_at = 0.0
        self._back_at: float | None = None
        self._began = 0.0

    def run(self, progress: Progress) -> None:
        """Write for the time given, and until writes are acknowledged by the new server."""
        self._began = time.perf_counter()
        for writer in self._writers:
            writer.start()
        try:
            self._watch(progress, self._seconds * random.uniform(*_MIDDLE))
        finally:
            self._stop.set()
            for writer in self._writers:
                writer.join()

    def check(self) -> Result:
        """Read everything back and compare it with what was acknowledged."""
        stored = self._manager.retrieve(MemoryInput(_CONVERSATION))
        writes = [write for writer in self._writers for write in writer.writes]
        errors = [error for writer in self._writers for error in writer.errors]
        return judge(writes, stored, errors, killed_at=self._killed_at)

    def _watch(self, progress: Progress, kill_after: float) -> None:
        while not self._is_back() or time.perf_counter() - self._began < self._seconds:
            elapsed = time.perf_counter() - self._began
            if not self._killed and elapsed >= kill_after:
                self._kill()
            if elapsed > self._seconds + _PATIENCE:
                return
            progress(elapsed, self._phase())
            time.sleep(_TICK)

    def _kill(self) -> None:
        self._killed = self._attachment.server_pid()
        os.kill(self._killed, signal.SIGKILL)
        self._killed_at = time.perf_counter()

    def _is_back(self) -> bool:
        if self._back_at is None and self._killed and self._runs_again():
            self._back_at = time.perf_counter()
        back_at = self._back_at
        return back_at is not None and any(_wrote_after(back_at, writer.writes) for writer in self._writers)

    def _runs_again(self) -> bool:
        try:
            return self._attachment.server_pid() != self._killed
        except BackendUnavailableError:
            return False

    def _phase(self) -> str:
        if not self._killed:
            return f"writing from {WRITERS} threads"
        return "the server is killed" if self._back_at is None else "the server is back, writing goes on"


def _wrote_after(moment: float, writes: Sequence[Write]) -> bool:
    return bool(writes) and writes[-1].ended > moment


def judge(writes: Sequence[Write], stored: Iterable[Memory], errors: Sequence[str], killed_at: float) -> Result:
    """Compare what was acknowledged with what came back.

    Args:
        writes: the acknowledged ones.
        stored: the records that came back, in order.
        errors: what callers saw.
        killed_at: when the server was killed.
    """
    found = [(record.metadata["writer"], record.metadata["number"], record.id) for record in stored]
    seconds = [write.ended - write.began for write in writes] or [0.0]
    back_at = _end_of_silence([write.ended for write in writes], killed_at)
    return Result(
        acknowledged=len(writes),
        stored=len(found),
        duplicates=len(found) - len({place[:2] for place in found}),
        losses=len({(write.writer, write.number, write.record_id) for write in writes} - set(found)),
        order_breaks=_order_breaks(found),
        errors=len(errors),
        first_error=errors[0] if errors else None,
        interrupted=sum(write.began < back_at <= write.ended for write in writes),
        recovery=back_at - killed_at,
        p50=percentile(seconds, 0.5),
        p99=percentile(seconds, 0.99),
        longest=max(seconds),
        took=max((write.ended for write in writes), default=0.0) - min((write.began for write in writes), default=0.0),
    )


def _end_of_silence(moments: Iterable[float], since: float) -> float:
    """End of the longest time without an acknowledgement: some arrive after the kill that were sent before it."""
    later = [since, *sorted(moment for moment in moments if moment > since)]
    gaps = [(after - before, after) for before, after in itertools.pairwise(later)]
    return max(gaps, default=(0.0, since))[1]


def _order_breaks(found: Iterable[tuple[int, int, str | None]]) -> int:
    last: dict[int, int] = {}
    breaks = 0
    for writer, number, _ in found:
        breaks += number < last.get(writer, -1)
        last[writer] = max(number, last.get(writer, -1))
    return breaks
