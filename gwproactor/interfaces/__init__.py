"""What the parts of a node know of each other: actors of the proactor, and it of them.

An actor is given the proactor as `ServicesInterface`: what it may ask and tell. The proactor knows
an actor as a `CommunicatorInterface`, something with a name that messages can be addressed to, and
as a `Runnable` where it is to be started and stopped with the proactor.

Unless a method says otherwise, it is for the event loop's thread.
"""

from gwproactor.interfaces.actors import (
    ActorInterface,
    CommunicatorInterface,
    MonitoredName,
    ProcessResult,
    Runnable,
)
from gwproactor.interfaces.services import (
    INVALID_IO_TASK_HANDLE,
    ExternalWatchdogBuilder,
    IOLoopInterface,
    ReceiveQueue,
    ServicesInterface,
    TaskInterface,
    WebHandler,
    Work,
)

__all__ = [
    "INVALID_IO_TASK_HANDLE",
    "ActorInterface",
    "CommunicatorInterface",
    "ExternalWatchdogBuilder",
    "IOLoopInterface",
    "MonitoredName",
    "ProcessResult",
    "ReceiveQueue",
    "Runnable",
    "ServicesInterface",
    "TaskInterface",
    "WebHandler",
    "Work",
]
