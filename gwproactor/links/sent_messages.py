"""The messages whose acks an application waits for: from the core's word to a waiting coroutine.

The core decides when an ack came, or will not come any more. Here is only who wants to know. What
nobody waits for costs nothing, and what was abandoned is forgotten with its message.
"""

import asyncio

from gwproactor.errors import AckTimeoutError, ConnectionLostError, GwproactorError


class SentMessage:
    """A message that was handed to the connection.

    Args:
        message_id: Its id; empty where it has none.
        answer: Becomes done with the ack; None where no ack was asked for.
        context: What its sender gave to find again.
    """

    def __init__(
        self,
        message_id: str,
        answer: "asyncio.Future[None] | None" = None,
        context: object = None,
    ) -> None:
        self.message_id = message_id
        self.context = context
        self._answer = answer

    async def acked(self) -> None:
        """Wait until the peer has acknowledged the message.

        Returns at once where no ack was asked for. May be called again and by several tasks; on
        the loop only. Cancel-safe: the message and its other waiters are not affected.

        Raises:
            AckTimeoutError: No ack came within the link's ack timeout.
            ConnectionLostError: The link left `active` or its connection before the ack came; the
                peer may have accepted the message or not.
        """
        if self._answer is not None:
            await asyncio.shield(self._answer)


class SentMessages:
    """Those of one link that an ack is waited for.

    Args:
        link_name: The link, for error messages.
    """

    def __init__(self, link_name: str) -> None:
        self._link_name = link_name
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._contexts: dict[str, object] = {}

    def add(self, message_id: str, context: object = None) -> SentMessage:
        """Remember a message; one with the same id that waits already is given up.

        Args:
            message_id: Its id.
            context: Whatever the sender wants to find again when no ack comes.
        """
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_mark_retrieved)
        self._fail(message_id, ConnectionLostError(f"message {message_id} was sent again"))
        self._waiting[message_id] = answer
        if context is not None:
            self._contexts[message_id] = context
        return SentMessage(message_id, answer, context)

    def acked(self, message_id: str) -> None:
        """Tell who waits that the ack came."""
        self._contexts.pop(message_id, None)
        answer = self._waiting.pop(message_id, None)
        if answer is not None and not answer.done():
            answer.set_result(None)

    def expired(self, message_id: str) -> object:
        """Tell who waits that the ack did not come in time. Returns the message's context."""
        context = self._contexts.get(message_id)
        text = f"link '{self._link_name}': no ack of message {message_id} in time"
        self._fail(message_id, AckTimeoutError(text))
        return context

    def cancelled(self, message_id: str) -> object:
        """Tell who waits that the ack is waited for no longer. Returns the message's context."""
        context = self._contexts.get(message_id)
        text = f"link '{self._link_name}': lost before the ack of message {message_id} came"
        self._fail(message_id, ConnectionLostError(text))
        return context

    def _fail(self, message_id: str, error: GwproactorError) -> None:
        self._contexts.pop(message_id, None)
        answer = self._waiting.pop(message_id, None)
        if answer is not None and not answer.done():
            answer.set_exception(error)


def _mark_retrieved(answer: "asyncio.Future[None]") -> None:
    """Nobody is obliged to wait: an error that nobody asks for is not a warning."""
    if not answer.cancelled():
        answer.exception()
