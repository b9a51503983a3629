import ssl
from typing import Any

import pytest

from gwproactor.errors import UsageError
from gwproactor.web.server_config import WebServerConfig


def config(**values: Any) -> WebServerConfig:
    return WebServerConfig(**{"name": "w", **values})


def test_by_default_only_this_machine_reaches_it() -> None:
    assert config().host == "127.0.0.1"


def test_options_are_those_of_the_class() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made = WebServerConfig.of("w", "::1", 80, {"ssl_context": context, "enabled": False})
    assert made == config(host="::1", port=80, ssl_context=context, enabled=False)


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no option max_conections; there are .*max_connections"):
        WebServerConfig.of("w", "::1", 80, {"max_conections": 1})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": ""}, "its name is a word"),
        ({"name": None}, "its name is a word"),
        ({"host": ""}, "0.0.0.0 and :: are for everybody"),
        ({"host": None}, "names no address"),
        ({"port": 65536}, "use 1 to 65535, or 0"),
        ({"port": -1}, "use 1 to 65535, or 0"),
        ({"port": "80"}, "port '80' is none"),
        ({"port": True}, "port True is none"),
        ({"ssl_context": "cert.pem"}, r"use an ssl\.SSLContext"),
        ({"backlog": 0}, "backlog is 0; use 1 or more"),
        ({"max_connections": 0}, "use 1 or more"),
        ({"max_body_bytes": 1.5}, "use 1 or more"),
        ({"idle_seconds": 0}, "use more than 0"),
        ({"idle_seconds": "60"}, "idle_seconds is '60'; use more than 0"),
        ({"idle_seconds": True}, "use more than 0"),
        ({"enabled": "no"}, "enabled is 'no'; use True or False"),
        ({"reuse_port": 1}, "reuse_port is 1; use True or False"),
        ({"idle_seconds": float("nan")}, "use more than 0"),
    ],
)
def test_what_cannot_work_is_refused_with_its_cure(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        config(**values)


@pytest.mark.parametrize(
    ("host", "reachable"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("localhost", "localhost"),
    ],
)
def test_how_a_url_names_the_host(host: str, reachable: str) -> None:
    assert config(host=host).reachable_host == reachable
