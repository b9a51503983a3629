"""`gwproactor node` as a subprocess, for tests from outside: lines in, typed lines out.

A `NodeProcess` runs the very command that a user types, and reads what it prints into one small
class for each kind of line. A test waits for lines, never for time::

    async with NodeProcess(*child_options(broker.url, data)) as child:
        await child.send({"n": 1})
        stored = await child.wait(Stored, lambda line: line.line == 1)
        await child.wait(Acked, lambda line: line.id == stored.id)
        child.terminate()
        assert await child.exited() == 0

What must hold of every output is checked all along: each line is a JSON object of a known kind
with exactly the fields of that kind, `t` never goes back, nothing follows `stopped`, and nothing
on standard error looks like a bug. However a test ends, the process ends with it.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

CHILD, CHILD_SHORT = "d1.site.scada", "s"
PARENT, PARENT_SHORT = "d1.site", "p"

NODE_COMMAND = (sys.executable, "-m", "gwproactor.cli", "node")

WAIT_SECONDS = 20.0
"""Longest wait for anything expected. It comes within a second; a busy machine gets some more."""

_QUICK = ("--ack-timeout", "1", "--poll", "1")
"""So that what is noticed by silence is noticed within a test's patience."""

_SHOWN_LINES = 15
_SIGNS_OF_A_BUG = ("Traceback", "never retrieved", "never awaited", "Exception ignored", "Warning:")


@dataclasses.dataclass(frozen=True, slots=True)
class OutputLine:
    """What every line has: `t`, the moment it happened, in `time.monotonic_ns()`."""

    kind: ClassVar[str]
    t: int


@dataclasses.dataclass(frozen=True, slots=True)
class Ready(OutputLine):
    """Everything runs."""

    kind = "ready"
    pid: int


@dataclasses.dataclass(frozen=True, slots=True)
class Transition(OutputLine):
    """The comm state changed."""

    kind = "transition"
    link: str
    old: str
    new: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Stored(OutputLine):
    """The event of an input line is durable."""

    kind = "stored"
    line: int
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Acked(OutputLine):
    """The peer has an event."""

    kind = "acked"
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Event(OutputLine):
    """An event arrived."""

    kind = "event"
    id: str
    payload: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Refused(OutputLine):
    """An input line was refused."""

    kind = "error"
    line: int
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class Problem(OutputLine):
    """Something that a person should know."""

    kind = "problem"
    summary: str
    details: str


@dataclasses.dataclass(frozen=True, slots=True)
class Stopped(OutputLine):
    """The last line."""

    kind = "stopped"
    reason: str
    pending: int


L = TypeVar("L", bound=OutputLine)

_CLASSES: dict[str, type[OutputLine]] = {
    cls.kind: cls for cls in (Ready, Transition, Stored, Acked, Event, Refused, Problem, Stopped)
}


def read_line(text: bytes) -> OutputLine:
    """Read one line of a node's output.

    Raises:
        AssertionError: It is not one that the contract knows, field by field.
    """
    fields = json.loads(text)
    assert isinstance(fields, dict), f"not an object: {text!r}"
    cls = _CLASSES.get(fields.pop("kind", None))
    assert cls is not None, f"of no known kind: {text!r}"
    types = {field.name: _plain_type(field.type) for field in dataclasses.fields(cls)}
    assert {name: type(value) for name, value in fields.items()} == types, f"{cls} {text!r}"
    return cls(**fields)


def _plain_type(annotation: Any) -> type:
    return dict if annotation == dict[str, Any] else annotation


def child_options(brokers: str | Sequence[str], data: Path, *more: str) -> tuple[str, ...]:
    """Options of a node that sends events to the one of `parent_options`.

    Args:
        brokers: URL of its broker, or of several.
        data: Its data folder.
        more: Further options; they win over those that are set here.
    """
    names = ("--name", CHILD, "--short", CHILD_SHORT, "--peer", PARENT)
    return (*names, "--peer-short", PARENT_SHORT, "--upstream", *_common(brokers, data), *more)


def parent_options(brokers: str | Sequence[str], data: Path, *more: str) -> tuple[str, ...]:
    """Options of a node that gets the events of the one of `child_options`; it runs on."""
    names = ("--name", PARENT, "--short", PARENT_SHORT, "--peer", CHILD)
    common = _common(brokers, data)
    return (*names, "--peer-short", CHILD_SHORT, "--downstream", *common, "--follow", *more)


def _common(brokers: str | Sequence[str], data: Path) -> tuple[str, ...]:
    urls = (brokers,) if isinstance(brokers, str) else brokers
    given = tuple(word for url in urls for word in ("--broker", url))
    return (*given, "--data", str(data), *_QUICK)


class NodeProcess:
    """One `gwproactor node`, started when its `async with` is entered and dead when it is left.

    Args:
        options: What follows `gwproactor node`.
        environment: Variables for it, beside those of this process; no `GWPROACTOR_` ones of ours.
        command: What is run before the options.

    Attributes:
        lines: Every line it has printed so far.
        errors: What it has written to standard error so far.

    To be used from one loop.
    """

    def __init__(
        self,
        *options: str,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = NODE_COMMAND,
    ) -> None:
        self._words = (*command, *options)
        self._environment = _clean_environment() | dict(environment or {})
        self._talk: _Talk | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self.lines: list[OutputLine] = []
        self.errors = ""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, self._talk = await loop.subprocess_exec(
            lambda: _Talk(self.lines), *self._words, env=self._environment
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        transport, talk = self._parts()
        self.kill()
        self.resume_output()
        await talk.ended.wait()
        transport.close()
        self.errors = talk.errors
        if error is None:
            talk.check()
            signs = [sign for sign in _SIGNS_OF_A_BUG if sign in self.errors]
            assert not signs, f"on standard error: {self.errors}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._parts()[0].get_pid()

    def of(self, kind: type[L]) -> list[L]:
        """The lines of one kind that it has printed so far."""
        return [line for line in self.lines if isinstance(line, kind)]

    def ids(self, kind: type[Stored] | type[Acked] | type[Event]) -> list[str]:
        """The ids in the lines of one kind, in their order."""
        return [line.id for line in self.of(kind)]

    async def wait(self, kind: type[L], where: Callable[[L], bool] = lambda _: True) -> L:
        """Wait for a line; one that was printed already counts.

        Raises:
            AssertionError: It did not come in time, or the process ended without it.
        """
        found: list[L] = []
        position = 0

        def look() -> bool:
            nonlocal position
            new, position = self.lines[position:], len(self.lines)
            found.extend(line for line in new if isinstance(line, kind) and where(line))
            return bool(found)

        await self.until(look, f"a line {kind.kind!r}")
        return found[0]

    async def wait_active(self) -> None:
        """Wait until its link is active, which it may be already."""
        await self.until(lambda: self.state == "active", "the link to be active")

    @property
    def state(self) -> str:
        """The comm state of its link, as far as it was printed."""
        transitions = self.of(Transition)
        return transitions[-1].new if transitions else "not_started"

    async def until(self, condition: Callable[[], bool], what: str = "a condition") -> None:
        """Wait until a condition holds; it is looked at whenever lines have come.

        Raises:
            AssertionError: It does not come to hold in time, or the process ended before it did.
        """
        talk = self._parts()[1]
        with self._explained(f"waiting for {what}"):
            async with asyncio.timeout(WAIT_SECONDS):
                while not condition():
                    talk.check()
                    assert not talk.ended.is_set(), "the node has ended"
                    await talk.news()

    async def send(self, *events: object) -> None:
        """Write events as input lines; waits while the node does not take them."""
        await self.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    async def write(self, data: bytes) -> None:
        """Write any bytes to its standard input; waits while the node does not take them."""
        transport, talk = self._parts()
        stdin = transport.get_pipe_transport(0)
        assert isinstance(stdin, asyncio.WriteTransport)
        stdin.write(data)
        with self._explained("waiting for the node to read"):
            async with asyncio.timeout(WAIT_SECONDS):
                await talk.writable.wait()

    def end_input(self) -> None:
        """Close its standard input, once what was written has gone."""
        self._pipe(0).close()

    def pause_output(self) -> None:
        """Read nothing more of its standard output until `resume_output`."""
        self._reading_pipe().pause_reading()

    def resume_output(self) -> None:
        """Read its standard output again."""
        pipe = self._reading_pipe()
        if not pipe.is_closing() and not pipe.is_reading():
            pipe.resume_reading()

    def close_output(self) -> None:
        """Close the reading end of its standard output."""
        self._pipe(1).close()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send any signal; one that has ended gets none."""
        transport = self._parts()[0]
        if transport.get_returncode() is None:
            # The transport's own method would look for the exit status, and so take it from
            # the watcher that waits for it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(transport.get_pid(), number)

    async def exited(self, *, timeout_seconds: float = WAIT_SECONDS) -> int:
        """Wait until it has ended and all of its output is read; return its exit status.

        Raises:
            AssertionError: It goes on, or its output was not as it must be.
        """
        talk = self._parts()[1]
        status = await self.died(timeout_seconds=timeout_seconds)
        with self._explained("waiting for the end of its output"):
            async with asyncio.timeout(WAIT_SECONDS):
                await talk.ended.wait()
            talk.check()
        self.errors = talk.errors
        return status

    async def died(self, *, timeout_seconds: float = WAIT_SECONDS) -> int:
        """Wait until the process has ended, read or not; return its exit status.

        Raises:
            AssertionError: It goes on.
        """
        transport, talk = self._parts()
        with self._explained("waiting for the process to end"):
            async with asyncio.timeout(timeout_seconds):
                await talk.exited.wait()
        status = transport.get_returncode()
        assert status is not None
        return status

    def _parts(self) -> "tuple[asyncio.SubprocessTransport, _Talk]":
        assert self._transport is not None, "the node was not started"
        assert self._talk is not None
        return self._transport, self._talk

    def _pipe(self, descriptor: int) -> asyncio.BaseTransport:
        pipe = self._parts()[0].get_pipe_transport(descriptor)
        assert pipe is not None
        return pipe

    def _reading_pipe(self) -> asyncio.ReadTransport:
        pipe = self._pipe(1)
        assert isinstance(pipe, asyncio.ReadTransport)
        return pipe

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn a timeout or a failed check into one that shows what the node said last."""
        try:
            yield
        except (TimeoutError, AssertionError) as error:
            last = "\n".join(map(repr, self.lines[-_SHOWN_LINES:]))
            text = (
                f"{doing}: {str(error) or type(error).__name__}\n{last}\n{self._parts()[1].errors}"
            )
            raise AssertionError(text) from None


class _Talk(asyncio.SubprocessProtocol):
    """Takes what the process writes, and knows when it has ended."""

    def __init__(self, lines: list[OutputLine]) -> None:
        self._lines = lines
        self._rest = b""
        self._error_bytes = bytearray()
        self._open = {1, 2}
        self.exited = asyncio.Event()
        self._fault: AssertionError | None = None
        self._news = asyncio.Event()
        self.ended = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    @property
    def errors(self) -> str:
        return self._error_bytes.decode(errors="replace")

    async def news(self) -> None:
        """Wait until there are new lines, or the end."""
        self._news.clear()
        await self._news.wait()

    def check(self) -> None:
        """Raise AssertionError when a line was not as lines must be."""
        if self._fault is not None:
            raise self._fault

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._error_bytes += data
            return
        *texts, self._rest = (self._rest + data).split(b"\n")
        try:
            for text in texts:
                self._take(read_line(text))
        except (AssertionError, ValueError) as error:
            self._fault = self._fault or AssertionError(f"{error}")
        self._news.set()

    def _take(self, line: OutputLine) -> None:
        if self._lines:
            assert self._lines[-1].t <= line.t, f"t goes back: {line}"
            assert not isinstance(self._lines[-1], Stopped), f"after the last line: {line}"
        self._lines.append(line)

    def pipe_connection_lost(self, fd: int, _error: Exception | None) -> None:
        self._open.discard(fd)
        if fd == 0:
            self.writable.set()
        self._see_end()

    def process_exited(self) -> None:
        self.exited.set()
        self._see_end()

    def _see_end(self) -> None:
        if self.exited.is_set() and not self._open:
            self.ended.set()
        self._news.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()


def _clean_environment() -> dict[str, str]:
    """This process's environment without settings of nodes; what is left open is warned of."""
    own = {name: value for name, value in os.environ.items() if "PROACTOR_" not in name}
    return own | {"PYTHONWARNINGS": "default::ResourceWarning"}
