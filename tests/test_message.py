"""Messages between the parts of one node."""

from gwproactor.message import (
    EndOfPatsMessage,
    InternalShutdownMessage,
    KnownNames,
    PatInternalWatchdogMessage,
)


def test_a_pat_comes_from_what_is_monitored_and_goes_to_the_watchdog() -> None:
    pat = PatInternalWatchdogMessage("meter")
    assert (pat.src(), pat.dst()) == ("meter", KnownNames.watchdog_manager.value)
    assert pat.message_type() == "gridworks.watchdog.pat.internal"


def test_the_end_of_pats_goes_the_same_way() -> None:
    end = EndOfPatsMessage("meter")
    assert (end.src(), end.dst()) == ("meter", KnownNames.watchdog_manager.value)


def test_a_shutdown_says_who_asks_and_why() -> None:
    message = InternalShutdownMessage(Src="meter", Reason="it smokes")
    assert (message.src(), message.dst()) == ("meter", KnownNames.proactor.value)
    assert message.Payload.Reason == "it smokes"
