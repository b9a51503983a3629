"""Where settings come from: layers of values, each of which can say what its giver calls a value.

From the first to the last, of which the first that knows a setting wins:

1. arguments of the constructor;
2. variables of the environment, `PROACTOR_EVENTS__MAX_BYTES`;
3. the same in a file of lines NAME=VALUE, `.env`;
4. files with one value each, in a folder for secrets;
5. a TOML file, with tables for what holds others;
6. what the class says by default.

Reading and parsing is the work of pydantic-settings; a class may order or replace its sources by
`settings_customise_sources`, as it describes. Which files are read is said by arguments, or by the
variables `PROACTOR_ENV_FILE` and `PROACTOR_CONFIG`, or by the class's `env_file` and `toml_file`.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from gwproactor.config.fields import KeyPath, dotted
from gwproactor.config.paths import at_home
from gwproactor.config.variables import (
    CONFIG_NAME,
    ENV_FILE_NAME,
    delimiter_of,
    prefix_of,
    stranger,
    variable_of,
)
from gwproactor.errors import SettingsError

_FIELD_OF_ERROR = re.compile(r'field "(\w+)"')

Values = dict[str, Any]
Files = str | Path | Sequence[str | Path] | None


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place.

    Args:
        values: The values, in dictionaries for what holds others.
        giver: What the place calls the value at a path.
    """

    values: Values
    giver: Callable[[KeyPath], str]

    def decides(self, path: KeyPath) -> bool:
        """Whether the value at a path is from here: it is, or something above it is no table."""
        value: Any = self.values
        for key in path:
            if not isinstance(value, Mapping):
                return True
            if key not in value:
                return False
            value = value[key]
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to read, besides the environment.

    Args:
        env_file: A file of variables, or several, of which the later win; those that are missing
            are passed over.
        env_file_encoding: Its encoding; UTF-8 when not given.
        env_nested_delimiter: What parts the names in a variable; the class's when not given.
        secrets_dir: A folder, or several, of files with one value each.
        toml_file: A TOML file, which must be there.
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
        places.toml_file or _named_file(cls, CONFIG_NAME) or cls.model_config.get("toml_file")
    )
    if toml_file is None:
        return layers
    if not isinstance(toml_file, str | Path):
        raise SettingsError(f"{cls.__name__}: toml_file is one file, not several")
    return [*layers, toml_layer(Path(toml_file))]


def merged(layers: Iterable[Layer]) -> Values:
    """All values, each from the first layer that knows it."""
    values: Values = {}
    for layer in layers:
        _fill(values, layer.values)
    return values


def arguments_layer(values: Values) -> Layer:
    """What the constructor was given."""
    return Layer(values, lambda path: f"the argument {dotted(path)}")


def complete(cls: type[BaseModel], values: Values) -> None:
    """Fill tables that are given in part with what the class's own default of them says.

    It is about a default that is an object: `logging: LoggingSettings = LoggingSettings(level=10)`
    keeps its level where only something else of it is given.
    """
    for name, field in cls.model_fields.items():
        table = values.get(name)
        if isinstance(table, dict) and isinstance(field.default, BaseModel):
            _fill(table, field.default.model_dump(exclude_unset=True))


def toml_layer(path: Path) -> Layer:
    """The settings in a TOML file. Reads a file: not for the loop.

    Raises:
        SettingsError: It cannot be read, or is not TOML.
    """
    try:
        values = tomllib.loads(at_home(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from None
    return Layer(values, lambda keys: f"{dotted(keys)} in {path}")


def _sources(
    cls: type[BaseSettings], arguments: Values, places: Places
) -> tuple[PydanticBaseSettingsSource, ...]:
    delimiter = places.env_nested_delimiter
    env_file = (
        places.env_file or _named_file(cls, ENV_FILE_NAME) or cls.model_config.get("env_file")
    )
    try:
        dotenv = DotEnvSettingsSource(
            cls,
            env_file=env_file,
            env_file_encoding=places.env_file_encoding,
            env_nested_delimiter=delimiter,
        )
    except (OSError, ValueError) as error:
        raise SettingsError(f"the file of variables {env_file} cannot be read: {error}") from None
    return cls.settings_customise_sources(
        cls,
        init_settings=InitSettingsSource(cls, arguments),
        env_settings=EnvSettingsSource(cls, env_nested_delimiter=delimiter),
        dotenv_settings=dotenv,
        file_secret_settings=SecretsSettingsSource(cls, secrets_dir=places.secrets_dir),
    )


def _layer_of(source: PydanticBaseSettingsSource) -> Layer:
    try:
        values = source()
    except SourceError as error:
        raise SettingsError(_not_parsed(source, str(error))) from None
    giver = _giver_of(source)
    if isinstance(source, EnvSettingsSource):
        _refuse_strangers(source)
    if isinstance(source, DotEnvSettingsSource):
        known = source.settings_cls.model_fields  # the file may hold other programs' variables
        values = {name: value for name, value in values.items() if name in known}
    return Layer(values, giver)


def _refuse_strangers(source: EnvSettingsSource) -> None:
    found = stranger(source.settings_cls, source.env_vars)
    if found is not None:
        name, fault = found
        raise SettingsError(f"{name}{_place_of(source)}: {fault}")


def _place_of(source: EnvSettingsSource) -> str:
    if isinstance(source, DotEnvSettingsSource):
        return f" in {_files_text(source.env_file)}"
    return ""


def _giver_of(source: PydanticBaseSettingsSource) -> Callable[[KeyPath], str]:
    """What a source calls the value at a path."""
    match source:
        case InitSettingsSource():
            return lambda path: f"the argument {dotted(path)}"
        case EnvSettingsSource():
            return lambda path: _variable_in(source, path) + _place_of(source)
        case SecretsSettingsSource():
            return lambda path: (
                f"the file {variable_of(source.settings_cls, path[:1]).lower()}"
                f" in {_files_text(source.secrets_dir)}"
            )
    return lambda path: f"{dotted(path)} of {type(source).__name__}"


def _variable_in(source: EnvSettingsSource, path: KeyPath) -> str:
    """The variable that says something of a path: its own, or one of what holds it."""
    cls = source.settings_cls
    delimiter = source.env_nested_delimiter or delimiter_of(cls)
    for length in range(len(path), 0, -1):
        name = prefix_of(cls) + delimiter.join(path[:length])
        if name.upper() in {known.upper() for known in source.env_vars}:
            inside = f" ({dotted(path[length:])})" if path[length:] else ""
            return name.upper() + inside
    return variable_of(cls, path)


def _not_parsed(source: PydanticBaseSettingsSource, told: str) -> str:
    """What is wrong with a value that should be JSON; without it, for it may hold a secret."""
    field = _FIELD_OF_ERROR.search(told)
    if field is None or not isinstance(source, EnvSettingsSource):
        return f"the settings of {type(source).__name__} cannot be read: {told}"
    own = variable_of(source.settings_cls, (field.group(1),))
    given = sorted(name.upper() for name in source.env_vars if name.upper().startswith(own))
    return (
        f"{' or '.join(given) or own}: it is no JSON, which lists and tables must be in a"
        ' variable; example: ["a", "b"]'
    )


def _named_file(cls: type[BaseSettings], name: str) -> str | None:
    """The file that a variable names, where that is no setting of the class."""
    if name.lower() in cls.model_fields or not prefix_of(cls):
        return None
    variable = prefix_of(cls) + name
    named = os.environ.get(variable)
    if named and not Path(named).expanduser().is_file():
        raise SettingsError(f"{variable}: there is no file {named}")
    return named or None


def _files_text(files: object) -> str:
    if isinstance(files, str | Path):
        return str(files)
    return " or ".join(map(str, files)) if isinstance(files, Iterable) else "a file"


def _fill(values: Values, further: Mapping[str, Any]) -> None:
    """Add what is not known yet; tables are filled, not replaced."""
    for key, value in further.items():
        if key not in values:
            values[key] = _copied(value)
        elif isinstance(values[key], dict) and isinstance(value, Mapping):
            _fill(values[key], value)


def _copied(value: Any) -> Any:
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, Mapping) else value
