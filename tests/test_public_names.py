"""The public names, pinned: one that vanishes, moves or changes its parameters is noticed here.

What a module offers is its `__all__`, or else what it defines itself without a leading underscore.
Of a class, its parameters and its members are pinned; of a function its parameters; of anything
else its type. After a change on purpose `make names` writes the file anew, and the difference shows
in review what users will notice.
"""

import enum
import importlib
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import get_origin

import pytest

PINNED = Path(__file__).parent / "data" / "public_names.json"
MODULES = (
    "gwproactor",
    "gwproactor.errors",
    "gwproactor.links",
    "gwproactor.persister",
    "gwproactor.web",
    "gwproactor_test.broker",
    "gwproactor_test.brokers",
    "gwproactor_test.certificates",
    "gwproactor_test.checked_link_core",
    "gwproactor_test.clients",
    "gwproactor_test.disk",
    "gwproactor_test.event_runs",
    "gwproactor_test.leaks",
    "gwproactor_test.link_model",
    "gwproactor_test.link_pair",
    "gwproactor_test.link_simulation",
    "gwproactor_test.listener",
    "gwproactor_test.mosquitto",
    "gwproactor_test.nodes",
    "gwproactor_test.persisters",
    "gwproactor_test.relay",
    "gwproactor_test.web",
)


def names_of(module: ModuleType) -> list[str]:
    offered = getattr(module, "__all__", None)
    if offered is not None:
        return sorted(offered)
    own = (name for name, thing in vars(module).items() if is_defined_in(module, thing))
    return sorted(name for name in own if not name.startswith("_"))


def is_defined_in(module: ModuleType, thing: object) -> bool:
    return is_code(thing) and getattr(thing, "__module__", None) == module.__name__


def is_code(thing: object) -> bool:
    return inspect.isclass(thing) or inspect.isroutine(thing)


def description(thing: object) -> list[str]:
    """What is pinned of one name, a line each: a line that changes is what a user may notice."""
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        return [f"enum of {' '.join(member.name for member in thing)}"]
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return [f"exception, a {thing.__mro__[1].__name__}"]
    if inspect.isclass(thing):
        # How a protocol is called is Python's affair, and changes with its version.
        kind = "protocol" if getattr(thing, "_is_protocol", False) else f"class{parameters(thing)}"
        return [kind, *sorted(members(thing))]
    if inspect.isroutine(thing):
        return [f"function{parameters(thing)}"]
    return ["alias" if get_origin(thing) else type(thing).__name__]


def members(cls: type) -> Iterator[str]:
    """Public members that our own classes define; what comes from elsewhere is not ours to pin."""
    ours = [c for c in cls.__mro__ if c.__module__.startswith("gwproactor")]
    for name in {name for c in ours for name in vars(c) if not name.startswith("_")}:
        member = getattr(cls, name, None)
        if name in {"model_config", "model_fields", "model_computed_fields"}:
            continue
        # A function made in C is a default value, and what its parameters are is Python's affair.
        if inspect.isroutine(member) and not inspect.isbuiltin(member):
            yield f".{name}{parameters(member)}"
        else:
            yield f".{name}"


def parameters(thing: Callable[..., object]) -> str:
    """Names, kinds and necessity of parameters; types and values of defaults may improve."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return "(?)"  # made in C, or a type that has none
    plain = [
        parameter.replace(
            annotation=parameter.empty,
            default=parameter.empty if parameter.default is parameter.empty else ...,
        )
        for name, parameter in signature.parameters.items()
        if not name.startswith("_")
    ]
    bare = signature.replace(parameters=plain, return_annotation=signature.empty)
    return str(bare).replace("Ellipsis", "...")


def public_names(name: str) -> dict[str, list[str]]:
    module = importlib.import_module(name)
    return {name: description(getattr(module, name)) for name in names_of(module)}


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_those_pinned(module: str) -> None:
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))
    assert public_names(module) == pinned[module], "on purpose? then `make names`"


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_documented(module: str) -> None:
    offering = importlib.import_module(module)
    things = {name: getattr(offering, name) for name in names_of(offering)}
    code = {name: thing for name, thing in things.items() if is_code(thing)}
    assert [name for name, thing in code.items() if not thing.__doc__] == []


if __name__ == "__main__":
    names = {module: public_names(module) for module in MODULES}
    PINNED.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
