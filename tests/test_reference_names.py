"""The predecessor's reference, held as data: its names, parameters and defaults.

`tests/data/reference_names.json` has, for each package of the reference, each public name with its
parameters (`name`, `name=default`, `*`, `*args`, `**kwargs`) and members; a member without
parameters is null. What exists here under one of the names takes the same parameters, in the same
order and with the same defaults; further ones are optional. A required one may have a default here.
"""

import enum
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REFERENCE: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "reference_names.json").read_text(encoding="utf-8")
)
LINKS = REFERENCE["gwproactor.links"]
ANY_DEFAULT = ("<factory>", "<object>")


def default_as_text(value: object) -> str:
    return repr(value.value if isinstance(value, enum.Enum) else value)


def faults_of_parameters(described: list[str], thing: Any) -> list[str]:
    """What of the described parameters a callable does not take as the reference says."""
    signature = inspect.signature(thing).parameters.values()
    ours = {p.name: p for p in signature if p.name not in ("self", "cls")}
    positions = {name: position for position, name in enumerate(ours)}
    plain = described[: described.index("*")] if "*" in described else described
    found = [fault for text in described if (fault := fault_of(text, ours))]
    for position, text in enumerate(plain):
        name = text.partition("=")[0].lstrip("*")
        if positions.get(name, position) != position:
            found.append(f"{name} is not parameter {position}")
    known = {text.partition("=")[0].lstrip("*") for text in described}
    unknown = [p for name, p in ours.items() if name not in known and is_required(p)]
    return found + [f"{p.name} must be given, and the reference does not know it" for p in unknown]


def fault_of(text: str, ours: dict[str, inspect.Parameter]) -> str | None:
    """What is wrong with one parameter."""
    name, has_default, default = text.partition("=")
    found = ours.get(name.lstrip("*"))
    if name == "*":
        return None
    if found is None:
        return f"no parameter {name}"
    if has_default and found.default is found.empty:
        return f"{name} has no default"
    if has_default and default not in (*ANY_DEFAULT, default_as_text(found.default)):
        return f"{name} is {default_as_text(found.default)} by default, not {default}"
    return None


def is_required(parameter: inspect.Parameter) -> bool:
    variadic = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variadic


def attributes_of(cls: type) -> set[str]:
    """Everything that an object of the class has: what is annotated or made in `__init__` too."""
    found = set(dir(cls))
    for each in cls.__mro__:
        found |= set(getattr(each, "__annotations__", ()))
        found |= set(getattr(getattr(each, "__init__", None), "__code__", _NoCode).co_names)
    return found


class _NoCode:
    co_names = ()


def faults(description: dict[str, Any], thing: Any) -> Iterator[str]:
    if description["kind"] == "enum":
        members = {member.name: member.value for member in thing}
        if members != description["members"]:
            yield f"members are {members}"
        return
    if description["parameters"] or description["kind"] in ("function", "exception"):
        yield from faults_of_parameters(description["parameters"], thing)
    there = attributes_of(thing) if inspect.isclass(thing) else set()
    for name, parameters in description.get("members", {}).items():
        if name not in there:
            yield f"no member {name}"
        elif parameters is not None:
            for fault in faults_of_parameters(parameters, getattr(thing, name)):
                yield f"{name}: {fault}"


@pytest.mark.parametrize("package", REFERENCE)
def test_every_name_of_a_package_is_public_there(package: str) -> None:
    assert set(REFERENCE[package]) <= set(importlib.import_module(package).__all__)


async def test_a_proactor_has_every_member() -> None:
    """Looked for on an object: some are made in the constructor."""
    proactor = importlib.import_module("gwproactor").Proactor("a.b")
    members = REFERENCE["gwproactor"]["Proactor"]["members"]
    assert [name for name in members if not hasattr(proactor, name)] == []


@pytest.mark.parametrize("name", LINKS)
def test_every_name_of_the_links_is_there_as_the_reference_says(name: str) -> None:
    links = importlib.import_module("gwproactor.links")
    assert name in links.__all__
    assert list(faults(LINKS[name], getattr(links, name))) == []


@pytest.mark.parametrize("name", REFERENCE["gwproactor"])
def test_what_the_root_has_is_as_the_reference_says(name: str) -> None:
    thing = getattr(importlib.import_module("gwproactor"), name)
    assert list(faults(REFERENCE["gwproactor"][name], thing)) == []


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (["a", "b=1", "c"], "no parameter c"),
        (["b=1", "a"], "b is not parameter 0"),
        (["a=1", "b=1"], "a has no default"),
        (["a", "b=2"], "b is 1 by default, not 2"),
        (["a", "b=1", "**kwargs"], "no parameter **kwargs"),
        (["b=1"], "a must be given, and the reference does not know it"),
    ],
)
def test_a_fault_is_seen(described: list[str], said: str) -> None:
    def ours(a: int, b: int = 1) -> None:
        raise NotImplementedError

    assert said in list(faults_of_parameters(described, ours))


def test_a_missing_member_is_seen() -> None:
    class Ours:
        def __init__(self) -> None:
            self.here = 1

    described = {"kind": "class", "parameters": [], "members": {"here": None, "gone": []}}
    assert list(faults(described, Ours)) == ["no member gone"]
