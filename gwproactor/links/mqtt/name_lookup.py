"""From a host's name to its addresses, by the system's resolver, which may hang.

Nothing can interrupt that resolver. So it runs in daemon threads of its own, for which no program
waits when it wants to end, and which take no place in the loop's executor. And there is one look-up
of a name at a time, whoever asks: who asks while it is under way, be it the next attempt of the
same link, waits for the same answer. Only where none has come for a minute another thread asks
beside the first, for the resolver may have recovered and the thread not: three threads at most.

A numeric address costs no thread at all.
"""

import asyncio
import contextlib
import errno
import functools
import socket
import threading
import time
from typing import Any, NamedTuple

HANGING_SECONDS = 60.0
"""A resolver gives up by itself in less (glibc: 5 s, twice, for each server); one that has not said
anything for so long probably never will."""

MAX_THREADS = 3
"""Threads that one name may cost, for as long as the resolver hangs."""


class Address(NamedTuple):
    """Where to connect, as the system's resolver says it."""

    family: int
    sockaddr: tuple[Any, ...]


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, best first. Cancel-safe: the look-up goes on, for others too.

    Raises:
        OSError: The name is not known, or the resolver cannot be reached, or there can be no
            thread to ask it in.
    """
    try:
        found = _numeric(host)
    except (socket.gaierror, UnicodeError):
        found = await _looked_up(host)
    return [_with_port(address, port) for address in found]


def is_looked_up(host: str) -> bool:
    """Whether the system's resolver has been asked for a name and has not answered yet."""
    with _LOCK:
        return host in _LOOK_UPS


@functools.lru_cache
def _numeric(host: str) -> list[Address]:
    """The address that `host` itself is, which is the same each time."""
    return _ask_system(host, socket.AI_NUMERICHOST)


def _ask_system(host: str, flags: int) -> list[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags)
    return [Address(family, sockaddr) for family, _, _, _, sockaddr in found]


def _with_port(address: Address, port: int) -> Address:
    host, _, *further = address.sockaddr
    return Address(address.family, (host, port, *further))


Outcome = list[Address] | OSError


class _Waiter(NamedTuple):
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[list[Address]]"

    def tell(self, outcome: Outcome) -> None:
        """From any thread; where the loop is closed, nobody waits any more."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._deliver, outcome)

    def _deliver(self, outcome: Outcome) -> None:
        if self.answer.done():
            return
        if isinstance(outcome, OSError):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class _LookUp:
    """One name that is looked up, and who waits for it, on whatever loop. Needs the lock.

    Args:
        host: The name.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._waiters: list[_Waiter] = []
        self._threads = 0
        self._asked_at: float | None = None

    def join(self, waiter: _Waiter) -> None:
        """Wait for the answer; ask for it where nobody does, or where that seems to hang.

        Raises:
            RuntimeError: No thread can be started, and there is none that may still answer.
        """
        self._waiters.append(waiter)
        now = time.monotonic()
        if self._asked_at is not None and now < self._asked_at + HANGING_SECONDS:
            return
        if self._threads < MAX_THREADS:
            self._ask(now)

    def _ask(self, now: float) -> None:
        thread = threading.Thread(target=self._run, name="gwproactor-resolve", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if self._threads:
                return
            raise
        self._threads += 1
        self._asked_at = now

    def leave(self, waiter: _Waiter) -> None:
        """Wait no longer."""
        with contextlib.suppress(ValueError):
            self._waiters.remove(waiter)

    def _run(self) -> None:
        outcome = _outcome(self._host)
        with _LOCK:
            self._threads -= 1
            self._asked_at = None
            waiters, self._waiters = self._waiters, []
            if not self._threads:
                del _LOOK_UPS[self._host]
        for waiter in waiters:
            waiter.tell(outcome)


_LOCK = threading.Lock()
"""Held for moments only, never while the resolver is asked."""

_LOOK_UPS: dict[str, _LookUp] = {}


async def _looked_up(host: str) -> list[Address]:
    loop = asyncio.get_running_loop()
    waiter = _Waiter(loop, loop.create_future())
    look_up = _joined(host, waiter)
    try:
        return await waiter.answer
    finally:
        with _LOCK:
            look_up.leave(waiter)


def _joined(host: str, waiter: _Waiter) -> _LookUp:
    """The look-up of a name, which the waiter waits for now.

    Raises:
        OSError: There is no thread for it; nothing is left behind, so the next attempt asks anew.
    """
    with _LOCK:
        look_up = _LOOK_UPS.setdefault(host, _LookUp(host))
        try:
            look_up.join(waiter)
        except RuntimeError as error:
            del _LOOK_UPS[host]
            text = f"no thread can be started to look up the name ({error})"
            raise OSError(errno.EAGAIN, text) from error
        return look_up


def _outcome(host: str) -> Outcome:
    try:
        return _ask_system(host, 0)
    except OSError as error:
        return error
    except UnicodeError:  # a label longer than 63 characters, for example
        return socket.gaierror(socket.EAI_NONAME, "not a possible host name")
