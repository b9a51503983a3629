"""The set of links of a node."""

import asyncio
import gc
import weakref
from collections import Counter

import pytest

from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient, broker_from_url
from gwproactor.errors import NotRunningError, UsageError
from gwproactor.links.core.link_state import StateName
from gwproactor.links.link import Link
from gwproactor.links.link_set import LinkSet
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor_test.brokers import AnyBroker
from gwproactor_test.link_pair import (
    CHILD,
    PARENT,
    WAIT_SECONDS,
    Recorder,
    child_settings,
    parent_settings,
)


def test_links_are_found_by_name() -> None:
    links = LinkSet("d1", Recorder())
    up, down = links.add(child_settings()), links.add(parent_settings())
    assert list(links) == [up, down]
    assert len(links) == 2
    assert links[CHILD] is down
    assert PARENT in links
    assert "other" not in links
    assert links.upstream is up


def test_a_node_may_have_no_upstream_link() -> None:
    links = LinkSet("d1", Recorder())
    links.add(parent_settings())
    assert links.upstream is None


def test_one_name_one_link_and_one_upstream() -> None:
    links = LinkSet("d1", Recorder())
    links.add(child_settings())
    with pytest.raises(UsageError, match="already"):
        links.add(child_settings())
    with pytest.raises(UsageError, match="upstream already"):
        links.add(child_settings(name="second"))


def second(*brokers: MQTTClient, **changes: object) -> LinkSettings:
    return child_settings(*brokers, name="second", upstream=False, **changes)


HERE = MQTTClient(host="here")
NAMED = MQTTClient(host="here", client_id="named")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (second(HERE), "would hear the same topics"),
        (second(MQTTClient(host="there"), HERE), "over mqtt://here:1883 would hear"),
        (second(HERE, peer_name=PARENT.replace(".", "-")), "would hear the same topics"),
        (second(NAMED), "would hear the same topics"),
        (second(HERE, subscription_name="c2"), f"same MQTT client id, 'd1-{PARENT}'"),
    ],
)
def test_links_that_would_disturb_each_other_are_refused(settings: LinkSettings, said: str) -> None:
    links = LinkSet("d1", Recorder())
    links.add(child_settings(HERE))
    with pytest.raises(UsageError, match=said):
        links.add(settings)
    assert len(links) == 1


def test_one_client_id_for_two_peers_is_refused_too() -> None:
    links = LinkSet("d1", Recorder())
    links.add(child_settings(NAMED))
    with pytest.raises(UsageError, match="same MQTT client id, 'named'"):
        links.add(parent_settings(NAMED))


@pytest.mark.parametrize(
    "settings",
    [
        second(MQTTClient(host="there")),
        second(MQTTClient(host="here", port=1884)),
        second(NAMED, subscription_name="c2"),
        parent_settings(HERE),
    ],
)
def test_links_that_do_not_disturb_each_other(settings: LinkSettings) -> None:
    links = LinkSet("d1", Recorder())
    links.add(child_settings(HERE))
    links.add(settings)
    assert len(links) == 2


async def test_all_of_them_run_and_stop_together(broker: AnyBroker) -> None:
    reachable = broker_from_url(broker.url)
    child, parent = LinkSet(CHILD, Recorder()), LinkSet(PARENT, Recorder())
    links = [child.add(child_settings(reachable)), parent.add(parent_settings(reachable))]
    tasks = [asyncio.create_task(manager.run()) for manager in (child, parent)]
    for link in links:
        await link.wait_for(timeout_seconds=WAIT_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert {link.state for link in links} == {StateName.stopped}


def tasks_of_ours() -> Counter[str]:
    """Tasks by their names, without those in which the embedded broker sees a connection end."""
    names = (task.get_name() for task in asyncio.all_tasks())
    return Counter(name for name in names if not name.startswith("connection:"))


async def test_links_that_come_and_go_leave_nothing(broker: AnyBroker) -> None:
    links = LinkManager("d1.node")
    running = asyncio.create_task(links.run())
    gone: list[weakref.ref[Link]] = []

    async def come_and_go(number: int) -> None:
        settings = parent_settings(broker_from_url(broker.url), peer_name=f"d1.peer{number}")
        link = links.add(settings)
        await link.wait_for("awaiting_peer", timeout_seconds=WAIT_SECONDS)
        await links.remove(link.name)
        gone.append(weakref.ref(link))

    await asyncio.sleep(0)
    before = tasks_of_ours()
    for number in range(40):
        await come_and_go(number)
        assert tasks_of_ours() == before
    assert not links.stats.links
    gc.collect()
    assert not any(link() for link in gone)
    running.cancel()
    await asyncio.wait([running])


async def test_they_run_once() -> None:
    links = LinkSet("d1", Recorder())
    running = asyncio.create_task(links.run())
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="run already"):
        await links.run()
    running.cancel()
    await asyncio.wait([running])
    with pytest.raises(NotRunningError, match="make a new set"):
        await links.run()


async def test_a_link_that_was_stopped_before_is_not_begun() -> None:
    heard = Recorder()
    links = LinkSet("d1", heard)
    links.add(child_settings()).stop("not wanted")
    running = asyncio.create_task(links.run())
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("link:")] == []
    running.cancel()
    await asyncio.wait([running])
    assert not heard.problems
