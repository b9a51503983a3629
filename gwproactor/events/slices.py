"""Long lists of events, taken a slice at a time, so that the loop does other things in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice

from gwproactor.events.store import EventRef

SLICE_COUNT = 1000
"""Taking in so many events takes some 5 ms, which a link, a timer or a signal can wait."""


async def in_slices(refs: Iterable[EventRef]) -> AsyncIterator[list[EventRef]]:
    """Give `refs`, a slice at a time, with a turn of the loop after each."""
    rest = iter(refs)
    while refs_now := list(islice(rest, SLICE_COUNT)):
        yield refs_now
        await asyncio.sleep(0)
