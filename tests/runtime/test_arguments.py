"""What is given in place of what is expected: a UsageError that says what that is."""

from collections.abc import Callable
from typing import Any

import pytest

from gwproactor.config.proactor import ProactorSettings
from gwproactor.errors import UsageError
from gwproactor.layout import NamesOnly
from gwproactor.runtime.proactor import Proactor
from gwproactor_test.proactor_pair import CHILD


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((3,), "the proactor's name must be of type str, not int"),
        ((None,), "the proactor's name must be of type str, not NoneType"),
        (("",), "a name cannot be empty"),
        ((CHILD, 3), "the proactor's settings must be of type ProactorSettings, not int"),
        ((CHILD, ProactorSettings), "must be of type ProactorSettings, not the class Pro"),
        ((CHILD, {}), "must be of type ProactorSettings, not dict"),
        ((CHILD, None, 3), r"a hardware layout has a method node\(name\); int has none"),
    ],
)
def test_a_proactor_is_made_of_what_it_needs(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Proactor(*arguments)


def test_what_is_expected_serves() -> None:
    layout, settings = NamesOnly(), ProactorSettings()
    proactor = Proactor(CHILD, settings, layout)
    assert (proactor.hardware_layout, proactor.settings) == (layout, settings)


CALLS: dict[str, tuple[Callable[[Proactor], object], str]] = {
    "add_communicator(None)": (
        lambda node: node.add_communicator(None),  # type: ignore[arg-type]
        "what add_communicator is given must be of type CommunicatorInterface, not NoneType",
    ),
    "add_communicator(object())": (
        lambda node: node.add_communicator(object()),  # type: ignore[arg-type]
        "must be of type CommunicatorInterface, not object",
    ),
    "get_communicator(3)": (
        lambda node: node.get_communicator(3),  # type: ignore[arg-type]
        "a communicator's name must be of type str, not int",
    ),
    "get_communicator([])": (
        lambda node: node.get_communicator([]),  # type: ignore[arg-type]
        "a communicator's name must be of type str, not list",
    ),
    "get_communicator_as_type(3)": (
        lambda node: node.get_communicator_as_type(3, Proactor),  # type: ignore[arg-type]
        "a communicator's name must be of type str, not int",
    ),
    "add_link(3)": (
        lambda node: node.add_link(3),  # type: ignore[arg-type]
        "what add_link is given must be of type LinkSettings, not int",
    ),
    "link(3)": (
        lambda node: node.link(3),  # type: ignore[arg-type]
        "there is no link '3'; links: none",
    ),
    "observe(3)": (
        lambda node: node.observe(3),  # type: ignore[arg-type]
        "an observer must be of type Observer, not int",
    ),
    "add_task(3)": (
        lambda node: node.add_task(3),  # type: ignore[arg-type]
        "is int, not a coroutine or a function that makes one",
    ),
}


@pytest.mark.parametrize(("call", "said"), CALLS.values(), ids=CALLS.keys())
def test_calls_say_what_they_take(call: Callable[[Proactor], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call(Proactor(CHILD))
