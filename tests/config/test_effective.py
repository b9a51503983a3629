"""Which settings are in force, and where each came from."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from gwproactor.config.effective import (
    DEFAULT,
    FOLLOWS,
    MASK,
    EffectiveSetting,
    effective_settings,
)
from gwproactor.config.mqtt import MQTTClient, TLSInfo
from gwproactor.config.proactor import ProactorSettings

SECRET = "hunter2-and-no-other"


class Application(ProactorSettings):
    """Settings with secrets of all kinds."""

    model_config = SettingsConfigDict(env_prefix="APPLICATION_")

    broker: MQTTClient = MQTTClient()
    api_token: str = ""
    urls: tuple[str, ...] = ()
    keys: dict[str, str] = Field(default={})
    others: tuple[SecretStr, ...] = ()
    elsewhere: int = Field(default=1, validation_alias="OF_ANOTHER_PROGRAM")


def rows(cls: type[ProactorSettings] = ProactorSettings, **files: Any) -> dict[str, Any]:
    return {row.name: row for row in effective_settings(cls, **files)}


def test_each_setting_says_where_it_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text("stop_seconds = 2\n[events]\nmax_window = 5\n")
    (tmp_path / ".env").write_text("PROACTOR_HANDLER_TRIES=3\n")
    monkeypatch.setenv("PROACTOR_EVENTS", '{"handler_tries": 4}')
    monkeypatch.setenv("PROACTOR_PATHS__DATA_DIR", "/data")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    found = rows(toml_file=tmp_path / "a.toml", env_file=tmp_path / ".env")

    def origin(name: str, value: object) -> str:
        row: EffectiveSetting = found[name]
        assert row.value == value
        return row.origin

    assert origin("stop_seconds", 2.0) == f"stop_seconds in {tmp_path / 'a.toml'}"
    assert origin("events.max_window", 5) == f"events.max_window in {tmp_path / 'a.toml'}"
    assert origin("handler_tries", 3) == f"PROACTOR_HANDLER_TRIES in {tmp_path / '.env'}"
    assert origin("events.handler_tries", 4) == "PROACTOR_EVENTS (handler_tries)"
    assert origin("paths.data_dir", "/data") == "PROACTOR_PATHS__DATA_DIR"
    assert origin("paths.state_home", "/state") == "XDG_STATE_HOME"
    assert origin("events.folder", "/data") == FOLLOWS
    assert origin("paths.event_dir", "/data/event") == FOLLOWS
    assert origin("paths.log_dir", "/state/gridworks/scada/log") == FOLLOWS
    assert origin("paths.name", "scada") == DEFAULT
    assert origin("mailbox_messages", 1000) == DEFAULT
    assert found["events.max_bytes"].variable == "PROACTOR_EVENTS__MAX_BYTES"


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BROKER__USERNAME": "u",
        "BROKER__PASSWORD": SECRET,
        "API_TOKEN": SECRET,
        "URLS": f'["mqtt://u:{SECRET}@h"]',
        "KEYS": f'{{"secret": "{SECRET}", "url": "http://{SECRET}@h"}}',
        "OTHERS": f'["{SECRET}"]',
    }.items():
        monkeypatch.setenv(f"APPLICATION_{name}", value)
    found = rows(Application)
    assert SECRET not in repr(found)
    assert found["broker.password"].value == MASK
    assert found["broker.username"].value == "u"
    assert found["api_token"].value == MASK
    assert found["urls"].value == ["mqtt://...@h"]
    assert found["keys"].value == {"secret": MASK, "url": "http://...@h"}
    assert found["others"].value == [MASK]
    assert rows()["stop_seconds"].origin == DEFAULT


def test_the_default_of_a_class_is_a_default_also_where_it_is_an_object() -> None:
    class Own(Application):
        broker: MQTTClient = MQTTClient(host="h", tls=TLSInfo(use_tls=True))

    found = rows(Own)
    assert (found["broker.host"].value, found["broker.host"].origin) == ("h", DEFAULT)
    assert found["broker.tls.use_tls"].origin == DEFAULT
    assert found["broker.tls.ca_cert_path"].origin == FOLLOWS


def test_headers_and_queries_are_masked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Application):
        headers: dict[str, str | list[str]] = {}  # noqa: RUF012 - pydantic copies it
        db_pw: str = ""
        url: str = ""

    values = {
        "HEADERS": f'{{"Authorization": "Bearer {SECRET}", "X-Api-Key": "{SECRET}",'
        f' "Cookie": ["{SECRET}"], "Accept": "text/html"}}',
        "DB_PW": SECRET,
        "URL": f"http://h/a?page=1&Access-Token={SECRET}&size=2#end",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"APPLICATION_{name}", value)
    found = rows(Own)
    assert SECRET not in repr(found)
    assert found["headers"].value["Accept"] == "text/html"
    assert found["db_pw"].value == MASK
    assert found["url"].value == f"http://h/a?page=1&Access-Token={MASK}&size=2#end"


def test_a_setting_with_a_name_of_its_own_is_found_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows(Application)["elsewhere"].origin == DEFAULT
    monkeypatch.setenv("OF_ANOTHER_PROGRAM", "2")
    found = rows(Application)["elsewhere"]
    assert (found.value, found.origin, found.variable) == (2, *["OF_ANOTHER_PROGRAM"] * 2)


def test_nothing_that_is_unset_is_masked() -> None:
    assert rows(Application)["api_token"].value == ""
    assert rows(Application)["broker.password"].value is None
