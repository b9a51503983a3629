import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gwproactor.config.mqtt import MQTTClient, MQTTVersion, TLSInfo, broker_from_url
from gwproactor.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mqtt://localhost", "mqtt://localhost:1883"),
        ("mqtts://broker.example/", "mqtts://broker.example:8883"),
        ("mqtt://[::1]:1884", "mqtt://[::1]:1884"),
        ("MQTT://user@h:1", "mqtt://h:1"),
    ],
)
def test_a_url_is_read(url: str, shown: str) -> None:
    assert str(broker_from_url(url)) == shown


def test_user_and_password_are_decoded_and_hidden() -> None:
    broker = broker_from_url("mqtt://us%40er:p%2Fw%3A@h", protocol=MQTTVersion.v311)
    assert broker.username == "us@er"
    assert broker.password is not None
    assert broker.password.get_secret_value() == "p/w:"
    assert broker.protocol == "3.1.1"
    for text in (str(broker), repr(broker), broker.model_dump_json()):
        assert "p/w:" not in text
        assert "p%2Fw" not in text


def test_the_password_may_stand_elsewhere() -> None:
    broker = broker_from_url("mqtt://user@h", password=SecretStr("secret"))
    assert broker.password == SecretStr("secret")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "localhost:1883",
        "http://h",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://h:0",
        "mqtt://h:65536",
        "mqtt://h:abc",
        "mqtt://user:hunter2@h/path",
        "mqtt://user:hunter2@h:99999",
        "mqtt://user:hunter/2@h",
        "mqtt://[::1",
        "mqtt://:hunter2@h",
    ],
)
def test_a_bad_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"mqtt://") as caught:
        broker_from_url(url)
    assert "hunter" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_url_or_a_settings_error(url: str) -> None:
    with contextlib.suppress(SettingsError):
        assert broker_from_url(url).host


def test_a_password_needs_a_user() -> None:
    with pytest.raises(SettingsError, match="needs a username") as caught:
        MQTTClient(password=SecretStr("hunter2"))
    assert "hunter2" not in str(caught.value)


def test_tls_details_are_added_where_tls_is_used() -> None:
    details = TLSInfo(check_hostname=False)
    assert broker_from_url("mqtts://h").with_tls(details).tls == TLSInfo(
        use_tls=True, check_hostname=False
    )
    assert not broker_from_url("mqtt://h").with_tls(details).tls.use_tls
