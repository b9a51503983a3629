"""The steps of a wait, on a clock that the test moves, and real waits of each kind."""

import queue
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.actors import pulse as pulse_module
from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.pulse import Pulse, beating, steps
from gwproactor.actors.queue_writers import SyncAsyncQueueWriter
from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.actors.responsive_sleep import responsive_sleep

LONG_SECONDS = 1000.0
BEATS = 5


class EnoughError(Exception):
    """Ends a wait."""


def test_without_a_pulse_a_wait_has_one_step() -> None:
    assert list(steps(None)) == [None]
    assert list(steps(-1)) == [0]
    (step,) = steps(100)
    assert step is not None
    assert 99 < step <= 100


@given(
    seconds=st.none() | st.floats(0, 1000),
    pauses=st.lists(st.floats(0.001, 100), min_size=1, max_size=50),
)
def test_the_steps_are_as_long_as_the_wait_and_beats_are_never_late(
    seconds: float | None, pauses: list[float]
) -> None:
    now = 0.0
    due_at, pauses_left = pauses[0], pauses[1:]

    def beat() -> None:
        nonlocal due_at
        assert now == pytest.approx(due_at)
        assert len(list(steps(1))) == 1, "a wait of the beat itself has one step"
        due_at = now + pauses_left.pop(0) if pauses_left else float("inf")

    with pytest.MonkeyPatch.context() as patching, beating(Pulse(lambda: due_at - now, beat)):
        patching.setattr(pulse_module, "time", SimpleNamespace(monotonic=lambda: now))
        for step in steps(seconds):
            if step is None:
                assert seconds is None
                assert not pauses_left
                break
            now += step
    assert now == pytest.approx(sum(pauses) if seconds is None else seconds)


def in_all_kinds_of_waits() -> list[Any]:
    full: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    full.thread_end.put(0)
    empty: SyncAsyncQueue[int] = SyncAsyncQueue(1)
    machine = SimpleNamespace(_main_loop_running=True)
    foreign = SyncAsyncQueueWriter(queue.Queue())
    return [
        pytest.param(lambda: full.thread_end.put(1, timeout=LONG_SECONDS), id="put"),
        pytest.param(lambda: empty.thread_end.get(timeout=LONG_SECONDS), id="get"),
        pytest.param(
            lambda: foreign.get_from_sync_queue(timeout=LONG_SECONDS), id="get, another queue"
        ),
        pytest.param(
            lambda: full.thread_end.put(1, timeout=LONG_SECONDS, interrupt=Interrupt()), id="put!"
        ),
        pytest.param(lambda: Interrupt().wait(LONG_SECONDS), id="sleep"),
        pytest.param(lambda: responsive_sleep(machine, LONG_SECONDS, 60), id="responsive_sleep"),
    ]


@pytest.mark.parametrize("wait", in_all_kinds_of_waits())
def test_every_wait_of_this_library_beats(wait: Callable[[], object]) -> None:
    beats: list[str] = []

    def beat() -> None:
        beats.append(threading.current_thread().name)
        if len(beats) == BEATS:
            raise EnoughError

    with beating(Pulse(lambda: 0, beat)), pytest.raises(EnoughError):
        wait()
    assert beats == [threading.current_thread().name] * BEATS


def test_a_beat_that_fails_ends_the_wait_and_nobody_waits_any_more() -> None:
    one: SyncAsyncQueue[int] = SyncAsyncQueue(1)

    def fail() -> None:
        raise OSError("nobody listens")

    with beating(Pulse(lambda: 0, fail)), pytest.raises(OSError, match="nobody listens"):
        one.thread_end.get()
    assert not one.thread_end._state.readers
