"""Every setting of every table, and values that cannot work there: each is refused by its name.

The table is complete: a setting that is added without a wrong value fails the first test.
"""

from typing import Any

import pytest

from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings, TopicSettings, WillSettings
from gwproactor.config.logging import (
    FormatterSettings,
    LoggerLevels,
    LoggingSettings,
    RotatingFileHandlerSettings,
    ThrottleSettings,
)
from gwproactor.config.mqtt import MQTTClient, TLSInfo
from gwproactor.config.paths import Paths
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.table import Table
from gwproactor.config.tasks import TaskPolicy
from gwproactor.config.watchdog import WatchdogSettings
from gwproactor.errors import SettingsError
from gwproactor.web.rest_settings import (
    AioHttpClientTimeout,
    ErrorResponse,
    ErrorResponses,
    RequestArgs,
    RESTPollerSettings,
    SessionArgs,
)
from gwproactor.web.rest_urls import RESTTable, URLArgs, URLConfig

NAN, INF = float("nan"), float("inf")

FLAG: tuple[Any, ...] = ("perhaps", 2, [], None)
COUNT: tuple[Any, ...] = (0, -1, 0.5, "many", True, NAN, INF, None, [])
SECONDS: tuple[Any, ...] = (0, -1, "soon", True, NAN, INF, [], 10**9)
PATH: tuple[Any, ...] = (5, "", "a\0b", "~nobody-of-that-name/x", [])
INNER: tuple[Any, ...] = (*PATH[:1], *PATH[2:], "/", "/srv", "..", "a/../b", ".", "~")
PORT: tuple[Any, ...] = (-1, 65536, "http", 0.5, True)
LEVEL: tuple[Any, ...] = ("LOUD", "", -1, 101, 2.5, True, None, [])
TABLE: tuple[Any, ...] = (5, [], "x", {"no_such": 1})
TEXT: tuple[Any, ...] = (5, [], {}, "\udc80")
MQTT_TEXT: tuple[Any, ...] = (*TEXT, "a\0b", "ä" * 40000)
HOST: tuple[Any, ...] = (*TEXT, "a b", "mqtt://h", "u@h", "h/x", "h\n", "\0")
HEADERS: tuple[Any, ...] = (5, [], {"a": 5}, {5: "a"})

WRONG: dict[type[Any], dict[str, tuple[Any, ...]]] = {
    ProactorSettings: {
        **dict.fromkeys(("paths", "logging", "events", "tasks", "watchdog"), TABLE),
        **dict.fromkeys(("mailbox_messages", "handler_tries"), COUNT),
        "num_initial_event_reuploads": COUNT,
        **dict.fromkeys(("mqtt_link_poll_seconds", "ack_timeout_seconds", "stop_seconds"), SECONDS),
        "stop_when_handler_fails": FLAG,
    },
    Paths: {
        **dict.fromkeys(("base", "name", "relative_path"), INNER),
        **{f"{home}_home": tuple(each for each in PATH if each) for home in ("data", "state")},
        **dict.fromkeys(
            (
                *("config_home", "data_dir", "config_dir", "certs_dir", "event_dir", "log_dir"),
                *("hardware_layout", "env_file"),
            ),
            tuple(each for each in PATH if each),
        ),
    },
    LoggingSettings: {
        "base_log_name": (*TEXT, "", " ", "a..b", ".a", "a\nb"),
        "base_log_level": LEVEL,
        **dict.fromkeys(("levels", "formatter", "file_handler", "throttle"), TABLE),
        "json_lines": FLAG,
    },
    LoggerLevels: dict.fromkeys(("message_summary", "lifecycle", "comm_event"), LEVEL),
    FormatterSettings: {
        "fmt": (
            *TEXT,
            *("text", "{message}", "$message", "%(message)", "%(message)d", "%(no_such)s"),
            *("%(asctime)s", "%(message)s %(node)s", "%(message)s\n", "%(message)s %", "%s"),
        ),
        "datefmt": (*TEXT, "%H\n%M", "a\0b"),
        "default_msec_format": (*TEXT, "%s", "%s.%s.%s", "%(x)s", "%d", "%s\n%d", "x"),
        "use_utc": FLAG,
    },
    RotatingFileHandlerSettings: {
        "filename": (*TEXT, "", ".", "..", "/", "/var/log/x", "a/b", "a/", "../x", "a\0b"),
        "bytes_per_log_file": COUNT,
        "num_log_files": (*COUNT, 1001),
        "level": LEVEL,
    },
    ThrottleSettings: {"burst": COUNT, "window_seconds": SECONDS},
    EventSettings: {
        **dict.fromkeys(("folder", "files_folder"), PATH),
        **dict.fromkeys(("durability", "store", "inbox", "when_full"), ("always", 5, None)),
        "pat_watchdog_args": ("a", 5, [5], [""], [" "], ["a", "b\0"], [None]),
        **dict.fromkeys(("handler_tries", "send_tries", "max_bytes", "max_window"), COUNT),
        "batches": FLAG,
    },
    TaskPolicy: {
        "on_failure": ("explode", 5, None),
        "first_delay_seconds": (*SECONDS, 61, 3601),
        "longest_delay_seconds": (*SECONDS, 0.1, 86401),
        "max_restarts": (*COUNT[1:], 1001),
        "within_seconds": SECONDS,
    },
    WatchdogSettings: {
        "when_expired": ("explode", 5, None),
        **dict.fromkeys(("hang_seconds", "pat_seconds"), (*SECONDS, 0.001)),
        "pat_timeout_seconds": SECONDS,
        "max_stacks_bytes": (*COUNT, 100, 10**9),
    },
    TLSInfo: {
        **dict.fromkeys(("use_tls", "check_hostname"), FLAG),
        **dict.fromkeys(("ca_cert_path", "cert_path", "private_key_path"), PATH),
        "private_key_password": (5, [], True),
        "ciphers": (*TEXT, "NO-SUCH-CIPHER", "", "a\0b"),
    },
    MQTTClient: {
        "host": (*HOST, ""),
        **dict.fromkeys(("port", "bind_port"), PORT),
        "username": MQTT_TEXT,
        "password": (5, "a", "a\0b", "x" * 70000),
        **dict.fromkeys(("username_file", "password_file"), PATH),
        "keepalive_seconds": (*COUNT, 65536),
        "protocol": ("4", 5, "3.1", None),
        "client_id": (*MQTT_TEXT, ""),
        "tls": TABLE,
        "bind_address": HOST,
    },
    WillSettings: {
        "topic": (*TEXT, "", "a/+", "#", "a\0"),
        "payload": (5, [], "x" * 70000),
        "qos": (-1, 3, "x", True, 0.5),
        "retain": FLAG,
    },
    TopicSettings: {
        "filter": (*TEXT, "", "a/#/b", "a+", "$share/g", "$share/+/a"),
        "qos": (-1, 3, "x", True, 0.5),
    },
    LinkSettings: {
        "name": TEXT,
        "peer_name": (*TEXT, "", "..", "a/b", "a b", "+", "#", "a\n"),
        **dict.fromkeys(("peer_short_name", "subscription_name"), ("", "a.b", "a/b", " ", 5)),
        **dict.fromkeys(("upstream", "downstream", "strict_sender"), FLAG),
        **dict.fromkeys(("prefer_working_broker", "presence"), FLAG),
        "brokers": (
            *("mqtt://h", (), 5, [5], ["h"], ["http://h"], ["mqtt://h:x"], ["mqtt://:p@h"]),
            *([{"port": -1}], [{"password": "a"}], ["mqtt://h/path"]),
        ),
        **dict.fromkeys(("ack_timeout_seconds", "poll_seconds"), SECONDS),
        "max_payload_bytes": (*COUNT, 100, 268_435_456),
        "qos": (-1, 3, "x", True),
        "topics": ("a", 5, [5], ["a/#/b"], [{"filter": "a", "qos": 5}], [{}]),
        "session_expiry_seconds": (-1, 2**32, "x", True),
        "receive_maximum": (*COUNT[:5], 65536),
        "message_expiry_seconds": (-1, 2**32, "x", True),
        "will": (5, {}, {"topic": "a/+"}),
        "reconnect_delays_seconds": ("x", 5, [], [-1], [NAN], [INF], ["x"]),
    },
    AioHttpClientTimeout: dict.fromkeys(("total", "connect", "sock_connect", "sock_read"), SECONDS),
    SessionArgs: {
        "base_url": (5, [], "ftp://h", "http://"),
        "timeout": TABLE,
        "headers": HEADERS,
        "cookies": FLAG,
        "tls": TABLE,
    },
    RequestArgs: {
        "url": (5, [], "ftp://h", "http://h:x", {"url_args": {"port": 0}}),
        "method": ("FETCH", "get", 5, None),
        "params": (5, [], {"a": []}),
        "data": (5, [], {"a": []}),
        "headers": HEADERS,
        "json_body": ({1}, float("inf"), object()),
        "timeout": TABLE,
        "ssl": FLAG[:-1],
        "max_redirects": (-1, 21, "x", True),
    },
    ErrorResponse: dict.fromkeys(("error_for_http_status", "raise_exception", "report"), FLAG),
    ErrorResponses: dict.fromkeys(("request", "convert"), TABLE),
    RESTPollerSettings: {
        **dict.fromkeys(("session", "request", "errors"), TABLE),
        "poll_period_seconds": SECONDS,
        "max_response_bytes": (*COUNT, 2**31 + 1),
        "start_jitter_seconds": (*SECONDS[1:], 86401),
    },
    URLArgs: {
        "scheme": ("ftp", 5, None),
        "user": TEXT,
        "password": (5, []),
        "host": TEXT,
        "port": (*PORT, 0),
        "path": TEXT,
        "query": (5, "a", [["a"]], [["a", []]]),
        "fragment": TEXT,
        "encoded": FLAG,
    },
    URLConfig: {
        "url": (5, "ftp://h", "http://", "http://h:x"),
        "url_args": TABLE,
        "url_path_format": (*TEXT, "/{name}", "/{"),
        "url_path_args": (5, [], {"a": []}),
    },
}

NEEDED: dict[type[Any], dict[str, Any]] = {
    LinkSettings: {"peer_name": "d1.p", "peer_short_name": "p", "subscription_name": "s"},
    WillSettings: {"topic": "a"},
    TopicSettings: {"filter": "a"},
    RESTPollerSettings: {"request": {"url": "http://h"}},
}


def tables(base: type[Table]) -> set[type[Table]]:
    found = {each for each in base.__subclasses__() if each.__module__.startswith("gwproactor.")}
    return found.union(*(tables(each) for each in found))


def test_every_setting_has_a_wrong_value() -> None:
    assert set(WRONG) == {ProactorSettings, *tables(Table)} - {RESTTable}
    for table, fields in WRONG.items():
        assert set(fields) == set(table.model_fields), table


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        pytest.param(table, name, value, id=f"{table.__name__}.{name}-{number}")
        for table, fields in WRONG.items()
        for name, values in fields.items()
        for number, value in enumerate(values)
    ],
)
def test_a_wrong_value_is_refused_by_its_name(table: type[Any], name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        table(**NEEDED.get(table, {}) | {name: value})
    said = str(caught.value)
    assert name in said or said.startswith("URLConfig: ")  # of which the forms are one thing
    table(**NEEDED.get(table, {}))
