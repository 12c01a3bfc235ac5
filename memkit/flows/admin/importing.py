"""Storing what an export wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from attrs import evolve

from memkit.errors import ImportFormatError, InvalidInputError
from memkit.flows.admin.arrival import Arrival
from memkit.flows.admin.lines import FORMAT, Line, read_lines
from memkit.flows.admin.progress import Teller
from memkit.flows.base import Context, Flow
from memkit.results import ImportReport

__all__ = ["import_"]


def import_(ctx: Context, lines: Any, on_progress: Any) -> Flow[ImportReport]:
    """Flow of `IMemoryAdmin.import_`."""
    source, teller = _Source(_checked(lines), ctx.codec.max_bytes), Teller(on_progress)
    report = ImportReport(conversations=0, imported=0, present=0, expired=0)
    _check_header(source.next())
    while (line := source.next()).kind != "done":
        if line.kind != "conversation":
            raise line.wrong("stands outside of a conversation, or is of an unknown kind")
        arrival = yield from _conversation(Arrival(ctx, line), source)
        report = _plus(report, arrival)
        teller.tell(arrival.records, source.number)
    _check_done(line, report)
    source.end()
    return report


def _checked(lines: Any) -> Iterable[Any]:
    if isinstance(lines, str | bytes | bytearray | memoryview | PurePath) or not isinstance(lines, Iterable):
        cure = "give a file that is open in binary mode, or an iterable of lines"
        raise InvalidInputError("lines", f"is of type {type(lines).__name__}: {cure}")
    return lines


class _Source:
    """The lines, one by one.

    Attributes:
        number: of the line that was taken last.
    """

    def __init__(self, lines: Iterable[Any], max_record_bytes: int) -> None:
        self._lines = read_lines(lines, max_record_bytes)
        self.number = 0

    def next(self) -> Line:
        """The next line; that there is none is an error: the last one says that it is the last."""
        line = next(self._lines, None)
        if line is None:
            raise ImportFormatError(self.number + 1, "is missing: this is no export, or it was cut short")
        self.number = line.number
        return line

    def end(self) -> None:
        """There must be no more lines."""
        line = next(self._lines, None)
        if line is not None:
            raise line.wrong("stands behind the last line of the export: import one export at a time")


def _check_header(line: Line) -> None:
    if line.fields.get("kind") != "export":
        raise line.wrong("is no header of an export: give all that export wrote, from its first line on")
    if line.whole("memkit", 1) > FORMAT:
        raise line.wrong(f"says that the format is newer than {FORMAT}: import it with a newer memkit")


def _check_done(line: Line, report: ImportReport) -> None:
    records = report.imported + report.present + report.expired
    if (line.whole("conversations"), line.whole("records")) != (report.conversations, records):
        raise line.wrong("counts other conversations or records than came before it: lines were lost or added")


def _conversation(arrival: Arrival, source: _Source) -> Flow[Arrival]:
    """Store the lines of a conversation, through its last one."""
    takes = {"working": arrival.working, "message": arrival.message, "long_term": arrival.long_term}
    try:
        while (line := source.next()).kind != "end":
            if line.kind not in takes:
                raise line.wrong("stands inside of a conversation that has not ended, or is of an unknown kind")
            yield from takes[line.kind](line)
        if (line.text("conversation"), line.whole("count")) != (arrival.name, arrival.records):
            raise line.wrong("ends another conversation, or counts other records than came before it")
    except ImportFormatError:
        # What stands before the damage is stored.
        yield from arrival.flush()
        raise
    yield from arrival.flush()
    return arrival


def _plus(report: ImportReport, arrival: Arrival) -> ImportReport:
    return evolve(
        report,
        conversations=report.conversations + 1,
        imported=report.imported + arrival.imported,
        present=report.present + arrival.present,
        expired=report.expired + arrival.expired,
    )
