"""What ends a program from within: `sys.exit`, and Ctrl-C where nobody handles the signal.

Neither can be raised in a task: asyncio lets it out of the loop at once, wherever the other tasks
are. So it is caught where the application's code is called, the proactor ends over it in good
order, and `join` raises it then.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from gwproactor.errors import ProactorFailedError
from gwproactor.texts import in_words, traceback_text

EXITS = (SystemExit, KeyboardInterrupt)


class Failing(Protocol):
    """What can be ended with an error: the proactor."""

    def fail(self, error: BaseException, details: str = "") -> None:
        """End it in good order."""
        ...


@contextlib.contextmanager
def exits_end(owner: Failing, where: str) -> Iterator[None]:
    """End `owner` over an exit that is raised in the context.

    Args:
        owner: The proactor.
        where: Whose code it is that is called.

    Raises:
        ProactorFailedError: In place of the exit, for whoever has called that code.
    """
    try:
        yield
    except EXITS as error:
        owner.fail(error, f"raised by {where}\n{traceback_text(error)}")
        raise ProactorFailedError(f"{where} raised {in_words(error)}") from error
