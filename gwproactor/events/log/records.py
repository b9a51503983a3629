r"""The frame of a record in a segment: a mark, a checksum, a length, and the body between them.

    + 9ad1c2f3 96 …body…

What the body says is the business of `gwproactor.events.log.segments`; here is only how a record is
told from damage. The checksum is the CRC-32 of the body, and of the mark before it where that is
`@`, so that a damaged mark is not taken for another one.
"""

import re
from zlib import crc32

_SEEDS = {b"+": 0, b"-": 0, b"@": crc32(b"@")}
"""What the checksum of a record begins with, by its mark."""

_RECORD = re.compile(rb"([-+@]) ([0-9a-f]{8}) (\d{1,10}) ")
_FILLER = re.compile(rb"#? *\n")
_BLANKS = re.compile(rb"#? +|#")
_FILLER_BEGINS = b"# \n"


def encode_record(mark: bytes, body: bytes) -> bytes:
    """Write the line of a record. Its body must be one line."""
    return b"%b %08x %d %b\n" % (mark, crc32(body, _SEEDS[mark]), len(body), body)


def record_at(data: bytes, position: int) -> tuple[bytes, bytes, int]:
    """Mark and body of the record that begins at `position`, and its end; no mark for no record.

    The byte behind the body is its newline, whatever it has become.
    """
    match = _RECORD.match(data, position)
    if match is None:
        return b"", b"", position
    mark, checksum, length = match.groups()
    start, end = match.end(), match.end() + int(length)
    body = data[start:end]
    if end > len(data) or crc32(body, _SEEDS[mark]) != int(checksum, 16):
        return b"", b"", position
    return mark, body, end + 1


def looks_like_record(data: bytes, position: int) -> bool:
    """Whether a record began at `position` once, as far as one can tell."""
    return _RECORD.match(data, position) is not None


def encode_filler(length_bytes: int) -> bytes:
    """Write a line of that length, with its newline, that says nothing."""
    return b"#".ljust(length_bytes - 1)[: length_bytes - 1] + b"\n"


def filler_end(data: bytes, position: int) -> int:
    """Where the line at `position` ends that says nothing; `position` itself where it says more."""
    if data[position] not in _FILLER_BEGINS:
        return position
    match = _FILLER.match(data, position)
    return match.end() if match else position


def broken_filler_end(data: bytes, position: int) -> int | None:
    """Where the filler at `position` ends whose newline was hit; None where that is not so.

    Only where a sound record follows at once: blanks alone may be anything.
    """
    match = _BLANKS.match(data, position)
    if match is None or not record_at(data, match.end() + 1)[0]:
        return None
    return match.end() + 1


def line_end(data: bytes, position: int) -> int:
    """Where the line that begins at `position` ends, with its newline."""
    newline = data.find(b"\n", position)
    return len(data) if newline < 0 else newline + 1
