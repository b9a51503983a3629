"""What a program asks for when it sends: MQTT's encoder meets only what it can carry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import UsageError
from gwproactor.links.core.send_options import checked_options
from gwproactor.links.mqtt.mqtt_properties import publish_properties

ANYTHING = st.none() | st.integers() | st.floats() | st.text(max_size=20) | st.booleans()


def options(**changes: Any) -> dict[str, Any]:
    plain = {"qos": 0, "user_properties": (), "content_type": None, "expiry_seconds": None}
    return plain | changes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"qos": "1"}, "no QoS '1'"),
        ({"qos": True}, "no QoS True"),
        ({"qos": 3}, "no QoS 3"),
        ({"expiry_seconds": -1}, "expiry_seconds is -1"),
        ({"expiry_seconds": 10**10}, "expiry_seconds"),
        ({"expiry_seconds": 1.5}, "expiry_seconds"),
        ({"content_type": 5}, "content_type is 5"),
        ({"content_type": "x" * 65536}, "content_type"),
        ({"user_properties": [("a", 1)]}, "user_properties"),
        ({"user_properties": {"ab": "c"}}, "user_properties"),
        ({"user_properties": [("a", "\ud800")]}, "user_properties"),
    ],
)
def test_what_mqtt_cannot_carry_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        checked_options(**options(**changes))


@given(
    qos=ANYTHING,
    pairs=st.lists(st.tuples(ANYTHING, ANYTHING), max_size=3),
    content_type=ANYTHING,
    expiry_seconds=ANYTHING,
)
def test_what_is_accepted_can_be_encoded(
    qos: Any, pairs: Any, content_type: Any, expiry_seconds: Any
) -> None:
    try:
        found = checked_options(qos, pairs, content_type, expiry_seconds)
    except UsageError:
        return
    if found.needs_mqtt_5():
        assert publish_properties(found).pack()  # type: ignore[no-untyped-call]
    assert found.qos in (0, 1, 2)
