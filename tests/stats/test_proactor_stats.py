"""What a proactor counts, the sum of its links, and how both read."""

import json
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import UsageError
from gwproactor.stats import LinkStats, ProactorStats
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import Ping

EVENT_TOPIC = "gw/a-b/to/parent/gridworks-event-problem"
PING_TOPIC = "gw/a-b/to/parent/gridworks-ping"


@dataclass
class Packet:
    topic: str


@dataclass
class Receipt:
    client_name: str
    message: Packet


def test_packets_are_counted_for_the_link_and_over_all() -> None:
    stats = ProactorStats(["parent", "admin"])
    stats.add_packet("parent", EVENT_TOPIC)
    stats.add_mqtt_message(Message(Src="x", MessageType="y", Payload=Receipt("admin", Packet("t"))))
    assert stats.num_received == 2
    assert stats.num_received_by_topic == {EVENT_TOPIC: 1, "t": 1}
    assert stats.link("parent").num_received_by_topic == {EVENT_TOPIC: 1}
    assert stats.link("admin").num_received == 1
    assert stats.num_events_received == 1


def test_what_was_in_them_is_counted_by_type() -> None:
    stats = ProactorStats(["parent", "admin"])
    for link_name in ("parent", "parent", "admin"):
        stats.add_decoded_mqtt_message_type(link_name, "gridworks.ping")
    assert stats.link("parent").num_received_by_type == {"gridworks.ping": 2}
    assert stats.num_received_by_type == {"gridworks.ping": 3}


def test_what_passes_inside_is_not_received_from_anybody() -> None:
    stats = ProactorStats(["parent"])
    stats.add_decoded_mqtt_message_type("parent", "gridworks.ping")
    for _ in range(2):
        stats.add_message(Message(Src="a", Payload=Ping()))
    assert stats.num_received_by_type == {"gridworks.ping": 1}
    assert stats.num_internal_by_type == {"gridworks.ping": 2}
    assert stats.total_received("gridworks.ping") == 3
    assert stats.total_received("other") == 0


def test_problems_are_counted_by_what_they_are() -> None:
    stats = ProactorStats()
    for summary in ("disk full", "no driver", "disk full"):
        stats.add_problem(summary)
    assert stats.num_problems == 3
    assert "  Problems:\n          2  disk full\n          1  no driver" in str(stats)
    data = stats.as_data()
    assert data["num_problems"] == 3
    assert data["num_problems_by_summary"] == {"disk full": 2, "no driver": 1}


def test_links_come_and_go() -> None:
    stats = ProactorStats()
    stats.add_link("parent")
    stats.add_packet("parent", PING_TOPIC)
    with pytest.raises(UsageError, match="parent"):
        stats.add_link("parent")
    stats.remove_link("parent")
    stats.remove_link("parent")
    assert not stats.has_link("parent")
    assert stats.num_received == 1
    with pytest.raises(KeyError):
        stats.link("parent")
    stats.add_link("parent")
    assert stats.link("parent").num_received == 0


def test_a_derived_class_says_what_its_links_count() -> None:
    class MoreLinkStats(LinkStats):
        pass

    class MoreStats(ProactorStats):
        @classmethod
        def make_link(cls, link_name: str) -> LinkStats:
            return MoreLinkStats(link_name)

    assert isinstance(MoreStats(["parent"]).link("parent"), MoreLinkStats)


def test_the_proactor_reads_as_text() -> None:
    stats = ProactorStats(["b", "a"])
    stats.add_message(Message(Src="a", Payload=Ping()))
    stats.add_packet("a", EVENT_TOPIC)
    text = str(stats)
    assert text.startswith("Proactor: 1 received, 1 of them events, 0 sent, 0 problems in ")
    assert "Problems:" not in text
    assert "Internal by type:\n          1  gridworks.ping" in text
    assert text.index("Link a: 1 received") < text.index("Link b: 0 received")


def test_all_of_it_is_data_that_stays_as_it_was() -> None:
    stats = ProactorStats(["parent"])
    stats.add_packet("parent", EVENT_TOPIC)
    stats.add_decoded_mqtt_message_type("parent", "gridworks.event.problem")
    stats.add_message(Message(Src="a", Payload=Ping()))
    data = stats.as_data()
    before = json.loads(json.dumps(data))
    assert before == data
    assert before["links"]["parent"]["num_received_by_topic"] == {EVENT_TOPIC: 1}
    assert before["num_received_by_type"] == {"gridworks.event.problem": 1}
    assert before["num_events_received"] == 1
    assert before["num_internal_by_type"] == {"gridworks.ping": 1}
    stats.add_packet("parent", PING_TOPIC)
    assert data == before


STEPS = ["remove", "receive", "decode", "send"]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from("abc"))))
def test_the_sum_is_that_of_all_links_that_there_ever_were(steps: list[tuple[str, str]]) -> None:
    stats = ProactorStats()
    counted = {step: Counter[str]() for step in STEPS}
    for step, name in steps:
        if not stats.has_link(name):
            stats.add_link(name)
        match step:
            case "remove":
                stats.remove_link(name)
            case "receive":
                stats.add_packet(name, name)
            case "decode":
                stats.add_decoded_mqtt_message_type(name, name)
            case "send":
                stats.link(name).add_sent(name)
        counted[step][name] += 1
    assert stats.num_received == counted["receive"].total()
    assert stats.num_received_by_topic == counted["receive"]
    assert stats.num_received_by_type == counted["decode"]
    assert stats.total.num_sent_by_topic == counted["send"]
    assert stats.total.num_sent == counted["send"].total()
