"""docs/differences.md names all that the predecessor has and this library has not yet."""

import importlib
import re
from pathlib import Path

import pytest

import gwproactor

PAGE = Path(__file__).parent.parent / "docs" / "differences.md"
# The public names of the predecessor's reference, by where they are found.
REFERENCE = {
    "gwproactor": """
        Actor ActorInterface AsyncQueueWriter Communicator CommunicatorInterface
        ExternalWatchdogCommandBuilder MQTTClientWrapper MQTTClients MonitoredName Proactor
        ProactorLogger ProactorSettings Problems QOS Runnable ServicesInterface Subscription
        SyncAsyncInteractionThread SyncAsyncQueueWriter SyncThreadActor format_exceptions
        responsive_sleep setup_logging""",
    "gwproactor.links": """
        AckManager AckWaitInfo AsyncioTimerManager CommLinkAlreadyExists CommLinkMissing
        InvalidCommStateInput LinkManager LinkManagerTransition LinkMessageTimes LinkState
        LinkStates MQTTClientWrapper MQTTClients MessageTimes QOS Reuploads RuntimeLinkStateError
        StateName Subscription TimerManagerInterface Transition TransitionName""",
    "gwproactor.Proactor": """
        add_communicator add_web_route add_web_server_config async_receive_queue event_loop
        generate_event get_communicator get_communicator_as_type
        get_external_watchdog_builder_class hardware_layout io_loop_manager join logger
        make_event_persister make_stats monitored_names name primary_peer_client process_message
        process_messages publication_name run_forever send send_threadsafe services settings start
        start_tasks stats stop stop_and_join upstream_client""",
}


def names_said_to_be_missing(place: str) -> list[str]:
    """The names in the paragraph that `place` heads."""
    section = PAGE.read_text(encoding="utf-8").partition("## Names that do not exist yet")[2]
    (paragraph,) = re.findall(rf"^`{re.escape(place)}`:\n(.*?)(?:\n\n|\Z)", section, re.M | re.S)
    return re.findall(r"`(\w+)`", paragraph)


async def names_there(place: str) -> list[str]:
    """What can be found at `place`; attributes are looked for on an object."""
    if place == "gwproactor.Proactor":
        return dir(gwproactor.Proactor("a.b"))
    return dir(importlib.import_module(place))


@pytest.mark.parametrize("place", REFERENCE)
async def test_the_names_said_to_be_missing_are_missing_and_no_others(place: str) -> None:
    there = await names_there(place)
    missing = sorted(name for name in REFERENCE[place].split() if name not in there)
    assert sorted(names_said_to_be_missing(place)) == missing
