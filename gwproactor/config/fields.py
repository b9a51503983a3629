"""Looks into the settings' models: which fields there are, where, of what kind.

A path is a tuple of names and, in lists, numbers: `("link", "brokers", 0, "port")`. Where values
are at hand, a path is as their giver wrote it: an alias where that stands there.
"""

import difflib
import itertools
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

KeyPath = tuple[str | int, ...]
"""Where a setting stands: the names of the tables that hold it, and its own."""

_UNIONS = (Union, types.UnionType)


def dotted(path: Iterable[object]) -> str:
    """A path as people write it: `link.brokers[0].port`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def alternatives(kind: Any) -> Iterator[Any]:
    """What an annotation allows, each by itself: of `Model | None` these two."""
    if get_origin(kind) is Annotated:
        yield from alternatives(get_args(kind)[0])
    elif get_origin(kind) in _UNIONS:
        for each in get_args(kind):
            yield from alternatives(each)
    else:
        yield kind


def model_of(kind: Any) -> type[BaseModel] | None:
    """The model among what an annotation allows: that of `Model | None` is Model."""
    found = (e for e in alternatives(kind) if isinstance(e, type) and issubclass(e, BaseModel))
    return next(found, None)


def item_kind(kind: Any) -> Any:
    """The annotation of what a list or a dictionary holds; None where there is none."""
    held = (get_args(each) for each in alternatives(kind))
    return next((args[-2] if args[-1] is ... else args[-1] for args in held if args), None)


def names_of(field_name: str, field: FieldInfo) -> tuple[str, ...]:
    """Under which names a field may stand among values: its own, and that which it is given."""
    given = (field.validation_alias, field.alias)
    return (field_name, *(name for name in given if isinstance(name, str)))


def said_by(model: BaseModel) -> dict[str, Any]:
    """What an object was given, under the names under which it would be given again."""
    fields = type(model).model_fields
    return {
        names_of(name, fields[name])[:2][-1] if name in fields else name: value
        for name, value in model
        if name in model.model_fields_set
    }


def table_of(value: object) -> Mapping[Any, Any] | None:
    """What somebody said of a table, as a dictionary or an object; None where it is no table."""
    if isinstance(value, BaseModel):
        return said_by(value)
    return value if isinstance(value, Mapping) else None


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model that holds the fields below a path; None where there is none."""
    found: type[BaseModel] | None = model
    for name in path:
        field = None if found is None else found.model_fields.get(str(name))
        found = None if field is None else model_of(field.annotation)
    return found


def field_at(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """The field at a path; None where there is none."""
    owner = model_at(model, path[:-1])
    return None if owner is None else owner.model_fields.get(str(path[-1]))


def leaves(
    model: type[BaseModel], above: tuple[type[BaseModel], ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting that is no table of others, with its path, in the order of the models.

    A table that may hold one of its own kind counts as a leaf there: there is no end to it.

    Args:
        model: The model.
        above: Those that it is in.
    """
    above = (*above, model)
    for name, field in model.model_fields.items():
        inner = model_of(field.annotation)
        if inner is None or inner in above:
            yield (name,), field
        else:
            yield from (((name, *path), leaf) for path, leaf in leaves(inner, above))


def spellings(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[KeyPath]:
    """How a path of field names may be written: with the aliases that there are."""
    owner: type[BaseModel] | None = model
    steps = []
    for name in path:
        field = None if owner is None else owner.model_fields.get(name)
        steps.append((name,) if field is None else names_of(name, field))
        owner = None if field is None else model_of(field.annotation)
    yield from itertools.product(*steps)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place among values.

    Args:
        path: Its path, as it is written there.
        owner: The model that knows the last name; None where no model does.
        field: What that says of it.
        kind: The annotation of what belongs there.
        is_table: Whether a table stands there, and no text that stands for one.
    """

    path: KeyPath
    owner: type[BaseModel] | None
    field: FieldInfo | None
    kind: Any
    is_table: bool


def spot_at(model: type[BaseModel], values: Mapping[str, Any], loc: Iterable[str | int]) -> Spot:
    """The place of a fault that pydantic found, as far as it was written by whoever gave values.

    Pydantic's locations have steps that are in no values: which alternative of a union it tried,
    and what a validator made of a text.

    Args:
        model: What the values are for.
        values: All of them.
        loc: Pydantic's location, by the names of fields.
    """
    spot = Spot((), None, None, model, is_table=True)
    value: Any = values
    for step in loc:
        table = table_of(value)
        value = value if table is None else table
        if not isinstance(value, Mapping | list | tuple):
            break
        owner = None if isinstance(step, int) else model_of(spot.kind)
        field = None if owner is None else owner.model_fields.get(str(step))
        known = (step,) if field is None else names_of(str(step), field)
        key = next((name for name in known if _holds(value, name)), None)
        if key is None and field is None and not isinstance(step, int):
            continue
        kind = item_kind(spot.kind) if field is None else field.annotation
        value = None if key is None else value[key]  # type: ignore[index]  # a key of its kind
        path = (*spot.path, step if key is None else key)
        spot = Spot(path, owner, field, kind, isinstance(value, Mapping))
    return spot


def _holds(value: Any, key: str | int) -> bool:
    if isinstance(value, Mapping):
        return key in value
    return isinstance(key, int) and key < len(value)


def near(wanted: str, known: Iterable[str]) -> str:
    """Which of the known names is meant, as a question to add to a message; empty if none is."""
    found = closest(wanted, known)
    return "" if found is None else f"; did you mean {found}?"


def closest(wanted: str, known: Iterable[str]) -> str | None:
    """The known name that is most like another one; None where none is."""
    return next(iter(difflib.get_close_matches(wanted, list(known), n=1, cutoff=0.5)), None)
