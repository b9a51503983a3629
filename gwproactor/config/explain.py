"""Says what is wrong with settings in words of whoever gave them.

Pydantic knows where in the models a fault is, and the layers know what that place is called where
the value was written. Put together they make a message that names the variable, key or argument,
the value's fault and an example, in the form in which it would be written there. The value itself
is not repeated: it may be a secret that went into the wrong place.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings

from gwproactor.config.examples import as_variable, example_of, example_of_kind
from gwproactor.config.fields import KeyPath, Spot, dotted, near, spot_at, table_of
from gwproactor.config.layers import Layer, merged
from gwproactor.config.variables import variable_of
from gwproactor.errors import SettingsError

MAX_FAULTS = 10
"""So many are listed; who has more begins with these."""

_MAX_GIVERS = 3
"""Of a fault in how several settings go together."""

_TABLE = "it must be a table"
_LIST = "it must be a list"
_WORDS = {
    "model_type": _TABLE,
    "dict_type": _TABLE,
    "model_attributes_type": _TABLE,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
}
"""What pydantic says in words of Python, in words of whoever writes settings."""

_LOGIN = re.compile(r"://(?!USER(?::PASSWORD)?@HOST\b)[^/\s]*@")
"""The login of a URL, which a message might repeat; not the one of nobody, by which we show how one
is written."""


def explained(
    cls: type[BaseModel], error: ValidationError, layers: Sequence[Layer]
) -> SettingsError:
    """The error that tells of every fault.

    Args:
        cls: Whose settings they are.
        error: What pydantic found.
        layers: Where the values are from.
    """
    every = error.errors(include_url=False, include_context=False, include_input=False)
    faults = [fault for fault in every if not _follows_from_another(fault, every)]
    told = list(dict.fromkeys(_explained(cls, fault, layers) for fault in faults[:MAX_FAULTS]))
    left_out = len(faults) - MAX_FAULTS
    more = [f"and {left_out} more"] if left_out > 0 else []
    return SettingsError("\n".join([*told, *more]))


def _follows_from_another(fault: Any, every: Sequence[Any]) -> bool:
    """Whether a default could not be made, or a list is too short, only for what was refused."""
    if fault["type"] == "default_factory_not_called":
        return True
    loc = fault["loc"]
    return fault["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in every
    )


def _explained(cls: type[BaseModel], fault: Any, layers: Sequence[Layer]) -> str:
    spot = spot_at(cls, merged(layers), fault["loc"])
    if fault["type"] == "missing":
        return _missing(cls, spot, layers)
    place = " and ".join(givers(spot.path, layers)) or dotted(spot.path) or cls.__name__
    if fault["type"] == "extra_forbidden":
        known = () if spot.owner is None else spot.owner.model_fields
        return f"{place}: there is no such setting{near(str(fault['loc'][-1]), known)}"
    message = _WORDS.get(fault["type"]) or _in_our_words(fault["msg"])
    shown = "" if _shows_enough(fault, spot) else _example(spot, layers)
    return without_logins(f"{place}: {message}{shown}")


def _in_our_words(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should", "it should", 1)


def _shows_enough(fault: Any, spot: Spot) -> bool:
    """Whether a message has its own example, or is about how the settings of a table go together.

    In the second case it says itself what to change, and no single value would show it.
    """
    together = fault["type"] == "value_error" and spot.is_table
    return together or "example" in fault["msg"]


def without_logins(text: str) -> str:
    """A text without the logins of URLs in it."""
    return _LOGIN.sub("://...@", text)


def _missing(cls: type[BaseModel], spot: Spot, layers: Sequence[Layer]) -> str:
    layer = _decisive(spot.path[:-1], layers)
    if layer is not None:
        return f"{layer.giver(spot.path)} is required{_example(spot, [layer])}"
    if not issubclass(cls, BaseSettings):
        return f"{dotted(spot.path)} is required{_example(spot, layers)}"
    place = f"{variable_of(cls, spot.path)}, or {dotted(spot.path)} in a file,"
    return f"{place} is required{_example(spot, [])}"


def _decisive(path: KeyPath, layers: Sequence[Layer]) -> Layer | None:
    """The layer that a value, or a table, is from."""
    return next((layer for layer in layers if path and layer.decides(path)), None)


def givers(path: KeyPath, layers: Sequence[Layer]) -> list[str]:
    """What the value at a path is called where it was written.

    One name, or, of a table that several have written in, a few.
    """
    decisive = _decisive(path, layers)
    if decisive is None:
        return []
    inside = [layer.giver(leaf) for layer in layers for leaf in _leaves_below(layer, path)]
    return list(dict.fromkeys(inside))[:_MAX_GIVERS] or [decisive.giver(path)]


def _leaves_below(layer: Layer, path: KeyPath) -> Iterable[KeyPath]:
    value: Any = layer.values
    for key in path:
        value = (table_of(value) or {}).get(key)
    return ((*path, *rest) for rest in _paths(value))


def _paths(value: Any) -> Iterable[KeyPath]:
    for key, inner in (table_of(value) or {}).items():
        if table_of(inner) is None:
            yield (key,)
        else:
            yield from ((key, *rest) for rest in _paths(inner))


def _example(spot: Spot, layers: Sequence[Layer]) -> str:
    """An example for a place, as it is written by whoever decides there."""
    if not spot.path:
        return ""
    found = (
        example_of_kind(spot.kind)
        if spot.field is None
        else example_of(spot.field, str(spot.path[-1]))
    )
    if found is None:
        return ""
    layer = _decisive(spot.path, layers) or next(iter(layers), None)
    return f"; example: {as_variable(found) if layer is None else layer.written(spot.path, found)}"
