"""A node between two streams: input lines become events, what happens becomes output lines.

Order is what readers of the output rely on, and it comes for free: the proactor tells its observers
what happens in the order in which it happens, and each call writes its line before it returns.
"""

import asyncio
import contextlib
import os
import time
from collections import defaultdict, deque

from pydantic_core import from_json

from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import DecodingError, ProactorFailedError, StoreError, UsageError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.events.store import EventRef
from gwproactor.links.core.link_state import Transition
from gwproactor.node.input import OverlongLine, read_lines
from gwproactor.node.output import LineOutput, OutputClosedError
from gwproactor.node.settings import NodeSettings
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.codec import parse_event, parse_json_object
from gwproactor.wire.payloads import DEFAULT_EVENT_TYPE, EVENT_PREFIX, EventBase, ProblemEvent

INPUT_TAG = "line"
"""Marks the events that came from input lines: only those are printed as stored and acked."""

_LAST_LINES_SECONDS = 0.3
"""How long a reader that is slow may take for the last lines, once the node has stopped."""

_FLUSH_BYTES = 256 * 1024
_FLUSH_LINES = 1000
"""Input that may be ahead of the disk. Waiting for it slows a fast input down to the disk's pace
long before events would be refused for lack of memory, and keeps a stop short."""

_TURN_SECONDS = 0.002
"""How long input may be taken before the loop has a turn: acks and pings do not wait for it."""


class Node(Observer):
    """One node between a stream of input lines and one of output lines.

    Args:
        settings: What the node was told.
        input_descriptor: Where input lines come from.
        output: Where output lines go.

    Raises:
        SettingsError: A broker URL or a file named in the settings cannot be used.
    """

    def __init__(self, settings: NodeSettings, input_descriptor: int, output: LineOutput) -> None:
        self._settings = settings
        self._input_descriptor = input_descriptor
        self._output = output
        self._lines_of_id: defaultdict[str, deque[int]] = defaultdict(deque)
        self._unflushed_bytes = self._unflushed_lines = 0
        self._reading: asyncio.Task[None] | None = None
        self._end_reason = ""
        self._proactor = Proactor(
            settings.name, ProactorSettings.without_environment(events=settings.event_settings())
        )
        self._link = self._proactor.add_link(settings.link_settings())
        self._proactor.on_event(self._print_event)
        self._proactor.observe(self)

    async def run(self) -> None:
        """Run until the input has ended and all is acked, `stop` is called, or the output closes.

        Raises:
            StoreError: The data folder cannot be used.
            ProactorFailedError: The node has ended over a failure; it was printed as a problem.
        """
        self._proactor.start()
        await self._proactor.started()
        self._output.line("ready", {"pid": os.getpid()})
        try:
            await self._serve()
        finally:
            await self._end()

    def stop(self, reason: str) -> None:
        """Ask the node to stop in good order, now; what is pending is kept.

        Args:
            reason: Why; stands in the last line.
        """
        self._stop(reason)

    async def _serve(self) -> None:
        """Read the input and watch the output, until the proactor has stopped."""
        async with asyncio.TaskGroup() as group:
            self._reading = group.create_task(self._read_input(), name="node: input")
            watching = [
                self._reading,
                group.create_task(self._watch_output(), name="node: output"),
                group.create_task(self._keep_output_small(), name="node: pressure"),
            ]
            await self._proactor.stopped()
            for task in watching:
                task.cancel()

    async def _end(self) -> None:
        """Stop the proactor, where it has not stopped, and print the last lines."""
        try:
            await self._proactor.stop_and_join()
        except StoreError as error:
            self._print_problem("Not everything could be stored", str(error))
        except ProactorFailedError:
            self._end_reason = "failed"
            raise
        finally:
            await self._print_last_lines()

    async def _print_last_lines(self) -> None:
        self._refuse_what_is_not_stored()
        pending = self._proactor.stored_event_count
        self._output.line("stopped", {"reason": self._end_reason, "pending": pending})
        with contextlib.suppress(TimeoutError, OutputClosedError):
            async with asyncio.timeout(_LAST_LINES_SECONDS):
                await self._output.flush()

    def _stop(self, reason: str, *, wait_for_acks: bool = False) -> None:
        if not self._proactor.has_stopped:
            self._end_reason = reason
            self._proactor.stop(reason, wait_for_acks=wait_for_acks)
        if self._reading is not None and not wait_for_acks:
            self._reading.cancel()

    async def _watch_output(self) -> None:
        await self._output.wait_closed()
        self._stop("output_closed")

    async def _keep_output_small(self) -> None:
        """While the reader is slow, send no events: each would make a line when it is acked."""
        with contextlib.suppress(OutputClosedError):
            while True:
                await self._output.full()
                self._proactor.hold_events()
                await self._output.room()
                self._proactor.release_events()

    # Input

    async def _read_input(self) -> None:
        lines = read_lines(self._input_descriptor, self._settings.max_line_bytes)
        turn_ends = time.monotonic() + _TURN_SECONDS
        async for number, line in lines:
            await self._take_line(number, line)
            if time.monotonic() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.monotonic() + _TURN_SECONDS
        if not self._settings.follow:
            self._stop("input_end", wait_for_acks=True)

    async def _take_line(self, number: int, line: bytes | OverlongLine) -> None:
        try:
            if isinstance(line, OverlongLine):
                self._refuse(number, f"longer than {self._settings.max_line_bytes} bytes")
            elif line.strip():
                self._post(number, event_of_line(line))
                await self._keep_pace(len(line))
        except (DecodingError, UsageError, StoreError) as error:
            self._refuse(number, str(error))
        with contextlib.suppress(OutputClosedError):  # the node stops; `_watch_output` sees to it
            await self._output.room()

    def _refuse(self, number: int, error: str) -> None:
        self._output.line("error", {"line": number, "error": error})

    def _refuse_what_is_not_stored(self) -> None:
        for lines in self._lines_of_id.values():
            for number in lines:
                self._refuse(number, "not stored before the node stopped")

    def _post(self, number: int, event: EventBase) -> None:
        if not self._link.settings.upstream:
            raise UsageError("this node is --downstream: it has no peer that events could go to")
        self._proactor.post_event(event, tag=INPUT_TAG)
        self._lines_of_id[event.MessageId].append(number)

    async def _keep_pace(self, line_bytes: int) -> None:
        """Wait for the disk now and then; where it is in trouble, lines will be refused later."""
        self._unflushed_bytes += line_bytes
        self._unflushed_lines += 1
        if self._unflushed_bytes >= _FLUSH_BYTES or self._unflushed_lines >= _FLUSH_LINES:
            self._unflushed_bytes = self._unflushed_lines = 0
            with contextlib.suppress(StoreError):
                await self._proactor.flush_events()

    # Output: what an observer hears

    def link_transitioned(self, transition: Transition) -> None:
        """Print the change of a comm state."""
        self._output.line(
            "transition",
            {
                "link": transition.link_name,
                "old": transition.old_state,
                "new": transition.new_state,
                "why": transition.transition_name,
            },
        )

    def event_stored(self, event: EventRef) -> None:
        """Print that an input line is safe."""
        lines = self._lines_of_id.get(event.event_id)
        if lines:
            self._output.line("stored", {"line": lines.popleft(), "id": event.event_id})
            if not lines:
                del self._lines_of_id[event.event_id]

    def event_acked(self, event: EventRef) -> None:
        """Print that the peer has the event of an input line, of this run or an earlier one."""
        if event.tag == INPUT_TAG:
            self._output.line("acked", {"id": event.event_id})

    def problem(self, event: ProblemEvent) -> None:
        """Print what a person should know."""
        self._print_problem(event.Summary, event.Details)

    def _print_problem(self, summary: str, details: str) -> None:
        self._output.line("problem", {"summary": summary, "details": details})

    async def _print_event(self, event: ReceivedEvent) -> None:
        """Print a received event; it counts as handled when the system has the line."""
        payload = from_json(event.payload)
        try:
            await self._output.room()
            self._output.line("event", {"id": event.event_id, "payload": payload})
            await self._output.flush()
        except OutputClosedError:
            await asyncio.Event().wait()  # not printed, so not handled; the stop ends this


def event_of_line(line: bytes) -> EventBase:
    """The event in an input line, with what is missing filled in.

    Raises:
        DecodingError: The line holds none; the message says why.
    """
    fields = parse_json_object(line)
    type_name = fields.setdefault("TypeName", DEFAULT_EVENT_TYPE)
    if not isinstance(type_name, str) or not type_name.startswith(EVENT_PREFIX + "."):
        raise DecodingError(
            f"TypeName {type_name!r} does not begin with {EVENT_PREFIX!r} and a dot"
        )
    return parse_event(fields)
