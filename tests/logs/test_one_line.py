"""Text that stays in its line."""

from hypothesis import given
from hypothesis import strategies as st

from gwproactor.logs.one_line import MAX_CHARACTERS, Lines, bounded, in_one_line


@given(st.text(st.characters()))
def test_any_text_is_one_line_that_can_be_shown_and_written(text: str) -> None:
    line = in_one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    line.encode()


def test_what_can_be_shown_is_left_as_it_is() -> None:
    assert in_one_line("é 漢 \\n") == "é 漢 \\n"
    assert in_one_line("a\nb\x1b[2J\u2028\udcff") == "a\\nb\\x1b[2J\\u2028\\udcff"


def test_a_long_text_says_how_much_is_missing() -> None:
    assert bounded("abc", 3) == "abc"
    assert bounded("abcd", 3) == "abc... (1 characters more)"
    assert len(bounded("x" * 10**6)) < MAX_CHARACTERS + 40


def test_lines_are_a_text_with_a_first_one() -> None:
    text = Lines("a\nb\nc")
    assert text == "a\nb\nc"
    assert (text.first, text.more) == ("a", "b\nc")
    assert (Lines("a").first, Lines("a").more) == ("a", "")
