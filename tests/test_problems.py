"""Several problems in one exception: a bounded number is kept, and read as text or as an event."""

import pytest

from gwproactor.errors import GwproactorError
from gwproactor.problems import MAX_PROBLEM_BYTES, Problems
from gwproactor.texts import MAX_TEXT_BYTES, format_exceptions
from gwproactor.wire.payloads import ProblemEvent, ProblemType


def raised(exception: Exception) -> Exception:
    """The same exception, with a traceback."""
    with pytest.raises(type(exception)) as caught:
        raise exception
    return caught.value


def test_without_problems_it_is_false_and_says_what_it_was_told() -> None:
    assert not Problems()
    assert str(Problems()) == ""
    assert str(Problems("reading the folder")) == "reading the folder"


def test_it_is_caught_as_ours_and_as_a_value_error() -> None:
    for base in (GwproactorError, ValueError):
        with pytest.raises(base, match="reading: 1 errors, 1 warnings"):
            raise Problems("reading", [UserWarning("odd")], [OSError("gone")])


def test_adding_can_be_chained() -> None:
    other = Problems(errors=[ValueError("c")], warnings=[ValueError("d")])
    problems = Problems().add_error(OSError("a")).add_warning(OSError("b")).add_problems(other)
    assert [str(e) for e in problems.errors] == ["a", "c"]
    assert [str(e) for e in problems.warnings] == ["b", "d"]
    assert problems
    assert len(problems) == 4


def test_the_lists_that_it_is_made_with_stay_as_they_are() -> None:
    errors: list[BaseException] = [OSError("a")]
    Problems(errors=errors).add_error(OSError("b"))
    assert len(errors) == 1


def test_the_first_are_kept_and_the_others_are_counted() -> None:
    problems = Problems(errors=[OSError(str(n)) for n in range(12)])
    problems.add_error(OSError("12"))
    problems.add_problems(Problems(errors=[OSError(str(n)) for n in range(11)]))
    assert [str(e) for e in problems.errors] == [str(n) for n in range(Problems.MAX_PROBLEMS)]
    assert problems.num_left_out == 2 + 1 + 10 + 1
    assert "10 errors, 0 warnings, 14 more left out" in str(problems)


def test_errors_leave_room_for_warnings() -> None:
    problems = Problems(max_problems=1, errors=[OSError(), OSError()], warnings=[UserWarning()])
    assert (len(problems.errors), len(problems.warnings)) == (1, 1)


def test_what_was_added_by_hand_beyond_the_limit_is_left_alone() -> None:
    problems = Problems(max_problems=1)
    problems.errors += [OSError("a"), OSError("b"), OSError("c")]
    problems.add_problems(Problems(errors=[OSError("d")]))
    assert [str(e) for e in problems.errors] == ["a", "b", "c"]


def test_none_to_keep_still_says_that_there_are_some() -> None:
    assert Problems(max_problems=0).add_error(OSError())


def test_without_a_limit_all_are_kept() -> None:
    problems = Problems(max_problems=None)
    for n in range(1000):
        problems.add_warning(UserWarning(n))
    assert len(problems) == 1000


def test_adding_itself_ends() -> None:
    problems = Problems(errors=[OSError("a")], max_problems=None)
    assert len(problems.add_problems(problems)) == 2


def test_the_text_lists_each_with_its_class() -> None:
    problems = Problems("reading", [UserWarning("odd")], [OSError("two\nlines")])
    assert str(problems).splitlines() == [
        "reading: 1 errors, 1 warnings",
        "Errors:",
        "   1: OSError: two",
        "      lines",
        "Warnings:",
        "   1: UserWarning: odd",
    ]
    assert repr(problems) == "<Problems 'reading': 1 errors, 1 warnings>"


def test_an_exception_that_cannot_be_written_spoils_nothing() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise OSError("no text")

    problems = Problems(errors=[SilentError(), OSError("read \udcff")])
    assert "SilentError" in str(problems)
    event = problems.problem_event("two")
    assert "read \\udcff" in event.Details
    assert ProblemEvent.model_validate_json(event.model_dump_json()) == event


def test_the_event_is_an_error_if_one_is_among_them() -> None:
    problems = Problems(warnings=[UserWarning("odd")])
    warning = problems.problem_event("look", src="a.b")
    assert (warning.Summary, warning.Src) == ("look", "a.b")
    assert warning.ProblemType is ProblemType.warning
    assert problems.add_error(OSError()).problem_event("look").ProblemType is ProblemType.error


def test_whatever_the_problems_quote_the_event_is_bounded() -> None:
    problems = Problems(errors=[ValueError("x" * 10**6)] * 3 + [OSError("gone")])
    assert len(str(problems)) < 4 * MAX_PROBLEM_BYTES
    assert "   4: OSError: gone" in str(problems)
    many = Problems(errors=[ValueError("\N{SNOWMAN}" * 10**4)] * 100, max_problems=None)
    event = many.problem_event("y" * 10**6)
    for text in (event.Summary, event.Details):
        assert len(text.encode()) <= MAX_TEXT_BYTES


def test_problems_among_their_own_errors_have_an_end() -> None:
    one, other = Problems("one"), Problems("other")
    one.add_error(other).add_error(other)
    other.add_error(one).add_error(one)
    assert str(one).count("gwproactor.problems.Problems: (themselves)") == 4
    assert "other: 2 errors" in one.error_traceback_str()


def test_the_tracebacks_are_those_of_the_errors() -> None:
    errors = [raised(OSError("first")), raised(ValueError("second"))]
    text = Problems(errors=errors, warnings=[UserWarning("odd")]).error_traceback_str()
    assert text == format_exceptions(errors)
    assert "odd" not in text
