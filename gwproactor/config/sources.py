"""Reads settings: the layers that there are, from the one that wins to the one that yields.

1. arguments of the constructor;
2. variables of the environment, `PROACTOR_EVENTS__MAX_BYTES`;
3. the same in a file of lines NAME=VALUE, `.env`;
4. files with one value each, in a folder for secrets;
5. a TOML file, with tables for what holds others;
6. what the class says by default.

Reading and parsing is the work of pydantic-settings; a class may order or replace its sources by
`settings_customise_sources`, as it describes. Which files are read is said by arguments, or by the
variables `PROACTOR_ENV_FILE` and `PROACTOR_CONFIG`, or by the class's `env_file` and `toml_file`.
A file that somebody named must be there; only the class's own `env_file` may be missing.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from gwproactor.config.environment import (
    NO_JSON,
    Files,
    check_lines,
    files_of,
    named_file,
    no_json_in,
    place_of,
    refuse_strangers,
    shown_as_json,
    variable_in,
    written_in,
)
from gwproactor.config.examples import as_json, as_toml, as_variable, example_of
from gwproactor.config.fields import KeyPath, dotted, names_of
from gwproactor.config.layers import Layer, Values, arguments_layer
from gwproactor.config.paths import at_home
from gwproactor.config.variables import CONFIG_NAME, ENV_FILE_NAME, stranger, variable_of
from gwproactor.errors import SettingsError

_FIELD_OF_ERROR = re.compile(r'field "(\w+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to read, besides the environment.

    Args:
        env_file: A file of variables, or several, of which the later win.
        env_file_encoding: Its encoding; UTF-8 when not given.
        env_nested_delimiter: What parts the names in a variable; the class's when not given.
        secrets_dir: A folder, or several, of files with one value each.
        toml_file: A TOML file.
    """

    env_file: Files = None
    env_file_encoding: str | None = None
    env_nested_delimiter: str | None = None
    secrets_dir: Files = None
    toml_file: str | Path | None = None


def read_layers(cls: type[BaseSettings], arguments: Values, places: Places) -> list[Layer]:
    """Read every layer, the one that wins first. Reads files: not for the loop.

    Args:
        cls: Whose settings they are.
        arguments: What the constructor was given.
        places: Where to read.

    Raises:
        SettingsError: One cannot be read.
    """
    layers = [_layer_of(source) for source in _sources(cls, arguments, places)]
    toml_file = (
        places.toml_file or named_file(cls, CONFIG_NAME) or cls.model_config.get("toml_file")
    )
    if toml_file is None:
        return layers
    if not isinstance(toml_file, str | Path):
        raise SettingsError(f"{cls.__name__}: toml_file is one file, not several")
    return [*layers, toml_layer(Path(toml_file), cls.model_config.get("env_parse_none_str"))]


def toml_layer(path: Path, none: str | None) -> Layer:
    """The settings in a TOML file. Reads a file: not for the loop.

    Args:
        path: The file.
        none: The text that says "none", as it does in a variable: TOML has no word for it.

    Raises:
        SettingsError: It cannot be read, or is not TOML.
    """
    try:
        values = tomllib.loads(at_home(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from None
    return Layer(
        _with_none(values, none),
        lambda keys: f"{dotted(keys)} in {path}",
        lambda _, value: as_toml(value),
    )


def _with_none(values: Values, none: str | None) -> Values:
    """The values of a table and of those in it, with None where that was said."""
    return {
        key: _with_none(value, none)
        if isinstance(value, dict)
        else None
        if isinstance(value, str) and value == none
        else value
        for key, value in values.items()
    }


def _sources(
    cls: type[BaseSettings], arguments: Values, places: Places
) -> tuple[PydanticBaseSettingsSource, ...]:
    delimiter = places.env_nested_delimiter
    return cls.settings_customise_sources(
        cls,
        init_settings=InitSettingsSource(cls, arguments),
        env_settings=EnvSettingsSource(cls, env_nested_delimiter=delimiter),
        dotenv_settings=_dotenv_source(cls, places),
        file_secret_settings=_secrets_source(cls, places.secrets_dir),
    )


def _dotenv_source(cls: type[BaseSettings], places: Places) -> DotEnvSettingsSource:
    named = places.env_file or named_file(cls, ENV_FILE_NAME)
    for path in files_of(named):
        if not path.is_file():  # nor would every pydantic-settings read a pipe
            raise SettingsError(f"there is no file of variables {path}")
    env_file = named or cls.model_config.get("env_file")
    encoding = places.env_file_encoding or cls.model_config.get("env_file_encoding")
    try:
        check_lines(cls, files_of(env_file), encoding)
        return DotEnvSettingsSource(
            cls,
            env_file=env_file,
            env_file_encoding=encoding,
            env_nested_delimiter=places.env_nested_delimiter,
        )
    except SettingsError:
        raise
    except (OSError, ValueError, LookupError) as error:
        raise SettingsError(f"the file of variables {env_file} cannot be read: {error}") from None


def _secrets_source(cls: type[BaseSettings], folders: Files) -> SecretsSettingsSource:
    for path in files_of(folders):
        if not path.is_dir():
            raise SettingsError(f"there is no folder of secrets {path}")
        _refuse_strange_files(cls, path)
    return SecretsSettingsSource(cls, secrets_dir=folders)


def _refuse_strange_files(cls: type[BaseSettings], folder: Path) -> None:
    """Refuse what looks like a setting's file in a folder of secrets and is none.

    Raises:
        SettingsError: There is one, or the folder cannot be read.
    """
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        words = f"the folder of secrets {folder} cannot be read: {error.strerror}"
        raise SettingsError(words) from None
    found = stranger(cls, names)
    if found is not None:
        raise SettingsError(f"the file {found[0]} in {folder}: {found[1]}")


def _layer_of(source: PydanticBaseSettingsSource) -> Layer:
    try:
        values = source()
    except SourceError as error:
        raise SettingsError(_not_parsed(source, str(error))) from None
    if isinstance(source, EnvSettingsSource):
        refuse_strangers(source)
    if isinstance(source, DotEnvSettingsSource):
        known = set(_keys_of(source.settings_cls))  # the file may hold other programs' variables
        values = {name: value for name, value in values.items() if name in known}
    return _told_by(source, values)


def _not_parsed(source: PydanticBaseSettingsSource, told: str) -> str:
    """What is wrong with a source that pydantic-settings cannot read, which says so in `told`."""
    found = _FIELD_OF_ERROR.search(told)
    if found is None:
        return f"the settings of {type(source).__name__} cannot be read: {told}"
    name = found[1]
    if isinstance(source, EnvSettingsSource):
        return no_json_in(source, name)
    example = example_of(source.settings_cls.model_fields[name], name)
    return f"{_told_by(source, {}).giver((name,))}: {NO_JSON}{shown_as_json(example)}"


def _keys_of(cls: type[BaseSettings]) -> Iterator[str]:
    for name, field in cls.model_fields.items():
        yield from names_of(name, field)


def _told_by(source: PydanticBaseSettingsSource, values: Values) -> Layer:
    """The values of a source, with what it calls them."""
    match source:
        case InitSettingsSource():
            return arguments_layer(values)
        case EnvSettingsSource():
            return Layer(
                values,
                lambda path: variable_in(source, path) + place_of(source),
                lambda path, value: written_in(source, path, value),
            )
        case SecretsSettingsSource():
            return Layer(
                values,
                lambda path: _secret_file(source, path),
                lambda path, value: as_json(value) if path[1:] else as_variable(value),
            )
    return Layer(
        values,
        lambda path: f"{dotted(path)} of {type(source).__name__}",
        lambda _, value: repr(value),
    )


def _secret_file(source: SecretsSettingsSource, path: KeyPath) -> str:
    """The file that says something of a path, and, where it holds JSON, what is inside it."""
    name = variable_of(source.settings_cls, path[:1]).lower()
    folders = " or ".join(map(str, files_of(source.secrets_dir)))
    inside = f" ({dotted(path[1:])})" if path[1:] else ""
    return f"the file {name}{inside} in {folders}"
