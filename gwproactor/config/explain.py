"""Says what is wrong with settings in words of whoever gave them.

Pydantic knows where in the models a fault is, and the layers know what that place is called where
the value was written. Put together they make a message that names the variable, key or argument,
the value's fault and an example. The value itself is not repeated: it may be a secret that went
into the wrong place.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from gwproactor.config.fields import KeyPath, dotted, field_at, model_at, near
from gwproactor.config.layers import Layer
from gwproactor.config.variables import variable_of
from gwproactor.errors import SettingsError

MAX_FAULTS = 10
"""So many are listed; who has more begins with these."""

_MAX_GIVERS = 3
"""Of a fault in how several settings go together."""

_WORDS = {
    "model_type": "it must be a table",
    "dict_type": "it must be a table",
    "model_attributes_type": "it must be a table",
    "tuple_type": "it must be a list",
    "list_type": "it must be a list",
}
"""What pydantic says in words of Python, in words of whoever writes settings."""

_EXAMPLES = {
    "Path": "/srv/scada",
    "tuple": '["a", "b"]',
    "list": '["a", "b"]',
    "bool": "true",
    "int": "1",
    "float": "1.5",
}
"""Of fields that name none and have no default: by what stands in their annotation."""

_LOGIN = re.compile(r"://[^/\s]*@")
"""The login of a URL, which one of our own messages might repeat."""


def explained(
    cls: type[BaseSettings], error: ValidationError, layers: Sequence[Layer]
) -> SettingsError:
    """The error that tells of every fault.

    Args:
        cls: Whose settings they are.
        error: What pydantic found.
        layers: Where the values are from.
    """
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    told = list(dict.fromkeys(_explained(cls, fault, layers) for fault in faults[:MAX_FAULTS]))
    left_out = len(faults) - MAX_FAULTS
    more = [f"and {left_out} more"] if left_out > 0 else []
    return SettingsError("\n".join([*told, *more]))


def _explained(cls: type[BaseSettings], fault: Any, layers: Sequence[Layer]) -> str:
    path = _named(fault["loc"])
    if fault["type"] == "missing":
        return _missing(cls, path)
    place = " and ".join(givers(path, layers)) or dotted(path) or cls.__name__
    if fault["type"] == "extra_forbidden" and path:
        owner = model_at(cls, path[:-1])
        known = [] if owner is None else list(owner.model_fields)
        return f"{place}: there is no such setting{near(path[-1], known)}"
    message = _WORDS.get(fault["type"]) or _in_our_words(fault["msg"])
    shown = "" if "example" in message else _example(field_at(cls, path) if path else None)
    return without_logins(f"{place}: {message}{shown}")


def _in_our_words(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should", "it should", 1)


def without_logins(text: str) -> str:
    """A text without the logins of URLs in it."""
    return _LOGIN.sub("://...@", text)


def _missing(cls: type[BaseSettings], path: KeyPath) -> str:
    example = _example(field_at(cls, path))
    return f"{variable_of(cls, path)}, or {dotted(path)} in a file, is required{example}"


def _named(loc: Iterable[object]) -> KeyPath:
    """The names at the beginning of a location: what lists hold has none."""
    path: list[str] = []
    for step in loc:
        if not isinstance(step, str):
            break
        path.append(step)
    return tuple(path)


def givers(path: KeyPath, layers: Sequence[Layer]) -> list[str]:
    """What the value at a path is called where it was written.

    One name, or, of a table that several have written in, a few.
    """
    decisive = next((layer for layer in layers if path and layer.decides(path)), None)
    if decisive is None:
        return []
    inside = [layer.giver(leaf) for layer in layers for leaf in _leaves_below(layer, path)]
    return list(dict.fromkeys(inside))[:_MAX_GIVERS] or [decisive.giver(path)]


def _leaves_below(layer: Layer, path: KeyPath) -> list[KeyPath]:
    value: Any = layer.values
    for key in path:
        if not isinstance(value, dict):
            return []
        value = value.get(key)
    return [(*path, *rest) for rest in _paths(value)]


def _paths(value: Any) -> Iterable[KeyPath]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield from ((key, *rest) for rest in _paths(inner))
            else:
                yield (key,)


def _example(field: FieldInfo | None) -> str:
    return "" if field is None else f"; example: {example_of(field)}"


def example_of(field: FieldInfo) -> str:
    """A right value of a field: the one that it names, or its default, or one of its kind."""
    if field.examples:
        return str(field.examples[0])
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if isinstance(field.default, int | float | str | Path) and field.default != "":
        return str(field.default)
    kind = str(field.annotation)
    return next((example for name, example in _EXAMPLES.items() if name in kind), "text")
