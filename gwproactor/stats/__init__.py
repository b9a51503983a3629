"""What a proactor and its links have counted since they began.

A link counts what it receives and sends, and a proactor adds that up when it is asked, so that
counting costs an addition or two for each message, and the sum is that of the parts. What is
counted by name is bounded, as the names come from a peer. So nothing here grows with uptime but the
numbers.

`str` of an object is a text for people; `as_data` gives the same as values that JSON can hold. All
of it belongs to the event loop's thread.
"""

from gwproactor.stats.counts import MAX_NAME_CHARACTERS, MAX_NAMES, OTHERS, Counts
from gwproactor.stats.link_stats import LinkStats
from gwproactor.stats.proactor_stats import ProactorStats
from gwproactor.stats.reuploads import ReuploadCounts, ReuploadState

__all__ = [
    "MAX_NAMES",
    "MAX_NAME_CHARACTERS",
    "OTHERS",
    "Counts",
    "LinkStats",
    "ProactorStats",
    "ReuploadCounts",
    "ReuploadState",
]
