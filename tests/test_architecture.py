"""Who may import whom: the layering of docs/design.md, held by reading every import there is.

The rules are the tables below. Each module of gwproactor is parsed, never run, and each import it
writes, at any depth and also under TYPE_CHECKING, is held against them. The checker is tested too,
on small sources that break one rule each: a rule that cannot fail holds nothing.
"""

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gwproactor"

# Lowest first. A part imports from lower layers and from itself; parts of one layer stand apart.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "texts", "waiting"),
    ("extras",),
    ("wire",),
    ("config",),
    ("logs",),
    ("layout", "logger", "logging_setup", "message", "problems", "restarts", "stats"),
    ("interfaces",),
    ("events",),
    ("boxes", "persister"),
    ("links",),
    ("actors",),
    ("web",),
    ("runtime",),
    ("node",),
    ("demo",),
    ("cli",),
)
RANKS = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}

# The rooms of a part, lowest first. SHELL is what has no room of its own there.
SHELL = "*"
ROOMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "events": (
        ("store",),
        ("core",),
        ("reporting",),
        ("disk",),
        ("log", "persisters", "memory_store"),
        (SHELL,),
    ),
    "links": (
        ("transport",),
        ("core",),
        ("mqtt",),
        (SHELL,),
        ("manager",),
        ("__init__",),
    ),
}
ROOM_RANKS = {
    part: {room: rank for rank, rooms in enumerate(layers) for room in rooms}
    for part, layers in ROOMS.items()
}

# The core decides and never does: it gets inputs and the time, and returns what is to be done. It
# leans only on itself, the wire and the exceptions. Ports are of it: they say what, not how.
CORE_MODULES = (
    "config/examples.py",
    "config/explain.py",
    "config/fields.py",
    "config/layers.py",
    "config/limit_policy.py",
    "config/open_table.py",
    "config/table.py",
    "config/tasks.py",
    "config/variables.py",
    "events/core/backlog.py",
    "events/core/batch_receipt.py",
    "events/core/breakers.py",
    "events/core/departures.py",
    "events/core/doubt.py",
    "events/core/drop_order.py",
    "events/core/flights.py",
    "events/core/hash_index.py",
    "events/core/inbox.py",
    "events/core/outbox.py",
    "events/core/owed_answers.py",
    "events/core/pending.py",
    "events/core/ref_table.py",
    "events/core/refusals.py",
    "events/core/seen_ids.py",
    "events/core/sequence_queue.py",
    "events/core/trouble.py",
    "events/core/turns.py",
    "events/core/window.py",
    "events/log/records.py",
    "events/log/segments.py",
    "events/store.py",
    "links/core/acks.py",
    "links/core/backoff.py",
    "links/core/broker_probe.py",
    "links/core/effects.py",
    "links/core/link_conditions.py",
    "links/core/link_core.py",
    "links/core/link_history.py",
    "links/core/link_state.py",
    "links/core/link_states.py",
    "links/core/message_times.py",
    "links/core/packet_acks.py",
    "links/core/presence.py",
    "links/core/reports.py",
    "links/core/reupload_progress.py",
    "links/core/subscriptions.py",
    "links/core/timer_interface.py",
    "runtime/pat_table.py",
    "restarts.py",
    "web/poll_times.py",
    "web/poll_troubles.py",
)
# These decide too, about settings: they do nothing themselves, but settings may name a file.
DECIDING_MODULES = (
    *CORE_MODULES,
    "links/core/batching.py",
    "links/core/connack.py",
    "links/core/emission.py",
    "links/core/event_payload.py",
    "links/losses.py",
    "links/own_faults.py",
    "links/core/pace.py",
    "links/core/reception.py",
    "links/core/send_options.py",
    "web/options.py",
    "web/rest_settings.py",
    "web/rest_urls.py",
    "web/routes.py",
)
PARTS_BELOW_THE_CORE = ("errors", "wire")
DOING_MODULES = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "subprocess", "threading"),
    *("signal", "time"),
    *("aiofiles", "fcntl", "filelock", "io", "mmap", "os", "pathlib", "shutil", "tempfile"),
    *("select", "selectors", "socket", "socketserver", "ssl"),
}

# Modules from elsewhere, and the only places that may know them.
CONFINED: dict[str, tuple[str, ...]] = {
    "aiofiles": ("events/disk/",),
    "aiohttp": ("web/aiohttp_",),
    "aiomqtt": ("links/mqtt/aiomqtt_",),
    "click": ("cli/",),
    "filelock": ("events/disk/",),
    "gwproactor_test": ("demo/",),
    "hypothesis": (),
    "mqtt5": (),
    "paho": ("links/mqtt/aiomqtt_", "links/mqtt/mqtt_properties.py"),
    "psutil": ("demo/",),
    "pytest": (),
    "rich": ("demo/", "cli/"),
    "transitions": ("links/core/link_state.py",),
    "trustme": (),
    "yarl": ("web/aiohttp_",),
}


def absolute_base(node: ast.ImportFrom, path: PurePosixPath) -> str:
    """The module that a `from` import names, with leading dots resolved."""
    if node.level == 0:
        return node.module or ""
    package = (PACKAGE, *path.parts[:-1])
    parents = package[: len(package) - node.level + 1]
    return ".".join((*parents, node.module) if node.module else parents)


def imports_of(source: str, path: PurePosixPath) -> Iterator[tuple[int, str, str | None]]:
    """Line, module and imported name (None for a plain import) of each import in `source`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, absolute_base(node, path), alias.name


def part_of(path: PurePosixPath) -> str:
    """The layered part that a file of the package belongs to: `links/link.py` is of `links`."""
    return path.parts[0].removesuffix(".py")


def layering_fault(path: PurePosixPath, module: str) -> str | None:
    """What is wrong with importing our own `module` in `path`, as far as layers go."""
    if part_of(path) == "__init__":
        return None  # the root only gathers the public names
    if module == PACKAGE:
        return "goes through the package root"
    mine, theirs = part_of(path), module.split(".")[1]
    for part in (mine, theirs):
        if part not in RANKS:
            return f"{part} has no layer; give it one in LAYERS"
    if mine != theirs and RANKS[theirs] >= RANKS[mine]:
        return f"{mine} is not above {theirs}"
    if str(path) in CORE_MODULES and not is_of_the_core(module):
        return "the core leans on nothing that does"
    if mine == theirs and mine in ROOMS:
        return room_fault(mine, path.parts[1].removesuffix(".py"), module.split(".")[2])
    return None


def room_fault(part: str, mine: str, theirs: str) -> str | None:
    """What is wrong with `theirs` being imported in `mine`, both of one part that has rooms."""
    ranks = ROOM_RANKS[part]
    my_room, their_room = (name if name in ranks else SHELL for name in (mine, theirs))
    if my_room == their_room or ranks[their_room] < ranks[my_room]:
        return None
    return f"{part}/{mine} is not above {part}/{theirs}"


def is_of_the_core(module: str) -> bool:
    """Whether a core module may import our own `module`."""
    _, part, *rest = module.split(".")
    return part in PARTS_BELOW_THE_CORE or "/".join((part, *rest)) + ".py" in CORE_MODULES


def foreign_fault(path: PurePosixPath, module: str) -> str | None:
    """What is wrong with importing `module`, not ours, in `path`."""
    top = module.split(".")[0]
    if str(path) in DECIDING_MODULES and top in DOING_MODULES:
        return "it decides and never does"
    places = CONFINED.get(top)
    if places is not None and not any(str(path).startswith(place) for place in places):
        return f"only {' and '.join(places) or 'gwproactor_test'} may"
    return None


def faults(path: PurePosixPath, source: str) -> list[str]:
    """Every import in `source` that breaks a rule; `path` is relative to the package."""
    found = []
    for line, module, name in imports_of(source, path):
        if module.split(".")[0] == PACKAGE:
            # `from gwproactor import links` would be the root, whatever links is
            fault = layering_fault(path, module)
        else:
            fault = foreign_fault(path, module)
        if fault is not None:
            found.append(f"{path}:{line}: imports {module} ({name or 'whole'}): {fault}")
    return found


def all_modules() -> list[PurePosixPath]:
    package = ROOT / PACKAGE
    return sorted(PurePosixPath(p.relative_to(package)) for p in package.rglob("*.py"))


@pytest.mark.parametrize("path", all_modules(), ids=str)
def test_imports_go_one_way(path: PurePosixPath) -> None:
    source = (ROOT / PACKAGE / path).read_text(encoding="utf-8")
    assert faults(path, source) == []


def test_every_module_that_decides_is_there() -> None:
    assert {PurePosixPath(name) for name in DECIDING_MODULES} <= set(all_modules())


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("events/writer.py", "from gwproactor.links.core.link_core import LinkCore"),
        ("stats/counts.py", "from gwproactor.links.core.link_core import LinkCore"),
        ("events/disk/repair.py", "from gwproactor.events.log.segments import Contents"),
        ("events/log/log_store.py", "from gwproactor.events.persisters.rolling_scan import scan"),
        ("events/log/log_store.py", "from gwproactor.events.writer import GroupCommitter"),
        ("events/writer.py", "def f():\n    import gwproactor.runtime.proactor"),
        ("links/core/pace.py", "from gwproactor.links.link import Link"),
        ("links/mqtt/tls.py", "from gwproactor.links.link import Link"),
        ("links/link.py", "from gwproactor.links.manager.link_manager import LinkManager"),
        ("wire/codec.py", "from ..config.settings import Settings"),
        ("links/link_task.py", "from .. import errors"),
        ("links/link_task.py", "from gwproactor import Proactor"),
        ("links/link_task.py", "import gwproactor"),
        ("links/link_task.py", "import aiomqtt"),
        ("links/mqtt.py", "if TYPE_CHECKING:\n    from paho.mqtt.client import Client"),
        ("links/link_task.py", "from transitions import Machine"),
        ("links/core/link_core.py", "import asyncio"),
        ("links/core/backoff.py", "from time import monotonic"),
        ("links/core/pace.py", "from time import monotonic"),
        ("events/core/outbox.py", "import os.path"),
        ("events/core/inbox.py", "from pathlib import Path"),
        ("events/core/inbox.py", "from gwproactor.events.log.log_store import LogStore"),
        ("links/core/link_core.py", "from gwproactor.config.link import LinkSettings"),
        ("runtime/proactor.py", "from aiohttp import web"),
        ("runtime/proactor.py", "from gwproactor_test.broker import Broker"),
        ("node/output.py", "from gwproactor.cli.main import main"),
        ("web/servers.py", "from gwproactor.runtime.proactor import Proactor"),
        ("web/servers.py", "if TYPE_CHECKING:\n    from aiohttp import web"),
        ("runtime/proactor.py", "from gwproactor.unheard_of import thing"),
        ("unheard_of.py", "from gwproactor.errors import GwproactorError"),
    ],
)
def test_a_breach_is_seen(path: str, source: str) -> None:
    assert len(faults(PurePosixPath(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("__init__.py", "from gwproactor.runtime.proactor import Proactor"),
        ("links/manager/reuploads.py", "from gwproactor.stats import LinkStats"),
        ("links/link_task.py", "from .link_core import LinkCore\nimport asyncio, time"),
        ("links/core/link_core.py", "from gwproactor.wire.payloads import Ping\nimport re"),
        ("links/core/link_state.py", "from transitions import Machine"),
        ("links/mqtt/aiomqtt_transport.py", "import aiomqtt\nfrom paho.mqtt import properties"),
        ("web/aiohttp_server.py", "from aiohttp import web"),
        ("demo/run.py", "from gwproactor_test.broker import Broker\nimport psutil, rich"),
        ("cli/main.py", "from ..demo.run import run\nimport click"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert faults(PurePosixPath(path), source) == []
