"""What the variables of a class's settings are called, and which look like one and are none.

A variable with the prefix of a class whose rest is no setting of it would have no effect, which is
the last thing that whoever set it expects. Left alone are the variables of derived classes, whose
prefix may be the same or begin with the same letters, and those that say something to somebody
else.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from pydantic_settings import BaseSettings

from gwproactor.config.fields import KeyPath, closest, leaves, names_of

CONFIG_NAME: Final = "CONFIG"
"""After the prefix: the variable that names a TOML file, as `gwproactor node` calls it."""

ENV_FILE_NAME: Final = "ENV_FILE"
"""After the prefix: the variable that names a file of variables."""

SERVICE_SUFFIX: Final = "_RUNNING_AS_SERVICE"
"""With a service's name before it: tells the watchdog's command that there is a watchdog."""


def cased(cls: type[BaseSettings], name: str) -> str:
    """A variable's name in the case in which it is spoken of: in capitals, unless case counts."""
    return name if cls.model_config.get("case_sensitive") else name.upper()


def prefix_of(cls: type[BaseSettings]) -> str:
    """What the variables of a class begin with."""
    return cased(cls, str(cls.model_config.get("env_prefix") or ""))


def delimiter_of(cls: type[BaseSettings]) -> str:
    """What parts the names in a variable of a class."""
    return str(cls.model_config.get("env_nested_delimiter") or "__")


def variable_of(cls: type[BaseSettings], path: KeyPath) -> str:
    """The variable of the setting at a path; one with an alias is called that, without prefix."""
    first, *rest = map(str, path)
    spelled = (names_of(name, field) for name, field in cls.model_fields.items())
    _, *alias = next((names for names in spelled if first in names), (first,))
    name = alias[0] if alias else prefix_of(cls) + first
    return cased(cls, delimiter_of(cls).join([name, *rest]))


def stranger(cls: type[BaseSettings], names: Iterable[str]) -> tuple[str, str] | None:
    """The first variable that should be a setting of a class and is none.

    Args:
        cls: Whose settings they are; one that ignores what it does not know has nothing to say.
        names: Names of variables, in any case.

    Returns:
        Its name, and what is wrong with it.
    """
    if cls.model_config.get("extra") != "forbid" or not prefix_of(cls):
        return None
    for name in sorted(names):
        wanted = cased(cls, name)
        if wanted.startswith(prefix_of(cls)) and not _is_known(cls, wanted):
            return name, f"there is no such setting{_near(cls, wanted)}"
    return None


def _near(cls: type[BaseSettings], name: str) -> str:
    """Which variable is meant, as a question to add to a message; the prefix tells nothing."""
    prefix = prefix_of(cls)
    variables = (variable_of(cls, path) for path, _ in leaves(cls))
    known = {each.removeprefix(prefix): each for each in variables}
    found = closest(name.removeprefix(prefix), known)
    return "" if found is None else f"; did you mean {known[found]}?"


def _is_known(cls: type[BaseSettings], name: str) -> bool:
    if name.endswith(SERVICE_SUFFIX):
        return True
    return any(_is_of(each, name) for each in (cls, *_derived(cls)))


def _is_of(cls: type[BaseSettings], name: str) -> bool:
    """Whether a variable is of a class; that of a table is, and its keys are checked elsewhere."""
    if not name.startswith(prefix_of(cls)):
        return False
    first = name.removeprefix(prefix_of(cls)).split(cased(cls, delimiter_of(cls)))[0]
    return first.lower() in cls.model_fields or first in (CONFIG_NAME, ENV_FILE_NAME)


def _derived(cls: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for each in cls.__subclasses__():
        yield each
        yield from _derived(each)
