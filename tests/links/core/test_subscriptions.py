"""What a link subscribes to, and how the broker answered."""

import pytest

from gwproactor.links.core.acks import NEVER
from gwproactor.links.core.subscriptions import (
    QOS,
    SUBACK_REASONS,
    Answer,
    Subscription,
    SubscriptionRecord,
    suback_reason,
)

A = Subscription("a/#", QOS.AtMostOnce)
B = Subscription("b", QOS.AtLeastOnce)


def record(*wanted: Subscription) -> SubscriptionRecord:
    return SubscriptionRecord(wanted, answer_timeout_seconds=5.0, random=lambda: 1.0)


def test_names_of_the_reference() -> None:
    assert A.Topic == "a/#"
    assert A.Qos is QOS.AtMostOnce
    assert [qos.value for qos in QOS] == [0, 1, 2]
    assert Subscription("a").Qos is QOS.AtMostOnce
    topic, qos = B
    assert (topic, qos) == ("b", 1)


def test_the_setup_is_complete_when_nothing_is_missing() -> None:
    nothing, two = record(), record(A, B)
    assert nothing.complete()
    assert not two.complete()
    assert two.ask_all(0.0) == (A, B)
    assert two.pending() == ("a/#", "b")
    assert two.answered(1.0, "a/#", 0) is Answer.granted
    assert two.missing() == ("b",)
    assert two.answered(1.0, "b", 1) is Answer.granted
    assert two.complete()
    assert two.next_deadline() == NEVER


def test_a_failed_subscription_does_not_count_as_subscribed() -> None:
    subscriptions = record(A)
    subscriptions.ask_all(0.0)
    assert subscriptions.answered(1.0, "a/#", 0x87) is Answer.refused
    assert not subscriptions.complete()
    assert subscriptions.refused() == ("a/#",)


@pytest.mark.parametrize("code", [3, 0x7F, 0x80, 0x9E, 0xFF])
def test_what_is_no_qos_is_a_refusal(code: int) -> None:
    subscriptions = record(A)
    subscriptions.ask_all(0.0)
    assert subscriptions.answered(0.0, "a/#", code) is Answer.refused


def test_a_lower_qos_is_told() -> None:
    subscriptions = record(B)
    subscriptions.ask_all(0.0)
    assert subscriptions.answered(0.0, "b", 0) is Answer.granted_lower
    assert subscriptions.complete()


def test_a_higher_qos_is_granted() -> None:
    subscriptions = record(A)
    subscriptions.ask_all(0.0)
    assert subscriptions.answered(0.0, "a/#", 2) is Answer.granted


def test_late_repeated_and_unknown_answers_say_nothing_new() -> None:
    subscriptions = record(A)
    assert subscriptions.answered(0.0, "a/#", 0) is Answer.nothing_new
    subscriptions.ask_all(0.0)
    assert subscriptions.answered(1.0, "other", 0x80) is Answer.nothing_new
    assert subscriptions.answered(1.0, "a/#", 0) is Answer.granted
    assert subscriptions.answered(1.0, "a/#", 0x80) is Answer.nothing_new
    assert subscriptions.complete()


def test_a_refused_filter_is_asked_for_again_ever_later() -> None:
    subscriptions, now, delays = record(A), 0.0, []
    subscriptions.ask_all(now)
    for _ in range(8):
        subscriptions.answered(now, "a/#", 0x80)
        due = subscriptions.next_deadline()
        assert subscriptions.ask_again(due - 0.001) == ()
        delays.append(due - now)
        now = due
        assert subscriptions.ask_again(now) == (A,)
        assert subscriptions.ask_again(now) == ()
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    subscriptions.answered(now, "a/#", 0)
    subscriptions.ask_all(now)
    subscriptions.answered(now, "a/#", 0x80)
    assert subscriptions.next_deadline() == now + 1.0


def test_an_answer_that_does_not_come_is_overdue() -> None:
    subscriptions = record(A)
    subscriptions.ask_all(10.0)
    assert subscriptions.next_deadline() == 15.0
    assert subscriptions.overdue(14.9) == ()
    assert subscriptions.overdue(15.0) == ("a/#",)


def test_an_exempt_filter_is_not_missing_until_it_is_refused() -> None:
    subscriptions = record()
    assert subscriptions.want(A)
    subscriptions.ask(0.0, "a/#", exempt=True)
    assert subscriptions.complete()
    assert subscriptions.pending() == ("a/#",)
    subscriptions.answered(1.0, "a/#", 0x80)
    assert not subscriptions.complete()


def test_wanting_and_forgetting() -> None:
    subscriptions = record(A)
    assert not subscriptions.want(A)
    assert subscriptions.want(Subscription("a/#", QOS.ExactlyOnce))
    assert subscriptions.wanted() == (Subscription("a/#", QOS.ExactlyOnce),)
    assert "a/#" in subscriptions
    assert subscriptions.forget("a/#")
    assert not subscriptions.forget("a/#")
    assert subscriptions.complete()


def test_nothing_is_granted_after_a_disconnection() -> None:
    subscriptions = record(A)
    subscriptions.ask_all(0.0)
    subscriptions.answered(0.0, "a/#", 0)
    subscriptions.disconnected()
    assert subscriptions.missing() == ("a/#",)
    assert subscriptions.next_deadline() == NEVER


def test_reason_codes_have_names() -> None:
    assert suback_reason(0x87) == "not authorized (0x87)"
    assert suback_reason(0x42) == "unknown reason code (0x42)"
    assert len(SUBACK_REASONS) == 12
