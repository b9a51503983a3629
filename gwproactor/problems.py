"""Several problems in one exception: what went wrong during something that went on all the same.

Who reads a folder of a thousand files, or decodes the parts of a message, does not stop at the
first that fails. It collects what failed in `Problems`, errors apart from warnings, and raises or
returns that at the end, or sends it upstream as a problem event.

Only the first `max_problems` of each kind are kept, as an exception keeps everything alive that its
traceback refers to; those left out are counted.
"""

import textwrap
import traceback
from collections.abc import Iterable, Sequence
from reprlib import recursive_repr
from typing import Self

from gwproactor.errors import GwproactorError
from gwproactor.texts import MAX_TEXT_BYTES, cut_to_bytes, format_exceptions
from gwproactor.wire.payloads import ProblemEvent, ProblemType

MAX_PROBLEM_BYTES = 2000
"""Of one problem in the text of all: it may quote everything that was read."""


class Problems(GwproactorError, ValueError):  # noqa: N818 - the reference's name
    """Errors and warnings, as many as matter. True when there is any; its length is those kept.

    Not for use by several threads at once.

    Args:
        msg: What they are about, in a few words.
        warnings: Warnings to begin with.
        errors: Errors to begin with.
        max_problems: How many errors are kept, and how many warnings; None keeps all.
    """

    MAX_PROBLEMS = 10

    errors: list[BaseException]
    warnings: list[BaseException]
    max_problems: int | None = MAX_PROBLEMS

    def __init__(
        self,
        msg: str = "",
        warnings: Sequence[BaseException] | None = None,
        errors: Sequence[BaseException] | None = None,
        max_problems: int | None = MAX_PROBLEMS,
    ) -> None:
        super().__init__(msg)
        self.max_problems = max_problems
        self.errors, self.warnings = [], []
        self.num_left_out = 0
        self._keep(self.errors, errors or ())
        self._keep(self.warnings, warnings or ())

    def __bool__(self) -> bool:
        return len(self) > 0 or self.num_left_out > 0

    def __len__(self) -> int:
        return len(self.errors) + len(self.warnings)

    @recursive_repr("(themselves)")
    def __str__(self) -> str:
        """What they are about, how many there are, and a line or more for each; empty for none."""
        message = super().__str__()
        if not self:
            return message
        lines = [f"{message or 'Problems'}: {self._counts()}"]
        for title, exceptions in (("Errors", self.errors), ("Warnings", self.warnings)):
            if exceptions:
                lines += [f"{title}:", *_numbered(exceptions)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__str__()!r}: {self._counts()}>"

    def add_error(self, error: BaseException) -> Self:
        """Add an error. Returns the object itself, as all that add."""
        self._keep(self.errors, [error])
        return self

    def add_warning(self, warning: BaseException) -> Self:
        """Add a warning."""
        self._keep(self.warnings, [warning])
        return self

    def add_problems(self, other: "Problems") -> Self:
        """Add all problems of another, and the number of those that it left out."""
        self._keep(self.errors, tuple(other.errors))
        self._keep(self.warnings, tuple(other.warnings))
        self.num_left_out += other.num_left_out
        return self

    def error_traceback_str(self) -> str:
        """The tracebacks of the errors, one after the other."""
        return format_exceptions(self.errors)

    def problem_event(self, summary: str, src: str = "") -> ProblemEvent:
        """Make the event that tells the upstream peer: an error if one is among them.

        Args:
            summary: One line.
            src: Long name of this node; who generates the event fills it in where it is empty.
        """
        return ProblemEvent(
            Src=src,
            ProblemType=ProblemType.error if self.errors else ProblemType.warning,
            Summary=cut_to_bytes(summary, MAX_TEXT_BYTES),
            Details=cut_to_bytes(str(self), MAX_TEXT_BYTES),
        )

    def _counts(self) -> str:
        left_out = f", {self.num_left_out} more left out" if self.num_left_out else ""
        return f"{len(self.errors)} errors, {len(self.warnings)} warnings{left_out}"

    def _keep(self, kept: list[BaseException], exceptions: Sequence[BaseException]) -> None:
        """Keep of `exceptions` what there is room for, and count the others."""
        room = len(exceptions)
        if self.max_problems is not None:
            room = max(0, min(room, self.max_problems - len(kept)))
        kept.extend(exceptions[:room])
        self.num_left_out += len(exceptions) - room


def _numbered(exceptions: Iterable[BaseException]) -> list[str]:
    """Each exception's class and words under its number, without its traceback."""
    return [
        f"  {number:2d}: {textwrap.indent(_words(each), ' ' * 6).lstrip()}"
        for number, each in enumerate(exceptions, start=1)
    ]


def _words(exception: BaseException) -> str:
    words = "".join(traceback.format_exception_only(exception)).rstrip()
    return cut_to_bytes(words, MAX_PROBLEM_BYTES)
