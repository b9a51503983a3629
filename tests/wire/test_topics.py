import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import TopicError
from gwproactor.wire.topics import Topic, decode_topic, encode_topic, link_filter

NAMES = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,4}", fullmatch=True)


@given(sender=NAMES, receiver=NAMES, message_type=NAMES)
def test_what_is_written_is_read_back(sender: str, receiver: str, message_type: str) -> None:
    topic = encode_topic(sender, receiver, message_type)
    assert decode_topic(topic) == Topic(sender, receiver, message_type)
    assert "." not in topic


@given(st.text())
def test_any_text_is_read_or_refused(topic: str) -> None:
    with contextlib.suppress(TopicError):
        assert decode_topic(topic).sender


def test_a_dot_becomes_a_dash() -> None:
    assert encode_topic("d1.scada", "a", "gridworks.ping") == "gw/d1-scada/to/a/gridworks-ping"


def test_the_filter_hears_what_the_peer_sends_us() -> None:
    assert link_filter("d1.scada", "a") == "gw/d1-scada/to/a/#"


def test_further_levels_are_the_remainder() -> None:
    assert decode_topic("gw/a/to/b/c-d/x/y-z") == Topic("a", "b", "c.d", ("x", "y-z"))


def test_without_to_all_the_rest_is_remainder() -> None:
    assert decode_topic("gw/a-b/for/c/d") == Topic("a.b", "", "", ("for", "c", "d"))


@pytest.mark.parametrize("topic", ["gw/a/to", "gw/a/to/b"])
def test_missing_levels_are_empty(topic: str) -> None:
    assert decode_topic(topic).message_type == ""


@pytest.mark.parametrize("topic", ["", "gw", "gw/", "gwx/a/to/b/c", "$SYS/broker"])
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        decode_topic(topic)
