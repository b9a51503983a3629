"""Links: monitored conversations with one peer each, over an MQTT broker.

`Link` and `LinkManager` are what a program uses. Under them lies the core, which any program may
drive by itself: `LinkCore` decides all about one link's comm state and does nothing, `LinkState`
is the state machine alone.
"""

from gwproactor.links.asyncio_timer_manager import AsyncioTimerManager
from gwproactor.links.core.acks import DEFAULT_ACK_DELAY, AckManager, AckTimerCallback, AckWaitInfo
from gwproactor.links.core.backoff import Backoff, reconnect_delays
from gwproactor.links.core.link_core import LinkCore, MessageKind
from gwproactor.links.core.link_history import Histogram, LinkHistory, PastTransition
from gwproactor.links.core.link_manager_transition import LinkManagerTransition
from gwproactor.links.core.link_state import (
    InvalidCommStateInput,
    LinkState,
    RuntimeLinkStateError,
    StateName,
    Transition,
    TransitionName,
)
from gwproactor.links.core.link_states import CommLinkAlreadyExists, CommLinkMissing, LinkStates
from gwproactor.links.core.subscriptions import QOS, Subscription, SubscriptionStatus
from gwproactor.links.core.timer_interface import TimerManagerInterface
from gwproactor.links.link import Link
from gwproactor.links.link_message_times import LinkMessageTimes, MessageTimes
from gwproactor.links.link_set import LinkSet
from gwproactor.links.manager.link_manager import LinkManager
from gwproactor.links.manager.mqtt_client import MessageInfo, MQTTClientWrapper
from gwproactor.links.manager.mqtt_clients import MQTTClients
from gwproactor.links.manager.mqtt_notices import (
    MQTTClientsPayload,
    MQTTConnectFailPayload,
    MQTTConnectPayload,
    MQTTDisconnectPayload,
    MQTTMessageModel,
    MQTTReceiptPayload,
    MQTTSubackPayload,
)
from gwproactor.links.manager.reuploads import Reuploads
from gwproactor.links.received_message import ReceivedMessage
from gwproactor.links.sent_messages import SentMessage

__all__ = [
    "DEFAULT_ACK_DELAY",
    "QOS",
    "AckManager",
    "AckTimerCallback",
    "AckWaitInfo",
    "AsyncioTimerManager",
    "Backoff",
    "CommLinkAlreadyExists",
    "CommLinkMissing",
    "Histogram",
    "InvalidCommStateInput",
    "Link",
    "LinkCore",
    "LinkHistory",
    "LinkManager",
    "LinkManagerTransition",
    "LinkMessageTimes",
    "LinkSet",
    "LinkState",
    "LinkStates",
    "MQTTClientWrapper",
    "MQTTClients",
    "MQTTClientsPayload",
    "MQTTConnectFailPayload",
    "MQTTConnectPayload",
    "MQTTDisconnectPayload",
    "MQTTMessageModel",
    "MQTTReceiptPayload",
    "MQTTSubackPayload",
    "MessageInfo",
    "MessageKind",
    "MessageTimes",
    "PastTransition",
    "ReceivedMessage",
    "Reuploads",
    "RuntimeLinkStateError",
    "SentMessage",
    "StateName",
    "Subscription",
    "SubscriptionStatus",
    "TimerManagerInterface",
    "Transition",
    "TransitionName",
    "reconnect_delays",
]
