"""Which answers to CONNECT are worth another attempt soon."""

import pytest
from pydantic import SecretStr

from gwproactor.config.mqtt import MQTTClient, MQTTVersion
from gwproactor.errors import ConnectFailedError, ConnectRefusedError
from gwproactor.links.core.connack import connack_error, hints_at_silence

BROKER = MQTTClient(host="there", username="user", password=SecretStr("secret"))
BUSY = {0x80, 0x83, 0x88, 0x89, 0x97, 0x9C, 0x9F}
"""Unspecified, implementation specific, unavailable, busy, quota, use another server, rate."""


@pytest.mark.parametrize("code", range(0x80, 0xA3))
def test_every_code_is_sorted(code: int) -> None:
    error = connack_error(BROKER, "me", code, "in words")
    assert str(error).startswith("mqtt://there:1883: ")
    assert "secret" not in str(error)
    if code in BUSY:
        assert isinstance(error, ConnectFailedError)
        assert "in words" in str(error)


@pytest.mark.parametrize("code", [0x84, 0x85, 0x86, 0x87, 0x8A, 0x9D])
def test_what_somebody_must_change(code: int) -> None:
    assert isinstance(connack_error(BROKER, "me", code, ""), ConnectRefusedError)


def test_the_version_option_is_named() -> None:
    assert "--mqtt 3.1.1" in str(connack_error(BROKER, "me", 0x84, ""))
    old = BROKER.model_copy(update={"protocol": MQTTVersion.v311})
    assert "--mqtt 5" in str(connack_error(old, "me", 0x84, ""))
    assert "--mqtt 3.1.1" in hints_at_silence(BROKER)


def test_the_client_id_is_named() -> None:
    assert "'me'" in str(connack_error(BROKER, "me", 0x85, ""))


@pytest.mark.parametrize("code", [0x9C, 0x9D])
def test_another_server_that_is_named_is_told_and_what_to_do(code: int) -> None:
    text = str(connack_error(BROKER, "me", code, "in words", "other.example:1883"))
    assert "it refers to 'other.example:1883': add that to the link's brokers" in text
    assert len(str(connack_error(BROKER, "me", code, "", "x" * 60_000))) < 500
