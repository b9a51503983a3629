"""Examples of right values, and how a value is written in a variable, in TOML, in a program.

An example is what the field names as one, or its default, or something of its kind; whichever is
taken is tried on the field first, so that nobody is told to write what would be refused again. Of
what is secret, by its type or its name, no default is shown.
"""

import enum
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from gwproactor.config.fields import alternatives, item_kind

SECRET_EXAMPLE: Final = "secret"  # noqa: S105 - nobody's

_SECRET_NAME = re.compile(
    "password|passwd|passphrase|pw(?:d|_|$)|secret|token|(?:api|access)_?key|credential"
    "|authorization|cookie"
)

_SECRET_TYPES = (SecretStr, SecretBytes)

_PLAIN: Final[tuple[tuple[type, object], ...]] = (
    (bool, True),
    (int, 1),
    (float, 1.5),
    (str, "text"),
    (bytes, "text"),
)
"""One of each kind; bool stands before int, of which it is one."""

_NUMBERS: Final = (10, 100, 1000, 10_000)
"""What else a number may have to be, where 1 is too small."""


def is_secret(name: str, kind: Any = None) -> bool:
    """Whether a setting is secret, by the type or else by the name of it."""
    if any(each in _SECRET_TYPES for each in alternatives(kind)):
        return True
    return bool(_SECRET_NAME.search(name.lower().replace("-", "_")))


def example_of(field: FieldInfo, name: str = "") -> Any:
    """A right value of a field as plain data: texts, numbers, lists, dictionaries.

    Args:
        field: The field.
        name: What it is called.

    Returns:
        The value; None where none is known.
    """
    kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    default = () if is_secret(name, field.annotation) else (field.default,)
    return _first_right(kind, (*(field.examples or ()), *default, *_of_kind(field.annotation)))


def example_of_kind(kind: Any) -> Any:
    """A right value of an annotation, as `example_of` has it."""
    return _first_right(kind, _of_kind(kind))


def _first_right(kind: Any, offered: Iterable[Any]) -> Any:
    plain = (_plain(each) for each in offered if _says_something(each))
    return next((each for each in plain if _is_right(kind, each)), None)


def _says_something(value: Any) -> bool:
    """Whether a value shows what one looks like; an empty one does not, nor a whole table."""
    if isinstance(value, bool | int | float):
        return True
    return bool(value) and value is not PydanticUndefined and not isinstance(value, BaseModel)


def _plain(value: Any) -> Any:
    return to_jsonable_python(value, fallback=str)


def _is_right(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except Exception:  # noqa: BLE001 - of whatever sort, it is no example then
        return False
    return True


def _of_kind(kind: Any) -> Iterator[Any]:
    """Values that may be right by the annotation."""
    for note in get_args(kind)[1:] if get_origin(kind) is Annotated else ():
        yield from getattr(note, "examples", None) or ()
    for each in alternatives(kind):
        if get_origin(each) is Literal:
            yield from get_args(each)
        elif get_args(each):
            yield from _holding(each)
        elif isinstance(each, type) and each is not NoneType:
            yield from _of_type(each)


def _holding(kind: Any) -> Iterator[Any]:
    """A list or a dictionary with one example in it."""
    held = example_of_kind(item_kind(kind))
    if held is None:
        return
    yield {"name": held} if issubclass(get_origin(kind), Mapping) else [held]


def _of_type(kind: type) -> Iterator[Any]:
    if issubclass(kind, BaseModel):
        yield _table(kind)
    elif issubclass(kind, enum.Enum):
        yield from (member.value for member in kind)
    elif kind in _SECRET_TYPES:
        yield SECRET_EXAMPLE
    elif hasattr(kind, "__fspath__"):
        yield "/srv/scada"
    else:
        yield from (value for plain, value in _PLAIN if issubclass(kind, plain))
        yield from _NUMBERS if issubclass(kind, int | float) else ()


def _table(model: type[BaseModel]) -> dict[str, Any]:
    """A table with what is required in it, or else the first that has an example."""
    fields = model.model_fields.items()
    required = [item for item in fields if item[1].is_required()]
    # What holds tables comes last: the table itself may be one of them.
    chosen = required or sorted(fields, key=lambda item: _holds_a_table(item[1].annotation))
    found = ((name, example_of(field, name)) for name, field in chosen)
    shown = (item for item in found if item[1] is not None)
    return dict(shown if required else itertools.islice(shown, 1))


def _holds_a_table(kind: Any) -> bool:
    if isinstance(kind, type) and not get_args(kind):
        return issubclass(kind, BaseModel)
    return any(_holds_a_table(each) for each in get_args(kind))


def as_variable(value: Any) -> str:
    """How a value is written in a variable: as it is, and tables and lists as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_json(value: Any) -> str:
    """How a value is written within JSON."""
    return json.dumps(value, ensure_ascii=False)


def as_toml(value: Any) -> str:
    """How a value is written in TOML."""
    if isinstance(value, Mapping):
        pairs = (f"{key} = {as_toml(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    # Of the others TOML has the form of JSON, but for one character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
