"""The names of the reference's persisters; they are defined in `gwproactor.events`."""

from gwproactor.events.persisters.persister import PersisterInterface, StubPersister
from gwproactor.events.persisters.persister_errors import (
    ByteDecodingError,
    ContentTooLarge,
    DecodingError,
    EventDecodingError,
    FileEmptyWarning,
    FileExistedWarning,
    FileMissing,
    FileMissingWarning,
    JSONDecodingError,
    PersisterError,
    PersisterException,
    PersisterWarning,
    ReadFailed,
    ReindexError,
    TrimFailed,
    TrimmedWarning,
    UIDExistedWarning,
    UIDMissingWarning,
    WriteFailed,
)
from gwproactor.events.persisters.simple_directory_writer import SimpleDirectoryWriter
from gwproactor.events.persisters.timed_rolling_files import TimedRollingFilePersister

__all__ = [
    "ByteDecodingError",
    "ContentTooLarge",
    "DecodingError",
    "EventDecodingError",
    "FileEmptyWarning",
    "FileExistedWarning",
    "FileMissing",
    "FileMissingWarning",
    "JSONDecodingError",
    "PersisterError",
    "PersisterException",
    "PersisterInterface",
    "PersisterWarning",
    "ReadFailed",
    "ReindexError",
    "SimpleDirectoryWriter",
    "StubPersister",
    "TimedRollingFilePersister",
    "TrimFailed",
    "TrimmedWarning",
    "UIDExistedWarning",
    "UIDMissingWarning",
    "WriteFailed",
]
