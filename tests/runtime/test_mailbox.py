import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gwproactor.errors import MailboxFullError, NotRunningError
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.transport import ReceivedPacket
from gwproactor.runtime import mailbox
from gwproactor.runtime.dispatch import Dispatch
from gwproactor.runtime.mailbox import Letter, LetterHandler, Mailbox
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import AnyEvent, Ping
from gwproactor_test.clients import until


def id_of(letter: Letter) -> str:
    message = letter.message if isinstance(letter, ReceivedMessage) else letter
    return message.Header.MessageId


class Desk:
    """A mailbox and a Dispatch before it, with notes of everything they do."""

    def __init__(self, max_messages: int = 3) -> None:
        self.handled: list[str] = []
        self.events: list[tuple[str, str, bytes, bool]] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.reports: list[tuple[str, str]] = []
        self.done: list[ReceivedPacket] = []
        self.handler: LetterHandler = self.handle
        self.mailbox = Mailbox(
            "'actor'",
            lambda letter: self.handler(letter),
            max_messages=max_messages,
            max_tries=3,
            report=lambda *report: self.reports.append(report),
        )
        self.dispatch = Dispatch(
            lambda _received: self.mailbox,
            lambda *event: self.events.append(event[:4]),
            lambda *message: self.acknowledged.append(message),
        )

    async def handle(self, letter: Letter) -> None:
        self.handled.append(id_of(letter))

    def take(self, message: Message[Any], **packet: Any) -> ReceivedMessage:
        """A message comes; what is done with it to the broker stands in `done`."""
        wants_ack = message.Header.AckRequired
        received = ReceivedMessage(
            "link",
            message,
            ReceivedPacket("a/b", b"", **packet),
            time.monotonic(),
            wants_ack=wants_ack,
            finish=self.done.append if packet.get("qos") else None,
        )
        self.dispatch.take(received)
        return received


@contextlib.asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[None]:
    task = asyncio.create_task(desk.mailbox.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def message(message_id: str, *, ack_required: bool = True) -> Message[Any]:
    """One that is neither ack, ping nor event; a ping's payload under another name will do."""
    found = Message[Any](Src="a.b", Payload=Ping(MessageId=message_id), AckRequired=ack_required)
    return found.model_copy(
        update={"Header": found.Header.model_copy(update={"MessageType": "some.type"})}
    )


@pytest.mark.parametrize("wants_ack", [True, False])
async def test_an_event_goes_to_the_inbox_and_is_not_acknowledged_here(wants_ack: bool) -> None:
    desk = Desk()
    event = AnyEvent(MessageId="e", n=1)
    desk.take(Message[Any](Src="a.b", Payload=event, AckRequired=wants_ack))
    ((link, event_id, payload, ack_required),) = desk.events
    assert (link, event_id, ack_required) == ("link", "e", wants_ack)
    assert AnyEvent.model_validate_json(payload) == event
    assert desk.acknowledged == []


async def test_messages_are_acknowledged_when_taken_and_handled_in_order() -> None:
    desk = Desk()
    desk.take(message("1"))
    desk.take(message("2", ack_required=False))
    desk.take(message("3"))
    assert desk.acknowledged == [("link", "1"), ("link", "3")]
    running = asyncio.create_task(desk.mailbox.run())
    await until(lambda: desk.handled == ["1", "2", "3"])
    running.cancel()
    await asyncio.wait([running])


async def test_a_full_mailbox_drops_unacknowledged_and_tells_once() -> None:
    desk = Desk(max_messages=2)
    for number in range(1000):
        desk.take(message(str(number)))
    assert desk.acknowledged == [("link", "0"), ("link", "1")]
    ((summary, details),) = desk.reports
    assert "mailbox of 'actor' is full" in summary
    assert details == "link"


async def test_a_handler_that_raises_is_reported_and_the_next_message_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(max_messages=100)

    async def fail(received: Letter) -> None:
        desk.handled.append(id_of(received))
        if id_of(received) != "99":
            raise ValueError("cannot")

    desk.handler = fail
    for number in range(100):
        desk.take(message(str(number)))
    with caplog.at_level(logging.CRITICAL, "gwproactor"):
        running = asyncio.create_task(desk.mailbox.run())
        await until(lambda: desk.handled[-1:] == ["99"])
        running.cancel()
        await asyncio.wait([running])
    ((summary, details),) = desk.reports
    assert "some.type" in summary
    assert "ValueError: cannot" in details
    assert " in fail" in details


async def test_another_failure_of_the_same_handler_is_reported_at_once() -> None:
    """However often the first comes, and though both are raised over the same type of message."""
    desk = Desk(max_messages=100)

    async def fail(received: Letter) -> None:
        number = len(desk.handled)
        desk.handled.append(id_of(received))
        if number == 50:
            raise ValueError("the valve is stuck")
        if number == 51:
            raise KeyError("valve")
        raise ValueError(f"no reading {number}")

    desk.handler = fail
    for number in range(60):
        desk.take(message(str(number)))
    async with running(desk):
        await until(lambda: len(desk.handled) == 60)
    told = [details for _, details in desk.reports]
    assert len(told) == 3
    assert "no reading 0" in told[0]
    assert "the valve is stuck" in told[1]
    assert "KeyError" in told[2]


async def test_a_message_of_qos_1_is_done_when_it_was_handled() -> None:
    desk = Desk()
    one, _ = desk.take(message("1"), qos=1), desk.take(message("2"))
    assert one.holds_broker
    assert desk.done == []
    async with running(desk):
        await until(lambda: desk.handled == ["1", "2"])
    assert desk.done == [one.packet]
    assert not one.holds_broker


async def test_one_that_fails_comes_again_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mailbox, "FIRST_RETRY_SECONDS", 0.01)
    desk, failures = Desk(), 2

    async def fail_twice(received: Letter) -> None:
        nonlocal failures
        desk.handled.append(id_of(received))
        if id_of(received) == "bad" and failures:
            failures -= 1
            raise ValueError("not now")

    desk.handler = fail_twice
    bad = desk.take(message("bad"), qos=1)
    desk.take(message("good"))
    with caplog.at_level(logging.CRITICAL, "gwproactor"):
        async with running(desk):
            await until(lambda: bool(desk.done))
    assert desk.handled == ["bad", "good", "bad", "bad"]
    assert desk.done == [bad.packet]
    assert desk.acknowledged == [("link", "bad"), ("link", "good")]


async def test_after_too_many_tries_it_is_reported_and_let_go(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mailbox, "FIRST_RETRY_SECONDS", 0.01)
    desk = Desk()

    async def fail(received: Letter) -> None:
        desk.handled.append(id_of(received))
        raise ValueError("never")

    desk.handler = fail
    bad = desk.take(message("bad"), qos=1)
    with caplog.at_level(logging.CRITICAL, "gwproactor"):
        async with running(desk):
            await until(lambda: bool(desk.done))
    assert desk.handled == ["bad"] * 3
    assert desk.done == [bad.packet]
    assert "3 times; it is let go" in desk.reports[-1][0]


async def test_a_full_mailbox_takes_what_the_broker_keeps() -> None:
    desk = Desk(max_messages=1)
    desk.take(message("0"))
    desk.take(message("1"), qos=1)
    assert desk.reports == []
    async with running(desk):
        await until(lambda: desk.handled == ["0", "1"])


async def test_who_waits_for_the_receiver_is_told_what_came_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(max_messages=10)

    async def fail(letter: Letter) -> None:
        await desk.handle(letter)
        if id_of(letter) == "raises":
            raise ValueError("cannot")
        if id_of(letter) == "cancels itself":
            raise asyncio.CancelledError

    desk.handler = fail
    async with running(desk):
        await desk.mailbox.process(message("works"))
        assert desk.handled == ["works"]
        with pytest.raises(ValueError, match="cannot"):
            await desk.mailbox.process(message("raises"))
        with pytest.raises(RuntimeError, match="the handler raised CancelledError"):
            await desk.mailbox.process(message("cancels itself"))
        await desk.mailbox.process(message("works"))
    assert desk.reports == []
    assert not caplog.records


async def test_who_waits_in_front_of_a_full_mailbox_gets_in_when_there_is_room() -> None:
    desk, may_go_on = Desk(max_messages=1), asyncio.Event()

    async def slow(letter: Letter) -> None:
        await may_go_on.wait()
        await desk.handle(letter)

    desk.handler = slow
    async with running(desk):
        waiting = [asyncio.create_task(desk.mailbox.process(message(str(n)))) for n in range(20)]
        await until(lambda: len(desk.mailbox) == 1)
        may_go_on.set()
        await asyncio.gather(*waiting)
        assert sorted(desk.handled, key=int) == [str(number) for number in range(20)]
        assert len(desk.mailbox) == 0
    assert desk.mailbox.dropped_count == 0
    assert not desk.mailbox._outcomes


async def test_a_receiver_that_hangs_while_senders_wait_for_room_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mailbox, "STUCK_SECONDS", 0.01)
    desk, go_on = Desk(max_messages=1), asyncio.Event()

    async def hang(letter: Letter) -> None:
        await go_on.wait()

    desk.handler = hang
    async with running(desk):
        waiting = [asyncio.create_task(desk.mailbox.process(message(str(n)))) for n in range(4)]
        await until(lambda: bool(desk.reports))
        await asyncio.sleep(0.1)
        go_on.set()
        await asyncio.gather(*waiting)
    (said,) = desk.reports
    assert said[0] == "'actor' has taken no message for long, and senders wait for room"
    assert said[1].startswith("it may hang; 1 messages wait")


async def test_who_goes_away_while_he_waits_leaves_his_message() -> None:
    desk, may_go_on = Desk(max_messages=2), asyncio.Event()

    async def slow(letter: Letter) -> None:
        await may_go_on.wait()
        await desk.handle(letter)
        if id_of(letter) == "2":
            raise ValueError("nobody wants to know any more")

    desk.handler = slow
    async with running(desk):
        waiting = [asyncio.create_task(desk.mailbox.process(message(n))) for n in "1234"]
        await until(lambda: len(desk.mailbox) == 2)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        may_go_on.set()
        await until(lambda: desk.handled == ["1", "2", "3"])


async def test_who_waits_when_it_ends_is_told() -> None:
    desk, never = Desk(max_messages=1), asyncio.Event()

    async def hang(letter: Letter) -> None:
        await never.wait()

    desk.handler = hang
    async with running(desk):
        waiting = [asyncio.create_task(desk.mailbox.process(message(n))) for n in "123"]
        await until(lambda: len(desk.mailbox) == 1)
    done, _ = await asyncio.wait(waiting, timeout=5)
    assert [type(task.exception()) for task in done] == [NotRunningError] * 3
    with pytest.raises(NotRunningError, match="takes no messages any more"):
        await desk.mailbox.process(message("late"))


async def test_what_expired_meanwhile_is_not_handled() -> None:
    desk = Desk()
    old = desk.take(message("old"), qos=1, expiry_seconds=0)
    desk.take(message("new"), expiry_seconds=1000)
    async with running(desk):
        await until(lambda: desk.handled == ["new"])
    assert desk.done == [old.packet]
    assert "expired" in desk.reports[0][0]


async def test_what_is_delivered_again_while_it_waits_is_handled_once() -> None:
    """As after a reconnection to a kept session; the old connection's acknowledgement is void."""
    desk = Desk()
    desk.take(message("1"), qos=1, packet_id=1)
    again = desk.take(message("1"), qos=1, packet_id=1, duplicate=True)
    other = desk.take(message("1"), qos=1, packet_id=2)  # no duplicate: a message like the first
    desk.done.clear()
    async with running(desk):
        await until(lambda: len(desk.done) == 2)
        assert desk.handled == ["1", "1"]
        assert desk.done == [again.packet, other.packet]
        assert desk.acknowledged == [("link", "1")] * 3
        late = desk.take(message("1"), qos=1, packet_id=10, duplicate=True)
        await until(lambda: desk.done[-1] is late.packet)  # no memory of what is dealt with
    assert desk.handled == ["1"] * 3
    assert not desk.mailbox._held


async def test_a_packet_id_that_a_new_session_uses_again_is_another_message() -> None:
    desk = Desk()
    for number in range(3):
        desk.take(message(str(number)), qos=1, packet_id=1)
    async with running(desk):
        await until(lambda: desk.handled == ["0", "1", "2"])
    assert len(desk.done) == 3
    assert not desk.mailbox._held


async def test_one_that_is_delivered_again_while_it_is_handled_is_done_with_it() -> None:
    desk, entered, may_end = Desk(), asyncio.Event(), asyncio.Event()

    async def slow(received: Letter) -> None:
        entered.set()
        await may_end.wait()
        await desk.handle(received)

    desk.handler = slow
    desk.take(message("1"), qos=1, packet_id=1)
    async with running(desk):
        await entered.wait()
        again = desk.take(message("1"), qos=1, packet_id=1, duplicate=True)
        may_end.set()
        await until(lambda: desk.done[-1:] == [again.packet])
    assert desk.handled == ["1"]


async def test_an_event_is_done_when_the_inbox_says_so() -> None:
    desk, safe = Desk(), []
    monkey = desk.dispatch
    monkey._receive_event = lambda *event: safe.append(event[4])
    event = AnyEvent(MessageId="e", n=1)
    received = desk.take(Message[Any](Src="a.b", Payload=event, AckRequired=True), qos=1)
    assert desk.done == []
    safe[0]()
    assert desk.done == [received.packet]


async def test_a_message_from_within_the_node_is_handed_over_like_any() -> None:
    desk = Desk()
    desk.mailbox.put(message("1"))
    desk.take(message("2"))
    desk.mailbox.put(message("3"))
    async with running(desk):
        await until(lambda: desk.handled == ["1", "2", "3"])
    assert desk.acknowledged == [("link", "2")]


async def test_who_sends_within_the_node_is_told_that_the_mailbox_is_full() -> None:
    desk = Desk(max_messages=2)
    for number in range(2):
        desk.mailbox.put(message(str(number)))
    for _ in range(3):
        with pytest.raises(MailboxFullError, match=r"mailbox of 'actor' is full.*some\.type"):
            desk.mailbox.put(message("2"))
    desk.take(message("3"))
    assert desk.mailbox.dropped_count == 4
    assert [summary for summary, _ in desk.reports] == [
        "The mailbox of 'actor' is full: messages are dropped"
    ]
    assert len(desk.mailbox) == 2


async def test_one_from_within_that_fails_is_reported_and_does_not_come_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()

    async def fail(letter: Letter) -> None:
        desk.handled.append(id_of(letter))
        raise ValueError("cannot")

    desk.handler = fail
    desk.mailbox.put(message("1"))
    desk.mailbox.put(message("2"))
    with caplog.at_level(logging.CRITICAL, "gwproactor"):
        async with running(desk):
            await until(lambda: desk.handled == ["1", "2"])
    ((summary, details),) = desk.reports
    assert summary == "'actor' failed with a some.type"
    assert "ValueError: cannot" in details
    assert not desk.mailbox._later


@pytest.mark.parametrize(("qos", "lost"), [(0, 1), (1, 0)])
async def test_the_message_in_hand_is_lost_at_the_end_unless_the_broker_has_it(
    qos: int, lost: int
) -> None:
    desk, begun = Desk(), asyncio.Event()

    async def hang(_letter: Letter) -> None:
        begun.set()
        await asyncio.Event().wait()

    desk.handler = hang
    received = desk.take(message("1"), qos=qos)
    async with running(desk):
        await begun.wait()
    assert desk.mailbox.dropped_count == lost
    told = ("'actor' had 1 messages left at the stop", "a some.type was in its hands")
    assert desk.reports == [told] * lost
    assert received.holds_broker == (qos == 1)


async def test_a_mailbox_that_is_closed_takes_nothing_and_says_so_to_everybody() -> None:
    desk = Desk()
    waiting = asyncio.create_task(desk.mailbox.process(message("1")))
    await asyncio.sleep(0)
    desk.mailbox.close()
    with pytest.raises(NotRunningError, match="'actor' takes no messages any more"):
        await waiting
    with pytest.raises(NotRunningError):
        desk.mailbox.put(message("2"))
    desk.mailbox.close()
    plain, kept = desk.take(message("3")), desk.take(message("4"), qos=1)
    assert desk.acknowledged == []
    assert not plain.holds_broker
    assert kept.holds_broker
    assert desk.mailbox.dropped_count == 1
    assert desk.reports == [("The mailbox of 'actor' is closed: messages are dropped", "link")]
    await desk.mailbox.run()  # for nothing
    assert desk.handled == []


async def test_a_handler_that_outlives_the_end_counts_once() -> None:
    desk, let_go = Desk(), asyncio.Event()

    async def cling(letter: Letter) -> None:
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()
        desk.handled.append(id_of(letter))

    desk.handler = cling
    desk.take(message("1"))
    async with running(desk):
        await until(lambda: not len(desk.mailbox))
        desk.mailbox.close()
        let_go.set()
        await until(lambda: desk.handled == ["1"])
    assert desk.mailbox.dropped_count == 1
    assert len(desk.reports) == 1
