import itertools
from typing import Any

import pytest

from gwproactor.config.link import LinkSettings
from gwproactor.errors import SettingsError


def settings(**values: Any) -> LinkSettings:
    return LinkSettings.model_validate(
        {"peer_name": "d1.parent", "peer_short_name": "p", "subscription_name": "s"} | values
    )


def test_the_link_is_named_after_the_peer_unless_told_otherwise() -> None:
    assert settings().link_name == "d1.parent"
    assert settings(name="parent").link_name == "parent"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("peer_name", "", "empty"),
        ("peer_name", "..", "of dots only"),
        ("peer_name", "a/b", "white space or one of"),
        ("peer_name", "a b", "white space"),
        ("peer_short_name", "a.b", "one word"),
        ("subscription_name", "+", "white space or one of"),
        ("ack_timeout_seconds", 0, "greater than or equal to 0.001"),
        ("ack_timeout_seconds", 0.0009, "greater than or equal to 0.001"),
        ("poll_seconds", 0.0009, "greater than or equal to 0.001"),
        ("ack_timeout_seconds", float("nan"), "finite"),
        ("poll_seconds", -1, "greater than or equal to 0.001"),
        ("brokers", "mqtt://localhost", r"brokers: it must be a list; example: \['mqtt"),
        ("brokers", (), "at least 1"),
        ("unknown", 1, "unknown: there is no such setting"),
    ],
)
def test_a_wrong_setting_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**{field: value})


def test_a_link_has_one_direction() -> None:
    with pytest.raises(SettingsError, match="not both"):
        settings(upstream=True, downstream=True)


V311 = [{"protocol": "3.1.1"}]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "session_expiry_seconds",
            60,
            r"session_expiry_seconds = 60 \(there it is 0 or 4294967295",
        ),
        ("receive_maximum", 10, "receive_maximum"),
        ("message_expiry_seconds", 10, "message_expiry_seconds"),
        ("topics", ["$share/g/a"], r"the shared subscription '\$share/g/a'"),
    ],
)
def test_what_mqtt_311_cannot_do_is_refused_with_cause_and_cure(
    field: str, value: Any, said: str
) -> None:
    with pytest.raises(SettingsError, match=rf"{said}.*3\.1\.1 cannot.*set the broker's protocol"):
        settings(brokers=[{}, *V311], **{field: value})
    assert field in settings(**{field: value}).model_fields_set


def test_what_mqtt_311_can_do_is_accepted() -> None:
    kept = settings(brokers=V311, session_expiry_seconds=0xFFFFFFFF, qos=1, topics=["a/+"])
    assert kept.keeps_session
    assert not settings().keeps_session


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("qos", 3, "less than or equal to 2"),
        ("topics", "a", r"topics: it must be a list; example: \['site"),
        (
            "topics",
            ["a/#/b"],
            r"^topics\[0\]: it is no topic filter: [^;]*; example: 'site/\+",
        ),
        ("topics", ["$share/g"], "no shared filter"),
        ("topics", ["$share/+/a"], "no shared filter"),
        ("topics", [{"filter": "a", "qos": 5}], "less than or equal to 2"),
        ("receive_maximum", 0, "greater than or equal to 1"),
        ("session_expiry_seconds", -1, "greater than or equal to 0"),
        ("will", {"topic": "a/+"}, "no topic that can be published on"),
        ("reconnect_delays_seconds", [], "at least 1"),
        ("reconnect_delays_seconds", [-1], "greater than or equal to 0"),
        (
            "reconnect_delays_seconds",
            [float("nan")],
            r"^reconnect_delays_seconds\[0\]: it should be less than or equal to 86400[^\n]*$",
        ),
    ],
)
def test_a_wrong_setting_of_the_session_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**{field: value})


def test_reconnect_delays_are_any_iterable_even_an_endless_one() -> None:
    doubling = (0.1 * 2**n for n in itertools.count())
    assert settings(reconnect_delays_seconds=itertools.islice(doubling, 3)) == settings(
        reconnect_delays_seconds=(0.1, 0.2, 0.4)
    )
    endless = settings(reconnect_delays_seconds=itertools.repeat(1)).reconnect_delays_seconds
    assert endless == (1.0,) * 1000
