"""Sessions that the broker keeps, and QoS 1 that is acknowledged when it was processed."""

import asyncio
from typing import Any

from gwproactor.config.mqtt import broker_from_url
from gwproactor.links.core.link_state import StateName
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.clients import until
from gwproactor_test.link_pair import (
    CHILD,
    PARENT,
    WAIT_SECONDS,
    End,
    child_settings,
    parent_settings,
    running,
)

KEPT = {"qos": 1, "session_expiry_seconds": 3600}


def ids(end: End) -> list[str]:
    return [each.message.Header.MessageId for each in end.heard.received]


async def all_taken_by_broker(end: End) -> None:
    """Wait until the broker has what was sent: it takes packets in their order."""
    end.link.subscribe("fence")
    await end.link.subscribed("fence", timeout_seconds=WAIT_SECONDS)


async def heard(end: End, count: int) -> None:
    """Wait until so many messages have come."""
    await end.heard.until(lambda: len(end.heard.received) >= count)


def kept_child(broker: AnyBroker, **changes: Any) -> End:
    return End(CHILD, child_settings(broker_from_url(broker.url), **(KEPT | changes)))


async def test_what_was_sent_while_a_node_was_away_comes_when_it_is_back(broker: AnyBroker) -> None:
    """And it is not what makes the link active: it may be old."""
    parent = End(PARENT, parent_settings(broker_from_url(broker.url), qos=1))
    async with running(parent):
        child = kept_child(broker)
        async with running(child):
            await child.active()
        for n in range(5):
            parent.link.send(AnyEvent(MessageId=f"m{n}", Src=PARENT), ack_required=False)
        await all_taken_by_broker(parent)
    # Nobody is there any more who could answer; what was kept says nothing of now.
    child = kept_child(broker)
    async with running(child):
        await child.heard.until(lambda: len(child.heard.received) == 5)
        assert ids(child) == [f"m{n}" for n in range(5)]
        await child.link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
        assert StateName.active not in {each.new_state for each in child.heard.transitions}
        async with running(End(PARENT, parent_settings(broker_from_url(broker.url)))):
            child.link.heard()  # on the caller's word it counts only where it can be new
            assert not child.link.active
            await child.active()


async def test_a_message_that_was_not_processed_is_delivered_again(broker: AnyBroker) -> None:
    """As after a kill -9 of the process that had it."""
    parent = End(PARENT, parent_settings(broker_from_url(broker.url), qos=1))
    async with running(parent):
        child = kept_child(broker)
        child.heard.done_at_once = False
        async with running(child):
            await child.active()
            for n in range(3):
                parent.link.send(AnyEvent(MessageId=f"m{n}", Src=PARENT), ack_required=False)
            await child.heard.until(lambda: len(child.heard.received) == 3)
            child.heard.received[0].done()
            child.heard.received[2].done()  # waits for its turn behind the one that is not done
            await child.link.ping()
            await until(lambda: child.link.num_acks == 0)  # so the broker has read it all
        again = kept_child(broker)
        async with running(again):
            await again.heard.until(lambda: len(again.heard.received) == 2)
            await again.active()
            assert ids(again) == ["m1", "m2"]
            assert again.heard.received[0].packet.duplicate


async def test_receive_maximum_holds_the_broker_back(broker: AnyBroker) -> None:
    parent = End(PARENT, parent_settings(broker_from_url(broker.url), qos=1))
    child = kept_child(broker, receive_maximum=3)
    child.heard.done_at_once = False
    async with running(parent, child):
        await child.active()
        await parent.active()
        for n in range(10):
            parent.link.send(AnyEvent(MessageId=f"m{n}", Src=PARENT), ack_required=False)
        await child.heard.until(lambda: len(child.heard.received) == 3)
        await child.link.ping()
        await until(lambda: child.link.num_acks == 0)
        assert len(child.heard.received) == 3
        for each in range(10):
            await heard(child, each + 1)
            child.heard.received[each].done()
            await asyncio.sleep(0)
        assert ids(child) == [f"m{n}" for n in range(10)]
        assert child.link.active


async def test_a_message_expires_where_nobody_takes_it(broker: AnyBroker) -> None:
    parent = End(
        PARENT, parent_settings(broker_from_url(broker.url), qos=1, message_expiry_seconds=1)
    )
    async with running(parent):
        async with running(kept_child(broker)) as _:
            await parent.active()
        parent.link.send(AnyEvent(MessageId="short", Src=PARENT), ack_required=False)
        parent.link.send(
            AnyEvent(MessageId="long", Src=PARENT), ack_required=False, expiry_seconds=1000
        )
        await asyncio.sleep(3)  # a broker counts whole seconds, and its clock cannot be moved
        child = kept_child(broker)
        async with running(child):
            await child.heard.until(lambda: child.heard.received)
            await child.active()
            assert ids(child) == ["long"]
            assert child.heard.received[0].packet.expiry_seconds in range(990, 1000)


async def test_a_clean_session_begins_empty(broker: AnyBroker) -> None:
    parent = End(PARENT, parent_settings(broker_from_url(broker.url), qos=1))
    async with running(parent):
        async with running(kept_child(broker, session_expiry_seconds=0)):
            await parent.active()
        parent.link.send(AnyEvent(MessageId="gone", Src=PARENT), ack_required=False)
        child = kept_child(broker, session_expiry_seconds=0)
        async with running(child):
            await child.active()
            parent.link.send(AnyEvent(MessageId="new", Src=PARENT), ack_required=False)
            await child.heard.until(lambda: child.heard.received)
            assert ids(child) == ["new"]


async def test_a_topic_removed_while_away_is_taken_out_of_the_session(broker: AnyBroker) -> None:
    parent = End(PARENT, parent_settings(broker_from_url(broker.url), qos=1))
    async with running(parent):
        child = kept_child(broker)
        async with running(child):
            await child.active()
            child.link.subscribe("further/#")
            await child.link.subscribed("further/#", timeout_seconds=WAIT_SECONDS)
            await broker.stop()
            await child.link.wait_for("connecting", timeout_seconds=WAIT_SECONDS)
            child.link.unsubscribe("further/#")
            await broker.start()
            await child.active()
            assert list(child.link.subscriptions) == [child.link._conversation.own_filter]
