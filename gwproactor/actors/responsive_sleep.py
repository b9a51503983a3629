"""A sleep for a thread's own code that ends when the thread is to stop."""

import time
from typing import Any

from gwproactor.actors.pulse import steps
from gwproactor.actors.sync_thread import SyncAsyncInteractionThread


def responsive_sleep(
    obj: Any,
    seconds: float,
    step_duration: float = 0.1,
    running_field_name: str = "_main_loop_running",
    running_field: bool = True,
) -> bool:
    """Sleep, but no longer than until a field of an object says that its thread is to stop.

    A `SyncAsyncInteractionThread` is woken at once, by its `running` or where it has no such field;
    of any other object the field is looked at once in a while. Whatever the object, the pulse of
    such a thread beats meanwhile.

    Args:
        obj: The object.
        seconds: How long to sleep.
        step_duration: Seconds between two looks at the field.
        running_field_name: The name of the field.
        running_field: What it is while the thread runs; False for a field that asks for the stop.

    Returns:
        Whether the thread is to go on.
    """
    if isinstance(obj, SyncAsyncInteractionThread):
        if running_field_name == "running":
            return obj.sleep(seconds) == running_field
        if not hasattr(obj, running_field_name):  # the default is a name that it does not have
            return obj.sleep(seconds)
    deadline = time.monotonic() + seconds
    while getattr(obj, running_field_name) == running_field:
        left = deadline - time.monotonic()
        if left <= 0:
            return True
        for step in steps(min(left, step_duration)):
            time.sleep(step or 0)
    return False
