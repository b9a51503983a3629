"""Where output goes to, and an import comes from."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from gwproactor.errors import UsageError


@contextmanager
def output(path: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a new file, private and synced; one that was begun and failed is gone.

    Raises:
        UsageError: The file is there already, or cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        stream = path.open("xb")
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}; give a new file") from None
    try:
        with stream:
            path.chmod(0o600)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException as error:
        with suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            words = f"--output {path}: {error.strerror}; give a file where there is room"
            raise UsageError(words) from None
        raise


@contextmanager
def seekable_input(source: str) -> Iterator[IO[bytes]]:
    """A file, or for `-` what standard input gives, in a file that is gone afterwards.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        stream = _opened(source)
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


def _opened(source: str) -> IO[bytes]:
    if source != "-":
        return Path(source).open("rb")
    with ExitStack() as stack:
        spool = stack.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(sys.stdin.buffer, spool)
        stack.pop_all()
    return spool


@contextmanager
def told_of_failing_calls() -> Iterator[None]:
    """For a command: a failing call of the system, of standard output first of all, is told.

    Raises:
        UsageError: One failed.
        BrokenPipeError: Nobody reads any more, which is nobody's fault.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        from gwproactor.events.disk.file_calls import describe  # who asks for help needs no disk

        drop_output()
        raise UsageError(f"{error.filename or 'the output'}: {describe(error)}") from None


def drop_output() -> None:
    """Nobody reads any more, as after `| head`: let what is left in the buffers go nowhere."""
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
