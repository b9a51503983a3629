"""Looks into models: paths, fields, what a wrong name is near to."""

from typing import Annotated

from pydantic import BaseModel, Field

from gwproactor.config.fields import dotted, field_at, leaves, model_at, model_of, near


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
