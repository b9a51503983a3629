"""MQTT topic names and topic filters: which are well formed, and which filter matches which name.

A topic name has levels separated by `/`. In a filter, `+` stands for exactly one level and `#`,
as the last level, for any number of levels, none included: `a/#` matches `a`. A name whose first
character is `$` is the broker's own and is matched by no filter that begins with a wildcard
(MQTT 5, section 4.7). A *shared* filter is `$share/GROUP/FILTER`: each message that matches FILTER
goes to one member of the group only (MQTT 5, section 4.8.2).
"""

MAX_LEVELS = 200
"""Deepest topic accepted, as in Mosquitto: each level of a filter costs a node in the tree."""

MAX_TOPIC_BYTES = 65535
"""Longest string that MQTT can carry."""

SHARE = "$share"


def is_topic_name(name: str) -> bool:
    """Whether a message may be published to `name`."""
    if "+" in name or "#" in name:
        return False
    return _is_well_formed(name)


def is_topic_filter(topic_filter: str) -> bool:
    """Whether `topic_filter` is well formed: wildcards stand alone in their level, `#` last."""
    if not _is_well_formed(topic_filter):
        return False
    levels = topic_filter.split("/")
    if "#" in topic_filter and ("#" in "".join(levels[:-1]) or len(levels[-1]) != 1):
        return False
    return all(level == "+" or "+" not in level for level in levels)


def _is_well_formed(text: str) -> bool:
    long = len(text) > MAX_TOPIC_BYTES or len(text.encode(errors="replace")) > MAX_TOPIC_BYTES
    return bool(text) and not long and "\0" not in text and text.count("/") < MAX_LEVELS


def is_shared(topic_filter: str) -> bool:
    """Whether a filter is meant as a shared one."""
    return topic_filter.split("/", 1)[0] == SHARE


def unshared(topic_filter: str) -> str:
    """The filter that topics are matched with: without `$share/GROUP/` where that precedes it."""
    return topic_filter.split("/", 2)[-1] if is_shared(topic_filter) else topic_filter


def checked_filter(topic_filter: str) -> str:
    """Return a filter to subscribe to, shared or not, or raise ValueError with an example."""
    if is_shared(topic_filter):
        share, _, rest = topic_filter.partition("/")
        group, slash, inner = rest.partition("/")
        if not group or not slash or set(group) & {"+", "#"} or not is_topic_filter(inner):
            raise ValueError(
                f"{topic_filter!r} is no shared filter; example: {share}/workers/site/+/reading"
            )
    elif not is_topic_filter(topic_filter):
        raise ValueError(
            f"{topic_filter!r} is no topic filter: + and # stand alone in their level, # in the"
            " last one; example: site/+/reading or site/#"
        )
    return topic_filter


def topic_matches(topic_filter: str, name: str) -> bool:
    """Whether a message published to `name` goes to a subscription of `topic_filter`."""
    if name.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    names = name.split("/")
    filters = topic_filter.split("/")
    for position, level in enumerate(filters):
        if level == "#":
            return True
        if position == len(names) or level not in ("+", names[position]):
            return False
    return len(names) == len(filters)
