"""Tables by themselves: how they refuse, and that they leave it to the settings they are in."""

import copy
import pickle
import traceback
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTClient
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.table import Table
from gwproactor.errors import SettingsError

SECRET = "hunter2-and-no-other"


class Inner(Table):
    """A table."""

    number: int = 1
    share: float = 0.5
    flag: bool | int = False
    aliased: int = Field(default=1, alias="Aliased")


class Outer(Table):
    """A table with tables."""

    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    text_or_table: str | dict[str, int] = ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"inner": {"number": "x"}}, "inner.number: it should be a valid integer"),
        ({"many": [{}, {"number": "x"}]}, "many[1].number: it should be a valid integer"),
        ({"many": [{"numbr": 1}]}, "many[0].numbr: there is no such setting; did you mean number?"),
        ({"inner": 5}, "inner: it must be a table; example: {'number': 1}"),
        ({"many": 5}, "many: it must be a list; example: [{'number': 1}]"),
        ({"text_or_table": {"a": "x"}}, "text_or_table.a: it should be a valid integer"),
        ({"inner": {"Aliased": "x"}}, "inner.Aliased: it should be a valid integer"),
        ({"inner": {"number": True}}, "inner.number: it should be a number, which true and false"),
        ({"inner": {"share": False}}, "inner.share: it should be a number, which true and false"),
    ],
)
def test_a_refusal_names_the_place(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Outer(**values)
    assert f"the argument {said}" in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        Outer.model_validate(values)
    assert said in str(caught.value)
    assert "argument" not in str(caught.value)


def test_truth_is_taken_where_it_is_a_choice() -> None:
    assert Inner(flag=True).flag is True


def test_what_is_required_is_said() -> None:
    with pytest.raises(SettingsError, match=r"^peer_name is required; example: 'd1\.site'\n"):
        LinkSettings()  # type: ignore[call-arg]


def test_a_refusal_is_a_value_error_and_knows_no_values() -> None:
    with pytest.raises(ValueError, match="the argument port: it should be") as caught:
        MQTTClient(port=SECRET)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_what_is_no_dictionary_is_refused_too() -> None:
    with pytest.raises(SettingsError, match="Outer: it must be a table"):
        Outer.model_validate(5)
    outer = Outer()
    assert Outer.model_validate(outer) is outer


def test_in_a_model_of_others_a_table_is_a_model() -> None:
    class Theirs(BaseModel):
        inner: Inner

    with pytest.raises(ValidationError) as caught:
        Theirs.model_validate({"inner": {"number": "x"}})
    assert [fault["loc"] for fault in caught.value.errors()] == [("inner", "number")]


def test_a_secret_is_in_no_text_and_goes_where_the_settings_go() -> None:
    broker = MQTTClient(username="u", password=SecretStr(SECRET))
    link = LinkSettings(
        peer_name="d1.p", peer_short_name="p", subscription_name="s", brokers=(broker,)
    )
    told = [repr(link), str(link), f"{link!r}", repr(link.model_dump()), link.model_dump_json()]
    assert SECRET not in "".join(told)
    for same in (copy.deepcopy(link), pickle.loads(pickle.dumps(link))):
        assert same == link
        assert same.brokers[0].password == SecretStr(SECRET)


def test_settings_can_be_pickled() -> None:
    settings = ProactorSettings(events=EventSettings(max_bytes=5))
    assert pickle.loads(pickle.dumps(settings)) == settings
