"""What a link counts, as text and as data."""

import json

from gwproactor.stats import LinkStats, ProactorStats

EVENT_TOPIC = "gw/a-b/to/parent/gridworks-event-problem"
PING_TOPIC = "gw/a-b/to/parent/gridworks-ping"
PONG_TOPIC = "gw/parent/to/a-b/gridworks-ping"


def test_packets_are_counted_by_topic_and_events_by_themselves() -> None:
    link = LinkStats("parent")
    for topic in (EVENT_TOPIC, PING_TOPIC, EVENT_TOPIC):
        link.add_packet(topic)
    link.add_sent(PONG_TOPIC)
    assert (link.num_received, link.num_events_received, link.num_sent) == (3, 2, 1)
    assert link.num_received_by_topic == {EVENT_TOPIC: 2, PING_TOPIC: 1}
    assert link.num_sent_by_topic == {PONG_TOPIC: 1}


def busy_link() -> LinkStats:
    link = LinkStats("parent", timeouts=2)
    for _ in range(3):
        link.add_packet(PING_TOPIC)
        link.num_received_by_type["gridworks.ping"] += 1
    link.add_sent(PONG_TOPIC)
    link.comm_event_counts["gridworks.event.comm.peer.active"] += 1
    link.start_reupload()
    link.complete_reupload()
    link.start_reupload()
    return link


def test_a_link_reads_as_text() -> None:
    first, *tables = str(busy_link()).splitlines()
    assert first.startswith(
        "Link parent: 3 received, 1 sent, 2 ack timeouts, 2 reuploads started, 1 completed in "
    )
    assert tables == [
        "  Received by type:",
        "          3  gridworks.ping",
        "  Received by topic:",
        f"          3  {PING_TOPIC}",
        "  Sent by topic:",
        f"          1  {PONG_TOPIC}",
        "  Comm events:",
        "          1  gridworks.event.comm.peer.active",
    ]


def test_a_link_that_counted_nothing_is_one_line() -> None:
    assert "\n" not in str(LinkStats("parent"))


def test_all_of_it_is_data_that_stays_as_it_was() -> None:
    link = busy_link()
    data = link.as_data()
    before = json.loads(json.dumps(data))
    assert before == data
    assert before["num_received_by_type"] == {"gridworks.ping": 3}
    assert before["num_sent_by_topic"] == {PONG_TOPIC: 1}
    assert before["reuploads_started"] == 2
    link.add_packet(PING_TOPIC)
    assert data == before


def test_seconds_count_from_the_beginning() -> None:
    link = LinkStats("parent")
    link.began_at -= 100.0
    assert link.seconds >= 100.0
    assert ProactorStats().seconds >= 0.0
