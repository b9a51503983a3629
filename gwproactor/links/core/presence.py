"""Two nodes with one client id: how a link learns of it, and how long it then stays away. Pure.

A broker ends a connection when another comes under the same client id. Two such nodes would throw
each other out for ever, each coming back at once. The loss alone proves nothing: networks and
brokers drop connections too, and the reason code of a takeover is not told apart from others.

So a link that lost connections in quick succession *arms* itself: from then on it keeps a presence
record on each connection, a retained message on a topic of its client id, with the id of this very
instance. Before it writes, it reads what is there. The proof of another node is that another
instance **has written since we looked last**: its record stands in the place of our own, or in the
place of an earlier one of another instance. Somebody has connected under our client id meanwhile.
What another instance wrote before we ever looked may be of a process that is dead, such as the last
run of this node, and proves nothing.

A proven conflict is reported, and the link stays away for a minute, then longer each time. On its
return it knows nothing of what it saw, so that it stays when the other has gone; where the other
is still there, one of the two finds the proof anew.

A link that is never thrown out never writes, subscribes or reads anything of this.
"""

import functools
import json
import random as _random
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

from gwproactor.links.core.backoff import Random

TOPIC_PREFIX: Final = "gwproactor/presence/"
TYPE_NAME: Final = "gwproactor.presence"

LOSSES_TO_ARM: Final = 3
WITHIN_SECONDS: Final = 60.0
"""So many losses in so short a time are rare on any network, and two nodes with one client id come
to them in a fraction of a second."""

FIRST_PAUSE_SECONDS: Final = 60.0
LONGEST_PAUSE_SECONDS: Final = 600.0
"""Each return throws the other node out once, for some milliseconds."""

MAX_RECORD_BYTES: Final = 4096
"""Longer records are nobody's."""


class Intruder(NamedTuple):
    """The other node under our client id, as its record says.

    Args:
        name: Its long name; empty where it does not say.
        instance_id: Tells it from all others.
    """

    name: str
    instance_id: str


@functools.lru_cache(maxsize=64)  # asked for on each connection, mostly for the same one
def presence_topic(client_id: str) -> str:
    """The topic of the presence records of a client id."""
    return TOPIC_PREFIX + quote(client_id, safe="")


def conflict_pauses(random: Random = _random.random) -> Iterator[float]:
    """Yield the seconds to stay away after each conflict, without end.

    Args:
        random: Gives numbers between 0 and 1: two nodes must not come back in step.
    """
    ceiling = FIRST_PAUSE_SECONDS
    while True:
        yield ceiling * (1 + random()) / 2
        ceiling = min(2 * ceiling, LONGEST_PAUSE_SECONDS)


class Presence:
    """What one link knows of others under its client id.

    Args:
        own_name: Long name of this node.
        instance_id: Tells this link, in this process, from all others.
        pauses: Seconds to stay away after each conflict.
        enabled: Whether it ever arms itself.
    """

    def __init__(
        self,
        own_name: str,
        instance_id: str,
        pauses: Iterator[float] | None = None,
        *,
        enabled: bool = True,
    ) -> None:
        self._own_name = own_name
        self._instance_id = instance_id
        self._pauses = conflict_pauses() if pauses is None else pauses
        self._enabled = enabled
        self._losses: deque[float] = deque(maxlen=LOSSES_TO_ARM)
        self._written: set[str] = set()
        self._seen: dict[str, bytes] = {}
        self.armed = False
        """Whether records are to be read and written; once true, for ever."""

    def lost(self, now: float) -> None:
        """Take note that a connection was lost which this side did not end."""
        self._losses.append(now)
        quick = len(self._losses) == LOSSES_TO_ARM and now - self._losses[0] <= WITHIN_SECONDS
        self.armed = self.armed or (self._enabled and quick)

    def record(self, now_ms: int) -> bytes:
        """Our record, to be written now."""
        fields = {
            "TypeName": TYPE_NAME,
            "Src": self._own_name,
            "InstanceId": self._instance_id,
            "TimeCreatedMs": now_ms,
        }
        return json.dumps(fields).encode()

    def wrote(self, place: str) -> None:
        """Take note that our record was written.

        Args:
            place: The broker, of which each has records of its own.
        """
        self._written.add(place)
        self._seen.pop(place, None)

    def has_written(self, place: str) -> bool:
        """Whether our record is there, as far as is known."""
        return place in self._written

    def judge(self, place: str, record: bytes | None) -> Intruder | None:
        """Say whether the record that is there proves another node under our client id.

        Args:
            place: The broker.
            record: What is there; None or empty for nothing.
        """
        found = _read(record)
        if record is None or found is None or found.instance_id == self._instance_id:
            return None
        seen = self._seen.get(place)
        if place in self._written or seen not in (None, record):
            self._written.discard(place)
            self._seen.pop(place, None)
            return found
        self._seen[place] = record
        return None

    def pause_seconds(self) -> float:
        """How long to stay away after a conflict; longer each time."""
        return next(self._pauses)


def _read(record: bytes | None) -> Intruder | None:
    """What a record says; None where it is none."""
    if not record or len(record) > MAX_RECORD_BYTES:
        return None
    try:
        fields = json.loads(record)
        if fields["TypeName"] != TYPE_NAME:
            return None
        name, instance_id = fields.get("Src", ""), fields["InstanceId"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(name, str) or not isinstance(instance_id, str):
        return None
    return Intruder(name, instance_id)
