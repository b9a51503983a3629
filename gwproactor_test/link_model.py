"""A model of the comm state, made of its definition alone.

`LinkModel` remembers facts (which connection, which SUBACKs, which acks, which messages) and says
of each of the four conditions whether it holds. It knows no table, no trigger and no deadline of
the core. `gwproactor_test.checked_link_core` holds a link core against it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gwproactor.links.core.link_state import StateName
from gwproactor.links.core.subscriptions import Subscription

FOREVER: Final = float("inf")


@dataclass
class LinkModel:
    """What is known of one link, and which of the four conditions hold.

    Args:
        ack_timeout_seconds: How long peer and broker may take to answer.
        poll_seconds: A ping goes out after so long without sending or without receiving.
    """

    ack_timeout_seconds: float
    poll_seconds: float
    started: bool = False
    stopped: bool = False
    connected: bool = False
    wanted: dict[str, Subscription] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    granted: set[str] = field(default_factory=set)
    refused: dict[str, float] = field(default_factory=dict)
    added_while_active: set[str] = field(default_factory=set)
    waits: dict[str, float] = field(default_factory=dict)
    waits_from_before: set[str] = field(default_factory=set)
    unanswered: bool = False
    last_valid: float | None = None
    may_be_old: bool = False
    overdue_here: set[str] = field(default_factory=set)

    def every_subscription_acknowledged(self) -> bool:
        """Condition 2, with its one exception."""
        return all(
            name in self.granted or (name in self.added_while_active and name in self.asked)
            for name in self.wanted
        )

    def conditions(self) -> tuple[bool, bool, bool, bool]:
        """The four conditions. The fourth is up to date after `lapse`."""
        return (
            self.connected,
            self.every_subscription_acknowledged(),
            not self.unanswered,
            self.last_valid is not None,
        )

    def active(self) -> bool:
        """Whether all of them hold."""
        return all(self.conditions())

    def state(self) -> StateName:
        """The comm state that follows from them."""
        if self.stopped or not self.started:
            return StateName.stopped if self.stopped else StateName.not_started
        connected, setup, answered, heard = self.conditions()
        if not connected:
            return StateName.connecting
        present = answered and heard
        if setup:
            return StateName.active if present else StateName.awaiting_peer
        return StateName.awaiting_setup if present else StateName.awaiting_setup_and_peer

    def silence_seconds(self) -> float:
        """How long nothing valid may come."""
        return self.poll_seconds + self.ack_timeout_seconds

    def next_change(self) -> float:
        """When time alone changes something next."""
        if not self.connected:
            return FOREVER
        moments = [*self.waits.values()]
        moments += [at + self.ack_timeout_seconds for at in self.asked.values()]
        if self.last_valid is not None and not self.unanswered:
            moments.append(self.last_valid + self.silence_seconds())
        return min(moments, default=FOREVER)

    def overdue(self, now: float) -> bool:
        """Whether a SUBACK should have come by now."""
        return any(at + self.ack_timeout_seconds <= now for at in self.asked.values())

    def lapse(self, now: float) -> None:
        """What time alone has changed by now, short of an overdue SUBACK."""
        was_active = self.active()
        expired = {name for name, deadline in self.waits.items() if deadline <= now}
        if was_active and expired - self.waits_from_before:
            self.unanswered = True
        for name in expired:
            self.end_wait(name)
        if self.may_be_old:
            self.overdue_here |= expired
        if self.last_valid is not None and self.last_valid + self.silence_seconds() <= now:
            self.last_valid = None
        if was_active and not self.active():
            self.waits.clear()

    def end_wait(self, message_id: str) -> bool:
        """An ack came or expired. Returns whether it was waited for."""
        self.waits_from_before.discard(message_id)
        return self.waits.pop(message_id, None) is not None

    def hear_ack(self, message_id: str) -> None:
        """An ack came; that of a message of this connection, even a late one, is no old one."""
        if message_id in self.waits or message_id in self.overdue_here:
            self.may_be_old = False

    def ask(self, now: float, names: Iterable[str]) -> None:
        """A SUBSCRIBE went out."""
        for name in names:
            self.granted.discard(name)
            self.refused.pop(name, None)
            self.asked[name] = now

    def answer(self, now: float, name: str, code: int) -> None:
        """A SUBACK came for one filter."""
        if self.asked.pop(name, None) is None:
            return
        self.added_while_active.discard(name)
        if code in (0, 1, 2):
            self.granted.add(name)
        else:
            self.refused[name] = now

    def forget(self, name: str) -> None:
        """A filter is not wanted any more."""
        self.wanted.pop(name, None)
        self.asked.pop(name, None)
        self.refused.pop(name, None)
        self.granted.discard(name)
        self.added_while_active.discard(name)

    def disconnect(self) -> None:
        """The connection is gone: nothing of it counts any more."""
        self.connected = False
        self.asked.clear()
        self.granted.clear()
        self.refused.clear()
        self.added_while_active.clear()
        self.waits.clear()
        self.unanswered = False
        self.last_valid = None
        self.may_be_old = False
        self.overdue_here.clear()
