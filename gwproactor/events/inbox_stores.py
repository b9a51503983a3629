"""What the inbox has on the disk, written in the order in which no moment loses anything.

An event leaves the inbox in three steps: where it is to be set aside it is written among the dead
letters, else its id goes among those seen; then it is removed. Each step may be repeated. An event
that is in the inbox and among the ids seen, as a power cut may leave it, was handled.

Leaving takes a little room, and only leaving makes room. So some is kept (`Reserve`): where a
disk is full, leaving uses it up, and nothing new is taken in before it is kept again.
"""

import asyncio
from collections.abc import Iterable, Sequence

from gwproactor.errors import StoreError
from gwproactor.events.core.inbox import Key
from gwproactor.events.dead_letters import DeadLetters
from gwproactor.events.disk.file_calls import is_no_room
from gwproactor.events.disk.reserve import Reserve
from gwproactor.events.log.seen_log import Seen
from gwproactor.events.store import Damage, EventRef, EventStore, StoredEvent


class InboxStores:
    """The stores behind one inbox. For the loop's thread.

    Args:
        store: Where received events are kept. This object opens and closes all of them.
        dead_letters: Where events go that the handler failed with too often.
        seen: The ids of the events dealt with.
        reserve: Room for leaving; None where there is no disk.
    """

    def __init__(
        self,
        store: EventStore,
        dead_letters: DeadLetters,
        seen: Seen,
        reserve: Reserve | None,
    ) -> None:
        self._store = store
        self._dead_letters = dead_letters
        self._seen = seen
        self._reserve = reserve
        self._unhandled: set[int] = set()

    async def open(self) -> Sequence[Damage]:
        """Open them all.

        Raises:
            StoreError: One of them cannot be used.
        """
        if self._reserve is not None:
            await self._reserve.open()
        return [
            *await self._seen.open(),
            *await self._dead_letters.open(),
            *await self._store.open(),
        ]

    async def close(self) -> None:
        """Close them all, side by side."""
        closing = [self._store.close(), self._dead_letters.close(), self._seen.close()]
        if self._reserve is not None:
            closing.append(self._reserve.close())
        await asyncio.gather(*closing)

    def has_seen(self, key: Key) -> bool:
        """Whether an event of a link was dealt with."""
        return key in self._seen

    def leave_unseen(self, ref: EventRef) -> None:
        """An event is about to be removed that nobody handled: should it come again, it is new."""
        self._unhandled.add(ref.sequence)

    async def commit(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        """Write a batch; each step may be repeated without harm when a later one fails.

        Raises:
            StoreError: All of it is to be repeated.
        """
        if puts and self._reserve is not None:
            await self._reserve.keep()
        while True:
            try:
                await self._write(puts, removals)
            except StoreError as error:
                if puts or not is_no_room(error) or not await self._give_room():
                    raise
            else:
                break

    async def _write(self, puts: Sequence[StoredEvent], removals: Sequence[EventRef]) -> None:
        await self._dead_letters.commit(removals)
        done = [(ref.tag, ref.event_id) for ref in removals if ref.sequence not in self._unhandled]
        news = [key for key in done if key not in self._seen]
        if news:
            await self._seen.add(news)
        await self._store.commit(puts, [ref.sequence for ref in removals])

    def committed(self, removals: Iterable[EventRef]) -> None:
        """Note that these events have left the inbox."""
        removals = list(removals)
        self._dead_letters.committed(removals)
        self._unhandled.difference_update(ref.sequence for ref in removals)

    async def _give_room(self) -> bool:
        return self._reserve is not None and await self._reserve.give()
