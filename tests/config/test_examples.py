"""Examples: of each kind one that is right, of secrets none that is anybody's, in each notation."""

import enum
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, SecretStr

from gwproactor.config.examples import as_toml, as_variable, example_of, example_of_kind, is_secret
from gwproactor.web.rest_urls import RESTTable

SECRET = "hunter2-and-no-other"


class Colour(enum.Enum):
    """A choice."""

    red = "r"


class Needing(BaseModel):
    """A table of which something is required."""

    optional: int = 1
    text: str


class Tree(BaseModel):
    """A table that may hold itself."""

    below: "tuple[Tree, ...]" = ()
    parent: "Tree | None" = None
    depth: int = 3


def refuse(value: Any) -> Any:
    raise KeyError(value)


@pytest.mark.parametrize(
    ("kind", "example"),
    [
        (int, 1),
        (Annotated[int, Ge(5)], 10),
        (float | None, 1.5),
        (bool, True),
        (Path, "/srv/scada"),
        (SecretStr | None, "secret"),
        (Colour, "r"),
        (Literal["GET", "PUT"], "GET"),
        (tuple[int, ...], [1]),
        (list[Annotated[str, Field(examples=["a"])]], ["a"]),
        (dict[str, float], {"name": 1.5}),
        (Needing, {"text": "text"}),
        (Annotated[int, AfterValidator(refuse)], None),
        (object, None),
        (Tree, {"depth": 3}),
    ],
)
def test_of_each_kind_there_is_one(kind: Any, example: Any) -> None:
    assert example_of_kind(kind) == example


def test_what_a_field_says_comes_first_where_it_is_right() -> None:
    class Said(BaseModel):
        named: int = Field(default=2, examples=[3])
        by_default: int = Field(default=2)
        named_wrongly: int = Field(default=0, ge=0, examples=[-1])
        empty: str = ""

    found = {name: example_of(field) for name, field in Said.model_fields.items()}
    assert found == {"named": 3, "by_default": 2, "named_wrongly": 0, "empty": "text"}


def test_no_secret_is_an_example() -> None:
    class Secrets(BaseModel):
        api_token: str = SECRET
        by_type: SecretStr = SecretStr(SECRET)
        passwords: dict[str, str] = {"a": SECRET}
        tables: tuple[Needing, ...] = (Needing(text=SECRET),)

    for name, field in Secrets.model_fields.items():
        if name != "tables":
            assert is_secret(name, field.annotation)
            assert SECRET not in str(example_of(field, name))


def test_tables_of_a_poll_are_shown_by_the_names_of_fields() -> None:
    class Poll(RESTTable):
        some_number: int

    assert example_of_kind(Poll) == {"some_number": 1}


ONE = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
PLAIN = ONE | st.lists(ONE) | st.dictionaries(st.sampled_from(["a", "b_c"]), ONE | st.lists(ONE))


@given(PLAIN)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    assert tomllib.loads(f"x = {as_toml(value)}")["x"] == value
    if not isinstance(value, str):
        assert json.loads(as_variable(value)) == value
