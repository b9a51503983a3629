"""Taking in the events that a link has received, and answering for them when they are safe.

The half of `gwproactor.events.incoming` that looks at the wire. What cannot be taken in is dropped
without an acknowledgement, for its sender has it still; only where the broker keeps it, and not its
sender, is it held back here until there may be room.
"""

from collections.abc import Callable, Sequence

from gwproactor.events.core.batch_receipt import BatchReceipt
from gwproactor.events.core.inbox import Inbox, Key, Reception
from gwproactor.events.core.owed_answers import OwedAnswers
from gwproactor.events.inbox_stores import InboxStores
from gwproactor.events.payloads import Payloads
from gwproactor.events.reporting import ReportedTrouble, ReportProblem
from gwproactor.events.store import EventRef, StoredEvent, one_line
from gwproactor.events.writer import GroupCommitter
from gwproactor.wire.payloads import MAX_ID_CHARACTERS


class ReceivingEvents:
    """What a link gives; `IncomingEvents` is built on it. For the loop's thread.

    Args:
        inbox: Says what is taken in.
        stores: Know what was dealt with.
        payloads: Keep what is taken in.
        writer: Makes it durable.
        owed: Who is to be told then.
        report: Told when nothing can be taken in. Must not raise.
    """

    def __init__(
        self,
        inbox: Inbox,
        stores: InboxStores,
        payloads: Payloads,
        writer: GroupCommitter,
        owed: OwedAnswers,
        report: ReportProblem,
    ) -> None:
        self._inbox = inbox
        self._stores = stores
        self._payloads = payloads
        self._writer = writer
        self._owed = owed
        self._held_back: dict[Key, bytes] = {}
        """Refused events that the broker keeps and their sender does not: no more than Receive
        Maximum lets through. They are tried again when there may be room."""
        self._refused = ReportedTrouble("Taking in events", report)
        self._running = False

    def receive(
        self,
        link_name: str,
        event_id: str,
        payload: bytes,
        ack_required: bool = True,
        safe: Callable[[], None] | None = None,
    ) -> None:
        """Take in an event that has arrived; it is acknowledged when it may be.

        What cannot be taken in, for lack of room, or before `open` or after `close`, is dropped
        without an acknowledgement: its sender has it still.

        Args:
            link_name: The link it came over.
            event_id: Its id.
            payload: Its JSON in UTF-8.
            ack_required: Its sender waits for an acknowledgement.
            safe: Called when it may be acknowledged, whether its sender wants that or not; and at
                once where it was refused and its sender knows that by the missing ack.
        """
        if not self._running:
            return
        key = link_name, event_id
        if safe is not None:
            self._owed.hold_copy(key, safe)
        if not event_id or len(event_id) > MAX_ID_CHARACTERS:
            self._refuse(f"an event from {link_name} has an id of {len(event_id)} characters")
            self._owed.let_go(key)
        else:
            self._take(key, payload, ack_required=ack_required)

    def receive_batch(
        self,
        link_name: str,
        events: Sequence[tuple[str, bytes]],
        answer: Callable[[Sequence[int]], None],
    ) -> None:
        """Take in events that have arrived in one message, of which each wants to be acknowledged.

        Before `open` or after `close` they are dropped, and nothing is answered.

        Args:
            link_name: The link they came over.
            events: Id and JSON in UTF-8 of each; the ids are checked.
            answer: Called once, when each is durable or refused, with the places of those that
                were refused: their sender has them still. It may be called before this returns.
        """
        if not self._running:
            return
        receipt = BatchReceipt(len(events), answer)
        for place, (event_id, payload) in enumerate(events):
            self._take_batched((link_name, event_id), payload, receipt, place)

    def _take_batched(self, key: Key, payload: bytes, receipt: BatchReceipt, place: int) -> None:
        reception, ref = self._inbox.receive(*key, len(payload), seen=self._stores.has_seen(key))
        if reception is Reception.KNOWN:
            receipt.taken()
        elif reception is Reception.REFUSED:
            receipt.refused(place)
            self._refuse(self._writer.trouble or "the inbox is full")
        else:
            self._owed.claim(key, receipt, place)
            if ref is not None:
                self._owed.ack_wanted(key, wanted=False)  # none of its own
                self._keep(ref, payload)

    def _keep(self, ref: EventRef, payload: bytes) -> None:
        event = StoredEvent(ref.sequence, ref.event_id, payload, ref.tag)
        self._payloads.keep(event)
        self._writer.put(event)
        self._refused.worked()

    def _take(self, key: Key, payload: bytes, *, ack_required: bool) -> None:
        payload = one_line(payload)
        reception, ref = self._inbox.receive(*key, len(payload), seen=self._stores.has_seen(key))
        if ack_required or ref is not None:
            self._owed.ack_wanted(key, wanted=ack_required)
        if ref is not None:
            self._keep(ref, payload)
        elif reception is Reception.KNOWN:
            self._owed.ack_wanted(key, wanted=ack_required)
            self._owed.safe(key)
        elif reception is Reception.REFUSED:
            self._refuse(self._writer.trouble or "the inbox is full")
            if ack_required:
                self._owed.let_go(key)
            elif self._owed.holds_copy(key):
                self._held_back[key] = payload

    def _take_held_back(self) -> None:
        held_back, self._held_back = self._held_back, {}
        for key, payload in held_back.items():
            self._take(key, payload, ack_required=False)

    def _refuse(self, cause: str) -> None:
        cause += "; events are dropped without an acknowledgement, their sender keeps them"
        self._refused.failed(cause)
