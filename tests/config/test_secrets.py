"""What a wrong setting says of itself, and what it must not repeat: passwords and URLs."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient, TLSInfo
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import SettingsError
from gwproactor.node.settings import NodeSettings, TLSTable

SECRET = "hunter2-and-no-other"
URL = f"mqtt://user:{SECRET}@broker"
NAMES = {"peer_name": "d1.p", "peer_short_name": "p", "subscription_name": "s"}


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (MQTTClient, {"password": SECRET}),
        (MQTTClient, {"username": "u", "password": SECRET, "port": -1}),
        (MQTTClient, {"username": "u", "password": [SECRET]}),
        (MQTTClient, {"host": URL, "port": URL}),
        (MQTTClient, {"passwort": SECRET}),
        (TLSInfo, {"use_tls": True, "private_key_password": {"is": SECRET}}),
        (LinkSettings, NAMES | {"brokers": URL}),
        (LinkSettings, NAMES | {"brokers": [URL + ":0"]}),
        (LinkSettings, NAMES | {"brokers": [{"password": SECRET}]}),
        (LinkSettings, NAMES | {"brokers": [URL], "upstream": True, "downstream": True}),
        (LinkSettings, {"brokers": [URL]}),
        (EventSettings, {"max_bytes": SECRET}),
        (ProactorSettings, {"events": SECRET}),
        (ProactorSettings.without_environment, {"events": SECRET}),
        (TLSTable, {"key_password": [SECRET]}),
        (NodeSettings, {"brokers": URL}),
    ],
)
def test_a_wrong_setting_keeps_secrets_to_itself(
    settings: Callable[..., Any], values: dict[str, Any]
) -> None:
    with pytest.raises((SettingsError, ValidationError)) as caught:
        settings(**values)
    told = "".join(traceback.format_exception(caught.value))
    for text in (str(caught.value), repr(caught.value), told):
        assert SECRET not in text
