"""The core of one link, input by input.

What every sequence of inputs has in common is proved in test_link_core_machine.py; here stands
what each input does, and each mistake of the predecessor that must not come back.
"""

import re

import pytest

from gwproactor.errors import SettingsError
from gwproactor.links.core import acks
from gwproactor.links.core.effects import (
    Acked,
    AckExpired,
    AcksCancelled,
    ConnectFailed,
    Effect,
    Effects,
    GiveUp,
    ProbeBroker,
    Report,
    ReportKind,
    SendAck,
    SendPing,
    Subscribe,
    Transitioned,
    Unsubscribe,
)
from gwproactor.links.core.link_core import LinkCore, MessageKind
from gwproactor.links.core.link_state import InvalidCommStateInput, StateName, TransitionName
from gwproactor.links.core.subscriptions import QOS, Subscription

A = Subscription("a/#", QOS.AtMostOnce)
B = Subscription("b", QOS.AtLeastOnce)
ACK, PING, OTHER = MessageKind.ack, MessageKind.ping, MessageKind.other


def new_core(*subscriptions: Subscription) -> LinkCore:
    return LinkCore("peer", subscriptions=subscriptions or (A,), random=lambda: 1.0)


def connected_core(now: float = 0.0) -> LinkCore:
    core = new_core()
    core.start(now)
    core.connected(now)
    return core


def active_core(now: float = 0.0) -> LinkCore:
    core = connected_core(now)
    core.subscriptions_answered(now, {"a/#": 0})
    core.message_received(now)
    assert core.active
    return core


def steps(effects: Effects) -> list[str]:
    """The state changes among the effects."""
    changes = [effect.transition for effect in effects if isinstance(effect, Transitioned)]
    return [f"{t.old_state} -- {t.transition_name} --> {t.new_state}" for t in changes]


def reasons(effects: Effects) -> list[str]:
    return [effect.transition.reason for effect in effects if isinstance(effect, Transitioned)]


def others(effects: Effects) -> list[Effect]:
    """The effects that are no state changes."""
    return [effect for effect in effects if not isinstance(effect, Transitioned)]


def cancelled(effects: Effects, *message_ids: str) -> Effect:
    """The effect that these waits ended with the one state change among these effects."""
    (change,) = (effect for effect in effects if isinstance(effect, Transitioned))
    return AcksCancelled(message_ids, change.transition)


# Held


def test_while_it_is_held_nothing_is_late() -> None:
    core = active_core(0.0)
    core.message_sent(1.0, "in time")
    core.message_sent(1.0, "late")
    core.hold()
    assert core.deadline() is None
    assert not core.message_sent(9.0, "new")
    assert core.message_received(9.0, ACK, "in time") == [Acked("in time")]
    assert not core.tick(9.0)
    core.resume()
    assert AckExpired("late") in core.tick(9.0)
    assert not core.active


def test_an_answer_told_while_it_is_held_keeps_the_link_active() -> None:
    core = active_core(0.0)
    core.message_sent(1.0, "id")
    core.hold()
    core.message_received(9.0, ACK, "id")
    core.resume()
    assert steps(core.tick(9.0)) == []
    assert core.active


# The way to active


def test_on_connection_every_filter_is_subscribed_to() -> None:
    core = new_core(A, B)
    assert steps(core.start(1.0)) == ["not_started -- start_called --> connecting"]
    effects = core.connected(2.0)
    assert steps(effects) == ["connecting -- mqtt_connected --> awaiting_setup_and_peer"]
    assert others(effects) == [Subscribe((A, B))]
    assert core.since == 2.0
    assert core.deadline() == 7.0


def test_when_all_are_acknowledged_a_ping_goes_out_at_once() -> None:
    core = new_core(A, B)
    core.start(0.0)
    core.connected(0.0)
    assert core.subscriptions_answered(0.1, {"a/#": 0}) == []
    effects = core.subscriptions_answered(0.2, {"b": 1})
    assert steps(effects) == ["awaiting_setup_and_peer -- mqtt_suback --> awaiting_peer"]
    assert others(effects) == [SendPing()]
    assert steps(core.message_received(0.3)) == [
        "awaiting_peer -- message_from_peer --> active",
    ]
    assert core.active


def test_the_peer_may_be_heard_before_the_subacks() -> None:
    core = connected_core()
    assert steps(core.message_received(0.1)) == [
        "awaiting_setup_and_peer -- message_from_peer --> awaiting_setup"
    ]
    effects = core.subscriptions_answered(0.2, {"a/#": 0})
    assert steps(effects) == ["awaiting_setup -- mqtt_suback --> active"]
    assert others(effects) == [SendPing()]


def test_without_subscriptions_the_setup_is_complete_on_connection() -> None:
    core = LinkCore("peer")
    core.start(0.0)
    effects = core.connected(0.0)
    assert core.state is StateName.awaiting_peer
    assert others(effects) == [SendPing()]


# Acks


def test_a_ping_that_wants_an_ack_gets_it_at_once() -> None:
    core = active_core()
    assert core.message_received(1.0, PING, "p", ack_required=True) == [SendAck("p")]
    assert core.message_received(1.0, PING, "p", ack_required=False) == []
    assert core.message_received(1.0, OTHER, "m", ack_required=True) == ()


def test_an_ack_in_time_keeps_the_link_active() -> None:
    core = active_core()
    assert not core.message_sent(1.0, "m")
    assert core.num_acks == 1
    assert core.message_received(5.9, ACK, "m") == [Acked("m", in_time=True)]
    assert not core.tick(6.0)
    assert core.active


def test_a_missing_ack_ends_active_and_cancels_the_others() -> None:
    core = active_core()
    core.message_sent(1.0, "m1")
    core.message_sent(2.0, "m2")
    assert core.deadline() == 6.0
    effects = core.tick(6.0)
    assert effects[-1] == AckExpired("m1")
    assert steps(effects) == ["active -- response_timeout --> awaiting_peer"]
    assert reasons(effects) == ["no answer to message m1 within 5 s"]
    assert others(effects)[:-1] == [cancelled(effects, "m2"), ProbeBroker(), SendPing()]
    assert core.num_acks == 0


def test_a_late_ack_is_told_and_makes_the_link_active_again() -> None:
    core = active_core()
    core.message_sent(1.0, "m")
    core.tick(6.0)
    effects = core.message_received(6.5, ACK, "m")
    assert steps(effects) == ["awaiting_peer -- message_from_peer --> active"]
    assert others(effects) == [Acked("m", in_time=False)]


def test_a_repeated_ack_is_told_as_not_waited_for() -> None:
    core = active_core()
    core.message_sent(1.0, "m")
    core.message_received(2.0, ACK, "m")
    assert core.message_received(2.0, ACK, "m") == [Acked("m", in_time=False)]


def test_the_ping_before_activation_expires_without_effect_on_the_state() -> None:
    core = connected_core()
    core.subscriptions_answered(0.0, {"a/#": 0})
    core.message_sent(0.0, "ping")
    core.message_received(1.0, PING, "theirs", ack_required=True)
    assert core.tick(5.0) == [AckExpired("ping")]
    assert core.active


def test_an_unanswered_ping_before_activation_is_followed_by_one_after_the_poll() -> None:
    core = connected_core()
    core.subscriptions_answered(0.0, {"a/#": 0})
    core.message_sent(0.0, "ping")
    assert core.tick(5.0) == [AckExpired("ping")]
    assert core.state is StateName.awaiting_peer
    assert core.tick(59.9) == ()
    assert SendPing() in core.tick(60.0)


def test_without_a_connection_no_ack_is_waited_for() -> None:
    core = new_core()
    core.start(0.0)
    assert core.message_sent(0.0, "m") == [AcksCancelled(("m",))]
    assert core.message_sent(0.0) == []
    assert core.num_acks == 0


def test_an_ack_counts_even_when_its_connection_is_gone() -> None:
    core = active_core()
    core.message_sent(1.0, "m")
    core.disconnected(2.0)
    assert core.message_received(2.0, ACK, "m") == [Acked("m", in_time=False)]
    assert core.state is StateName.connecting


def test_acks_are_bounded() -> None:
    core = active_core()
    for number in range(acks.MAX_OPEN_ACKS):
        core.message_sent(1.0, str(number))
    refused, report = core.message_sent(1.0, "one too many")
    assert refused == AcksCancelled(("one too many",))
    assert isinstance(report, Report)
    assert report.kind is ReportKind.too_many_acks
    assert core.message_sent(1.0, "another") == [AcksCancelled(("another",))]


# Silence and pings


def test_pings_go_out_after_rest_on_either_side() -> None:
    core = active_core()
    assert core.tick(59.9) == ()
    assert core.tick(60.0) == [SendPing()]
    core.message_received(64.0)
    assert not core.tick(119.9)
    assert core.tick(120.0) == [SendPing()]


def test_silence_of_the_peer_ends_active() -> None:
    core = active_core()
    core.tick(60.0)
    assert core.tick(64.9) == ()
    effects = core.tick(65.0)
    assert steps(effects) == ["active -- response_timeout --> awaiting_peer"]
    assert reasons(effects) == ["nothing heard from the peer for 65 s"]
    assert others(effects) == [ProbeBroker(), SendPing()]


def test_silence_is_noticed_while_unacked_messages_are_sent() -> None:
    core, pings = active_core(), []
    for second in range(1, 65):
        pings += [effect for effect in core.message_sent(float(second)) if effect == SendPing()]
    assert pings == [SendPing()], "sending does not stand for receiving"
    assert core.active
    core.message_sent(65.0)
    assert core.state is StateName.awaiting_peer


def busy_core() -> LinkCore:
    """An active core at 70 s that has sent and received too often to need a ping."""
    core = active_core()
    for second in range(0, 71, 10):
        core.message_received(float(second))
        core.message_sent(float(second))
    return core


def test_after_a_missing_ack_the_peer_is_pinged_at_once() -> None:
    core = busy_core()
    core.message_sent(70.0, "lost")
    assert SendPing() in core.tick(75.0)
    core.message_received(75.1)
    core.message_sent(75.2, "lost too")
    assert core.active
    assert SendPing() in core.tick(80.2), (
        "not after the poll seconds: one lost message is no outage"
    )


def test_after_a_missing_ack_a_ping_that_may_yet_be_answered_is_not_repeated() -> None:
    core = busy_core()
    core.message_sent(70.0, "lost")
    core.message_sent(71.0, "lost too")
    assert SendPing() in core.tick(75.0)
    core.message_received(75.1)
    core.message_sent(75.1, "and this")
    assert SendPing() not in core.tick(76.0)
    assert core.active, "what was lost before the activation says nothing about it"


def test_a_silence_before_the_subacks_is_silence_too() -> None:
    core = connected_core()
    core.message_received(0.0)
    for now in (1.0, 3.0, 8.0, 18.0, 37.0):
        core.tick(now)
        core.subscriptions_answered(now, {"a/#": 0x80})
    assert core.state is StateName.awaiting_setup
    assert "awaiting_setup -- response_timeout --> awaiting_setup_and_peer" in steps(
        core.broker_heard(65.0)
    )


def test_the_ping_loop_never_spins_however_long_the_link_is_down() -> None:
    for core in (connected_core(), active_core()):
        core.disconnected(1.0)
        for now in (2.0, 1e3, 1e6):
            assert core.tick(now) == ()
            assert core.deadline() is None
            core.connect_failed(now, "nobody there")
        core.connected(1e6)
        assert core.deadline() == 1e6 + 5.0


def test_an_absent_peer_costs_a_ping_and_a_probe_in_the_poll_seconds() -> None:
    core = connected_core()
    core.subscriptions_answered(0.0, {"a/#": 0})
    effects: list[Effect] = []
    ticks = 0
    while (deadline := core.deadline()) is not None and deadline <= 6000.0:
        told = core.tick(deadline)
        effects += told
        ticks += 1
        if ProbeBroker() in told:
            core.broker_heard(deadline)
    assert effects.count(SendPing()) == 100
    assert effects.count(ProbeBroker()) == 100
    assert ticks <= 300
    assert core.state is StateName.awaiting_peer


# The broker


def test_a_connection_without_a_byte_is_given_up_after_a_second_ack_timeout() -> None:
    core = active_core()
    core.tick(60.0)
    core.tick(65.0)
    assert core.tick(69.9) == ()
    effects = core.tick(70.0)
    assert effects[0] == GiveUp("not a byte from the broker within 5 s of asking")
    assert steps(effects) == ["awaiting_peer -- mqtt_disconnected --> connecting"]
    assert core.disconnected(70.1) == [], "the shell's own closing is no news"


def test_a_broker_that_answers_is_not_given_up() -> None:
    core = active_core()
    core.tick(65.0)
    assert core.broker_heard(65.2) == []
    for now in (70.0, 100.0, 124.9):
        assert not any(isinstance(effect, GiveUp) for effect in core.tick(now))
    assert ProbeBroker() in core.tick(125.2)


def test_a_byte_that_is_found_late_still_counts() -> None:
    core = active_core()
    core.tick(65.0)
    assert not any(isinstance(e, GiveUp) for e in core.broker_heard(80.0, byte_at=66.0))
    assert core.link_state.connected()


def test_a_byte_from_before_the_probe_does_not_count() -> None:
    core = active_core()
    core.tick(65.0)
    effects = core.broker_heard(80.0, byte_at=64.0)
    assert any(isinstance(effect, GiveUp) for effect in effects)


def test_when_bytes_flow_again_the_link_is_active_without_a_reconnection() -> None:
    core = active_core()
    core.tick(65.0)
    assert steps(core.message_received(68.0)) == ["awaiting_peer -- message_from_peer --> active"]
    assert not core.tick(70.0)
    assert core.active


# Subscriptions


def test_a_refused_subscription_keeps_the_link_out_of_active() -> None:
    core = connected_core()
    (report,) = core.subscriptions_answered(0.1, {"a/#": 0x87})
    assert isinstance(report, Report)
    assert report.kind is ReportKind.subscription_refused
    assert report.is_error
    assert "'a/#'" in report.summary
    assert "not authorized (0x87)" in report.details
    core.message_received(0.2)
    assert core.state is StateName.awaiting_setup
    assert core.tick(1.1) == [Subscribe((A,))]
    assert steps(core.subscriptions_answered(1.2, {"a/#": 0})) == [
        "awaiting_setup -- mqtt_suback --> active"
    ]


def test_refusals_are_retried_with_backoff_and_reported_at_a_bounded_rate() -> None:
    core, reports, retries, now = connected_core(), 0, 0, 0.0
    core.subscriptions_answered(0.0, {"a/#": 0x80})
    while now < 24 * 3600:
        deadline = core.deadline()
        assert deadline is not None
        now = deadline
        effects = core.tick(now)
        if Subscribe((A,)) in effects:
            retries += 1
            answers = core.subscriptions_answered(now, {"a/#": 0x80})
            reports += sum(isinstance(effect, Report) for effect in answers)
    assert 24 * 60 <= retries <= 24 * 60 + 10
    assert reports <= 24 + 6
    assert core.state is StateName.awaiting_setup_and_peer


def test_a_lower_qos_is_reported_as_a_warning() -> None:
    core = new_core(B)
    core.start(0.0)
    core.connected(0.0)
    report = core.subscriptions_answered(0.1, {"b": 0})[0]
    assert isinstance(report, Report)
    assert report.kind is ReportKind.qos_lowered
    assert not report.is_error
    assert core.state is StateName.awaiting_peer


def test_a_suback_that_does_not_come_ends_the_connection() -> None:
    core = connected_core()
    effects = core.tick(5.0)
    assert effects[0] == GiveUp("subscription to 'a/#' not answered within 5 s")
    assert steps(effects) == ["awaiting_setup_and_peer -- mqtt_disconnected --> connecting"]


def test_subacks_that_come_late_or_twice_are_harmless() -> None:
    core = new_core()
    assert core.subscriptions_answered(0.0, {"a/#": 0}) == []
    core.start(0.0)
    assert core.subscriptions_answered(0.0, {"a/#": 0x80}) == []
    core.connected(1.0)
    core.subscriptions_answered(1.0, {"a/#": 0})
    assert core.subscriptions_answered(2.0, {"a/#": 0, "unknown": 0x80}) == []
    assert core.subscriptions_answered(2.0, {"a/#": 0x80}) == []
    core.message_received(2.0)
    core.disconnected(3.0)
    assert core.subscriptions_answered(3.0, {"a/#": 0}) == []
    assert core.state is StateName.connecting


def test_a_subscription_added_while_active_does_not_end_active() -> None:
    core = active_core()
    assert core.subscription_added(1.0, B) == [Subscribe((B,))]
    assert core.active
    assert core.subscriptions_answered(1.1, {"b": 1}) == []
    assert core.active


def test_until_it_is_refused() -> None:
    core = active_core()
    core.message_sent(0.5, "m")
    core.subscription_added(1.0, B)
    effects = core.subscriptions_answered(1.1, {"b": 0x80})
    assert steps(effects) == ["active -- mqtt_suback --> awaiting_setup"]
    assert reasons(effects) == ["subscription to 'b' refused: unspecified error (0x80)"]
    assert cancelled(effects, "m") in effects


def test_or_overdue() -> None:
    core = active_core()
    core.subscription_added(1.0, B)
    assert core.deadline() == 6.0
    effects = core.tick(6.0)
    assert isinstance(effects[0], GiveUp)
    assert core.state is StateName.connecting


def test_a_subscription_added_before_active_must_be_acknowledged_first() -> None:
    core = connected_core()
    core.subscriptions_answered(0.0, {"a/#": 0})
    effects = core.subscription_added(1.0, B)
    assert steps(effects) == ["awaiting_peer -- mqtt_suback --> awaiting_setup_and_peer"]
    assert reasons(effects) == ["subscription to 'b' added"]
    core.message_received(1.1)
    assert not core.active
    core.subscriptions_answered(1.2, {"b": 1})
    assert core.active


def test_removing_the_missing_subscription_completes_the_setup() -> None:
    core = new_core(A, B)
    core.start(0.0)
    core.connected(0.0)
    core.subscriptions_answered(0.0, {"a/#": 0, "b": 0x80})
    core.message_received(0.0)
    effects = core.subscription_removed(0.5, "b")
    assert others(effects) == [Unsubscribe(("b",)), SendPing()]
    assert core.active
    assert core.subscription_removed(1.0, "b") == []


def test_subscriptions_change_without_a_connection() -> None:
    core = new_core(A)
    assert core.subscription_added(0.0, B) == []
    assert core.subscription_added(0.0, B) == []
    assert core.subscription_removed(0.0, "a/#") == []
    core.start(0.0)
    assert Subscribe((B,)) in core.connected(0.0)


def test_a_changed_qos_is_subscribed_to_again() -> None:
    core = active_core()
    higher = Subscription("a/#", QOS.ExactlyOnce)
    assert core.subscription_added(1.0, higher) == [Subscribe((higher,))]
    assert core.subscription_added(1.0, higher) == []
    assert core.active


# Connections


def test_a_disconnection_says_why_and_cancels_acks() -> None:
    core = active_core()
    core.message_sent(1.0, "m")
    effects = core.disconnected(2.0, "reset by peer")
    assert steps(effects) == ["active -- mqtt_disconnected --> connecting"]
    assert reasons(effects) == ["connection lost: reset by peer"]
    assert others(effects) == [cancelled(effects, "m")]
    assert core.deadline() is None


def test_a_disconnection_of_what_is_not_connected_is_harmless() -> None:
    core = new_core()
    assert core.disconnected(0.0) == []
    core.start(0.0)
    assert core.disconnected(1.0) == []
    assert core.disconnected(1.0) == []
    core.stop(2.0)
    assert core.disconnected(2.0) == []


def test_every_connection_begins_from_nothing() -> None:
    core = active_core()
    core.disconnected(1.0)
    effects = core.connected(2.0)
    assert others(effects) == [Subscribe((A,))]
    core.subscriptions_answered(2.1, {"a/#": 0})
    assert core.state is StateName.awaiting_peer, "what the peer said before does not count"


def test_a_connection_that_replaces_another_is_a_loss_first() -> None:
    core = active_core()
    assert steps(core.connected(1.0)) == [
        "active -- mqtt_disconnected --> connecting",
        "connecting -- mqtt_connected --> awaiting_setup_and_peer",
    ]


def test_messages_of_an_old_connection_change_nothing() -> None:
    core = active_core()
    core.disconnected(1.0)
    assert core.message_received(1.0, OTHER, "m", ack_required=True) == []
    assert core.message_received(1.0, PING, "p", ack_required=True) == []
    assert core.state is StateName.connecting


def test_failing_attempts_are_told_at_a_bounded_rate() -> None:
    core, told = new_core(), 0
    core.start(0.0)
    for tenth in range(36_000):
        told += len(core.connect_failed(tenth / 10, "nobody there"))
    assert told == 6
    core.connected(3600.0)
    core.disconnected(3601.0)
    (effect,) = core.connect_failed(3602.0, "nobody there")
    assert isinstance(effect, ConnectFailed)
    assert effect.transition.transition_name is TransitionName.mqtt_connect_failed
    assert effect.transition.reason == "connect failed: nobody there"


def test_a_refused_login_is_reported_once() -> None:
    core = new_core()
    core.start(0.0)
    effects = core.connect_failed(0.0, "bad user name or password", refused=True)
    assert [type(effect) for effect in effects] == [ConnectFailed, Report]
    assert core.connect_failed(10.0, "bad user name or password", refused=True) == []


def test_a_failed_attempt_while_connected_is_no_news() -> None:
    core = active_core()
    assert core.connect_failed(1.0, "late") == []


# The life of a link


def test_stop_ends_everything() -> None:
    core = active_core()
    core.message_sent(1.0, "m")
    effects = core.stop(2.0)
    assert steps(effects) == ["active -- stop_called --> stopped"]
    assert others(effects) == [cancelled(effects, "m")]
    assert core.deadline() is None
    for late in (
        core.stop(3.0),
        core.connected(3.0),
        core.disconnected(3.0),
        core.connect_failed(3.0, "late"),
        core.subscriptions_answered(3.0, {"a/#": 0}),
        core.subscription_added(3.0, B),
        core.subscription_removed(3.0, "b"),
        core.message_received(3.0),
        core.broker_heard(3.0),
        core.tick(3.0),
    ):
        assert list(late) == []
    assert core.state is StateName.stopped


def test_what_only_a_mistaken_caller_does_is_an_error() -> None:
    core = new_core()
    with pytest.raises(InvalidCommStateInput):
        core.connected(0.0)
    core.start(0.0)
    with pytest.raises(InvalidCommStateInput):
        core.start(0.0)
    core.stop(0.0)
    with pytest.raises(InvalidCommStateInput):
        core.start(0.0)
    assert core.state is StateName.stopped


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.0001, float("inf"), float("nan")])
def test_seconds_that_cannot_work_are_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match="ack_timeout_seconds"):
        LinkCore("peer", ack_timeout_seconds=seconds)
    with pytest.raises(SettingsError, match="poll_seconds"):
        LinkCore("peer", poll_seconds=seconds)


def test_a_clock_that_goes_back_counts_as_standing_still() -> None:
    core = active_core(100.0)
    core.message_sent(110.0, "m1")
    core.message_sent(50.0, "m2")
    core.message_received(0.0)
    assert core.times.last_recv == 110.0
    assert core.times.last_send == 110.0
    assert AckExpired("m2") in core.tick(115.0)


def test_the_hot_path_changes_no_state_and_makes_nothing() -> None:
    core = active_core()
    first = core.message_received(1.0)
    assert first is core.message_received(2.0)
    assert core.times.last_recv == 2.0
    assert core.since == 0.0


def test_reasons_are_sentences_for_users() -> None:
    core = active_core()
    core.message_sent(1.0, "m")
    texts = [*reasons(core.tick(6.0)), *reasons(core.tick(11.0))]
    assert texts == [
        "no answer to message m within 5 s",
        "connection lost: given up, not a byte from the broker within 5 s of asking",
    ]
    assert not any(re.search(r"[<>_]", text) for text in texts)
