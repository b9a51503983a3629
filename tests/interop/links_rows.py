# mypy: ignore-errors
# (it runs with the predecessor's package too, whose names are the same and whose types are not)
"""What each member of `gwproactor.links` does, row by row, told as JSON on standard output.

Run with the interpreter of this library or with that of .peer-venv: a row is one use of one member,
and what came of it: a value, `Ok` or `Err`, or the exception. Needs no broker.
"""

import enum
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

from result import Err, Ok

from gwproactor import ProactorSettings, links
from gwproactor.config import MQTTClient
from gwproactor.links import (
    AckManager,
    AckWaitInfo,
    CommLinkMissing,
    InvalidCommStateInput,
    LinkManagerTransition,
    LinkState,
    LinkStates,
    MessageTimes,
    MQTTClients,
    MQTTClientWrapper,
    Reuploads,
    StateName,
    Subscription,
    Transition,
    TransitionName,
)
from gwproactor.persister import StubPersister
from gwproactor.stats import ProactorStats

THEIRS = "topic_dst" in MQTTClientWrapper.__init__.__code__.co_varnames
STATES = [state for state in StateName if state is not StateName.none]


FIELDS: dict[type, tuple[str, ...]] = {
    Transition: ("link_name", "transition_name", "old_state", "new_state"),
    AckWaitInfo: ("link_name", "message_id", "context"),
    InvalidCommStateInput: ("name", "current_state", "transition"),
}


def told(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Ok):
        return ["Ok", told(value.unwrap())]
    if isinstance(value, Err):
        return ["Err", told(value.unwrap_err())]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [told(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return told_object(value)


def told_object(value: Any) -> Any:
    """An object by what counts of it."""
    for kind, fields in FIELDS.items():
        if isinstance(value, kind):
            waits = getattr(value, "canceled_acks", ())
            told_fields = (told(getattr(value, field)) for field in fields)
            return [type(value).__name__, *told_fields, *(told(wait) for wait in waits)]
    if isinstance(value, BaseException):
        return type(value).__name__
    return "a client" if isinstance(value, MQTTClientWrapper) else f"a {type(value).__name__}"


def outcome(use: Callable[[], Any]) -> Any:
    """What comes of a use."""
    try:
        return told(use())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
        return ["raises", told(error)]


Row = tuple[str, Any]


def states() -> Iterator[Row]:
    """Every input of `LinkState` in every state."""
    inputs: dict[str, Callable[[LinkState], Any]] = {
        "start()": lambda link: link.start(),
        "stop()": lambda link: link.stop(),
        "process_mqtt_connected()": lambda link: link.process_mqtt_connected(),
        "process_mqtt_disconnected()": lambda link: link.process_mqtt_disconnected(),
        "process_mqtt_connect_fail()": lambda link: link.process_mqtt_connect_fail(),
        "process_mqtt_suback(0)": lambda link: link.process_mqtt_suback(0),
        "process_mqtt_suback(1)": lambda link: link.process_mqtt_suback(1),
        "process_mqtt_message()": lambda link: link.process_mqtt_message(),
        "process_ack_timeout()": lambda link: link.process_ack_timeout(),
    }
    for state in STATES:
        for name, use in inputs.items():
            link = LinkState("a", state)
            result = outcome(lambda link=link, use=use: use(link))
            yield f"LinkState[{state.value}].{name}", [result, told(link.state)]
        link = LinkState("a", state)
        asked = [link.active(), link.active_for_send(), link.active_for_recv()]
        yield f"LinkState[{state.value}].active…", asked
        yield f"LinkState[{state.value}].in_state", [link.in_state(each) for each in STATES]
        yield f"LinkState[{state.value}].curr_state", told(link.curr_state.name)
    yield "LinkState()", told(LinkState("a").state)
    yield "LinkState(none)", outcome(lambda: LinkState("a", StateName.none).state)
    yield "LinkState.states", sorted(told(name) for name in LinkState("a").states)


def transitions() -> Iterator[Row]:
    """What a transition says of itself."""
    for old in STATES:
        for new in STATES:
            step = Transition("a", TransitionName.mqtt_suback, old, new)
            asks = (
                step.active,
                step.activated,
                step.deactivated,
                step.recv_activated,
                step.recv_deactivated,
                step.send_is_active,
                step.send_activated,
                step.send_deactivated,
            )
            yield f"Transition[{old.value} {new.value}]", [bool(step), *(ask() for ask in asks)]
    yield "str(Transition)", str(Transition("a", TransitionName.mqtt_suback))
    yield "Transition()", told(Transition())
    yield "LinkManagerTransition()", told(LinkManagerTransition())
    yield "LinkManagerTransition.canceled_acks", LinkManagerTransition().canceled_acks
    yield "Subscription", list(Subscription("a", links.QOS.AtLeastOnce))
    for kind in ("InvalidCommStateInput", "CommLinkAlreadyExists", "RuntimeLinkStateError"):
        yield f"{kind}()", told(getattr(links, kind)())
        yield f"{kind}() is one", issubclass(getattr(links, kind), InvalidCommStateInput)
    yield "CommLinkMissing()", told(CommLinkMissing("a"))


class Named:
    """A message about one link."""

    def __init__(self, name: str) -> None:
        self.Payload = self
        self.client_name = name


def link_states() -> Iterator[Row]:
    """`LinkStates`, of which one link is known."""
    of_name = {
        name: (lambda states, link, name=name: getattr(states, name)(link))
        for name in ("link_state", "stopped", "start", "stop", "process_ack_timeout")
    }
    of_message = {
        name: (lambda states, link, name=name: getattr(states, name)(Named(link)))
        for name in (
            "process_mqtt_connected",
            "process_mqtt_disconnected",
            "process_mqtt_connect_fail",
            "process_mqtt_message",
        )
    }
    uses = (
        of_name
        | of_message
        | {
            "process_mqtt_suback": lambda states, link: states.process_mqtt_suback(link, 0),
            "link": lambda states, link: states.link(link),
            "[]": lambda states, link: states[link],
            "in": lambda states, link: link in states,
            "add": lambda states, link: states.add(link),
            "start_all": lambda states, _: states.start_all().is_ok(),
        }
    )
    for name, use in uses.items():
        for link in ("known", "unknown"):
            made = LinkStates(["known"])
            yield f"LinkStates.{name}({link})", outcome(lambda: use(made, link))  # noqa: B023
    made = LinkStates(["a", "b"])
    yield "LinkStates.link_names", made.link_names()
    made.start("a")
    yield "LinkStates.start_all, one started", outcome(made.start_all)
    yield "LinkStates.add(state)", told(made.add("c", StateName.active).state)
    yield "LinkStates()", LinkStates().link_names()


class Timers(links.TimerManagerInterface):
    """Timers that fire by hand."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.callbacks: dict[int, Callable[[], None]] = {}

    def start_timer(self, delay_seconds: float, callback: Callable[[], None]) -> int:
        """Remember it."""
        handle = len(self.callbacks)
        self.callbacks[handle] = callback
        self.log.append(["start", delay_seconds])
        return handle

    def cancel_timer(self, timer_handle: int) -> None:
        """Remember it; it may run all the same, as the interface allows."""
        self.log.append(["cancel", timer_handle])


def acks() -> Iterator[Row]:
    """`AckManager`, and what it asks of timers."""
    for delay in (None, 5.0, 1.5):
        timers, expired = Timers(), []
        given = {} if delay is None else {"delay": delay}
        manager = AckManager(timers, expired.append, **given)
        yield f"AckManager({delay}).start", told(manager.start_ack_timer("a", "1", "context"))
        yield f"AckManager({delay}) delay", timers.log
    timers, expired = Timers(), []
    manager = AckManager(timers, expired.append)
    yield "AckManager.num_acks(unknown)", manager.num_acks("a")
    yield "AckManager.cancel_ack_timer(unknown)", told(manager.cancel_ack_timer("a", "1"))
    yield "AckManager.cancel_ack_timers(unknown)", told(manager.cancel_ack_timers("a"))
    yield "AckManager.add_link", told(manager.add_link("a"))
    for message in ("1", "2", "3"):
        manager.start_ack_timer("a", message, delay_seconds=2.5)
    yield "AckManager.start_ack_timer(again)", told(manager.start_ack_timer("a", "1"))
    yield "AckManager.num_acks", manager.num_acks("a")
    yield "AckManager.cancel_ack_timer", told(manager.cancel_ack_timer("a", "2"))
    timers.callbacks[2]()
    yield "AckManager callback", told(expired)
    timers.callbacks[1]()
    timers.callbacks[2]()
    yield "AckManager callback of an ended wait", told(expired)
    manager.start_ack_timer("a", "4")
    yield "AckManager.cancel_ack_timers", told(manager.cancel_ack_timers("a"))
    yield "AckManager.num_acks after", manager.num_acks("a")
    yield "AckManager timers", timers.log
    manager.start_ack_timer("a", "5")
    manager.add_link("a")
    yield "AckManager.add_link(known)", manager.num_acks("a")


def late_acks() -> Iterator[Row]:
    """A timer that was on its way when its wait began anew."""
    timers, expired = Timers(), []
    manager = AckManager(timers, expired.append)
    manager.start_ack_timer("a", "1")
    manager.start_ack_timer("a", "1")
    timers.callbacks[0]()
    yield "AckManager callback of a wait begun anew", [told(expired), manager.num_acks("a")]


def message_times() -> Iterator[Row]:
    """`MessageTimes`, and the times of one link."""
    times = MessageTimes()
    yield "MessageTimes.add_link", told(times.add_link("a"))
    yield "MessageTimes.link_names", times.link_names()
    for name in ("get_copy", "update_send", "update_recv"):
        yield f"MessageTimes.{name}(unknown)", outcome(lambda: getattr(times, name)("b"))  # noqa: B023
    yield "MessageTimes.update_send", told(times.update_send("a", 10.0))
    yield "MessageTimes.update_recv", told(times.update_recv("a", 20.0))
    copy = times.get_copy("a")
    yield "MessageTimes.get_copy", [copy.last_send, copy.last_recv]
    times.update_send("a", now=30.0)
    yield "MessageTimes.get_copy is one", copy.last_send
    yield "LinkMessageTimes.next_ping_second", copy.next_ping_second(60.0)
    yield (
        "LinkMessageTimes.next_ping_second(recv first)",
        links.LinkMessageTimes(20.0, 10.0).next_ping_second(60.0),
    )
    fresh = links.LinkMessageTimes()
    yield "LinkMessageTimes().time_to_send_ping", fresh.time_to_send_ping(60.0)
    yield "LinkMessageTimes().seconds_until_next_ping", 59 < fresh.seconds_until_next_ping(60) <= 60
    yield "LinkMessageTimes.get_str", told(type(fresh.get_str()).__name__)


class Counts:
    """Counts re-uploads."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.reupload_counts = self
        self.started = self.completed = 0

    def start_reupload(self) -> None:
        """Count it."""
        self.calls.append("start")

    def complete_reupload(self) -> None:
        """Count it."""
        self.calls.append("complete")


class Quiet(logging.Logger):
    """A logger of either kind."""

    path_enabled = comm_event_enabled = general_enabled = lifecycle_enabled = False

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_kwargs: None


def reuploads() -> Iterator[Row]:
    """`Reuploads` of so many events."""
    for count in (0, 1, 3, 7):
        made, ids = Reuploads(Quiet("q")), [str(number) for number in range(count)]
        made.stats = Counts()
        trace = [outcome(lambda: made.start_reupload(ids))]  # noqa: B023
        for each in (*ids, "unknown"):
            answer = outcome(lambda: made.process_ack_for_reupload(each))  # noqa: B023
            counts = (made.num_reupload_pending, made.num_reuploaded_unacked)
            trace.append([answer, *counts, made.reuploading()])
        yield f"Reuploads({count})", [trace, made.stats.calls]
    made = Reuploads(Quiet("q"), 2)
    yield "Reuploads.start_reupload", outcome(lambda: made.start_reupload(["1", "2", "3", "4"]))
    yield (
        "Reuploads.process_ack_for_reupload(pending)",
        [
            outcome(lambda: made.process_ack_for_reupload("4")),
            made.num_reupload_pending,
        ],
    )
    yield (
        "Reuploads.clear_unacked_event",
        [
            outcome(lambda: made.clear_unacked_event("1")),
            made.num_reuploaded_unacked,
            made.num_reupload_pending,
        ],
    )
    yield "Reuploads.clear_unacked_event(unknown)", outcome(lambda: made.clear_unacked_event("9"))
    yield "Reuploads.get_str", type(made.get_str(verbose=False)).__name__
    yield "Reuploads.clear", [outcome(made.clear), made.reuploading()]
    none = Reuploads(Quiet("q"), 0)
    yield "Reuploads(0 at once)", outcome(lambda: none.start_reupload(["1"]))
    yield "Reuploads.NUM_INITIAL_EVENTS", Reuploads.NUM_INITIAL_EVENTS


class Queue:
    """Takes notices."""

    def put(self, _item: Any) -> None:
        """Forget it."""


def a_client(name: str) -> MQTTClientWrapper:
    """An MQTT client that is not started."""
    if THEIRS:
        plain = MQTTClient(tls={"use_tls": False})
        return MQTTClientWrapper(name, "dst", plain, Queue())
    return MQTTClientWrapper(name, MQTTClient(), Queue())


def mqtt_clients() -> Iterator[Row]:
    """MQTT clients that are not connected."""
    client = a_client("a")
    yield "MQTTClientWrapper.connected", client.connected()
    yield "MQTTClientWrapper.subscribed", client.subscribed()
    yield "MQTTClientWrapper.subscribe_all(nothing)", outcome(client.subscribe_all)
    for topic, qos in (("t/#", 1), ("u", 0), ("t/#", 0)):
        yield (
            f"MQTTClientWrapper.subscribe({topic} {qos})",
            outcome(
                lambda: client.subscribe(topic, qos)  # noqa: B023
            ),
        )
    yield "MQTTClientWrapper.subscription_items", told(client.subscription_items())
    yield "MQTTClientWrapper.num_subscriptions", client.num_subscriptions()
    yield "MQTTClientWrapper.num_pending_subscriptions", client.num_pending_subscriptions()
    yield "MQTTClientWrapper.subscribe_all", outcome(client.subscribe_all)
    yield "MQTTClientWrapper.unsubscribe", outcome(lambda: client.unsubscribe("u"))
    yield "MQTTClientWrapper.unsubscribe(unknown)", outcome(lambda: client.unsubscribe("x"))
    yield "MQTTClientWrapper.num_subscriptions after", client.num_subscriptions()
    yield "MQTTClientWrapper.num_pending_subscriptions after", client.num_pending_subscriptions()
    yield "MQTTClientWrapper.subscribe(no filter)", outcome(lambda: client.subscribe("a/#/b", 0))
    yield "MQTTClientWrapper.subscribe(no QoS)", outcome(lambda: client.subscribe("a", 3))
    yield "MQTTClientWrapper.publish", outcome(lambda: int(client.publish("a", b"x", 0).rc))
    yield "MQTTClientWrapper.publish(QoS 1)", outcome(lambda: int(client.publish("a", b"x", 1).rc))
    yield "MQTTClientWrapper.publish(no topic)", outcome(lambda: client.publish("a/#", b"x", 0))
    yield "MQTTClientWrapper.publish(no QoS)", outcome(lambda: client.publish("a", b"x", 3))
    clients = MQTTClients()
    yield "MQTTClients.upstream_client", [MQTTClients.upstream_client, clients.upstream_client]
    yield "MQTTClients.clients", sorted(clients.clients)
    for name in ("connected", "subscribed", "num_subscriptions", "client_wrapper", "subscribe_all"):
        yield f"MQTTClients.{name}(unknown)", outcome(lambda: getattr(clients, name)("x"))  # noqa: B023
    yield "MQTTClients.upstream(none)", outcome(clients.upstream)
    yield "MQTTClients.primary_peer(none)", outcome(clients.primary_peer)


class NoTimers(links.TimerManagerInterface):
    """Starts nothing."""

    def start_timer(self, delay_seconds: float, callback: Callable[[], None]) -> None:
        """Forget it."""

    def cancel_timer(self, timer_handle: None) -> None:
        """Nothing was started."""


def a_manager() -> links.LinkManager:
    """A manager with one link to `b`, which is not started; another one cannot be added twice."""
    persister, stats = StubPersister(), ProactorStats()
    parts = (ProactorSettings(), Quiet("q"), stats, persister, NoTimers(), lambda _: None)
    if not THEIRS:
        return links.LinkManager("d1.a", *parts)
    return links.LinkManager("d1.a", "a", *parts)


def add_link(manager: links.LinkManager, name: str, *, upstream: bool = False) -> None:
    """Add a link by what both have: a name, a broker, a codec."""
    if not THEIRS:
        manager.add_mqtt_link(name, MQTTClient(), upstream=upstream)
        return
    from gwproactor.links.link_settings import LinkConfig

    plain = MQTTClient(tls={"use_tls": False})
    config = LinkConfig(
        client_name=name,
        gnode_name=name,
        spaceheat_name=name,
        mqtt=plain,
        codec=None,
        upstream=upstream,
    )
    manager.add_mqtt_link(config)


def link_manager() -> Iterator[Row]:
    """A manager that was not started, asked about a link that it has and one that it has not."""
    of_name = {
        name: (lambda manager, link, name=name: getattr(manager, name)(link))
        for name in (
            "num_acks",
            "subscribed",
            "link",
            "link_state",
            "stopped",
            "get_message_times",
            "update_recv_time",
            "mqtt_client_wrapper",
        )
    }
    of_message = {
        name: (lambda manager, link, name=name: getattr(manager, name)(Named(link)))
        for name in (
            "process_mqtt_connected",
            "process_mqtt_disconnected",
            "process_mqtt_connect_fail",
        )
    }
    uses = (
        of_name
        | of_message
        | {
            "in": lambda manager, link: link in manager,
            "[]": lambda manager, link: bool(manager[link]),
            "subscribe": lambda manager, link: manager.subscribe(link, "t", 0),
            "process_ack": lambda manager, link: bool(manager.process_ack(link, "m")),
            "process_ack_timeout": lambda manager, link: manager.process_ack_timeout(
                AckWaitInfo(link, "m", None)
            ),
        }
    )
    for name, use in uses.items():
        for link in ("known", "unknown"):
            manager = a_manager()
            add_link(manager, "known")
            yield f"LinkManager.{name}({link})", outcome(lambda: use(manager, link))  # noqa: B023
    yield from link_manager_as_a_whole()


def link_manager_as_a_whole() -> Iterator[Row]:
    """What does not ask about one link."""
    manager = a_manager()
    yield "LinkManager.link_names()", manager.link_names()
    add_link(manager, "b", upstream=True)
    add_link(manager, "c")
    yield "LinkManager.link_names", manager.link_names()
    yield "LinkManager.upstream_client", manager.upstream_client
    yield "LinkManager.upstream_client(none)", a_manager().upstream_client
    yield "LinkManager.add_mqtt_link(again)", outcome(lambda: add_link(manager, "b"))
    yield (
        "LinkManager.add_mqtt_link(second upstream)",
        outcome(lambda: add_link(manager, "d", upstream=True)),
    )
    yield "LinkManager.publish_upstream(none)", outcome(lambda: a_manager().publish_upstream("x"))
    yield "LinkManager.num_pending", manager.num_pending
    yield "LinkManager.num_reupload_pending", manager.num_reupload_pending
    yield "LinkManager.num_reuploaded_unacked", manager.num_reuploaded_unacked
    yield "LinkManager.reuploading", manager.reuploading()
    yield "LinkManager.get_reuploads_str", type(manager.get_reuploads_str()).__name__
    yield "LinkManager.log_subscriptions", outcome(manager.log_subscriptions)
    yield "LinkManager.enable_mqtt_loggers", outcome(manager.enable_mqtt_loggers)
    yield "LinkManager.disable_mqtt_loggers", outcome(manager.disable_mqtt_loggers)
    yield "LinkManager.mqtt_clients", sorted(manager.mqtt_clients().clients)
    yield "LinkManager.PERSISTER_ENCODING", manager.PERSISTER_ENCODING
    yield "LinkManager.publication_name", manager.publication_name
    yield "LinkManager.stop", outcome(a_manager().stop)


def main() -> None:
    """Print every row."""
    parts = (states, transitions, link_states, acks, late_acks, message_times, reuploads)
    parts += (mqtt_clients, link_manager)
    rows = {name: value for part in parts for name, value in part()}
    json.dump(rows, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
