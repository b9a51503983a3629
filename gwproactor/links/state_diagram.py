"""docs/comm-state.md, written from the table that the links run on.

    python -m gwproactor.links.state_diagram > docs/comm-state.md

A test holds the file equal to what this module writes, so the picture cannot lie.
"""

import sys
from typing import Final

from gwproactor.links.core.link_state import LINK_TABLE, StateName, TransitionName

_S = StateName
_T = TransitionName

STATE_MEANINGS: Final = {
    _S.not_started: "The link exists; nothing was asked of it yet.",
    _S.connecting: "There is no connection to the broker; one is being made, again and again.",
    _S.awaiting_setup_and_peer: "Connected. Not every subscription is acknowledged, and nothing "
    "valid has come from the peer lately.",
    _S.awaiting_setup: "Connected, and the peer has been heard. Not every subscription is "
    "acknowledged.",
    _S.awaiting_peer: "Connected, every subscription acknowledged. Nothing valid has come from the "
    "peer lately, or an ack failed to come.",
    _S.active: "All four conditions hold: the peer is there.",
    _S.stopped: "The link has ended, for good.",
}

TRANSITION_MEANINGS: Final = {
    _T.start_called: "The program started the link.",
    _T.mqtt_connected: "The broker accepted a connection.",
    _T.mqtt_connect_failed: "An attempt to connect failed; the next one follows after a delay.",
    _T.mqtt_disconnected: "The connection was lost, or the link gave it up: a SUBACK that did not "
    "come, or a broker that shows no byte.",
    _T.mqtt_suback: "Whether every subscription is acknowledged has changed: the last SUBACK came, "
    "one was refused, or one was added before the link was active.",
    _T.message_from_peer: "A valid message came from the peer.",
    _T.response_timeout: "An ack did not come within the ack timeout, or nothing valid came for "
    "the poll seconds and one ack timeout.",
    _T.stop_called: "The program stopped the link.",
}

PAGE: Final = """\
# Communication state of a link

This page is written by `python -m gwproactor.links.state_diagram` from the table in
`gwproactor/links/core/link_state.py` that the links run on.

A link is **active** when all four conditions hold:

1. it is connected to the broker;
2. every subscription is acknowledged;
3. no ack timer started since the last activation has expired;
4. a valid message has come from the peer within the poll seconds and one ack timeout.

```mermaid
{diagram}
```

What is not drawn changes nothing, in whatever order it comes: a late or repeated SUBACK, ack,
message or disconnection. `stop_called` leads from every state to `stopped`.

| state | meaning |
| --- | --- |
{states}

| transition | meaning |
| --- | --- |
{transitions}
"""


def mermaid() -> str:
    """Return the table as a Mermaid state diagram, without the ways to `stopped`."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.not_started}"]
    lines += [
        f"    {source} --> {dest} : {trigger}"
        for trigger, source, dest in LINK_TABLE
        if dest is not _S.stopped
    ]
    return "\n".join(lines)


def page() -> str:
    """Return the whole page."""
    states = (f"| `{name}` | {meaning} |" for name, meaning in STATE_MEANINGS.items())
    transitions = (f"| `{name}` | {meaning} |" for name, meaning in TRANSITION_MEANINGS.items())
    return PAGE.format(
        diagram=mermaid(), states="\n".join(states), transitions="\n".join(transitions)
    )


if __name__ == "__main__":
    sys.stdout.write(page())
