"""An MQTT 5 broker inside this process, for tests and demonstrations.

The broker thinks in MQTT 5; `mqtt5` reads and writes the packets, everything else is here::

    server      the public `Broker`: listening, starting, stopping, cutting off
    connection  one client: login, packets, keep-alive, the end
    packet_writer  what goes out to that client, until its socket is closed
    codec       bytes to packets and back; mqtt311 does it for clients of the older version,
                strings keeps from mqtt5 what it could not take
    exchange    who is subscribed to what, retained messages, who gets a message
    session     one client's unacknowledged messages, with or without a connection
    topics      matching of topic names and filters
    rules       what is allowed, and how much

It serves QoS 0 and 1, retained messages, wills, kept sessions and their expiry, message expiry,
wildcards, subscription identifiers and options, receive maximum, maximum packet size, keep-alive,
take-over, TLS and logins. QoS 2, shared subscriptions, topic aliases, enhanced authentication
and will delay (a will is published at once) are left out, and CONNACK says so where it can.
Nothing is written to disk.
"""

from gwproactor.extras import need_package

need_package("mqtt5", "the embedded broker")

from gwproactor_test.broker.rules import Counters, Limits  # noqa: E402 - they import it
from gwproactor_test.broker.server import Broker  # noqa: E402 - as above

__all__ = ["Broker", "Counters", "Limits"]
