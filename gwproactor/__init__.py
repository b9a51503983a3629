"""Monitored MQTT links, events that are never lost, and actors, native on asyncio.

`Proactor` is one node. It has links to peers (`LinkSettings`, `Link`), each with a comm state that
tells whether the peer is really there; it sends events that reach the upstream peer whatever dies
in between (`Proactor.post_event`), and receives those of others once each (`Proactor.on_event`).
"""

import logging

from gwproactor.actors.actor import Actor
from gwproactor.actors.communicator import Communicator
from gwproactor.actors.interrupt import Interrupt
from gwproactor.actors.queue_writers import AsyncQueueWriter, SyncAsyncQueueWriter
from gwproactor.actors.queues import SyncAsyncQueue
from gwproactor.actors.responsive_sleep import responsive_sleep
from gwproactor.actors.sync_thread import STOP_ON_FAILURE, SyncAsyncInteractionThread
from gwproactor.actors.sync_thread_actor import SyncThreadActor
from gwproactor.config.checked_settings import CheckedSettings
from gwproactor.config.effective import EffectiveSetting, effective_settings
from gwproactor.config.events import Durability, EventSettings, EventStoreKind, InboxKind
from gwproactor.config.limit_policy import LimitPolicy
from gwproactor.config.link import LinkSettings, TopicSettings, WillSettings
from gwproactor.config.logging import (
    FormatterSettings,
    LoggerLevels,
    LoggingSettings,
    RotatingFileHandlerSettings,
    ThrottleSettings,
)
from gwproactor.config.mqtt import MQTTClient, MQTTVersion, TLSInfo, broker_from_url
from gwproactor.config.paths import Paths, default_data_folder
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.tasks import OnFailure, TaskPolicy
from gwproactor.config.watchdog import WatchdogSettings, WhenExpired
from gwproactor.errors import EventDroppedError, EventRefusedError
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.events.store import EventRef
from gwproactor.events.tickets import EventTicket
from gwproactor.interfaces import (
    ActorInterface,
    CommunicatorInterface,
    IOLoopInterface,
    MonitoredName,
    Runnable,
    ServicesInterface,
)
from gwproactor.layout import HardwareLayout, NamesOnly, ShNode
from gwproactor.links.core.link_history import Histogram, LinkHistory, PastTransition
from gwproactor.links.core.link_state import StateName, Transition, TransitionName
from gwproactor.links.core.reupload_progress import ReuploadState
from gwproactor.links.core.subscriptions import QOS, Subscription, SubscriptionStatus
from gwproactor.links.link import Link
from gwproactor.links.manager.mqtt_client import MQTTClientWrapper
from gwproactor.links.manager.mqtt_clients import MQTTClients
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.sent_messages import SentMessage
from gwproactor.logger import ProactorLogger
from gwproactor.logging_setup import add_logging_arguments, close_logging, setup_logging
from gwproactor.message import InternalShutdownMessage, KnownNames, PatInternalWatchdogMessage
from gwproactor.problems import Problems
from gwproactor.runtime.external_watchdog import ExternalWatchdogCommandBuilder
from gwproactor.runtime.observer import Observer
from gwproactor.runtime.proactor import Proactor
from gwproactor.runtime.tasks import SupervisedTask
from gwproactor.stats import LinkStats, ProactorStats
from gwproactor.texts import format_exceptions
from gwproactor.wire.codec import MQTTCodec, WireCodec
from gwproactor.wire.envelope import Header, Message
from gwproactor.wire.payloads import AnyEvent, EventBase, ProblemEvent, ProblemType

__all__ = [
    "QOS",
    "STOP_ON_FAILURE",
    "Actor",
    "ActorInterface",
    "AnyEvent",
    "AsyncQueueWriter",
    "CheckedSettings",
    "Communicator",
    "CommunicatorInterface",
    "Durability",
    "EffectiveSetting",
    "EventBase",
    "EventDroppedError",
    "EventRef",
    "EventRefusedError",
    "EventSettings",
    "EventStoreKind",
    "EventTicket",
    "ExternalWatchdogCommandBuilder",
    "FormatterSettings",
    "HardwareLayout",
    "Header",
    "Histogram",
    "IOLoopInterface",
    "InboxKind",
    "InternalShutdownMessage",
    "Interrupt",
    "KnownNames",
    "LimitPolicy",
    "Link",
    "LinkHistory",
    "LinkSettings",
    "LinkStats",
    "LoggerLevels",
    "LoggingSettings",
    "MQTTClient",
    "MQTTClientWrapper",
    "MQTTClients",
    "MQTTCodec",
    "MQTTVersion",
    "Message",
    "MonitoredName",
    "NamesOnly",
    "Observer",
    "OnFailure",
    "PastTransition",
    "PatInternalWatchdogMessage",
    "Paths",
    "Proactor",
    "ProactorLogger",
    "ProactorSettings",
    "ProactorStats",
    "ProblemEvent",
    "ProblemType",
    "Problems",
    "ReceivedEvent",
    "ReceivedMessage",
    "ReuploadState",
    "RotatingFileHandlerSettings",
    "Runnable",
    "SentMessage",
    "ServicesInterface",
    "ShNode",
    "StateName",
    "Subscription",
    "SubscriptionStatus",
    "SupervisedTask",
    "SyncAsyncInteractionThread",
    "SyncAsyncQueue",
    "SyncAsyncQueueWriter",
    "SyncThreadActor",
    "TLSInfo",
    "TaskPolicy",
    "ThrottleSettings",
    "TopicSettings",
    "Transition",
    "TransitionName",
    "WatchdogSettings",
    "WhenExpired",
    "WillSettings",
    "WireCodec",
    "add_logging_arguments",
    "broker_from_url",
    "close_logging",
    "default_data_folder",
    "effective_settings",
    "format_exceptions",
    "responsive_sleep",
    "setup_logging",
]

# A library stays silent until the program that uses it asks for its log.
logging.getLogger("gwproactor").addHandler(logging.NullHandler())
