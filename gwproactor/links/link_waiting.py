"""Waiting for a link's comm state, and following it."""

import asyncio
import weakref
from collections.abc import Collection, Iterable

from gwproactor.config.link import LinkSettings
from gwproactor.errors import NotRunningError, UsageError
from gwproactor.links.core.link_state import StateName, Transition
from gwproactor.links.link_handle import LinkHandle
from gwproactor.links.transition_stream import Transitions, TransitionStream
from gwproactor.wire.codec import MQTTCodec
from gwproactor.wire.timing import checked_timeout


class LinkWaiting(LinkHandle):
    """The part of `Link` for who waits for its state. Made as a `LinkHandle`."""

    def __init__(self, settings: LinkSettings, codec: MQTTCodec) -> None:
        super().__init__(settings, codec)
        self._transition_streams: weakref.WeakSet[TransitionStream] = weakref.WeakSet()

    async def wait_for(
        self,
        state: StateName | str | Collection[StateName | str] = StateName.active,
        *,
        timeout_seconds: float | None = None,
    ) -> None:
        """Wait until the link is in a state; returns at once when it is. Cancel-safe.

        A state that the link passes through counts, even if it has left it again by the time that
        the waiting task runs.

        Args:
            state: The state or its name, or several of which any will do.
            timeout_seconds: How long to wait, zero or less for a mere look; None for as long as the
                link runs.

        Raises:
            TimeoutError: It did not come in time; the message names the state the link is in.
            NotRunningError: The link was stopped meanwhile, or before.
            UsageError: There is no such state, or no number of seconds.
        """
        wanted = _states([state] if isinstance(state, str) else state)
        timeout_seconds = checked_timeout(timeout_seconds)
        stream = self._open_transitions()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._pass(stream, wanted)
        except TimeoutError:
            names = " or ".join(sorted(wanted))
            raise TimeoutError(
                f"link '{self.name}' was not {names} within {timeout_seconds:g} s;"
                f" it is {self.state}"
            ) from None
        finally:
            self._transition_streams.discard(stream)

    async def _pass(self, stream: TransitionStream, wanted: set[StateName]) -> None:
        state = self.state
        while state not in wanted:
            transition = await stream.next()
            if transition is None:
                raise NotRunningError(f"link '{self.name}' is stopped")
            state = transition.new_state

    def transitions(self) -> Transitions:
        """Iterate over what happens to the comm state from now on, until the link is stopped.

        "From now on" begins with the first `anext`. Each iterator has a buffer of
        1000: when it is not read for so long, its oldest transitions are dropped, so
        a gap shows as a transition whose old state is not the new state of the one before. Ends
        after the transition to `stopped`. Cancel-safe: an `anext` that was cancelled took nothing,
        and the next one goes on. An iterator that nobody holds any more costs nothing.
        """
        return Transitions(self._open_transitions)

    def _open_transitions(self) -> TransitionStream:
        stream = TransitionStream(ended=self.state is StateName.stopped)
        self._transition_streams.add(stream)
        return stream

    def _tell_transition(self, transition: Transition) -> None:
        if self._transition_streams:
            for stream in tuple(self._transition_streams):
                stream.put(transition)


def _states(names: Iterable[StateName | str]) -> set[StateName]:
    try:
        states = {StateName(name) for name in names}
    except ValueError as error:
        raise UsageError(f"{error}; there are {', '.join(StateName)}") from None
    if not states:
        raise UsageError(f"no state to wait for was given; there are {', '.join(StateName)}")
    return states
