"""What is said of a wrong setting: its name as it was written, and an example that works there.

Every setting is given values that cannot work, in every way in which it can be given, until one is
refused. Then the message must name the place, and its example must be taken there.
"""

import ast
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from gwproactor.config.examples import as_toml, as_variable
from gwproactor.config.explain import without_logins
from gwproactor.config.fields import dotted, leaves, model_at, model_of
from gwproactor.config.layers import arguments_layer, merged
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.table import Table
from gwproactor.config.variables import variable_of
from gwproactor.errors import SettingsError

SECRET = "hunter2-and-no-other"


class Application(ProactorSettings):
    """An application's settings, with everything that may stand in them."""

    model_config = SettingsConfigDict(env_prefix="APPLICATION_")

    broker: MQTTClient = MQTTClient()
    link: LinkSettings = LinkSettings(
        peer_name="d1.parent", peer_short_name="p", subscription_name="s"
    )
    weather_key: SecretStr = SecretStr(SECRET)
    api_token: str = SECRET
    limits: dict[str, int] = Field(default={})
    at_least: int = Field(default=5, ge=5)


TABLES = [(name,) for name, field in Application.model_fields.items() if model_of(field.annotation)]
PATHS = [*TABLES, ("broker", "tls"), ("link", "will"), *(path for path, _ in leaves(Application))]

REFUSED: tuple[Any, ...] = (
    *("null", "x", [], {"no": {}}, 5, -1, 10**12, 0.5, "mqtt://h/", "..", [[]], "a b", "a/b"),
    *("%(nothing)s", "%", "x" * 70000, "a\nb", "~nobody-of-that-name/x"),
)
"""Of these every setting refuses one, unless any text is right there."""

ANY_TEXT = {"broker.tls.private_key_password", "link.will.payload"}
"""Where variables, which are texts, are never wrong."""

BESIDE: dict[str, dict[str, Any]] = {
    "broker.password": {"broker": {"username": "u"}},
    "broker.password_file": {"broker": {"username": "u"}},
    "events.files_folder": {"events": {"store": "files"}},
    "events.pat_watchdog_args": {"events": {"store": "files"}},
    **{f"link.will.{name}": {"link": {"will": {"topic": "a"}}} for name in ("qos", "payload")},
    "link.will.retain": {"link": {"will": {"topic": "a"}}},
}
"""What a setting needs beside it."""


class Way:
    """A way to give a setting: makes settings, and knows what a place is called."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = tmp_path / "file"
        self.monkeypatch = monkeypatch

    def place(self, path: tuple[str, ...]) -> str:
        """What the setting at a path is called here."""
        return variable_of(Application, path)

    def text(self, value: Any) -> str:
        """How a value is written here."""
        return as_variable(value)

    def give(self, path: tuple[str, ...], text: str) -> None:
        """Make settings with what is written in `text`."""
        raise NotImplementedError


class ByVariable(Way):
    """By a variable of the environment, written in small letters."""

    def place(self, path: tuple[str, ...]) -> str:
        return variable_of(Application, path).lower()

    def give(self, path: tuple[str, ...], text: str) -> None:
        with self.monkeypatch.context() as patch:
            patch.setenv(self.place(path), text)
            Application(**BESIDE.get(dotted(path), {}))


class ByEnvFile(Way):
    """By a line of a file of variables."""

    def place(self, path: tuple[str, ...]) -> str:
        return f"{variable_of(Application, path)} in {self.file}"

    def give(self, path: tuple[str, ...], text: str) -> None:
        self.file.write_text(f"{variable_of(Application, path)}={text}\n")
        Application(_env_file=self.file, **BESIDE.get(dotted(path), {}))


class ByTOML(Way):
    """By a key of a TOML file."""

    def place(self, path: tuple[str, ...]) -> str:
        return f"{dotted(path)} in {self.file}"

    def text(self, value: Any) -> str:
        return as_toml(value)

    def give(self, path: tuple[str, ...], text: str) -> None:
        self.file.write_text(f"{dotted(path)} = {text}\n")
        Application.load(toml_file=self.file, **BESIDE.get(dotted(path), {}))


class ByArgument(Way):
    """By an argument of the constructor."""

    def place(self, path: tuple[str, ...]) -> str:
        return f"the argument {dotted(path)}"

    def text(self, value: Any) -> str:
        return repr(value)

    def give(self, path: tuple[str, ...], text: str) -> None:
        value: Any = ast.literal_eval(text)
        for name in reversed(path):
            value = {name: value}
        layers = (arguments_layer(value), arguments_layer(BESIDE.get(dotted(path), {})))
        Application(**merged(layers))


@pytest.mark.parametrize("way", [ByVariable, ByEnvFile, ByTOML, ByArgument])
@pytest.mark.parametrize("path", PATHS, ids=dotted)
def test_a_refusal_names_the_place_and_its_example_works(
    path: tuple[str, ...], way: type[Way], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    giving = way(tmp_path, monkeypatch)
    said = next(filter(None, (refusal(giving, path, value) for value in REFUSED)), None)
    if said is None:
        assert dotted(path) in ANY_TEXT
        assert way in (ByVariable, ByEnvFile)
        return
    example = re.search(r"; example: (.*)$", said)
    assert example is not None, said
    assert SECRET not in said
    giving.give(path, example[1])


def refusal(way: Way, path: tuple[str, ...], value: Any) -> str | None:
    """What is said of the setting at a path when it is given a value; None where it is taken."""
    try:
        way.give(path, way.text(value))
    except SettingsError as error:
        begins = f"{way.place(path)}: "
        return next((line for line in str(error).splitlines() if line.startswith(begins)), None)
    return None


@pytest.mark.parametrize("way", [ByVariable, ByEnvFile, ByTOML, ByArgument])
@pytest.mark.parametrize("path", PATHS, ids=dotted)
def test_no_refusal_repeats_what_was_written(
    path: tuple[str, ...], way: type[Way], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    giving = way(tmp_path, monkeypatch)
    given = "hunter2/is my?secret"
    wrong = (
        given,
        [given],
        {given: given},
        f"mqtt://u:{given}@h:x",
        f"%({given})s",
        f"~{given}/..",
    )
    said = "".join(filter(None, (refusal(giving, path, value) for value in wrong)))
    assert given not in said.replace(f".{given}: there is no such setting", "")


def test_an_item_of_a_list_is_named_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLICATION_LINK__BROKERS", '["mqtt://h", "http://u:p@h"]')
    assert refused() == (
        "APPLICATION_LINK__BROKERS ([1]): a broker URL begins with mqtt:// or mqtts://, not"
        " 'http://'; example: mqtt://localhost:1883"
    )
    monkeypatch.setenv("APPLICATION_LINK__BROKERS", '[{"port": -1}]')
    assert refused().startswith("APPLICATION_LINK__BROKERS ([0].port): it should be greater than")


def test_what_is_required_in_a_table_is_named_where_the_table_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text("[[link.topics]]\nqos = 1\n")
    with pytest.raises(SettingsError) as caught:
        Application.load(toml_file=tmp_path / "a.toml")
    place = f"link.topics[0].filter in {tmp_path / 'a.toml'}"
    assert str(caught.value) == f'{place} is required; example: "site/+/reading"'
    monkeypatch.setenv("APPLICATION_LINK__WILL__QOS", "1")
    assert refused() == "APPLICATION_LINK__WILL__TOPIC is required; example: site/status"


def refused() -> str:
    """What is said of the settings of the environment."""
    with pytest.raises(SettingsError) as caught:
        Application()
    return str(caught.value)


NAMES = sorted({name for path in PATHS for name in path} | {"no_such"})
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["mqtt://h", "INFO", "a/b", "%(message)s"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(Application.model_fields)), VALUES, max_size=4))
def test_whatever_is_given_is_taken_or_refused(values: dict[str, Any]) -> None:
    try:
        Application.without_environment(**values)
    except SettingsError as error:
        assert str(error).startswith("the argument ") or "Application: " in str(error)  # noqa: PT017


@given(path=st.sampled_from(PATHS), value=VALUES)
def test_whatever_stands_in_a_table_is_taken_or_refused(path: tuple[str, ...], value: Any) -> None:
    given_value = value
    for name in reversed(path):
        given_value = {name: given_value}
    with contextlib.suppress(SettingsError):
        Application.without_environment(**given_value)
    table = model_at(Application, path[:-1])
    if table is not None and issubclass(table, Table):
        with contextlib.suppress(SettingsError):
            table.model_validate({path[-1]: value})


def test_the_cure_is_told_as_it_is_meant_and_logins_are_not() -> None:
    with pytest.raises(SettingsError, match=re.escape("mqtt://USER:PASSWORD@HOST")):
        MQTTClient(password=SecretStr("x"))
    assert without_logins("mqtt://me:mine@HOST, ws://USER@h") == "mqtt://...@HOST, ws://...@h"
