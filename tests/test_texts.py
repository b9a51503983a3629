"""Texts of exceptions, and others, fit into what they are for, whatever they say."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.texts import (
    MAX_TRACEBACK_BYTES,
    MAX_WORDS_BYTES,
    cut_inside,
    cut_to_bytes,
    format_exceptions,
    in_words,
    kind_of,
    name_of,
    traceback_text,
)


def raised(exception: Exception) -> Exception:
    """The same exception, with a traceback."""
    with pytest.raises(type(exception)) as caught:
        raise exception
    return caught.value


@given(st.text(), st.integers(min_value=100, max_value=400))
def test_a_text_is_cut_between_characters(text: str, max_bytes: int) -> None:
    for cut in (cut_to_bytes(text * 20, max_bytes), cut_inside(text * 20, max_bytes)):
        assert len(cut.encode()) <= max_bytes


def test_what_fits_stays_as_it_is() -> None:
    assert cut_to_bytes("abc", 3) == cut_inside("abc", 3) == "abc"


def test_what_is_left_out_is_counted() -> None:
    text = "a" * 500 + "z" * 500
    assert cut_to_bytes(text, 164) == "a" * 100 + "\n... 900 bytes are left out"
    assert cut_inside(text, 164) == f"{'a' * 50}\n... 900 bytes are left out\n{'z' * 50}"


def test_what_no_utf_8_can_hold_is_written_out() -> None:
    assert cut_to_bytes("read \udcff", 100) == "read \\udcff"


def test_tracebacks_are_numbered() -> None:
    text = format_exceptions([raised(OSError("first")), raised(ValueError("second"))])
    assert "Exception 1 of 2:\n  Traceback" in text
    assert "OSError: first\nException 2 of 2:" in text
    assert text.endswith("  ValueError: second\n")


def test_no_exceptions_are_no_text() -> None:
    assert format_exceptions([]) == ""


def test_of_a_long_traceback_where_it_began_and_what_it_was_stay() -> None:
    text = traceback_text(raised(ValueError("begin" + "x" * 10**6 + "end")))
    assert len(text.encode()) <= MAX_TRACEBACK_BYTES
    assert "in raised" in text
    assert "ValueError: beginx" in text
    assert text.endswith("xend")


def test_an_exception_in_a_line() -> None:
    assert in_words(OSError("two\nlines")) == "OSError: two lines"
    assert in_words(OSError()) == "OSError"
    assert len(in_words(OSError("x" * 10**6)).encode()) <= MAX_WORDS_BYTES


def test_an_exception_without_words_is_told_all_the_same() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise OSError("no text")

    assert in_words(SilentError()) == "SilentError: (has no words)"
    assert "SilentError" in traceback_text(SilentError())


def test_one_line_that_raises_is_one_kind_of_failure() -> None:
    kinds = {kind_of(raised(OSError(str(number)))) for number in range(3)}
    (kind,) = kinds
    assert kind.startswith("builtins.OSError")
    assert kind_of(raised(ValueError("x"))) not in kinds
    assert kind_of(OSError("never raised")) == "builtins.OSError"


class Callable:
    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __call__(self, *args: object) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.secret


def test_what_is_called_is_named_without_what_may_be_secret_in_it() -> None:
    inner = functools.partial(raised, ValueError("secret"))
    assert name_of(raised) == name_of(inner) == "raised"
    assert name_of(Callable("secret").__call__) == "Callable.__call__"
    assert name_of(Callable("secret")) == name_of(Callable) == "Callable"
    assert name_of(functools.partial(Callable("secret"), "x")) == "Callable"
