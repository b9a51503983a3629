"""Looks into the settings' models: which fields there are, where, of what kind.

A path is a tuple of names: `("events", "max_bytes")`. Models in models are looked into; what lists
and dictionaries hold is not, for it has no name of its own.
"""

import difflib
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

KeyPath = tuple[str, ...]
"""Where a setting stands: the names of the tables that hold it, and its own."""


def dotted(path: Iterable[object]) -> str:
    """A path as people write it."""
    return ".".join(map(str, path))


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model among what an annotation allows: that of `Model | None` is Model."""
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return next(filter(None, map(model_of, get_args(annotation))), None)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def field_at(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """The field at a path; None where there is none."""
    *above, name = path
    owner = model_at(model, tuple(above))
    return None if owner is None else owner.model_fields.get(name)


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model that holds the fields below a path; None where there is none."""
    found: type[BaseModel] | None = model
    for name in path:
        field = None if found is None else found.model_fields.get(name)
        found = None if field is None else model_of(field.annotation)
    return found


def leaves(model: type[BaseModel]) -> Iterator[tuple[KeyPath, FieldInfo]]:
    """Every setting that is no table of others, with its path, in the order of the models."""
    for name, field in model.model_fields.items():
        inner = model_of(field.annotation)
        if inner is None:
            yield (name,), field
        else:
            yield from (((name, *path), leaf) for path, leaf in leaves(inner))


def near(wanted: str, known: Iterable[str]) -> str:
    """Which of the known names is meant, as a question to add to a message; empty if none is."""
    found = difflib.get_close_matches(wanted, list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
