"""docs/differences.md names all that the predecessor has and this library has not yet."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import gwproactor

PAGE = Path(__file__).parent.parent / "docs" / "differences.md"
_NAMES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "reference_names.json").read_text(encoding="utf-8")
)
REFERENCE: dict[str, list[str]] = {
    "gwproactor": list(_NAMES["gwproactor"]),
    "gwproactor.Proactor": list(_NAMES["gwproactor"]["Proactor"]["members"]),
}


def names_said_to_be_missing(place: str) -> list[str]:
    """The names in the paragraph that `place` heads."""
    section = PAGE.read_text(encoding="utf-8").partition("## Names that do not exist yet")[2]
    (paragraph,) = re.findall(rf"^`{re.escape(place)}`:\n(.*?)(?:\n\n|\Z)", section, re.M | re.S)
    return re.findall(r"`(\w+)`", paragraph)


async def names_there(place: str) -> list[str]:
    """What can be found at `place`; attributes are looked for on an object."""
    if place == "gwproactor.Proactor":
        return dir(gwproactor.Proactor("a.b"))
    return dir(importlib.import_module(place))


@pytest.mark.parametrize("place", REFERENCE)
async def test_the_names_said_to_be_missing_are_missing_and_no_others(place: str) -> None:
    there = await names_there(place)
    missing = sorted(name for name in REFERENCE[place] if name not in there)
    assert sorted(names_said_to_be_missing(place)) == missing
