"""The body of an `async with`: it can be ended, and nobody else's cancel is taken for that."""

import asyncio

import pytest

from gwproactor.runtime.body import Body


class Context:
    """An `async with` that has nothing but its body, and says whether it swallowed a cancel."""

    def __init__(self) -> None:
        self.swallowed: bool | None = None

    async def __aenter__(self) -> Body:
        self.body = Body()
        await asyncio.sleep(0)
        self.body.enter()
        return self.body

    async def __aexit__(self, kind: object, error: BaseException | None, _: object) -> bool | None:
        self.swallowed = self.body.left_with(error)
        await asyncio.sleep(0)
        return self.swallowed


async def forever() -> None:
    await asyncio.Event().wait()


async def test_it_is_ended_and_the_program_goes_on_behind_it() -> None:
    context = Context()
    async with context as body:
        body.end()
        body.end()
        await forever()
    assert context.swallowed
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_one_that_is_left_before_the_loop_turns_is_not_cancelled() -> None:
    context = Context()
    async with context as body:
        body.end()
    assert context.swallowed is False
    await asyncio.sleep(0)


async def test_one_that_must_end_before_it_is_entered_ends_at_once() -> None:
    class Early(Context):
        async def __aenter__(self) -> Body:
            self.body = Body()
            self.body.end()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.body.enter()
            return self.body

    context = Early()
    async with context:
        await forever()
    assert context.swallowed


@pytest.mark.parametrize("outside_first", [False, True])
async def test_a_cancel_from_outside_at_the_same_moment_is_not_swallowed(
    outside_first: bool,
) -> None:
    context, entered = Context(), asyncio.Event()

    async def use() -> None:
        async with context:
            entered.set()
            await forever()

    using = asyncio.create_task(use())
    await entered.wait()
    if outside_first:
        using.cancel()
    context.body.end()
    await asyncio.sleep(0)
    if not outside_first:
        using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert context.swallowed is False


async def test_of_two_around_each_other_the_outer_one_swallows() -> None:
    outer, inner = Context(), Context()
    behind: list[str] = []
    async with outer as around:
        async with inner as within:
            around.end()
            within.end()
            await forever()
        behind.append("the inner one")
    assert (inner.swallowed, outer.swallowed, behind) == (False, True, [])


async def test_what_the_body_raises_instead_passes() -> None:
    async def use() -> None:
        async with Context() as body:
            body.end()
            try:
                await forever()
            finally:
                raise KeyError("in the way")

    with pytest.raises(KeyError, match="in the way"):
        await use()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_one_that_takes_no_notice_goes_on() -> None:
    context = Context()
    async with context as body:
        body.end()
        with pytest.raises(asyncio.CancelledError):
            await forever()
        await asyncio.sleep(0)
    assert context.swallowed is False
