"""The set of links of a node."""

import asyncio

import pytest

from gwproactor.config.mqtt import broker_from_url
from gwproactor.errors import UsageError
from gwproactor.links.link_manager import LinkManager
from gwproactor.links.link_state import StateName
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
    links = LinkManager("d1", Recorder())
    up, down = links.add(child_settings()), links.add(parent_settings())
    assert list(links) == [up, down]
    assert len(links) == 2
    assert links[CHILD] is down
    assert PARENT in links
    assert "other" not in links
    assert links.upstream is up


def test_a_node_may_have_no_upstream_link() -> None:
    links = LinkManager("d1", Recorder())
    links.add(parent_settings())
    assert links.upstream is None


def test_one_name_one_link_and_one_upstream() -> None:
    links = LinkManager("d1", Recorder())
    links.add(child_settings())
    with pytest.raises(UsageError, match="already"):
        links.add(child_settings())
    with pytest.raises(UsageError, match="upstream already"):
        links.add(child_settings(name="second"))


async def test_all_of_them_run_and_stop_together(broker: AnyBroker) -> None:
    reachable = broker_from_url(broker.url)
    child, parent = LinkManager(CHILD, Recorder()), LinkManager(PARENT, Recorder())
    links = [child.add(child_settings(reachable)), parent.add(parent_settings(reachable))]
    tasks = [asyncio.create_task(manager.run()) for manager in (child, parent)]
    for link in links:
        await link.wait_for(timeout_seconds=WAIT_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert {link.state for link in links} == {StateName.stopped}
