"""The end of something: stages in their order, in one time, whatever they raise."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwproactor.errors import ProactorFailedError
from gwproactor.runtime.ending import HURRIED_SHARE, SLACK_SECONDS, Ending, Stage
from gwproactor_test.clients import until
from gwproactor_test.overseer import forever

SECONDS = 10.0
NO_END = 1000.0


class Notes:
    """What a plan of stages did, and an ending of them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.given_seconds: dict[str, float] = {}
        self.reports: list[tuple[str, str]] = []
        self.hurried = 0

    def stage(self, what: str, share: int | None, work: Callable[[], Awaitable[None]]) -> Stage:
        async def noted(seconds: float) -> None:
            self.given_seconds[what] = seconds
            self.log.append(what)
            await work()

        return Stage(what, share, noted)

    def ending(self, *stages: Stage, seconds: float = NO_END) -> Ending:
        return Ending(
            stages,
            seconds,
            report=lambda *report: self.reports.append(report),
            hurry=self.hurry,
        )

    def hurry(self) -> None:
        self.hurried += 1


async def nothing() -> None:
    pass


def raises(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        raise error

    return work


async def test_each_stage_is_told_its_share_of_what_is_left() -> None:
    notes = Notes()
    stages = [notes.stage(what, share, nothing) for what, share in (("a", 1), ("b", 2), ("c", 1))]
    async with notes.ending(*stages):
        assert notes.log == []
    assert notes.log == ["a", "b", "c"]
    assert notes.given_seconds == pytest.approx(
        {"a": NO_END / 4, "b": NO_END * 2 / 3, "c": NO_END}, rel=0.01
    )
    assert notes.hurried == 0


async def test_whatever_a_stage_raises_the_others_follow_and_the_first_is_raised() -> None:
    notes = Notes()
    errors = (ValueError("first"), SystemExit(3), asyncio.CancelledError(), OSError("last"))
    stages = [notes.stage(str(place), 1, raises(each)) for place, each in enumerate(errors)]
    with pytest.raises(ValueError, match="first"):
        async with notes.ending(*stages, notes.stage("end", 1, nothing)):
            pass
    assert notes.log == ["0", "1", "2", "3", "end"]
    with pytest.raises(SystemExit):
        async with notes.ending(*stages[1:]):
            pass
    with pytest.raises(ProactorFailedError, match="end of 2: CancelledError"):
        async with notes.ending(*stages[2:]):
            pass


async def test_what_the_block_raised_is_raised_and_knows_of_the_end() -> None:
    notes = Notes()
    with pytest.raises(KeyError) as caught:
        async with notes.ending(notes.stage("a", 1, raises(OSError("no disk")))):
            raise KeyError
    assert caught.value.__notes__ == ["and then: OSError: no disk"]


async def test_a_stage_that_does_not_keep_to_its_time_is_cut_short_and_named() -> None:
    notes, cut = Notes(), asyncio.Event()

    async def hang() -> None:
        try:
            await forever()
        finally:
            cut.set()

    stages = (notes.stage("links", 1, hang), notes.stage("stores", 4, nothing))
    async with asyncio.timeout(SECONDS), notes.ending(*stages, seconds=0.5):
        pass
    assert cut.is_set()
    assert notes.log == ["links", "stores"]
    ((summary, details),) = notes.reports
    assert summary == "The end of links was cut short"
    assert "in forever" in details
    assert notes.given_seconds["stores"] > 0


async def test_one_that_cannot_even_be_cut_short_is_left_behind() -> None:
    notes, let_go = Notes(), asyncio.Event()

    async def cling() -> None:
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()

    stages = (notes.stage("links", 1, cling), notes.stage("stores", 1, nothing))
    async with asyncio.timeout(SECONDS), notes.ending(*stages, seconds=0.02):
        pass
    assert notes.log == ["links", "stores"]
    let_go.set()


async def test_a_stage_without_a_share_takes_its_time_from_nobody() -> None:
    notes = Notes()

    async def long() -> None:
        await asyncio.sleep(0.2)

    stages = (notes.stage("acks", None, long), notes.stage("stores", 1, nothing))
    async with notes.ending(*stages, seconds=0.15):
        pass
    assert notes.reports == []
    assert notes.given_seconds["stores"] == pytest.approx(0.15)


@pytest.mark.parametrize("share", [1, None])
async def test_who_cancels_the_end_hurries_it_and_skips_nothing(share: int | None) -> None:
    notes = Notes()
    stages = (notes.stage("acks", share, forever), notes.stage("stores", 1, nothing))
    ending = notes.ending(*stages, seconds=0.4)

    async def end() -> None:
        async with ending:
            pass

    ending_task = asyncio.create_task(end())
    await until(lambda: notes.log == ["acks"])
    ending_task.cancel()
    await until(lambda: notes.hurried == 1)
    ending_task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending_task
    assert notes.log == ["acks", "stores"]
    assert notes.hurried == 1
    assert notes.reports == []
    assert 0 < notes.given_seconds["stores"] <= 0.4 * HURRIED_SHARE


async def test_who_is_cancelled_before_the_end_has_a_quarter_of_the_time() -> None:
    notes = Notes()

    async def end() -> None:
        async with notes.ending(notes.stage("stores", 1, nothing)):
            await forever()

    ending = asyncio.create_task(end())
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert notes.given_seconds["stores"] == pytest.approx(NO_END * HURRIED_SHARE)


works = st.sampled_from(["nothing", "raises", "cancelled", "hangs", "sleeps"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(works, st.integers(1, 3)), min_size=1, max_size=5), st.integers(0, 3))
def test_any_plan_comes_to_its_end_in_order_whoever_cancels_it(
    plan: list[tuple[str, int]], cancels: int
) -> None:
    async def run() -> None:
        notes = Notes()
        work: dict[str, Callable[[], Awaitable[None]]] = {
            "nothing": nothing,
            "raises": raises(OSError("no")),
            "cancelled": raises(asyncio.CancelledError()),
            "hangs": forever,
            "sleeps": lambda: asyncio.sleep(0.001),
        }
        stages = [
            notes.stage(str(place), share, work[kind]) for place, (kind, share) in enumerate(plan)
        ]

        async def end() -> None:
            async with notes.ending(*stages, seconds=0.01):
                pass

        ending = asyncio.create_task(end())
        for _ in range(cancels):
            await asyncio.sleep(0.001)
            ending.cancel()
        async with asyncio.timeout(SECONDS):
            await asyncio.wait((ending,))
        begun = [str(place) for place in range(len(plan))]
        assert notes.log == (begun if notes.log else [])  # cancelled before it began
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


async def test_a_hurried_end_has_an_end() -> None:
    """Not how long it takes is looked at, but that each of a thousand cancels adds nothing."""
    notes = Notes()
    ending = notes.ending(notes.stage("a", 1, forever), seconds=0.2)

    async def end() -> None:
        async with ending:
            pass

    running = asyncio.create_task(end())
    cancelling_since = time.monotonic()
    while not running.done():
        running.cancel()
        await asyncio.sleep(SLACK_SECONDS / 10)
        assert time.monotonic() - cancelling_since < SECONDS
    assert running.cancelled()
