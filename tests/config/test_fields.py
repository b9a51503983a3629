"""Looks into models: paths, fields, what a wrong name is near to."""

from typing import Annotated

from pydantic import BaseModel, Field

from gwproactor.config.fields import dotted, field_at, leaves, model_at, model_of, near, spot_at


class Inner(BaseModel):
    """A table."""

    number: int = 1


class Outer(BaseModel):
    """A table with tables."""

    text: str = ""
    plain: Inner = Inner()
    maybe: Annotated[Inner | None, Field(description="x")] = None
    many: tuple[Inner, ...] = ()


def test_leaves_are_in_the_order_of_the_models() -> None:
    paths = [dotted(path) for path, _ in leaves(Outer)]
    assert paths == ["text", "plain.number", "maybe.number", "many"]


class Tree(BaseModel):
    """A table that may hold itself."""

    parent: "Tree | None" = None
    leaf: Inner = Inner()


def test_there_is_an_end_to_a_table_in_itself() -> None:
    assert [dotted(path) for path, _ in leaves(Tree)] == ["parent", "leaf.number"]


def test_a_spot_is_where_a_value_was_written() -> None:
    values = {"many": [{"number": "x"}], "plain": "text"}
    assert spot_at(Outer, values, ("many", 0, "number")).path == ("many", 0, "number")
    assert spot_at(Outer, values, ("many", 5, "number")).path == ("many", 5)
    spot = spot_at(Outer, values, ("plain", "number"))
    assert (spot.path, spot.is_table) == (("plain",), False)
    assert spot_at(Outer, values, ("text", "function-wrap[f()]")).path == ("text",)
    assert dotted(("many", 0, "number")) == "many[0].number"


def test_models_are_found_in_what_may_be_none() -> None:
    assert model_at(Outer, ("maybe",)) is Inner
    assert model_at(Outer, ("text",)) is None
    assert model_at(Outer, ("nowhere", "else")) is None
    assert model_at(Outer, ()) is Outer
    assert model_of(tuple[Inner, ...]) is None


def test_fields_are_found_by_their_paths() -> None:
    assert field_at(Outer, ("plain", "number")) is Inner.model_fields["number"]
    assert field_at(Outer, ("plain", "no")) is None
    assert field_at(Outer, ("text", "x")) is None


def test_a_name_is_guessed_only_where_it_is_near() -> None:
    assert near("numbr", ["number", "text"]) == "; did you mean number?"
    assert near("zzz", ["number", "text"]) == ""
