"""Variables, of the environment or of a file of variables: what is said of them, and how.

Names count in any case, and a message repeats them as they were written. What is inside a variable
that holds JSON follows its name in brackets.
"""

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream  # with which pydantic-settings reads them
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from gwproactor.config.examples import as_json, as_variable, example_of
from gwproactor.config.fields import KeyPath, dotted, field_at, leaves
from gwproactor.config.paths import at_home
from gwproactor.config.variables import cased, delimiter_of, prefix_of, stranger, variable_of
from gwproactor.errors import SettingsError

Files = str | Path | Sequence[str | Path] | None

NO_JSON = "it is no JSON, which lists and tables must be"


def files_of(files: Files) -> list[Path]:
    """One file, several or none, as a list."""
    if not files:
        return []
    return [at_home(Path(each)) for each in ([files] if isinstance(files, str | Path) else files)]


def named_file(cls: type[BaseSettings], name: str) -> str | None:
    """The file that a variable names, where that is no setting of the class.

    Raises:
        SettingsError: It is not there.
    """
    if name.lower() in cls.model_fields or not prefix_of(cls):
        return None
    variable = prefix_of(cls) + name
    named = os.environ.get(variable)
    if named and not Path(named).expanduser().is_file():
        raise SettingsError(f"{variable}: there is no file {named}")
    return named or None


def check_lines(cls: type[BaseSettings], files: Iterable[Path], encoding: str | None) -> None:
    """Refuse a line in a file of variables that gives one of ours no value, or is no such line.

    Whoever reads such files passes over what is not NAME=VALUE. A name alone may be of another
    program, and a line may be within quotes that were opened above it.

    Raises:
        SettingsError: There is one.
        OSError: A file cannot be read.
        ValueError: It is not in this encoding.
    """
    prefix = prefix_of(cls)
    name = re.escape(prefix) + r"\w++"
    no_value = re.compile(rf"[ \t]*(?:export[ \t]+)?({name})[ \t]*+(?!=)", re.IGNORECASE)
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(encoding or "utf-8")
        for number, line in enumerate(text.splitlines() if prefix else (), 1):
            found = no_value.match(line)
            if found is not None:
                raise SettingsError(
                    f"line {number} of {path}: it is not NAME=VALUE{_assignment(cls, found[1])}"
                )
        for broken in _broken_lines(text):
            raise SettingsError(f"line {broken} of {path}: it is not NAME=VALUE")


def _broken_lines(text: str) -> Iterator[int]:
    """The numbers of lines of which whoever reads files of variables can make nothing."""
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            string = binding.original.string
            blank = string[: len(string) - len(string.lstrip())]
            yield binding.original.line + blank.count("\n")


def _assignment(cls: type[BaseSettings], name: str) -> str:
    """An example of a line that gives a variable a value; empty where there is no such setting."""
    of_name = (
        example_of(field, path[-1])
        for path, field in leaves(cls)
        if variable_of(cls, path) == cased(cls, name)
    )
    example = next(of_name, None)
    return "" if example is None else f"; example: {name}={as_variable(example)}"


def refuse_strangers(source: EnvSettingsSource) -> None:
    """Refuse what looks like a variable of a class and is none.

    Raises:
        SettingsError: There is one.
    """
    found = stranger(source.settings_cls, source.env_vars)
    if found is not None:
        name, fault = found
        raise SettingsError(f"{_as_written(source, name)}{place_of(source)}: {fault}")


def place_of(source: EnvSettingsSource) -> str:
    """Where variables stand, to be added to the name of one; empty for the environment."""
    if isinstance(source, DotEnvSettingsSource):
        return f" in {' or '.join(map(str, files_of(source.env_file)))}"
    return ""


def variable_in(source: EnvSettingsSource, path: KeyPath) -> str:
    """The variable that says something of a path: its own, or one of what holds it."""
    found = _given(source, path)
    if found is None:
        return variable_of(source.settings_cls, path)
    name, inside = found
    return _as_written(source, name) + (f" ({dotted(inside)})" if inside else "")


def written_in(source: EnvSettingsSource, path: KeyPath, value: Any) -> str:
    """How a value is written at a path: as it is, or within JSON."""
    _, inside = _given(source, path) or ("", ())
    return as_json(value) if inside else as_variable(value)


def _given(source: EnvSettingsSource, path: KeyPath) -> tuple[str, KeyPath] | None:
    """A variable that is there for a path, and the rest of the path, which is inside it."""
    cls = source.settings_cls
    delimiter = source.env_nested_delimiter or delimiter_of(cls)
    known = {cased(cls, name) for name in source.env_vars}
    for length in range(len(path), 0, -1):
        first, *rest = path[:length]
        name = cased(cls, delimiter.join((variable_of(cls, (first,)), *map(str, rest))))
        if name in known:
            return name, path[length:]
    return None


def _as_written(source: EnvSettingsSource, name: str) -> str:
    """A variable's name as it was written, which in any case it is recognized in."""
    return next((each for each in _names(source) if each.lower() == name.lower()), name)


def _names(source: EnvSettingsSource) -> Iterator[str]:
    if not isinstance(source, DotEnvSettingsSource):
        yield from os.environ
        return
    for path in filter(Path.is_file, files_of(source.env_file)):
        text = path.read_text(source.env_file_encoding or "utf-8", errors="replace")
        yield from re.findall(r"^\s*(?:export\s+)?(\w+)\s*=", text, re.MULTILINE)


def no_json_in(source: EnvSettingsSource, field_name: str) -> str:
    """Which variable of a setting should be JSON and is not; without it, for it may be secret."""
    own = variable_of(source.settings_cls, (field_name,))
    name, example = next(_no_json(source, field_name), (own, None))
    return f"{_as_written(source, name)}{place_of(source)}: {NO_JSON}{shown_as_json(example)}"


def shown_as_json(example: Any) -> str:
    """An example of JSON, to be added to a message; empty where there is none."""
    return "" if example is None else f"; example: {as_json(example)}"


def _no_json(source: EnvSettingsSource, field_name: str) -> Iterator[tuple[str, Any]]:
    """The variables of a setting that should be JSON and are not, with an example each."""
    cls = source.settings_cls
    delimiter = source.env_nested_delimiter or delimiter_of(cls)
    own = variable_of(cls, (field_name,))
    for name, text in sorted(source.env_vars.items()):
        first, *below = cased(cls, name).split(cased(cls, delimiter))
        path = (field_name, *(each.lower() for each in below))
        field = field_at(cls, path) if first == own else None
        example = None if field is None else example_of(field, path[-1])
        if isinstance(example, list | dict) and not _is_json(text or ""):
            yield cased(cls, name), example


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
