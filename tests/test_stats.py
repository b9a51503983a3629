"""What is counted, that it stays bounded, and how it reads."""

import json
from dataclasses import dataclass

import pytest

from gwproactor.errors import UsageError
from gwproactor.stats import (
    MAX_NAME_CHARACTERS,
    MAX_NAMES,
    OTHERS,
    Counts,
    LinkStats,
    ProactorStats,
)
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


def test_a_name_not_counted_stands_at_zero_and_takes_no_room() -> None:
    counts = Counts()
    assert counts["a"] == 0
    counts["b"] += 2
    counts["b"] += 1
    assert counts == {"b": 3}


def test_names_without_room_are_counted_together() -> None:
    counts = Counts()
    for n in range(MAX_NAMES + 50):
        counts[str(n)] += 2
    counts["x"] += 1
    counts["0"] += 1
    assert len(counts) == MAX_NAMES + 1
    assert counts[OTHERS] == 50 * 2 + 1
    assert counts["0"] == 3


def test_a_name_too_long_has_no_room() -> None:
    counts = Counts()
    for _ in range(2):
        counts["x" * MAX_NAME_CHARACTERS + "y"] += 1
    counts["x" * MAX_NAME_CHARACTERS] += 1
    assert counts == {OTHERS: 2, "x" * MAX_NAME_CHARACTERS: 1}


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
    stats = ProactorStats(["parent"])
    stats.add_decoded_mqtt_message_type("parent", "gridworks.ping")
    stats.add_message(Message(Src="a", Payload=Ping()))
    assert stats.link("parent").num_received_by_type == {"gridworks.ping": 1}
    assert stats.total_received("gridworks.ping") == 1
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


def busy_link() -> LinkStats:
    link = LinkStats("parent", timeouts=2)
    link.num_received_by_topic[PING_TOPIC] += 3
    link.num_received_by_type["gridworks.ping"] += 3
    link.comm_event_counts["gridworks.event.comm.peer.active"] += 1
    link.start_reupload()
    link.complete_reupload()
    link.start_reupload()
    return link


def test_a_link_reads_as_text() -> None:
    first, *tables = str(busy_link()).splitlines()
    assert first.startswith(
        "Link parent: 0 received, 2 ack timeouts, 2 reuploads started, 1 completed in "
    )
    assert tables == [
        "  Received by type:",
        "          3  gridworks.ping",
        "  Received by topic:",
        f"          3  {PING_TOPIC}",
        "  Comm events:",
        "          1  gridworks.event.comm.peer.active",
    ]


def test_a_link_that_counted_nothing_is_one_line() -> None:
    assert "\n" not in str(LinkStats("parent"))


def test_the_proactor_reads_as_text() -> None:
    stats = ProactorStats(["b", "a"])
    stats.add_message(Message(Src="a", Payload=Ping()))
    stats.add_packet("a", EVENT_TOPIC)
    text = str(stats)
    assert text.startswith("Proactor: 1 received, 1 of them events, 0 problems in ")
    assert "Problems:" not in text
    assert "Handed on by type:\n          1  gridworks.ping" in text
    assert text.index("Link a: 1 received") < text.index("Link b: 0 received")


def test_all_of_it_is_data_that_stays_as_it_was() -> None:
    stats = ProactorStats()
    stats.links["parent"] = busy_link()
    data = stats.as_data()
    before = json.loads(json.dumps(data))
    assert before == data
    assert before["links"]["parent"]["num_received_by_type"] == {"gridworks.ping": 3}
    assert before["links"]["parent"]["reuploads_started"] == 2
    stats.add_packet("parent", PING_TOPIC)
    assert data == before


def test_seconds_count_from_the_beginning() -> None:
    link = LinkStats("parent")
    link.began_at -= 100.0
    assert link.seconds >= 100.0
    assert ProactorStats().seconds >= 0.0
