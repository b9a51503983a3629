"""The demo as lines of JSON: those of `gwproactor node`, with the field `node`, and a few more.

`step` says what is done to the connections, `reactivated` how soon a link was active again, and
the last line is the `result`.
"""

import os

from gwproactor.demo.scenario import NodeName, Step
from gwproactor.demo.tally import Comeback, Result
from gwproactor.demo.view import View
from gwproactor.events.incoming import ReceivedEvent
from gwproactor.links.core.link_state import Transition
from gwproactor.node.output import LineOutput


class Lines(View):
    """Writes each thing as it happens.

    Args:
        output: Where to write; the caller closes it.
    """

    def __init__(self, output: LineOutput) -> None:
        self._output = output

    def ready(self, node: NodeName) -> None:
        """Write: the node runs."""
        self._output.line("ready", {"node": node, "pid": os.getpid()})

    def step(self, step: Step, words: str) -> None:
        """Write: what is done to the connections."""
        fields = {"action": step.action, "nodes": step.nodes, "reset": step.reset}
        self._output.line("step", {**fields, "seconds": step.seconds, "words": words})

    def transitioned(self, node: NodeName, transition: Transition) -> None:
        """Write: a comm state changed."""
        fields = {
            "link": transition.link_name,
            "old": transition.old_state,
            "new": transition.new_state,
            "why": transition.transition_name,
            "reason": transition.reason,
        }
        self._output.line("transition", {"node": node, **fields})

    def came_back(self, comeback: Comeback) -> None:
        """Write: a link is active again."""
        fields = {"after": comeback.cause, "ms": comeback.milliseconds}
        self._output.line("reactivated", {"node": comeback.node, **fields})

    def stored(self, number: int, event_id: str) -> None:
        """Write: a reading is durable."""
        self._output.line("stored", {"node": NodeName.child, "line": number, "id": event_id})

    def acked(self, event_id: str) -> None:
        """Write: a reading has been acknowledged."""
        self._output.line("acked", {"node": NodeName.child, "id": event_id})

    def received(self, event: ReceivedEvent, fields: dict[str, object]) -> None:
        """Write: an event came to the parent's handler."""
        line = {"node": NodeName.parent, "id": event.event_id, "payload": fields}
        self._output.line("event", line)

    def problem(self, node: NodeName, summary: str, details: str) -> None:
        """Write: something a person should know."""
        self._output.line("problem", {"node": node, "summary": summary, "details": details})

    def stopped(self, node: NodeName, reason: str, pending: int) -> None:
        """Write: a node has stopped."""
        self._output.line("stopped", {"node": node, "reason": reason, "pending": pending})

    def ended(self, result: Result) -> None:
        """Write: the last line."""
        fields = {
            "stored": result.stored,
            "delivered": result.delivered,
            "lost": result.lost,
            "twice": result.twice,
            "reactivations_ms": result.reactivations_ms,
        }
        self._output.line("result", fields)
