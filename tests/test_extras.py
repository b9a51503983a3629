"""What works without the extras, and what is said where one is needed and missing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gwproactor.extras import EXTRA_OF

ROOT = Path(__file__).parent.parent

WITHOUT_AIOHTTP = """
import sys
sys.modules["aiohttp"] = None
import asyncio
from gwproactor import Proactor
from gwproactor.errors import MissingExtraError

async def handler(request): ...

async def main():
    proactor = Proactor("d1.a")
    proactor.add_web_route("state", "GET", "/", handler)
    try:
        proactor.add_web_server_config("state", "127.0.0.1", 0)
    except MissingExtraError as error:
        print(error)
    async with proactor:
        print("runs")

asyncio.run(main())
"""

WITHOUT_MQTT5 = """
import sys
sys.modules["mqtt5"] = None
from gwproactor.errors import MissingExtraError
try:
    import gwproactor_test.broker
except MissingExtraError as error:
    print(error)
"""

WHO_IMPORTS = """
import sys
import gwproactor, gwproactor.web.servers, gwproactor.runtime.proactor
print(sorted(name for name in sys.modules if name.partition(".")[0] in {names}))
"""


def output_of(program: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    return run.stdout.splitlines()


def test_a_node_without_web_servers_needs_no_aiohttp_and_one_with_them_says_so() -> None:
    refused, runs = output_of(WITHOUT_AIOHTTP)
    assert refused == (
        "web server 'state' needs aiohttp, which is not installed:"
        " pip install 'gwproactor[web]', or in a checkout pip install '.[web]'"
    )
    assert runs == "runs"


def test_the_embedded_broker_says_what_it_needs() -> None:
    (said,) = output_of(WITHOUT_MQTT5)
    assert said == (
        "the embedded broker needs mqtt5, which is not installed:"
        " pip install 'gwproactor[demo]', or in a checkout pip install '.[demo]'"
    )


def test_importing_the_library_imports_nothing_of_an_extra() -> None:
    assert output_of(WHO_IMPORTS.format(names=set(EXTRA_OF))) == ["[]"]


@pytest.mark.parametrize(("package", "extra"), EXTRA_OF.items())
def test_the_extra_brings_the_package(package: str, extra: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = extras["optional-dependencies"][extra]
    assert package in [re.split(r"[<>=~]", each)[0] for each in required]
