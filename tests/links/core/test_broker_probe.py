"""Whether the broker is still there while the peer is not."""

from gwproactor.links.core.acks import NEVER
from gwproactor.links.core.broker_probe import BrokerProbe


def probe() -> BrokerProbe:
    return BrokerProbe(poll_seconds=60.0, answer_timeout_seconds=5.0)


def test_nothing_is_asked_at_rest() -> None:
    resting = probe()
    assert resting.next_deadline() == NEVER
    assert not resting.due(1e9)
    assert not resting.heard(0.0, 0.0)


def test_a_question_without_an_answer() -> None:
    asking = probe()
    assert asking.ask(10.0)
    assert not asking.ask(11.0)
    assert not asking.unanswered(14.9)
    assert asking.unanswered(15.0)
    assert asking.next_deadline() == 15.0


def test_an_answer_puts_the_next_question_off() -> None:
    asking = probe()
    asking.ask(10.0)
    assert asking.heard(12.0, 12.0)
    assert not asking.unanswered(1e9)
    assert asking.next_deadline() == 72.0
    assert asking.due(72.0)


def test_a_byte_from_before_the_question_is_no_answer() -> None:
    asking = probe()
    asking.ask(10.0)
    assert not asking.heard(12.0, 9.0)
    assert asking.unanswered(15.0)


def test_watching_begins_once() -> None:
    watching = probe()
    watching.watch(0.0)
    watching.watch(50.0)
    assert watching.next_deadline() == 60.0
    watching.ask(60.0)
    watching.watch(61.0)
    assert watching.next_deadline() == 65.0
    watching.rest()
    assert watching.next_deadline() == NEVER
