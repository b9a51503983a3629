"""What a proactor's settings are made of, and how those of applications are derived from them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import PydanticUserError, model_validator
from pydantic_settings import SettingsConfigDict

from gwproactor.config.events import Durability, EventSettings, EventStoreKind, InboxKind
from gwproactor.config.logging import LoggingSettings
from gwproactor.config.mqtt import MQTTClient, TLSInfo
from gwproactor.config.paths import Paths
from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import SettingsError


class DerivedSettings(ProactorSettings):
    """As applications of the predecessor derive theirs."""

    model_config = SettingsConfigDict(env_prefix="DERIVED_")

    gridworks_mqtt: MQTTClient = MQTTClient(tls=TLSInfo(use_tls=True))
    other: MQTTClient = MQTTClient(tls=TLSInfo(ca_cert_path=None, cert_path=Path("/cert")))

    @model_validator(mode="before")
    @classmethod
    def _name(cls, values: dict[str, Any]) -> dict[str, Any]:
        return cls.update_paths_name(values, "derived")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROACTOR_STOP_SECONDS", "9")
    monkeypatch.setenv("PROACTOR_EVENTS__MAX_BYTES", "999")


def test_what_is_not_given_is_read_from_the_environment() -> None:
    settings = ProactorSettings(mailbox_messages=3)
    assert (settings.mailbox_messages, settings.stop_seconds) == (3, 9)
    assert settings.events.max_bytes == 999


def test_the_environment_can_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROACTOR_EVENTS__NO_SUCH", "1")
    monkeypatch.setenv("PROACTOR_NO_SUCH", "1")
    monkeypatch.setenv("PROACTOR_CONFIG", "/nowhere.toml")
    events = EventSettings(max_bytes=5)
    settings = ProactorSettings.without_environment(events=events, mailbox_messages=3)
    assert settings.mailbox_messages == 3
    assert settings.stop_seconds == ProactorSettings.model_fields["stop_seconds"].default
    assert settings.events == events
    assert type(settings) is ProactorSettings
    assert ProactorSettings.without_environment().events == EventSettings()
    assert type(DerivedSettings.without_environment()) is DerivedSettings


def test_without_the_environment_values_are_checked_too() -> None:
    with pytest.raises(SettingsError, match="the argument stop_seconds: it should be greater than"):
        ProactorSettings.without_environment(stop_seconds=0)
    with pytest.raises(SettingsError, match="the argument no_such: there is no such setting"):
        ProactorSettings.without_environment(no_such=1)


def test_the_reference_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ProactorSettings.Config
    assert (config.env_prefix, config.env_nested_delimiter) == ("PROACTOR_", "__")
    for key in ("env_prefix", "env_nested_delimiter"):
        assert getattr(config, key) == ProactorSettings.model_config[key]
    assert ProactorSettings.get_paths(None) == Paths()
    assert ProactorSettings.get_paths(Paths(name=Path("n"))).name == Path("n")
    logging = ProactorSettings().logging
    assert (logging.base_log_name, logging.base_log_level) == ("gridworks", 30)
    assert logging.levels.model_dump() == {"message_summary": 30, "lifecycle": 20, "comm_event": 20}
    assert logging.formatter.fmt == "%(asctime)s %(message)s"
    assert (logging.formatter.datefmt, logging.formatter.default_msec_format) == ("", "%s.%03d")
    files = logging.file_handler
    assert (files.filename, files.bytes_per_log_file) == ("proactor.log", 2097152)
    assert (files.num_log_files, files.level) == (10, 0)


def test_a_derived_class_may_say_its_prefix_in_the_old_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Old(ProactorSettings):
        class Config(ProactorSettings.Config):
            env_prefix = "OLD_"

    class Older(Old):
        class Config(Old.Config):
            env_prefix = "OLDER_"

    assert (Old.Config.env_prefix, Older.Config.env_nested_delimiter) == ("OLD_", "__")
    monkeypatch.setenv("OLDER_EVENTS__MAX_BYTES", "8")
    assert Older().events.max_bytes == 8
    monkeypatch.setenv("OLD_EVENTS__MAX_BYTES", "7")
    assert Old().events.max_bytes == 7
    with pytest.raises(SettingsError):
        Old.model_validate({"no_such": 1})


def test_two_configurations_of_a_class_are_one_too_many() -> None:
    with pytest.raises(PydanticUserError, match="cannot be used together"):

        class Twice(ProactorSettings):
            model_config = SettingsConfigDict(env_prefix="ONCE_")

            class Config:
                env_prefix = "TWICE_"


def test_a_derived_class_names_the_paths() -> None:
    assert DerivedSettings().paths == Paths(name=Path("derived"))
    given = Paths(name=Path("given"))
    assert DerivedSettings(paths=given).paths == given
    moved = DerivedSettings(paths=Paths(base=Path("b"))).paths
    assert moved.relative_path == Path("b/derived")


@pytest.mark.parametrize(
    ("variables", "name", "log_dir"),
    [
        ({}, "derived", None),
        ({"DERIVED_PATHS__NAME": "n"}, "n", None),
        ({"DERIVED_PATHS__LOG_DIR": "/log"}, "derived", Path("/log")),
    ],
)
def test_the_environment_says_more_of_the_paths(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str, log_dir: Path | None
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    paths = DerivedSettings().paths
    assert paths.name == Path(name)
    assert paths.log_dir == (log_dir or Paths(name=Path(name)).log_dir)


def test_each_client_has_the_tls_files_of_its_name() -> None:
    settings = DerivedSettings(paths=Paths(certs_dir=Path("/certs")))
    tls = settings.gridworks_mqtt.tls
    assert tls.ca_cert_path == Path("/certs/gridworks_mqtt/ca.crt")
    assert tls.cert_path == Path("/certs/gridworks_mqtt/gridworks_mqtt.crt")
    assert tls.private_key_path == Path("/certs/gridworks_mqtt/private/gridworks_mqtt.pem")
    other = settings.other.tls
    assert other.ca_cert_path is None, "given as None, which is the system's authorities"
    assert other.cert_path == Path("/cert")
    assert other.private_key_path == Path("/certs/other/private/other.pem")


def test_clients_among_plain_values_get_their_files() -> None:
    values = {"paths": Paths(certs_dir=Path("/certs")), "a": MQTTClient(), "b": 1}
    found = ProactorSettings.post_root_validator(values)
    assert found["a"].tls.ca_cert_path == Path("/certs/a/ca.crt")
    assert found["b"] == 1
    assert ProactorSettings.post_root_validator({"a": MQTTClient()})["a"].tls.cert_path is not None
    with pytest.raises(ValueError, match="the class Paths"):
        ProactorSettings.post_root_validator({"paths": "/certs"})


def test_events_lie_where_the_paths_are_given() -> None:
    assert ProactorSettings().events.folder is None
    assert ProactorSettings(paths=Paths()).events.folder == Paths().data_dir
    assert DerivedSettings().events.folder == Paths(name=Path("derived")).data_dir
    given = Paths(event_dir=Path("/e"))
    assert ProactorSettings(paths=given).events.folder == Path("/e")


def test_paths_of_other_things_move_no_events() -> None:
    given = Paths(log_dir=Path("/log"), certs_dir=Path("/certs"))
    assert ProactorSettings(paths=given).events.folder is None


@pytest.mark.parametrize(
    "events",
    [
        EventSettings(folder=None),
        EventSettings(durability=Durability.none),
        EventSettings(store=EventStoreKind.memory, inbox=InboxKind.memory),
    ],
)
def test_events_stay_in_memory_where_that_is_said(events: EventSettings) -> None:
    assert ProactorSettings(paths=Paths(), events=events).events.folder is None


def test_event_files_lie_in_the_folder_of_events() -> None:
    events = EventSettings(store=EventStoreKind.files)
    found = ProactorSettings(paths=Paths(), events=events).events
    assert (found.folder, found.files_folder) == (Paths().data_dir, Paths().event_dir)
    given = EventSettings(store=EventStoreKind.files, files_folder=Path("/f"))
    assert ProactorSettings(paths=Paths(), events=given).events.files_folder == Path("/f")


def test_the_settings_of_a_part_refuse_what_is_wrong_as_before() -> None:
    with pytest.raises(SettingsError):
        LoggingSettings(base_log_level="LOUD")
