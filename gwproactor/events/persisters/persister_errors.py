"""What a persister can have to say: errors, where something was not done, and warnings beside.

They are not raised by a persister but handed back, in the `Problems` of an `Err`. An `Err` with
warnings alone means that the call did its work, and found something odd on the way.
"""
# ruff: noqa: N818 - these are the names of the reference

from pathlib import Path

from gwproactor.errors import StoreError


class PersisterException(StoreError):
    """Base of all that a persister reports.

    Args:
        msg: What happened.
        uid: The id of the content that it happened to.
        path: The file that it happened to.
    """

    def __init__(self, msg: str = "", uid: str = "", path: Path | None = None) -> None:
        super().__init__(msg)
        self.uid = uid
        self.path = path

    def __str__(self) -> str:
        parts = [super().__str__(), f"id {self.uid}" if self.uid else "", str(self.path or "")]
        return ", ".join(part for part in parts if part)


class PersisterError(PersisterException):
    """Something was not done."""


class PersisterWarning(PersisterException):
    """Something was done, and something was odd."""


class WriteFailed(PersisterError):
    """The content could not be written; what was there before is there still."""


class ContentTooLarge(PersisterError):
    """The content alone is more than the persister may hold."""


class FileMissing(PersisterError):
    """The file that held the content is gone."""


class ReadFailed(PersisterError):
    """The file could not be read; trying again later may help."""


class TrimFailed(PersisterError):
    """No room could be made for new content."""


class ReindexError(PersisterError):
    """Something in the folder could not be looked at; the rest was."""


class DecodingError(PersisterError):
    """What was read is not what was written."""


class ByteDecodingError(DecodingError):
    """What was read is no UTF-8."""


class JSONDecodingError(DecodingError):
    """What was read is no JSON."""


class EventDecodingError(DecodingError):
    """What was read is no event."""


class UIDExistedWarning(PersisterWarning):
    """There was content of that id already; it was replaced."""


class FileExistedWarning(PersisterWarning):
    """There was a file of that id already; it was replaced."""


class FileMissingWarning(PersisterWarning):
    """The file that was to be replaced or removed is gone."""


class UIDMissingWarning(PersisterWarning):
    """There is no content of that id."""


class FileEmptyWarning(PersisterWarning):
    """The file is empty."""


class TrimmedWarning(PersisterWarning):
    """Content was dropped to make room for new: the oldest there was."""
