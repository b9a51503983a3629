"""Layers of settings: values from one place each, and what that place calls them.

The first layer that knows a setting wins; tables are filled, not replaced, and of one that is given
as an object counts what that was given. Each layer can say what a value is called where it was
written, and how one is written there, so that a fault can be told in the words of whoever made it.
How layers are read is said in `gwproactor.config.sources`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from gwproactor.config.fields import KeyPath, dotted, names_of, said_by, table_of
from gwproactor.config.open_table import OpenTable, copied, kinds_of, opened

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
            table = table_of(value)
            if table is None:
                return True
            if key not in table:
                return False
            value = table[key]
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
    keeps its level, and its class, where only something else of it is given. Of an object of a
    class that is not the default's, nor one that is derived from, the defaults are its own.
    """
    for name, field in cls.model_fields.items():
        key = _key_among(values, cls, name)
        if key is not None and isinstance(field.default, BaseModel):
            values[key] = _completed(values[key], field.default, field.annotation)


def _completed(given: object, default: BaseModel, annotation: object) -> object:
    """A table, with what a default of it was given; tables of derived classes as they are."""
    said = said_by(default)
    if type(given) is type(default) and not said:
        return given
    table = _fillable(given, default, annotation)
    if table is None:
        return given
    for name, value in said.items():
        key = _key_among(table, type(default), name)
        if key is None:
            table[name] = value
        elif isinstance(value, BaseModel):
            inner = type(default).model_fields.get(name)
            table[key] = _completed(table[key], value, inner and inner.annotation)
    return table


def _fillable(given: object, default: BaseModel, annotation: object) -> Values | None:
    """A table that a default may add to; None where it may not."""
    table = opened(given)
    if isinstance(table, OpenTable):
        return OpenTable(default, table) if isinstance(default, table.kind) else None
    if isinstance(table, dict) and type(default) not in kinds_of(annotation):
        return OpenTable(default, table)  # of the default's class, not of the one asked for
    return table


def _key_among(values: Values, cls: type[BaseModel], name: str) -> str | None:
    """Under which of its names a field stands among values; None where it does not."""
    field = cls.model_fields.get(name)
    names = (name,) if field is None else names_of(name, field)
    return next((known for known in names if known in values), None)


def _fill(values: Values, further: Mapping[str, Any]) -> None:
    """Add what is not known yet; tables are filled, not replaced."""
    for key, value in further.items():
        if key not in values:
            values[key] = copied(value) if isinstance(value, Mapping) else value
            continue
        table, more = opened(values[key]), table_of(value)
        if table is not None and more is not None:
            _fill(table, more)
            values[key] = table
