"""The broker's answers to SUBSCRIBE and UNSUBSCRIBE, as futures that a loss ends."""

import asyncio
from collections.abc import Sequence
from typing import Any

Answer = asyncio.Future[Sequence[int]]
"""The reason code of each filter, or ConnectionLostError. Nobody needs to read it."""


class Answers:
    """The answers that are waited for, by packet id. For the loop only."""

    def __init__(self) -> None:
        self._waiting: dict[int, Answer] = {}
        self.just_came = False
        """Whether there is an answer of which nobody may have been told yet."""

    def wait(self, packet_id: int) -> Answer:
        """What was sent under this id waits for its answer."""
        answer = self._waiting[packet_id] = _new()
        return answer

    def none(self, error: Exception) -> Answer:
        """What could not be sent has this for an answer."""
        answer = _new()
        answer.set_exception(error)
        return answer

    def came(self, packet_id: int, codes: Sequence[int]) -> None:
        """An answer came; one that nobody waits for any more is no matter."""
        self.just_came = True
        answer = self._waiting.pop(packet_id, None)
        if answer is not None and not answer.done():  # else whoever asked was cancelled
            answer.set_result(codes)

    def lost(self, error: Exception) -> None:
        """The connection is gone, and no answer will come."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)


def _new() -> Answer:
    answer: Answer = asyncio.get_running_loop().create_future()
    answer.add_done_callback(mark_retrieved)
    return answer


def mark_retrieved(answer: asyncio.Future[Any]) -> None:
    """Who asked may not care: an answer that nobody reads is no warning."""
    if not answer.cancelled():
        answer.exception()
