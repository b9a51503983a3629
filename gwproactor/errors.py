"""The exceptions of gwproactor, in one tree.

What the caller did wrong stands apart from what the broker, the peer or the disk did, so that a
program can catch either branch without knowing its leaves::

    GwproactorError
    ├── UsageError                the caller's mistake
    │   ├── SettingsError         a setting that cannot work; names it; a ValueError too
    │   ├── NotRunningError       a call on something not started yet, or stopped already
    │   ├── PacketTooLargeError   a message longer than the broker takes
    │   ├── MissingExtraError     an extra of this package that is needed and not installed
    │   └── WrongUsageError           (gwproactor.cli.commands)
    ├── WireError                 a topic or payload that is not what wire format says
    │   ├── TopicError
    │   └── DecodingError
    │       └── UnknownTypeError  no payload class stands for its TypeName
    ├── TransportError            the broker or the way to it
    │   ├── ConnectFailedError    no connection now; trying again soon may help
    │   ├── ConnectRefusedError   login, certificate or protocol refused; somebody must act
    │   ├── ConnectionLostError   a connection that was made is gone
    │   └── SubscriptionRefusedError  the broker does not grant a topic filter
    ├── LinkError                 the conversation with a peer
    │   ├── AckTimeoutError       the peer did not acknowledge in time
    │   ├── EventRefusedError     the peer does not take an event; it is set aside
    │   └── InvalidCommStateInput         (gwproactor.links)
    │       ├── CommLinkAlreadyExists     (gwproactor.links)
    │       ├── CommLinkMissing           (gwproactor.links)
    │       └── RuntimeLinkStateError     (gwproactor.links)
    ├── WebError                  HTTP: a web server of this node, or one that it polls
    │   ├── ListenError           it cannot listen at its address
    │   │   └── PortTakenError    another program listens there
    │   └── PollError             a poll got no answer, or none of use
    ├── StoreError                the folder that holds events
    │   ├── StoreUnusableError    it cannot be made, read or written
    │   ├── StoreLockedError      another node holds it
    │   ├── StoreFormatError      it was written by a newer version
    │   ├── StoreFullError        its size limit is reached; the event was refused
    │   ├── EventDroppedError     its size limit was reached; this event made room for others
    │   └── PersisterException        (gwproactor.persister, as all below it)
    │       ├── PersisterError
    │       │   ├── WriteFailed
    │       │   ├── ContentTooLarge
    │       │   ├── FileMissing
    │       │   ├── ReadFailed
    │       │   ├── TrimFailed
    │       │   ├── ReindexError
    │       │   └── DecodingError
    │       │       ├── ByteDecodingError
    │       │       ├── JSONDecodingError
    │       │       └── EventDecodingError
    │       └── PersisterWarning      the call did its work, and something was odd
    │           ├── UIDExistedWarning
    │           ├── FileExistedWarning
    │           ├── FileMissingWarning
    │           ├── UIDMissingWarning
    │           ├── FileEmptyWarning
    │           └── TrimmedWarning
    ├── ProactorFailedError       the proactor ended by itself, in good order, over a failure
    │   ├── HandlerFailedError    a handler, where the settings ask to end over that
    │   ├── TaskDiedError         a task that it cannot go on without
    │   └── WatchdogExpiredError  something monitored gave no sign of life
    ├── MailError                 messages between the parts of one node
    │   ├── MailboxFullError      the receiver does not keep up; the message was not taken
    │   ├── QueueFullError        a queue had no room in time; a `queue.Full` too
    │   ├── QueueEmptyError       nothing came out of a queue in time; a `queue.Empty` too
    │   └── QueueClosedError      a queue takes nothing more, and all it took is read
    ├── OutputClosedError             (gwproactor.node.output)
    └── Problems                  several at once; a ValueError too (gwproactor.problems)

Three others come out of this library, because everybody knows them. `pydantic.ValidationError`:
payloads and messages are models, and a program that builds one of wrong values learns it in
pydantic's words; settings, all of them, are a SettingsError where they are wrong. `TimeoutError`: a
wait took longer than its caller allowed. `ExceptionGroup`: several tasks of a proactor failed, or
one did in a way that is a fault of ours.
"""

import queue


class GwproactorError(Exception):
    """Base of every exception of this library."""


class UsageError(GwproactorError):
    """The caller's mistake."""


class SettingsError(UsageError, ValueError):
    """A setting that cannot work. The message names the setting, the fault and the cure.

    As a ValueError it can be raised in validators too: then who knows the setting's name adds it.
    """


class NotRunningError(UsageError):
    """A call on something that is not started yet, or stopped already."""


class PacketTooLargeError(UsageError):
    """A message longer than the broker says it takes; sent, it would cost the connection."""


class MissingExtraError(UsageError):
    """Something needs an extra of this package; the message says how to install it."""


class WireError(GwproactorError):
    """A topic or payload that the wire format does not allow."""


class TopicError(WireError):
    """A topic that is not one of a link's."""


class DecodingError(WireError):
    """A payload that cannot be understood."""


class UnknownTypeError(DecodingError):
    """A payload whose TypeName stands for no payload class that is known here."""


class TransportError(GwproactorError):
    """The broker, or the way to it, failed."""


class ConnectFailedError(TransportError):
    """No connection could be made; trying again soon may help."""


class ConnectRefusedError(TransportError):
    """The login, the certificate or the protocol was refused; somebody must change something."""


class ConnectionLostError(TransportError):
    """A connection that was made is gone."""


class SubscriptionRefusedError(TransportError):
    """The broker does not grant a topic filter; it is asked again from time to time."""


class LinkError(GwproactorError):
    """The conversation with a peer failed."""


class AckTimeoutError(LinkError):
    """The peer did not acknowledge a message in time."""


class WebError(GwproactorError):
    """A web server of this node failed, or one that it polls."""


class ListenError(WebError):
    """A web server cannot listen at its address."""


class PortTakenError(ListenError):
    """A web server cannot listen because another program does."""


class PollError(WebError):
    """A REST poll got no answer, or none of use; it is polled again in its turn."""


class EventRefusedError(LinkError):
    """The peer does not take this event, though it takes others; it is kept among the refused."""


class StoreError(GwproactorError):
    """The folder that holds events failed."""


class StoreUnusableError(StoreError):
    """The folder cannot be made, read or written."""


class StoreLockedError(StoreError):
    """Another node holds the folder."""


class StoreFormatError(StoreError):
    """The folder was written by a newer version of this library."""


class StoreFullError(StoreError):
    """The size limit of the store is reached; the event was refused and is not kept."""


class EventDroppedError(StoreError):
    """The size limit of the store was reached, and this event was dropped to make room."""


class ProactorFailedError(GwproactorError):
    """The proactor has ended by itself, in good order, over something it could not go on with."""


class HandlerFailedError(ProactorFailedError):
    """A handler of the application failed, and `stop_when_handler_fails` is set."""


class TaskDiedError(ProactorFailedError):
    """A task died that the proactor was told not to go on without, or died too often."""


class WatchdogExpiredError(ProactorFailedError):
    """Something that the watchdog monitors gave no sign of life for longer than its timeout."""


class MailError(GwproactorError):
    """A message between the parts of one node could not be passed on."""


class MailboxFullError(MailError):
    """The receiver does not keep up; the message was not taken."""


class QueueFullError(MailError, queue.Full):
    """A queue between a thread and the loop had no room in time; the item was not taken."""


class QueueEmptyError(MailError, queue.Empty):
    """Nothing came out of a queue between a thread and the loop in time."""


class QueueClosedError(MailError):
    """A queue between a thread and the loop takes nothing more, and all it took is read."""
