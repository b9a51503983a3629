"""Text that stays in its line, whoever wrote it.

Topics, names and payloads come from peers. One with a line break in it could forge a line of the
log, one with control characters could steer the terminal that shows it.
"""

from typing import Final

MAX_CHARACTERS: Final = 8192
"""So much of a message is kept: more than a person reads, and no payload pushes all else out of the
files."""


def in_one_line(text: str) -> str:
    """A text in which line breaks and other control characters are written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def bounded(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """The beginning of a text, and how much more there was."""
    more = len(text) - max_characters
    return text if more <= 0 else f"{text[:max_characters]}... ({more} characters more)"


class Lines(str):
    """Text with lines of its own: a traceback, the stacks of all tasks.

    Where a record has one among its arguments, our formatters write the first line of it in the
    record's line and the others below, each with a mark that no record begins with. To anybody else
    it is a text.
    """

    __slots__ = ()

    @property
    def first(self) -> str:
        """The first line."""
        return self.partition("\n")[0]

    @property
    def more(self) -> str:
        """The others."""
        return self.partition("\n")[2]
