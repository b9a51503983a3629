"""What happens to events when there is no room for more of them."""

from enum import StrEnum


class LimitPolicy(StrEnum):
    """What happens to an event for which there is no room below `max_bytes`."""

    refuse = "refuse"
    """It is refused, which its maker is told at once."""
    drop_oldest = "drop_oldest"
    """The oldest events go to make room; each is counted, and that is reported."""
    drop_lowest_priority = "drop_lowest_priority"
    """Of the events of the lowest priority the oldest go, but none of a higher priority than the
    new one has: where only such are left, it is refused."""
