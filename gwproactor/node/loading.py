"""What a node is told, by whom, and what is wrong with it.

Four layers, the first that knows a setting wins: options of the command line, the environment
(`GWPROACTOR_ACK_TIMEOUT`), a TOML file, the defaults. They are merged as plain values, each with
the name its giver used for it, and checked once: so an error can say `--poll` to one user and
`GWPROACTOR_POLL` to another.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gwproactor.config.paths import at_home
from gwproactor.errors import SettingsError
from gwproactor.node.settings import NodeFolder, NodeSettings, TLSTable

ModelT = TypeVar("ModelT", bound=BaseModel)

ENVIRONMENT_PREFIX = "GWPROACTOR_"

_TLS = "tls"
_DIRECTIONS = ("upstream", "downstream")
_FILE_KEYS = (*NodeSettings.model_fields, "downstream")
_ENVIRONMENT_KEYS = tuple(
    "broker" if key == "brokers" else key for key in _FILE_KEYS if key != _TLS
)


@dataclass(frozen=True, slots=True)
class _Given:
    """A value and the name under which its giver knows it."""

    value: Any
    giver: str


def load_settings(options: Mapping[str, Any], environment: Mapping[str, str]) -> NodeSettings:
    """Merge the layers and check the result.

    Args:
        options: What the command line gave, by the names of `NodeSettings` with `broker` (a
            sequence) for `brokers`, `upstream` or `downstream` true, and `config` for the file.
        environment: The process's environment.

    Raises:
        SettingsError: Naming the option, variable or key, the fault and the cure.
    """
    return _checked(_merged(options, environment), NodeSettings)


def load_folder(options: Mapping[str, Any], environment: Mapping[str, str]) -> Path | None:
    """Find the data folder of the node that is named, of which nothing else need be known.

    Args:
        options: As in `load_settings`.
        environment: The process's environment.

    Returns:
        The folder that the node would use, whether it is there or not; None where neither a data
        folder nor a node's name is given.

    Raises:
        SettingsError: Naming the option, variable or key, the fault and the cure.
    """
    given = _merged(options, environment)
    return _checked(
        {key: found for key, found in given.items() if key in NodeFolder.model_fields}, NodeFolder
    ).folder


def _merged(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, _Given]:
    from_options = _options_layer(options)
    from_environment = _environment_layer(environment)
    config = options.get("config") or environment.get(ENVIRONMENT_PREFIX + "CONFIG")
    given = _file_layer(config) if config else {}
    for layer in (from_environment, from_options):
        given |= layer
    return given


def _options_layer(options: Mapping[str, Any]) -> dict[str, _Given]:
    given = {
        ("brokers" if key == "broker" else key): _Given(value, "--" + key.replace("_", "-"))
        for key, value in options.items()
        if key != "config" and value not in (None, False, ())
    }
    return _with_direction(given)


def _environment_layer(environment: Mapping[str, str]) -> dict[str, _Given]:
    given = {}
    for key in _ENVIRONMENT_KEYS:
        variable = ENVIRONMENT_PREFIX + key.upper()
        value = environment.get(variable)
        if value and key == "broker":
            given["brokers"] = _Given(tuple(value.split()), variable)  # commas may be of a password
        elif value:
            given[key] = _Given(value, variable)
    return _with_direction(given)


def _file_layer(name: str) -> dict[str, _Given]:
    try:
        path = at_home(Path(name))
    except ValueError as error:
        raise SettingsError(f"--config {name} cannot be read: {error}") from None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"--config {path} is not TOML: {error}") from None
    _refuse_unknown(values, _FILE_KEYS, f"{path}")
    tls = values.get(_TLS)
    if isinstance(tls, dict):
        _refuse_unknown(tls, tuple(TLSTable.model_fields), f"{path}, table [tls]")
    return _with_direction(
        {key: _Given(value, f"{key} in {path}") for key, value in values.items()}
    )


def _refuse_unknown(values: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise SettingsError(f"{place}: unknown key {key!r}; did you mean {near[0]!r}?")


def _with_direction(given: dict[str, _Given]) -> dict[str, _Given]:
    """Make one setting of the two flags, so that a layer overrides the direction as a whole."""
    flags = {flag: given.pop(flag) for flag in _DIRECTIONS if flag in given}
    chosen = {flag: found for flag, found in flags.items() if _is_true(found)}
    if len(chosen) > 1:
        names = " and ".join(found.giver for found in chosen.values())
        raise SettingsError(f"{names} exclude each other: the peer is one or the other")
    for flag, found in chosen.items():
        given["upstream"] = _Given(flag == "upstream", found.giver)
    return given


class _Flag(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    value: bool


def _is_true(given: _Given) -> bool:
    try:
        return _Flag(value=given.value).value
    except ValidationError:
        raise SettingsError(f"{given.giver}: {given.value!r} is neither true nor false") from None


def _checked(given: Mapping[str, _Given], model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate({key: found.value for key, found in given.items()})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise SettingsError(_explained(fault, given)) from None


_MAY_HOLD_SECRETS = ("brokers", _TLS)
_LOGIN = re.compile(r"://[^/\s]*@")
"""The login of a URL, which may stand where it has no place, as after `--name`."""

_WORDS = {
    "tuple_type": 'it must be a list, as ["mqtt://localhost:1883"]',
    "model_type": "it must be a table",
}
"""What pydantic says in words of Python, in words of the file."""

_EXAMPLES = {
    "name": "d1.site.scada",
    "short": "s",
    "peer": "d1.site",
    "peer_short": "p",
    "brokers": "mqtt://localhost:1883",
    "data": "/var/lib/scada",
    "durability": "fsync",
    "max_bytes": "500000000",
    "ack_timeout": "5",
    "poll": "60",
    "keepalive": "60",
    "mqtt": "5",
    "client_id": "scada-1",
    "password_file": "/etc/scada/password",
    "max_line_bytes": "1048576",
    "follow": "true",
}


def _explained(fault: Any, given: Mapping[str, _Given]) -> str:
    key = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "missing":
        return _missing(key)
    place = given[key].giver if key in given else key
    inner = ".".join(map(str, fault["loc"][1:]))
    shown = f" is {given[key].value!r}" if key in given and key not in _MAY_HOLD_SECRETS else ""
    if key == _TLS and inner:
        place = place.replace(key, f"{key}.{inner}", 1)
    message = _WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    example = (
        f"; example: {_EXAMPLES[key]}" if key in _EXAMPLES and "example" not in message else ""
    )
    return _LOGIN.sub("://...@", f"{place}{shown}: {message}{example}")


def _missing(key: str) -> str:
    if key == "upstream":
        return "one of --upstream and --downstream is required: where do events go?"
    option = "broker" if key == "brokers" else key
    return (
        f"--{option.replace('_', '-')} is required"
        f" (or {ENVIRONMENT_PREFIX}{option.upper()}, or {key} in the --config file);"
        f" example: {_EXAMPLES[key]}"
    )
