"""A copy of every event in one folder, for a person to look at: a persister that only writes.

Nothing is read back, cleared or counted against a limit: where a node keeps its events in memory
otherwise, it leaves a trace on the disk.
"""

from pathlib import Path

from result import Err, Ok, Result

from gwproactor.events.disk.file_calls import FileCalls, describe
from gwproactor.events.disk.whole_files import write_whole
from gwproactor.events.persisters.persister import StubPersister
from gwproactor.events.persisters.persister_errors import WriteFailed
from gwproactor.events.persisters.rolling_names import Stamps, file_name, head_of
from gwproactor.problems import Problems


class SimpleDirectoryWriter(StubPersister):
    """Writes a file for each content. For one thread at a time; it blocks.

    Args:
        base_dir: The folder; created when missing, private to the user.
    """

    def __init__(self, base_dir: Path | str) -> None:
        super().__init__()
        self._base_dir = Path(base_dir).resolve()
        self._files = FileCalls()
        self._stamps = Stamps()

    def persist(self, uid: str, content: bytes) -> Result[bool, Problems]:
        """Write `content` to a file; it is whole or not there."""
        super().persist(uid, content)
        path = self._base_dir / file_name(self._stamps.next(), uid)
        try:
            write_whole(self._files, path, head_of(path.name, uid) + content, durable=False)
        except OSError as error:
            failed = WriteFailed(describe(error), uid=uid, path=path)
            return Err(Problems(errors=[error, failed]))
        return Ok(True)
