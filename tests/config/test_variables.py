"""Which variables are a class's, and which look as if they were."""

import pytest
from pydantic_settings import SettingsConfigDict

from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.variables import stranger, variable_of


class SamePrefix(ProactorSettings):
    """A class with a setting of its own, and the prefix of its base."""

    of_same_prefix: int = 1


class LongerPrefix(ProactorSettings):
    """A class whose prefix begins with that of its base."""

    model_config = SettingsConfigDict(env_prefix="PROACTOR_APP_")

    of_longer_prefix: int = 1


class Tolerant(ProactorSettings):
    """A class that ignores what it does not know."""

    model_config = SettingsConfigDict(extra="ignore", env_prefix="PROACTOR_TOLERANT_")


def test_a_variable_is_named_by_prefix_and_path() -> None:
    assert variable_of(ProactorSettings, ("events", "max_bytes")) == "PROACTOR_EVENTS__MAX_BYTES"
    assert variable_of(LongerPrefix, ("stop_seconds",)) == "PROACTOR_APP_STOP_SECONDS"


@pytest.mark.parametrize(
    "name",
    [
        "PROACTOR_STOP_SECONDS",
        "proactor_stop_seconds",
        "PROACTOR_EVENTS__ANYTHING",
        "PROACTOR_CONFIG",
        "PROACTOR_ENV_FILE",
        "PROACTOR_OF_SAME_PREFIX",
        "PROACTOR_APP_OF_LONGER_PREFIX",
        "PROACTOR_RUNNING_AS_SERVICE",
        "GWPROACTOR_NAME",
        "PATH",
    ],
)
def test_what_is_of_somebody_is_left_alone(name: str) -> None:
    assert stranger(ProactorSettings, [name]) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("PROACTOR_STOP_SECOND", "did you mean PROACTOR_STOP_SECONDS?"),
        ("proactor_evnts__max_bytes", "did you mean PROACTOR_EVENTS__MAX_BYTES?"),
        ("PROACTOR_APP_OF_LONGER", "there is no such setting"),
        ("PROACTOR_", "there is no such setting"),
    ],
)
def test_a_stranger_is_found(name: str, said: str) -> None:
    found = stranger(ProactorSettings, ["PATH", name])
    assert found is not None
    assert found[0] == name
    assert said in found[1]


def test_nothing_is_suggested_that_is_alike_by_its_prefix_only() -> None:
    found = stranger(ProactorSettings, ["PROACTOR_PASSWORD"])
    assert found == ("PROACTOR_PASSWORD", "there is no such setting")


def test_a_class_that_ignores_the_unknown_is_silent() -> None:
    assert stranger(Tolerant, ["PROACTOR_TOLERANT_X"]) is None
