from typing import Any

import pytest
from pydantic import ValidationError

from gwproactor.config.link import LinkSettings


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
        ("brokers", "mqtt://localhost", "brokers is a list"),
        ("brokers", (), "at least 1"),
        ("unknown", 1, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**{field: value})


def test_a_link_has_one_direction() -> None:
    with pytest.raises(ValidationError, match="not both"):
        settings(upstream=True, downstream=True)
