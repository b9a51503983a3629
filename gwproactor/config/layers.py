"""Layers of settings: values from one place each, and what that place calls them.

The first layer that knows a setting wins; tables are filled, not replaced. Each layer can say what
a value is called where it was written, and how one is written there, so that a fault can be told in
the words of whoever made it. How layers are read is said in `gwproactor.config.sources`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gwproactor.config.fields import KeyPath, dotted, names_of

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place.

    Args:
        values: The values, in dictionaries for what holds others.
        giver: What the place calls the value at a path.
        written: How a value is written there, at a path; for examples.
    """

    values: Values
    giver: Callable[[KeyPath], str]
    written: Callable[[KeyPath, Any], str]

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


def arguments_layer(values: Values) -> Layer:
    """What a constructor was given."""
    return Layer(values, lambda path: f"the argument {dotted(path)}", lambda _, value: repr(value))


def keys_layer(values: Values) -> Layer:
    """What stands in a dictionary of whose origin nothing is known."""
    return Layer(values, dotted, lambda _, value: repr(value))


def merged(layers: Iterable[Layer]) -> Values:
    """All values, each from the first layer that knows it."""
    values: Values = {}
    for layer in layers:
        _fill(values, layer.values)
    return values


def complete(cls: type[BaseModel], values: Values) -> None:
    """Fill tables that are given in part with what the class's own default of them says.

    It is about a default that is an object: `logging: LoggingSettings = LoggingSettings(level=10)`
    keeps its level where only something else of it is given.
    """
    for name, field in cls.model_fields.items():
        if isinstance(field.default, BaseModel):
            _complete_table(values.get(name), field.default)


def _complete_table(table: object, default: BaseModel) -> None:
    """Add to a table what a default of it was given, tables of derived classes as they are."""
    if not isinstance(table, dict):
        return
    for name in default.model_fields_set:
        value = getattr(default, name)
        names = names_of(name, type(default).model_fields[name])
        given = next((known for known in names if known in table), None)
        if given is None:
            table[name] = value
        elif isinstance(value, BaseModel):
            _complete_table(table[given], value)


def _fill(values: Values, further: Mapping[str, Any]) -> None:
    """Add what is not known yet; tables are filled, not replaced."""
    for key, value in further.items():
        if key not in values:
            values[key] = _copied(value)
        elif isinstance(values[key], dict) and isinstance(value, Mapping):
            _fill(values[key], value)


def _copied(value: Any) -> Any:
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, Mapping) else value
