"""Which settings are in force, and where each came from: what a person asks who wonders why.

Secrets are masked: what is one by its type, and a text, or texts, whose name says that it is, also
the name of a header or in the query of a URL.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from gwproactor.config.checked_settings import CheckedSettings
from gwproactor.config.environment import Files
from gwproactor.config.examples import is_secret
from gwproactor.config.explain import without_logins
from gwproactor.config.fields import dotted, spellings
from gwproactor.config.layers import Layer
from gwproactor.config.paths import XDG_VARIABLES
from gwproactor.config.sources import Places, read_layers
from gwproactor.config.variables import variable_of

DEFAULT: Final = "default"
FOLLOWS: Final = "follows from others"
"""Neither written anywhere nor the default: the class made it of other settings."""

MASK: Final = "**********"
"""What pydantic shows of a secret, too."""

_IN_QUERY = re.compile(r"(?<=[?&])([^\s=&#]+)=[^\s&#]*")
"""A name and its value in the query of a URL."""


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting as it is in force.

    Args:
        name: Its name, with those of the tables that hold it: `events.max_bytes`.
        variable: The variable of the environment that would change it.
        value: Its value as JSON has it; of a secret the mask.
        origin: What its giver calls it, `default`, or `follows from others`.
    """

    name: str
    variable: str
    value: Any
    origin: str


def effective_settings(
    cls: type[CheckedSettings],
    *,
    toml_file: str | Path | None = None,
    env_file: Files = None,
    secrets_dir: Files = None,
) -> list[EffectiveSetting]:
    """All settings of a class, as it would have them now. Reads files: not for the loop.

    Args:
        cls: The class.
        toml_file: A TOML file, which must be there.
        env_file: A file of variables, or several.
        secrets_dir: A folder of files with one value each, or several.

    Raises:
        SettingsError: A setting cannot work, or a file cannot be read.
    """
    places = Places(env_file=env_file, toml_file=toml_file, secrets_dir=secrets_dir)
    layers = read_layers(cls, {}, places)
    settings = cls.load(toml_file=toml_file, env_file=env_file, _secrets_dir=secrets_dir)
    return [
        EffectiveSetting(
            name=dotted(path),
            variable=variable_of(cls, path),
            value=_shown(path[-1], getattr(owner, path[-1])),
            origin=_origin(cls, path, owner, layers),
        )
        for path, owner in _leaves(settings)
    ]


def _leaves(
    model: BaseModel, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], BaseModel]]:
    """Every setting that holds no others, and the object that it is of."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), model


def _shown(name: str, value: object) -> Any:
    if isinstance(value, str | list | tuple | dict) and value and is_secret(name):
        return MASK
    return _without_secrets(to_jsonable_python(value, bytes_mode="base64", fallback=str))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return _IN_QUERY.sub(_query_shown, without_logins(value))
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if isinstance(value, dict):
        return {key: _shown(str(key), each) for key, each in value.items()}
    return value


def _query_shown(found: re.Match[str]) -> str:
    """A part of a URL's query, `token=...`, as it may be shown."""
    name = found[1]
    return f"{name}={MASK}" if is_secret(unquote(name)) else found[0]


def _origin(
    cls: type[CheckedSettings], path: tuple[str, ...], owner: BaseModel, layers: Sequence[Layer]
) -> str:
    for layer in layers:
        for written in spellings(cls, path):
            if layer.decides(written):
                return layer.giver(written)
    if _follows(cls, path, owner):
        return FOLLOWS
    variable = XDG_VARIABLES.get(path[-1]) if path[0] == "paths" else None
    if variable is not None and Path(os.environ.get(variable, "")).is_absolute():
        return variable
    return DEFAULT


def _follows(cls: type[CheckedSettings], path: tuple[str, ...], owner: BaseModel) -> bool:
    """Whether the class made a setting of others that nobody wrote."""
    name = path[-1]
    if type(owner).model_fields[name].default_factory_takes_validated_data:
        return True
    return name in owner.model_fields_set and getattr(owner, name) != _default_at(cls, path)


def _default_at(cls: type[BaseModel], path: tuple[str, ...]) -> object:
    """What the default of a class says at a path, which may be an object of tables."""
    first, *below = path
    value: object = cls.model_fields[first].default
    for name in below:
        value = getattr(value, name, None)
    return value
