"""What a broker says about subscriptions, as a program with a proactor gets to know it."""

import pytest

from gwproactor.config.events import EventSettings
from gwproactor.config.link import LinkSettings
from gwproactor.config.mqtt import MQTTVersion, broker_from_url
from gwproactor.config.proactor import ProactorSettings
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import StateName
from gwproactor.runtime.proactor import Proactor
from gwproactor.wire.payloads import AnyEvent
from gwproactor_test.broker import Broker
from gwproactor_test.clients import until
from gwproactor_test.problem_notes import ProblemNotes

CHILD, PARENT = "d1.site.scada", "d1.site"
SECONDS = 20.0

OWN_FILTER = "gw/d1-site/to/s/#"


class Parent(Proactor):
    """Keeps the events that it gets."""

    def __init__(self, url: str) -> None:
        super().__init__(PARENT, ProactorSettings(events=EventSettings()))
        self.got: list[AnyEvent] = []
        broker = broker_from_url(url)
        self.add_link(
            LinkSettings(
                peer_name=CHILD,
                peer_short_name="s",
                subscription_name="p",
                downstream=True,
                brokers=(broker,),
            )
        )

    async def process_event(self, event: ReceivedEvent) -> None:
        self.got.append(AnyEvent.model_validate_json(event.payload))


def child_of(url: str, version: MQTTVersion, qos: int = 0) -> tuple[Proactor, ProblemNotes]:
    child = Proactor(CHILD, ProactorSettings(events=EventSettings()))
    child.add_link(
        LinkSettings(
            peer_name=PARENT,
            peer_short_name="p",
            subscription_name="s",
            upstream=True,
            qos=qos,
            brokers=(broker_from_url(url, protocol=version),),
        )
    )
    return child, ProblemNotes(child)


@pytest.mark.parametrize("version", list(MQTTVersion))
async def test_a_refused_subscription_is_a_problem_event_and_asked_for_until_it_is_granted(
    version: MQTTVersion,
) -> None:
    asked_times, refusing = 0, True

    def refuses(client_id: str, topic_filter: str) -> bool:
        nonlocal asked_times
        if not client_id.startswith(CHILD) or topic_filter != OWN_FILTER:
            return False
        asked_times += 1
        return refusing

    async with Broker(refuse_subscription=refuses) as broker, Parent(broker.url) as parent:
        child, problems = child_of(broker.url, version)
        async with child:
            link = child.link(PARENT)
            await until(lambda: asked_times == 2)
            assert not link.active
            refusing = False
            await link.wait_for(StateName.active, timeout_seconds=SECONDS)
            assert [event.ProblemType for event in problems.events] == ["error"]
            (problem,) = problems.events
            assert OWN_FILTER in problem.Summary
            reason = "not authorized" if version is MQTTVersion.v5 else "unspecified error"
            assert reason in problem.Details
            await until(lambda: problem.MessageId in [event.MessageId for event in parent.got])


@pytest.mark.parametrize("version", list(MQTTVersion))
async def test_a_lower_qos_is_a_warning_and_no_hindrance(version: MQTTVersion) -> None:
    async with Broker(max_qos=0) as broker, Parent(broker.url):
        child, problems = child_of(broker.url, version, qos=1)
        async with child:
            await child.link(PARENT).wait_for(StateName.active, timeout_seconds=SECONDS)
        (problem,) = problems.events
        assert problem.ProblemType == "warning"
        assert OWN_FILTER in problem.Summary
        assert "lower QoS" in problem.Summary
        assert "granted QoS 0" in problem.Details
