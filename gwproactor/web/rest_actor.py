"""An actor that polls a server by HTTP and hands on what it makes of the answers."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from gwproactor.actors.actor import Actor
from gwproactor.errors import UsageError
from gwproactor.interfaces import MonitoredName, ProcessResult, ServicesInterface
from gwproactor.message import KnownNames, PatInternalWatchdogMessage
from gwproactor.web.rest_poller import Converter, Forwarder, RESTPoller, null_converter
from gwproactor.web.rest_settings import RESTPollerSettings
from gwproactor.wire.envelope import Message
from gwproactor.wire.payloads import ProblemEvent, ProblemType


class RESTPollerActor(Actor):
    """Polls a server from the proactor's start to its stop. For the event loop's thread.

    The watchdog monitors it: it is taken for hung when the converter takes 20 s longer than a
    request may take.

    Args:
        name: Its name.
        services: The proactor.
        rest: Whom to ask, how and how often; when not given, `rest` of the component that the
            hardware layout has under the actor's name.
        convert: Makes a message of an answer, or nothing; a plain function or a coroutine.
        forward: Is given each message; when it returns something to await, the next poll waits for
            that. When not given, the message goes where its `Dst` says: to an actor, and the next
            poll waits until that has dealt with it; to the proactor, as an event; or over a link.
        cache_request_args: Make the request once; otherwise before each poll.

    Raises:
        UsageError: There are no settings for it, or the hardware layout does not have its name.
    """

    def __init__(
        self,
        name: str,
        services: ServicesInterface,
        rest: RESTPollerSettings | None = None,
        *,
        convert: Converter = null_converter,
        forward: Forwarder | None = None,
        cache_request_args: bool = True,
    ) -> None:
        super().__init__(name, services)
        self.poller = RESTPoller(
            name,
            rest or _settings_of(name, services.hardware_layout),
            services.io_loop_manager,
            convert=convert,
            forward=forward or services.await_processing,
            cache_request_args=cache_request_args,
            report=self._report,
            pat=self._pat,
        )
        """What does it; it counts polls and failures."""

    @property
    def monitored_names(self) -> Sequence[MonitoredName]:
        """Itself; overridden to name it not, it pats no more."""
        return (MonitoredName(self.name, self.poller.pat_timeout_seconds),)

    def process_message(self, message: Message[Any]) -> ProcessResult:
        """Nobody has anything to say to it.

        Raises:
            UsageError: Always; override it for an actor that can be told something.
        """
        raise UsageError(f"'{self.name}' polls; it takes no {message.Header.MessageType}")

    def start(self) -> None:
        """Begin to poll.

        Raises:
            MissingExtraError: aiohttp is not installed; the message says how that is done.
        """
        self.poller.start()

    def stop(self) -> None:
        """Poll no more."""
        self.poller.stop()

    async def join(self) -> None:
        """Wait until the connection is closed. Cancelling is safe."""
        await self.poller.join()

    def _report(self, summary: str, details: str, is_error: bool) -> None:
        kind = ProblemType.error if is_error else ProblemType.warning
        problem = ProblemEvent(Src="", ProblemType=kind, Summary=summary, Details=details)
        self._send(Message(Src=self.name, Dst=KnownNames.proactor, Payload=problem))

    def _pat(self) -> None:
        if any(monitored.name == self.name for monitored in self.monitored_names):
            self._send(PatInternalWatchdogMessage(src=self.name))


def _settings_of(name: str, layout: object) -> RESTPollerSettings:
    """What the hardware layout says of a poller; also in the models of gridworks-protocol."""
    component = getattr(layout, "component", lambda _: None)(name)
    rest = getattr(component, "rest", None)
    if isinstance(rest, RESTPollerSettings):
        return rest
    if isinstance(rest, BaseModel):
        return RESTPollerSettings.model_validate(rest.model_dump(exclude_unset=True))
    raise UsageError(
        f"REST poller '{name}' has no settings: pass them as `rest`, or let the hardware layout"
        " have a component of that name with them"
    )
