"""Transitions for one who iterates over them: a bounded buffer with one reader.

A link knows its readers by weak references, so one that was simply left costs nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from gwproactor.links.core.link_state import StateName, Transition

TRANSITIONS_KEPT = 1000
"""Transitions that wait for a slow iterator: an outage makes three or four."""


class TransitionStream:
    """The transitions that one reader has not seen yet. For the loop only.

    Args:
        ended: The link is stopped already.
    """

    def __init__(self, *, ended: bool) -> None:
        self._waiting: deque[Transition] = deque(maxlen=TRANSITIONS_KEPT)
        self._ended = ended
        self._changed = asyncio.Event()

    def put(self, transition: Transition) -> None:
        """Add a transition; the oldest makes room."""
        self._waiting.append(transition)
        self._ended = transition.new_state is StateName.stopped
        self._changed.set()

    async def next(self) -> Transition | None:
        """The next transition; None after the last one. Cancel-safe."""
        while not self._waiting:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()


class Transitions:
    """An iteration over a link's transitions; see `Link.transitions`. For the loop only.

    Args:
        open_stream: Begins to keep transitions.
    """

    def __init__(self, open_stream: Callable[[], TransitionStream]) -> None:
        self._open_stream = open_stream
        self._stream: TransitionStream | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Transition:
        if self._stream is None:
            self._stream = self._open_stream()
        transition = await self._stream.next()
        if transition is None:
            raise StopAsyncIteration
        return transition

    async def aclose(self) -> None:
        """End the iteration; a second call does nothing."""
        self._stream = TransitionStream(ended=True)
