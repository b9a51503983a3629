"""A table that a program gives as an object: of it counts what it was given, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from gwproactor.config.events import EventSettings
from gwproactor.config.logging import LoggerLevels, LoggingSettings, RotatingFileHandlerSettings
from gwproactor.config.mqtt import MQTTClient, TLSInfo
from gwproactor.config.paths import Paths
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.table import Table
from gwproactor.errors import SettingsError

SECRET = "hunter2-and-no-other"


class MoreLevels(LoggerLevels):
    """Levels with a logger of a program's own."""

    boiler: int = 40


class Plain(BaseModel):
    """A table that is only pydantic's."""

    kept: int = Field(default=1, validation_alias="KEPT")
    number: int = 1
    rooms: dict[str, int] = {}


class Own(ProactorSettings):
    """Settings with defaults that are objects."""

    model_config = SettingsConfigDict(env_prefix="OWN_")

    broker: MQTTClient = MQTTClient(host="broker.example", tls=TLSInfo(use_tls=True))
    other: MQTTClient | None = None
    plain: Plain = Plain()
    logging: LoggingSettings = LoggingSettings(levels=MoreLevels(boiler=10))


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_all(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


def refusal(cls: type[ProactorSettings] = ProactorSettings, **values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        cls(**values)
    return str(caught.value)


def test_a_variable_counts_beside_what_an_object_says(variables: Any, tmp_path: Path) -> None:
    variables(PROACTOR_EVENTS__MAX_BYTES="1000", PROACTOR_EVENTS__FOLDER="/elsewhere")
    (tmp_path / "a.toml").write_text("[events]\nmax_window = 5\nmax_bytes = 7\n")
    found = ProactorSettings.load(
        toml_file=tmp_path / "a.toml", events=EventSettings(folder=tmp_path)
    ).events
    assert found == EventSettings(folder=tmp_path, max_bytes=1000, max_window=5)
    assert found.model_fields_set == {"folder", "max_bytes", "max_window"}
    said_none = ProactorSettings(events=EventSettings(folder=None)).events
    assert (said_none.folder, said_none.max_bytes) == (None, 1000)
    assert ProactorSettings(events=EventSettings()).events.folder == Path("/elsewhere")


def test_an_object_is_filled_as_a_dictionary_is(variables: Any) -> None:
    variables(
        PROACTOR_LOGGING__LEVELS__LIFECYCLE="DEBUG", PROACTOR_LOGGING__FILE_HANDLER__LEVEL="ERROR"
    )
    said = {"levels": {"comm_event": "ERROR"}, "file_handler": {"num_log_files": 3}}
    built = LoggingSettings(
        levels=LoggerLevels(comm_event=40),
        file_handler=RotatingFileHandlerSettings(num_log_files=3),
    )
    found = ProactorSettings(logging=built).logging
    assert found == ProactorSettings(logging=said).logging
    assert found.levels == LoggerLevels(comm_event=40, lifecycle=10)
    assert built.levels == LoggerLevels(comm_event=40), "what was given stays as it is"


def test_what_follows_from_others_follows_anew(variables: Any) -> None:
    variables(PROACTOR_PATHS__DATA_HOME="/srv")
    assert ProactorSettings(paths=Paths(name=Path("x"))).paths.data_dir == Path("/srv/gridworks/x")


def test_a_wrong_variable_is_refused_beside_an_object(variables: Any) -> None:
    said: Any = {"events": EventSettings(folder=Path("/data"))}
    variables(PROACTOR_EVENTS__MAX_BYTES="broken")
    assert refusal(**said).startswith("PROACTOR_EVENTS__MAX_BYTES: it should be a valid integer")
    variables(PROACTOR_EVENTS__MAX_BYTES="1", PROACTOR_EVENTS__MAX_BITES="1")
    assert refusal(**said) == (
        "PROACTOR_EVENTS__MAX_BITES: there is no such setting; did you mean max_bytes?"
    )


def test_what_does_not_go_together_names_both(variables: Any) -> None:
    variables(PROACTOR_EVENTS__FILES_FOLDER="/files")
    told = refusal(events=EventSettings(folder=Path("/data")))
    assert told.startswith("the argument events.folder and PROACTOR_EVENTS__FILES_FOLDER: ")


def test_an_object_of_a_derived_class_stays_one(variables: Any) -> None:
    given = LoggingSettings(levels=MoreLevels(boiler=30))
    assert ProactorSettings(logging=given).logging is given
    variables(PROACTOR_LOGGING__LEVELS__LIFECYCLE="DEBUG")
    assert ProactorSettings(logging=given).logging.levels == MoreLevels(boiler=30, lifecycle=10)
    variables(PROACTOR_LOGGING__LEVELS__BOILER="50")
    levels = ProactorSettings(logging=LoggingSettings(levels=MoreLevels())).logging.levels
    assert levels == MoreLevels(boiler=50, lifecycle=10)
    variables(PROACTOR_LOGGING__LEVELS__BOILER="none")
    assert refusal(logging=given.model_copy(update={"levels": MoreLevels()})).startswith(
        "PROACTOR_LOGGING__LEVELS__BOILER: it should be a valid integer"
    )


def test_a_default_of_a_derived_class_stays_one(variables: Any) -> None:
    variables(OWN_LOGGING__LEVELS__LIFECYCLE="DEBUG")
    assert Own().logging.levels == MoreLevels(boiler=10, lifecycle=10)
    variables(OWN_LOGGING__LEVELS__BOILER="50")
    assert Own().logging.levels == MoreLevels(boiler=50, lifecycle=10)


def test_the_default_of_a_class_fills_an_object_as_it_fills_a_dictionary() -> None:
    for said in (MQTTClient(port=1), {"port": 1}):
        broker = Own(broker=said).broker
        assert (broker.host, broker.port, broker.tls.use_tls) == ("broker.example", 1, True)
    for levels in (LoggerLevels(lifecycle=10), {"lifecycle": 10}):
        found = Own(logging=LoggingSettings(levels=levels)).logging.levels
        assert found == MoreLevels(boiler=10, lifecycle=10)


def test_an_object_of_a_class_of_its_own_has_its_own_defaults() -> None:
    class Elsewhere(MQTTClient):
        host: str = "elsewhere.example"

    assert Own(broker=Elsewhere(port=1)).broker.host == "elsewhere.example"


def test_a_table_that_may_be_missing_and_one_of_pydantic(variables: Any) -> None:
    variables(OWN_OTHER__PORT="7", OWN_PLAIN__NUMBER="8", OWN_PLAIN__KEPT="9")
    variables(OWN_PLAIN__ROOMS='{"hall": 20}')
    plain = Plain.model_validate({"KEPT": 2, "rooms": {"bath": 24}})
    found = Own(other=MQTTClient(host="h"), plain=plain)
    assert found.other is not None
    assert (found.other.host, found.other.port) == ("h", 7)
    assert (found.plain.kept, found.plain.number) == (2, 8)
    assert found.plain.rooms == {"bath": 24, "hall": 20}
    assert plain.rooms == {"bath": 24}, "what was given stays as it is"


def test_what_was_made_unchecked_is_checked_where_it_is_filled(variables: Any) -> None:
    made = EventSettings.model_construct(max_window=0)
    assert ProactorSettings(events=made).events is made
    variables(PROACTOR_EVENTS__MAX_BYTES="1000")
    assert refusal(events=made).startswith("the argument events.max_window: it should be greater")
    found = ProactorSettings(events=EventSettings.model_construct(max_window=5)).events
    assert found == EventSettings(max_window=5, max_bytes=1000)


def test_an_object_of_a_wrong_class_is_called_that(variables: Any) -> None:
    variables(PROACTOR_EVENTS__MAX_BYTES="1000")
    told = refusal(events=Paths(name=Path("x")))
    assert "the argument events.name and PROACTOR_EVENTS__MAX_BYTES: it must be a table" in told


def test_secrets_in_an_object_stay_secret(variables: Any) -> None:
    given = MQTTClient(username="u", password=SecretStr(SECRET))
    variables(OWN_BROKER__PORT="7")
    broker = Own(broker=given).broker
    assert broker.password == given.password
    variables(OWN_BROKER__PORT="x")
    assert SECRET not in refusal(Own, broker=given)


def test_a_program_may_name_the_paths_of_an_object(variables: Any) -> None:
    class MorePaths(Paths):
        more: str = "more"

    variables(PROACTOR_PATHS__BASE="b")
    given = ProactorSettings(paths=MorePaths(more="given")).paths
    assert isinstance(given, MorePaths)
    assert (given.more, given.relative_path) == ("given", Path("b/scada"))


def test_tables_of_no_settings_are_what_they_are(variables: Any) -> None:
    class Above(Table):
        events: EventSettings = EventSettings(max_window=5)

    variables(PROACTOR_EVENTS__MAX_BYTES="1000")
    assert Above(events=EventSettings()).events.max_window == 64
